"""OutOfMemory: the kernel kills a process because there is no memory left, on the node or within a container's limit.

One case a node where the node itself is out of memory; one a pod, by the uid in the name of its cgroup, where that reached its
limit; where nothing names the pod, one for all limits of the node. Kills within 10 min of each other are one episode; nobody says
that it is over, so it is over when nothing more is said of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from kubelog.message.vocabulary.container_runtime import RuntimeOomReported
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.host import UnitOomKilled
from kubelog.message.vocabulary.kernel import (
    CgroupOomReported,
    OomKillerInvoked,
    OomProcessKilled,
    OomVictimChosen,
    SystemOomReported,
)
from kubelog.timeline.incident import Finding
from kubelog.timeline.rules import Case, Cause, Explanation
from kubelog.timeline.rules.episodic import EpisodicRule, Sign, proof
from kubelog.timeline.words import listed, plural, since, when

_NODE: Final = "node"
_LIMIT: Final = "limit"
# Without these a node is none.
_VITAL: Final = ("kubelet", "containerd", "dockerd", "crio", "systemd", "etcd", "kube-apiserver", "kube-proxy")
# The lines of one kill lie this close together.
_ONE_KILL_US: Final = 5_000_000
_MOST: Final = 20


class Kill(msgspec.Struct, frozen=True, gc=False):
    """The last kill: whose memory it was about, and when. The kernel says that before it names the victim."""

    us: int | None = None
    key: str = ""
    uid: str | None = None
    pids: tuple[int, ...] = ()  # victims that were told: the kubelet says them once more


class OutOfMemory(EpisodicRule):
    """See the module."""

    kind = "OutOfMemory"
    opens = extends = frozenset(
        {SystemOomReported, CgroupOomReported, OomVictimChosen, OomProcessKilled, RuntimeOomReported, UnitOomKilled}
    )
    explains = frozenset({OomKillerInvoked})
    memory = Kill

    def told(self, memory: Kill, event: Event) -> Kill:
        us = event.seen.time_us
        if isinstance(event, OomVictimChosen):
            limit = event.constraint == "CONSTRAINT_MEMCG"
            return Kill(us, (event.pod_uid or _LIMIT) if limit else _NODE, event.pod_uid if limit else None, memory.pids)
        pid = getattr(event, "victim_pid", None)
        if isinstance(pid, int) and pid not in memory.pids:
            return msgspec.structs.replace(memory, pids=(*memory.pids, pid)[-_MOST:])
        return memory

    def signs_of(self, event: Event, memory: Kill) -> Iterable[Sign]:
        key = self._key(event, memory)
        if key is None:
            return
        process: str | None = getattr(event, "process", None)
        vital = process in _VITAL or isinstance(event, UnitOomKilled)
        subject = {} if key in (_NODE, _LIMIT) else {"pod_uid": key}
        if key == _NODE:
            subject = {"resource": "memory"}
        elif key == _LIMIT and process:
            subject = {"process": process}
        name = process or (event.unit if isinstance(event, UnitOomKilled) else None) or "a process"
        marks = {"vital": 1} if vital else {}
        if process:
            marks[f"process {process[:60]}"] = 1
        yield Sign(key, subject, _text(event, name), name[:60], critical=vital or key == _NODE, marks=marks)

    def explain(self, case: Case, memory: Kill, node: str | None) -> Explanation:
        processes = [name.removeprefix("process ") for name in case.marks if name.startswith("process ")]
        victims = listed(processes[:4]) if processes else "a process"
        where = node or "this node"
        signs = proof(case)
        if case.key == _NODE:
            summary = f"{where} ran out of memory, and the kernel killed {victims}{_when(case)}."
            cause = Cause(
                "All that runs on the node asked for more memory than it has: the kernel chose a victim by its size and priority.",
                "certain",
                signs,
            )
            advice = [
                "See what holds the memory: `free -m`, `ps aux --sort=-rss | head`, `kubectl describe node` (requests and limits).",
                "Give pods memory limits near their requests, and reserve memory for the system (--system-reserved, "
                "--kube-reserved), so that "
                "the kubelet evicts pods (memory.available) before the kernel kills.",
            ]
        else:
            of = f"a container of pod {case.subject['pod_uid']}" if "pod_uid" in case.subject else "a container"
            summary = f"On {where} {of} reached its memory limit, and the kernel killed {victims}{_when(case)}."
            cause = Cause("The container's memory limit was reached: the node itself has memory left.", "certain", signs)
            advice = [
                "Find the pod by its uid: `kubectl get pods -A -o jsonpath='{range .items[*]}{.metadata.uid} {.metadata.namespace}/"
                '{.metadata.name}{"\\n"}{end}\' | grep UID`; its container shows OOMKilled, exit code 137.',
                "Raise its memory limit, or let the program use less (a heap's size must leave room for the rest of the process).",
            ]
        return Explanation(summary, cause, tuple(_findings(case)), tuple(advice))

    def _key(self, event: Event, memory: Kill) -> str | None:
        """The case that an event is a sign of; None where it only repeats what was told."""
        us = event.seen.time_us
        recent = memory.us is not None and us is not None and abs(us - memory.us) <= _ONE_KILL_US
        if isinstance(event, OomVictimChosen):
            return memory.key
        if isinstance(event, CgroupOomReported | RuntimeOomReported):
            return memory.key if recent and memory.key != _NODE else _LIMIT
        if isinstance(event, OomProcessKilled):
            return memory.key if recent else _NODE
        if isinstance(event, SystemOomReported):
            return memory.key if recent and memory.key != _NODE else _NODE
        if isinstance(event, UnitOomKilled):
            return memory.key if recent else _LIMIT
        return None


def _when(case: Case) -> str:
    """A kill is a moment: it is over where it was one only."""
    if case.opened is not None and case.opened == case.last and case.episodes == 1:
        return f" at {when(case.opened)}"
    return since(case)


def _text(event: Event, name: str) -> str:
    if isinstance(event, OomVictimChosen):
        return f"The kernel chooses {name} to be killed"
    if isinstance(event, RuntimeOomReported):
        return "The container runtime is told that a container is out of memory"
    if isinstance(event, UnitOomKilled):
        return f"A process of the unit {name} was killed"
    if isinstance(event, CgroupOomReported):
        return f"A memory limit is reached: {name} is killed"
    if isinstance(event, SystemOomReported):
        return f"The node is out of memory: {name} is killed"
    return f"{name} is killed"


def _findings(case: Case) -> Iterator[Finding]:
    vital = [name.removeprefix("process ") for name in case.marks if name.removeprefix("process ") in _VITAL]
    if vital:
        text = f"{listed(vital)} was among the victims: while it is away the node works on no pod, or its network does not follow."
        yield Finding("vital-process", text, proof(case)[:1])
    kills = (
        case.counts.get("OomProcessKilled", 0) or case.counts.get("SystemOomReported", 0) or case.counts.get("CgroupOomReported", 0)
    )
    if kills > 1:
        yield Finding("kills", f"{plural(kills, 'process')[:-1] if kills == 1 else f'{kills:,} processes'} were killed.", ())
