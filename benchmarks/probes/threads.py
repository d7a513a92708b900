"""Two threads: the wall time of the batches of `to_arrow`, against two processes that read half of the input each."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.build import Unavailable
from benchmarks.engines import kubelog_table
from benchmarks.generate import expected
from benchmarks.probes import ROOT, Figure, Job, environment

TITLE = "two threads, wall time"


def figures(job: Job) -> list[Figure]:
    if (os.cpu_count() or 1) < 2:
        raise Unavailable("one core")
    kubelog_table.prepare()
    wanted = expected(job.corpus)["records"]
    with tempfile.TemporaryDirectory() as folder:
        halves = halve(job.path, Path(folder))
        whole = [job.path]
        ways = {
            "one thread, one file": [(1, whole)],
            "two threads, one file": [(2, whole)],
            "two threads, two files": [(2, halves)],
            "two processes, a half each": [(1, [half]) for half in halves],
        }
        found = {name: Figure(name, "ms") for name in ways}
        for number in range(job.many + 1):
            for name, readers in ways.items():
                wall, records = read(readers)
                # A record may be cut in two where the file is.
                if not wanted <= records <= wanted + 1:
                    raise SystemExit(f"{name}: expected {wanted} records, found {records}")
                if number:  # the first brings the halves into memory
                    found[name].values.append(wall)
    one, two, two_files, processes = (figure.values for figure in found.values())
    return [
        *found.values(),
        Figure("two threads, one file, × one thread", "", [a / b for a, b in zip(one, two, strict=True)]),
        Figure("two processes, × one thread", "", [a / b for a, b in zip(one, processes, strict=True)]),
        Figure("one file: of what two processes reach", "%", [100 * p / t for p, t in zip(processes, two, strict=True)], least=85),
        Figure(
            "two files: of what two processes reach",
            "%",
            [100 * p / t for p, t in zip(processes, two_files, strict=True)],
            least=85,
        ),
    ]


def halve(path: Path, folder: Path) -> list[Path]:
    """A file as two, cut at a line."""
    data = path.read_bytes()
    cut = data.index(b"\n", len(data) // 2) + 1
    halves = [folder / "one.log", folder / "two.log"]
    for half, part in zip(halves, (data[:cut], data[cut:]), strict=True):
        half.write_bytes(part)
    return halves


def read(readers: list[tuple[int, list[Path]]]) -> tuple[float, int]:
    """Milliseconds from the word to begin to the last reader's end, and the records of all."""
    running = []
    for jobs, files in readers:
        command = [sys.executable, "-m", "benchmarks.probes.reader", str(jobs), *map(str, files)]
        running.append(
            subprocess.Popen(command, env=environment(), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
    for process in running:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise SystemExit("a reader failed")
    before = time.perf_counter()
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    records = sum(int(process.stdout.readline()) for process in running if process.stdout)
    wall = (time.perf_counter() - before) * 1e3
    for process in running:
        process.communicate()
    return wall, records
