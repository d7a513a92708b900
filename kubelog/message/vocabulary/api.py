"""The API server, as its clients meet it and as it speaks of itself."""

from __future__ import annotations

from datetime import datetime

from kubelog.message.vocabulary.event import Event


class ApiConnectionFailed(Event, frozen=True, gc=False, kw_only=True):
    """A request to the API server did not get through; `endpoint` is the host and port that were tried."""

    endpoint: str | None = None
    error: str | None = None


class NodeStatusUpdateFailed(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet could not update its node's status."""

    error: str | None = None


class NodeNotFound(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet does not know its own node: it has not heard of it from the API server."""

    node: str | None = None


class LeaseUpdateFailed(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet could not renew its node's lease."""

    error: str | None = None


class AnonymousDenied(Event, frozen=True, gc=False, kw_only=True):
    """A request of nobody in particular was refused."""

    user: str | None = None
    verb: str | None = None
    resource: str | None = None


class AuthenticationFailed(Event, frozen=True, gc=False, kw_only=True):
    """The API server does not know who made a request."""

    error: str | None = None


class TlsHandshakeFailed(Event, frozen=True, gc=False, kw_only=True):
    """A TLS connection was not made."""

    peer: str | None = None
    error: str | None = None


class ProtocolMismatchSeen(Event, frozen=True, gc=False, kw_only=True):
    """One side speaks TLS, the other plain HTTP: an HTTP client on a TLS port, or the other way round."""

    error: str | None = None
    endpoint: str | None = None


class HealthCheckFailed(Event, frozen=True, gc=False, kw_only=True):
    """A health check of the API server failed."""

    check: str | None = None
    error: str | None = None


class CertificateExpiryReported(Event, frozen=True, gc=False, kw_only=True):
    """A certificate has expired, or is not valid yet."""

    error: str | None = None
    expired_at: datetime | None = None
