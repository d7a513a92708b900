"""The rules: one file an incident family. Typed events in, cases out; a rule never says what changed, only what is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

import msgspec

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event, Heard
from kubelog.timeline.case import Case, Draft
from kubelog.timeline.incident import MAX_STEPS, Affected, Cause, Finding, Gap, Incident, Instant, incident_id, instant

# What a rule is written with; rules of other packages import it from here.
__all__ = ["Case", "Cause", "Drafts", "Event", "Explanation", "Finding", "Instant", "Rule", "State", "instant"]


_MOST_KEYS: Final = 2048
_FEW: Final = 8


class State(msgspec.Struct, frozen=True, gc=False):
    """All that a rule knows of one node: the open and lately closed cases, how many there were, and the rule's own memory."""

    kept: dict[str, Case] = {}  # by number and key, in the order in which they were last touched
    numbers: dict[str, int] = {}  # by key, how many there were
    memory: Any = None
    past: tuple[tuple[Case, Any], ...] = ()  # cases that nothing can open again, with the memory that they end with
    due_us: int = 1 << 62  # before that, nothing that is kept becomes quiet or past
    least_us: int = 0  # nor does a case sooner than so long after its last sign or end
    first: int = 0  # the number before the first of a key that is not known (any more)

    @property
    def cases(self) -> tuple[Case, ...]:
        return tuple(self.kept.values())

    def latest(self, key: str) -> Case | None:
        """The last case of a key that is still kept."""
        number = self.numbers.get(key)
        if number is None or not self.kept:
            return None
        found = self.kept.get(f"{number} {key}")
        if found is None and number > self.first + 1:
            found = self.kept.get(f"{number - 1} {key}")
        return found

    def put(self, case: Case) -> State:
        """With this case in the place of its former self."""
        name, time = f"{case.number} {case.key}", case.last if case.state == "open" else case.closed
        kept = self.kept.copy()
        kept.pop(name, None)
        kept[name] = case
        due_us = self.due_us if time is None else min(self.due_us, time.us + self.least_us)
        return State(kept, self.numbers, self.memory, self.past, due_us, self.least_us, self.first)

    def of_pod(self, pod: PodRef) -> list[Case]:
        """The cases whose subject is a pod of this name and namespace, or a container of it."""
        found = list(self.kept.values()) if len(self.kept) <= _FEW else _by_pod(self.kept).get(pod.name, [])
        named = pod.name, pod.namespace or ""
        return [one for one in found if (one.subject.get("pod"), one.subject.get("namespace")) == named]

    def begin(self, key: str, subject: dict[str, str]) -> tuple[State, Case]:
        """A new case of a key."""
        number = self.numbers.get(key, self.first) + 1
        numbers, first = {**self.numbers, key: number}, self.first
        if len(numbers) > _MOST_KEYS:
            # Which keys there were is forgotten; no number comes again.
            first = max(numbers.values())
            numbers = {case.key: self.numbers[case.key] for case in self.kept.values() if case.key in self.numbers} | {key: number}
        return msgspec.structs.replace(self, numbers=numbers, first=first), Case(key, number, subject)

    def without(self, gone: set[tuple[str, int]]) -> State:
        """Without past cases of these keys and numbers."""
        return msgspec.structs.replace(self, past=tuple(one for one in self.past if (one[0].key, one[0].number) not in gone))


class Drafts:
    """A state while signs are put into its open cases, and until when nothing but that can happen to it."""

    def __init__(self, rule: Rule, state: State, heard: Heard | None) -> None:
        self.base = state
        # Of the cases that were asked for, in the order in which they were last touched.
        self.open: dict[str, Draft] = {}
        self.touched: set[str] = set()
        self.has_past = heard is not None and bool(heard.past)
        run_us = -(1 << 62) if heard is None else heard.run_us
        self.until = 1 << 62
        if len(state.kept) > _FEW:
            self.until = state.due_us
            return
        for case in state.kept.values():
            if case.state == "open":
                if case.last is not None:
                    self.until = min(self.until, max(case.last.us, run_us) + rule.quiet_us)
            elif case.closed is not None:
                self.until = min(self.until, case.closed.us + rule.reopen_us)

    def of(self, key: str) -> Draft | None:
        """The open case of a key."""
        draft = self.open.get(key)
        if draft is None:
            case = self.base.latest(key)
            if case is None or case.state != "open" or len(case.steps) >= MAX_STEPS // 2:
                return None
            draft = self.open[key] = Draft(case)
        return draft

    def all(self) -> list[Draft]:
        """All open cases, in the order in which they were last touched."""
        rest = [case.key for case in self.base.kept.values() if case.state == "open" and case.key not in self.touched]
        found = [self.of(key) for key in (*rest, *(key for key in self.open if key in self.touched))]
        return [draft for draft in found if draft is not None]

    def spoken_of(self) -> Draft | None:
        """The open case that had the last sign."""
        found = None
        for draft in self.all():
            if found is None or (draft.last_us is not None and (found.last_us is None or draft.last_us > found.last_us)):
                found = draft
        return found

    def go_on(self, draft: Draft, event: Event, text: str, about: str, pods: Iterable[PodRef | None], critical: bool) -> None:
        """One more sign of a case."""
        opened_us = draft.opened_us
        draft.go_on(event, text, about, pods, critical)
        key = draft.base.key
        if len(self.open) > 1:
            del self.open[key]
            self.open[key] = draft
        self.touched.add(key)
        if self.has_past and draft.opened_us != opened_us:
            # A gap may now lie within the case.
            self.until = -(1 << 62)

    def state(self) -> State:
        """The State that it has become. The drafts are done with."""
        if not self.touched:
            return self.base
        base, kept = self.base, self.base.kept.copy()
        for key, draft in self.open.items():
            if key in self.touched:
                case = draft.case()
                name = f"{case.number} {case.key}"
                kept.pop(name, None)
                kept[name] = case
        return State(kept, base.numbers, base.memory, base.past, base.due_us, base.least_us, base.first)


class Explanation(msgspec.Struct, frozen=True, gc=False):
    """A case in words."""

    summary: str
    cause: Cause | None
    findings: tuple[Finding, ...]
    advice: tuple[str, ...]


class Nothing(msgspec.Struct, frozen=True, gc=False):
    """The memory of a rule that remembers its cases only."""


class Rule:
    """One incident family. `apply` and `settle` are functions of their arguments alone: no clock, no state of their own.

    Its head says what it is about: `opens`, `extends` and `closes` are the events that do so, `explains` those that only explain,
    as classes, or as names where a grammar declares them. `kinds` are the names of all of these. A rule must have `kind`,
    `apply` and `explain`; docs/rules.md goes through one.
    """

    kind: ClassVar[str]  # of its incidents; no other rule has it, and no event
    opens: ClassVar[frozenset[type[Event] | str]] = frozenset()
    extends: ClassVar[frozenset[type[Event] | str]] = frozenset()
    closes: ClassVar[frozenset[type[Event] | str]] = frozenset()
    explains: ClassVar[frozenset[type[Event] | str]] = frozenset()
    kinds: ClassVar[frozenset[str]]  # the events it asks for
    # By kind, texts of which a record must hold one to concern the rule: what holds none is not even made an event.
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = {}
    quiet_us: ClassVar[int] = 600_000_000  # so long without a sign, in a log that goes on, ends an episode
    reopen_us: ClassVar[int] = 1_800_000_000  # so soon a new sign opens the same incident again
    memory: ClassVar[type[msgspec.Struct]] = Nothing  # what it knows of a node beside the cases: saved with the state
    picks: ClassVar[frozenset[type[Event]]] = frozenset()  # events of which only those are kept that `concerns` says
    signs: ClassVar[frozenset[type[Event]]] = frozenset()  # events that `gather` may take
    idle: ClassVar[frozenset[type[Event]]] = frozenset()  # events that change nothing where `is_idle` says so
    yields: ClassVar[bool] = False  # whether its incidents are none where another incident of the node spans them
    yields_to: ClassVar[frozenset[str]] = frozenset()  # to these kinds alone, where some are named
    tells_memory: ClassVar[bool] = True  # whether what is told of a case depends on the rule's memory
    losses: ClassVar[bool] = False  # whether it is about what the log lacks: then gaps are told that are no incident

    def __init_subclass__(cls) -> None:
        head = cls.opens | cls.extends | cls.closes | cls.explains
        if head:
            cls.kinds = frozenset(one if isinstance(one, str) else one.__name__ for one in head)

    def start(self) -> State:
        return State(memory=self.memory(), least_us=min(self.quiet_us, self.reopen_us))

    def concerns(self, event: Event) -> bool:
        """Whether an event could change what is known of any node: asked for those of `picks`."""
        return True

    def is_idle(self, state: State, event: Event) -> bool:
        """Whether an event of `idle` changes nothing of what is known, whatever becomes of the cases that are kept."""
        return not state.kept

    def apply(self, state: State, event: Event, node: str | None) -> State:
        """What is known after one more event."""
        raise NotImplementedError

    def fold(self, state: State, heard: Heard | None, keys: Sequence[int], events: Sequence[Event], node: str | None) -> State:
        """What is known after these events, one behind the other, each at its time.

        The same as `passed`, then `apply`, for each; where open cases only go on, they are made once for many events.
        """
        drafts: Drafts | None = None
        signs, idle = self.signs, self.idle
        for at, event in enumerate(events):
            kind = type(event)
            if kind in idle and self.is_idle(state if drafts is None else drafts.base, event):
                continue
            if kind in signs:
                if drafts is None or keys[at] >= drafts.until:
                    state = self.passed(state if drafts is None else drafts.state(), heard, keys[at])
                    drafts = self.drafts(state, heard, keys[at])
                if drafts is not None and self.gather(drafts, event):
                    continue
            if drafts is not None:
                state, drafts = drafts.state(), None
            state = self.apply(self.passed(state, heard, keys[at]), event, node)
        return state if drafts is None else drafts.state()

    def drafts(self, state: State, heard: Heard | None, us: int) -> Drafts | None:
        """Drafts of the open cases, if signs can be gathered from that time on."""
        if not state.kept:
            return None
        # A record that lies before the run leaves the gap before it to be found.
        return None if heard is not None and heard.past and us < heard.run_us else Drafts(self, state, heard)

    def gather(self, drafts: Drafts, event: Event) -> bool:
        """Put a sign into its case; False where it is more than that."""
        return False

    def explain(self, case: Case, memory: Any, node: str | None) -> Explanation:
        """A case in words."""
        raise NotImplementedError

    def quiet(self, case: Case) -> Case:
        """A case without a sign for `quiet_us`."""
        return case.close("resolved", "quiet", case.last)

    def settle(self, state: State, heard: Heard | None, until_us: int | None = None) -> State:
        """Close what has been quiet until `until_us`, and keep the gap before that."""
        if heard is None or not state.kept:
            return state
        now = heard.us if until_us is None or until_us > heard.us else until_us
        for case in state.cases:
            last = case.last
            if case.state == "open" and last is not None:
                after = case.gap(heard) if now >= heard.run_us else case
                if self.is_quiet(last, heard, now):
                    after = self.quiet(after)
                if after is not case:
                    state = state.put(after)
        return state

    def passed(self, state: State, heard: Heard | None, us: int) -> State:
        """What is known when that time has come: what was quiet until then is settled, what is over for good retired."""
        if not state.kept:
            return state
        if us < state.due_us and (heard is None or not heard.past):
            return state
        for case in state.kept.values():
            if case.state != "open":
                if case.closed is not None and case.closed.us + self.reopen_us < us:
                    break
            elif case.last is not None and heard is not None and (heard.past or us - case.last.us >= self.quiet_us):
                break
        else:
            return self._dated(state)
        return self._dated(self.retire(self.settle(state, heard, us), us))

    def _dated(self, state: State) -> State:
        """With when something is due, as it is now known."""
        due_us = self.due_us(state)
        return state if due_us == state.due_us else msgspec.structs.replace(state, due_us=due_us)

    def due_us(self, state: State) -> int:
        """Before that, nothing becomes quiet or past in a run of records that goes on."""
        due_us = 1 << 62
        for case in state.kept.values():
            time, after_us = (case.last, self.quiet_us) if case.state == "open" else (case.closed, self.reopen_us)
            if time is not None and time.us + after_us < due_us:
                due_us = time.us + after_us
        return due_us

    def is_quiet(self, last: Instant, heard: Heard, now: int) -> bool:
        """Whether nothing was said for `quiet_us`. Time counts only where the log has lines, or where it goes on a third time."""
        if now - max(last.us, heard.run_us) >= self.quiet_us:
            return True
        return now >= heard.run_us and len(heard.past) > 1 and heard.past[-2][0] > last.us

    def retire(self, state: State, before_us: int) -> State:
        """Put by what was closed so long ago that nothing can open it again."""
        over = [name for name, case in state.kept.items() if self.is_past(case, before_us)]
        if not over:
            return state
        kept = state.kept.copy()
        past = tuple((kept.pop(name), state.memory) for name in over)
        return msgspec.structs.replace(state, kept=kept, past=(*state.past, *past))

    def is_past(self, case: Case, before_us: int) -> bool:
        return case.state != "open" and case.closed is not None and case.closed.us + self.reopen_us < before_us

    def reopens(self, case: Case, now: Instant | None) -> bool:
        """Whether a sign at `now` belongs to this case."""
        if case.state == "open" or case.closed is None or now is None:
            return True
        return now.us - case.closed.us <= self.reopen_us

    def matters(self, case: Case) -> bool:
        """Whether it is an incident; of what is none only the gaps are told."""
        return True

    def is_spanned(self, found: Incident, by: Incident) -> bool:
        """Whether another incident of the node spans it: asked where the rule `yields`."""
        return False

    def id_of(self, case: Case, node: str | None) -> str:
        return incident_id(self.kind, node, case.key, case.number)

    def incident(self, case: Case, memory: Any, node: str | None) -> Incident:
        """A case as users see it."""
        told = self.explain(case, memory, node)
        return Incident(
            id=self.id_of(case, node),
            kind=self.kind,
            node=node,
            nodes=(node,) if node is not None else (),
            subject=case.subject,
            state=case.state,
            resolution=case.resolution,
            severity=case.severity,
            opened=case.opened,
            last_seen=case.last,
            closed=case.closed,
            summary=told.summary,
            cause=told.cause,
            episodes=case.episodes,
            counts=case.counts,
            affected=Affected(case.pods, case.pods_total),
            steps=case.steps,
            findings=told.findings,
            advice=told.advice,
            gaps=self.gaps(case, memory, node),
            endpoints=self.endpoints(case, memory),
        )

    def endpoints(self, case: Case, memory: Any) -> tuple[str, ...]:
        """`host:port` of what it is about: what other nodes say of the same belongs to it."""
        endpoint = case.subject.get("endpoint")
        return () if endpoint is None else (endpoint,)

    def gaps(self, case: Case, memory: Any, node: str | None) -> tuple[Gap, ...]:
        """What the log lacks of a case."""
        text = "no line of this node while the incident was open"
        return tuple(Gap(start, end, node, "silence", text) for start, end in case.holes)


# Which cases are about which pod, by the identity of the dict (which is kept, so that the identity is its own).
_INDEXES: dict[int, tuple[dict[str, Case], dict[str, list[Case]]]] = {}
_MOST_INDEXES: Final = 16


def _by_pod(kept: dict[str, Case]) -> dict[str, list[Case]]:
    known = _INDEXES.get(id(kept))
    if known is None:
        found: dict[str, list[Case]] = {}
        for case in kept.values():
            found.setdefault(case.subject.get("pod", ""), []).append(case)
        if len(_INDEXES) >= _MOST_INDEXES:
            _INDEXES.clear()
        known = _INDEXES[id(kept)] = kept, found
    return known[1]
