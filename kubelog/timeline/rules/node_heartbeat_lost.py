"""NodeHeartbeatLost: the kubelet does not tell the API server that its node is alive: its lease, its node's status are not written.

One case a node. What fails once and is tried again with success is none: it takes failures for 30 s, or one update that was given
up and goes on failing. Where requests of other clients fail too it is ApiServerUnreachable, which spans it. A kubelet and an API
server that start, or are replaced, are excused as there.

It ends when the node is registered or ready again, else after 10 min without a word: heartbeats are sent every 10 s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from kubelog.message.vocabulary.api import LeaseUpdateFailed, NodeNotFound, NodeStatusUpdateFailed
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.node import NodeConditionChanged
from kubelog.message.vocabulary.status import NodeRegistered
from kubelog.timeline.incident import Finding, Incident
from kubelog.timeline.rules import Case, Cause, Explanation
from kubelog.timeline.rules.api_server_words import HEARTBEAT_ADVICE, HEARTBEATS, heartbeat_class_of
from kubelog.timeline.rules.endpoints import EXCUSING, EndpointRule, Excuse, names, steps_of
from kubelog.timeline.rules.episodic import End, Note, Sign, proof
from kubelog.timeline.words import listed, silence_finding, since

# An update that was given up, after five tries.
_GIVEN_UP: Final = ("exceeds retry count", "attempts to update")
_LEAST_US: Final = 30_000_000
_GIVEN_UP_US: Final = 20_000_000
# So much sooner or later than what spans it a heartbeat may fail.
_SLACK_US: Final = 60_000_000


class NodeHeartbeatLost(EndpointRule):
    """See the module."""

    kind = "NodeHeartbeatLost"
    opens = extends = frozenset({LeaseUpdateFailed, NodeStatusUpdateFailed})
    closes = frozenset({NodeRegistered, NodeConditionChanged})
    explains = frozenset({*EXCUSING, NodeNotFound})
    about: ClassVar = dict.fromkeys(("PodConfigReceived", "ContainerKilled", "ContainerUnhealthy"), (b"kube-apiserver",))
    signs = frozenset({LeaseUpdateFailed, NodeStatusUpdateFailed})
    yields = True
    yields_to: ClassVar[frozenset[str]] = frozenset({"ApiServerUnreachable"})

    def told(self, memory: Excuse, event: Event) -> Excuse:
        return memory.told(event, self.component) if type(event) in EXCUSING else memory

    def signs_of(self, event: Event, memory: Any) -> Iterable[Sign]:
        if "apiserver" in (event.seen.unit or ""):
            return  # an API server's own lease
        if isinstance(event, LeaseUpdateFailed):
            what, begun = "lease", "The node's lease is not renewed"
        elif isinstance(event, NodeStatusUpdateFailed):
            what, begun = "status", "The node's status is not updated"
        else:
            return
        error = event.error or ""
        is_given_up = any(part in error for part in _GIVEN_UP) or (what == "lease" and not error)
        why = "given-up" if is_given_up else heartbeat_class_of(error)
        marks = {f"client {what}": 1, f"class {why}": 1, **({"n given up": 1} if is_given_up else {})}
        text = f"{begun}: the tries are used up" if is_given_up else f"{begun}: {HEARTBEATS[why].short}"
        yield Sign("", {}, text, why, marks=marks)

    def ends_of(self, event: Event, memory: Any) -> Iterable[End]:
        if isinstance(event, NodeRegistered):
            yield End(None, "The node is known to the API server")
        elif isinstance(event, NodeConditionChanged) and event.condition == "Ready" and event.status:
            yield End(None, "The node is ready again")

    def notes_of(self, event: Event, memory: Any) -> Iterable[Note]:
        if isinstance(event, NodeNotFound):
            yield Note(None, "The kubelet does not find its own node")
        else:
            yield from super().notes_of(event, memory)

    def is_enough(self, marks: Mapping[str, int]) -> bool:
        signs, given_up, longest = (marks.get(name, 0) for name in ("signs", "n given up", "longest"))
        return (signs >= 3 and longest >= _LEAST_US) or (given_up > 0 and longest >= _GIVEN_UP_US) or given_up > 2

    def is_spanned(self, found: Incident, by: Incident) -> bool:
        if by.kind != "ApiServerUnreachable" or found.opened is None or found.last_seen is None or by.opened is None:
            return False
        if by.opened.us > found.opened.us + _SLACK_US:
            return False
        ends = [one.us for one in (by.closed, by.last_seen) if one is not None]
        return by.state == "open" or any(one + _SLACK_US >= found.last_seen.us for one in ends)

    def explain(self, case: Case, memory: Any, node: str | None) -> Explanation:
        whys = [one for one in HEARTBEATS if f"class {one}" in case.marks]
        why = whys[0] if whys else "other"
        kinds = set(names(case.marks, "client"))
        subject = {"lease": "renew its lease", "status": "update its status"}
        what = listed([text for name, text in subject.items() if name in kinds])
        verb = "cannot" if case.is_open else "could not"
        told = HEARTBEATS[why]
        because = tuple(dict.fromkeys(step.evidence[0] for step in steps_of(case, why)))[:5]
        quote = "" if why == "given-up" else memory.quote(case, why)
        summary = f"The kubelet of {node or 'this node'} {verb} {what} ({told.short}){since(case)}."
        findings = (*self._not_ready(case), *silence_finding(case))
        advice = tuple(one.format(node=node or "<node>") for one in HEARTBEAT_ADVICE[why])
        return Explanation(summary, Cause(told.cause + quote, told.confidence, because), findings, advice)

    def _not_ready(self, case: Case) -> Iterable[Finding]:
        if case.severity == "critical":
            yield Finding(
                "no-heartbeat",
                "It went on for 40 s or more: where neither the lease nor the status came through the control plane marks the node "
                "NotReady, and evicts its pods where that lasts 5 min.",
                proof(case, ("LeaseUpdateFailed", "NodeStatusUpdateFailed")),
            )
