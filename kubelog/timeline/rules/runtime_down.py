"""RuntimeDown: the container runtime does not answer, so no pod can be started, stopped or looked at.

One case a node. The kubelet asks its runtime every second and says every 5 s that it is down, once it has not answered for 30 s.
Requests that fail meanwhile are signs too, where their error says that nobody answers. It ends when a container starts, or when the
node is ready again; else when nothing is said of it for 10 min. What lasts less than 30 s, as a runtime's restart does, is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from kubelog.message.vocabulary.container_runtime import RuntimeStarted
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.host import UnitStarted
from kubelog.message.vocabulary.node import NodeConditionChanged
from kubelog.message.vocabulary.pod import ContainerStarted
from kubelog.message.vocabulary.runtime import CriRequestFailed
from kubelog.message.vocabulary.status import NodeBecameNotReady
from kubelog.message.vocabulary.sync import PlegRelistFailed, RuntimeDownReported
from kubelog.timeline.rules import Case, Cause, Explanation, State, instant
from kubelog.timeline.rules.episodic import End, EpisodicRule, Note, Sign, lasted_us, proof
from kubelog.timeline.rules.node_memory import ENDS, RUNTIMES, STARTS, NodeMemory, runtime_of
from kubelog.timeline.words import since

_KEY: Final = "runtime"
_LASTS_US: Final = 30_000_000
# After a start the kubelet calls the runtime down until it has asked it once.
_START_US: Final = 60_000_000
# How an error says that nobody answers, and which of these it is.
_SILENT: Final = re.compile(
    r"(?P<refused>connection refused|no such file or directory|[Cc]annot connect to the Docker daemon|transport is closing"
    r"|is the docker daemon running|code = Unavailable)|(?P<hangs>DeadlineExceeded|deadline exceeded|operation "
    r"timeout|Client\.Timeout)"
)
# A network plugin, a registry or a file of the pod may be missing, too.
_GONE: Final = re.compile(
    r"(?:containerd|crio|docker|dockerd|dockershim|frakti|rktlet)\.sock\b[^\n]{0,200}(?:refused|no such file or directory)"
    r"|[Cc]annot connect to the Docker daemon|transport is closing|is the docker daemon running|code = Unavailable"
)
_PARTS: Final = (
    b"onnection refused", b"no such file", b"Docker daemon", b"docker daemon", b"transport is closing", b"Unavailable", b"eadline",
    b"operation timeout", b"Client.Timeout",
)  # fmt: skip


class RuntimeDown(EpisodicRule):
    """See the module."""

    kind = "RuntimeDown"
    opens = extends = frozenset({RuntimeDownReported, CriRequestFailed, PlegRelistFailed})
    closes = frozenset({ContainerStarted, NodeConditionChanged})
    explains = frozenset({*STARTS, *ENDS, RuntimeStarted, NodeBecameNotReady})
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = dict.fromkeys(("CriRequestFailed", "PlegRelistFailed"), _PARTS)
    memory = NodeMemory
    picks = signs = frozenset({CriRequestFailed, PlegRelistFailed})
    idle = frozenset({ContainerStarted, NodeConditionChanged, NodeBecameNotReady})

    def concerns(self, event: Event) -> bool:
        return _SILENT.search(getattr(event, "error", None) or "") is not None

    def told(self, memory: NodeMemory, event: Event) -> NodeMemory:
        return memory.told(event) if isinstance(event, (*STARTS, *ENDS)) else memory

    def signs_of(self, event: Event, memory: NodeMemory | None) -> Iterable[Sign]:
        error: str = getattr(event, "error", None) or ""
        found = _SILENT.search(error)
        why = {found.lastgroup or "": 1} if found else {}
        unit = runtime_of(error)
        subject = {"unit": unit} if unit else {}
        if isinstance(event, RuntimeDownReported):
            yield Sign(
                _KEY, subject, "The kubelet calls the container runtime down", "down", marks={"down": 1, **why}, critical=True
            )
        elif found and isinstance(event, CriRequestFailed) and not _is_of_a_pod(event, error):
            yield Sign(_KEY, subject, "Requests to the container runtime fail: nobody answers", marks=why)
        elif found and isinstance(event, PlegRelistFailed):
            yield Sign(_KEY, subject, "The kubelet cannot list its pods and containers", marks=why)

    def ends_of(self, event: Event, memory: NodeMemory) -> Iterable[End]:
        if isinstance(event, ContainerStarted):
            yield End(_KEY, "A container is started: the runtime works")
        elif isinstance(event, NodeConditionChanged) and event.condition == "Ready" and event.status:
            yield End(_KEY, "The node is ready again")

    def notes_of(self, event: Event, memory: NodeMemory) -> Iterable[Note]:
        if isinstance(event, NodeConditionChanged) and event.condition == "Ready" and event.status is False:
            yield Note(_KEY, "The node is reported NotReady", "not-ready", critical=True)
        elif isinstance(event, NodeBecameNotReady):
            yield Note(_KEY, "The node becomes NotReady", critical=True)
        elif isinstance(event, ENDS) and event.unit in RUNTIMES:
            yield Note(_KEY, f"{event.unit} ends", "end of it")
        elif (isinstance(event, UnitStarted) and event.unit in RUNTIMES) or isinstance(event, RuntimeStarted):
            yield Note(_KEY, "The runtime is started again", "start of it")

    def apply(self, state: State, event: Event, node: str | None) -> State:
        was = state.latest(_KEY)
        state = super().apply(state, event, node)
        case, memory = state.latest(_KEY), state.memory
        if case is None or case is was or not case.is_open:
            return state
        now = instant(event.seen)
        if (was is None or was.number != case.number) and now is not None and memory.is_starting(now.us, _START_US):
            case = case.replace(marks={**case.marks, "at start": 1})
        if not case.subject:
            unit = runtime_of(getattr(event, "error", None))
            if unit is None and now is not None and memory.ended_before(now.us):
                unit = memory.runtime
            if unit is not None:
                case = case.replace(subject={"unit": unit})
        return state.put(case)

    def matters(self, case: Case) -> bool:
        return lasted_us(case) >= _LASTS_US or ("down" in case.marks and "at start" not in case.marks)

    def explain(self, case: Case, memory: NodeMemory, node: str | None) -> Explanation:
        unit = case.subject.get("unit")
        name = unit or "the container runtime"
        where = f" on {node}" if node else ""
        verb = "does" if case.is_open else "did"
        opened = case.opened.us if case.opened else 0
        signs = proof(case, ("RuntimeDownReported", "CriRequestFailed", "PlegRelistFailed"))
        if memory.ended and memory.ended_before(opened) and unit in (None, memory.runtime):
            cause = Cause(f"{memory.runtime} {memory.ended}, as systemd says.", "certain", memory.because)
        elif "refused" in case.marks:
            cause = Cause(f"Nothing listens at the socket of {name}: it does not run, or has just been started.", "likely", signs)
        elif "hangs" in case.marks:
            cause = Cause(
                f"{name[0].upper()}{name[1:]} takes requests but does not answer in time: it hangs, or its disk does.",
                "likely",
                signs,
            )
        else:
            cause = Cause(f"The log does not say why {name} does not answer.", "possible", signs)
        said = unit or "containerd"
        advice = (
            f"See whether it runs and why it ended: `systemctl status {said}`, `journalctl -u {said} -e`; ask it: `crictl "
            "info`, `crictl ps`.",
            f"Restart it: `systemctl restart {said}`. Containers that run go on running under containerd and CRI-O (under Docker "
            "with live-restore only).",
            "Where it hangs, look at the disk below /var/lib (`iostat -x 1`, a full filesystem), at memory, and at processes in "
            "state D.",
        )
        summary = f"{name[0].upper()}{name[1:]}{where} {verb} not answer the kubelet{since(case)}."
        return Explanation(summary, cause, (), advice)


def _is_of_a_pod(event: CriRequestFailed, error: str) -> bool:
    """A request about one pod can fail, or take too long, for its own reasons; that the runtime is gone, it says of all."""
    lists = ("Status", "Version", "List", "ImageFsInfo", "RuntimeConfig", "UpdateRuntimeConfig")
    return not (event.operation or "").startswith(lists) and _GONE.search(error) is None
