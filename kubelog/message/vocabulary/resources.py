"""The container manager: cgroups, and the managers of CPUs, memory, NUMA topology and devices."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, ClassVar

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event


class RuntimeCgroupFound(Event, frozen=True, gc=False, kw_only=True):
    """The cgroup that the container runtime runs in."""

    cgroup: str | None = None


class KernelFlagChanged(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet changes a setting of the kernel that is not as it wants it (vm/overcommit_memory, kernel/panic …), or says
    that it is not.
    """

    flag: str | None = None
    expected: str | None = None
    actual: str | None = None


class KernelFlagFailed(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet may not change a setting of the kernel."""

    flag: str | None = None
    error: str | None = None


class AccountingMissing(Event, frozen=True, gc=False, kw_only=True):
    """systemd does not account for a daemon's CPU or memory: its use is not known."""

    resource: str | None = None
    process_id: int | None = None


class CgroupCreationFailed(Event, frozen=True, gc=False, kw_only=True):
    """A cgroup for pods, or for the node's reservations, could not be made: the kubelet ends, or its pods do not start."""

    cgroup: str | None = None
    error: str | None = None


class CgroupUpdateFailed(Event, frozen=True, gc=False, kw_only=True):
    """The limits of a cgroup could not be set: pods get more, or less, than they should."""

    cgroup: str | None = None
    error: str | None = None


class CgroupRemovalFailed(Event, frozen=True, gc=False, kw_only=True):
    """The cgroup of a pod that is gone could not be removed, or processes are left in it."""

    cgroup: str | None = None
    error: str | None = None


class CgroupUpdated(Event, frozen=True, gc=False, kw_only=True):
    """The cgroups of the quality-of-service classes were set anew, or processes of a cgroup ended."""

    cgroup: str | None = None


class NodeAllocatableEnforced(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet sets the limits of all pods together, so that the system keeps what is reserved for it."""

    config: str | None = None


class ContainerManagerFailed(Event, frozen=True, gc=False, kw_only=True):
    """A check or a step of the container manager failed."""

    general: ClassVar[bool] = True

    subject: str | None = None
    error: str | None = None


class SwapDetected(Event, frozen=True, gc=False, kw_only=True):
    """The host uses swap, which this kubelet does not want."""


class CpuManagerStarted(Event, frozen=True, gc=False, kw_only=True):
    """The CPU manager starts: policy none gives no container its own CPUs, static those that ask for whole ones."""

    policy: str | None = None
    period_s: float | None = None
    topology: str | None = None


class CpuManagerFailed(Event, frozen=True, gc=False, kw_only=True):
    """The CPU manager could not give a container its CPUs, take them back, or start."""

    operation: str | None = None
    pod: PodRef | None = None
    container: str | None = None
    container_id: str | None = None
    cpus: str | None = None
    error: str | None = None


class CpuManagerStateInvalid(Event, frozen=True, gc=False, kw_only=True):
    """The CPU manager's or memory manager's state file does not fit this node or policy: the kubelet ends.

    Drain the node and remove the file.
    """

    path: str | None = None
    error: str | None = None


class CpuSetAssigned(Event, frozen=True, gc=False, kw_only=True):
    """Which CPUs a container has, or which are left for all others."""

    pod: PodRef | None = None
    container: str | None = None
    container_id: str | None = None
    cpus: str | None = None


class CpuAllocationNoted(Event, frozen=True, gc=False, kw_only=True):
    """A step of the CPU manager with a container: asked for, found already, taken back, skipped."""

    general: ClassVar[bool] = True

    pod: PodRef | None = None
    pod_uid: str | None = None
    container: str | None = None
    operation: str | None = None
    message: str | None = None


class MemoryManagerFailed(Event, frozen=True, gc=False, kw_only=True):
    """The memory manager could not give a container its memory, or does not trust its state."""

    operation: str | None = None
    pod: PodRef | None = None
    pod_uid: str | None = None
    container: str | None = None
    error: str | None = None


class MemoryManagerNoted(Event, frozen=True, gc=False, kw_only=True):
    """A step of the memory manager with a container."""

    general: ClassVar[bool] = True

    pod: PodRef | None = None
    pod_uid: str | None = None
    container: str | None = None
    resource: str | None = None
    operation: str | None = None


class TopologyManagerStarted(Event, frozen=True, gc=False, kw_only=True):
    """The topology manager starts: with policy none it aligns nothing."""

    policy: str | None = None
    scope: str | None = None


class ContainerResourcesReleased(Event, frozen=True, gc=False, kw_only=True):
    """The topology manager, or CPU manager, forgets a container that ended."""

    container_id: str | None = None
    pod_uid: str | None = None
    container: str | None = None


class TopologyHintsGenerated(Event, frozen=True, gc=False, kw_only=True):
    """Where CPUs or devices for a container are, as hints for the topology manager."""

    pod: PodRef | None = None
    container: str | None = None
    hints: str | None = None


class CheckpointFailed(Event, frozen=True, gc=False, kw_only=True):
    """The state of a manager could not be written or read: after the kubelet's next restart it may give resources twice, or
    refuse pods.
    """

    checkpoint: str | None = None
    error: str | None = None


class CheckpointRestored(Event, frozen=True, gc=False, kw_only=True):
    """The state of a manager was read from its file, or begun anew."""

    checkpoint: str | None = None
    value: str | None = None


class TopologyAdmissionChecked(Event, frozen=True, gc=False, kw_only=True):
    """The topology manager looks whether a pod's devices, CPUs and memory can be on one NUMA node."""

    pod: PodRef | None = None
    pod_uid: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"namespace": "text", "name": "text"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name not in cls.raw}
        if holes.get("name"):
            fields["pod"] = PodRef(holes.get("namespace"), holes["name"], holes.get("pod_uid"))
        return fields
