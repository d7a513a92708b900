"""numbers → an eviction storm: every line is one that an incident is made of. The same bytes on every machine.

The eviction manager goes round: it wants to reclaim, must evict, ranks, evicts, finds nothing left; then pods that come are
rejected. The words are those of a kubelet of 2017; pods are those of the benchmark's pools.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.generate import PIDS, SEED
from benchmarks.values import NODE, pool

RANKED = 3
REJECTED = 5
# An event a line, in this order: severity, line of eviction_manager.go, text.
ROUND = (
    ("W", 331, "eviction manager: attempting to reclaim nodefs"),
    ("I", 345, "eviction manager: must evict pod(s) to reclaim nodefs"),
    ("I", 363, "eviction manager: pods ranked for eviction: {pods}"),
    ("I", 410, "eviction manager: pod {pod} evicted successfully"),
    ("E", 356, "eviction manager: eviction thresholds have been met, but no pods are active to evict"),
    *REJECTED * (("W", 142, "Failed to admit pod {pod} - node has conditions: [DiskPressure]"),),
)
KINDS = {
    "EvictionReclaimAttempted": 1, "EvictionPodsRequired": 1, "EvictionPodsRanked": 1, "EvictionPodEvicted": 1,
    "EvictionNoActivePods": 1, "PodAdmissionRejected": REJECTED,
}  # fmt: skip


def lines(count: int, step_us: int, pods: Sequence[str] = (), start_us: int = 0) -> Iterator[bytes]:
    """So many lines, `step_us` after one another, from the first of a November on; of the pods of the pool, or of others."""
    pods = pods or [pod.decode() for pod in pool(SEED, "pod_uid")]
    for number in range(count):
        severity, line, text = ROUND[number % len(ROUND)]
        ranked = ", ".join(pods[(number + i) % len(pods)] for i in range(RANKED))
        text = text.format(pod=pods[number % len(pods)], pods=ranked)
        yield written(start_us + number * step_us, severity, f"eviction_manager.go:{line}", text)


def written(us: int, severity: str, place: str, text: str) -> bytes:
    """A line of the kubelet, so long after the first of November."""
    day, rest = divmod(us, 86_400_000_000)
    seconds, micros = divmod(rest, 1_000_000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    head = f"Nov {1 + day:2} {clock} {NODE} kubelet[{PIDS['kubelet']}]: {severity}11{1 + day:02} {clock}.{micros:06}"
    return f"{head}{PIDS['kubelet']:8} {place}] {text}\n".encode()


def counts(count: int) -> dict[str, int]:
    """How many events of each kind so many lines hold, where that is whole rounds."""
    assert count % len(ROUND) == 0
    return {kind: count // len(ROUND) * often for kind, often in KINDS.items()}
