"""What the correlator says: Incident, its Steps with their evidence, and the Change that tells of them."""

from __future__ import annotations

from bisect import insort
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from kubelog.klog.values import PodRef
from kubelog.message.record import plain
from kubelog.message.vocabulary.event import Event, Seen

# Bounds of what an incident keeps.
MAX_EVIDENCE, MAX_STEPS, MAX_PODS, MAX_HOLES = 10, 500, 1000, 100


class Instant(msgspec.Struct, frozen=True, gc=False):
    """A time as rules compare it and as it is shown. Without a year µs count from that year's begin and `text` stands alone."""

    us: int
    time: datetime | None = None
    text: str | None = None

    def __str__(self) -> str:
        return self.to_json() or ""

    def to_json(self) -> str | None:
        return self.text if self.time is None else self.time.isoformat(timespec="microseconds")


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """The first line of a record that proves something."""

    path: str
    line: int
    offset: int


class Step(msgspec.Struct, frozen=True, gc=False):
    """One thing that happened in an incident: `kind` is an event's, `count` how many records said it, from `first` to `last`."""

    id: str
    time: Instant | None
    kind: str
    text: str
    count: int
    first: Instant | None
    last: Instant | None
    evidence: tuple[Evidence, ...]


class Cause(msgspec.Struct, frozen=True, gc=False):
    """Why it happened; `confidence` is certain, likely or possible."""

    text: str
    confidence: str
    because: tuple[Evidence, ...]


class Finding(msgspec.Struct, frozen=True, gc=False):
    """What the reader must not miss."""

    kind: str
    text: str
    evidence: tuple[Evidence, ...]


class Gap(msgspec.Struct, frozen=True, gc=False):
    """A stretch of time of which the input tells nothing."""

    start: Instant
    end: Instant
    node: str | None
    kind: str
    text: str


class Affected(msgspec.Struct, frozen=True, gc=False):
    """The pods that an incident hit: at most 1,000 of them, and how many there were, beyond 1,000 within one percent."""

    pods: tuple[PodRef, ...]
    total: int


class Incident(msgspec.Struct, frozen=True, gc=False):
    """Something that went wrong: opens, evolves, closes, names its cause."""

    id: str
    kind: str
    node: str | None
    nodes: tuple[str, ...]
    subject: dict[str, str]
    state: str  # open | mitigated | resolved
    resolution: str | None  # condition-cleared | recovered | config-changed | restarted | quiet
    severity: str  # warning | critical
    opened: Instant | None
    last_seen: Instant | None
    closed: Instant | None
    summary: str
    cause: Cause | None
    episodes: int
    counts: dict[str, int]
    affected: Affected
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]
    advice: tuple[str, ...]
    gaps: tuple[Gap, ...]
    consequence_of: str | None = None
    consequences: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()  # what it is about on the network: nodes that share one may see the same

    def to_dict(self, steps: bool = True, pods: bool = True) -> dict[str, Any]:
        """The incident as `kubelog timeline -o json` prints it; as a Change carries it without its steps.

        Without `pods` each pod stays a PodRef, of which msgspec makes the same JSON in a fraction of the time.
        """
        left_out = {"gaps", "endpoints"} if steps else {"gaps", "endpoints", "steps"}
        values = {name: getattr(self, name) for name in self.__struct_fields__ if name not in left_out}
        affected = {"pods": self.affected.pods, "total": self.affected.total}
        return {name: affected if value is self.affected and not pods else to_json(value) for name, value in values.items()}


class Change(msgspec.Struct, frozen=True, gc=False):
    """One thing that the correlator says: `opened`, `step`, `updated`, `amended` or `closed`.

    `incident` is as it now is, its steps left out; incidents stand in the order of `opened`, then `id`. A step replaces the step
    with the same `id`; one whose `count` is 0 is taken back. Steps stand in the order of `time`, then of the path and line of
    their first evidence, then `id`; the first 500 count. An incident whose `episodes` are 0 is none: it is taken back, or it
    is a loss of the log too small to be one, of which only the gaps are told.
    """

    incident: Incident
    action: str
    step: Step | None = None

    def to_dict(self, pods: bool = True) -> dict[str, Any]:
        """The Change as `kubelog tail -o jsonl` prints it; `pods` as for an Incident."""
        step = None if self.step is None else to_json(self.step)
        return {"incident": self.incident.to_dict(steps=False, pods=pods), "action": self.action, "step": step}


def to_json(value: Any) -> Any:
    """JSON data of anything that an incident holds."""
    if isinstance(value, Instant):
        return value.to_json()
    if isinstance(value, Gap):
        names = {"start": "from", "end": "to"}
        return {names.get(name, name): to_json(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, msgspec.Struct):
        return {name: to_json(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, list | tuple):
        return [to_json(one) for one in value]
    if isinstance(value, dict):
        return {str(key): to_json(one) for key, one in value.items()}
    return plain(value)


def incident_id(kind: str, node: str | None, subject: str, number: int) -> str:
    """Stable for the same logs: of what it is about and which of its kind, never of a time."""
    import hashlib

    digest = hashlib.sha256("\0".join((kind, node or "", subject)).encode()).hexdigest()[:12]
    return f"{digest}-{number}"


def instant(seen: Seen) -> Instant | None:
    """When an event was said."""
    us = seen.time_us
    if us is None:
        return None
    return Instant(us, seen.time, None if seen.time is not None else _local(us))


def shifted(time: Instant, us: int) -> Instant:
    """Another time on the same clock."""
    if time.time is None:
        return Instant(us, None, _local(us))
    zone, by = time.time.tzinfo, timedelta(microseconds=us - time.us)
    return Instant(us, time.time + by if zone is None else (time.time.astimezone(UTC) + by).astimezone(zone))


def _local(us: int) -> str:
    """A time without its year. Years that were passed without one count 366 days."""
    from kubelog.ingest.calendar import DAY, local_text

    return local_text(us % (366 * DAY))


def evidence(event: Event) -> Evidence:
    """The line that said it."""
    seen = event.seen
    return Evidence(seen.path, seen.line, seen.offset)


def in_order(step: Step) -> tuple[int, str, int, str]:
    """The order of steps: of time, then of their first evidence. One without a time stands first."""
    first = step.evidence[0] if step.evidence else Evidence("", 0, 0)
    return step.time.us if step.time else -(1 << 62), first.path, first.line, step.id


def with_step(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    """Steps in order, with `step` instead of the one with its id."""
    kept = [one for one in steps if one.id != step.id]
    insort(kept, step, key=in_order)
    return tuple(kept[:MAX_STEPS])
