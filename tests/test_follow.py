"""A file that is followed through rotation: each line once, whatever happens to the file and to who follows it.

The writer numbers its lines and draws when it rotates, often several times between two looks. KUBELOG_ROTATIONS says how often each
style rotates (default: 20); 200 take some minutes.
"""

from __future__ import annotations

import functools
import gzip
import json
import lzma
import os
import random
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubelog.errors import InputError
from kubelog.ingest.inputs.follow import Piece
from kubelog.ingest.inputs.growing import Follower

ROTATIONS = int(os.environ.get("KUBELOG_ROTATIONS", "20"))
KEPT = 8  # as logrotate's `rotate 8`
POLL_S = 0.004
ENDINGS = ("", ".gz", ".xz", ".zst")


def shift(path: Path) -> None:
    """Make room for a first rotated file, as logrotate does."""
    for number in range(KEPT, 0, -1):
        for ending in ENDINGS:
            old = path.with_name(f"{path.name}.{number}{ending}")
            if old.exists() and number == KEPT:
                old.unlink()
            elif old.exists():
                old.rename(path.with_name(f"{path.name}.{number + 1}{ending}"))


def pack(path: Path, ending: str = ".gz") -> None:
    """Pack a file as gzip and logrotate do: both stand there until it is done."""
    packed = path.with_name(path.name + ending)
    data = (gzip.compress if ending == ".gz" else lzma.compress)(path.read_bytes())
    with packed.open("wb", buffering=0) as file:
        file.write(data[: len(data) // 2])
        time.sleep(POLL_S / 2)
        file.write(data[len(data) // 2 :])
    shutil.copystat(path, packed)
    path.unlink()


class Reader:
    """Follows the file, and goes on from its place now and then, as a process that was killed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place: Any = None
        self.files = [b""]
        self.said: list[Piece] = []
        self.began = 0  # how many lines were seen to begin, as its writer may ask
        self.stopped = False

    def take(self, piece: Piece, follower: Follower) -> None:
        if piece.begins:
            self.files.append(b"")
        self.files[-1] += piece.data
        if piece.said:
            self.said.append(piece)
        self.place = json.loads(json.dumps(follower.place()))
        if piece.data:
            found = re.findall(rb"(?:^|\n)(\d+) ", self.files[-1][-4096:])
            self.began = max(self.began, int(found[-1]) + 1 if found else 0)

    def read(self, idle: int = 4, until: Callable[[], bool] = lambda: True) -> None:
        """Read until this holds, and then until nothing came at so many looks."""
        follower = Follower(str(self.path), self.place, POLL_S)
        pieces = iter(follower)
        quiet, is_over = 0, until()
        for piece in pieces:
            self.take(piece, follower)
            quiet = 0 if piece.data or piece.begins or not is_over else quiet + 1
            if quiet == idle:
                break
            is_over = is_over or until()
        pieces.close()  # type: ignore[attr-defined]

    def run(self, writer: Writer, draw: random.Random | None) -> None:
        """Read what a writer writes; stop and go on where a draw is given."""
        writer.reader = self
        thread = threading.Thread(target=writer.run, daemon=True)
        thread.start()
        while draw and thread.is_alive():
            ends, left = writer.rotated + draw.randrange(4), iter(range(draw.randrange(30)))
            self.read(1, functools.partial(_is_over, thread, writer, ends, left))
            time.sleep(draw.uniform(0, 8 * POLL_S))
        self.read(6, lambda: not thread.is_alive())
        thread.join()

    @property
    def lines(self) -> list[int]:
        return [int(line.split()[0]) for file in self.files for line in file.splitlines() if line.endswith(b";")]

    @property
    def broken(self) -> list[bytes]:
        return [line for file in self.files for line in file.splitlines() if not re.fullmatch(rb"\d+ x*;", line)]


def _is_over(thread: threading.Thread, writer: Writer, ends: int, left: Iterator[int]) -> bool:
    """Whether who reads is stopped: some pieces after so many rotations."""
    return not thread.is_alive() or (writer.rotated >= ends and next(left, None) is None)


class Writer:
    """Writes numbered lines to a file, and rotates it."""

    def __init__(self, path: Path, style: str, seed: int) -> None:
        self.path, self.style, self.draw = path, style, random.Random(seed)
        self.written = self.rotated = 0
        self.between: set[int] = set()  # what copytruncate itself may lose: written between copy and truncation
        self.reader: Reader | None = None
        self.file = path.open("ab", buffering=0)
        self.write(3)

    def write(self, count: int) -> None:
        for _ in range(count):
            line = b"%d %s;\n" % (self.written, b"x" * self.draw.randrange(30, 100))
            at = self.draw.randrange(1, len(line))
            # A line may come in two parts.
            for part in (line[:at], line[at:]) if self.draw.random() < 0.3 else (line,):
                self.file.write(part)
                if len(part) < len(line):
                    time.sleep(self.draw.uniform(0, POLL_S / 4))
            self.written += 1

    def reopen(self) -> None:
        self.file.close()
        self.file = self.path.open("ab", buffering=0)

    def rotate(self) -> None:
        first = self.path.with_name(f"{self.path.name}.1")
        if self.style.startswith("copytruncate"):
            shift(self.path)
            with first.open("wb", buffering=0) as copy:
                data = self.path.read_bytes()
                copy.write(data[: len(data) // 2])
                time.sleep(self.draw.uniform(0, 2 * POLL_S))
                copy.write(data[len(data) // 2 :])
            if self.style == "copytruncate, written meanwhile":
                number = self.written
                self.write(self.draw.randrange(3))
                self.between |= set(range(number, self.written))
                time.sleep(self.draw.uniform(0, 2 * POLL_S))
            self.file.truncate(0)
            if self.style == "copytruncate, packed":
                self.write(self.draw.randrange(3))
                pack(first)
            return
        if self.style == "deleted":
            # What nobody has open is gone.
            self.waits(self.written)
            self.path.unlink()
        elif self.style.startswith("dated"):
            first = self.path.with_name(f"{self.path.name}.20240101-{self.rotated:06}")
            self.path.rename(first)
        else:
            shift(self.path)
            self.path.rename(first)
        self.write(self.draw.randrange(3))  # it has the old file open still
        if self.draw.random() < 0.3:
            # logrotate makes the new one before it tells the writer.
            self.path.touch()
            time.sleep(self.draw.uniform(0, 5 * POLL_S))
            self.write(self.draw.randrange(3))
        self.reopen()
        if self.style.endswith("packed"):
            self.write(self.draw.randrange(3))
            pack(first, ".xz" if self.draw.random() < 0.2 else ".gz")

    def waits(self, lines: int) -> None:
        """Until so many lines were seen to begin."""
        while self.reader is not None and self.reader.began < lines:
            time.sleep(POLL_S / 4)

    def run(self) -> None:
        self.waits(1)  # where there is no file at the start, that is an error
        for _ in range(ROTATIONS):
            for _ in range(self.draw.randrange(3)):
                self.write(self.draw.randrange(20))
                time.sleep(self.draw.uniform(0, 2 * POLL_S))
            begun = self.written
            self.write(1)
            self.rotate()
            self.rotated += 1
            if self.rotated % (KEPT // 2) == 0:
                # What was rotated away before anyone looked is gone.
                self.waits(begun + 1)
        self.write(5)
        self.file.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kubelet.log"


@pytest.fixture
def reader(path: Path) -> Reader:
    return Reader(path)


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize("style", ["renamed", "renamed, packed", "dated", "dated, packed", "copytruncate", "copytruncate, packed"])
def test_each_line_is_read_once(style: str, stops: bool, path: Path, reader: Reader) -> None:
    writer = Writer(path, style, 1)
    reader.run(writer, random.Random(2) if stops else None)
    assert reader.said == []
    assert reader.lines == list(range(writer.written))
    assert reader.broken == []


def test_what_was_deleted_is_read_to_its_end(path: Path, reader: Reader) -> None:
    writer = Writer(path, "deleted", 1)
    reader.run(writer, None)
    assert reader.said == []
    assert reader.lines == list(range(writer.written))


@pytest.mark.parametrize("stops", [False, True])
def test_copytruncate_loses_only_what_was_written_behind_the_copy(stops: bool, path: Path, reader: Reader) -> None:
    writer = Writer(path, "copytruncate, written meanwhile", 1)
    reader.run(writer, random.Random(2) if stops else None)
    assert len(reader.lines) == len(set(reader.lines))
    assert reader.lines == sorted(reader.lines)
    assert set(range(writer.written)) - set(reader.lines) <= writer.between


# What happens between two looks


class Looks:
    """A follower that looks when it is told to."""

    def __init__(self, path: Path, place: Any = None) -> None:
        self.reader = Reader(path)
        self.follower = Follower(str(path), place, 0.0)
        self.pieces: Iterator[Piece] = iter(self.follower)

    def __call__(self) -> list[bytes]:
        """Look until nothing comes; the files so far."""
        quiet = 0
        while quiet < 4:
            piece = next(self.pieces)
            self.reader.take(piece, self.follower)
            quiet = 0 if piece.data or piece.begins else quiet + 1
        return self.reader.files

    def said(self) -> list[str]:
        return [piece.said.partition(": ")[2] for piece in self.reader.said if piece.said]


def again(looks: Looks) -> Looks:
    """Who goes on where this one was stopped."""
    looks.pieces.close()  # type: ignore[attr-defined]
    return Looks(looks.reader.path, looks.reader.place)


OLD = b"I1016 09:50:55.056703    4321 kubelet.go:1] old\n"
NEW = b"I1016 09:51:07.130442    4321 kubelet.go:1] new\n"
NEWER = b"I1016 09:52:31.900817    4321 kubelet.go:1] newer\n"
MORE = b"I1016 09:50:56.000001    4321 kubelet.go:2] more\n"
WAYS = ["kept", "packed", "packed with xz"]


def rotate(path: Path, way: str) -> None:
    shift(path)
    first = path.with_name(path.name + ".1")
    path.rename(first)
    if way != "kept":
        pack(first, ".gz" if way == "packed" else ".xz")


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_what_came_between_two_looks_is_read_in_order(way: str, stops: bool, path: Path) -> None:
    path.write_bytes(OLD)
    looks = Looks(path)
    assert looks() == [OLD]
    if stops:
        looks = again(looks)
    with path.open("ab") as file:
        file.write(MORE)
    rotate(path, way)
    path.write_bytes(NEW)
    rotate(path, way)
    path.write_bytes(NEWER)
    assert looks() == [MORE if stops else OLD + MORE, NEW, NEWER]
    assert looks.said() == []


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_what_was_copied_is_read_from_the_copy(way: str, stops: bool, path: Path) -> None:
    path.write_bytes(OLD)
    looks = Looks(path)
    assert looks() == [OLD]
    if stops:
        looks = again(looks)
    with path.open("ab") as file:
        file.write(MORE)
    for text in (NEW, NEWER * 9):
        kept = path.with_name("kept")
        path.rename(kept)
        shutil.copyfile(kept, path)
        rotate(path, way)
        kept.rename(path)  # the file itself, with its inode
        path.write_bytes(text)
    assert looks() == [MORE if stops else OLD + MORE, NEW, NEWER * 9]
    assert looks.said() == []


def test_what_was_rotated_before_is_left_alone(path: Path) -> None:
    path.write_bytes(OLD)
    rotate(path, "kept")
    path.write_bytes(b"")
    looks = Looks(path)
    assert looks() == [b""]
    path.write_bytes(NEW)
    assert looks() == [NEW]
    # Where it was empty, and nothing is known of it, what stood before it says what is new.
    rotate(path, "kept")
    path.write_bytes(NEWER)
    assert looks() == [NEW, NEWER]
    assert looks.said() == []


def test_an_empty_file_that_was_written_and_copied_between_two_looks_is_read(path: Path) -> None:
    path.write_bytes(OLD)
    rotate(path, "kept")
    path.write_bytes(b"")
    looks = Looks(path)
    assert looks() == [b""]
    shift(path)
    path.with_name("kubelet.log.1").write_bytes(NEW)
    os.utime(path, (1, 1))
    assert [file for file in looks() if file] == [NEW]
    path.write_bytes(NEWER)
    assert [file for file in looks() if file] == [NEW, NEWER]


def test_a_file_that_was_written_before_it_was_seen_to_be_truncated_comes_behind_the_copy(path: Path) -> None:
    path.write_bytes(OLD)
    rotate(path, "kept")
    path.write_bytes(b"")
    looks = Looks(path)
    assert looks() == [b""]
    shift(path)
    path.with_name("kubelet.log.1").write_bytes(NEW)
    path.write_bytes(NEWER)
    assert [file for file in looks() if file] == [NEW, NEWER]


def test_the_end_of_a_line_that_comes_after_the_rotation_is_read_before_the_new_file(path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(OLD[:20])
        looks = Looks(path)
        assert looks() == [OLD[:20]]
        rotate(path, "kept")
        path.touch()
        assert looks() == [OLD[:20]]
        file.write(OLD[20:])
        assert looks() == [OLD]
    path.write_bytes(NEW)
    assert looks() == [OLD, NEW]


def test_what_is_written_to_the_old_file_when_the_new_one_was_begun_is_counted(path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(OLD)
        looks = Looks(path)
        looks()
        rotate(path, "kept")
        path.write_bytes(NEW)
        assert looks() == [OLD, NEW]
        file.write(MORE)
    looks()
    assert looks.said() == [f"{len(MORE)} bytes were written to the old file when the new one was begun: they are not read"]


# What is lost


def test_what_is_truncated_without_a_copy_is_told(path: Path) -> None:
    path.write_bytes(OLD * 3)
    looks = Looks(path)
    looks()
    path.write_bytes(NEW)
    assert looks() == [OLD * 3, NEW]
    assert looks.said() == ["truncated while it was read: what was written last may be lost"]


@pytest.mark.parametrize("text", [NEW * 3, NEW * 50])
def test_a_file_that_grew_again_to_where_it_was_read_or_beyond_is_another(text: bytes, path: Path) -> None:
    path.write_bytes(OLD * 3)
    looks = Looks(path)
    looks()
    path.write_bytes(text)
    assert looks() == [OLD * 3, text]


def test_bytes_that_were_seen_and_not_read_are_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubelog.ingest.inputs.growing.CHUNK", len(OLD))
    path.write_bytes(OLD + MORE * 10)
    looks = Looks(path)
    assert next(looks.pieces).data == OLD
    path.write_bytes(b"")
    looks()
    assert looks.said() == [f"truncated while it was read: at least {10 * len(MORE)} bytes are lost"]


def test_bytes_between_copy_and_truncation_that_were_seen_are_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubelog.ingest.inputs.growing.CHUNK", len(OLD))
    path.write_bytes(OLD + MORE * 10)
    looks = Looks(path)
    looks.reader.take(next(looks.pieces), looks.follower)
    path.with_name("kubelet.log.1").write_bytes(OLD + MORE * 4)
    path.write_bytes(NEW)
    assert looks() == [OLD + MORE * 4, NEW]
    assert looks.said() == [f"{6 * len(MORE)} bytes were lost between copy and truncation"]


def test_a_copy_that_ends_before_what_was_read_is_not_read_again(path: Path) -> None:
    path.write_bytes(OLD + MORE)
    looks = Looks(path)
    looks()
    path.with_name("kubelet.log.1").write_bytes(OLD)
    path.write_bytes(NEW)
    assert looks() == [OLD + MORE, NEW]
    assert looks.said() == []


def test_where_the_file_is_gone_what_may_be_lost_is_told(path: Path) -> None:
    path.write_bytes(OLD)
    looks = Looks(path)
    looks()
    for _ in range(2):
        rotate(path, "kept")
        path.write_bytes(NEW)
        os.utime(path, (path.stat().st_mtime + 60,) * 2)
    rotate(path, "kept")
    path.write_bytes(NEWER)
    path.with_name("kubelet.log.3").unlink()
    path.with_name("kubelet.log.2").unlink()
    assert looks() == [OLD, NEW, NEWER]
    assert looks.said() == ["rotated away while it was read: what was written before kubelet.log.1 may be lost"]


@pytest.mark.parametrize("text", [OLD, NEW * 9, b""])
def test_what_is_not_found_again_is_told_and_what_there_is_read(text: bytes, path: Path) -> None:
    path.write_bytes(OLD * 3)
    looks = Looks(path)
    looks()
    path.write_bytes(text)
    looks = again(looks)
    assert looks()[-1] == text
    assert looks.said() == [f"what was read up to byte {3 * len(OLD)} is gone: what followed it is lost"]
    assert looks.reader.said[0].lost


def test_an_inode_that_is_used_again_is_no_sign_of_the_same_file(path: Path) -> None:
    path.write_bytes(OLD)
    looks = Looks(path)
    looks()
    path.unlink()
    path.write_bytes(NEW * 9)
    # Whether the system gives the number again is its own affair.
    looks.reader.place["file"]["inode"] = path.stat().st_ino
    assert again(looks)()[-1] == NEW * 9


# Names and links


def test_a_link_is_followed_through_the_rotations_of_the_kubelet(tmp_path: Path) -> None:
    """The kubelet renames 0.log and packs it, under another name at first; with the container's restart the link points to 1.log."""
    pod = tmp_path / "pods" / "default_web-7f9c_0a1b2c3d-0000-4000-8000-0123456789ab" / "app"
    pod.mkdir(parents=True)
    link = tmp_path / "web-7f9c_default_app-0a1b.log"
    link.symlink_to(pod / "0.log")
    (pod / "0.log").write_bytes(OLD)
    looks = Looks(link)
    assert looks() == [OLD]
    with (pod / "0.log").open("ab") as file:
        file.write(MORE)
    (pod / "0.log").rename(pod / "0.log.20251016-095100")
    (pod / "0.log.20251016-095100.tmp").write_bytes(b"\x1f\x8b half of it")
    (pod / "0.log").write_bytes(NEW)
    (pod / "1.log").write_bytes(NEWER)
    assert looks() == [OLD + MORE, NEW]
    link.unlink()
    link.symlink_to(pod / "1.log")
    assert looks() == [OLD + MORE, NEW, NEWER]
    assert looks.said() == []


def test_a_link_to_another_file_leaves_alone_what_was_rotated_there(tmp_path: Path) -> None:
    link = tmp_path / "current"
    (tmp_path / "a.log").write_bytes(OLD)
    (tmp_path / "b.log").write_bytes(NEWER)
    (tmp_path / "b.log.1").write_bytes(NEW)
    link.symlink_to(tmp_path / "a.log")
    looks = Looks(link)
    looks()
    link.unlink()
    link.symlink_to(tmp_path / "b.log")
    assert looks() == [OLD, NEWER]


def test_a_deleted_file_is_read_on_until_there_is_a_new_one(path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(OLD)
        looks = Looks(path)
        looks()
        path.unlink()
        file.write(MORE)
        assert looks() == [OLD + MORE]
    path.write_bytes(NEW)
    assert looks() == [OLD + MORE, NEW]
    assert looks.said() == []


# What cannot be read


def test_a_new_file_that_may_not_be_read_is_tried_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(OLD)
    looks = Looks(path)
    looks()
    rotate(path, "kept")
    path.write_bytes(NEW)
    real = os.open

    def refuses(name: Any, *rest: Any) -> int:
        if os.fspath(name) == str(path):
            raise PermissionError(13, "Permission denied")
        return real(name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuses)
        assert looks() == [OLD]
        assert looks() == [OLD]
    assert looks() == [OLD, NEW]
    assert looks.said() == ["permission denied; it is tried again"]


@pytest.mark.parametrize("data", [b"\x1f\x8b\x08 no gzip", gzip.compress(NEW * 100)[:-9]])
def test_what_is_damaged_is_left_out(data: bytes, path: Path) -> None:
    path.write_bytes(OLD)
    looks = Looks(path)
    looks()
    rotate(path, "kept")
    shift(path)
    path.with_name("kubelet.log.1.gz").write_bytes(data)
    path.write_bytes(NEWER)
    files = looks()
    assert (files[0], files[-1]) == (OLD, NEWER)
    assert len(looks.said()) == 1
    assert looks.said()[0].endswith("what followed in it is lost")


def test_an_error_of_the_disk_is_told_once_and_read_over_and_over(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(OLD)
    looks = Looks(path)

    def breaks(*_: Any) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("kubelog.ingest.inputs.sources.File.read", breaks)
        assert looks() == [b""]
    assert looks() == [OLD]
    assert looks.said() == ["input/output error; it is tried again"]


def test_a_quiet_file_is_looked_at_no_oftener_than_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    path.write_bytes(OLD)
    pieces = iter(Follower(str(path), poll_s=0.2))
    found = [next(pieces) for _ in range(10)]
    assert found == [Piece(OLD), *[Piece(b"")] * 9]
    path.unlink()
    assert [next(pieces) for _ in range(10)] == [Piece(b"")] * 10
    assert slept == [0.2] * 18


def test_a_file_that_is_not_there_is_an_error(path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        next(iter(Follower(str(path))))


def test_a_directory_and_a_pipe_are_errors(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InputError, match="only files are followed"):
            next(iter(Follower(str(path))))


@pytest.mark.parametrize(
    "change", [{"at": -1}, {"at": "x"}, {"at": 1 << 70}, {"file": 7}, {"real": "a\0b"}, {"file": {"length": 9999}}]
)
def test_what_is_no_place_is_refused(change: dict[str, Any], path: Path) -> None:
    path.write_bytes(OLD)
    looks = Looks(path)
    looks()
    with pytest.raises(ValueError, match="Expected"):
        Follower(str(path), looks.reader.place | change)
    places: list[Any] = [7, {}, [], "x", {"at": 0}]
    for place in places:
        with pytest.raises(ValueError, match=r"Expected|missing"):
            Follower(str(path), place)
