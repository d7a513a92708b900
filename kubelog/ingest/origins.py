"""Where the lines of a Block are from, where some of them were made: see unwrap.py."""

from __future__ import annotations

from bisect import bisect_right

from kubelog.ingest.block import Block


class Origins:
    """The lines of a Block, and the bytes of the input that each of them is from."""

    def __init__(self, block: Block) -> None:
        self.block = block  # the input as it is
        self.lines = 0
        self.total = 0  # the input's lines that these are from
        # Runs of lines: the number of the first, and of the input's line that it is from. Lines that were made are runs of one.
        self._first: list[int] = []
        self._from: list[int] = []
        self._made: dict[int, list[tuple[int, int]]] = {}
        self._start: dict[int, int] = {}  # of lines that take no bytes: a place of their own in the document
        self._document = 0  # the first line of the last document
        self.glued: set[int] = set()  # lines that go with the one before: they are from the same bytes

    def copy(self, first: int, stop: int) -> None:
        """Note lines of the input that stay as they are."""
        self._first.append(self.lines)
        self._from.append(first)
        self.lines += stop - first
        self.total = stop

    def make(self, spans: list[tuple[int, int]], number: int, glued: bool) -> None:
        """Note a line that was made of these bytes, at the input's line of this number."""
        self._first.append(self.lines)
        self._from.append(number)
        self._made[self.lines] = spans
        if glued:
            self.glued.add(self.lines)
        else:
            self._document = self.lines
        if not spans:
            self._start[self.lines] = self.block.at[number] + 1 + self.lines - self._document
        self.lines += 1

    def line(self, line: int) -> int:
        """The input's line that a line is from, counted from the Block's first."""
        run = bisect_right(self._first, line) - 1
        return self._from[run] + (0 if line in self._made else line - self._first[run])

    def spans(self, line: int) -> list[tuple[int, int]]:
        """Where the bytes begin and end that a line is from, in the Block of the input."""
        made = self._made.get(line)
        if made is not None:
            return made
        number = self.line(line)
        return [(self.block.at[number], self.block.at[number + 1])]

    def begin(self, line: int) -> int:
        """Where the bytes begin that a line and those behind it are from, in the Block of the input."""
        spans = self._made.get(line)
        return spans[0][0] if spans else self.block.at[self.line(line)]

    def start(self, line: int) -> int:
        """Where a line begins, in the Block of the input; no other line begins there."""
        spans = self._made.get(line)
        return spans[0][0] if spans else self._start[line] if line in self._start else self.block.at[self.line(line)]
