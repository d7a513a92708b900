"""Why a volume is stuck, read from the error; and a case of VolumeStuck in words."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from kubelog.timeline.case import Case
from kubelog.timeline.incident import Cause, Finding
from kubelog.timeline.rules import Explanation
from kubelog.timeline.rules.episodic import proof
from kubelog.timeline.words import plural, silence_finding, since

# So much of an error is looked at, and so much of it quoted.
_LOOKED_AT: Final = 4000
_QUOTED: Final = 200


class Reason(NamedTuple):
    """One reason that an error may tell: how it is known, what it means, how sure that is, and what to look at."""

    found: re.Pattern[str]
    text: str
    confidence: str
    advice: tuple[str, ...]


def _reason(found: str, text: str, confidence: str, *advice: str) -> Reason:
    return Reason(re.compile(found, re.IGNORECASE), text, confidence, advice)


# In this order: the first that is found is it. `{0}` is what the pattern's group names.
REASONS: Final[dict[str, Reason]] = {
    "not-registered": _reason(
        r'object ("[^"]{1,253}"/"[^"]{1,253}") not registered',
        "The kubelet does not follow {0} yet, as after its start; where that lasts, it does not know that the pod needs it.",
        "possible",
        "If it does not end by itself: delete the pod, so that the kubelet is told of it anew.",
    ),
    "secret": _reason(
        r'secrets? "([^"]{1,253})" not found',
        'The secret "{0}" does not exist.',
        "certain",
        "Make the secret, or correct its name in the pod's spec: `kubectl get secrets -n {namespace}`.",
    ),
    "configmap": _reason(
        r'configmaps? "([^"]{1,253})" not found',
        'The config map "{0}" does not exist.',
        "certain",
        "Make the config map, or correct its name in the pod's spec: `kubectl get configmaps -n {namespace}`.",
    ),
    "key": _reason(
        r"references non-existent (?:secret|config) key:? ([^\s,\"]{1,253})",
        'The secret or config map has no key "{0}".',
        "certain",
        "Compare the keys with the volume's `items`: `kubectl describe secrets,configmaps -n {namespace}`.",
    ),
    "claim": _reason(
        r'persistentvolumeclaims? "([^"]{1,253})" not found',
        'The PersistentVolumeClaim "{0}" does not exist.',
        "certain",
        "Look at the claims: `kubectl get pvc -n {namespace}`.",
    ),
    "claim-unbound": _reason(
        r"(?:PVC|PersistentVolumeClaim)\b.{0,300}?(?:not bound|non-bound|unbound|is being deleted|has non-bound phase)",
        "The PersistentVolumeClaim is not bound, or is being deleted.",
        "likely",
        "See why the claim is not bound: `kubectl describe pvc -n {namespace}`.",
    ),
    "forbidden": _reason(
        r"no relationship found between node|is forbidden",
        "The API server does not let the kubelet read what the volume is made of.",
        "likely",
        "See whether the pod is still bound to this node: `kubectl get pods -n {namespace} -o wide`.",
        "Look at the kubelet's own rights: `kubectl get clusterrolebindings system:node -o yaml`.",
    ),
    "cache": _reason(
        r"failed to sync (secret|configmap) cache|failed to fetch token",
        "The kubelet does not get from the API server what the volume is made of.",
        "likely",
        "See whether this node reaches the API server: the kubelet's log says so where its requests fail.",
    ),
    "driver": _reason(
        r"driver name (\S{1,253}) not found in the list of registered CSI drivers",
        "The CSI driver {0} is not registered on this node: its node plugin does not run here, or has not registered.",
        "certain",
        "See whether the driver's pod runs on this node: `kubectl get pods -A -o wide --field-selector spec.nodeName={node}`.",
        "See what is registered: `kubectl get csinode {node} -o yaml`.",
    ),
    "multi-attach": _reason(
        r"Multi-Attach error|already (?:exclusively )?attached to (?:one|another) node|is already used by pod",
        "The volume is still attached to another node, and may be attached to one only.",
        "certain",
        "See to which node it is attached: `kubectl get volumeattachments`.",
        "If that node is gone for good, delete the pod that still counts as running there.",
    ),
    "not-attached": _reason(
        r"not attached according to node status|has not been added to the list of VolumesInUse|failed to get any path for iscsi",
        "The volume is not attached to this node: the attach/detach controller or the CSI attacher has not done it.",
        "likely",
        "See what became of the attachment: `kubectl get volumeattachments`, `kubectl describe pod -n {namespace} {pod}`.",
    ),
    "host-path": _reason(
        r"hostPath type check failed: (.{1,200}?) is not a",
        "The path {0} of a hostPath volume is not on this node, or is of another type.",
        "certain",
        "Make the path on the node, or correct the volume's `path` or `type`.",
    ),
    "helper": _reason(
        r"you might need a (\S{1,100}) helper|(?:exec: )?\"?(\S{1,100}?)\"?: executable file not found"
        r"|unknown filesystem type '([^']{1,60})'",
        "This node lacks the program that mounts such a volume ({0}).",
        "likely",
        "Install the client on the node, such as `nfs-common` or `nfs-utils`, `cifs-utils`, `ceph-common`, `open-iscsi`.",
    ),
    "plugin": _reason(
        r"no volume plugin matched|failed to get plugin from volumeSpec|no plugin matched",
        "This kubelet has no plugin for volumes of this kind.",
        "likely",
        "See whether the kind of volume has become a CSI driver in this release, and whether the driver is installed.",
    ),
    "no-space": _reason(
        r"no space left on device|disk quota exceeded",
        "There is no space left on the disk where the volume is to be made.",
        "certain",
        "See which filesystem is full, in bytes or inodes: `df -h; df -i`.",
    ),
    "busy": _reason(
        r"device or resource busy|target is busy|device is busy|is mounted by another|device is still mounted|still in use",
        "The volume is in use: a process, or a mount in another mount namespace, holds it.",
        "likely",
        "See who holds it: `findmnt -R /var/lib/kubelet`, `grep -l PATH /proc/*/mountinfo`, `fuser -vm PATH`.",
    ),
    "broken": _reason(
        r"stale (?:NFS )?file handle|transport endpoint is not connected|input/output error|corrupted mount",
        "The mount is broken: what serves it went away.",
        "likely",
        "See whether the server, or the process that serves the mount, still runs; then unmount it with `umount -l PATH`.",
    ),
    "filesystem": _reason(
        r"wrong fs type|bad superblock|can't read superblock|fsck found errors|structure needs cleaning|mount point does not exist",
        "The filesystem of the volume cannot be mounted: it is damaged, or of another type than is said.",
        "likely",
        "See what the kernel says of the device: `dmesg | tail`, `lsblk -f`.",
    ),
    "denied": _reason(
        r"permission denied|access denied|operation not permitted|unauthorized|PermissionDenied|Unauthenticated",
        "The storage, or the host, refuses it: access denied.",
        "likely",
        "Look at the export's access list or the driver's credentials, and at SELinux or AppArmor on the host.",
    ),
    "not-empty": _reason(
        r"directory not empty|not a directory|is not empty",
        "There are files where the kubelet expects an empty directory, so it does not remove it.",
        "likely",
    ),
    "unreachable": _reason(
        r"connection timed out|no route to host|connection refused|network is unreachable|i/o timeout|no such host",
        "The storage, or what speaks for it, cannot be reached from this node.",
        "likely",
        "Test the way to the storage server from this node: its address is in the volume's spec.",
    ),
    "storage": _reason(
        r"code = (NotFound|FailedPrecondition|ResourceExhausted|Internal|InvalidArgument|Unavailable|Aborted|AlreadyExists)\b",
        "The CSI driver answers with an error ({0}).",
        "likely",
        "Read the driver's own log on this node: `kubectl logs` of its node plugin.",
    ),
    "program": _reason(
        r"exit status (\d{1,3})",
        "The program that mounts or unmounts fails (exit status {0}).",
        "likely",
        "Read the output of the program in the line.",
    ),
    # What says only that it took too long comes last.
    "timeout": _reason(
        r"timed out|timeout expired|deadline ?exceeded",
        "It is not done in time; why is not said.",
        "possible",
        "Look at what is said of the volume before: `kubectl describe pod -n {namespace} {pod}`, the log of its CSI driver.",
    ),
}
_ORPHANED: Final = (
    "The pod is gone, but its volume directories are not: mostly the kubelet, or the node, was restarted, or the pod deleted by "
    "force, before its volumes were unmounted."
)


def reason_of(error: str | None) -> tuple[str, str]:
    """Which reason an error tells, and what it names; both empty where none is known."""
    told = (error or "")[-_LOOKED_AT:]
    for name, reason in REASONS.items():
        if found := reason.found.search(told):
            named = next((one for one in found.groups() if one), "")
            return name, named[:_QUOTED]
    return "", ""


def mark_of(error: str | None) -> str:
    """The mark that keeps the reason."""
    name, named = reason_of(error)
    return f"why {name or 'other'} {named}".rstrip()


def why(case: Case) -> tuple[str, str]:
    """The reason that was told last; one that only says that it took too long counts where there is no other."""
    told = sorted((us, mark) for mark, us in case.marks.items() if mark.startswith("why "))
    told.sort(key=lambda one: one[1].split(" ")[1] not in ("timeout", "other"))
    if not told:
        return "", ""
    _, name, named = (*told[-1][1].split(" ", 2), "")[:3]
    return name, named


def volumes_of(case: Case) -> list[str]:
    """The volumes that are named as stuck, or were."""
    found = [mark[7:] for mark in case.marks if mark.startswith("volume ")]
    return found or ([case.subject["volume"]] if "volume" in case.subject else [])


def explain(case: Case, node: str | None) -> Explanation:
    """All that is told of a case beyond its steps."""
    if "orphaned" in case.marks:
        return _orphaned(case, node)
    name, named = why(case)
    subject = case.subject
    pod = "/".join(subject[part] for part in ("namespace", "pod") if part in subject)
    of = f" of pod {pod}" if "pod" in subject else f" of pod {subject['pod_uid']}" if "pod_uid" in subject else ""
    unmounts = "unmount" in case.marks and "mount" not in case.marks
    can = "cannot" if case.is_open else "could not"
    does = f"{can} be removed from the node" if unmounts else f"{can} be mounted"
    what = f"volume {subject['volume']}" if "volume" in subject else "a volume"
    on = f"On {node} " if node else ""
    summary = f"{on}{what}{of} {does}{since(case)}."
    summary = summary[:1].upper() + summary[1:]
    reason = REASONS.get(name)
    evidence = proof(case, ("VolumeMountFailed", "VolumeSpecFailed", "PodSyncFailed"))
    if reason is None:
        cause = Cause("The error names no reason that is known; the lines have it in full.", "possible", evidence)
    else:
        confidence = "possible" if case.holes and reason.confidence == "likely" else reason.confidence
        cause = Cause(reason.text.format(named or "it is named in the line"), confidence, evidence)
    # A value that is not known stays a word to be replaced.
    values = {"namespace": subject.get("namespace", "NAMESPACE"), "pod": subject.get("pod", "POD"), "node": node or "NODE"}
    advice = [one.format(**values) for one in (reason.advice if reason else ())]
    if unmounts and case.is_open:
        advice.append("Until it is removed the pod hangs in Terminating, and the volume cannot be attached to another node.")
    elif "pod" in subject and not unmounts:
        describe = f"`kubectl describe pod -n {values['namespace']} {values['pod']}`"
        if not any(describe in one for one in advice):
            advice.append(f"See what else the pod waits for: {describe}.")
    return Explanation(summary, cause, tuple(_findings(case)), tuple(advice))


def _findings(case: Case) -> list[Finding]:
    found = []
    volumes = volumes_of(case)
    if len(volumes) > 1:
        named = ", ".join(volumes[:10]) + (" and others" if len(volumes) > 10 else "")
        found.append(Finding("volumes", f"More than one volume of the pod fails: {named}.", proof(case)))
    if "timeout" in case.marks and "unmount" not in case.marks:
        does = "does not start" if case.is_open else "did not start meanwhile"
        text = f"The pod {does}: the kubelet gave up waiting for its volumes, and began to wait anew."
        found.append(Finding("pod-waits", text, proof(case, ("PodSyncFailed", "VolumeMountFailed"))))
    return [*found, *silence_finding(case)]


def _orphaned(case: Case, node: str | None) -> Explanation:
    uid, most = case.subject.get("pod_uid", "POD_UID"), case.marks.get("orphans", 0)
    on = f"On {node} the" if node else "The"
    summary = f"{on} volumes of pod {uid}, which is gone, {'cannot' if case.is_open else 'could not'} be removed{since(case)}."
    name, named = why(case)
    reason = REASONS.get(name)
    text = _ORPHANED if reason is None else f"{_ORPHANED} {reason.text.format(named)}"
    cause = Cause(text, "possible" if reason is None else reason.confidence, proof(case, ("OrphanedPodVolumes",)))
    findings = []
    if most > 1:
        text = f"It is not the only one: the kubelet counts up to {plural(most, 'such error')} at a time, and names one pod only."
        findings.append(Finding("orphaned-pods", text, proof(case, ("OrphanedPodVolumes",))))
    path = f"/var/lib/kubelet/pods/{uid}"
    advice = (
        f"See what is left, and that nothing of it is mounted: `findmnt | grep {uid}`, `find {path}/volumes "
        f"{path}/volume-subpaths -xdev`.",
        "Unmount what is still mounted; save what is still wanted; then remove the directory of the volume, and the kubelet "
        "removes the "
        "rest.",
    )
    return Explanation(summary, cause, (*findings, *silence_finding(case)), advice)
