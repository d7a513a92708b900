"""Node Config → release: which Kubernetes minor releases print these settings.

Source: the NodeConfig and NodeAllocatableConfig structs of pkg/kubelet/cm in 34 releases, 1.6 to 1.36.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

FIRST, LAST = 6, 36

# setting → the first minor release that prints it, and the first that does so no more
LIVES: Final[dict[str, tuple[int, int]]] = {
    "EnableCRI": (6, 7), "ExperimentalQOSReserved": (6, 11), "QOSReserved": (11, 99), "ExperimentalCPUManagerPolicy": (8, 26),
    "CPUManagerPolicy": (26, 99), "KubeletRootDir": (9, 99), "EnforceCPULimits": (10, 99), "CPUCFSQuotaPeriod": (12, 99),
    "ExperimentalTopologyManagerPolicy": (16, 27), "TopologyManagerPolicy": (27, 99), "ReservedSystemCPUs": (17, 99),
    "Rootless": (19, 21), "ExperimentalTopologyManagerScope": (20, 27), "ExperimentalMemoryManagerPolicy": (21, 33),
    "MemoryManagerPolicy": (33, 99), "ExperimentalCPUManagerPolicyOptions": (22, 26), "KubeletOOMScoreAdj": (24, 99),
    "TopologyManagerPolicyOptions": (28, 99), "NodeName": (30, 99), "CgroupVersion": (31, 99), "MemoryReservationPolicy": (36, 99),
}  # fmt: skip


def minors(settings: Mapping[str, Any]) -> tuple[int, int]:
    """The first and the last minor release that print these settings; all of them where no release does (a cut line, a fork)."""
    allocatable = settings.get("NodeAllocatableConfig")
    names = set(settings) | (set(allocatable) if isinstance(allocatable, Mapping) else set())
    fit = [
        minor
        for minor in range(FIRST, LAST + 1)
        if all((first <= minor < gone) == (name in names) for name, (first, gone) in LIVES.items())
    ]
    return (fit[0], fit[-1]) if fit else (FIRST, LAST)
