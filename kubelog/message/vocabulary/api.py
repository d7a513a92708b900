"""The API server, as its clients meet it and as it speaks of itself."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event

# A request as Go's errors name it, and where it went to; before Go 1.14 its address is not quoted.
_REQUEST = re.compile(r'\b(?:Get|Post|Put|Patch|Delete|Head|Options) \\{0,9}"?(https?)://([^\s/?#"\\]{1,300})')
# The same without a request: `dial tcp 10.0.0.1:6443: connect: connection refused`, `read tcp 10.0.0.2:50412->10.0.0.1:6443: EOF`.
_DIALED = re.compile(r"\b(?:dial|read|write) tcp (?:\S{1,300}->)?(\S{1,300}:\d{1,5}): ", re.ASCII)
# What Go says where a request, or its answer, did not get through. What the API server answers itself is none of it.
_LOST = re.compile(
    r"connection refused|no route to host|(?:network|host) is (?:unreachable|down)|i/o timeout|connection timed out|"
    r"TLS handshake timeout|timeout awaiting response headers|Client\.Timeout|context deadline exceeded|"
    r"request canceled while waiting for connection|connection reset by peer|broken pipe|connection lost|"
    r"closed network connection|server closed idle connection|server sent GOAWAY|no such host|server misbehaving|\bEOF\b"
)
_PORTS: Final = types.MappingProxyType({"http": "80", "https": "443"})
# What a reflector says in front of the request: its name and what it lists; and around the error that ended a watch.
_LISTED = re.compile(r"\A(?:(?:[^\n]*?: )?[Ff]ailed to (?:list|watch) [^\n]*?: ){1,2}")
_WATCHED = re.compile(
    r'an error on the server \("unable to decode an event from the watch stream: (.*)"\) has prevented the request from succeeding'
)


def unreached(error: str | None) -> str | None:
    """The host and port that an error says a request did not get through to; None where it says something else."""
    if not error:
        return None
    request = _REQUEST.search(error)
    if request is not None:
        # A request of the API server itself, of which it told its client.
        if "webhook" in error[: request.start()] or not _LOST.search(error, request.end()):
            return None
        scheme, host = request.groups()
        return host if re.search(r":\d+\Z", host, re.ASCII) else f"{host}:{_PORTS[scheme]}"
    dialed = _DIALED.search(error)
    return dialed[1] if dialed is not None and "rpc error" not in error and _LOST.search(error, dialed.end()) else None


def got_lost(error: str | None) -> bool:
    """Whether an error says that a request, or its answer, did not get through, wherever it went."""
    return error is not None and "rpc error" not in error and "webhook" not in error and _LOST.search(error) is not None


class ApiConnectionFailed(Event, frozen=True, gc=False, kw_only=True):
    """A request to the API server failed; `endpoint` is the host and port that it did not get through to.

    The same wordings tell other errors too, such as `Forbidden`: then `endpoint` is None, and it is no failed connection. Rules
    count those with an endpoint only.
    """

    endpoint: str | None = None
    error: str | None = None
    pod: PodRef | None = None  # whose status it was about

    derived = frozenset(("endpoint", "error"))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        error = holes.get("error")
        if error is None:
            return holes
        watched = _WATCHED.fullmatch(error)
        error = watched[1] if watched else _LISTED.sub("", error, count=1)
        return {**holes, "endpoint": unreached(error), "error": error}


class NodeStatusUpdateFailed(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet could not update its node's status."""

    error: str | None = None


class NodeNotFound(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet does not know its own node: it has not heard of it from the API server."""

    node: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"error": "error"})
    derived = frozenset(("node",))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        found = re.search(r'\bnodes? "([^\s"]+)" not found', holes.get("error") or "")
        fields = {name: value for name, value in holes.items() if name != "error"}
        return {"node": found[1], **fields} if found else fields


class LeaseUpdateFailed(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet could not renew its node's lease, or an API server its own."""

    error: str | None = None


# `User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope`
_DENIED = re.compile(r'User "system:anonymous" cannot (\S+) ([^\n]*)')
# What was asked for: `pods at the cluster scope` up to 1.11, `path "/"`, `resource "pods" in API group ""`, in RBAC's own words
# `nonResourceURL "/"`. Up to 1.7 a path is not told: ` at the cluster scope.`
_WANTED = re.compile(r'(?:resource |path |nonResourceURL )?\\?"([^"\\]+)|(?!(?:at|in) the )([^\s"\\]+)')


class AnonymousDenied(Event, frozen=True, gc=False, kw_only=True):
    """A request of nobody in particular was refused; `resource` is what was asked for, or a path of the API server."""

    user: str | None = None
    verb: str | None = None
    resource: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"wanted": "text", "error": "error"})
    derived = frozenset(("verb", "resource"))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = cls.plain(holes)
        wanted = holes.get("wanted")
        denied = _DENIED.search(holes.get("error") or "")
        if denied is not None:
            fields["verb"], wanted = denied.groups()
        found = _WANTED.match(wanted or "")
        return {**fields, "resource": found[1] or found[2]} if found else fields


# A code (none where the connection was handed on, `hijacked`), behind errors a stack, at the end who asked. Up to 1.13 brackets of
# its own are around what it calls itself.
_ANSWERED = re.compile(r"\A(?:(\d{3})\b)?.*\[\[?([^\[\]\n]*?)\]? (\[[^\[\]\s]+\]:\d+|[^\s\[\]]+)\]\s*\Z", re.ASCII | re.DOTALL)


def _answered(status: str) -> dict[str, Any]:
    """Fields from what stands behind the latency in the API server's line about a request, up to 1.17."""
    found = _ANSWERED.match(status)
    if found is None:
        return {}
    code, agent, ip = found.groups()
    return {**({"code": int(code)} if code else {}), "user_agent": agent, "source_ip": ip}


class HttpRequest(Event, frozen=True, gc=False, kw_only=True):
    """A request that an API server answered: its own line about it, or an entry of the audit log."""

    verb: str | None = None
    uri: str | None = None
    code: int | None = None
    latency_s: float | None = None
    user_agent: str | None = None
    source_ip: str | None = None

    # Up to 1.17, behind the latency: `200 [kubelet/v1.9.0 (linux/amd64) kubernetes/925c127 10.0.0.1:4321]`.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"status": "rest"})
    derived = frozenset(("source_ip",))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        status = holes.get("status")
        if status is not None:
            holes = {**cls.plain(holes), **_answered(status)}
        ip = holes.get("source_ip")
        if ip is None:
            return holes
        # `10.0.0.1:51234`, `[::1]:51234`; the audit log says no port.
        found = re.fullmatch(r"\[([^\]]+)\]:\d+|([^:]+):\d+", ip, re.ASCII)
        return {**holes, "source_ip": found[1] or found[2]} if found else holes


class AuthenticationFailed(Event, frozen=True, gc=False, kw_only=True):
    """The API server does not know who made a request."""

    error: str | None = None


class TlsHandshakeFailed(Event, frozen=True, gc=False, kw_only=True):
    """A TLS connection was not made."""

    peer: str | None = None
    error: str | None = None


_ASKED = re.compile(r"(https?)://(?:[^\s/?#\"'\\@]{1,300}@)?([^\s/?#\"'\\@]{1,300})")


def asked(text: str) -> str | None:
    """The host and port that the last address of a text names; the scheme's port where it names none."""
    scheme = host = ""
    for found in _ASKED.finditer(text):
        scheme, host = found.groups()
    host = host.rstrip(":;,.)")
    if not host:
        return None
    return host if re.search(r":\d+\Z", host, re.ASCII) else f"{host}:{_PORTS[scheme]}"


class ProtocolMismatchSeen(Event, frozen=True, gc=False, kw_only=True):
    """One side speaks TLS, the other plain HTTP: an HTTP client on a TLS port, or the other way round; `endpoint` was asked."""

    error: str | None = None
    endpoint: str | None = None

    # What stands where the address that was asked does, and the answer, as it is quoted in the error.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"request": "text", "answer": "text"})
    derived = frozenset(("error", "endpoint"))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = cls.plain(holes)
        if "answer" in holes:
            fields["error"] = f'malformed HTTP response "{holes["answer"]}"'
        endpoint = asked(holes.get("request") or "")
        return fields if endpoint is None else {"endpoint": endpoint, **fields}


class ProxyTargetShown(Event, frozen=True, gc=False, kw_only=True):
    """What the API server tried to reach, where it tells that it could not."""

    endpoint: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"url": "text"})
    derived = frozenset(("endpoint",))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return {"endpoint": asked(holes.get("url") or "")}


# The checks that a line may begin with, as holes are called that stand behind them.
_CHECKS: Final = types.MappingProxyType(
    {
        "ping": "ping", "log": "log", "etcd": "etcd", "kms": "kms-provider", "informers": "informer-sync",
        "hook": "poststarthook/", "services": "autoregister-completion", "shutdown": "shutdown", "syncloop": "syncloop",
    }
)  # fmt: skip
_FAILED = re.compile(r"(?:\A|^\[-\])(\S+) failed: ([^\n]*)", re.MULTILINE)


class HealthCheckFailed(Event, frozen=True, gc=False, kw_only=True):
    """Health checks failed, of the API server or the kubelet: `check` is one, or several with commas between them."""

    check: str | None = None
    error: str | None = None  # why, where it is told: of one check, or what all say

    # The failed checks and the lines that tell each: `[-]etcd failed: reason withheld`; those lines alone; what stands behind the
    # beginning of the first check.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"told": "text", "lines": "text", **dict.fromkeys(_CHECKS, "text")})
    derived = frozenset(("check", "error"))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = cls.plain(holes)
        for name, begin in _CHECKS.items():
            if name in holes:
                fields["check"] = begin + holes[name]
        lines = holes.get("lines") or ""
        if "told" in holes:
            fields["check"], _, lines = holes["told"].partition("\n")
        failed = _FAILED.findall(lines)
        if failed:
            fields.setdefault("check", ",".join(check for check, _ in failed))
            reasons = dict.fromkeys(reason for _, reason in failed)
            fields.setdefault("error", "; ".join(reasons))
        return fields


_EXPIRED: Final = "x509: certificate has expired or is not yet valid"
# `2018-10-22 08:23:41 +0000 UTC`, `2018-10-22T08:23:41Z`; what expired is after it, or says so itself.
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d) ?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_AFTER = re.compile(rf"is (?:after|expired:) {_MOMENT.pattern}", re.ASCII)


class CertificateExpiryReported(Event, frozen=True, gc=False, kw_only=True):
    """A certificate has expired, or is not valid yet."""

    error: str | None = None
    expired_at: datetime | None = None  # None where it is not told

    # What stands before and behind the words that say it, and when the certificate expired.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"before": "text", "past": "error", "expired": "time"})
    derived = frozenset(("error", "expired_at"))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = cls.plain(holes)
        if "past" in holes:
            fields["error"] = holes.get("before", "") + _EXPIRED + holes["past"]
        if fields.get("error"):
            fields["error"] = _LISTED.sub("", fields["error"], count=1)
        found = _MOMENT.match(holes.get("expired") or "") or _AFTER.search(fields.get("error") or "")
        if found is None:
            return fields
        day, time, zone = found.groups()
        return {**fields, "expired_at": datetime.fromisoformat(f"{day}T{time}{'+00:00' if zone == 'Z' else zone}")}
