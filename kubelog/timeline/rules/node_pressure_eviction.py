"""NodePressureEviction: a threshold is crossed, the kubelet reclaims, evicts, and turns pods away.

One case a node condition (DiskPressure, MemoryPressure, PIDPressure). It opens with the first attempt to reclaim (or the first
rejected pod where the log begins later), goes on with every sign of the eviction manager, which repeats every 10 s while the
threshold is crossed, and closes when the condition clears, when reclaiming was enough, when a restart changed the threshold, or
when a log that goes on has been quiet for 10 minutes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, NamedTuple

import msgspec

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.eviction import (
    EvictionCleanupTimedOut,
    EvictionCriticalPodSkipped,
    EvictionFailed,
    EvictionNoActivePods,
    EvictionPodChosen,
    EvictionPodEvicted,
    EvictionPodsCleaned,
    EvictionPodsRanked,
    EvictionPodsRequired,
    EvictionReclaimAttempted,
    EvictionReclaimed,
    EvictionReclaimFailed,
    EvictionThresholdObserved,
    PodAdmissionRejected,
)
from kubelog.message.vocabulary.evidence import ClusterEvent, FilesystemUsage
from kubelog.message.vocabulary.host import JournalSuppressed, LineCut, UnitStarted
from kubelog.message.vocabulary.node import NodeConditionChanged
from kubelog.message.vocabulary.start import KubeletFlags, KubeletVersion, NodeConfig
from kubelog.message.vocabulary.sync import PodRejected
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Gap, Instant, Step, instant, with_step
from kubelog.timeline.kubelet import TELLING, Kubelet, Start
from kubelog.timeline.rules import Drafts, Explanation, Rule, State
from kubelog.timeline.rules.node_pressure_findings import CRITICAL, condition_of
from kubelog.timeline.rules.node_pressure_words import eased, explain
from kubelog.timeline.words import suppressed

# A kubelet that starts reports the conditions that it has not looked at yet.
_START_US: Final = 30_000_000
# So long a kubelet keeps a condition after the last sign of it (--eviction-pressure-transition-period).
_TRANSITION_US: Final = 300_000_000
_MOST_CRITICAL: Final = 10
_PRESSURES: Final = ("DiskPressure", "MemoryPressure", "PIDPressure")
_CONDITIONS: Final = re.compile(r"The node had condition: \[([\w ]{1,200})\]")
# Signs that name no resource: what they say, and whether that is critical.
_SAID: Final[dict[type[Event], tuple[str, bool]]] = {
    EvictionNoActivePods: ("No pod is left to evict, though the threshold is still crossed", True),
    EvictionPodsRanked: ("Pods are ranked for eviction", False),
    EvictionPodEvicted: ("Pods are evicted", True),
    EvictionFailed: ("None of the ranked pods could be evicted", True),
    EvictionCriticalPodSkipped: ("A critical pod is passed over", True),
    EvictionPodsCleaned: ("Evicted pods are cleaned up", True),
    EvictionCleanupTimedOut: ("Evicted pods are not gone after 30 s: nothing is freed yet", True),
}


class NodePressureEviction(Rule):
    """See the module."""

    kind = "NodePressureEviction"
    opens = extends = frozenset(
        {
            EvictionReclaimAttempted,
            EvictionPodsRequired,
            PodAdmissionRejected,
            PodRejected,
            NodeConditionChanged,
            ClusterEvent,
            *_SAID,
        }
    )
    closes = frozenset({EvictionReclaimed, NodeConditionChanged, NodeConfig, UnitStarted})
    explains = frozenset(
        {
            KubeletVersion, KubeletFlags, FilesystemUsage, JournalSuppressed, LineCut, EvictionReclaimFailed,
            EvictionThresholdObserved, EvictionPodChosen,
        }
    )  # fmt: skip
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = {"PodRejected": (b"The node had condition",)}
    memory = Kubelet

    signs: ClassVar[frozenset[type[Event]]] = frozenset(
        (*_SAID, EvictionReclaimAttempted, EvictionPodsRequired, PodAdmissionRejected)
    )
    picks: ClassVar[frozenset[type[Event]]] = frozenset({EvictionThresholdObserved})

    def concerns(self, event: Event) -> bool:
        # Those that are crossed, and not those of which only the minimum reclaim is missing.
        return isinstance(event, EvictionThresholdObserved) and event.quantity is not None and "reclaim" not in (event.phase or "")

    def apply(self, state: State, event: Event, node: str | None) -> State:
        memory: Kubelet = state.memory
        told = memory.told(event) if type(event) in TELLING else memory
        if told is not memory:
            state = msgspec.structs.replace(state, memory=told)
        match event:
            case PodAdmissionRejected(pod=pod, conditions=conditions):
                for condition in conditions or ():
                    if condition in _PRESSURES:
                        state = self._sign(state, event, _sign(type(event), condition), (pod,))
            case PodRejected(pod=pod, reason="Evicted", message=message) if found := _CONDITIONS.match(message or ""):
                # From 1.31 on the line is that of all rejections.
                for condition in found[1].split():
                    if condition in _PRESSURES:
                        state = self._sign(state, event, _sign(PodAdmissionRejected, condition), (pod,))
            case EvictionReclaimAttempted(resource=resource) | EvictionPodsRequired(resource=resource):
                return self._sign(state, event, _sign(type(event), resource), (), resource)
            case EvictionReclaimed(resource=resource):
                return self._reclaimed(state, event, resource)
            case EvictionPodEvicted(pod=pod):
                return self._sign(state, event, _sign(type(event), None), (pod,))
            case EvictionPodsCleaned(pods=pods) | EvictionCleanupTimedOut(pods=pods):
                return self._aftermath(state, event, pods or ())
            case NodeConditionChanged(condition=condition, status=status) if condition in _PRESSURES:
                return self._reported(state, event, condition, bool(status))
            case UnitStarted(unit="kubelet") | NodeConfig():
                return self._restarted(state, event)
            case ClusterEvent(reason="EvictionThresholdMet"):
                return self._tabled(state, event)
            case EvictionReclaimFailed(resource=resource, error=error):
                return self._not_reclaimed(state, event, resource, error)
            case EvictionCriticalPodSkipped(pod=pod):
                state = self._sign(state, event, _sign(type(event), None))
                spoken = self._spoken_of(state, event)
                return state if spoken is None else state.put(spoken.replace(marks=_passed_over(spoken.marks, pod)))
            case _ if type(event) in _SAID:
                return self._sign(state, event, _sign(type(event), None))
        return state

    def gather(self, drafts: Drafts, event: Event) -> bool:
        what: str | None = None
        hit: Sequence[PodRef | None] = ()
        resource: str | None = None
        # No match statement: this is done for every line of a storm.
        if isinstance(event, PodAdmissionRejected):
            conditions = event.conditions
            if conditions is None or len(conditions) != 1 or conditions[0] not in _PRESSURES:
                return False
            what, hit = conditions[0], (event.pod,)
        elif isinstance(event, EvictionReclaimAttempted | EvictionPodsRequired):
            what = resource = event.resource
        elif isinstance(event, EvictionPodEvicted):
            hit = (event.pod,)
        elif isinstance(event, EvictionPodsCleaned | EvictionCleanupTimedOut):
            hit = event.pods or ()
        condition, text, about, critical = _sign(type(event), what)
        draft = drafts.spoken_of() if condition is None else drafts.of(condition)
        # A table's case gives way to the log; one that names no resource is named by this one.
        if draft is None or "table" in draft.marks or (resource and not draft.base.subject.get("resource")):
            return False
        drafts.go_on(draft, event, text, about, hit, critical)
        if isinstance(event, EvictionCriticalPodSkipped):
            draft.marks = _passed_over(draft.marks, event.pod)
        return True

    def quiet(self, case: Case) -> Case:
        """After a restart, silence is the restart's work."""
        started = case.marks.get("started_us")
        restarted = started is not None and case.last is not None and started >= case.last.us
        return case.close("resolved", "restarted" if restarted else "quiet", case.last)

    def explain(self, case: Case, memory: Kubelet, node: str | None) -> Explanation:
        return explain(case, memory, node)

    def gaps(self, case: Case, memory: Kubelet, node: str | None) -> tuple[Gap, ...]:
        return (*super().gaps(case, memory, node), *suppressed(case, memory, node))

    def _sign(
        self, state: State, event: Event, sign: _Sign, pods: Sequence[PodRef | None] = (), resource: str | None = None
    ) -> State:
        """A sign of a case; one that does not say of which belongs to the case that was last spoken of."""
        condition = sign.condition
        if condition is None:
            spoken = self._spoken_of(state, event)
            condition = spoken.key if spoken else "DiskPressure"
        state, case = self._case(state, event, condition, resource)
        if resource and not case.subject.get("resource"):
            case = case.replace(subject={"resource": resource})
        return state.put(case.goes_on(event, sign.text, sign.about, pods, critical=sign.critical))

    def _aftermath(self, state: State, event: Event, pods: Sequence[PodRef]) -> State:
        """What follows an eviction opens no case again."""
        case, sign = self._spoken_of(state, event), _sign(type(event), None)
        if case is None or case.is_open:
            return self._sign(state, event, sign, pods)
        return state.put(case.said(event, sign.text).hit(pods))

    def _spoken_of(self, state: State, event: Event) -> Case | None:
        cases = [case for case in state.cases if case.is_open]
        if not cases:
            now = instant(event.seen)
            cases = [case for case in state.cases if self.reopens(case, now)]
        return max(cases, key=_last_us, default=None)

    def _reported(self, state: State, event: Event, condition: str, status: bool) -> State:
        if status:
            state, case = self._case(state, event, condition, None)
            return state.put(case.goes_on(event, f"Node reports {condition}", "begins"))
        latest, now = state.latest(condition), instant(event.seen)
        if latest is None or not latest.is_open or now is None or _is_starting(state.memory, now):
            return state
        case = latest.said(event, f"Node reports that {condition} is over", "ends")
        return state.put(case.close("resolved", "condition-cleared", now))

    def _reclaimed(self, state: State, event: Event, resource: str | None) -> State:
        latest = state.latest(condition_of(resource))
        text = f"{resource or 'The resource'} is reclaimed without evicting a pod"
        if latest is not None and not latest.is_open and self.reopens(latest, instant(event.seen)):
            return state.put(latest.said(event, text, resource or ""))
        state, case = self._case(state, event, condition_of(resource), resource)
        case = case.goes_on(event, text, resource or "")
        return state.put(case.close("resolved", "recovered", instant(event.seen)))

    def _not_reclaimed(self, state: State, event: Event, resource: str | None, error: str | None) -> State:
        """Deleting dead containers or images failed."""
        case = state.latest(condition_of(resource))
        if case is None or not case.is_open:
            return state
        text = f"Deleting dead containers and images to reclaim {resource or 'it'} fails"
        images = {"images": 1} if "image" in (error or "") else {}
        case = case.said(event, text, resource or "")
        return state.put(case.replace(marks={**case.marks, "unreclaimed": 1, **images}))

    def _case(self, state: State, event: Event, condition: str, resource: str | None) -> tuple[State, Case]:
        """The case that a sign belongs to: the open one, one that it opens again, or a new one."""
        case = state.latest(condition)
        if case is not None and case.state == "open" and "table" not in case.marks:
            return state, case
        now = instant(event.seen)
        if case is None or not self.reopens(case, now):
            return state.begin(condition, {"resource": resource} if resource else {})
        if "table" in case.marks:
            # What a table said gives way to the log.
            return state, Case(case.key, case.number, case.subject)
        if _is_same_episode(case, now):
            return state, case
        again = 0 if case.resolution == "config-changed" else 1
        return state, case.replace(episodes=case.episodes + again, phase=case.phase + 1)

    def _tabled(self, state: State, event: ClusterEvent) -> State:
        """A row of an events table tells of a case that the log may not show."""
        words = (event.message or "").split()
        resource = words[-1] if len(words) == 4 and words[:3] == ["Attempting", "to", "reclaim"] else None
        condition = condition_of(resource)
        case = state.latest(condition)
        first, last = _row_times(state.memory, event)
        if case is None:
            if last is None and state.numbers.get(condition):
                return state
            state, case = state.begin(condition, {"resource": resource} if resource else {})
            case = case.replace(marks={"table": 1})
        if "table" not in case.marks:
            return state
        case = case.said(event, f"Events table: kubelet attempts to reclaim {resource or 'a resource'}", "table")
        if first is not None and (case.opened is None or first.us < case.opened.us):
            case = case.replace(opened=first)
        if last is not None and (case.last is None or last.us > case.last.us):
            case = case.replace(last=last)
        return state.put(case)

    def _restarted(self, state: State, event: Event) -> State:
        """A start of the kubelet: a step of the cases that it falls into, and an end where it changed the threshold."""
        memory: Kubelet = state.memory
        start = memory.start_of(event)
        if start is None:
            return state
        is_last, previous = start is memory.starts[-1], memory.configured(start)
        for case in state.cases:
            again = any(step.id == _start_id(start) for step in case.steps)
            if not again and not (case.is_open if is_last else _spans(case, start)):
                continue
            if not again and is_last:
                case = case.replace(phase=case.phase + 1)
            case = _with_start(case, event, start)
            if is_last:
                case = case.replace(marks={**case.marks, "start": start.number} | _started_us(start))
                if case.is_open and previous is not None and start.thresholds is not None and eased(case, previous, start):
                    case = case.close("mitigated", "config-changed", instant(event.seen))
            state = state.put(case)
        return state


class _Sign(NamedTuple):
    """What an event says of a case: which (None: the one that was last spoken of), and the step that it is."""

    condition: str | None
    text: str
    about: str
    critical: bool


@functools.lru_cache(256)
def _sign(kind: type[Event], what: str | None) -> _Sign:
    """The sign that an event of a kind is, by the resource or condition that it names."""
    if kind is PodAdmissionRejected:
        return _Sign(what, f"Pods are rejected: the node has {what}", what or "", True)
    if kind is EvictionReclaimAttempted:
        return _Sign(condition_of(what), f"Kubelet begins to reclaim {what or 'a resource'}", what or "", False)
    if kind is EvictionPodsRequired:
        text = f"Deleting dead containers and images was not enough: pods must be evicted to reclaim {what or 'it'}"
        return _Sign(condition_of(what), text, what or "", True)
    text, critical = _SAID[kind]
    return _Sign(None, text, "", critical)


def _passed_over(marks: dict[str, int], pod: PodRef | None) -> dict[str, int]:
    """With a critical pod that was passed over."""
    name = "" if pod is None else f"{pod.namespace or ''}/{pod.name}"[:300]
    known = sum(1 for mark in marks if mark.startswith(CRITICAL))
    return marks if not name or known >= _MOST_CRITICAL else {**marks, f"{CRITICAL}{name}": 1}


def _start_id(start: Start) -> str:
    return f"KubeletStarted-{start.number}"


def _with_start(case: Case, event: Event, start: Start) -> Case:
    """The step of a start; systemd's line and the kubelet's Node Config are one."""
    known = next((step for step in case.steps if step.id == _start_id(start)), None)
    if start.listed:
        text = "Kubelet is restarted (systemctl status tells it; the log does not show it)"
    elif start.thresholds is None:
        text = "Kubelet is restarted"
    else:
        text = "Kubelet is restarted with " + (", ".join(start.flags) or "no eviction threshold at all")
    times = [one for one in (start.time, instant(event.seen), known.last if known else None) if one is not None]
    last = max(times, key=lambda one: one.us, default=None)
    step = Step(_start_id(start), start.time, "KubeletStarted", text, 1, start.time, last, start.evidence)
    return case.replace(steps=with_step(case.steps, step))


def _started_us(start: Start) -> dict[str, int]:
    return {} if start.time is None else {"started_us": start.time.us}


def _spans(case: Case, start: Start) -> bool:
    """Whether a start that is told too late falls into a case."""
    if start.time is None or case.opened is None or start.time.us < case.opened.us:
        return False
    return case.closed is None or start.time.us <= case.closed.us


def _is_starting(memory: Kubelet, now: Instant) -> bool:
    return any(start.time is not None and 0 <= now.us - start.time.us < _START_US for start in memory.starts)


def _is_same_episode(case: Case, now: Instant | None) -> bool:
    """Reclaiming was enough, but the condition stands until the transition period is over: what comes until then is one with it."""
    return (
        case.resolution == "recovered" and case.closed is not None and now is not None and now.us - case.closed.us < _TRANSITION_US
    )


def _row_times(memory: Kubelet, event: ClusterEvent) -> tuple[Instant | None, Instant | None]:
    row = memory.rows[-1] if memory.rows else None
    return (row.first, row.last) if row else (None, None)


def _last_us(case: Case) -> int:
    return case.last.us if case.last else -(1 << 62)
