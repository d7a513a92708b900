"""containerd, CRI-O and Docker, as they write of themselves: `time="…" level=… msg="…" key=value`.

The wordings read the message with its quotes escaped, as it stands; `told` is what stands behind it, where the error is.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Any, ClassVar

from kubelog.klog.values import PodRef, plain
from kubelog.message.vocabulary.event import Event

_ERROR = re.compile(r'(?:\A| )error=("(?:[^"\\]|\\.)*"|\S+)')
_CONTAINER = re.compile(r"(?:\A| )container=([0-9a-f]{8,64})\b")
_RAW: Mapping[str, str] = types.MappingProxyType(dict.fromkeys(("told", "namespace", "name", "uid"), "text"))


def _fields(holes: dict[str, Any]) -> dict[str, Any]:
    """Fields from the holes: the error from the pairs, the pod from its parts, texts without their escapes."""
    fields = {
        name: value.replace('\\"', '"') if isinstance(value, str) else value for name, value in holes.items() if name not in _RAW
    }
    found = _ERROR.search(holes.get("told") or "")
    if found:
        fields["error"] = plain(found[1].encode())
    if "name" in holes:
        fields["pod"] = PodRef(holes.get("namespace"), holes["name"], holes.get("uid"))
    return fields


class RuntimeStarted(Event, frozen=True, gc=False, kw_only=True):
    """The container runtime's daemon starts, or is ready."""

    version: str | None = None

    raw = _RAW

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        found = re.search(r'(?:\A| )version="?([^\s"]+)', holes.get("told") or "")
        return {"version": found[1]} if found else {}


class RuntimeSandboxStarted(Event, frozen=True, gc=False, kw_only=True):
    """The runtime makes a pod's sandbox, or has made it: then `sandbox_id` is given."""

    pod: PodRef | None = None
    sandbox_id: str | None = None

    raw = _RAW

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _fields(holes)


class RuntimeSandboxFailed(Event, frozen=True, gc=False, kw_only=True):
    """The runtime could not make a pod's sandbox: mostly its network. The kubelet tries again, with a new sandbox."""

    pod: PodRef | None = None
    error: str | None = None

    raw = _RAW

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _fields(holes)


class RuntimeSandboxStopped(Event, frozen=True, gc=False, kw_only=True):
    """The runtime stops, or removes, a pod's sandbox; with an error where that failed: the pod then hangs in Terminating."""

    sandbox_id: str | None = None
    pod: PodRef | None = None
    error: str | None = None

    raw = _RAW

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _fields(holes)


class RuntimeContainerCreated(Event, frozen=True, gc=False, kw_only=True):
    """The runtime makes a container, or has made it: then `container_id` is given."""

    container: str | None = None
    container_id: str | None = None
    sandbox_id: str | None = None
    pod: PodRef | None = None
    error: str | None = None  # why it could not

    raw = _RAW

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _fields(holes)


class RuntimeContainerStarted(Event, frozen=True, gc=False, kw_only=True):
    """The runtime starts a container, or could not: then `error` is given."""

    container_id: str | None = None
    container: str | None = None
    pod: PodRef | None = None
    error: str | None = None

    raw = _RAW

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _fields(holes)


class RuntimeContainerStopped(Event, frozen=True, gc=False, kw_only=True):
    """The runtime stops or removes a container; `grace_s` is how long it may take."""

    container_id: str | None = None
    container: str | None = None
    pod: PodRef | None = None
    grace_s: float | None = None
    error: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({**_RAW, "grace": "float"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = _fields({name: value for name, value in holes.items() if name != "grace"})
        found = _CONTAINER.search(holes.get("told") or "")
        if found:
            fields["container_id"] = found[1]
        return fields | ({"grace_s": holes["grace"]} if "grace" in holes else {})


class RuntimeTaskExited(Event, frozen=True, gc=False, kw_only=True):
    """A container's process ended, as containerd's shim saw it; 137 is SIGKILL: out of memory, or its grace was over."""

    container_id: str | None = None
    exit_status: int | None = None

    raw = _RAW

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _fields(holes)


class RuntimeOomReported(Event, frozen=True, gc=False, kw_only=True):
    """A process of this container was killed, as its memory limit was reached."""

    container_id: str | None = None

    raw = _RAW

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _fields(holes)


class RuntimeShimLost(Event, frozen=True, gc=False, kw_only=True):
    """The shim of a container is gone; containerd cleans up behind it."""

    container_id: str | None = None

    raw = _RAW

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        found = re.search(r'(?:\A| )id="?([0-9a-f]+)', holes.get("told") or "")
        return {"container_id": found[1]} if found else {}


class RuntimeImagePulled(Event, frozen=True, gc=False, kw_only=True):
    """The runtime pulls an image, or has pulled it: then `reference` is given."""

    image: str | None = None
    reference: str | None = None

    raw = _RAW

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _fields(holes)


class RuntimeImagePullFailed(Event, frozen=True, gc=False, kw_only=True):
    """The runtime could not pull an image; the kubelet says the same, and how long it waits."""

    image: str | None = None
    error: str | None = None

    raw = _RAW

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _fields(holes)


class RuntimeCniFailed(Event, frozen=True, gc=False, kw_only=True):
    """The runtime has no network configuration, or a network plugin failed: new pods get no network."""

    error: str | None = None

    raw = _RAW

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _fields(holes)


class RuntimeRequestFailed(Event, frozen=True, gc=False, kw_only=True):
    """A request to the runtime failed: which, and why."""

    general: ClassVar[bool] = True

    operation: str | None = None
    container_id: str | None = None
    error: str | None = None

    raw = _RAW

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _fields(holes)
