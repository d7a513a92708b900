"""The Block: a run of bytes, the lines and records in it, and the columns that each room fills in.

The rooms exchange Blocks, never an object a line. Offsets count bytes in `data` (a Block is smaller than 2 GiB); times
are µs. Columns are arrays: of them, the first `lines` or `rows` values hold. A code is a place in a Dictionary.
"""

from __future__ import annotations

import copy
from array import array
from typing import TYPE_CHECKING, Final

from kubelog.ingest import ops
from kubelog.ingest.columns import column, grown, zeros

if TYPE_CHECKING:
    from kubelog.ingest.origins import Origins

# No value, in columns of times, process ids and threads.
NONE: Final = -(1 << 63)
# A longer line is one `unparsed` record.
MAX_LINE: Final = 1 << 20
# A record never grows beyond this.
MAX_LINES: Final = 10_000
MAX_BYTES: Final = 1 << 20
# Lines of other processes that may stand between the lines of a record.
GAP: Final = 32
# Blanks in front of an envelope; more is the indentation of a continuation line (journalctl indents by the prefix's
# width).
MAX_INDENT: Final = 15
# What klog's JSON may say as milliseconds since 1970: less (before 1973) are seconds, which klog never writes; more (behind 9892)
# is in no calendar.
LEAST_MS: Final = 100_000_000_000
MOST_MS: Final = 250_000_000_000_000
# How far into a line without an envelope a klog header is looked for (`kube-apiserver-1  | I0822 …`).
MAX_PREFIX: Final = 128

SEVERITIES: Final = ("I", "W", "E", "F")
VERDICTS: Final = ("typed", "structured", "header", "plain", "unparsed")
TYPED, STRUCTURED, HEADER, PLAIN, UNPARSED = range(5)
REASONS: Final = (None, "no-header", "line-too-long", "blank-line", "message-lost")
NO_HEADER, LINE_TOO_LONG, BLANK_LINE, MESSAGE_LOST = range(1, 5)

LOGFMT: Final = 2

# Envelopes, by their place in the grammar; what has none is 0.
BARE, SHORT, CRI, DATED, STAMPED, SYSLOG, MONOTONIC, PREFIXED, IDENTIFIER, COMPOSE, STERN = range(11)
# Those that name a container.
NAMES_CONTAINER: Final = (PREFIXED, COMPOSE, STERN)
# Instead of the code of a month: the stamp counts from 1970.
WITH_YEAR: Final = -2
# Of a stamp whose zone is not said.
NO_ZONE: Final = 1 << 20

# A value a line.
LINE_COLUMNS: Final = {
    # ingest
    "at": "i",  # where the line begins; one more: where the last one ends
    "end": "i",  # where it ends, without \r and \n
    "envelope": "b",  # its number in the grammar, from 1; BARE where there is none
    "text_at": "i",  # behind the envelope
    "odd": "b",  # whether it is to be written anew before it is read: see unwrap.py
    "month": "i",  # code of the month's name; WITH_YEAR; -1
    "stamp": "q",  # µs since the month began, where `month` is a code; as shown, since 1970, where it is WITH_YEAR; NONE
    "ahead": "i",  # minutes that the stamp's zone is ahead of UTC, where `month` is WITH_YEAR; NO_ZONE
    "process": "i",  # code of node, unit and pid; -1
    # klog
    "head": "b",  # severity of a klog header; -1
    "moment": "q",  # µs since the year began, a leap year's calendar
    "thread": "q",
    "site": "i",  # code of source file and line; -1
    "body_at": "i",  # behind the header, or text_at
    # 1: klog's JSON, an object with header, message and pairs; from LOGFMT on: `level=info msg="…" key=value`, as other programs
    # write it, with the number of its severity added
    "json": "b",
    "utc": "q",  # µs since 1970 where the line says them; NONE
}
# A value a record.
RECORD_COLUMNS: Final = {
    # klog
    "first": "i",  # its first line
    "member_first": "i",  # of its lines in `members`; one more
    "start": "i",  # its body: in `data`, or in `arena` where it is `joined` from several lines
    "first_stop": "i",  # where the body's first line ends
    "stop": "i",
    "joined": "b",
    # the clock
    "since_year": "q",  # µs since the year began, of the stamp that counts
    "time": "q",  # µs since 1970, UTC where the zone is known, else local
    "time_source": "b",
    "year_source": "b",
    # klog
    "message_end": "i",  # in the body, behind the quoted message of a structured record; -1
    "pair_first": "i",  # of its pairs in `pairs`; one more
    # message
    "verdict": "b",
    "reason": "b",
    "kind": "i",  # the wording; -1
    "span_first": "i",  # of its field spans in `spans`; one more
}


_NOTHING: Final = {code: column(code, 0) for code in "biq"}


class Dictionary:
    """Byte strings ↔ small codes, in the order in which they came. A value is a span of the Block's bytes."""

    __slots__ = ("count", "slots", "spans")

    def __init__(self) -> None:
        self.count = 0
        self.slots = zeros("i", 256)  # a hash table of codes + 1: see ops.lookup
        self.spans = column("i", 256)

    @property
    def room(self) -> int:
        """How many values it holds before it has to grow."""
        return len(self.spans) // 2

    def grow(self, b: bytes) -> None:
        """Make room for four times as many."""
        self.spans = grown("i", self.spans, 4 * len(self.spans))
        self.slots = zeros("i", 4 * len(self.slots))
        for code in range(self.count):
            place = ops.lookup(self.slots, self.spans, b, b, self.spans[2 * code], self.spans[2 * code + 1])
            self.slots[-1 - place] = code + 1

    def code(self, b: bytes, p: int, e: int) -> int:
        """The code of b[p:e]."""
        found = ops.lookup(self.slots, self.spans, b, b, p, e)
        if found < 0:
            if self.count == self.room:
                self.grow(b)
                found = ops.lookup(self.slots, self.spans, b, b, p, e)
            self.slots[-1 - found] = self.count + 1
            self.spans[2 * self.count], self.spans[2 * self.count + 1] = p, e
            found = self.count
            self.count += 1
        return found

    def value(self, b: bytes, code: int) -> bytes:
        return b[self.spans[2 * code] : self.spans[2 * code + 1]]

    def values(self, b: bytes) -> list[bytes]:
        return [self.value(b, code) for code in range(self.count)]


class Block:
    """Whole lines of one input, and the columns over them."""

    __slots__ = (
        "arena", "data", "dropped", "file_of", "files", "line", "line_of", "lines", "members", "months", "node_of", "nodes",
        "offset", "origins", "pairs", "path", "pid_of", "pod_of", "pods", "processes", "rows", "sites", "size", "spans",
        "unit_of", "units",
        *LINE_COLUMNS, *RECORD_COLUMNS,
    )  # fmt: skip

    at: array[int]
    end: array[int]
    envelope: array[int]
    text_at: array[int]
    odd: array[int]
    month: array[int]
    stamp: array[int]
    ahead: array[int]
    process: array[int]
    head: array[int]
    moment: array[int]
    thread: array[int]
    site: array[int]
    body_at: array[int]
    json: array[int]
    utc: array[int]
    first: array[int]
    member_first: array[int]
    start: array[int]
    first_stop: array[int]
    stop: array[int]
    joined: array[int]
    since_year: array[int]
    time: array[int]
    time_source: array[int]
    year_source: array[int]
    message_end: array[int]
    pair_first: array[int]
    verdict: array[int]
    reason: array[int]
    kind: array[int]
    span_first: array[int]

    def __init__(self, data: bytes, path: str = "-", offset: int = 0, line: int = 1) -> None:
        self.data = data
        self.size = len(data)  # of the data that holds whole lines
        self.path = path
        self.offset = offset  # of data[0] in the input
        self.line = line  # number of the first line in the input
        self.dropped = 0  # bytes of the last line, at its end, that were not kept
        self.origins: Origins | None = None  # where the lines are from, if not all of them are as they are in the input
        self.lines = 0
        for name, code in LINE_COLUMNS.items():
            setattr(self, name, _NOTHING[code])
        self.nodes, self.units, self.files, self.months = Dictionary(), Dictionary(), Dictionary(), Dictionary()
        self.pods, self.processes, self.sites = Dictionary(), Dictionary(), Dictionary()
        self._columns_of_codes()
        self.clear_records()

    def _columns_of_codes(self) -> None:
        """What the codes of processes and sites stand for."""
        self.node_of, self.unit_of = column("i", self.processes.room), column("i", self.processes.room)
        self.pod_of, self.pid_of = column("i", self.processes.room), column("q", self.processes.room)
        self.file_of, self.line_of = column("i", self.sites.room), column("i", self.sites.room)

    def clear_records(self) -> None:
        """Begin the columns that have a value a record."""
        self.rows = 0
        self.arena = b""
        for name, code in RECORD_COLUMNS.items():
            setattr(self, name, _NOTHING[code])
        self.members = _NOTHING["i"]  # the lines of the records, in the order of the records
        self.spans = _NOTHING["i"]  # start and end in the body, a pair a hole; -1 where the record has no such field
        self.pairs = _NOTHING["i"]  # key start and end, value start and end in the body; quotes and marks included

    def room_for_lines(self, count: int) -> None:
        """Make room in the columns that have a value a line."""
        for name, code in LINE_COLUMNS.items():
            setattr(self, name, grown(code, getattr(self, name), count + 1))

    def room_for_records(self, count: int) -> None:
        """Make room in the columns that have a value a record."""
        for name, code in RECORD_COLUMNS.items():
            setattr(self, name, column(code, count + 1))

    def room_for_names(self) -> None:
        """Make room in the dictionaries that are full."""
        for names in (self.nodes, self.units, self.files, self.months, self.pods, self.processes, self.sites):
            if names.count == names.room:
                names.grow(self.data)
        for name, code, names in (
            ("node_of", "i", self.processes),
            ("unit_of", "i", self.processes),
            ("pod_of", "i", self.processes),
            ("pid_of", "q", self.processes),
            ("file_of", "i", self.sites),
            ("line_of", "i", self.sites),
        ):
            if len(getattr(self, name)) < names.room:
                setattr(self, name, grown(code, getattr(self, name), names.room))

    def __len__(self) -> int:
        """The number of records."""
        return self.rows

    def without_records(self) -> Block:
        """The same lines, for records of their own: what is read of a line is read once."""
        block = copy.copy(self)
        block.clear_records()
        return block

    def body(self, row: int) -> tuple[bytes, int, int, int]:
        """The body of a record: bytes, where it begins, where its first line ends, where it ends."""
        return self.arena if self.joined[row] else self.data, self.start[row], self.first_stop[row], self.stop[row]

    def lines_of(self, row: int) -> list[int]:
        """The lines that belong to a record."""
        return self.members[self.member_first[row] : self.member_first[row + 1]].tolist()

    def spans_of(self, row: int) -> list[int]:
        """The field spans of a record: start and end in its body, a pair a hole."""
        return self.spans[2 * self.span_first[row] : 2 * self.span_first[row + 1]].tolist()

    def pairs_of(self, row: int) -> list[int]:
        """The pairs of a record: key start and end, value start and end in its body."""
        return self.pairs[4 * self.pair_first[row] : 4 * self.pair_first[row + 1]].tolist()

    def offset_of(self, line: int) -> int:
        """Where a line begins in the input."""
        return self.offset + (self.at[line] if self.origins is None else self.origins.start(line))

    def number_of(self, line: int) -> int:
        """The number of a line in the input."""
        return self.line + (line if self.origins is None else self.origins.line(line))

    def places_of(self, line: int) -> list[tuple[int, int]]:
        """Where a line stands in the input: offset and size of its bytes, the line's end included."""
        if self.origins is None:
            more = self.dropped if line + 1 == self.lines else 0
            return [(self.offset + self.at[line], self.at[line + 1] - self.at[line] + more)]
        more = self.dropped if line + 1 == self.lines else 0
        return [(self.offset + at, end - at + more) for at, end in self.origins.spans(line)]

    def raw(self, line: int) -> bytes:
        """The bytes of a line in the input, its end included."""
        if self.origins is None:
            return self.data[self.at[line] : self.at[line + 1]]
        return b"".join(self.origins.block.data[at:end] for at, end in self.origins.spans(line))

    def node(self, line: int) -> str | None:
        process = self.process[line]
        return None if process < 0 or self.node_of[process] < 0 else text(self.nodes.value(self.data, self.node_of[process]))

    def unit(self, line: int) -> str | None:
        process = self.process[line]
        return None if process < 0 or self.unit_of[process] < 0 else text(self.units.value(self.data, self.unit_of[process]))

    def names_of(self, process: int) -> tuple[str | None, str | None]:
        """Node and unit of a process."""
        if process < 0:
            return None, None
        node, unit = self.node_of[process], self.unit_of[process]
        return (
            None if node < 0 else text(self.nodes.value(self.data, node)),
            None if unit < 0 else text(self.units.value(self.data, unit)),
        )

    def pod(self, line: int) -> str | None:
        """The pod that a transport names."""
        process = self.process[line]
        return None if process < 0 or self.pod_of[process] < 0 else text(self.pods.value(self.data, self.pod_of[process]))

    def container(self, line: int) -> str | None:
        """The container that a transport names."""
        return self.unit(line) if self.envelope[line] in NAMES_CONTAINER else None

    def pid(self, line: int) -> int | None:
        """The envelope's process id, else the header's thread."""
        process = self.process[line]
        pid = self.pid_of[process] if process >= 0 and self.pid_of[process] != NONE else self.thread[line]
        return None if pid == NONE else pid

    def source_file(self, line: int) -> str | None:
        site = self.site[line]
        return None if site < 0 else text(self.files.value(self.data, self.file_of[site]))

    def source_line(self, line: int) -> int | None:
        site = self.site[line]
        return None if site < 0 else self.line_of[site]


def text(value: bytes) -> str:
    r"""Bytes as text: UTF-8, what is not is shown as \xNN."""
    return value.decode("utf-8", "backslashreplace")
