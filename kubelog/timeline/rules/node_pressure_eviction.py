"""NodePressureEviction: a threshold is crossed, the kubelet reclaims, evicts, and turns pods away.

One case a node condition (DiskPressure, MemoryPressure, PIDPressure). It opens with the first attempt to reclaim (or the first
rejected pod where the log begins later), goes on with every sign of the eviction manager, which repeats every 10 s while the
threshold is crossed, and closes when the condition clears, when reclaiming was enough, when a restart changed the threshold, or
when a log that goes on has been quiet for 10 minutes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Final

from kubelog.ingest.clock import local_text
from kubelog.klog.values import PodRef
from kubelog.message.vocabulary import (
    ClusterEvent,
    Event,
    EvictionCriticalPodSkipped,
    EvictionFailed,
    EvictionNoActivePods,
    EvictionPodEvicted,
    EvictionPodsCleaned,
    EvictionPodsRanked,
    EvictionPodsRequired,
    EvictionReclaimAttempted,
    EvictionReclaimed,
    EvictionCleanupTimedOut,
    FilesystemUsage,
    KubeletFlags,
    KubeletVersion,
    NodeConditionChanged,
    NodeConfig,
    PodAdmissionRejected,
    Seen,
    UnitStarted,
)
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Instant, Step, instant, with_step
from kubelog.timeline.kubelet import Kubelet, Start
from kubelog.timeline.rules import Explanation, Rule, State
from kubelog.timeline.rules.node_pressure_words import condition_of, eased, explain

# A kubelet that starts reports the conditions that it has not looked at yet.
_START_US: Final = 30_000_000
_MAX_HOLES: Final = 100
_PRESSURES: Final = ("DiskPressure", "MemoryPressure", "PIDPressure")


class NodePressureEviction(Rule):
    """See the module."""

    kind = "NodePressureEviction"
    kinds: ClassVar[frozenset[str]] = frozenset(
        cls.__name__
        for cls in (
            EvictionReclaimAttempted, EvictionReclaimed, EvictionPodsRequired, EvictionPodsRanked, EvictionPodEvicted,
            EvictionPodsCleaned, EvictionCleanupTimedOut, EvictionNoActivePods, EvictionFailed, EvictionCriticalPodSkipped,
            PodAdmissionRejected, NodeConditionChanged, NodeConfig, UnitStarted, KubeletVersion, KubeletFlags, ClusterEvent,
            FilesystemUsage,
        )
    )  # fmt: skip
    memory = Kubelet

    def apply(self, state: State, event: Event, node: str | None) -> State:
        before: Kubelet = state.memory
        after = before.told(event)
        if after is not before:
            state = _with_memory(state, after)
        match event:
            case UnitStarted(unit="kubelet") | NodeConfig():
                return self._restarted(state, event, before)
            case ClusterEvent(reason="EvictionThresholdMet"):
                return self._tabled(state, event)
            case EvictionReclaimAttempted(resource=resource):
                return self._sign(state, event, resource, f"Kubelet begins to reclaim {resource or 'a resource'}", fresh=True)
            case EvictionReclaimed(resource=resource):
                return self._reclaimed(state, event, resource)
            case EvictionPodsRequired(resource=resource):
                text = f"Deleting dead containers and images was not enough: pods must be evicted to reclaim {resource or 'it'}"
                return self._sign(state, event, resource, text, critical=True)
            case EvictionNoActivePods():
                return self._goes_on(state, event, "No pod is left to evict, though the threshold is still crossed", critical=True)
            case EvictionPodsRanked():
                return self._goes_on(state, event, "Pods are ranked for eviction")
            case EvictionPodEvicted(pod=pod):
                return self._goes_on(state, event, "Pods are evicted", pod, critical=True)
            case EvictionPodsCleaned(pods=pods):
                return self._goes_on(state, event, "Evicted pods are cleaned up", *(pods or ()))
            case EvictionCleanupTimedOut(pods=pods):
                return self._goes_on(
                    state, event, "Evicted pods are not gone after 30 s: nothing is freed yet", *(pods or ()), critical=True
                )
            case EvictionFailed():
                return self._goes_on(state, event, "None of the ranked pods could be evicted", critical=True)
            case EvictionCriticalPodSkipped():
                return self._goes_on(state, event, "A critical pod is passed over", critical=True)
            case PodAdmissionRejected(pod=pod, conditions=conditions):
                for condition in conditions or ():
                    if condition in _PRESSURES:
                        state = self._rejected(state, event, condition, pod)
            case NodeConditionChanged(condition=condition, status=status) if condition in _PRESSURES:
                return self._reported(state, event, condition, bool(status))
        return state

    def quiet(self, case: Case) -> Case:
        """After a restart, silence is the restart's work."""
        started = case.marks.get("started_us")
        restarted = started is not None and case.last is not None and started >= case.last.us
        return case.close("resolved", "restarted" if restarted else "quiet", case.last)

    def explain(self, case: Case, memory: Kubelet, node: str | None) -> Explanation:
        return explain(case, memory, node)

    def _sign(
        self, state: State, event: Event, resource: str | None, text: str, *, fresh: bool = False, critical: bool = False
    ) -> State:
        """A sign that names its resource; a fresh one begins an episode where none is open."""
        condition = condition_of(resource)
        state, case = self._case(state, event, condition, resource, fresh)
        if not case.subject.get("resource") and resource:
            case = case.replace(subject={"resource": resource})
        case = _continued(case, event).said(event, text, resource or "").sign(event)
        return state.put(_escalated(case, critical))

    def _goes_on(self, state: State, event: Event, text: str, *pods: PodRef | None, critical: bool = False) -> State:
        """A sign that names no resource belongs to the case that was last spoken of."""
        open_ = [case for case in state.cases if case.is_open] or [
            case for case in state.cases if self.reopens(case, instant(event.seen))
        ]
        condition = max(open_, key=_last_us).key if open_ else "DiskPressure"
        state, case = self._case(state, event, condition, None, False)
        case = _continued(case, event).said(event, text).sign(event).hit(*pods)
        return state.put(_escalated(case, critical))

    def _rejected(self, state: State, event: Event, condition: str, pod: PodRef | None) -> State:
        state, case = self._case(state, event, condition, None, False)
        case = _continued(case, event).said(event, f"Pods are rejected: the node has {condition}", condition).sign(event).hit(pod)
        return state.put(_escalated(case, True))

    def _reported(self, state: State, event: Event, condition: str, status: bool) -> State:
        if status:
            state, case = self._case(state, event, condition, None, False)
            return state.put(_continued(case, event).said(event, f"Node reports {condition}", "begins").sign(event))
        case, now = state.latest(condition), instant(event.seen)
        if case is None or not case.is_open or now is None:
            return state
        started = case.marks.get("started_us")
        if started is not None and now.us - started < _START_US:
            return state
        case = case.said(event, f"Node reports that {condition} is over", "ends")
        return state.put(case.close("resolved", "condition-cleared", now))

    def _reclaimed(self, state: State, event: Event, resource: str | None) -> State:
        case = state.latest(condition_of(resource))
        if case is None or not case.is_open:
            return state
        case = case.said(event, f"{resource or 'The resource'} is reclaimed without evicting a pod", resource or "")
        return state.put(case.close("resolved", "recovered", instant(event.seen)))

    def _case(self, state: State, event: Event, condition: str, resource: str | None, fresh: bool) -> tuple[State, Case]:
        """The case that a sign belongs to: the open one, one that it opens again, or a new one."""
        case = state.latest(condition)
        if case is None or not self.reopens(case, instant(event.seen)):
            return state.begin(condition, {"resource": resource} if resource else {})
        if not case.is_open and fresh:
            case = case.replace(episodes=case.episodes + 1, phase=case.phase + 1)
        return state, case

    def _tabled(self, state: State, event: ClusterEvent) -> State:
        """A row of an events table tells of a case that the log may not show."""
        words = (event.message or "").split()
        resource = words[-1] if len(words) == 4 and words[:3] == ["Attempting", "to", "reclaim"] else None
        condition = condition_of(resource)
        case = state.latest(condition)
        if case is None:
            state, case = state.begin(condition, {"resource": resource} if resource else {})
            case = case.replace(marks={"table": 1}, episodes=1)
        if "table" not in case.marks:
            return state
        case = case.said(event, f"Events table: kubelet attempts to reclaim {resource or 'a resource'}", "table")
        first, last = state.memory.rows[-1].first, state.memory.rows[-1].last
        if first is not None and (case.opened is None or first.us < case.opened.us):
            case = case.replace(opened=first)
        if last is not None and (case.last is None or last.us > case.last.us):
            case = case.replace(last=last)
        return state.put(case)

    def _restarted(self, state: State, event: Event, before: Kubelet) -> State:
        """A start of the kubelet: a step of every open case, and an end where it changed the threshold."""
        start: Start | None = state.memory.start
        if start is None:
            return state
        previous = state.memory.configured(start.number)
        for case in state.cases:
            again = case.marks.get("start") == start.number
            if not case.is_open and not again:
                continue
            if not again:
                case = _with_hole(case, event).replace(phase=case.phase + 1)
            case = _with_start(case, event, start)
            if case.is_open and previous is not None and start.thresholds is not None and eased(case, previous, start):
                case = case.close("mitigated", "config-changed", instant(event.seen))
            state = state.put(case)
        return state


def _with_memory(state: State, memory: Kubelet) -> State:
    return State(state.cases, state.numbers, memory)


def _with_start(case: Case, event: Event, start: Start) -> Case:
    """The step of a start; systemd's line and the kubelet's Node Config are one."""
    id_ = f"KubeletStarted-{start.number}"
    known = next((step for step in case.steps if step.id == id_), None)
    flags = start.flags
    if start.thresholds is None:
        text = "Kubelet is restarted"
    else:
        text = "Kubelet is restarted with " + (", ".join(flags) if flags else "no eviction threshold at all")
    now = instant(event.seen)
    first = known.first if known else start.time
    step = Step(id_, start.time, "KubeletStarted", text, 1, first, now, start.evidence)
    marks = {**case.marks, "start": start.number}
    if now is not None:
        marks["started_us"] = now.us
    return case.replace(steps=with_step(case.steps, step), marks=marks)


def _continued(case: Case, event: Event) -> Case:
    """A case at its next sign: what a table said gives way to the log, and a hole in the log is kept."""
    if "table" not in case.marks:
        return _with_hole(case, event)
    steps = tuple(step for step in case.steps if step.kind != "ClusterEvent")
    counts = {kind: n for kind, n in case.counts.items() if kind != "ClusterEvent"}
    marks = {name: value for name, value in case.marks.items() if name != "table"}
    return case.replace(steps=steps, counts=counts, opened=None, last=None, marks=marks)


def _with_hole(case: Case, event: Event) -> Case:
    """An open case keeps the stretches of which the log tells nothing."""
    seen, heard = event.seen, event.seen.heard
    if heard is None or heard.before_us is None or seen.time_us is None or not case.is_open or case.opened is None:
        return case
    start, end = _moved(seen, heard.before_us), _moved(seen, heard.run_us)
    if start.us < case.opened.us or (start, end) in case.holes or len(case.holes) >= _MAX_HOLES:
        return case
    return case.replace(holes=(*case.holes, (start, end)))


def _moved(seen: Seen, us: int) -> Instant:
    """Another time on the clock of an event."""
    if seen.time is None or seen.time_us is None:
        return Instant(us, None, local_text(us))
    return Instant(us, seen.time + timedelta(microseconds=us - seen.time_us))


def _escalated(case: Case, critical: bool) -> Case:
    return case.replace(severity="critical") if critical and case.severity != "critical" else case


def _last_us(case: Case) -> int:
    return case.last.us if case.last else -(1 << 62)
