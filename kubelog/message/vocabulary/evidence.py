"""What lies beside the log: rows of events tables and of df."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from kubelog.message.vocabulary.event import Event

# What the name of an event has behind that of its object.
_NAMED = re.compile(r"\.[0-9a-f]{14,16}\Z")


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

    namespace: str | None = None
    subobject: str | None = None  # the part of the object that the row is about, where the row names both

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType(
        dict.fromkeys(
            ("first_age", "last_age", "first_time", "last_time", "name", "kind_of", "component", "machine", "tail"), "text"
        )
    )

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name not in cls.raw}
        first, last = holes.get("first_age", holes.get("last_age")), holes.get("last_age")
        count = holes.get("count", 1)
        if "tail" in holes:
            fields["message"], first, count, _ = holes["tail"]
        if "name" in holes:
            # Events are named after their object: `web.14ef3a2b1c0d9e8f`. Until 1.8 the column is the object's own name.
            fields["object"] = f"{holes['kind_of']}/{_NAMED.sub('', holes['name'])}"
        if "machine" in holes:
            fields["source"] = f"{holes['component']}, {holes['machine']}"
        if "first_time" in holes:
            fields["first_seen"], fields["last_seen"] = sorted((holes["first_time"], holes["last_time"]))
        elif first is not None and last is not None and first < last:
            # Releases changed their order, but nothing is seen last before it is seen first.
            first, last = last, first
        return {**fields, "count": count, "first_age_s": first, "last_age_s": last}

    @property
    def host(self) -> str | None:
        """The node in `kubelet, ubuntu-k8s-3` or `{kubelet ubuntu-k8s-3}`."""
        source = self.source or ""
        braced = source.startswith("{") and source.endswith("}")
        component, _, host = source[1:-1].partition(" ") if braced else source.partition(", ")
        return host if component and host else None


class TableHead(Event, frozen=True, gc=False, kw_only=True):
    """The head of an events table: its columns as they are written; none for the dashes below it."""

    columns: list[str] | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"head": "text"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return {"columns": holes["head"]}


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
