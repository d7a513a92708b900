"""The start: a name, a command, imports what it needs and no more."""

from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kubelog
from kubelog import native
from kubelog.engines import engine as engine_of

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "notebooks" / "node3" / "node3-kubelet.log"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}

TABLES = {"duckdb", "numpy", "pandas", "polars", "pyarrow"}
# What a run that reads no grammar, prints on no terminal and makes no mistake does without.
HEAVY = TABLES | {"difflib", "html", "hypothesis", "pyparsing", "rich", "tomllib", "zoneinfo"}
READING = {
    "datetime",
    "decimal",
    "msgspec",
    "kubelog.engines",
    "kubelog.grammar",
    "kubelog.message",
    "kubelog.pipeline",
    "kubelog.timeline",
}
UNASKED = {"kubelog.grammar.file", "kubelog.grammar.reference", "kubelog.grammar.tree", "kubelog.live", "kubelog.view.text"}

MAIN = "from kubelog.__main__ import main\ntry:\n    main()\nexcept SystemExit as end:\n    assert not end.code"


def modules(code: str, *arguments: str) -> set[str]:
    """All that a fresh process has imported when it has run this."""
    code += "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.fixture(scope="module", autouse=True)
def _table() -> None:
    engine_of("scanner")  # the table of a checkout is made where it is missing


# What is imported


def test_importing_the_package_imports_none_of_its_stages() -> None:
    found = modules("import kubelog")
    assert found & (HEAVY | READING) == set()
    assert {name for name in found if name.startswith("kubelog")} == {"kubelog", "kubelog.native"}


@pytest.mark.parametrize("arguments", [["--help"], ["parse", "--help"], ["timeline", "--help"], ["grammar", "show", "--help"]])
def test_help_imports_nothing_that_reads_logs(arguments: list[str]) -> None:
    assert modules(MAIN, *arguments) & (HEAVY | READING) == set()


def test_parsing_a_log_imports_what_reads_it_and_no_more() -> None:
    found = modules(MAIN, "parse", str(LOG), "--year", "2017", "-o", "jsonl")
    assert "kubelog.pipeline" in found
    assert found & (HEAVY | UNASKED | {"kubelog.timeline.correlator", "kubelog.timeline.rules"}) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["parse", str(LOG), "--year", "2017", "-o", "text"],
        ["timeline", str(LOG), "--year", "2017", "-o", "text"],
        ["timeline", str(LOG), "--year", "2017", "-o", "json"],
        ["coverage", str(LOG), "--year", "2017"],
        ["config", str(LOG), "--year", "2017"],
        ["grammar", "list"],
    ],
    ids=" ".join,
)
def test_no_command_that_runs_the_table_imports_anything_heavy(arguments: list[str]) -> None:
    assert modules(MAIN, *arguments) & HEAVY == set()


def test_reading_one_line_imports_no_rule() -> None:
    found = modules("import kubelog\nkubelog.parse_line('W1016 09:50:55.056703    4321 a.go:1] x')")
    assert found & (HEAVY | UNASKED | {"kubelog.timeline.rules"}) == set()


# Public names


def test_every_public_name_is_known_before_it_is_asked_for() -> None:
    code = (
        "import kubelog\nassert {*kubelog.__all__, '__version__', 'native'} <= set(dir(kubelog))\nassert 'Log' not in vars(kubelog)"
    )
    assert "kubelog.pipeline" not in modules(code)


def test_a_star_imports_every_public_name() -> None:
    code = "before = set(globals())\nfrom kubelog import *\nimport kubelog\n"
    modules(code + "assert set(kubelog.__all__) <= set(globals()), set(kubelog.__all__) - set(globals())")


def test_a_name_comes_from_where_the_types_say() -> None:
    tree = ast.parse(Path(kubelog.__file__).read_text(encoding="utf-8"))
    [choice] = [node for node in tree.body if isinstance(node, ast.If)]
    written = {alias.name: node.module for node in choice.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert {*written, "__version__"} == set(kubelog.__all__)
    for name, module in written.items():
        assert module is not None
        assert getattr(kubelog, name) is getattr(importlib.import_module(module), name)


def test_a_name_that_is_asked_for_again_is_the_same() -> None:
    assert kubelog.Record is kubelog.Record
    assert "Record" in vars(kubelog)


@pytest.mark.parametrize("module", ["kubelog", "kubelog.timeline"])
def test_an_unknown_name_is_told(module: str) -> None:
    found = importlib.import_module(module)
    with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'nothing'"):
        _ = found.nothing
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec(f"from {module} import nothing")


# --version


def version(**environment: str) -> str:
    command = [sys.executable, "-m", "kubelog", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT | environment)
    assert done.stderr == ""
    return done.stdout


def test_the_version_says_what_runs() -> None:
    assert version() == f"kubelog {kubelog.__version__} ({native.kind()})\n"
    assert version(KUBELOG_PURE="1") == f"kubelog {kubelog.__version__} (interpreted)\n"
