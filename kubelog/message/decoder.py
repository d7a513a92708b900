"""kind, spans → Event: the fields of one record, converted.

The text decides the kind: a value that does not convert leaves its field None, and the reason names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from kubelog.grammar.compile import Entry, Table
from kubelog.ingest.clock import Clock
from kubelog.klog.values import CONVERT
from kubelog.message import vocabulary
from kubelog.message.vocabulary import ClusterEvent, Event, Seen


class Decoder:
    """Makes the events of one table's kinds."""

    def __init__(self, table: Table) -> None:
        self.entries = table.entries
        self.classes = {**vocabulary.classes(), **vocabulary.declared(table.events)}
        self._types: dict[int, list[str]] = {}

    def event(self, number: int, body: bytes, spans: Sequence[int], seen: Seen) -> tuple[Event, str | None]:
        """The event of a wording, and which of its fields did not convert."""
        entry = self.entries[number]
        cls = self.classes[entry.event]
        holes, bad = self._convert(entry, self.types_of(number), body, spans)
        try:
            fields = {**cls.derive(holes), **entry.constants}
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
            # A structure of another shape than this event's.
            fields, bad = dict(entry.constants), bad or sorted(cls.raw)
        event = cls(seen=seen, **{name: fields[name] for name in fields if name in cls.__struct_fields__})
        return event, "not-converted: " + ", ".join(bad) if bad else None

    def decide(self, number: int, body: bytes, spans: Sequence[int]) -> bool:
        """Whether all values of a `line` wording convert."""
        entry = self.entries[number]
        types = [type_ for _, type_ in entry.holes]
        return not self._convert(entry, types, body, spans)[1]

    def types_of(self, number: int) -> list[str]:
        """How the holes of a wording are converted."""
        types = self._types.get(number)
        if types is None:
            entry = self.entries[number]
            cls = self.classes[entry.event]
            types = [type_ or vocabulary.pair_type(cls, name) for name, type_ in entry.holes]
            self._types[number] = types
        return types

    def _convert(self, entry: Entry, types: Sequence[str], body: bytes, spans: Sequence[int]) -> tuple[dict[str, Any], list[str]]:
        holes: dict[str, Any] = {}
        bad: list[str] = []
        for i, (name, _) in enumerate(entry.holes):
            if name == "_" or spans[2 * i] < 0:
                continue
            try:
                holes[name] = CONVERT[types[i]](body[spans[2 * i] : spans[2 * i + 1]])
            except (ValueError, RecursionError):
                bad.append(name)
        return holes, bad


def table_time(
    entry: Entry, event: Event, body: bytes, spans: Sequence[int], at: datetime | None, clock: Clock
) -> tuple[Event, datetime | None]:
    """The event of a listing with its times, and the time of its record: ages count back from `at`."""
    if isinstance(event, ClusterEvent):
        if at is None or event.last_age_s is None:
            return event, None
        last = _ago(event.last_age_s, at, clock)
        first = _ago(event.first_age_s, at, clock) if event.first_age_s is not None else last
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
