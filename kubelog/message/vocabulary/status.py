"""The node as the kubelet registers it, its status, and the statuses of its pods."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, ClassVar

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event


class NodeRegistrationAttempted(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet tells the API server of its node, after a start."""

    node: str | None = None


class NodeRegistered(Event, frozen=True, gc=False, kw_only=True):
    """The node is known to the API server; `previously` where it was there already, as after a restart."""

    node: str | None = None
    previously: bool | None = None


class NodeRegistrationFailed(Event, frozen=True, gc=False, kw_only=True):
    """The node could not be registered; it is tried again. Nothing can be scheduled to a node that is not."""

    node: str | None = None
    error: str | None = None


class NodeLabelApplied(Event, frozen=True, gc=False, kw_only=True):
    """A label of the node comes from the cloud provider, or replaces one that was set."""

    name: str | None = None
    value: str | None = None
    previous: str | None = None


class NodeAnnotationSet(Event, frozen=True, gc=False, kw_only=True):
    """An annotation of the node was set when it was registered: who attaches and detaches its volumes."""

    annotation: str | None = None


class NodeResourceUpdated(Event, frozen=True, gc=False, kw_only=True):
    """The capacity of a resource on the node changed: a device plugin came or went, or huge pages."""

    resource: str | None = None
    value: str | None = None
    allocatable: bool | None = None


class NodeAddressChosen(Event, frozen=True, gc=False, kw_only=True):
    """Which address or host name of the node the kubelet reports."""

    address: str | None = None
    name: str | None = None


class NodeStatusIncomplete(Event, frozen=True, gc=False, kw_only=True):
    """Some of the node's status could not be found out: the rest is reported."""

    node: str | None = None
    error: str | None = None


class NodeVolumeLimitUnknown(Event, frozen=True, gc=False, kw_only=True):
    """How many volumes of a plugin fit on the node is not known: the plugin is not for this cloud.

    It says nothing of a fault.
    """

    plugin: str | None = None


class NodeUnreadyTimedOut(Event, frozen=True, gc=False, kw_only=True):
    """After a start the node did not become ready in time."""

    error: str | None = None


class NodeAllocatableReported(Event, frozen=True, gc=False, kw_only=True):
    """What of the node's resources pods may have."""

    allocatable: str | None = None


class PodCidrChanged(Event, frozen=True, gc=False, kw_only=True):
    """The range of addresses for the node's pods changed, or was set first."""

    previous: str | None = None
    cidr: str | None = None


class PodCidrFailed(Event, frozen=True, gc=False, kw_only=True):
    """The range of addresses for the node's pods could not be set."""

    cidr: str | None = None
    error: str | None = None


class PodStatusSyncStarted(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet begins to tell the API server of its pods' statuses."""


class PodStatusPatched(Event, frozen=True, gc=False, kw_only=True):
    """The status of a pod was written to the API server."""

    pod: PodRef | None = None
    patch: str | None = None


class PodStatusGenerated(Event, frozen=True, gc=False, kw_only=True):
    """The status of a pod was worked out (v=3)."""

    pod: PodRef | None = None


class PodStatusIgnored(Event, frozen=True, gc=False, kw_only=True):
    """A status was not taken: the pod or container is another now, or is not known yet."""

    pod: PodRef | None = None
    pod_uid: str | None = None
    container_id: str | None = None
    message: str | None = None


class PodStatusInvalid(Event, frozen=True, gc=False, kw_only=True):
    """A pod's status does not make sense: a bug of a component, or two that write it."""

    general: ClassVar[bool] = True

    pod: PodRef | None = None
    pod_uid: str | None = None
    condition: str | None = None
    error: str | None = None


class ProbeSucceeded(Event, frozen=True, gc=False, kw_only=True):
    """A probe of a container succeeded (v=3)."""

    probe: str | None = None
    pod: PodRef | None = None
    container: str | None = None


class ProbeReported(Event, frozen=True, gc=False, kw_only=True):
    """A probe of a pod of the platform and its result, as OpenShift's kubelet repeats it."""

    probe: str | None = None
    name: str | None = None
    namespace: str | None = None
    container: str | None = None
    status: str | None = None
    output: str | None = None


class ProbeRunFailed(Event, frozen=True, gc=False, kw_only=True):
    """A probe was not made at all, or twice: the pod is going, or the kubelet is confused."""

    probe: str | None = None
    pod: PodRef | None = None
    container: str | None = None
    error: str | None = None


class PodPreempted(Event, frozen=True, gc=False, kw_only=True):
    """A pod is ended to make room for a critical one."""

    pod: PodRef | None = None
    pods: list[PodRef] | None = None
    reason: str | None = None


class PodPreemptionFailed(Event, frozen=True, gc=False, kw_only=True):
    """A pod that is to make room for a critical one could not be ended."""

    pod: PodRef | None = None
    error: str | None = None


class TrustBundleNoted(Event, frozen=True, gc=False, kw_only=True):
    """What the kubelet hears of trust bundles that pods mount (1.29 on)."""

    name: str | None = None


class NodeBecameNotReady(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet itself reports the node as not ready; the condition's message names the parts that are not."""

    node: str | None = None
    reason: str | None = None
    message: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"condition": "go"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name != "condition"}
        condition = holes.get("condition")
        if isinstance(condition, dict):
            for name in ("reason", "message"):
                value = condition.get(name) or condition.get(name.title())
                if isinstance(value, str):
                    fields[name] = value
        return fields
