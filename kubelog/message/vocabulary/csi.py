"""The kubelet's client for CSI drivers."""

from __future__ import annotations

from typing import ClassVar

from kubelog.message.vocabulary.event import Event


class CsiDriverRegistered(Event, frozen=True, gc=False, kw_only=True):
    """A CSI driver offers itself to the kubelet (it is tried), or has been taken (it is registered)."""

    driver: str | None = None
    endpoint: str | None = None
    versions: str | None = None


class CsiDriverFailed(Event, frozen=True, gc=False, kw_only=True):
    """A CSI driver could not be registered, or the node's CSINode object not be written: volumes of the driver cannot be
    mounted.
    """

    driver: str | None = None
    error: str | None = None


class CsiAttachFailed(Event, frozen=True, gc=False, kw_only=True):
    """A volume was not attached to the node: its attacher does not answer, or its cloud refuses."""

    volume: str | None = None
    attachment: str | None = None
    error: str | None = None


class CsiDetachFailed(Event, frozen=True, gc=False, kw_only=True):
    """A volume could not be detached from the node: it cannot be attached elsewhere until it is."""

    volume: str | None = None
    attachment: str | None = None
    error: str | None = None


class CsiStageFailed(Event, frozen=True, gc=False, kw_only=True):
    """A CSI volume could not be mounted on the node (NodeStage), before a pod gets it."""

    path: str | None = None
    attachment: str | None = None
    error: str | None = None


class CsiUnstageFailed(Event, frozen=True, gc=False, kw_only=True):
    """A CSI volume could not be unmounted from the node (NodeUnstage)."""

    path: str | None = None
    error: str | None = None


class CsiPublishFailed(Event, frozen=True, gc=False, kw_only=True):
    """A CSI volume could not be mounted into a pod (NodePublish)."""

    path: str | None = None
    attachment: str | None = None
    error: str | None = None


class CsiUnpublishFailed(Event, frozen=True, gc=False, kw_only=True):
    """A CSI volume could not be unmounted from a pod (NodeUnpublish): the pod hangs in Terminating."""

    path: str | None = None
    error: str | None = None


class CsiBlockFailed(Event, frozen=True, gc=False, kw_only=True):
    """A CSI block device could not be prepared for, or taken from, a pod."""

    path: str | None = None
    attachment: str | None = None
    error: str | None = None
    operation: str | None = None


class CsiMountCorrupted(Event, frozen=True, gc=False, kw_only=True):
    """A mount of a CSI volume is broken, as its driver ended: it is mounted anew."""

    path: str | None = None


class CsiDataFailed(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet's own file about a CSI volume, or its directory, could not be written, read or removed."""

    path: str | None = None
    error: str | None = None


class CsiOperationFailed(Event, frozen=True, gc=False, kw_only=True):
    """Something else of the CSI client failed."""

    general: ClassVar[bool] = True

    driver: str | None = None
    error: str | None = None
