"""arguments → inputs: files, directories, globs and standard input, as runs of bytes. Compression is found by
looking.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from kubelog.errors import InputError
from kubelog.ingest import columns
from kubelog.ingest.clock import CLOCK, FILE

# What is read at a time, and the usual size of a Block: what costs something a Block is spread over some 9,000
# lines, and the C library has such a piece of memory again when it was let go.
CHUNK: Final = 1 << 21
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "lzma", b"BZh": "bz2"}
_PROBE: Final = 8192


# What a piece is to begin with: asked for when it is read.
Front = Callable[[], bytes]


class Source:
    """One input: its name, its bytes, and what is known of its age."""

    def __init__(self, path: str, read: Callable[[Front, int], Iterator[bytes]], aged: datetime | None = None) -> None:
        self.path, self._read = path, read
        self.aged = aged
        self.size = CHUNK  # of the pieces that it is read in
        self.age_source = FILE if aged is not None else CLOCK

    @classmethod
    def of(cls, path: str, pieces: Iterable[bytes] = (), aged: datetime | None = None) -> Source:
        """An input whose bytes are at hand."""
        return cls(path, lambda front, _: (front() + piece for piece in pieces), aged)

    def read(self, front: Front = bytes) -> Iterator[bytes]:
        """The bytes in pieces. Each begins with what `front` gives when it is read: so that none has to be copied behind it."""
        return self._read(front, self.size)


def expand(inputs: Iterable[str | os.PathLike[str]]) -> tuple[list[Source], list[InputError]]:
    """The sources that the arguments name, in order, and an error for each argument that names none."""
    sources: list[Source] = []
    errors: list[InputError] = []
    for one in inputs:
        name = os.fspath(one)
        if name == "-":
            sources.append(Source("-", _standard_input))
            continue
        found = [name] if os.path.lexists(name) else _matching(name)
        if not found:
            errors.append(InputError(name, "no such file or directory"))
        for path in found:
            try:
                sources += _files(Path(path))
            except InputError as error:
                errors.append(error)
            except OSError as error:
                errors.append(InputError(path, _reason(error)))
    return sources, errors


def _matching(pattern: str) -> list[str]:
    import glob

    return sorted(glob.glob(pattern))


def _files(path: Path) -> list[Source]:
    if path.is_dir():
        found = sorted(one for one in path.rglob("*") if one.is_file())
        if not found:
            raise InputError(str(path), "no file in this directory")
        return [_file(one) for one in found]
    return [_file(path)]


def _file(path: Path) -> Source:
    # The age of a file bounds the year of its lines; it is the file's, not the wall clock's.
    aged = datetime.fromtimestamp(path.stat().st_mtime)  # local, as klog writes
    return Source(str(path), lambda front, size: _read(path, front, size), aged)


def _read(path: Path, front: Front, size: int) -> Iterator[bytes]:
    name, done = str(path), 0
    try:
        with open(path, "rb") as raw:
            head = raw.peek(_PROBE)[:_PROBE]
            kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
            if kind is None:
                if _is_binary(head):
                    raise InputError(name, "not a text log: the file is binary")
                if raw.seekable():
                    raw.seek(0)
                    os.lseek(raw.fileno(), 0, os.SEEK_SET)  # behind the buffer's back: it is not read from any more
                    yield from _pieces(raw.fileno(), front, size)
                else:
                    yield from _chunks(raw.read1, front, size)
                return
            stream: Any = importlib.import_module(kind).open(raw)
            first = stream.peek(_PROBE)[:_PROBE]
            if _is_binary(first):
                raise InputError(name, "not a text log: what is compressed in it is binary")

            def take(size: int) -> bytes:
                nonlocal done
                found: bytes = stream.read1(size)
                done += len(found)
                return found

            yield from _chunks(take, front, size)
    except InputError:
        raise
    except (OSError, EOFError, ValueError) as error:
        raise InputError(name, _reason(error), done if done else None) from None
    except Exception as error:  # lzma.LZMAError and zlib.error share no base class of their own
        if type(error).__module__ not in ("zlib", "_lzma", "lzma"):
            raise
        raise InputError(name, f"damaged: {error}", done) from None


def _standard_input(front: Front, size: int) -> Iterator[bytes]:
    return _pieces(sys.stdin.fileno(), front, size)


def _pieces(descriptor: int, front: Front, size: int) -> Iterator[bytes]:
    """What a descriptor gives, in pieces of this size."""
    while True:
        before = front()
        try:
            piece = columns.read_behind(before, descriptor, size)
        except OSError:
            yield before
            raise
        yield piece
        if len(piece) == len(before):
            return


def _chunks(take: Callable[[int], bytes], front: Front, size: int) -> Iterator[bytes]:
    """What `take` gives, in pieces of this size. What it gave before it breaks off is delivered."""
    pieces: list[bytes] = []
    done = 0
    try:
        while piece := take(size - done):
            pieces.append(piece)
            done += len(piece)
            if done == size:
                yield b"".join((front(), *pieces))
                pieces, done = [], 0
    except Exception:
        if pieces:
            yield b"".join((front(), *pieces))
        raise
    if pieces:
        yield b"".join((front(), *pieces))


def _is_binary(head: bytes) -> bool:
    """Whether a tenth of the bytes are control characters that no terminal or log writes."""
    control = sum(1 for byte in head if (byte < 32 and byte not in (9, 10, 13, 27)) or byte == 127)
    return control * 10 > len(head)


def _reason(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "cut off: the compressed data ends too early"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
