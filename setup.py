"""What pyproject.toml cannot say: a wheel carries the table that its grammars compile to."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class BuildWithTable(build_py):
    """`build_py`, then the compiled table. Not in editable mode: there a checkout compiles its own on use."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            sys.path.insert(0, str(ROOT))
            from kubelog.grammar.compile import write_table

            write_table(self._table(), ROOT / "grammars")

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        outputs: list[str] = super().get_outputs(include_bytecode)
        return outputs if self.editable_mode else [*outputs, str(self._table())]

    def _table(self) -> Path:
        return Path(self.build_lib, "kubelog", "grammar", "table.bin")


setup(cmdclass={"build_py": BuildWithTable})
