"""ripgrep: how many lines begin with a leading literal behind a klog header. It counts and extracts nothing. The
peak memory told is that of the Python that started it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from benchmarks.build import Unavailable
from benchmarks.engines import Reading
from benchmarks.messages import known, load

JOB = "counting matching lines only"


def prepare() -> tuple[str, str]:
    program = shutil.which("rg")
    if not program:
        raise Unavailable("ripgrep is not installed")
    leads = "|".join(re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", message.lead) for message in known(load()))
    return program, rf"\.go:\d+\] (?:{leads})"


def read(state: tuple[str, str], path: Path) -> Reading:
    program, pattern = state
    command = [program, "--count", "--no-config", "--threads=1", "-e", pattern, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Reading({}, {"verdicts": {"typed": int(done.stdout)}})
