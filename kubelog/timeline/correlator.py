"""Events → Changes.

A rule is a pure function from what it knew and one event to what it knows. The correlator keeps, for each node and rule, the events
of the last 30 s of event time with what was known after each; a late line is put in its place and what follows it is worked out
again. What is told is the difference between what was told and what is known: so folding the Changes always gives the incidents, a
Change leaves when its line came in, and nodes cannot touch each other.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from kubelog.errors import StateError
from kubelog.message import vocabulary
from kubelog.message.vocabulary import Event, Heard
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
STATE_FORMAT: Final = 1


class _Entry:
    """An event in the window, where it stands in time, and what was known after it."""

    __slots__ = ("event", "key", "state")

    def __init__(self, key: int, event: Event, state: State) -> None:
        self.key, self.event, self.state = key, event, state


class _Machine:
    """One rule on one node."""

    def __init__(self, rule: Rule, node: str | None, window_us: int) -> None:
        self.rule, self.node, self.window_us = rule, node, window_us
        self.floor = rule.start()  # what was known before the window
        self.entries: list[_Entry] = []
        self.heard: Heard | None = None
        self.told: dict[str, Incident] = {}
        self.seen: State | None = None

    def take(self, event: Event) -> None:
        """Put an event in its place in time."""
        seen = event.seen
        self.advance(seen.heard)
        last = self.entries[-1].key if self.entries else -(1 << 62)
        key = seen.time_us if seen.time_us is not None else last
        # Older than the window: the clock was set back, or a file is out of order. It counts as said now.
        if self.heard is not None and key < self.heard.us - self.window_us:
            key = max(last, key)
        place = self._replaced(event)
        if place is None:
            place = bisect_right(self.entries, key, key=lambda entry: entry.key)
            self.entries.insert(place, _Entry(key, event, self.floor))
        else:
            self.entries[place].event = event
        state = self.entries[place - 1].state if place else self.floor
        for entry in self.entries[place:]:
            state = entry.state = self._applied(state, entry.event)
        self._trim()

    def _replaced(self, event: Event) -> int | None:
        """Where the same record stands that came before it was complete."""
        for place in range(len(self.entries) - 1, max(-1, len(self.entries) - 65), -1):
            old = self.entries[place].event.seen
            if old.offset == event.seen.offset and old.path == event.seen.path and old.line == event.seen.line:
                return place
        return None

    def _applied(self, state: State, event: Event) -> State:
        state = self.rule.settle(state, event.seen.heard, event.seen.time_us)
        return self.rule.apply(state, event, self.node)

    def _trim(self) -> None:
        entries = self.entries
        drop = max(0, len(entries) - MAX_WINDOW)
        if self.heard is not None:
            while drop < len(entries) and entries[drop].key < self.heard.us - self.window_us:
                drop += 1
        if drop:
            self.floor = entries[drop - 1].state
            del entries[:drop]

    def advance(self, heard: Heard | None) -> None:
        """The node's records have come so far."""
        if heard is not None and (self.heard is None or heard.us >= self.heard.us):
            self.heard = heard

    def tell(self) -> list[Change]:
        """What is new."""
        known = self.entries[-1].state if self.entries else self.floor
        state = self.rule.settle(known, self.heard)
        changes: list[Change] = []
        if state is not self.seen:
            self.seen = state
            now: dict[str, Incident] = {}
            for case in state.cases:
                incident = self.rule.incident(case, state.memory, self.node)
                now[incident.id] = incident
                before = self.told.get(incident.id)
                if before != incident:
                    changes += difference(before, incident)
            changes += [withdrawal(before) for id_, before in self.told.items() if id_ not in now]
            self.told = now
        self._retire(state)
        return changes

    def _retire(self, state: State) -> None:
        """Forget what is over for good, so that memory is bounded by what is open."""
        if self.heard is None:
            return
        limit = self.heard.us - self.window_us
        past = [case for case in state.cases if self.rule.is_past(case, limit)]
        if not past:
            return
        self.floor = self.rule.retire(self.rule.settle(self.floor, self.heard), limit)
        for entry in self.entries:
            entry.state = self.rule.retire(self.rule.settle(entry.state, self.heard), limit)
        for case in past:
            self.told.pop(self.rule.incident(case, state.memory, self.node).id, None)
        self.seen = None


class Correlator:
    """Turns typed events into incidents that open, evolve and close.

    `feed` returns what is new at once. `incidents()` are all so far; with `keep_closed=False` only those that are open or may open
    again, so that memory is bounded by what is open.
    """

    def __init__(self, *, window_s: float = WINDOW_S, keep_closed: bool = True) -> None:
        self.window_us = int(window_s * 1e6)
        self.keep_closed = keep_closed
        self._machines: dict[str | None, list[_Machine]] = {}
        self._timeline = Timeline()

    def feed(self, event: Event) -> list[Change]:
        """Take one event; what it changes."""
        self.take(event)
        return self.tell(event.seen.node)

    def take(self, event: Event) -> None:
        """Take one event without telling: `tell` tells of all that were taken since."""
        for machine in self._of(event.seen.node):
            if event.kind in machine.rule.kinds:
                machine.take(event)
            else:
                machine.advance(event.seen.heard)

    def advance(self, node: str | None, heard: Heard) -> list[Change]:
        """The records of a node have come so far, though none of them is an event that a rule asks for."""
        for machine in self._of(node):
            machine.advance(heard)
        return self.tell(node)

    def tell(self, node: str | None) -> list[Change]:
        """What is new on a node."""
        changes = [change for machine in self._of(node) for change in machine.tell()]
        for change in changes:
            self._timeline.fold(change)
        if not self.keep_closed and changes:
            kept = {id_ for machines in self._machines.values() for machine in machines for id_ in machine.told}
            self._timeline.keep(kept)
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
            machines = self._machines[node] = [_Machine(rule, node, self.window_us) for rule in RULES]
        return machines

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
        """The correlator that `save` wrote. Raises StateError where the file is not one, InputError's base OSError where it cannot be read."""
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
                "entries": [(entry.key, _event_data(entry.event)) for entry in machine.entries],
                "heard": msgspec.to_builtins(machine.heard),
                "told": [msgspec.to_builtins(incident) for incident in machine.told.values()],
            }
            for node, of_node in self._machines.items()
            for machine in of_node
        ]
        incidents = [msgspec.to_builtins(incident) for incident in self._timeline]
        return {
            "format": STATE_FORMAT, "window_us": self.window_us, "keep_closed": self.keep_closed, "machines": machines,
            "incidents": incidents,
        }  # fmt: skip

    @classmethod
    def _from_data(cls, data: Any) -> Correlator:
        if not isinstance(data, dict) or data.get("format") != STATE_FORMAT:
            raise ValueError("another format")
        made = cls(window_s=data["window_us"] / 1e6, keep_closed=data["keep_closed"])
        for saved in data["machines"]:
            machine = next(one for one in made._of(saved["node"]) if one.rule.kind == saved["rule"])
            machine.floor = _state(machine.rule, saved["floor"])
            machine.heard = msgspec.convert(saved["heard"], Heard | None, strict=False)
            state = machine.floor
            for key, event_data in saved["entries"]:
                event = _event(event_data)
                state = machine._applied(state, event)
                machine.entries.append(_Entry(key, event, state))
            machine.told = {one.id: one for one in _incidents(saved["told"])}
        made._timeline.restore(_incidents(data["incidents"]))
        return made


def _incidents(data: Iterable[Any]) -> list[Incident]:
    return [msgspec.convert(one, Incident, strict=False) for one in data]


def _state(rule: Rule, data: Any) -> State:
    state = msgspec.convert(data, State, strict=False)
    return msgspec.structs.replace(state, memory=msgspec.convert(data["memory"], rule.memory, strict=False))


def _event_data(event: Event) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(event)
    return {**data, "kind": event.kind}


def _event(data: dict[str, Any]) -> Event:
    kind = data.pop("kind")
    return msgspec.convert(data, vocabulary.classes()[kind], strict=False)
