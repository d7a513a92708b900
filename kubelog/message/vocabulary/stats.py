"""Statistics of containers, and their logs."""

from __future__ import annotations

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event


class ContainerStatsFailed(Event, frozen=True, gc=False, kw_only=True):
    """The use of a container's, pod's or system daemon's resources could not be read: mostly as it has just gone.

    Nothing is measured of it, so nothing is evicted for it.
    """

    container: str | None = None
    cgroup: str | None = None
    pod: PodRef | None = None
    error: str | None = None


class FilesystemStatsFailed(Event, frozen=True, gc=False, kw_only=True):
    """The use of a filesystem could not be read: thresholds of it are not looked at."""

    path: str | None = None
    error: str | None = None


class NodeStatsFailed(Event, frozen=True, gc=False, kw_only=True):
    """A figure of the node, or its metrics, could not be read."""

    counter: str | None = None
    error: str | None = None


class ContainerLogRotationFailed(Event, frozen=True, gc=False, kw_only=True):
    """A container's log could not be rotated: it grows until the disk is full."""

    container_id: str | None = None
    path: str | None = None
    error: str | None = None


class ContainerLogRotationStarted(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet rotates containers' logs."""

    workers: int | None = None
    period_s: float | None = None
