"""Bounded memory: what `tail` keeps of eviction storms of very many pods, after a tenth of the lines and after all.

The lines are made as they are read. Each line is of another pod; a storm ends, and a while later the next begins. Where what is
kept grows, it fails.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from benchmarks import storm
from benchmarks.build import Unavailable
from benchmarks.engines.kubelog_blocks import is_compiled
from benchmarks.probes import Figure, Job
from benchmarks.values import NODE
from kubelog.ingest.inputs.sources import Source
from kubelog.live import LiveReader
from kubelog.pipeline import Log, load_grammar
from kubelog.timeline import WANTED, Correlator, Timeline

TITLE = "memory of a tail of eviction storms"
SMALL, BIG = 1_000_000, 10_000_000
PODS = 100_003  # a prime, so that each comes to each line of a round
STEP_US = 20_000
STORMS = 1000
# After a storm; within half an hour of its end the next would be more of it.
CLEARED_US, PAUSE_US = 300_000_000, 2_160_000_000
PIECE = 200  # lines, about what a pipe holds
GROWTH = {"objects": 1.05, "MiB": 1.1}  # at most, from a tenth of the lines to all


def figures(job: Job) -> list[Figure]:
    if not is_compiled():
        raise Unavailable("interpreted it takes an hour")
    if not Path("/proc/self/status").exists():
        raise Unavailable("no /proc here")
    count = BIG if job.big else SMALL
    start = time.perf_counter()
    tail = Tail()
    lines = storms(count)
    kept = [tail.read(islice(lines, count // 10)), tail.read(lines)]
    seconds = time.perf_counter() - start
    check(tail.correlator.incidents(), count // STORMS)
    found = [Figure("lines", "", [count]), Figure("pods", "", [PODS])]
    for unit, most in GROWTH.items():
        first, last = (one[unit] for one in kept)
        if last > most * first:
            raise SystemExit(f"expected {unit} to stay at {first:,.0f}, found {last:,.0f} over ten times the lines")
        found.append(Figure(f"kept at most, {unit}", unit, [last]))
        found.append(Figure(f"{unit}: × those of the first tenth of the lines", "", [last / first], most=most))
    found.append(Figure("wall, the making of the lines included", "s", [seconds]))
    return found


def storms(count: int) -> Iterator[bytes]:
    """So many lines of storms. Each ends when the node reports that it has room again; the next is an incident of its own."""
    pods = [f"web-{number:06}_default(0a1b2c3d-0000-11e7-a98b-{number:012x})" for number in range(PODS)]
    burst = count // STORMS
    for number in range(STORMS):
        start_us = number * (burst * STEP_US + PAUSE_US)
        if number:
            text = f"Recording NodeHasNoDiskPressure event message for node {NODE}"
            yield storm.written(start_us - PAUSE_US + CLEARED_US, "I", "kubelet_node_status.go:77", text)
        turned = number * burst % PODS
        yield from storm.lines(burst, STEP_US, pods[turned:] + pods[:turned], start_us)


def held_mib() -> float:
    """Anonymous memory of this process."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")) / 1024


HELD: dict[str, Callable[[], float]] = {"objects": sys.getallocatedblocks, "MiB": held_mib}


class Tail:
    """`kubelog tail`, without its text."""

    def __init__(self) -> None:
        self.live = LiveReader(Log([], load_grammar(), year=2023), Source.of("-"), WANTED)
        self.correlator = Correlator(keep_closed=False)

    def read(self, lines: Iterator[bytes]) -> dict[str, float]:
        """The most that it kept while it read them."""
        kept = {"objects": 0.0, "MiB": 0.0}
        while piece := b"".join(islice(lines, PIECE)):
            for event in self.live.push(piece):
                self.correlator.take(event)
            for node, heard in self.live.heard.items():
                self.correlator.advance(node, heard)
            self.correlator.flush()
            kept = {unit: max(most, HELD[unit]()) for unit, most in kept.items()}
        return kept


def check(incidents: Timeline, burst: int) -> None:
    """The last storm is an incident of its own, in which each line counts."""
    expected = [storm.counts(burst)]
    if (found := [dict(incident.counts) for incident in incidents if incident.state == "open"]) != expected:
        raise SystemExit(f"expected one open incident of {expected}, found {found}")
