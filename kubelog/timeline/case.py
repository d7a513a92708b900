"""Case: one incident as a rule keeps it, before it is put into words. Never changed in place: a Draft of it is, until it is made
a Case again.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from typing import Final

import msgspec

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event, Heard, Seen
from kubelog.timeline.incident import MAX_EVIDENCE, MAX_HOLES, MAX_PODS, Evidence, Instant, Step, instant, shifted, with_step

_CROWD: Final = 65_536


class Case(msgspec.Struct, frozen=True, gc=False):
    """What has happened in one incident so far."""

    key: str  # what it is about, among the cases of its rule and node
    number: int  # which of that key
    subject: dict[str, str]
    severity: str = "warning"
    state: str = "open"
    resolution: str | None = None
    opened: Instant | None = None
    last: Instant | None = None  # the last sign
    closed: Instant | None = None
    episodes: int = 1
    phase: int = 0  # steps of one kind are one step within a phase
    counts: dict[str, int] = {}
    steps: tuple[Step, ...] = ()
    pods: tuple[PodRef, ...] = ()
    pods_total: int = 0
    holes: tuple[tuple[Instant, Instant], ...] = ()  # stretches without any line while it was open
    marks: dict[str, int] = {}  # what a rule must remember of it
    crowd: bytes = b""  # the pods that are not kept, a bit each: how many they are is counted by the bits that are set

    @property
    def is_open(self) -> bool:
        return self.state == "open"

    def said(self, event: Event, text: str, about: str = "") -> Case:
        """One more record of a step; `about` keeps steps of one kind apart."""
        draft = Draft(self)
        draft.say(event, text, about)
        return draft.case()

    def goes_on(
        self, event: Event, text: str, about: str = "", pods: Iterable[PodRef | None] = (), *, critical: bool = False
    ) -> Case:
        """One more record of a step, which shows that it goes on: opened and last seen move, a closed case is open again."""
        draft = Draft(self)
        draft.go_on(event, text, about, pods, critical)
        return draft.case()

    def gap(self, heard: Heard) -> Case:
        """With the stretch before the run of lines that goes on, where nothing is known of it."""
        if not heard.past or self.opened is None or self.last is None or len(self.holes) >= MAX_HOLES:
            return self
        start, end = heard.past[-1][1], heard.run_us
        if start < self.opened.us or any(hole[0].us == start and hole[1].us == end for hole in self.holes):
            return self
        hole = shifted(self.last, start), shifted(self.last, end)
        return msgspec.structs.replace(self, holes=(*self.holes, hole))

    def close(self, state: str, resolution: str, at: Instant | None) -> Case:
        """It is over; not before its last sign, whatever a clock that was set back says."""
        if at is None or (self.last is not None and at.us < self.last.us):
            at = self.last
        return msgspec.structs.replace(self, state=state, resolution=resolution, closed=at)

    def hit(self, pods: Iterable[PodRef | None]) -> Case:
        """Pods that it hit."""
        draft = Draft(self)
        draft.hit(pods)
        return draft.case()

    def replace(self, **what: object) -> Case:
        return msgspec.structs.replace(self, **what)


class _Crowd:
    """Counts pods without keeping them: each sets one of 65,536 bits, and the share of those that are set tells how many they
    are (linear counting). Of 100,000 pods within about one percent.
    """

    __slots__ = ("bits", "size")

    def __init__(self, bits: bytes) -> None:
        self.bits = bytearray(bits or bytes(_CROWD // 8))
        self.size = int.from_bytes(bits).bit_count()

    def add(self, pod: PodRef) -> None:
        named = f"{pod.namespace}/{pod.name}/{pod.uid}".encode(errors="surrogateescape")
        # A CRC alone is too regular for names that are numbered.
        place = zlib.crc32(named) * 0x9E3779B1 >> 16 & _CROWD - 1
        bit = 1 << place % 8
        if not self.bits[place // 8] & bit:
            self.bits[place // 8] |= bit
            self.size += 1

    @property
    def count(self) -> int:
        return round(-_CROWD * math.log(1 - min(self.size, _CROWD - 1) / _CROWD))


class _Said:
    """A step while records of it are counted. Times are those of `Seen`: an Instant is made of the one that lasts."""

    __slots__ = (
        "base",
        "count",
        "evidence",
        "final",
        "first",
        "first_us",
        "id",
        "kind",
        "last",
        "last_us",
        "path",
        "place",
        "text",
        "top",
    )

    def __init__(self, id_: str, kind: str, text: str, base: Step | None, place: int) -> None:
        self.id, self.kind, self.text, self.base, self.place, self.count = id_, kind, text, base, place, 0
        self.first: Seen | Instant | None = None
        self.last: Seen | Instant | None = None
        self.first_us = self.last_us = None
        self.evidence: list[Evidence] = []
        self.final: Seen | None = None  # the last of the evidence, where there is no more room
        # Behind this line of this path nothing is evidence yet.
        self.path, self.top = "", -1
        if base is not None:
            self.first, self.last, self.evidence = base.first, base.last, list(base.evidence)
            self.first_us = None if base.first is None else base.first.us
            self.last_us = None if base.last is None else base.last.us
            self.path = base.evidence[0].path if base.evidence else ""
            self.top = max((one.line for one in base.evidence if one.path == self.path), default=-1)

    def add(self, seen: Seen) -> None:
        self.count += 1
        us = seen.time_us
        if us is not None:
            if self.first_us is None or us < self.first_us:
                self.first, self.first_us = seen, us
            if self.last_us is None or us > self.last_us:
                self.last, self.last_us = seen, us
        if seen.path == self.path and seen.line > self.top:
            self.top = seen.line
        else:
            if self.final is not None:
                self.evidence[-1], self.final = _place(self.final), None
            if _place(seen) in self.evidence:
                return
            if not self.evidence:
                self.path, self.top = seen.path, seen.line
        if len(self.evidence) < MAX_EVIDENCE:
            self.evidence.append(_place(seen))
        else:
            # The first, up to eight between, the last.
            self.final = seen

    def step(self) -> Step:
        if self.final is not None:
            self.evidence[-1], self.final = _place(self.final), None
        first = _instant(self.first)
        count = self.count + (self.base.count if self.base is not None else 0)
        text = self.text if self.base is None else self.base.text
        return Step(self.id, first, self.kind, text, count, first, _instant(self.last), tuple(self.evidence))


class Draft:
    """A Case while records are put into it."""

    __slots__ = (
        "base", "crowd", "is_sign", "known", "last", "last_us", "marks", "new", "opened", "opened_us", "severity", "steps", "total",
    )  # fmt: skip

    def __init__(self, case: Case) -> None:
        self.base = case
        self.severity, self.total = case.severity, case.pods_total
        self.marks = dict(case.marks)  # the draft's own: it is changed in place
        self.opened: Seen | Instant | None = case.opened
        self.last: Seen | Instant | None = case.last
        self.opened_us = None if case.opened is None else case.opened.us
        self.last_us = None if case.last is None else case.last.us
        self.is_sign = False  # whether one of them shows that it goes on
        self.steps: dict[tuple[type[Event], str], _Said] = {}
        self.known: set[PodRef] | None = None  # the pods that it hit, where more may have come
        self.new: list[PodRef] = []
        self.crowd: _Crowd | None = None  # where one of them is not kept

    def say(self, event: Event, text: str, about: str) -> None:
        """See `Case.said`."""
        key = type(event), about
        said = self.steps.get(key)
        if said is None:
            said = self.steps[key] = self._step(type(event).__name__, text, about)
        said.add(event.seen)

    def go_on(self, event: Event, text: str, about: str, pods: Iterable[PodRef | None], critical: bool) -> None:
        """See `Case.goes_on`."""
        said = self.steps.get((type(event), about))
        seen = event.seen
        if said is None:
            self.say(event, text, about)
        else:
            said.add(seen)
        us = seen.time_us
        if us is not None:
            self.is_sign = True
            if self.opened_us is None or us < self.opened_us:
                self.opened, self.opened_us = seen, us
            if self.last_us is None or us > self.last_us:
                self.last, self.last_us = seen, us
        if pods:
            self.hit(pods)
        if critical:
            self.severity = "critical"

    def hit(self, pods: Iterable[PodRef | None]) -> None:
        """See `Case.hit`."""
        known = self.known
        if known is None:
            known = self.known = _taken(self.base.pods)
        for pod in pods:
            if pod is None or pod in known:
                continue
            if len(known) < MAX_PODS:
                self.total += 1
                known.add(pod)
                self.new.append(pod)
            else:
                if self.crowd is None:
                    self.crowd = _Crowd(self.base.crowd)
                self.crowd.add(pod)
                self.total = MAX_PODS + self.crowd.count

    def case(self) -> Case:
        """The Case that it has become. The draft is done with."""
        base = self.base
        state, resolution, closed = ("open", None, None) if self.is_sign else (base.state, base.resolution, base.closed)
        pods = (*base.pods, *self.new) if self.new else base.pods
        if self.known is not None:
            _keep(pods, self.known)
        counts, steps = self._counted() if self.steps else (base.counts, base.steps)
        return Case(
            base.key, base.number, base.subject, self.severity, state, resolution, _instant(self.opened), _instant(self.last),
            closed, base.episodes, base.phase, counts, steps, pods, self.total, base.holes, self.marks,
            base.crowd if self.crowd is None else bytes(self.crowd.bits),
        )  # fmt: skip

    def _counted(self) -> tuple[dict[str, int], tuple[Step, ...]]:
        counts, kept, moved = self.base.counts.copy(), list(self.base.steps), []
        for said in self.steps.values():
            counts[said.kind] = counts.get(said.kind, 0) + said.count
            step = said.step()
            if said.base is not None and step.time is said.base.time:
                kept[said.place] = step
            else:
                moved.append(step)
        steps = tuple(kept)
        for step in moved:
            steps = with_step(steps, step)
        return counts, steps

    def _step(self, kind: str, text: str, about: str) -> _Said:
        """Steps are numbered by kind, not by phase: a late restart in front of them must not rename them."""
        base = self.base
        stem = f"{kind}:{about}" if about else kind
        number = self.marks.get(f"number {stem}", 0)
        if self.marks.get(f"phase {stem}") != base.phase:
            number += 1
            self.marks[f"number {stem}"], self.marks[f"phase {stem}"] = number, base.phase
        id_ = f"{stem}-{number}"
        for place in range(len(base.steps) - 1, -1, -1):
            if base.steps[place].id == id_:
                return _Said(id_, kind, text, base.steps[place], place)
        return _Said(id_, kind, text, None, -1)


def _instant(time: Seen | Instant | None) -> Instant | None:
    return instant(time) if isinstance(time, Seen) else time


def _place(seen: Seen) -> Evidence:
    return Evidence(seen.path, seen.line, seen.offset)


# The pods of the cases that were hit last, as sets, by the identity of the tuple (which is kept, so that the identity is its own).
_SETS: dict[int, tuple[tuple[PodRef, ...], set[PodRef]]] = {}
_MOST_SETS = 64


def _taken(pods: tuple[PodRef, ...]) -> set[PodRef]:
    """The pods as a set, which is the caller's alone until it is kept again."""
    found = _SETS.pop(id(pods), None)
    return set(pods) if found is None else found[1]


def _keep(pods: tuple[PodRef, ...], known: set[PodRef]) -> None:
    if pods:
        if len(_SETS) >= _MOST_SETS:
            _SETS.clear()
        _SETS[id(pods)] = pods, known
