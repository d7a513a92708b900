"""AdmissionRejected: pods that were scheduled to the node are turned away by its kubelet, for another reason than pressure.

One case a node and reason. A pod that is turned away fails at once and stays so; its controller makes another one, which
may be turned away again. It is over when nothing more is said of it for 10 min. What the node's conditions reject (DiskPressure
and its like) is NodePressureEviction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.client import EventRecorded
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.eviction import PodAdmissionRejected
from kubelog.message.vocabulary.sync import PodRejected
from kubelog.timeline.incident import Finding
from kubelog.timeline.rules import Case, Cause, Explanation, State
from kubelog.timeline.rules.episodic import EpisodicRule, Sign, proof
from kubelog.timeline.rules.node_memory import STARTS, NodeMemory
from kubelog.timeline.words import listed, owners, plural, since

_MANY_PODS: Final = 10
_START_US: Final = 180_000_000
_PRESSURE: Final = re.compile(r"node has conditions|low on resource|(?:Disk|Memory|PID)Pressure|\bEvicted\b")
_REASON: Final = re.compile(
    r"\b(OutOf(?:cpu|memory|pods|ephemeral-storage|[A-Za-z][\w./-]{0,60})|UnexpectedAdmissionError|NodeAffinity|NodeName|"
    r"MatchNodeSelector|PodFitsHost\w*|HostPort\w*|HostNetwork|TopologyAffinityError|PodToleratesNodeTaints|NodeShutdown|Preempting|"
    r"NodeUnschedulable|GeneralPredicates|AppArmor|Sysctl\w*|PodOSNotSupported|PodFeatureUnsupported|NoExecuteTaint|Forbidden\w*|"
    r"InvalidNodeInfo|InsufficientResourceError|RuntimeClassNotSupported|SMTAlignmentError|PodLevelResourcesNotAdmittedReason)"
)
# Words of the message that stand for a reason.
_WORDS: Final = (
    ("enough resource: cpu", "OutOfcpu"), ("enough resource: memory", "OutOfmemory"), ("enough resource: pods", "OutOfpods"),
    ("res: cpu", "OutOfcpu"), ("res: memory", "OutOfmemory"), ("Allocate failed", "UnexpectedAdmissionError"),
    ("devices unavailable", "UnexpectedAdmissionError"), ("no healthy devices", "UnexpectedAdmissionError"),
    ("cannot be allocated from NUMA", "TopologyAffinityError"), ("Topology locality", "TopologyAffinityError"),
    ("node affinity", "NodeAffinity"), ("node selector", "NodeAffinity"),
    ("shut down", "NodeShutdown"), ("shutting down", "NodeShutdown"),
)  # fmt: skip
# By how a reason begins: what it means, how sure that is, what to do.
_WHY: Final = (
    ("OutOf", "What the pods on the node request fills it: the scheduler thought that there was room, as it did not know of all "
        "pods yet.",
     "likely", "See `kubectl describe node`: Allocatable against Allocated resources. Static pods, and pods that end slowly, "
         "count here "
     "before the scheduler knows."),
    ("UnexpectedAdmissionError", "A device, or exclusive CPUs or memory, that the pod was promised could not be "
        "allocated.", "likely",
     "See whether the device plugin's pod runs and has registered (`kubectl describe node`: Capacity of the device is 0 until "
         "then)."),
    ("TopologyAffinityError", "The topology manager's policy finds no NUMA node that has all that the pod asks for.", "certain",
     "Ask for less per container, or choose another policy than restricted or single-numa-node for this node."),
    ("NodeAffinity", "The node's labels no longer match what the pod selects.", "certain",
     "See the node's labels (`kubectl get node --show-labels`): one was removed, or the pod was bound by hand."),
    ("NodeShutdown", "The node is shutting down: the kubelet takes no more pods.", "certain", "Nothing: they are made elsewhere."),
)  # fmt: skip
_OTHER: Final = ("The kubelet's own checks say that the pod does not fit on this node.", "possible",
                 "`kubectl describe pod` shows the reason and message of a pod that failed so.")  # fmt: skip


class AdmissionRejected(EpisodicRule):
    """See the module."""

    kind = "AdmissionRejected"
    opens = extends = frozenset({PodRejected, PodAdmissionRejected, EventRecorded})
    explains = frozenset({*STARTS})
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = {"EventRecorded": (b"OutOf", b"AdmissionError", b"AffinityError")}
    memory = NodeMemory

    def told(self, memory: NodeMemory, event: Event) -> NodeMemory:
        return memory.told(event) if isinstance(event, STARTS) else memory

    def signs_of(self, event: Event, memory: Any) -> Iterable[Sign]:
        pod: PodRef | None = getattr(event, "pod", None)
        if isinstance(event, PodAdmissionRejected):
            reasons = [one for one in event.conditions or () if not one.endswith("Pressure")]
        elif isinstance(event, PodRejected | EventRecorded):
            told = f"{event.reason or ''} {event.message or ''}"
            if _PRESSURE.search(told[:2000]) or pod is None:
                return
            reason = _reason(event.reason, told)
            if isinstance(event, EventRecorded) and not reason.startswith(("OutOf", "Unexpected", "Topology")):
                return
            reasons = [reason]
        else:
            return
        for reason in reasons:
            yield Sign(reason, {"reason": reason}, f"Pods are turned away: {reason}", "", (pod,))

    def apply(self, state: State, event: Event, node: str | None) -> State:
        us, memory = event.seen.time_us, state.memory
        state = super().apply(state, event, node)
        if isinstance(event, STARTS) or not state.cases:
            return state
        for case in state.cases:
            if case.is_open and case.last is not None and case.last.us == us:
                marks = case.marks
                if memory.is_starting(us, _START_US):
                    marks = {**marks, "after start": 1}
                critical = case.pods_total >= _MANY_PODS or any(pod.namespace == "kube-system" for pod in case.pods)
                state = state.put(case.replace(marks=marks, severity="critical" if critical else case.severity))
        return state

    def explain(self, case: Case, memory: NodeMemory, node: str | None) -> Explanation:
        reason = case.subject["reason"]
        text, confidence, advice = next((one[1:] for one in _WHY if reason.startswith(one[0])), _OTHER)
        if "after start" in case.marks and reason.startswith(("OutOf", "Unexpected", "NodeAffinity")):
            text = (
                "The kubelet was started just before: it admits anew the pods that it finds, before device plugins have registered "
                "and in another order than they were scheduled in."
            )
            confidence = "likely"
        summary = f"{node or 'The node'} turned away {plural(case.pods_total, 'pod')} ({reason}){since(case)}."
        advices = [advice, "The pods that failed stay behind until they are deleted: their controllers make new ones."]
        return Explanation(summary, Cause(text, confidence, proof(case)), tuple(_findings(case)), tuple(advices))


def _findings(case: Case) -> Iterator[Finding]:
    grouped = owners(case.pods)
    if case.pods_total > 1:
        text = "They are " + listed([f"{plural(number, 'pod')} of {name}" for name, number in grouped[:5]])
        rest = len(grouped) - 5
        yield Finding("owners", f"{text}{f', and of {rest} more' if rest > 0 else ''}.", ())
    if "after start" in case.marks:
        yield Finding("after-restart", "The kubelet was started less than 3 min before.", ())


def _reason(reason: str | None, told: str) -> str:
    if reason:
        return reason[:100]
    found = _REASON.search(told[:2000])
    if found:
        return found[1]
    return next((name for words, name in _WORDS if words in told), "Other")
