"""Case: one incident as a rule keeps it, before it is put into words. Never changed in place: each step makes a new one."""

from __future__ import annotations

import functools

import msgspec

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary import Event, Heard
from kubelog.timeline.incident import MAX_HOLES, MAX_PODS, Instant, Step, first_step, instant, seen_again, shifted, with_step


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

    @property
    def is_open(self) -> bool:
        return self.state == "open"

    def said(self, event: Event, text: str, about: str = "") -> Case:
        """One more record of a step; `about` keeps steps of one kind apart."""
        steps, counts, marks = self._told(event, instant(event.seen), text, about)
        return msgspec.structs.replace(self, steps=steps, counts=counts, marks=marks)

    def goes_on(
        self, event: Event, text: str, about: str = "", pods: tuple[PodRef | None, ...] = (), *, critical: bool = False
    ) -> Case:
        """One more record of a step, which shows that it goes on: opened and last seen move, a closed case is open again."""
        now, opened, last = instant(event.seen), self.opened, self.last
        state, resolution, closed = self.state, self.resolution, self.closed
        if now is not None:
            if opened is None or now.us < opened.us:
                opened = now
            if last is None or now.us > last.us:
                last = now
            state, resolution, closed = "open", None, None
        steps, counts, marks = self._told(event, now, text, about)
        kept, total = self._hit(pods) if pods else (self.pods, self.pods_total)
        return Case(
            self.key, self.number, self.subject, "critical" if critical else self.severity, state, resolution, opened, last, closed,
            self.episodes, self.phase, counts, steps, kept, total, self.holes, marks,
        )  # fmt: skip

    def _told(
        self, event: Event, now: Instant | None, text: str, about: str
    ) -> tuple[tuple[Step, ...], dict[str, int], dict[str, int]]:
        """Steps, counts and marks with one more record.

        Steps are numbered by kind, not by phase: a late restart in front of them must not rename them.
        """
        kind, steps, marks = type(event).__name__, self.steps, self.marks
        stem, number_mark, phase_mark = _names(kind, about)
        number = marks.get(number_mark, 0)
        if marks.get(phase_mark) != self.phase:
            number += 1
            marks = {**marks, number_mark: number, phase_mark: self.phase}
        counts = self.counts.copy()
        counts[kind] = counts.get(kind, 0) + 1
        id_ = f"{stem}-{number}"
        place = len(steps)
        for known in reversed(steps):
            place -= 1
            if known.id == id_:
                break
        else:
            return with_step(steps, first_step(id_, text, event)), counts, marks
        step = seen_again(known, event.seen, now)
        if step.time is not known.time:
            return with_step(steps, step), counts, marks
        # It stays where it stands.
        changed = list(steps)
        changed[place] = step
        return tuple(changed), counts, marks

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

    def hit(self, *pods: PodRef | None) -> Case:
        """Pods that it hit."""
        kept, total = self._hit(pods)
        return self if total == self.pods_total else msgspec.structs.replace(self, pods=kept, pods_total=total)

    def _hit(self, pods: tuple[PodRef | None, ...]) -> tuple[tuple[PodRef, ...], int]:
        known = _taken(self.pods)
        new = [pod for pod in dict.fromkeys(pods) if pod is not None and pod not in known]
        kept = self.pods
        if new:
            room = MAX_PODS - len(kept)
            if room > 0:
                kept = (*kept, *new[:room])
                known.update(new[:room])
        _keep(kept, known)
        return kept, self.pods_total + len(new)

    def replace(self, **what: object) -> Case:
        return msgspec.structs.replace(self, **what)


@functools.lru_cache(256)
def _names(kind: str, about: str) -> tuple[str, str, str]:
    """The stem of a step's id, and under which names its number and its phase are remembered."""
    stem = f"{kind}:{about}" if about else kind
    return stem, f"number {stem}", f"phase {stem}"


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
