"""Images: pulled, collected, missing."""

from __future__ import annotations

import re
from typing import Any

from kubelog.message.vocabulary.event import Event


class ImageGcStarted(Event, frozen=True, gc=False, kw_only=True):
    """The image filesystem is fuller than the high threshold: unused images are removed."""

    usage_percent: int | None = None
    threshold_percent: int | None = None
    wanted_bytes: int | None = None


class ImageGcSucceeded(Event, frozen=True, gc=False, kw_only=True):
    """Unused images were removed, or there was no need to."""


class ImageGcDisabled(Event, frozen=True, gc=False, kw_only=True):
    """Images are never removed to free the disk: the high threshold is 100 %."""


class ImageRemoved(Event, frozen=True, gc=False, kw_only=True):
    """An unused image is removed to free the disk."""

    image: str | None = None
    freed_bytes: int | None = None


class ImageListFailed(Event, frozen=True, gc=False, kw_only=True):
    """The runtime could not be asked for its images, or their filesystem: image GC and eviction of imagefs do not work."""

    error: str | None = None


class ImageStatusFailed(Event, frozen=True, gc=False, kw_only=True):
    """The runtime could not say whether an image is there."""

    image: str | None = None
    error: str | None = None


class ImageRemovalFailed(Event, frozen=True, gc=False, kw_only=True):
    """An image could not be removed: it is in use, or the runtime failed."""

    image: str | None = None
    error: str | None = None


class ImagePullRecordFailed(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet's record of who may use which pulled image could not be read or written (1.33 on)."""

    image: str | None = None
    error: str | None = None


class RegistryCredentialsFailed(Event, frozen=True, gc=False, kw_only=True):
    """Credentials for an image registry could not be had: images of it cannot be pulled, unless they are public."""

    provider: str | None = None
    error: str | None = None


_FREED = re.compile(r"(?:[Ww]anted|[Aa]ttempted) to free (\d{1,18}) bytes, but (?:only found|freed|only freed) (\d{1,18})")


class ImageGcFailed(Event, frozen=True, gc=False, kw_only=True):
    """Not enough images could be removed: all that are left are in use, or the runtime did not answer. The disk fills up."""

    wanted_bytes: int | None = None
    freed_bytes: int | None = None
    error: str | None = None

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        found = _FREED.search(holes.get("error") or "")
        return holes | ({"wanted_bytes": int(found[1]), "freed_bytes": int(found[2])} if found else {})
