"""Pods and their containers: probes, kills, back-offs."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

from kubelog.klog.values import PodRef, duration, pod
from kubelog.message.vocabulary.event import Event

# Where an error says which container waits, and how long: the same words in all releases, but for the first letter.
_BACK_OFF = re.compile(r'[Bb]ack-off ([^\s"]+) restarting failed container=([^\s"]+) pod=([^\s"]+)')
_SHORT = 1024  # errors up to this length may be remembered


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


class ImagePullFailed(Event, frozen=True, gc=False, kw_only=True):
    """An image could not be pulled."""

    image: str | None = None
    error: str | None = None


class ContainerUnhealthy(Event, frozen=True, gc=False, kw_only=True):
    """A container's probe failed as often as it may: it will be restarted."""

    pod: PodRef | None = None
    container: str | None = None
    probe: str | None = None


class ContainerKilled(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet kills a container."""

    pod: PodRef | None = None
    container: str | None = None
    container_id: str | None = None  # without its runtime
    grace_s: float | None = None

    # Pairs give the grace period as a bare number of seconds, and the id as text or as a structure.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"grace": "float", "id": "go"})
    derived = frozenset(("container_id", "grace_s"))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = cls.plain(holes)
        found = holes.get("id")
        if isinstance(found, dict):
            found = found.get("ID")
        if isinstance(found, str):
            fields["container_id"] = found.rpartition("://")[2]
        return {**fields, "grace_s": holes.get("grace")}


@lru_cache(maxsize=256)
def _held_back(error: str) -> dict[str, Any]:
    """The fields of an error that says so."""
    found = _BACK_OFF.search(error)
    if found is None:
        return {}
    back_off, container, named = found.groups()
    return {"pod": pod(named.encode()), "container": container, "back_off_s": duration(back_off.encode())}


class ContainerBackOff(Event, frozen=True, gc=False, kw_only=True):
    """A container is not started again for a while."""

    pod: PodRef | None = None
    container: str | None = None
    back_off_s: float | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"error": "error"})
    derived = frozenset(("pod", "container", "back_off_s"))
    telling = "error"

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields, error = cls.plain(holes), holes.get("error") or ""
        # Each container's is said again every few seconds.
        told = _held_back(error) if len(error) <= _SHORT else _held_back.__wrapped__(error)
        return {**fields, **told}


class ContainerStarted(Event, frozen=True, gc=False, kw_only=True):
    """The pod lifecycle event generator saw a container (or a sandbox) that runs."""

    pod: PodRef | None = None
    container_id: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"event": "go"})
    derived = frozenset(("container_id",))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _of_lifecycle(holes)


class ContainerDied(Event, frozen=True, gc=False, kw_only=True):
    """The pod lifecycle event generator saw that a container (or a sandbox) died."""

    pod: PodRef | None = None
    container_id: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"event": "go"})
    derived = frozenset(("container_id",))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _of_lifecycle(holes)


def _of_lifecycle(holes: dict[str, Any]) -> dict[str, Any]:
    """Fields from the pod lifecycle event that a structured line prints whole; its ID is the pod's, its Data the container's."""
    fields = {name: value for name, value in holes.items() if name != "event"}
    event = holes.get("event")
    if isinstance(event, dict) and isinstance(event.get("Data"), str):
        fields["container_id"] = event["Data"]
    return fields
