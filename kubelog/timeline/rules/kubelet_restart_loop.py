"""KubeletRestartLoop: a kubelet ends with an error soon after its start, and is started again, again and again.

One case a node. An episode is a run that failed, however many lines tell of its end: the kubelet's last words, systemd's three. The
first failed run is remembered; the second within ten minutes makes an incident of both, and so does systemd where it gives up. What
an operator stops, or a boot ends, has not failed.
"""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec

from kubelog.message.vocabulary import (
    BootChanged,
    Event,
    JournalSuppressed,
    KubeletFailed,
    KubeletVersion,
    NodeConfig,
    PanicObserved,
    UnitExited,
    UnitFailed,
    UnitRestartScheduled,
    UnitStarted,
    UnitStopping,
)
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Evidence, Gap, evidence, instant
from kubelog.timeline.kubelet import TELLING, Kubelet
from kubelog.timeline.rules import Explanation, Rule, State
from kubelog.timeline.rules.kubelet_restart_words import STEPS, cause_of, explain
from kubelog.timeline.rules.node_pressure_words import dropped_lines, lost

KEY: Final = "kubelet"
# What is said of one end lies closer together; the quickest restart (RestartSec=) is later than that.
_ONE_END_US: Final = 90_000
_SECOND_US: Final = 1_000_000
# Runs that end further apart are no loop.
_APART_US: Final = 600_000_000
# So long after systemd was asked to stop it, its end is no failure.
_STOPPING_US: Final = 120_000_000
# Ends that are none: systemd counts these as clean.
_CLEAN: Final = ("0/SUCCESS", "1/HUP", "2/INT", "13/PIPE", "15/TERM")
_ENDS: Final = (KubeletFailed, PanicObserved, UnitExited, UnitFailed, UnitRestartScheduled)


class Words(msgspec.Struct, frozen=True, gc=False):
    """A kubelet's last words of one cause, the latest."""

    cause: str
    error: str
    evidence: tuple[Evidence, ...]


class Runs(msgspec.Struct, frozen=True, gc=False):
    """What is known of the kubelet's runs on a node; never changed in place."""

    kubelet: Kubelet = msgspec.field(default_factory=Kubelet)
    first: Case | None = None  # a failed run that may be the first of a loop
    end_us: int | None = None  # when the last run failed; None where one runs that was seen to start, or nothing is known
    said: tuple[str, ...] = ()  # the kinds of events that told of that end
    pids: tuple[int, ...] = ()  # the processes that told of their end last
    cause: str | None = None  # of that end
    stopping_us: int | None = None  # when systemd was asked to stop it
    stopped_us: int | None = None  # the last time that this was so, and that it was started since
    restarts: int | None = None  # systemd's counter
    counted: Evidence | None = None
    words: tuple[Words, ...] = ()  # by cause

    def replace(self, **what: object) -> Runs:
        return msgspec.structs.replace(self, **what)


class KubeletRestartLoop(Rule):
    """See the module."""

    kind = "KubeletRestartLoop"
    opens = extends = frozenset(_ENDS)
    kinds: ClassVar[frozenset[str]] = frozenset(
        cls.__name__ for cls in (*_ENDS, UnitStarted, UnitStopping, BootChanged, KubeletVersion, NodeConfig, JournalSuppressed)
    )
    quiet_us = _APART_US
    reopen_us = 1_800_000_000
    memory = Runs

    def apply(self, state: State, event: Event, node: str | None) -> State:
        memory: Runs = state.memory
        if type(event) in TELLING and memory.kubelet.told(event) is not memory.kubelet:
            memory = memory.replace(kubelet=memory.kubelet.told(event))
            state = msgspec.structs.replace(state, memory=memory)
        us = event.seen.time_us
        if isinstance(event, BootChanged):
            return msgspec.structs.replace(state, memory=memory.replace(end_us=None, said=(), stopping_us=None))
        if us is None or not _is_kubelet(event):
            return state
        if isinstance(event, _ENDS):
            return self._ended(state, event, us)
        match event:
            case UnitStopping():
                state = msgspec.structs.replace(state, memory=memory.replace(stopping_us=us, end_us=None, said=()))
                case = state.latest(KEY)
                return state if case is None or not case.is_open else state.put(case.said(event, STEPS["UnitStopping"]))
            case UnitStarted() if event.seen.unit is not None:
                return self._started(state, event, us)
            # systemd's lines may tell whole seconds only: what the kubelet said in that second stands behind them.
            case KubeletVersion() if memory.end_us is None or us - memory.end_us > _SECOND_US:
                return self._started(state, event, us)
        return state

    def _started(self, state: State, event: UnitStarted | KubeletVersion, us: int) -> State:
        memory: Runs = state.memory
        case, was_down = state.latest(KEY), memory.end_us is not None or memory.stopping_us is not None
        asked = memory.stopping_us if memory.stopping_us is not None else memory.stopped_us
        memory = memory.replace(end_us=None, said=(), cause=None, stopping_us=None, stopped_us=asked)
        state = msgspec.structs.replace(state, memory=memory)
        if not was_down:
            return state
        if case is not None and case.is_open:
            marks = (
                {**case.marks, "asked": 1} if asked is not None and case.last is not None and asked >= case.last.us else case.marks
            )
            return state.put(case.said(event, STEPS["UnitStarted"], "start").replace(marks=marks))
        if memory.first is not None:
            first = memory.first.said(event, STEPS["UnitStarted"], "start")
            return msgspec.structs.replace(state, memory=memory.replace(first=first))
        return state

    def _ended(self, state: State, event: Event, us: int) -> State:
        """A line that tells of a failed run: of one more, or of that of which the line before told."""
        memory: Runs = state.memory
        if _is_clean(event) or (memory.stopping_us is not None and us - memory.stopping_us <= _STOPPING_US):
            return state
        is_new = _is_new(memory, event, us)
        cause, error = cause_of(event)
        known = None if is_new else memory.cause
        changes: dict[str, object] = {"end_us": us, "stopping_us": None}
        changes["said"] = (event.kind,) if is_new else tuple(dict.fromkeys((*memory.said, event.kind)))
        if isinstance(event, KubeletFailed | PanicObserved) and event.seen.pid is not None:
            changes["pids"] = (*memory.pids, event.seen.pid)[-4:]
        is_cause = cause is not None and (known is None or (known == "other" and cause != "other"))
        changes["cause"] = cause if is_cause else known
        if cause is not None and error:
            proof = next((one.evidence for one in memory.words if one.cause == cause), ())
            words = Words(cause, error, (*proof, evidence(event)) if len(proof) < 10 else (*proof[:9], evidence(event)))
            changes["words"] = (*(one for one in memory.words if one.cause != cause), words)[-16:]
        if isinstance(event, UnitRestartScheduled) and event.restarts is not None:
            changes |= {"restarts": event.restarts, "counted": evidence(event)}
        memory = memory.replace(**changes)
        state = msgspec.structs.replace(state, memory=memory)
        case = state.latest(KEY)
        if case is not None and not self.reopens(case, instant(event.seen)):
            case = None
        about, text = _step(event, cause)
        if case is not None and (case.is_open or is_new):
            if not case.is_open:
                case = case.replace(phase=case.phase + 1)
            case = case.goes_on(event, text, about, critical=case.episodes + is_new > 1)
            return state.put(_told(case, is_new, cause if is_cause else None, None if is_new else known))
        first = memory.first
        if first is None or is_new:
            begun = first if first is not None and first.last is not None and us - first.last.us <= _APART_US else None
            one = _told(
                (begun or Case(KEY, 0, {}, episodes=0)).goes_on(event, text, about), True, cause if is_cause else None, None
            )
        else:
            one = _told(first.goes_on(event, text, about), False, cause if is_cause else None, known)
        gives_up = isinstance(event, UnitFailed) and event.result == "start-limit-hit"
        if one.episodes < 2 and not gives_up:
            return msgspec.structs.replace(state, memory=memory.replace(first=one))
        state, case = state.begin(KEY, {"unit": "kubelet"})
        state = msgspec.structs.replace(state, memory=memory.replace(first=None))
        return state.put(one.replace(number=case.number, subject=case.subject, severity="critical"))

    def quiet(self, case: Case) -> Case:
        """Where the last that was seen is a start, the kubelet has run since."""
        starts = [
            step.last for step in case.steps if step.id.startswith(("UnitStarted:", "KubeletVersion:")) and step.last is not None
        ]
        last = max(starts, key=lambda one: one.us, default=None)
        if case.last is None or last is None or last.us < case.last.us:
            return case.close("resolved", "quiet", case.last)
        return case.close("resolved", "restarted" if "asked" in case.marks else "recovered", last)

    def explain(self, case: Case, memory: Runs, node: str | None) -> Explanation:
        words = {one.cause: (one.error, one.evidence) for one in memory.words}
        return explain(case, memory.kubelet, words, memory.restarts, memory.counted, node)

    def gaps(self, case: Case, memory: Runs, node: str | None) -> tuple[Gap, ...]:
        dropped = (Gap(one.begin, one.time, node, "suppressed", dropped_lines(one.count)) for one in lost(case, memory.kubelet))
        return (*super().gaps(case, memory, node), *dropped)


def _is_kubelet(event: Event) -> bool:
    """Whether it is said of the kubelet: by systemd of its unit, or by itself."""
    if isinstance(event, PanicObserved | KubeletFailed | KubeletVersion):
        return event.seen.unit in (None, "kubelet", "hyperkube")
    return getattr(event, "unit", None) == "kubelet"


def _is_clean(event: Event) -> bool:
    return isinstance(event, UnitExited) and event.status in _CLEAN


def _is_new(memory: Runs, event: Event, us: int) -> bool:
    """Whether it tells of another end than what was said before."""
    if memory.end_us is None:
        return True
    if isinstance(event, KubeletFailed | PanicObserved) and event.seen.pid is not None and memory.pids:
        if event.seen.pid in memory.pids:
            return False
        if any(kind in memory.said for kind in ("KubeletFailed", "PanicObserved")):
            return True
    if isinstance(event, UnitFailed) and (event.result == "start-limit-hit" or "UnitRestartScheduled" in memory.said):
        return False  # it was not even started
    if event.kind in memory.said and event.kind != "KubeletFailed":
        return us - memory.end_us > _ONE_END_US
    return False


def _told(case: Case, is_new: bool, cause: str | None, instead: str | None) -> Case:
    """With one more run that failed, and why."""
    marks = dict(case.marks)
    if cause is not None:
        if instead is not None:
            marks[f"cause {instead}"] = marks.get(f"cause {instead}", 0) - 1
        marks[f"cause {cause}"] = marks.get(f"cause {cause}", 0) + 1
        marks[f"latest {cause}"] = case.episodes + is_new
    return case.replace(episodes=case.episodes + is_new, marks=marks)


def _step(event: Event, cause: str | None) -> tuple[str, str]:
    """What keeps its steps apart, and the text of a step."""
    if isinstance(event, KubeletFailed | PanicObserved):
        return cause or "", STEPS[cause or "other"]
    if isinstance(event, UnitFailed) and event.result == "start-limit-hit":
        return "start-limit-hit", STEPS["start-limit-hit"]
    return "", STEPS[event.kind]
