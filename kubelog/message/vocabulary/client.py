"""client-go: what every component says as a client of the API server."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, ClassVar

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event


class ReflectorStarted(Event, frozen=True, gc=False, kw_only=True):
    """A client begins to watch objects of a kind."""

    type: str | None = None
    reflector: str | None = None
    resync_s: float | None = None


class ReflectorListing(Event, frozen=True, gc=False, kw_only=True):
    """A client lists objects of a kind, to watch them from there on."""

    type: str | None = None
    reflector: str | None = None


class ReflectorStopped(Event, frozen=True, gc=False, kw_only=True):
    """A client watches objects of a kind no more: nobody needs them."""

    type: str | None = None
    reflector: str | None = None


class ReflectorResynced(Event, frozen=True, gc=False, kw_only=True):
    """A client looks at all objects that it knows again."""

    reflector: str | None = None


class ReflectorWatchEnded(Event, frozen=True, gc=False, kw_only=True):
    """A watch ended and is made again. `too old resource version` or a timeout is usual; nothing is lost."""

    type: str | None = None
    reflector: str | None = None
    error: str | None = None


class ReflectorObjectFailed(Event, frozen=True, gc=False, kw_only=True):
    """An object of a watch could not be understood or kept."""

    general: ClassVar[bool] = True

    type: str | None = None
    reflector: str | None = None
    error: str | None = None


class CachesSynced(Event, frozen=True, gc=False, kw_only=True):
    """A controller waits for its caches, or they are filled."""

    controller: str | None = None
    synced: bool | None = None


class CachesSyncFailed(Event, frozen=True, gc=False, kw_only=True):
    """A controller's caches were not filled in time: it does not work."""

    controller: str | None = None
    error: str | None = None


class InformerResyncChanged(Event, frozen=True, gc=False, kw_only=True):
    """The interval in which an informer looks at all objects is not what was asked for."""

    error: str | None = None


class LeaderElectionAttempted(Event, frozen=True, gc=False, kw_only=True):
    """This component tries to become the leader; others of its kind wait."""

    lease: str | None = None


class LeaderElected(Event, frozen=True, gc=False, kw_only=True):
    """This component, or another, became the leader."""

    lease: str | None = None
    holder: str | None = None


class LeaderElectionLost(Event, frozen=True, gc=False, kw_only=True):
    """This component is no longer the leader: it ends, and another takes over."""

    lease: str | None = None
    error: str | None = None


class LeaderElectionFailed(Event, frozen=True, gc=False, kw_only=True):
    """The lease of the leader could not be read, renewed or released."""

    lease: str | None = None
    error: str | None = None


class EventRejected(Event, frozen=True, gc=False, kw_only=True):
    """The API server did not take an event, or it could not be made: `kubectl get events` lacks it."""

    error: str | None = None
    event: str | None = None


class ClientThrottled(Event, frozen=True, gc=False, kw_only=True):
    """A request waited, as this client sends more than its own limit allows (--kube-api-qps): not the API server's doing."""

    waited_s: float | None = None
    verb: str | None = None
    url: str | None = None


class ClientRequestFailed(Event, frozen=True, gc=False, kw_only=True):
    """A client's request or stream broke off, or what came could not be read."""

    error: str | None = None


class ClientConfigured(Event, frozen=True, gc=False, kw_only=True):
    """How a client is set up: its credentials, HTTP/2, its feature gates."""

    general: ClassVar[bool] = True

    error: str | None = None


class GrpcClientNoted(Event, frozen=True, gc=False, kw_only=True):
    """How a gRPC connection (to etcd, a container runtime, a plugin) is made or ended; connections that fail are events of their
    own.
    """

    target: str | None = None
    state: str | None = None
    error: str | None = None


class WatchRetryFailed(Event, frozen=True, gc=False, kw_only=True):
    """A watch that makes itself anew could not go on."""

    error: str | None = None


class UnhandledErrorReported(Event, frozen=True, gc=False, kw_only=True):
    """An error that its caller could only log ("Unhandled Error"), with nothing more exact known of it."""

    general: ClassVar[bool] = True

    error: str | None = None


class NodeInfoFailed(Event, frozen=True, gc=False, kw_only=True):
    """A component could not find its own node."""

    error: str | None = None


class HostInterfaceExamined(Event, frozen=True, gc=False, kw_only=True):
    """How a component finds its host's address: the default route, its interface, the interface's addresses."""

    interface: str | None = None
    address: str | None = None
    step: str | None = None


class OomScoreAdjusted(Event, frozen=True, gc=False, kw_only=True):
    """A process's oom_score_adj was set, which decides how soon the kernel kills it."""

    path: str | None = None
    value: str | None = None
    error: str | None = None


class EventRecorded(Event, frozen=True, gc=False, kw_only=True):
    """What a component tells the API server of an object, as its own log repeats it: `kubectl get events` shows the same."""

    object: str | None = None  # Pod/web-0
    namespace: str | None = None
    pod: PodRef | None = None  # where it is about a pod
    type: str | None = None  # Normal or Warning
    reason: str | None = None
    message: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType(dict.fromkeys(("kind_of", "object_namespace", "object_name"), "text"))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name not in cls.raw}
        namespace, name = holes.get("object_namespace"), holes.get("object_name")
        if name is None:
            # A structured line names it as `namespace/name`, or a node by its name alone.
            namespace, _, name = (holes.get("object") or "").rpartition("/")
        kind = holes.get("kind_of")
        fields |= {"object": f"{kind}/{name}" if kind else name or None, "namespace": namespace or None}
        if kind == "Pod":
            fields["pod"] = PodRef(namespace or None, name)
        return fields


class ClientTraced(Event, frozen=True, gc=False, kw_only=True):
    """A request and its answer as a client logs them at v=6 and above."""

    verb: str | None = None
    url: str | None = None
    status: str | None = None
    took_s: float | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"took": "float"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in holes.items() if name != "took"}
        return fields | ({"took_s": holes["took"] / 1000} if holes.get("took") is not None else {})
