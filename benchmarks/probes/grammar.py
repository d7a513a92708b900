"""Size of the grammar: a record with all shipped wordings, and with ten times as many, which begin as the others do; loading."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.engines import Reading, kubelog_blocks
from benchmarks.generate import expected
from benchmarks.measure import cpu_ns
from benchmarks.messages import HERE
from benchmarks.probes import Figure, Job
from benchmarks.wordings import further

TITLE = "grammars of three sizes"


def figures(job: Job) -> list[Figure]:
    files = sorted((HERE / "grammar").glob("*.toml"))
    more, known = further([*kubelog_blocks.shipped(), *files])
    written = [one for one in kubelog_blocks.shipped() if one.name in kubelog_blocks.WRITTEN]
    few = further([*written, *files])[1]
    kubelog_blocks.prepare()  # what is imported for the first grammar
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            (Path(folder) / file.name).write_text(file.read_text())
        (Path(folder) / "more.toml").write_text(more)
        sizes = [
            (f"{few:,} wordings", lambda: kubelog_blocks.prepare(beside=written)),
            (f"{known:,} wordings", kubelog_blocks.prepare),
            (f"{10 * known:,} wordings", lambda: kubelog_blocks.prepare(Path(folder))),
        ]
        costs = [Figure(f"{name}, blocks", "ns/record") for name, _ in sizes]
        loads = [Figure(f"{name}, loading", "ms") for name, _ in sizes]
        engines = []
        for load, (_, prepare) in zip(loads, sizes, strict=True):
            before = cpu_ns()
            engines.append(prepare())
            load.values.append((cpu_ns() - before) / 1e6)
    ratios = [
        Figure("all that is shipped, × the journal's alone", "", most=1.15),
        Figure("ten times as many, × one", "", most=1.15),
    ]
    for number in range(job.many):
        for place in range(len(sizes))[:: 1 if number % 2 else -1]:
            before = cpu_ns()
            reading = kubelog_blocks.read(engines[place], job.path)
            costs[place].values.append((cpu_ns() - before) / reading.told["records"])
            if not number:
                check(reading, job.corpus)
        for ratio, one, other in zip(ratios, costs, costs[1:], strict=False):
            ratio.values.append(other.values[-1] / one.values[-1])
    return [*costs, *ratios, *loads]


def check(reading: Reading, corpus: str) -> None:
    """The wordings more take nothing from the others."""
    wanted = expected(corpus)
    assert reading.finish is not None
    reading.finish(reading, wanted)
    kinds = {kind: row[0] for kind, row in wanted["kinds"].items()}
    if reading.kinds != kinds:
        other = sorted(reading.kinds.items() ^ kinds.items())[:6]
        raise SystemExit(f"with more wordings other kinds are found: {other}")
