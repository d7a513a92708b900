"""PlegUnhealthy: the kubelet could not list its containers for longer than the threshold (3 min), and calls itself NotReady.

One case a node, from the first complaint after it had been healthy. It is said every 5 s while it lasts. It ends when the node is
ready again, or when nothing is said of it for 10 min; a node that flaps gives episodes. That the list "has yet to be successful" is
said after each start, and is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.node import NodeConditionChanged
from kubelog.message.vocabulary.runtime import CriRequestFailed
from kubelog.message.vocabulary.status import NodeBecameNotReady
from kubelog.message.vocabulary.sync import PlegRelistFailed, PlegUnhealthyReported, RuntimeDownReported
from kubelog.timeline.incident import Finding
from kubelog.timeline.rules import Case, Cause, Explanation
from kubelog.timeline.rules.episodic import End, EpisodicRule, Note, Sign, proof
from kubelog.timeline.words import lasting, plural, since

_KEY: Final = "pleg"
_ACTIVE: Final = "pleg was last seen active"
# Up to 1.12 a kubelet that has not listed them yet takes the longest time there is.
_NEVER_S, _NEVER = 1e9, "2562047h"
_SLOW: Final = ("eadline", "imeout", "timed out")


class PlegUnhealthy(EpisodicRule):
    """See the module."""

    kind = "PlegUnhealthy"
    opens = extends = frozenset({PlegUnhealthyReported, RuntimeDownReported})
    closes = frozenset({NodeConditionChanged})
    explains = frozenset({NodeBecameNotReady, CriRequestFailed, PlegRelistFailed})
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = {
        "CriRequestFailed": (b"eadline", b"imeout", b"timed out"),
        "PlegRelistFailed": (b"eadline", b"imeout", b"timed out"),
        "NodeBecameNotReady": (b"PLEG is not healthy",),
    }
    signs = frozenset({PlegUnhealthyReported})

    def signs_of(self, event: Event, memory: Any) -> Iterable[Sign]:
        if isinstance(event, PlegUnhealthyReported):
            if event.elapsed_s is None or event.elapsed_s > _NEVER_S:
                return
            longest = {"longest_us": int(event.elapsed_s * 1e6), "threshold_us": int((event.threshold_s or 180.0) * 1e6)}
            critical = event.elapsed_s >= (event.threshold_s or 180.0) + 60
            yield Sign(
                _KEY,
                {},
                "PLEG is not healthy: the containers were not listed for longer than the threshold",
                "",
                (),
                critical,
                longest,
            )
        elif isinstance(event, RuntimeDownReported) and _ACTIVE in (event.error or "") and _NEVER not in (event.error or ""):
            text = "The runtime is down, and PLEG is not healthy"
            yield Sign(_KEY, {}, text, "down", critical=True, marks={"down": 1})

    def ends_of(self, event: Event, memory: Any) -> Iterable[End]:
        if isinstance(event, NodeConditionChanged) and event.condition == "Ready" and event.status:
            yield End(_KEY, "The node is ready again")

    def notes_of(self, event: Event, memory: Any) -> Iterable[Note]:
        if isinstance(event, NodeConditionChanged) and event.condition == "Ready" and event.status is False:
            yield Note(_KEY, "The node is reported NotReady", "not-ready", critical=True)
        elif isinstance(event, NodeBecameNotReady):
            yield Note(_KEY, "The node becomes NotReady", critical=True)
        elif isinstance(event, CriRequestFailed | PlegRelistFailed) and any(word in (event.error or "") for word in _SLOW):
            yield Note(_KEY, "The container runtime does not answer in time", "", {"slow": 1})

    def explain(self, case: Case, memory: Any, node: str | None) -> Explanation:
        where = node or "this node"
        if "slow" in case.marks or "down" in case.marks:
            because = proof(case, ("CriRequestFailed", "PlegRelistFailed", "RuntimeDownReported"))
            cause = Cause("The container runtime hangs or is very slow: its answers did not come in time.", "likely", because)
        else:
            cause = Cause(
                "Listing all containers takes longer than the threshold: the runtime hangs on one of them, or the node is short of "
                "CPU or disk.",
                "possible",
                proof(case, ("PlegUnhealthyReported",)),
            )
        findings = []
        longest = case.marks.get("longest_us")
        if longest is not None:
            threshold = lasting(case.marks.get("threshold_us", 180_000_000))
            text = f"At the worst the containers had not been listed for {lasting(longest)}; the threshold is {threshold}."
            findings.append(Finding("longest", text, proof(case, ("PlegUnhealthyReported",))[:1]))
        if case.episodes > 1:
            text = (
                f"It comes and goes: {plural(case.episodes, 'episode')}. Each time the node is NotReady, and pods may be "
                "moved away."
            )
            findings.append(Finding("flapping", text, ()))
        advice = (
            "See which container the runtime hangs on: `crictl ps -a`, `crictl inspect ID` (`docker ps`, `docker inspect`), "
            "each with a "
            "timeout; one that does not come back is the one.",
            "Look at the node's load meanwhile: `vmstat 1`, `iostat -x 1`, processes in state D, how many containers there are, "
            "dead ones too.",
            "A restart of the container runtime ends it for now: `systemctl restart containerd` (or docker, crio).",
        )
        state = "is" if case.is_open else "was"
        return Explanation(f"PLEG of {where} {state} not healthy{since(case)}.", cause, tuple(findings), advice)
