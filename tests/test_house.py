"""The laws of the house: who may import whom, what an import costs, and that what is built can be used.

Each of the five stages imports only what stands left of it in the way of the data, `errors` and `grammar`; a leaf that is not
compiled also `uncompiled`. The laws are read from the text with `ast`, so an import inside a function or under `TYPE_CHECKING`
counts like any other.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import resolve_name
from pathlib import Path

import pytest

from kubelog import native

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "kubelog"

STAGES = ("ingest", "klog", "message", "timeline", "view")
MAIN = "__main__"
TOP = ""  # the package's own __init__


def may_import(room: str, other: str) -> bool:
    """The law. A room is a stage, `grammar`, or a module at the top; `TOP` is `kubelog` itself."""
    if room in {other, MAIN}:
        return True
    if room in {"errors", "uncompiled"} or other in {"cli", MAIN}:
        return False
    if other == "commands":
        return room == "cli"
    if room == "grammar":
        return other == "errors"
    if room in STAGES:
        return other in {"errors", "grammar", "uncompiled", *STAGES[: STAGES.index(room)]}
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


def leaves(package: Path) -> dict[str, Path]:
    """The modules that are compiled: those with a `.pxd` beside them. `ops` is none: it has a body of its own in its `.pxd`."""
    found = {module_name(pxd, package): pxd for pxd in sorted(package.glob("*/*.pxd"))}
    found.pop("kubelog.ingest.ops", None)
    return found


def leaves_that_lean_on_leaves(package: Path) -> list[str]:
    """Imports of a leaf by a leaf, and cimports in its `.pxd`. All may import `columns`, which imports none."""
    names = leaves(package)
    lent = names.keys() - {"kubelog.ingest.columns"}
    found = [asked for asked in imports(package) if asked.importer in names]
    for importer, pxd in names.items():
        for line, text in enumerate(pxd.read_text(encoding="utf-8").splitlines(), 1):
            if cimport := re.fullmatch(r"\s*(?:from (\S+) )?cimport (.+)", text):
                origin = f"{cimport[1]}." if cimport[1] else ""
                asked_for = [origin + name.split()[0] for name in cimport[2].split(",")]
                found += [Import(pxd.relative_to(package.parent), line, importer, name) for name in asked_for]
    return [str(asked) for asked in found if any(f"{asked.imported}.".startswith(f"{leaf}.") for leaf in lent)]


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


def test_no_leaf_imports_another() -> None:
    assert leaves(PACKAGE).keys() >= set(native.LEAVES.values())
    assert leaves_that_lean_on_leaves(PACKAGE) == []


@pytest.mark.parametrize(
    ("suffix", "text", "told"),
    [
        (".py", "from kubelog.ingest.lines import LineReader", 1),
        (".py", "def run():\n    from ..ingest import lines", 1),
        (".pxd", "from kubelog.ingest.lines cimport LineReader", 1),
        (".pxd", "cimport cython\nfrom kubelog.ingest cimport ops, lines as l", 1),
        (".py", "from kubelog.ingest import columns, ops\nfrom kubelog.ingest.block import Block", 0),
        (".pxd", "cimport cython\nfrom cpython.array cimport array\nfrom kubelog.ingest cimport ops, columns", 0),
    ],
)
def test_a_leaf_that_imports_another_is_told(tmp_path: Path, suffix: str, text: str, told: int) -> None:
    for name in ("ingest.lines", "ingest.columns", "ingest.ops", "klog.header"):
        write(tmp_path, name, "").with_suffix(".pxd").write_text("", encoding="utf-8")
    (tmp_path / "kubelog" / "klog" / "header").with_suffix(suffix).write_text(text, encoding="utf-8")
    found = leaves_that_lean_on_leaves(tmp_path / "kubelog")
    assert len(found) == told
    assert all("kubelog.klog.header may not import kubelog.ingest.lines" in text for text in found)


def write(folder: Path, module: str, text: str) -> Path:
    path = folder.joinpath("kubelog", *module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
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


SUFFIX = EXTENSION_SUFFIXES[0]
COMPILED = {f"{module.replace('.', '/')}{SUFFIX}" for module in (*leaves(PACKAGE), "kubelog._cyutility")}


@dataclass(frozen=True)
class Built:
    """What git tracks, a source distribution of it, and the wheel that was built from that."""

    source: Path
    sdist: Path
    wheel: Path


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def compiled_in(names: set[str]) -> set[str]:
    return {name for name in names if name.endswith((".so", ".pyd"))}


def outcome(*command: str | Path, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command, with settings in its environment; it sees no path of this process's Python."""
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}} | settings
    return subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def run(*command: str | Path, cwd: Path, **settings: str) -> str:
    """The output of a command that must succeed. A failure tells its last lines."""
    done = outcome(*command, cwd=cwd, **settings)
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
    # Compiled in haste: what the leaves say is tried with those of the checkout.
    run(sys.executable, "-m", "build", "--outdir", target, source, cwd=folder, CFLAGS="-O0")
    [sdist], [wheel] = target.glob("*.tar.gz"), target.glob("*.whl")
    return Built(source, sdist, wheel)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and the core dependencies in it, not even pip; the folder it stands in."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", "env", cwd=folder)
    pip = (sys.executable, "-m", "pip", "--python", "env", "-qq")
    run(*pip, "install", built.wheel, cwd=folder)
    return folder / "env"


def test_the_wheel_holds_the_package_its_grammars_and_their_table(built: Built) -> None:
    names = names_in(built.wheel)
    grammars = {f"kubelog/grammars/{path.name}" for path in (ROOT / "grammars").glob("*.toml")}
    assert "kubelog/grammars/klog.toml" in grammars
    assert names >= {"kubelog/py.typed", "kubelog/grammar/table.bin", *grammars}
    assert names >= {str(path.relative_to(ROOT)) for path in modules(PACKAGE).values()}


def test_the_wheel_holds_nothing_beside_the_package(built: Built) -> None:
    assert {name.split("/")[0].split("-")[0] for name in names_in(built.wheel)} == {"kubelog"}


def test_the_wheel_holds_all_leaves_compiled_or_none(built: Built) -> None:
    names = names_in(built.wheel)
    # What could be compiled for the checkout can be compiled for a wheel.
    assert compiled_in(names) in ([COMPILED] if native.kind() == "compiled" else [COMPILED, set()])
    assert not [name for name in names if name.endswith((".pxd", ".c"))]


def test_the_source_distribution_leaves_the_table_and_the_leaves_to_the_build(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {"LICENSE", "setup.py", "grammars/klog.toml", *(str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*.pxd"))}
    assert not [name for name in names if name.endswith((".bin", ".c", ".so"))]


def build_wheel(built: Built, target: Path, **settings: str) -> Path:
    """A wheel of the tree that the first wheel came from, with the tools of this environment."""
    settings = {"KUBELOG_PURE": "", "KUBELOG_REQUIRE_NATIVE": ""} | settings
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, built.source, cwd=target, **settings)
    [wheel] = target.glob("*.whl")
    return wheel


def leave_old_leaves(source: Path) -> list[Path]:
    """What earlier builds of a wheel and of the checkout left behind."""
    platform = f"lib.{sysconfig.get_platform()}-{sys.implementation.cache_tag}"
    old = [folder / f"kubelog/ingest/lines{SUFFIX}" for folder in (source, source / "build" / platform, source / "build" / "lib")]
    for path in old:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"old")
    return old


NO_COMPILER = shutil.which("false") or "there-is-no-compiler"


def test_a_wheel_built_without_a_compiler_runs_interpreted(built: Built, tmp_path: Path) -> None:
    leave_old_leaves(built.source)
    wheel = build_wheel(built, tmp_path, CC=NO_COMPILER)
    assert compiled_in(names_in(wheel)) == set()
    run(sys.executable, "-m", "zipfile", "-e", wheel, "there", cwd=tmp_path)
    text = "import sys; sys.path.insert(0, 'there'); import kubelog; print(kubelog.__file__, kubelog.native.kind())"
    file, kind = run(sys.executable, "-I", "-c", text, cwd=tmp_path, KUBELOG_PURE="").split()
    assert (Path(file).parent.parent.name, kind) == ("there", "interpreted")


def test_a_build_that_must_compile_fails_without_a_compiler_and_says_so(built: Built, tmp_path: Path) -> None:
    command = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, built.source)
    done = outcome(*command, cwd=tmp_path, CC=NO_COMPILER, KUBELOG_PURE="", KUBELOG_REQUIRE_NATIVE="1")
    assert done.returncode != 0
    assert "KUBELOG_REQUIRE_NATIVE=1, but the leaves do not compile" in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_pure_wheel_is_for_every_machine(built: Built, tmp_path: Path) -> None:
    leave_old_leaves(built.source)
    wheel = build_wheel(built, tmp_path, KUBELOG_PURE="1")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert compiled_in(names_in(wheel)) == set()


def test_a_checkout_that_cannot_be_compiled_anew_keeps_no_old_leaf(built: Built, tmp_path: Path) -> None:
    checkout, *_ = leave_old_leaves(built.source)
    command = (sys.executable, "setup.py", "-q", "build_ext", "--inplace")
    done = outcome(*command, cwd=built.source, CC=NO_COMPILER, KUBELOG_PURE="", KUBELOG_REQUIRE_NATIVE="")
    assert done.returncode == 0, done.stderr
    assert "kubelog will run interpreted" in done.stdout + done.stderr
    assert not checkout.exists()


def test_the_installed_leaves_are_compiled_if_those_of_the_wheel_are(built: Built, installed: Path, tmp_path: Path) -> None:
    found = run(
        installed / "bin" / "python", "-c", "from kubelog import native; print(native.kind())", cwd=tmp_path, KUBELOG_PURE=""
    )
    assert found.strip() == ("compiled" if compiled_in(names_in(built.wheel)) else "interpreted")


def test_the_installed_command_finds_its_grammars_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    listed = run(installed / "bin" / "kubelog", "grammar", "list", cwd=tmp_path)
    assert listed.strip()
    assert list(tmp_path.iterdir()) == []


def test_the_core_fits_on_a_node_with_a_full_disk(installed: Path) -> None:
    size = sum(path.stat().st_size for path in installed.glob("lib/**/*") if path.is_file() and not path.is_symlink())
    # Pygments, which rich brings, is a third of it, kubelog another.
    assert size < 27_000_000
