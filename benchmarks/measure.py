"""One engine, one corpus, once, in a process of its own: what it costs, and that it found what is there.

Started by run.py, with the engine's definition as JSON; prints JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any
from zlib import crc32

from benchmarks.build import Unavailable
from benchmarks.engines import Reading
from benchmarks.messages import HERE, load


def main() -> None:
    job = json.loads(sys.argv[1])
    engine = import_module(f"benchmarks.engines.{job['module']}")
    truths = json.loads((HERE / "expected.json").read_text())
    # Every corpus begins as the cut does: its samples are theirs.
    expected = {"samples": truths["cut"]["samples"], **truths[job["corpus"]]}
    try:
        state = engine.prepare()
    except Unavailable as error:
        print(json.dumps({"skipped": str(error)}))
        return
    path = corpus(job["corpus"])
    if os.environ.get("BENCH_COLD"):
        forget(path)
    from_disk, before, wall = blocks_read(), cpu_ns(), time.perf_counter_ns()
    reading = engine.read(state, path)
    wall = time.perf_counter_ns() - wall
    cost = reading.cpu_ns if reading.cpu_ns is not None else cpu_ns() - before
    peak = reading.peak_kib if reading.peak_kib is not None else peak_kib()
    told = {"cpu_ns": cost, "wall_ns": wall, "peak_kib": peak, "records": expected["records"], "job": engine.JOB}
    told["disk_bytes"] = 512 * (blocks_read() - from_disk)
    problems = reading.finish(reading, expected) if reading.finish else []
    problems += compare(reading, expected, bool(job.get("lines_only")))
    print(json.dumps({"problems": problems} if problems else told))


def corpus(name: str) -> Path:
    return HERE / "corpus" / f"{name}.log"


def cpu_ns() -> int:
    """CPU time of this process, its threads and the programs that it waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time_ns() + int((used.ru_utime + used.ru_stime) * 1e9)


def blocks_read() -> int:
    """Blocks of 512 bytes that this process, and the programs that it waited for, had to fetch from a disk."""
    return sum(resource.getrusage(who).ru_inblock for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def forget(path: Path) -> None:
    """Have the system drop what it holds of a file, so that it is read from the disk."""
    if not hasattr(os, "posix_fadvise"):
        raise SystemExit("this system cannot drop a file from its cache")
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def peak_kib() -> int:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def compare(reading: Reading, expected: dict[str, Any], lines_only: bool) -> list[str]:
    """What an engine found that is not so: numbers on every run, each field's bytes where it was asked to check."""
    problems = []
    for name, value in reading.told.items():
        wanted = expected[name]
        if isinstance(value, dict):
            wanted = {key: wanted.get(key) for key in value}
        if value != wanted:
            problems.append(f"{name}: expected {wanted}, found {value}")
    wanted = {kind: row[0] for kind, row in expected["kinds"].items()}
    if reading.kinds and {kind: n for kind, n in reading.kinds.items() if n} != wanted:
        differ = [kind for kind in wanted | reading.kinds if wanted.get(kind) != reading.kinds.get(kind)]
        problems += [f"{kind}: expected {wanted.get(kind)} records, found {reading.kinds.get(kind)}" for kind in differ]
    if os.environ.get("BENCH_CHECK"):
        problems += _fields(reading, expected, lines_only) + _samples(reading, expected)
    return problems


def _fields(reading: Reading, expected: dict[str, Any], lines_only: bool) -> list[str]:
    sums = reading.sums
    if reading.fields:
        sums = {}
        for kind, values in reading.fields():
            sums[kind] = sums.get(kind, 0) + sum(crc32(value) for value in values if value is not None)
    if sums is None:
        return []
    left_out = {message.kind for message in load() if lines_only and message.spans_lines}
    return [
        f"{kind}: the fields' bytes differ: CRC32s sum up to {wanted}, not {sums.get(kind, 0)}"
        for kind, (_, wanted) in expected["kinds"].items()
        if kind not in left_out and sums.get(kind, 0) != wanted
    ]


def _samples(reading: Reading, expected: dict[str, Any]) -> list[str]:
    """Typed values: text is what the line says, unquoted; everything else has converted."""
    if not reading.values:
        return []
    problems = []
    for sample in expected["samples"]:
        kind, values = reading.values.get(sample["line"], (None, {}))
        if kind != sample["kind"]:
            problems.append(f"line {sample['line']}: expected {sample['kind']}, found {kind}")
            continue
        for name, raw in sample["fields"].items():
            value = values.get(name)
            text = json.loads(raw) if raw.startswith('"') and raw.endswith('"') else raw
            if value is None or (isinstance(value, str) and not raw.startswith("<\n") and value != text):
                problems.append(f"line {sample['line']}: expected {name} = {text!r}, found {value!r}")
    return problems


if __name__ == "__main__":
    main()
