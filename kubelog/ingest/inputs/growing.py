"""a file that grows → pieces of bytes as they come, through whatever rotates it.

  * renamed: the old file is read to its end, then those that came between, oldest first, packed or not, then the new one;
  * copied and truncated: what was not read yet is read from the copy, where there is one;
  * deleted: what is open is read on, until something else has the name.
A file is known by how it begins, too: an inode is soon used again, and a file that was truncated grows again. Nothing is written.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from kubelog.errors import InputError
from kubelog.ingest.inputs.archives import Stream
from kubelog.ingest.inputs.compressed import DamagedError
from kubelog.ingest.inputs.follow import POLL_S, Piece
from kubelog.ingest.inputs.rotated import BEGINNING, LOOKS, Found, Known, MovedError, Position, Rotated, opened, reason
from kubelog.ingest.inputs.sources import CHUNK, File, family

# So often is tried to open a file that was rotated; the one that grows is tried for ever.
_TRIES: Final = 25


class Follower:
    """Follows a file from its beginning, or from a place that was kept. Raises ValueError where that is none."""

    def __init__(self, path: str, place: Any = None, poll_s: float = POLL_S) -> None:
        self.path, self.poll_s, self.rotated = path, poll_s, Rotated(path, poll_s)
        self.is_kept = place is not None
        try:
            self.now = msgspec.convert(place, Position) if self.is_kept else Position(Known(), 0, os.path.realpath(path))
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        if "\0" in self.now.real:
            raise ValueError("Expected a path")
        self.head = b""  # the beginning that is known of what is open
        self.open: File | None = None
        self.stream: Stream | None = None  # of a file that is packed
        self.was_live = self.is_rested = self.is_told = False
        self.is_short = False  # whether the copy ends before what was read
        self.touched_ns = 0  # when what is open was written last, at the look before
        self.seen = 0  # the size that the file was seen to have last
        self.left: tuple[File, int, int] | None = None  # the file before, its size, and how often it is still looked at
        self.refused: dict[tuple[int, int], int] = {}  # what could not be opened: how often
        self.told: set[str] = set()  # what is in the way is said once

    def place(self) -> Any:
        """Where what was given so far ends, as plain data."""
        return msgspec.to_builtins(self.now)

    def __iter__(self) -> Iterator[Piece]:
        """Pieces for ever. Raises InputError where the file is not there, or cannot be read, at the start."""
        try:
            yield from self._begun()
            while True:
                yield from self._look()
        finally:
            self._close()
            if self.left is not None:
                self.left[0].close()

    # Looking

    def _begun(self) -> Iterator[Piece]:
        if not self.is_kept:
            self._stands()
            self._first()
            return
        kept = self.now
        while kept.file.length and self.now is kept and self.open is None and not self.is_short:
            try:
                found = self.rotated.find(kept)
            except MovedError:
                yield from self._waits()
                continue
            if found is None:
                self._stands()
                yield self._lost(f"{self.path}: what was read up to byte {kept.at:,} is gone: what followed it is lost")
            else:
                yield from self._continued(found)

    def _stands(self) -> None:
        """Raise an InputError unless there is a file that can be read."""
        try:
            # What is no file must not be waited for.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
            is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
            os.close(descriptor)
        except OSError as error:
            raise InputError(self.path, reason(error)) from None
        if not is_file:
            raise InputError(self.path, "only files are followed, and what is piped in")

    def _first(self) -> None:
        """Open the file; what was rotated before it is left alone."""
        for _ in range(LOOKS):
            try:
                files = self.rotated.files(self.now.real)
                live = next((one for one in files if one.is_live), None)
                if live is not None and self._opened(live):
                    self.now.before = self.rotated.before(live, files)
                    return
            except MovedError:
                pass
            except OSError as error:
                raise InputError(self.path, reason(error)) from None
            time.sleep(self.poll_s / LOOKS)
        raise InputError(self.path, "it is renamed again and again")

    def _look(self) -> Iterator[Piece]:
        try:
            data = self._read()
            is_truncated = self._is_truncated(len(data))
        except OSError as error:
            yield from self._waits(f"{self.now.real}: {reason(error)}; it is tried again")
            return
        except DamagedError as error:
            self._close()
            if not self.now.file.length:
                self._leave_out(self.now.file.device, self.now.file.inode)
            yield Piece(b"", said=f"{self.now.real}: {error}: what followed in it is lost", lost=True)
            return
        if is_truncated:
            yield from self._truncated(data)
        elif data:
            self.is_rested = False
            if not self.now.file.length and self._is_late():
                yield from self._waits()
                return
            self._took(data)
            yield Piece(data)
        elif self._is_live():
            # An empty file that was written all the same was copied and truncated between two looks.
            is_touched, self.touched_ns = self.now.time_ns != self.touched_ns, self.now.time_ns
            if self.now.file.length or not is_touched or not self._is_late():
                yield from self._waits()
        else:
            yield from self._ended()

    def _ended(self) -> Iterator[Piece]:
        """What is open, if anything is, was read to its end, and another has its name."""
        found, is_sure = self.rotated.following(self.now, is_open=self.open is not None)
        if found is None or (self.open is not None and not self.is_rested):
            # What was written to it before the next was begun may have come since; who writes may even have it open still.
            self.is_rested = found is not None
            if found is None or self.was_live:
                yield from self._waits()
            return
        try:
            is_open = self._opened(found)
        except (OSError, DamagedError) as error:
            yield from self._refused(found, error)
            return
        except MovedError:
            is_open = False
        if not is_open:
            time.sleep(self.poll_s / LOOKS)
            return
        said = None
        if not is_sure and not self.is_told:
            said = (
                f"{self.path}: rotated away while it was read: what was written before {os.path.basename(found.path)} may be lost"
            )
        self.is_told = False
        yield Piece(b"", begins=True, said=said, lost=said is not None)

    def _refused(self, found: Found, error: Exception) -> Iterator[Piece]:
        """A file that cannot be opened: what was rotated is given up in the end."""
        key = found.device, found.inode
        self.refused[key] = self.refused.get(key, 0) + 1
        if found.is_live or self.refused[key] < _TRIES:
            yield from self._waits(f"{found.path}: {reason(error)}; it is tried again")
            return
        self._close()
        del self.refused[key]
        self._leave_out(*key)
        yield Piece(b"", said=f"{found.path}: {reason(error)}: it is left out", lost=True)

    def _leave_out(self, device: int, inode: int) -> None:
        """Go on behind a file that cannot be read."""
        self.now = Position(Known(), 0, self.now.real, self.now.time_ns, Known(device, inode))

    def _waits(self, said: str | None = None) -> Iterator[Piece]:
        """Nothing can be read now; what is in the way is said once, and again when it was gone meanwhile."""
        late = self._late()
        if late is not None:
            yield late
        is_new = said is not None and said not in self.told
        if said is None:
            self.told.clear()
        else:
            self.told.add(said)
        yield Piece(b"", said=said if is_new else None)
        time.sleep(self.poll_s)

    def _late(self) -> Piece | None:
        """What was written to the file before since it was left. It is not kept open for long: a disk may be full."""
        if self.left is None:
            return None
        file, size, looks = self.left
        more = os.fstat(file.descriptor).st_size - size
        self.left = file, size + max(more, 0), looks - 1
        if looks <= 0:
            file.close()
            self.left = None
        if more <= 0:
            return None
        said = f"{self.path}: {more:,} bytes were written to the old file when the new one was begun: they are not read"
        return Piece(b"", said=said, lost=True)

    # Reading

    def _opened(self, found: Found, at: int | None = None) -> bool:
        """Begin a file, or go on in one that is known; whether it is still the one that was found."""
        file = opened(found)
        if file is None:
            return False
        head, stream = b"", None
        if at is not None:
            head = self.rotated.head(found)[: self.now.file.length]
            if not self.now.file.is_begun(head) and not self.now.file.is_begun_short(head):
                return False  # truncated since it was found
        if found.is_packed:
            stream = Stream(file)
            skip = at or 0
            while skip and (piece := stream.read(min(skip, CHUNK))):
                skip -= len(piece)
        self._close(self.now.at if at is None and self.was_live else -1)
        if at is None:
            before = self.now.file if self.now.file.length else self.now.before
            if family(found.path)[0] != family(self.now.real)[0]:
                # A link points elsewhere now: what was rotated there before is not what follows.
                before = self.rotated.before(found, self.rotated.files(found.path))
            self.now = Position(Known(), 0, self.now.real, self.now.time_ns, before)
        self.now.file.device, self.now.file.inode = found.device, found.inode
        self.now.time_ns, self.now.real = found.time_ns, os.path.realpath(found.path)
        self.open, self.stream, self.head = file, stream, head
        self.was_live, self.is_rested, self.seen = found.is_live, False, 0
        if stream is None:
            os.lseek(file.descriptor, self.now.at, os.SEEK_SET)
        return True

    def _close(self, left: int = -1) -> None:
        """Close what is open; keep an eye on one that was left at this size."""
        if self.open is not None:
            if left >= 0:
                if self.left is not None:
                    self.left[0].close()
                self.left = self.open, left, _TRIES
            else:
                self.open.close()
        self.open = self.stream = None

    def _read(self) -> bytes:
        if self.open is None:
            return b""
        return self.open.read(CHUNK) if self.stream is None else self.stream.read(CHUNK)

    def _took(self, data: bytes) -> None:
        """Go on behind these bytes."""
        file, at = self.now.file, self.now.at
        if file.length < BEGINNING and at <= file.length < at + len(data):
            self.head = (self.head + data[file.length - at :])[:BEGINNING]
            file.begin(self.head)
        self.now.at += len(data)

    def _is_truncated(self, size: int) -> bool:
        """Whether the file begins otherwise, or is shorter, than what was read of it; so many bytes more were just read."""
        if self.open is None or self.stream is not None:
            return False
        now = os.fstat(self.open.descriptor)
        if now.st_size < self.now.at + size or os.pread(self.open.descriptor, len(self.head), 0) != self.head:
            return True
        self.seen, self.now.time_ns = now.st_size, now.st_mtime_ns
        return False

    def _is_live(self) -> bool:
        """Whether what is open still has the name that is followed."""
        if self.open is None or self.stream is not None:
            return False
        try:
            now = os.stat(self.path)
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == (self.now.file.device, self.now.file.inode)

    # Truncated, and taken up again

    def _truncated(self, data: bytes) -> Iterator[Piece]:
        """Read what is left of it in its copy, and what came between; then it begins anew. What was just read may be of both."""
        if not self.now.file.length:
            # Nothing of it was given yet: it is looked for by what was read.
            self.head = data[:BEGINNING]
            self.now.file.begin(self.head)
            self.seen = len(data)
        try:
            found = self.rotated.find(self.now)
        except MovedError:
            yield from self._waits()
            return
        if found is not None:
            yield from self._continued(found)
            return
        lost = max(0, self.seen - self.now.at)
        how_much = f"at least {lost:,} bytes are lost" if lost else "what was written last may be lost"
        yield self._lost(f"{self.path}: truncated while it was read: {how_much}")

    def _continued(self, found: Found) -> Iterator[Piece]:
        """Go on in the file that holds what was read; it is tried again where that is in the way."""
        seen, end = self.seen, self.now.at
        try:
            file = opened(found)
            if file is None:
                return
            # It may have grown since it was found.
            size = end if found.is_packed else os.fstat(file.descriptor).st_size
            file.close()
            if size < end and not found.is_live:
                self.is_short = True
                self._close()
            elif not self._opened(found, end):
                return
        except (OSError, DamagedError) as error:
            yield from self._refused(found, error)
            return
        except MovedError:
            return
        if not found.is_packed and max(end, size) < seen:
            said = f"{self.path}: {seen - max(end, size):,} bytes were lost between copy and truncation"
            yield Piece(b"", said=said, lost=True)

    def _lost(self, said: str) -> Piece:
        """What was read is not to be found: go on with what came behind it."""
        self._close()
        self.is_told = True
        self.now = Position(Known(), 0, self.now.real, self.now.time_ns, self.now.before)
        return Piece(b"", said=said, lost=True)

    # Which files there are

    def _is_late(self) -> bool:
        """Whether the file that was just begun is not the one that follows: it may have been truncated before it was read."""
        if self.open is not None and self.stream is None and not os.fstat(self.open.descriptor).st_nlink:
            return False
        found, is_sure = self.rotated.following(self.now, is_open=self.open is not None)
        if found is None or not is_sure or (found.device, found.inode) == (self.now.file.device, self.now.file.inode):
            return False
        self._close()
        self.was_live = False
        return True
