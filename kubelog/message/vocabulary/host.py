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


class JournalSuppressed(Event, frozen=True, gc=False, kw_only=True):
    """journald dropped lines of a unit that wrote too many."""

    unit: str | None = None
    count: int | None = None


class BootChanged(Event, frozen=True, gc=False, kw_only=True):
    """Another boot of the host begins."""

    boot: str | None = None
