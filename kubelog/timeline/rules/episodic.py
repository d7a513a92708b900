"""What most rules are: events that are signs of a case, and events that end one.

A rule of this shape says for one event which case it is a sign of (`signs_of`), which cases it ends (`ends_of`), and what it tells
beside that (`notes_of`). The rest, opening again, episodes, gathering of storms, is here once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple

import msgspec

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event
from kubelog.timeline.case import Case
from kubelog.timeline.incident import MAX_EVIDENCE, Evidence, Instant, instant
from kubelog.timeline.rules import Drafts, Rule, State

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


class Sign(NamedTuple):
    """One event as a sign of one case: which, what it is about, and the step that it makes."""

    key: str
    subject: dict[str, str]
    text: str
    about: str = ""  # keeps steps of one kind apart
    pods: tuple[PodRef | None, ...] = ()
    critical: bool = False
    marks: Mapping[str, int] = _NOTHING  # what `explain` must know of it


class End(NamedTuple):
    """One event as the end of a case; with `key` None, of all that are open."""

    key: str | None
    text: str
    resolution: str = "recovered"
    state: str = "resolved"


class Note(NamedTuple):
    """One event as a step of a case that is no sign of it; with `key` None, of all that are open."""

    key: str | None
    text: str
    about: str = ""
    marks: Mapping[str, int] = _NOTHING
    critical: bool = False


class EpisodicRule(Rule):
    """A rule that is told by its signs and ends. Its `signs` are the events of which `signs_of` never reads the memory."""

    least: ClassVar[int] = 1  # so many signs make it an incident

    def told(self, memory: Any, event: Event) -> Any:
        """The rule's memory with what one event says of the node."""
        return memory

    def signs_of(self, event: Event, memory: Any) -> Iterable[Sign]:
        """The cases that an event is a sign of."""
        raise NotImplementedError

    def ends_of(self, event: Event, memory: Any) -> Iterable[End]:
        """The cases that an event ends."""
        return ()

    def notes_of(self, event: Event, memory: Any) -> Iterable[Note]:
        """The open cases that an event tells something of."""
        return ()

    def matters(self, case: Case) -> bool:
        return case.marks.get("signs", 0) >= self.least

    def apply(self, state: State, event: Event, node: str | None) -> State:
        memory = self.told(state.memory, event)
        if memory is not state.memory:
            state = msgspec.structs.replace(state, memory=memory)
        for end in self.ends_of(event, memory):
            for case in _open(state, end.key):
                case = case.said(event, end.text, "end")
                state = state.put(case.close(end.state, end.resolution, instant(event.seen)))
        for note in self.notes_of(event, memory):
            for case in _open(state, note.key):
                case = case.said(event, note.text, note.about)
                if note.critical:
                    case = case.replace(severity="critical")
                state = state.put(_marked(case, note.marks))
        for sign in self.signs_of(event, memory):
            state = self._sign(state, event, sign)
        return state

    def gather(self, drafts: Drafts, event: Event) -> bool:
        found = [(drafts.of(sign.key), sign) for sign in self.signs_of(event, None)]
        if not found or any(draft is None for draft, _ in found):
            return False
        for draft, sign in found:
            assert draft is not None
            drafts.go_on(draft, event, sign.text, sign.about, sign.pods, sign.critical)
            _add(draft.marks, sign.marks, 1)
        return True

    def begins_anew(self, case: Case) -> bool:
        """Whether a sign that opens a case again is one more episode of it."""
        return True

    def _sign(self, state: State, event: Event, sign: Sign) -> State:
        case = state.latest(sign.key)
        if case is None or not self.reopens(case, instant(event.seen)):
            state, case = state.begin(sign.key, sign.subject)
        elif not case.is_open and self.begins_anew(case):
            case = case.replace(episodes=case.episodes + 1, phase=case.phase + 1)
        case = case.goes_on(event, sign.text, sign.about, sign.pods, critical=sign.critical)
        return state.put(_marked(case, sign.marks, 1))


def proof(case: Case, kinds: Iterable[str] = ()) -> tuple[Evidence, ...]:
    """The first line of each step: of these kinds of events where some are given."""
    wanted = frozenset(kinds)
    found = (step.evidence[0] for step in case.steps if step.evidence and (not wanted or step.kind in wanted))
    return tuple(dict.fromkeys(found))[:MAX_EVIDENCE]


def lasted_us(case: Case) -> int:
    """How long it has been going on, from the first sign to the last, or to its end."""
    end: Instant | None = case.closed or case.last
    return 0 if case.opened is None or end is None else end.us - case.opened.us


def _open(state: State, key: str | None) -> Iterator[Case]:
    if key is not None:
        case = state.latest(key)
        if case is not None and case.is_open:
            yield case
        return
    for case in state.cases:
        if case.is_open:
            yield case


def _marked(case: Case, marks: Mapping[str, int], signs: int = 0) -> Case:
    return case.replace(marks=_more(case.marks, marks, signs)) if marks or signs else case


def _more(known: dict[str, int], marks: Mapping[str, int], signs: int) -> dict[str, int]:
    """Marks count up where they stand for a number of signs, else they say that something was seen."""
    found = dict(known)
    _add(found, marks, signs)
    return found


def _add(found: dict[str, int], marks: Mapping[str, int], signs: int) -> None:
    found["signs"] = found.get("signs", 0) + signs
    for name, value in marks.items():
        if value > found.get(name, value - 1):
            found[name] = value
