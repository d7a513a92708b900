"""Wrappings: what a record costs behind each, against the same record bare; and gzip against its decoder."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.build import Unavailable
from benchmarks.engines.kubelog_blocks import is_compiled
from benchmarks.measure import cpu_ns
from benchmarks.probes import Figure, Job
from kubelog.ingest.inputs.sources import CHUNK, Source, expand
from kubelog.pipeline import Log, load_grammar

TITLE = "wrappings"
RECORDS = 200_000
# Behind the same texts: journald's short and dated prefixes, a container's.
WRAPPINGS = {
    "bare": "",
    "journald short": "Oct 16 09:50:{second:02} node-1 kubelet[1234]: ",
    "journald short-iso": "2025-10-16T09:50:{second:02}+0000 node-1 kubelet[1234]: ",
    "CRI": "2025-10-16T09:50:{second:02}.{micro:06}123Z stderr F ",
}


def figures(job: Job) -> list[Figure]:
    if not is_compiled():
        raise Unavailable("interpreted it says nothing of the scanner")
    engine = load_grammar()
    costs: dict[str, list[float]] = {name: [] for name in WRAPPINGS}
    made = {name: b"".join(lines(front)) for name, front in WRAPPINGS.items()}
    for _ in range(job.many):
        for name, data in made.items():
            pieces = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]
            log = Log([Source.of(name, pieces)], engine, year=2025, jobs=1)
            start = cpu_ns()
            count = sum(len(block) for block, _ in log.blocks())
            costs[name].append((cpu_ns() - start) / RECORDS)
            if count != RECORDS:
                raise SystemExit(f"expected {RECORDS} records behind {name}, found {count}")
    bare = median(costs["bare"])
    found = [Figure(name, "ns/record", values) for name, values in costs.items()]
    found += [
        Figure(f"{name} × bare", "", [value / bare for value in costs[name]], most=1.3) for name in WRAPPINGS if name != "bare"
    ]
    return [*found, unpacked(made["journald short"], job.many)]


def lines(front: str) -> Iterator[bytes]:
    for number in range(RECORDS):
        second, micro = number // 50 % 60, number * 137 % 1_000_000
        yield (
            front.format(second=second, micro=micro)
            + f"I1016 09:50:{second:02}.{micro:06}    1234 kubelet.go:{2000 + number % 40}] "
            + f'"SyncLoop ADD" source="api" pods=["default/nginx-{number % 97}"]\n'
        ).encode()


def unpacked(data: bytes, many: int) -> Figure:
    """What it takes to read a compressed file against what zlib takes."""
    figure = Figure("gzip × its decoder", "", most=1.3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.log"
        path.write_bytes(gzip.compress(data, 6))
        for _ in range(many):
            start = cpu_ns()
            decoder, size = zlib.decompressobj(31), 0
            with path.open("rb") as file:
                while piece := file.read(1 << 18):
                    while piece:
                        size += len(decoder.decompress(piece, CHUNK))
                        piece = decoder.unconsumed_tail
            between = cpu_ns()
            [source], _ = expand([path])
            got = sum(map(len, source.read()))
            figure.values.append((cpu_ns() - between) / (between - start))
            if not size == got == len(data):
                raise SystemExit(f"expected {len(data)} bytes, found {size} and {got}")
    return figure
