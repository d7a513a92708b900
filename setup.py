"""What pyproject.toml cannot say: a wheel carries the table that its grammars compile to, and the compiled leaves.

A leaf is a module with a `.pxd` beside it. Where no compiler is to be had its `.py` is installed alone and runs
interpreted. KUBELOG_REQUIRE_NATIVE=1 makes that an error, KUBELOG_PURE=1 compiles nothing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
REQUIRED = os.environ.get("KUBELOG_REQUIRE_NATIVE") == "1"
PURE = os.environ.get("KUBELOG_PURE") == "1"
# Checks of bounds stay on; a negative index is an error, not a place counted from the end.
DIRECTIVES = {
    "language_level": 3, "annotation_typing": False, "infer_types": True, "wraparound": False, "initializedcheck": False,
    "show_performance_hints": False,
}  # fmt: skip


class BuildWithTable(build_py):
    """`build_py`, then the compiled table. Not in editable mode: there a checkout compiles its own on use."""

    def run(self) -> None:
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

    def _table(self) -> Path:
        return Path(self.build_lib, "kubelog", "grammar", "table.bin")


def leaves() -> list[Any]:
    """The modules to compile."""
    if PURE:
        return []
    try:
        from Cython.Build import cythonize
    except ImportError:
        if REQUIRED:
            raise SystemExit("KUBELOG_REQUIRE_NATIVE=1, but Cython is not installed") from None
        return []
    pairs = [(pxd.relative_to(ROOT), pxd.with_suffix(".py").relative_to(ROOT)) for pxd in sorted(ROOT.glob("kubelog/*/*.pxd"))]
    # `ops` has a body of its own in its .pxd.
    pairs = [(pxd, py) for pxd, py in pairs if py.stem != "ops"]
    extensions = [
        Extension(
            ".".join(py.with_suffix("").parts),
            [str(py)],
            extra_compile_args=[] if sys.platform == "win32" else ["-O3", "-g0"],
            depends=[str(pxd), "kubelog/ingest/ops.pxd"],
            optional=not REQUIRED,
        )
        for pxd, py in pairs
    ]
    return list(cythonize(extensions, build_dir="build/cython", compiler_directives=DIRECTIVES, quiet=True))


setup(cmdclass={"build_py": BuildWithTable}, ext_modules=leaves())
