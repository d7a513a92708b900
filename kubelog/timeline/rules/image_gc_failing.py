"""ImageGcFailing: unused images cannot be removed, or there are not enough of them, and the disk goes on filling up.

One case a node. The kubelet tries every 5 min; it says so of each try that fails, and of the first that succeeds again. Its first
try after a start may come before the runtime's figures: that is no sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Final

from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.image import ImageGcDisabled, ImageGcFailed, ImageGcStarted, ImageGcSucceeded
from kubelog.message.vocabulary.node import NodeConditionChanged
from kubelog.timeline.rules import Case, Cause, Explanation, Finding
from kubelog.timeline.rules.episodic import End, EpisodicRule, Note, Sign, proof
from kubelog.timeline.words import clock, silence_finding, since

# What the kubelet is told before the runtime has looked at its filesystem.
_NOT_YET: Final = re.compile(
    r"unable to find data|invalid capacity 0|non-existent label|not (?:yet )?(?:been )?initialized|cannot find filesystem"
)
# What it is told by a runtime that is down or hangs.
_SILENT: Final = re.compile(
    r"DeadlineExceeded|deadline exceeded|code = Unavailable|connection refused|no such file or directory|timed out"
)
_KEY: Final = "imagefs"


class ImageGcFailing(EpisodicRule):
    """See the module."""

    kind = "ImageGcFailing"
    opens = extends = frozenset({ImageGcFailed})
    closes = frozenset({ImageGcSucceeded})
    explains = frozenset({ImageGcStarted, ImageGcDisabled, NodeConditionChanged})
    quiet_us: ClassVar[int] = 900_000_000  # three tries
    signs = frozenset({ImageGcFailed})

    def signs_of(self, event: Event, memory: Any) -> Iterable[Sign]:
        if isinstance(event, ImageGcFailed) and not _NOT_YET.search(event.error or ""):
            if event.wanted_bytes is None:
                marks = {"failed": 1} | ({"silent": 1} if _SILENT.search(event.error or "") else {})
                yield Sign(_KEY, {"resource": _KEY}, "Images cannot be collected", "failed", marks=marks)
            else:
                text = "Too few unused images are left to remove"
                yield Sign(_KEY, {"resource": _KEY}, text, marks={"none-left": 1, "wanted_bytes": event.wanted_bytes})

    def ends_of(self, event: Event, memory: Any) -> Iterable[End]:
        if isinstance(event, ImageGcSucceeded):
            yield End(_KEY, "Image garbage collection succeeds again")

    def notes_of(self, event: Event, memory: Any) -> Iterable[Note]:
        if isinstance(event, ImageGcStarted):
            yield Note(_KEY, "The image filesystem is over its high threshold: unused images are removed")
        elif isinstance(event, NodeConditionChanged) and event.condition == "DiskPressure" and event.status:
            yield Note(_KEY, "Node reports DiskPressure", "pressure", {"pressure": 1})

    def explain(self, case: Case, memory: Any, node: str | None) -> Explanation:
        if "none-left" in case.marks:
            what = "removing unused images frees too little of the disk"
            cause = Cause(
                "Nearly all images are in use, or the disk is filled by something else than images: writable layers, logs, "
                "emptyDir volumes or files that are none of Kubernetes'.",
                "likely",
                proof(case, ("ImageGcFailed",)),
            )
        else:
            what = "unused images cannot be removed"
            text = "does not answer the kubelet" if "silent" in case.marks else "did not do what it was asked"
            cause = Cause(f"The container runtime {text}.", "likely", proof(case, ("ImageGcFailed",)))
        runtime = ("See whether the runtime works: `crictl info`, `systemctl status containerd crio docker`.",)
        advice = (
            *(runtime if "none-left" not in case.marks else ()),
            "See what fills the filesystem of the images: `crictl images`, `crictl ps -a`, `du -xh --max-depth=2 /var/lib | "
            "sort -h | tail`.",
            "If nothing is done the node comes under DiskPressure and evicts pods: free space, or give it a larger disk.",
        )
        return Explanation(f"On {node or 'this node'} {what}{since(case)}.", cause, tuple(_findings(case)), advice)


def _findings(case: Case) -> Iterator[Finding]:
    pressure = next((step for step in case.steps if step.kind == "NodeConditionChanged"), None)
    if pressure is not None:
        text = f"It came to DiskPressure at {clock(pressure.time, case.opened)}: the node takes no more pods and evicts some."
        yield Finding("pressure", text, pressure.evidence)
    yield from silence_finding(case)
