"""The laws of the house: who may import whom, what an import costs, and that what is built can be used.

Each of the five stages imports only what stands left of it in the way of the data, `errors` and `grammar`. The laws are read
from the text with `ast`, so an import inside a function or under `TYPE_CHECKING` counts like any other.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "kubelog"

STAGES = ("ingest", "klog", "message", "timeline", "view")
MAIN = "__main__"
TOP = ""  # the package's own __init__


def may_import(room: str, other: str) -> bool:
    """The law. A room is a stage, `grammar`, or a module at the top; `TOP` is `kubelog` itself."""
    if room in {other, MAIN}:
        return True
    if room == "errors" or other in {"cli", MAIN}:
        return False
    if other == "commands":
        return room == "cli"
    if room == "grammar":
        return other == "errors"
    if room in STAGES:
        return other in {"errors", "grammar", *STAGES[: STAGES.index(room)]}
    return True


@dataclass(frozen=True)
class Import:
    """One import of something of kubelog: where it is written, and the dotted name that it asks for."""

    path: Path
    line: int
    importer: str
    imported: str

    def is_lawful(self) -> bool:
        return may_import(room_of(self.importer), room_of(self.imported))

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.importer} may not import {self.imported}"


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else TOP


def module_name(path: Path, package: Path) -> str:
    """`kubelog/klog/header.py` → `kubelog.klog.header`, `kubelog/klog/__init__.py` → `kubelog.klog`."""
    return ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")


def modules(package: Path) -> dict[str, Path]:
    return {module_name(path, package): path for path in sorted(package.rglob("*.py"))}


def names_asked_for(tree: ast.AST, parent: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import; `from a import b` asks for `a.b`, relative ones are resolved in `parent`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                origin = resolve_name("." * level + (module or ""), parent)
                yield from ((node.lineno, f"{origin}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, resolve_name(name, parent)


def imports(package: Path) -> list[Import]:
    """Everything that the modules of a package ask of that package."""
    found = []
    for importer, path in modules(package).items():
        parent = importer if path.name == "__init__.py" else importer.rpartition(".")[0]
        tree = ast.parse(path.read_bytes(), str(path))
        for line, imported in names_asked_for(tree, parent):
            if imported.split(".")[0] == package.name:
                found.append(Import(path.relative_to(package.parent), line, importer, imported))
    return found


def unlawful(package: Path) -> list[str]:
    return [str(found) for found in imports(package) if not found.is_lawful()]


# Who imports whom


def test_the_stages_sort_in_the_order_of_the_data() -> None:
    assert sorted(STAGES) == list(STAGES)


def test_every_folder_of_the_package_is_a_room_that_the_law_knows() -> None:
    folders = {path.parent.relative_to(PACKAGE).parts[0] for path in PACKAGE.glob("*/**/*.py")}
    assert folders == {*STAGES, "grammar"}


def test_a_room_imports_only_what_the_law_lets_it() -> None:
    assert imports(PACKAGE), "no import was read: the law was not tried"
    assert unlawful(PACKAGE) == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        pytest.param("klog.header", "from kubelog.message import Event", id="a stage to the right"),
        pytest.param("klog.header", "import kubelog.view.text as text", id="a module of a stage to the right"),
        pytest.param("klog.header", "from ..timeline.rules import oom", id="a relative import"),
        pytest.param("ingest.__init__", "from .. import klog", id="a relative import in a package"),
        pytest.param("ingest.clock", "def now():\n    from kubelog import view", id="an import in a function"),
        pytest.param(
            "message.table",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from kubelog.timeline import Incident",
            id="an import for types only",
        ),
        pytest.param("message.table", "import importlib\nimportlib.import_module('kubelog.view')", id="import_module"),
        pytest.param("message.table", "__import__('kubelog.view')", id="__import__"),
        pytest.param("timeline.rules.oom", "import kubelog", id="the package's own names, from a stage"),
        pytest.param("view.text", "from kubelog import Incident", id="a public name, from a stage"),
        pytest.param("view.text", "from kubelog.pipeline import read", id="the pipeline, from a stage"),
        pytest.param("grammar.catalog", "from kubelog.message import vocabulary", id="a stage, from the grammar"),
        pytest.param("errors", "from kubelog.grammar import notation", id="anything, from the errors"),
        pytest.param("pipeline", "from kubelog.cli import progress", id="the command line, from a module at the top"),
        pytest.param("__init__", "from .cli import main", id="the command line, from the package"),
        pytest.param("cli", "from kubelog.__main__ import main", id="the entry, from the command line"),
    ],
)
def test_an_import_against_the_law_is_told_with_its_place(tmp_path: Path, module: str, text: str) -> None:
    path = write(tmp_path, module, text)
    line = text.count("\n") + 1
    [told] = unlawful(tmp_path / "kubelog")
    assert told.startswith(f"{path.relative_to(tmp_path)}:{line}: ")


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("timeline.rules.oom", "from kubelog.message import Event\nfrom ..correlator import Step\nimport kubelog.klog"),
        ("ingest.__init__", "from .blocks import Block\nfrom ..errors import InputError\nfrom kubelog import grammar"),
        (
            "grammar.compile",
            "import msgspec, pyparsing\nfrom kubelog.errors import GrammarError\nfrom . import catalog",
        ),
        ("pipeline", "from kubelog import errors, grammar, ingest, view\nimport tomllib"),
        ("__init__", "from kubelog.pipeline import read as read"),
        ("cli", "import kubelog\nfrom kubelog.view import text"),
        ("__main__", "from kubelog.cli import main"),
        ("klog.header", "from kubelogic.view import anything  # another package, whatever its name begins with"),
    ],
)
def test_an_import_within_the_law_is_left_alone(tmp_path: Path, module: str, text: str) -> None:
    write(tmp_path, module, text)
    assert unlawful(tmp_path / "kubelog") == []


def write(folder: Path, module: str, text: str) -> Path:
    path = folder.joinpath("kubelog", *module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


# What an import needs and costs


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter, apart from this one's paths and settings."""
    return subprocess.run([sys.executable, "-I", *arguments], capture_output=True, text=True, check=False)


# One bare interpreter that forks for each module: every child begins with nothing imported but what Python itself needs.
IMPORT_EACH_ALONE = """
import importlib, os, sys, traceback

failed = 0
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(name)
        except BaseException:
            traceback.print_exc()
            print(f"{name} does not import alone", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    failed |= os.waitpid(child, 0)[1]
sys.exit(bool(failed))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_every_module_imports_alone() -> None:
    names = list(modules(PACKAGE))
    assert len(names) > len(STAGES)
    done = python("-c", IMPORT_EACH_ALONE, *names)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_imports_nothing_heavy() -> None:
    done = python("-c", "import json, sys; import kubelog; print(json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stderr
    packages = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert "kubelog" in packages
    assert packages & {"numpy", "pandas", "pyarrow", "pyparsing", "rich"} == set()


# What is built, and whether it can be used


@dataclass(frozen=True)
class Built:
    """A source distribution, and the wheel that was built from it."""

    sdist: Path
    wheel: Path

    def wheel_names(self) -> set[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())


def run(*command: str | Path, cwd: Path) -> str:
    """The output of a command that must succeed; it sees no path of this process's Python. A failure tells its last lines."""
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    last_lines = (done.stdout + done.stderr).splitlines()[-20:]
    assert done.returncode == 0, "\n".join([" ".join(map(str, command)), *last_lines])
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built from a copy of what git tracks or would track, so that nothing left over from an earlier build gets in."""
    folder = tmp_path_factory.mktemp("built")
    source, target = folder / "source", folder / "dist"
    for name in run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0"):
        if name and (ROOT / name).is_file():
            copy = source / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--outdir", target, source, cwd=folder)
    [sdist], [wheel] = target.glob("*.tar.gz"), target.glob("*.whl")
    return Built(sdist, wheel)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and the core dependencies in it, not even pip; the folder it stands in."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", "env", cwd=folder)
    pip = (sys.executable, "-m", "pip", "--python", "env", "-qq")
    run(*pip, "install", built.wheel, cwd=folder)
    return folder / "env"


def test_the_wheel_holds_the_package_its_grammars_and_their_table(built: Built) -> None:
    names = built.wheel_names()
    grammars = {f"kubelog/grammars/{path.name}" for path in (ROOT / "grammars").glob("*.toml")}
    assert "kubelog/grammars/klog.toml" in grammars
    assert names >= {"kubelog/py.typed", "kubelog/grammar/table.bin", *grammars}
    assert names >= {str(path.relative_to(ROOT)) for path in modules(PACKAGE).values()}


def test_the_wheel_holds_nothing_beside_the_package(built: Built) -> None:
    assert {name.split("/")[0].split("-")[0] for name in built.wheel_names()} == {"kubelog"}


def test_the_source_distribution_leaves_the_table_to_the_build(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {"LICENSE", "setup.py", "grammars/klog.toml"}
    assert "kubelog/grammar/table.bin" not in names


def test_the_installed_command_finds_its_grammars_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    listed = run(installed / "bin" / "kubelog", "grammar", "list", cwd=tmp_path)
    assert listed.strip()
    assert list(tmp_path.iterdir()) == []


def test_the_core_fits_on_a_node_with_a_full_disk(installed: Path) -> None:
    size = sum(path.stat().st_size for path in installed.glob("lib/**/*") if path.is_file() and not path.is_symlink())
    assert size < 25_000_000
