"""bytes of one input → Blocks of complete records: the driver that calls ingest, klog and message over the same Block."""

from __future__ import annotations

from kubelog.engines import Engine
from kubelog.ingest.block import Block
from kubelog.ingest.clock import Clock


class Reader:
    """bytes of one input, in any pieces → Blocks of complete records. Where the pieces are cut does not matter."""

    def __init__(self, engine: Engine, path: str, clock: Clock) -> None:
        self.engine, self.path, self.clock = engine, path, clock
        self.held = b""  # bytes whose records a later line may still continue
        self.offset, self.line = 0, 1  # of held[0]
        self._begin()

    def go_on(self, offset: int, line: int) -> None:
        """Go on with the input's bytes from `offset`, where this line begins."""
        self.offset, self.line, self.held = offset, line, b""
        self._begin()

    def _begin(self) -> None:
        self.block = Block(b"", self.path, self.offset, self.line)
        self.joiner = self.engine.joiner(self.block)

    def _grow(self, stop: int) -> None:
        """Read the lines of held[:stop] that were not read yet."""
        if stop > self.block.size:
            self.block.data, self.block.size = self.held, stop
            self.engine.lines(self.block)
            self.joiner.run()

    def push(self, data: bytes, final: bool = False, settle: bool = False) -> Block:
        """The records that are complete now; with `final` all of them, with `settle` all whole lines. The Block may be empty."""
        self.held += data
        self._grow(len(self.held) if final else self.held.rfind(b"\n") + 1)
        block = self.block
        settled = self.joiner.settle(final or settle, block)
        if not settled:
            return Block(b"", self.path, self.offset, self.line)
        self._finish(block, self.clock)
        taken = block.at[settled]
        self.held = self.held[taken:]
        self.offset += taken
        self.line += settled
        self._begin()
        return block

    def pending(self) -> Block:
        """The records of the whole lines that are held, as they are so far."""
        self._grow(self.held.rfind(b"\n") + 1)
        rows = self.block.without_records()
        self.joiner.settle(True, rows)
        self._finish(rows, self.clock.fork())
        return rows

    def _finish(self, block: Block, clock: Clock) -> None:
        clock.read(block, self.engine.leaves.TimeReader)
        self.engine.messages(block)
