"""A frame of pandas: what `to_pandas` adds to `to_arrow`, in per cent of what that takes."""

from __future__ import annotations

from benchmarks.build import Unavailable
from benchmarks.engines import kubelog_table
from benchmarks.generate import expected
from benchmarks.measure import cpu_ns
from benchmarks.probes import Figure, Job

TITLE = "to_pandas"


def figures(job: Job) -> list[Figure]:
    try:
        import pandas  # noqa: F401
    except ImportError:
        raise Unavailable("pandas is not installed") from None

    log = kubelog_table.log_of(kubelog_table.prepare(), job.path)
    arrow, frame = Figure("to_arrow", "ns/record"), Figure("to_pandas", "ns/record")
    added = Figure("what to_pandas adds to to_arrow", "% of it", most=25)
    wanted = expected(job.corpus)["records"]
    for number in range(job.many + 1):
        start = cpu_ns()
        table = log.to_arrow()
        scanned = cpu_ns()
        columns, rows = len(table.schema), len(table)
        del table
        between = cpu_ns()
        made = log.to_pandas()
        end = cpu_ns()
        if len(made) != wanted or rows != wanted or len(made.columns) != columns:
            raise SystemExit(f"expected {wanted} rows, found {len(made)}")
        del made
        if number:  # the first has its memory from the system
            arrow.values.append((scanned - start) / wanted)
            frame.values.append((end - between) / wanted)
            added.values.append(100 * ((end - between) / (scanned - start) - 1))
    return [arrow, frame, added]
