"""cAdvisor, which measures containers and the machine inside the kubelet."""

from __future__ import annotations

from typing import ClassVar

from kubelog.message.vocabulary.event import Event


class CadvisorStarted(Event, frozen=True, gc=False, kw_only=True):
    """cAdvisor begins to look for containers, and for processes that the kernel kills."""

    step: str | None = None


class CadvisorFactoryRegistered(Event, frozen=True, gc=False, kw_only=True):
    """cAdvisor can measure containers of this kind."""

    factory: str | None = None


class CadvisorFactoryFailed(Event, frozen=True, gc=False, kw_only=True):
    """cAdvisor cannot measure containers of this kind: mostly as that runtime is not there."""

    factory: str | None = None
    error: str | None = None


class CadvisorContainerHandled(Event, frozen=True, gc=False, kw_only=True):
    """Which kind of container cAdvisor takes a cgroup for."""

    factory: str | None = None
    cgroup: str | None = None
    handled: bool | None = None


class CadvisorContainerAdded(Event, frozen=True, gc=False, kw_only=True):
    """cAdvisor measures a cgroup from now on."""

    cgroup: str | None = None
    aliases: str | None = None
    namespace: str | None = None


class CadvisorContainerFailed(Event, frozen=True, gc=False, kw_only=True):
    """The measures of one container could not be taken: mostly as it has just gone."""

    cgroup: str | None = None
    error: str | None = None


class CadvisorWatchFailed(Event, frozen=True, gc=False, kw_only=True):
    """cAdvisor could not follow a cgroup that came or went.

    Many of these: the limit of inotify watches is reached (fs.inotify.max_user_watches).
    """

    path: str | None = None
    error: str | None = None


class CadvisorMachineReported(Event, frozen=True, gc=False, kw_only=True):
    """What machine, filesystems and disks cAdvisor found."""

    subject: str | None = None
    value: str | None = None


class CadvisorMachineFailed(Event, frozen=True, gc=False, kw_only=True):
    """A fact about the machine could not be found out: CPUs, memory, disks, topology."""

    subject: str | None = None
    error: str | None = None


class CadvisorNoted(Event, frozen=True, gc=False, kw_only=True):
    """A remark of cAdvisor."""

    general: ClassVar[bool] = True

    subject: str | None = None
    value: str | None = None
    error: str | None = None


class CredentialProviderNoted(Event, frozen=True, gc=False, kw_only=True):
    """Credentials for image registries: which providers there are, and what failed."""

    provider: str | None = None
    error: str | None = None


class CadvisorOomObserved(Event, frozen=True, gc=False, kw_only=True):
    """cAdvisor heard of a process that the kernel killed."""

    cgroup: str | None = None
    killed_at: str | None = None
