"""How one line is read: what `explain` says of it."""

from __future__ import annotations

from typing import Any

import msgspec

from kubelog.message.record import Record
from kubelog.message.vocabulary.start import NodeConfig


class Stop(msgspec.Struct, frozen=True):
    """Where reading stopped: `column` counts characters from 0 in `text`."""

    stage: str
    text: str
    column: int
    expected: str
    found: str
    wording: str | None = None
    place: str | None = None


class Explanation(msgspec.Struct, frozen=True):
    """How a line is read."""

    record: Record
    envelope: str | None  # the name of the envelope
    header: bool
    wording: str | None
    place: str | None  # of the wording in its grammar file
    meaning: str | None  # of the event
    stops: list[Stop]

    def to_dict(self) -> dict[str, Any]:
        """What `kubelog explain -o json` prints."""
        found = {name: getattr(self, name) for name in ("envelope", "header", "wording", "place", "meaning")}
        event = self.record.event
        if isinstance(event, NodeConfig) and event.thresholds is not None:
            found["thresholds"] = [one.flag for one in event.thresholds]
        return {**found, "stops": [msgspec.to_builtins(stop) for stop in self.stops], "record": self.record.to_dict()}
