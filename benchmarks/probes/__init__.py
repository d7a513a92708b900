"""kubelog alone, or beside the floor → figures that no engine's round shows: start-up, threads, memory, a pipe.

Each probe is a module with `TITLE` and `figures(job)`; it runs in a process of its own (`python -m benchmarks.probes`). A figure
has what it ought to be at most, or at least, where the project says so. None fails for it; what was read wrong does.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.messages import HERE

ROOT = HERE.parent
NAMES = ("start", "grammar", "cold", "size", "frames", "threads", "memory", "bounded", "tail", "timeline", "wrapping")
# How every kubelog that a probe starts is called.
KUBELOG = (sys.executable, "-m", "kubelog")


@dataclass
class Job:
    """What a probe is asked for."""

    rounds: int = 3
    corpus: str = "day"
    big: bool = False

    @property
    def path(self) -> Path:
        return HERE / "corpus" / f"{self.corpus}.log"

    @property
    def many(self) -> int:
        """Rounds of what takes a moment."""
        return 2 * self.rounds + 3


@dataclass
class Figure:
    """One thing that was measured, in every round."""

    name: str
    unit: str
    values: list[float] = field(default_factory=list)
    most: float | None = None
    least: float | None = None

    def told(self) -> dict[str, Any]:
        return asdict(self)


def line_of(told: dict[str, Any]) -> str:
    """A figure as people read it: median, lowest and highest, goal."""
    values = told["values"]
    digits = 0 if median(values) >= 100 else 1 if median(values) >= 10 else 2
    spread = f"{min(values):,.{digits}f}–{max(values):,.{digits}f}" if len(values) > 1 else ""
    goal = f"≤ {told['most']:,g}" if told["most"] is not None else f"≥ {told['least']:,g}" if told["least"] is not None else ""
    return f"  {told['name']:<52}{median(values):>12,.{digits}f} {told['unit']:<10}{spread:>19}   {goal}".rstrip()


def environment() -> dict[str, str]:
    """That of a user's shell: bytecode is cached, output is buffered."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
        env.pop(name, None)
    return env
