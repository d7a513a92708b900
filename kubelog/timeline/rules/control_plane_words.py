"""A case of ControlPlaneRestartLoop in words: what is restarted, why, since when, is it over, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubelog.klog.values import PodRef
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Cause, Evidence, Finding
from kubelog.timeline.rules import Explanation
from kubelog.timeline.rules.control_plane_memory import ControlPlane, Probe, Watch, port_of
from kubelog.timeline.words import clock, listed, lost, plural, silence_finding, suppressed_finding, when

# The answers that no restart can change: the probe comes without credentials, and nobody in particular is not let in.
DENIED: Final = ("401", "403")
_REASONS: Final = {
    "401": "401 Unauthorized", "403": "403 Forbidden", "429": "429 Too Many Requests", "500": "500 Internal Server Error",
    "503": "503 Service Unavailable", "404": "404 Not Found", "400": "400 Bad Request",
}  # fmt: skip
_TOLD: Final = {
    "refused": "connection refused",
    "timeout": "no answer in time",
    "tls": "the TLS connection fails",
    "other": "an error",
    "unknown": "",
}
_SERVERS: Final = {
    "kube-apiserver": "the API server", "etcd": "etcd", "kube-controller-manager": "the controller manager",
    "kube-scheduler": "the scheduler",
}  # fmt: skip


def in_words(outcome: str) -> str:
    """What a probe was told."""
    return _TOLD[outcome] if outcome in _TOLD else _REASONS.get(outcome, f"HTTP status {outcome}")


def failed(probe: str, outcome: str) -> str:
    """The step of a failed probe."""
    said = in_words(outcome)
    return f"{probe} probe fails: {said}" if said else f"{probe} probe fails"


def told_of(case: Case) -> dict[str, int]:
    """What the probes were told, and how often."""
    return {name[6:]: count for name, count in case.marks.items() if name.startswith("probe ")}


def is_denied(case: Case) -> bool:
    """Whether the probes were refused; one answer among many may have another reason."""
    told = told_of(case)
    return 0 < sum(told.values()) <= 4 * sum(told.get(one, 0) for one in DENIED)


def explain(case: Case, memory: ControlPlane, node: str | None) -> Explanation:
    """All that is told of a case beyond its steps."""
    told = _Told(case, memory, node)
    return Explanation(told.summary(), told.cause(), tuple(told.findings()), tuple(told.advice()))


class _Told:
    """A case with all that is known of its container."""

    def __init__(self, case: Case, memory: ControlPlane, node: str | None) -> None:
        self.case, self.memory, self.node = case, memory, node
        self.component = next((one for one in _SERVERS if case.subject.get("pod", "").startswith(one + "-")), "kube-apiserver")
        self.server = _SERVERS[self.component]
        watch = memory.watch(case.key)
        self.watch = Watch(case.key, self.component, _pod(case), case.subject.get("container", "")) if watch is None else watch
        self.probe: Probe | None = memory.probe_of(self.watch)
        self.outcome = self._outcome()
        self.url = self.probe.url if self.probe is not None else self.watch.url
        self.is_probed = bool(told_of(case)) or "ContainerUnhealthy" in case.counts
        # Only what is written at any verbosity: it may have been killed all the same.
        self.is_terse = not self.is_probed and not case.counts.keys() & {"ContainerDied", "ContainerKilled"}

    def _outcome(self) -> str | None:
        """What the probes were told that decides: that they were refused, else what they were told most often."""
        told = told_of(self.case)
        if is_denied(self.case):
            return max(DENIED, key=lambda one: told.get(one, 0))
        return max(sorted(told.keys() - set(DENIED)), key=lambda one: told[one]) if told else None

    def _steps_of(self, *kinds: str) -> tuple[Evidence, ...]:
        return tuple(one for step in self.case.steps if step.kind in kinds for one in step.evidence[:1])

    def _probes_told(self, *outcomes: str) -> tuple[Evidence, ...]:
        """The proof of what the probes were told, begin and end."""
        found = [
            one
            for step in self.case.steps
            if step.kind == "ProbeFailed" and step.id.rpartition("-")[0].rpartition(" ")[2] in outcomes
            for one in (step.evidence[0], step.evidence[-1])
        ]
        return tuple(dict.fromkeys(found))[:10]

    # One sentence

    def summary(self) -> str:
        case = self.case
        on = f" on {self.node}" if self.node else ""
        often = "" if case.episodes == 1 else f" {case.episodes} times"
        verb = (
            "was killed" if self.is_probed else "does not stay up: it was restarted" if self.is_terse else "ended and was restarted"
        )
        what = f"{self.component}{on} {verb}{often}"
        if case.opened is not None:
            what += f" since {when(case.opened)}"
        if self.outcome in DENIED:
            what += f": its {self._probe()} gets {self.outcome}"
        elif self.is_probed:
            said = in_words(self.outcome or "unknown")
            what += f": its {self._probe()} fails" + (f" ({said})" if said else "")
        return f"{what}; {self._end()}."

    def _probe(self) -> str:
        """`liveness probe https://127.0.0.1:6443/healthz`"""
        kinds = {step.id.split(":")[1].split(" ")[0] for step in self.case.steps if step.kind == "ProbeFailed" and ":" in step.id}
        name = "startup probe" if kinds == {"Startup"} else "liveness probe"
        return f"{name} {self.url}" if self.url else name

    def _end(self) -> str:
        case = self.case
        at, last = clock(case.closed, case.opened), clock(case.last, case.opened)
        if case.resolution == "recovered":
            return f"over: it has run since {at}"
        if case.resolution == "config-changed":
            return f"over: it has run since {at}, when its pod was changed"
        if case.resolution == "quiet":
            return f"over: no sign of it after {last}, though the log goes on"
        return f"not over: last seen {last}"

    # Why

    def cause(self) -> Cause | None:
        because = (*self._because(), *self._steps_of("ContainerUnhealthy", "ContainerKilled"))
        text, confidence = self._why()
        if confidence == "certain" and self._is_holed():
            confidence = "likely"
        return Cause(text + ".", confidence, tuple(dict.fromkeys(because))[:10])

    def _because(self) -> tuple[Evidence, ...]:
        found = self._probes_told(self.outcome) if self.outcome else ()
        if self.outcome not in DENIED and self._is_anonymous_denied():
            found = (*found, *self.memory.denials, *(one.evidence for one in self.memory.listed if one.outcome in DENIED))
        elif self.outcome in DENIED:
            found = (*found, *self.memory.denials[:1])
        return found or self._steps_of("ContainerBackOff", "ContainerDied")

    def _is_anonymous_denied(self) -> bool:
        """Whether something beside the log says that nobody in particular is refused."""
        if self.component != "kube-apiserver":
            return False
        return bool(self.memory.denials) or any(one.outcome in DENIED for one in self.memory.listed)

    def _is_holed(self) -> bool:
        case = self.case
        return bool(lost(case, self.memory.kubelet)) or any(case.last is None or one.us < case.last.us for one, _ in case.holes)

    def _why(self) -> tuple[str, str]:
        probe, server = self._probe(), self.server
        if self.outcome in DENIED:
            return f"the kubelet's {probe} is refused with {in_words(self.outcome or '')}: {self._refusal()}", "certain"
        if self.is_terse and self._is_anonymous_denied():
            return f"its {probe} fails, it seems, as anonymous requests are refused: {self._refusal()}", "likely"
        if self.is_terse:
            return (
                f"{server} ends by itself or is killed by its probe: the kubelet says which only at a higher verbosity (--v=2)",
                "possible",
            )
        if not self.is_probed:
            return f"{server} ends by itself; why, the kubelet's log does not say: its own log does", "possible"
        if self.outcome in (None, "unknown", "other") and self._is_anonymous_denied():
            return f"the kubelet's {probe} fails, and anonymous requests are refused: {self._refusal()}", "likely"
        if self.outcome == "refused":
            return (
                f"the kubelet's {probe} finds nothing that listens: {server} does not come up in time, or ends before; "
                "why, its own log says",
                "possible",
            )
        if self.outcome == "timeout":
            return (
                f"the kubelet's {probe} gets no answer in time: {server} is too slow, or waits for something that is",
                "possible",
            )
        if self.outcome is not None and self.outcome.isdigit():
            text = f"{server} answers, but says that it is not well: the kubelet's {probe} gets {in_words(self.outcome)}"
            if self.watch.checks:
                return (
                    f"{text}, as {'the check' if len(self.watch.checks) == 1 else 'the checks'} {listed(self.watch.checks)} fail"
                    + ("s" if len(self.watch.checks) == 1 else ""),
                    "likely",
                )
            return text, "likely"
        return f"the kubelet's {probe} fails; what it was told, the log does not say", "possible"

    def _refusal(self) -> str:
        """Why a probe is refused, and what that means."""
        alive = f"{self.server} itself is alive, and no restart can help"
        if self.outcome == "403":
            return f"it comes without credentials, and anonymous requests may not read this path; {alive}"
        flag = ", as with --anonymous-auth=false" if self.component == "kube-apiserver" else ""
        return f"it comes without credentials, and anonymous requests are refused{flag}; {alive}"

    # What the reader must not miss

    def findings(self) -> Iterator[Finding]:
        yield from self._probe_finding()
        if self.outcome in DENIED:
            yield Finding(
                "server-alive",
                f"{self.server[0].upper()}{self.server[1:]} answers each of these probes: it runs, and is killed for its answer.",
                self._probes_told(*DENIED)[:2],
            )
        if self.memory.denials and self.component == "kube-apiserver":
            yield Finding("anonymous-denied", "Requests of system:anonymous are refused.", self.memory.denials)
        if self.watch.checks and self.outcome not in DENIED:
            yield Finding("failed-checks", f"What {self.server} says fails: {listed(self.watch.checks)}.", self._probes_told("500"))
        following = [step for step in self.case.steps if step.text.startswith("Follows from it")]
        if following:
            yield Finding(
                "follow-ons",
                f"{plural(sum(step.count for step in following), 'line')} of other trouble (requests, the node's status and lease, "
                "other components) follow from it: while the container is down, they cannot be otherwise.",
                tuple(step.evidence[0] for step in following)[:10],
            )
        yield from suppressed_finding(self.case, self.memory.kubelet, "there may have been more kills than are told here")
        yield from silence_finding(self.case)

    def _probe_finding(self) -> Iterator[Finding]:
        if not self.is_probed:
            return
        parts = [self._probe()[0].upper() + self._probe()[1:]]
        if self.outcome is not None and in_words(self.outcome):
            parts.append(f"{'status ' if self.outcome.isdigit() else ''}{in_words(self.outcome)}")
        proof = self._probes_told(self.outcome or "")[:1]
        if self.probe is not None:
            if self.probe.period_s:
                parts.append(f"every {self.probe.period_s:g} s")
            if self.probe.failure_threshold:
                parts.append(f"killed after {plural(self.probe.failure_threshold, 'failure')} in a row")
            proof = (*proof, self.probe.evidence)
        elif self.watch.url_evidence is not None:
            proof = (*proof, self.watch.url_evidence)
        if self.probe is None and self.watch.url is None:
            parts.append("its URL is not in the log (see `Liveness:` in `kubectl describe pod`)")
        yield Finding("probe", "; ".join(parts) + ".", proof)

    # What to do

    def advice(self) -> Iterator[str]:
        low, high = self.memory.kubelet.releases
        manifest = f"/etc/kubernetes/manifests/{self.component}.yaml"
        if self.outcome in DENIED or (
            self.is_probed and self.outcome in (None, "unknown", "other") and self._is_anonymous_denied()
        ):
            yield from self._advice_of_refusal(low, high, manifest)
        elif self.watch.checks or (self.outcome or "").isdigit():
            if "etcd" in self.watch.checks or any(one.startswith("etcd") for one in self.watch.checks):
                yield "Look at etcd first: the API server cannot be well without it."
            url = self.url or "https://127.0.0.1:6443/livez"
            yield f"Ask {self.server} what is wrong while it runs: `curl -k '{url}?verbose'` on the node."
        elif self.is_probed and self.outcome == "timeout":
            yield "See what is slow: etcd's disk and the load of the node; a longer timeoutSeconds of the probe only buys time."
        if self.outcome not in DENIED:
            yield f"Read the last words of {self.server}: {_last_words(self.component, low, high)}."
            if self.component in ("kube-controller-manager", "kube-scheduler"):
                yield "It ends when it loses its lease: see whether the API server was there all the time."

    def _advice_of_refusal(self, low: int, high: int, manifest: str) -> Iterator[str]:
        if self.component != "kube-apiserver":
            path = self.url or "/healthz"
            yield f"Let the probe in: {path} must be among --authorization-always-allow-paths in {manifest}."
            return
        role = "system:discovery" if high < 14 else "system:public-info-viewer"
        yield (
            f"Nothing is wrong with the API server; do not wait for a restart to help. Edit {manifest} on the node: the kubelet "
            "takes it up by itself."
        )
        if self.outcome == "403":
            yield f"Let anonymous requests read the health paths again: restore the ClusterRole and ClusterRoleBinding {role}."
        alone = (
            "let anonymous requests in to the health endpoints alone: an AuthenticationConfiguration (--authentication-config) "
            "with anonymous.enabled true and anonymous.conditions of the paths /livez, /readyz and /healthz, in place of "
            "--anonymous-auth"
        )
        anyone = (
            "take --anonymous-auth=false out: with RBAC, anonymous requests can read little more than the health paths and the "
            f"version ({role})"
        )
        if low >= 32:
            yield f"L{alone[1:]}."
        elif high >= 32:
            yield f"From 1.32 on, {alone}; before, {anyone}."
        else:
            yield f"T{anyone[1:]}. From 1.32 on, {alone}."
        yield (
            f"Or point the probe elsewhere: a tcpSocket probe of port {port_of(self.url) or '6443'} needs no credentials (it tells "
            "only that something listens)."
        )
        if low < 20:
            yield (
                "The insecure port (http://127.0.0.1:8080/healthz) asks nobody who he is, but do not build on it: from 1.20 on "
                "nothing listens there any more."
            )


def _pod(case: Case) -> PodRef:
    return PodRef(case.subject.get("namespace"), case.subject.get("pod", ""))


def _last_words(component: str, low: int, high: int) -> str:
    if high < 14:
        return f"`docker ps -a | grep {component}`, then `docker logs`"
    files = f"/var/log/pods/kube-system_{component}-*/"
    return f"{files} on the node, or `crictl ps -a --name {component}` and `crictl logs`"
