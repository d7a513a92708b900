"""line → header: severity, date, thread, source file and line of a klog line.

The scanner's hand-written reading of `[header]` in grammars/klog.toml; held equal to the reference by properties.
"""

from __future__ import annotations

from typing import Final

from kubelog.grammar.compile import Table
from kubelog.ingest import ops
from kubelog.ingest.block import BARE, MAX_LINE, NONE, Block
from kubelog.ingest.clock import DAYS_BEFORE
from kubelog.ingest.envelope import clock, text_behind

# How far into a line without an envelope a header is looked for (`kube-apiserver-1  | I0822 …`).
MAX_PREFIX: Final = 128
_SEVERITY = {73: 0, 87: 1, 69: 2, 70: 3}


class HeaderReader:
    """Reads the klog header of each line of a Block."""

    def __init__(self, table: Table) -> None:
        self.before = tuple(table.before)
        self.moment = self.thread = self.file_at = self.file_end = self.source_line = 0

    def read(self, block: Block) -> None:
        b = block.data
        for line in range(len(block.head), len(block.at)):
            p, e = block.text_at[line], block.end[line]
            at, body = p, -1
            if e - block.at[line] <= MAX_LINE:
                for text in self.before:
                    if ops.starts(b, text, p, e):
                        at = p + len(text)
                body = self._header(b, at, e)
                if body < 0 and block.envelope[line] == BARE:
                    at, body = self._behind_prefix(b, p, e)
            if body < 0:
                block.head.append(-1)
                block.moment.append(NONE)
                block.thread.append(NONE)
                block.file.append(-1)
                block.source_line.append(-1)
                block.body_at.append(p)
            else:
                block.head.append(_SEVERITY[b[at]])
                block.moment.append(self.moment)
                block.thread.append(self.thread)
                block.file.append(block.names.files.code(b[self.file_at : self.file_end]))
                block.source_line.append(self.source_line)
                block.body_at.append(body)

    def _behind_prefix(self, b: bytes, p: int, e: int) -> tuple[int, int]:
        """A header behind a short unknown prefix that quotes nothing: where it is and where the message begins, or -1."""
        q = p + 1
        stop = min(e, p + MAX_PREFIX + 1)
        while q < stop and b[q - 1] != 34 and b[q - 1] != 123 and b[q - 1] != 61:
            if (b[q - 1] == 32 or b[q - 1] == 9) and b[q] in _SEVERITY:
                body = self._header(b, q, e)
                if body >= 0:
                    return q, body
            q += 1
        return p, -1

    def _header(self, b: bytes, p: int, e: int) -> int:
        """Where the message begins behind a header at p, or -1."""
        if e - p < 27 or b[p] not in _SEVERITY:
            return -1
        if ops.digits(b, p + 1, e, 4) != p + 5 or b[p + 5] != 32 or b[p + 14] != 46:
            return -1
        month, day = ops.number(b, p + 1, p + 3), ops.number(b, p + 3, p + 5)
        if month < 1 or month > 12 or day < 1 or day > DAYS_BEFORE[month] - DAYS_BEFORE[month - 1]:
            return -1
        second = clock(b, p + 6, e)
        if second < 0 or ops.digits(b, p + 15, e, 6) != p + 21:
            return -1
        q = ops.blanks(b, p + 21, e)
        d = ops.digits(b, q, e, 18)
        if q == p + 21 or d == q or d >= e or b[d] != 32:
            return -1
        f = d + 1
        stop = f
        while stop < e and b[stop] != 32 and b[stop] != 9 and b[stop] != 58 and b[stop] != 93:
            stop += 1
        if stop == f or stop >= e or b[stop] != 58:
            return -1
        n = ops.digits(b, stop + 1, e, 9)
        if n == stop + 1 or n >= e or b[n] != 93:
            return -1
        self.moment = ((DAYS_BEFORE[month - 1] + day - 1) * 86400 + second) * 1000000 + ops.number(b, p + 15, p + 21)
        self.thread = ops.number(b, q, d)
        self.file_at, self.file_end = f, stop
        self.source_line = ops.number(b, stop + 1, n)
        return text_behind(b, n + 1, e)
