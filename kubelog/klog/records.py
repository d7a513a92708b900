"""lines → records: a record is one log call, its first line and the continuation lines that belong to it.

A line with a klog header begins a record. A line without one continues
  * under an envelope: the record of the same process, where the text looks like a continuation or stands in a stack
    (journald gives every line of a message an entry of its own) and not more than GAP lines lie between; under one that
    carries a container's stream, whatever the text is;
  * without an envelope: the record of the line before, where that has a bare klog header, opened a block, or where this
    line is indented below a line with an envelope (journalctl indents by the width of its prefix);
  * likewise what Go's runtime wrote before it gave up (`panic: …`), which has no header itself.
A line of more than 1 MiB is a record, and nothing behind it continues one before it.

The body of klog's JSON, and of logfmt, is written as klog's text says it: `"msg" key=value key="value"`, or the bare message where
it has no pairs. So whoever reads bodies knows one form. A line in logfmt is a record of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubelog.grammar.compile import Program
from kubelog.ingest import ops
from kubelog.ingest.block import (
    BARE,
    BLANK_LINE,
    COMPOSE,
    CRI,
    GAP,
    HEADER,
    LINE_TOO_LONG,
    LOGFMT,
    MAX_BYTES,
    MAX_LINE,
    MAX_LINES,
    MESSAGE_LOST,
    NO_HEADER,
    PLAIN,
    PREFIXED,
    STAMPED,
    STERN,
    STRUCTURED,
    UNPARSED,
    Block,
)  # fmt: skip
from kubelog.ingest.columns import column, grown, zeros

try:
    import cython
except ImportError:
    from kubelog import uncompiled as cython

_INDENT = 16
_WORDS = b"msgtscaller blob data]\xe2\x80\xa6"
# What is known of a record: bits of `flags`.
_UNCLOSED = 1  # inside a `=<` block
_STACKED = 2  # inside a stack


class Joiner:
    """Joins the lines of one Block, which may grow, into records."""

    def __init__(self, program: Program, block: Block) -> None:
        self.block, self.b = block, block.data
        self.pool, self.literals = program.pool, program.literals
        self.heads, self.stacks, self.blocks, self.crashes = program.heads, program.stacks, program.blocks, program.crashes
        self.lines = 0  # joined so far
        self.before = -1  # the record of the last of them
        self.oldest = 0  # records before this one are continued no more
        # A value a record.
        self.count = 0
        self.first, self.last, self.members = column("i", 0), column("i", 0), column("i", 0)
        self.size, self.flags = column("i", 0), column("b", 0)
        self.follow = column("i", 0)  # a value a line: the next line of its record; -1
        self.latest = column("i", 0)  # a value a process: its last record; -1
        self.n_processes = 0
        self.words, self.has_pairs = _WORDS, False
        # Lines that go with the one before, if there are any.
        self.has_glued, self.glued = False, column("b", 0)

    def run(self) -> None:
        """Join the lines that were added."""
        block = self.block
        if block.lines > len(self.first):
            room = len(block.at)
            self.first, self.last = grown("i", self.first, room), grown("i", self.last, room)
            self.members, self.size = grown("i", self.members, room), grown("i", self.size, room)
            self.flags, self.follow = grown("b", self.flags, room), grown("i", self.follow, room)
        if block.processes.count > len(self.latest):
            self.latest = grown("i", self.latest, block.processes.room)
        while self.n_processes < block.processes.count:
            self.latest[self.n_processes] = -1
            self.n_processes += 1
        self._bind(block)
        with cython.nogil:
            self._run()

    def _bind(self, block: Block) -> None:
        self.b, self.n_lines = block.data, block.lines
        self.at, self.end, self.text_at, self.body_at = block.at, block.end, block.text_at, block.body_at
        self.envelope, self.head, self.process, self.json = block.envelope, block.head, block.process, block.json

    def _run(self) -> int:
        line, before = self.lines, self.before
        while line < self.n_lines:
            if self.end[line] - self.at[line] > MAX_LINE:
                self.oldest = self.count
                before = self._begin(line)
            elif self.envelope[line] != BARE:
                owner = -1
                process = self.process[line]
                if self.head[line] < 0 and self.json[line] < LOGFMT:
                    owner = self._continued(line, self.latest[process])
                if owner < 0:
                    owner = self._begin(line)
                else:
                    self._join(owner, line)
                self.latest[process] = before = owner
            else:
                owner = self._continued_bare(line, before)
                if owner < 0:
                    before = self._begin(line)
                else:
                    self._join(owner, line)
                    before = owner
            line += 1
        self.lines, self.before = line, before
        return 0

    def _begin(self, line: int) -> int:
        record = self.count
        self.count += 1
        self.first[record] = self.last[record] = line
        self.members[record] = 1
        self.size[record] = self.at[line + 1] - self.at[line]
        self.flags[record] = _UNCLOSED if self._opens_block(line) else 0
        if self.head[line] < 0 and self._crashes(line):
            self.flags[record] = _STACKED
        self.follow[line] = -1
        return record

    def _join(self, record: int, line: int) -> int:
        self.follow[self.last[record]] = line
        self.follow[line] = -1
        self.last[record] = line
        self.members[record] += 1
        self.size[record] += self.at[line + 1] - self.at[line]
        p, e = self._text(record, line), self.end[line]
        if self._opens_block(line):
            self.flags[record] |= _UNCLOSED
        elif self.flags[record] & _UNCLOSED and e - p >= 2 and self.b[p] == 32 and self.b[p + 1] == 62:
            self.flags[record] &= ~_UNCLOSED
        if ops.first_of(self.b, self.text_at[line], e, self.pool, self.literals, self.stacks) >= 0:
            self.flags[record] |= _STACKED
        return 0

    def _opens_block(self, line: int) -> bool:
        e = self.end[line]
        return e - self.text_at[line] >= 2 and self.b[e - 1] == 60 and self.b[e - 2] == 61

    def _crashes(self, line: int) -> bool:
        """Whether a line without a header begins what Go's runtime says before it gives up."""
        p, e = self.text_at[line], self.end[line]
        return e - self.at[line] <= MAX_LINE and ops.first_of(self.b, p, e, self.pool, self.literals, self.crashes) >= 0

    def _closed(self, record: int) -> bool:
        """Whether a record cannot grow any more."""
        return record < self.oldest or self.members[record] >= MAX_LINES or self.size[record] >= MAX_BYTES

    def _continued(self, line: int, record: int) -> int:
        """The record that a line with an envelope and no header continues, or -1."""
        if record < 0 or line - self.last[record] > GAP or self._closed(record):
            return -1
        if self.head[self.first[record]] < 0 and self.flags[record] & _STACKED == 0:
            return -1
        if _is_whole(self.envelope[line]):
            return record
        p, e = self.text_at[line], self.end[line]
        if p < e and self._is_lost(p, e):
            return -1
        if self.flags[record] != 0 or (p < e and (self.b[p] == 32 or self.b[p] == 9)):
            return record
        return record if ops.first_of(self.b, p, e, self.pool, self.literals, self.heads) >= 0 else -1

    def _continued_bare(self, line: int, record: int) -> int:
        """The record that a line without an envelope continues, or -1."""
        if record < 0 or self._closed(record):
            return -1
        first = self.first[record]
        p, e = self.at[line], self.end[line]
        indent = ops.blanks(self.b, p, e) - p
        if self.envelope[first] != BARE:
            return record if indent >= _INDENT or (indent > 0 and p + indent < e and self.head[line] < 0) else -1
        if self.head[line] >= 0 or self.json[line] >= LOGFMT:
            return -1
        if self.head[first] >= 0 or self.flags[record] & _STACKED:
            return record
        if indent > 0 and p + indent < e:
            if ops.first_of(self.b, self.at[first], self.end[first], self.pool, self.literals, self.blocks) >= 0:
                return record
        return -1

    def _is_lost(self, p: int, e: int) -> bool:
        """Whether journalctl told no text: `[19B blob data]`, or nothing at all (see documents.py)."""
        if self.b[p] == 91:
            return e - p > 12 and self.b[p + 1] <= 57 and ops.starts(self.b, e - 11, e, self.words, 11, 11)
        return e - p == 3 and ops.starts(self.b, p, e, self.words, 22, 3)

    def _text(self, record: int, line: int) -> int:
        """Where the text of a continuation line begins: behind its envelope, or behind journalctl's indentation."""
        first = self.first[record]
        if self.envelope[line] != BARE or self.envelope[first] == BARE:
            return self.text_at[line]
        p = self.at[line]
        stop = min(self.end[line], p + self.text_at[first] - self.at[first])
        while p < stop and self.b[p] == 32:
            p += 1
        return p

    def settle(self, final: bool, rows: Block) -> int:
        """Write the records that no later line can continue (all when final) into `rows`; how many lines they have.

        Records behind that line are not written: their lines are to be read again with those that follow.
        """
        self._bind(self.block)
        keep = self.count if final else self._settled()
        lines = self.n_lines if keep == self.count else self.first[keep]
        rows.rows = keep
        rows.room_for_records(keep)
        rows.members = column("i", lines)
        self._bind_rows(rows)
        arena = bytearray(self._joined_size(keep))
        self.arena = arena
        with cython.nogil:
            self._write(keep)
        rows.arena = bytes(arena)
        return lines

    def glue(self, lines: Iterable[int]) -> None:
        """Records are settled together where one begins with one of these lines and the other stands before it."""
        self.has_glued, self.glued = True, zeros("b", len(self.block.at))
        for line in lines:
            self.glued[line] = 1

    def _bind_rows(self, rows: Block) -> None:
        self.r_first, self.r_member_first, self.r_members = rows.first, rows.member_first, rows.members
        self.r_start, self.r_first_stop, self.r_stop, self.r_joined = rows.start, rows.first_stop, rows.stop, rows.joined
        self.r_verdict, self.r_reason = rows.verdict, rows.reason

    def _settled(self) -> int:
        """How many records, from the first, have all their lines before those of the others, and can grow no more."""
        if self.count == 0:
            return 0
        keep = self.before  # whatever comes may continue the last line's record
        process = 0
        while process < self.n_processes:
            record = self.latest[process]
            process += 1
            if record >= self.oldest and record < keep:
                if self.lines - self.last[record] <= GAP and (self.head[self.first[record]] >= 0 or self.flags[record] & _STACKED):
                    keep = record
        line = self.first[keep]
        # An earlier record's lines may stand behind the first of a later one.
        record = keep - 1
        while record >= 0:
            if self.last[record] >= line or (self.has_glued and self.glued[line]):
                keep, line = record, self.first[record]
            record -= 1
        return keep

    def _joined_size(self, keep: int) -> int:
        """An upper bound of the bytes of the bodies of records of several lines."""
        size = 0
        record = 0
        while record < keep:
            if self.members[record] > 1 or self.json[self.first[record]]:
                # A bare value of logfmt may have to be quoted.
                size += (2 if self.json[self.first[record]] >= LOGFMT else 1) * self.size[record] + self.members[record]
            record += 1
        return size

    def _write(self, keep: int) -> int:
        arena = member = record = 0
        while record < keep:
            line = self.first[record]
            self.r_first[record] = line
            self.r_member_first[record] = member
            p, e = self.body_at[line], self.end[line]
            reason = 0
            if e - self.at[line] > MAX_LINE:
                verdict, reason = UNPARSED, LINE_TOO_LONG
            elif self.head[line] >= 0:
                verdict = STRUCTURED if p < e and self.b[p] == 34 else HEADER
            elif self.json[line] >= LOGFMT:
                verdict = STRUCTURED  # until its pairs are read: then it is plain
            elif self.envelope[line] != BARE:
                verdict = PLAIN
                if p < e and self._is_lost(p, e):
                    reason = MESSAGE_LOST
            else:
                verdict = UNPARSED
                reason = BLANK_LINE if ops.blanks(self.b, p, e) == e else NO_HEADER
            self.r_verdict[record] = verdict
            self.r_reason[record] = reason
            self.r_start[record] = p
            self.r_first_stop[record] = self.r_stop[record] = e
            self.r_joined[record] = 0
            self.r_members[member] = line
            member += 1
            if self.members[record] > 1 or self.json[line]:
                arena = self._join_body(record, arena)
                line = self.follow[line]
                while line >= 0:
                    self.r_members[member] = line
                    member += 1
                    line = self.follow[line]
            record += 1
        self.r_member_first[keep] = member
        return 0

    def _join_body(self, record: int, at: int) -> int:
        """Put the texts of a record's lines behind one another; where they end. Blank lines at its end are left out."""
        line = self.first[record]
        if self.json[line] >= LOGFMT:
            q = first_stop = self._write_logfmt(line, at)
        elif self.json[line]:
            q = self._write_object(line, at)
            self.r_verdict[record] = STRUCTURED if self.has_pairs else HEADER
            first_stop = q if self.has_pairs else ops.find(self.arena, 10, at, q)
        else:
            q = first_stop = ops.copy(self.arena, at, self.b, self.body_at[line], self.end[line])
        stop = q
        line = self.follow[line]
        while line >= 0:
            self.arena[q] = 10
            p, e = self._text(record, line), self.end[line]
            q = ops.copy(self.arena, q + 1, self.b, p, e)
            while p < e and (self.b[p] == 32 or 9 <= self.b[p] <= 13):
                p += 1
            if p < e:
                stop = q
            line = self.follow[line]
        if stop == first_stop and not self.json[self.first[record]]:
            return at
        self.r_start[record], self.r_first_stop[record], self.r_stop[record] = at, first_stop, stop
        self.r_joined[record] = 1
        return q

    def _write_object(self, line: int, at: int) -> int:
        """Write what a line's object says as klog's text says it; where that ends. `has_pairs` is whether it has any."""
        p, e = self.body_at[line] + 1, self.end[line]
        message = message_end = -1
        self.has_pairs = False
        q = at
        # First the message, wherever it stands.
        turn = 0
        while turn < 2:
            p = self.body_at[line] + 1
            while p < e and self.b[p] == 34:
                k = p + 1
                n = ops.closing_quote(self.b, k, e)
                v = n + 2
                if v >= e or self.b[n + 1] != 58:
                    break
                p = ops.value_end(self.b, v, e)
                if v == message or (message < 0 and n - k == 3 and ops.starts(self.b, k, n, self.words, 0, 3)):
                    message, message_end = v, p
                elif not self._is_header(k, n, v, p):
                    self.has_pairs = True
                    if turn == 1:
                        self.arena[q] = 32
                        q = ops.copy(self.arena, q + 1, self.b, k, n)
                        self.arena[q] = 61
                        q = ops.copy(self.arena, q + 1, self.b, v, p)
                if p < e and self.b[p] == 44:
                    p += 1
            if turn == 0:
                if not self.has_pairs:
                    return ops.unescape(self.arena, at, self.b, message + 1, message_end - 1)
                q = ops.copy(self.arena, at, self.b, message, message_end)
            turn += 1
        return q

    def _write_logfmt(self, line: int, at: int) -> int:
        """Write what a line in logfmt says as klog's text says it, its message first; where that ends."""
        e = self.end[line]
        message = -1
        q = at
        turn = 0
        while turn < 2:
            p = self.body_at[line]
            while p < e:
                k = p
                n = ops.find(self.b, 61, p, e)
                v = p = n + 1
                p = ops.closing_quote(self.b, v + 1, e) + 1 if v < e and self.b[v] == 34 else ops.find(self.b, 32, v, e)
                if v == message or (message < 0 and n - k == 3 and ops.starts(self.b, k, n, self.words, 0, 3)):
                    message = v
                    if turn == 0:
                        q = self._write_value(v, p, at, True)
                elif turn == 1:
                    self.arena[q] = 32
                    q = ops.copy(self.arena, q + 1, self.b, k, n)
                    self.arena[q] = 61
                    q = self._write_value(v, p, q + 1, False)
                while p < e and self.b[p] == 32:
                    p += 1
            turn += 1
        return q

    def _write_value(self, p: int, e: int, q: int, quoted: bool) -> int:
        """Write a value of logfmt, in quotes where it is empty, or begins what klog takes for a structure; where it ends."""
        if p < e and self.b[p] == 34:
            return ops.copy(self.arena, q, self.b, p, e)
        if not quoted and p < e and ops.find(self.b, 91, p, e) == e and ops.find(self.b, 123, p, e) == e:
            return ops.copy(self.arena, q, self.b, p, e)
        self.arena[q] = 34
        q = ops.copy(self.arena, q + 1, self.b, p, e)
        self.arena[q] = 34
        return q + 1

    def _is_header(self, k: int, n: int, v: int, e: int) -> bool:
        """Whether a member of an object is what a text's header says: `ts`, `caller`, or `v` with its number."""
        if n - k == 1:
            return self.b[k] == 118 and ops.digits(self.b, v, e, 9) == e
        if n - k == 2:
            return ops.starts(self.b, k, n, self.words, 3, 2)
        return n - k == 6 and ops.starts(self.b, k, n, self.words, 5, 6)


def _is_whole(envelope: int) -> bool:
    """Whether a transport carries the streams of containers: all that one writes behind a header continues it."""
    return envelope == CRI or envelope == STAMPED or envelope == PREFIXED or envelope == COMPOSE or envelope == STERN
