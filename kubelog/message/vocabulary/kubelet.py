"""The kubelet as a process and a server: start, servers, sources of pods, plugins, shutdown."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, ClassVar

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event


class KubeletStarted(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet runs: its parts begin to work. `once` where it only starts what is configured and ends (runonce)."""

    once: bool | None = None
    version: str | None = None


class KubeletSettingNoted(Event, frozen=True, gc=False, kw_only=True):
    """A setting or a flag that the kubelet remarks upon at its start."""

    general: ClassVar[bool] = True

    name: str | None = None
    value: str | None = None
    error: str | None = None


class FeatureGateWarned(Event, frozen=True, gc=False, kw_only=True):
    """A feature gate is set that will not be there in a later release: the kubelet of that release will not start with it."""

    gate: str | None = None
    value: bool | None = None


class KubeletEnvironmentWarned(Event, frozen=True, gc=False, kw_only=True):
    """Something on the host is not as the kubelet wants it: permissions, limits, lock files. It goes on, with less."""

    subject: str | None = None
    error: str | None = None


class KubeletListening(Event, frozen=True, gc=False, kw_only=True):
    """A server of the kubelet is up: its API, the read-only port, healthz or podresources."""

    address: str | None = None
    port: int | None = None
    server: str | None = None


class KubeletServerFailed(Event, frozen=True, gc=False, kw_only=True):
    """A server of the kubelet does not work: its API, healthz, podresources. What asks there gets no answer."""

    server: str | None = None
    error: str | None = None


class KubeletRequestDenied(Event, frozen=True, gc=False, kw_only=True):
    """Someone asked the kubelet's API for what they may not, or the question whether they may got no answer."""

    user: str | None = None
    verb: str | None = None
    resource: str | None = None
    subresource: str | None = None
    error: str | None = None


class KubeletRequestFailed(Event, frozen=True, gc=False, kw_only=True):
    """A request to the kubelet's API failed."""

    general: ClassVar[bool] = True

    request: str | None = None
    error: str | None = None


class KubeletStreamFailed(Event, frozen=True, gc=False, kw_only=True):
    """A stream through the kubelet (exec, attach, port-forward) failed."""

    pod: PodRef | None = None
    port: int | None = None
    error: str | None = None


class ApiClientMissing(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet has no client for the API server: it runs alone, without reporting anything."""

    error: str | None = None


class CloudProviderChosen(Event, frozen=True, gc=False, kw_only=True):
    """Which cloud provider the kubelet uses."""

    provider: str | None = None
    config_file: str | None = None


class StaticPodSourceWatched(Event, frozen=True, gc=False, kw_only=True):
    """Where the kubelet looks for static pods: a directory, a file or a URL."""

    path: str | None = None
    url: str | None = None


class StaticPodSourceFailed(Event, frozen=True, gc=False, kw_only=True):
    """A manifest of static pods, or where they are, could not be read: static pods as those of the control plane are not started
    or changed.
    """

    path: str | None = None
    error: str | None = None


class StaticPodManaged(Event, frozen=True, gc=False, kw_only=True):
    """Whether a static pod is managed by a workload pinning annotation (OpenShift)."""

    name: str | None = None
    namespace: str | None = None
    managed: bool | None = None
    error: str | None = None


class PodSourceInvalid(Event, frozen=True, gc=False, kw_only=True):
    """A pod of a source was ignored, as its specification is wrong or its name is taken."""

    pod: PodRef | None = None
    source: str | None = None
    error: str | None = None


class PodRunOnce(Event, frozen=True, gc=False, kw_only=True):
    """What a kubelet that runs once does with a pod (`--runonce`, up to 1.31)."""

    pod: PodRef | None = None
    container: str | None = None
    count: int | None = None
    error: str | None = None


class DynamicConfigNoted(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet's configuration by a ConfigMap (dynamic configuration, up to 1.26)."""

    general: ClassVar[bool] = True

    path: str | None = None
    reason: str | None = None
    error: str | None = None


class PluginRegistrationStarted(Event, frozen=True, gc=False, kw_only=True):
    """A plugin's socket was seen and its registration begins, or ends."""

    plugin: str | None = None
    path: str | None = None


class PluginRegistrationFailed(Event, frozen=True, gc=False, kw_only=True):
    """A plugin (CSI, device, DRA) could not be registered: what it offers is not there."""

    plugin: str | None = None
    path: str | None = None
    error: str | None = None


class PluginManagerStarted(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet looks for plugins' sockets."""

    path: str | None = None


class PluginManagerStopped(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet ends, and looks for plugins no more."""


class NodeShutdownStarted(Event, frozen=True, gc=False, kw_only=True):
    """The host shuts down and the kubelet ends its pods in order (graceful node shutdown)."""

    event: str | None = None
    active: bool | None = None


class NodeShutdownCompleted(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet is through with ending its pods; the host goes down."""

    stage: str | None = None


class NodeShutdownManagerNoted(Event, frozen=True, gc=False, kw_only=True):
    """Whether and how the kubelet watches for the host's shutdown."""

    error: str | None = None
    requested_s: float | None = None
    critical_s: float | None = None


class WatchdogNoted(Event, frozen=True, gc=False, kw_only=True):
    """Whether the kubelet answers systemd's watchdog, and why it did not."""

    interval_s: float | None = None
    error: str | None = None


class OomWatchEnded(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet hears no more of processes that the kernel kills for memory: SystemOOM events stop."""

    error: str | None = None


class ServiceAccountTokenFailed(Event, frozen=True, gc=False, kw_only=True):
    """A service account's token for a pod could not be renewed."""

    key: str | None = None
    error: str | None = None


class LeaseNoted(Event, frozen=True, gc=False, kw_only=True):
    """A lease of the node, or of an API server, is made anew, deleted, or cannot be."""

    lease: str | None = None
    error: str | None = None


class NodeShutdownPodKilled(Event, frozen=True, gc=False, kw_only=True):
    """A pod is ended as the host shuts down; with an error where that failed. `done` is whether it is ended."""

    pod: PodRef | None = None
    grace_s: float | None = None
    priority: int | None = None
    done: bool | None = None
    error: str | None = None

    # A bare number of seconds.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"grace": "float"})

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in holes.items() if name != "grace"} | {"grace_s": holes.get("grace")}
