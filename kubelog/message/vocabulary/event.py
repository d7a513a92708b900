"""What every event has: `seen`, when and where it was said, and fields that its class declares.

Names are Kubernetes' own. Durations are seconds (`…_s`), sizes bytes (`…_bytes`), percentages fractions. A field that the line does
not give is None.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import msgspec

# A longer stretch without any record of a node is a gap: nothing is known of it.
GAP_US = 600_000_000
# So late a record is still put in its place.
LATE_US = 30_000_000


class Heard(msgspec.Struct, frozen=True, gc=False):
    """How far a node's records had come, in µs as `Seen.time_us`: what is silent there is known to be silent.

    A run is a stretch of records without a gap of ten minutes, and without a boot of the host.
    """

    us: int  # the latest time so far
    run_us: int  # when the run began that goes on
    # Runs before it, from and to: the last two, and six from the last but one before a rule's last event on: by the third run
    # behind a sign it is known to be over.
    past: tuple[tuple[int, int], ...] = ()
    booted: bool = False  # whether a boot began the run

    def at(self, time: int, booted: bool = False) -> Heard:
        """With one more record. A late one moves the beginning of the run, and may fill the gap before it; not over a boot."""
        if time > self.us + GAP_US or (booted and time > self.us):
            past = (*self.past, (self.run_us, self.us))
            return Heard(time, time, past if len(past) <= 8 else (*past[:6], *past[-2:]), booted)
        if time > self.us:
            return Heard(time, self.run_us, self.past, self.booted)
        if self.us - LATE_US <= time < self.run_us:
            if self.past and not self.booted and time - self.past[-1][1] <= GAP_US:
                return Heard(self.us, self.past[-1][0], self.past[:-1])
            return Heard(self.us, max(time, self.least_us), self.past, self.booted)
        return self

    @property
    def least_us(self) -> int:
        """No record moves the beginning of the run before this: a boot comes behind what was before it."""
        return self.past[-1][1] + 1 if self.booted and self.past else -(1 << 62)

    def asked(self) -> Heard:
        """With an event that a rule asked for: what was before it is known to the rules."""
        return Heard(self.us, self.run_us, self.past[-2:], self.booted) if len(self.past) > 2 else self


class Seen(msgspec.Struct, frozen=True, gc=False):
    """When and where an event was said."""

    time: datetime | None = None  # aware where the zone is known; None where the year is not
    time_us: int | None = None  # the same in µs since 1970; without a year: since that year began
    year_known: bool = False
    node: str | None = None
    unit: str | None = None
    pid: int | None = None
    severity: str | None = None
    path: str = "-"
    line: int = 0  # from 1
    offset: int = 0  # of the record's first byte in the input
    heard: Heard | None = None


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One thing that was said. Subclasses declare the fields."""

    seen: Seen = Seen()

    # The fields that `derive` makes, where it refuses nothing; None: it may. Tables ask for it, to spare an object a record.
    derived: ClassVar[frozenset[str] | None] = None
    # A hole in which `container=… pod=…` may stand, as a back-off says it: they are the event's.
    telling: ClassVar[str | None] = None
    # Whether it tells only where something went wrong, for messages that have no event of their own.
    general: ClassVar[bool] = False
    # Holes that are no fields, with the type that they have in pairs; `derive` makes fields of them.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({})
    # Fields whose type a grammar declared (`[event.Name]`): that is how their pairs are read.
    written: ClassVar[Mapping[str, str]] = types.MappingProxyType({})

    @classmethod
    def plain(cls, holes: dict[str, Any]) -> dict[str, Any]:
        """The holes that are fields as they are."""
        return {name: value for name, value in holes.items() if name not in cls.raw}

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        """Fields from the converted holes of a wording. Raises ValueError where they make no sense."""
        return holes

    @property
    def kind(self) -> str:
        return type(self).__name__

    @property
    def time(self) -> datetime | None:
        return self.seen.time

    @property
    def fields(self) -> dict[str, Any]:
        """The typed fields by name, as in the class."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "seen"}
