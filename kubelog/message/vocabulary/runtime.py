"""The kubelet's requests to its container runtime (CRI), and what it makes of the answers."""

from __future__ import annotations

from typing import ClassVar

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event


class CriRequestFailed(Event, frozen=True, gc=False, kw_only=True):
    """A request to the container runtime failed.

    "No such container" says that it is gone already; DeadlineExceeded that the runtime hangs.
    """

    operation: str | None = None
    container_id: str | None = None
    sandbox_id: str | None = None
    error: str | None = None


class CriConnected(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet is connected with its container runtime or image service."""

    endpoint: str | None = None
    version: str | None = None


class CriConnectionFailed(Event, frozen=True, gc=False, kw_only=True):
    """The container runtime's socket could not be reached, or it speaks another version."""

    endpoint: str | None = None
    error: str | None = None


class CriStreamFailed(Event, frozen=True, gc=False, kw_only=True):
    """The stream of the runtime's events, lists or statistics broke off: the kubelet asks again."""

    error: str | None = None


class RuntimeInitialized(Event, frozen=True, gc=False, kw_only=True):
    """The runtime that the kubelet works with, and its release."""

    runtime: str | None = None
    version: str | None = None
    api_version: str | None = None


class RuntimeConfigUpdated(Event, frozen=True, gc=False, kw_only=True):
    """The runtime is told the range of addresses for pods."""

    cidr: str | None = None


class RuntimeVersionFailed(Event, frozen=True, gc=False, kw_only=True):
    """The runtime did not tell its version, or it is not supported."""

    error: str | None = None
    version: str | None = None


class PodSandboxNeeded(Event, frozen=True, gc=False, kw_only=True):
    """A pod gets a new sandbox: it has none, or it is dead, changed or without an address.

    After a reboot this is said of each pod.
    """

    pod: PodRef | None = None
    reason: str | None = None


class PodSandboxCreationFailed(Event, frozen=True, gc=False, kw_only=True):
    """A pod's sandbox could not be made: mostly its network. The pod stays in ContainerCreating."""

    pod: PodRef | None = None
    error: str | None = None


class PodSandboxFailed(Event, frozen=True, gc=False, kw_only=True):
    """Something of a pod's sandbox could not be found out or done."""

    general: ClassVar[bool] = True

    pod: PodRef | None = None
    pod_uid: str | None = None
    sandbox_id: str | None = None
    error: str | None = None


class PodSandboxAddressInvalid(Event, frozen=True, gc=False, kw_only=True):
    """The runtime told no address of a sandbox, or one that is none."""

    pod: PodRef | None = None
    address: str | None = None


class PodSandboxRemovalFailed(Event, frozen=True, gc=False, kw_only=True):
    """A dead sandbox could not be stopped or removed."""

    sandbox_id: str | None = None
    error: str | None = None


class PodActionsComputed(Event, frozen=True, gc=False, kw_only=True):
    """What the kubelet is about to do with a pod's containers (v=3)."""

    pod: PodRef | None = None
    actions: str | None = None


class PodResizeFailed(Event, frozen=True, gc=False, kw_only=True):
    """A pod's resources could not be changed while it runs."""

    pod: PodRef | None = None
    container: str | None = None
    resource: str | None = None
    error: str | None = None


class PodLogDirectoryFailed(Event, frozen=True, gc=False, kw_only=True):
    """A pod's log directory could not be made or removed."""

    pod: PodRef | None = None
    path: str | None = None
    error: str | None = None


class PodRuntimeHandlerChosen(Event, frozen=True, gc=False, kw_only=True):
    """A pod runs with another runtime handler than the usual one."""

    pod: PodRef | None = None
    handler: str | None = None
