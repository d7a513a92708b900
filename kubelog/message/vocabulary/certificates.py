"""Certificates of a component: bootstrap, rotation, expiry."""

from __future__ import annotations

from kubelog.message.vocabulary.event import Event


class BootstrapStarted(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet has no certificate yet, and asks for one with its bootstrap token."""


class BootstrapSkipped(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet has a kubeconfig or certificate that is valid: no bootstrap is needed."""

    path: str | None = None


class BootstrapFailed(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet's bootstrap, or what it needs for it, failed: it cannot reach the API server as itself."""

    path: str | None = None
    error: str | None = None


class CertificateRotationStarted(Event, frozen=True, gc=False, kw_only=True):
    """Certificates are renewed before they expire; or rotation is switched on."""

    signer: str | None = None


class CertificateRotationPlanned(Event, frozen=True, gc=False, kw_only=True):
    """When the certificate expires, and when it will be renewed."""

    signer: str | None = None
    expires_at: str | None = None
    deadline_at: str | None = None
    wait_s: float | None = None


class CertificateRotationDisabled(Event, frozen=True, gc=False, kw_only=True):
    """Certificates are not renewed: they expire."""

    signer: str | None = None


class CertificateMismatchFound(Event, frozen=True, gc=False, kw_only=True):
    """The certificate is not what is configured (name, addresses, organizations), so a new one is asked for."""

    signer: str | None = None
    field: str | None = None
    current: str | None = None
    requested: str | None = None


class CertificateRequestFailed(Event, frozen=True, gc=False, kw_only=True):
    """A new certificate could not be asked for, signed or stored.

    Nobody approves the CertificateSigningRequest, or its approver is down; the old one expires.
    """

    signer: str | None = None
    error: str | None = None


class CertificateRequestApproved(Event, frozen=True, gc=False, kw_only=True):
    """A request for a certificate is approved: the signer has not made the certificate yet.

    Where no `CertificateIssued` follows, the signer (kube-controller-manager, mostly) does not work.
    """

    request: str | None = None


class CertificateIssued(Event, frozen=True, gc=False, kw_only=True):
    """A certificate that was asked for is there: it is used within moments."""

    request: str | None = None


class ClientCertificateMissing(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet has had no valid client certificate for five minutes: it ends, or waits for the API server."""

    since: str | None = None
    error: str | None = None


class ClientCertificateRotated(Event, frozen=True, gc=False, kw_only=True):
    """A new client certificate is used: connections are closed and made anew."""
