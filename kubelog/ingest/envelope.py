"""line → envelope: the stamp, node, unit and process that a transport wrote in front of a text.

The scanner's hand-written reading of `[[envelope]]` in grammars/klog.toml, held equal to the reference by properties. A line that
has to be written anew before it can be read, as docker's JSON, is told in `odd`: see unwrap.py.
"""

from __future__ import annotations

from kubelog.grammar.compile import Program
from kubelog.ingest import ops
from kubelog.ingest.block import (
    BARE,
    COMPOSE,
    CRI,
    DATED,
    IDENTIFIER,
    MAX_INDENT,
    MAX_LINE,
    MONOTONIC,
    NO_ZONE,
    NONE,
    PREFIXED,
    SHORT,
    STAMPED,
    STERN,
    SYSLOG,
    WITH_YEAR,
    Block,
)  # fmt: skip
from kubelog.ingest.calendar import DAYS_BEFORE

try:
    import cython
except ImportError:
    from kubelog import uncompiled as cython

_MONTH_BYTES, _HOST_BYTES = 24, 255
# What `_code` says where a dictionary has no room.
_FULL = -2
_WORDS = b"stdoutstderrMonTueWedThuFriSatSun UTC[pod/.servicedata: {"


class EnvelopeReader:
    """Reads the envelope of each line of a Block."""

    def __init__(self, program: Program, block: Block) -> None:
        self.block, self.b = block, block.data
        self.pool, self.literals = program.pool, program.literals
        # A bare `Trace[1783]: …` continues a record.
        self.heads = program.heads
        # Names of two words, as `Thg 10`: their first words, lower case.
        self.phrases = program.phrases
        self.begins = _begins(program)
        self.lines = block.lines
        self.at, self.end, self.envelope, self.text_at = block.at, block.end, block.envelope, block.text_at
        self.month, self.stamp, self.process, self.ahead, self.odd = block.month, block.stamp, block.process, block.ahead, block.odd
        self.words, self.days_before = _WORDS, DAYS_BEFORE
        self.month_at = self.month_end = self.micros = self.node_at = self.node_end = self.unit_at = self.unit_end = 0
        self.pod_at = self.pod_end = self.process_at = 0
        self.out_process = self.err_process = -1  # of a container's streams
        self.pid = self.found = self.minutes = self.fraction = 0
        self.is_odd = False
        self.alone = False  # whether a program may stand without node and pid
        # `Oct 16 09:50:55` of a line before, and what it says.
        self.date_at = self.date_size = self.date_month = self.date_micros = 0
        # `2025-10-16T09:50:55` of a line before, and what it says.
        self.second_at, self.second_micros = -1, 0
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
            block.months.count, block.processes.count, block.pods.count = self.n_months, self.n_processes, self.n_pods
            if line < self.lines:
                block.room_for_names()

    def _bind(self, block: Block) -> None:
        self.node_slots, self.node_spans, self.n_nodes = block.nodes.slots, block.nodes.spans, block.nodes.count
        self.unit_slots, self.unit_spans, self.n_units = block.units.slots, block.units.spans, block.units.count
        self.month_slots, self.month_spans, self.n_months = block.months.slots, block.months.spans, block.months.count
        self.process_slots, self.process_spans = block.processes.slots, block.processes.spans
        self.n_processes = block.processes.count
        self.node_of, self.unit_of, self.pid_of, self.pod_of = block.node_of, block.unit_of, block.pid_of, block.pod_of
        self.pod_slots, self.pod_spans, self.n_pods = block.pods.slots, block.pods.spans, block.pods.count

    def _read(self, line: int) -> int:
        """Go on until the lines end or a dictionary is full; where it stopped."""
        while line < self.lines:
            p, e = self.at[line], self.end[line]
            self.found = BARE
            self.is_odd = False
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
            self.odd[line] = self.is_odd
            self.envelope[line] = self.found
            self.text_at[line] = text
            line += 1
        return line

    def _envelope(self, p: int, e: int, line: int) -> int:
        """Read the envelope at p, if there is one: its number is left in `found`. Where the text behind it begins, or _FULL."""
        c = self.b[p]
        if 69 <= c <= 87 and e - p > 8 and self.b[p + 5] == 32 and self.b[p + 8] == 58 and ops.digits(self.b, p + 1, e, 4) == p + 5:
            if c == 69 or c == 70 or c == 73 or c == 87:
                return -1  # a klog header: `I1016 09:` begins no envelope
        start = p
        if self.b[p] == 60:
            d = ops.digits(self.b, p + 1, e, 3)
            if d > p + 1 and d < e and self.b[d] == 62:
                if d + 2 < e and self.b[d + 1] == 49 and self.b[d + 2] == 32:
                    return self._syslog(d + 3, e, line)
                p = d + 1
                if p == e:
                    return -1
        q = -1
        if e - p < 19 or self.b[p + 4] != 45 or self.b[p + 13] != 58 or (self.b[p + 10] != 84 and self.b[p + 10] != 32):
            q = self._stamp(p, e)  # no month begins as a date with its year does
        if q >= 0:
            text = self._known(q, e)
            if text < 0:
                self.alone = True
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
        text = self._dated(p, e, start == p, line)
        if text != -1:
            return text
        if start != p:
            self.is_odd = False
            return -1
        if self.b[p] == 91:
            text = self._bracket(p, e, line)
            if text != -1:
                return text
        if ops.first_of(self.b, p, e, self.pool, self.literals, self.heads) >= 0:
            return -1
        self.process_at = self.node_at = self.node_end = self.pod_at = self.pod_end = p
        text = self._program(p, e, True)
        if text >= 0:
            return self._found(IDENTIFIER, text, line)
        text = self._compose(p, e, line)
        if text == -1:
            text = self._stern(p, e, line)
        if text == -1 and not self.is_odd:
            self.is_odd = self._pasted(p, e)
        return text

    def _pasted(self, p: int, e: int) -> bool:
        """Whether a line without an envelope begins with what people and programs put in front: see unwrap.py."""
        c = self.b[p]
        if c == 95:
            return p + 1 < e and self.b[p + 1] == 95
        if c == 100:
            return ops.starts(self.b, p, e, self.words, 50, 7)
        if c == 123:
            return p + 1 == e  # an object over several lines
        # Colours, a record separator, marks of comments, quotes, lists and boxes, numbers.
        return c == 27 or c == 30 or c == 35 or 42 <= c <= 57 or c == 62 or c == 124 or c == 226 or c == 239

    def _found(self, envelope: int, text: int, line: int) -> int:
        """Note an envelope that says no time, or one that `_iso` read: where the text begins, or _FULL."""
        process = self._process()
        if process == _FULL:
            return _FULL
        self.found = envelope
        self.month[line] = -1
        self.stamp[line] = NONE
        self.process[line] = process
        return text

    def _behind_instant(self, envelope: int, q: int, e: int, line: int) -> int:
        """Note an envelope that ends with an instant, if one is at q, or before it: where the text begins, -1 or _FULL."""
        d = self._iso(q + 1, e) if q < e and self.b[q] == 32 else -1
        if d >= 0 and (d == e or self.b[d] == 32) and not self._is_go_time(d, e):
            text = self._found(envelope, min(d + 1, e), line)
            if text >= 0:
                self._dates(line)
            return text
        text = ops.text_behind(self.b, q, e)
        return text if text < 0 else self._found(envelope, text, line)

    def _is_go_time(self, q: int, e: int) -> bool:
        """Whether a time goes on as Go prints one, ` +0800 CST`: such times stand in tables."""
        return q + 5 < e and (self.b[q + 1] == 43 or self.b[q + 1] == 45) and ops.digits(self.b, q + 2, e, 4) == q + 6

    def _dates(self, line: int) -> int:
        """Note the instant that was read."""
        self.month[line] = WITH_YEAR
        self.stamp[line] = self.micros
        self.ahead[line] = self.minutes
        return 0

    def _dated(self, p: int, e: int, whole: bool, line: int) -> int:
        """An instant with its year, and what says whose the text is: where that begins; -1 where there is none, or _FULL."""
        c = self.b[p]
        if c < 48 or c > 57:
            return self._weekday(p, e, line) if c >= 70 and c <= 87 else -1
        q = self._iso(p, e)
        if q < 0:
            q = self._unix(p, e)
            if q < 0 or q >= e or self.b[q] != 32:
                return -1
            self.alone = True
            return self._whose(q + 1, e, line)
        if q < e and self.b[q] != 32:
            return -1
        if whole and q + 9 <= e and self.b[q + 7] == 32 and (self.b[q + 8] == 70 or self.b[q + 8] == 80):
            text = ops.text_behind(self.b, q + 9, e)
            if text >= 0 and (ops.starts(self.b, q + 1, e, self.words, 0, 6) or ops.starts(self.b, q + 1, e, self.words, 6, 6)):
                self.is_odd = self.b[q + 8] == 80
                process = self.out_process if self.b[q + 4] == 111 else self.err_process
                if process < 0:
                    self._nobody(q + 1, q + 8)
                    process = self._process()
                    if process == _FULL:
                        return _FULL
                    if self.b[q + 4] == 111:
                        self.out_process = process
                    else:
                        self.err_process = process
                self.found = CRI
                self.process[line] = process
                self._dates(line)
                return text
        if self.fraction <= 6 and q < e:
            self.alone = self.minutes != NO_ZONE and self.b[q - 1] != 90
            text = self._whose(q + 1, e, line)
            if text != -1:
                return text
        if not whole or self._is_go_time(q, e):
            return -1
        self._nobody(p, p)
        text = self._found(STAMPED, min(q + 1, e), line)
        if text >= 0:
            self._dates(line)
        return text

    def _nobody(self, p: int, e: int) -> int:
        """What says no node, unit or pid: its bytes alone tell it from others."""
        self.process_at = self.node_at = self.node_end = self.pod_at = self.pod_end = self.unit_at = self.unit_end = p
        self.process_end, self.pid = e, NONE
        return 0

    def _whose(self, q: int, e: int, line: int) -> int:
        """Node, unit and pid behind an instant; where the text begins, -1 or _FULL."""
        text = self._known(q, e)
        if text < 0:
            text = self._host(q, e)
            if text < 0:
                return -1
            if not self._learn(q, text):
                return _FULL
        self.found = DATED
        self.process[line] = self.last_process
        self._dates(line)
        return text

    def _weekday(self, p: int, e: int, line: int) -> int:
        """`Thu 2025-10-16 09:50:55 UTC `, as journalctl writes it, and what follows; where the text begins, -1 or _FULL."""
        if e - p < 26 or self.b[p + 3] != 32 or self.b[p + 14] != 32:
            return -1
        i = 12
        while i < 33 and not ops.starts(self.b, p, e, self.words, i, 3):
            i += 3
        if i == 33:
            return -1
        q = self._iso(p + 4, e)
        if q < 0 or self.minutes != NO_ZONE or self.fraction > 6 or q >= e or self.b[q] != 32 or self.b[p + 8] != 45:
            return -1
        z = q + 1
        if z < e and (self.b[z] == 43 or self.b[z] == 45):
            d = ops.digits(self.b, z + 1, e, 4)
            if d - z != 3 and d - z != 5:
                return -1
            self.minutes = 60 * ops.number(self.b, z + 1, z + 3) + ops.number(self.b, z + 3, d)
            if self.b[z] == 45:
                self.minutes = -self.minutes
        else:
            d = z
            while d < e and d - z < 5 and 65 <= self.b[d] <= 90:
                d += 1
            if d - z < 2:
                return -1
            if d - z == 3 and ops.starts(self.b, q, e, self.words, 33, 4):
                self.minutes = 0
        if d >= e or self.b[d] != 32:
            return -1
        if d + 3 < e and self.b[d + 1] == 91 and self.b[d + 2] == 115 and self.b[d + 3] == 61:
            self.is_odd = True  # journalctl -o verbose: the fields follow
            return -1
        self.alone = True
        return self._whose(d + 1, e, line)

    def _iso(self, p: int, e: int) -> int:
        """`2025-10-16T09:50:55.123456+08:00` at p, in `micros` and `minutes`; where it ends, or -1."""
        if e - p < 19:
            return -1
        if self.second_at >= 0 and ops.same(self.b, p, self.second_at, 19):
            micros = self.second_micros
        else:
            mark = self.b[p + 4]
            if (mark != 45 and mark != 47) or self.b[p + 7] != mark or (self.b[p + 10] != 84 and self.b[p + 10] != 32):
                return -1
            if ops.digits(self.b, p, e, 4) != p + 4 or ops.digits(self.b, p + 5, e, 2) != p + 7:
                return -1
            if ops.digits(self.b, p + 8, e, 2) != p + 10:
                return -1
            year, month = ops.number(self.b, p, p + 4), ops.number(self.b, p + 5, p + 7)
            day, second = ops.number(self.b, p + 8, p + 10), ops.clock(self.b, p + 11, e)
            if second < 0 or year < 1970 or month < 1 or month > 12 or day < 1:
                return -1
            if day > self.days_before[month] - self.days_before[month - 1]:
                return -1
            # Days since 1970, in the calendar that everyone has.
            past = year - 1
            days = 365 * (year - 1970) + past // 4 - past // 100 + past // 400 - 477 + self.days_before[month - 1] + day - 1
            if month > 2 and not (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)):
                days -= 1
            micros = (days * 86400 + second) * 1000000
            self.second_at, self.second_micros = p, micros
        q = p + 19
        self.fraction = 0
        if q < e and (self.b[q] == 46 or self.b[q] == 44):
            f = ops.digits(self.b, q + 1, e, 9)
            if f == q + 1:
                return -1
            self.fraction = f - q - 1
            part = ops.number(self.b, q + 1, min(f, q + 7))
            i = self.fraction
            while i < 6:
                part *= 10
                i += 1
            micros += part
            q = f
        self.micros = micros
        self.minutes = NO_ZONE
        if q < e and self.b[q] == 90:
            self.minutes = 0
            return q + 1
        if q < e and (self.b[q] == 43 or self.b[q] == 45):
            d = ops.digits(self.b, q + 1, e, 2)
            hours, rest = ops.number(self.b, q + 1, d), 0
            if d != q + 3 or hours > 23:
                return -1
            m = d + 1 if d < e and self.b[d] == 58 else d
            f = ops.digits(self.b, m, e, 2)
            if f == m + 2:
                rest = ops.number(self.b, m, f)
                d = f
            elif m > d:
                return -1
            if rest > 59:
                return -1
            self.minutes = 60 * hours + rest
            if self.b[q] == 45:
                self.minutes = -self.minutes
            return d
        return q

    def _unix(self, p: int, e: int) -> int:
        """`1760608255.123456` at p, in `micros` and `minutes`; where it ends, or -1."""
        d = ops.digits(self.b, p, e, 12)
        if d - p < 9 or d - p > 11 or d >= e or self.b[d] != 46 or ops.digits(self.b, d + 1, e, 7) != d + 7:
            return -1
        self.micros = ops.number(self.b, p, d) * 1000000 + ops.number(self.b, d + 1, d + 7)
        self.minutes, self.fraction = 0, 6
        return d + 7

    def _syslog(self, p: int, e: int, line: int) -> int:
        """RFC 5424 behind the version: where the text begins, -1 or _FULL."""
        dated = p < e and self.b[p] != 45
        q = self._iso(p, e) if dated else p + 1
        if q < 0 or q >= e or self.b[q] != 32:
            return -1
        self.process_at = self.node_at = q + 1
        self.node_end = self._name(q + 1, e)
        if self.node_end < 0:
            return -1
        self.unit_at = self.node_end + 1
        self.unit_end = self._name(self.unit_at, e)
        if self.unit_end < 0:
            return -1
        d = self._name(self.unit_end + 1, e)
        if d < 0:
            return -1
        self.process_end, self.pid = d, NONE
        if ops.digits(self.b, self.unit_end + 1, e, 18) == d:
            self.pid = ops.number(self.b, self.unit_end + 1, d)
        d = self._name(d + 1, e)
        if d < 0:
            return -1
        q = d + 1
        if q < e and self.b[q] == 45:
            q += 1
        else:
            d = q
            while q < e and self.b[q] == 91:
                while q < e and self.b[q] != 93:
                    q = ops.closing_quote(self.b, q + 1, e) if self.b[q] == 34 else q
                    q += 1
                if q >= e:
                    return -1
                q += 1
            if q == d:
                return -1
        text = ops.text_behind(self.b, q, e)
        if text < 0:
            return -1
        if text + 2 < e and self.b[text] == 239 and self.b[text + 1] == 187 and self.b[text + 2] == 191:
            text += 3
        elif text + 2 < e and self.b[text] == 32:
            # rsyslog keeps the blank behind `kubelet[1]:`; klog itself has one before what ends a value of several lines.
            if (self.b[text + 1] != 32 and self.b[text + 1] != 62) or (self.b[text + 1] == 32 and self.b[text + 2] == 62):
                text += 1
        # What is not said is `-`.
        self.pod_at = self.pod_end = self.node_at
        if self.node_end - self.node_at == 1 and self.b[self.node_at] == 45:
            self.node_end = self.node_at
        if self.unit_end - self.unit_at == 1 and self.b[self.unit_at] == 45:
            self.unit_end = self.unit_at
        text = self._found(SYSLOG, text, line)
        if text >= 0 and dated:
            self._dates(line)
        return text

    def _name(self, p: int, e: int) -> int:
        """Where a name at p ends that a blank follows, or -1."""
        q = ops.word(self.b, p, min(e, p + _HOST_BYTES + 1))
        return q if q > p and q - p <= _HOST_BYTES and q < e and self.b[q] == 32 else -1

    def _bracket(self, p: int, e: int, line: int) -> int:
        """`[ 1000.000000] node-1 kubelet[1]: ` or `[pod/NAME/CONTAINER] ` at p; where the text begins, -1 or _FULL."""
        q = self._monotonic(p + 1, e)
        if q >= 0:
            self.alone = True
            text = self._host(q, e)
            if text < 0:
                return -1
            if not self._learn(q, text):
                return _FULL
            self.found = MONOTONIC
            self.month[line] = -1
            self.stamp[line] = NONE
            self.process[line] = self.last_process
            return text
        if not ops.starts(self.b, p, e, self.words, 37, 5):
            return -1
        self.process_at = self.pod_at = p + 5
        self.pod_end = self._pod_name(p + 5, e)
        if self.pod_end < 0 or self.pod_end >= e or self.b[self.pod_end] != 47:
            return -1
        self.unit_at = self.pod_end + 1
        self.unit_end = self.process_end = self._pod_name(self.unit_at, e)
        if self.unit_end < 0 or self.unit_end >= e or self.b[self.unit_end] != 93:
            return -1
        self.node_at = self.node_end = self.pod_at
        self.pid = NONE
        return self._behind_instant(PREFIXED, self.unit_end + 1, e, line)

    def _monotonic(self, p: int, e: int) -> int:
        """Where the text behind `[ 1000.000000] ` begins, whose first bracket ends at p; -1."""
        q = self._since(p, e)
        if q < 0:
            return -1
        if q < e and self.b[q] == 32:
            while q < e and self.b[q] == 32:
                q += 1
            if q < e and self.b[q] == 60:
                q = self._since(q + 1, e)
                if q < 0 or q + 1 >= e:
                    return -1
                if self.b[q] == 32 or self.b[q] == 42:
                    q += 1
                if self.b[q] != 62:
                    return -1
                q += 1
        return q + 2 if q + 1 < e and self.b[q] == 93 and self.b[q + 1] == 32 else -1

    def _since(self, p: int, e: int) -> int:
        """Where `  1000.000000` at p ends, or -1."""
        while p < e and self.b[p] == 32:
            p += 1
        d = ops.digits(self.b, p, e, 12)
        if d == p or d >= e or self.b[d] != 46 or ops.digits(self.b, d + 1, e, 6) != d + 7:
            return -1
        return d + 7

    def _pod_name(self, p: int, e: int) -> int:
        """Where the name of a pod or container at p ends, or -1."""
        q, stop = p, min(e, p + 254)
        while q < stop and (97 <= self.b[q] <= 122 or 48 <= self.b[q] <= 57 or (q > p and (self.b[q] == 45 or self.b[q] == 46))):
            q += 1
        return q if q > p and q - p < 254 else -1

    def _compose(self, p: int, e: int, line: int) -> int:
        """`kube-apiserver-1  | ` at p; where the text begins, -1 or _FULL."""
        if not (97 <= self.b[p] | 32 <= 122):
            return -1
        q, stop = p, min(e, p + 128)
        while q < stop and _in_service(self.b[q]):
            q += 1
        if q >= e or (self.b[q] != 32 and self.b[q] != 9):
            return -1
        d = q
        while d > p and 48 <= self.b[d - 1] <= 57:
            d -= 1
        if d == q or d - 1 <= p or q - d > 9 or (self.b[d - 1] != 45 and self.b[d - 1] != 95):
            return -1
        bar = ops.blanks(self.b, q, e)
        if bar >= e or self.b[bar] != 124:
            return -1
        self._nobody(p, q)
        self.unit_end = q
        return self._behind_instant(COMPOSE, bar + 1, e, line)

    def _stern(self, p: int, e: int, line: int) -> int:
        """`kube-apiserver-cp-1 kube-apiserver ` at p; where the text begins, -1 or _FULL."""
        q = self._pod_name(p, e)
        if q < 0 or q >= e or self.b[q] != 32:
            return -1
        c = self._pod_name(q + 1, e)
        if c < 0 or (c < e and self.b[c] != 32):
            return -1
        n = c - q - 1
        if n + 1 >= q - p or self.b[p + n] != 45 or not ops.same(self.b, p, q + 1, n) or ops.find(self.b, 46, q + 1, c) < c:
            return -1
        self._nobody(p, c)
        self.pod_end, self.unit_at, self.unit_end = q, q + 1, c
        return self._behind_instant(STERN, c, e, line)

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
            # Syslog aligns the day with a blank, some languages their months with two.
            d = q + 1
            while d < e and d < q + 3 and self.b[d] == 32:
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
        q = self._phrase(p, e)
        if q > 0:
            return q
        q = ops.word(self.b, p, min(e, p + _MONTH_BYTES + 1))
        if q == p or q - p > _MONTH_BYTES:
            return -1
        letters = False
        i = p
        while i < q:
            c = self.b[i]
            if c >= 128 or 65 <= c <= 90 or 97 <= c <= 122:
                letters = True
            elif not (48 <= c <= 57 or c == 46 or c == 45 or c == 39):
                return -1
            i += 1
        if q - p > 3 and self.b[p] == 239 and self.b[p + 1] == 187 and self.b[p + 2] == 191:
            return -1  # a byte order mark
        return q if letters else -1

    def _phrase(self, p: int, e: int) -> int:
        """Where a month's name ends that is no single short word, ASCII letters in either case; 0 where none stands at p."""
        i = 0
        if p < e and self.begins[self.b[p]] == 0:
            return 0  # as nearly every month that is one word
        while i < len(self.phrases):
            at, n = self.literals[2 * self.phrases[i]], self.literals[2 * self.phrases[i] + 1]
            i += 1
            k = 0
            while k < n and p + k < e:
                c = self.b[p + k]
                if 65 <= c <= 90:
                    c += 32
                if c != self.pool[at + k]:
                    break
                k += 1
            if k < n:
                continue
            q = p + n
            if q < e and self.b[q] == 46:
                q += 1
            if q < e and self.b[q] == 32:
                return q
        return 0

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
        if self.b[text - 1] != 32 or (self.node_end == self.node_at and self.pid == NONE):
            # The line ends: with a text, its blank belongs to it. A program alone: behind another stamp it is something else.
            self.last_size = 0
        return True

    def _host(self, p: int, e: int) -> int:
        """`host program[pid]:`, `program[pid]:` or `host program:` at p; where the text begins, or -1."""
        h = ops.word(self.b, p, min(e, p + _HOST_BYTES + 1))
        host = h > p and h - p <= _HOST_BYTES and h < e and self.b[h] == 32 and self.b[h - 1] != 58
        i = p
        while host and i < h:
            host = self.b[i] != 91 and self.b[i] != 93
            i += 1
        self.process_at = self.node_at = self.pod_at = self.pod_end = p
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
        if text < 0 and self.alone:
            self.node_end = p
            text = self._program(p, e, False)
        return text

    def _program(self, p: int, e: int, with_pid: bool) -> int:
        """`program[pid]:` (or `program:`) and a blank or the end; where the text begins, or -1."""
        q = p
        while q < e and self.b[q] != 32 and self.b[q] != 9 and self.b[q] != 91 and self.b[q] != 93 and self.b[q] != 58:
            q += 1
        if q == p or q - p > _HOST_BYTES or q >= e:
            return -1
        self.unit_at, self.unit_end, self.pid, self.process_end = p, q, NONE, q + 1
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
        p = self.process_at
        place = ops.lookup(self.process_slots, self.process_spans, self.b, self.b, p, self.process_end)
        if place >= 0:
            return place
        if 2 * self.n_processes + 1 >= len(self.process_spans):
            return _FULL
        unit = node = pod = -1
        u = self.unit_end
        if u - self.unit_at > 8 and ops.starts(self.b, u - 8, u, self.words, 42, 8):
            u -= 8  # journalctl -o with-unit
        if u > self.unit_at:
            unit = ops.lookup(self.unit_slots, self.unit_spans, self.b, self.b, self.unit_at, u)
            if unit < 0:
                if 2 * self.n_units + 1 >= len(self.unit_spans):
                    return _FULL
                self.unit_slots[-1 - unit] = self.n_units + 1
                self.unit_spans[2 * self.n_units] = self.unit_at
                self.unit_spans[2 * self.n_units + 1] = u
                unit = self.n_units
                self.n_units += 1
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
        if self.pod_end > self.pod_at:
            pod = ops.lookup(self.pod_slots, self.pod_spans, self.b, self.b, self.pod_at, self.pod_end)
            if pod < 0:
                if 2 * self.n_pods + 1 >= len(self.pod_spans):
                    return _FULL
                self.pod_slots[-1 - pod] = self.n_pods + 1
                self.pod_spans[2 * self.n_pods] = self.pod_at
                self.pod_spans[2 * self.n_pods + 1] = self.pod_end
                pod = self.n_pods
                self.n_pods += 1
        code = self.n_processes
        self.process_slots[-1 - place] = code + 1
        self.process_spans[2 * code] = p
        self.process_spans[2 * code + 1] = self.process_end
        self.n_processes += 1
        self.unit_of[code] = unit
        self.node_of[code] = node
        self.pod_of[code] = pod
        self.pid_of[code] = self.pid
        return code


def _in_service(c: int) -> bool:
    """Whether it may stand in the name of a service."""
    return 97 <= c <= 122 or 65 <= c <= 90 or 48 <= c <= 57 or c == 45 or c == 46 or c == 95


def _begins(program: Program) -> bytes:
    """By byte, whether it begins a phrase, in either case of an ASCII letter."""
    found = bytearray(256)
    for phrase in program.phrases:
        first = program.pool[program.literals[2 * phrase]]
        found[first] = 1
        if 97 <= first <= 122:
            found[first - 32] = 1
    return bytes(found)
