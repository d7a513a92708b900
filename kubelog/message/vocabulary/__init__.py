"""The typed vocabulary: what can be said, whatever its wording. A module a component; this one knows them all.

The vocabulary of a grammar's own events (`[event.Name]`) is made here too, of the same kind of class.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from kubelog.errors import GrammarError
from kubelog.klog import values
from kubelog.klog.values import PodRef, Quantity
from kubelog.message.vocabulary.api import (
    AnonymousDenied,
    ApiConnectionFailed,
    AuthenticationFailed,
    CertificateExpiryReported,
    HealthCheckFailed,
    LeaseUpdateFailed,
    NodeNotFound,
    NodeStatusUpdateFailed,
    ProtocolMismatchSeen,
    ProxyTargetShown,
    TlsHandshakeFailed,
)
from kubelog.message.vocabulary.event import GAP_US, LATE_US, Event, Heard, Seen
from kubelog.message.vocabulary.eviction import (
    EvictionCapacityMissing,
    EvictionCleanupAwaited,
    EvictionCleanupTimedOut,
    EvictionContainerFsIgnored,
    EvictionContainerGcStarted,
    EvictionCriticalPodSkipped,
    EvictionFailed,
    EvictionFilesystemsDetected,
    EvictionFilesystemsUnknown,
    EvictionGracePeriodPending,
    EvictionImageGcStarted,
    EvictionManagerStarted,
    EvictionMemoryThresholdCrossed,
    EvictionMirrorPodMissing,
    EvictionNoActivePods,
    EvictionNodeConditionsObserved,
    EvictionNoStarvedResources,
    EvictionNotifierCreated,
    EvictionNotifierFailed,
    EvictionNotifierSet,
    EvictionNotifierStopped,
    EvictionNotifierUnsupported,
    EvictionObservationMissing,
    EvictionPodChosen,
    EvictionPodDiskUsageFailed,
    EvictionPodEvicted,
    EvictionPodFailed,
    EvictionPodsCleaned,
    EvictionPodsRanked,
    EvictionPodsRequired,
    EvictionRankingMissing,
    EvictionReclaimAttempted,
    EvictionReclaimed,
    EvictionReclaimFailed,
    EvictionReclaimUnsupported,
    EvictionSignalFailed,
    EvictionStatsFailed,
    EvictionSyncFailed,
    EvictionSynchronized,
    EvictionThresholdObserved,
    EvictionTransitionPending,
    EvictionWindowsMemoryObserved,
    PodAdmissionRejected,
)
from kubelog.message.vocabulary.evidence import (
    ClusterEvent,
    FilesystemUsage,
    LogFileHead,
    TableHead,
)
from kubelog.message.vocabulary.host import (
    BootChanged,
    InputLost,
    JournalSuppressed,
    LineCut,
    UnitDeactivated,
    UnitExited,
    UnitFailed,
    UnitResourcesConsumed,
    UnitRestartScheduled,
    UnitStarted,
    UnitStartLimitHit,
    UnitStopped,
    UnitStopping,
)
from kubelog.message.vocabulary.node import (
    CONDITIONS,
    NodeConditionChanged,
)
from kubelog.message.vocabulary.pod import (
    ContainerBackOff,
    ContainerDied,
    ContainerKilled,
    ContainerStarted,
    ContainerUnhealthy,
    ImagePullFailed,
    ProbeConfigured,
    ProbeFailed,
)
from kubelog.message.vocabulary.start import (
    ApiServerWatchStarted,
    CadvisorContainerFound,
    CgroupRootVerified,
    FeatureGatesSet,
    KubeletFailed,
    KubeletFlag,
    KubeletFlags,
    KubeletVersion,
    NodeConfig,
    PanicObserved,
    RuntimeClientStarted,
    RuntimeConnecting,
    StaticPodPathAdded,
)
from kubelog.message.vocabulary.threshold import Threshold

# Which hole types suit a field's Python type; the first is that of a pair's value.
SUITS: Mapping[Any, tuple[str, ...]] = types.MappingProxyType(
    {
        str: (
            "text",
            "word",
            "quoted",
            "uid",
            "id",
            "image",
            "path",
            "error",
            "rest",
            "time",
            "column",
            "eventtype",
            "variable",
            "mountpoint",
            "camel",
            "involved",
            "fieldpath",
            "reporter",
            "dnslabel",
        ),
        int: ("int", "size"),
        float: ("float", "duration", "percent", "age"),
        bool: ("bool",),
        Quantity: ("quantity",),
        PodRef: ("pod",),
        datetime: ("time",),
    }
)


def hole_types(cls: type[Event]) -> dict[str, frozenset[str]]:
    """Hole → the hole types that suit it: fields and raw holes."""
    found: dict[str, frozenset[str]] = {}
    hints = typing.get_type_hints(cls)
    for name in cls.__struct_fields__:
        if name != "seen":
            found[name] = frozenset(_suits(hints[name]))
    for name in cls.raw:
        found[name] = frozenset(values.CONVERT)
    return found


def _suits(hint: Any) -> tuple[str, ...]:
    parts = [part for part in (typing.get_args(hint) or (hint,)) if part is not type(None)]
    one = parts[0] if typing.get_origin(hint) in (types.UnionType, typing.Union) else hint
    if typing.get_origin(one) is list:
        member = typing.get_args(one)[0]
        return ("pods",) if member is PodRef else ("list",)
    if typing.get_origin(one) is dict or one is Any:
        return ("go",)
    return SUITS.get(one, ("text",))


def pair_type(cls: type[Event], name: str) -> str:
    """How the value of a pair becomes this hole's value."""
    if name in cls.raw:
        return cls.raw[name]
    if name in cls.written:
        return cls.written[name]
    suits = _suits(typing.get_type_hints(cls)[name])
    if suits[0] == "float" and name.endswith("_s"):
        return "duration"
    return suits[0]


@functools.cache
def classes() -> dict[str, type[Event]]:
    """The vocabulary's own events by name."""
    return {cls.__name__: cls for cls in Event.__subclasses__() if cls.__module__.startswith(__name__)}


def vocabulary() -> dict[str, dict[str, frozenset[str]]]:
    """The vocabulary as a grammar is checked against it."""
    return {name: hole_types(cls) for name, cls in classes().items()}


_PYTHON: Mapping[str, Any] = types.MappingProxyType(
    {
        "int": int, "float": float, "duration": float, "percent": float, "bool": bool,
        "quantity": Quantity, "list": list[str], "pod": PodRef, "pods": list[PodRef], "go": Any,
    }
)  # fmt: skip


def declared(events: Mapping[str, Mapping[str, str]]) -> dict[str, type[Event]]:
    """The classes of events that a grammar declares (`[event.Name] fields = {…}`). Raises GrammarError."""
    found: dict[str, type[Event]] = {}
    for name, fields in events.items():
        if name in classes():
            raise GrammarError("grammar", f"the event {name!r} is one of the vocabulary", hint="use another name")
        columns = [(field, _PYTHON.get(type_, str) | None, None) for field, type_ in fields.items()]
        space = {"written": types.MappingProxyType(dict(fields))}
        cls: Any = msgspec.defstruct(name, columns, bases=(Event,), namespace=space, frozen=True, gc=False, kw_only=True)
        found[name] = cls
    return found


__all__ = [
    "CONDITIONS",
    "GAP_US",
    "LATE_US",
    "AnonymousDenied",
    "ApiConnectionFailed",
    "ApiServerWatchStarted",
    "AuthenticationFailed",
    "BootChanged",
    "CadvisorContainerFound",
    "CertificateExpiryReported",
    "CgroupRootVerified",
    "ClusterEvent",
    "ContainerBackOff",
    "ContainerDied",
    "ContainerKilled",
    "ContainerStarted",
    "ContainerUnhealthy",
    "Event",
    "EvictionCapacityMissing",
    "EvictionCleanupAwaited",
    "EvictionCleanupTimedOut",
    "EvictionContainerFsIgnored",
    "EvictionContainerGcStarted",
    "EvictionCriticalPodSkipped",
    "EvictionFailed",
    "EvictionFilesystemsDetected",
    "EvictionFilesystemsUnknown",
    "EvictionGracePeriodPending",
    "EvictionImageGcStarted",
    "EvictionManagerStarted",
    "EvictionMemoryThresholdCrossed",
    "EvictionMirrorPodMissing",
    "EvictionNoActivePods",
    "EvictionNoStarvedResources",
    "EvictionNodeConditionsObserved",
    "EvictionNotifierCreated",
    "EvictionNotifierFailed",
    "EvictionNotifierSet",
    "EvictionNotifierStopped",
    "EvictionNotifierUnsupported",
    "EvictionObservationMissing",
    "EvictionPodChosen",
    "EvictionPodDiskUsageFailed",
    "EvictionPodEvicted",
    "EvictionPodFailed",
    "EvictionPodsCleaned",
    "EvictionPodsRanked",
    "EvictionPodsRequired",
    "EvictionRankingMissing",
    "EvictionReclaimAttempted",
    "EvictionReclaimFailed",
    "EvictionReclaimUnsupported",
    "EvictionReclaimed",
    "EvictionSignalFailed",
    "EvictionStatsFailed",
    "EvictionSyncFailed",
    "EvictionSynchronized",
    "EvictionThresholdObserved",
    "EvictionTransitionPending",
    "EvictionWindowsMemoryObserved",
    "FeatureGatesSet",
    "FilesystemUsage",
    "HealthCheckFailed",
    "Heard",
    "ImagePullFailed",
    "InputLost",
    "JournalSuppressed",
    "KubeletFailed",
    "KubeletFlag",
    "KubeletFlags",
    "KubeletVersion",
    "LeaseUpdateFailed",
    "LineCut",
    "LogFileHead",
    "NodeConditionChanged",
    "NodeConfig",
    "NodeNotFound",
    "NodeStatusUpdateFailed",
    "PanicObserved",
    "PodAdmissionRejected",
    "ProbeConfigured",
    "ProbeFailed",
    "ProtocolMismatchSeen",
    "ProxyTargetShown",
    "RuntimeClientStarted",
    "RuntimeConnecting",
    "Seen",
    "StaticPodPathAdded",
    "TableHead",
    "Threshold",
    "TlsHandshakeFailed",
    "UnitDeactivated",
    "UnitExited",
    "UnitFailed",
    "UnitResourcesConsumed",
    "UnitRestartScheduled",
    "UnitStartLimitHit",
    "UnitStarted",
    "UnitStopped",
    "UnitStopping",
    "classes",
    "declared",
    "hole_types",
    "pair_type",
    "vocabulary",
]
