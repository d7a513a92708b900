"""what several nodes see → one incident, and by how much their clocks differ.

Nodes see the same where they ask the same endpoint and have the same trouble with it at the same time. Clocks differ: where both
the begin and the end of a trouble lie apart by the same time, that is by how much they do.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from kubelog.timeline.incident import (
    MAX_EVIDENCE,
    MAX_PODS,
    Affected,
    Cause,
    Finding,
    Incident,
    Instant,
    Step,
    incident_id,
    with_step,
)
from kubelog.timeline.words import lasting, listed, when

# Kinds of incidents that are about an endpoint rather than a node.
MERGED: Final = frozenset(
    (
        "ApiServerUnreachable",
        "NodeHeartbeatLost",
        "EtcdUnavailable",
        "CertificateExpired",
        "AnonymousAccessDenied",
        "ProtocolMismatch",
    )
)
_SECOND: Final = 1_000_000
# Each node notices the same within its own period of asking.
_NOTICED: Final = 120 * _SECOND
# The begin and the end of one trouble lie apart alike, but for that.
_ALIKE: Final = 15 * _SECOND
# Less than this is no matter of clocks.
_SKEW: Final = 30 * _SECOND
_LOOPBACK: Final = ("127.", "localhost", "[::1]", "::1", "0.0.0.0", "[::]")


class Group(NamedTuple):
    """Incidents that are told as one."""

    id: str
    endpoint: str
    members: tuple[str, ...]
    skews: tuple[tuple[str, str, int], ...]  # a node, another one, by how many µs its clock is ahead


def is_shared(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether two incidents of different nodes are about the same endpoint."""
    return any(one in others for one in some if not one.startswith(_LOOPBACK))


def grouped(incidents: Sequence[Incident]) -> list[Group]:
    """The incidents of several nodes that are one each."""
    by_endpoint: dict[tuple[str, str], list[Incident]] = {}
    for one in incidents:
        if one.node is not None and one.opened is not None:
            for endpoint in one.endpoints[:1]:
                if not endpoint.startswith(_LOOPBACK):
                    by_endpoint.setdefault((one.kind, endpoint), []).append(one)
    found = []
    for (_, endpoint), some in by_endpoint.items():
        if len({one.node for one in some}) > 1:
            found += _groups(endpoint, sorted(some, key=lambda one: (_begin(one), one.id)))
    return found


def _groups(endpoint: str, incidents: list[Incident]) -> list[Group]:
    """Of one kind and endpoint, what belongs together: what overlaps, once clocks are put right."""
    nodes = sorted({one.node for one in incidents if one.node is not None})
    first = nodes[0]
    of_first = [one for one in incidents if one.node == first]
    ahead = {first: 0} | {node: _ahead(of_first, [one for one in incidents if one.node == node]) for node in nodes[1:]}
    spans = sorted((_begin(one) - ahead[one.node or ""], _end(one) - ahead[one.node or ""], one.id, one) for one in incidents)
    found: list[Group] = []
    together: list[Incident] = []
    until = -(1 << 62)
    for begin, end, _, one in [*spans, (1 << 62, 1 << 62, "", None)]:
        if begin > until + _NOTICED or one is None:
            if len({member.node for member in together}) > 1:
                found.append(_group(endpoint, together, ahead))
            together, until = [], -(1 << 62)
        if one is not None:
            together.append(one)
            until = max(until, end)
    return found


def _group(endpoint: str, members: list[Incident], ahead: dict[str, int]) -> Group:
    nodes = sorted({one.node for one in members if one.node is not None})
    skews = tuple(
        (node, nodes[0], ahead[node] - ahead[nodes[0]]) for node in nodes[1:] if abs(ahead[node] - ahead[nodes[0]]) >= _SKEW
    )
    ids = tuple(sorted(one.id for one in members))
    digest = hashlib.sha256(ids[0].encode()).hexdigest()[:8]
    return Group(incident_id(members[0].kind, None, f"{endpoint} {digest}", 1), endpoint, ids, skews)


def _ahead(some: list[Incident], others: list[Incident]) -> int:
    """By how many µs the clock of `others` is ahead of that of `some`; 0 where nothing tells.

    What tells is a trouble whose begin and end lie apart by the same; two of them where they are hours apart.
    """
    best, most = 0, 0
    for one in some:
        for other in others:
            if one.closed is None or other.closed is None:
                continue
            begin, end = _begin(other) - _begin(one), other.closed.us - one.closed.us
            if abs(begin - end) > _ALIKE or abs(begin) < _SKEW:
                continue
            skew = (begin + end) // 2
            fits = sum(_fits(a, b, skew) for a in some for b in others)
            overlaps = _begin(other) <= one.closed.us and _begin(one) <= other.closed.us
            if (fits > 1 or overlaps or abs(skew) <= 5 * _NOTICED) and (fits, -abs(skew)) > (most, -abs(best)):
                best, most = skew, fits
    return best


def _fits(one: Incident, other: Incident, skew: int) -> bool:
    if one.closed is None or other.closed is None:
        return False
    begin, end = _begin(other) - _begin(one) - skew, other.closed.us - one.closed.us - skew
    return abs(begin) <= _ALIKE and abs(end) <= _ALIKE


def _begin(one: Incident) -> int:
    return one.opened.us if one.opened else 0


def _end(one: Incident) -> int:
    end = one.closed or one.last_seen or one.opened
    return end.us if end else 0


def merged(group: Group, members: Sequence[Incident]) -> Incident:
    """The one incident that they are."""
    members = sorted(members, key=lambda one: (_begin(one), one.id))
    nodes = tuple(sorted({one.node for one in members if one.node is not None}))
    first = members[0]
    is_open = any(one.state == "open" for one in members)
    last = max(members, key=lambda one: (_end(one), one.id))
    steps: tuple[Step, ...] = ()
    for step in _steps(members):
        steps = with_step(steps, step)
    pods = tuple(dict.fromkeys(pod for one in members for pod in one.affected.pods))
    total = sum(one.affected.total for one in members) if any(one.affected.total > MAX_PODS for one in members) else len(pods)
    counts: Counter[str] = Counter()
    for one in members:
        counts.update(one.counts)
    return Incident(
        id=group.id,
        kind=first.kind,
        node=None,
        nodes=nodes,
        subject={"endpoint": group.endpoint},
        state="open" if is_open else last.state,
        resolution=None if is_open else last.resolution,
        severity="critical" if any(one.severity == "critical" for one in members) else "warning",
        opened=first.opened,
        last_seen=_latest(one.last_seen for one in members),
        closed=None if is_open else _latest(one.closed for one in members),
        summary=_summary(members, nodes, is_open, last),
        cause=_surest(members),
        episodes=max(one.episodes for one in members),
        counts=dict(counts),
        affected=Affected(pods[:MAX_PODS], total),
        steps=steps,
        findings=(*_skewed(group), *_findings(members)),
        advice=tuple(dict.fromkeys(advice for one in members for advice in one.advice)),
        gaps=tuple(gap for one in members for gap in one.gaps),
        endpoints=first.endpoints,
    )


def _summary(members: Sequence[Incident], nodes: Sequence[str], is_open: bool, last: Incident) -> str:
    """The sentence of the one that goes on, or that ended last, of all nodes and from when the first begins."""
    told = next((one for one in reversed(members) if one.state == "open"), last) if is_open else last
    text = told.summary.replace(when(told.opened), when(members[0].opened), 1)
    of_one = f"On {told.node} "
    return f"On {_named(nodes)} {text.removeprefix(of_one)}" if text.startswith(of_one) else f"On {_named(nodes)}: {text}"


def _steps(members: Sequence[Incident]) -> Iterable[Step]:
    """The steps of all; those that each node has are one."""
    found: dict[tuple[str, str], list[Step]] = {}
    for one in members:
        for step in one.steps:
            found.setdefault((step.id, step.text), []).append(step)
    ids: Counter[str] = Counter()
    for (id_, text), steps in found.items():
        ids[id_] += 1
        proof = tuple(dict.fromkeys(place for step in steps for place in step.evidence[:1]))
        if len(steps) == 1:
            proof = steps[0].evidence
        begin = min((step.first for step in steps if step.first is not None), key=_us, default=None)
        own = id_ if ids[id_] == 1 else f"{id_}~{ids[id_]}"
        end = _latest(step.last for step in steps)
        yield Step(own, begin, steps[0].kind, text, sum(step.count for step in steps), begin, end, proof[:MAX_EVIDENCE])


def _findings(members: Sequence[Incident]) -> Iterable[Finding]:
    seen: set[tuple[str, str]] = set()
    for one in members:
        for finding in one.findings:
            if (finding.kind, finding.text) not in seen:
                seen.add((finding.kind, finding.text))
                yield finding


def _skewed(group: Group) -> Iterable[Finding]:
    for node, other, us in group.skews:
        apart = f"{lasting(abs(us))} {'ahead of' if us > 0 else 'behind'}"
        text = (
            f"The clock of {node} seems to be {apart} that of {other}: what both saw begins and ends that much apart. "
            "Times are told as each node wrote them."
        )
        yield Finding("clock-skew", text, ())


def _surest(members: Sequence[Incident]) -> Cause | None:
    order = ("certain", "likely", "possible")
    causes = [one.cause for one in members if one.cause is not None]
    return min(causes, key=lambda cause: order.index(cause.confidence) if cause.confidence in order else 9, default=None)


def _latest(times: Iterable[Instant | None]) -> Instant | None:
    return max((one for one in times if one is not None), key=_us, default=None)


def _us(time: Instant) -> int:
    return time.us


def _named(nodes: Sequence[str]) -> str:
    return listed(nodes) if len(nodes) <= 4 else listed([*nodes[:3], f"{len(nodes) - 3} more"])
