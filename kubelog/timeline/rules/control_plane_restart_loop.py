"""ControlPlaneRestartLoop: a static pod of the control plane is killed, or dies, again and again.

One case a container. What may become one is remembered until it is: failed liveness or startup probes, then a first kill. A case
opens with the first failed probe of the run that led to the kill, once it is clear what it is: at once where the probe was refused
(401, 403: no restart can help), else with the second kill, or when the kubelet holds the container back. A container that is
stopped though no probe failed (a new manifest, an upgrade) opens none. Episodes are kills; follow-ons are told from the first kill
on, while the container is down or has just come up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import msgspec

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.api import (
    AnonymousDenied,
    ApiConnectionFailed,
    LeaseUpdateFailed,
    NodeNotFound,
    NodeStatusUpdateFailed,
    asked,
)
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.eviction import EvictionStatsFailed
from kubelog.message.vocabulary.evidence import ClusterEvent
from kubelog.message.vocabulary.host import JournalSuppressed, LineCut, UnitStarted
from kubelog.message.vocabulary.pod import (
    ContainerBackOff,
    ContainerDied,
    ContainerKilled,
    ContainerStarted,
    ContainerUnhealthy,
    ProbeConfigured,
    ProbeFailed,
)
from kubelog.message.vocabulary.start import KubeletVersion, NodeConfig
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Gap, Step, evidence, with_step
from kubelog.timeline.rules import Drafts, Explanation, Rule, State
from kubelog.timeline.rules.control_plane_memory import (
    RANKS,
    UNDER_WAY_US,
    ControlPlane,
    Watch,
    apart_us,
    checks_of,
    gone_down,
    has_lived,
    is_stale,
    outcome_of,
    port_of,
    url_of,
    us_of,
    watch_of,
    watch_of_id,
)
from kubelog.timeline.rules.control_plane_words import DENIED, explain, failed, is_denied
from kubelog.timeline.words import suppressed

# So long after it is up again clients may still complain: they wait ever longer between two tries.
_CATCHING_UP_US: Final = 120_000_000
# What was stopped for longer than this is not on its way back: its new image would have been pulled.
_UPGRADE_US: Final = 600_000_000
_FOLLOWS: Final[dict[type[Event], str]] = {
    ApiConnectionFailed: "Follows from it: requests to the API server do not get through",
    NodeNotFound: "Follows from it: the kubelet, which cannot ask the API server, does not find its own node",
    EvictionStatsFailed: "Follows from it: the kubelet cannot look at its thresholds, as it does not find its own node",
    NodeStatusUpdateFailed: "Follows from it: the node's status is not updated",
    LeaseUpdateFailed: "Follows from it: the node's lease is not renewed",
}
# Errors of a request that reached a server, or that could reach none for another reason.
_OTHER_ERRORS: Final = ("x509", "certificate", "Unauthorized", "orbidden", "no such host", "no route to host", "malformed HTTP")
_PODS: Final = tuple(f"{component}-" for component in RANKS)
_SAID: Final[dict[type[Event], str]] = {
    ContainerUnhealthy: "The probe failed as often as it may: the container is to be restarted",
    ContainerKilled: "The kubelet kills the container",
    ContainerDied: "The container ends",
    ContainerBackOff: "The container is not started again for a while (CrashLoopBackOff)",
    ContainerStarted: "The container is started again",
}
# The same of what cannot do without it.
_OTHERS: Final[dict[type[Event], str]] = {
    ContainerUnhealthy: "is to be restarted",
    ContainerKilled: "is killed",
    ContainerDied: "ends",
    ContainerBackOff: "is not started again for a while",
}


class ControlPlaneRestartLoop(Rule):
    """See the module."""

    kind = "ControlPlaneRestartLoop"
    opens = frozenset({ProbeFailed, ContainerUnhealthy, ContainerKilled, ContainerDied, ContainerBackOff})
    extends = opens | frozenset(_FOLLOWS)
    closes = frozenset({ContainerStarted})  # once it has run for the quiet time
    explains = frozenset(
        {ProbeConfigured, AnonymousDenied, ClusterEvent, UnitStarted, NodeConfig, KubeletVersion, JournalSuppressed, LineCut}
    )
    # The names of its pods begin so.
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = dict.fromkeys(
        ("ProbeFailed", "ContainerUnhealthy", "ContainerDied", "ContainerBackOff", "ContainerStarted"),
        tuple(begin.encode() for begin in _PODS),
    )
    # The kubelet holds a container back for up to 5 min, and forgets its back-off when it has run for 10: a loop says something
    # sooner than every 15 min, what is more seldom is none.
    quiet_us = 900_000_000
    reopen_us = 1_800_000_000
    memory = ControlPlane
    picks: ClassVar[frozenset[type[Event]]] = frozenset({ProbeFailed, ContainerDied, ContainerBackOff, ContainerStarted})
    signs: ClassVar[frozenset[type[Event]]] = frozenset(_FOLLOWS)
    idle: ClassVar[frozenset[type[Event]]] = frozenset(_FOLLOWS)

    def concerns(self, event: Event) -> bool:
        pod: PodRef | None = getattr(event, "pod", None)
        return pod is not None and pod.namespace == "kube-system" and pod.name.startswith(_PODS)

    def is_idle(self, state: State, event: Event) -> bool:
        return not state.kept and not state.memory.watches

    def apply(self, state: State, event: Event, node: str | None) -> State:
        match event:
            case ProbeFailed():
                return self._failed(state, event, node)
            case ContainerUnhealthy() | ContainerKilled() | ContainerDied() | ContainerBackOff():
                return self._down(state, event, node)
            case ContainerStarted():
                return self._started(state, event, node)
            case _ if type(event) in _FOLLOWS:
                return self._followed(state, event)
        memory: ControlPlane = state.memory
        told = memory.told(event)
        return state if told is memory else msgspec.structs.replace(state, memory=told)

    def gather(self, drafts: Drafts, event: Event) -> bool:
        case = _source(drafts.base, event)
        if case is None:
            return False
        draft = drafts.of(case.key)
        if draft is None:
            return False
        draft.say(event, _FOLLOWS[type(event)], "")
        drafts.touched.add(case.key)
        return True

    def quiet(self, case: Case) -> Case:
        """Where the last that was seen is a start, the container has run since."""
        starts = [step.last for step in case.steps if step.kind == "ContainerStarted" and step.last is not None]
        if case.last is None or not starts or starts[-1].us < case.last.us:
            return case.close("resolved", "quiet", case.last)
        changed = case.marks.get("changed_us", -(1 << 62)) >= case.last.us
        return case.close("resolved", "config-changed" if changed else "recovered", starts[-1])

    def explain(self, case: Case, memory: ControlPlane, node: str | None) -> Explanation:
        return explain(case, memory, node)

    def gaps(self, case: Case, memory: ControlPlane, node: str | None) -> tuple[Gap, ...]:
        return (*super().gaps(case, memory, node), *suppressed(case, memory.kubelet, node))

    def endpoints(self, case: Case, memory: ControlPlane) -> tuple[str, ...]:
        watch = memory.watch(case.key)
        endpoint = None if watch is None or watch.url is None else asked(watch.url)
        return () if endpoint is None else (endpoint,)

    # What happens to a container

    def _failed(self, state: State, event: ProbeFailed, node: str | None) -> State:
        """A probe failed: of an open case a step, else the begin of one that may come."""
        watch = watch_of(state.memory, event.pod, event.container, node)
        if watch is None:
            return state
        case, outcome = _open(state, watch), outcome_of(event.output)
        about, text = f"{event.probe} {outcome}", failed(event.probe or "", outcome)
        if event.probe not in ("Liveness", "Startup"):
            # It kills nothing; but where something else does, it says the same.
            return state if case is None else state.put(case.said(event, text, about))
        us = us_of(event, watch)
        if watch.down_us is not None and us - watch.down_us > UNDER_WAY_US:
            watch = watch.up(us)  # what does not run is not probed
        url = url_of(event.output)
        watch = msgspec.structs.replace(
            watch,
            failed_us=us,
            checks=tuple(dict.fromkeys((*watch.checks, *checks_of(event.output))))[:8],
            **({} if url is None or watch.url == url else {"url": url, "url_evidence": evidence(event)}),
        )
        source = None if case is not None or outcome in DENIED else _elder(state, watch)
        if source is not None:
            state = _with(state, msgspec.structs.replace(watch, run=None))
            return state.put(source.said(event, f"Follows from it: {watch.component} does not pass its probe", watch.component))
        if case is None:
            run = watch.run
            if run is None or self._is_broken(run, watch, state.memory, us):
                run = Case(watch.key, 0, {})
            watch = msgspec.structs.replace(watch, run=_counted(run.goes_on(event, text, about), outcome))
            return _with(state, watch)
        return _with(state, watch).put(_counted(case.goes_on(event, text, about), outcome))

    def _down(
        self, state: State, event: ContainerUnhealthy | ContainerKilled | ContainerDied | ContainerBackOff, node: str | None
    ) -> State:
        """A container is to be killed, is killed, died, or is held back: a kill, or one more sign of it."""
        if isinstance(event, ContainerDied):
            watch = watch_of(state.memory, event.pod, None, node)
        elif isinstance(event, ContainerKilled) and event.pod is None:
            watch = watch_of_id(state.memory, event)
            if watch is None:
                return msgspec.structs.replace(state, memory=state.memory.killed(event))
        else:
            watch = watch_of(state.memory, event.pod, event.container, node)
        if watch is None:
            return state
        us = us_of(event, watch)
        if isinstance(event, ContainerDied) and is_stale(state.memory, watch, event, us):
            return state
        again = watch.down_us is None or has_lived(watch, event, us)
        is_kill = isinstance(event, ContainerKilled) or (
            isinstance(event, ContainerDied) and event.container_id in state.memory.unknown
        )
        if again and is_kill and not self._is_failing(watch, state.memory, us):
            return self._stopped(state, watch, event, us)
        stopped = watch.stopped and not again
        watch = gone_down(watch, event, us, again, stopped)
        if stopped:
            return _with(state, watch)
        case = _open(state, watch)
        if case is None and not (watch.run and is_denied(watch.run)):
            source = _elder(state, watch)
            alone = _with(state, msgspec.structs.replace(watch, run=None))
            if source is not None:
                return alone.put(source.said(event, f"Follows from it: {watch.component} {_OTHERS[type(event)]}", watch.component))
            if _is_upgraded(state, watch, us):
                return alone
        text, held = _SAID[type(event)], isinstance(event, ContainerBackOff)
        if case is not None:
            case = case.goes_on(event, text, critical=held or (again and case.episodes > 0), pods=_new(case, watch.pod))
            return _with(state, watch).put(case.replace(episodes=case.episodes + again))
        run = watch.run
        if run is None or self._is_broken(run, watch, state.memory, us):
            run = Case(watch.key, 0, {})
        run = run.goes_on(event, text, critical=held or (again and "kills" in run.marks))
        run = _marked(run, "kills", int(again))
        watch = msgspec.structs.replace(watch, run=run)
        if held or run.marks.get("kills", 0) > 1 or is_denied(run):
            return self._confirm(state, watch, run)
        return _with(state, watch)

    def _confirm(self, state: State, watch: Watch, run: Case) -> State:
        """What was remembered is an incident: a new one, or one that is open again."""
        case = state.latest(watch.key)
        if case is None or not self.reopens(case, run.last):
            subject = {"namespace": watch.pod.namespace or "", "pod": watch.pod.name, "container": watch.container}
            state, case = state.begin(watch.key, subject)
            case = case.replace(episodes=0)
        state = _with(state, msgspec.structs.replace(watch, run=None))
        return state.put(_joined(case, run, watch))

    def _stopped(self, state: State, watch: Watch, event: Event, us: int) -> State:
        """The kubelet stops a container of which no probe failed: its pod was changed or removed."""
        case = _open(state, watch)
        watch = msgspec.structs.replace(gone_down(watch, event, us, again=True, stopped=True), stopped_us=us)
        if case is None:
            kills = watch.run is not None and "kills" in watch.run.marks
            return _with(state, watch if kills else msgspec.structs.replace(watch, run=None))
        case = case.said(event, "The kubelet stops the container, though no probe failed: its pod was changed", "changed")
        return _with(state, watch).put(case.replace(marks={**case.marks, "changed_us": us}))

    def _started(self, state: State, event: ContainerStarted, node: str | None) -> State:
        watch = watch_of(state.memory, event.pod, None, node)
        if watch is None or event.pod is None:
            return state
        us, known = us_of(event, watch), dict(watch.ids)
        if event.container_id in known or event.container_id in watch.dead:
            return state  # the kubelet was started again, and lists what runs
        case, was_down = _open(state, watch), watch.down_us is not None
        changed = event.pod.uid is not None and watch.pod.uid is not None and event.pod.uid != watch.pod.uid
        ids = (*watch.ids, (event.container_id or "", us))[-4:]
        watch = msgspec.structs.replace(watch.up(us), ids=ids, pod=event.pod if changed or watch.pod.uid is None else watch.pod)
        state = _with(state, watch)
        if case is None:
            run = watch.run
            if run is None or not was_down or "kills" not in run.marks:
                return state
            return _with(state, msgspec.structs.replace(watch, run=run.said(event, _SAID[ContainerStarted])))
        if changed:
            case = case.replace(marks={**case.marks, "changed_us": us})
        return state.put(case.said(event, _SAID[ContainerStarted]) if was_down else case)

    def _followed(self, state: State, event: Event) -> State:
        """What cannot go on without the API server."""
        case = _source(state, event)
        if case is not None:
            return state.put(case.said(event, _FOLLOWS[type(event)]))
        # Before it is an incident: what follows from the first kill.
        watch = _broken_server(state, event)
        if watch is None or watch.run is None or "kills" not in watch.run.marks:
            return state
        return _with(state, msgspec.structs.replace(watch, run=watch.run.said(event, _FOLLOWS[type(event)])))

    def _is_failing(self, watch: Watch, memory: ControlPlane, us: int) -> bool:
        """Whether a probe of it failed just now."""
        return watch.failed_us is not None and us - watch.failed_us <= apart_us(watch, memory)

    def _is_broken(self, run: Case, watch: Watch, memory: ControlPlane, us: int) -> bool:
        """Whether what was remembered has no more to do with what comes."""
        if run.last is None:
            return True
        if "kills" in run.marks:
            return us - run.last.us > self.quiet_us
        return us - run.last.us > apart_us(watch, memory) or (watch.up_us is not None and watch.up_us > run.last.us)


def _with(state: State, watch: Watch) -> State:
    memory: ControlPlane = state.memory
    return msgspec.structs.replace(state, memory=memory.put(watch))


def _open(state: State, watch: Watch) -> Case | None:
    case = state.latest(watch.key)
    return case if case is not None and case.is_open else None


# Cases


def _marked(case: Case, name: str, by: int) -> Case:
    return case.replace(marks={**case.marks, name: case.marks.get(name, 0) + by})


def _counted(case: Case, outcome: str) -> Case:
    """With what a probe was told."""
    return _marked(case, f"probe {outcome}", 1)


def _new(case: Case, pod: PodRef) -> tuple[PodRef, ...]:
    """The pod, if the case does not know it by its name: some messages give its id, others do not."""
    return () if any(one.name == pod.name for one in case.pods) else (pod,)


def _joined(case: Case, run: Case, watch: Watch) -> Case:
    """A case with what was remembered before it was one; its steps are a phase of their own."""
    kills, marks, phase = run.marks.get("kills", 0), dict(case.marks), case.phase + bool(case.steps)
    steps, counts = case.steps, dict(case.counts)
    for step in run.steps:
        stem = step.id.rpartition("-")[0]
        number = marks.get(f"number {stem}", 0) + 1
        marks |= {f"number {stem}": number, f"phase {stem}": phase}
        steps = with_step(steps, Step(f"{stem}-{number}", *(getattr(step, name) for name in step.__struct_fields__[1:])))
    for name, number in run.marks.items():
        if name.startswith("probe "):
            marks[name] = marks.get(name, 0) + number
    for kind, number in run.counts.items():
        counts[kind] = counts.get(kind, 0) + number
    opened = case.opened if case.opened is not None and run.opened is not None and case.opened.us <= run.opened.us else run.opened
    is_later = case.last is None or (run.last is not None and run.last.us > case.last.us)
    return case.replace(
        state="open", resolution=None, closed=None, opened=opened, last=run.last if is_later else case.last, steps=steps,
        counts=counts, marks=marks, phase=phase, episodes=max(case.episodes + kills, 1),
        severity="critical" if "critical" in (case.severity, run.severity) or case.episodes + kills > 1 else "warning",
    ).hit(_new(case, watch.pod))  # fmt: skip


def _elder(state: State, watch: Watch) -> Case | None:
    """The open case of what a component cannot do without."""
    memory: ControlPlane = state.memory
    ranks = {case.key: RANKS[one.component] for case in state.cases if case.is_open and (one := memory.watch(case.key)) is not None}
    key = min(ranks, key=lambda key: (ranks[key], key), default=None)
    return state.latest(key) if key is not None and ranks[key] < RANKS[watch.component] else None


def _is_upgraded(state: State, watch: Watch, us: int) -> bool:
    """Whether what a component cannot do without was stopped by no probe: until that is back it ends too, once or twice."""
    memory: ControlPlane = state.memory
    for one in memory.watches:
        if one.stopped_us is None or RANKS[one.component] >= RANKS[watch.component]:
            continue
        if us - one.stopped_us < _UPGRADE_US if one.stopped else us - (one.up_us or one.stopped_us) < _CATCHING_UP_US:
            return True
    return False


def _source(state: State, event: Event) -> Case | None:
    """The open case that an event follows from."""
    watch = _broken_server(state, event)
    return None if watch is None else _open(state, watch)


def _broken_server(state: State, event: Event) -> Watch | None:
    """The API server or etcd, where it is down, or has just come up, and what an event tells can follow from that."""
    memory: ControlPlane = state.memory
    if not memory.watches:
        return None
    error = getattr(event, "error", None) or ""
    if any(word in error for word in _OTHER_ERRORS) or (isinstance(event, EvictionStatsFailed) and "not found" not in error):
        return None
    us = event.seen.time_us
    found = [
        watch
        for watch in memory.watches
        if RANKS[watch.component] < 2 and _is_down(watch, us) and (watch.run is not None or _open(state, watch) is not None)
    ]
    if isinstance(event, ApiConnectionFailed):
        port = port_of(event.endpoint)
        found = [one for one in found if one.component == "etcd" or port is None or _port(memory, one) in (None, port)]
    return max(found, key=lambda one: (_open(state, one) is not None, RANKS[one.component]), default=None)


def _port(memory: ControlPlane, watch: Watch) -> str | None:
    probe = memory.probe_of(watch)
    return port_of(watch.url) or (port_of(probe.url) if probe is not None else None)


def _is_down(watch: Watch, us: int | None) -> bool:
    return watch.down_us is not None or us is None or (watch.up_us is not None and us - watch.up_us < _CATCHING_UP_US)
