"""ApiServerUnreachable: requests of several clients of a node do not get through to the API server.

One case a node and endpoint; a client that names no endpoint is of the case that is open. It is an incident once two different
clients failed, one of them neither the lease nor the node's status (those alone are NodeHeartbeatLost), for more than a moment.

What is none: an API server that is a static pod of the node is not there while the node starts (3 min), and for a while when its
manifest changes (2 min), as in an upgrade; a connection that breaks is made again at once (15 s).

It ends when a request works again: the node is registered or ready, or a pod is heard of from the API server. Else it is over when
nothing is said of it for 10 min; clients try again within a minute. What fails within a minute behind a success had not ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final

from kubelog.message.vocabulary.api import (
    ApiConnectionFailed,
    LeaseUpdateFailed,
    NodeNotFound,
    NodeStatusUpdateFailed,
    got_lost,
    unreached,
)
from kubelog.message.vocabulary.apiserver import ServingStarted
from kubelog.message.vocabulary.certificates import CertificateRequestFailed
from kubelog.message.vocabulary.client import LeaderElectionFailed
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.kubelet import ServiceAccountTokenFailed
from kubelog.message.vocabulary.node import NodeConditionChanged
from kubelog.message.vocabulary.pod import ContainerKilled, ContainerUnhealthy
from kubelog.message.vocabulary.status import NodeRegistered, NodeRegistrationFailed
from kubelog.message.vocabulary.sync import MirrorPodCreationFailed, PodConfigReceived
from kubelog.message.vocabulary.volume import VolumeSpecFailed
from kubelog.timeline.incident import Evidence, Finding
from kubelog.timeline.rules import Case, Cause, Explanation
from kubelog.timeline.rules.api_server_words import ADVICE, CAUSES, CLASSES, CLIENTS, class_of
from kubelog.timeline.rules.endpoints import EXCUSING, EndpointRule, Excuse, names, steps_of
from kubelog.timeline.rules.episodic import End, Note, Sign, proof
from kubelog.timeline.words import listed, silence_finding, since

# What a request is for: the resource in its path.
_RESOURCE: Final = re.compile(r"/(?:api/v\d\w*|apis/[^/\s]{1,100}/v\d\w*)/(?:watch/)?(?:namespaces/[^/\s]{1,253}/)?([a-z]{1,40})")
# Of these events few concern an API server: the texts of those that do.
_LOST: Final = (
    b"connection refused", b"i/o timeout", b"no route to host", b"unreachable", b"connection timed out", b"TLS handshake timeout",
    b"awaiting", b"Client.Timeout", b"deadline exceeded", b"request canceled", b"connection reset", b"connection lost", b"EOF",
    b"no such host", b"GOAWAY", b"broken pipe", b"closed network connection", b"server misbehaving", b"is down",
)  # fmt: skip
# Events of clients that fail now and then → what they are called.
_RARE: Final[Mapping[type[Event], str]] = {
    LeaderElectionFailed: "the leader election",
    ServiceAccountTokenFailed: "service account tokens",
    NodeRegistrationFailed: "the registration of the node",
    CertificateRequestFailed: "certificate requests",
    MirrorPodCreationFailed: "mirror pods",
    VolumeSpecFailed: "volumes",
}
_HEARTBEAT: Final = frozenset({"the lease", "the node's status"})
_SHORT: Final = 2048  # errors up to this length may be remembered
# A blip: connections that break, as when one of several API servers is restarted, are made again.
_BLIP_US: Final = 15_000_000
_BURST_US: Final = 5_000_000  # so long several refused requests are more than one moment
# Where API servers serve: a kubelet serves too, at 10250.
_PORTS: Final = (":6443", ":443", ":8443", ":6444")
_MINUTE_US: Final = 60_000_000


class ApiServerUnreachable(EndpointRule):
    """See the module."""

    kind = "ApiServerUnreachable"
    opens = extends = frozenset({ApiConnectionFailed, LeaseUpdateFailed, NodeStatusUpdateFailed, *_RARE})
    closes = frozenset({NodeRegistered, NodeConditionChanged, PodConfigReceived, ServingStarted})
    explains = frozenset({*EXCUSING, NodeNotFound})
    about: ClassVar = dict.fromkeys((one.__name__ for one in _RARE), _LOST) | {
        "PodConfigReceived": (b'"api"', b"kube-apiserver"),
        "ContainerKilled": (b"kube-apiserver",),
        "ContainerUnhealthy": (b"kube-apiserver",),
    }
    signs = frozenset({ApiConnectionFailed, LeaseUpdateFailed, NodeStatusUpdateFailed})

    def told(self, memory: Excuse, event: Event) -> Excuse:
        return memory.told(event, self.component) if type(event) in EXCUSING else memory

    def signs_of(self, event: Event, memory: Any) -> Iterable[Sign]:
        error = getattr(event, "error", None)
        if not error or type(event) not in self.opens or _is_its_own(event):
            return
        endpoint = event.endpoint if isinstance(event, ApiConnectionFailed) else unreached(error)
        if endpoint is None and not got_lost(error):
            return
        if endpoint is None and type(event) in _RARE:
            return  # of whose request it tells is not known
        is_of_pod = isinstance(event, ApiConnectionFailed) and event.pod is not None
        # In an outage the same few requests fail again and again.
        make = _sign if len(error) <= _SHORT else _sign.__wrapped__
        yield make(type(event), error, endpoint, is_of_pod)

    def ends_of(self, event: Event, memory: Any) -> Iterable[End]:
        if isinstance(event, NodeRegistered):
            yield End(None, "The node is known to the API server")
        elif isinstance(event, NodeConditionChanged) and event.condition == "Ready" and event.status:
            yield End(None, "The node is ready again")
        elif isinstance(event, PodConfigReceived) and event.source == "api":
            yield End(None, "The kubelet hears of pods from the API server")
        elif isinstance(event, ServingStarted) and (event.endpoint or "").endswith(_PORTS):
            yield End(None, "The API server serves")

    def notes_of(self, event: Event, memory: Any) -> Iterable[Note]:
        if isinstance(event, NodeNotFound):
            yield Note(None, "The kubelet does not find its own node, as it hears nothing of it")
        elif isinstance(event, ContainerUnhealthy):
            if event.pod is not None and (event.pod.name or "").startswith(self.component):
                yield Note(None, "A probe of the API server on this node failed: it is restarted")
        elif isinstance(event, ContainerKilled | PodConfigReceived) and not self.is_about(event):
            return
        else:
            yield from super().notes_of(event, memory)

    def is_enough(self, marks: Mapping[str, int]) -> bool:
        clients = set(names(marks, "client"))
        if len(clients) < 2 or clients <= _HEARTBEAT:
            return False
        hard, longest = marks.get("n hard", 0), marks.get("longest", 0)
        if longest >= _BLIP_US:
            return hard > 0 or longest >= _MINUTE_US
        return (hard >= 4 and longest >= _BURST_US) or hard >= 8

    def explain(self, case: Case, memory: Any, node: str | None) -> Explanation:
        endpoint = case.subject.get("endpoint")
        at = f"the API server at {endpoint}" if endpoint else "the API server"
        whys = [one for one in CLASSES if f"class {one}" in case.marks]
        why = whys[0] if whys else "other"
        clients = sorted(names(case.marks, "client"), key=lambda one: one in _HEARTBEAT)
        shown = clients[:4] + ([f"{len(clients) - 4} more"] if len(clients) > 4 else [])
        verb = "do" if case.is_open else "did"
        words = f"On {node or 'this node'} requests for {listed(shown)} {verb} not get through to {at} ({CLASSES[why]})"
        text, confidence = CAUSES[why]
        because = _because(case, why)
        cause = Cause(f"{text.format(at=endpoint or 'the API server')}{memory.quote(case, why)}", confidence, because)
        return Explanation(f"{words}{since(case)}.", cause, tuple(self._findings(case, whys)), _advice(why, endpoint))

    def _findings(self, case: Case, whys: list[str]) -> Iterable[Finding]:
        if case.severity == "critical" and _HEARTBEAT & set(names(case.marks, "client")):
            yield Finding(
                "no-heartbeat",
                "No heartbeat of the node got through for 40 s or more: the control plane may have marked it NotReady, and evicts "
                "its pods where that lasts 5 min. Pods that run go on running.",
                proof(case, ("LeaseUpdateFailed", "NodeStatusUpdateFailed")),
            )
        if len(whys) > 1:
            kinds = listed([CLASSES[one] for one in whys])
            yield Finding("several-errors", f"It failed in several ways: {kinds}.", _because(case, whys[1]))
        yield from silence_finding(case)


def _is_its_own(event: Event) -> bool:
    """Whether an API server asks itself, as it does before it serves."""
    return "apiserver" in (event.seen.unit or "")


@lru_cache(maxsize=256)
def _sign(kind: type[Event], error: str, endpoint: str | None, is_of_pod: bool) -> Sign:
    why = class_of(error)
    client = _client(kind, error, is_of_pod)
    hard = {"n hard": 1} if why not in ("lost", "other") and endpoint is not None else {}
    subject = {"endpoint": endpoint} if endpoint else {}
    text = f"{_said(kind)}: {CLASSES[why]}"
    return Sign(endpoint or "", subject, text, why, marks={f"client {client}": 1, f"class {why}": 1, **hard})


def _client(kind: type[Event], error: str, is_of_pod: bool) -> str:
    """Who asked."""
    if kind is LeaseUpdateFailed:
        return "the lease"
    if kind is NodeStatusUpdateFailed:
        return "the node's status"
    if kind in _RARE:
        return _RARE[kind]
    if is_of_pod:
        return "pod statuses"
    found = _RESOURCE.search(error)
    return CLIENTS.get(found[1], found[1]) if found else "watches"


def _said(kind: type[Event]) -> str:
    if kind is LeaseUpdateFailed:
        return "The node's lease is not renewed"
    if kind is NodeStatusUpdateFailed:
        return "The node's status is not updated"
    if kind in _RARE:
        return f"Requests for {_RARE[kind]} fail"
    return "Requests fail"


def _because(case: Case, why: str) -> tuple[Evidence, ...]:
    """The first lines of the steps that show this class of errors."""
    return tuple(dict.fromkeys(step.evidence[0] for step in steps_of(case, why)))[:5]


def _advice(why: str, endpoint: str | None) -> tuple[str, ...]:
    at = f"https://{endpoint}/healthz" if endpoint else "https://<API server>/healthz"
    return tuple(one.format(at=at, host=(endpoint or "<API server>").rpartition(":")[0] or "<API server>") for one in ADVICE[why])
