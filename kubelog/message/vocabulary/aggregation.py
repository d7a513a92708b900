"""Custom resources and aggregated APIs."""

from __future__ import annotations

from kubelog.message.vocabulary.event import Event


class ApiServiceHandled(Event, frozen=True, gc=False, kw_only=True):
    """An aggregated API (APIService) is looked at anew: it was added, changed or removed."""

    name: str | None = None
    operation: str | None = None


class ApiServiceFailed(Event, frozen=True, gc=False, kw_only=True):
    """An aggregated API could not be worked on; requests to it answer 503."""

    name: str | None = None
    error: str | None = None


class CustomResourceControllerFailed(Event, frozen=True, gc=False, kw_only=True):
    """Something of a custom resource definition could not be worked on."""

    name: str | None = None
    error: str | None = None


class CustomResourceSynced(Event, frozen=True, gc=False, kw_only=True):
    """The API server waits for its custom resource definitions, or knows them all."""

    waiting: bool | None = None


class OpenApiBuilt(Event, frozen=True, gc=False, kw_only=True):
    """The API's description was built, or a part of it is worked on."""

    item: str | None = None
    took_s: float | None = None


class OpenApiAggregationSlow(Event, frozen=True, gc=False, kw_only=True):
    """Putting an API's description into the whole took long: kubectl's first requests wait for it."""

    name: str | None = None
    took_s: float | None = None


class OpenApiAggregationFailed(Event, frozen=True, gc=False, kw_only=True):
    """An API's description could not be put into the whole: `kubectl explain` and validation do not know it."""

    name: str | None = None
    error: str | None = None
