"""The rules that run on each node: kubelog's own, then those of installed packages, by entry points of `kubelog.rules`."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from kubelog.errors import GrammarError
from kubelog.grammar import packages
from kubelog.message import vocabulary
from kubelog.timeline.rules import Rule
from kubelog.timeline.rules.admission_rejected import AdmissionRejected
from kubelog.timeline.rules.control_plane_restart_loop import ControlPlaneRestartLoop
from kubelog.timeline.rules.image_gc_failing import ImageGcFailing
from kubelog.timeline.rules.image_pull_failing import ImagePullFailing
from kubelog.timeline.rules.kubelet_restart_loop import KubeletRestartLoop
from kubelog.timeline.rules.log_gap import LogGap
from kubelog.timeline.rules.node_pressure_eviction import NodePressureEviction
from kubelog.timeline.rules.protocol_mismatch import ProtocolMismatch
from kubelog.timeline.rules.volume_stuck import VolumeStuck

GROUP: Final = "kubelog.rules"
# In the order of dependence: what causes stands before what follows from it.
OWN: Final[tuple[type[Rule], ...]] = (
    KubeletRestartLoop,
    ControlPlaneRestartLoop,
    ImageGcFailing,
    NodePressureEviction,
    AdmissionRejected,
    VolumeStuck,
    ImagePullFailing,
    ProtocolMismatch,
    LogGap,
)


def rules() -> tuple[Rule, ...]:
    """One of each; those that yield to others come last. Raises GrammarError where a package's is none."""
    found = {one.kind: ("kubelog", one) for one in OWN}
    for entry, package, told in packages.named(GROUP):
        try:
            one = entry.load()
        except Exception as error:  # whatever a foreign package raises
            raise GrammarError(told, packages.said(error)) from None
        _check(one, told)
        if one.kind in found:
            raise GrammarError(told, f"expected a kind of its own, found {one.kind!r}, which is a rule of {found[one.kind][0]}")
        found[one.kind] = (f"package {package}", one)
    return tuple(sorted((rule() for _, rule in found.values()), key=lambda one: one.yields))


def _check(one: Any, told: str) -> None:
    """Whether it is a rule that can run: here, not in the middle of a log."""
    if not isinstance(one, type) or not issubclass(one, Rule):
        raise GrammarError(told, f"expected a class derived from Rule, found {_shown(one)}")
    name = one.__name__
    kind, kinds, memory = (getattr(one, what, None) for what in ("kind", "kinds", "memory"))
    if not isinstance(kind, str) or not kind.isidentifier():
        raise GrammarError(told, f"expected {name}.kind to be a name like CrashLoop, found {kind!r}")
    if kind in vocabulary.classes():
        raise GrammarError(told, f"expected {name}.kind to be no event, found {kind!r}")
    if not isinstance(kinds, frozenset) or not kinds or not all(isinstance(event, str) for event in kinds):
        raise GrammarError(
            told, f"expected {name} to name the events that it asks for (opens, extends, closes), found {_shown(kinds)}"
        )
    if not isinstance(memory, type) or not issubclass(memory, msgspec.Struct):
        raise GrammarError(told, f"expected {name}.memory to be a msgspec.Struct class, found {_shown(memory)}")
    for method in ("apply", "explain"):
        if getattr(one, method) is getattr(Rule, method):
            raise GrammarError(told, f"expected {name} to have a method {method}, found none")


def _shown(what: object) -> str:
    """A class by its name, anything else as it is; in short."""
    shown = f"the class {what.__name__}" if isinstance(what, type) else repr(what)
    return shown if len(shown) <= 80 else shown[:79] + "…"
