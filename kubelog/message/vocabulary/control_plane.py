"""kube-apiserver's own controllers: services and their addresses, roles, namespaces, its lease."""

from __future__ import annotations

from kubelog.message.vocabulary.event import Event


class RbacObjectReconciled(Event, frozen=True, gc=False, kw_only=True):
    """A role or binding that the API server needs was made or brought up to date at its start."""

    object: str | None = None
    namespace: str | None = None


class RbacReconcileFailed(Event, frozen=True, gc=False, kw_only=True):
    """A role or binding that the API server needs could not be made: components may be denied what they need.

    After a first start it is tried again until etcd is ready.
    """

    object: str | None = None
    namespace: str | None = None
    error: str | None = None


class PriorityClassCreated(Event, frozen=True, gc=False, kw_only=True):
    """A priority class of the system was made, or all are there."""

    name: str | None = None
    value: int | None = None


class KubernetesServiceReset(Event, frozen=True, gc=False, kw_only=True):
    """The endpoints of the service `kubernetes` are set to the API servers that are there: an API server came, or went."""

    service: str | None = None
    addresses: str | None = None


class KubernetesServiceFailed(Event, frozen=True, gc=False, kw_only=True):
    """The endpoints of the service `kubernetes` could not be set or removed: pods may be sent to an API server that is gone."""

    error: str | None = None


class ServiceCidrConfigured(Event, frozen=True, gc=False, kw_only=True):
    """The range of addresses for Services was set up, or the API server's own address in it."""

    cidr: str | None = None
    step: str | None = None


class ServiceCidrFailed(Event, frozen=True, gc=False, kw_only=True):
    """The range of addresses for Services could not be set up."""

    cidr: str | None = None
    error: str | None = None


class ServiceAddressAllocated(Event, frozen=True, gc=False, kw_only=True):
    """A Service got its cluster IPs or node port."""

    service: str | None = None
    addresses: str | None = None
    port: int | None = None


class ServiceAddressInvalid(Event, frozen=True, gc=False, kw_only=True):
    """A Service's cluster IP or node port is not as it was allocated, and is repaired, or must be made anew by someone."""

    service: str | None = None
    address: str | None = None
    port: int | None = None
    problem: str | None = None


class ServiceAddressLeaked(Event, frozen=True, gc=False, kw_only=True):
    """An address or node port is held by no Service any more, and is given back."""

    address: str | None = None
    port: int | None = None
    service: str | None = None


class ServiceAddressFailed(Event, frozen=True, gc=False, kw_only=True):
    """Cluster IPs or node ports could not be allocated, released or checked."""

    service: str | None = None
    error: str | None = None


class SystemNamespaceFailed(Event, frozen=True, gc=False, kw_only=True):
    """A namespace of the system could not be made."""

    namespace: str | None = None
    error: str | None = None


class ApiServerLeaseNoted(Event, frozen=True, gc=False, kw_only=True):
    """The leases by which API servers know one another: looked at, removed, or not to be had."""

    lease: str | None = None
    error: str | None = None


class ApiServerHostChosen(Event, frozen=True, gc=False, kw_only=True):
    """Which address the API server tells others to use."""

    address: str | None = None


class ApiServerOptionNoted(Event, frozen=True, gc=False, kw_only=True):
    """How the API server is set up, as it says at its start."""

    option: str | None = None
    value: str | None = None


class CommandFailed(Event, frozen=True, gc=False, kw_only=True):
    """A component's command ended with this error: kube-apiserver's, or another's."""

    error: str | None = None


class ApiServerOptionWarned(Event, frozen=True, gc=False, kw_only=True):
    """An option, or its default, is deprecated, unsafe, or not what it seems."""

    option: str | None = None
    error: str | None = None


class AuthenticationConfigFailed(Event, frozen=True, gc=False, kw_only=True):
    """The API server's configuration of authentication, authorization or OIDC could not be read, and the old one stays; or its
    keys could not.
    """

    error: str | None = None


class ServiceAccountKeysFailed(Event, frozen=True, gc=False, kw_only=True):
    """The keys of service accounts' tokens, or what is published of them, could not be had."""

    error: str | None = None


class LegacyTokenTracked(Event, frozen=True, gc=False, kw_only=True):
    """The use of an old service account token is tracked, or could not be."""

    object: str | None = None
    error: str | None = None


class TunnelFailed(Event, frozen=True, gc=False, kw_only=True):
    """An SSH tunnel to the nodes does not work (up to 1.21)."""

    error: str | None = None


class FlowControlEnsured(Event, frozen=True, gc=False, kw_only=True):
    """A flow schema or priority level that is suggested or mandatory was made."""

    object: str | None = None
    mandatory: bool | None = None


class FlowControlEnsureFailed(Event, frozen=True, gc=False, kw_only=True):
    """The flow schemas and priority levels of the system could not be made, or their keeper ends."""

    error: str | None = None


class AdmissionObjectRejected(Event, frozen=True, gc=False, kw_only=True):
    """An admission plugin could not judge, or remarks upon, an object."""

    object: str | None = None
    error: str | None = None


class KubeApiServerFailed(Event, frozen=True, gc=False, kw_only=True):
    """kube-apiserver ends, as this could not be set up or was given wrongly."""

    error: str | None = None
