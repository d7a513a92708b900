"""A case of NodePressureEviction in words: what happened, why, since when, is it over, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubelog.message.vocabulary.threshold import Threshold
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Cause, Evidence, Finding
from kubelog.timeline.kubelet import Kubelet, Row, Start, Usage
from kubelog.timeline.release import LAST
from kubelog.timeline.rules import Explanation
from kubelog.timeline.rules.node_pressure_findings import REJECTED, amount, condition_of, in_the_way, measured, of_case, whose
from kubelog.timeline.words import clock, listed, lost, plural, silence_finding, size, suppressed_finding, when

# resource → the signals that starve it
_SIGNALS: Final = {
    "nodefs": ("nodefs.available",),
    "nodefsInodes": ("nodefs.inodesFree",),
    "imagefs": ("imagefs.available",),
    "imagefsInodes": ("imagefs.inodesFree",),
    "memory": ("memory.available", "allocatableMemory.available"),
    "pids": ("pid.available",),
    "inodes": ("nodefs.inodesFree", "imagefs.inodesFree", "containerfs.inodesFree"),
    "ephemeral-storage": ("nodefs.available", "imagefs.available", "containerfs.available"),
}
# What a kubelet watches when nothing is set, by the release that brought it (pkg/kubelet/apis/config, Linux).
_DEFAULTS: Final = ("memory.available<100Mi", "nodefs.available<10%", "nodefs.inodesFree<5%", "imagefs.available<15%")
_KUBELET_ROOT: Final = "/var/lib/kubelet"


def _watched(case: Case, start: Start | None) -> list[Threshold]:
    """The thresholds of a start that this case is about."""
    resource = case.subject.get("resource", "")
    wanted = _SIGNALS.get(resource)
    return [
        one
        for one in (start.thresholds or () if start else ())
        if (one.signal in wanted if wanted else condition_of(one.signal.split(".")[0]) == case.key)
    ]


def eased(case: Case, previous: Start, start: Start) -> bool:
    """Whether a start lowered or dropped the threshold that this case is about."""
    new = {one.signal: one for one in start.thresholds or ()}
    return any(_lower(old, new.get(old.signal)) for old in _watched(case, previous))


def _lower(old: Threshold, new: Threshold | None) -> bool:
    if new is None:
        return True
    if old.quantity is not None and new.quantity is not None:
        return (new.quantity.value or 0) < (old.quantity.value or 0)
    return new.quantity is None and old.quantity is None and (new.percentage or 0) < (old.percentage or 0)


def explain(case: Case, memory: Kubelet, node: str | None) -> Explanation:
    """All that is told of a case beyond its steps."""
    return Explanation(
        _summary(case, memory, node), _cause(case, memory), tuple(_findings(case, memory)), tuple(_advice(case, memory))
    )


def _resource(case: Case) -> str:
    return (
        case.subject.get("resource")
        or {"DiskPressure": "the disk", "MemoryPressure": "memory", "PIDPressure": "process ids"}[case.key]
    )


def _closing_start(case: Case, memory: Kubelet) -> Start | None:
    """The start that ended the case."""
    if case.resolution != "config-changed":
        return None
    return next((one for one in memory.starts if one.number == case.marks.get("start")), None)


def _in_force(case: Case, memory: Kubelet) -> Start | None:
    """The start whose thresholds were in force while the case went on, as far as the log says: else the first one seen after."""
    end = _closing_start(case, memory)
    if end is not None:
        return memory.configured(end)
    last = case.last.us if case.last else None
    known = [one for one in memory.starts if one.thresholds is not None]
    before = [one for one in known if last is None or one.time is None or one.time.us <= last]
    return before[-1] if before else (known[0] if known else None)


def _summary(case: Case, memory: Kubelet, node: str | None) -> str:
    resource, where = _resource(case), f" on {node}" if node else ""
    table = _reclaims(case, memory)
    what = []
    if case.counts.get("EvictionNoActivePods"):
        what.append("nothing was left to evict")
    evicted, rejected = case.counts.get("EvictionPodEvicted", 0), sum(case.counts.get(one, 0) for one in REJECTED)
    if evicted:
        what.append(f"{plural(evicted, 'pod')} {'was' if evicted == 1 else 'were'} evicted")
    if rejected and rejected in (case.pods_total, case.pods_total - evicted):
        what.append(f"{plural(rejected, 'pod')} {'was' if rejected == 1 else 'were'} rejected")
    elif rejected:
        what.append(f"pods were rejected {plural(rejected, 'time')}")
    begun = f"{resource}{where} fell under its eviction threshold"
    begun += f" at {when(case.opened)}" if case.opened else ""
    if "table" in case.marks:
        begun = f"{resource}{where} is under its eviction threshold, says the events table"
    elif table:
        begun += f" or earlier ({_since(table)})"
    if case.episodes > 1:
        begun += f", {case.episodes} times"
    return "; ".join([begun + (f": {listed(what)}" if what else ""), _end(case, memory)]) + "."


def _end(case: Case, memory: Kubelet) -> str:
    at = clock(case.closed, case.opened)
    if case.resolution == "config-changed":
        start, previous = _closing_start(case, memory), _in_force(case, memory)
        change = _change(case, previous, start)
        return f"mitigated at {at} by a restart with {change}, but the log never says that the pressure cleared"
    if case.resolution == "condition-cleared":
        return f"over at {at}, when the node reported that {case.key} had cleared"
    if case.resolution == "recovered":
        return f"over at {at}: deleting dead containers and unused images was enough"
    if case.resolution == "restarted":
        return f"over: no sign of it since the kubelet's restart (last seen {clock(case.last, case.opened)})"
    if case.resolution == "quiet":
        return f"over: no sign of it after {clock(case.last, case.opened)}, though the log goes on"
    return f"not over: last seen {clock(case.last, case.opened)}" if case.last else "not seen to end"


def _change(case: Case, previous: Start | None, start: Start | None) -> str:
    """`nodefs.available<5% instead of <10%`"""
    new = {one.signal: one for one in (start.thresholds or () if start else ())}
    for old in _watched(case, previous):
        now = new.get(old.signal)
        if now is None:
            return f"no threshold for {old.signal} any more (it was {old.flag})"
        if _lower(old, now):
            return f"{now.flag} instead of <{old.limit}"
    return "other thresholds"


def _cause(case: Case, memory: Kubelet) -> Cause | None:
    start = _in_force(case, memory)
    watched = _watched(case, start)
    because: list[Evidence] = []
    for kind in (
        "EvictionReclaimAttempted",
        "EvictionPodsRequired",
        "EvictionNoActivePods",
        *REJECTED,
        "NodeConditionChanged",
    ):
        because += [step.evidence[0] for step in case.steps if step.kind == kind and step.evidence][:1]
    resource = _resource(case)
    if watched and start is not None:
        one = watched[0]
        limit = f"{one.limit.removesuffix('%')} %" if one.limit.endswith("%") else one.limit
        text = f"{resource} fell under the hard eviction threshold of {limit} ({one.flag})"
        because += start.evidence
    else:
        text = f"{resource} fell under its eviction threshold"
        if start is None and (seen := of_case(case, memory)):
            found = seen[0]
            text += f" of {amount(found.signal, found.limit)}: {amount(found.signal, found.first_available)} was available"
            because += found.evidence
        elif start is None:
            text += ", which the log does not show: it begins after the kubelet's start (try `journalctl -b -u kubelet`)"
    if case.counts.get("EvictionNoActivePods"):
        text += ", and nothing evictable was left"
    full = _node_filesystem(case, memory)
    if full is not None:
        text += f": {_fill(full)}"
        because.append(full.evidence)
    if not watched:
        confidence = (
            "likely" if case.counts.get("EvictionReclaimAttempted") or case.counts.get("EvictionPodsRequired") else "possible"
        )
    else:
        confidence = "certain" if _is_proved(case, memory, start) else "likely"
    return Cause(text + ".", confidence, tuple(dict.fromkeys(because)))


def _is_proved(case: Case, memory: Kubelet, start: Start | None) -> bool:
    """Whether a start's thresholds are known to be those of the kubelet that complained, without a gap between its signs."""
    if start is None or start.time is None or case.last is None or start.time.us > case.last.us:
        return False
    unknown = [one for one in memory.starts if one.thresholds is None and one.time is not None]
    if any(start.time.us < one.time.us <= case.last.us for one in unknown if one.time is not None):
        return False
    if lost(case, memory):
        return False
    return all(begin.us >= case.last.us for begin, _ in case.holes)


def _findings(case: Case, memory: Kubelet) -> Iterator[Finding]:
    end = _closing_start(case, memory)
    if end is not None:
        yield from _dropped(case, memory, end)
        yield Finding(
            "not-cleared",
            f"Nothing in the log says that {case.key} cleared: the threshold was moved, {_resource(case)} was not freed.",
            end.evidence,
        )
    table = _reclaims(case, memory)
    if table:
        total = max(row.count for row in table)
        before = "" if "table" in case.marks else " before this log"
        yield Finding(
            "since-before",
            f"The cluster's events tell that reclaiming had gone on{before}: {_since(table)}, {total:,} times.",
            tuple(row.evidence for row in table),
        )
    yield from _unlogged(case, memory)
    yield from _unknown(case, memory)
    yield from _disks(case, memory)
    yield from _flag_findings(case, memory, end)
    yield from measured(case, memory)
    yield from in_the_way(case)
    yield from whose(case)
    if case.episodes > 1:
        yield Finding("flapping", f"The pressure came back: {case.episodes} episodes of set and clear.", ())
    yield from silence_finding(case)


def _unlogged(case: Case, memory: Kubelet) -> Iterator[Finding]:
    """Starts that only a listing tells of."""
    shown = {one for step in case.steps if step.kind == "KubeletStarted" for one in step.evidence}
    starts = [one for one in memory.starts if one.listed and not shown.isdisjoint(one.evidence)]
    if starts:
        times = listed([clock(one.time, case.opened) for one in starts])
        yield Finding(
            "start-not-in-log",
            f"systemctl status tells that the kubelet was started at {times}; the log has no line of that: the log is not whole, "
            "and with which thresholds the kubelet ran then is not known.",
            tuple(one for start in starts for one in start.evidence),
        )


def _unknown(case: Case, memory: Kubelet) -> Iterator[Finding]:
    """What the log lacks: the kubelet's start, and lines that journald dropped."""
    if not any(not one.listed for one in memory.starts):
        yield Finding("start-out-of-view", "thresholds unknown: the log begins later; try `journalctl -b -u kubelet`", ())
    yield from suppressed_finding(case, memory, "there may have been more than is told here")


def _dropped(case: Case, memory: Kubelet, end: Start) -> Iterator[Finding]:
    """Thresholds that a new --eviction-hard silently switched off."""
    previous = memory.configured(end)
    new = {one.signal for one in end.thresholds or ()}
    lost = [flag for flag in (previous.flags if previous else ()) if flag.split("<")[0] not in new]
    if not lost or previous is None:
        return
    yield Finding(
        "thresholds-dropped",
        f"The new setting dropped {listed(lost)}: --eviction-hard replaces all defaults, so "
        f"{listed([flag.split('<')[0] for flag in lost])} {'is' if len(lost) == 1 else 'are'} no longer watched.",
        tuple(dict.fromkeys((*previous.evidence, *end.evidence))),
    )


def _disks(case: Case, memory: Kubelet) -> Iterator[Finding]:
    full = _node_filesystem(case, memory)
    if full is None:
        return
    limit = next((one for one in _watched(case, _in_force(case, memory)) if one.percentage), None)
    left = full.available_bytes / full.size_bytes if full.size_bytes else 0.0
    under = f", under the {round((limit.percentage or 0) * 100, 4):g} %" if limit and left < (limit.percentage or 0) else ""
    text = f"df: {full.mount} ({full.filesystem}) is {_percent(full.used)} used, {size(full.available_bytes)} left"
    yield Finding("filesystem-usage", f"{text} ({_percent(left)}{under}).", (full.evidence,))
    roomy = [one for one in memory.usages if one.mount != full.mount and one.used < 0.8]
    if roomy and case.subject.get("resource") in ("nodefs", "ephemeral-storage"):
        names = listed([f"{one.mount} ({one.filesystem}) at {_percent(one.used)}" for one in roomy])
        yield Finding(
            "other-filesystem",
            f"df: {names} {'has' if len(roomy) == 1 else 'have'} room: where images live on a filesystem of their own, "
            f"imagefs is fine and {full.mount}, the kubelet's nodefs, is the trouble.",
            tuple(one.evidence for one in roomy),
        )


def _flag_findings(case: Case, memory: Kubelet, end: Start | None) -> Iterator[Finding]:
    given = [one for one in memory.flags if "eviction-hard" in one.flags]
    if not memory.flags:
        return
    if given:
        yield Finding(
            "eviction-flag",
            f"The flags say --eviction-hard={given[-1].flags['eviction-hard']}.",
            tuple(one.evidence for one in given),
        )
        return
    whole = [one for one in memory.flags if one.complete]
    evidence = tuple(one.evidence for one in (whole or memory.flags))
    if whole:
        ids = [str(one.process_id) for one in whole if one.process_id is not None]
        files = [one.flags["config"] for one in whole if "config" in one.flags]
        text = f"The kubelet's command line{' (process ' + listed(ids) + ')' if ids else ''} sets no --eviction-hard: "
        text += f"see evictionHard in {files[-1]}." if files else "the defaults were in force then."
    else:
        text = "None of the given drop-in lines sets --eviction-hard."
    if end is not None:
        hidden = sorted(
            {name for one in memory.flags for name in one.variables} - {one for flags in memory.flags for one in flags.flags}
        )
        text += f" What set {listed(list(end.flags)) or 'the new thresholds'} is not in the files given"
        text += " (see where $KUBELET_EXTRA_ARGS comes from)." if "KUBELET_EXTRA_ARGS" in hidden else "."
    yield Finding("eviction-flag-missing", text, evidence)


def _advice(case: Case, memory: Kubelet) -> Iterator[str]:
    end, before = _closing_start(case, memory), _in_force(case, memory)
    full = _node_filesystem(case, memory)
    low, high = memory.releases
    if case.key == "DiskPressure":
        place = (
            f"{full.mount}, of which {size(full.available_bytes)} are left"
            if full
            else "the filesystem of /var/lib/kubelet and /var/log"
        )
        yield (
            f"Free space on {place}: that alone ends it. Look at container logs, emptyDir volumes, old images and packages "
            "(`du -xh --max-depth=2 / | sort -h | tail`), or give the node a larger disk."
        )
    elif case.key == "MemoryPressure":
        yield (
            "Find what uses the memory (`kubectl top pod`, `systemd-cgtop`) and give pods memory requests and limits that fit the "
            "node."
        )
    else:
        yield "Find what makes so many processes (`ps -eLf | wc -l` by cgroup) and set podPidsLimit."
    if end is not None and before is not None:
        wanted = {one.signal: one.flag for one in before.thresholds or ()} | {one.signal: one.flag for one in end.thresholds or ()}
        full_list = ",".join(sorted(wanted.values()))
        if len(wanted) > len(end.thresholds or ()):
            yield f"Name every threshold again, not only the one to change: --eviction-hard={full_list}."
        yield (
            "A lower threshold only buys time: below it the node runs into a full disk, where nothing is evicted in order."
            if case.key == "DiskPressure"
            else "A lower threshold only buys time: below it the kernel kills without order."
        )
        if low >= 10:
            yield (
                "Set evictionHard in the kubelet's configuration file (--config) rather than by a flag, which is deprecated; "
                "a list there replaces the defaults too."
            )
        elif high >= 10:
            yield "From 1.10 on set evictionHard in the kubelet's configuration file (--config); before, the flag is the only way."
        else:
            yield (
                f"This kubelet (Kubernetes {_release(low, high)}) takes thresholds from the flag only; from 1.10 on use "
                "evictionHard in a configuration file (--config) instead."
            )
    if any(case.counts.get(one) for one in REJECTED):
        yield (
            "Rejected pods stay behind as Failed: those of a DaemonSet, Deployment or the like are made again by their controller; "
            "delete what is left (`kubectl get pods -A --field-selector=status.phase=Failed`)."
        )
    if case.is_open and before is None:
        yield "See the thresholds in force: `journalctl -b -u kubelet | kubelog config`."


def _release(low: int, high: int) -> str:
    return f"1.{low}" if low == high else f"1.{low} to 1.{min(high, LAST)}"


def _reclaims(case: Case, memory: Kubelet) -> list[Row]:
    """The rows of an events table that tell of this case's reclaiming, if not only of what the log shows too."""
    rows = [row for row in memory.rows if condition_of(row.message.rsplit(" ", 1)[-1]) == case.key]
    opened = case.opened.us if case.opened else None
    return rows if any(row.first is None or opened is None or row.first.us <= opened for row in rows) else []


def _since(rows: list[Row]) -> str:
    """`for 9 days, since about 2017-10-07` of the row that goes back furthest."""
    row = max(rows, key=lambda one: one.first_age_s or 0.0)
    text = f"for {age(row.first_age_s or 0.0)} when the events were listed"
    return f"{text}, since about {when(row.first).split(' ')[0]}" if row.first else text


def age(seconds: float) -> str:
    """`9 days`, `3 hours`, `14 seconds`."""
    for size_, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size_:
            return plural(int(seconds // size_), name)
    return plural(int(seconds), "second")


def _node_filesystem(case: Case, memory: Kubelet) -> Usage | None:
    """The filesystem that the kubelet's directory lies on, where df was given and the trouble is a disk."""
    if case.key != "DiskPressure" or case.subject.get("resource") == "imagefs":
        return None
    root = _KUBELET_ROOT + "/"
    holds = [one for one in memory.usages if root.startswith(one.mount.rstrip("/") + "/")]
    return max(holds, key=lambda one: len(one.mount), default=None)


def _fill(usage: Usage) -> str:
    return f"{usage.mount} is {_percent(usage.used)} full"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
