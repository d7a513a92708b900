"""VolumeStuck: a volume cannot be mounted for a pod that waits for it, or not be removed from the node behind one that is gone.

One case a pod, which is named by its first volume that fails; one a volume where no pod is named (it is detached from the node);
one an orphaned pod. The kubelet tries an operation on a volume again after 0.5 s, 1 s, 2 s … up to 2 min 2 s, and gives up waiting
for a pod's volumes after two minutes. What succeeds before that is no incident: objects that are not registered yet after a start,
a secret that is made a moment later, a disk that is being attached. So a case counts once the kubelet gave up waiting, put off the
next try by a minute, or said so for a minute; an orphaned pod, which is complained of every 2 s, with the third complaint.

It closes when what failed is done, when a container of the pod starts, when the pod is deleted, when what it left is cleaned up, or
when a log that goes on says nothing of it for 10 min (five tries).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final

import msgspec

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.pod import ContainerStarted
from kubelog.message.vocabulary.sync import OrphanedPodCleaned, OrphanedPodVolumes, PodConfigReceived, PodSyncFailed
from kubelog.message.vocabulary.volume import (
    VolumeMountFailed,
    VolumeOperationStarted,
    VolumeOperationSucceeded,
    VolumeSpecFailed,
)
from kubelog.timeline.incident import instant
from kubelog.timeline.rules import Case, Explanation, Instant, State
from kubelog.timeline.rules.episodic import EpisodicRule, Sign
from kubelog.timeline.rules.volume_stuck_words import explain, mark_of

_LEAST_US: Final = 60_000_000
_LEAST_RETRY_S: Final = 60
_LEAST_ORPHANED: Final = 3
_MOST_PODS, _MOST_VOLUMES, _MOST_REASONS = 256, 32, 8
# What failed, as the kubelet's operations are called: `MountVolume.SetUp failed for volume …`, `DetachVolume.Detach failed …`.
_UNMOUNTS: Final = re.compile(r"(?:Un[mM]ount|Unmap|Detach|Tear|error cleaning subPath mounts|operation Un)")
_POD: Final = re.compile(r'\bpod "([^"]{1,253})" \(UID: "([^"]{1,64})"\)')
_UNMOUNTED: Final = re.compile(r"unmounted volumes=\[([^\]]{0,2000})\]")
_MOUNTED: Final = frozenset({"MountVolume", "MapVolume", "MapPodDevice"})
_UNMOUNTED_OPERATIONS: Final = frozenset({"UnmountVolume", "UnmapVolume", "UnmountDevice", "UnmapDevice", "DetachVolume"})


class Pods(msgspec.Struct, frozen=True, gc=False):
    """Which pod a UID is: lines of volumes name mostly the UID, and never the namespace. The last 256."""

    by_uid: dict[str, tuple[str, str]] = {}

    def named(self, pods: Iterable[tuple[PodRef | None, str | None]]) -> Pods:
        new = {
            uid: (pod.namespace, pod.name)
            for pod, uid in pods
            if uid and pod is not None and pod.namespace and self.by_uid.get(uid) != (pod.namespace, pod.name)
        }
        if not new:
            return self
        known = {**self.by_uid, **new}
        for uid in list(known)[: max(0, len(known) - _MOST_PODS)]:
            del known[uid]
        return Pods(known)

    def of(self, pod: PodRef | None, uid: str | None) -> PodRef | None:
        """All that is known of a pod of which something is said."""
        uid = uid or (pod.uid if pod is not None else None)
        if uid and uid in self.by_uid:
            return PodRef(*self.by_uid[uid], uid)
        if pod is None:
            return None
        if not uid and pod.namespace:
            uid = next((one for one in reversed(self.by_uid) if self.by_uid[one] == (pod.namespace, pod.name)), None)
        return PodRef(pod.namespace, pod.name, uid)


class VolumeStuck(EpisodicRule):
    """See the module."""

    kind = "VolumeStuck"
    opens = extends = frozenset({VolumeMountFailed, VolumeSpecFailed, PodSyncFailed, OrphanedPodVolumes})
    closes = frozenset({VolumeOperationSucceeded, ContainerStarted, OrphanedPodCleaned, PodConfigReceived})
    explains = frozenset({VolumeOperationStarted})
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = {
        "PodSyncFailed": (b"unmounted volumes=[",),
        "VolumeOperationStarted": (b"VerifyControllerAttachedVolume",),
    }
    memory = Pods
    tells_memory = False
    signs = frozenset({OrphanedPodVolumes})
    idle = frozenset({VolumeOperationSucceeded, ContainerStarted, OrphanedPodCleaned})

    def told(self, memory: Pods, event: Event) -> Pods:
        match event:
            case PodConfigReceived(pods=pods):
                return memory.named((pod, pod.uid) for pod in pods or ())
            case VolumeOperationStarted(pod=pod, pod_uid=uid) | PodSyncFailed(pod=pod, pod_uid=uid):
                return memory.named([(pod, uid or (pod.uid if pod else None))])
            case VolumeMountFailed(pod=PodRef(uid=uid) as pod):
                return memory.named([(pod, uid)])
        return memory

    def signs_of(self, event: Event, memory: Pods) -> Iterable[Sign]:
        if isinstance(event, OrphanedPodVolumes):
            if event.pod_uid:
                # The reason alone: what it names may be another each time.
                why = mark_of(event.error).split(" ")[1]
                marks = {"orphaned": 1, "orphans": event.count or 1, f"why {why}": event.seen.time_us or 0}
                text = "Volumes of a pod that is gone cannot be removed"
                yield Sign(f"orphaned {event.pod_uid}", {"pod_uid": event.pod_uid}, text, marks=marks)
        elif isinstance(event, VolumeMountFailed):
            yield from _of_operation(event, memory)
        elif isinstance(event, VolumeSpecFailed) and event.pod is not None:
            marks = {"mount": 1, **_why(event, event.error), **_named("volume", event.volume)}
            pod = memory.of(event.pod, None)
            yield _sign(pod, event.volume, f"What volume {event.volume or '?'} is cannot be found out", event.volume or "", marks)
        elif isinstance(event, PodSyncFailed):
            yield from _of_sync(event, memory.of(event.pod, event.pod_uid), event.error or "")

    def apply(self, state: State, event: Event, node: str | None) -> State:
        # Most of what ends a case is said of volumes that nothing is wrong with.
        if state.cases and any(case.is_open for case in state.cases):
            state = self._ended(state, event)
        return super().apply(state, event, node)

    def matters(self, case: Case) -> bool:
        signs = case.marks.get("signs", 0)
        if "orphaned" in case.marks:
            return signs >= _LEAST_ORPHANED
        if "timeout" in case.marks or case.marks.get("retry_s", 0) >= _LEAST_RETRY_S:
            return True
        lasted = case.last.us - case.opened.us if case.last is not None and case.opened is not None else 0
        return signs >= 3 and lasted >= _LEAST_US

    def reopens(self, case: Case, now: Instant | None) -> bool:
        """What ended before it was an incident is not opened again: that would make one of two short ones."""
        return case.is_open or (self.matters(case) and super().reopens(case, now))

    def begins_anew(self, case: Case) -> bool:
        """What is still said of a pod after it was deleted is of the same episode."""
        return case.resolution != "condition-cleared"

    def explain(self, case: Case, memory: Any, node: str | None) -> Explanation:
        return explain(case, node)

    def _sign(self, state: State, event: Event, sign: Sign) -> State:
        """A sign names the pod by its UID, by its name, or by both: what is learned later belongs to the case that is there."""
        pod = sign.pods[0] if sign.pods else None
        if pod is not None:
            for key in _keys(pod):
                known = state.latest(key)
                if known is not None and self.reopens(known, instant(event.seen)):
                    sign = sign._replace(key=key)
                    break
        before = state.latest(sign.key)
        marks = _bounded(before, sign.marks)
        about = sign.about if len(marks) == len(sign.marks) else ""
        state = super()._sign(state, event, sign._replace(pods=(), marks=marks, about=about))
        case = state.latest(sign.key)
        if case is None or pod is None:
            return state
        subject = {**_subject(pod, None), **({"volume": case.subject["volume"]} if "volume" in case.subject else {})}
        if len(subject) >= len(case.subject) and "pod" in subject and ("namespace" in subject or "namespace" not in case.subject):
            case = case.replace(subject=subject, pods=(pod,), pods_total=1)
        return state.put(case)

    def _ended(self, state: State, event: Event) -> State:
        match event:
            case VolumeOperationSucceeded():
                return self._done(state, event)
            case PodConfigReceived(operation="DELETE" | "REMOVE", pods=pods):
                gone = pods or ()
                for case in _open(state, "mount"):
                    if any(_is_of(case, pod, pod.uid) for pod in gone):
                        state = state.put(_closed(case, event, "The pod is deleted", "condition-cleared"))
            case ContainerStarted(pod=pod):
                for case in _open(state, "mount"):
                    if "timeout" in case.marks and _is_of(case, pod, None):
                        state = state.put(_closed(case, event, "A container of the pod starts: its volumes are mounted"))
            case OrphanedPodCleaned(pod_uid=uid) if uid:
                for case in _open(state):
                    if case.key == f"orphaned {uid}" or ("unmount" in case.marks and _is_of(case, None, uid)):
                        state = state.put(_closed(case, event, "What the pod left is cleaned up"))
        return state

    def _done(self, state: State, event: VolumeOperationSucceeded) -> State:
        """An operation succeeded: the case ends where nothing else of it is waited for."""
        mounts, unmounts = event.operation in _MOUNTED, event.operation in _UNMOUNTED_OPERATIONS
        names = {one for one in (event.volume, event.unique_name) if one}
        if not (mounts or unmounts) or not names:
            return state
        for case in _open(state, "mount" if mounts else "unmount"):
            if not (_is_of(case, event.pod, event.pod_uid) or case.key in {f"volume {one}" for one in names}):
                continue
            waits = [mark for mark in case.marks if mark.startswith(("wait ", "late "))]
            over = [mark for mark in waits if mark[5:] in names]
            left = [mark for mark in waits if mark not in over and mark.startswith("wait ")]
            # A claim's volume is called after the claim in the pod, and after the PersistentVolume where it is mounted.
            is_last = len(waits) == 1 and waits[0].startswith("late ") and (event.volume or "").startswith("pvc-")
            case = case.replace(marks={mark: us for mark, us in case.marks.items() if mark not in over})
            if (any(mark.startswith("wait ") for mark in over) and not left) or is_last or (over and len(over) == len(waits)):
                case = _closed(case, event, "The volume is mounted" if mounts else "The volume is removed from the node")
            state = state.put(case)
        return state


def _of_operation(event: VolumeMountFailed, memory: Pods) -> Iterator[Sign]:
    """An operation that failed, or the end of the wait for a pod's volumes."""
    error = (event.error or "")[:8000].replace('\\"', '"')
    if _UNMOUNTED.search(error):
        pod = memory.of(event.pod, event.pod_uid)
        # Where the UID is not known yet, the next line says the same with it.
        if pod is not None and pod.uid is not None:
            yield from _of_sync(event, pod, error)
        return
    unmounts = _UNMOUNTS.match(error) is not None or error.startswith("error cleaning")
    named = _POD.search(error)
    uid = event.pod_uid or (named[2] if named else None)
    name = named[1] if named and named[1] != named[2] else None
    pod = memory.of(event.pod or (PodRef(None, name, uid) if name else None), uid)
    volume = event.volume
    marks = {"unmount" if unmounts else "mount": 1, "retry_s": int(event.retry_s or 0)}
    marks |= {**_why(event, error), **_named("wait", volume), **_named("volume", volume)}
    does = "removed from the node" if unmounts else "mounted"
    text = f"Volume {volume or '?'} cannot be {does}"
    about = f"{'un' if unmounts else ''}mount {(volume or '')[:100]}"
    if pod is not None:
        yield _sign(pod, volume, text, about, marks)
    elif uid:
        yield Sign(uid, {"pod_uid": uid} | ({"volume": volume[:253]} if volume else {}), text, about, marks=marks)
    elif volume:
        yield Sign(f"volume {volume[:253]}", {"volume": volume[:253]}, text, about, marks=marks)


def _of_sync(event: Event, pod: PodRef | None, error: str) -> Iterator[Sign]:
    """The kubelet gave up waiting for a pod's volumes; it names them as the pod does."""
    found = _UNMOUNTED.search(error)
    # A pod that is deleted while it waits is not waited for any longer.
    if pod is None or found is None or "context canceled" in error:
        return
    volumes = found[1].split()
    late = {f"late {one[:253]}": 1 for one in volumes[:_MOST_VOLUMES]}
    marks = {"mount": 1, "timeout": 1, **_why(event, error), **late}
    is_sync = isinstance(event, PodSyncFailed)
    text = "The pod does not start: its volumes are not there" if is_sync else "The kubelet gives up waiting for the pod's volumes"
    yield _sign(pod, ",".join(volumes) or None, text, "waits", marks)


def _sign(pod: PodRef | None, volume: str | None, text: str, about: str, marks: dict[str, int]) -> Sign:
    assert pod is not None
    critical = pod.namespace == "kube-system"
    return Sign(_keys(pod)[0], _subject(pod, volume), text, about[:120], (pod,), critical, marks)


def _subject(pod: PodRef, volume: str | None) -> dict[str, str]:
    parts = {"namespace": pod.namespace, "pod": pod.name[:253], "volume": volume[:253] if volume else None}
    return {name: value for name, value in parts.items() if value}


def _keys(pod: PodRef) -> list[str]:
    """By which a pod's case may be known, the best first."""
    named = f"{pod.namespace or ''}/{pod.name}"[:600]
    return [pod.uid, named] if pod.uid else [named]


def _why(event: Event, error: str | None) -> dict[str, int]:
    return {mark_of(error): event.seen.time_us or 0}


def _named(what: str, volume: str | None) -> dict[str, int]:
    return {f"{what} {volume[:253]}": 1} if volume else {}


def _bounded(case: Case | None, marks: Mapping[str, int]) -> Mapping[str, int]:
    """Without names of volumes and reasons that are too many."""
    if case is None or len(case.marks) < _MOST_REASONS:
        return marks
    kept = dict(marks)
    for begin, most in (("wait ", _MOST_VOLUMES), ("late ", _MOST_VOLUMES), ("volume ", _MOST_VOLUMES), ("why ", _MOST_REASONS)):
        if sum(mark.startswith(begin) for mark in case.marks) >= most:
            kept = {mark: value for mark, value in kept.items() if not mark.startswith(begin) or mark in case.marks}
    return kept


def _open(state: State, mark: str | None = None) -> list[Case]:
    return [case for case in state.cases if case.is_open and (mark is None or mark in case.marks)]


def _is_of(case: Case, pod: PodRef | None, uid: str | None) -> bool:
    """Whether a case is of a pod, as far as both are known."""
    if uid and (case.key == uid or case.subject.get("pod_uid") == uid):
        return "orphaned" not in case.marks
    if pod is None or not case.pods or (uid and case.pods[0].uid):
        return False
    known = case.pods[0]
    return known.name == pod.name and (known.namespace == pod.namespace or known.namespace is None)


def _closed(case: Case, event: Event, text: str, resolution: str = "recovered") -> Case:
    case = case.said(event, text, "end")
    return case.close("resolved", resolution, instant(event.seen))
