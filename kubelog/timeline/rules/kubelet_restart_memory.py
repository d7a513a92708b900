"""What KubeletRestartLoop remembers of a node: how the kubelet's runs began and ended, and what was said of their ends."""

from __future__ import annotations

from typing import Final

import msgspec

from kubelog.message.vocabulary.host import UnitExited
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Evidence
from kubelog.timeline.kubelet import Kubelet

# What an error holds, in small letters → its class. The first that holds decides: what is more exact stands before.
_CLASSES: Final = (
    ("swap on is not supported", "swap"),
    ("cgroup driver", "cgroup-driver"),
    ("cgroup v1", "cgroup-v1"),
    ("unknown flag", "unknown-flag"),
    ("unknown shorthand flag", "unknown-flag"),
    ("unknown command", "unknown-command"),
    ("feature gate", "feature-gate"),
    ("unrecognized key", "feature-gate"),
    ("address already in use", "port-in-use"),
    ("client ca file", "certificate"),
    ("x509", "certificate"),
    ("certificate", "certificate"),
    ("bootstrap", "certificate"),
    ("kubeconfig", "kubeconfig"),
    ("kubelet config file", "config-file"),
    ("config.yaml", "config-file"),
    ("kubelet configuration", "config-file"),
    ("invalid configuration", "config-file"),
    ("service connection", "runtime-unreachable"),
    ("container runtime", "runtime-unreachable"),
    ("runtime api version", "runtime-unreachable"),
    ("runtime service", "runtime-unreachable"),
    ("containerd.sock", "runtime-unreachable"),
    ("crio.sock", "runtime-unreachable"),
    ("docker.sock", "runtime-unreachable"),
    ("docker daemon", "runtime-unreachable"),
    ("docker version", "runtime-unreachable"),
    ("node-labels", "flag-value"),
    ("invalid argument", "flag-value"),
    ("qos cgroup", "cgroups"),
    ("qos containers", "cgroups"),
    ("cgroup", "cgroups"),
)
_KEPT: Final = 8


class Said(msgspec.Struct, frozen=True, gc=False):
    """A cause that was given, in the words in which it was given."""

    cause: str
    text: str
    evidence: Evidence


class Starts(msgspec.Struct, frozen=True, gc=False):
    """What is remembered of a kubelet's runs; bounded, and never changed in place."""

    kubelet: Kubelet = msgspec.field(default_factory=Kubelet)
    told_by_systemd: bool = False  # its lines are in the log: they say when a run begins and ends
    started: int | None = None  # when the run began that goes on
    was_well: bool = False  # the run that ended had gone on for long
    down: bool = False  # it ended, and was not started again yet
    scheduled: bool = False  # systemd is about to start it again
    stopping: int | None = None  # when somebody stopped it
    fatal_pid: int | None = None  # whose last words were the last
    fatal_us: int | None = None
    last_us: int = 0
    run: Case | None = None  # a failed run that may be the first of a loop
    said: tuple[Said, ...] = ()  # the last of each cause
    counter_evidence: Evidence | None = None

    def with_said(self, said: Said) -> Starts:
        kept = [one for one in self.said if one.cause != said.cause]
        return msgspec.structs.replace(self, said=(*kept, said)[-_KEPT:])


def cause_of(error: str) -> str:
    """The class of a kubelet's last words."""
    small = error[:4096].lower()
    return next((one for part, one in _CLASSES if part in small), "other")


def of_exit(event: UnitExited) -> str | None:
    """What systemd alone tells of a process that ended; an exit code of 1 or 255 tells nothing."""
    if event.status_name == "EXEC":
        return "exec"
    if event.code == "killed" and event.status == 9:
        return "killed"
    return "aborted" if event.code == "dumped" or (event.code == "killed" and event.status == 6) else None
