"""ripgrep: how many lines say one of 20 things. It counts and extracts nothing. The peak memory told is that of the Python that
started it.

BENCH_RIPGREP=plain asks as people do, a text a pattern: `rg -c -F -e TEXT -e TEXT …`. `one` is the quickest form that we found:
one expression, the texts as its alternatives, behind the end of klog's header.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from benchmarks.build import Unavailable
from benchmarks.engines import Reading
from benchmarks.generate import expected
from benchmarks.messages import Message, known, load

FORM = os.environ.get("BENCH_RIPGREP", "plain")
JOB = {"plain": "counting lines with one of 20 texts", "one": "the same count by one expression"}[FORM]
PATTERNS = 20


def chosen() -> list[Message]:
    """The kinds that the journal has most often."""
    often = expected("day")["kinds"]
    return sorted(known(load()), key=lambda message: -often[message.kind][0])[:PATTERNS]


def prepare() -> list[str]:
    program = shutil.which("rg")
    if not program:
        raise Unavailable("ripgrep is not installed")
    leads = [message.lead for message in chosen()]
    if FORM == "one":
        plain = "|".join(re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", lead) for lead in leads)
        return [program, "--no-config", "-c", "-j1", "-e", rf"\.go:\d+\] (?:{plain})"]
    return [program, "--no-config", "-c", "-j1", "-F", *(part for lead in leads for part in ("-e", lead))]


def read(command: list[str], path: Path) -> Reading:
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
    wanted = sum(count for kind, (count, _) in expected(path.stem)["kinds"].items() if kind in {one.kind for one in chosen()})
    found = int(done.stdout)
    return Reading({}, finish=lambda *_: [] if found == wanted else [f"expected {wanted} lines, found {found}"])
