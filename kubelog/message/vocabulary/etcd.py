"""etcd, as the API server meets it: its connections (grpc), its errors, objects that cannot be read."""

from __future__ import annotations

from typing import Any

from kubelog.message.vocabulary.event import Event


class EtcdErrorReported(Event, frozen=True, gc=False, kw_only=True):
    """The API server could not reach etcd, or etcd answered with an error."""

    error: str | None = None


class GrpcConnectionFailed(Event, frozen=True, gc=False, kw_only=True):
    """A connection by grpc could not be made: of a container runtime, a plugin, a KMS, or an etcd at an unusual port."""

    endpoint: str | None = None
    error: str | None = None

    # Up to 1.22 it is the first of a structure: `{unix:///run/kms.sock  <nil> 0 <nil>}`.
    derived = frozenset(("endpoint",))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        endpoint = holes.get("endpoint")
        return {**holes, "endpoint": endpoint.lstrip("{")} if endpoint else holes


class EtcdCompacted(Event, frozen=True, gc=False, kw_only=True):
    """The API server had etcd forget the versions before `revision`: watches from older ones have to list again."""

    revision: int | None = None
    endpoint: str | None = None


class StorageObjectFailed(Event, frozen=True, gc=False, kw_only=True):
    """An object in etcd could not be read or deleted: broken data, or a key of encryption that is gone. Lists of it may fail."""

    key: str | None = None
    step: str | None = None
    error: str | None = None


class StorageConflictRetried(Event, frozen=True, gc=False, kw_only=True):
    """Two wrote the same object at once: the later write is tried again."""

    key: str | None = None
    step: str | None = None


class StorageMonitorStarted(Event, frozen=True, gc=False, kw_only=True):
    """The size of etcd's database is asked for regularly."""

    endpoint: str | None = None
    interval_s: float | None = None


class StorageMonitorFailed(Event, frozen=True, gc=False, kw_only=True):
    """What the server wanted to know of its storage (sizes, counts, features) could not be asked; its work goes on."""

    endpoint: str | None = None
    step: str | None = None
    error: str | None = None
