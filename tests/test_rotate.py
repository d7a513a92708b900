"""A file that is followed through rotation: each line once, whatever happens to the file and to who follows it.

The writer numbers its lines. KUBELOG_ROTATIONS says how often each style rotates (default: a few).
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kubelog.errors import InputError
from kubelog.ingest.inputs.rotate import GrowingFile

ROTATIONS = int(os.environ.get("KUBELOG_ROTATIONS", "12"))
KEPT = ROTATIONS + 5
POLL_S = 0.005


def shifted(path: Path, suffix: str = "") -> None:
    """Make room for a first rotated file, as logrotate does."""
    for number in range(KEPT, 0, -1):
        for ending in {suffix, ""}:
            old = path.with_name(f"{path.name}.{number}{ending}")
            if old.exists():
                old.rename(path.with_name(f"{path.name}.{number + 1}{ending}"))


class Writer:
    """Writes numbered lines to a file, and rotates it."""

    def __init__(self, path: Path, style: str, seed: int) -> None:
        self.path, self.style, self.draw = path, style, random.Random(seed)
        self.written = 0
        self.lost: list[int] = []  # what copytruncate itself loses: written between copy and truncation
        self.file = path.open("ab", buffering=0)

    def write(self, count: int) -> None:
        for _ in range(count):
            line = b"%d %s\n" % (self.written, b"x" * self.draw.randrange(80))
            at = self.draw.randrange(len(line))
            # A line may come in two parts.
            for part in (line[:at], line[at:]) if self.draw.random() < 0.3 else (line,):
                if part:
                    self.file.write(part)
            self.written += 1

    def reopen(self) -> None:
        self.file.close()
        self.file = self.path.open("ab", buffering=0)

    def rotate(self) -> None:
        first = self.path.with_name(f"{self.path.name}.1")
        if self.style == "copytruncate":
            shifted(self.path)
            shutil.copyfile(self.path, first)
            self.file.truncate(0)
            return
        if self.style == "dated":
            stamp = time.strftime("20240101-") + f"{self.written:06}"
            self.path.rename(self.path.with_name(f"{self.path.name}.{stamp}"))
        elif self.style == "renamed and packed":
            shifted(self.path, ".gz")
            self.path.rename(first)
        else:
            shifted(self.path)
            self.path.rename(first)
        self.write(self.draw.randrange(3))  # the writer has the old file open still
        self.reopen()
        if self.style == "renamed and packed":
            packed = first.with_name(first.name + ".gz")
            packed.with_suffix(".part").write_bytes(gzip.compress(first.read_bytes()))
            shutil.copystat(first, packed.with_suffix(".part"))  # as gzip does
            packed.with_suffix(".part").rename(packed)
            first.unlink()

    def run(self, rotations: int, begun: threading.Event) -> None:
        self.write(3)
        begun.wait()
        for _ in range(rotations):
            for _ in range(self.draw.randrange(1, 6)):
                self.write(self.draw.randrange(20))
                time.sleep(self.draw.uniform(0, 2 * POLL_S))
            self.rotate()
            # Who looks so often sees each file before it is rotated in its turn.
            self.write(1)
            time.sleep(6 * POLL_S)
        self.write(5)
        self.file.close()


class Reader:
    """Follows the file, and begins anew from its place now and then, as a process that was killed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place: object = None
        self.files = [b""]
        self.said: list[str] = []
        self.begun = threading.Event()

    def read(self, until: Callable[[], bool], stops: Callable[[], bool] = lambda: False) -> None:
        """Read until this holds and nothing more comes; begin anew where it stops."""
        quiet = 0
        while True:
            follower = GrowingFile(str(self.path), self.place, POLL_S)
            pieces = iter(follower)
            for piece in pieces:
                if piece.data:
                    self.begun.set()
                if piece.begins:
                    self.files.append(b"")
                self.files[-1] += piece.data
                if piece.said:
                    self.said.append(piece.said)
                quiet = 0 if piece.data or piece.begins else quiet + 1
                self.place = json.loads(json.dumps(follower.place()))
                if (done := until() and quiet > 4) or stops():
                    break
            pieces.close()  # type: ignore[attr-defined]
            if done:
                return

    @property
    def lines(self) -> list[int]:
        return [int(line.split()[0]) for file in self.files for line in file.splitlines() if line]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kubelet.log"


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize("style", ["renamed", "dated", "renamed and packed"])
def test_of_what_is_renamed_each_line_is_read_once(style: str, stops: bool, path: Path) -> None:
    writer, reader, draw = Writer(path, style, 1), Reader(path), random.Random(2)
    thread = threading.Thread(target=writer.run, args=(ROTATIONS, reader.begun))
    thread.start()
    reader.read(lambda: not thread.is_alive(), lambda: stops and draw.random() < 0.2)
    thread.join()
    assert reader.lines == list(range(writer.written))
    assert reader.said == []


@pytest.mark.parametrize("stops", [False, True])
def test_of_what_is_copied_and_truncated_each_line_of_the_copies_is_read_once(stops: bool, path: Path) -> None:
    writer, reader, draw = Writer(path, "copytruncate", 3), Reader(path), random.Random(4)
    thread = threading.Thread(target=writer.run, args=(ROTATIONS, reader.begun))
    thread.start()
    reader.read(lambda: not thread.is_alive(), lambda: stops and draw.random() < 0.2)
    thread.join()
    assert reader.lines == list(range(writer.written))
    assert reader.said == []


def test_what_is_truncated_without_a_copy_is_told(path: Path) -> None:
    path.write_bytes(b"".join(b"%d\n" % number for number in range(100)))
    reader = Reader(path)
    reader.read(lambda: True)
    path.write_bytes(b"100\n101\n")
    reader.read(lambda: True)
    assert reader.lines == list(range(102))
    assert len(reader.said) == 1
    assert "lost" in reader.said[0]


def test_bytes_that_were_seen_and_not_read_are_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubelog.ingest.inputs.rotate.CHUNK", 100)
    path.write_bytes(b"x" * 99 + b"\n" + b"y" * 1000)
    pieces = iter(GrowingFile(str(path), None, POLL_S))
    assert next(pieces).data == b"x" * 99 + b"\n"
    path.write_bytes(b"new\n")
    found = next(pieces)
    assert found.begins
    assert found.said == f"{path}: truncated while it was read: at least 1,000 bytes are lost"
    assert next(pieces).data == b"new\n"
    pieces.close()  # type: ignore[attr-defined]


def test_a_file_that_grew_again_beyond_where_it_was_read_is_seen_to_be_another(path: Path) -> None:
    path.write_bytes(b"old line\n" * 10)
    reader = Reader(path)
    reader.read(lambda: True)
    path.write_bytes(b"new line, and longer\n" * 100)
    follower = GrowingFile(str(path), reader.place, POLL_S)
    pieces = iter(follower)
    found = [next(pieces) for _ in range(3)]
    assert b"".join(one.data for one in found) == b"new line, and longer\n" * 100
    assert any(one.begins for one in found)


def test_a_file_that_was_deleted_goes_on_when_there_is_a_new_one(path: Path) -> None:
    path.write_bytes(b"0\n1\n")
    reader = Reader(path)
    written = 0

    def step() -> bool:
        nonlocal written
        if written == 0:
            path.unlink()
        if written == 8:
            path.write_bytes(b"2\n3\n")
        written += 1
        return written > 12

    reader.read(step)
    assert reader.lines == [0, 1, 2, 3]


def test_an_inode_that_is_used_again_is_no_sign_of_the_same_file(path: Path) -> None:
    path.write_bytes(b"0\n1\n")
    reader = Reader(path)
    reader.read(lambda: True)
    place = dict(reader.place)  # type: ignore[call-overload]
    path.unlink()
    path.write_bytes(b"2\n3\n4\n")
    # Whether the system gives the number again is its own affair.
    reader.place = place | {"inode": path.stat().st_ino}
    reader.read(lambda: True)
    assert reader.lines == [0, 1, 2, 3, 4]


def test_a_link_is_followed_to_where_it_points(tmp_path: Path) -> None:
    pod = tmp_path / "pods"
    pod.mkdir()
    (pod / "0.log").write_bytes(b"0\n1\n")
    link = tmp_path / "kubelet.log"
    link.symlink_to(pod / "0.log")
    reader = Reader(link)
    reader.read(lambda: True)
    (pod / "1.log").write_bytes(b"2\n")
    link.unlink()
    link.symlink_to(pod / "1.log")
    reader.read(lambda: True)
    assert reader.lines == [0, 1, 2]


def test_a_file_that_is_not_there_is_an_error(path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        next(iter(GrowingFile(str(path))))


@pytest.mark.parametrize("place", [7, {}, {"device": "x", "inode": 1}, [], {"device": 1}])
def test_what_is_no_place_is_refused(place: object, path: Path) -> None:
    with pytest.raises(ValueError, match=r"Expected|missing"):
        GrowingFile(str(path), place)
