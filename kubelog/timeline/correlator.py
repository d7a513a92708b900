"""Events → Changes.

A rule is a pure function from what it knew and one event to what it knows. The correlator keeps, for each node and rule, the events
of the last 30 s of event time with what was known after each; a late line is put in its place and what follows it is worked out
again. What is told is the difference between what was told and what is known: so folding the Changes always gives the incidents, a
Change leaves when its line came in, and nodes cannot touch each other.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from kubelog.errors import StateError
from kubelog.message import vocabulary
from kubelog.message.vocabulary import GAP_US, Event, Heard, Seen
from kubelog.timeline.changes import Timeline, difference, withdrawal
from kubelog.timeline.incident import Change, Incident
from kubelog.timeline.rules import Rule, State
from kubelog.timeline.rules.node_pressure_eviction import NodePressureEviction

RULES: Final[tuple[Rule, ...]] = (NodePressureEviction(),)
# The kinds that any rule asks for: no others need to become objects.
WANTED: Final[frozenset[str]] = frozenset().union(*(rule.kinds for rule in RULES))
WINDOW_S: Final = 30.0
# A window never holds more events than this, however many came in its 30 s.
MAX_WINDOW: Final = 1000
# A record that may still grow is among the last this many events of its node.
_GROWING: Final = 64
STATE_FORMAT: Final = 1


class _Machine:
    """One rule on one node.

    Its window are the events of the last 30 s in their order in time: `keys`, the µs at which each stands, `events`, and
    `states`, what was known after each.
    """

    def __init__(self, rule: Rule, node: str | None, window_us: int) -> None:
        self.rule, self.node, self.window_us = rule, node, window_us
        self.floor = rule.start()  # what was known before the window
        self.keys: deque[int] = deque()
        self.events: deque[Event] = deque()
        self.states: deque[State] = deque()
        self.furthest: dict[str, int] = {}  # the last offset that was taken, by path
        self.heard: Heard | None = None
        self.told: dict[str, Incident] = {}
        self.seen: State | None = None  # what was told last

    @property
    def known(self) -> State:
        """What is known after the last event."""
        return self.states[-1] if self.states else self.floor

    def take(self, event: Event) -> None:
        """Put an event in its place in time."""
        seen, keys = event.seen, self.keys
        self.hear(seen.heard or self._guessed(seen.time_us))
        place = None
        if seen.line:
            if seen.offset > self.furthest.get(seen.path, -1):
                self.furthest[seen.path] = seen.offset
            else:
                place = self._told_before(seen)
        if type(event) is Event:
            if place is not None:
                for column in (keys, self.events, self.states):
                    del column[place]
                self._rework(place)
            return
        if place is not None:
            self.events[place] = event
            self._rework(place)
        else:
            last = keys[-1] if keys else -(1 << 62)
            key = seen.time_us if seen.time_us is not None else last
            # Older than the window: the clock was set back, or a file is out of order. It counts as said now.
            if self.heard is not None and key < self.heard.us - self.window_us:
                key = max(last, self.heard.us)
            if key >= last:
                state = self.rule.passed(self.states[-1] if keys else self.floor, self.heard, key)
                self.states.append(self.rule.apply(state, event, self.node))
                keys.append(key)
                self.events.append(event)
            else:
                place = bisect_right(keys, key)
                keys.insert(place, key)
                self.events.insert(place, event)
                self.states.insert(place, self.floor)
                self._rework(place)
        self._trim()

    def _guessed(self, time_us: int | None) -> Heard | None:
        """How far records have come, of an event that does not say."""
        if time_us is None:
            return None
        return Heard(time_us, time_us) if self.heard is None else self.heard.at(time_us)

    def _told_before(self, seen: Seen) -> int | None:
        """Where the same record stands that came before it was complete."""
        events = self.events
        for place in range(len(events) - 1, max(-1, len(events) - _GROWING - 1), -1):
            old = events[place].seen
            if old.offset == seen.offset and old.path == seen.path and old.line == seen.line:
                return place
        return None

    def _after(self, state: State, key: int, event: Event) -> State:
        """What is known after an event that stands there."""
        return self.rule.apply(self.rule.passed(state, self.heard, key), event, self.node)

    def _rework(self, place: int) -> None:
        """Work out again what is known from this place on."""
        state = self.states[place - 1] if place else self.floor
        for at in range(place, len(self.keys)):
            state = self.states[at] = self._after(state, self.keys[at], self.events[at])

    def restore(self, window: Iterable[tuple[int, Event]]) -> None:
        """Begin with these events."""
        for key, event in window:
            seen = event.seen
            self.furthest[seen.path] = max(seen.offset, self.furthest.get(seen.path, -1))
            self.states.append(self._after(self.known, key, event))
            self.keys.append(key)
            self.events.append(event)

    def _trim(self) -> None:
        """Let go what no late line can change any more, and no continuation line."""
        if self.heard is None:
            return
        keys, us = self.keys, self.heard.us
        while keys and (keys[0] < us - self.window_us or len(keys) > MAX_WINDOW):
            if len(keys) <= _GROWING and keys[0] >= us - max(self.window_us, GAP_US):
                break
            keys.popleft()
            self.events.popleft()
            self.floor = self.states.popleft()

    def hear(self, heard: Heard | None) -> None:
        """The node's records have come so far."""
        before = self.heard
        if heard is None or before is None:
            self.heard = heard or before
        elif heard.run_us > before.us:
            self._pass(heard, before)
        elif heard.us > before.us or (heard.us == before.us and heard.run_us < before.run_us):
            self.heard = heard
            if heard.run_us < before.run_us:
                self._rework(0)
            elif self.keys and self.keys[-1] > before.us:
                self._rework(bisect_right(self.keys, before.us))

    def _pass(self, heard: Heard, before: Heard) -> None:
        """Runs ended: what was quiet at an end was quiet, whatever comes."""
        runs = [Heard(end, start, heard.past[:i]) for i, (start, end) in enumerate(heard.past) if end >= before.us]
        if not runs or runs[0].run_us > before.us:
            runs.insert(0, before)
        elif runs[0].run_us < before.run_us:
            # A late line that is no event moved the beginning of the run.
            self.heard = runs[0]
            self._rework(0)
        first = bisect_right(self.keys, before.us)
        state = self.states[first - 1] if first else self.floor
        for run in runs:
            state = self.rule.settle(state, run)
        self.heard, self.floor = heard, state
        for _ in range(first):
            self.keys.popleft()
            self.events.popleft()
            self.states.popleft()
        self._rework(0)

    def tell(self) -> list[Change]:
        """What is new."""
        self._trim()
        state = self.rule.settle(self.known, self.heard)
        if self.heard is not None:
            state = self.rule.retire(state, self.heard.us - self.window_us)
        changes: list[Change] = []
        if state is not self.seen and state != self.seen:
            self.seen = state
            now: dict[str, Incident] = {}
            for case, memory in (*state.past, *((case, state.memory) for case in state.cases)):
                incident = self.rule.incident(case, memory, self.node)
                now[incident.id] = incident
                before = self.told.get(incident.id)
                if before != incident:
                    changes += difference(before, incident)
            changes += [withdrawal(before) for id_, before in self.told.items() if id_ not in now]
            self.told = now
        return changes

    def _retired(self, heard: Heard, before_us: int) -> State:
        """The floor without what is over for good; what else is quiet may still turn out not to be."""
        settled = self.rule.retire(self.rule.settle(self.floor, heard, before_us), before_us)
        over = {(case.key, case.number) for case, _ in settled.past}
        cases = tuple(case for case in self.floor.cases if (case.key, case.number) not in over)
        return msgspec.structs.replace(settled, cases=cases)

    def forget(self) -> list[str]:
        """The ids of the incidents that are over for good: so that memory is bounded by what is open."""
        if not self.keys and self.heard is not None:
            # Nothing can come before this any more.
            self.floor = self._retired(self.heard, self.heard.us - self.window_us)
        gone = {(case.key, case.number) for case, _ in self.floor.past}
        if not gone:
            return []
        ids = [self.rule.id_of(case, self.node) for case, _ in self.floor.past]
        self.floor = self.floor.without(gone)
        self.states = deque(state.without(gone) for state in self.states)
        for id_ in ids:
            self.told.pop(id_, None)
        self.seen = None
        return ids


class Correlator:
    """Turns typed events into incidents that open, evolve and close.

    `feed` returns what is new at once. `incidents()` are all so far; with `keep_closed=False` only those that are open or may open
    again, so that memory is bounded by what is open. Of `one_input`, what came before the first line that names a node is of that
    node.
    """

    def __init__(self, *, window_s: float = WINDOW_S, keep_closed: bool = True, one_input: bool = True) -> None:
        self.window_us = int(window_s * 1e6)
        self.keep_closed, self.one_input = keep_closed, one_input
        self.reading: Any = None  # where the reader of the input stands: kept for it by `save`
        self._machines: dict[str | None, list[_Machine]] = {}
        self._timeline = Timeline()

    def feed(self, event: Event) -> list[Change]:
        """Take one event; what it changes."""
        self.take(event)
        return self.tell(event.seen.node)

    def take(self, event: Event) -> None:
        """Take one event without telling: `tell` tells of all that were taken since."""
        kind, node = type(event), event.seen.node
        for machine in self._machines.get(node) or self._of(node):
            if kind.__name__ in machine.rule.kinds or kind is Event:
                machine.take(event)
            else:
                machine.hear(event.seen.heard)

    def advance(self, node: str | None, heard: Heard) -> list[Change]:
        """The records of a node have come so far, though none of them is an event that a rule asks for."""
        for machine in self._of(node):
            machine.hear(heard)
        return self.tell(node)

    def tell(self, node: str | None) -> list[Change]:
        """What is new on a node."""
        changes: list[Change] = []
        for machine in self._of(node):
            told = machine.tell()
            for change in told:
                self._timeline.fold(change)
            gone = machine.forget()
            if gone and not self.keep_closed:
                self._timeline.forget(gone)
            changes += told
        return changes

    def flush(self) -> list[Change]:
        """The input is at its end: what is new. Nothing closes for that."""
        return [change for node in list(self._machines) for change in self.tell(node)]

    def incidents(self) -> Timeline:
        """The incidents so far."""
        return self._timeline

    def _of(self, node: str | None) -> list[_Machine]:
        machines = self._machines.get(node)
        if machines is None:
            if self.one_input and node is not None and list(self._machines) == [None]:
                machines = self._machines.pop(None)
                for machine in machines:
                    machine.node, machine.seen = node, None
            else:
                machines = self._new(node)
            self._machines[node] = machines
        return machines

    def _new(self, node: str | None) -> list[_Machine]:
        return [_Machine(rule, node, self.window_us) for rule in RULES]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state: a temporary file, synced, then renamed, so that a crash leaves the old one or the new one."""
        target = Path(path)
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        data = msgspec.msgpack.encode(self._to_data())
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, target)
        except OSError:
            part.unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Correlator:
        """The correlator that `save` wrote. Raises StateError where the file is not one, OSError where it cannot be read."""
        try:
            return cls._from_data(msgspec.msgpack.decode(Path(path).read_bytes()))
        except (msgspec.DecodeError, msgspec.ValidationError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise StateError(f"{os.fspath(path)}: not a saved state of this release: {error}") from None

    def _to_data(self) -> dict[str, Any]:
        machines = [
            {
                "node": node,
                "rule": machine.rule.kind,
                "floor": msgspec.to_builtins(machine.floor),
                "entries": [(key, _event_data(event)) for key, event in zip(machine.keys, machine.events, strict=True)],
                "heard": msgspec.to_builtins(machine.heard),
                "told": [msgspec.to_builtins(incident) for incident in machine.told.values()],
            }
            for node, of_node in self._machines.items()
            for machine in of_node
        ]
        incidents = [msgspec.to_builtins(incident) for incident in self._timeline]
        return {
            "format": STATE_FORMAT, "window_us": self.window_us, "keep_closed": self.keep_closed, "one_input": self.one_input,
            "machines": machines, "incidents": incidents, "reading": self.reading,
        }  # fmt: skip

    @classmethod
    def _from_data(cls, data: Any) -> Correlator:
        if not isinstance(data, dict) or data.get("format") != STATE_FORMAT:
            raise ValueError("another format")
        made = cls(window_s=data["window_us"] / 1e6, keep_closed=data["keep_closed"], one_input=data["one_input"])
        for saved in data["machines"]:
            of_node = made._machines.setdefault(saved["node"], made._new(saved["node"]))
            machine = {one.rule.kind: one for one in of_node}[saved["rule"]]
            machine.floor = _state(machine.rule, saved["floor"])
            machine.heard = msgspec.convert(saved["heard"], Heard | None, strict=False)
            machine.restore([(key, _event(event)) for key, event in saved["entries"]])
            machine.told = {one.id: one for one in _incidents(saved["told"])}
        made._timeline.restore(_incidents(data["incidents"]))
        made.reading = data["reading"]
        return made


def _incidents(data: Iterable[Any]) -> list[Incident]:
    return [msgspec.convert(one, Incident, strict=False) for one in data]


def _state(rule: Rule, data: Any) -> State:
    state = msgspec.convert(data, State, strict=False)
    past = tuple((case, msgspec.convert(memory, rule.memory, strict=False)) for case, memory in state.past)
    return msgspec.structs.replace(state, past=past, memory=msgspec.convert(data["memory"], rule.memory, strict=False))


def _event_data(event: Event) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(event)
    return {**data, "kind": event.kind}


def _event(data: dict[str, Any]) -> Event:
    kind = data.pop("kind")
    return msgspec.convert(data, vocabulary.classes()[kind], strict=False)
