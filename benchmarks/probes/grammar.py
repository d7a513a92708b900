"""Size of the grammar: a record with ten times as many wordings, which begin as the others do; loading them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.engines import Reading, kubelog_blocks
from benchmarks.generate import expected
from benchmarks.measure import cpu_ns
from benchmarks.messages import HERE
from benchmarks.probes import Figure, Job
from benchmarks.wordings import further

TITLE = "a grammar ten times as big"


def figures(job: Job) -> list[Figure]:
    files = sorted((HERE / "grammar").glob("*.toml"))
    more, count = further([*kubelog_blocks.shipped(), *files])
    kubelog_blocks.prepare()  # what is imported for the first grammar
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            (Path(folder) / file.name).write_text(file.read_text())
        (Path(folder) / "more.toml").write_text(more)
        sizes = {f"{count:,} wordings": HERE / "grammar", f"{10 * count:,} wordings": Path(folder)}
        costs = {name: Figure(f"{name}, blocks", "ns/record") for name in sizes}
        loads = {name: Figure(f"{name}, loading", "ms") for name in sizes}
        ratio = Figure("ten times as many, × one", "", most=1.15)
        for number in range(job.many):
            for name, path in list(sizes.items())[:: 1 if number % 2 else -1]:
                before = cpu_ns()
                engine = kubelog_blocks.prepare(path)
                loads[name].values.append((cpu_ns() - before) / 1e6)
                before = cpu_ns()
                reading = kubelog_blocks.read(engine, job.path)
                costs[name].values.append((cpu_ns() - before) / reading.told["records"])
                if not number:
                    check(engine, reading, job.corpus)
            one, ten = (cost.values[-1] for cost in costs.values())
            ratio.values.append(ten / one)
    return [*costs.values(), ratio, *loads.values()]


def check(engine: object, reading: Reading, corpus: str) -> None:
    """The wordings more take nothing from the others."""
    wanted = expected(corpus)
    assert reading.finish is not None
    reading.finish(reading, wanted)
    if reading.kinds != {kind: row[0] for kind, row in wanted["kinds"].items()}:
        raise SystemExit("with more wordings other kinds are found")
