"""Start-up: CPU of fresh processes. Bytecode is cached, as for any installed package."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.probes import KUBELOG, ROOT, Figure, Job, environment

TITLE = "start-up, CPU of a fresh process"
LOG = str(ROOT / "notebooks" / "node3" / "node3-kubelet.log")
LINE = "W1016 09:50:55.056703   17144 eviction_manager.go:331] eviction manager: attempting to reclaim nodefs"
EVENT = f"import kubelog; assert next(kubelog.stream([{LINE!r}], year=2017)).kind == 'EvictionReclaimAttempted'"
STARTS: dict[str, tuple[tuple[str, ...], float | None]] = {
    "python alone": ((sys.executable, "-c", "pass"), None),
    "import kubelog": ((sys.executable, "-c", "import kubelog"), 60),
    "kubelog --help": ((*KUBELOG, "--help"), 120),
    "kubelog parse of a log of 15 lines": ((*KUBELOG, "parse", LOG, "--year", "2017"), 250),
    "stream: the first event": ((sys.executable, "-c", EVENT), None),
    "kubelog timeline of the same log": ((*KUBELOG, "timeline", LOG, "--year", "2017"), None),
}


def figures(job: Job) -> list[Figure]:
    found = {name: Figure(name, "ms", most=most) for name, (_, most) in STARTS.items()}
    for number in range(max(9, job.many) + 1):
        for name, (command, _) in STARTS.items():
            cost = cpu_ms(*command)
            if number:  # the first fills the caches
                found[name].values.append(cost)
    return list(found.values())


def cpu_ms(*command: str) -> float:
    """What a program costs that prints to nowhere."""
    process = subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return (used.ru_utime + used.ru_stime) * 1e3
