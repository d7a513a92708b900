"""The floor: our program in C."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from benchmarks import build
from benchmarks.engines import Reading

JOB = "all of it, by hand in C"


def prepare() -> Path:
    return build.floor()


def read(state: Path, path: Path) -> Reading:
    check = ["--check"] if os.environ.get("BENCH_CHECK") else []
    return run([str(state), *check, str(path)], bool(check))


def run(command: list[str], check: bool) -> Reading:
    """What a program of ours in C prints."""
    told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    kinds = told.pop("kinds")
    cpu_us, peak_kib = told.pop("cpu_us"), told.pop("peak_kib")
    if told.pop("invalid"):
        raise AssertionError(f"{command[-1]}: invalid UTF-8")
    sums = {kind: row[1] for kind, row in kinds.items()} if check else None
    return Reading({kind: row[0] for kind, row in kinds.items()}, told, sums=sums, cpu_ns=cpu_us * 1000, peak_kib=peak_kib)
