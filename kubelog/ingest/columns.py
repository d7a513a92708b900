"""Memory: columns, which are arrays of int8 (b), uint8 (B), int32 (i), int64 (q) and float64 (d), and the bytes that are read."""

from __future__ import annotations

from array import array
from functools import cache
from typing import Any

from kubelog.ingest import ops

_LIKE = {code: array(code) for code in "bBiqd"}


def column(code: str, size: int) -> array[Any]:
    """A column with room for `size` values, which are not set."""
    return ops.empty(_LIKE[code], size)


def grown(code: str, old: array[int], size: int) -> array[int]:
    """A column with more room that begins as the old one."""
    new = column(code, size)
    memoryview(new)[: len(old)] = memoryview(old)
    return new


def zeros(code: str, size: int) -> array[Any]:
    """A column of zeros."""
    return ops.cleared(_LIKE[code], size)


def read_behind(front: bytes, descriptor: int, size: int) -> bytes:
    """`front` and up to `size` bytes that are read from a file behind it, fewer at its end and before an error.

    Raises OSError where nothing can be read.
    """
    return ops.read_behind(front, descriptor, size)


@cache
def keep_freed() -> None:
    """Have the C library keep some 50 MB of what is freed, for the next Block: to get pages anew costs more than to fill them.

    glibc gives back what is free at the heap's end once it is twice the largest block that was mapped for itself and freed
    (mallopt(3), M_TRIM_THRESHOLD). One that nobody touches costs nothing.
    """
    column("b", 24 << 20)


def give_freed() -> None:
    """Have the C library give back what is freed, wherever it stands: who reads for weeks, pieces of all sizes, would come to hold
    ever more (malloc_trim(3); nothing where there is none).
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    import ctypes

    return getattr(ctypes.CDLL(None), "malloc_trim", None)
