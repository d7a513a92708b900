"""a file that grows → pieces of bytes as they come, through whatever rotates it.

  * renamed: the old file is read to its end, then those that came between, then the new one;
  * copied and truncated: what was not read yet is read from the copy, where there is one;
  * deleted: the old file is read on, until there is a new one.
A file is known by its device, its inode and how it begins: an inode is soon used again. Nothing is ever written.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from kubelog.errors import InputError
from kubelog.ingest.inputs.archives import Stream
from kubelog.ingest.inputs.compressed import DamagedError
from kubelog.ingest.inputs.follow import POLL_S, Piece
from kubelog.ingest.inputs.sources import CHUNK, File, family

# So much of a file's beginning tells it from others.
_BEGINNING: Final = 1024


class Known(msgspec.Struct):
    """A file, and how far it was read."""

    device: int
    inode: int
    length: int = 0  # of the beginning that is known
    digest: str = ""
    at: int = 0
    time_ns: int = 0  # when it was last written, as far as was seen

    def is_same(self, other: Known) -> bool:
        return (self.device, self.inode) == (other.device, other.inode)


class GrowingFile:
    """Follows a file from its beginning, or from a place that was kept."""

    def __init__(self, path: str, place: Any = None, poll_s: float = POLL_S) -> None:
        self.path, self.poll_s = path, poll_s
        self.kept = None if place is None else msgspec.convert(place, Known, strict=False)
        self.descriptor = -1
        self.known = Known(0, 0)
        self.head = b""  # the beginning that is known
        self.done: deque[tuple[int, int]] = deque(maxlen=1000)  # the files before it: device and inode
        self.seen = 0  # the size that the file was seen to have last
        self.told = self.said = ""  # why it cannot be opened, and what was said of that

    def place(self) -> Any:
        return msgspec.to_builtins(self.known)

    def __iter__(self) -> Iterator[Piece]:
        try:
            yield from self._begun()
            rested = False  # whether the file was quiet at the look before, when another had taken its place
            while True:
                if self.descriptor < 0:
                    yield from self._next()
                    continue
                data = os.read(self.descriptor, CHUNK)
                is_truncated = self._is_truncated(len(data))
                if data and not is_truncated:
                    self._took(data)
                    rested = False
                    yield Piece(data)
                elif is_truncated:
                    rested = False
                    yield from self._truncated()
                elif self._is_replaced() and rested:
                    rested = False
                    yield from self._next()
                else:
                    rested = self._is_replaced()
                    yield Piece(b"")
                    time.sleep(self.poll_s)
        except OSError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(self.path, (error.strerror or "cannot be read").lower(), self.known.at or None) from None
        finally:
            if self.descriptor >= 0:
                os.close(self.descriptor)
                self.descriptor = -1

    # Which file

    def _begun(self) -> Iterator[Piece]:
        """Open the file where it was left; else at its beginning."""
        kept = self.kept
        if kept is None:
            self._open(self.path, first=True)
            return
        self.known = kept
        if not kept.at and (passed := self._passed()) is not None and (yield from self._entered(*passed, None)):
            return
        # It may have been rotated meanwhile, or be at this moment.
        for path in (one for _ in range(3) for one in (self.path, *self._standing()[0])):
            if self._is_known(path, kept):
                if _is_packed(path):
                    yield from self._copied(path)
                    return
                if self._open(path, kept):
                    return
        if (copy := self._copy()) is not None:
            yield from self._copied(copy)
        else:
            self._open(self.path, first=True)
            text = f"{self.path}: what was read up to byte {kept.at:,} is gone: what followed it is lost"
            yield Piece(b"", begins=True, said=text, lost=True)

    def _passed(self) -> tuple[str, Known] | None:
        """Where a file of which nothing was read yet went that was renamed, or the first that was written since it was begun."""
        siblings, files = self._standing()
        known = [(path, file) for path, file in zip(siblings, files, strict=True) if file is not None]
        mine = [one for one in known if one[1].is_same(self.known)]
        later = [one for one in known if one[0] != self.path and one[1].time_ns > self.known.time_ns]
        path, file = next(iter(mine or later), (self.path, None))
        return None if path == self.path or file is None else (path, file)

    def _waits(self) -> Piece:
        """Nothing can be read now; what is in the way is said once."""
        time.sleep(self.poll_s)
        is_new, self.said = self.told != self.said, self.told
        return Piece(b"", said=self.told if is_new and self.told else None)

    def _open(self, path: str, known: Known | None = None, *, first: bool = False, expected: Known | None = None) -> bool:
        """Read on in a file; whether it could be opened and is the `expected` one. Raises InputError where it is the first."""
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            if first:
                raise InputError(path, (error.strerror or "cannot be read").lower()) from None
            if error.errno != errno.ENOENT:
                self.told = f"{path}: {(error.strerror or 'cannot be read').lower()}; it is tried again"
            return False
        now = os.fstat(descriptor)
        head = os.pread(descriptor, 0 if known is None else known.length, 0)
        is_wanted = expected is None or expected.is_same(Known(now.st_dev, now.st_ino))
        if known is not None:
            is_wanted = now.st_size >= known.at and (not known.length or _digest(head) == known.digest)
        if not is_wanted:
            os.close(descriptor)
            return False
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.done.append((self.known.device, self.known.inode))
        self.descriptor, self.seen, self.told = descriptor, 0, ""
        self.known = known or Known(now.st_dev, now.st_ino, time_ns=now.st_mtime_ns)
        self.head = head
        os.lseek(descriptor, self.known.at, os.SEEK_SET)
        return True

    def _took(self, data: bytes) -> None:
        """Go on behind these bytes."""
        known = self.known
        if known.length == known.at < _BEGINNING:
            self.head = (self.head + data)[:_BEGINNING]
            known.length, known.digest = len(self.head), _digest(self.head)
        known.at += len(data)

    def _is_known(self, path: str, known: Known) -> bool:
        """Whether a file is that one: not only its inode."""
        try:
            now = os.stat(path)
        except OSError:
            return False
        is_same = known.is_same(Known(now.st_dev, now.st_ino))
        return is_same and (not known.length or _begins(path, known.length) == known.digest)

    def _is_replaced(self) -> bool:
        """Whether another file has the name now."""
        try:
            now, mine = os.stat(self.path), os.fstat(self.descriptor)
        except OSError:
            return False
        self.known.time_ns = mine.st_mtime_ns
        return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino)

    def _siblings(self) -> list[str]:
        """The file and those that were rotated from it, the oldest first; links by what they point to."""
        real = os.path.realpath(self.path)
        name, _ = family(real)
        folder = os.path.dirname(real)
        try:
            paths = [os.path.join(folder, one) for one in os.listdir(folder)]
        except OSError:
            return [self.path]
        found = sorted((one for one in paths if family(one)[0] == name), key=lambda one: family(one)[1])
        return [self.path if one == real else one for one in found]

    # Renamed

    def _next(self) -> Iterator[Piece]:
        """Go on with the file that came next."""
        for _ in range(20):
            # Names may be shifted between two looks at them.
            path, file, said = self._following()
            if file is None:
                break
            if (yield from self._entered(path, file, said)):
                return
        yield self._waits()

    def _entered(self, path: str, file: Known, said: str | None) -> Generator[Piece, None, bool]:
        """Go on in another file, or in one that is packed and what came behind it; whether it was there still."""
        if not _is_packed(path):
            is_open = self._open(path, expected=file)
            if is_open:
                yield Piece(b"", begins=True, said=said, lost=said is not None)
            return is_open
        stream = _opened(path, file)
        if stream is None:
            return False
        self.done.append((self.known.device, self.known.inode))
        self.known, self.head = file, b""
        yield Piece(b"", begins=True, said=said, lost=said is not None)
        yield from self._rest(path, stream)
        yield from self._next()
        return True

    def _following(self) -> tuple[str, Known | None, str | None]:
        """The file that came after the one that was read, and what is to be said of that."""
        siblings, files = self._standing()
        place = next((number for number, one in enumerate(files) if _is_same(one, self.known)), -1)
        for number in range(place + 1, len(siblings)):
            # It may have been packed since, or be packed at this moment.
            if _is_packed(siblings[number]) and self._begins_same(siblings[number]):
                place = number
        if place >= 0:
            if place + 1 < len(siblings) and not _is_copy(siblings[place + 1], self.path):
                return siblings[place + 1], files[place + 1], None
            return self.path, _known(self.path), None
        # It is gone. What was written since is what came behind it.
        for path, file in zip(siblings, files, strict=True):
            if self._is_later(path, file):
                name = os.path.basename(path)
                return path, file, f"{self.path}: rotated away while it was read: what was written before {name} may be lost"
        return self.path, _known(self.path), None

    def _is_later(self, path: str, file: Known | None) -> bool:
        """Whether a file that was rotated was written after the one that is read."""
        if path == self.path or file is None or file.is_same(self.known) or file.time_ns < self.known.time_ns:
            return False
        if (file.device, file.inode) in self.done:
            return False
        return not _is_copy(path, self.path)

    def _standing(self) -> tuple[list[str], list[Known | None]]:
        """The siblings, and which file each of them is: names may be shifted while they are looked at."""
        for _ in range(100):
            siblings = self._siblings()
            files = [_known(one) for one in siblings]
            if siblings == self._siblings() and all(_is_same(*one) for one in zip(files, map(_known, siblings), strict=True)):
                break
            time.sleep(self.poll_s / 100)
        return siblings, files

    # Truncated

    def _is_truncated(self, size: int) -> bool:
        """Whether the file begins as another, or is shorter, than what was read of it; so many bytes more were just read."""
        now = os.fstat(self.descriptor).st_size
        if now < self.known.at + size or os.pread(self.descriptor, self.known.length, 0) != self.head:
            return True
        self.seen = now
        return False

    def _truncated(self) -> Iterator[Piece]:
        """Read what is left of it in its copy, and what came between; then it begins anew."""
        copy = self._copy()
        if copy is not None:
            yield from self._copied(copy)
            return
        lost = max(0, self.seen - self.known.at)
        how_much = f"at least {lost:,} bytes are lost" if lost else "what was written last may be lost"
        yield from self._anew(f"{self.path}: truncated while it was read: {how_much}")

    def _copied(self, copy: str) -> Iterator[Piece]:
        """Go on in a copy of what was read."""
        file = _known(copy)
        stream = None if file is None else _opened(copy, file)
        if file is None or stream is None:
            yield from self._anew(f"{self.path}: truncated while it was read: what was written last may be lost")
            return
        self.known.device, self.known.inode = file.device, file.inode
        yield from self._rest(copy, stream)
        yield from self._next()

    def _anew(self, said: str | None = None) -> Iterator[Piece]:
        if self._open(self.path):
            yield Piece(b"", begins=True, said=said, lost=said is not None)
        else:
            yield self._waits()

    def _begins_same(self, path: str) -> bool:
        return bool(self.known.length) and _begins(path, self.known.length) == self.known.digest

    def _copy(self) -> str | None:
        """A file beside it that begins as what was read did; the latest of them."""
        return next((one for one in reversed(self._siblings()) if one != self.path and self._begins_same(one)), None)

    def _rest(self, path: str, stream: Stream) -> Iterator[Piece]:
        """What a file, that may be compressed, holds behind what was read."""
        skip = self.known.at
        try:
            while piece := stream.read(CHUNK):
                rest = piece[skip:]
                skip = max(0, skip - len(piece))
                if rest:
                    self._took(rest)
                    yield Piece(rest)
        except (OSError, DamagedError) as error:
            yield Piece(b"", said=f"{path}: {error}", lost=True)
        finally:
            stream.close()


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _opened(path: str, expected: Known) -> Stream | None:
    """A file, decompressed, if it is the one that was expected."""
    try:
        file = File(Path(path))
        now = os.fstat(file.descriptor)
        return Stream(file) if expected.is_same(Known(now.st_dev, now.st_ino)) else None
    except (OSError, DamagedError):
        return None


def _head(path: str) -> bytes:
    """How a file begins, decompressed; b"" where it cannot be read."""
    try:
        stream = Stream(File(Path(path)))
    except (OSError, DamagedError):
        return b""
    try:
        return stream.head[:_BEGINNING]
    finally:
        stream.close()


def _begins(path: str, length: int) -> str:
    """What the beginning of a file comes to; "" where so much cannot be read of it."""
    head = _head(path)[:length]
    return _digest(head) if len(head) == length else ""


def _is_copy(path: str, other: str) -> bool:
    """Whether a file is being copied from another, which holds all of it still."""
    head = _head(path)
    return bool(head) and _head(other).startswith(head)


def _known(path: str) -> Known | None:
    """The file that has a name now."""
    try:
        now = os.stat(path)
    except OSError:
        return None
    return Known(now.st_dev, now.st_ino, time_ns=now.st_mtime_ns)


def _is_same(one: Known | None, other: Known | None) -> bool:
    return one is not None and other is not None and one.is_same(other)


def _is_packed(path: str) -> bool:
    return path.endswith((".gz", ".xz", ".zst", ".bz2"))
