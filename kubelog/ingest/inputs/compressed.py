"""compressed bytes → bytes, in pieces of a bounded size: gzip, xz, zstd and bzip2, found by looking.

What a stream asks for is bounded: a window of more than 128 MiB is refused. Whatever is wrong with it, a DamagedError says so after
all that could be read was delivered.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Final

_LIMIT: Final = 128 << 20
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2"}
_PIECE: Final = 1 << 18
# A library gives nothing of a call that fails. Where its decoder cannot be copied, so much is asked for at a time.
_STEP: Final = 1 << 16
LONGEST_MAGIC: Final = 6


class DamagedError(Exception):
    """What could not be read, in words; `place` is where in the archive, if it is one."""

    def __init__(self, reason: str, place: int | None = None) -> None:
        super().__init__(reason)
        self.place = place


def compression(head: bytes) -> str | None:
    """How bytes that begin so are compressed."""
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


def decompressed(raw: Any, kind: str) -> Decompressed | _Zstandard:
    """The bytes of a compressed file."""
    decoder = _decoder(kind)
    return Decompressed(raw, kind, decoder) if callable(decoder) else _Zstandard(raw, decoder)


class Decompressed:
    """The bytes that a compressed stream holds; its parts behind one another, as programs that rotate logs append them."""

    def __init__(self, raw: Any, kind: str, make: Callable[[], Any]) -> None:
        self.raw, self.kind, self.make = raw, kind, make
        self.held = b""
        self.ended = False
        self.failed: DamagedError | None = None  # said again to whoever asks again
        self.decoder = make()

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, fewer before the end; b"" there. Raises DamagedError."""
        while not self.ended:
            if self.failed is not None:
                raise self.failed
            try:
                found: bytes = self._next(size)
            except DamagedError as error:
                self.failed = error
                raise
            except Exception as error:  # the libraries' errors share no base class of their own
                self.failed = DamagedError(_reason(error))
                raise self.failed from None
            if found:
                return found
        return b""

    def _next(self, size: int) -> bytes:
        if self.decoder.eof:
            # Another part may follow; zeros may fill the file up.
            rest = (self.decoder.unused_data + self.held).lstrip(b"\0")
            while not rest:
                rest = self.raw.read(_PIECE)
                if not rest:
                    self.ended = True
                    return b""
                rest = rest.lstrip(b"\0")
            while len(rest) < LONGEST_MAGIC and (more := self.raw.read(_PIECE)):
                rest += more
            if compression(rest) != self.kind:
                raise DamagedError("damaged: something else follows the compressed data")
            self.decoder, self.held = self.make(), rest
        if not self.held and self.decoder.needs_input:
            self.held = self.raw.read(_PIECE)
            if not self.held:
                raise DamagedError("cut off: the compressed data ends too early")
        held, self.held = self.held, b""
        found: bytes = self.decoder.decompress(held, size)
        return found

    def close(self) -> None:
        self.raw.close()


class _Zlib:
    """zlib's decoder, or isal's, with the interface of the others."""

    def __init__(self, zlib: Any) -> None:
        self.zlib = zlib.decompressobj(wbits=31)
        self.failed: Exception | None = None

    @property
    def eof(self) -> bool:
        return bool(self.zlib.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self.zlib.unused_data)

    @property
    def needs_input(self) -> bool:
        return not self.zlib.unconsumed_tail and not self.eof and self.failed is None

    def decompress(self, data: bytes, size: int) -> bytes:
        if self.failed is not None:
            raise self.failed
        tail = self.zlib.unconsumed_tail
        data = tail + data if tail else data
        if not hasattr(self.zlib, "copy"):
            return bytes(self.zlib.decompress(data, min(size, _STEP)))
        before = self.zlib.copy()
        try:
            return bytes(self.zlib.decompress(data, size))
        except Exception as error:
            self.failed = error
            found = inflated(before, data)
            if not found:
                raise
            return found


def inflated(decoder: Any, data: bytes) -> bytes:
    """All that stands before what zlib cannot read."""
    found = bytearray()
    step = 4096
    while step:
        before = decoder.copy()
        try:
            piece = decoder.decompress(data, step)
        except Exception:
            # Once more from here, a byte at a time.
            decoder, step = before, 1 if step > 1 else 0
            continue
        if not piece:
            break
        found += piece
        data = decoder.unconsumed_tail
    return bytes(found)


class _Stepping:
    """A decoder of xz or bzip2, of which little is asked for at a time."""

    def __init__(self, decoder: Any) -> None:
        self.decoder = decoder

    def __getattr__(self, name: str) -> Any:
        return getattr(self.decoder, name)

    def decompress(self, data: bytes, size: int) -> bytes:
        return bytes(self.decoder.decompress(data, min(size, _STEP)))


class _Zstandard:
    """The bytes of frames of zstd, by the library zstandard. It does not tell that a frame was cut: so frames are followed here."""

    def __init__(self, raw: Any, zstandard: Any) -> None:
        self.raw = raw
        self.frames = _Frames()
        self.reader = zstandard.ZstdDecompressor(max_window_size=_LIMIT).stream_reader(
            _Tee(raw, self.frames), read_across_frames=True
        )
        self.failed: DamagedError | None = None

    def read(self, size: int) -> bytes:
        if self.failed is not None:
            raise self.failed
        found = b""
        try:
            found = self.reader.read(min(size, _STEP))
        except Exception as error:
            self.failed = DamagedError(_reason(error))
        if not found and self.failed is None:
            if self.frames.foreign:
                self.failed = DamagedError("damaged: something else follows the compressed data")
            elif not self.frames.whole:
                self.failed = DamagedError("cut off: the compressed data ends too early")
        if self.failed is not None:
            raise self.failed
        return found

    def close(self) -> None:
        self.raw.close()


class _Tee:
    """A file whose bytes are shown to someone else too."""

    def __init__(self, raw: Any, frames: _Frames) -> None:
        self.raw, self.frames = raw, frames

    def read(self, size: int = -1) -> bytes:
        if self.frames.foreign:
            return b""
        found: bytes = self.raw.read(_PIECE if size < 0 else size)
        return found[: self.frames.follow(found)]


class _Frames:
    """Where frames of zstd end (RFC 8878, 3.1.1)."""

    def __init__(self) -> None:
        self.held = bytearray()
        self.skip = 0  # bytes of a block that are still to come
        self.inside = self.checked = self.last = False
        self.foreign = False  # whether something else follows the frames

    @property
    def whole(self) -> bool:
        return not (self.inside or self.held or self.skip)

    def follow(self, data: bytes) -> int:
        """Go on; how many of the bytes are of frames."""
        self.held += data
        while self.held:
            if self.skip:
                n = min(self.skip, len(self.held))
                del self.held[:n]
                self.skip -= n
                continue
            if self.inside:
                if self.last:
                    self.inside = self.last = False
                    self.skip = 4 if self.checked else 0
                    continue
                if len(self.held) < 3:
                    return len(data)
                head = int.from_bytes(self.held[:3], "little")
                self.last = bool(head & 1)
                self.skip = 3 + (1 if head >> 1 & 3 == 1 else head >> 3)
                continue
            if len(self.held) < 8:
                return len(data)
            if 0x50 <= self.held[0] <= 0x5F and self.held[1:4] == b"\x2a\x4d\x18":
                self.skip = 8 + int.from_bytes(self.held[4:8], "little")
                continue
            if self.held[:4] != b"\x28\xb5\x2f\xfd":
                self.foreign = True
                return max(len(data) - len(self.held), 0)
            said = self.held[4]
            single = bool(said & 32)
            self.checked, self.inside = bool(said & 4), True
            self.skip = 5 + (not single) + (0, 1, 2, 4)[said & 3] + ((1 if single else 0), 2, 4, 8)[said >> 6]
        return len(data)


def _decoder(kind: str) -> Any:
    """What makes a decoder of this kind, or the library zstandard. Raises DamagedError where there is none."""
    if kind == "gzip":
        zlib = _first("isal.isal_zlib", "zlib")
        return lambda: _Zlib(zlib)
    if kind == "xz":
        lzma = importlib.import_module("lzma")
        return lambda: _Stepping(lzma.LZMADecompressor(memlimit=_LIMIT))
    if kind == "bzip2":
        bz2 = importlib.import_module("bz2")
        return lambda: _Stepping(bz2.BZ2Decompressor())
    try:
        zstd = importlib.import_module("compression.zstd")
    except ImportError:
        try:
            zstandard = importlib.import_module("zstandard")
        except ImportError:
            raise DamagedError("compressed with zstd, which needs an extra: pip install 'kubelog[fast]'") from None
        return zstandard
    options = {zstd.DecompressionParameter.window_log_max: 27}
    return lambda: _Stepping(zstd.ZstdDecompressor(options=options))


def _first(*names: str) -> Any:
    """The first of these modules that is installed."""
    for name in names[:-1]:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return importlib.import_module(names[-1])


def _reason(error: Exception) -> str:
    if "emory usage limit" in str(error) or "equires too much memory" in str(error) or "window" in str(error).lower():
        return "refused: to decompress it takes more than 128 MiB of memory"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"damaged: {str(error).lower() or type(error).__name__}"
