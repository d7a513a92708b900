"""systemd's units."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, ClassVar

from kubelog.message.vocabulary.event import Event


class UnitStarted(Event, frozen=True, gc=False, kw_only=True):
    """systemd started a unit (or `systemctl status` tells since when it runs)."""

    unit: str | None = None
    main_pid: int | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"since": "text"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in holes.items() if name != "since"}


class UnitStopped(Event, frozen=True, gc=False, kw_only=True):
    """systemd stopped a unit."""

    unit: str | None = None


class UnitFailed(Event, frozen=True, gc=False, kw_only=True):
    """A unit's process ended with an error."""

    unit: str | None = None
    result: str | None = None
    restarts: int | None = None


class UnitStopping(Event, frozen=True, gc=False, kw_only=True):
    """systemd was asked to stop a unit: an operator, or the host that shuts down."""

    unit: str | None = None


class UnitDeactivated(Event, frozen=True, gc=False, kw_only=True):
    """A unit's process ended without an error."""

    unit: str | None = None


class UnitExited(Event, frozen=True, gc=False, kw_only=True):
    """A unit's process ended: `code` exited, killed or dumped; `status` the exit code or signal, `status_name` systemd's name."""

    unit: str | None = None
    code: str | None = None
    status: int | None = None
    status_name: str | None = None


class UnitRestartScheduled(Event, frozen=True, gc=False, kw_only=True):
    """systemd is about to start a unit again that ended; `restarts` is its counter (systemd 235 and later)."""

    unit: str | None = None
    restarts: int | None = None


class UnitStartLimitHit(Event, frozen=True, gc=False, kw_only=True):
    """A unit ended so often that systemd starts it no more."""

    unit: str | None = None


class UnitResourcesConsumed(Event, frozen=True, gc=False, kw_only=True):
    """What a unit that ended had used, as systemd writes it (`1min 2.345s`)."""

    unit: str | None = None
    cpu_time: str | None = None


class JournalSuppressed(Event, frozen=True, gc=False, kw_only=True):
    """journald dropped lines of a unit that wrote too many."""

    unit: str | None = None
    count: int | None = None


class LineCut(Event, frozen=True, gc=False, kw_only=True):
    """A line that is not understood, as journalctl cut the end of it away: no wording says it, whoever reads the line sees it."""

    unit: str | None = None


class InputLost(Event, frozen=True, gc=False, kw_only=True):
    """A part of the input is missing before this record, as a rotated file: no wording says it, who reads the input sees it."""

    text: str = ""  # what is missing
    since_us: int | None = None  # the latest time before it, as `Seen.time_us`


class BootChanged(Event, frozen=True, gc=False, kw_only=True):
    """Another boot of the host begins."""

    boot: str | None = None


class UnitStarting(Event, frozen=True, gc=False, kw_only=True):
    """systemd begins to start a unit."""

    unit: str | None = None


class UnitStartFailed(Event, frozen=True, gc=False, kw_only=True):
    """A unit could not be started at all: its program is missing, or ended before it was ready."""

    unit: str | None = None
    error: str | None = None


class UnitOomKilled(Event, frozen=True, gc=False, kw_only=True):
    """The kernel killed a process of a unit, as memory ran out (systemd 243 and later say so)."""

    unit: str | None = None


class UnitUnresponsive(Event, frozen=True, gc=False, kw_only=True):
    """A unit did not answer in time, to its watchdog or to being stopped, and systemd kills it."""

    unit: str | None = None
    reason: str | None = None


class PodSliceCreated(Event, frozen=True, gc=False, kw_only=True):
    """A pod's cgroup was made, where the cgroup driver is systemd: the pod starts."""

    pod_uid: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"slice": "text"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return {"pod_uid": (holes.get("slice") or "").replace("_", "-") or None}


class PodSliceRemoved(Event, frozen=True, gc=False, kw_only=True):
    """A pod's cgroup was removed, where the cgroup driver is systemd: the pod is gone."""

    pod_uid: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"slice": "text"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return {"pod_uid": (holes.get("slice") or "").replace("_", "-") or None}


class ContainerScopeStarted(Event, frozen=True, gc=False, kw_only=True):
    """A container's cgroup was made, where the cgroup driver is systemd: the container starts."""

    container_id: str | None = None


class ContainerScopeEnded(Event, frozen=True, gc=False, kw_only=True):
    """A container's last process ended, where the cgroup driver is systemd."""

    container_id: str | None = None


class HostStopping(Event, frozen=True, gc=False, kw_only=True):
    """The host is shut down or rebooted: what ends from here on was ended."""

    reason: str | None = None
