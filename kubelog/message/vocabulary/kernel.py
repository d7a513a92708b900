"""The kernel: out of memory, hung tasks, broken disks. Wordings of 2.6 to 6.x; sizes are bytes, which the kernel gives in kB."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Any, ClassVar

from kubelog.message.vocabulary.event import Event

# A pod's cgroup: `/kubepods/burstable/pod6c43…`, with systemd `kubepods-burstable-pod6c43_….slice`.
_POD_CGROUP = re.compile(r"\bpod([0-9a-f]{8}[-_](?:[0-9a-f]{4}[-_]){3}[0-9a-f]{12}|[0-9a-f]{32})\b")


def pod_uid_of(cgroup: str | None) -> str | None:
    """The uid of the pod whose cgroup this is, or is below."""
    found = _POD_CGROUP.search((cgroup or "").replace("-pod", "/pod"))
    return found[1].replace("_", "-") if found else None


class SystemOomReported(Event, frozen=True, gc=False, kw_only=True):
    """The node as a whole ran out of memory, and the kernel killed this process. It may be any, the kubelet's too.

    Told by the kernel, and by a kubelet that reads the kernel's messages.
    """

    process: str | None = None
    victim_pid: int | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"event": "go", "_event": "text"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name not in cls.raw}
        event = holes.get("event")
        if isinstance(event, dict):
            process, pid = event.get("ProcessName"), str(event.get("Pid", ""))
            fields |= {"process": process or None, "victim_pid": int(pid) if pid.isdigit() else None}
        return fields


class CgroupOomReported(Event, frozen=True, gc=False, kw_only=True):
    """A container or pod reached its memory limit, and the kernel killed this process of it. The node has memory left."""

    process: str | None = None
    victim_pid: int | None = None


class OomKillerInvoked(Event, frozen=True, gc=False, kw_only=True):
    """A process asked for memory that there is none of, so the kernel looks for a victim: not the same process as a rule."""

    process: str | None = None
    order: int | None = None
    oom_score_adj: int | None = None


class OomVictimChosen(Event, frozen=True, gc=False, kw_only=True):
    """Which cgroup was out of memory, and of which one the victim is: `pod_uid` says whose limit was reached."""

    constraint: str | None = None  # CONSTRAINT_MEMCG: a cgroup's limit; CONSTRAINT_NONE: the node's memory
    cgroup: str | None = None
    task_cgroup: str | None = None
    process: str | None = None
    victim_pid: int | None = None
    pod_uid: str | None = None

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        uid = pod_uid_of(holes.get("task_cgroup")) or pod_uid_of(holes.get("cgroup"))
        return holes | ({"pod_uid": uid} if uid else {})


class OomProcessKilled(Event, frozen=True, gc=False, kw_only=True):
    """The victim and what it held."""

    process: str | None = None
    victim_pid: int | None = None
    total_vm_bytes: int | None = None
    anon_rss_bytes: int | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"total_vm_kb": "int", "anon_rss_kb": "int"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name not in cls.raw}
        sizes = {name.replace("_kb", "_bytes"): 1024 * holes[name] for name in cls.raw if holes.get(name) is not None}
        return fields | sizes


class CgroupMemoryReported(Event, frozen=True, gc=False, kw_only=True):
    """The use and the limit of the cgroup that ran out of memory; `failures` is how often its limit was hit."""

    usage_bytes: int | None = None
    limit_bytes: int | None = None
    failures: int | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"usage_kb": "int", "limit_kb": "int"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name not in cls.raw}
        sizes = {name.replace("_kb", "_bytes"): 1024 * holes[name] for name in cls.raw if holes.get(name) is not None}
        return fields | sizes


class TaskHung(Event, frozen=True, gc=False, kw_only=True):
    """A process waits in the kernel, mostly for a disk or a network filesystem: it cannot be killed."""

    process: str | None = None
    process_id: int | None = None
    blocked_s: float | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"blocked": "float"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name != "blocked"}
        return fields | {"blocked_s": holes.get("blocked")}


class CpuStuck(Event, frozen=True, gc=False, kw_only=True):
    """A CPU did nothing else for so long: an overloaded hypervisor, or a bug of the kernel."""

    cpu: int | None = None
    stuck_s: float | None = None
    process: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"stuck": "float"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name != "stuck"}
        return fields | {"stuck_s": holes.get("stuck")}


class FilesystemErrorReported(Event, frozen=True, gc=False, kw_only=True):
    """A filesystem is damaged, or its disk failed; it may be read-only from now on."""

    filesystem: str | None = None
    device: str | None = None
    error: str | None = None


class DiskErrorReported(Event, frozen=True, gc=False, kw_only=True):
    """A block device could not be read or written."""

    device: str | None = None
    error: str | None = None


class NetDeviceStuck(Event, frozen=True, gc=False, kw_only=True):
    """A network device of a pod that is gone cannot be freed: sandboxes hang behind it."""

    device: str | None = None
    references: int | None = None


class ConntrackTableFull(Event, frozen=True, gc=False, kw_only=True):
    """The table of connections is full: packets are dropped, requests time out at random."""


class PidLimitReached(Event, frozen=True, gc=False, kw_only=True):
    """A cgroup has as many processes as it may: no further one is started in it."""

    cgroup: str | None = None
    pod_uid: str | None = None

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        uid = pod_uid_of(holes.get("cgroup"))
        return holes | ({"pod_uid": uid} if uid else {})


class KernelStarted(Event, frozen=True, gc=False, kw_only=True):
    """The host booted; the kernel's release."""

    version: str | None = None
