"""bytes of one input → Blocks of complete records: the driver that calls ingest and klog over the same Block."""

from __future__ import annotations

from kubelog.engines import Engine
from kubelog.ingest.block import MAX_LINE, Block
from kubelog.ingest.clock import Clock

# Of a line that is too long these bytes are kept: enough to see that it is, with or without \r.
_KEPT = MAX_LINE + 2


class Reader:
    """bytes of one input, in any pieces → Blocks of complete records. Where the pieces are cut does not matter.

    The last step, `Engine.messages`, is left to the caller: it needs nothing but its Block, so another thread may do it.
    """

    def __init__(self, engine: Engine, path: str, clock: Clock) -> None:
        self.engine, self.path, self.clock = engine, path, clock
        self.held = b""  # bytes whose records a later line may still continue
        self.dropped = 0  # bytes behind them of a line that is too long, which goes on
        self.offset, self.line = 0, 1  # of held[0]
        self._begin()

    def go_on(self, offset: int, line: int) -> None:
        """Go on with the input's bytes from `offset`, where this line begins."""
        self.offset, self.line, self.held, self.dropped = offset, line, b"", 0
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

    def give(self) -> bytes:
        """The bytes that are held, for the piece that is pushed next to begin with them."""
        if self.dropped:
            return b""  # what comes is not joined to them
        held, self.held = self.held, b""
        return held

    def push(self, data: bytes, final: bool = False, settle: bool = False) -> list[Block]:
        """The records that are complete now; with `final` all of them, with `settle` all whole lines."""
        blocks: list[Block] = []
        while self.dropped:
            # The rest of a line that is too long; nothing behind it continues a record before it.
            end = data.find(b"\n")
            self.dropped += len(data) if end < 0 else end
            if end < 0 and not final:
                return blocks
            self.held += b"" if end < 0 else b"\n"
            data = b"" if end < 0 else data[end + 1 :]
            blocks += self._settled(len(self.held), True)
        self.held = self.held + data if self.held else data
        whole = self.held.rfind(b"\n") + 1
        if len(self.held) - whole > _KEPT and not final:
            self.dropped = len(self.held) - whole - _KEPT
            self.held = self.held[: whole + _KEPT]
        # A line that is too long ends what stands before it.
        blocks += self._settled(len(self.held) if final else whole, final or settle or self.dropped > 0)
        return blocks

    def _settled(self, stop: int, final: bool) -> list[Block]:
        """The Block of the records in held[:stop] that are complete, if any are."""
        self._grow(stop)
        block = self.block
        settled = self.joiner.settle(final, block)
        if not settled:
            return []
        self.clock.read(block, self.engine.leaves.TimeReader)
        taken = block.at[settled]
        if settled == block.lines and stop == len(self.held):
            block.dropped, self.dropped = self.dropped, 0
        self.held = self.held[taken:]
        self.offset += taken + block.dropped
        self.line += settled
        self._begin()
        return [block]

    def pending(self) -> Block:
        """The records of the whole lines that are held, as they are so far."""
        self._grow(self.held.rfind(b"\n") + 1)
        rows = self.block.without_records()
        self.joiner.settle(True, rows)
        self.clock.fork().read(rows, self.engine.leaves.TimeReader)
        return rows
