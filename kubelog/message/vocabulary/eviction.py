"""The eviction manager (pkg/kubelet/eviction)."""

from __future__ import annotations

from kubelog.klog.values import PodRef
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


class PodAdmissionRejected(Event, frozen=True, gc=False, kw_only=True):
    """A pod was turned away because the node has conditions such as DiskPressure."""

    pod: PodRef | None = None
    conditions: list[str] | None = None
