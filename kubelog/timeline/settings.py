"""Events → the kubelet's effective settings and thresholds at each start, what changed, and what differs between nodes.

A start is told by its Node Config, which prints hard thresholds only; the flags that the kubelet printed before it say the rest.
Flags and configuration files beside the log are told behind the starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from kubelog.klog import values
from kubelog.message.config_file import KubeletConfigFile
from kubelog.message.vocabulary import threshold
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.start import KubeletFlag, KubeletFlags, NodeConfig
from kubelog.message.vocabulary.threshold import Threshold
from kubelog.timeline.incident import Evidence, Instant, evidence, instant, to_json
from kubelog.timeline.release import FIRST, LAST, minors

# The events that say something of it.
TELLING: Final = frozenset(("NodeConfig", "KubeletFlag", "KubeletFlags"))
# The flags of a start and its Node Config lie closer together than this.
_ONE_START_US: Final = 60_000_000
# What is another on each node.
_OWN: Final = frozenset(("NodeName", "flag hostname-override", "flag node-ip", "flag provider-id"))


class Settings(msgspec.Struct, frozen=True):
    """One start: thresholds in flag notation, settings as a tree, and what is other than at the start before on the same node.

    `source` is `start`, or `flags` or `file` where only a command line or a configuration file is known. `soft_known` is whether
    it is known which soft thresholds there are.
    """

    node: str | None
    time: Instant | None
    releases: tuple[int, int]
    thresholds: tuple[str, ...]
    settings: dict[str, Any]
    changed: dict[str, tuple[Any, Any]]  # path of a setting → before, now
    evidence: Evidence
    source: str = "start"
    eviction: tuple[Threshold, ...] = ()
    soft_known: bool = False
    hard_known: bool = True  # else those of the release hold
    flags: dict[str, str] = {}
    complete: bool = True  # whether a flag that is not among them is known not to be given
    differs: dict[str, dict[str, Any]] = {}  # path of a setting → node or file → value; at the last start of each node

    @property
    def name(self) -> str:
        """What tells it from the others: the node, or the input where no node is named."""
        return self.node or self.evidence.path

    @property
    def soft(self) -> tuple[Threshold, ...]:
        return tuple(one for one in self.eviction if not one.hard)

    @property
    def grace_periods(self) -> dict[str, str]:
        return {one.signal: one.grace for one in self.eviction if one.grace is not None}

    @property
    def minimum_reclaim(self) -> dict[str, str]:
        return {one.signal: one.min_reclaim.text for one in self.eviction if one.min_reclaim is not None}

    @property
    def config_file(self) -> str | None:
        """The configuration file that the flags name."""
        return self.flags.get("config") or None

    def to_dict(self) -> dict[str, Any]:
        """What `kubelog config -o json` prints."""
        low, high = self.releases
        return {
            "node": self.node,
            "time": to_json(self.time),
            "kubernetes": f"1.{low}" if low == high else f"1.{low}-1.{high}",
            "thresholds": list(self.thresholds),
            "settings": to_json(self.settings),
            "changed": {path: {"before": to_json(before), "now": to_json(now)} for path, (before, now) in self.changed.items()},
            "evidence": to_json(self.evidence),
            "source": self.source,
            "soft_thresholds": [one.flag for one in self.soft] if self.soft_known else None,
            "grace_periods": self.grace_periods,
            "minimum_reclaim": self.minimum_reclaim,
            "eviction": to_json(self.eviction),
            "flags": self.flags,
            "differs": to_json(self.differs),
        }


def settings(events: Iterable[Event]) -> list[Settings]:
    """The starts in the order in which the log tells them, then what lies beside it."""
    starts: list[Settings] = []
    beside: dict[Any, Settings] = {}
    flags = _PrintedFlags()
    for event in events:
        if isinstance(event, KubeletFlag):
            starts += flags.take(event)
        elif isinstance(event, NodeConfig):
            starts.append(_start(event, flags.of_start(event)))
        elif isinstance(event, KubeletFlags):
            # The lines of a unit file make one command line together.
            key = (event.seen.path, event.process_id, event.seen.line if event.complete else None)
            given = dict(beside[key].flags) if key in beside else {}
            beside[key] = _of_flags(event, given | (event.flags or {}))
        elif isinstance(event, KubeletConfigFile):
            beside[event.seen.path, event.seen.line, None] = _of_file(event)
    starts += flags.rest()
    return _compared(_followed(starts) + list(beside.values()))


class _PrintedFlags:
    """`FLAG:` lines, which a kubelet prints one by one before its Node Config."""

    def __init__(self) -> None:
        self.open: dict[tuple[str | None, str], tuple[KubeletFlag, dict[str, str]]] = {}

    def take(self, event: KubeletFlag) -> list[Settings]:
        key = (event.seen.node, event.seen.path)
        name, value = event.flag or "", event.value or ""
        first, flags = self.open.get(key, (event, {}))
        # A flag that comes again is one of another start.
        over = _printed(first, flags) if name in flags or _apart(first, event) else []
        if name in flags or _apart(first, event):
            first, flags = event, {}
        flags[name] = value
        self.open[key] = first, flags
        return over

    def of_start(self, event: NodeConfig) -> dict[str, str]:
        first, flags = self.open.pop((event.seen.node, event.seen.path), (event, {}))
        return {} if _apart(first, event) else flags

    def rest(self) -> list[Settings]:
        return [one for first, flags in self.open.values() for one in _printed(first, flags)]


def _apart(first: Event, event: Event) -> bool:
    one, other = first.seen.time_us, event.seen.time_us
    return one is not None and other is not None and abs(other - one) > _ONE_START_US


def _printed(event: Event, flags: dict[str, str]) -> list[Settings]:
    """A start of which only the flags are in the log; none where they are no kubelet's."""
    return [_of_flags(event, flags, "start")] if "eviction-hard" in flags else []


def _start(event: NodeConfig, flags: dict[str, str]) -> Settings:
    tree = event.settings or {}
    given = _read(flags) or ()
    reclaims = {one.signal: one.min_reclaim for one in given if one.hard}
    hard = [msgspec.structs.replace(one, min_reclaim=reclaims.get(one.signal) or one.min_reclaim) for one in event.thresholds or ()]
    # What a configuration file sets is not among the flags.
    known = bool(flags.get("eviction-soft")) or ("eviction-soft" in flags and not flags.get("config"))
    eviction = (*hard, *(one for one in given if not one.hard))
    name = tree.get("NodeName")
    return Settings(
        event.seen.node or (name if isinstance(name, str) and name else None), instant(event.seen), minors(tree),
        tuple(one.flag for one in hard), tree, {}, evidence(event), "start", eviction, known, event.thresholds is not None, flags,
    )  # fmt: skip


def _of_flags(event: Event, flags: dict[str, str], source: str = "flags") -> Settings:
    eviction = tuple(_read(flags) or ())
    hard = tuple(one.flag for one in eviction if one.hard)
    return Settings(
        event.seen.node, instant(event.seen), (FIRST, LAST), hard, {}, {}, evidence(event), source, eviction,
        "eviction-soft" in flags, "eviction-hard" in flags, flags, not isinstance(event, KubeletFlags) or bool(event.complete),
    )  # fmt: skip


def _of_file(event: KubeletConfigFile) -> Settings:
    tree = event.settings or {}
    eviction = tuple(event.thresholds or ())
    hard = tuple(one.flag for one in eviction if one.hard)
    # A configuration without soft thresholds sets none; one without hard thresholds leaves the release's own.
    return Settings(
        event.seen.node, None, (FIRST, LAST), hard, tree, {}, evidence(event), "file", eviction, True,
        bool(tree.get("evictionHard")),
    )  # fmt: skip


def _read(flags: Mapping[str, str]) -> list[Threshold] | None:
    try:
        return threshold.of_flags(flags)
    except ValueError:
        return None


def _followed(starts: list[Settings]) -> list[Settings]:
    """Each start with what changed since the one before of the same node."""
    last: dict[str, Settings] = {}
    found = []
    for one in starts:
        before = last.get(one.name)
        found.append(one if before is None else msgspec.structs.replace(one, changed=_changes(before, one)))
        last[one.name] = one
    return found


def _compared(found: list[Settings]) -> list[Settings]:
    """The last of each node or file with what differs between them; starts, flags and files are compared among themselves."""
    groups: dict[str, dict[str, Settings]] = {}
    for one in found:
        groups.setdefault(one.source, {})[one.name] = one
    told: dict[int, dict[str, dict[str, Any]]] = {}
    for last in groups.values():
        differs = differences(last)
        told |= {id(one): differs for one in last.values() if differs}
    return [msgspec.structs.replace(one, differs=told[id(one)]) if id(one) in told else one for one in found]


def differences(last: Mapping[str, Settings]) -> dict[str, dict[str, Any]]:
    """Path of a setting → the value of each; only those that are not the same everywhere."""
    found: dict[str, dict[str, Any]] = {}
    names = list(last)
    flats = {name: _flat(one) for name, one in last.items()}
    for key in dict.fromkeys(key for flat in flats.values() for key in flat):
        if key in _OWN or any(not _says(last[name], key) for name in names):
            continue
        cells = {name: flats[name].get(key) for name in names}
        plain = {_plain(key, None if cell is None else cell[1]) for cell in cells.values()}
        if len(plain) > 1 and "unknown" not in plain:
            path = next(cell[0] for cell in cells.values() if cell is not None)
            found[path] = {name: None if cell is None else cell[1] for name, cell in cells.items()}
    return found


def _changes(before: Settings, now: Settings) -> dict[str, tuple[Any, Any]]:
    """What is other: path → before, now; None where it was not, or is no more."""
    found: dict[str, tuple[Any, Any]] = {}
    old, new = _flat(before), _flat(now)
    for key in dict.fromkeys((*old, *new)):
        if not (_says(before, key) and _says(now, key)):
            continue
        was, has = old.get(key), new.get(key)
        plain = {_plain(key, None if cell is None else cell[1]) for cell in (was, has)}
        if len(plain) > 1 and "unknown" not in plain:
            path = (has or was or ("",))[0]
            found[path] = (was and was[1], has and has[1])
    return found


def _flat(one: Settings) -> dict[str, tuple[str, Any]]:
    """What is compared → its path and its value. Releases move settings, and call them Experimental or no more."""
    found: dict[str, tuple[str, Any]] = {}
    for path, value in flatten(one.settings):
        key = path.removeprefix("NodeAllocatableConfig.").removeprefix("Experimental")
        if not path.startswith(threshold.SETTINGS):
            found[key] = path, value
    for limit in one.eviction:
        kind = "threshold" if limit.hard else "soft threshold"
        path = f"{kind} {limit.signal}"
        found[path] = path, limit.flag
        if limit.grace is not None:
            path = f"grace period of {kind} {limit.signal}"
            found[path] = path, limit.grace
        if limit.min_reclaim is not None:
            path = f"minimum reclaim {limit.signal}"
            found[path] = path, limit.min_reclaim.text
    for name, text in one.flags.items():
        if name not in threshold.FLAGS:
            found[f"flag {name}"] = f"flag {name}", text
    return found


def _says(one: Settings, key: str) -> bool:
    """Whether a setting that is not there is known not to be."""
    if "soft threshold" in key:
        return one.soft_known
    if key.startswith("threshold "):
        return one.hard_known
    if key.startswith("flag "):
        return key.removeprefix("flag ") in one.flags or (bool(one.flags) and one.complete)
    # One that could not be read says nothing.
    return bool(one.settings)


def _plain(key: str, value: Any) -> str:
    """A value as it is compared: %+v prints as text what JSON has as numbers, and nothing in several ways."""
    if value in (None, "", {}, [], "<nil>"):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if key.endswith("Period"):
        try:
            return str(value / 1e9 if isinstance(value, int) else values.duration(str(value).encode()))
        except ValueError:
            pass
    return str(value)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """`NodeAllocatableConfig.KubeReserved.cpu` → its value."""
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
