"""line → envelope: the stamp, node, unit and process that a transport wrote in front of a text.

The scanner's hand-written reading of `[[envelope]]` in grammars/klog.toml: journalctl's short modes in any language,
and a pasted `identifier[pid]: `. Held equal to the reference by properties.
"""

from __future__ import annotations

from kubelog.grammar.compile import Program
from kubelog.ingest import ops
from kubelog.ingest.block import BARE, IDENTIFIER, MAX_INDENT, MAX_LINE, NONE, SHORT, Block

try:
    import cython
except ImportError:
    from kubelog import uncompiled as cython

_MONTH_BYTES, _HOST_BYTES = 24, 255
# What `_code` says where a dictionary has no room.
_FULL = -2


class EnvelopeReader:
    """Reads the envelope of each line of a Block."""

    def __init__(self, program: Program, block: Block) -> None:
        self.block, self.b = block, block.data
        self.pool, self.literals = program.pool, program.literals
        # A bare `Trace[1783]: …` continues a record.
        self.heads = program.heads
        # Names of two words, as `Thg 10`: their first words, lower case.
        self.two_words = program.two_words
        self.lines = block.lines
        self.at, self.end, self.envelope, self.text_at = block.at, block.end, block.envelope, block.text_at
        self.month, self.stamp, self.process = block.month, block.stamp, block.process
        self.month_at = self.month_end = self.micros = self.node_at = self.node_end = self.unit_at = self.unit_end = 0
        self.pid = self.found = 0
        # `Oct 16 09:50:55` of a line before, and what it says.
        self.date_at = self.date_size = self.date_month = self.date_micros = 0
        # `host unit[pid]: ` of the last two processes that differ.
        self.last_at = self.last_size = self.last_process = 0
        self.other_at = self.other_size = self.other_process = 0

    def read(self, line: int) -> None:
        """Read from this line on to the last."""
        block = self.block
        while line < self.lines:
            self._bind(block)
            with cython.nogil:
                line = self._read(line)
            block.nodes.count, block.units.count = self.n_nodes, self.n_units
            block.months.count, block.processes.count = self.n_months, self.n_processes
            if line < self.lines:
                block.room_for_names()

    def _bind(self, block: Block) -> None:
        self.node_slots, self.node_spans, self.n_nodes = block.nodes.slots, block.nodes.spans, block.nodes.count
        self.unit_slots, self.unit_spans, self.n_units = block.units.slots, block.units.spans, block.units.count
        self.month_slots, self.month_spans, self.n_months = block.months.slots, block.months.spans, block.months.count
        self.process_slots, self.process_spans = block.processes.slots, block.processes.spans
        self.n_processes = block.processes.count
        self.node_of, self.unit_of, self.pid_of = block.node_of, block.unit_of, block.pid_of

    def _read(self, line: int) -> int:
        """Go on until the lines end or a dictionary is full; where it stopped."""
        while line < self.lines:
            p, e = self.at[line], self.end[line]
            self.found = BARE
            text = p
            if e - p <= MAX_LINE:
                q = ops.blanks(self.b, p, e)
                if q - p <= MAX_INDENT and q < e:
                    text = self._envelope(q, e, line)
                    if text == _FULL:
                        return line
            if self.found == BARE:
                text = p
                self.month[line] = -1
                self.stamp[line] = NONE
                self.process[line] = -1
            self.envelope[line] = self.found
            self.text_at[line] = text
            line += 1
        return line

    def _envelope(self, p: int, e: int, line: int) -> int:
        """Read the envelope at p, if there is one: its number is left in `found`. Where the text behind it begins, or _FULL."""
        q = self._stamp(p, e)
        if q >= 0:
            text = self._known(q, e)
            if text < 0:
                text = self._host(q, e)
                if text >= 0 and not self._learn(q, text):
                    return _FULL
            if text >= 0:
                month = self._date()
                if month == _FULL:
                    return _FULL
                self.found = SHORT
                self.month[line] = month
                self.stamp[line] = self.micros
                self.process[line] = self.last_process
                return text
        if ops.first_of(self.b, p, e, self.pool, self.literals, self.heads) >= 0:
            return -1
        self.node_at = self.node_end = p
        text = self._program(p, e, True)
        if text >= 0:
            process = self._process()
            if process == _FULL:
                return _FULL
            self.found = IDENTIFIER
            self.month[line] = -1
            self.stamp[line] = NONE
            self.process[line] = process
        return text

    def _stamp(self, p: int, e: int) -> int:
        """Month, day and clock at p; where the blank behind them ends, or -1."""
        n = self.date_size
        if n > 0 and n < e - p and ops.same(self.b, p, self.date_at, n):
            self.month_end = 0  # as before
            self.micros = self.date_micros
            c = p + n
        else:
            q = self._month_end(p, e)
            if q < 0 or q >= e or self.b[q] != 32:
                return -1
            d = q + 1
            if d < e and self.b[d] == 32:
                d += 1
            d_end = ops.digits(self.b, d, e, 2)
            day = ops.number(self.b, d, d_end)
            if d_end == d or day < 1 or day > 31 or d_end >= e or self.b[d_end] != 32:
                return -1
            c = d_end + 1
            second = ops.clock(self.b, c, e)
            if second < 0:
                return -1
            c += 8
            self.month_at, self.month_end = p, q
            self.micros = ((day - 1) * 86400 + second) * 1000000
        if c < e and self.b[c] == 46:
            f = ops.digits(self.b, c + 1, e, 9)
            if f == c + 1:
                return -1
            micros = ops.number(self.b, c + 1, min(f, c + 7))
            i = f - c - 1
            while i < 6:
                micros *= 10
                i += 1
            self.date_end = c
            self.micros += micros
            c = f
        else:
            self.date_end = c
        return c + 1 if c < e and self.b[c] == 32 else -1

    def _date(self) -> int:
        """The code of the month that was read, which is kept with its date for the next line; or _FULL."""
        if self.month_end > 0:
            place = ops.lookup(self.month_slots, self.month_spans, self.b, self.b, self.month_at, self.month_end)
            if place < 0:
                if 2 * self.n_months + 1 >= len(self.month_spans):
                    return _FULL
                self.month_slots[-1 - place] = self.n_months + 1
                self.month_spans[2 * self.n_months] = self.month_at
                self.month_spans[2 * self.n_months + 1] = self.month_end
                place = self.n_months
                self.n_months += 1
            self.date_at, self.date_size = self.month_at, self.date_end - self.month_at
            self.date_month = place
            second = self.micros
            self.date_micros = second - second % 1000000
        return self.date_month

    def _month_end(self, p: int, e: int) -> int:
        q = ops.word(self.b, p, min(e, p + _MONTH_BYTES + 1))
        if q == p or q - p > _MONTH_BYTES:
            return -1
        if q + 1 < e and self.b[q] == 32 and 48 <= self.b[q + 1] <= 57 and self._is_first_word(p, q):
            d = ops.digits(self.b, q + 1, e, 2)
            if d < e and self.b[d] == 32:
                return d
        i = p
        while i < q and not (self.b[i] >= 128 or 65 <= self.b[i] <= 90 or 97 <= self.b[i] <= 122):
            i += 1
        return q if i < q else -1

    def _is_first_word(self, p: int, e: int) -> bool:
        """Whether self.b[p:e] is the first word of a month's name of two; ASCII letters in either case."""
        i = 0
        while i < len(self.two_words):
            at, n = self.literals[2 * self.two_words[i]], self.literals[2 * self.two_words[i] + 1]
            k = 0
            while n == e - p and k < n:
                c = self.b[p + k]
                if 65 <= c <= 90:
                    c += 32
                if c != self.pool[at + k]:
                    break
                k += 1
            if n == e - p and k == n:
                return True
            i += 1
        return False

    def _known(self, p: int, e: int) -> int:
        """The last two processes, by their bytes: where the text behind them begins, or -1."""
        n = self.last_size
        if n > 0 and n <= e - p and ops.same(self.b, p, self.last_at, n):
            return p + n
        n = self.other_size
        if n > 0 and n <= e - p and ops.same(self.b, p, self.other_at, n):
            at, process = self.last_at, self.last_process
            self.other_size = self.last_size
            self.last_at, self.last_size, self.last_process = self.other_at, n, self.other_process
            self.other_at, self.other_process = at, process
            return p + n
        return -1

    def _learn(self, p: int, text: int) -> bool:
        """Keep the process that was read at p, the text behind it, for the next line; False where a dictionary is full."""
        process = self._process()
        if process == _FULL:
            return False
        self.other_at, self.other_size, self.other_process = self.last_at, self.last_size, self.last_process
        self.last_at, self.last_size, self.last_process = p, text - p, process
        if self.b[text - 1] != 32:
            self.last_size = 0  # the line ends: with a text, its blank belongs to it
        return True

    def _host(self, p: int, e: int) -> int:
        """`host program[pid]:`, `program[pid]:` or `host program:` at p; where the text begins, or -1."""
        h = ops.word(self.b, p, min(e, p + _HOST_BYTES + 1))
        host = h > p and h - p <= _HOST_BYTES and h < e and self.b[h] == 32 and self.b[h - 1] != 58
        i = p
        while host and i < h:
            host = self.b[i] != 91 and self.b[i] != 93
            i += 1
        self.node_at = p
        if host:
            self.node_end = h
            text = self._program(h + 1, e, True)
            if text >= 0:
                return text
        self.node_end = p
        text = self._program(p, e, True)
        if text < 0 and host:
            self.node_end = h
            text = self._program(h + 1, e, False)
        return text

    def _program(self, p: int, e: int, with_pid: bool) -> int:
        """`program[pid]:` (or `program:`) and a blank or the end; where the text begins, or -1."""
        q = p
        while q < e and self.b[q] != 32 and self.b[q] != 9 and self.b[q] != 91 and self.b[q] != 93 and self.b[q] != 58:
            q += 1
        if q == p or q - p > _HOST_BYTES or q >= e:
            return -1
        self.unit_at, self.unit_end, self.pid, self.process_end = p, q, NONE, q
        if with_pid:
            if self.b[q] != 91:
                return -1
            d = ops.digits(self.b, q + 1, e, 18)
            if d == q + 1 or d >= e or self.b[d] != 93:
                return -1
            self.pid = ops.number(self.b, q + 1, d)
            q = d + 1
            self.process_end = q
        if q >= e or self.b[q] != 58:
            return -1
        return ops.text_behind(self.b, q + 1, e)

    def _process(self) -> int:
        """The code of the process that was read: its node, unit and pid, as written; or _FULL."""
        p = self.node_at if self.node_end > self.node_at else self.unit_at
        place = ops.lookup(self.process_slots, self.process_spans, self.b, self.b, p, self.process_end)
        if place >= 0:
            return place
        if 2 * self.n_processes + 1 >= len(self.process_spans):
            return _FULL
        unit = ops.lookup(self.unit_slots, self.unit_spans, self.b, self.b, self.unit_at, self.unit_end)
        if unit < 0:
            if 2 * self.n_units + 1 >= len(self.unit_spans):
                return _FULL
            self.unit_slots[-1 - unit] = self.n_units + 1
            self.unit_spans[2 * self.n_units] = self.unit_at
            self.unit_spans[2 * self.n_units + 1] = self.unit_end
            unit = self.n_units
            self.n_units += 1
        node = -1
        if self.node_end > self.node_at:
            node = ops.lookup(self.node_slots, self.node_spans, self.b, self.b, self.node_at, self.node_end)
            if node < 0:
                if 2 * self.n_nodes + 1 >= len(self.node_spans):
                    return _FULL
                self.node_slots[-1 - node] = self.n_nodes + 1
                self.node_spans[2 * self.n_nodes] = self.node_at
                self.node_spans[2 * self.n_nodes + 1] = self.node_end
                node = self.n_nodes
                self.n_nodes += 1
        code = self.n_processes
        self.process_slots[-1 - place] = code + 1
        self.process_spans[2 * code] = p
        self.process_spans[2 * code + 1] = self.process_end
        self.n_processes += 1
        self.unit_of[code] = unit
        self.node_of[code] = node
        self.pid_of[code] = self.pid
        return code
