"""NodeConfig events → the kubelet's effective settings and thresholds at each start, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from kubelog.message.vocabulary import Event, NodeConfig
from kubelog.timeline.incident import Evidence, Instant, evidence, instant, to_json
from kubelog.timeline.release import minors


class Settings(msgspec.Struct, frozen=True):
    """One start: thresholds in flag notation, settings as a tree, and what is other than at the start before on the same node."""

    node: str | None
    time: Instant | None
    releases: tuple[int, int]
    thresholds: tuple[str, ...]
    settings: dict[str, Any]
    changed: dict[str, tuple[Any, Any]]  # path of a setting → before, now
    evidence: Evidence

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
        }


def settings(events: Iterable[Event]) -> list[Settings]:
    """The starts in the order in which the log tells them."""
    found: list[Settings] = []
    last: dict[str | None, dict[str, Any]] = {}
    for event in events:
        if not isinstance(event, NodeConfig):
            continue
        tree = event.settings or {}
        flat = dict(flatten(tree))
        flat |= {f"threshold {one.signal}": one.flag for one in event.thresholds or ()}
        before = last.get(event.seen.node)
        changed = {} if before is None else changes(before, flat)
        last[event.seen.node] = flat
        thresholds = tuple(one.flag for one in event.thresholds or ())
        found.append(Settings(event.seen.node, instant(event.seen), minors(tree), thresholds, tree, changed, evidence(event)))
    return found


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """`NodeAllocatableConfig.KubeReserved.cpu` → its value."""
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What is other: path → before, now; None where it was not, or is no more."""
    names = dict.fromkeys((*before, *now))
    return {name: (before.get(name), now.get(name)) for name in names if before.get(name) != now.get(name)}
