"""Size of the file: a record at the beginning of a corpus, and of all of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.engines import kubelog_blocks
from benchmarks.measure import cpu_ns
from benchmarks.probes import Figure, Job

TITLE = "size of the file"


def figures(job: Job) -> list[Figure]:
    engine = kubelog_blocks.prepare()
    lines = job.path.read_bytes().splitlines(keepends=True)
    found = {len(lines) // part: Figure(f"{len(lines) // part:,} lines, blocks", "ns/record") for part in (16, 4, 1)}
    with tempfile.TemporaryDirectory() as folder:
        for count in found:
            (Path(folder) / f"{count}.log").write_bytes(b"".join(lines[:count]))
        for number in range(job.many + 1):
            for count, figure in found.items():
                before = cpu_ns()
                reading = kubelog_blocks.read(engine, Path(folder) / f"{count}.log")
                if number:  # the first has its memory from the system
                    figure.values.append((cpu_ns() - before) / reading.told["records"])
    return list(found.values())
