"""VolumeStuck: a volume cannot be mounted, so its pod waits; or one cannot be unmounted or removed, so that its pod's remains stay.

One case a pod, by its name; what is left of pods that are gone (orphans) is one case a node. A mount that fails is tried again
with growing pauses: it is an incident once the pauses have grown to a minute, it has lasted 2 min, or the kubelet itself gave up
waiting (after 2 min); orphans are after 30 s, or where there are many. It ends when the volume is mounted, a container of the pod
starts, or the pod is deleted; else when nothing is said of it for 10 min (the longest pause is 2 min).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

import msgspec

from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.pod import ContainerStarted
from kubelog.message.vocabulary.sync import OrphanedPodCleaned, OrphanedPodVolumes, PodConfigReceived, PodSyncFailed
from kubelog.message.vocabulary.volume import VolumeMountFailed, VolumeOperationSucceeded
from kubelog.timeline.incident import Finding
from kubelog.timeline.rules import Case, Cause, Explanation, State, instant
from kubelog.timeline.rules.episodic import EpisodicRule, Sign, lasted_us, proof
from kubelog.timeline.words import since

_ORPHANS: Final = "orphans"
_SECOND_US: Final = 1_000_000
_POD: Final = re.compile(r'pod "([^"\s]{1,253})" \(UID')
_UNMOUNT: Final = re.compile(r"\bUnmount(?:Volume|Device)|TearDown|DetachVolume")
_WAITED: Final = re.compile(r"timed out waiting|timeout expired waiting|context deadline exceeded|unmounted volumes")
_KNOWN: Final = 200
# Words of the error → what that means, how sure it is, what to do.
_WHY: Final[tuple[tuple[str, re.Pattern[str], str, str, str], ...]] = (
    ("missing", re.compile(r"(?:secrets?|configmaps?|object) \"?[^\"\s]{1,300}\"? (?:not found|not registered)|references "
        r"non-existent"),
     "What the volume is made of, a Secret or ConfigMap or a key of one, is not there.", "certain",
     "Create it in the pod's namespace, or correct its name in the pod: `kubectl describe pod` names it. The kubelet tries "
         "again by itself."),
    ("multi-attach", re.compile(r"[Mm]ulti-[Aa]ttach"), "The volume is still attached to another node, and can be attached to "
        "one only.", "certain",
     "See which node has it (`kubectl get volumeattachments`). If that node is gone, delete its Node object or taint it "
         "out-of-service."),
    ("no-driver", re.compile(r"not found in the list of registered CSI drivers|driver name .{1,200} not found"),
     "The CSI driver of the volume has not registered with this kubelet.", "certain",
     "See whether the driver's node plugin (a DaemonSet) runs on this node: `kubectl get csinodes`, `kubectl get pods -A -o "
         "wide`."),
    ("no-helper", re.compile(r"bad option; for several filesystems|mount\.(?:nfs|cifs|glusterfs)|executable file not found"),
     "The node lacks the program that mounts this kind of filesystem.", "likely",
     "Install it on the node: nfs-common or nfs-utils for NFS, cifs-utils for SMB, glusterfs-client."),
    ("denied", re.compile(r"access denied|permission denied|[Ff]orbidden|not authorized|cannot get resource"),
     "Access to the volume, or to what it is made of, is denied.", "likely",
     "See who is denied what in the error: an export's client list, a cloud role, or the node's authorization by the API server."),
    ("busy", re.compile(r"device is busy|target is busy|device or resource busy|still in use"),
     "The volume is still in use on this node: a process holds a file of it open, or it is mounted once more.", "likely",
     "Find who holds it: `lsof +D PATH`, `fuser -vm PATH`, `grep VOLUME /proc/*/mountinfo`."),
    ("broken", re.compile(r"wrong fs type|bad superblock|Input/output error|read-only file system|fsck"),
     "The filesystem on the volume is damaged, or of another type than is said.", "likely",
     "Look at the kernel's log for the device (`dmesg`), and check the filesystem while it is not mounted."),
    ("unreached", re.compile(r"connection refused|i/o timeout|no route to host|Connection timed out|DeadlineExceeded|context "
        r"deadline exceeded|Unavailable"),
     "The storage, or the driver that speaks to it, does not answer.", "likely",
     "See whether the driver's pods run and what they log, and whether this node reaches the storage."),
)  # fmt: skip
_OTHER: Final = (
    "The error itself is all that the log tells.",
    "possible",
    "Read the error in full, and the log of the volume's driver.",
)


class Pods(msgspec.Struct, frozen=True, gc=False):
    """The pods that were spoken of lately: uid and name."""

    known: tuple[tuple[str, str], ...] = ()

    def name_of(self, uid: str | None) -> str | None:
        return next((name for one, name in reversed(self.known) if one == uid), None)


class VolumeStuck(EpisodicRule):
    """See the module."""

    kind = "VolumeStuck"
    opens = extends = frozenset({VolumeMountFailed, OrphanedPodVolumes, PodSyncFailed})
    closes = frozenset({VolumeOperationSucceeded, ContainerStarted, PodConfigReceived, OrphanedPodCleaned})
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = {
        "PodSyncFailed": (b"unmounted volumes", b"volumes to attach or mount", b"attach or mount volumes"),
        "PodConfigReceived": (b"DELETE", b"REMOVE"),
        "VolumeOperationSucceeded": (b"MountVolume",),
    }
    memory = Pods

    def told(self, memory: Pods, event: Event) -> Pods:
        if isinstance(event, VolumeMountFailed | PodSyncFailed):
            name, uid = _pod_of(event), event.pod_uid or (event.pod.uid if event.pod else None)
            if name and uid and memory.name_of(uid) != name:
                return Pods((*memory.known, (uid, name))[-_KNOWN:])
        return memory

    def signs_of(self, event: Event, memory: Pods) -> Iterable[Sign]:
        if isinstance(event, OrphanedPodVolumes):
            subject = {"pod_uid": event.pod_uid} if event.pod_uid else {}
            marks = {"orphans": event.count or 1}
            yield Sign(_ORPHANS, subject, "Volumes of pods that are gone are still on the disk", "", marks=marks)
        elif isinstance(event, VolumeMountFailed) or (isinstance(event, PodSyncFailed) and event.reason == "VolumesNotReady"):
            error, uid = event.error or "", event.pod_uid or (event.pod.uid if event.pod else None)
            name = _pod_of(event) or memory.name_of(uid)
            volume = event.volume if isinstance(event, VolumeMountFailed) else None
            unmounts = bool(_UNMOUNT.search(error[:200]))
            key = name or uid or volume
            if key is None:
                return
            subject = _subject(event, name, uid, volume)
            why = next((one[0] for one in _WHY if one[1].search(error[:4000])), "")
            waited = bool(_WAITED.search(error[:4000])) and not unmounts and not _POD.search(error)
            marks = {f"why {why}": 1} if why and not waited else {}
            marks |= {"waited": 1} if waited else {}
            marks |= {"unmount": 1} if unmounts else {}
            if isinstance(event, VolumeMountFailed) and event.retry_s is not None:
                marks["retry_us"] = int(event.retry_s * 1e6)
            if waited:
                text = "The kubelet gives up waiting for the pod's volumes, for now"
            else:
                text = f"{volume or 'A volume'} cannot be {'unmounted' if unmounts else 'mounted'}"
            pods = (event.pod,) if event.pod else ()
            yield Sign(key, subject, text, why or ("waited" if waited else ""), pods, waited, marks)

    def apply(self, state: State, event: Event, node: str | None) -> State:
        match event:
            case VolumeOperationSucceeded(operation="MountVolume"):
                name = event.pod.name if event.pod else state.memory.name_of(event.pod_uid)
                return self._end(state, event, name, "The volume is mounted", event.volume)
            case ContainerStarted(pod=pod) if pod is not None:
                return self._end(state, event, pod.name, "A container of the pod is started: its volumes are mounted")
            case PodConfigReceived(operation="DELETE" | "REMOVE", pods=pods):
                for pod in pods or ():
                    state = self._end(state, event, pod.name, "The pod is deleted", mounts_only=True)
                return state
            case OrphanedPodCleaned(pod_uid=uid):
                case = state.latest(_ORPHANS)
                if case is not None and case.is_open and case.subject.get("pod_uid") == uid:
                    case = case.said(event, "What was left of the pod is removed", "end")
                    state = state.put(case.close("resolved", "recovered", instant(event.seen)))
                return state
            case _:
                return super().apply(state, event, node)

    def matters(self, case: Case) -> bool:
        if case.key == _ORPHANS:
            return lasted_us(case) >= 30 * _SECOND_US or case.marks.get("orphans", 0) >= 10
        return "waited" in case.marks or case.marks.get("retry_us", 0) >= 60 * _SECOND_US or lasted_us(case) >= 120 * _SECOND_US

    def explain(self, case: Case, memory: Pods, node: str | None) -> Explanation:
        where = f" on {node}" if node else ""
        if case.key == _ORPHANS:
            verb = "are" if case.is_open else "were"
            uid = case.subject.get("pod_uid", "UID")
            return Explanation(
                f"Volumes of pods that are gone {verb} left on the disk{where} and not removed{since(case)}.",
                Cause("A volume of a deleted pod was not unmounted or its directory not emptied before the kubelet forgot "
                    "it.", "likely",
                      proof(case)),
                (Finding("orphans", f"There are {case.marks['orphans']:,} at the most.", proof(case)[:1]),)
                if case.marks.get("orphans", 0) > 1 else (),
                (f"Look at what is left: `find /var/lib/kubelet/pods/{uid} -maxdepth 4`, `grep {uid} /proc/mounts`.",
                 "Unmount what is still mounted there; then remove the directory by hand if it holds no data of its own.",
                 "A newer kubelet cleans up more of them by itself."),
            )  # fmt: skip
        found = [one for one in _WHY if f"why {one[0]}" in case.marks]
        text, confidence, advice = found[0][2:] if found else _OTHER
        subject = case.subject
        pod = "/".join(part for part in (subject.get("namespace"), subject.get("pod")) if part) or subject.get("pod_uid", "a pod")
        volume = f"Volume {subject['volume']}" if subject.get("volume") else "A volume"
        is_over = "cannot" if case.is_open else "could not"
        what = "unmounted" if "unmount" in case.marks and "waited" not in case.marks else "mounted"
        summary = f"{volume} of pod {pod}{where} {is_over} be {what}{since(case)}."
        of = f"-n {subject['namespace']} {subject['pod']}" if subject.get("namespace") else "POD"
        advices = (advice, f"What the pod waits for stands in its events: `kubectl describe pod {of}`.")
        return Explanation(summary, Cause(text, confidence, proof(case, ("VolumeMountFailed",)) or proof(case)), (), advices)

    def _sign(self, state: State, event: Event, sign: Sign) -> State:
        case = state.latest(sign.key)
        if case is not None and case.is_open:
            # What was not said before.
            more = {key: value for key, value in sign.subject.items() if not case.subject.get(key)}
            if more and case.key != _ORPHANS:
                subject = {**case.subject, **more}
                if "pod" in subject:
                    subject.pop("pod_uid", None)
                state = state.put(case.replace(subject={key: subject[key] for key in _ORDER if key in subject}))
        return super()._sign(state, event, sign)

    def _end(
        self, state: State, event: Event, name: str | None, text: str, volume: str | None = None, mounts_only: bool = False
    ) -> State:
        case = None if name is None else state.latest(name)
        if case is None or not case.is_open or (mounts_only and "unmount" in case.marks):
            return state
        if volume is not None and case.subject.get("volume") and volume not in re.split(r"[, ]+", case.subject["volume"]):
            return state
        case = case.said(event, text, "end")
        return state.put(case.close("resolved", "recovered", instant(event.seen)))


_ORDER: Final = ("namespace", "pod", "pod_uid", "volume")


def _pod_of(event: VolumeMountFailed | PodSyncFailed) -> str | None:
    if event.pod is not None:
        return event.pod.name
    found = _POD.search((event.error or "")[:4000])
    # A volume that is unmounted is told with the pod's uid in the name's place.
    return found[1] if found and found[1] != event.pod_uid else None


def _subject(event: VolumeMountFailed | PodSyncFailed, name: str | None, uid: str | None, volume: str | None) -> dict[str, str]:
    namespace = event.pod.namespace if event.pod else None
    parts = {"namespace": namespace, "pod": name, "pod_uid": None if name else uid, "volume": volume}
    return {key: value for key, value in parts.items() if value}
