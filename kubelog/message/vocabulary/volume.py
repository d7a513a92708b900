"""Volumes of pods: attached, mounted, removed; and what they are made of."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Any, ClassVar

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event


class VolumeManagerStarted(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet begins to mount what its pods ask for."""

    step: str | None = None


class VolumePluginLoaded(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet knows this kind of volume."""

    plugin: str | None = None


class VolumePluginFailed(Event, frozen=True, gc=False, kw_only=True):
    """A kind of volume cannot be used, or a driver of it could not be found."""

    general: ClassVar[bool] = True

    plugin: str | None = None
    path: str | None = None
    error: str | None = None


class VolumeOperationStarted(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet begins to verify, attach, mount, expand, unmount or detach a volume."""

    operation: str | None = None
    volume: str | None = None
    unique_name: str | None = None
    pod: PodRef | None = None
    pod_uid: str | None = None


class VolumeOperationSucceeded(Event, frozen=True, gc=False, kw_only=True):
    """A volume was attached, mounted, unmounted or detached."""

    operation: str | None = None
    volume: str | None = None
    unique_name: str | None = None
    pod: PodRef | None = None
    pod_uid: str | None = None
    path: str | None = None


class VolumeStateUnknown(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet does not know whether a volume is mounted: after a restart, or as it could not note it.

    It will look again.
    """

    volume: str | None = None
    pod: PodRef | None = None
    pod_uid: str | None = None
    error: str | None = None


class VolumeReconstructed(Event, frozen=True, gc=False, kw_only=True):
    """After a restart the kubelet finds out from the disk which volumes are mounted, and could not of this one."""

    volume: str | None = None
    path: str | None = None
    pod: PodRef | None = None
    error: str | None = None


class VolumeAttachmentCheckFailed(Event, frozen=True, gc=False, kw_only=True):
    """It could not be verified that volumes are still attached to the node."""

    volume: str | None = None
    node: str | None = None
    plugin: str | None = None
    error: str | None = None


class VolumeResizeFailed(Event, frozen=True, gc=False, kw_only=True):
    """A volume or its filesystem could not be made larger."""

    volume: str | None = None
    pod: PodRef | None = None
    error: str | None = None


class VolumeSpecFailed(Event, frozen=True, gc=False, kw_only=True):
    """What a pod's volume is could not be found out: its claim is missing or not bound, or the API server did not answer."""

    volume: str | None = None
    pod: PodRef | None = None
    error: str | None = None


class ConfigMapMissing(Event, frozen=True, gc=False, kw_only=True):
    """A config map that a pod mounts is not there, or not known yet: the pod waits in ContainerCreating."""

    namespace: str | None = None
    name: str | None = None
    error: str | None = None


class SecretMissing(Event, frozen=True, gc=False, kw_only=True):
    """A secret that a pod mounts is not there, or not known yet: the pod waits in ContainerCreating."""

    namespace: str | None = None
    name: str | None = None
    error: str | None = None


class VolumePayloadFailed(Event, frozen=True, gc=False, kw_only=True):
    """The files of a config map, secret, projected or downward API volume could not be put together or written."""

    volume: str | None = None
    pod: PodRef | None = None
    path: str | None = None
    error: str | None = None


class VolumeOwnershipSlow(Event, frozen=True, gc=False, kw_only=True):
    """fsGroup is set on a volume with many files: each must be changed, and the pod waits for that."""

    path: str | None = None
    count: int | None = None


class VolumeOwnershipFailed(Event, frozen=True, gc=False, kw_only=True):
    """The owner or mode of files of a volume could not be changed."""

    path: str | None = None
    error: str | None = None


class VolumeCleanupFailed(Event, frozen=True, gc=False, kw_only=True):
    """Directories, links or quotas of a volume that is gone could not be removed."""

    path: str | None = None
    volume: str | None = None
    error: str | None = None


class MountUtilityNoted(Event, frozen=True, gc=False, kw_only=True):
    """What the mount library remarks: systemd, fsck, corrupted mounts."""

    general: ClassVar[bool] = True

    path: str | None = None
    error: str | None = None


class DiskFormatted(Event, frozen=True, gc=False, kw_only=True):
    """An empty disk is formatted, was, or could not be."""

    device: str | None = None
    filesystem: str | None = None
    done: bool | None = None
    error: str | None = None


_UNMOUNTED = re.compile(r"(?:unmounted volumes=|unattached/unmounted volumes=|list of unmounted volumes=)\[([^\]]*)\]")
_NAMED = re.compile(r'for volume \\?"([^"\\]+)\\?"')


class VolumeMountFailed(Event, frozen=True, gc=False, kw_only=True):
    """A volume could not be mounted, so its pod waits; it is tried again with growing pauses.

    `volume` is the volume's name in the pod, or that of the PersistentVolume; several are joined by commas.
    """

    volume: str | None = None
    error: str | None = None
    pod: PodRef | None = None
    pod_uid: str | None = None
    retry_s: float | None = None  # how long it waits before it tries again

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"operation_name": "text"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        holes = dict(holes)
        unique = holes.pop("operation_name", None)
        if not holes.get("pod_uid", "-"):
            del holes["pod_uid"]
        if holes.get("volume"):
            return holes
        error = holes.get("error") or ""
        named = _NAMED.search(error)
        if unique is not None:
            return {"volume": named[1] if named else unique, **holes}
        if found := _UNMOUNTED.search(error):
            return {"volume": ",".join(found[1].split()), **holes}
        found = _NAMED.search(error)
        return {"volume": found[1], **holes} if found else holes


_MOUNTED = re.compile(
    r"(?P<error>[^\n]*)\n(?:Mounting command: (?P<command>[^\n]*)\n)?(?:Mounting arguments: (?P<args>[^\n]*)\n)?"
    r"(?:Output: (?P<output>.*))?",
    re.DOTALL,
)


class MountFailed(Event, frozen=True, gc=False, kw_only=True):
    """`mount` failed; the output is the program's own: it says why better than the exit status."""

    error: str | None = None
    command: str | None = None  # with its arguments
    output: str | None = None
    path: str | None = None
    device: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"told": "error"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name != "told"}
        told = holes.get("told")
        if told is None:
            return fields
        found = _MOUNTED.fullmatch(told)
        if not found:
            return {**fields, "error": told}
        command = " ".join(filter(None, (found["command"], found["args"])))
        return {**fields, "error": found["error"], "command": command or None, "output": (found["output"] or "").strip() or None}
