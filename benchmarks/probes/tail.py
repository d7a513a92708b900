"""`kubelog tail` behind a pipe: how long a line takes to its text, and how many lines a second go through."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median, quantiles

from benchmarks import storm
from benchmarks.generate import expected
from benchmarks.messages import HERE
from benchmarks.probes import KUBELOG, ROOT, Figure, Job, environment

TITLE = "tail behind a pipe"
RATE = 1000  # lines a second
GRAMMAR = ("--grammar", str(HERE / "grammar"))
# A form: seconds that it is sent lines, the µs between them, and where its output says of which line it tells. Text tells of a
# step that goes on every 10 s of the log's time, JSON at once: so each line of either storm is told.
FORMS = {"text": (10, 11_000_000, re.compile(rb"^(\S+ \S+)  ")), "jsonl": (3, 1_000, re.compile(rb'"last_seen":"([^"]+)"'))}
PIECE = 1 << 16  # what a pipe holds


def figures(job: Job) -> list[Figure]:
    found = []
    for form, (seconds, _, _) in FORMS.items():
        runs = [latencies(form) for _ in range(job.rounds)]
        name = f"a line a ms for {seconds} s, to its {form}"
        found.append(Figure(f"{name}: median", "ms", [median(run) for run in runs]))
        found.append(Figure(f"{name}: 99 of 100", "ms", [quantiles(run, n=100)[98] for run in runs], most=10))
        found.append(Figure(f"{name}: slowest", "ms", [max(run) for run in runs]))
    passed = [throughput(job) for _ in range(job.rounds)]
    found.append(Figure("the journal, as fast as it goes", "lines/s", passed, least=500_000))
    return found


@dataclass
class Sent:
    """When each line of a storm was written, and when the first text came that tells of it."""

    times: list[bytes]  # as the text gives them
    written: list[float] = field(default_factory=list)
    told: dict[bytes, float] = field(default_factory=dict)


def latencies(form: str) -> list[float]:
    """Milliseconds from writing a line to reading its text, at a steady rate."""
    seconds, step_us, time_of = FORMS[form]
    count = RATE * seconds
    sent = Sent([_shown(number * step_us, form) for number in range(count)])
    process = subprocess.Popen(
        (*KUBELOG, "tail", "-o", form, "--year", "2023"),
        env=environment(), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    into, out = process.stdin.fileno(), process.stdout.fileno()
    begun = threading.Event()

    def collect() -> None:
        rest = b""
        while data := os.read(out, 1 << 20):
            now = time.perf_counter()
            begun.set()
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if stamp := time_of.search(line):
                    sent.told.setdefault(stamp[1], now)

    reader = threading.Thread(target=collect)
    reader.start()
    start = 0.0
    for number, line in enumerate(storm.lines(count, step_us)):
        if number == 1:
            # Started, and all is loaded.
            begun.wait(60)
            start = time.perf_counter()
        elif number:
            time.sleep(max(0.0, start + number / RATE - time.perf_counter()))
        sent.written.append(time.perf_counter())
        os.write(into, line)
    process.stdin.close()
    reader.join()
    if process.wait():
        raise SystemExit("kubelog tail failed")
    silent = [number for number, stamp in enumerate(sent.times) if stamp not in sent.told]
    if silent:
        raise SystemExit(f"tail -o {form}: {len(silent)} of {count} lines told nothing, line {silent[0] + 1} first")
    return [1e3 * (sent.told[stamp] - written) for stamp, written in zip(sent.times[1:], sent.written[1:], strict=True)]


def _shown(us: int, form: str) -> bytes:
    moment = datetime.fromtimestamp(datetime(2023, 11, 1).timestamp() + us // 1_000_000).replace(microsecond=us % 1_000_000)
    return moment.isoformat(" " if form == "text" else "T", "milliseconds" if form == "text" else "microseconds").encode()


def throughput(job: Job) -> float:
    """Lines a second, from when it has begun to read to its end."""
    data = job.path.read_bytes()
    lines: int = expected(job.corpus)["lines"]
    command = (*KUBELOG, "tail", "--year", "2023", *GRAMMAR)
    process = subprocess.Popen(command, env=environment(), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin is not None
    into = process.stdin.fileno()
    view, at, start, skipped = memoryview(data), 0, 0.0, 0
    while at < len(view):
        at += os.write(into, view[at : at + PIECE])
        if not start and at > 2 * PIECE:
            start, skipped = time.perf_counter(), data.count(b"\n", 0, at)
    process.stdin.close()
    if process.wait():
        raise SystemExit("kubelog tail failed")
    return (lines - skipped) / (time.perf_counter() - start)
