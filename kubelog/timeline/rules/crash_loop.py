"""CrashLoop: a container ends again and again, and the kubelet holds it back ever longer.

One case a container, from the first back-off. The first of 10 s follows every end; it is an incident once a container is held back
for longer, or again. It is over when the pod is gone, or when 15 min pass without a back-off, of which the longest lasts 5. What a
probe killed is ContainerProbeRestartLoop, what the control plane runs ControlPlaneRestartLoop: they explain the back-off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.pod import ContainerBackOff, ContainerDied, ContainerStarted
from kubelog.message.vocabulary.sync import PodConfigReceived, PodSyncFailed
from kubelog.timeline.incident import Finding, Incident
from kubelog.timeline.rules import Case, Cause, Explanation, State, instant
from kubelog.timeline.rules.control_plane_memory import named
from kubelog.timeline.rules.episodic import EpisodicRule, Sign, proof
from kubelog.timeline.words import lasting, since

_FIRST_S: Final = 10.0  # the back-off behind the first end
_LONGEST_S: Final = 300.0
# Reasons why a container cannot even begin: what they mean.
_START: Final[Mapping[str, str]] = {
    "RunContainerError": "The runtime cannot start the container",
    "CreateContainerError": "The runtime cannot create the container",
    "CreateContainerConfigError": "The container's configuration cannot be put together, as a ConfigMap, Secret or key is missing",
    "PostStartHookError": "The container's postStart hook fails",
    "StartError": "The container's command cannot be run",
}


class CrashLoop(EpisodicRule):
    """See the module."""

    kind = "CrashLoop"
    opens = extends = frozenset({ContainerBackOff})
    closes = frozenset({PodConfigReceived})
    explains = frozenset({ContainerDied, ContainerStarted, PodSyncFailed})
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = {
        "PodConfigReceived": (b"DELETE", b"REMOVE"),
        "PodSyncFailed": tuple(reason.encode() for reason in _START),
    }
    quiet_us: ClassVar[int] = 900_000_000
    yields: ClassVar[bool] = True
    yields_to: ClassVar[frozenset[str]] = frozenset({"ContainerProbeRestartLoop", "ControlPlaneRestartLoop"})
    signs = frozenset({ContainerBackOff})
    idle = frozenset({ContainerDied, ContainerStarted, PodSyncFailed})

    picks = frozenset({PodConfigReceived})

    def concerns(self, event: Event) -> bool:
        return isinstance(event, PodConfigReceived) and event.operation in ("DELETE", "REMOVE")

    def is_idle(self, state: State, event: Event) -> bool:
        pod: PodRef | None = getattr(event, "pod", None)
        return not state.kept or pod is None or not state.of_pod(pod)

    def signs_of(self, event: Event, memory: Any) -> Iterable[Sign]:
        if not isinstance(event, ContainerBackOff) or event.pod is None:
            return ()
        return _signs(event.pod, event.container, event.back_off_s or 0.0)

    def apply(self, state: State, event: Event, node: str | None) -> State:
        if isinstance(event, ContainerBackOff):
            return super().apply(state, event, node)
        if isinstance(event, PodConfigReceived):
            pods = (event.pods or ()) if event.operation in ("DELETE", "REMOVE") else ()
        else:
            pods = [event.pod] if isinstance(event, ContainerDied | ContainerStarted | PodSyncFailed) and event.pod else []
        for pod in pods:
            for case in state.of_pod(pod):
                if not case.is_open:
                    continue
                if isinstance(event, PodConfigReceived):
                    case = case.said(event, "The pod is deleted", "end")
                    case = case.close("resolved", "recovered", instant(event.seen))
                elif isinstance(event, PodSyncFailed):
                    if event.reason is None or event.reason not in _START or case.subject["container"] != event.container:
                        continue
                    case = case.said(event, f"{_START[event.reason]} ({event.reason})", event.reason)
                    case = case.replace(marks={**case.marks, f"start {event.reason}": 1})
                else:
                    what = "is started" if isinstance(event, ContainerStarted) else "ends"
                    case = case.said(event, f"A container of the pod {what}")
                state = state.put(case)
        return state

    def matters(self, case: Case) -> bool:
        # The kubelet repeats one back-off each few seconds: what it is about is how long it is.
        return "held" in case.marks

    def is_spanned(self, found: Incident, by: Incident) -> bool:
        same = ("namespace", "pod", "container")
        if any(found.subject.get(key) != by.subject.get(key) for key in same) or found.opened is None or by.opened is None:
            return False
        return by.opened.us <= found.opened.us and (by.closed is None or found.opened.us <= by.closed.us)

    def quiet(self, case: Case) -> Case:
        started = [step.last for step in case.steps if step.kind == "ContainerStarted" and step.last is not None]
        if case.last is not None and started and started[-1].us >= case.last.us:
            return case.close("resolved", "recovered", started[-1])
        return case.close("resolved", "quiet", case.last)

    def explain(self, case: Case, memory: Any, node: str | None) -> Explanation:
        subject = case.subject
        pod = f"{subject['namespace']}/{subject['pod']}"
        longest = case.marks.get("longest_us", 0)
        verb = "ends" if case.is_open else "ended"
        where = f" on {node}" if node else ""
        summary = f"Container {subject['container']} of {pod}{where} {verb} again and again{since(case)}."
        start = next((reason for reason in _START if f"start {reason}" in case.marks), None)
        if start is not None:
            cause = Cause(f"{_START[start]} ({start}).", "likely", proof(case, ("PodSyncFailed",)))
        else:
            text = (
                "The program ends by itself: with an error, or because it has nothing more to do. Why stands in its own log, "
                "not here."
            )
            cause = Cause(text, "possible", proof(case, ("ContainerBackOff",)))
        findings = []
        if longest:
            longest_there_is = ", the longest there is" if longest >= _LONGEST_S * 1e6 else "; it grows to 5 min"
            held = f"The kubelet held it back for up to {lasting(longest)} between two starts{longest_there_is}."
            findings.append(Finding("back-off", held, proof(case, ("ContainerBackOff",))[:1]))
        at = f"-n {subject['namespace']} {subject['pod']}"
        advice = [
            f"Read its last words: `kubectl logs {at} -c {subject['container']} --previous`.",
            f"See how it ended (`kubectl describe pod {at}`): exit code 137 with OOMKilled is its memory limit, 143 that it was "
            "told to end, "
            "126 and 127 that its command cannot be run or is not there.",
        ]
        return Explanation(summary, cause, tuple(findings), tuple(advice))


@lru_cache(maxsize=256)
def _signs(pod: PodRef, container: str | None, back_off: float) -> tuple[Sign, ...]:
    """The same is said of a container every few seconds; of the control plane's another rule tells."""
    if named(pod, container, None) is not None:
        return ()
    subject = {"namespace": pod.namespace or "", "pod": pod.name, "container": container or ""}
    marks = {"longest_us": int(back_off * 1e6)} | ({"held": 1} if back_off > _FIRST_S else {})
    text = "The container is not started again for a while (CrashLoopBackOff)"
    key = f"{pod.namespace}/{pod.name}/{container}"
    return (Sign(key, subject, text, "", (pod,), back_off >= _LONGEST_S, marks),)
