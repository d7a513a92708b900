"""arguments → inputs: files, directories, globs, archives, URLs and standard input, as runs of bytes. What a file is, is found by
looking: compression, tar and zip, in each other too. An archive's members are read as streams, and nothing is ever written.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from kubelog.errors import InputError
from kubelog.ingest import columns
from kubelog.ingest.clock import CLOCK, FILE
from kubelog.ingest.inputs.archives import DEPTH, MOST_MEMBERS, PROBE, BehindError, Opener, Stream, archive, members
from kubelog.ingest.inputs.compressed import DamagedError, compression
from kubelog.ingest.inputs.place import NOWHERE, Place, place

# What is read at a time, and the usual size of a Block: what costs something a Block is spread over some 9,000
# lines, and the C library has such a piece of memory again when it was let go.
CHUNK: Final = 1 << 21
# Of an archive that comes by a pipe so many bytes are held: what is read twice has to be kept.
_HELD: Final = 32 << 20
# The first bytes of inputs are kept up to so many in all: for their years.
_HEADS: Final = 16 << 20
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]+://")


# What a piece is to begin with: asked for when it is read.
Front = Callable[[], bytes]


class Source:
    """One input: its name, its bytes, and what is known of its age and of whose log it is."""

    def __init__(
        self, path: str, read: Callable[[Front, int], Iterator[bytes]], aged: datetime | None = None, place: Place = NOWHERE
    ) -> None:
        self.path, self._read, self.place = path, read, place
        self.file: Path | None = None  # where it is a file as it is
        self.notes: list[str] = []  # what is to be said of it, when it was read
        self.head = b""  # its first bytes, decompressed, where they were looked at
        self.again = False  # whether its beginning can be read again at little cost
        self.begun: bytes | None = None  # what was read already of a pipe, whose rest is read as it comes
        self.aged = aged
        self.size = CHUNK  # of the pieces that it is read in
        self.apart = True  # whether it can be read beside others at no more cost than behind them
        self.age_source = FILE if aged is not None else CLOCK

    @classmethod
    def of(cls, path: str, pieces: Iterable[bytes] = (), aged: datetime | None = None) -> Source:
        """An input whose bytes are at hand."""
        return cls(path, lambda front, _: (front() + piece for piece in pieces), aged)

    def read(self, front: Front = bytes, size: int | None = None) -> Iterator[bytes]:
        """The bytes in pieces. Each begins with what `front` gives when it is read: so that none has to be copied behind it."""
        return self._read(front, self.size if size is None else size)


def expand(inputs: Iterable[str | os.PathLike[str]]) -> tuple[list[Source], list[InputError]]:
    """The sources that the arguments name, in order, and an error for each that cannot be read.

    Files that were rotated come oldest first, where the first of them stands. A file that is named twice is read once.
    """
    found = _Expansion()
    for one in inputs:
        name = os.fspath(one)
        if name == "-":
            found.standard_input()
        elif _URL.match(name):
            found.url(name)
        else:
            paths = [name] if os.path.lexists(name) else _matching(name)
            if not paths and (named := _member(name)):
                found.member(*named)
                continue
            if not paths:
                found.errors.append(InputError(name, "no such file or directory"))
            for path in paths:
                found.path(Path(path))
    return _in_order(found.sources), found.errors


class _Expansion:
    """Sources and errors, as they are found."""

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.errors: list[InputError] = []
        self.known: set[tuple[int, int]] = set()  # device and inode of the files
        self.heads = 0  # bytes that are kept of their beginnings
        self.wanted: str | None = None  # which members of archives, where not all

    def path(self, path: Path) -> None:
        try:
            if path.is_dir():
                files = sorted(one for one in path.rglob("*") if one.is_file())
                journals = {one for one in files if is_journal(one)}
                if journals:
                    # systemd's library puts them in order.
                    self.sources.append(journal(str(path), folder=str(path)))
                    files = [one for one in files if one not in journals]
                    if not files:
                        return
                if not files:
                    raise InputError(str(path), "no file in this directory")
                before = len(self.sources) + len(self.errors)
                for one in files:
                    self.file(one, named=len(files) == 1)
                if before == len(self.sources) + len(self.errors) and not self.known:
                    raise InputError(str(path), "no text log in this directory")
            else:
                self.file(path, named=True)
        except InputError as error:
            self.errors.append(error)
        except OSError as error:
            self.errors.append(InputError(str(path), _reason(error)))

    def member(self, archive: str, wanted: str) -> None:
        """What is named of an archive: `a.tgz!nodes/*/kubelet.log`."""
        before, self.wanted = len(self.sources) + len(self.errors), f"{archive}!{wanted}"
        self.path(Path(archive))
        if before == len(self.sources) + len(self.errors):
            self.errors.append(InputError(self.wanted, "no such log in this archive"))
        self.wanted = None

    def file(self, path: Path, named: bool) -> None:
        """The sources in a file. One that is `named` is told if it is no log."""
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in self.known and self.wanted is None:
                return
            # The age of a file bounds the year of its lines; it is the file's, not the wall clock's.
            aged = datetime.fromtimestamp(status.st_mtime)  # local, as klog writes
            name = str(path)
            if path.is_file() and is_journal(path):
                self.known.add((status.st_dev, status.st_ino))
                self.sources.append(journal(name, files=[name]))
            elif path.is_file():
                if self.wanted is None:
                    self.known.add((status.st_dev, status.st_ino))
                self.look(name, lambda: File(path), aged, named, path=path)
            else:
                # A pipe is not looked at: what was read of it is gone.
                self.sources.append(Source(name, lambda front, size: _read(path, front, size), aged, place(name)))
        except OSError as error:
            if named:
                raise
            self.errors.append(InputError(str(path), _reason(error)))

    def url(self, name: str) -> None:
        try:
            import fsspec  # type: ignore[import-untyped]
        except ImportError:
            self.errors.append(InputError(name, "URLs need an extra: pip install 'kubelog[remote]'"))
            return
        try:
            self.look(name, lambda: fsspec.open(name, "rb").open(), None, True)
        except ImportError as error:
            self.errors.append(InputError(name, f"{str(error).splitlines()[0].lower()}: pip install 'kubelog[remote]'"))
        except FileNotFoundError:
            self.errors.append(InputError(name, "not found"))
        except Exception as error:  # each protocol has errors of its own
            self.errors.append(InputError(name, _reason(error)))

    def standard_input(self) -> None:
        """What is piped in: as it comes; an archive is held, since it is read twice."""
        descriptor = sys.stdin.fileno()
        if os.path.isfile(path := f"/dev/fd/{descriptor}") and not os.lseek(descriptor, 0, os.SEEK_CUR):
            # A file, as `< a.tgz` gives it: it can be read again.
            head = os.pread(descriptor, PROBE, 0)
            if compression(head) or archive(head):
                self.look("-", lambda: File(Path(path)), datetime.fromtimestamp(os.fstat(descriptor).st_mtime), True)
                return
        head = b"" if os.isatty(descriptor) else os.read(descriptor, PROBE)
        kind = compression(head)
        if kind is None and archive(head) is None:
            source = Source("-", lambda front, size: _standard_input(front, size, head))
            source.begun = head
            self.sources.append(source)
            return
        held = bytearray(head)
        while not _is_log(held) and len(held) <= _HELD and (piece := os.read(descriptor, CHUNK)):
            held += piece
        whole = bytes(held)
        if _is_log(held):
            self.sources.append(Source("-", lambda front, size: _stream(lambda: _Joined(whole, descriptor), "-", front, size)))
        elif len(whole) <= _HELD:
            self.look("-", lambda: io.BytesIO(whole), None, True)
        else:
            self.errors.append(
                InputError("-", "an archive of more than 32 MiB cannot be read from a pipe: save it to a file first")
            )

    def look(
        self, name: str, opener: Opener, aged: datetime | None, named: bool, depth: int = 0, head: bytes | None = None,
        path: Path | None = None, apart: bool = True,
    ) -> None:  # fmt: skip
        """The sources in what this opens. `head` are its first bytes, where they are known."""
        stream = None
        try:
            stream = Stream(io.BytesIO(head) if head else opener())
        except DamagedError as error:
            self.errors.append(InputError(name, str(error)))
            return
        finally:
            if stream is not None:
                stream.close()
        inside = archive(stream.head)
        if inside is not None and depth < DEPTH:
            self.members(name, inside, opener, depth, apart, aged)
        elif self._is_left_out(name, named, stream.head):
            return
        elif _is_binary(stream.head) and stream.head:
            if named:
                told = "not a text log: what is compressed in it is binary" if stream.kind else "not a text log: the file is binary"
                self.errors.append(InputError(name, told))
        else:
            source = Source(name, lambda front, size: _stream(opener, name, front, size), aged, place(name))
            if path is not None and stream.kind is None:
                source = Source(name, lambda front, size: _read(path, front, size), aged, place(name))
                source.file = path
            source.apart = apart
            source.again = apart and not _URL.match(name)
            if source.file is None and not source.again and self.heads < _HEADS:
                source.head = stream.head
                self.heads += len(stream.head)
            self.sources.append(source)

    def _is_left_out(self, name: str, named: bool, head: bytes) -> bool:
        if self.wanted is not None:
            return name.count("!") < self.wanted.count("!")
        return not named and _is_object(head)

    def members(self, name: str, kind: str, opener: Opener, depth: int, apart: bool, aged: datetime | None) -> None:
        """The sources in an archive. A member that says no age is as old as the archive."""
        before, last = len(self.sources), False
        try:
            for member in members(kind, opener):
                age = datetime.fromtimestamp(member.mtime) if member.mtime and member.mtime > 0 else aged
                count = len(self.sources)
                if self.wanted is not None and not _leads_to(f"{name}!{member.name}", self.wanted):
                    continue
                inside = apart and member.apart
                self.look(f"{name}!{member.name}", member.open, age, False, depth + 1, member.head or None, apart=inside)
                last = len(self.sources) > count
                if len(self.sources) - before > MOST_MEMBERS:
                    raise DamagedError(f"refused: more than {MOST_MEMBERS:,} logs in one archive")
        except DamagedError as error:
            # Who reads the member that is cut is told so there.
            if str(error).startswith("refused"):
                del self.sources[before:]
                last = False
            if not last or isinstance(error, BehindError):
                self.errors.append(InputError(name, str(error), error.place))
        else:
            if len(self.sources) == before and self.wanted is None and not depth:
                self.errors.append(InputError(name, "no text log in this archive"))


def journal(path: str, **what: Any) -> Source:
    """The journal as a source: see Journal for what can be read of it."""
    from kubelog.ingest.inputs.journal import Journal, beside

    source = Source(path, lambda front, size: Journal(path, **what).read(front, source.notes.append))
    if (rotated := beside(path)) and what.get("files"):
        them = rotated[0] if len(rotated) == 1 else f"{rotated[0]} and {len(rotated) - 1} more"
        source.notes.append(f"{path}: {them} beside it, from before it was rotated, not read: name the directory to read all")
    return source


def is_journal(path: str | Path) -> bool:
    """Whether a file is one of the journal's own."""
    try:
        with open(path, "rb") as file:
            return file.read(8) == b"LPKSHHRH"
    except OSError:
        return False


def _is_log(held: bytes | bytearray) -> bool:
    """Whether what is compressed begins as text does: then it is read as it comes."""
    if compression(bytes(held[:PROBE])) is None:
        return False
    try:
        head = Stream(io.BytesIO(bytes(held[: 1 << 20]))).head
    except DamagedError:
        return False
    return len(head) >= 512 and archive(head) is None and compression(head) is None and not _is_binary(head)


class File:
    """A file that is open until nobody reads it any more."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY)

    def read(self, size: int) -> bytes:
        return os.read(self.descriptor, size)

    def seek(self, place: int) -> None:
        os.lseek(self.descriptor, place, os.SEEK_SET)

    def close(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            self.close()


class _Joined:
    """What was read of a descriptor already, and the rest."""

    def __init__(self, front: bytes, descriptor: int) -> None:
        self.front, self.descriptor = io.BytesIO(front), descriptor

    def read(self, size: int) -> bytes:
        return self.front.read(size) or os.read(self.descriptor, size)

    def close(self) -> None:
        self.front.close()


# What a file is called after it was rotated: kubelet.log.1, messages-20171016, 0.log.20240101-120000; klog's own files.
_ROTATED: Final = re.compile(
    r"(?P<name>.+?)(?:[.-](?P<date>(?:19|20)\d{6}(?:-\d{6})?)|\.(?P<number>\d{1,4}))?(?:\.(?:gz|xz|zst|bz2))?"
)
_KLOG: Final = re.compile(r"(?P<name>.+\.log\.(?:INFO|WARNING|ERROR|FATAL))\.(?P<date>\d{8}-\d{6})\.\d+")
_RESTART: Final = re.compile(r"(?P<name>.*/)(?P<number>\d+)\.log(?:\.(?P<date>\d{8}-\d{6}))?(?:\.gz)?")


def family(path: str) -> tuple[str, tuple[int, str, int]]:
    """What the files are called of which a path is one that was rotated, and its place among them: the oldest first."""
    restart = _RESTART.fullmatch(path) if place(path).pod else None
    if restart:
        # A number a restart of the container; one that was rotated has a date.
        return restart["name"], (int(restart["number"]), restart["date"] or "~", 0)
    found = _KLOG.fullmatch(path) or _ROTATED.fullmatch(path)
    if found is None:
        return path, (0, "~", 0)
    said = found.groupdict()
    if said.get("number"):
        return said["name"], (0, "~", -int(said["number"]))
    return said["name"], (0, said.get("date") or "~", 0)


def missing(before: str, after: str, there: Collection[str] = ()) -> str | None:
    """What should stand between two files of a family, in words; `there` are its files, of which some may be empty."""
    (name, first), (_, second) = family(before), family(after)
    known = {place for _, place in map(family, there)}
    if first[1] == second[1] == "~" and first[2] != second[2]:
        absent = [f"{name}.{-number}" for number in reversed(_between(first[2], second[2], {place[2] for place in known}))]
    elif second[0] > first[0] + 1:
        absent = [f"{name}{number}.log" for number in _between(first[0], second[0], {place[0] for place in known})]
    else:
        return None
    if not absent:
        return None
    names = [os.path.basename(one) for one in (absent[0], absent[-1])]
    return f"{names[0]} is not there" if len(absent) == 1 else f"{names[0]} to {names[1]} are not there"


def _between(first: int, second: int, known: Collection[int]) -> list[int]:
    return [number for number in range(first + 1, second) if number not in known]


def _in_order(sources: list[Source]) -> list[Source]:
    """Files that were rotated behind one another, the oldest first, where the first of them stands."""
    families: dict[str, list[Source]] = {}
    for source in sources:
        families.setdefault(family(source.path)[0], []).append(source)
    return [source for one in families.values() for source in sorted(one, key=lambda source: family(source.path)[1])]


def _member(name: str) -> tuple[str, str] | None:
    """The archive, and the member of it that `a.tgz!nodes/x/kubelet.log` names."""
    at = name.find("!")
    while at > 0:
        if os.path.isfile(name[:at]):
            return name[:at], name[at + 1 :]
        at = name.find("!", at + 1)
    return None


def _leads_to(name: str, wanted: str) -> bool:
    """Whether a member is one that is wanted, or an archive that may hold it, or stands in one that is wanted."""
    pairs = zip(name.split("!"), wanted.split("!"), strict=False)
    return all(part == want or fnmatchcase(part, want) for part, want in pairs)


def _matching(pattern: str) -> list[str]:
    import glob

    return sorted(glob.glob(pattern))


def _read(path: Path, front: Front, size: int) -> Iterator[bytes]:
    """A file as it is, and a pipe."""
    name = str(path)
    try:
        with open(path, "rb", buffering=0) as raw:
            if raw.seekable():
                yield from _pieces(raw.fileno(), front, size)
            else:
                yield from _stream(lambda: raw, name, front, size)
    except OSError as error:
        raise InputError(name, _reason(error), None) from None


def _stream(opener: Opener, name: str, front: Front, size: int) -> Iterator[bytes]:
    """What is opened, decompressed where it is compressed. What it gave before it breaks off is delivered."""
    done = 0
    try:
        stream = Stream(opener())
        try:
            if _is_binary(stream.head):
                raise InputError(name, "not a text log: the file is binary")

            def take(size: int) -> bytes:
                nonlocal done
                found = stream.read(size)
                done += len(found)
                return found

            yield from _chunks(take, front, size)
        finally:
            stream.close()
    except InputError:
        raise
    except (DamagedError, OSError, EOFError, ValueError) as error:
        raise InputError(name, _reason(error), done if done else None) from None


def _standard_input(front: Front, size: int, head: bytes) -> Iterator[bytes]:
    if head:
        yield front() + head
    yield from _pieces(sys.stdin.fileno(), front, size)


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


# How an object of the API begins, in YAML and JSON; and what of them tells what happened, or how something is configured.
_OBJECT: Final = re.compile(rb"(?:---\s+)?(?:apiVersion:|kind:|metadata:|items:)|\{\s*\"(?:apiVersion|kind|metadata|items)\"")
_OF_USE: Final = re.compile(rb"kind\"?: *\"?(?:Event\b|EventList|\w*Config\b|\w*Configuration\b)|\"?(?:involvedObject|auditID)\"?:")


def _is_object(head: bytes) -> bool:
    """Whether it is an object of the API that tells of nothing that happened: who gathers logs writes these by the thousand."""
    return _OBJECT.match(head) is not None and _OF_USE.search(head) is None


def _is_binary(head: bytes) -> bool:
    """Whether a tenth of the bytes are control characters that no terminal or log writes. The journal's own form has lengths, and
    no binary file begins as JSON does.
    """
    if head.startswith((b"__CURSOR=", b"__REALTIME_TIMESTAMP=", b"{")):
        return False
    control = sum(1 for byte in head if (byte < 32 and byte not in (9, 10, 13, 27)) or byte == 127)
    return control * 10 > len(head)


def _reason(error: Exception) -> str:
    if isinstance(error, DamagedError):
        return str(error)
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
