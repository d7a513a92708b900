"""A node's conditions."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, ClassVar

from kubelog.message.vocabulary.event import Event

# Events of the node life cycle → condition and its status. From pkg/kubelet/events/event.go, all releases.
CONDITIONS: Mapping[str, tuple[str, bool]] = types.MappingProxyType(
    {
        "NodeReady": ("Ready", True),
        "NodeNotReady": ("Ready", False),
        "NodeSchedulable": ("Schedulable", True),
        "NodeNotSchedulable": ("Schedulable", False),
        "NodeHasSufficientMemory": ("MemoryPressure", False),
        "NodeHasInsufficientMemory": ("MemoryPressure", True),
        "NodeHasNoDiskPressure": ("DiskPressure", False),
        "NodeHasDiskPressure": ("DiskPressure", True),
        "NodeHasSufficientPID": ("PIDPressure", False),
        "NodeHasInsufficientPID": ("PIDPressure", True),
        "NodeHasSufficientDisk": ("OutOfDisk", False),
        "NodeOutOfDisk": ("OutOfDisk", True),
    }
)


class NodeConditionChanged(Event, frozen=True, gc=False, kw_only=True):
    """A condition of the node changed, as the kubelet reports it to the API server."""

    node: str | None = None
    condition: str | None = None
    status: bool | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"state": "word"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name != "state"}
        condition = CONDITIONS.get(holes.get("state") or "")
        if condition is None:
            return {**fields, "condition": holes.get("state")}
        return {**fields, "condition": condition[0], "status": condition[1]}
