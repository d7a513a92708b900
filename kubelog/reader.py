"""bytes of one input → Blocks of complete records: the driver that calls ingest and klog over the same Block."""

from __future__ import annotations

from kubelog.engines import Engine
from kubelog.ingest.block import MAX_LINE, Block
from kubelog.ingest.clock import Clock
from kubelog.ingest.unwrap import Unwrapper

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
        # The boot that the journal's entries before held[0] are of, and that of the last in the Block.
        self.boot = self.last_boot = b""
        self._begin()

    def go_on(self, offset: int, line: int, boot: bytes = b"") -> None:
        """Go on with the input's bytes from `offset`, where this line begins; `boot` is that of the journal's entries before."""
        self.offset, self.line, self.held, self.dropped, self.boot = offset, line, b"", 0, boot
        self._begin()

    def _begin(self) -> None:
        self.block = Block(b"", self.path, self.offset, self.line)
        self.joiner = self.engine.joiner(self.block)
        self.taken = 0  # bytes of held whose lines are in the Block

    def _grow(self, stop: int, final: bool) -> None:
        """Read the lines of held[:stop] that were not read yet. A document whose end is still to come is left, unless `final`."""
        if stop <= self.taken:
            return
        if self.block.origins is None:
            known = self.block.lines
            self.block.data, self.block.size = self.held, stop
            self.engine.lines(self.block)
            # The last line that was known may turn out to go on in the next.
            odd = memoryview(self.block.odd)[: self.block.lines].tobytes().find(1, max(known - 1, 0))
            if odd < 0:
                self.taken = stop
                self.joiner.run()
                return
            self._unwrap(self.block, odd, final)
        else:
            block = Block(self.held, self.path, self.offset, self.line)
            block.size = stop
            self.engine.lines(block)
            self._unwrap(block, 0, final)

    def _unwrap(self, block: Block, first: int, final: bool) -> None:
        """Have the odd lines of a Block written anew, from the first of them on, and read all lines as they are then."""
        unwrapper = Unwrapper(self.boot)
        self.unwrapped, lines = unwrapper.read(block, first, final)
        self.last_boot = unwrapper.boot
        self._begin()
        self.taken = block.at[lines]
        self.block.data = self.unwrapped.text()
        self.block.size = len(self.block.data)
        self.block.origins = self.unwrapped.origins
        self.engine.lines(self.block)
        self.joiner.glue(self.block.origins.glued)
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
            blocks += self._settled(len(self.held), True, True)
        self.held = self.held + data if self.held else data
        whole = self.held.rfind(b"\n") + 1
        if len(self.held) - whole > _KEPT and not final:
            self.dropped = len(self.held) - whole - _KEPT
            self.held = self.held[: whole + _KEPT]
        # A line that is too long ends what stands before it.
        ended = final or self.dropped > 0
        blocks += self._settled(len(self.held) if final else whole, ended or settle, ended)
        return blocks

    def _settled(self, stop: int, settle: bool, final: bool = False) -> list[Block]:
        """The Block of the records in held[:stop] that are complete, if any are."""
        self._grow(stop, final)
        block = self.block
        settled = self.joiner.settle(settle, block)
        if not settled:
            return []
        self.clock.read(block, self.engine.leaves.TimeReader)
        taken, lines = block.at[settled], settled
        if block.origins is not None:
            taken, lines, self.boot = self.taken, block.origins.total, self.last_boot
            if settled < block.lines:
                taken, lines = block.origins.begin(settled), block.origins.line(settled)
                self.boot = self.unwrapped.boot(settled, self.last_boot)
        if settled == block.lines and self.taken == len(self.held):
            block.dropped, self.dropped = self.dropped, 0
        self.held = self.held[taken:]
        self.offset += taken + block.dropped
        self.line += lines
        self._begin()
        return [block]

    def pending(self) -> Block:
        """The records of the whole lines that are held, as they are so far."""
        self._grow(self.held.rfind(b"\n") + 1, False)
        rows = self.block.without_records()
        self.joiner.settle(True, rows)
        self.clock.fork().read(rows, self.engine.leaves.TimeReader)
        return rows
