"""kind, spans → Event: the fields of one record, converted.

The text decides the kind: a value that does not convert leaves its field None, and the reason names it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from kubelog.grammar.compile import Entry, Table
from kubelog.ingest.clock import Clock
from kubelog.klog.values import CONVERT
from kubelog.message import vocabulary
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.evidence import ClusterEvent

# Types whose values logs repeat; a longer value is not kept, nor are more than so many of a hole: as many pods as a node has.
_KEPT: Final = frozenset(("word", "pod", "pods", "list", "bool", "int", "quantity", "percent", "duration", "image", "eventtype"))
_LONGEST: Final = 100
_MOST: Final = 500
_MOST_PODS: Final = 2000


# Types of which nothing is an empty one.
_EMPTY: Final = frozenset(("list", "pods", "go"))


@functools.cache
def conversion(type_: str, style: str) -> Callable[[bytes], Any]:
    """How a hole of a type is converted. Go's nil is nothing, in pairs JSON's null too."""
    convert = CONVERT[type_]
    if type_ in _EMPTY:
        return convert
    nothing = (b"<nil>", b"null") if style == "pairs" else (b"<nil>",)
    return lambda value: None if value in nothing else convert(value)


class _Wording:
    """How the fields of one wording are made."""

    __slots__ = ("bare", "cls", "constants", "fields", "holes")

    def __init__(self, entry: Entry, cls: type[Event], types: Sequence[str]) -> None:
        self.cls = cls
        # place of its span, name, conversion, values that it gave, how many of them are kept
        self.holes: list[tuple[int, str, Callable[[bytes], Any], dict[bytes, Any] | None, int]] = []
        for i, ((name, _), type_) in enumerate(zip(entry.holes, types, strict=True)):
            if name != "_":
                kept: dict[bytes, Any] | None = {} if type_ in _KEPT else None
                most = _MOST_PODS if type_ == "pod" else _MOST
                self.holes.append((2 * i, name, conversion(type_, entry.style), kept, most))
        self.constants = dict(entry.constants)
        self.fields = frozenset(cls.__struct_fields__)
        # Whether its holes are its fields.
        derives = any("derive" in vars(base) for base in cls.__mro__ if base is not Event)
        self.bare = not derives and not entry.constants and self.fields.issuperset(hole[1] for hole in self.holes)

    def convert(self, b: bytes, p: int, spans: Sequence[int], first: int) -> tuple[dict[str, Any], list[str]]:
        """The values of the body that begins at p, and those that do not convert."""
        values: dict[str, Any] = {}
        bad: list[str] = []
        for i, name, convert, kept, most in self.holes:
            i += first
            at = spans[i]
            if at < 0:
                continue
            raw = b[p + at : p + spans[i + 1]]
            value = None if kept is None else kept.get(raw)
            if value is None:
                try:
                    value = convert(raw)
                except (ValueError, RecursionError):
                    bad.append(name)
                    continue
                if kept is not None and len(raw) <= _LONGEST:
                    if len(kept) >= most:
                        kept.clear()
                    kept[raw] = value
            # A list may be changed by whom it is given to.
            values[name] = value.copy() if type(value) is list else value
        return values, bad


class Decoder:
    """Makes the events of one table's kinds."""

    def __init__(self, table: Table) -> None:
        self.entries = table.entries
        self.classes = {**vocabulary.classes(), **vocabulary.declared(table.events)}
        self._wordings: dict[int, _Wording] = {}
        self._types: dict[int, list[str]] = {}

    def fields(
        self, number: int, b: bytes, p: int, spans: Sequence[int], first: int
    ) -> tuple[type[Event], dict[str, Any], str | None]:
        """The event of a wording as its class and its fields, and which of them did not convert.

        The body begins at b[p], its spans at spans[first].
        """
        wording = self._wordings.get(number) or self._wording(number)
        cls = wording.cls
        values, bad = wording.convert(b, p, spans, first)
        if not wording.bare:
            try:
                values = cls.derive(values)
                if wording.constants:
                    values = {**values, **wording.constants}
            except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
                # A structure of another shape than this event's.
                values, bad = {**values, **wording.constants}, bad or sorted(cls.raw)
            if not wording.fields.issuperset(values):
                values = {name: values[name] for name in values if name in wording.fields}
        return cls, values, ("not-converted: " + ", ".join(bad)) if bad else None

    def decide(self, number: int, body: bytes, spans: Sequence[int]) -> bool:
        """Whether all values of a `line` wording convert."""
        for i, _, convert, _, _ in (self._wordings.get(number) or self._wording(number)).holes:
            try:
                convert(body[spans[i] : spans[i + 1]])
            except (ValueError, RecursionError):
                return False
        return True

    def types_of(self, number: int) -> list[str]:
        """How the holes of a wording are converted."""
        types = self._types.get(number)
        if types is None:
            entry = self.entries[number]
            cls = self.classes[entry.event]
            types = [type_ or vocabulary.pair_type(cls, name) for name, type_ in entry.holes]
            self._types[number] = types
        return types

    def _wording(self, number: int) -> _Wording:
        entry = self.entries[number]
        made = self._wordings[number] = _Wording(entry, self.classes[entry.event], self.types_of(number))
        return made


def table_time(
    entry: Entry, event: Event, body: bytes, spans: Sequence[int], at: datetime | None, clock: Clock
) -> tuple[Event, datetime | None]:
    """The event of a listing with its times, and the time of its record: ages count back from `at`."""
    if isinstance(event, ClusterEvent):
        if event.first_seen is not None and event.last_seen is not None:
            seen = clock.placed(event.last_seen)
            return msgspec.structs.replace(event, first_seen=clock.placed(event.first_seen), last_seen=seen), seen
        if at is None or event.last_age_s is None:
            return event, None
        last = _ago(event.last_age_s, at, clock)
        first = None if event.first_age_s is None else _ago(event.first_age_s, at, clock)
        return msgspec.structs.replace(event, first_seen=first, last_seen=last), last
    for i, (_, type_) in enumerate(entry.holes):
        if type_ == "since":
            return event, clock.placed(datetime.fromisoformat(CONVERT["since"](body[spans[2 * i] : spans[2 * i + 1]])))
    return event, None if at is None else clock.placed(at)


def _ago(age_s: float, at: datetime, clock: Clock) -> datetime | None:
    """The time that lies so far before `at`; None where the calendar does not reach it."""
    try:
        at = clock.placed(at)
        # In UTC: what the zone's clocks jumped since then is no age.
        return clock.placed((at if at.tzinfo is None else at.astimezone(UTC)) - timedelta(seconds=age_s))
    except OverflowError:
        return None
