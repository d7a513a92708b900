"""Timeline, Change, Record → text for people: lines of styled pieces, coloured on a terminal only."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping

from kubelog.message.record import Record, stamp
from kubelog.timeline.changes import Timeline
from kubelog.timeline.incident import Change, Evidence, Incident, to_json
from kubelog.view import words
from kubelog.view.escape import terminal

# (text, style): rich's style names, "" for plain.
Piece = tuple[str, str]
Line = list[Piece]
# The raw lines of evidence, where they are wanted.
Raw = Mapping[tuple[str, int], str]

_MARK = {"critical": ("●", "bold red"), "warning": ("●", "bold yellow")}
_SEVERITY = {"W": "yellow", "E": "red", "F": "bold red"}
_INDENT = 2


def timeline(found: Timeline, width: int = 100, raw: Raw | None = None) -> Iterator[Line]:
    """All incidents: what happened, why, since when, whether it is over, the steps with their proof, what must not be missed, what
    to do, what follows from it.
    """
    if not len(found):
        yield [("No incident.", "bold")]
    for number, told in enumerate(words.unfolded(found)):
        if number:
            yield []
        yield _head(told.incident)
        yield []
        yield from _incident(told, width, raw or {})
    known_gaps = {gap for one in found for gap in one.gaps}
    for gap in found.gaps:
        if gap in known_gaps:  # an incident's own finding says it
            continue
        yield []
        until = words.day_and_clock(gap.end)
        yield _line("gap", "dim", f"{words.day_and_clock(gap.start)} to {until}: {gap.text}")
    for note in found.notes:
        yield []
        yield _line("note", "dim", note)
    known = sum(found.coverage.values())
    if known:
        said = ", ".join(f"{count:,} {verdict}" for verdict, count in found.coverage.items() if count)
        yield []
        yield _line("read", "dim", f"{known:,} record{'' if known == 1 else 's'}: {said}")


def _line(label: str, style: str, text: str) -> Line:
    return [(f"{' ' * _INDENT}{label:<6}", style), (terminal(text), style)]


def _head(incident: Incident) -> Line:
    mark, style = _MARK[incident.severity]
    if incident.state != "open":
        mark, style = "○", style.removeprefix("bold ")
    return [
        (f"{mark} ", style), (terminal("  ".join(part for part in (incident.kind, words.subject(incident)) if part)), "bold"),
        (f"  {terminal(words.state(incident))}", style),
    ]  # fmt: skip


def _incident(told: words.Told, width: int, raw: Raw) -> Iterator[Line]:
    incident = told.incident
    yield from _paragraph("", incident.summary, width)
    if incident.cause is not None:
        yield []
        yield from _paragraph("Why", f"{incident.cause.text} ({incident.cause.confidence})", width)
    yield from _paragraph("Since", words.since(incident), width)
    yield from _paragraph("Over", words.over(incident), width)
    yield []
    yield from _steps(incident, width, raw)
    for number, finding in enumerate(incident.findings):
        if number == 0:
            yield []
        proof = f" [{words.places(finding.evidence)}]" if finding.evidence else ""
        yield from _paragraph(
            "Note" if number == 0 else " ",
            finding.text + proof,
            width,
            "bold" if finding.kind == "thresholds-dropped" else "",
        )
    for number, advice in enumerate(incident.advice, 1):
        if number == 1:
            yield []
        yield from _paragraph("Do" if number == 1 else "", f"{number}. {advice}", width, hang=3)
    then = "Then"
    for effect in told.folded:
        if then:
            yield []
        yield [(f"{' ' * _INDENT}{then:<6}", "bold cyan"), *_head(effect)]
        yield from _paragraph(" ", effect.summary, width, hang=2)
        then = ""
    for one in told.full:
        yield []
        yield [(f"{' ' * _INDENT}{then:<6}", "bold cyan"), *_head(one.incident)]
        yield []
        for line in _incident(one, width - _INDENT - 6, raw):
            yield [(" " * (_INDENT + 6), ""), *line] if line else []
        then = ""


def _paragraph(label: str, text: str, width: int, style: str = "", hang: int = 0) -> Iterator[Line]:
    margin = _INDENT + (6 if label or hang else 0)
    lines = textwrap.wrap(terminal(text), max(20, width - margin), subsequent_indent=" " * hang, break_on_hyphens=False) or [""]
    for number, line in enumerate(lines):
        head = f"{' ' * _INDENT}{label:<6}" if number == 0 and margin > _INDENT else " " * margin
        yield [(head, "bold cyan"), (line, style)]


def _steps(incident: Incident, width: int, raw: Raw) -> Iterator[Line]:
    day = None
    hits = [step for step in incident.steps if step.kind in ("PodAdmissionRejected", "PodRejected", "EvictionPodEvicted")]
    hits = hits if incident.kind == "NodePressureEviction" else []
    for step in incident.steps:
        if step.time is not None and words.date(step.time) != day:
            day = words.date(step.time)
            yield [(f"{' ' * _INDENT}{terminal(day)}", "dim")]
        head = f"{' ' * _INDENT}{words.clock(step.time):<13} "
        often = words.times(step)
        text = terminal(step.text) + (f"  {often}" if often else "")
        proof = terminal(words.places(step.evidence))
        lines = textwrap.wrap(text, max(20, width - len(head)), break_on_hyphens=False) or [""]
        for number, line in enumerate(lines):
            pieces: Line = [(head if number == 0 else " " * len(head), "cyan"), (line, "")]
            if number == len(lines) - 1:
                room = width - len(head) - len(line) - len(proof)
                if room >= 2:
                    yield [*pieces, (" " * room + proof, "dim")]
                else:
                    yield pieces
                    yield [(" " * max(len(head), width - len(proof)) + proof, "dim")]
            else:
                yield pieces
        if hits and step is hits[-1]:
            # Which pod was evicted, which rejected, is not kept apart.
            both = "evicted or rejected: " if len({one.kind for one in hits}) > 1 else ""
            pods = both + ", ".join(terminal(pod) for pod in words.pods(incident))
            for line in textwrap.wrap(pods, max(20, width - len(head) - 2)):
                yield [(" " * (len(head) + 2), ""), (line, "dim")]
        for one in step.evidence:
            text = raw.get((one.path, one.offset), "")
            if text:
                yield [(" " * len(head), ""), (terminal(text), "dim")]


def raw_evidence(found: Iterable[Incident], records: Iterable[Record]) -> dict[tuple[str, int], str]:
    """The raw text of every record that proves a step."""
    wanted = {_key(one) for incident in found for step in incident.steps for one in step.evidence}
    return {
        key: record.raw.decode("utf-8", "backslashreplace").rstrip("\r\n")
        for record in records
        if (key := (record.origin.path, record.origin.spans[0][0])) in wanted
    }


def _key(one: Evidence) -> tuple[str, int]:
    return one.path, one.offset


def plain(lines: Iterable[Line]) -> list[str]:
    """Lines without their styles."""
    return ["".join(text for text, _ in line).rstrip() for line in lines]


class ChangeText:
    """Changes as lines: `opened`, `step`, `closed` at once, `updated` at most every 10 s of an incident's time."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}

    def lines(self, change: Change) -> Iterator[Line]:
        incident, step = change.incident, change.step
        if change.action == "updated":
            now = step.last.us if step and step.last else 0
            if now - self.last.get(incident.id, -(1 << 62)) < 10_000_000:
                return
            self.last[incident.id] = now
        if change.action == "amended" and (step is None or step.count == 0):
            return
        time = (step.last or step.time) if step else incident.closed if change.action == "closed" else incident.opened
        style = {"opened": "bold red", "closed": "green"}.get(change.action, "")
        text = f"{step.text}  {words.times(step)}".rstrip() if step else incident.summary
        yield [
            (f"{terminal(words.day_and_clock(time)):<23}  ", "cyan"), (f"{change.action:<8}", style),
            (f"{terminal(incident.kind)} {terminal(words.subject(incident))}  ", "bold"), (terminal(text), ""),
        ]  # fmt: skip
        if change.action == "closed":
            self.last.pop(incident.id, None)


def record(one: Record) -> Line:
    """A record as one line."""
    time = stamp(one.time) or one.local_time or "-"
    what = one.kind or one.verdict
    fields = " ".join(f"{name}={_short(value)}" for name, value in one.fields.items() if value is not None)
    said = fields if one.kind and fields else one.message
    return [
        (f"{time} ", "cyan"), (f"{one.severity or '-'} ", _SEVERITY.get(one.severity or "", "")),
        (f"{terminal(one.node or '-')} {terminal(one.unit or '-')} ", "dim"), (f"{terminal(what)} ", "bold" if one.kind else "dim"),
        (terminal(said), ""),
    ]  # fmt: skip


def _short(value: object) -> str:
    from kubelog.view.escape import json

    return value if isinstance(value, str) and value and " " not in value else json(to_json(value))
