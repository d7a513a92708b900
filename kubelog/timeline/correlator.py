"""Events → Changes.

A rule is a pure function from what it knew and one event to what it knows. The correlator keeps, for each node and rule, the events
of the last 30 s of event time with what was known after each; a late line is put in its place and what follows it is worked out
again. What is told is the difference between what was told and what is known: so folding the Changes always gives the incidents, a
Change leaves when its line came in, and nodes cannot touch each other.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from kubelog.errors import StateError
from kubelog.message import vocabulary
from kubelog.message.vocabulary.event import Event, Heard, Seen
from kubelog.timeline.changes import Timeline
from kubelog.timeline.incident import Change, Gap, Incident
from kubelog.timeline.machine import Machine, span
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
STATE_FORMAT: Final = 6
# A state file begins so; a sum of what follows tells one that was torn.
_MAGIC: Final = b"kubelog state\n"
_DIGEST: Final = 16


def _never(event: Event) -> bool:
    return False


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
        self._machines: dict[str | None, list[Machine]] = {}
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

    def _forget(self, machines: list[Machine]) -> None:
        """What is over for good need not be kept by those that made it."""
        others = [machine for machine in machines if not machine.rule.yields]
        for machine in machines:
            yields = machine.rule.yields
            gone = machine.forget(others if yields else ())
            if not gone:
                continue
            machine.spanned.difference_update(one.id for one in gone)
            if not yields:
                span([one for one in gone if one.episodes], machines)
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

    def _of(self, node: str | None) -> list[Machine]:
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

    def _new(self, node: str | None) -> list[Machine]:
        return [Machine(rule, node, self.window_us) for rule in RULES]

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
