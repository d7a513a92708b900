"""One rule on one node: events in their order in time → what is known, and what is to be told of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from kubelog.message.vocabulary.event import GAP_US, Event, Heard, Seen
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Incident
from kubelog.timeline.rules import Rule, State

# A window never holds more events than this, however many came in its 30 s.
MAX_WINDOW: Final = 1000
# A record that may still grow is among the last this many events of its node.
_GROWING: Final = 64
# So many events are worked out at a time, while no one asks what is known.
_MANY: Final = 256


class Machine:
    """One rule on one node.

    Its window are the events of the last 30 s in their order in time: `keys`, the µs at which each stands, and `events`. What was
    known is kept at some places only: `states`, with how many of the events each knows; the first one knows none. What is known
    behind them is worked out when someone asks, or when many events have come. The first `gone` events are none of the window
    any more; they stay until there is a state behind them.
    """

    def __init__(self, rule: Rule, node: str | None, window_us: int) -> None:
        self.rule, self.node, self.window_us = rule, node, window_us
        self.keys: list[int] = []
        self.events: list[Event] = []
        self.states: list[tuple[int, State]] = [(0, rule.start())]
        self.gone = 0
        self.fresh = 0  # events since something was worked out
        self.heard: Heard | None = None
        self.told: dict[str, Incident] = {}
        self.seen: State | None = None  # what was told last
        self.made: dict[tuple[str, int], tuple[Case, Any, Incident]] = {}  # of what each that is told was made
        # A state in which nothing is quiet or past before that time, as long as the runs are the same.
        self.calm: tuple[State | None, tuple[Any, ...], int] = None, (), 0
        self.spanned: set[str] = set()  # those told that incidents span which are over for good

    def take(self, event: Event, again: bool, keep: bool) -> None:
        """Put an event in its place in time.

        With `again`, its record may have come before it was complete; without `keep`, it is none that the rule wants.
        """
        seen, keys, before = event.seen, self.keys, self.heard
        us, heard = seen.time_us, seen.heard
        if (
            us is None or heard is None or before is None or again or not keep or not keys or us < keys[-1]
            or heard.run_us != before.run_us or keys[-1] > before.us or us < heard.us - self.window_us
        ):  # fmt: skip
            self._place(event, again, keep)
        else:
            # Nearly always: behind all others, in the run that goes on.
            if heard.us > before.us:
                self.heard = heard
            keys.append(us)
            self.events.append(event)
            self.fresh += 1
        if self.fresh >= _MANY:
            self._known(len(keys))
        # Many are let go at once.
        if self.heard is not None and len(keys) > self.gone + _GROWING:
            if keys[self.gone + _GROWING] < self.heard.us - self.window_us or len(keys) - self.gone > MAX_WINDOW:
                self._trim()

    def _place(self, event: Event, again: bool, keep: bool) -> None:
        """As `take`, wherever its place is."""
        seen, keys = event.seen, self.keys
        self.hear(seen.heard or self._guessed(seen.time_us))
        place = self._told_before(seen) if again else None
        if not keep:
            if place is not None:
                del keys[place], self.events[place]
                self._rework(place)
            return
        if place is not None:
            self.events[place] = event
            self._rework(place)
        else:
            last = keys[-1] if len(keys) > self.gone else -(1 << 62)
            key = seen.time_us if seen.time_us is not None else last
            # Older than the window: the clock was set back, or a file is out of order. It counts as said now.
            if self.heard is not None and key < self.heard.us - self.window_us:
                key = max(last, self.heard.us)
            if key >= last:
                keys.append(key)
                self.events.append(event)
            else:
                place = bisect_right(keys, key, self.gone)
                keys.insert(place, key)
                self.events.insert(place, event)
                self._rework(place)
            self.fresh += 1

    def _guessed(self, time_us: int | None) -> Heard | None:
        """How far records have come, of an event that does not say."""
        if time_us is None:
            return None
        return Heard(time_us, time_us) if self.heard is None else self.heard.at(time_us)

    def _told_before(self, seen: Seen) -> int | None:
        """Where the same record stands that came before it was complete."""
        events = self.events
        for place in range(len(events) - 1, max(self.gone, len(events) - _GROWING) - 1, -1):
            old = events[place].seen
            if old.offset == seen.offset and old.path == seen.path and old.line == seen.line:
                return place
        return None

    def _rework(self, place: int) -> None:
        """What is known behind this place must be worked out again."""
        while self.states[-1][0] > place:
            self.states.pop()

    def _known(self, place: int) -> State:
        """What is known when so many of the events are."""
        at, state = self.states[bisect_right(self.states, place, key=_place_of) - 1]
        if at < place:
            state = self.rule.fold(state, self.heard, self.keys[at:place], self.events[at:place], self.node)
            self.fresh = 0
            if place > self.states[-1][0]:
                if len(self.states) > 1 and place - self.states[-2][0] <= _MANY:
                    self.states.pop()  # so that few are kept
                self.states.append((place, state))
        return state

    def _let_go(self, place: int, state: State | None = None) -> None:
        """Forget the events before this place; `state` is what they come to."""
        if state is None:
            state = self._known(place)
        self.states = [(0, state), *((at - place, one) for at, one in self.states if at > place)]
        del self.keys[:place], self.events[:place]
        self.gone = max(0, self.gone - place)

    def _trim(self) -> None:
        """Let go what no late line can change any more, and no continuation line."""
        if self.heard is None:
            return
        keys, gone, us = self.keys, self.gone, self.heard.us
        while gone < len(keys) and (keys[gone] < us - self.window_us or len(keys) - gone > MAX_WINDOW):
            if len(keys) - gone <= _GROWING and keys[gone] >= us - max(self.window_us, GAP_US):
                break
            gone += 1
        self.gone = gone
        if len(self.states) > 1 and self.states[1][0] <= gone:
            self._let_go(self.states[bisect_right(self.states, gone, key=_place_of) - 1][0])

    def restore(self, floor: State, window: Iterable[tuple[int, Event]]) -> None:
        """Begin with these events, and what was known before them."""
        self.states = [(0, floor)]
        for key, event in window:
            self.keys.append(key)
            self.events.append(event)
        self._known(len(self.keys))

    @property
    def is_used(self) -> bool:
        """Whether the rule knows anything of the node yet."""
        return bool(self.keys or self.told or self.spanned) or self.floor() != self.rule.start()

    def floor(self) -> State:
        """What was known before the window."""
        if self.gone:
            self._let_go(self.gone)
        return self.states[0][1]

    def hear(self, heard: Heard | None) -> None:
        """The node's records have come so far."""
        before = self.heard
        if heard is None or before is None:
            self.heard = heard or before
        elif heard.run_us > before.us:
            self._pass(heard, before)
        elif heard.run_us < before.run_us:
            if heard.us >= before.us:
                self.floor()
                self.heard = heard
                self._rework(0)
        elif heard.us > before.us:
            # Another input may have heard of the node later.
            self.heard = heard if heard.run_us == before.run_us else Heard(heard.us, before.run_us, before.past, before.booted)
            if self.keys and self.keys[-1] > before.us:
                self._rework(bisect_right(self.keys, before.us, self.gone))

    def _pass(self, heard: Heard, before: Heard) -> None:
        """Runs ended: what was quiet at an end was quiet, whatever comes."""
        runs = [Heard(end, start, heard.past[:i]) for i, (start, end) in enumerate(heard.past) if end >= before.us]
        if not runs or runs[0].run_us > before.us:
            runs.insert(0, before)
        elif runs[0].run_us < before.run_us:
            # A late line that is no event moved the beginning of the run.
            self.floor()
            self.heard = runs[0]
            self._rework(0)
        for number, run in enumerate(runs):
            if number:
                self.heard = run
                self._rework(0)
            # An event's own time may lie behind the run that it was said in.
            first = bisect_right(self.keys, run.us, self.gone)
            self._let_go(first, self.rule.settle(self._known(first), run))
        self.heard = heard
        self._rework(0)

    def tell(self, others: Iterable[Machine] = ()) -> dict[str, Incident | None]:
        """The incidents that are new or not as they were, beside those of other rules on the node; None: it is none any more."""
        self._trim()
        state = self._settled(self._known(len(self.keys)))
        new: dict[str, Incident | None] = {}
        yields = self.rule.yields
        if (yields and self.told) or (state is not self.seen and state != self.seen):
            self.seen = state
            now: dict[str, Incident] = {}
            cases = (*state.past, *((case, state.memory) for case in state.cases))
            if len(self.made) > 2 * len(cases) + 8:
                self.made = {}
            for case, memory in cases:
                incident = self._incident(case, memory)
                if not self.rule.matters(case) or (yields and self._is_spanned(incident, others)):
                    # Of what is none only the gaps are told, and those only where they are what the rule is about.
                    incident = msgspec.structs.replace(incident, episodes=0, gaps=incident.gaps if self.rule.losses else ())
                now[incident.id] = incident
                before = self.told.get(incident.id)
                if before is not incident and before != incident:
                    new[incident.id] = incident
            new |= dict.fromkeys(self.told.keys() - now.keys())
            self.told = now
        return new

    def _settled(self, state: State) -> State:
        """What is known, with all that is quiet or past by now."""
        heard = self.heard
        if heard is None or not state.kept:
            return state
        calm, runs, due_us = self.calm
        if calm is state and heard.us < due_us and runs == (heard.run_us, heard.past):
            return state
        if not heard.past and heard.us < state.due_us and type(self.rule).settle is Rule.settle:
            return state
        found = self.rule.retire(self.rule.settle(state, heard), heard.us - self.window_us)
        if found is state:
            self.calm = state, (heard.run_us, heard.past), self.rule.due_us(state)
        return found

    def _incident(self, case: Case, memory: Any) -> Incident:
        """A case as users see it; it is put into words anew where it, or what they depend on, is another."""
        known = self.made.get((case.key, case.number))
        if known is None or known[0] is not case or (known[1] is not memory and self.rule.tells_memory):
            known = self.made[case.key, case.number] = case, memory, self.rule.incident(case, memory, self.node)
        return known[2]

    def _is_spanned(self, found: Incident, others: Iterable[Machine]) -> bool:
        if found.id in self.spanned:
            return True
        only = self.rule.yields_to
        fit = (other for other in others if not only or other.rule.kind in only)
        return any(self.rule.is_spanned(found, one) for other in fit for one in other.told.values() if one.episodes)

    def _retired(self, floor: State, heard: Heard, before_us: int) -> State:
        """The floor without what is over for good; what else is quiet may still turn out not to be."""
        settled = self.rule.retire(self.rule.settle(floor, heard, before_us), before_us)
        over = {(case.key, case.number) for case, _ in settled.past}
        kept = {name: case for name, case in floor.kept.items() if (case.key, case.number) not in over}
        return msgspec.structs.replace(settled, kept=kept)

    def forget(self, others: Iterable[Machine] = ()) -> list[Incident]:
        """The incidents that are over for good: so that memory is bounded by what is open.

        What yields to others is not, while another one goes on that may come to span it.
        """
        is_empty = len(self.keys) == self.gone
        if not self.keys and not self.states[0][1].kept and not self.states[0][1].past:
            return []  # nearly all rules, nearly always
        if not is_empty and not self._known(len(self.keys)).past:
            return []  # nor was anything past before
        floor = self.floor()
        if is_empty and self.heard is not None:
            # Nothing can come before this any more.
            floor = self._retired(floor, self.heard, self.heard.us - self.window_us)
            self.states = [(0, floor)]
        told = (one for other in others for one in other.told.values() if one.episodes)
        first_us = min((one.opened.us for one in told if one.opened), default=1 << 62)
        past = [case for case, _ in floor.past if case.opened is None or case.opened.us < first_us]
        if not past:
            return []
        gone = {(case.key, case.number) for case in past}
        self.states = [(place, state.without(gone)) for place, state in self.states]
        found = (self.told.pop(self.rule.id_of(case, self.node), None) for case in past)
        self.seen = None
        return [one for one in found if one is not None]


def span(gone: Iterable[Incident], machines: Iterable[Machine]) -> None:
    """What incidents span that are over for good, it stays so."""
    for machine in machines:
        if machine.rule.yields:
            machine.spanned.update(
                found.id for found in machine.told.values() if any(machine.rule.is_spanned(found, one) for one in gone)
            )


def _place_of(known: tuple[int, State]) -> int:
    return known[0]
