"""What rules remember of a node's kubelet: its starts with their thresholds, and the facts that lie beside the log."""

from __future__ import annotations

import msgspec

from kubelog.message.vocabulary import (
    ClusterEvent,
    Event,
    FilesystemUsage,
    KubeletFlags,
    KubeletVersion,
    NodeConfig,
    Threshold,
    UnitStarted,
)
from kubelog.timeline.incident import Evidence, Instant, evidence, instant
from kubelog.timeline.release import FIRST, LAST, minors

# systemd's line and the kubelet's own lines of one start lie closer together than this.
_ONE_START_US = 60_000_000
_KEPT = 8


class Start(msgspec.Struct, frozen=True, gc=False):
    """A start of the kubelet; `thresholds` is None where it is not known what it was started with."""

    number: int
    time: Instant | None
    thresholds: tuple[Threshold, ...] | None
    releases: tuple[int, int]
    evidence: tuple[Evidence, ...]

    @property
    def flags(self) -> tuple[str, ...]:
        """The thresholds as a flag says them, the filesystem's first."""
        order = ("nodefs", "imagefs", "containerfs", "memory", "pid")
        found = sorted(
            self.thresholds or (),
            key=lambda one: (
                order.index(one.signal.split(".")[0]) if one.signal.split(".")[0] in order else 9,
                ".inodes" in one.signal,
            ),
        )
        return tuple(one.flag for one in found)


class Usage(msgspec.Struct, frozen=True, gc=False):
    """A row of df."""

    filesystem: str
    mount: str
    size_bytes: int
    available_bytes: int
    used: float
    evidence: Evidence


class Row(msgspec.Struct, frozen=True, gc=False):
    """A row of an events table."""

    reason: str
    message: str
    count: int
    first: Instant | None
    last: Instant | None
    first_age_s: float | None
    evidence: Evidence


class Flags(msgspec.Struct, frozen=True, gc=False):
    """A command line or drop-in."""

    flags: dict[str, str]
    complete: bool
    variables: tuple[str, ...]
    process_id: int | None
    evidence: Evidence


class Kubelet(msgspec.Struct, frozen=True, gc=False):
    """All of it; bounded, and never changed in place."""

    starts: tuple[Start, ...] = ()
    rows: tuple[Row, ...] = ()
    usages: tuple[Usage, ...] = ()
    flags: tuple[Flags, ...] = ()
    version: str | None = None

    def told(self, event: Event) -> Kubelet:
        """With what one event says of the kubelet."""
        match event:
            case UnitStarted(unit="kubelet"):
                return self._started(event, None, None)
            case NodeConfig(thresholds=thresholds, settings=settings):
                known = None if thresholds is None else tuple(thresholds)
                return self._started(event, known, minors(settings or {}) if settings else None)
            case KubeletVersion(version=version):
                return msgspec.structs.replace(self, version=version)
            case ClusterEvent():
                return msgspec.structs.replace(self, rows=(*self.rows, _row(event))[-64:])
            case FilesystemUsage():
                return msgspec.structs.replace(self, usages=(*self.usages, _usage(event))[-64:])
            case KubeletFlags():
                one = Flags(
                    event.flags or {}, bool(event.complete), tuple(event.variables or ()), event.process_id, evidence(event)
                )
                return msgspec.structs.replace(self, flags=(*self.flags, one)[-64:])
        return self

    def _started(self, event: Event, thresholds: tuple[Threshold, ...] | None, releases: tuple[int, int] | None) -> Kubelet:
        now, last = instant(event.seen), self.start
        same = last is not None and now is not None and last.time is not None and abs(now.us - last.time.us) < _ONE_START_US
        if same and last is not None and (last.thresholds is None or thresholds is None):
            start = msgspec.structs.replace(
                last,
                thresholds=thresholds if thresholds is not None else last.thresholds,
                releases=releases or last.releases,
                evidence=(*last.evidence, evidence(event))[:4],
            )
            return msgspec.structs.replace(self, starts=(*self.starts[:-1], start))
        number = last.number + 1 if last else 1
        start = Start(number, now, thresholds, releases or (FIRST, LAST), (evidence(event),))
        return msgspec.structs.replace(self, starts=(*self.starts, start)[-_KEPT:])

    @property
    def start(self) -> Start | None:
        """The last start."""
        return self.starts[-1] if self.starts else None

    def configured(self, before: int = 1 << 62) -> Start | None:
        """The last start with known thresholds among those numbered below `before`."""
        return next((one for one in reversed(self.starts) if one.thresholds is not None and one.number < before), None)

    @property
    def releases(self) -> tuple[int, int]:
        """The minor releases that this kubelet may be of."""
        if self.version and self.version.startswith("v1."):
            digits = self.version[3:].split(".")[0]
            if digits.isdigit() and len(digits) < 4:
                return int(digits), int(digits)
        start = self.configured()
        return start.releases if start else (FIRST, LAST)


def _row(event: ClusterEvent) -> Row:
    first = Instant(_us(event.first_seen), event.first_seen) if event.first_seen is not None else None
    last = Instant(_us(event.last_seen), event.last_seen) if event.last_seen is not None else None
    return Row(event.reason or "", event.message or "", event.count or 1, first, last, event.first_age_s, evidence(event))


def _us(time: object) -> int:
    from datetime import datetime

    from kubelog.ingest.clock import micros

    assert isinstance(time, datetime)
    return micros(time)


def _usage(event: FilesystemUsage) -> Usage:
    return Usage(
        event.filesystem or "",
        event.mount or "",
        event.size_bytes or 0,
        event.available_bytes or 0,
        event.used or 0.0,
        evidence(event),
    )
