"""The eviction manager (pkg/kubelet/eviction)."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Any, ClassVar

from kubelog.klog import values
from kubelog.klog.values import PodRef, Quantity
from kubelog.message.vocabulary.event import Event


class EvictionReclaimAttempted(Event, frozen=True, gc=False, kw_only=True):
    """A threshold is crossed for long enough: the kubelet begins to free the resource. Repeats every 10 s until it is freed."""

    resource: str | None = None


class EvictionReclaimed(Event, frozen=True, gc=False, kw_only=True):
    """Deleting dead containers and unused images freed enough; no pod was evicted."""

    resource: str | None = None


class EvictionPodsRequired(Event, frozen=True, gc=False, kw_only=True):
    """Deleting dead containers and images was not enough: a pod must go."""

    resource: str | None = None


class EvictionPodsRanked(Event, frozen=True, gc=False, kw_only=True):
    """The pods in the order in which they would be evicted."""

    pods: list[PodRef] | None = None


class EvictionPodEvicted(Event, frozen=True, gc=False, kw_only=True):
    """A pod was killed to free the resource."""

    pod: PodRef | None = None


class EvictionPodsCleaned(Event, frozen=True, gc=False, kw_only=True):
    """The evicted pods' containers and volumes are gone."""

    pods: list[PodRef] | None = None


class EvictionCleanupTimedOut(Event, frozen=True, gc=False, kw_only=True):
    """The evicted pods were not gone after 30 s: nothing is freed yet."""

    pods: list[PodRef] | None = None


class EvictionNoActivePods(Event, frozen=True, gc=False, kw_only=True):
    """A threshold is crossed and no pod is left to evict: the kubelet can do nothing more."""


class EvictionFailed(Event, frozen=True, gc=False, kw_only=True):
    """None of the ranked pods could be evicted."""


class EvictionCriticalPodSkipped(Event, frozen=True, gc=False, kw_only=True):
    """A critical pod is first in rank and is never evicted."""

    pod: PodRef | None = None


class EvictionMirrorPodMissing(Event, frozen=True, gc=False, kw_only=True):
    """A static pod is first in rank, but the API server has no mirror of it, so it cannot be evicted (1.13 to 1.16)."""

    pod: PodRef | None = None


class EvictionPodChosen(Event, frozen=True, gc=False, kw_only=True):
    """A pod is about to be evicted; `message` is what its status will say: which resource was low, and what the pod used."""

    pod: PodRef | None = None
    pod_uid: str | None = None
    message: str | None = None


class EvictionPodFailed(Event, frozen=True, gc=False, kw_only=True):
    """A pod that was chosen could not be killed: the resource stays short until the next round."""

    pod: PodRef | None = None
    error: str | None = None


class EvictionCleanupAwaited(Event, frozen=True, gc=False, kw_only=True):
    """Pods were evicted; the manager waits up to 30 s for their containers and volumes to go before it looks again."""

    pods: list[PodRef] | None = None


class EvictionReclaimFailed(Event, frozen=True, gc=False, kw_only=True):
    """Deleting dead containers or unused images to free a resource failed: pods will have to go instead."""

    resource: str | None = None
    error: str | None = None


class EvictionReclaimUnsupported(Event, frozen=True, gc=False, kw_only=True):
    """A threshold is crossed for which the kubelet cannot free anything: nothing will be done about it."""

    signal: str | None = None


class EvictionRankingMissing(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet does not know how to rank pods by what is short, so it evicts none."""

    signal: str | None = None
    resource: str | None = None  # up to 1.10


class EvictionNoStarvedResources(Event, frozen=True, gc=False, kw_only=True):
    """A round of the eviction manager in which nothing was short."""


class EvictionNodeConditionsObserved(Event, frozen=True, gc=False, kw_only=True):
    """The conditions that the thresholds crossed now stand for; empty where none is."""

    conditions: list[str] | None = None


class EvictionTransitionPending(Event, frozen=True, gc=False, kw_only=True):
    """Conditions that the node keeps, though nothing is short any more, until `--eviction-pressure-transition-period` is over."""

    conditions: list[str] | None = None


class EvictionThresholdObserved(Event, frozen=True, gc=False, kw_only=True):
    """What the kubelet measured of a signal; with `quantity`, of a threshold that is crossed.

    `phase` is the step of the round: `observations`, `thresholds - ignoring grace period` and its like.
    """

    signal: str | None = None
    available: Quantity | None = None
    capacity: Quantity | None = None
    quantity: Quantity | None = None
    resource: str | None = None  # 1.25 and later
    phase: str | None = None
    observed_at: str | None = None

    # 1.21 to 1.24 give what is available under the key of the resource's name.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"resource_or_available": "text"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = dict(holes)
        either = fields.pop("resource_or_available", None)
        if either is None:
            return fields
        if fields.get("available") is not None:
            return {"resource": either} | fields
        return fields | {"available": values.quantity(either.encode())}


class EvictionObservationMissing(Event, frozen=True, gc=False, kw_only=True):
    """A threshold is set for a signal that nothing was measured of: it cannot work."""

    signal: str | None = None
    phase: str | None = None


class EvictionGracePeriodPending(Event, frozen=True, gc=False, kw_only=True):
    """A soft threshold is crossed, but not yet for as long as its grace period."""

    signal: str | None = None
    quantity: Quantity | None = None
    percentage: float | None = None
    grace_s: float | None = None
    waited_s: float | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"threshold": "text"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name != "threshold"}
        read = _THRESHOLD.fullmatch(holes.get("threshold") or "")
        if not read:
            raise ValueError("expected threshold(signal=…, operator=…, value=…, gracePeriod=…)")
        signal, operator, value, grace = read.groups()
        if value == "LessThan":  # up to 1.6 the two are given in each other's place
            value = operator
        return fields | {"signal": signal, "grace_s": values.duration(grace.encode())} | _limit(value)


_THRESHOLD = re.compile(r"threshold\(signal=(.*), operator=(.*), value=(.*), gracePeriod=(.*)\)")
# `{100Mi 0}` and `{<nil> 0.1}`: quantity and percentage of a Go struct.
_STRUCT = re.compile(r"\{(\S+) (\S+)\}")


def _limit(value: str) -> dict[str, Any]:
    """A threshold's limit in any form: `100Mi`, `10.000000%`, `{100Mi 0}`, `{<nil> 0.1}`."""
    read = _STRUCT.fullmatch(value)
    if read and read[1] == "<nil>":
        return {"percentage": values.number(read[2].encode())}
    if not read and value.endswith("%"):
        return {"percentage": values.percent(value.encode())}
    return {"quantity": values.quantity((read[1] if read else value).encode())}


class EvictionSignalFailed(Event, frozen=True, gc=False, kw_only=True):
    """Nothing could be measured of a signal: its thresholds do not work until it can."""

    signal: str | None = None
    error: str | None = None


class EvictionStatsFailed(Event, frozen=True, gc=False, kw_only=True):
    """The node's usage could not be read: in this round no threshold is looked at."""

    error: str | None = None
    after_reclaim: bool | None = None  # the check whether reclaiming was enough


class EvictionPodDiskUsageFailed(Event, frozen=True, gc=False, kw_only=True):
    """The disk usage of a pod is not known, so it is ranked as if it used nothing."""

    error: str | None = None


class EvictionCapacityMissing(Event, frozen=True, gc=False, kw_only=True):
    """The node's capacity of a resource is not known (1.7 to 1.9)."""

    resource: str | None = None


class EvictionContainerGcStarted(Event, frozen=True, gc=False, kw_only=True):
    """Dead containers are deleted to free the disk, before any pod is evicted (1.7 to 1.9 say so)."""


class EvictionImageGcStarted(Event, frozen=True, gc=False, kw_only=True):
    """Unused images are deleted to free the disk, before any pod is evicted (1.4 to 1.9 say so)."""


class EvictionManagerStarted(Event, frozen=True, gc=False, kw_only=True):
    """The eviction manager begins to look at the thresholds every 10 s."""


class EvictionSynchronized(Event, frozen=True, gc=False, kw_only=True):
    """A round of the eviction manager begins."""


class EvictionSyncFailed(Event, frozen=True, gc=False, kw_only=True):
    """A round of the eviction manager failed: no threshold was looked at."""

    error: str | None = None


class EvictionFilesystemsDetected(Event, frozen=True, gc=False, kw_only=True):
    """Whether images, and containers apart from images, have a filesystem of their own: which signals apply."""

    dedicated_image_fs: bool | None = None
    split_image_fs: bool | None = None


class EvictionFilesystemsUnknown(Event, frozen=True, gc=False, kw_only=True):
    """It could not be found out whether images or containers have a filesystem of their own."""

    error: str | None = None


class EvictionContainerFsIgnored(Event, frozen=True, gc=False, kw_only=True):
    """A threshold of containerfs.* was set by hand; the kubelet derives it from nodefs or imagefs and ignores what was set."""

    error: str | None = None


class EvictionMemoryThresholdCrossed(Event, frozen=True, gc=False, kw_only=True):
    """The kernel reports that memory fell under a threshold: the manager looks at once, not at its next round."""

    hard: bool | None = None
    allocatable: bool | None = None  # of the pods' cgroup, not of the node
    limit: str | None = None  # up to 1.10: `100Mi`, `10.000000%`


class EvictionNotifierCreated(Event, frozen=True, gc=False, kw_only=True):
    """The kernel is asked to report when memory falls under a threshold."""

    notifier: str | None = None


class EvictionNotifierSet(Event, frozen=True, gc=False, kw_only=True):
    """The use of memory at which the kernel reports was set anew."""

    notifier: str | None = None
    capacity: Quantity | None = None


class EvictionNotifierStopped(Event, frozen=True, gc=False, kw_only=True):
    """The kernel's reports about memory are listened to no more."""


class EvictionNotifierFailed(Event, frozen=True, gc=False, kw_only=True):
    """The kernel's reports about memory do not work: shortage is noticed every 10 s only.

    Up to 1.10 the kubelet names the notifier wrongly: hard stands for soft, and soft for hard.
    """

    notifier: str | None = None
    error: str | None = None


class EvictionNotifierUnsupported(Event, frozen=True, gc=False, kw_only=True):
    """This system has no kernel reports about memory."""


class EvictionWindowsMemoryObserved(Event, frozen=True, gc=False, kw_only=True):
    """Windows' own figures of its memory, from which the signal is made."""

    available_bytes: int | None = None
    usage_bytes: int | None = None


class PodAdmissionRejected(Event, frozen=True, gc=False, kw_only=True):
    """A pod was turned away because the node has conditions such as DiskPressure."""

    pod: PodRef | None = None
    conditions: list[str] | None = None
