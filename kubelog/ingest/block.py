"""The Block: a run of bytes, the lines and records in it, and the columns that each room fills in.

The rooms exchange Blocks, never an object a line. Offsets count bytes in `data`; times are µs. A column is an `array`
that its room appends to: ingest and klog a value a line, klog (`records`), the clock and message a value a record.
"""

from __future__ import annotations

import copy
from array import array
from typing import Final

# No value, in columns of times, process ids and threads.
NONE: Final = -(1 << 63)
# A longer line is one `unparsed` record.
MAX_LINE: Final = 1 << 20

SEVERITIES: Final = ("I", "W", "E", "F")
VERDICTS: Final = ("typed", "structured", "header", "plain", "unparsed")
TYPED, STRUCTURED, HEADER, PLAIN, UNPARSED = range(5)

# Envelopes, by their place in the grammar; what has none is 0.
BARE: Final = 0


class Dictionary:
    """Byte strings ↔ small codes, in the order in which they came."""

    __slots__ = ("codes", "values")

    def __init__(self) -> None:
        self.codes: dict[bytes, int] = {}
        self.values: list[bytes] = []

    def code(self, value: bytes) -> int:
        code = self.codes.get(value)
        if code is None:
            code = self.codes[value] = len(self.values)
            self.values.append(value)
        return code

    def text(self, code: int) -> str | None:
        """The value as text; None for the code -1."""
        return None if code < 0 else self.values[code].decode("utf-8", "backslashreplace")


class Names:
    """The dictionaries of one input; all its Blocks share them."""

    __slots__ = ("files", "months", "nodes", "units")

    def __init__(self) -> None:
        self.nodes, self.units, self.files, self.months = Dictionary(), Dictionary(), Dictionary(), Dictionary()


class Block:
    """Whole lines of one input, and the columns over them."""

    __slots__ = (
        "at", "body_at", "data", "end", "envelope", "file", "first", "head", "joined", "kind", "line",
        "member_first", "members", "month", "moment", "names", "next", "node", "offset", "path", "pid", "reason", "since_year",
        "source_line", "span_first", "spans", "stamp", "text_at", "thread", "time", "time_source", "unit", "verdict",
        "year_source",
    )  # fmt: skip

    def __init__(self, data: bytes, names: Names, path: str = "-", offset: int = 0, line: int = 1) -> None:
        self.data = data
        self.names = names
        self.path = path
        self.offset = offset  # of data[0] in the input
        self.line = line  # number of the first line in the input
        # a value a line: ingest
        self.at = array("q")  # where the line begins
        self.end = array("q")  # where it ends, without \r and \n
        self.next = array("q")  # where the next line begins
        self.envelope = array("b")  # its number in the grammar, from 1; BARE where there is none
        self.text_at = array("q")  # behind the envelope
        self.month = array("i")  # code of the month's name; -1
        self.stamp = array("q")  # µs since the month began, where `month` is set
        self.node = array("i")
        self.unit = array("i")
        self.pid = array("q")
        # a value a line: klog
        self.head = array("b")  # severity of a klog header; -1
        self.moment = array("q")  # µs since the year began, a leap year's calendar
        self.thread = array("q")
        self.file = array("i")
        self.source_line = array("i")
        self.body_at = array("q")  # behind the header, or text_at
        self.clear_records()

    def clear_records(self) -> None:
        """Begin the columns that have a value a record."""
        self.first = array("i")  # its first line
        self.member_first = array("i", [0])  # of its lines in `members`
        self.members = array("i")
        self.joined: dict[int, bytes] = {}  # bodies of records of several lines
        self.since_year = array("q")  # µs since the year began, of the stamp that counts
        self.time = array("q")  # µs since 1970, UTC where the zone is known, else local
        self.time_source = array("b")
        self.year_source = array("b")
        self.verdict = array("b")
        self.kind = array("i")  # the wording; -1
        self.reason = array("b")
        self.span_first = array("i", [0])  # of its field spans in `spans`
        self.spans = array("i")  # start and end in the body, a pair a hole

    def __len__(self) -> int:
        """The number of records."""
        return len(self.first)

    def without_records(self) -> Block:
        """The same lines, for records of their own: what is read of a line is read once."""
        block = copy.copy(self)
        block.clear_records()
        return block

    def body(self, row: int) -> tuple[bytes, int, int, int]:
        """The body of a record: bytes, where it begins, where its first line ends, where it ends."""
        text = self.joined.get(row)
        if text is not None:
            stop = text.find(b"\n")
            return text, 0, len(text) if stop < 0 else stop, len(text)
        line = self.first[row]
        return self.data, self.body_at[line], self.end[line], self.end[line]

    def lines_of(self, row: int) -> array[int]:
        """The lines that belong to a record."""
        return self.members[self.member_first[row] : self.member_first[row + 1]]
