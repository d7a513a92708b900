"""What rules about an endpoint that gives no answer share: a case an endpoint, runs of failures, and what excuses a short one.

A client that names no endpoint is of the case that is open. Components start and are replaced, and what asks them meanwhile is
refused: that is no incident while it takes no longer than it may.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

import msgspec

from kubelog.message.vocabulary.api import NodeNotFound
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.host import UnitStarted
from kubelog.message.vocabulary.node import NodeConditionChanged
from kubelog.message.vocabulary.pod import ContainerKilled, ContainerUnhealthy
from kubelog.message.vocabulary.start import KubeletVersion, NodeConfig
from kubelog.message.vocabulary.status import NodeRegistered
from kubelog.message.vocabulary.sync import PodConfigReceived
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Instant, Step, instant
from kubelog.timeline.rules import Drafts, State
from kubelog.timeline.rules.episodic import EpisodicRule, Note, Sign

# A kubelet that starts with its control plane is refused until the API server serves: images, etcd, then the API server.
START_US: Final = 180_000_000
# A static pod whose manifest changed is ended (30 s of grace) and started again.
CHANGE_US: Final = 120_000_000
# Starts and changes that follow one another (an upgrade) excuse no more than this.
_MOST_US: Final = 300_000_000
# What was killed so soon behind its probe's verdict was not replaced by anyone.
_VERDICT_US: Final = 60_000_000
# The first failure may be said before what explains it.
_BEFORE_US: Final = 15_000_000
# So many different names are kept in the marks of a case.
_NAMES: Final = 24
# So many errors are kept, over all cases of a node.
_QUOTED: Final = 64
# Events that may excuse a short failure.
EXCUSING: Final[frozenset[type[Event]]] = frozenset(
    {UnitStarted, KubeletVersion, NodeConfig, PodConfigReceived, ContainerKilled, ContainerUnhealthy}
)
_SHOWN: Final = 200
_REQUEST: Final = re.compile(r'https?://[^\s"\\]{1,2000}\\*"?: ')
_QUOTES: Final = re.compile(r'\\*"')
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")


class Quote(msgspec.Struct, frozen=True, gc=False):
    """The first error of a class in a case: a step's text holds none, as addresses and times stand in it."""

    case: str
    why: str
    text: str


class Excuse(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What is remembered of a node: from when until when a failure is no wonder, and the errors of its last cases."""

    from_us: int = 0
    until_us: int = 0
    ill_us: int | None = None  # when a probe's verdict was that the component be restarted
    quotes: tuple[Quote, ...] = ()

    def told(self, event: Event, component: str, start_us: int = START_US) -> Excuse:
        """With what one event says of the kubelet's start and of the component's static pod."""
        us = event.seen.time_us
        if us is None:
            return self
        match event:
            case UnitStarted(unit="kubelet") if event.seen.unit is not None:
                return self._until(us, start_us)
            case KubeletVersion() | NodeConfig():
                return self._until(us, start_us)
            case PodConfigReceived(source="file", pods=pods):
                if any((pod.name or "").startswith(component) for pod in pods or ()):
                    return self._until(us, CHANGE_US)
            case ContainerUnhealthy(pod=pod) if pod is not None and (pod.name or "").startswith(component):
                return msgspec.structs.replace(self, ill_us=us)
            case ContainerKilled(pod=pod) if pod is not None and (pod.name or "").startswith(component):
                if self.ill_us is None or not 0 <= us - self.ill_us <= _VERDICT_US:
                    return self._until(us, CHANGE_US)
        return self

    def _until(self, us: int, length_us: int) -> Excuse:
        begin = self.from_us if self.from_us <= us <= self.until_us else us
        until = max(self.until_us, min(us + length_us, begin + _MOST_US)) if begin != us else us + length_us
        return msgspec.structs.replace(self, from_us=begin, until_us=until)

    def quoting(self, quote: Quote) -> Excuse:
        """With the first error of a class in a case."""
        if any(one.case == quote.case and one.why == quote.why for one in self.quotes):
            return self
        return msgspec.structs.replace(self, quotes=(*self.quotes, quote)[-_QUOTED:])

    def quote(self, case: Case, why: str) -> str:
        """The error: “…”., or nothing."""
        found = next((one.text for one in self.quotes if one.case == _name(case) and one.why == why), "")
        return f" The error: “{found}”." if found else ""

    @property
    def marks(self) -> Mapping[str, int]:
        return {"from": self.from_us, "until": self.until_us}


class EndpointRule(EpisodicRule):
    """A rule whose cases are endpoints, or one place. Its memory is an Excuse."""

    memory = Excuse
    quiet_us: ClassVar[int] = 600_000_000  # clients try again within 2 min at most: five tries without a word
    reopen_us: ClassVar[int] = 1_800_000_000  # what fails again within 30 min mostly has the same cause: one more episode
    run_us: ClassVar[int] = 90_000_000  # clients try again within a minute: failures that lie farther apart are each by itself
    relapse_us: ClassVar[int] = 60_000_000  # what fails so soon behind a success had not ended: a client may just be back
    hurts_us: ClassVar[int] = 40_000_000  # from then on it is critical

    picks: ClassVar[frozenset[type[Event]]] = EXCUSING
    idle: ClassVar[frozenset[type[Event]]] = frozenset({NodeNotFound, NodeRegistered, NodeConditionChanged, PodConfigReceived})

    def concerns(self, event: Event) -> bool:
        """Of what may excuse a failure: what concerns the kubelet or the component."""
        match event:
            case UnitStarted(unit=unit):
                return unit == "kubelet"
            case PodConfigReceived(source="api") if PodConfigReceived in self.closes:
                return True
            case PodConfigReceived() | ContainerKilled() | ContainerUnhealthy():
                return self.is_about(event)
        return True

    def is_idle(self, state: State, event: Event) -> bool:
        return not state.kept and not (isinstance(event, PodConfigReceived) and event.source != "api")

    # Cases

    def apply(self, state: State, event: Event, node: str | None) -> State:
        memory = self.told(state.memory, event)
        if memory is not state.memory:
            state = msgspec.structs.replace(state, memory=memory)
        for end in self.ends_of(event, memory):
            for case in state.cases:
                if case.is_open and self.ended_by(case, event):
                    case = case.said(event, end.text, "end")
                    state = state.put(case.close(end.state, end.resolution, instant(event.seen)))
        for note in self.notes_of(event, memory):
            for case in state.cases:
                if case.is_open:
                    case = case.said(event, note.text, note.about)
                    state = state.put(case.replace(marks=merged(case.marks, note.marks)))
        for sign in self.signs_of(event, memory):
            state = self._sign(state, event, sign)
        return state

    def ended_by(self, case: Case, event: Event) -> bool:
        """Whether a success is one of what the case is about."""
        return True

    def _sign(self, state: State, event: Event, sign: Sign) -> State:
        now = instant(event.seen)
        case = self._case_of(state, sign.key, now)
        if case is None:
            state, case = state.begin(sign.key, sign.subject)
        elif not case.subject and sign.subject:
            case = case.replace(subject=sign.subject)
        begun = not case.is_open or case.last is None
        if not case.is_open and not self._relapsed(case, now):
            case = case.replace(episodes=case.episodes + 1, phase=case.phase + 1)
        us = None if now is None else now.us
        marks = dict(case.marks)
        self._mark(marks, sign, us, None if case.last is None else case.last.us, begun)
        critical = sign.critical or self.hurts(marks, us)
        excuse: Excuse = state.memory
        if us is not None and excuse.from_us <= us <= excuse.until_us:
            marks = merged(marks, excuse.marks)
        marks = self._judged(marks, us)
        case = case.replace(marks=marks).goes_on(event, sign.text, sign.about, sign.pods, critical=critical)
        error = getattr(event, "error", None)
        if isinstance(error, str) and error:
            known = excuse.quoting(Quote(_name(case), sign.about, quoted(error)))
            if known is not excuse:
                state = msgspec.structs.replace(state, memory=known)
        return state.put(case)

    def gather(self, drafts: Drafts, event: Event) -> bool:
        for sign in self.signs_of(event, None):
            draft = drafts.of(sign.key)
            if draft is None or draft.base.subject != sign.subject:
                draft = next((one for one in drafts.all() if one.base.subject == sign.subject), None)
            if draft is None:
                draft = drafts.spoken_of() if not sign.subject else None
            if draft is None:
                return False
            marks, us = draft.marks, event.seen.time_us
            for name in sign.marks:
                if name not in marks and name.startswith("class "):
                    return False  # the first of a class is not gathered: its error is remembered
            self._mark(marks, sign, us, draft.last_us, False)
            drafts.go_on(draft, event, sign.text, sign.about, sign.pods, sign.critical or self.hurts(marks, us))
            if "told" not in marks:
                draft.marks = self._judged(marks, us)
            return True
        return False

    def _case_of(self, state: State, key: str, now: Instant | None) -> Case | None:
        """The case that a sign of an endpoint belongs to; "" is one that names none."""
        found = None
        same = state.latest(key) if key else None
        if same is not None and same.is_open and same.subject.get("endpoint") == key:
            return same
        # What names no endpoint yet has the key "".
        cases = state.cases if not key else [case for case in (same, state.latest("")) if case is not None]
        for case in cases:
            named = case.subject.get("endpoint", "")
            if (case.is_open and "" in (named, key)) or named == key:
                if not case.is_open and not self.reopens(case, now):
                    continue
                # What is open before what is closed, the same endpoint before none, the last before others.
                rank = (case.is_open, named == key, 0 if case.last is None else case.last.us)
                if found is None or rank > found[0]:
                    found = rank, case
        return None if found is None else found[1]

    def reopens(self, case: Case, now: Instant | None) -> bool:
        """What was excused is no part of what comes later."""
        return super().reopens(case, now) and (case.is_open or not self.is_excused(case) or self._relapsed(case, now))

    def _relapsed(self, case: Case, now: Instant | None) -> bool:
        """Whether it had not ended when a success closed it."""
        if case.closed is None or now is None or case.resolution == "quiet":
            return now is None
        return now.us - case.closed.us <= self.relapse_us

    def _mark(self, marks: dict[str, int], sign: Sign, us: int | None, last_us: int | None, begun: bool) -> None:
        """Add one more sign to marks: when its run began, how long the longest was, how many signs there were of what."""
        _merge(marks, sign.marks)
        marks["signs"] = marks.get("signs", 0) + 1
        if us is None:
            return
        if begun:
            marks["since"] = us
        if begun or last_us is None or us - last_us > self.run_us or "run" not in marks:
            marks["run"] = us if last_us is None or us - last_us > self.run_us else marks.get("run", us)
        run_us = us - marks["run"]
        if run_us >= marks.get("longest", 0):
            marks["longest"] = run_us

    # Judgement

    def is_enough(self, marks: Mapping[str, int]) -> bool:
        """Whether the signs so far make it an incident, where nothing excuses them."""
        raise NotImplementedError

    def matters(self, case: Case) -> bool:
        return "told" in case.marks

    def _judged(self, marks: dict[str, int], us: int | None) -> dict[str, int]:
        """What was an incident once stays one: what comes to excuse it later is too late."""
        if "told" in marks or not self.is_enough(marks):
            return marks
        excused = us is not None and "until" in marks and us <= marks["until"]
        if excused and marks.get("since", us or 0) >= marks["from"] - _BEFORE_US:
            return marks
        return {**marks, "told": 1}

    def hurts(self, marks: Mapping[str, int], us: int | None) -> bool:
        """Whether the run that goes on is long enough to hurt."""
        return us is not None and "run" in marks and us - marks["run"] >= self.hurts_us

    def is_excused(self, case: Case) -> bool:
        """Whether it began with a start or a change, and took no longer than that may take."""
        if case.opened is None or case.last is None or "until" not in case.marks or "told" in case.marks:
            return False
        return case.opened.us >= case.marks["from"] - _BEFORE_US and case.last.us <= case.marks["until"]

    def notes_of(self, event: Event, memory: Any) -> Iterable[Note]:
        us = event.seen.time_us
        if us is None or not memory.from_us <= us <= memory.until_us:
            return
        if isinstance(event, UnitStarted | KubeletVersion) and (not isinstance(event, UnitStarted) or event.unit == "kubelet"):
            text = "The kubelet is started" if isinstance(event, UnitStarted) else "A component of Kubernetes starts"
            yield Note(None, text, "start", memory.marks)
        elif isinstance(event, PodConfigReceived) and event.source == "file" and self.is_about(event):
            yield Note(None, "The manifest of the static pod changes on this node", "manifest", memory.marks)
        elif isinstance(event, ContainerKilled) and self.is_about(event):
            yield Note(None, "The container of the static pod is ended on this node", "killed", memory.marks)

    def is_about(self, event: PodConfigReceived | ContainerKilled | ContainerUnhealthy) -> bool:
        """Whether an event is about the static pod of the component that is asked."""
        pods = (event.pods or ()) if isinstance(event, PodConfigReceived) else (event.pod,)
        return any(pod is not None and (pod.name or "").startswith(self.component) for pod in pods)

    component: ClassVar[str] = "kube-apiserver"


def merged(known: Mapping[str, int], marks: Mapping[str, int]) -> dict[str, int]:
    """Marks that begin with `n ` count, of others the greatest stays; names beyond a bound are left out."""
    found = dict(known)
    _merge(found, marks)
    return found


def _merge(found: dict[str, int], marks: Mapping[str, int]) -> None:
    for name, value in marks.items():
        known = found.get(name)
        if known is not None:
            if name.startswith("n "):
                found[name] = known + value
            elif value > known:
                found[name] = value
        elif len(found) < 2 * _NAMES or " " not in name:
            found[name] = value


def steps_of(case: Case, why: str) -> list[Step]:
    """The steps that show a class of errors."""
    return [step for step in case.steps if step.evidence and step.id.rpartition("-")[0].endswith(f":{why}")]


def _name(case: Case) -> str:
    return f"{case.key} {case.number}"


def names(marks: Mapping[str, int], begin: str) -> list[str]:
    """What stands behind `begin ` among the marks of a case, in the order in which it came."""
    return [name.removeprefix(f"{begin} ") for name in marks if name.startswith(f"{begin} ")]


def quoted(error: str) -> str:
    """The end of an error, behind the request, on one line and short."""
    text = _CONTROL.sub(" ", error[-4096:]).strip()
    for found in _REQUEST.finditer(text):
        if found.end() < len(text):
            text = text[found.end() :]
            break
    for part in ("dial tcp", "read tcp", "write tcp"):
        place = text.find(part)
        if place >= 0:
            text = _QUOTES.split(text[place:], maxsplit=1)[0]
            break
    text = text.removeprefix('connection error: desc = "transport: ')
    if text.startswith("rpctypes."):
        text = text.rpartition("}: ")[2]
    text = text.rstrip('"\\')
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
