"""KubeletRestartLoop: the kubelet ends with an error and is started again, again and again.

One case a node. A run of the kubelet ends in several lines (its last words, three or four of systemd): they are one failed run, and
episodes count those. The first failed run is remembered; a case opens with it once there is a second one within ten minutes, once
systemd's restart counter says that there were others before the log, or once systemd gives up. It closes when the kubelet has run
for five minutes, or when somebody stops it. A kubelet that is stopped and started by an operator, or by a reboot, has not failed.
"""

from __future__ import annotations

from typing import Final

import msgspec

from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.host import (
    BootChanged,
    JournalSuppressed,
    LineCut,
    UnitExited,
    UnitFailed,
    UnitRestartScheduled,
    UnitStarted,
    UnitStartLimitHit,
    UnitStopped,
    UnitStopping,
)
from kubelog.message.vocabulary.start import KubeletFailed, KubeletVersion, NodeConfig, PanicObserved
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Gap, Instant, evidence, instant
from kubelog.timeline.kubelet import TELLING
from kubelog.timeline.rules import Explanation, Rule, State
from kubelog.timeline.rules.kubelet_restart_memory import Said, Starts, cause_of, of_exit
from kubelog.timeline.rules.kubelet_restart_words import CAUSES, explain, step_of
from kubelog.timeline.words import suppressed

_UNIT: Final = "kubelet"
_KEY: Final = _UNIT
# Who writes the kubelet's own lines; None: no envelope says it.
_PROGRAMS: Final = (None, "kubelet", "hyperkube")
# Two failed runs that lie further apart are no loop.
_APART_US: Final = 600_000_000
# A kubelet that ran so long before it failed was well: what systemd counted was before.
_WELL_US: Final = 300_000_000
# The lines of one end lie closer together: systemd waits 90 s before it kills.
_ONE_END_US: Final = 100_000_000
# Last words of one process that lie closer together are one.
_ONE_SAYING_US: Final = 2_000_000
# So many failed runs are more than a runtime or an API server that comes up late.
_MANY: Final = 3
_TEXTS: Final[dict[type[Event], str]] = {
    UnitExited: "The kubelet's process ends",
    UnitFailed: "systemd: the kubelet has failed",
    UnitRestartScheduled: "systemd is about to start the kubelet again",
    UnitStartLimitHit: "systemd gives up: the kubelet failed too often, and is started no more",
}


class KubeletRestartLoop(Rule):
    """See the module."""

    kind = "KubeletRestartLoop"
    opens = extends = frozenset({KubeletFailed, PanicObserved, *_TEXTS})
    # A start closes it once the kubelet has run for the quiet time.
    closes = frozenset({UnitStarted, KubeletVersion, NodeConfig, UnitStopping, UnitStopped})
    explains = frozenset({BootChanged, JournalSuppressed, LineCut})
    # Five minutes of a run, and what systemd waits before it: RestartSec is 10 s in kubeadm's unit.
    quiet_us = 330_000_000
    reopen_us = 1_800_000_000
    memory = Starts

    def apply(self, state: State, event: Event, node: str | None) -> State:
        memory: Starts = state.memory
        if type(event) in TELLING:
            kubelet = memory.kubelet.told(event)
            if kubelet is not memory.kubelet:
                state = _with(state, msgspec.structs.replace(memory, kubelet=kubelet))
        match event:
            case KubeletFailed(error=error, cause=cause) if event.seen.unit in _PROGRAMS:
                known = cause if cause in CAUSES else cause_of(error or "")
                return self._said(state, event, Said(known, error or "", evidence(event)))
            case PanicObserved(message=message) if event.seen.unit in _PROGRAMS and event.seen.severity is None:
                # With a header it was caught: Go's own words end the program.
                return self._said(state, event, Said("panic", message or "", evidence(event)))
            case UnitExited(unit="kubelet"):
                found = of_exit(event)
                return self._ended(state, event, "exit", None if found is None else Said(found, "", evidence(event)))
            case UnitFailed(unit="kubelet", result=result):
                said = Said("oom", "", evidence(event)) if result == "oom-kill" else None
                return self._ended(state, event, "state" if result is None else "result", said)
            case UnitRestartScheduled(unit="kubelet", restarts=restarts):
                return self._ended(state, event, "delay" if restarts is None else "restart", None)
            case UnitStartLimitHit(unit="kubelet"):
                return self._ended(state, event, "limit", None)
            case UnitStarted(unit="kubelet") if event.seen.unit is not None:
                return self._started(state, event)
            case NodeConfig() | KubeletVersion() if event.seen.unit in _PROGRAMS and not memory.told_by_systemd:
                return self._started(state, event)
            case UnitStopping(unit="kubelet") | UnitStopped(unit="kubelet"):
                return self._stopped(state, event)
            case BootChanged():
                # What ran ended with the host: no failure.
                return _with(state, msgspec.structs.replace(state.memory, started=None, stopping=None, down=False, scheduled=False))
        return state

    def quiet(self, case: Case) -> Case:
        """It runs since its last start; where it was not started again, it does not."""
        if "stuck" in case.marks:
            return case
        starts = [step.last for step in case.steps if ":start-" in step.id and step.last is not None]
        if "down" in case.marks or not starts:
            return case.close("resolved", "quiet", case.last)
        return case.close("resolved", "recovered", max(starts, key=lambda one: one.us))

    def explain(self, case: Case, memory: Starts, node: str | None) -> Explanation:
        return explain(case, memory, node)

    def gaps(self, case: Case, memory: Starts, node: str | None) -> tuple[Gap, ...]:
        return (*super().gaps(case, memory, node), *suppressed(case, memory.kubelet, node))

    # The end of a run

    def _said(self, state: State, event: KubeletFailed | PanicObserved, said: Said) -> State:
        """The kubelet's last words; it may say them twice."""
        memory: Starts = state.memory
        us, pid = _us(event, memory), event.seen.pid
        # In a container its number is 1 in each run.
        again = memory.fatal_us is not None and pid == memory.fatal_pid and abs(us - memory.fatal_us) < _ONE_SAYING_US
        down = memory.down or not memory.told_by_systemd
        memory = msgspec.structs.replace(memory, fatal_us=us, fatal_pid=pid, down=down)
        return self._ended(_with(state, memory), event, "" if again else "words", said)

    def _ended(self, state: State, event: Event, sort: str, said: Said | None) -> State:
        """A line of the end of a run; `sort` are those of which each end has one."""
        memory: Starts = state.memory
        us = _us(event, memory)
        if memory.stopping is not None and us - memory.stopping <= _ONE_END_US:
            return state  # it was asked to
        if memory.started is not None:
            memory = msgspec.structs.replace(memory, started=None, was_well=us - memory.started >= _WELL_US)
        if sort not in ("words", ""):
            scheduled = isinstance(event, UnitRestartScheduled)
            memory = msgspec.structs.replace(memory, told_by_systemd=True, down=True, scheduled=scheduled, last_us=us)
        if isinstance(event, UnitRestartScheduled) and event.restarts is not None:
            memory = msgspec.structs.replace(memory, counter_evidence=evidence(event))
        if said is not None:
            memory = memory.with_said(said)
        state = _with(state, memory)
        now, case = instant(event.seen), state.latest(_KEY)
        if case is not None and self.reopens(case, now):
            after = _failed(case, event, sort, said, memory)
            if case.is_open or after.episodes > case.episodes:
                return state.put(after if case.is_open else after.replace(phase=case.phase))
            return state.put(case.said(event, _text(event, said), _about(event, said)))
        run = memory.run
        if run is None or _is_past(run, now):
            run = Case(_KEY, 0, {"unit": _UNIT}, episodes=0)
        run = _failed(run, event, sort, said, memory)
        counter = (event.restarts or 0) if isinstance(event, UnitRestartScheduled) else 0
        if run.episodes < 2 and "stuck" not in run.marks and (counter < 2 or memory.was_well):
            return _with(state, msgspec.structs.replace(memory, run=run))
        state, begun = state.begin(_KEY, {"unit": _UNIT})
        return _with(state, msgspec.structs.replace(memory, run=None)).put(run.replace(number=begun.number))

    # Starts and stops

    def _started(self, state: State, event: Event) -> State:
        memory: Starts = state.memory
        us, by_systemd = _us(event, memory), isinstance(event, UnitStarted)
        if not by_systemd and not memory.down and memory.started is not None:
            return state  # one more line of this start
        memory = msgspec.structs.replace(
            memory, started=us, stopping=None, scheduled=False, down=False, was_well=False, last_us=us,
            told_by_systemd=memory.told_by_systemd or by_systemd,
        )  # fmt: skip
        case = state.latest(_KEY)
        if case is not None and case.is_open:
            return _with(state, memory).put(_with_start(case, event))
        if memory.run is not None:
            memory = msgspec.structs.replace(memory, run=_with_start(memory.run, event))
        return _with(state, memory)

    def _stopped(self, state: State, event: UnitStopping | UnitStopped) -> State:
        """An operator stops it. Between two runs systemd says "Stopped" too."""
        memory: Starts = state.memory
        if isinstance(event, UnitStopped) and (memory.stopping is not None or not memory.down or memory.scheduled):
            return state
        memory = msgspec.structs.replace(
            memory, stopping=_us(event, memory), started=None, down=False, run=None, told_by_systemd=True
        )  # fmt: skip
        state, case = _with(state, memory), state.latest(_KEY)
        if case is None or not case.is_open:
            return state
        case = case.said(event, "The kubelet is stopped, by an operator or with the host", "stop")
        return state.put(case.close("mitigated", "restarted", instant(event.seen)))


def _with(state: State, memory: Starts) -> State:
    return msgspec.structs.replace(state, memory=memory)


def _us(event: Event, memory: Starts) -> int:
    """When it was said; without a time, when the last was."""
    return memory.last_us if event.seen.time_us is None else event.seen.time_us


def _text(event: Event, said: Said | None) -> str:
    if said is not None and said.text:
        return step_of(said)
    if isinstance(event, UnitExited) and event.status_name is not None:
        return f"The kubelet's process ends ({event.code}, {event.status}/{event.status_name})"
    return _TEXTS.get(type(event), "The kubelet ends")


def _about(event: Event, said: Said | None) -> str:
    """What keeps steps of one kind apart: each has its own text."""
    if isinstance(event, UnitExited) and said is None:
        return f"{event.code} {event.status_name}"
    return "" if said is None else said.cause


def _failed(case: Case, event: Event, sort: str, said: Said | None, memory: Starts) -> Case:
    """One more line of a failed run. systemd's lines have seconds, the kubelet's µs, so that they mix: of each sort each run has
    one, and there were as many runs as the most frequent sort.
    """
    phase = case.phase if case.is_open else case.phase + 1
    case = case.replace(phase=phase).goes_on(event, _text(event, said), _about(event, said))
    marks = dict(case.marks)
    # Where systemd starts it no more, it says once more that it failed.
    if sort and not ("stuck" in marks and sort in ("result", "state")):
        marks[f"ends {sort}"] = marks.get(f"ends {sort}", 0) + 1
        if said is not None:
            marks[f"cause {said.cause}"] = marks.get(f"cause {said.cause}", 0) + 1
    if said is not None and said.cause == "oom" and marks.get("cause killed"):
        marks["cause killed"] -= 1
    if isinstance(event, UnitRestartScheduled) and event.restarts is not None:
        marks["counter"] = event.restarts
    if isinstance(event, UnitStartLimitHit):
        marks["stuck"] = 1
    elif sort == "exit":
        marks.pop("stuck", None)
    if memory.down:
        marks["down"] = 1
    # systemd 219 says that it failed in two lines, 229 in one of them.
    sorts = ("words", "exit", "result", "restart", "delay")
    ends = max(1, (marks.get("ends state", 0) + 1) // 2, *(marks.get(f"ends {one}", 0) for one in sorts))
    if isinstance(event, UnitRestartScheduled) and event.restarts is not None and "earlier" not in marks:
        marks["earlier"] = max(0, event.restarts - ends)
    critical = ends >= _MANY or marks.get("counter", 0) >= _MANY or "stuck" in marks
    return case.replace(marks=marks, episodes=ends, severity="critical" if critical else case.severity)


def _is_past(run: Case, now: Instant | None) -> bool:
    return run.last is not None and now is not None and now.us - run.last.us > _APART_US


def _with_start(case: Case, event: Event) -> Case:
    """The step of a start."""
    text = "The kubelet is started again"
    # Where systemd had given up, somebody tries again: from here on it must show that it runs.
    case = case.goes_on(event, text, "start") if "stuck" in case.marks else case.said(event, text, "start")
    return case.replace(marks={name: one for name, one in case.marks.items() if name not in ("stuck", "down")})
