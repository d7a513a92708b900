"""line → header: severity, date, thread, source file and line of a klog line; of klog's JSON, what stands before its message.

Beside them, lines of other programs in logfmt (Grafana, logrus, go-kit: `time="…" level=error msg="…" key=value`) are told by what
they say: a level and a message, in pairs from the first byte to the last.

The scanner's hand-written reading of `[header]` in grammars/klog.toml, and of `{"ts":…,"caller":…,"msg":…`; held equal to the
reference by properties.
"""

from __future__ import annotations

from kubelog.grammar.compile import Program
from kubelog.ingest import ops
from kubelog.ingest.block import (
    BARE,
    DATED,
    LEAST_MS,
    LOGFMT,
    MAX_LINE,
    MAX_PREFIX,
    MOST_MS,
    NONE,
    SHORT,
    SYSLOG,
    Block,
)  # fmt: skip
from kubelog.ingest.calendar import DAYS_BEFORE

try:
    import cython
except ImportError:
    from kubelog import uncompiled as cython

# What the reading says where a dictionary has no room.
_FULL = -2
_WORDS = b'{"ts":callermsg,"v":levellvl'
# What programs call their levels, and the severity of each.
LEVELS = (
    b"trace0debug0dbug0info0information0notice0warn1warning1error2err2eror2crit3critical3fatal3panic3dpanic3alert3emerg3emergency3"
)


class HeaderReader:
    """Reads the klog header of each line of a Block."""

    def __init__(self, program: Program, block: Block) -> None:
        self.block, self.b = block, block.data
        self.pool, self.literals, self.before = program.pool, program.literals, program.before
        self.days_before = DAYS_BEFORE
        self.lines = block.lines
        self.at, self.end, self.envelope, self.text_at = block.at, block.end, block.envelope, block.text_at
        self.head, self.moment, self.thread, self.site = block.head, block.moment, block.thread, block.site
        self.body_at, self.json, self.utc, self.odd = block.body_at, block.json, block.utc, block.odd
        self.words, self.levels = _WORDS, LEVELS
        self.head_at = self.severity_said = 0
        # `MMDD hh:mm:ss.` of the header before, and what it says.
        self.date_at, self.date_micros = -1, 0
        # The blanks, number and blank of the thread of the header before.
        self.thread_at = self.thread_size = self.last_thread = 0
        self.micros = self.thread_said = self.site_said = 0

    def read(self, line: int) -> None:
        """Read from this line on to the last."""
        block = self.block
        while line < self.lines:
            self._bind(block)
            with cython.nogil:
                line = self._read(line)
            block.sites.count, block.files.count = self.n_sites, self.n_files
            if line < self.lines:
                block.room_for_names()

    def _bind(self, block: Block) -> None:
        self.site_slots, self.site_spans, self.n_sites = block.sites.slots, block.sites.spans, block.sites.count
        self.file_slots, self.file_spans, self.n_files = block.files.slots, block.files.spans, block.files.count
        self.file_of, self.line_of = block.file_of, block.line_of

    def _read(self, line: int) -> int:
        """Go on until the lines end or a dictionary is full; where it stopped."""
        while line < self.lines:
            p, e = self.text_at[line], self.end[line]
            body = -1
            self.json[line] = 0
            self.utc[line] = NONE
            if e - self.at[line] <= MAX_LINE:
                body = self._header(p, e)
                if body == -1 and ops.starts(self.b, p, e, self.words, 0, 6):
                    body = self._object(p, e)
                    if body >= 0:
                        self.head[line] = self.severity_said
                        self.moment[line] = self.thread[line] = NONE
                        self.site[line] = self.site_said
                        self.body_at[line] = p
                        self.json[line] = 1
                        self.utc[line] = self.micros
                        line += 1
                        continue
                elif body == -1:
                    n = ops.first_of(self.b, p, e, self.pool, self.literals, self.before)
                    if n > 0:
                        body = self._header(p + n, e)
                    if body == -1 and self.envelope[line] == BARE:
                        body = self._behind_prefix(p, e)
                if body == _FULL:
                    return line
            if body < 0:
                if e - self.at[line] <= MAX_LINE and p < e:
                    if self.b[p] == 116 or self.b[p] == 108:
                        severity = self._neighbour(p, e)
                        if severity >= 0:
                            self.json[line] = LOGFMT + severity
                    if self.json[line] == 0 and (self._is_odd(p, e) or self._is_fused(p, e) or self._is_escaped(line, p, e)):
                        self.odd[line] = 1
                    if line > 0 and self.envelope[line] == BARE and self.head[line - 1] >= 0 and self._is_open(line - 1):
                        self.odd[line - 1] = 1
                self.head[line] = -1
                self.moment[line] = NONE
                self.thread[line] = NONE
                self.site[line] = -1
                self.body_at[line] = p
            else:
                self.head[line] = _severity(self.b[self.head_at])
                self.moment[line] = self.micros
                self.thread[line] = self.thread_said
                self.site[line] = self.site_said
                self.body_at[line] = body
                if self._is_fused(body, e) or self._is_escaped(line, body, e):
                    self.odd[line] = 1
            line += 1
        return line

    def _is_odd(self, p: int, e: int) -> bool:
        """Whether a text without a header is to be written anew: an object, colours, a header that is cut or mangled."""
        return self.b[p] == 123 or self.b[p] == 27 or (_severity(self.b[p]) >= 0 and ops.digits(self.b, p + 1, e, 4) == p + 5)

    def _is_fused(self, p: int, e: int) -> bool:
        """Whether another klog header seems to stand in a text."""
        q = ops.find(self.b, 93, p, e)
        while q < e:
            n = q
            while n > p and 48 <= self.b[n - 1] <= 57:
                n -= 1
            if n < q and n - 23 > p and self.b[n - 1] == 58:
                n -= 1
                while n > p and self.b[n - 1] != 32 and self.b[n - 1] != 9:
                    n -= 1
                n -= 1
                while n > p and 48 <= self.b[n - 1] <= 57:
                    n -= 1
                while n > p and (self.b[n - 1] == 32 or self.b[n - 1] == 9):
                    n -= 1
                if n - 21 >= p and self.b[n - 7] == 46 and self.b[n - 10] == 58 and self.b[n - 13] == 58:
                    if _severity(self.b[n - 21]) >= 0 and ops.digits(self.b, n - 20, e, 4) == n - 16:
                        return True
            q = ops.find(self.b, 93, q + 1, e)
        return False

    def _is_escaped(self, line: int, p: int, e: int) -> bool:
        """Whether rsyslog seems to have written `#011` for a tab, `#012` for the end of one, `#033[` for a colour."""
        if self.envelope[line] != SHORT and self.envelope[line] != DATED and self.envelope[line] != SYSLOG:
            return False
        q = ops.find(self.b, 35, p, e)
        while e - q > 3:
            if self.b[q + 1] == 48 and self.b[q + 2] == 49 and (self.b[q + 3] == 49 or self.b[q + 3] == 50):
                return True
            if e - q > 4 and self.b[q + 1] == 48 and self.b[q + 2] == 51 and self.b[q + 3] == 51 and self.b[q + 4] == 91:
                return True
            q = ops.find(self.b, 35, q + 1, e)
        return False

    def _is_open(self, line: int) -> bool:
        """Whether a structured line ends inside a quoted text: what follows was wrapped."""
        p, e = self.body_at[line], self.end[line]
        if p >= e or self.b[p] != 34 or e - p > MAX_LINE:
            return False
        while p < e:
            p = ops.closing_quote(self.b, p + 1, e)
            if p == e:
                return True
            p = ops.find(self.b, 34, p + 1, e)
        return False

    def _behind_prefix(self, p: int, e: int) -> int:
        """Where the message behind a header begins that a short prefix precedes, which quotes nothing; -1, or _FULL."""
        q = p + 1
        stop = min(e, p + MAX_PREFIX + 1)
        while q < stop and self.b[q - 1] != 34 and self.b[q - 1] != 123 and self.b[q - 1] != 61:
            if (self.b[q - 1] == 32 or self.b[q - 1] == 9) and _severity(self.b[q]) >= 0:
                body = self._header(q, e)
                if body != -1:
                    return body
            q += 1
        return -1

    def _header(self, p: int, e: int) -> int:
        """Where the message begins behind a header at p; -1 where there is none, or _FULL."""
        if e - p < 27 or _severity(self.b[p]) < 0:
            return -1
        self.head_at = p
        if self.date_at < 0 or not ops.same(self.b, p + 1, self.date_at, 14):
            if ops.digits(self.b, p + 1, e, 4) != p + 5 or self.b[p + 5] != 32 or self.b[p + 14] != 46:
                return -1
            month, day = ops.number(self.b, p + 1, p + 3), ops.number(self.b, p + 3, p + 5)
            if month < 1 or month > 12 or day < 1 or day > self.days_before[month] - self.days_before[month - 1]:
                return -1
            second = ops.clock(self.b, p + 6, e)
            if second < 0:
                return -1
            self.date_at = p + 1
            self.date_micros = ((self.days_before[month - 1] + day - 1) * 86400 + second) * 1000000
        micros = ops.six(self.b, p + 15, e)
        if micros < 0:
            return -1
        self.micros = self.date_micros + micros
        q = p + 21
        n = self.thread_size
        if n > 0 and n < e - q and ops.same(self.b, q, self.thread_at, n):
            self.thread_said = self.last_thread
            q += n
        else:
            t = ops.blanks(self.b, q, e)
            d = ops.digits(self.b, t, e, 18)
            if t == q or d == t or d >= e or self.b[d] != 32:
                return -1
            self.last_thread = self.thread_said = ops.number(self.b, t, d)
            self.thread_at, self.thread_size = q, d + 1 - q
            q = d + 1
        n = ops.find(self.b, 93, q, e)
        if n == e:
            return -1
        said = self._site(q, n)
        return said if said < 0 else ops.text_behind(self.b, n + 1, e)

    def _object(self, p: int, e: int) -> int:
        """Where the value of `msg` begins in the object at p; -1 where it is none of klog's, or _FULL."""
        q = p + 6
        d = ops.digits(self.b, q, e, 15)
        ms = ops.number(self.b, q, d)
        if d == q or ms < LEAST_MS or ms > MOST_MS or d >= e:
            return -1
        us = 0
        if self.b[d] == 46:
            # A float: what stands behind the µs is its error.
            q = d + 1
            d = ops.digits(self.b, q, e, 18)
            n = 0
            while n < 3:
                us = us * 10 + (self.b[q + n] - 48 if q + n < d else 0)
                n += 1
            if q + 3 < d and self.b[q + 3] >= 53:
                us += 1
        self.micros = ms * 1000 + us
        self.site_said = -1
        while d + 2 < e and self.b[d] == 44 and self.b[d + 1] == 34:
            k = d + 2
            n = ops.closing_quote(self.b, k, e)
            q = n + 2
            if q >= e or self.b[n + 1] != 58:
                return -1
            d = ops.value_end(self.b, q, e)
            if n - k == 3 and ops.starts(self.b, k, n, self.words, 12, 3):
                if self.b[q] != 34 or ops.closing_quote(self.b, q + 1, e) + 1 != d:
                    return -1
                self.severity_said = 0 if ops.starts(self.b, d, e, self.words, 15, 5) else 2
                return q
            if n - k == 6 and ops.starts(self.b, k, n, self.words, 6, 6) and self.b[q] == 34 and d - q > 2:
                k = d - 1
                while k > q + 1 and self.b[k - 1] != 47:
                    k -= 1
                if self._site(k, d - 1) == _FULL:
                    return _FULL
        return -1

    def _neighbour(self, p: int, e: int) -> int:
        """The severity that a line in logfmt says; -1 where it is none, or says no level or no message."""
        severity, said = -1, False
        while p < e:
            k = p
            while p < e and _is_key(self.b[p]):
                p += 1
            n = p
            if n == k or n == e or self.b[n] != 61:
                return -1
            p = n + 1
            if p < e and self.b[p] == 34:
                p = ops.closing_quote(self.b, p + 1, e) + 1
                if p > e:
                    return -1
            else:
                while p < e and self.b[p] > 32 and self.b[p] != 34 and self.b[p] != 92:
                    p += 1
            if p < e and self.b[p] != 32:
                return -1
            if (n - k == 5 and ops.starts(self.b, k, n, self.words, 20, 5)) or (
                n - k == 3 and ops.starts(self.b, k, n, self.words, 25, 3)
            ):
                severity = self._level(n + 1, p)
                if severity < 0:
                    return -1
            elif n - k == 3 and ops.starts(self.b, k, n, self.words, 12, 3):
                said = True
            while p < e and self.b[p] == 32:
                p += 1
        return severity if said else -1

    def _level(self, p: int, e: int) -> int:
        """The severity of a level's name, whatever its case; -1."""
        if e - p > 2 and self.b[p] == 34:
            p, e = p + 1, e - 1
        at = 0
        while at < len(self.levels):
            n = 0
            while p + n < e and self.levels[at + n] > 57 and self.b[p + n] | 32 == self.levels[at + n]:
                n += 1
            if p + n == e and n > 0 and self.levels[at + n] <= 57:
                return self.levels[at + n] - 48
            at += n
            while self.levels[at] > 57:
                at += 1
            at += 1
        return -1

    def _site(self, p: int, n: int) -> int:
        """Read `file:line`, which is self.b[p:n]: 0; -1 where it is none, or _FULL."""
        place = ops.lookup(self.site_slots, self.site_spans, self.b, self.b, p, n)
        if place < 0:
            stop = p
            while stop < n and self.b[stop] != 32 and self.b[stop] != 9 and self.b[stop] != 58:
                stop += 1
            if stop == p or stop >= n or self.b[stop] != 58 or stop + 1 == n or ops.digits(self.b, stop + 1, n, 9) != n:
                return -1
            if 2 * self.n_sites + 1 >= len(self.site_spans):
                return _FULL
            file = ops.lookup(self.file_slots, self.file_spans, self.b, self.b, p, stop)
            if file < 0:
                if 2 * self.n_files + 1 >= len(self.file_spans):
                    return _FULL
                self.file_slots[-1 - file] = self.n_files + 1
                self.file_spans[2 * self.n_files] = p
                self.file_spans[2 * self.n_files + 1] = stop
                file = self.n_files
                self.n_files += 1
            code = self.n_sites
            self.site_slots[-1 - place] = code + 1
            self.site_spans[2 * code] = p
            self.site_spans[2 * code + 1] = n
            self.n_sites += 1
            self.file_of[code] = file
            self.line_of[code] = ops.number(self.b, stop + 1, n)
            place = code
        self.site_said = place
        return 0


def _is_key(c: int) -> bool:
    """Whether it may stand in a key of logfmt."""
    return 97 <= c <= 122 or 65 <= c <= 90 or 48 <= c <= 57 or c == 95 or c == 46 or c == 45


def _severity(c: int) -> int:
    """The number of a severity's letter, or -1."""
    return 0 if c == 73 else 1 if c == 87 else 2 if c == 69 else 3 if c == 70 else -1
