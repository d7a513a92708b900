"""Containers: started, ended, removed, and their hooks."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, ClassVar

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event


class ContainerExited(Event, frozen=True, gc=False, kw_only=True):
    """A container ended after it was asked to."""

    container_id: str | None = None
    reason: str | None = None


class ContainerBackOffChecked(Event, frozen=True, gc=False, kw_only=True):
    """Before a container that has ended is started again the kubelet looks whether it is to be held back.

    It ended at least once; only `ContainerBackOff` says that it is held back.
    """

    pod: PodRef | None = None
    container: str | None = None


class ContainerChanged(Event, frozen=True, gc=False, kw_only=True):
    """A container's specification changed: it is killed and made anew."""

    pod: PodRef | None = None
    container: str | None = None


class ContainerGarbageFailed(Event, frozen=True, gc=False, kw_only=True):
    """A dead container, or its log, could not be removed."""

    container_id: str | None = None
    path: str | None = None
    error: str | None = None


class ContainerGarbageCollected(Event, frozen=True, gc=False, kw_only=True):
    """Containers or images that nobody uses are removed, before pods are evicted."""

    subject: str | None = None


class ContainerHookStarted(Event, frozen=True, gc=False, kw_only=True):
    """A hook of a container is run before it is ended, or is done."""

    container_id: str | None = None
    hook: str | None = None
    done: bool | None = None


class ContainerReferenceFailed(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet cannot refer to a container in its events: events of it are missing."""

    pod: PodRef | None = None
    container: str | None = None
    error: str | None = None


class ContainerListFailed(Event, frozen=True, gc=False, kw_only=True):
    """The runtime could not be asked for its containers."""

    error: str | None = None


class ContainerStatusFailed(Event, frozen=True, gc=False, kw_only=True):
    """A container's status could not be read."""

    pod: PodRef | None = None
    container_id: str | None = None
    error: str | None = None


class ContainerLogReadFailed(Event, frozen=True, gc=False, kw_only=True):
    """A container's log could not be read to its end for `kubectl logs`."""

    path: str | None = None
    line: str | None = None
    error: str | None = None


class ContainerSettingsInvalid(Event, frozen=True, gc=False, kw_only=True):
    """Something in a container's settings, labels or annotations could not be used."""

    general: ClassVar[bool] = True

    pod: PodRef | None = None
    container: str | None = None
    subject: str | None = None
    error: str | None = None


def without_runtime(holes: dict[str, Any]) -> dict[str, Any]:
    """Fields with the container's id without its runtime, from an id as text or as a structure."""
    fields = {name: value for name, value in holes.items() if name != "id"}
    found = holes.get("id")
    found = found.get("ID") if isinstance(found, dict) else found
    return fields | ({"container_id": found.rpartition("://")[2]} if isinstance(found, str) else {})


class ContainerKillFailed(Event, frozen=True, gc=False, kw_only=True):
    """A container could not be ended in its grace period, or the runtime did not do it. Its pod hangs in Terminating."""

    pod: PodRef | None = None
    pod_uid: str | None = None
    container: str | None = None
    container_id: str | None = None
    error: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"id": "go"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return without_runtime(holes)


class ContainerHookFailed(Event, frozen=True, gc=False, kw_only=True):
    """A hook of a container failed or took longer than the grace period. A failed postStart hook kills the container."""

    pod: PodRef | None = None
    container: str | None = None
    container_id: str | None = None
    hook: str | None = None
    error: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"id": "go"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return without_runtime(holes)
