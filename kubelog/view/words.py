"""Times, steps and places as all views word them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kubelog.timeline.incident import Evidence, Incident, Instant, Step


def date(time: Instant | None) -> str:
    """`2017-10-16`, or `10-16` where the year is not known."""
    return "" if time is None else (time.to_json() or "").split("T")[0]


def clock(time: Instant | None) -> str:
    """`09:50:55.056`, with an offset where the zone is known."""
    if time is None:
        return ""
    if time.time is None:
        return (time.text or "").split("T")[-1][:12]
    text = time.time.isoformat(timespec="milliseconds").split("T")[1]
    return text


def day_and_clock(time: Instant | None) -> str:
    return f"{date(time)} {clock(time)}".strip()


def subject(incident: Incident) -> str:
    """`nodefs on ubuntu-k8s-3`"""
    what = " ".join(incident.subject.values())
    where = incident.node or ", ".join(incident.nodes)
    return " on ".join(part for part in (what, where) if part)


def title(incident: Incident) -> str:
    """`NodePressureEviction: nodefs on ubuntu-k8s-3`"""
    return ": ".join(part for part in (incident.kind, subject(incident)) if part)


def state(incident: Incident) -> str:
    """`critical, mitigated (config-changed)`"""
    end = f" ({incident.resolution})" if incident.resolution else ""
    return f"{incident.severity}, {incident.state}{end}"


def since(incident: Incident) -> str:
    """`2017-10-16 09:50:55.056`, and the last sign of it."""
    often = f", {incident.episodes} times" if incident.episodes > 1 else ""
    last = f", last seen {_beside(incident.last_seen, incident.opened)}" if incident.last_seen != incident.opened else ""
    return f"{day_and_clock(incident.opened) or 'an unknown time'}{often}{last}"


def over(incident: Incident) -> str:
    """Whether it is over, since when, and how it came to an end."""
    if incident.state == "open":
        return "no, it is open"
    at = f" at {_beside(incident.closed, incident.opened)}" if incident.closed else ""
    return f"{'mitigated only' if incident.state == 'mitigated' else 'yes'},{at} ({incident.resolution})"


def _beside(time: Instant | None, other: Instant | None) -> str:
    """A time without its date where that is the date of `other`."""
    return clock(time) if date(time) == date(other) else day_and_clock(time)


class Told(NamedTuple):
    """An incident to show in full, and what follows from it: folded, or in full again."""

    incident: Incident
    folded: list[Incident]
    full: list[Told]


def unfolded(found: Iterable[Incident]) -> Iterator[Told]:
    """The incidents that follow from none, with those that do: folded, unless worse than what they follow from."""
    incidents = {one.id: one for one in found}

    def below(one: Incident) -> Iterator[Incident]:
        for id_ in one.consequences:
            if id_ in incidents:
                yield incidents[id_]

    def told(one: Incident) -> Told:
        folded, full, waiting = [], [], list(below(one))
        while waiting:
            effect = waiting.pop(0)
            if one.severity == "warning" and effect.severity == "critical":
                full.append(told(effect))
            else:
                folded.append(effect)
                waiting = [*below(effect), *waiting]
        return Told(one, folded, full)

    for one in incidents.values():
        if one.consequence_of not in incidents:
            yield told(one)


def times(step: Step) -> str:
    """`×1,204 until 10:13:20.056`: how often a step was said."""
    if step.count < 2:
        return ""
    until = f" until {clock(step.last)}" if step.last and step.first and step.last.us - step.first.us >= 1_000_000 else ""
    return f"×{step.count:,}{until}"


def place(evidence: Evidence) -> str:
    """`node3-kubelet.log:12`"""
    return f"{evidence.path.rsplit('/', 1)[-1]}:{evidence.line}"


def places(evidence: tuple[Evidence, ...]) -> str:
    """`node3-kubelet.log:4-5`, `a.log:1,7`: where the proof of something stands."""
    lines: dict[str, list[int]] = {}
    for one in evidence:
        lines.setdefault(one.path.rsplit("/", 1)[-1], []).append(one.line)
    return " ".join(f"{path}:{_ranges(sorted(set(numbers)))}" for path, numbers in lines.items())


def _ranges(numbers: list[int]) -> str:
    parts: list[str] = []
    start = end = numbers[0]
    for number in [*numbers[1:], -1]:
        if number == end + 1:
            end = number
            continue
        parts.append(str(start) if start == end else f"{start}-{end}")
        start = end = number
    return ",".join(parts[:4]) + (",…" if len(parts) > 4 else "")


def pods(incident: Incident, most: int = 6) -> list[str]:
    """The pods that an incident hit, the first few by name."""
    names = [f"{pod.namespace}/{pod.name}" if pod.namespace else pod.name for pod in incident.affected.pods]
    rest = incident.affected.total - min(most, len(names))
    return names[:most] + ([f"and {rest:,} more"] if rest > 0 else [])
