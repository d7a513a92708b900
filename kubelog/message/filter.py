"""Record → whether it is wanted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelog.errors import UsageError
from kubelog.ingest.block import Block
from kubelog.message.record import Record
from kubelog.message.story import Story


class Filter:
    """Which records are wanted; None admits all."""

    def __init__(
        self,
        *,
        unit: str | None = None,
        pod: str | None = None,
        kind: str | None = None,
        severity: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        if severity is not None and (not severity or set(severity.upper()) - set("IWEF")):
            raise UsageError(f"expected severities of I, W, E, F (such as WEF), found {severity!r}")
        if pod is not None and pod.count("/") != 1:
            raise UsageError(f"expected a pod as NAMESPACE/NAME, found {pod!r}")
        self.unit, self.pod, self.kind, self.severity = unit, pod, kind, severity.upper() if severity else None
        self.since, self.until = since, until
        self.story = None if pod is None else Story(*pod.split("/"))

    @property
    def options(self) -> dict[str, Any]:
        """What it was made of."""
        return {name: value for name, value in vars(self).items() if name != "story"}

    def learn(self, block: Block) -> None:
        """Take notice of a Block whose records will be asked for; those of an input come in order."""
        if self.story is not None:
            self.story.learn(block)

    def __bool__(self) -> bool:
        return any(value is not None for value in self.options.values())

    def admits(self, record: Record) -> bool:
        """Whether a record passes. A record without a time passes no limit of time."""
        if self.unit is not None and record.unit != self.unit:
            return False
        if self.kind is not None and record.kind != self.kind:
            return False
        if self.severity is not None and (record.severity or " ") not in self.severity:
            return False
        if not self.is_about(record):
            return False
        return self._in_time(record.time)

    def is_about(self, record: Record) -> bool:
        """Whether it is about the pod."""
        if self.story is None:
            return True
        offset = record.origin.spans[0][0] if record.origin.spans else 0
        return self.story.tells(record.namespace, record.pod, record.raw, record.origin.path, offset)

    def _in_time(self, time: datetime | None) -> bool:
        if self.since is None and self.until is None:
            return True
        if time is None:
            return False
        return (self.since is None or _later(time, self.since)) and (self.until is None or _later(self.until, time))


def _later(one: datetime, other: datetime) -> bool:
    """One ≥ other; where only one of them knows its zone, as local times."""
    if (one.tzinfo is None) != (other.tzinfo is None):
        one, other = one.replace(tzinfo=None), other.replace(tzinfo=None)
    return one >= other
