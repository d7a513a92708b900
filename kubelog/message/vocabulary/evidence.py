"""What lies beside the log: rows of events tables and of df."""

from __future__ import annotations

import types
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from kubelog.message.vocabulary.event import Event


class ClusterEvent(Event, frozen=True, gc=False, kw_only=True):
    """A row of `kubectl describe` or `kubectl get events`. Ages become times where `at` says when the table was taken."""

    reason: str | None = None
    object: str | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    count: int | None = None
    message: str | None = None
    type: str | None = None
    source: str | None = None
    first_age_s: float | None = None
    last_age_s: float | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"first_age": "text", "last_age": "text"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name not in ("first_age", "last_age")}
        last = holes.get("last_age")
        return {
            **fields,
            "count": holes.get("count", 1),
            "first_age_s": holes.get("first_age", last),
            "last_age_s": last,
        }

    @property
    def host(self) -> str | None:
        """The node in `kubelet, ubuntu-k8s-3`."""
        component, comma, host = (self.source or "").partition(", ")
        return host if comma and component and host else None


class FilesystemUsage(Event, frozen=True, gc=False, kw_only=True):
    """A row of `df`: how full a filesystem is. `used` is a fraction of what unprivileged users can have."""

    filesystem: str | None = None
    mount: str | None = None
    size_bytes: int | None = None
    used_bytes: int | None = None
    available_bytes: int | None = None
    used: float | None = None


class LogFileHead(Event, frozen=True, gc=False, kw_only=True):
    """One of the four lines that glog and klog write at the beginning of a log file (`--log-dir`, `--log-file`)."""

    created_at: str | None = None  # local time of the machine
    machine: str | None = None
    binary: str | None = None
    line_format: str | None = None
