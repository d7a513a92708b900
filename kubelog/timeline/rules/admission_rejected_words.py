"""Why the kubelet rejects a pod; and a case of AdmissionRejected in words."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final, NamedTuple

from kubelog.klog.values import PodRef
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Cause, Evidence, Finding, Instant
from kubelog.timeline.rules import Explanation
from kubelog.timeline.rules.episodic import proof
from kubelog.timeline.words import clock, listed, plural, silence_finding, since

# So soon behind a start of the kubelet a rejection has to do with it.
_AFTER_START_US: Final = 300_000_000


class Reason(NamedTuple):
    """What a reason of the pod's status means: by itself, soon after a start of the kubelet, how sure that is, and what to do."""

    text: str
    restarted: str | None
    confidence: str
    advice: tuple[str, ...]


_ANEW: Final = "After its start the kubelet admits all pods of the node anew: "
_PODS: Final = (
    "See what the node has given away: `kubectl describe node {node}`, "
    "`kubectl get pods -A -o wide --field-selector spec.nodeName={node}`."
)
_PLUGIN: Final = "See whether the device plugin of the resource runs on this node and has registered: the kubelet's log says so."
REASONS: Final[dict[str, Reason]] = {
    "OutOf": Reason(
        "The node had not enough {resource} left: the pod was placed past the scheduler (`nodeName`, a static pod), by two "
        "schedulers, or "
        "as the node's allocatable amount had become smaller.",
        _ANEW + "pods that have ended, or new ones, may have taken the {resource} of one that ran.",
        "likely",
        (
            _PODS,
            "See whether the node's allocatable amount was changed: `kubeReserved`, `systemReserved`, `maxPods` of the kubelet.",
        ),
    ),
    "UnexpectedAdmissionError": Reason(
        "What the pod asks for could not be allocated on this node.",
        _ANEW + "what a pod holds may not be known again yet.",
        "possible",
        (),
    ),
    "NodeAffinity": Reason(
        "The node's labels do not fit the pod's node selector or affinity: they were changed, or the pod was placed past the "
        "scheduler.",
        _ANEW + "it may not have had the node's labels from the API server yet.",
        "likely",
        ("Compare the node's labels with the pod's `nodeSelector` and `nodeAffinity`: `kubectl get node {node} --show-labels`.",),
    ),
    "TaintToleration": Reason(
        "The node has a taint that the pod does not tolerate.",
        None,
        "likely",
        ("Look at the node's taints: `kubectl describe node {node}`.",),
    ),
    "PodFitsHostPorts": Reason(
        "A port of the host that the pod asks for is taken by another pod of the node.",
        None,
        "certain",
        ("See which pods of the node ask for the same `hostPort`, static pods among them.",),
    ),
    "TopologyAffinityError": Reason(
        "The topology manager's policy asks for CPUs, memory and devices of one NUMA node, and none has enough of them free.",
        None,
        "certain",
        (
            "Look at the policy: `topologyManagerPolicy` and `topologyManagerScope` of the kubelet.",
            "Ask for fewer, or see what holds them.",
        ),
    ),
    "SMTAlignmentError": Reason(
        "The pod asks for a number of CPUs that is not a whole number of cores, and the CPU manager gives whole cores only "
        "(`full-pcpus-only`).",
        None,
        "certain",
        ("Ask for a multiple of the threads a core has.",),
    ),
    "PodOSNotSupported": Reason(
        "The pod is for another operating system than the node's.",
        None,
        "certain",
        ("Look at `spec.os` and the node selector of the pod.",),
    ),
    "PodOSSelectorNodeLabelDoesNotMatch": Reason(
        "The pod asks for another `kubernetes.io/os` than the node's.",
        None,
        "certain",
        ("Compare it with `kubectl get node {node} --show-labels`.",),
    ),
    "PodFeatureUnsupported": Reason("This kubelet does not have a feature that the pod needs.", None, "likely", ()),
    "AppArmor": Reason(
        "The pod's AppArmor profile is not loaded on this node, or the node has no AppArmor.",
        None,
        "certain",
        ("See which profiles are loaded: `aa-status`.",),
    ),
    "SysctlForbidden": Reason(
        "The pod sets a sysctl that the kubelet does not allow.",
        None,
        "certain",
        ("Allow it by `allowedUnsafeSysctls` of the kubelet, or take it out of the pod's security context.",),
    ),
    "NodeShutdown": Reason(
        "The node is shutting down: the kubelet takes no new pods.",
        None,
        "certain",
        ("Delete the pods that have failed; cordon a node before it is shut down.",),
    ),
    "InvalidNodeInfo": Reason(
        "The kubelet does not have its own node object, by which it judges pods.",
        _ANEW + "it had not had its node object from the API server yet.",
        "likely",
        ("See whether the node exists and the kubelet reaches the API server: `kubectl get node {node}`.",),
    ),
    "RuntimeClass": Reason(
        "The pod's runtime class cannot be used on this node.", None, "likely", ("Look at it: `kubectl get runtimeclass`.",)
    ),
}
# Other names of the same, by release.
_SAME: Final = {
    "MatchNodeSelector": "NodeAffinity", "HostPortConflict": "PodFitsHostPorts", "NodePorts": "PodFitsHostPorts",
    "PodToleratesNodeTaints": "TaintToleration", "Terminated": "NodeShutdown",
}  # fmt: skip
for _other, _name in _SAME.items():
    REASONS.setdefault(_other, REASONS[_name])


class Allocation(NamedTuple):
    """Why an allocation failed, where the message of an UnexpectedAdmissionError tells it."""

    found: re.Pattern[str]
    text: str
    restarted: str | None
    confidence: str
    advice: tuple[str, ...]


ALLOCATIONS: Final = (
    Allocation(
        re.compile(r"no space left on device|disk quota exceeded"),
        "The kubelet could not write down what it allocated: there is no space left on its disk.",
        None,
        "certain",
        ("See what fills the filesystem of /var/lib/kubelet: `df -h /var/lib/kubelet; df -i /var/lib/kubelet`.",),
    ),
    Allocation(
        re.compile(
            r"devices? unavailable|no healthy devices|unhealthy devices?|device plugin|unregistered resource"
            r"|devices? .{0,60}not|endpoint"
        ),
        "The node has not enough healthy devices of the resource: they are given away, or their plugin does not offer them.",
        _ANEW + "devices are not there until their plugin has registered again.",
        "likely",
        (_PLUGIN, _PODS),
    ),
    Allocation(
        re.compile(r"not enough cpus|exclusive|cpuset|cpus? "),
        "The CPU manager has not enough CPUs left that a container could have for itself.",
        None,
        "likely",
        ("See what holds them: `cat /var/lib/kubelet/cpu_manager_state`.", _PODS),
    ),
    Allocation(
        re.compile(r"memory"),
        "The memory manager has not enough memory left on the NUMA nodes.",
        None,
        "likely",
        ("See what holds it: `cat /var/lib/kubelet/memory_manager_state`.", _PODS),
    ),
)
_ENOUGH: Final = re.compile(r"Node didn't have enough (?:resource: ([\w./-]{1,100})|capacity: ([\w./-]{1,100}))")
_PREDICATE: Final = re.compile(r"Predicate (\w{1,60}) failed")
# Where a message says it in words of its own.
_TOLD: Final = (
    (re.compile(r"label doesn't match node label"), "PodOSSelectorNodeLabelDoesNotMatch"),
    (re.compile(r"OS field doesn't match node OS"), "PodOSNotSupported"),
    (re.compile(r"Topology (?:locality|Affinity)"), "TopologyAffinityError"),
    (re.compile(r"AppArmor"), "AppArmor"),
    (re.compile(r"forbidden sysctl|sysctl"), "SysctlForbidden"),
    (re.compile(r"node is shutting down|node shutdown"), "NodeShutdown"),
    (re.compile(r"host ?port", re.IGNORECASE), "PodFitsHostPorts"),
    (re.compile(r"didn't match.{0,40}(?:affinity|selector)"), "NodeAffinity"),
)
_HASHED: Final = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{4,10}$")
_TEMPLATE: Final = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5,10}$")
_ORDINAL: Final = re.compile(r"-\d{1,5}$")


def reason_of(message: str, pod: PodRef | None) -> str:
    """The reason as the pod's status has it, where the line gives only the message."""
    if found := _ENOUGH.search(message[:2000]):
        return f"OutOf{found[1] or found[2]}"
    if found := _PREDICATE.search(message[:2000]):
        return found[1]
    for pattern, reason in _TOLD:
        if pattern.search(message[:2000]):
            return reason
    return "InvalidNodeInfo" if pod is None else "UnexpectedAdmissionError"


def owner_of(pod: PodRef) -> str:
    """What made a pod, by the pod's name: web-7d9f8c6b5-x2k4p is of web, db-0 of db."""
    name = pod.name
    if (cut := _HASHED.sub("", name)) != name:
        name = _TEMPLATE.sub("", cut) if any(one.isdigit() for one in cut.rpartition("-")[2]) else cut
    else:
        name = _ORDINAL.sub("", name)
    return f"{pod.namespace}/{name}" if pod.namespace else name


def explain(case: Case, starts: tuple[tuple[Instant, Evidence], ...], node: str | None) -> Explanation:
    """All that is told of a case beyond its steps."""
    reason = case.subject.get("reason", "?")
    start = _start_of(case, starts)
    pods = plural(case.pods_total, "pod") if case.pods_total else "pods"
    whose = _owners(case)
    summary = f"On {node or 'this node'} the kubelet rejected {pods} with {reason}{whose}{since(case)}."
    evidence = (*proof(case, ("PodRejected", "EventRecorded", "CpuManagerFailed", "DeviceAllocationFailed")),)
    text, confidence, advice = _why(case, reason, start is not None)
    if start is not None:
        evidence = (start[1], *evidence)[:10]
    values = {"node": node or "NODE", "resource": reason.removeprefix("OutOf")}
    findings = list(_findings(case, start))
    advice = (
        *advice,
        "Rejected pods do not come back by themselves: delete those that have failed, where nothing replaces them.",
    )
    told = tuple(one.format(**values) for one in advice)
    return Explanation(summary, Cause(text.format(**values), confidence, evidence), tuple(findings), told)


def _why(case: Case, reason: str, restarted: bool) -> tuple[str, str, tuple[str, ...]]:
    """The cause, how sure it is, and the advice."""
    if reason == "UnexpectedAdmissionError":
        said = " ".join(messages(case))
        for one in ALLOCATIONS:
            if one.found.search(said):
                if restarted and one.restarted:
                    return one.restarted, "likely", one.advice
                return one.text, one.confidence, one.advice
    known = REASONS.get(reason) or (REASONS["OutOf"] if reason.startswith("OutOf") else None)
    if known is None:
        return "The reason is not one that is known: see the message.", "possible", ()
    if restarted and known.restarted:
        return known.restarted, "likely" if known.confidence != "possible" else "possible", known.advice
    return known.text, known.confidence, known.advice


def messages(case: Case) -> list[str]:
    """What the kubelet said, the last first."""
    told = sorted(((us, mark[5:]) for mark, us in case.marks.items() if mark.startswith("said ")), reverse=True)
    return [text for _, text in told]


def _start_of(case: Case, starts: tuple[tuple[Instant, Evidence], ...]) -> tuple[Instant, Evidence] | None:
    """The start of the kubelet that it follows."""
    if case.opened is None:
        return None
    found = [one for one in starts if 0 <= case.opened.us - one[0].us <= _AFTER_START_US]
    return max(found, key=lambda one: one[0].us, default=None)


def _owners(case: Case) -> str:
    if not case.pods:
        return ""
    owners = Counter(owner_of(pod) for pod in case.pods).most_common(4)
    named = [f"{name} ({count})" if count > 1 else name for name, count in owners[:3]]
    return f" ({listed(named) if len(owners) < 4 else ', '.join(named) + ' and others'})"


def _findings(case: Case, start: tuple[Instant, Evidence] | None) -> list[Finding]:
    found = []
    if start is not None and case.opened is not None:
        text = f"The kubelet was started at {clock(start[0], case.opened)}, shortly before the first rejection."
        found.append(Finding("kubelet-restarted", text, (start[1],)))
    if said := messages(case):
        found.append(Finding("message", f'The kubelet says: "{said[0]}".', proof(case)))
    system = next((pod for pod in case.pods if pod.namespace == "kube-system"), None)
    if system is not None:
        found.append(Finding("system-pod", f"A pod of kube-system is among them: {system.name}.", proof(case)))
    return [*found, *silence_finding(case)]
