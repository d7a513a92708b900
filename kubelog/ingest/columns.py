"""Memory of columns: memoryviews of int8 (b), int32 (i) and int64 (q)."""

from __future__ import annotations

from kubelog.ingest import ops


def column(code: str, size: int) -> memoryview[int]:
    """A column with room for `size` values, which are not set."""
    width = 8 if code == "q" else 4 if code == "i" else 1
    return memoryview(ops.empty(size * width)).cast(code)  # type: ignore[call-overload,no-any-return]


def grown(code: str, old: memoryview[int], size: int) -> memoryview[int]:
    """A column with more room that begins as the old one."""
    new = column(code, size)
    new[: len(old)] = old
    return new
