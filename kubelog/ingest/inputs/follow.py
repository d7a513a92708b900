"""a pipe → pieces of bytes as they come. What else is followed: growing.py (files), journal.py."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, Protocol

# How often a file is looked at, and how long a pipe is silent before what it sent counts as complete.
POLL_S: Final = 0.2
# What a pipe may hold, and what is read of it at a time.
_PIECE: Final = 1 << 20


class Piece(NamedTuple):
    """Bytes that came; b"" where none did for a while."""

    data: bytes
    begins: bool = False  # whether another file begins with it, under the same name
    said: str | None = None  # what the user must be told
    lost: bool = False  # whether that is a loss of what stood before it


class Growing(Protocol):
    """What is followed."""

    def __iter__(self) -> Iterator[Piece]: ...

    def place(self) -> Any:
        """Where what was given so far ends, as plain data; None where nobody can go on from there."""


class Piped:
    """What comes by a pipe, as it comes: standard input, or one that has a name."""

    def __init__(self, path: str = "-") -> None:
        self.path = path

    def __iter__(self) -> Iterator[Piece]:
        descriptor = sys.stdin.fileno() if self.path == "-" else os.open(self.path, os.O_RDONLY)
        try:
            for piece in pipe(descriptor=descriptor):
                yield Piece(piece or b"")
        finally:
            if self.path != "-":
                os.close(descriptor)

    def place(self) -> None:
        return None


def pipe(idle_s: float | None = None, begun: bytes = b"", descriptor: int | None = None) -> Iterator[bytes | None]:
    """What standard input, or another descriptor, sends, at once, behind what was read of it; None after each `idle_s` seconds of
    silence that follow something.
    """
    descriptor, told = sys.stdin.fileno() if descriptor is None else descriptor, not begun
    _widen(descriptor)
    if begun:
        yield begun
    while True:
        if idle_s is not None and not told and not select.select([descriptor], [], [], idle_s)[0]:
            told = True
            yield None
            continue
        chunk = os.read(descriptor, _PIECE)
        if not chunk:
            return
        told = False
        yield chunk


def _widen(descriptor: int) -> None:
    """Let a pipe hold more, so that fewer and larger pieces come of one that sends much; as much as any user may have."""
    try:
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIECE)
    except (ImportError, AttributeError, OSError):
        return  # another system, or no pipe
