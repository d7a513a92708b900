"""ContainerProbeRestartLoop: a container is killed again and again because its liveness or startup probe fails.

One case a container. It opens with the first failed probe of the run that led to the kill, and is an incident once the container
was killed twice, or once and then held back. What the kubelet then holds back (CrashLoopBackOff) belongs to it. Static pods of the
control plane have a rule of their own. It is over when the pod is gone, or when 15 min pass without a sign: the kubelet holds a
container back for up to 5 min, and a slow probe takes a while to fail. Then the last start was the one that went well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.pod import (
    ContainerBackOff,
    ContainerDied,
    ContainerKilled,
    ContainerStarted,
    ContainerUnhealthy,
    ProbeFailed,
)
from kubelog.message.vocabulary.sync import PodConfigReceived
from kubelog.timeline.incident import Finding
from kubelog.timeline.rules import Case, Cause, Drafts, Explanation, State, instant
from kubelog.timeline.rules.control_plane_memory import named, outcome_of
from kubelog.timeline.rules.control_plane_words import failed
from kubelog.timeline.rules.episodic import EpisodicRule, Sign, proof
from kubelog.timeline.words import plural, since, when

_KILLING: Final = ("Liveness", "Startup")
# Failed probes further apart than this are no run; the longest usual period is a minute.
_APART_US: Final = 180_000_000
# The probe's answer → what it means, how sure that is, what to do.
_WHY: Final[Mapping[str, tuple[str, str, str]]] = {
    "refused": (
        "Nothing listens at the probe's port: the container had not opened it yet, listens elsewhere, or had ended.",
        "likely",
        "Give a slow start a startupProbe (or a longer initialDelaySeconds before 1.18), and compare the probe's port with the "
            "one that "
        "the container listens at: `kubectl describe pod {pod}`.",
    ),
    "timeout": (
        "The container does not answer the probe in time: it is overloaded, starved of CPU by its limit, or hangs.",
        "likely",
        "Look at the container's CPU throttling and memory, and at what it does while it is probed; a longer timeoutSeconds (the "
        "default is 1 s) helps where it is only slow.",
    ),
    "401": ("The probe is answered 401: its path wants credentials that a probe does not have.", "certain",
            "Probe a path that needs no authentication, or let the server answer this one to anybody."),
    "403": ("The probe is answered 403: its path is forbidden to a probe.", "certain",
            "Probe a path that needs no authorization, or let the server answer this one to anybody."),
    "404": ("The probe is answered 404: there is nothing at its path.", "certain",
            "Correct the path of the probe: `kubectl describe pod {pod}` shows it."),
    "tls": ("The probe and the container do not agree about TLS.", "certain",
            "Set `scheme: HTTPS` of the probe's httpGet where the container serves TLS, and only there."),
    "5xx": ("The container itself answers that it is not healthy.", "likely",
            "Read what the container logs at that time (`kubectl logs {pod} --previous`), and what its health check depends on: a "
            "liveness probe should not fail for another service that is away."),
    "other": ("The probe's command or answer says that the container is not healthy.", "likely",
              "Run the probe's command in the container (`kubectl exec {pod} -- …`), and read its log: `kubectl logs {pod} "
                  "--previous`."),
    "unknown": ("The log does not say what the probe was told.", "possible",
                "Read the pod's events and the log of the container before: `kubectl describe pod {pod}`, `kubectl logs {pod} "
                    "--previous`."),
}  # fmt: skip


class ContainerProbeRestartLoop(EpisodicRule):
    """See the module."""

    kind = "ContainerProbeRestartLoop"
    opens = frozenset({ProbeFailed, ContainerUnhealthy})
    extends = frozenset({ContainerKilled, ContainerBackOff, ContainerDied})
    closes = frozenset({PodConfigReceived, ContainerStarted})
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = {
        "ProbeFailed": (b"Liveness", b"Startup"),
        "PodConfigReceived": (b"DELETE", b"REMOVE"),
    }
    quiet_us: ClassVar[int] = 900_000_000
    picks = frozenset({ProbeFailed, PodConfigReceived})
    signs = frozenset({ProbeFailed})
    idle = frozenset({ContainerStarted, ContainerDied, ContainerKilled, ContainerBackOff, PodConfigReceived})

    def concerns(self, event: Event) -> bool:
        if isinstance(event, PodConfigReceived):
            return event.operation in ("DELETE", "REMOVE")
        return isinstance(event, ProbeFailed) and event.probe in _KILLING

    def is_idle(self, state: State, event: Event) -> bool:
        if isinstance(event, PodConfigReceived) or not state.kept:
            return not state.kept
        pod: PodRef | None = getattr(event, "pod", None)
        return pod is None or not state.of_pod(pod)

    def signs_of(self, event: Event, memory: Any) -> Iterable[Sign]:
        if isinstance(event, ProbeFailed):
            found = _key(event.pod, event.container) if event.probe in _KILLING else None
            if found is not None and event.pod is not None:
                key, subject = found
                why = _outcome(event.output)
                text = failed(event.probe or "", outcome_of(event.output))
                yield Sign(
                    key, subject, text, f"{event.probe} {why}", (event.pod,), marks={f"why {why}": 1, f"probe {event.probe}": 1}
                )
        elif isinstance(event, ContainerUnhealthy):
            found = _key(event.pod, event.container) if event.probe in (None, *_KILLING) else None
            if found is not None:
                yield Sign(
                    *found, "The probe failed as often as it may: the container is to be restarted", "", (event.pod,), critical=True
                )

    def apply(self, state: State, event: Event, node: str | None) -> State:
        if isinstance(event, PodConfigReceived):
            return self._gone(state, event)
        if isinstance(event, ContainerStarted | ContainerDied | ContainerKilled | ContainerBackOff):
            return self._told(state, event)
        return super().apply(state, event, node)

    def gather(self, drafts: Drafts, event: Event) -> bool:
        # What may begin a run anew is no matter of a draft.
        for sign in self.signs_of(event, None):
            draft = drafts.of(sign.key)
            if draft is None or "kills" not in draft.marks:
                return False
        return super().gather(drafts, event)

    def matters(self, case: Case) -> bool:
        kills = _kills(case)
        return kills > 1 or (kills == 1 and case.counts.get("ContainerBackOff", 0) > 0)

    def quiet(self, case: Case) -> Case:
        started = [step.last for step in case.steps if step.kind == "ContainerStarted" and step.last is not None]
        if case.last is not None and started and started[-1].us >= case.last.us:
            return case.close("resolved", "recovered", started[-1])
        return case.close("resolved", "quiet", case.last)

    def explain(self, case: Case, memory: Any, node: str | None) -> Explanation:
        pod = f"{case.subject['namespace']}/{case.subject['pod']}"
        probes = " and ".join(probe.lower() for probe in _KILLING if f"probe {probe}" in case.marks) or "liveness"
        why = next((why for why in _WHY if f"why {why}" in case.marks), "unknown")
        text, confidence, advice = _WHY[why]
        kills = plural(_kills(case), "time")
        held = case.counts.get("ContainerBackOff", 0)
        verb = "is" if case.is_open else "was"
        summary = (
            f"Container {case.subject['container']} of {pod}{f' on {node}' if node else ''} {verb} killed again and again "
            f"({kills}) as "
            f"its {probes} probe fails{since(case)}."
        )
        findings = []
        if held:
            text_held = (
                "The kubelet holds it back between two starts (CrashLoopBackOff): that is the probe's work, the program "
                "does not crash."
            )
            findings.append(Finding("held-back", text_held, proof(case, ("ContainerBackOff",))))
        pod_flags = f"-n {case.subject['namespace']} {case.subject['pod']}"
        advices = [advice.format(pod=pod_flags)]
        if why != "unknown" and not case.is_open and case.closed is not None:
            advices.append(f"It runs since {when(case.closed)}: see what was changed before that.")
        cause = Cause(text, confidence, proof(case, ("ProbeFailed",)) or proof(case))
        return Explanation(summary, cause, tuple(findings), tuple(advices))

    def _sign(self, state: State, event: Event, sign: Sign) -> State:
        case, us = state.latest(sign.key), event.seen.time_us
        if case is not None and case.is_open and not _kills(case) and case.last is not None and us is not None:
            if us - case.last.us > _APART_US:
                # Failures long before are no part of this run.
                state = state.put(Case(case.key, case.number, case.subject))
        state = super()._sign(state, event, sign)
        if isinstance(event, ContainerUnhealthy):
            case = state.latest(sign.key)
            if case is not None:
                state = state.put(case.replace(marks={**case.marks, "kills": 1}))
        return state

    def _told(self, state: State, event: ContainerStarted | ContainerDied | ContainerKilled | ContainerBackOff) -> State:
        """What becomes of a container whose probe fails: nothing of one whose probe does not."""
        pod = event.pod
        container = None if isinstance(event, ContainerStarted | ContainerDied) else event.container
        for case in state.of_pod(pod) if pod is not None else ():
            if not case.is_open or not _is_of(case, container):
                continue
            if isinstance(event, ContainerBackOff):
                if _kills(case):
                    text = "The container is not started again for a while (CrashLoopBackOff)"
                    state = state.put(case.goes_on(event, text, critical=True))
            elif isinstance(event, ContainerKilled):
                state = state.put(case.goes_on(event, "The kubelet kills the container").replace(marks={**case.marks, "kills": 1}))
            elif _kills(case):
                text = "The container is started again" if isinstance(event, ContainerStarted) else "The container ends"
                state = state.put(case.said(event, text))
        return state

    def _gone(self, state: State, event: PodConfigReceived) -> State:
        for pod in (event.pods or ()) if event.operation in ("DELETE", "REMOVE") else ():
            for case in state.of_pod(pod):
                if case.is_open:
                    case = case.said(event, "The pod is deleted", "end")
                    state = state.put(case.close("resolved", "recovered", instant(event.seen)))
        return state


def _outcome(output: str | None) -> str:
    found = outcome_of(output)
    if found in _WHY:
        return found
    if found.isdigit():
        return "5xx" if found.startswith("5") else "other"
    return "other"


def _key(pod: PodRef | None, container: str | None) -> tuple[str, dict[str, str]] | None:
    """The case of a container; None for one of the control plane, or of which too little is said."""
    if pod is None or named(pod, container, None) is not None:
        return None
    subject = {"namespace": pod.namespace or "", "pod": pod.name, "container": container or ""}
    return f"{pod.namespace}/{pod.name}/{container}", subject


def _is_of(case: Case, container: str | None) -> bool:
    return container is None or case.subject.get("container") in (container, "")


def _kills(case: Case) -> int:
    """How often it was killed: both what announces a kill and the kill itself may lack."""
    return max(case.counts.get("ContainerUnhealthy", 0), case.counts.get("ContainerKilled", 0))
