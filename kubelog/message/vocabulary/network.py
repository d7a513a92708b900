"""The node's network for pods: CNI and kubenet, iptables, host ports, DNS."""

from __future__ import annotations

from typing import ClassVar

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.event import Event


class CniConfigFailed(Event, frozen=True, gc=False, kw_only=True):
    """No network configuration could be read: as long as that is so, pods get no network and the node is not ready.

    After a boot usual until the network plugin has written its file.
    """

    path: str | None = None
    error: str | None = None


class CniNetworkFailed(Event, frozen=True, gc=False, kw_only=True):
    """A network plugin could not connect a sandbox with the network, or take it off again: the pod's sandbox is not started, or
    hangs in Terminating.
    """

    pod: PodRef | None = None
    sandbox_id: str | None = None
    network: str | None = None
    operation: str | None = None
    error: str | None = None


class CniPluginLoaded(Event, frozen=True, gc=False, kw_only=True):
    """Which network plugin the kubelet uses itself (up to 1.23), or that it calls it for a pod."""

    plugin: str | None = None
    pod: PodRef | None = None


class CniNamespaceMissing(Event, frozen=True, gc=False, kw_only=True):
    """The network namespace of a sandbox is gone already, as after a reboot."""

    error: str | None = None


class SysctlSetFailed(Event, frozen=True, gc=False, kw_only=True):
    """A setting of the kernel could not be set: for bridge-nf-call-iptables the module br_netfilter is not loaded, and Services
    do not work for pods.
    """

    name: str | None = None
    error: str | None = None


class KubenetFailed(Event, frozen=True, gc=False, kw_only=True):
    """kubenet (up to 1.23) could not set up its bridge, or rules for it."""

    interface: str | None = None
    error: str | None = None


class HairpinModeSet(Event, frozen=True, gc=False, kw_only=True):
    """Whether a pod reaches itself through its Service, and by which means."""

    mode: str | None = None
    requested: str | None = None


class IptablesRuleFailed(Event, frozen=True, gc=False, kw_only=True):
    """A rule or chain of iptables that the kubelet wants could not be made: another program holds the lock, or iptables is not
    there.
    """

    chain: str | None = None
    table: str | None = None
    error: str | None = None


class IptablesInitialized(Event, frozen=True, gc=False, kw_only=True):
    """The kubelet made its iptables rules for IPv4 or IPv6, or could not."""

    protocol: str | None = None
    initialized: bool | None = None


class IptablesNoted(Event, frozen=True, gc=False, kw_only=True):
    """iptables' version, its lock, and what others did to the rules."""

    general: ClassVar[bool] = True

    error: str | None = None
    table: str | None = None


class HostPortFailed(Event, frozen=True, gc=False, kw_only=True):
    """A port of the host for a pod could not be opened or closed."""

    pod: PodRef | None = None
    port: str | None = None
    error: str | None = None


class ConntrackMissing(Event, frozen=True, gc=False, kw_only=True):
    """The program conntrack is not installed: old connections are not cleaned up, UDP to Services may go nowhere."""


class DnsLimitsExceeded(Event, frozen=True, gc=False, kw_only=True):
    """The pods' resolv.conf would have too many name servers or search domains: the rest is left out. Names may not resolve."""

    kept: str | None = None
    error: str | None = None


class DnsConfigFailed(Event, frozen=True, gc=False, kw_only=True):
    """The resolv.conf for pods could not be read or written."""

    pod: PodRef | None = None
    path: str | None = None
    error: str | None = None


class SysctlUnavailable(Event, frozen=True, gc=False, kw_only=True):
    """A safe sysctl is not offered, as the kernel is too old."""

    sysctl: str | None = None
    version: str | None = None
    error: str | None = None


class SwapNoted(Event, frozen=True, gc=False, kw_only=True):
    """Whether the host swaps, and whether tmpfs can be kept out of swap."""

    path: str | None = None
    error: str | None = None
