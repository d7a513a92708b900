"""kubelog: blocks without objects, from bytes to the columns of verdicts, kinds and spans."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.build import Unavailable
from benchmarks.engines import Reading
from benchmarks.messages import HERE

JOB = "all of it, columns of a Block at a time"
# The shipped grammars that say what the journal says, and would be asked first: the benchmark's own wordings are compared.
SAYING = {"apiserver_controllers.toml", "kubelet_pods.toml"}
# Those that say how a line is written, whatever it says.
WRITTEN = ("klog.toml", "journal.toml", "months.toml")
NAME = os.environ.get("BENCH_ENGINE", "scanner")


def is_compiled() -> bool:
    """Whether the compiled scanner runs; where KUBELOG_PURE=1 is set it never does."""
    from kubelog.message import matcher

    return not str(matcher.__file__).endswith(".py")


def prepare(grammar: Path = HERE / "grammar", beside: Sequence[Path] | None = None) -> Any:
    """The engine of a grammar, read beside others: the shipped ones where none are named."""
    from kubelog.engines import ReferenceEngine, Scanner
    from kubelog.grammar import catalog
    from kubelog.grammar.compile import compile_grammar
    from kubelog.message.vocabulary import vocabulary

    wanted = os.environ.get("BENCH_COMPILED")
    if wanted and not is_compiled():
        raise Unavailable("kubelog is not compiled here")
    beside = shipped() if beside is None else beside
    if NAME == "reference":
        return ReferenceEngine([grammar], beside)
    return Scanner(compile_grammar(catalog.load([*beside, grammar], vocabulary())))


def shipped() -> list[Path]:
    """The shipped grammars that are read beside the benchmark's."""
    from kubelog.grammar import catalog

    return [file for file in sorted(catalog.shipped().glob("*.toml")) if file.name not in SAYING]


def blocks(engine: Any, path: Path) -> Iterator[Any]:
    from kubelog.ingest.clock import Clock
    from kubelog.ingest.columns import keep_freed
    from kubelog.ingest.inputs.sources import expand
    from kubelog.reader import Reader

    reader = Reader(engine, str(path), Clock(engine.table, year=2023))
    keep_freed()
    # As `Log` reads a file.
    for chunk in expand([path])[0][0].read(reader.give):
        for block in reader.push(chunk):
            engine.messages(block)
            yield block
    for block in reader.push(b"", final=True):
        engine.messages(block)
        yield block


def read(engine: Any, path: Path) -> Reading:
    # A Block's bytes and most of its columns go before the next comes; what is counted afterwards is kept: six bytes a record.
    whole = bool(os.environ.get("BENCH_CHECK"))
    kept = [
        (block if whole else None, len(block), block.member_first[len(block)], block.kind, block.verdict, block.joined)
        for block in blocks(engine, path)
    ]

    def finish(reading: Reading, expected: dict[str, Any]) -> list[str]:
        from kubelog.ingest.block import VERDICTS

        kinds: Counter[int] = Counter()
        verdicts: Counter[int] = Counter()
        joined = 0
        for _, rows, _, kind, verdict, is_joined in kept:
            kinds.update(kind[:rows])
            verdicts.update(verdict[:rows])
            joined += sum(is_joined[:rows])
        for number, count in kinds.items():
            if number >= 0:
                event = engine.table.entries[number].event
                reading.kinds[event] = reading.kinds.get(event, 0) + count
        reading.told |= {"verdicts": {VERDICTS[number]: count for number, count in verdicts.items()}, "joined": joined}
        if whole:
            found = [block for block, *_ in kept]
            reading.told |= _rest(found)
            reading.fields = lambda: _fields(engine, found)
        return []

    told = {"records": sum(rows for _, rows, *_ in kept), "lines": sum(lines for _, _, lines, *_ in kept)}
    return Reading({}, told, finish=finish)


def _fields(engine: Any, found: list[Any]) -> Iterator[tuple[str, Iterable[bytes | None]]]:
    for block in found:
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


def _rest(found: list[Any]) -> dict[str, int]:
    """Headers, pairs and times."""
    headers = moments = count = 0
    for block in found:
        for row in range(len(block)):
            line = block.first[row]
            if block.head[line] >= 0:
                headers += 1
                moments += block.moment[line]
        count += block.pair_first[len(block)]
    return {"headers": headers, "moments": moments % 2**64, "pairs": count}
