"""EtcdUnavailable: etcd does not answer an API server, by the API server's own log.

One case an endpoint of etcd; what names none is of the case that is open. A slow etcd is not unavailable, nor is one whose leader
changed once, nor one that is not up yet in the first minute of a start. A single moment (10 s) without it is none either.

It ends when the API server serves, or etcd did what it was asked: unless only connections to one of several members fail, of which
that says nothing. Else it is over when nothing is said of it for 10 min; connections are tried again within 2 min.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from kubelog.message.vocabulary.api import AuthenticationFailed, HealthCheckFailed
from kubelog.message.vocabulary.apiserver import ApiServerFailed, ApiServerHookFailed, ApiServerStartFailed, ServingStarted
from kubelog.message.vocabulary.client import LeaderElectionFailed
from kubelog.message.vocabulary.control_plane import (
    ApiServerLeaseNoted,
    CommandFailed,
    KubeApiServerFailed,
    KubernetesServiceFailed,
    KubernetesServiceReset,
    RbacReconcileFailed,
    ServiceAddressFailed,
    ServiceCidrFailed,
    SystemNamespaceFailed,
)
from kubelog.message.vocabulary.etcd import EtcdCompacted, EtcdErrorReported, StorageMonitorFailed
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.requests import ApiResponseFailed, WatchCacheFailed, WatchFailed
from kubelog.timeline.incident import Finding
from kubelog.timeline.rules import Case, Cause, Explanation
from kubelog.timeline.rules.endpoints import EXCUSING, EndpointRule, Excuse, steps_of
from kubelog.timeline.rules.episodic import End, Note, Sign, proof
from kubelog.timeline.rules.etcd_words import ADVICE, CAUSES, CLASSES, class_of
from kubelog.timeline.words import listed, silence_finding, since

# Events of an API server that tell an error of etcd now and then.
_TELLING: Final[frozenset[type[Event]]] = frozenset(
    {
        ApiResponseFailed, WatchFailed, WatchCacheFailed, KubernetesServiceFailed, StorageMonitorFailed, RbacReconcileFailed,
        AuthenticationFailed, ServiceCidrFailed, ServiceAddressFailed, SystemNamespaceFailed, LeaderElectionFailed,
        ApiServerLeaseNoted, ApiServerHookFailed, ApiServerFailed,
    }
)  # fmt: skip
# The API server's last words.
_FATAL: Final[frozenset[type[Event]]] = frozenset({KubeApiServerFailed, ApiServerStartFailed, CommandFailed})
_ETCD: Final = (b"etcdserver: ", b":2379", b"grpc: the connection is unavailable", b"storage")
_OF_ETCD: Final = re.compile(r"etcdserver: |:2379\b|the connection is unavailable|storage (?:factory|backend)")
_AT: Final = re.compile(r"\bdial tcp (?:\S{1,200}->)?(\S{1,250}:2379)\b")
_START_US: Final = 60_000_000
_BURST_US: Final = 3_000_000
_LEAST_US: Final = 10_000_000
_MINUTE_US: Final = 60_000_000
# What is checked beside etcd: where only these fail, etcd answered.
_BESIDE: Final = ("poststarthook/", "autoregister-completion", "informer-sync")


class EtcdUnavailable(EndpointRule):
    """See the module."""

    kind = "EtcdUnavailable"
    opens = extends = frozenset({EtcdErrorReported, HealthCheckFailed, *_TELLING, *_FATAL})
    closes = frozenset({EtcdCompacted, ServingStarted, KubernetesServiceReset})
    explains = frozenset({*EXCUSING})
    about: ClassVar = dict.fromkeys((one.__name__ for one in _TELLING), _ETCD) | dict.fromkeys(
        ("PodConfigReceived", "ContainerKilled", "ContainerUnhealthy"), (b"etcd-",)
    )
    signs = frozenset({EtcdErrorReported})
    component = "etcd-"
    run_us: ClassVar[int] = 150_000_000  # gRPC waits up to 2 min between two tries
    relapse_us: ClassVar[int] = 150_000_000

    def told(self, memory: Excuse, event: Event) -> Excuse:
        return memory.told(event, self.component, _START_US) if type(event) in EXCUSING else memory

    def signs_of(self, event: Event, memory: Any) -> Iterable[Sign]:
        if isinstance(event, HealthCheckFailed):
            checks = (event.check or "")[:4096].split(",")
            if not any(check in ("etcd", "etcd-readiness") for check in checks):
                return
            why = class_of(event.error or "")
            if why == "starting":
                return
            text = "The API server's health check of etcd fails"
            yield Sign("", {}, text, "check", marks={"class check": 1, "n hard": 1, f"class {why}": 1})
            return
        error = getattr(event, "error", None)
        if not error or type(event) not in self.opens:
            return
        is_etcd = isinstance(event, EtcdErrorReported)
        if not is_etcd and (event.seen.unit == "kubelet" or not _OF_ETCD.search(error)):
            return
        why = class_of(error)
        if why in ("harmless", "starting") or (why == "other" and not is_etcd):
            return
        at = _AT.search(error)
        endpoint = at[1] if at is not None else ""
        fatal = {"fatal": 1} if type(event) in _FATAL else {}
        weight = {"n leader": 1} if why == "leader" else {"n hard": 1}
        answers = {} if endpoint and is_etcd else {"answers": 1}
        text = f"{_said(event)}: {CLASSES[why]}"
        marks = {f"class {why}": 1, **weight, **fatal, **answers}
        yield Sign(endpoint, {"endpoint": endpoint} if endpoint else {}, text, why, marks=marks, critical=bool(fatal))

    def ends_of(self, event: Event, memory: Any) -> Iterable[End]:
        if isinstance(event, EtcdCompacted):
            yield End(None, "etcd did what it was asked")
        elif isinstance(event, ServingStarted):
            yield End(None, "The API server serves")
        elif isinstance(event, KubernetesServiceReset):
            yield End(None, "The API server reads and writes in etcd")
        elif isinstance(event, HealthCheckFailed):
            checks = (event.check or "")[:4096].split(",")
            if all(check.startswith(_BESIDE) for check in checks):
                yield End(None, "The API server's health check of etcd succeeds")

    def ended_by(self, case: Case, event: Event) -> bool:
        # Where connections to one member fail, others answer.
        return isinstance(event, ServingStarted) or "answers" in case.marks or "class check" in case.marks

    def notes_of(self, event: Event, memory: Any) -> Iterable[Note]:
        if type(event) in _FATAL:
            error = getattr(event, "error", None) or ""
            if "deadline exceeded" in error and not _OF_ETCD.search(error) and event.seen.unit != "kubelet":
                yield Note(None, "The API server ends: something did not answer it in time", "end", {"fatal": 1})
        else:
            yield from super().notes_of(event, memory)

    def matters(self, case: Case) -> bool:
        return "fatal" in case.marks or super().matters(case)

    def is_enough(self, marks: Mapping[str, int]) -> bool:
        hard, leader, longest = (marks.get(name, 0) for name in ("n hard", "n leader", "longest"))
        if leader >= 3 and longest >= _MINUTE_US:
            return True
        return hard >= 2 if longest >= _LEAST_US else hard >= 5 and longest >= _BURST_US

    def explain(self, case: Case, memory: Any, node: str | None) -> Explanation:
        endpoint = case.subject.get("endpoint")
        whys = [one for one in CLASSES if f"class {one}" in case.marks]
        why = whys[0] if whys else "other"
        what = f"etcd at {endpoint}" if endpoint else "etcd"
        verb = "does not" if case.is_open else "did not"
        on = f" on {node}" if node else ""
        text, confidence = CAUSES[why]
        because = tuple(dict.fromkeys(step.evidence[0] for step in steps_of(case, why)))[:5] or proof(case)
        cause = Cause(f"{text.format(at=endpoint or 'etcd')}{memory.quote(case, why)}", confidence, because)
        summary = f"{what[0].lower()}{what[1:]} {verb} answer the API server{on} ({CLASSES[why]}){since(case)}."
        return Explanation(summary, cause, tuple(self._findings(case, whys)), ADVICE[why])

    def _findings(self, case: Case, whys: list[str]) -> Iterable[Finding]:
        if "fatal" in case.marks:
            proofs = proof(case, {one.__name__ for one in _FATAL})
            yield Finding("api-server-ended", "The API server ended for it: without etcd it cannot run.", proofs)
        told = [one for one in whys if one not in ("check", "other")]
        if len(told) > 1:
            yield Finding("several-errors", f"It failed in several ways: {listed([CLASSES[one] for one in told])}.", proof(case))
        if "class check" not in case.marks and "answers" not in case.marks:
            yield Finding(
                "connections-only",
                "Only connections to this address are told to fail: where etcd has several members, others may have answered.",
                proof(case, ("EtcdErrorReported",)),
            )
        yield from silence_finding(case)


def _said(event: Event) -> str:
    if isinstance(event, EtcdErrorReported):
        return "The API server does not get through to etcd"
    if type(event) in _FATAL:
        return "The API server ends"
    return "The API server's requests to etcd fail"
