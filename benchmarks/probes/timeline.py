"""`kubelog timeline`: CPU of a line, of the journal and of a storm in which every line counts; events/s of the correlator alone."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import storm
from benchmarks.generate import expected
from benchmarks.messages import HERE
from benchmarks.probes import KUBELOG, ROOT, Figure, Job, environment
from benchmarks.values import LOOPING

TITLE = "timeline, CPU of a line, start-up taken off"
GRAMMAR = ("--grammar", str(HERE / "grammar"))
STORM = 50_000
STEP_US = 20_000
FIRST = 250_000  # lines of which the correlator gets the events


def figures(job: Job) -> list[Figure]:
    mix, one_core = Figure("the journal", "µs/line", most=2), Figure("the journal, --jobs 1", "µs/line")
    every = Figure("an eviction storm", "µs/line", most=8)
    of_mix, of_storm = (Figure(f"the correlator alone, {what}", "events/s", least=200_000) for what in ("the journal", "the storm"))
    truth, rounds = expected(job.corpus), len(storm.ROUND)
    loops = {"ContainerBackOff": sum(truth["kinds"][kind][0] for kind in ("BenchPodSyncFailed", "BenchPodSyncSkipped"))}
    with tempfile.TemporaryDirectory() as folder:
        long, short = Path(folder) / "storm.log", Path(folder) / "short.log"
        long.write_bytes(b"".join(storm.lines(STORM, STEP_US)))
        short.write_bytes(b"".join(storm.lines(rounds, STEP_US)))
        events = [(of_mix, events_of(job.path)), (of_storm, events_of(long))]
        for _ in range(job.rounds):
            # What is left of the start-up is a compiling of the grammar that the shipped ones do not need.
            start = cost(short, 1, storm.counts(rounds), *GRAMMAR)
            mix.values.append((cost(job.path, LOOPING, loops, *GRAMMAR) - start) / truth["lines"])
            one_core.values.append((cost(job.path, LOOPING, loops, *GRAMMAR, "--jobs", "1") - start) / truth["lines"])
            start = cost(short, 1, storm.counts(rounds))
            every.values.append((cost(long, 1, storm.counts(STORM)) - start) / (STORM - rounds))
            for figure, made in events:
                figure.values.append(correlated(made))
    return [mix, one_core, every, of_mix, of_storm]


def events_of(path: Path) -> list[Any]:
    """What the correlator gets of a log's first lines: events, and how far a node's records came."""
    from kubelog.ingest.inputs.sources import Source
    from kubelog.pipeline import Log, load_grammar

    with path.open("rb") as file:
        data = b"".join(line for line, _ in zip(file, range(FIRST), strict=False))
    log = Log([Source.of("-", (data,))], load_grammar(HERE / "grammar"), year=2023)
    return [one for of_input in log._inputs() for one in of_input]


def correlated(made: list[Any]) -> float:
    """Events/s of the correlator."""
    from kubelog.message.vocabulary.event import Event
    from kubelog.timeline import Correlator

    correlator, start = Correlator(), time.process_time()
    for one in made:
        if isinstance(one, Event):
            correlator.take(one)
        else:
            correlator.advance(*one)
    correlator.flush()
    used = time.process_time() - start
    if not len(correlator.incidents()):
        raise SystemExit("the correlator found no incident")
    return sum(isinstance(one, Event) for one in made) / used


def cost(path: Path, found: int, counts: dict[str, int], *options: str) -> float:
    """CPU of the command in µs; so many incidents, which together count these events."""
    command = (*KUBELOG, "timeline", str(path), "--year", "2023", "-o", "json", *options)
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=out)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed")
        out.seek(0)
        incidents = json.load(out)["incidents"]
    total: Counter[str] = Counter()
    for one in incidents:
        total.update(one["counts"])
    if len(incidents) != found or total != counts:
        raise SystemExit(f"timeline of {path.name}: expected {found} of {counts}, found {len(incidents)} of {dict(total)}")
    return (used.ru_utime + used.ru_stime) * 1e6
