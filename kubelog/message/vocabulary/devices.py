"""Device plugins and dynamic resource allocation."""

from __future__ import annotations

from typing import ClassVar

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event


class DeviceManagerStarted(Event, frozen=True, gc=False, kw_only=True):
    """The device manager starts and waits for plugins at its socket."""

    path: str | None = None
    enabled: bool | None = None


class DevicePluginRegistered(Event, frozen=True, gc=False, kw_only=True):
    """A device plugin offers a resource, or asked to."""

    resource: str | None = None
    endpoint: str | None = None
    plugin: str | None = None


class DevicePluginFailed(Event, frozen=True, gc=False, kw_only=True):
    """A device plugin's registration or connection failed: pods that ask for its resource are not started on this node."""

    resource: str | None = None
    endpoint: str | None = None
    path: str | None = None
    error: str | None = None


class DeviceEndpointLost(Event, frozen=True, gc=False, kw_only=True):
    """A device plugin is gone: its devices count as unhealthy, and the node's allocatable amount falls to 0."""

    resource: str | None = None
    endpoint: str | None = None
    error: str | None = None


class DeviceHealthChanged(Event, frozen=True, gc=False, kw_only=True):
    """Devices were added, removed or changed their health."""

    resource: str | None = None
    device: str | None = None
    healthy: bool | None = None
    total: int | None = None
    healthy_count: int | None = None


class DeviceAllocationFailed(Event, frozen=True, gc=False, kw_only=True):
    """A container could not get its devices."""

    pod: PodRef | None = None
    pod_uid: str | None = None
    container: str | None = None
    resource: str | None = None
    error: str | None = None


class DeviceManagerNoted(Event, frozen=True, gc=False, kw_only=True):
    """A step or a remark of the device manager."""

    general: ClassVar[bool] = True

    resource: str | None = None
    path: str | None = None
    error: str | None = None
    message: str | None = None


class DraManagerStarted(Event, frozen=True, gc=False, kw_only=True):
    """The manager of dynamic resource allocation starts."""


class DraOperationFailed(Event, frozen=True, gc=False, kw_only=True):
    """Dynamic resource allocation: a driver could not be asked, or a claim not prepared."""

    operation: str | None = None
    pod_uid: str | None = None
    plugin: str | None = None
    claim: str | None = None
    error: str | None = None
