"""line → envelope: the stamp, node, unit and process that a transport wrote in front of a text.

The scanner's hand-written reading of `[[envelope]]` in grammars/klog.toml: journalctl's short modes in any language,
and a pasted `identifier[pid]: `. Held equal to the reference by properties.
"""

from __future__ import annotations

from typing import Final

from kubelog.grammar.compile import Table
from kubelog.ingest import ops
from kubelog.ingest.block import BARE, MAX_LINE, NONE, Block

# Blanks in front of an envelope; more is the indentation of a continuation line (journalctl indents by the prefix's
# width).
MAX_INDENT: Final = 15
SHORT, IDENTIFIER = 1, 2
_MONTH_BYTES, _HOST_BYTES = 24, 255


class EnvelopeReader:
    """Reads the envelope of each line of a Block."""

    def __init__(self, table: Table) -> None:
        # Names of two words, as `Thg 10`: their first words, lower case.
        self.two_words = tuple(sorted({name.split(" ")[0].encode() for name in table.months if " " in name}))
        # A bare `Trace[1783]: …` continues a record.
        self.heads = tuple(table.heads)
        self.month_at = self.month_end = self.stamp = self.node_at = self.node_end = self.unit_at = self.unit_end = self.pid = 0

    def read(self, block: Block) -> None:
        names = block.names
        for line in range(len(block.envelope), len(block.at)):
            p, e = block.at[line], block.end[line]
            found = BARE
            text = -1
            if e - p <= MAX_LINE:
                q = ops.blanks(block.data, p, e)
                if q - p <= MAX_INDENT and q < e:
                    found, text = self._envelope(block.data, q, e)
            block.envelope.append(found)
            if found == BARE:
                block.text_at.append(p)
                block.month.append(-1)
                block.stamp.append(NONE)
                block.node.append(-1)
                block.unit.append(-1)
                block.pid.append(NONE)
                continue
            block.text_at.append(text)
            block.month.append(
                names.months.code(block.data[self.month_at : self.month_end]) if self.month_end > self.month_at else -1
            )
            block.stamp.append(self.stamp)
            block.node.append(names.nodes.code(block.data[self.node_at : self.node_end]) if self.node_end > self.node_at else -1)
            block.unit.append(names.units.code(block.data[self.unit_at : self.unit_end]))
            block.pid.append(self.pid)

    def _envelope(self, b: bytes, p: int, e: int) -> tuple[int, int]:
        """Which envelope stands at p, and where the text behind it begins."""
        self.month_at, self.month_end, self.stamp = p, p, NONE
        q = self._stamp(b, p, e)
        if q >= 0:
            text = self._host(b, q, e)
            if text >= 0:
                return SHORT, text
            self.month_end, self.stamp = p, NONE
        for head in self.heads:
            if ops.starts(b, head, p, e):
                return BARE, -1
        self.node_at = self.node_end = p
        text = self._program(b, p, e, True)
        return (IDENTIFIER, text) if text >= 0 else (BARE, -1)

    def _stamp(self, b: bytes, p: int, e: int) -> int:
        """Month, day and clock at p; where the blank behind them ends, or -1."""
        q = self._month_end(b, p, e)
        if q < 0 or q >= e or b[q] != 32:
            return -1
        d = q + 1
        if d < e and b[d] == 32:
            d += 1
        d_end = ops.digits(b, d, e, 2)
        day = ops.number(b, d, d_end)
        if d_end == d or day < 1 or day > 31 or d_end >= e or b[d_end] != 32:
            return -1
        c = d_end + 1
        second = clock(b, c, e)
        if second < 0:
            return -1
        c += 8
        micro = 0
        if c < e and b[c] == 46:
            f = ops.digits(b, c + 1, e, 9)
            if f == c + 1:
                return -1
            micro = ops.number(b, c + 1, min(f, c + 7)) * 10 ** (6 - min(6, f - c - 1))
            c = f
        if c >= e or b[c] != 32:
            return -1
        self.month_end = q
        self.stamp = ((day - 1) * 86400 + second) * 1000000 + micro
        return c + 1

    def _month_end(self, b: bytes, p: int, e: int) -> int:
        q = ops.word(b, p, min(e, p + _MONTH_BYTES + 1))
        if q == p or q - p > _MONTH_BYTES:
            return -1
        if q + 1 < e and b[q] == 32 and b[p:q].lower() in self.two_words:
            d = ops.digits(b, q + 1, e, 2)
            if d > q + 1 and d < e and b[d] == 32:
                return d
        i = p
        while i < q and not (b[i] >= 128 or 65 <= b[i] <= 90 or 97 <= b[i] <= 122):
            i += 1
        return q if i < q else -1

    def _host(self, b: bytes, p: int, e: int) -> int:
        """`host program[pid]:`, `program[pid]:` or `host program:` at p; where the text begins, or -1."""
        h = ops.word(b, p, min(e, p + _HOST_BYTES + 1))
        host = h > p and h - p <= _HOST_BYTES and h < e and b[h] == 32 and b[h - 1] != 58
        i = p
        while host and i < h:
            host = b[i] != 91 and b[i] != 93
            i += 1
        self.node_at = p
        if host:
            self.node_end = h
            text = self._program(b, h + 1, e, True)
            if text >= 0:
                return text
        self.node_end = p
        text = self._program(b, p, e, True)
        if text < 0 and host:
            self.node_end = h
            text = self._program(b, h + 1, e, False)
        return text

    def _program(self, b: bytes, p: int, e: int, with_pid: bool) -> int:
        """`program[pid]:` (or `program:`) and a blank or the end; where the text begins, or -1."""
        q = p
        while q < e and b[q] != 32 and b[q] != 9 and b[q] != 91 and b[q] != 93 and b[q] != 58:
            q += 1
        if q == p or q - p > _HOST_BYTES or q >= e:
            return -1
        self.unit_at, self.unit_end, self.pid = p, q, NONE
        if with_pid:
            if b[q] != 91:
                return -1
            d = ops.digits(b, q + 1, e, 18)
            if d == q + 1 or d >= e or b[d] != 93:
                return -1
            self.pid = ops.number(b, q + 1, d)
            q = d + 1
        if q >= e or b[q] != 58:
            return -1
        return text_behind(b, q + 1, e)


def text_behind(b: bytes, p: int, e: int) -> int:
    """Where a text begins behind the mark that ends at p: one blank further, or at the end; -1 where neither is."""
    if p == e:
        return p
    return p + 1 if b[p] == 32 else -1


def clock(b: bytes, p: int, e: int) -> int:
    """hh:mm:ss at p as seconds, or -1."""
    if p + 8 > e or b[p + 2] != 58 or b[p + 5] != 58:
        return -1
    for i in (0, 1, 3, 4, 6, 7):
        if b[p + i] < 48 or b[p + i] > 57:
            return -1
    h, m, s = ops.number(b, p, p + 2), ops.number(b, p + 3, p + 5), ops.number(b, p + 6, p + 8)
    return (h * 60 + m) * 60 + s if h < 24 and m < 60 and s < 60 else -1
