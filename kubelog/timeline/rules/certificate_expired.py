"""CertificateExpired: a certificate is not valid any more (or not yet), so that one side refuses the other.

One case a certificate, as far as the message tells whose it is: that of a server, by its endpoint; the kubelet's own for the API
server; that of clients of this server; that of this server. The kubelet's own is an incident at once, others once they are told
twice, those of clients three times: one of them may be a stray. It ends when a new certificate is used or the node is ready again;
else when nothing is said of it for 10 min: what fails for it is tried again sooner.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import msgspec

from kubelog.message.vocabulary.api import (
    ApiConnectionFailed,
    CertificateExpiryReported,
    LeaseUpdateFailed,
    NodeStatusUpdateFailed,
    TlsHandshakeFailed,
    asked,
)
from kubelog.message.vocabulary.certificates import CertificateRequestFailed, ClientCertificateRotated
from kubelog.message.vocabulary.etcd import EtcdErrorReported
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.node import NodeConditionChanged
from kubelog.message.vocabulary.pod import ImagePullFailed, ProbeFailed
from kubelog.message.vocabulary.start import KubeletVersion
from kubelog.message.vocabulary.status import NodeRegistered
from kubelog.timeline.incident import Finding
from kubelog.timeline.rules import Case, Cause, Explanation
from kubelog.timeline.rules.episodic import End, EpisodicRule, Note, Sign, proof
from kubelog.timeline.words import since

_EXPIRED: Final = re.compile(r"certificate has expired or is not yet valid|tls: expired certificate|certificate is expired")
_TIMES: Final = re.compile(r"current time (\S{10,40}) is (after|before) (\S{10,40})")
_PARTS: Final = (b"certificate has expired", b"expired certificate", b"certificate is expired")
_OWN, _CLIENTS, _SERVED = "kubelet client", "clients", "this server"
# What has the words, by kind.
_WORDS: Final[Mapping[type[Event], str]] = {
    CertificateExpiryReported: "error", ApiConnectionFailed: "error", LeaseUpdateFailed: "error", NodeStatusUpdateFailed: "error",
    TlsHandshakeFailed: "error", EtcdErrorReported: "error", ProbeFailed: "output", ImagePullFailed: "error",
}  # fmt: skip
_SAID: Final[Mapping[str, str]] = {
    _OWN: "The kubelet finds its own client certificate expired",
    _CLIENTS: "A client's certificate is refused: it has expired",
    _SERVED: "A client refuses this server's certificate: it has expired",
}
_FAILS: Final[Mapping[type[Event], str]] = {
    LeaseUpdateFailed: "The node's lease is not renewed",
    NodeStatusUpdateFailed: "The node's status is not updated",
    EtcdErrorReported: "The API server's requests to etcd fail",
    ProbeFailed: "A probe fails",
    ImagePullFailed: "An image cannot be pulled",
}


class Version(msgspec.Struct, frozen=True, gc=False):
    """The minor release of the kubelet, where it was told."""

    minor: int | None = None


class CertificateExpired(EpisodicRule):
    """See the module."""

    kind = "CertificateExpired"
    opens = extends = frozenset(_WORDS)
    closes = frozenset({ClientCertificateRotated, NodeConditionChanged, NodeRegistered})
    explains = frozenset({KubeletVersion, CertificateRequestFailed})
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = {
        one.__name__: _PARTS for one in _WORDS if one is not CertificateExpiryReported
    }
    memory = Version
    picks = signs = frozenset(_WORDS)

    def concerns(self, event: Event) -> bool:
        words = getattr(event, _WORDS[type(event)], None)
        return isinstance(words, str) and "expired" in words and _EXPIRED.search(words[:8000]) is not None

    def told(self, memory: Version, event: Event) -> Version:
        if isinstance(event, KubeletVersion):
            found = re.match(r"v1\.(\d{1,3})\b", event.version or "")
            return Version(int(found[1])) if found else memory
        return memory

    def signs_of(self, event: Event, memory: Any) -> Iterable[Sign]:
        words = getattr(event, _WORDS.get(type(event), ""), None)
        if words is None or not self.concerns(event):
            return
        key, subject = _whose(event, words)
        text = (
            _SAID.get(key)
            or f"{_FAILS.get(type(event), 'Requests fail')}: the server's certificate has expired, or is not valid yet"
        )
        yield Sign(key, subject, text, type(event).__name__, critical=key not in (_CLIENTS, _SERVED), marks=_marks(event, words))

    def ends_of(self, event: Event, memory: Any) -> Iterable[End]:
        if isinstance(event, ClientCertificateRotated):
            yield End(_OWN, "A new client certificate is used")
        elif isinstance(event, NodeRegistered):
            yield End(None, "The node is known to the API server")
        elif isinstance(event, NodeConditionChanged) and event.condition == "Ready" and event.status:
            yield End(None, "The node is ready again")

    def notes_of(self, event: Event, memory: Any) -> Iterable[Note]:
        if isinstance(event, CertificateRequestFailed):
            yield Note(_OWN, "A new certificate cannot be had", "", {"request": 1})

    def matters(self, case: Case) -> bool:
        return case.marks.get("signs", 0) >= {_OWN: 1, _CLIENTS: 3, _SERVED: 3}.get(case.key, 2)

    def explain(self, case: Case, memory: Version, node: str | None) -> Explanation:
        where = f" on {node}" if node else ""
        limit = case.marks.get("limit_s")
        at = f" {datetime.fromtimestamp(limit, UTC):%Y-%m-%d %H:%M:%S} UTC" if limit is not None else ""
        early = "early" in case.marks
        endpoint = case.subject.get("endpoint")
        whose = {
            _OWN: f"The kubelet's client certificate{where}",
            _CLIENTS: f"The certificate of clients of this server{where}",
            _SERVED: f"The certificate of this server{where}",
        }.get(case.key, f"The certificate of {endpoint or 'a server'}")
        state = "is not valid yet" if early else "has expired" if case.is_open else "had expired"
        seen = f", as {node} sees" if node and case.key not in _SAID else ""
        if early:
            cause = Cause(
                f"It is valid from{at or ' a later time'} on: the clock of one of both sides is wrong, or the certificate was made "
                "too late.",
                "likely",
                proof(case),
            )
        else:
            cause = Cause(
                f"It was valid until{at or ' a time that the log does not tell'}, and was not renewed in time.",
                "certain",
                proof(case),
            )
        return Explanation(
            f"{whose} {state}{seen}{since(case)}.", cause, tuple(self._findings(case)), tuple(_advice(case, memory, early))
        )

    def _findings(self, case: Case) -> Iterator[Finding]:
        if "request" in case.marks:
            text = (
                "The kubelet asked for a new certificate, and did not get one: its request was not approved, or not authenticated."
            )
            yield Finding("not-renewed", text, proof(case, ("CertificateRequestFailed",)))


def _whose(event: Event, words: str) -> tuple[str, dict[str, str]]:
    """Whose certificate it is, as far as that is told."""
    if "bootstrap client certificate" in words:
        return _OWN, {"certificate": _OWN}
    if isinstance(event, TlsHandshakeFailed):
        key = _SERVED if words.startswith("remote error") else _CLIENTS
        return key, {"certificate": key}
    endpoint = getattr(event, "endpoint", None) or asked(words[:4000])
    if endpoint:
        return endpoint, {"endpoint": endpoint}
    if "verifying certificate" in words or words.startswith(("[x509", "x509")):
        return _CLIENTS, {"certificate": _CLIENTS}
    return "?", {}


def _marks(event: Event, words: str) -> dict[str, int]:
    """Until (or from) when it is valid, in seconds since 1970, and whether it is too early."""
    marks: dict[str, int] = {}
    found = _TIMES.search(words[:8000])
    limit = getattr(event, "expired_at", None)
    if found is not None:
        if found[2] == "before":
            marks["early"] = 1
        if limit is None or found[2] == "before":
            try:
                limit = datetime.fromisoformat(found[3].rstrip(",;"))
            except ValueError:
                limit = None
    if limit is not None and limit.tzinfo is not None:
        marks["limit_s"] = int(limit.timestamp())
    return marks


def _advice(case: Case, memory: Version, early: bool) -> Iterator[str]:
    if early:
        yield "Compare the clocks of both hosts with true time: `chronyc tracking`, `timedatectl`."
        return
    if case.key == _OWN:
        yield (
            "Look at it: `openssl x509 -noout -enddate -in /var/lib/kubelet/pki/kubelet-client-current.pem`. Once it has "
            "expired the "
            "kubelet cannot renew it by itself: join the node anew (`kubeadm join`), or give it a new kubeconfig with a "
            "bootstrap token."
        )
        yield (
            "So that it does not happen again: rotateCertificates: true, and see that its CertificateSigningRequests are approved."
        )
        return
    endpoint = case.subject.get("endpoint")
    if endpoint:
        yield f"Look at it: `openssl s_client -connect {endpoint} </dev/null | openssl x509 -noout -enddate -subject`."
    minor = memory.minor
    command = "kubeadm alpha certs" if minor is not None and 15 <= minor <= 19 else "kubeadm certs"
    if minor is None or minor >= 15:
        yield (
            f"Where kubeadm made it: `{command} check-expiration`, `{command} renew all`, then restart the control plane's "
            "static pods."
        )
    else:
        yield (
            "Renew it, and restart what serves it: this kubeadm has no command for that yet, make it by `kubeadm alpha phase "
            "certs`."
        )
    if case.key == _CLIENTS:
        yield "The handshake errors and the audit log name the clients by address: renew their kubeconfig."
