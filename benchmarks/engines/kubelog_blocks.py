"""kubelog: blocks without objects, from bytes to the columns of verdicts, kinds and spans."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.build import Unavailable
from benchmarks.engines import Reading
from benchmarks.messages import HERE

JOB = "all of it, columns"
NAME = os.environ.get("BENCH_ENGINE", "scanner")
CHUNK = 1 << 20


def is_compiled() -> bool:
    """Whether the compiled scanner runs; where KUBELOG_PURE=1 is set it never does."""
    from kubelog.message import matcher

    return not str(matcher.__file__).endswith(".py")


def prepare(grammar: Path = HERE / "grammar") -> Any:
    import kubelog

    wanted = os.environ.get("BENCH_COMPILED")
    if wanted and not is_compiled():
        raise Unavailable("kubelog is not compiled here")
    return kubelog.load_grammar(grammar, NAME)


def blocks(engine: Any, path: Path) -> Iterator[Any]:
    from kubelog.ingest.clock import Clock
    from kubelog.reader import Reader

    reader = Reader(engine, str(path), Clock(engine.table, year=2023))
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            for block in reader.push(chunk):
                engine.messages(block)
                yield block
    for block in reader.push(b"", final=True):
        engine.messages(block)
        yield block


def read(engine: Any, path: Path) -> Reading:
    check = bool(os.environ.get("BENCH_CHECK"))
    kinds: Counter[int] = Counter()
    verdicts: Counter[int] = Counter()
    records, lines, joined = 0, 0, 0
    kept = []
    for block in blocks(engine, path):
        kinds.update(block.kind[: len(block)])
        verdicts.update(block.verdict[: len(block)])
        records += len(block)
        lines += block.member_first[len(block)]
        joined += sum(block.joined[: len(block)])
        if check:
            kept.append(block)
    return _reading(engine, kinds, verdicts, {"records": records, "lines": lines, "joined": joined}, kept)


def _reading(engine: Any, kinds: Counter[int], verdicts: Counter[int], told: dict[str, Any], kept: list[Any]) -> Reading:
    from kubelog.ingest.block import VERDICTS

    named: Counter[str] = Counter()
    for number, count in kinds.items():
        if number >= 0:
            named[engine.table.entries[number].event] += count
    told["verdicts"] = {VERDICTS[number]: count for number, count in verdicts.items()}
    if not kept:
        return Reading(dict(named), told)
    told |= _rest(kept)

    def fields() -> Iterator[tuple[str, Iterable[bytes | None]]]:
        for block in kept:
            for row in range(len(block)):
                if block.kind[row] >= 0:
                    body, start, _, _ = block.body(row)
                    spans = block.spans_of(row)
                    holes = engine.table.entries[block.kind[row]].holes
                    values = [
                        body[start + spans[2 * i] : start + spans[2 * i + 1]]
                        for i, (name, _) in enumerate(holes)
                        if name != "_" and spans[2 * i] >= 0
                    ]
                    yield engine.table.entries[block.kind[row]].event, values

    return Reading(dict(named), told, fields)


def _rest(kept: list[Any]) -> dict[str, int]:
    """Headers, pairs and times, counted apart from what is measured."""
    headers = moments = count = 0
    for block in kept:
        for row in range(len(block)):
            line = block.first[row]
            if block.head[line] >= 0:
                headers += 1
                moments += block.moment[line]
        count += block.pair_first[len(block)]
    return {"headers": headers, "moments": moments % 2**64, "pairs": count}
