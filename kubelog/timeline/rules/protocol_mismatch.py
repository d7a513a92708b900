"""ProtocolMismatch: one side speaks TLS, the other plain HTTP.

One case an endpoint that was asked; of what a server says, who never names its own, one a host that asked it. Probes and pulls that
failed, and requests to the API server, are signs of it where their error says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple

import msgspec

from kubelog.message.vocabulary.api import (
    ApiConnectionFailed,
    LeaseUpdateFailed,
    NodeStatusUpdateFailed,
    ProtocolMismatchSeen,
    ProxyTargetShown,
    TlsHandshakeFailed,
    asked,
)
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.evidence import ClusterEvent
from kubelog.message.vocabulary.pod import ImagePullFailed, ProbeFailed
from kubelog.timeline.incident import MAX_EVIDENCE
from kubelog.timeline.rules import Case, Cause, Explanation, Rule, State, instant
from kubelog.timeline.words import when

# What has the words, by kind.
_WORDS: Final[Mapping[type[Event], str]] = MappingProxyType(
    {
        ProtocolMismatchSeen: "error", ProbeFailed: "output", ImagePullFailed: "error", TlsHandshakeFailed: "error",
        ApiConnectionFailed: "error", NodeStatusUpdateFailed: "error", LeaseUpdateFailed: "error", ClusterEvent: "message",
    }
)  # fmt: skip

# How Go says it. The answer is quoted, once or more often. A TLS record's fourth and fifth byte say its length: in `HTTP/` that
# is 20527, in `POST ` 21536.
_SAID = re.compile(
    r'malformed HTTP response (?:\\*"(?P<answer>[^"\n]{0,100}))?'
    r"|(?P<plain>server gave HTTP response to HTTPS client|oversized record received with length 20527\b)"
    r"|(?P<refused>[Cc]lient sent an HTTP request to an HTTPS server|oversized record received with length 21536\b)"
    r"|(?P<record>first record does not look like a TLS handshake)"
)
# A record that says it holds one of these.
_PARTS: Final = (
    b"malformed HTTP response",
    b"HTTP response to HTTPS",
    b"oversized record",
    b"HTTP request to an HTTPS",
    b"look like a TLS",
)
_PLAIN: Final = tuple(part.decode() for part in _PARTS)
# What the answer begins with: a TLS alert, HTTP/2's settings.
_ALERT = re.compile(r"\\+x15\\+x03")
_SETTINGS = re.compile(r"\\+x00\\+x00(?:\\+x[0-9a-f]{2}|\\*.)\\+x04\\+x00")


class _Side(NamedTuple):
    """What is told of one way to miss each other. `{at}` is the endpoint, `{by}` the host that asked."""

    step: str
    summary: str
    cause: str
    confidence: str
    advice: str


_SIDES: Final[Mapping[str, _Side]] = MappingProxyType(
    {
        "plain-client": _Side(
            "Plain HTTP is spoken to a TLS port",
            "{at} speaks TLS but is asked in plain HTTP",
            "The client speaks plain HTTP to a port that speaks TLS: {proof}.",
            "certain",
            "Ask {at} by https:// instead of http://, or ask its plain port, where it has one.",
        ),
        "tls-client": _Side(
            "TLS is spoken to a port that does not speak it",
            "{at} does not speak TLS but is asked by HTTPS",
            "The client speaks TLS to a port that does not: what it answered is no TLS.",
            "certain",
            "Ask {at} by http:// instead of https://, or let it serve TLS.",
        ),
        "server": _Side(
            "A client speaks plain HTTP to a TLS port of this server",
            "{by} speaks plain HTTP to a TLS port of this server",
            "The client speaks plain HTTP (or something else) to a port that speaks TLS: what it sent is no TLS handshake.",
            "certain",
            "Find what asks from {by} (a load balancer's health check, a scrape, a port's name without https) and let it use "
                "https://.",
        ),
        "http2": _Side(
            "HTTP/1 is spoken to a port that speaks HTTP/2",
            "{at} speaks HTTP/2 only but is asked by HTTP/1",
            "The client speaks HTTP/1 to a port that speaks HTTP/2 without TLS, as gRPC does: it answered by a SETTINGS frame.",
            "certain",
            "Ask the HTTP port of what listens at {at}, not its gRPC port.",
        ),
        "other": _Side(
            "What answers does not speak HTTP",
            "{at} does not answer in HTTP",
            "The client speaks HTTP to a port that speaks something else.",
            "likely",
            "Look at what listens at {at}: it is no HTTP server.",
        ),
    }
)  # fmt: skip
_ALERTED: Final = r"the answer's first bytes, \x15\x03, are those of a TLS alert record"
_PULL: Final = (
    "Let the registry serve TLS; where it must not, tell the container runtime (Docker: insecure-registries in daemon.json; "
    'containerd: [host."http://…"] in the registry\'s hosts.toml).'
)
_PROBE: Final = "In the probe, set `scheme: HTTPS` of its httpGet where the container serves TLS, and only there."


class Pasted(msgspec.Struct, frozen=True, gc=False):
    """The last answer of an API server that named no endpoint: the line behind it may."""

    key: str | None = None
    path: str = ""
    line: int = 0


class ProtocolMismatch(Rule):
    """See the module. What it breaks is told by the incidents of that: a mismatch by itself is a warning."""

    kind = "ProtocolMismatch"
    opens = extends = frozenset(_WORDS)
    explains = frozenset({ProxyTargetShown})
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = dict.fromkeys((one.__name__ for one in _WORDS), _PARTS)
    # Pulls are tried again every 5 min at last: three of them without a word. What else says it does so within a minute.
    quiet_us: ClassVar[int] = 900_000_000
    memory = Pasted
    tells_memory = False
    picks = frozenset(_WORDS)

    def concerns(self, event: Event) -> bool:
        words = getattr(event, _WORDS[type(event)], None)
        # The expression is slow, and most errors are others.
        return isinstance(words, str) and any(part in words for part in _PLAIN) and _SAID.search(words) is not None

    def apply(self, state: State, event: Event, node: str | None) -> State:
        if isinstance(event, ProxyTargetShown):
            return self._shown(state, event)
        words = getattr(event, _WORDS.get(type(event), ""), None)
        said = _SAID.search(words) if isinstance(words, str) else None
        if said is None:
            return state
        side, subject = _place(event, said)
        key = " ".join((side, *subject.values()))
        case = state.latest(key)
        if case is None or not self.reopens(case, instant(event.seen)):
            state, case = state.begin(key, subject)
        elif not case.is_open:
            case = case.replace(episodes=case.episodes + 1, phase=case.phase + 1)
        if _ALERT.match(said["answer"] or ""):
            case = case.replace(marks={**case.marks, "alert": 1})
        if not subject:
            pasted = Pasted(key, event.seen.path, event.seen.line)
            state = msgspec.structs.replace(state, memory=pasted)
        about, text = _step(event, _SIDES[side].step)
        pods = (event.pod,) if isinstance(event, ProbeFailed) else ()
        return state.put(case.goes_on(event, text, about, pods))

    def _shown(self, state: State, event: ProxyTargetShown) -> State:
        """The endpoint of the answer in the line before; the first that a case is told of stays its subject."""
        pasted: Pasted = state.memory
        case = None if pasted.key is None else state.latest(pasted.key)
        is_next = event.seen.path == pasted.path and event.seen.line == pasted.line + 1
        if case is None or not is_next or case.subject or event.endpoint is None:
            return state
        return state.put(case.replace(subject={"endpoint": event.endpoint}))

    def explain(self, case: Case, memory: Any, node: str | None) -> Explanation:
        side = _SIDES[case.key.split(" ", 1)[0]]
        names = {
            "at": case.subject.get("endpoint") or "the port", "by": case.subject.get("peer") or "a client",
            "proof": _ALERTED if "alert" in case.marks else "the server says so",
        }  # fmt: skip
        because = tuple(dict.fromkeys(place for step in case.steps[:MAX_EVIDENCE] for place in step.evidence[:1]))
        advice = [side.advice.format(**names)]
        if case.counts.get("ProbeFailed"):
            advice.append(_PROBE)
        if case.counts.get("ImagePullFailed"):
            advice.append(_PULL)
        begun = side.summary.format(**names)
        begun = begun[0].upper() + begun[1:] if begun.startswith(("the ", "a ")) else begun
        return Explanation(
            f"{begun}{_since(case)}.", Cause(side.cause.format(**names), side.confidence, because), (), tuple(advice)
        )


def _place(event: Event, said: re.Match[str]) -> tuple[str, dict[str, str]]:
    """Which side of which mismatch it is, and whom it is about."""
    peer = getattr(event, "peer", None)
    if isinstance(peer, str) and peer:
        # Its port is another one each time.
        host = peer.rpartition(":")[0] if re.search(r"[^:]:\d+\Z|\]:\d+\Z", peer, re.ASCII) else peer
        return "server", {"peer": host}
    if said["plain"] or said["record"]:
        side = "tls-client"
    elif said["refused"] or _ALERT.match(said["answer"] or ""):
        side = "plain-client"
    else:
        side = "http2" if _SETTINGS.match(said["answer"] or "") else "other"
    endpoint = getattr(event, "endpoint", None) or asked(said.string[: said.start()])
    return side, {"endpoint": endpoint} if endpoint else {}


def _step(event: Event, text: str) -> tuple[str, str]:
    """What keeps its step apart from others of its kind, and the text."""
    if isinstance(event, ProbeFailed):
        probe = event.probe or "A"
        return f"{probe} {event.container or ''}", f"{probe} probe of {event.container or 'a container'} fails: {text}"
    if isinstance(event, ClusterEvent):
        return "table", f"Events table: {text}"
    if isinstance(event, ProtocolMismatchSeen):
        return "", text
    return "", f"{text} ({event.kind})"


def _since(case: Case) -> str:
    """Since when, and whether it is over."""
    if case.opened is None:
        return ""
    often = f", {case.episodes} times" if case.episodes > 1 else ""
    last = f"last seen {when(case.last)}"
    return f", first seen {when(case.opened)}{often}; " + (f"not over: {last}" if case.is_open else f"over: {last}")
