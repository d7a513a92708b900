r"""bytes → lines: where each line of a Block begins and ends. Lines end with \n and nothing else."""

from __future__ import annotations

from kubelog.ingest import ops
from kubelog.ingest.block import Block

try:
    import cython
except ImportError:
    from kubelog import uncompiled as cython

# A guess of how long a line is, for the room that is made at first.
_USUAL = 96


class LineReader:
    """Finds the lines of a Block."""

    def __init__(self, block: Block) -> None:
        self.block, self.b = block, block.data
        self.line = block.lines

    def read(self) -> None:
        """Fill `at` and `end` for what was added to the data; a last line may lack its newline."""
        block = self.block
        size = block.size
        if len(block.at) == 0:
            block.room_for_lines(block.size // _USUAL + 8)
            block.at[0] = 0
        while True:
            self.at, self.end = block.at, block.end
            with cython.nogil:
                p = self._split(size)
            if p >= size:
                break
            block.room_for_lines(4 * len(block.at))
        block.lines = self.line

    def _split(self, e: int) -> int:
        """Go on until self.b[:e] or the columns end; where it stopped."""
        n = self.line
        most = len(self.at) - 1
        p = self.at[n]
        while p < e and n < most:
            q = ops.find(self.b, 10, p, e)
            stop = q
            if stop > p and self.b[stop - 1] == 13:
                stop -= 1
            self.end[n] = stop
            p = q + 1 if q < e else e
            n += 1
            self.at[n] = p
        self.line = n
        return p
