"""lines → records: a record is one log call, its first line and the continuation lines that belong to it.

A line with a klog header begins a record. A line without one continues
  * under an envelope: the record of the same process, where the text looks like a continuation or stands in a stack
    (journald gives every line of a message an entry of its own) and not more than GAP lines lie between;
  * without an envelope: the record of the line before, where that has a bare klog header, opened a block, or where this
    line is indented below a line with an envelope (journalctl indents by the width of its prefix).
"""

from __future__ import annotations

from typing import Final

from kubelog.grammar.compile import Table
from kubelog.ingest import ops
from kubelog.ingest.block import BARE, HEADER, MAX_LINE, PLAIN, STRUCTURED, UNPARSED, Block

# Lines of other processes that may stand between the lines of a record.
GAP: Final = 32
# A record never grows beyond this.
MAX_LINES, MAX_BYTES = 10_000, 1 << 20
REASONS: Final = (None, "no-header", "line-too-long", "blank-line")
NO_HEADER, LINE_TOO_LONG, BLANK_LINE = range(1, 4)
_INDENT = 16


class RecordReader:
    """Joins the lines of a Block into records."""

    def __init__(self, table: Table) -> None:
        self.heads = tuple(table.heads)
        self.stacks = tuple(table.stacks)
        self.blocks = tuple(table.blocks)

    def read(self, block: Block, final: bool) -> int:
        """Fill the record columns; the number of lines in records that no later line can continue (all when final).

        Records behind that line are not in the columns: their lines are to be read again with those that follow.
        """
        joiner = self.joiner(block)
        joiner.run()
        return joiner.settle(final, block)

    def joiner(self, block: Block) -> Joiner:
        """What joins the lines of a Block that grows."""
        return Joiner(self, block)


class Joiner:
    """Joins the lines of one Block, which may grow, into records."""

    def __init__(self, reader: RecordReader, block: Block) -> None:
        self.reader, self.block = reader, block
        self.count = 0  # lines joined so far
        self.before = -1  # the record of the last of them
        self.records: list[list[int]] = []
        self.sizes: list[int] = []
        self.parts: dict[int, list[bytes]] = {}  # the texts of the lines of records that have several
        self.unclosed: list[bool] = []  # inside a `=<` block
        self.stacked: list[bool] = []  # inside a stack
        self.last: dict[tuple[int, int, int], int] = {}

    def run(self) -> None:
        """Join the lines that were added."""
        block, before = self.block, self.before
        for line in range(self.count, len(block.at)):
            owner = -1
            if block.end[line] - block.at[line] > MAX_LINE:
                before = self.begin(line)
                continue
            if block.envelope[line] != BARE:
                key = (block.node[line], block.unit[line], block.pid[line])
                if block.head[line] < 0:
                    owner = self.continued(line, self.last.get(key, -1))
                if owner < 0:
                    owner = self.begin(line)
                else:
                    self.join(owner, line)
                self.last[key] = before = owner
            else:
                owner = self.continued_bare(line, before)
                if owner < 0:
                    before = self.begin(line)
                else:
                    self.join(owner, line)
                    before = owner
        self.count, self.before = len(block.at), before

    def begin(self, line: int) -> int:
        block = self.block
        self.records.append([line])
        self.sizes.append(block.next[line] - block.at[line])
        self.unclosed.append(self.opens_block(line))
        self.stacked.append(False)
        return len(self.records) - 1

    def join(self, record: int, line: int) -> None:
        block = self.block
        self.records[record].append(line)
        if record not in self.parts:
            first = self.records[record][0]
            self.parts[record] = [block.data[block.body_at[first] : block.end[first]]]
        self.parts[record].append(block.data[self.text(record, line) : block.end[line]])
        self.sizes[record] += block.next[line] - block.at[line]
        if self.unclosed[record] and ops.starts(block.data, b" >", self.text(record, line), block.end[line]):
            self.unclosed[record] = False
        if self.opens_block(line):
            self.unclosed[record] = True
        for stack in self.reader.stacks:
            if ops.starts(block.data, stack, block.text_at[line], block.end[line]):
                self.stacked[record] = True

    def opens_block(self, line: int) -> bool:
        block = self.block
        e = block.end[line]
        return e - block.text_at[line] >= 2 and block.data[e - 1] == 60 and block.data[e - 2] == 61

    def full(self, record: int) -> bool:
        return len(self.records[record]) >= MAX_LINES or self.sizes[record] >= MAX_BYTES

    def continued(self, line: int, record: int) -> int:
        """The record that a line with an envelope and no header continues, or -1."""
        if record < 0:
            return -1
        block, lines = self.block, self.records[record]
        p, e = block.text_at[line], block.end[line]
        if block.head[lines[0]] < 0 or line - lines[-1] > GAP or self.full(record):
            return -1
        if self.unclosed[record] or self.stacked[record] or (p < e and block.data[p] in (32, 9)):
            return record
        for head in self.reader.heads:
            if ops.starts(block.data, head, p, e):
                return record
        return -1

    def continued_bare(self, line: int, record: int) -> int:
        """The record that a line without an envelope continues, or -1."""
        block = self.block
        if record < 0 or self.full(record):
            return -1
        first = self.records[record][0]
        p, e = block.at[line], block.end[line]
        indent = ops.blanks(block.data, p, e) - p
        if block.envelope[first] != BARE:
            return record if indent >= _INDENT or (indent > 0 and p + indent < e and block.head[line] < 0) else -1
        if block.head[line] >= 0:
            return -1
        if block.head[first] >= 0:
            return record
        if indent and p + indent < e:
            for head in self.reader.blocks:
                if ops.starts(block.data, head, block.at[first], block.end[first]):
                    return record
        return -1

    def settle(self, final: bool, rows: Block) -> int:
        """Write the records that are complete into the record columns of `rows`; how many lines they have."""
        block = self.block
        count = self.count
        keep = len(self.records)
        if not final and count:
            unfinished = set()
            for record in self.last.values():
                if count - self.records[record][-1] <= GAP and block.head[self.records[record][0]] >= 0:
                    unfinished.add(record)
            owner = max(range(len(self.records)), key=lambda record: self.records[record][-1])
            keep = min(unfinished | {owner})
        settled = self.records[keep][0] if keep < len(self.records) else count
        # A later record's lines never stand before `settled`, but an earlier record's may stand behind it.
        while keep and any(self.records[record][-1] >= settled for record in range(keep)):
            keep = min(record for record in range(keep) if self.records[record][-1] >= settled)
            settled = self.records[keep][0]
        for record in range(keep):
            self.write(record, rows)
        return settled

    def write(self, record: int, block: Block) -> None:
        lines = self.records[record]
        row, line = len(block.first), lines[0]
        block.first.append(line)
        block.members.extend(lines)
        block.member_first.append(len(block.members))
        reason = 0
        p, e = block.body_at[line], block.end[line]
        if e - block.at[line] > MAX_LINE:
            verdict, reason = UNPARSED, LINE_TOO_LONG
        elif block.head[line] >= 0:
            verdict = STRUCTURED if p < e and block.data[p] == 34 else HEADER
        elif block.envelope[line] != BARE:
            verdict = PLAIN
        else:
            verdict = UNPARSED
            reason = BLANK_LINE if ops.blanks(block.data, p, e) == e else NO_HEADER
        block.verdict.append(verdict)
        block.reason.append(reason)
        if len(lines) > 1:
            text = self.joined(record)
            if text is not None:
                block.joined[row] = text

    def text(self, record: int, line: int) -> int:
        """Where the text of a continuation line begins: behind its envelope, or behind journalctl's indentation."""
        block, first = self.block, self.records[record][0]
        if block.envelope[line] != BARE or block.envelope[first] == BARE:
            return block.text_at[line]
        p = block.at[line]
        width = block.text_at[first] - block.at[first]
        stop = min(block.end[line], p + width)
        while p < stop and block.data[p] == 32:
            p += 1
        return p

    def joined(self, record: int) -> bytes | None:
        """The body of a record of several lines; None where only blank lines follow the first."""
        parts = self.parts[record]
        count = len(parts)
        while count > 1 and not parts[count - 1].strip():
            count -= 1
        return b"\n".join(parts[:count]) if count > 1 else None
