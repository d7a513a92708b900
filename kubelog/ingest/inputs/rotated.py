"""a path → the files that were rotated from it, as they stand, and which of them is one that was read.

A file is known by its device and inode and by how it begins: an inode is soon used again, and what is copied or packed has another.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec

from kubelog.ingest.inputs.archives import Stream
from kubelog.ingest.inputs.compressed import DamagedError
from kubelog.ingest.inputs.sources import File, family

# So much of a file's beginning tells it from others.
BEGINNING: Final = 1024
# What was copied before the last lines of a short file came has less of it in common. A header of klog has 32 bytes and more.
MARKS: Final = (32, 64, 128, 256, 512)
# So often are names looked at anew that are shifted meanwhile.
LOOKS: Final = 50

_Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
_Number = Annotated[int, msgspec.Meta(ge=0)]  # an inode may need 64 bits


class Known(msgspec.Struct):
    """A file, as it is told from others."""

    device: _Number = 0
    inode: _Number = 0
    length: Annotated[int, msgspec.Meta(ge=0, le=BEGINNING)] = 0  # of the beginning that is known
    digest: str = ""  # of that beginning
    marks: list[str] = []  # the digests of what of it is as long as MARKS say

    def begin(self, head: bytes) -> None:
        """It begins so."""
        self.length, self.digest = len(head), digest(head)
        self.marks = [digest(head[:mark]) for mark in MARKS if mark < len(head)]

    def is_begun(self, head: bytes) -> bool:
        """Whether a file that begins so is this one, or its copy."""
        return len(head) >= self.length and digest(head[: self.length]) == self.digest

    def is_begun_short(self, head: bytes) -> bool:
        """Whether a file that is no longer than this may be a copy of what came first."""
        known = [(mark, said) for mark, said in zip(MARKS, self.marks, strict=False) if mark <= len(head) < self.length]
        return bool(known) and digest(head[: known[-1][0]]) == known[-1][1]


class Position(msgspec.Struct):
    """How far a file was read."""

    file: Known
    at: _Count
    real: str  # its path, links resolved
    time_ns: int = 0  # when it was written last, as far as was seen
    before: Known | None = None  # the file that was rotated before it; None where there was none


class Found(NamedTuple):
    """A file that is there now."""

    path: str
    device: int
    inode: int
    size: int
    time_ns: int
    is_live: bool  # whether it has the name that is followed

    @property
    def is_packed(self) -> bool:
        return self.path.endswith((".gz", ".xz", ".zst", ".bz2"))


class MovedError(Exception):
    """A name has become another file's since it was looked at."""


class Rotated:
    """The files beside one that is followed."""

    def __init__(self, path: str, poll_s: float) -> None:
        self.path, self.rest_s = path, poll_s / LOOKS

    def files(self, read: str) -> list[Found]:
        """The files that were rotated, the oldest first, and the one that has the name, as they were at one moment."""
        for _ in range(LOOKS):
            files = self._listed(read)
            if self._rests(files, read):
                return files
            time.sleep(self.rest_s)
        raise MovedError

    def _rests(self, files: list[Found], read: str) -> bool:
        """Whether the names are still those of the same files."""
        return [one[:3] for one in files] == [one[:3] for one in self._listed(read)]

    def _listed(self, read: str) -> list[Found]:
        real = os.path.realpath(self.path)
        paths = _relatives(real)
        if real not in paths:
            paths.append(real)
        if family(real)[0] != family(read)[0]:
            # A link points elsewhere now.
            paths = [*_relatives(read), real]
        found = []
        for path in paths:
            try:
                now = os.stat(path)
            except OSError:
                continue
            if stat.S_ISREG(now.st_mode):
                found.append(Found(path, now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, path == real))
        # While a file is packed it stands there twice.
        plain = {family(one.path) for one in found if not one.is_packed}
        return [one for one in found if not one.is_packed or family(one.path) not in plain]

    def before(self, live: Found, files: list[Found]) -> Known | None:
        """The file that was rotated last before this one; None where there is none. Raises MovedError."""
        older = [one for one in files[: files.index(live)] if one.size and not self.is_copy(one, live)] if live in files else []
        if not older:
            return None
        known = Known(older[-1].device, older[-1].inode)
        known.begin(self.head(older[-1]))
        return known

    def _index(self, known: Known, files: list[Found], at: int = 0, behind: int = -1) -> int:
        """Which of the files is this one, or its copy; -1 where none is."""
        possible = [not one.is_live or one.size >= at for one in files]
        for number, one in enumerate(files):
            if possible[number] and (one.device, one.inode) == (known.device, known.inode):
                if not known.length or known.is_begun(self.head(one)):
                    return number
        if not known.length:
            return -1
        heads = [self.head(one) if is_possible else b"" for one, is_possible in zip(files, possible, strict=True)]
        same = [number for number, head in enumerate(heads) if known.is_begun(head)]
        if not same:
            same = [number for number, head in enumerate(heads) if known.is_begun_short(head)]
        # A beginning that is short may be that of others too.
        return next((number for number in same if number > behind), -1) if behind >= 0 else (same or [-1])[-1]

    def head(self, found: Found) -> bytes:
        """How a file begins, unpacked; b"" where it cannot be read."""
        try:
            file = opened(found)
            if file is None:
                raise MovedError
            try:
                return Stream(file).head[:BEGINNING] if found.is_packed else os.pread(file.descriptor, BEGINNING, 0)
            finally:
                file.close()
        except (OSError, DamagedError):
            return b""

    def is_copy(self, found: Found, live: Found) -> bool:
        """Whether a file is being copied from the live one: it will hold what is read there."""
        if found.is_packed or not live.is_live or not 0 < found.size <= live.size:
            return False
        try:
            one, two = opened(found), opened(live)
            if one is None or two is None:
                raise MovedError
            size = min(found.size, BEGINNING)
            places = {0, found.size - size}
            return all(os.pread(one.descriptor, size, at) == os.pread(two.descriptor, size, at) for at in places)
        except OSError:
            return False

    def find(self, position: Position) -> Found | None:
        """Where the file is that was read so far, or its copy. Raises MovedError where the names do not rest."""
        for _ in range(LOOKS):
            try:
                files = self.files(position.real)
                behind = -1 if position.before is None else self._index(position.before, files)
                number = self._index(position.file, files, position.at, behind)
                # While the files were opened an inode may have come to be another's.
                if self._rests(files, position.real):
                    return files[number] if number >= 0 else None
            except MovedError:
                pass
            time.sleep(self.rest_s)
        raise MovedError

    def following(self, now: Position, *, is_open: bool) -> tuple[Found | None, bool]:
        """The file that came after the one that was read, and whether nothing was between them."""
        for _ in range(LOOKS):
            try:
                files = self.files(now.real)
                found = self._next(files, now, is_open=is_open)
                if self._rests(files, now.real):
                    return found
            except MovedError:
                pass
            time.sleep(self.rest_s)
        return None, True

    def _next(self, files: list[Found], now: Position, *, is_open: bool) -> tuple[Found | None, bool]:
        is_sure = True
        start = -1
        if now.file.length or now.before is not None:
            before = -1 if now.before is None else self._index(now.before, files)
            start = self._index(now.file, files, now.at, before) if now.file.length else before
            if start < 0:
                # It is gone. What came behind it stands behind the one before it, or was written later.
                rotated = [number for number, one in enumerate(files) if not one.is_live]
                older = [number for number in rotated if files[number].time_ns <= now.time_ns]
                start = max([before, *older]) if now.before is not None and before < 0 else before
                is_sure = not any(files[number].size for number in rotated if number > start or (before < 0 and now.before))
        for one in files[start + 1 :]:
            if one.is_live:
                # An empty one is no sign that nothing more comes of the old one.
                return (one, is_sure) if one.size or not is_open else (None, True)
            if one.size and not any(self.is_copy(one, live) for live in files if live.is_live):
                return one, is_sure
        return None, True


def _relatives(real: str) -> list[str]:
    """A file and those that were rotated from it, the oldest first."""
    folder, name = os.path.dirname(real), family(real)[0]
    try:
        paths = [os.path.join(folder, one) for one in os.listdir(folder)]
    except OSError:
        return [real]
    return sorted((one for one in paths if family(one)[0] == name), key=lambda one: (family(one)[1], one))


def opened(found: Found) -> File | None:
    """The file that was found, if the name is still its."""
    try:
        file = File(Path(found.path))
    except FileNotFoundError:
        return None
    now = os.fstat(file.descriptor)
    if (now.st_dev, now.st_ino) != (found.device, found.inode):
        file.close()
        return None
    return file


def digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or "cannot be read").lower()
