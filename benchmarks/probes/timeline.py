"""`kubelog timeline`: CPU of a line, of the journal and of a storm in which every line counts."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks import storm
from benchmarks.generate import expected
from benchmarks.messages import HERE
from benchmarks.probes import KUBELOG, ROOT, Figure, Job, environment

TITLE = "timeline, CPU of a line"
GRAMMAR = ("--grammar", str(HERE / "grammar"))
STORM = 50_000
STEP_US = 20_000


def figures(job: Job) -> list[Figure]:
    mix, one_core = Figure("the journal", "µs/line", most=2), Figure("the journal, --jobs 1", "µs/line")
    every = Figure("an eviction storm, start-up taken off", "µs/line", most=8)
    lines = expected(job.corpus)["lines"]
    with tempfile.TemporaryDirectory() as folder:
        long, short = Path(folder) / "storm.log", Path(folder) / "short.log"
        long.write_bytes(b"".join(storm.lines(STORM, STEP_US)))
        short.write_bytes(b"".join(storm.lines(len(storm.ROUND), STEP_US)))
        for _ in range(job.rounds):
            mix.values.append(cost(job.path, {}, *GRAMMAR) / lines)
            one_core.values.append(cost(job.path, {}, *GRAMMAR, "--jobs", "1") / lines)
            start = cost(short, storm.counts(len(storm.ROUND)))
            every.values.append((cost(long, storm.counts(STORM)) - start) / (STORM - len(storm.ROUND)))
    return [mix, one_core, every]


def cost(path: Path, counts: dict[str, int], *options: str) -> float:
    """CPU of the command in µs; its one incident, if there is to be one, counts these events."""
    command = (*KUBELOG, "timeline", str(path), "--year", "2023", "-o", "json", *options)
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=out)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed")
        out.seek(0)
        incidents = json.load(out)["incidents"]
    if counts and [one["counts"] for one in incidents] != [counts]:
        found = [one["counts"] for one in incidents[:3]]
        raise SystemExit(f"timeline of {path.name}: expected one incident of {counts}, found {len(incidents)}: {found}")
    return (used.ru_utime + used.ru_stime) * 1e6
