"""What is noted of a case of NodePressureEviction: what was measured, what is in the way, whom it hit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubelog.klog.values import quantity
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Evidence, Finding
from kubelog.timeline.kubelet import Kubelet, Observed
from kubelog.timeline.words import clock, listed, owners, plural, size

# resource, as the messages of some release name it → the node condition that it brings; disks have many names
_CONDITION: Final = {"memory": "MemoryPressure", "allocatableMemory": "MemoryPressure", "pids": "PIDPressure", "pid": "PIDPressure"}
# A pod is turned away; from 1.31 on in the words of all rejections.
REJECTED: Final = ("PodAdmissionRejected", "PodRejected")
# In the marks of a case, before the name of a pod that was passed over.
CRITICAL: Final = "critical "
# An eviction frees what it can within this time (pods are waited for up to 30 s).
_FREED_US: Final = 60_000_000
# A measurement belongs to a case that it precedes by no more.
_BEFORE_US: Final = 60_000_000
# What the eviction manager says while a threshold is crossed.
_STILL: Final = ("EvictionReclaimAttempted", "EvictionPodsRequired", "EvictionNoActivePods", "EvictionFailed")
_STORM: Final = 4  # so many pods are told by their owners


def condition_of(resource: str | None) -> str:
    """The node condition that a resource belongs to."""
    return _CONDITION.get(resource or "", "DiskPressure")


def measured(case: Case, memory: Kubelet) -> Iterator[Finding]:
    """What the kubelet itself measured, where it says so: from 1.26 on behind each eviction, else with --v=3."""
    for one in of_case(case, memory):
        text = f"The kubelet measured {amount(one.signal, one.first_available)} of {one.signal} at {clock(one.first, case.opened)}"
        if one.last.us > one.first.us:
            text += f" and {amount(one.signal, one.last_available)} at {clock(one.last, case.opened)}"
        yield Finding("measured", f"{text}; the threshold is {amount(one.signal, one.limit)}.", one.evidence)


def of_case(case: Case, memory: Kubelet) -> list[Observed]:
    end = case.closed or case.last
    if case.opened is None or end is None:
        return []
    first, last = case.opened.us - _BEFORE_US, end.us + _BEFORE_US
    same = (one for one in memory.observed if condition_of(one.signal.split(".")[0]) == case.key)
    return [one for one in same if one.last.us >= first and one.first.us <= last]


def amount(signal: str, written: str) -> str:
    """`480M`, of inodes and process ids the number; as it is written where it is no quantity."""
    try:
        value = quantity(written.encode()).value
    except ValueError:
        value = None
    if value is None:
        return written
    return f"{int(value):,}" if "inodes" in signal or signal.startswith("pid") else size(int(value))


def in_the_way(case: Case) -> Iterator[Finding]:
    """Why nothing is freed though pods are to be evicted."""
    critical = [mark.removeprefix(CRITICAL) for mark in case.marks if mark.startswith(CRITICAL)]
    if critical:
        names = listed(critical[:4] + ([f"{len(critical) - 4} more"] if len(critical) > 4 else []))
        use = "is passed over, however much it uses" if len(critical) == 1 else "are passed over, however much they use"
        text = f"Critical pods are in the way: {names} {use}."
        yield Finding("critical-pods", text, _first(case, "EvictionCriticalPodSkipped"))
    if "unreclaimed" in case.marks:
        what = "unused images" if "images" in case.marks else "dead containers and unused images"
        yield Finding("not-reclaimed", f"The kubelet could not delete {what}.", _first(case, "EvictionReclaimFailed"))
    evicted = [step for step in case.steps if step.kind == "EvictionPodEvicted" and step.first is not None]
    again = [step.last.us for step in case.steps if step.kind in _STILL and step.last is not None]
    if evicted and evicted[0].first is not None and again:
        count = case.counts.get("EvictionPodEvicted", 0)
        begun = evicted[0].first
        if max(again) - begun.us > _FREED_US and case.resolution != "condition-cleared":
            first = f"the first of {count:,} pods" if count > 1 else "a pod"
            text = f"It {'is' if case.is_open else 'was'} stuck: {first} was evicted at {clock(begun, case.opened)}"
            yield Finding(
                "stuck",
                f"{text}, and more than a minute later the threshold was still crossed: what fills it is not what pods leave.",
                _first(case, "EvictionPodEvicted"),
            )


def whose(case: Case) -> Iterator[Finding]:
    """Of a storm, whose the pods are."""
    if case.pods_total < _STORM:
        return
    found = owners(case.pods)
    named = [f"{name} ({count})" if count > 1 else name for name, count in found[:4]]
    named += [f"{plural(len(found) - 4, 'more owner')}"] if len(found) > 4 else []
    of = "" if case.pods_total == len(case.pods) else f"of the {len(case.pods):,} that are kept, "
    text = f"{plural(case.pods_total, 'pod')} were rejected or evicted: {of}{listed(named)}."
    yield Finding("storm", text, _first(case, *REJECTED) or _first(case, "EvictionPodEvicted"))


def _first(case: Case, *kinds: str) -> tuple[Evidence, ...]:
    return tuple(step.evidence[0] for step in case.steps if step.kind in kinds and step.evidence)[:1]
