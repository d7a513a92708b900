"""tar and zip → their members, as streams: nothing is ever extracted, and no name of a member is used as a path.

A member is opened by reading the archive up to it; who reads members in their order reads the archive once.
"""

from __future__ import annotations

import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from kubelog.ingest.inputs.compressed import DamagedError, compression, decompressed, inflated

# More logs are not read from one archive: their names alone would fill the memory.
MOST_MEMBERS: Final = 20_000
PROBE: Final = 8192
_PIECE: Final = 1 << 18
# So much is kept of what was decompressed last: files that were rotated stand near each other, but the oldest behind.
_RECENT: Final = 16 << 20
_CUT: Final = "cut off: the archive ends too early"
# Of a member whose header does not say its size.
_UNKNOWN: Final = 1 << 62
# Archives in archives, no deeper.
DEPTH: Final = 2

# What opens a file, or a member of an archive: something with read(size) and close().
Opener = Callable[[], Any]


class BehindError(DamagedError):
    """What could not be read stands behind all members."""


class Member(msgspec.Struct):
    """A member of an archive that may be a log."""

    name: str
    open: Opener
    mtime: float | None
    head: bytes  # its first bytes
    apart: bool  # whether it can be read beside others at no more cost than behind them


class Stream:
    """Bytes, decompressed where they are compressed, of which the first were looked at."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        head = _full(raw, PROBE)
        kind = compression(head)
        self.kind = kind
        self.front = head
        self.inner: Any = raw
        self.failed: DamagedError | None = None
        if kind is not None:
            self.inner = decompressed(_Pushed(raw, head), kind)
            self.front = b""
            try:
                self.front = _full(self.inner, PROBE)
            except DamagedError as error:
                self.failed = error
        self.head = self.front

    def read(self, size: int) -> bytes:
        if self.front:
            said, self.front = self.front[:size], self.front[size:]
            return said
        if self.failed is not None:
            raise self.failed
        found: bytes = self.inner.read(size)
        return found

    def close(self) -> None:
        self.raw.close()


class _Pushed:
    """A file of which the first bytes were read already."""

    def __init__(self, raw: Any, front: bytes) -> None:
        self.raw, self.front = raw, front

    def read(self, size: int) -> bytes:
        if self.front:
            found, self.front = self.front[:size], self.front[size:]
            return found
        found = self.raw.read(size)
        return found or b""

    def close(self) -> None:
        self.raw.close()


def _full(stream: Any, size: int) -> bytes:
    """`size` bytes, fewer at the end, or before it breaks off."""
    pieces: list[bytes] = []
    while size:
        try:
            piece = stream.read(size)
        except DamagedError:
            if pieces:
                break  # told when it is asked again
            raise
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def archive(head: bytes) -> str | None:
    """Whether bytes that begin so are a tar or a zip."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    # The sum of a header's bytes, its own field as blanks.
    sum_ = re.match(rb" *([0-7]{1,7})[ \0]*\Z", head[148:156]) if len(head) >= 512 else None
    if sum_ and int(sum_[1], 8) == sum(head[:148]) + 256 + sum(head[156:512]):
        return "tar"
    return None


def members(kind: str, opener: Opener) -> Iterator[Member]:
    """The regular members of an archive, in order. Raises DamagedError behind those that can be read."""
    shared = _Shared(opener)
    for number, member in enumerate(_tar(shared) if kind == "tar" else _zip(shared)):
        if number == MOST_MEMBERS:
            raise DamagedError(f"refused: more than {MOST_MEMBERS:,} files in one archive; unpack it and name those that you want")
        yield member


class _Shared:
    """An archive that is read by several. Who reads on where another stopped does not begin anew, nor who goes back a little."""

    def __init__(self, opener: Opener) -> None:
        self.opener = opener
        self.idle: tuple[Any, int] | None = None
        self.apart = False  # whether any place of it can be gone to at once
        self.recent: deque[tuple[int, bytes]] = deque()  # what was decompressed last, and where it stood
        self.kept = 0  # bytes of that

    def open(self) -> Stream:
        stream = Stream(self.opener())
        self.apart = stream.kind is None and hasattr(stream.raw, "seek")
        return stream

    def at(self, place: int) -> Any:
        """The stream from this place on."""
        stream, now = self.idle or (self.open(), 0)
        self.idle = None
        if place < now:
            stream.close()
            stream, now = self.open(), 0
        if self.apart and now < place:
            stream.front = b""
            stream.raw.seek(place)
            return stream
        while now < place:
            piece = self.read(stream, now, min(_PIECE, place - now))
            if not piece:
                raise DamagedError(_CUT)
            now += len(piece)
        return stream

    def read(self, stream: Any, place: int, size: int) -> bytes:
        """What stands here, kept for who comes later and wants it."""
        piece: bytes = stream.read(size)
        if not self.apart and piece:
            self.recent.append((place, piece))
            self.kept += len(piece)
            while self.kept > _RECENT:
                self.kept -= len(self.recent.popleft()[1])
        return piece

    def again(self, place: int, size: int) -> bytes:
        """What stands here, where it is kept still."""
        if not self.recent or not self.recent[0][0] <= place < self.recent[-1][0] + len(self.recent[-1][1]):
            return b""
        for start, piece in self.recent:
            if start <= place < start + len(piece):
                return piece[place - start : place - start + size]
        return b""

    def leave(self, stream: Any, place: int) -> None:
        if self.idle is not None:
            self.idle[0].close()
        self.idle = stream, place


class _Part:
    """The bytes of a member that stands as it is in its archive."""

    def __init__(self, shared: _Shared, place: int, size: int) -> None:
        self.shared, self.place, self.left = shared, place, size
        self.stream: Any = None

    def read(self, size: int) -> bytes:
        if not self.left:
            return b""
        size = min(size, self.left)
        found = b"" if self.stream is not None else self.shared.again(self.place, size)
        if not found:
            if self.stream is None:
                self.stream = self.shared.at(self.place)
            found = self.shared.read(self.stream, self.place, size)
        if not found:
            raise DamagedError(_CUT)
        self.left -= len(found)
        self.place += len(found)
        if not self.left:
            self.close()
        return found

    def close(self) -> None:
        if self.stream is not None:
            self.shared.leave(self.stream, self.place)
            self.stream = None


class _Inflated:
    """The bytes of a member of a zip that is deflated."""

    def __init__(self, part: _Part) -> None:
        self.part = part
        self.decoder = zlib.decompressobj(-15)
        self.failed: DamagedError | None = None

    def read(self, size: int) -> bytes:
        while not self.decoder.eof:
            if self.failed is not None:
                raise self.failed
            data = self.decoder.unconsumed_tail or self.part.read(_PIECE)
            if not data:
                raise DamagedError(_CUT)
            before = self.decoder.copy()
            try:
                found = self.decoder.decompress(data, size)
            except zlib.error as error:
                self.failed = DamagedError(f"damaged: {error}")
                found = inflated(before, data)
            if found:
                return found
        self.part.close()
        return b""

    def close(self) -> None:
        self.part.close()


class _Counted:
    """A stream that knows how far it was read, and where the last member ends that was told."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.place, self.told = stream, 0, 0

    def error(self, text: str) -> DamagedError:
        """What is wrong here: whoever reads the last member finds it too, if that is not whole."""
        return (BehindError if self.place >= self.told else DamagedError)(text, self.place)

    def read(self, size: int = -1) -> bytes:
        found = _full(self.stream, size)
        self.place += len(found)
        return found


def _tar(shared: _Shared) -> Iterator[Member]:
    import tarfile

    counted = _Counted(shared.at(0))
    try:
        with tarfile.open(fileobj=counted, mode="r|", errorlevel=2) as tar:  # type: ignore[call-overload]
            while True:
                try:
                    info = tar.next()
                except DamagedError as error:
                    raise counted.error(str(error)) from None
                except (tarfile.TarError, EOFError, OSError, ValueError) as error:
                    raise counted.error(f"damaged: {str(error).lower()}") from None
                if info is None:
                    _drain(counted)
                    break
                tar.members = []  # it would keep them all
                if info.isreg() and info.size and not info.sparse:
                    file = tar.extractfile(info)
                    assert file is not None
                    counted.told = info.offset_data + info.size
                    yield Member(
                        info.name, _opener(shared, info.offset_data, info.size), float(info.mtime), _head(file), shared.apart
                    )
    except (tarfile.TarError, EOFError) as error:
        raise counted.error(f"damaged: {str(error).lower()}") from None
    finally:
        counted.stream.close()


def _drain(counted: _Counted) -> None:
    """Read what follows the last member: who cut the archive there is told."""
    try:
        while counted.read(_PIECE):
            pass
    except DamagedError as error:
        raise BehindError(str(error), counted.place) from None


def _zip(shared: _Shared) -> Iterator[Member]:
    """The members as their own headers say them, front to back: what is cut off at its end has no directory."""
    counted = _Counted(shared.at(0))
    try:
        while True:
            head = counted.read(30)
            if head[:4] in (b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06"):
                return  # the directory
            if head[:4] != b"PK\x03\x04" or len(head) < 30:
                raise DamagedError(_CUT if len(head) < 30 else "damaged: no member where one should be", counted.place)
            flags, method = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
            size, whole = int.from_bytes(head[18:22], "little"), int.from_bytes(head[22:26], "little")
            mtime = _dos_time(int.from_bytes(head[12:14], "little"), int.from_bytes(head[10:12], "little"))
            name = counted.read(int.from_bytes(head[26:28], "little"))
            extra = counted.read(int.from_bytes(head[28:30], "little"))
            size = _zip64(extra, whole, size)
            place = counted.place
            text = name.decode("utf-8" if flags & 0x800 else "cp437", "replace")
            if flags & 1 or method not in (0, 8):
                raise counted.error(f"{text} is {'encrypted' if flags & 1 else 'compressed in a way that is not read'}")
            if flags & 8 and not size:
                if method == 0:
                    raise counted.error(f"{text} does not say how long it is")
                # What is cut off has no end either: until then it can be read.
                counted.told = _UNKNOWN
                yield Member(text, _opener(shared, place, _UNKNOWN, True), mtime, b"", shared.apart)
                _length(counted)
                counted.told = 0
                continue
            front = counted.read(min(size, PROBE))
            if not text.endswith("/"):
                counted.told = place + size
                head = _inflated(front) if method == 8 else front
                yield Member(text, _opener(shared, place, size, method == 8), mtime, head, shared.apart)
            while counted.place < place + size:
                if not counted.read(min(_PIECE, place + size - counted.place)):
                    raise DamagedError(_CUT, counted.place)
    finally:
        counted.stream.close()


def _opener(shared: _Shared, place: int, size: int, deflated: bool = False) -> Opener:
    def part() -> Any:
        found = _Part(shared, place, size)
        return _Inflated(found) if deflated else found

    return part


def _head(file: Any) -> bytes:
    try:
        found: bytes = file.read(PROBE)
    except Exception:  # told when it is read
        return b""
    return found


def _inflated(front: bytes) -> bytes:
    try:
        return zlib.decompressobj(-15).decompress(front, PROBE)
    except zlib.error:
        return b""


def _dos_time(date: int, time: int) -> float | None:
    """A member's age; None where it says none, as the first day that it can say does."""
    if date <= 0x21:
        return None
    try:
        at = datetime(1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, min((time & 31) * 2, 59))
        return at.timestamp()  # local, as zip writes it
    except (ValueError, OverflowError, OSError):
        return None


def _zip64(extra: bytes, whole: int, size: int) -> int:
    """The size of a member of 4 GiB and more, from its extra field."""
    while size == 0xFFFFFFFF and len(extra) >= 4:
        number, length = int.from_bytes(extra[:2], "little"), int.from_bytes(extra[2:4], "little")
        if number == 1:
            at = 12 if whole == 0xFFFFFFFF else 4
            return int.from_bytes(extra[at : at + 8], "little")
        extra = extra[4 + length :]
    return size


def _length(counted: _Counted) -> None:
    """Read over deflated data whose header does not say how long it is, and over the descriptor behind it."""
    decoder = zlib.decompressobj(-15)
    while not decoder.eof:
        data = decoder.unconsumed_tail or counted.read(_PIECE)
        if not data:
            raise DamagedError(_CUT, counted.place)
        try:
            decoder.decompress(data, _PIECE)
        except zlib.error as error:
            raise DamagedError(f"damaged: {error}", counted.place) from None
    rest = decoder.unused_data
    counted.place -= len(rest)
    counted.stream = _Pushed(counted.stream, rest)
    signed = counted.read(4) == b"PK\x07\x08"
    counted.read(12 if signed else 8)
