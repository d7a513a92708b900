"""What pyproject.toml cannot say: a wheel carries the table that its grammars compile to, and the compiled leaves.

A leaf is a module with a `.pxd` beside it. Where no compiler is to be had its `.py` is installed alone and runs
interpreted. KUBELOG_REQUIRE_NATIVE=1 makes that an error, KUBELOG_PURE=1 compiles nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import BaseError, CCompilerError, CompileError

try:
    import Cython

    CYTHON = Cython.__version__
except ImportError:
    CYTHON = ""

ROOT = Path(__file__).resolve().parent
REQUIRED = os.environ.get("KUBELOG_REQUIRE_NATIVE", "") not in ("", "0")
PURE = os.environ.get("KUBELOG_PURE", "") not in ("", "0")
if REQUIRED and (PURE or not CYTHON):
    raise SystemExit(f"KUBELOG_REQUIRE_NATIVE=1, but {'KUBELOG_PURE=1' if PURE else 'Cython is not installed'}")

# Checks of bounds stay on; a negative index is an error, not a place counted from the end.
DIRECTIVES = (
    "language_level=3,annotation_typing=False,infer_types=True,wraparound=False,initializedcheck=False,show_performance_hints=False"
)
FLAGS = [] if sys.platform == "win32" else ["-g0", "-Wno-unused-function"]
if FLAGS and "-O" not in os.environ.get("CFLAGS", ""):
    FLAGS.append("-O3")
# A fifth of a leaf would be names for a debugger.
LINKED = ["-Wl,-s"] if sys.platform == "linux" else []
# What Cython would else put into each leaf anew.
SHARED = "kubelog._cyutility"

PXD = sorted(str(pxd.relative_to(ROOT)) for pxd in ROOT.glob("kubelog/*/*.pxd"))
OPS = str(Path("kubelog", "ingest", "ops.pxd"))  # no leaf: a body of its own, in every leaf
SUFFIX = str(sysconfig.get_config_var("EXT_SUFFIX"))


class BuildWithTable(build_py):
    """`build_py`, then the compiled table. Not in editable mode: there a checkout compiles its own on use."""

    def run(self) -> None:
        if not self.editable_mode:
            # What an earlier build left there would get into the wheel.
            shutil.rmtree(self.build_lib, ignore_errors=True)
        elif not LEAVES:
            drop_compiled()
        super().run()
        if not self.editable_mode:
            # With no leaf imported: those of the checkout may be those of another Python.
            os.environ["KUBELOG_PURE"] = "1"
            sys.path.insert(0, str(ROOT))
            from kubelog.grammar.compile import write_table

            write_table(self._table(), ROOT / "grammars")

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        outputs: list[str] = super().get_outputs(include_bytecode)
        return outputs if self.editable_mode else [*outputs, str(self._table())]

    def get_source_files(self) -> list[str]:
        return [*super().get_source_files(), *PXD]

    def _table(self) -> Path:
        return Path(self.build_lib, "kubelog", "grammar", "table.bin")


class BuildLeaves(build_ext):
    """`build_ext`, each leaf through Cython first, as many at a time as there are processors: all leaves or none.

    What goes into a wheel is always compiled; in a checkout, what is newer than its sources is kept.
    """

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or True

    def run(self) -> None:
        self.in_checkout = self.inplace  # setuptools clears it while it builds
        super().run()

    def build_extensions(self) -> None:
        compiler = [getattr(self.compiler, "compiler_so", None), os.environ.get("CFLAGS")]
        made_with = repr((CYTHON, sys.version, DIRECTIVES, FLAGS, LINKED, compiler))
        stamp = ROOT / "build" / "cython" / f"made-with{SUFFIX}.txt"
        keep = self.in_checkout and stamp.is_file() and stamp.read_text() == made_with
        stamp.unlink(missing_ok=True)
        for ext in self.extensions:
            built, in_checkout = Path(self.get_ext_fullpath(ext.name)), ROOT / self.get_ext_filename(ext.name)
            built.unlink(missing_ok=True)
            if keep and is_newer(in_checkout, [*ext.sources, *ext.depends]):
                built.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(in_checkout, built)
        try:
            self._find_compiler()
            super().build_extensions()
        except (BaseError, CCompilerError, OSError) as error:
            if REQUIRED:
                raise SystemExit(f"KUBELOG_REQUIRE_NATIVE=1, but the leaves do not compile: {error}") from error
            self.warn(f"the leaves do not compile, so kubelog will run interpreted, many times slower: {error}")
            for ext in self.extensions:
                Path(self.get_ext_fullpath(ext.name)).unlink(missing_ok=True)
            self.extensions = []
        else:
            stamp.write_text(made_with)
        finally:
            if self.in_checkout:
                drop_compiled()  # setuptools puts there what was built, and what was kept

    def _find_compiler(self) -> None:
        """Fail at once where there is no compiler, or no headers of this Python."""
        probe = ROOT / "build" / "cython" / "probe.c"
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.write_text("#include <Python.h>\n")
        self.compiler.compile([str(probe.relative_to(ROOT))], output_dir=self.build_temp)

    def build_extension(self, ext: Any) -> None:
        built = Path(self.get_ext_fullpath(ext.name))
        if not self.force and is_newer(built, [*ext.sources, *ext.depends]):
            return
        target = ROOT.joinpath("build", "cython", *ext.name.split(".")).with_suffix(".c")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
        begun = target.stat().st_mtime
        what = ["--generate-shared", str(target)]
        if ext.sources:
            what = ["--shared", SHARED, "-X", DIRECTIVES, "-o", str(target), *ext.sources]
        done = subprocess.run([sys.executable, "-m", "cython", *what], cwd=ROOT, check=False)
        if done.returncode:
            raise CompileError(f"Cython refuses {ext.name}")
        sources, ext.sources = ext.sources, [str(target.relative_to(ROOT))]
        try:
            super().build_extension(ext)
        finally:
            ext.sources = sources
        # What was changed meanwhile is younger than what was built.
        os.utime(built, (begun, begun))


def is_newer(built: Path, sources: list[str]) -> bool:
    """Whether it is there, and none of its sources is younger."""
    return built.is_file() and all((ROOT / source).stat().st_mtime <= built.stat().st_mtime for source in sources)


def drop_compiled() -> None:
    """Remove what an earlier build of this Python left in the checkout: it would be imported instead of its source."""
    for built in ROOT.glob(f"kubelog/**/*{SUFFIX}"):
        built.unlink()


def leaves() -> list[Any]:
    """The modules to compile, and what they share."""
    if PURE:
        return []
    if not CYTHON:
        sys.stderr.write("warning: Cython is not installed, so kubelog will run interpreted, many times slower\n")
        return []
    found = [Extension(SHARED, [], extra_compile_args=FLAGS, extra_link_args=LINKED)]
    for pxd in PXD:
        if pxd != OPS:
            source = Path(pxd).with_suffix(".py")
            name = ".".join(source.with_suffix("").parts)
            found.append(Extension(name, [str(source)], depends=[pxd, OPS], extra_compile_args=FLAGS, extra_link_args=LINKED))
    return found


LEAVES = leaves()
setup(cmdclass={"build_py": BuildWithTable, "build_ext": BuildLeaves}, ext_modules=LEAVES)
