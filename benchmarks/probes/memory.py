"""Memory: the most anonymous memory that a command holds while it reads a long file, in its first half and in its second."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.build import Unavailable
from benchmarks.engines.kubelog_blocks import is_compiled
from benchmarks.messages import HERE
from benchmarks.probes import KUBELOG, ROOT, Figure, Job, environment

TITLE = "memory while a long file is read: anonymous, at most"
SMALL, BIG = 500, 4000
SAMPLE_S = 0.005
GRAMMAR = ("--grammar", str(HERE / "grammar"), "--year", "2023")


def figures(job: Job) -> list[Figure]:
    if not is_compiled():
        raise Unavailable("interpreted it takes an hour")
    size = BIG if job.big else SMALL
    folder = HERE / "corpus"
    commands: dict[str, tuple[str, ...]] = {"parse -o parquet": ("parse", "-o", "parquet", "--to", str(folder / "memory.parquet"))}
    if not job.big:
        commands |= {"parse -o jsonl": ("parse", "-o", "jsonl"), "timeline": ("timeline",), "coverage": ("coverage",)}
    with repeated(job.path, size * 1_000_000, folder / "memory.log") as path:
        found = [Figure("size of the file", "MB", [path.stat().st_size / 1e6])]
        for name, command in commands.items():
            try:
                halves, seconds = peaks((*KUBELOG, *command, *GRAMMAR, str(path)))
            finally:
                (folder / "memory.parquet").unlink(missing_ok=True)
            most = 250 if name == "parse -o parquet" else None
            found.append(Figure(name, "MiB", [max(halves) / 1024], most=most))
            found.append(Figure(f"{name}: second half, × the first", "", [halves[1] / halves[0]]))
            found.append(Figure(f"{name}: wall", "s", [seconds]))
    return found


@contextmanager
def repeated(corpus: Path, size: int, path: Path) -> Iterator[Path]:
    """A file of about this size: a corpus again and again."""
    times = -(-size // corpus.stat().st_size)
    need = times * corpus.stat().st_size * 3 // 2
    if shutil.disk_usage(path.parent).free < need:
        raise Unavailable(f"less than {need / 1e9:.1f} GB of disk")
    try:
        with path.open("wb") as file:
            for _ in range(times):
                file.write(corpus.read_bytes())
        yield path
    finally:
        path.unlink(missing_ok=True)


def peaks(command: tuple[str, ...]) -> tuple[tuple[int, int], float]:
    """KiB of anonymous memory at most, in the first half of a program's time and in the second; and its seconds."""
    process = subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=subprocess.DEVNULL)
    samples: list[tuple[float, int]] = []
    start = time.perf_counter()

    def watch() -> None:
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return
            held = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")), None)
            if held is not None:
                samples.append((time.perf_counter() - start, held))
            time.sleep(SAMPLE_S)

    if not Path("/proc/self/status").exists():
        process.kill()
        raise Unavailable("no /proc here")
    watcher = threading.Thread(target=watch)
    watcher.start()
    watcher.join()
    process.wait()
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    first = max(held for at, held in samples if at <= seconds / 2)
    second = max(held for at, held in samples if at > seconds / 2)
    return (first, second), seconds
