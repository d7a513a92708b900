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
from kubelog.ingest.clock import CLOCK, FILE

# What is read at a time, and the usual size of a Block: what costs something a Block is spread over some 17,000 lines.
CHUNK: Final = 1 << 22
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "lzma", b"BZh": "bz2"}
_PROBE: Final = 8192


class Source:
    """One input: its name, its bytes, and what is known of its age."""

    def __init__(self, path: str, read: Callable[[], Iterator[bytes]], aged: datetime | None = None) -> None:
        self.path, self.read = path, read
        self.aged = aged
        self.size = CHUNK  # of the pieces that it is read in
        self.age_source = FILE if aged is not None else CLOCK


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
    source = Source(str(path), lambda: _read(path, source.size), aged)
    return source


def _read(path: Path, size: int) -> Iterator[bytes]:
    name, done = str(path), 0
    try:
        with open(path, "rb") as raw:
            head = raw.read(_PROBE)
            raw.seek(0) if raw.seekable() else None
            kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
            stream: Any = raw
            if kind is not None:
                stream = importlib.import_module(kind).open(raw)
                head = b""
            elif _is_binary(head):
                raise InputError(name, "not a text log: the file is binary")
            for chunk in _chunks(raw.read if kind is None else stream.read1, size):
                if not done and kind is not None and _is_binary(chunk[:_PROBE]):
                    raise InputError(name, "not a text log: what is compressed in it is binary")
                done += len(chunk)
                yield chunk
    except InputError:
        raise
    except (OSError, EOFError, ValueError) as error:
        raise InputError(name, _reason(error), done if done else None) from None
    except Exception as error:  # lzma.LZMAError and zlib.error share no base class of their own
        if type(error).__module__ not in ("zlib", "_lzma", "lzma"):
            raise
        raise InputError(name, f"damaged: {error}", done) from None


def _standard_input() -> Iterator[bytes]:
    descriptor = sys.stdin.fileno()
    return _chunks(lambda size: os.read(descriptor, size), CHUNK)


def _chunks(take: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    """What `take` gives, in pieces of this size. What it gave before it breaks off is delivered."""
    pieces: list[bytes] = []
    done = 0
    try:
        while piece := take(size - done):
            pieces.append(piece)
            done += len(piece)
            if done == size:
                yield piece if len(pieces) == 1 else b"".join(pieces)
                pieces, done = [], 0
    except Exception:
        if pieces:
            yield b"".join(pieces)
        raise
    if pieces:
        yield b"".join(pieces)


def _is_binary(head: bytes) -> bool:
    """Whether a tenth of the bytes are control characters that no terminal or log writes."""
    control = sum(1 for byte in head if (byte < 32 and byte not in (9, 10, 13, 27)) or byte == 127)
    return control * 10 > len(head)


def _reason(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "cut off: the compressed data ends too early"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
