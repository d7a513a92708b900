"""Events → Changes.

A rule is a pure function from what it knew and one event to what it knows. The correlator keeps, for each node and rule, the events
of the last 30 s of event time with what was known after each; a late line is put in its place and what follows it is worked out
again. What is told is the difference between what was told and what is known: so folding the Changes always gives the incidents, a
Change leaves when its line came in, and nodes cannot touch each other.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from kubelog.errors import StateError
from kubelog.message import vocabulary
from kubelog.message.vocabulary.event import GAP_US, Event, Heard, Seen
from kubelog.timeline.case import Case
from kubelog.timeline.changes import Timeline
from kubelog.timeline.incident import Change, Gap, Incident
from kubelog.timeline.registry import rules
from kubelog.timeline.relations import Relations
from kubelog.timeline.rules import Rule, State

RULES: Final[tuple[Rule, ...]] = rules()


def _wanted(rules: Iterable[Rule]) -> dict[str, tuple[bytes, ...]]:
    found: dict[str, tuple[bytes, ...]] = {}
    for rule in rules:
        for kind in rule.kinds:
            texts = rule.about.get(kind, ())
            known = found.get(kind, texts)
            found[kind] = tuple(dict.fromkeys((*known, *texts))) if known and texts else ()
    return found


# By number, the rules that ask for a kind, with what tells which of its events concern the rule, where not all do.
_Takers = tuple[tuple[int, Callable[[Event], bool] | None], ...]
# The kinds that any rule asks for: no others need to become objects. With each, texts of which a record must hold one, if any.
WANTED: Final[Mapping[str, tuple[bytes, ...]]] = _wanted(RULES)
WINDOW_S: Final = 30.0
# A window never holds more events than this, however many came in its 30 s.
MAX_WINDOW: Final = 1000
# A record that may still grow is among the last this many events of its node.
_GROWING: Final = 64
# So many events are worked out at a time, while no one asks what is known.
_MANY: Final = 256
STATE_FORMAT: Final = 6
# A state file begins so; a sum of what follows tells one that was torn.
_MAGIC: Final = b"kubelog state\n"
_DIGEST: Final = 16


class _Machine:
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
        # A state in which nothing is quiet or past before that time, as long as no other run begins.
        self.calm: tuple[State | None, tuple[tuple[int, int], ...], int] = None, (), 0
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

    def tell(self, others: Iterable[_Machine] = ()) -> dict[str, Incident | None]:
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
        calm, past, due_us = self.calm
        if calm is state and past == heard.past and heard.us < due_us:
            return state
        if not heard.past and heard.us < state.due_us and type(self.rule).settle is Rule.settle:
            return state
        found = self.rule.retire(self.rule.settle(state, heard), heard.us - self.window_us)
        if found is state:
            self.calm = state, heard.past, self.rule.due_us(state)
        return found

    def _incident(self, case: Case, memory: Any) -> Incident:
        """A case as users see it; it is put into words anew where it, or what they depend on, is another."""
        known = self.made.get((case.key, case.number))
        if known is None or known[0] is not case or (known[1] is not memory and self.rule.tells_memory):
            known = self.made[case.key, case.number] = case, memory, self.rule.incident(case, memory, self.node)
        return known[2]

    def _is_spanned(self, found: Incident, others: Iterable[_Machine]) -> bool:
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

    def forget(self, others: Iterable[_Machine] = ()) -> list[Incident]:
        """The incidents that are over for good: so that memory is bounded by what is open.

        What yields to others is not, while another one goes on that may come to span it.
        """
        is_empty = len(self.keys) == self.gone
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


def _spanned(gone: Iterable[Incident], machines: Iterable[_Machine]) -> None:
    """What incidents span that are over for good, it stays so."""
    for machine in machines:
        if machine.rule.yields:
            machine.spanned.update(
                found.id for found in machine.told.values() if any(machine.rule.is_spanned(found, one) for one in gone)
            )


def _never(event: Event) -> bool:
    return False


def _place_of(known: tuple[int, State]) -> int:
    return known[0]


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
        # How far the records of each node have come; within a run rules hear of it when they are asked, or take an event.
        self._heard: dict[str | None, Heard] = {}
        self._asking: dict[type[Event], _Takers] = {}  # by kind, which rules ask for it
        self._furthest: dict[str, int] = {}  # the last offset that was taken, by path
        self._relations = Relations()
        self._gone: set[str] = set()  # incidents that their rules know no more
        self._timeline = Timeline()

    def feed(self, event: Event) -> list[Change]:
        """Take one event; what it changes."""
        self.take(event)
        return self.tell(event.seen.node)

    def take(self, event: Event) -> None:
        """Take one event without telling: `tell` tells of all that were taken since."""
        kind, node, heard = type(event), event.seen.node, event.seen.heard
        machines, before = self._machines.get(node) or self._of(node), self._heard.get(node)
        if heard is None or before is None or heard.run_us != before.run_us:
            # Where another run begins, all rules hear of it at once.
            self._hear(node, heard or before)
        elif heard.us > before.us:
            self._heard[node] = heard
        again = bool(event.seen.line) and self._is_again(event.seen)
        for number, concerns in self._asking.get(kind) or self._takers(kind):
            keep = concerns is None or concerns(event)
            if keep or again:
                machines[number].take(event, again, keep)

    def _is_again(self, seen: Seen) -> bool:
        """Whether a record may have come before."""
        if seen.offset > self._furthest.get(seen.path, -1):
            self._furthest[seen.path] = seen.offset
            return False
        return True

    def _takers(self, kind: type[Event]) -> _Takers:
        """Which of the rules ask for a kind; what takes an event back concerns all, and none keeps it."""
        if kind is Event:
            found: _Takers = tuple((i, _never) for i in range(len(RULES)))
        else:
            asking = ((i, rule) for i, rule in enumerate(RULES) if kind.__name__ in rule.kinds)
            found = tuple((i, rule.concerns if kind in rule.picks else None) for i, rule in asking)
        self._asking[kind] = found
        return found

    def _hear(self, node: str | None, heard: Heard | None) -> None:
        """All rules on a node hear how far its records have come."""
        for machine in self._of(node):
            if machine.heard is not heard:
                machine.hear(heard)
        known = self._heard.get(node)
        if heard is not None and (known is None or heard.us >= known.us):
            self._heard[node] = heard

    def advance(self, node: str | None, heard: Heard) -> list[Change]:
        """The records of a node have come so far, though none of them is an event that a rule asks for."""
        self._hear(node, heard)
        return self.tell(node)

    def tell(self, node: str | None) -> list[Change]:
        """What is new on a node."""
        return self._tell((node,))

    def flush(self) -> list[Change]:
        """The input is at its end: what is new. Nothing closes for that."""
        return self._tell(list(self._machines))

    def _tell(self, nodes: Iterable[str | None]) -> list[Change]:
        new: dict[str, Incident | None] = {}
        for node in nodes:
            machines = self._of(node)
            self._hear(node, self._heard.get(node))
            others = [machine for machine in machines if not machine.rule.yields]
            for machine in machines:
                new |= machine.tell(others)
        changes = self._relations.update(new) if new else []
        for change in changes:
            self._timeline.fold(change)
        for node in nodes:
            self._forget(self._of(node))
        return changes

    def _forget(self, machines: list[_Machine]) -> None:
        """What is over for good need not be kept by those that made it."""
        others = [machine for machine in machines if not machine.rule.yields]
        for machine in machines:
            yields = machine.rule.yields
            gone = machine.forget(others if yields else ())
            if not gone:
                continue
            machine.spanned.difference_update(one.id for one in gone)
            if not yields:
                _spanned([one for one in gone if one.episodes], machines)
            if not self.keep_closed:
                self._gone.update(one.id for one in gone)
        if self._gone:
            # What belongs to others that are not over is kept a while longer.
            over = self._relations.forget(self._gone)
            self._timeline.forget(over)
            self._gone -= over

    def incidents(self) -> Timeline:
        """The incidents so far."""
        return self._timeline

    def _of(self, node: str | None) -> list[_Machine]:
        machines = self._machines.get(node)
        if machines is None:
            if self.one_input and node is not None and list(self._machines) == [None]:
                machines = self._machines.pop(None)
                for machine in machines:
                    machine.node, machine.seen, machine.made = node, None, {}
                if None in self._heard:
                    self._heard[node] = self._heard.pop(None)
            else:
                machines = self._new(node)
            self._machines[node] = machines
        return machines

    def _new(self, node: str | None) -> list[_Machine]:
        return [_Machine(rule, node, self.window_us) for rule in RULES]

    def begin(self, path: str, offset: int = -1) -> None:
        """Another file begins under this name: what stands in it is new behind `offset`, wherever it stood in the one before."""
        self._furthest[path] = offset

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state: a temporary file, synced, then renamed, so that a crash leaves the old one or the new one."""
        target = Path(path)
        part = target.with_name(f"{target.name}.part")
        data = msgspec.msgpack.encode(self._to_data())
        data = _MAGIC + _digest(data) + data
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, target)
            _sync(target.parent)
        except OSError:
            part.unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str], classes: Mapping[str, type[Event]] | None = None) -> Correlator:
        """The correlator that `save` wrote; `classes` are the events by name, where a grammar declares some of its own.

        Raises StateError where the file is not one, OSError where it cannot be read.
        """
        try:
            data = Path(path).read_bytes()
            start = len(_MAGIC) + _DIGEST
            if not data.startswith(_MAGIC) or data[len(_MAGIC) : start] != _digest(data[start:]):
                raise ValueError("another format, or damaged")
            return cls._from_data(msgspec.msgpack.decode(data[start:]), {**vocabulary.classes(), **(classes or {})})
        except (msgspec.DecodeError, msgspec.ValidationError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise StateError(f"{os.fspath(path)}: not a saved state of this release: {error}") from None

    def _to_data(self) -> dict[str, Any]:
        for node, heard in self._heard.items():
            self._hear(node, heard)
        machines = [
            {
                "node": node,
                "rule": machine.rule.kind,
                "floor": msgspec.to_builtins(machine.floor()),
                "entries": [(key, _event_data(event)) for key, event in zip(machine.keys, machine.events, strict=True)],
                "told": [msgspec.to_builtins(incident) for incident in machine.told.values()],
                "spanned": sorted(machine.spanned),
            }
            for node, of_node in self._machines.items()
            for machine in of_node
            if machine.is_used
        ]
        incidents = [msgspec.to_builtins(incident) for incident in self._timeline]
        nodes = [(node, msgspec.to_builtins(of_node[0].heard)) for node, of_node in self._machines.items()]
        return {
            "format": STATE_FORMAT, "nodes": nodes, "window_us": self.window_us, "keep_closed": self.keep_closed,
            "one_input": self.one_input, "machines": machines, "incidents": incidents,
            "losses": msgspec.to_builtins(self._timeline.losses),
            "alone": [msgspec.to_builtins(incident) for incident in self._relations.alone.values()], "gone": sorted(self._gone),
            "reading": self.reading,
        }  # fmt: skip

    @classmethod
    def _from_data(cls, data: Any, classes: Mapping[str, type[Event]]) -> Correlator:
        if not isinstance(data, dict) or data.get("format") != STATE_FORMAT:
            raise ValueError("another format")
        made = cls(window_s=data["window_us"] / 1e6, keep_closed=data["keep_closed"], one_input=data["one_input"])
        for node, heard in data["nodes"]:
            of_node = made._machines[node] = made._new(node)
            for one in of_node:
                one.heard = msgspec.convert(heard, Heard | None, strict=False)
        for saved in data["machines"]:
            of_node = made._machines[saved["node"]]
            machine = next((other for other in of_node if other.rule.kind == saved["rule"]), None)
            if machine is None:
                raise ValueError(f"it was written with the rule {saved['rule']}, which is not installed")
            window = [(key, _event(one, classes)) for key, one in saved["entries"]]
            machine.restore(_state(machine.rule, saved["floor"]), window)
            for _, event in window:
                made._furthest[event.seen.path] = max(event.seen.offset, made._furthest.get(event.seen.path, -1))
            machine.told = {one.id: one for one in _incidents(saved["told"])}
            machine.spanned = set(saved["spanned"])
        losses = msgspec.convert(data["losses"], dict[str, tuple[Gap, ...]], strict=False)
        told = _incidents(data["incidents"])
        made._timeline.restore(told, losses)
        machines = (machine for of_node in made._machines.values() for machine in of_node)
        none = [one for machine in machines for one in machine.told.values() if not one.episodes and one.gaps]
        made._relations.restore(_incidents(data["alone"]), [*told, *none])
        made._gone = set(data["gone"])
        made.reading = data["reading"]
        return made


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


def _sync(folder: Path) -> None:
    """Have what was renamed in a folder outlive a loss of power, where a folder can be opened."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _incidents(data: Iterable[Any]) -> list[Incident]:
    return [msgspec.convert(one, Incident, strict=False) for one in data]


def _state(rule: Rule, data: Any) -> State:
    state = msgspec.convert(data, State, strict=False)
    past = tuple((case, msgspec.convert(memory, rule.memory, strict=False)) for case, memory in state.past)
    return msgspec.structs.replace(state, past=past, memory=msgspec.convert(data["memory"], rule.memory, strict=False))


def _event_data(event: Event) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(event)
    return {**data, "kind": event.kind}


def _event(data: dict[str, Any], classes: Mapping[str, type[Event]]) -> Event:
    kind = data.pop("kind")
    return msgspec.convert(data, classes[kind], strict=False)
