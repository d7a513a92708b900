"""The kubelet's sync loop: what it hears of its pods, why it does not work on them, and why a sync failed."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Any, ClassVar

from kubelog.klog.values import PodRef, duration, pod
from kubelog.message.vocabulary.event import Event


class KubeletSyncLoopStarted(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet is set up and begins to work on its pods."""


class KubeletSyncLoopEnded(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet's sync loop ended: it works on no pod any more, and the process ends."""

    error: str | None = None


class PodConfigReceived(Event, frozen=True, gc=False, kw_only=True):
    """The sync loop heard of pods from a source (api, file, http): ADD, UPDATE, DELETE (it is to end), REMOVE (it is gone),
    RECONCILE or RESTORE.
    """

    operation: str | None = None
    source: str | None = None
    pods: list[PodRef] | None = None


class ProbeResultChanged(Event, frozen=True, gc=False, kw_only=True):
    """The last result of a container's probe is another than the one before: the sync loop looks at the pod at once."""

    probe: str | None = None  # liveness or readiness or startup
    status: str | None = None  # none where it is not ready
    pod: PodRef | None = None


class SyncLoopHousekeepingSkipped(Event, frozen=True, gc=False, kw_only=True):
    """The sync loop did not clean up yet, as it has not heard of all its pods.

    It says so after a start, until the API server answered.
    """


class HousekeepingSlow(Event, frozen=True, gc=False, kw_only=True):
    """Cleaning up behind pods that are gone took so long that the sync loop waited for it: the node is overloaded or its runtime
    hangs.
    """

    expected_s: float | None = None
    actual_s: float | None = None
    error: str | None = None


class PodKillFailed(Event, frozen=True, gc=False, kw_only=True):
    """The containers of a pod could not all be ended; it is tried again. A pod that hangs in Terminating hangs here."""

    pod: PodRef | None = None
    error: str | None = None


class PodTerminationRequested(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet begins to end a pod: it was deleted, must not run, or nobody asked for it."""

    pod: PodRef | None = None
    pod_uid: str | None = None
    message: str | None = None


class PodTerminated(Event, frozen=True, gc=False, kw_only=True):
    """A pod has ended and the kubelet is done with it."""

    pod: PodRef | None = None
    pod_uid: str | None = None


class PodTerminationIncomplete(Event, frozen=True, gc=False, kw_only=True):
    """A pod has ended but something of it remains on the node, so it is not taken off the API server yet."""

    pod: PodRef | None = None
    pod_uid: str | None = None
    message: str | None = None


class PodWorkerIgnored(Event, frozen=True, gc=False, kw_only=True):
    """A pod's worker has nothing to do with an update: another one comes first."""

    general: ClassVar[bool] = True

    pod: PodRef | None = None
    pod_uid: str | None = None
    update: str | None = None
    message: str | None = None


class MirrorPodCreated(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet tells the API server of a static pod: it makes the mirror pod by which the static pod is seen there."""

    pod: PodRef | None = None


class MirrorPodCreationFailed(Event, frozen=True, gc=False, kw_only=True):
    """The mirror pod of a static pod could not be made: the static pod runs, but the API server does not show it."""

    pod: PodRef | None = None
    node: str | None = None
    error: str | None = None


class MirrorPodDeleted(Event, frozen=True, gc=False, kw_only=True):
    """A mirror pod is deleted, as its static pod is another now, or gone."""

    pod: PodRef | None = None


class MirrorPodDeletionFailed(Event, frozen=True, gc=False, kw_only=True):
    """A mirror pod could not be deleted."""

    pod: PodRef | None = None
    error: str | None = None


class PodDirectoryFailed(Event, frozen=True, gc=False, kw_only=True):
    """A directory of a pod could not be made or read: the pod cannot start. A full or read-only disk looks like this."""

    pod: PodRef | None = None
    path: str | None = None
    error: str | None = None


class PodRejected(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet does not take a pod that was scheduled to it: the pod fails at once and stays so."""

    pod: PodRef | None = None
    pod_uid: str | None = None
    reason: str | None = None
    message: str | None = None


class PodSpecInvalid(Event, frozen=True, gc=False, kw_only=True):
    """Something in a pod's specification cannot be done on this node: a mount, a device, a host name, a port, an image pull
    secret.
    """

    pod: PodRef | None = None
    container: str | None = None
    volume: str | None = None
    error: str | None = None


class PlegRelistFailed(Event, frozen=True, gc=False, kw_only=True):
    """The pod lifecycle event generator could not ask the runtime for its pods.

    After three minutes of that the kubelet calls PLEG unhealthy and the node becomes NotReady.
    """

    pod_uid: str | None = None
    error: str | None = None


class PlegEventsDropped(Event, frozen=True, gc=False, kw_only=True):
    """Changes of containers were not told to the sync loop, which is too slow: they are noticed later."""

    pod_uid: str | None = None
    error: str | None = None


class PlegPodFailed(Event, frozen=True, gc=False, kw_only=True):
    """The state of one pod's containers could not be read."""

    pod: PodRef | None = None
    pod_uid: str | None = None
    error: str | None = None


class PlegContainerFinished(Event, frozen=True, gc=False, kw_only=True):
    """A container ended, with this exit code: 137 is SIGKILL (out of memory, or its grace period was over), 143 SIGTERM."""

    pod_uid: str | None = None
    container_id: str | None = None
    exit_code: int | None = None


class OrphanedPodCleaned(Event, frozen=True, gc=False, kw_only=True):
    """What was left on the disk of a pod that is gone was removed."""

    pod_uid: str | None = None
    path: str | None = None


class OrphanedPodCleanupFailed(Event, frozen=True, gc=False, kw_only=True):
    """What was left on the disk of a pod that is gone could not be removed."""

    pod_uid: str | None = None
    path: str | None = None
    error: str | None = None


class ContainerNotInPod(Event, frozen=True, gc=False, kw_only=True):
    """A container died that its pod does not know (any more), mostly a sandbox of an earlier try."""

    container_id: str | None = None


class ContainerGcFailed(Event, frozen=True, gc=False, kw_only=True):
    """Dead containers could not be removed."""

    error: str | None = None


class ContainerGcSucceeded(Event, frozen=True, gc=False, kw_only=True):
    """Dead containers were removed; said after a failure, or at v=4."""


class KubeletFeatureNoted(Event, frozen=True, gc=False, kw_only=True):
    """A setting of the kubelet that it tells at its start."""

    general: ClassVar[bool] = True

    name: str | None = None
    value: str | None = None
    error: str | None = None


class KubeletModuleFailed(Event, frozen=True, gc=False, kw_only=True):
    """A part of the kubelet could not be set up. It runs on without that part, where it does not end."""

    module: str | None = None
    error: str | None = None


class RuntimeDeprecated(Event, frozen=True, gc=False, kw_only=True):
    """The container runtime that is configured will not work in a later release."""

    message: str | None = None


# One failure, as the kubelet's own type prints it: `failed to "StartContainer" for "web" with CrashLoopBackOff: "back-off …"`.
_FAILURE = re.compile(r'failed to "([^"]+)" for "([^"]*)" with ([^\s:"]+): "((?:[^"\\]|\\.)*)"?', re.DOTALL)
_IMAGE = re.compile(r'(?:[Bb]ack-off pulling image|(?:pull|unpack|pulling) image|manifest for) "?([^\s"]+[^\s":,])')
_UNMOUNTED = re.compile(r"(?:unmounted volumes=|unattached/unmounted volumes=)\[([^\]]*)\]")


# `container &Container{Name:web,Image:…} start failed in pod web-0_default(…): CreateContainerConfigError: secret "x" not found`
_STARTED = re.compile(r".*?[cC]ontainer (?:&\w*Container\{(.*)\}|(\S+)) start failed in pod (\S+): (.*)", re.DOTALL)
_SPEC = re.compile(r"\bName:([^,{}]+),Image:([^,{}]*),")


def _of_start(holes: dict[str, Any]) -> dict[str, Any]:
    """Fields of a container's start that failed."""
    fields = {name: value for name, value in holes.items() if name not in ("spec", "told", "started")}
    spec, told = holes.get("spec"), holes.get("told")
    if found := _STARTED.fullmatch(holes.get("started") or ""):
        spec, container, named, told = found.groups()
        fields |= {"pod": pod(named.encode())} | ({"container": container} if container else {})
    if found := _SPEC.search(spec or ""):
        fields |= {"container": found[1], "image": found[2] or None}
    reason, colon, message = (told or "").partition(": ")
    if colon and reason.isalnum():
        return {**fields, "reason": reason, "error": message}
    return {**fields, "error": told or holes.get("started")}


class PodSyncFailed(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet could not make a pod what it should be; it tries again, with growing pauses.

    `failures` are what failed, as {operation, subject, reason, message}: an operation of the kubelet (StartContainer,
    CreatePodSandbox, KillContainer …), the container or pod, the reason that the API server shows (ErrImagePull, ImagePullBackOff,
    CreateContainerConfigError, RunContainerError …). `container`, `reason` and `image` are those of the first.
    """

    pod: PodRef | None = None
    pod_uid: str | None = None
    container: str | None = None
    reason: str | None = None
    image: str | None = None
    error: str | None = None
    failures: Any | None = None

    # The start of a container that failed: its specification, and the reason with its message.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"spec": "text", "told": "text", "started": "text"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        if "told" in holes or "started" in holes:
            return _of_start(holes)
        error = holes.get("error")
        if not error:
            return holes
        failures = [
            {"operation": one[1], "subject": one[2], "reason": one[3], "message": one[4].replace('\\"', '"').replace("\\\\", "\\")}
            for one in _FAILURE.finditer(error)
        ]
        fields: dict[str, Any] = {**holes}
        if failures:
            first = failures[0]
            fields |= {"failures": failures, "reason": first["reason"]}
            if first["operation"].endswith("Container"):
                fields["container"] = first["subject"]
            if "Image" in first["reason"] and (named := _IMAGE.search(first["message"])):
                fields["image"] = named[1]
        elif error.startswith("network is not ready"):
            fields["reason"] = "NetworkNotReady"
        elif _UNMOUNTED.search(error):
            fields["reason"] = "VolumesNotReady"
        return fields


_ACTIVE = re.compile(r"pleg was last seen active (\S+) ago; threshold is ([^\s\],]+)")


class PlegUnhealthyReported(Event, frozen=True, gc=False, kw_only=True):
    """The runtime was not listed for longer than the threshold: it hangs, or the node is overloaded. The node becomes NotReady."""

    elapsed_s: float | None = None
    threshold_s: float | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"told": "error"})
    derived = frozenset(("elapsed_s", "threshold_s"))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        found = _ACTIVE.search(holes.get("told") or "")
        if found is None:
            return {name: value for name, value in holes.items() if name != "told"}
        return {"elapsed_s": duration(found[1].encode()), "threshold_s": duration(found[2].encode())}


class RuntimeDownReported(Event, frozen=True, gc=False, kw_only=True):
    """The container runtime does not answer, or says that it is not ready: no pod can be started or ended."""

    error: str | None = None


class NetworkNotReadyReported(Event, frozen=True, gc=False, kw_only=True):
    """The runtime has no network for pods: those without the host's network wait. Usual after a boot, until the plugin runs."""

    error: str | None = None


class OrphanedPodVolumes(Event, frozen=True, gc=False, kw_only=True):
    """A pod is gone, but its volumes are still on the disk and cannot be removed; `count` is how many such pods there are."""

    pod_uid: str | None = None
    count: int | None = None
    error: str | None = None

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        found = re.search(r'pod "([0-9a-f-]{32,36})"', holes.get("error") or "")
        return {"pod_uid": found[1], **holes} if found else holes


class PodLifecycleEventReceived(Event, frozen=True, gc=False, kw_only=True):
    """The pod lifecycle event generator, or the container manager, told of another change than a container's start or end."""

    pod: PodRef | None = None
    pod_uid: str | None = None
    type: str | None = None  # ContainerRemoved, ContainerChanged, PodSync
    data: str | None = None  # mostly the container's id

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"event": "go"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name != "event"}
        event = holes.get("event")
        if isinstance(event, dict):
            told = {"pod_uid": event.get("ID"), "type": event.get("Type"), "data": event.get("Data")}
            fields |= {name: value for name, value in told.items() if isinstance(value, str)}
        return fields


class PodSyncSkipped(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet works on no pod now, and why. After a start that is usual for some seconds."""

    reasons: list[str] | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"told": "error"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        told = (holes.get("told") or "").strip()
        inner = told[1:-1] if told.startswith("[") and told.endswith("]") else told
        return {"reasons": [one for one in re.split(r"[,;] (?![^(]*\))", inner) if one]}


class RuntimeStatusObserved(Event, frozen=True, gc=False, kw_only=True):
    """The container runtime's own report of its conditions, as the kubelet logs it at v=4."""

    status: str | None = None
    runtime_ready: bool | None = None
    network_ready: bool | None = None

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        found = dict(re.findall(r"\b(Runtime|Network)Ready=(true|false)", holes.get("status") or ""))
        told = {f"{name.lower()}_ready": value == "true" for name, value in found.items()}
        return holes | told


class PodStartupObserved(Event, frozen=True, gc=False, kw_only=True):
    """A pod runs, and how long that took from its creation on; `slo_s` without pulling images and init containers."""

    pod: PodRef | None = None
    slo_s: float | None = None
    e2e_s: float | None = None
    created_at: str | None = None

    # A bare number of seconds.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"slo": "float"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in holes.items() if name != "slo"} | {"slo_s": holes.get("slo")}


class ContainerRemovalFailed(Event, frozen=True, gc=False, kw_only=True):
    """A dead container could not be removed. "No such container" means that it was gone already."""

    container_id: str | None = None
    error: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"id": "go"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name != "id"}
        found = holes.get("id")
        found = found.get("ID") if isinstance(found, dict) else found
        return fields | ({"container_id": found} if isinstance(found, str) else {})
