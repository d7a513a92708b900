"""kubelog: a Record object for each record, its pairs and typed event included."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.engines import Reading, kubelog_blocks

JOB = "all of it, a Record with typed values each"


def prepare() -> Any:
    return kubelog_blocks.prepare()


def read(engine: Any, path: Path) -> Reading:
    from kubelog.ingest.inputs.sources import expand
    from kubelog.pipeline import Log

    check = bool(os.environ.get("BENCH_CHECK"))
    kinds: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    pairs = 0
    values = {}
    for record in Log(expand([path])[0], engine, year=2023):
        verdicts[record.verdict] += 1
        kinds[record.kind or ""] += 1
        pairs += len(record.pairs or ())
        if check:
            if record.reason:
                raise AssertionError(f"{path.name}:{record.origin.line}: {record.reason}")
            values[record.origin.line] = (record.kind, record.fields)
    del kinds[""]
    return Reading(dict(kinds), {"verdicts": dict(verdicts), "pairs": pairs, "records": sum(verdicts.values())}, values=values)
