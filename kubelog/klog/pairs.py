r"""body → message and pairs: `"msg" key=value key="value"` as klog v2 has written it in every release.

    body  = quoted { blank key "=" value }
    key   = any bytes without a quote or newline up to "="; keys may contain blanks
    value = quoted | block | brackets | plain
    block = "<\n" { TAB line "\n" } " >"
    brackets = "{…}" "[…]" "&{…}" "map[…]", balanced, at most MAX_DEPTH deep; JSON strings are skipped
    plain = to the next blank; further, where what follows is no `key=`; never beyond its line

Lines that follow the pairs of a record, as a stack does, are no pairs.
"""

from __future__ import annotations

from array import array

from kubelog.grammar.compile import MAX_DEPTH
from kubelog.ingest import ops
from kubelog.ingest.block import HEADER, STRUCTURED, Block
from kubelog.ingest.columns import column, grown

try:
    import cython
except ImportError:
    from kubelog import uncompiled as cython

# A pair is four numbers: key start and end, value start and end (quotes and block marks included).
STEP = 4
# Guesses: pairs a record, for the room that is made at first.
_USUAL = 2
_FULL = -2
_WORDS = b"true\n >false\n >null\n ><nil>map["


class PairReader:
    """Reads the message and the pairs of each structured record of a Block."""

    def __init__(self, block: Block) -> None:
        self.block, self.b, self.data, self.arena = block, block.data, block.data, block.arena
        self.rows = block.rows
        self.words = _WORDS
        self.start, self.stop, self.joined = block.start, block.stop, block.joined
        self.verdict, self.message_end, self.pair_first = block.verdict, block.message_end, block.pair_first
        self.count = 0

    def read(self) -> None:
        """Fill `message_end`, `pair_first` and `pairs`; what is no message with pairs has the verdict `header`."""
        block = self.block
        block.pairs = column("i", STEP * (_USUAL * self.rows + 16))
        row = 0
        while True:
            self.pairs: array[int] = block.pairs
            with cython.nogil:
                row = self._read(row)
            if row >= self.rows:
                break
            block.pairs = grown("i", block.pairs, 4 * len(block.pairs))

    def _read(self, row: int) -> int:
        """Go on until the rows or the room for pairs end; where it stopped."""
        while row < self.rows:
            self.pair_first[row] = self.count
            end = -1
            if self.verdict[row] == STRUCTURED:
                if self.joined[row]:
                    self.b = self.arena
                end = self._body(self.start[row], self.stop[row])
                if self.joined[row]:
                    self.b = self.data
                if end == _FULL:
                    self.count = self.pair_first[row]
                    return row
                if end < 0:
                    self.count = self.pair_first[row]
                    self.verdict[row] = HEADER
            self.message_end[row] = end
            row += 1
        self.pair_first[row] = self.count
        return row

    def _body(self, p: int, e: int) -> int:
        """Read the body self.b[p:e]: where its quoted message ends in it; -1 where it is none, or _FULL."""
        q = ops.closing_quote(self.b, p + 1, e)
        if q >= e:
            return -1
        first = self.count
        stop = self._pairs(p, q + 1, e)
        if stop == _FULL:
            return _FULL
        # A message without pairs ends with its line; lines below it may belong to it.
        if stop < e and self.count == first and self.b[stop] != 10:
            return -1
        return q + 1 - p

    def _pairs(self, start: int, p: int, e: int) -> int:
        """Read the pairs of self.b[p:e]; where reading stopped: e, or where no pair stands."""
        while True:
            q = ops.blanks(self.b, p, e)
            if q == e or self.b[q] == 10:
                return e
            k = ops.key_end(self.b, q, e)
            if k == q or q == p or k == e or self.b[k] != 61:
                return p
            v = self._value_end(k + 1, e)
            i = STEP * self.count
            if i + STEP > len(self.pairs):
                return _FULL
            self.pairs[i] = q - start
            self.pairs[i + 1] = k - start
            self.pairs[i + 2] = k + 1 - start
            self.pairs[i + 3] = v - start
            self.count += 1
            p = v

    def _value_end(self, p: int, e: int) -> int:
        """The end of the value that begins at p."""
        if p >= e:
            return e
        c = self.b[p]
        if c == 34:
            q = ops.closing_quote(self.b, p + 1, e)
            return e if q >= e else q + 1
        if c == 60 and p + 1 < e and self.b[p + 1] == 10:
            q = ops.locate(self.b, p + 1, e, self.words, 4, 3)
            return e if q < 0 else q + 3
        if (
            c == 123
            or c == 91
            or (c == 38 and p + 1 < e and (self.b[p + 1] == 123 or self.b[p + 1] == 91))
            or (c == 109 and ops.starts(self.b, p, e, self.words, len(self.words) - 4, 4))
        ):
            q = self._balanced(p, e)
            if q > 0:
                return q
        q = ops.plain_end(self.b, p, e)
        if q == e or self.b[q] == 10 or self._scalar(p, q):
            return q
        e = ops.find(self.b, 10, q, e)
        while q < e:
            n = ops.blanks(self.b, q, e)
            w = ops.word(self.b, n, e)
            if ops.find(self.b, 61, n, w) < w:
                return q
            q = w
        return e

    def _scalar(self, p: int, e: int) -> bool:
        """Whether self.b[p:e] is a number, a boolean or nothing: such a value holds no blanks."""
        n = e - p
        if n == 0:
            return False
        c = self.b[p]
        if c == 116:
            return n == 4 and ops.starts(self.b, p, e, self.words, 0, 4)
        if c == 102:
            return n == 5 and ops.starts(self.b, p, e, self.words, 7, 5)
        if c == 110:
            return n == 4 and ops.starts(self.b, p, e, self.words, 15, 4)
        if c == 60:
            return n == 5 and ops.starts(self.b, p, e, self.words, 22, 5)
        if c == 45:
            p += 1
        q = ops.digits(self.b, p, e, 400)
        if q > p and q < e and self.b[q] == 46:
            q = ops.digits(self.b, q + 1, e, 400)
        return q == e and q > p

    def _balanced(self, p: int, e: int) -> int:
        """Where the brackets that open at p close, or -1; a quoted text inside is skipped where it is closed.

        The depth is bounded so that many brackets that never close cannot make the reading quadratic.
        """
        depth = 0
        closed = True
        while p < e:
            c = self.b[p]
            if c == 123 or c == 91:
                depth += 1
                if depth > MAX_DEPTH:
                    return -1
            elif c == 125 or c == 93:
                depth -= 1
                if depth == 0:
                    return p + 1
            elif c == 34 and closed:
                q = ops.closing_quote(self.b, p + 1, e)
                if q < e:
                    p = q
                else:
                    closed = False  # nor is any quote behind it
            p += 1
        return -1
