"""lines → standard output or a file. Styles are for terminals; what is not a terminal gets plain text."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, cast

from kubelog.view.escape import terminal

if TYPE_CHECKING:
    from rich.console import Console

    from kubelog.view.text import Line


class Out:
    """Where a command prints: `--to FILE`, else standard output. Every text was escaped by a view."""

    def __init__(self, to: str | None = None, keep: bool = False) -> None:
        """`keep` what the file holds, and write behind it."""
        mode = "a+" if keep else "w"
        self.file = sys.stdout if to is None else cast(TextIO, open(to, mode, encoding="utf-8", newline="\n"))  # noqa: SIM115  # see close()
        self.owned = to is not None
        if not self.owned and hasattr(self.file, "reconfigure"):
            # A locale that cannot say a character must not end the output.
            self.file.reconfigure(errors="backslashreplace", newline="\n")
        self._console: Console | None = None

    @property
    def is_terminal(self) -> bool:
        return not self.owned and self.file.isatty()

    @property
    def width(self) -> int:
        """Columns to wrap at: the terminal's, at most 120; 100 elsewhere."""
        if not self.is_terminal:
            return 100
        try:
            return max(40, min(120, os.get_terminal_size(self.file.fileno()).columns))
        except OSError:
            return 100

    def text(self, line: str) -> None:
        """One line as it is."""
        self.file.write(line + "\n")

    def line(self, line: Line) -> None:
        """One line of styled pieces."""
        if self.is_terminal and "NO_COLOR" not in os.environ:
            self._rich().print(self._styled(line), soft_wrap=True, highlight=False)
        else:
            self.text("".join(text for text, _ in line).rstrip())

    def lines(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self.line(line)

    def encoded(self, *lines: str) -> bytes:
        """Lines as the bytes that `text` writes."""
        return "".join(f"{line}\n" for line in lines).encode(self.file.encoding, "backslashreplace")

    @property
    def binary(self) -> BinaryIO:
        """Where bytes go."""
        self.file.flush()
        return self.file.buffer

    def flush(self) -> None:
        self.file.flush()

    def close(self) -> None:
        """Flush, so that a full disk is told; close what was opened here."""
        self.flush()
        if self.owned:
            self.file.close()

    def _rich(self) -> Console:
        if self._console is None:
            from rich.console import Console

            self._console = Console(file=self.file, markup=False, emoji=False)
        return self._console

    def _styled(self, line: Line) -> Any:
        from rich.text import Text

        return Text.assemble(*((text, style) for text, style in line))


def complain(*lines: str) -> None:
    """Say what went wrong, on standard error: one line (a grammar's mistake also has its source line and a caret)."""
    for number, line in enumerate(lines):
        sys.stderr.write(("kubelog: " if number == 0 else "") + terminal(line) + "\n")
