"""A file that is not in memory: the floor and the table, their input dropped from the system's cache before each run."""

from __future__ import annotations

import tomllib

from benchmarks.build import Unavailable
from benchmarks.messages import HERE
from benchmarks.probes import Figure, Job

TITLE = "cold: from the disk (what the system below this one holds of it stays)"
ENGINES = ("C floor", "kubelog compiled, table")


def figures(job: Job) -> list[Figure]:
    from benchmarks.run import one

    engines = {engine["name"]: engine for engine in tomllib.loads((HERE / "definitions.toml").read_text())["engine"]}
    found: dict[str, list[Figure]] = {}
    for _ in range(job.rounds):
        for name in ENGINES:
            cpu, wall, disk = found.setdefault(
                name,
                [Figure(f"{name}, CPU", "ns/record"), Figure(f"{name}, wall", "ns/record"), Figure(f"{name}, from disk", "MiB")],
            )
            told = one({**engines[name], "corpus": job.corpus, "env": {**engines[name].get("env", {}), "BENCH_COLD": "1"}})
            if "skipped" in told:
                raise Unavailable(told["skipped"])
            cpu.values.append(told["cpu_ns"] / told["records"])
            wall.values.append(told["wall_ns"] / told["records"])
            disk.values.append(told["disk_bytes"] / 2**20)
    ratios = [Figure(f"{name}, × floor", "") for name in ("table, CPU", "table, wall")]
    for ratio, floor, table in zip(ratios, *found.values(), strict=False):
        ratio.values = [b / a for a, b in zip(floor.values, table.values, strict=True)]
    return [*(figure for figures in found.values() for figure in figures), *ratios]
