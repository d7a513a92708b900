"""AdmissionRejected: the kubelet does not take pods that were given to its node, for another reason than the node's pressure.

One case a node and reason, as the pod's status says it: OutOfcpu, NodeAffinity, UnexpectedAdmissionError, TopologyAffinityError …
A pod that is rejected fails for good, so each is an incident; what made it makes another one, which may be rejected in its turn,
within seconds mostly (a DaemonSet waits up to 15 min). Nothing says that it is over: it closes after 10 min without a rejection, in
a log that goes on. What is rejected for DiskPressure and its like is of NodePressureEviction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

import msgspec

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.client import EventRecorded
from kubelog.message.vocabulary.devices import DeviceAllocationFailed
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.host import UnitStarted
from kubelog.message.vocabulary.resources import CpuManagerFailed
from kubelog.message.vocabulary.start import KubeletVersion, NodeConfig
from kubelog.message.vocabulary.sync import PodRejected
from kubelog.timeline.incident import Evidence, Instant, evidence, instant
from kubelog.timeline.rules import Case, Explanation, State
from kubelog.timeline.rules.admission_rejected_words import REASONS, explain, reason_of
from kubelog.timeline.rules.episodic import EpisodicRule, Note, Sign

# Of the node's pressure; and of a resize in place, which leaves the pod as it is.
_OTHERS: Final = frozenset({"Evicted", "Deferred", "Infeasible"})
_PRESSURE: Final = "The node had condition"
_ONE_START_US: Final = 60_000_000
_MOST_STARTS, _MOST_MESSAGES = 8, 4


class Starts(msgspec.Struct, frozen=True, gc=False):
    """The last starts of the kubelet, each with its first line."""

    starts: tuple[tuple[Instant, Evidence], ...] = ()

    def told(self, event: Event) -> Starts:
        now = instant(event.seen)
        if now is None or any(abs(now.us - start.us) < _ONE_START_US for start, _ in self.starts):
            return self
        return Starts((*self.starts, (now, evidence(event)))[-_MOST_STARTS:])


class AdmissionRejected(EpisodicRule):
    """See the module."""

    kind = "AdmissionRejected"
    opens = extends = frozenset({PodRejected, EventRecorded, CpuManagerFailed, DeviceAllocationFailed})
    explains = frozenset({UnitStarted, NodeConfig, KubeletVersion})
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = {
        "EventRecorded": (b"OutOf", *(one.encode() for one in sorted(REASONS) if one != "OutOf")),
        "CpuManagerFailed": (b"llocate",),
        "DeviceAllocationFailed": (b"Failed to allocate device plugin resource",),
    }
    memory = Starts

    def told(self, memory: Starts, event: Event) -> Starts:
        if isinstance(event, NodeConfig | KubeletVersion) or (isinstance(event, UnitStarted) and event.unit == "kubelet"):
            return memory.told(event)
        return memory

    def signs_of(self, event: Event, memory: object) -> Iterable[Sign]:
        if isinstance(event, PodRejected):
            message = event.message or ""
            if event.reason in _OTHERS or message.startswith(_PRESSURE) or (event.pod is None and event.reason is not None):
                return
            yield _sign(event, event.reason, message, event.pod)
        elif isinstance(event, EventRecorded):
            reason = event.reason or ""
            if event.pod is not None and (reason in REASONS or reason.startswith("OutOf")) and event.type != "Normal":
                yield _sign(event, reason, event.message or "", event.pod)
        elif isinstance(event, CpuManagerFailed):
            # What concerns a container that runs does not name its pod.
            if event.operation == "allocate" and event.pod is not None and event.pod.namespace:
                reason = "SMTAlignmentError" if "SMT" in (event.error or "") else "UnexpectedAdmissionError"
                yield _sign(event, reason, event.error or "", event.pod)
        elif isinstance(event, DeviceAllocationFailed) and event.resource is None and event.container is None:
            yield _sign(event, "UnexpectedAdmissionError", event.error or "", event.pod)

    def notes_of(self, event: Event, memory: object) -> Iterable[Note]:
        if isinstance(event, UnitStarted) and event.unit == "kubelet":
            yield Note(None, "Kubelet is restarted", "restart")

    def explain(self, case: Case, memory: Starts, node: str | None) -> Explanation:
        return explain(case, memory.starts, node)

    def _sign(self, state: State, event: Event, sign: Sign) -> State:
        """Of what is said, which has amounts in it, only the last is kept."""
        state = super()._sign(state, event, sign)
        case = state.latest(sign.key)
        said = [] if case is None else sorted((us, mark) for mark, us in case.marks.items() if mark.startswith("said "))
        if case is None or len(said) <= _MOST_MESSAGES:
            return state
        gone = {mark for _, mark in said[:-_MOST_MESSAGES]}
        return state.put(case.replace(marks={mark: us for mark, us in case.marks.items() if mark not in gone}))


def _sign(event: Event, said: str | None, message: str, pod: PodRef | None) -> Sign:
    """A rejection; where the line gives no reason, its message tells it in the same words in all releases."""
    reason = (said or reason_of(message, pod))[:100]
    marks = {f"said {' '.join(message[:400].split())[:200]}": event.seen.time_us or 0} if message else {}
    critical = pod is not None and pod.namespace == "kube-system"
    # Not every line gives the UID: a pod is counted once.
    named = None if pod is None else PodRef(pod.namespace, pod.name)
    return Sign(reason, {"reason": reason}, f"Pods are rejected: {reason}", "", (named,), critical, marks)
