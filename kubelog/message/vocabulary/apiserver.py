"""The API server library (k8s.io/apiserver): its start and end, its certificates, who may ask it, admission, audit."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from kubelog.message.vocabulary.event import Event


class ServingStarted(Event, frozen=True, gc=False, kw_only=True):
    """A server listens: requests are answered from here on, and what it waits for at its start is told by its health checks."""

    endpoint: str | None = None
    protocol: str | None = None  # https, or http where it serves without TLS
    name: str | None = None  # of the server, where it has several


class ServingStopped(Event, frozen=True, gc=False, kw_only=True):
    """A server does not listen any more: connections to this address are refused from here on."""

    endpoint: str | None = None


class ApiServerShutdownReported(Event, frozen=True, gc=False, kw_only=True):
    """A step of an API server's graceful end; `step` is the name of the event, or what was done."""

    step: str | None = None
    error: str | None = None
    timeout_s: float | None = None

    # What is waited for, as Go prints a duration.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"timeout": "duration"})
    derived = frozenset(("timeout_s",))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return {**cls.plain(holes), "timeout_s": holes["timeout"]} if "timeout" in holes else holes


class ApiServerStartFailed(Event, frozen=True, gc=False, kw_only=True):
    """An API server could not start, or goes on without a part of what it was told to do; fatal where the severity is F."""

    step: str | None = None
    name: str | None = None
    path: str | None = None
    error: str | None = None


class ApiServerHookFailed(Event, frozen=True, gc=False, kw_only=True):
    """What an API server runs behind its start, or before its end, failed or was not registered: fatal at severity F."""

    hook: str | None = None
    step: str | None = None
    error: str | None = None


class ApiServerHookSkipped(Event, frozen=True, gc=False, kw_only=True):
    """A part of an API server is left out because it was switched off, or nobody asked for it."""

    hook: str | None = None


# How the names of loops begin that keep up a file or a config map, as holes are called that stand behind them.
_LOOPS: Mapping[str, str] = types.MappingProxyType(
    {
        "client_ca_bundle": "client-ca-bundle::", "client_ca": "client-ca::", "request_header": "request-header::",
        "serving_cert": "serving-cert::", "sni_cert": "sni-serving-cert::", "proxy_cert": "aggregator-proxy-cert::",
        "csr_cert": "csr-controller::",
    }
)  # fmt: skip
_LOOP_HOLES: Mapping[str, str] = types.MappingProxyType(dict.fromkeys(_LOOPS, "text"))


def _looped(holes: dict[str, Any]) -> dict[str, Any]:
    """Fields with the name of the loop as a whole."""
    fields = {name: value for name, value in holes.items() if name not in _LOOPS}
    for name, begin in _LOOPS.items():
        if name in holes:
            fields["controller"] = begin + holes[name]
    return fields


class ApiServerControllerStarted(Event, frozen=True, gc=False, kw_only=True):
    """A loop of an API server (or of a kubelet, whose server is of the same library) begins: `controller` says what it keeps up."""

    controller: str | None = None
    workers: int | None = None

    raw = _LOOP_HOLES
    derived = frozenset(("controller",))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _looped(holes)


class ApiServerControllerStopped(Event, frozen=True, gc=False, kw_only=True):
    """A loop of an API server ends, as all do at its shutdown."""

    controller: str | None = None

    raw = _LOOP_HOLES
    derived = frozenset(("controller",))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return _looped(holes)


class ApiGroupSkipped(Event, frozen=True, gc=False, kw_only=True):
    """An API is not served: all of its resources are switched off, or too old or too new for this release."""

    group: str | None = None
    version: str | None = None
    resource: str | None = None
    reason: str | None = None


class ApiGroupServed(Event, frozen=True, gc=False, kw_only=True):
    """An API is served, as discovery tells clients."""

    group: str | None = None
    version: str | None = None


class DiscoveryCompleted(Event, frozen=True, gc=False, kw_only=True):
    """All that a server serves is registered, and its discovery tells it: clients find every API from here on."""

    name: str | None = None


class StorageReadinessReported(Event, frozen=True, gc=False, kw_only=True):
    """Whether the storage of all resources is ready at the start; `resource` names what is waited for."""

    ready: bool | None = None
    resource: str | None = None


class OpenApiFailed(Event, frozen=True, gc=False, kw_only=True):
    """The OpenAPI description of an API, or its discovery document, could not be made: kubectl may not know its resources."""

    group: str | None = None
    step: str | None = None
    error: str | None = None


class ResourceStorageConfigured(Event, frozen=True, gc=False, kw_only=True):
    """How the objects of a resource are kept: their version in etcd, and the one that the server works with."""

    resource: str | None = None
    storage_version: str | None = None
    memory_version: str | None = None


class StorageVersionUpdated(Event, frozen=True, gc=False, kw_only=True):
    """An API server tells the cluster in which version it stores a resource; with `error`, it could not."""

    resource: str | None = None
    attempt: int | None = None
    error: str | None = None


class ResourceCountMonitored(Event, frozen=True, gc=False, kw_only=True):
    """The objects under a key of etcd are counted from now on, for the server's metrics."""

    resource: str | None = None
    path: str | None = None


class ApiServerFailed(Event, frozen=True, gc=False, kw_only=True):
    """Something in an API server's library went wrong that has no event of its own; `operation` says what it was about."""

    operation: str | None = None
    name: str | None = None
    error: str | None = None

    general: ClassVar[bool] = True


class PeerProxyFailed(Event, frozen=True, gc=False, kw_only=True):
    """An API server could not hand a request on to a peer that serves the resource, or does not know what its peers serve."""

    step: str | None = None
    resource: str | None = None
    server: str | None = None
    path: str | None = None
    error: str | None = None


class PeerProxied(Event, frozen=True, gc=False, kw_only=True):
    """A request goes to another API server, which serves what this one does not."""

    path: str | None = None
    source: str | None = None
    server: str | None = None


class AdmissionPluginsLoaded(Event, frozen=True, gc=False, kw_only=True):
    """The admission plugins that are on, in the order in which they see a request; `phase` is mutating or validating."""

    phase: str | None = None
    plugins: list[str] | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"order": "text"})
    derived = frozenset(("plugins",))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        order = holes.get("order") or ""
        return {**cls.plain(holes), "plugins": order.rstrip(".").split(",")} if order else cls.plain(holes)


class AdmissionPluginRegistered(Event, frozen=True, gc=False, kw_only=True):
    """An admission plugin that the server knows; whether it is on is told by the list of those that are loaded."""

    plugin: str | None = None


class AdmissionConfigurationReloaded(Event, frozen=True, gc=False, kw_only=True):
    """Admission policies or webhooks were read again, from the API or files; with `error`, that failed and the old ones stay."""

    plugin: str | None = None
    path: str | None = None
    step: str | None = None
    error: str | None = None


class AdmissionWebhookFailed(Event, frozen=True, gc=False, kw_only=True):
    """An admission webhook could not be asked. `policy` open: the request went on without it; closed: it was refused."""

    webhook: str | None = None
    policy: str | None = None
    error: str | None = None


class AdmissionWebhookDenied(Event, frozen=True, gc=False, kw_only=True):
    """An admission webhook refused a request."""

    webhook: str | None = None
    error: str | None = None


class AdmissionFailed(Event, frozen=True, gc=False, kw_only=True):
    """Admission could not judge a request, a policy or an object; `step` says at what."""

    step: str | None = None
    namespace: str | None = None
    policy: str | None = None
    resource: str | None = None
    error: str | None = None


class QuotaEvaluatorAdded(Event, frozen=True, gc=False, kw_only=True):
    """The first object of a resource was written: it is counted against quotas from now on."""

    resource: str | None = None


class QuotaEvaluationFailed(Event, frozen=True, gc=False, kw_only=True):
    """Whether a request fits into a resource quota could not be judged."""

    quota: str | None = None
    error: str | None = None


class AuditFailed(Event, frozen=True, gc=False, kw_only=True):
    """The audit log lacks an event, or a part of one; `step` says what failed."""

    step: str | None = None
    name: str | None = None  # of the backend or sink
    key: str | None = None  # of the annotation
    webhook: str | None = None
    policy: str | None = None
    audit_id: str | None = None
    error: str | None = None


class AuditConfigured(Event, frozen=True, gc=False, kw_only=True):
    """Where audit events go, and how many rules choose them; without a policy none are written."""

    name: str | None = None
    rules: int | None = None
    missing: str | None = None  # what is not given


class AuthConfigurationMissing(Event, frozen=True, gc=False, kw_only=True):
    """A server cannot judge some or all of who asks it: a setting, or what the cluster should tell, is missing or off."""

    missing: str | None = None
    configmap: str | None = None
    namespace: str | None = None
    error: str | None = None


class AuthBackendFailed(Event, frozen=True, gc=False, kw_only=True):
    """What an API server asks about users, an OIDC issuer or a webhook, does not answer: requests that depend on it are refused."""

    backend: str | None = None
    step: str | None = None
    issuer: str | None = None
    error: str | None = None


class TokenFileInvalid(Event, frozen=True, gc=False, kw_only=True):
    """A file of tokens or passwords has a record that is not used."""

    path: str | None = None
    record: int | None = None
    reason: str | None = None
    user: str | None = None


class RequestForbidden(Event, frozen=True, gc=False, kw_only=True):
    """A request was refused: its user may not do that; of whom it was is not told."""

    uri: str | None = None
    reason: str | None = None
    error: str | None = None


# `(2020-11-19 11:50:00 +0000 UTC to 2030-11-17 11:50:00 +0000 UTC (now=…))`
_VALID = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \+0000 UTC to (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \+0000 UTC", re.ASCII)
# The text of a hole has lost the quote that it begins with.
_SUBJECT = re.compile(r'"?([^"\[(]*)"')


class CertificateLoaded(Event, frozen=True, gc=False, kw_only=True):
    """A certificate, or a bundle of them, is in use from now on: when it ends is told by the lines about each certificate."""

    role: str | None = None  # serving, client-ca, sni, key-pair, ca-bundle, request-header
    name: str | None = None
    subject: str | None = None
    valid_from: datetime | None = None
    expires_at: datetime | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"detail": "text"})
    derived = frozenset(("subject", "valid_from", "expires_at"))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = cls.plain(holes)
        detail = holes.get("detail") or ""
        subject = _SUBJECT.match(detail)
        if subject is not None:
            fields["subject"] = subject[1]
        valid = _VALID.search(detail)
        if valid is not None:
            fields["valid_from"], fields["expires_at"] = (datetime.fromisoformat(f"{one}+00:00") for one in valid.groups())
        return fields


class CertificateLoadFailed(Event, frozen=True, gc=False, kw_only=True):
    """A certificate or a CA file could not be read, watched or made: what was loaded before stays in use."""

    name: str | None = None
    path: str | None = None
    step: str | None = None
    error: str | None = None


class CertificateGenerated(Event, frozen=True, gc=False, kw_only=True):
    """A server had no certificate and signed its own: clients that do not trust it fail. Without a path it is kept in memory."""

    path: str | None = None
    key_path: str | None = None


class InsecureTlsReported(Event, frozen=True, gc=False, kw_only=True):
    """A setting or a certificate is weaker than TLS should be."""

    cipher: str | None = None
    name: str | None = None
    error: str | None = None


class EncryptionFailed(Event, frozen=True, gc=False, kw_only=True):
    """Encryption at rest does not work: the KMS plugin cannot be reached, or the configuration cannot be read."""

    step: str | None = None
    endpoint: str | None = None
    path: str | None = None
    error: str | None = None


class EncryptionConfigured(Event, frozen=True, gc=False, kw_only=True):
    """Encryption at rest was set up, or its configuration or key changed."""

    step: str | None = None
    name: str | None = None
    endpoint: str | None = None
    version: str | None = None
