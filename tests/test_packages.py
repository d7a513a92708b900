"""Grammars that an installed package ships are read like those of --grammar."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINE = "E0102 03:04:05.678901    4321 disk.go:12] acme disk {} is full"
GRAMMAR = """[event.AcmeDiskFull]
fields = { disk = "word" }

[[message]]
event = "AcmeDiskFull"
text = ["acme disk {disk:word} is full"]
sample = [{ body = "acme disk sda is full", yields = { disk = "sda" } }]
"""
CODE = 'from pathlib import Path\n\n\ndef grammars():\n    return Path(__file__).with_name("more")\n'


def install(folder: Path, value: str, grammar: str = GRAMMAR, code: str = CODE) -> Path:
    """Build a small package and install it into a folder for imports."""
    source, target = folder / "source", folder / "site"
    for where in (source / "acme_kubelog", source / "acme_kubelog" / "more"):
        where.mkdir(parents=True)
    (source / "acme_kubelog" / "__init__.py").write_text(code)
    where = source / "acme_kubelog" / ("more" if ":" in value else "")
    (where / "acme.toml").write_text(grammar)
    (source / "pyproject.toml").write_text(
        f"""[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "acme-grammars"
version = "1"
[project.entry-points."kubelog.grammars"]
acme = "{value}"
[tool.setuptools]
packages = ["acme_kubelog"]
[tool.setuptools.package-data]
acme_kubelog = ["*.toml", "more/*.toml"]
"""
    )
    command = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(target), str(source)], check=True, capture_output=True)
    return target


def run(target: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(target)))}
    command = [sys.executable, "-m", "kubelog", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("value", ["acme_kubelog", "acme_kubelog:grammars"])
def test_a_package_ships_grammars(tmp_path: Path, value: str) -> None:
    # A package without a function is not even imported.
    target = install(tmp_path, value, code=CODE if ":" in value else "raise SystemExit('imported')")
    for engine in ("scanner", "reference"):
        done = run(target, "parse", "-o", "jsonl", "--year", "2017", "--engine", engine, stdin=LINE.format("sdb") + "\n")
        assert (done.returncode, done.stderr) == (0, "")
        record = json.loads(done.stdout)
        assert (record["kind"], record["fields"]) == ("AcmeDiskFull", {"disk": "sdb"})
    assert run(target, "grammar", "check").stdout.endswith("all samples right\n")
    assert "package acme-grammars: acme.toml:6" in run(target, "grammar", "show", "AcmeDiskFull").stdout
    code = f"import kubelog; print(kubelog.parse_line({LINE.format('sdc')!r}).event.disk)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(target)))}
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout == "sdc\n"
    )


@pytest.mark.parametrize(
    ("value", "grammar", "code", "told"),
    [
        (
            "acme_kubelog", GRAMMAR.replace('"acme disk {disk:word}', '"acme disk {disk:wrod}'), CODE,
            "kubelog: package acme-grammars: acme.toml:6:26: expected a hole type, found 'wrod'; did you mean 'word'?",
        ),
        (
            "acme_none", GRAMMAR, CODE,
            "kubelog: package acme-grammars: kubelog.grammars: acme = acme_none: ModuleNotFoundError: no module named 'acme_none'",
        ),
        (
            "acme_kubelog:grammars", GRAMMAR, "def grammars():\n    raise ValueError('two\\nlines')",
            "kubelog: package acme-grammars: kubelog.grammars: acme = acme_kubelog:grammars: ValueError: two lines",
        ),
        (
            "acme_kubelog:grammars", GRAMMAR, "grammars = 5",
            "kubelog: package acme-grammars: kubelog.grammars: acme = acme_kubelog:grammars: "
            "expected a package, a path or a function that returns a path",
        ),
        (
            "acme_kubelog:grammars", GRAMMAR, "grammars = '/nowhere'",
            "kubelog: package acme-grammars: kubelog.grammars: acme = acme_kubelog:grammars: no grammar file (*.toml) at /nowhere",
        ),
    ],
    ids=["a wrong hole type", "no such module", "a function that fails", "a number", "a path that is not there"],
)  # fmt: skip
def test_a_package_that_is_wrong_is_named(tmp_path: Path, value: str, grammar: str, code: str, told: str) -> None:
    done = run(install(tmp_path, value, grammar, code), "parse", stdin=LINE)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == told
    assert "Traceback" not in done.stderr


def test_where_no_package_ships_any_nothing_is_looked_up() -> None:
    code = "import sys, kubelog; kubelog.parse_line('x'); print('importlib.metadata' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "False\n"


def test_the_group_is_the_one_that_is_documented() -> None:
    page = (ROOT / "docs" / "grammar.md").read_text(encoding="utf-8")
    block = page.split("```toml\n[project.entry-points", 1)[1].split("```", 1)[0]
    assert set(tomllib.loads("[project.entry-points" + block)["project"]["entry-points"]) == {"kubelog.grammars"}
