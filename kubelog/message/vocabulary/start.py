"""A kubelet's start: its release, flags, runtime, and effective configuration."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from kubelog.message.vocabulary import threshold
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.threshold import Threshold


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
        found = owner.pop("HardEvictionThresholds", None)
        return {"thresholds": threshold.of_node_config(found), "settings": _settings(config)}


def _settings(found: Any) -> Any:
    """Settings as a tree; a resource.Quantity printed field by field becomes its text."""
    if isinstance(found, dict):
        if set(found) == {"i", "d", "s", "Format"} and isinstance(found["i"], dict):
            return found["s"] or _quantity_text(found["i"], found["d"], found["Format"])
        return {key: _settings(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_settings(value) for value in found]
    return found


def _quantity_text(parts: dict[str, str], decimal: Any, form: str) -> str:
    """The text of a quantity of which only the fields are printed."""
    if isinstance(decimal, dict) and decimal.get("Dec") not in (None, "<nil>"):
        return "unknown"  # its value lies behind a pointer
    number, scale = int(parts.get("value", "0")), int(parts.get("scale", "0"))
    if form == "BinarySI" and scale == 0:
        for power, suffix in ((60, "Ei"), (50, "Pi"), (40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")):
            if number and number % (1 << power) == 0:
                return f"{number >> power}{suffix}"
    if form == "DecimalSI":
        # As the library writes it: no more zeros than the suffix takes.
        while number and number % 1000 == 0 and scale < 18:
            number, scale = number // 1000, scale + 3
    suffixes = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
    return f"{number}{suffixes[scale]}" if scale in suffixes else f"{number}e{scale}"


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
    thresholds: list[Threshold] | None = None  # None where they say nothing of eviction, or what cannot be read
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
        try:
            given = threshold.of_flags(flags)
        except ValueError:
            given = None
        fields = {"flags": flags, "thresholds": given, "complete": whole, "variables": variables or None}
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


class KubeletFailed(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet's last words: the error for which it ends; `cause` where the wording alone says what it is about."""

    error: str | None = None
    cause: str | None = None

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        """Without the stacks of all goroutines, which Fatal writes behind it."""
        return holes | {"error": holes["error"].partition("\ngoroutine ")[0]} if holes.get("error") else holes


_STACK: Final = re.compile(r"\n\s*(?=goroutine |\[signal |panic: )")


class PanicObserved(Event, frozen=True, gc=False, kw_only=True):
    """A goroutine panicked; where nothing catches it, the program ends."""

    message: str | None = None

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        """Without the stack behind it."""
        message = holes.get("message")
        return holes | {"message": _STACK.split(message, maxsplit=1)[0]} if message else holes
