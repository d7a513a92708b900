"""Pods and their containers: probes, kills, back-offs."""

from __future__ import annotations

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event


class ProbeFailed(Event, frozen=True, gc=False, kw_only=True):
    """A probe of a container failed once, or could not be made; `probe` is Liveness, Readiness or Startup."""

    probe: str | None = None
    pod: PodRef | None = None
    container: str | None = None
    output: str | None = None  # what the probe said: `HTTP probe failed with statuscode: 401`


class ProbeConfigured(Event, frozen=True, gc=False, kw_only=True):
    """A probe as it is configured, as `kubectl describe` shows it."""

    probe: str | None = None
    url: str | None = None
    period_s: float | None = None
    timeout_s: float | None = None
    failure_threshold: int | None = None


class ContainerUnhealthy(Event, frozen=True, gc=False, kw_only=True):
    """A container's probe failed as often as it may: it will be restarted."""

    pod: PodRef | None = None
    container: str | None = None
    probe: str | None = None


class ContainerKilled(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet kills a container."""

    pod: PodRef | None = None
    container: str | None = None
    container_id: str | None = None
    grace_s: float | None = None


class ContainerBackOff(Event, frozen=True, gc=False, kw_only=True):
    """A container is not started again for a while."""

    pod: PodRef | None = None
    container: str | None = None
    back_off_s: float | None = None


class ContainerStarted(Event, frozen=True, gc=False, kw_only=True):
    """The pod lifecycle event generator saw a container (or a sandbox) that runs."""

    pod: PodRef | None = None
    container_id: str | None = None


class ContainerDied(Event, frozen=True, gc=False, kw_only=True):
    """The pod lifecycle event generator saw that a container (or a sandbox) died."""

    pod: PodRef | None = None
    container_id: str | None = None
