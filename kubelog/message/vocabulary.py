"""The typed vocabulary: what can be said, whatever its wording.

An event has the fields that its class declares and `seen`, which says when and where it was said. Names are Kubernetes'
own. Durations are seconds (`…_s`), sizes bytes (`…_bytes`), percentages fractions. A field that the line does not give
is None.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from kubelog.errors import GrammarError
from kubelog.klog import values
from kubelog.klog.values import PodRef, Quantity


class Heard(msgspec.Struct, frozen=True, gc=False):
    """How far a node's records had come, in µs as `Seen.time_us`: what is silent there is known to be silent."""

    us: int  # the latest time so far
    run_us: int  # since when no gap of ten minutes is in the records
    before_us: int | None = None  # the last record before that gap
    quiet_us: int = 0  # the longest stretch of records, ended by a gap, without an event that a rule asks for


class Seen(msgspec.Struct, frozen=True, gc=False):
    """When and where an event was said."""

    time: datetime | None = None  # aware where the zone is known; None where the year is not
    time_us: int | None = None  # the same in µs since 1970; without a year: since that year began
    year_known: bool = False
    node: str | None = None
    unit: str | None = None
    pid: int | None = None
    severity: str | None = None
    path: str = "-"
    line: int = 0  # from 1
    offset: int = 0  # of the record's first byte in the input
    heard: Heard | None = None


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One thing that was said. Subclasses declare the fields."""

    seen: Seen = Seen()

    # Holes that are no fields, with the type that they have in pairs; `derive` makes fields of them.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        """Fields from the converted holes of a wording. Raises ValueError where they make no sense."""
        return holes

    @property
    def kind(self) -> str:
        return type(self).__name__

    @property
    def time(self) -> datetime | None:
        return self.seen.time

    @property
    def fields(self) -> dict[str, Any]:
        """The typed fields by name, as in the class."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "seen"}


class Threshold(msgspec.Struct, frozen=True, gc=False):
    """An eviction threshold: `signal` `operator` (`quantity` or `percentage`), as the kubelet applies it."""

    signal: str
    operator: str = "LessThan"
    quantity: Quantity | None = None
    percentage: float | None = None
    grace_s: float = 0.0
    min_reclaim: Quantity | None = None  # `10%` has the value 0.1; up to 1.27 only that there is one is printed (`unknown`)
    hard: bool = True

    @property
    def flag(self) -> str:
        """As a flag says it: `nodefs.available<10%`."""
        return f"{self.signal}<{self.limit}"

    @property
    def limit(self) -> str:
        if self.quantity is not None:
            return self.quantity.text
        return f"{round((self.percentage or 0) * 100, 4):g}%"


# The eviction manager (pkg/kubelet/eviction)


class EvictionReclaimAttempted(Event, frozen=True, gc=False, kw_only=True):
    """A threshold is crossed for long enough: the kubelet begins to free the resource. Repeats every 10 s until it is
    freed.
    """

    resource: str | None = None


class EvictionReclaimed(Event, frozen=True, gc=False, kw_only=True):
    """Deleting dead containers and unused images freed enough; no pod was evicted."""

    resource: str | None = None


class EvictionPodsRequired(Event, frozen=True, gc=False, kw_only=True):
    """Deleting dead containers and images was not enough: a pod must go."""

    resource: str | None = None


class EvictionPodsRanked(Event, frozen=True, gc=False, kw_only=True):
    """The pods in the order in which they would be evicted."""

    pods: list[PodRef] | None = None


class EvictionPodEvicted(Event, frozen=True, gc=False, kw_only=True):
    """A pod was killed to free the resource."""

    pod: PodRef | None = None


class EvictionPodsCleaned(Event, frozen=True, gc=False, kw_only=True):
    """The evicted pods' containers and volumes are gone."""

    pods: list[PodRef] | None = None


class EvictionCleanupTimedOut(Event, frozen=True, gc=False, kw_only=True):
    """The evicted pods were not gone after 30 s: nothing is freed yet."""

    pods: list[PodRef] | None = None


class EvictionNoActivePods(Event, frozen=True, gc=False, kw_only=True):
    """A threshold is crossed and no pod is left to evict: the kubelet can do nothing more."""


class EvictionFailed(Event, frozen=True, gc=False, kw_only=True):
    """None of the ranked pods could be evicted."""


class EvictionCriticalPodSkipped(Event, frozen=True, gc=False, kw_only=True):
    """A critical pod is first in rank and is never evicted."""

    pod: PodRef | None = None


class PodAdmissionRejected(Event, frozen=True, gc=False, kw_only=True):
    """A pod was turned away because the node has conditions such as DiskPressure."""

    pod: PodRef | None = None
    conditions: list[str] | None = None


# A kubelet's start


class NodeConfig(Event, frozen=True, gc=False, kw_only=True):
    """The effective configuration that a kubelet prints once, at its start: hard eviction thresholds and settings as
    a tree.
    """

    thresholds: list[Threshold] | None = None
    settings: dict[str, Any] | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"config": "go"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        config = holes.get("config")
        if not isinstance(config, dict):
            raise ValueError("expected the Node Config's fields")
        config = dict(config)
        # 1.28 and later flatten NodeAllocatableConfig.
        owner = config
        if isinstance(config.get("NodeAllocatableConfig"), dict):
            owner = config["NodeAllocatableConfig"] = dict(config["NodeAllocatableConfig"])
        found = owner.pop("HardEvictionThresholds", None) or []
        if not isinstance(found, list):
            raise ValueError("expected a list of thresholds")
        return {"thresholds": [_threshold(one) for one in found], "settings": _settings(config)}


def _threshold(found: Any) -> Threshold:
    """One of `HardEvictionThresholds`, of %+v or JSON."""
    if not isinstance(found, dict) or not isinstance(found.get("Signal"), str):
        raise ValueError("expected a threshold with a Signal")
    value = found.get("Value") or {}
    quantity, percentage = value.get("Quantity"), float(value.get("Percentage") or 0)
    grace = found.get("GracePeriod") or 0
    return Threshold(
        found["Signal"],
        found.get("Operator") or "LessThan",
        None if quantity in (None, "<nil>") else values.quantity(str(quantity).encode()),
        percentage or None,
        values.duration(grace.encode()) if isinstance(grace, str) else grace / 1e9,
        _reclaim(found.get("MinReclaim")),
        True,
    )


def _reclaim(found: Any) -> Quantity | None:
    if isinstance(found, dict):
        if found.get("Quantity") is not None:
            return values.quantity(str(found["Quantity"]).encode())
        share = float(found.get("Percentage") or 0)
        return Quantity(f"{round(share * 100, 4):g}%", share)
    if isinstance(found, str) and found.startswith("0x"):  # 1.27 and earlier print the pointer
        return Quantity("unknown", None)
    return None


def _settings(found: Any) -> Any:
    """Settings as a tree; a resource.Quantity printed field by field becomes its text."""
    if isinstance(found, dict):
        if set(found) == {"i", "d", "s", "Format"} and isinstance(found["i"], dict):
            return found["s"] or _quantity_text(found["i"], found["Format"])
        return {key: _settings(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_settings(value) for value in found]
    return found


def _quantity_text(parts: dict[str, str], form: str) -> str:
    number, scale = int(parts.get("value", "0")), int(parts.get("scale", "0"))
    if form == "BinarySI" and scale == 0:
        for power, suffix in ((60, "Ei"), (50, "Pi"), (40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")):
            if number and number % (1 << power) == 0:
                return f"{number >> power}{suffix}"
    suffix = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}.get(scale)
    return f"{number}{suffix}" if suffix is not None else f"{number}e{scale}"


class KubeletVersion(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet's release, at its start."""

    version: str | None = None


class KubeletFlag(Event, frozen=True, gc=False, kw_only=True):
    """One flag of the running kubelet, set or default (`FLAG: --name="value"`)."""

    flag: str | None = None
    value: str | None = None


class KubeletFlags(Event, frozen=True, gc=False, kw_only=True):
    """The flags on a kubelet's command line or in a drop-in; `complete` is whether nothing else can add to them."""

    flags: dict[str, str] | None = None
    complete: bool | None = None
    process_id: int | None = None
    variable: str | None = None  # the drop-in's variable that holds them
    variables: list[str] | None = None  # further flags stand in these

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType(
        dict.fromkeys(("command", "flags_text", "user", "started", "tty", "cpu_time", "state"), "text")
        | dict.fromkeys(("parent", "vsz", "rss"), "int")
        | dict.fromkeys(("cpu", "memory"), "float")
    )

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        command = holes.get("command") or holes.get("flags_text") or ""
        flags, variables, cut = _flags(command)
        whole = "flags_text" not in holes and not variables and not cut
        fields = {"flags": flags, "complete": whole, "variables": variables or None}
        return fields | {name: holes[name] for name in ("process_id", "variable") if name in holes}


def _flags(command: str) -> tuple[dict[str, str], list[str], bool]:
    """Flags of a command line, the $VARIABLES in it, and whether it was cut in the middle of a word."""
    words = [word.strip("\"'") for word in command.split()]
    flags: dict[str, str] = {}
    variables = [word.strip("${}") for word in words if word.startswith("$")]
    cut = bool(words) and (words[-1] in ("-", "--") or words[-1].endswith(("…", "...")))
    for number, word in enumerate(words):
        if not word.startswith("--") or word == "--":
            continue
        name, equals, value = word[2:].partition("=")
        if not equals:
            following = words[number + 1] if number + 1 < len(words) else ""
            value = following if following and not following.startswith(("-", "$")) else "true"
        flags[name] = value.strip("\"'")
    return flags, variables, cut


class FeatureGatesSet(Event, frozen=True, gc=False, kw_only=True):
    """The feature gates that were set on the command line or in the configuration."""

    gates: dict[str, str] | None = None


class RuntimeConnecting(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet connects to its container runtime."""

    endpoint: str | None = None


class RuntimeClientStarted(Event, frozen=True, gc=False, kw_only=True):
    """The Docker client was made."""

    timeout_s: float | None = None


class CadvisorContainerFound(Event, frozen=True, gc=False, kw_only=True):
    """The cgroup that the kubelet itself runs in."""

    cgroup: str | None = None


class CgroupRootVerified(Event, frozen=True, gc=False, kw_only=True):
    """The cgroup root that was asked for exists."""

    cgroup_root: str | None = None


class StaticPodPathAdded(Event, frozen=True, gc=False, kw_only=True):
    """Where the manifests of static pods are read from."""

    path: str | None = None


class ApiServerWatchStarted(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet begins to watch the API server for its pods."""


# A node's conditions

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


# systemd's units


class UnitStarted(Event, frozen=True, gc=False, kw_only=True):
    """systemd started a unit (or `systemctl status` tells since when it runs)."""

    unit: str | None = None
    main_pid: int | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"since": "text"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in holes.items() if name != "since"}


class UnitStopped(Event, frozen=True, gc=False, kw_only=True):
    """systemd stopped a unit."""

    unit: str | None = None


class UnitFailed(Event, frozen=True, gc=False, kw_only=True):
    """A unit's process ended with an error."""

    unit: str | None = None
    result: str | None = None
    restarts: int | None = None


# What lies beside the log


class ClusterEvent(Event, frozen=True, gc=False, kw_only=True):
    """A row of `kubectl describe` or `kubectl get events`. Ages become times where `at` says when the table was
    taken.
    """

    reason: str | None = None
    object: str | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    count: int | None = None
    message: str | None = None
    type: str | None = None
    source: str | None = None
    first_age_s: float | None = None
    last_age_s: float | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"first_age": "text", "last_age": "text"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name not in ("first_age", "last_age")}
        last = holes.get("last_age")
        return {
            **fields,
            "count": holes.get("count", 1),
            "first_age_s": holes.get("first_age", last),
            "last_age_s": last,
        }

    @property
    def host(self) -> str | None:
        """The node in `kubelet, ubuntu-k8s-3`."""
        component, comma, host = (self.source or "").partition(", ")
        return host if comma and component and host else None


class FilesystemUsage(Event, frozen=True, gc=False, kw_only=True):
    """A row of `df`: how full a filesystem is. `used` is a fraction of what unprivileged users can have."""

    filesystem: str | None = None
    mount: str | None = None
    size_bytes: int | None = None
    used_bytes: int | None = None
    available_bytes: int | None = None
    used: float | None = None


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
    suits = _suits(typing.get_type_hints(cls)[name])
    if suits[0] == "float" and name.endswith("_s"):
        return "duration"
    return suits[0]


@functools.cache
def classes() -> dict[str, type[Event]]:
    """The vocabulary's own events by name."""
    return {cls.__name__: cls for cls in Event.__subclasses__() if cls.__module__ == __name__}


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
        found[name] = msgspec.defstruct(name, columns, bases=(Event,), frozen=True, gc=False, kw_only=True)
    return found
