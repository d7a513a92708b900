"""A table's cells: how they are laid out, and what their leaf has to know of a grammar."""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import Final

from kubelog.grammar.compile import Table
from kubelog.message.decoder import Decoder
from kubelog.message.vocabulary.event import Event

# What is filled: numbers, codes (-1: none), and views, four numbers each: length, then the text itself, or its first four
# bytes, the buffer and the place.
VIEWS: Final = ("message", "pod", "namespace", "pod_uid", "container")
COLUMNS: Final = {
    "node": "i", "unit": "i", "pid": "q", "severity": "b", "thread": "q", "source_file": "i", "source_line": "i",
    "kind": "i", "signature": "i", "reason": "i", "time_source": "b", "year_source": "b", "line": "q", "offset": "q",
    **dict.fromkeys(VIEWS, "i"),
}  # fmt: skip
# The buffers that a view may point into: what is copied, the signatures, what is taken from Records.
TEXTS, SIGNATURES, ODD = range(3)
# A longer signature is read with its record.
LONGEST: Final = 4096
# Of a field: it was read, or it has a value of another form.
GIVEN, OTHER = 1, 2
# How a value is looked at, to be sure that it converts.
SURE, WORD, INT, FLOAT, BOOL, DURATION, POD, QUANTITY, GO = range(9)
_CHECKS: Final = {
    **dict.fromkeys(("text", "quoted", "path", "time", "error", "rest"), SURE),
    **dict.fromkeys(("word", "uid", "id", "image"), WORD),
    "int": INT, "float": FLOAT, "bool": BOOL, "duration": DURATION, "pod": POD,
    "quantity": QUANTITY, "go": GO, "list": GO,
}  # fmt: skip
# What the leaf of a kind's table reads.
READS: Final = {name: check for name, check in _CHECKS.items() if check in (SURE, WORD, INT, FLOAT, BOOL, DURATION)}


class Layout:
    """What the leaf has to know of a grammar: a value a wording, and for holes a value a hole."""

    def __init__(self) -> None:
        self.hole_first = array("i", [0])
        self.checks = array("b")  # a hole
        self.slow = array("b")  # its fields are derived, or its time is read from its text
        self.pod_hole, self.container_hole, self.telling_hole = array("i"), array("i"), array("i")
        self.event = array("i")  # code of the event's name
        self.text = array("i")  # number of its signature: wordings may share one
        self.text_at, self.text_end = array("i"), array("i")  # of each signature its place in `texts`
        self.texts = b""
        self.literal = array("b")  # whether each is ASCII and what a message without escapes says itself


def layout(table: Table, decoder: Decoder) -> Layout:
    """What the leaf has to know of a grammar."""
    found = Layout()
    texts: dict[bytes, int] = {}
    events = sorted({entry.event for entry in table.entries})
    for number, entry in enumerate(table.entries):
        cls = decoder.classes[entry.event]
        types = decoder.types_of(number)
        names = [name for name, _ in entry.holes]
        checks = [SURE if name == "_" else _CHECKS.get(type_) for name, type_ in zip(names, types, strict=True)]
        other = {"container", "pod"} & entry.constants.keys()
        text = entry.text.encode()
        telling = _hole_of(names, cls.telling)
        odd = _is_odd(cls, names) or None in checks or entry.style == "line" or bool(other) or len(text) > LONGEST
        found.checks.extend(check or SURE for check in checks)
        found.slow.append(odd)
        found.hole_first.append(len(found.checks))
        pod = _hole(cls, names, "pod")
        found.pod_hole.append(pod if pod >= 0 and checks[pod] == POD else -1)
        container = _hole(cls, names, "container")
        found.telling_hole.append(telling)
        found.container_hole.append(container if container >= 0 and checks[container] in (SURE, WORD) else -1)
        found.event.append(events.index(entry.event))
        found.text.append(texts.setdefault(text, len(texts)))
    found.texts = b"".join(texts)
    found.literal.extend(text.isascii() and b"\\" not in text for text in texts)
    found.text_end.extend(accumulate(map(len, texts)))
    found.text_at.extend([0, *found.text_end[:-1]] if texts else [])
    return found


def _is_odd(cls: type[Event], names: list[str]) -> bool:
    """Whether only a Record tells which pod and container an event names, or whether its holes make sense."""
    if not is_derived(cls):
        return False
    if cls.derived is None:
        return True
    return bool(cls.derived & {"pod", "container"}) and any(name in cls.raw and name != cls.telling for name in names)


def is_derived(cls: type[Event]) -> bool:
    """Whether an event makes its fields of its holes in a way of its own."""
    return cls.derive.__func__ is not Event.derive.__func__  # type: ignore[attr-defined]


def _hole(cls: type[Event], names: list[str], field: str) -> int:
    """The hole that is a field of the event, or -1."""
    return _hole_of(names, field) if field in cls.__struct_fields__ else -1


def _hole_of(names: list[str], name: str | None) -> int:
    return max((i for i, one in enumerate(names) if one == name), default=-1)
