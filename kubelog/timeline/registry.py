"""The rules that run on each node."""

from __future__ import annotations

from typing import Final

from kubelog.timeline.rules import Rule
from kubelog.timeline.rules.node_pressure_eviction import NodePressureEviction

# In the order of dependence: what causes stands before what follows from it.
OWN: Final[tuple[type[Rule], ...]] = (NodePressureEviction,)


def rules() -> tuple[Rule, ...]:
    """One of each."""
    return tuple(rule() for rule in OWN)
