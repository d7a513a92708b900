"""records of one kind → columns of their fields, as Arrow lays them out: the leaf of a kind's table.

It reads texts, numbers, durations and booleans. Records with a value of another form are told by number.
"""

from __future__ import annotations

from array import array

from kubelog.ingest import ops
from kubelog.ingest.block import Block
from kubelog.ingest.columns import column, zeros
from kubelog.message.layout import BOOL, DURATION, GIVEN, INT, OTHER, SURE, WORD

try:
    import cython
except ImportError:
    from kubelog import uncompiled as cython

_WORDS = b"truefalsenull<nil>"
# Integers below are floats without loss.
_EXACT = 1 << 53


class FieldReader:
    """Reads the rows of a Block whose wording is wanted: when and where they were said, and their fields.

    Field i is of type checks[i]; `places[wording * n + i]` is its hole, or -1.
    """

    def __init__(self, block: Block, wanted: array[int], checks: array[int], places: array[int]) -> None:
        self.b, self.data, self.arena, self.words = block.data, block.data, block.arena, _WORDS
        self.wanted, self.checks, self.places = wanted, checks, places
        self.width = len(checks)
        self.kind, self.start, self.joined, self.first = block.kind, block.start, block.joined, block.first
        self.span_first, self.spans = block.span_first, block.spans
        self.block, self.time_of, self.process, self.line_base = block, block.time, block.process, block.line
        self.node_of, self.unit_of = block.node_of, block.unit_of
        self.n_rows = block.rows
        self.n = 0
        with cython.nogil:
            self._count()
        self.found = column("i", self.n)
        self.rows = self.found
        with cython.nogil:
            self._find()

    def choose(self, rows: list[int]) -> None:
        """Of the rows that were found, leave these."""
        self.found = array("i", rows)
        self.rows, self.n = self.found, len(rows)

    def read(self) -> None:
        """Read all rows."""
        # A field's values stand behind one another: integers, floats, whether there is one, and where its text ends in `texts`;
        # there is one end more, in front.
        count = self.n * self.width
        self.out = zeros("q", count), zeros("d", count), zeros("b", count), column("i", count + self.width)
        self.integers, self.floats, self.given, self.ends = self.out
        # Times, numbers of lines, codes of nodes and units.
        self.where = column("q", self.n), column("q", self.n), column("i", self.n), column("i", self.n)
        self.time, self.line, self.node, self.unit = self.where
        self.used = 0
        self.has_others = False  # whether a record has a value of another form
        with cython.nogil:
            self._where()
            size = self._size()
        if self.block.origins is not None:
            for i in range(self.n):
                self.line[i] = self.block.number_of(self.first[self.rows[i]])
        room: array[int] = column("B", size)
        self.room = room
        with cython.nogil:
            self._read()
        self.texts = bytes(memoryview(room)[: self.used])

    def _count(self) -> int:
        n = row = 0
        while row < self.n_rows:
            if self.kind[row] >= 0 and self.wanted[self.kind[row]]:
                n += 1
            row += 1
        self.n = n
        return 0

    def _find(self) -> int:
        i = row = 0
        while row < self.n_rows:
            if self.kind[row] >= 0 and self.wanted[self.kind[row]]:
                self.rows[i] = row
                i += 1
            row += 1
        return 0

    def _where(self) -> int:
        i = 0
        while i < self.n:
            row = self.rows[i]
            line = self.first[row]
            process = self.process[line]
            self.time[i], self.line[i] = self.time_of[row], self.line_base + line
            self.node[i] = -1 if process < 0 else self.node_of[process]
            self.unit[i] = -1 if process < 0 else self.unit_of[process]
            i += 1
        return 0

    def _size(self) -> int:
        """How long all values are together."""
        i = size = 0
        while i < self.n:
            row = self.rows[i]
            field = 0
            while field < self.width:
                place = self.places[self.kind[row] * self.width + field]
                if place >= 0:
                    k = 2 * (self.span_first[row] + place)
                    size += self.spans[k + 1] - self.spans[k]
                field += 1
            i += 1
        return size

    def _read(self) -> int:
        field = 0
        while field < self.width:
            at = field * self.n
            self.ends[at + field] = self.used
            i = 0
            while i < self.n:
                row = self.rows[i]
                place = self.places[self.kind[row] * self.width + field]
                if place >= 0 and self.checks[field] >= 0:
                    k = 2 * (self.span_first[row] + place)
                    if self.spans[k] >= 0:
                        p, e = self.start[row] + self.spans[k], self.start[row] + self.spans[k + 1]
                        if self.joined[row]:
                            self.b = self.arena
                        if self._value(field, at + i, p, e):
                            self.given[at + i] = GIVEN
                        else:
                            self.given[at + i] = OTHER
                            self.has_others = True
                        if self.joined[row]:
                            self.b = self.data
                i += 1
                self.ends[at + field + i] = self.used
            field += 1
        return 0

    def _value(self, field: int, at: int, p: int, e: int) -> bool:
        """Read a value, and put it down; False where it is of another form."""
        if p < e and self.b[p] == 34:
            if e - p < 2 or self.b[e - 1] != 34 or ops.find(self.b, 92, p, e) < e:
                return False
            p += 1
            e -= 1
        elif (p + 1 < e and self.b[p] == 60 and self.b[p + 1] == 10) or self._is_nothing(p, e):
            return False
        check = self.checks[field]
        if check == SURE or check == WORD:
            if ops.valid_text(self.b, p, e) == 0 or (check == WORD and (p == e or ops.plain_end(self.b, p, e) < e)):
                return False
            self.used = ops.copy(self.room, self.used, self.b, p, e)
            return True
        if p == e or e - p > 64:
            return False
        if check == BOOL:
            self.integers[at] = 1 if e - p == 4 and ops.starts(self.b, p, e, self.words, 0, 4) else 0
            return self.integers[at] == 1 or (e - p == 5 and ops.starts(self.b, p, e, self.words, 4, 5))
        negative = self.b[p] == 45
        if check == DURATION:
            return self._duration(at, p + 1 if negative else p, e, negative)
        if negative or self.b[p] == 43:
            p += 1
        q = ops.digits(self.b, p, e, 15)
        number = ops.number(self.b, p, q)
        if q == p:
            return False
        if check == INT:
            self.integers[at] = -number if negative else number
            return q == e
        scale = 1
        if q < e and self.b[q] == 46:
            p = q + 1
            q = ops.digits(self.b, p, e, 15)
            if q == p:
                return False
            while p < q:
                number = number * 10 + self.b[p] - 48
                scale *= 10
                p += 1
                if number >= _EXACT:
                    return False
        # Both are exact, so the quotient is the nearest float.
        self.floats[at] = (-1.0 if negative else 1.0) * number / scale
        return q == e

    def _is_nothing(self, p: int, e: int) -> bool:
        """Whether a value is `null` or `<nil>`, which a wording may take for no value."""
        n = e - p
        return (n == 4 and ops.starts(self.b, p, e, self.words, 9, 4)) or (n == 5 and ops.starts(self.b, p, e, self.words, 13, 5))

    def _duration(self, at: int, p: int, e: int, negative: bool) -> bool:
        """A Go duration in seconds: its whole nanoseconds, divided once."""
        total = 0
        if p + 1 == e and self.b[p] == 48:
            self.floats[at] = 0.0
            return True
        if p == e:
            return False
        while p < e:
            q = ops.digits(self.b, p, e, 15)
            if q == p:
                return False
            number = ops.number(self.b, p, q)
            decimals = 0
            if q < e and self.b[q] == 46:
                p = q + 1
                q = ops.digits(self.b, p, e, 15)
                if q == p:
                    return False
                while p < q:
                    if number >= _EXACT:
                        return False
                    number = number * 10 + self.b[p] - 48
                    decimals += 1
                    p += 1
            if q >= e or number >= _EXACT:
                return False
            c = self.b[q]
            p = q + 1
            unit = 1000000000
            if c == 104:
                unit = 3600000000000
            elif c == 109 and p < e and self.b[p] == 115:
                unit = 1000000
                p += 1
            elif c == 109:
                unit = 60000000000
            elif (c == 117 or c == 110) and p < e and self.b[p] == 115:
                unit = 1000 if c == 117 else 1
                p += 1
            elif (c == 194 or c == 206) and p + 1 < e and self.b[p] == (181 if c == 194 else 188) and self.b[p + 1] == 115:
                unit = 1000  # µs, with either of its letters
                p += 2
            elif c != 115:
                return False
            while decimals > 0 and unit % 10 == 0:
                unit //= 10
                decimals -= 1
            if decimals > 0 or number > (_EXACT - total) // unit:
                return False
            total += number * unit
        self.floats[at] = (-1.0 if negative else 1.0) * total / 1000000000
        return True
