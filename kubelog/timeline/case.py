"""Case: one incident as a rule keeps it, before it is put into words. Never changed in place: each step makes a new one."""

from __future__ import annotations

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
        """One more record of a step; `about` keeps steps of one kind apart.

        Steps are numbered by kind, not by phase: a late restart in front of them must not rename them.
        """
        stem = f"{event.kind}:{about}" if about else event.kind
        number = self.marks.get(f"number {stem}", 0)
        if self.marks.get(f"phase {stem}") != self.phase:
            number += 1
        id_ = f"{stem}-{number}"
        known = next((step for step in self.steps if step.id == id_), None)
        step = seen_again(known, event) if known else first_step(id_, text, event)
        counts = {**self.counts, event.kind: self.counts.get(event.kind, 0) + 1}
        marks = {**self.marks, f"number {stem}": number, f"phase {stem}": self.phase}
        return msgspec.structs.replace(self, steps=with_step(self.steps, step), counts=counts, marks=marks)

    def sign(self, event: Event) -> Case:
        """A record shows that it goes on: opened and last seen move, a closed case is open again."""
        now = instant(event.seen)
        if now is None:
            return self
        case = self
        if not case.is_open:
            case = msgspec.structs.replace(case, state="open", resolution=None, closed=None)
        opened = now if case.opened is None or now.us < case.opened.us else case.opened
        last = now if case.last is None or now.us > case.last.us else case.last
        return msgspec.structs.replace(case, opened=opened, last=last)

    def gap(self, heard: Heard) -> Case:
        """With the stretch before the run of lines that goes on, where nothing is known of it."""
        if not heard.past or self.opened is None or self.last is None or len(self.holes) >= MAX_HOLES:
            return self
        hole = shifted(self.last, heard.past[-1][1]), shifted(self.last, heard.run_us)
        if hole[0].us < self.opened.us or hole in self.holes:
            return self
        return msgspec.structs.replace(self, holes=(*self.holes, hole))

    def close(self, state: str, resolution: str, at: Instant | None) -> Case:
        """It is over; not before its last sign, whatever a clock that was set back says."""
        if at is None or (self.last is not None and at.us < self.last.us):
            at = self.last
        return msgspec.structs.replace(self, state=state, resolution=resolution, closed=at)

    def hit(self, *pods: PodRef | None) -> Case:
        """Pods that it hit."""
        new = [pod for pod in dict.fromkeys(pods) if pod is not None and pod not in self.pods]
        if not new:
            return self
        kept = (*self.pods, *new)[:MAX_PODS]
        return msgspec.structs.replace(self, pods=kept, pods_total=self.pods_total + len(new))

    def replace(self, **what: object) -> Case:
        return msgspec.structs.replace(self, **what)
