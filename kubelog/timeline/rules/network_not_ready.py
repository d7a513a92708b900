"""NetworkNotReady: the runtime has no network for pods, so that none but those of the host's network can start.

One case a node. The kubelet says it every 5 s. From a start until the network plugin runs that is usual, for 5 min; longer,
or again after it was ready, is an incident. It ends when the node is ready; else when nothing is said of it for 10 min.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.network import CniConfigFailed
from kubelog.message.vocabulary.node import NodeConditionChanged
from kubelog.message.vocabulary.sync import NetworkNotReadyReported, PodSyncFailed
from kubelog.timeline.rules import Case, Cause, Explanation, State, instant
from kubelog.timeline.rules.episodic import End, EpisodicRule, Note, Sign, lasted_us, proof
from kubelog.timeline.rules.node_memory import STARTS, NodeMemory
from kubelog.timeline.words import since

_KEY: Final = "network"
_START_US: Final = 120_000_000  # so soon after a start the first complaint comes
_USUAL_US: Final = 300_000_000
# Words of the error → why; then what that means, and how sure it is, the surest first.
_WORDS: Final = (
    ("o networks found", "no-file"),
    ("uninitialized", "no-config"),
    ("not initialized", "no-config"),
    ("failed to find plugin", "no-binary"),
    ("plugin binary", "no-binary"),
    ("ubenet", "kubenet"),
    ("PodCIDR", "kubenet"),
)
_MISSING: Final = "the network plugin was not installed, or its pod on this node does not run."
_WHY: Final[Mapping[str, tuple[str, str]]] = {
    "no-binary": ("The plugin that the configuration names is not in /opt/cni/bin.", "certain"),
    "no-file": (f"There is no file in /etc/cni/net.d: {_MISSING}", "certain"),
    "kubenet": ("kubenet waits for the node's podCIDR, which the controller manager assigns.", "likely"),
    "no-config": (f"There is no network configuration yet: {_MISSING}", "likely"),
}


class NetworkNotReady(EpisodicRule):
    """See the module."""

    kind = "NetworkNotReady"
    opens = extends = frozenset({NetworkNotReadyReported, PodSyncFailed})
    closes = frozenset({NodeConditionChanged})
    explains = frozenset({*STARTS, CniConfigFailed})
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = {"PodSyncFailed": (b"network is not ready", b"etwork not ready")}
    memory = NodeMemory
    signs = frozenset({NetworkNotReadyReported})

    def told(self, memory: NodeMemory, event: Event) -> NodeMemory:
        return memory.told(event) if isinstance(event, STARTS) else memory

    def signs_of(self, event: Event, memory: NodeMemory | None) -> Iterable[Sign]:
        error: str = getattr(event, "error", None) or ""
        if isinstance(event, NetworkNotReadyReported):
            yield Sign(_KEY, {}, "The runtime has no network for pods", "", marks=_marks(error))
        elif isinstance(event, PodSyncFailed) and event.reason == "NetworkNotReady":
            text = "Pods cannot be started: the network is not ready"
            yield Sign(_KEY, {}, text, "", (event.pod,), critical=True, marks=_marks(error))

    def ends_of(self, event: Event, memory: NodeMemory) -> Iterable[End]:
        if isinstance(event, NodeConditionChanged) and event.condition == "Ready" and event.status:
            yield End(_KEY, "The node is ready")

    def notes_of(self, event: Event, memory: NodeMemory) -> Iterable[Note]:
        if isinstance(event, CniConfigFailed):
            yield Note(_KEY, "There is no usable network configuration", "", _marks(event.error or ""))
        elif isinstance(event, NodeConditionChanged) and event.condition == "Ready" and event.status is False:
            yield Note(_KEY, "The node is reported NotReady", "not-ready", critical=True)

    def apply(self, state: State, event: Event, node: str | None) -> State:
        was = state.latest(_KEY)
        state = super().apply(state, event, node)
        case, now = state.latest(_KEY), instant(event.seen)
        if case is None or case is was or not case.is_open or now is None:
            return state
        if was is None or was.number != case.number or (not was.is_open and "was ready" not in was.marks):
            if state.memory.is_starting(now.us, _START_US):
                return state.put(case.replace(marks={**case.marks, "at start": 1}))
        elif not was.is_open and not state.memory.is_starting(now.us, _START_US):
            return state.put(case.replace(marks={**case.marks, "again": 1}))
        return state

    def matters(self, case: Case) -> bool:
        return "at start" not in case.marks or "again" in case.marks or lasted_us(case) >= _USUAL_US

    def explain(self, case: Case, memory: NodeMemory, node: str | None) -> Explanation:
        where = node or "this node"
        signs = proof(case, ("NetworkNotReadyReported", "PodSyncFailed", "CniConfigFailed"))
        told = next((why for name, why in _WHY.items() if f"why {name}" in case.marks), None)
        text, confidence = told or ("The network plugin says that it is not ready.", "possible")
        cause = Cause(text, confidence, signs)
        advice = [
            "See whether the pod of the network plugin runs on this node: `kubectl get pods -A -o wide --field-selector "
            f"spec.nodeName={node or 'NODE'}`; its log says what it waits for.",
            "Look at /etc/cni/net.d (is there a configuration, and which is the first by name?) and /opt/cni/bin (the binaries "
            "it names).",
        ]
        if "why kubenet" in case.marks:
            advice.append(
                "See whether the node has a podCIDR (`kubectl get node -o yaml`): the controller manager needs "
                "--allocate-node-cidrs."
            )
        state = "is" if case.is_open else "was"
        return Explanation(f"The pod network of {where} {state} not ready{since(case)}.", cause, (), tuple(advice))


def _marks(error: str) -> dict[str, int]:
    return {f"why {why}": 1 for words, why in _WORDS if words in error}
