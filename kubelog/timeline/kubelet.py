"""What rules remember of a node's kubelet: its starts with their thresholds, and the facts that lie beside the log."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from kubelog.klog.values import Quantity
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.eviction import EvictionPodChosen, EvictionThresholdObserved
from kubelog.message.vocabulary.evidence import ClusterEvent, FilesystemUsage
from kubelog.message.vocabulary.host import JournalSuppressed, LineCut, UnitStarted
from kubelog.message.vocabulary.start import KubeletFlags, KubeletVersion, NodeConfig
from kubelog.message.vocabulary.threshold import Threshold
from kubelog.timeline.incident import Evidence, Instant, evidence, instant, shifted
from kubelog.timeline.release import FIRST, LAST, minors

# systemd's line and the kubelet's own lines of one start lie closer together than this.
_ONE_START_US = 60_000_000
_KEPT = 8
# A threshold that is crossed is measured every 10 s; so long without that, it was not.
_ONE_STRETCH_US = 300_000_000
_OBSERVED = 16
# journald counts what it drops in spans of this length (RateLimitIntervalSec).
SUPPRESSED_US = 30_000_000
# The events that may say something of it.
TELLING: Final = frozenset(
    (
        UnitStarted, NodeConfig, KubeletVersion, ClusterEvent, FilesystemUsage, KubeletFlags, JournalSuppressed, LineCut,
        EvictionThresholdObserved, EvictionPodChosen,
    )
)  # fmt: skip
# Why a pod is evicted, from 1.26 on (pkg/kubelet/eviction/helpers.go).
_LOW: Final = re.compile(r"The node was low on resource: (\S{1,100})\. Threshold quantity: (\S{1,60}), available: (\S{1,60})")
# Filesystems of the kernel's own, which hold no data of a kubelet.
_VIRTUAL: Final = ("tmpfs", "devtmpfs", "udev", "overlay", "shm", "none", "cgroup", "cgmfs")


class Start(msgspec.Struct, frozen=True, gc=False):
    """A start of the kubelet; `thresholds` is None where it is not known what it was started with.

    A start is `listed` where only a listing (`systemctl status`) tells of it.
    """

    number: int
    time: Instant | None
    thresholds: tuple[Threshold, ...] | None
    releases: tuple[int, int]
    evidence: tuple[Evidence, ...]
    listed: bool = False

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

    @property
    def is_disk(self) -> bool:
        """Whether it holds data: not a filesystem of the kernel's own, nor a container's view of another one."""
        return self.filesystem not in _VIRTUAL and not self.mount.startswith(("/sys", "/proc", "/dev", "/run"))


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


class Dropped(msgspec.Struct, frozen=True, gc=False):
    """Lines of a unit that journald dropped, in the 30 s before `time`, or for as long as it said so again and again; or, where
    they are `cut`, lines that journalctl cut short.
    """

    unit: str
    begin: Instant
    time: Instant
    count: int
    evidence: tuple[Evidence, ...]
    cut: bool = False


def with_dropped(known: tuple[Dropped, ...], event: JournalSuppressed | LineCut, most: int = 64) -> tuple[Dropped, ...]:
    """The last spans in which lines were dropped, with one more; what is said a minute later goes on with the span before."""
    now, unit, cut = instant(event.seen), event.unit or "", isinstance(event, LineCut)
    count = 1 if isinstance(event, LineCut) else event.count or 0
    if now is None:
        return known
    for at in reversed(range(len(known))):
        last = known[at]
        if last.unit == unit and last.cut == cut:
            if last.time.us <= now.us <= last.time.us + _ONE_START_US:
                proof = (*last.evidence, evidence(event)) if len(last.evidence) < 4 else last.evidence
                one = msgspec.structs.replace(last, time=now, count=last.count + count, evidence=proof)
                return (*known[:at], one, *known[at + 1 :])
            break
    one = Dropped(unit, now if cut else shifted(now, now.us - SUPPRESSED_US), now, count, (evidence(event),), cut)
    return (*known, one)[-most:]


class Observed(msgspec.Struct, frozen=True, gc=False):
    """What a kubelet measured of a signal, or a resource, under its threshold: the first and the last of one stretch."""

    signal: str
    limit: str
    first: Instant
    first_available: str
    last: Instant
    last_available: str
    evidence: tuple[Evidence, ...]


def with_observed(known: tuple[Observed, ...], signal: str, limit: str, available: str, event: Event) -> tuple[Observed, ...]:
    """The stretches in which thresholds were crossed, with one more measurement."""
    now = instant(event.seen)
    if now is None:
        return known
    for at in reversed(range(len(known))):
        one = known[at]
        if one.signal == signal and one.limit == limit and 0 <= now.us - one.last.us <= _ONE_STRETCH_US:
            proof = (one.evidence[0], evidence(event))
            one = msgspec.structs.replace(one, last=now, last_available=available, evidence=proof)
            return (*known[:at], one, *known[at + 1 :])
    return (*known, Observed(signal, limit, now, available, now, available, (evidence(event),)))[-_OBSERVED:]


class Kubelet(msgspec.Struct, frozen=True, gc=False):
    """All of it; bounded, and never changed in place."""

    starts: tuple[Start, ...] = ()
    rows: tuple[Row, ...] = ()
    usages: tuple[Usage, ...] = ()
    flags: tuple[Flags, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    version: str | None = None
    started: int = 0  # how many starts there were
    observed: tuple[Observed, ...] = ()

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
            case ClusterEvent(reason="EvictionThresholdMet"):
                return msgspec.structs.replace(self, rows=(*self.rows, _row(event))[-64:])
            case FilesystemUsage():
                one = _usage(event)
                return msgspec.structs.replace(self, usages=(*self.usages, one)[-64:]) if one.is_disk else self
            case KubeletFlags():
                variables = tuple(event.variables or ())
                flags = Flags(event.flags or {}, bool(event.complete), variables, event.process_id, evidence(event))
                return msgspec.structs.replace(self, flags=(*self.flags, flags)[-64:])
            case JournalSuppressed(unit="kubelet") | LineCut(unit="kubelet"):
                return msgspec.structs.replace(self, dropped=with_dropped(self.dropped, event))
            case EvictionThresholdObserved(signal=str(signal), quantity=Quantity(text=limit), available=Quantity(text=available)):
                return msgspec.structs.replace(self, observed=with_observed(self.observed, signal[:100], limit, available, event))
            case EvictionPodChosen(message=str(message)) if found := _LOW.search(message[:4096]):
                observed = with_observed(self.observed, found[1], found[2], found[3].rstrip("."), event)
                return msgspec.structs.replace(self, observed=observed)
        return self

    def _started(self, event: Event, thresholds: tuple[Threshold, ...] | None, releases: tuple[int, int] | None) -> Kubelet:
        now, listed = instant(event.seen), isinstance(event, UnitStarted) and event.seen.unit is None
        for at in reversed(range(len(self.starts))):
            if _is_one(self.starts[at], now, thresholds is not None, listed):
                one = self.starts[at]
                start = msgspec.structs.replace(
                    one,
                    time=now if one.listed else one.time,
                    thresholds=thresholds if thresholds is not None else one.thresholds,
                    releases=releases or one.releases,
                    evidence=(*one.evidence, evidence(event))[:4],
                    listed=one.listed and listed,
                )
                return msgspec.structs.replace(self, starts=(*self.starts[:at], start, *self.starts[at + 1 :]))
        number = self.started + 1
        start = Start(number, now, thresholds, releases or (FIRST, LAST), (evidence(event),), listed)
        # One that is told too late to be put in its place among the events is put in its place here.
        at = len(self.starts)
        while at and now is not None and _us_of(self.starts[at - 1]) > now.us:
            at -= 1
        starts = (*self.starts[:at], start, *self.starts[at:])[-_KEPT:]
        return msgspec.structs.replace(self, starts=starts, started=number)

    def start_of(self, event: Event) -> Start | None:
        """The start that an event tells of."""
        one = evidence(event)
        return next((start for start in reversed(self.starts) if one in start.evidence), None)

    def configured(self, before: Start | None = None) -> Start | None:
        """The last start with known thresholds; of those before a start where one is given."""
        found = None
        for one in self.starts:
            if before is not None and one.number == before.number:
                break
            if one.thresholds is not None:
                found = one
        return found

    @property
    def releases(self) -> tuple[int, int]:
        """The minor releases that this kubelet may be of."""
        if self.version and self.version.startswith("v1."):
            digits = self.version[3:].split(".")[0]
            if digits.isdigit() and len(digits) < 4:
                return int(digits), int(digits)
        start = self.configured()
        return start.releases if start else (FIRST, LAST)


def _is_one(start: Start, now: Instant | None, configured: bool, listed: bool) -> bool:
    """Whether an event is of this start: systemd's line, then the kubelet's Node Config; a listing tells it once more."""
    if now is None or start.time is None:
        return configured and start.thresholds is None and not start.listed
    if abs(now.us - start.time.us) >= _ONE_START_US:
        return False
    return listed or start.listed or (configured and start.thresholds is None and start.time.us <= now.us)


def _us_of(start: Start) -> int:
    return start.time.us if start.time is not None else -(1 << 62)


def _row(event: ClusterEvent) -> Row:
    first = Instant(_us(event.first_seen), event.first_seen) if event.first_seen is not None else None
    last = Instant(_us(event.last_seen), event.last_seen) if event.last_seen is not None else None
    return Row(event.reason or "", event.message or "", event.count or 1, first, last, event.first_age_s, evidence(event))


def _us(time: object) -> int:
    from datetime import datetime

    from kubelog.ingest.calendar import micros

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
