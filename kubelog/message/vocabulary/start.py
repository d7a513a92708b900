"""A kubelet's start: its release, flags, runtime, and effective configuration."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from kubelog.klog import values
from kubelog.klog.values import Quantity
from kubelog.message.vocabulary.event import Event


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


class NodeConfig(Event, frozen=True, gc=False, kw_only=True):
    """The effective configuration that a kubelet prints once, at its start: hard eviction thresholds and settings as a tree."""

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
    decimal = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
    return f"{number}{decimal[scale]}" if scale in decimal else f"{number}e{scale}"


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
