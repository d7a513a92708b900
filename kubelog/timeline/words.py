"""What rules put into words alike: times, numbers, lists, and what the log lacks of a case."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

from kubelog.klog.values import PodRef
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Finding, Gap, Instant
from kubelog.timeline.kubelet import Dropped, Kubelet


def when(time: Instant | None) -> str:
    """`2017-10-16 09:50:55`; what is known of it where the year is not."""
    if time is None:
        return "an unknown time"
    return (time.to_json() or "").replace("T", " ").split(".")[0]


def clock(time: Instant | None, beside: Instant | None) -> str:
    """A time without its date where that is the date of `beside`."""
    text, other = when(time), when(beside)
    return text.split(" ")[-1] if " " in text and text.split(" ")[0] == other.split(" ")[0] else text


def lasting(us: int) -> str:
    """`45 s`, `1 min 35 s`, `8 h`"""
    seconds = round(us / 1_000_000)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def plural(number: int, one: str) -> str:
    return f"{number:,} {one}" + ("" if number == 1 else "s")


def listed(parts: Sequence[str]) -> str:
    """`a, b and c`"""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""


def lost_lines(span: Dropped, count: int = 0) -> str:
    """What was lost, of whom, and by what; `count` instead of the span's."""
    if span.unit == "kernel" and not span.cut:
        return f"{plural(count or span.count, 'message')} of the kernel missed by journald"
    unit = {"kubelet": "the kubelet", "": "a unit"}.get(span.unit, span.unit)
    lines = f"{plural(count or span.count, 'line')} of {unit}"
    return f"journalctl cut {lines} short" if span.cut else f"journald dropped {lines}"


def lost(case: Case, memory: Kubelet) -> list[Dropped]:
    """The lines of the kubelet that journald dropped, or journalctl cut short, while the case went on."""
    if case.opened is None:
        return []
    end = case.closed or case.last
    after = None if case.is_open or end is None else end.us
    found = [one for one in memory.dropped if one.time.us >= case.opened.us and (after is None or one.begin.us <= after)]
    return sorted(found, key=lambda one: one.begin.us)


def suppressed(case: Case, memory: Kubelet, node: str | None) -> tuple[Gap, ...]:
    """The gaps that they leave."""
    return tuple(gap_of(one, node) for one in lost(case, memory))


def gap_of(span: Dropped, node: str | None) -> Gap:
    return Gap(span.begin, span.time, node, "truncated" if span.cut else "suppressed", lost_lines(span))


def suppressed_finding(case: Case, memory: Kubelet, unseen: str) -> Iterator[Finding]:
    """That lines were dropped, or cut short, and what they may have told."""
    found = lost(case, memory)
    for spans in ([one for one in found if one.cut == cut] for cut in (False, True)):
        if not spans:
            continue
        yield Finding(
            "lines-truncated" if spans[0].cut else "lines-suppressed",
            f"{lost_lines(spans[0], sum(one.count for one in spans))} from {when(spans[0].begin)} to "
            f"{clock(spans[-1].time, spans[0].begin)}: {unseen}.",
            tuple(one for span in spans for one in span.evidence)[:10],
        )


def silence_finding(case: Case) -> Iterator[Finding]:
    """The longest stretch of the case without any line."""
    if case.holes:
        start, stop = max(case.holes, key=lambda hole: hole[1].us - hole[0].us)
        yield Finding(
            "silence",
            f"From {when(start)} to {clock(stop, start)} there is no line of this node: what happened then is not known.",
            (),
        )


def since(case: Case) -> str:
    """Since when, how often, and whether it is over: the end of every summary."""
    if case.opened is None:
        return ""
    often = f", {case.episodes} times" if case.episodes > 1 else ""
    begun = f", since {when(case.opened)}{often}; "
    if case.is_open:
        return f"{begun}not over: last seen {clock(case.last, case.opened)}"
    at = clock(case.closed or case.last, case.opened)
    if case.resolution == "quiet":
        return f"{begun}over: nothing more was said of it after {at}"
    return f"{begun}{'mitigated' if case.state == 'mitigated' else 'over'} at {at}"


# `web-5f7d9c6b8-x7k2p`: the hash of a ReplicaSet and a random end, of letters and digits that read alike in no language.
_RANDOM = "bcdfghjklmnpqrstvwxz2456789"
_REPLICA = re.compile(rf"-[{_RANDOM}]{{6,10}}-[{_RANDOM}]{{5}}\Z")
_SET = re.compile(rf"-(?:[{_RANDOM}]{{5}}|\d{{1,4}})\Z")


@lru_cache(maxsize=2048)
def owner(pod: PodRef) -> str:
    """What made a pod, by its name: `shop/web` of `web-5f7d9c6b8-x7k2p`, of `web-x7k2p`, of `web-0`."""
    name = _REPLICA.sub("", pod.name)
    if name == pod.name:
        name = _SET.sub("", pod.name)
    return f"{pod.namespace}/{name}" if pod.namespace else name


# Whose the pods are that were asked for last, by the identity of the tuple (which is kept, so that the identity is its own): a
# storm goes on for long after no pod more is kept.
_OWNERS: dict[int, tuple[tuple[PodRef, ...], list[tuple[str, int]]]] = {}
_MOST_OWNERS = 16


def owners(pods: tuple[PodRef, ...]) -> list[tuple[str, int]]:
    """How many of the pods are whose, the most first."""
    known = _OWNERS.get(id(pods))
    if known is None:
        if len(_OWNERS) >= _MOST_OWNERS:
            _OWNERS.clear()
        found = sorted(Counter(owner(pod) for pod in pods).items(), key=lambda one: (-one[1], one[0]))
        known = _OWNERS[id(pods)] = pods, found
    return known[1]


def size(number: int) -> str:
    """Bytes as df -h prints them: `448M`."""
    value = float(number)
    for suffix in ("", "K", "M", "G", "T"):
        if value < 1024 or suffix == "T":
            return f"{value:.1f}{suffix}" if suffix and value < 10 else f"{value:.0f}{suffix}"
        value /= 1024
    return str(number)
