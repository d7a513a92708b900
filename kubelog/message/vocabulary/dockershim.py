"""The kubelet's own connection to Docker (up to 1.23)."""

from __future__ import annotations

from typing import ClassVar

from kubelog.message.vocabulary.event import Event


class DockershimStarted(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet's server for Docker, what it knows of Docker, and its settings."""

    step: str | None = None
    value: str | None = None


class DockershimFailed(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet's server for Docker could not do something: talk to Docker, find a container's log."""

    container_id: str | None = None
    path: str | None = None
    error: str | None = None


class DockershimSandboxFailed(Event, frozen=True, gc=False, kw_only=True):
    """A sandbox of Docker's could not be ended, or what is known of it is damaged."""

    sandbox_id: str | None = None
    error: str | None = None


class DockershimPullProgress(Event, frozen=True, gc=False, kw_only=True):
    """How far the pull of an image is, and how it ended."""

    image: str | None = None
    progress: str | None = None


class DockershimPullCancelled(Event, frozen=True, gc=False, kw_only=True):
    """The pull of an image made no progress for so long and was given up."""

    image: str | None = None
    limit_s: float | None = None
    progress: str | None = None


class DockershimLegacyNoted(Event, frozen=True, gc=False, kw_only=True):
    """What the kubelet remarks of containers of older releases, of Windows, and of what is not built in."""

    general: ClassVar[bool] = True

    error: str | None = None
