"""The rule tree: what the grammar files say, once they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

# What a hole of a message may hold. The type says how the value is converted, not where it ends (`quoted` ends at its
# quote).
VALUE_TYPES = frozenset(
    "word text quoted int float bool duration quantity percent list pod pods uid id image path time error go rest".split()
)
# In `line` wordings, which have little literal text, the type decides too.
LINE_TYPES = VALUE_TYPES | frozenset(
    """age column eventtype size mountpoint kubeletcommand variable flagtext since moment eventtail tablehead camel involved
    fieldpath reporter dnslabel""".split()
)
# The terminals of headers and envelopes; `reference.py` defines each.
LEXICAL_TYPES = frozenset(
    "severity monthday clock microclock digits line file body month day host identifier priority instant isoinstant nanoinstant "
    "stream tag name structured monotonic podname podof service journalinstant".split()
)
# A text of fewer literal bytes is read only in the files that it names.
LEAST_LITERAL = 16
# Holes that, at the end of a pattern, take the continuation lines too; every other pattern ends with the first line.
MULTILINE_TYPES = frozenset(("rest", "error", "go", "text"))


class Literal(msgspec.Struct, frozen=True, tag_field="part", tag="literal"):
    """Text that stands as it is; UTF-8."""

    text: bytes


class Blanks(msgspec.Struct, frozen=True, tag_field="part", tag="blanks"):
    """At least `least` spaces or tabs."""

    least: int


class Hole(msgspec.Struct, frozen=True, tag_field="part", tag="hole"):
    """A place for a value."""

    name: str
    type: str


Part = Literal | Blanks | Hole


class Pattern(msgspec.Struct, frozen=True):
    """The parts of one wording in order, and the text they were read from."""

    text: str
    parts: tuple[Part, ...]

    @property
    def holes(self) -> tuple[Hole, ...]:
        return tuple(p for p in self.parts if isinstance(p, Hole))

    @property
    def lead(self) -> bytes:
        """The literal that the pattern begins with."""
        return self.parts[0].text if self.parts and isinstance(self.parts[0], Literal) else b""

    @property
    def weight(self) -> int:
        """The number of literal bytes."""
        return sum(len(p.text) for p in self.parts if isinstance(p, Literal))

    @property
    def multiline(self) -> bool:
        """Whether it takes a record's continuation lines too."""
        last = self.parts[-1]
        return isinstance(last, Hole) and last.type in MULTILINE_TYPES


# event → hole → the hole types that suit it; what the vocabulary of `message/` looks like from here.
Vocabulary = Mapping[str, Mapping[str, frozenset[str]]]


class Wording(msgspec.Struct, frozen=True):
    """One way in which one event is said."""

    event: str
    style: str  # text | pairs | line
    pattern: Pattern | None  # of text and line
    message: bytes  # of pairs: the quoted message, unquoted
    fields: dict[str, str]  # of pairs: field → key
    when: dict[str, str]  # of pairs: key → text that its value must hold
    files: tuple[str, ...]
    program: tuple[str, ...]  # syslog identifiers; empty: a klog header is required
    constants: dict[str, Any]
    path: str
    line: int
    column: int
    note: str  # the comment behind it: the releases that say it

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def lead(self) -> bytes:
        """What it begins with: a literal, or the whole message of pairs."""
        return self.pattern.lead if self.pattern else self.message

    @property
    def weight(self) -> int:
        """The number of literal bytes."""
        if self.pattern:
            return self.pattern.weight
        return len(self.message) + sum(len(text.encode()) for text in self.when.values())

    @property
    def bound(self) -> bool:
        """Whether it is read only in the files that it names: what begins with a hole, or says little, could be anybody's.

        Where the line names no file, as in JSON without a caller, all are read but those that begin with a hole.
        """
        if not self.files or self.program or self.style == "line":
            return False
        return self.weight < LEAST_LITERAL or not self.lead if self.pattern else b" " not in self.message

    @property
    def text(self) -> str:
        """The wording as its author wrote it."""
        return self.pattern.text if self.pattern else self.message.decode()


class Sample(msgspec.Struct, frozen=True):
    """A message body (or a whole line) and what it must yield."""

    event: str
    style: str  # line: a whole line; message: what stands behind a klog header or, with a program, behind an envelope
    body: str
    yields: dict[str, Any]
    program: tuple[str, ...]
    files: tuple[str, ...]
    path: str
    line: int


class Grammar(msgspec.Struct):
    """All that the grammar files say, in the order in which wordings are tried."""

    header: Pattern | None = None
    before: list[bytes] = []
    envelopes: dict[str, list[Pattern]] = {}
    weak: list[str] = []  # envelopes that a line which continues a record is not read as
    heads: list[bytes] = []
    stacks: list[bytes] = []
    crashes: list[bytes] = []
    blocks: list[bytes] = []
    months: dict[str, int] = {}  # by name, its likeliest meaning
    phrases: list[bytes] = []  # months' names that are no single short word
    calendars: list[list[str]] = []  # all names of a language; those that are met most are first
    common: int = 0  # how many of these are met most
    events: dict[str, dict[str, str]] = {}
    wordings: list[Wording] = []
    samples: list[Sample] = []
    about: dict[str, str] = {}  # the comment that a file begins with, by its path
    digest: str = ""
