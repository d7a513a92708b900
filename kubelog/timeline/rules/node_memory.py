"""What the rules about runtime, PLEG and network remember of a node: when its kubelet was started, how its runtime ended."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.host import BootChanged, UnitExited, UnitFailed, UnitStarted, UnitStopped, UnitStopping
from kubelog.message.vocabulary.start import KubeletVersion, NodeConfig
from kubelog.timeline.incident import Evidence, evidence

RUNTIMES: Final = ("containerd", "docker", "crio", "cri-o", "cri-docker", "cri-dockerd", "frakti", "rkt")
# Whose socket or daemon an error names.
_NAMED: Final = re.compile(r"(?:/|\b)(containerd|crio|cri-dockerd|docker)(?:\.sock\b|shim\.sock\b|\b.{0,20}daemon)", re.IGNORECASE)
STARTS: Final = (UnitStarted, NodeConfig, KubeletVersion, BootChanged)
ENDS: Final = (UnitExited, UnitFailed, UnitStopping, UnitStopped)


class NodeMemory(msgspec.Struct, frozen=True, gc=False):
    """Of one node; never changed in place."""

    started_us: int | None = None
    runtime: str | None = None  # the unit that ended last
    ended: str = ""  # how: in words
    ended_us: int | None = None
    because: tuple[Evidence, ...] = ()

    def told(self, event: Event) -> NodeMemory:
        """With what an event says of the kubelet's start or the runtime's end."""
        us = event.seen.time_us
        if us is None:
            return self
        if isinstance(event, STARTS):
            if isinstance(event, UnitStarted) and event.unit != "kubelet":
                return self
            return msgspec.structs.replace(self, started_us=us)
        unit = getattr(event, "unit", None)
        if isinstance(event, ENDS) and unit in RUNTIMES:
            ended = _ended(event)
            is_same = self.ended_us is not None and us - self.ended_us < 60_000_000 and self.runtime == unit
            if is_same and self.ended and (not ended or isinstance(event, UnitFailed | UnitStopped)):
                return msgspec.structs.replace(self, because=(*self.because, evidence(event))[:4])
            return msgspec.structs.replace(self, runtime=unit, ended=ended, ended_us=us, because=(evidence(event),))
        return self

    def is_starting(self, us: int, within_us: int) -> bool:
        """Whether the kubelet was started less than so long ago."""
        return self.started_us is not None and 0 <= us - self.started_us < within_us

    def ended_before(self, us: int, within_us: int = 300_000_000) -> bool:
        """Whether the runtime ended not long before."""
        return self.ended_us is not None and -60_000_000 <= us - self.ended_us < within_us


def _ended(event: Event) -> str:
    if isinstance(event, UnitExited):
        name = f" ({event.status_name})" if event.status_name else ""
        how = "was killed by signal" if event.code in ("killed", "dumped") else "exited with status"
        return f"{how} {event.status}{name}"
    if isinstance(event, UnitFailed):
        return f"failed ({event.result})" if event.result else "failed"
    return "was stopped"


def runtime_of(error: str | None) -> str | None:
    """The runtime that an error names."""
    found = _NAMED.search((error or "")[:2000])
    return None if found is None else found[1].lower()
