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


class UnitStopping(Event, frozen=True, gc=False, kw_only=True):
    """systemd stops a unit, as it was asked to: of a unit that it starts again by itself it only says that it stopped."""

    unit: str | None = None


class UnitExited(Event, frozen=True, gc=False, kw_only=True):
    """A unit's main process ended, and not as it should: `code` is exited, killed or dumped, `status` `1/FAILURE` or `9/KILL`."""

    unit: str | None = None
    code: str | None = None
    status: str | None = None


class UnitFailed(Event, frozen=True, gc=False, kw_only=True):
    """A unit failed; where `result` is `start-limit-hit`, it is not started again."""

    unit: str | None = None
    result: str | None = None
    restarts: int | None = None


class UnitRestartScheduled(Event, frozen=True, gc=False, kw_only=True):
    """systemd will start a unit again; `restarts` is how often it has, where it says so (systemd 235 and later)."""

    unit: str | None = None
    restarts: int | None = None


class JournalSuppressed(Event, frozen=True, gc=False, kw_only=True):
    """journald dropped lines of a unit that wrote too many."""

    unit: str | None = None
    count: int | None = None


class BootChanged(Event, frozen=True, gc=False, kw_only=True):
    """Another boot of the host begins."""

    boot: str | None = None
