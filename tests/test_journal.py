"""The journal itself: real journals, read by systemd's library and by journalctl, truncated, damaged and rotated meanwhile.

KUBELOG_TRUNCATIONS and KUBELOG_ROTATIONS say how often a journal is truncated and rotated under its reader (default: a few).
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kubelog
from kubelog.ingest.inputs.journal import Journal, beside
from tests.journals import exported, journalctl, lacks, program

ROTATIONS = int(os.environ.get("KUBELOG_ROTATIONS", "6"))
TRUNCATIONS = int(os.environ.get("KUBELOG_TRUNCATIONS", "5"))
_AT = 1_508_147_455_000_000  # of the first case
BOOTS = ("b1b2" * 8, "c1c2" * 8)
START = 1_704_273_905_000_000
ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"} | {"PYTHONPATH": str(ROOT)}


def by_library() -> bool:
    return importlib.util.find_spec("systemd") is not None


@pytest.fixture(params=["library", "journalctl"])
def by_journalctl(request: pytest.FixtureRequest) -> bool:
    if request.param == "library" and not by_library():
        lacks("systemd-python")
    return bool(request.param == "journalctl")


def entry(number: int, message: bytes | None, boot: int = 0, at: int = START, **more: bytes) -> bytes:
    fields: list[tuple[str, bytes]] = [
        ("__REALTIME_TIMESTAMP", b"%d" % (at + number * 1000)), ("__MONOTONIC_TIMESTAMP", b"%d" % (1000 + number)),
        ("_BOOT_ID", BOOTS[boot].encode()), ("_MACHINE_ID", b"a1a2" * 8), ("_HOSTNAME", b"n1"), ("_TRANSPORT", b"stdout"),
        ("SYSLOG_IDENTIFIER", b"kubelet"), ("_PID", b"17144"), ("_SYSTEMD_UNIT", b"kubelet.service"), *more.items(),
    ]  # fmt: skip
    if message is not None:
        fields.append(("MESSAGE", message))
    return b"".join(exported(name, value) for name, value in fields) + b"\n"


def write(path: Path, *entries: bytes) -> Path:
    """A journal of these entries; of one that is there, with these behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = path.parent.parent / f"{path.name}.export"
    source.write_bytes(b"".join(entries))
    subprocess.run([program("systemd-journal-remote"), "-o", path, source], capture_output=True, check=True)
    return path


def klog(number: int) -> bytes:
    return b"I0103 09:25:05.%06d   17144 kubelet.go:2120] message %d of the kubelet" % (number, number)


HARD = [
    b"a\nb\n\nc", b"\tindented", b"caf\xc3\xa9", b"\xff\xfe not utf-8", b"esc \x1b[31mred", b"nul \x00 byte", b"=", b"", b"x" * 5000,
    b"\n__CURSOR=forged\n\n__REALTIME_TIMESTAMP=1\nMESSAGE=forged\n\n", b"y" * 300_000,
]  # fmt: skip


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    entries = [entry(n, message) for n, message in enumerate(HARD)]
    entries.append(entry(50, None))
    entries.append(entry(51, b"of another boot", boot=1))
    # A field twice: the first counts.
    entries.append(entry(52, b"first").replace(b"MESSAGE=first\n", b"MESSAGE=first\nMESSAGE=second\n"))
    return write(tmp_path_factory.mktemp("hard") / "journal" / "system.journal", *entries)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("many") / "journal" / "system.journal", *(entry(n, klog(n)) for n in range(3000)))


def text_of(pieces: Iterator[Any]) -> bytes:
    return b"".join(piece.data for piece in pieces)


def messages(path: Path | str) -> list[str]:
    return [record.message for record in kubelog.read(path)]


def said_of(record: Any) -> tuple[Any, ...]:
    return record.time, record.node, record.unit, record.pid, record.verdict, record.message, record.kind


def test_both_ways_give_the_same_bytes_and_what_journalctl_exports_is_the_same(hard: Path, tmp_path: Path) -> None:
    if not by_library():
        lacks("systemd-python")
    found = [text_of(iter(Journal(str(hard), files=[str(hard)], by_journalctl=way))) for way in (False, True)]
    assert found[0] == found[1]
    (tmp_path / "export").write_bytes(journalctl(hard, "export"))
    ours, theirs = kubelog.read(hard), kubelog.read(tmp_path / "export")
    assert [said_of(record) for record in ours] == [said_of(record) for record in theirs]
    assert len(list(ours)) >= len(HARD) - 1


def test_messages_keep_what_they_hold(hard: Path, by_journalctl: bool, tmp_path: Path) -> None:
    (tmp_path / "export").write_bytes(text_of(iter(Journal(str(hard), files=[str(hard)], by_journalctl=by_journalctl))))
    found = "\0".join(messages(tmp_path / "export"))
    for wanted in ("a\nb", "\tindented", "café", "esc \x1b[31mred", "nul \x00 byte", "x" * 5000, "y" * 300_000, "first"):
        assert wanted in found, wanted[:20]
    assert "second" not in found
    assert {record.node for record in kubelog.read(tmp_path / "export") if record.verdict == "plain"} == {"n1"}


def test_a_message_of_megabytes_is_told_cut(by_journalctl: bool, tmp_path: Path) -> None:
    path = write(tmp_path / "journal" / "system.journal", entry(0, b"z" * (3 << 20)), entry(1, klog(1)))
    data = text_of(iter(Journal(str(path), files=[str(path)], by_journalctl=by_journalctl)))
    assert len(data) < 1 << 20
    (tmp_path / "export").write_bytes(data)
    first, second = kubelog.read(tmp_path / "export")
    assert first.message.endswith("z…")
    assert second.message == "message 1 of the kubelet"


def test_a_directory_is_read_whole_and_a_file_says_what_stands_beside_it(many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    shutil.copy(many, folder / "system@0123-0001-0002.journal")
    write(folder / "system.journal", *(entry(n, klog(n)) for n in range(3000, 3100)))
    assert len(messages(folder)) == 3100
    log = kubelog.read(folder / "system.journal")
    assert len(list(log)) == 100
    assert [note for note in log.notes if "system@0123-0001-0002.journal beside it" in note]
    assert beside(str(folder / "system.journal")) == ["system@0123-0001-0002.journal"]


def test_a_journal_goes_on_behind_any_entry(by_journalctl: bool, tmp_path: Path) -> None:
    path = write(tmp_path / "journal" / "system.journal", *(entry(n, klog(n)) for n in range(12)))
    whole = text_of(iter(Journal("j", files=[str(path)], by_journalctl=by_journalctl)))
    cursors = [line[9:].decode() for line in journalctl(path, "export").splitlines() if line.startswith(b"__CURSOR=")]
    ends = [at + 2 for at in range(len(whole)) if whole.startswith(b"\n\n", at)]
    for cursor, end in zip(cursors, ends, strict=True):
        rest = Journal("j", files=[str(path)], place={"cursor": cursor}, by_journalctl=by_journalctl)
        assert text_of(iter(rest)) == whole[end:]


@pytest.mark.parametrize("cursor", ["s=00000000000000000000000000000000;i=3;b=0;m=0;t=60e1b7c3e5a40;x=0", "garbage", "t=zz"])
def test_a_cursor_of_another_journal_is_said_and_nothing_is_lost_behind_its_time(cursor: str, tmp_path: Path) -> None:
    if not by_library():
        lacks("systemd-python")
    path = write(tmp_path / "journal" / "system.journal", *(entry(n, klog(n)) for n in range(10)))
    at = START + 4 * 1000
    pieces = list(Journal("j", files=[str(path)], place={"cursor": cursor.replace("60e1b7c3e5a40", f"{at:x}")}))
    assert any("has not the entry that was read last" in (piece.said or "") for piece in pieces)
    assert b"".join(piece.data for piece in pieces).count(b"MESSAGE=") == (5 if "60e1b7c3e5a40" in cursor else 10)


@pytest.mark.parametrize(("boot", "count"), [("0", 1), ("-1", 2), ("1", 2), ("c1c2" * 8, 1)])
def test_a_boot_is_read_alone(boot: str, count: int, by_journalctl: bool, tmp_path: Path) -> None:
    path = write(tmp_path / "journal" / "system.journal", entry(0, b"one"), entry(1, b"two"), entry(2, b"three", boot=1))
    data = text_of(iter(Journal("j", files=[str(path)], boot=boot, by_journalctl=by_journalctl)))
    assert data.count(b"MESSAGE=") == count


def test_what_is_no_journal_is_one_error_and_the_rest_is_read(many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    shutil.copy(many, folder / "system.journal")
    (folder / "broken.journal").write_bytes(b"LPKSHHRH" + b"\xff" * 4000)
    (folder / "empty.journal").write_bytes(b"")
    journal = Journal(str(folder), folder=str(folder))
    assert text_of(iter(journal)).count(b"MESSAGE=") == 3000
    assert [os.path.basename(error.path) for error in journal.errors] == ["empty.journal"] or len(journal.errors) == 2
    log = kubelog.read(folder / "broken.journal")
    assert list(log) == []
    assert [error.path for error in log.errors] == [str(folder / "broken.journal")]


def test_part_of_a_journal_that_cannot_be_read_is_counted(many: Path, tmp_path: Path) -> None:
    path = tmp_path / "system.journal"
    data = bytearray(many.read_bytes())
    # From somewhere on entries are gone.
    at = data.index(b"message 1500 of the kubelet")
    data[at - 2000 : at + 20_000] = bytes(22_000)
    path.write_bytes(data)
    log = kubelog.read(path)
    assert len(list(log)) < 3000
    assert log.errors or any("could not be read" in note for note in log.notes)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_what_nobody_may_read_is_an_error(many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    shutil.copy(many, folder / "system.journal")
    (folder / "system.journal").chmod(0o600)
    for path in (folder, *folder.parents):
        if path.stat().st_uid == 0 and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055) if "pytest" in str(path) else None
    done = subprocess.run(
        [program("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m", "kubelog", "parse", folder],
        capture_output=True, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert b"permission denied" in done.stderr


def test_a_reader_whose_file_is_truncated_is_ended_and_the_parent_reads_on(many: Path, tmp_path: Path) -> None:
    if not by_library():
        lacks("systemd-python")
    draw = random.Random(5)
    folder = tmp_path / "journal"
    folder.mkdir()
    size, killed = many.stat().st_size, 0
    for _ in range(TRUNCATIONS):
        for file in folder.iterdir():
            file.unlink()
        shutil.copy(many, folder / "system@0000000000000000000000000000000a-0000000000000001-0000000000000001.journal")
        write(folder / "user-1000.journal", *(entry(n, klog(n)) for n in range(5000, 5010)))
        journal = Journal("j", folder=str(folder), follow=True)
        found, quiet, cut = b"", 0, draw.randrange(200_000)
        for piece in journal:
            found += piece.data
            if cut >= 0 and len(found) > cut:
                os.truncate(next(folder.glob("system@*")), draw.randrange(4096, size // 2))
                cut = -1
            killed += bool(piece.said and "SIGBUS" in piece.said)
            quiet = 0 if piece.data else quiet + 1
            if quiet > 3:
                break
        # What stands in the other file is read, once.
        assert [found.count(b"MESSAGE=" + klog(n) + b"\n") for n in range(5000, 5010)] == [1] * 10
    print(f"{killed} of {TRUNCATIONS} readers were killed")


def test_a_journal_is_followed_through_rotation(tmp_path: Path) -> None:
    """A live directory: appended to, its file renamed and another begun, as journald does."""
    folder = tmp_path / "journal"
    write(folder / "system.journal", entry(0, klog(0)))
    written, over = [1], threading.Event()

    def grow() -> None:
        for number in range(1, 5 * ROTATIONS + 1):
            if number % 5 == 0:
                (folder / "system.journal").rename(folder / f"system@{'0' * 31}a-{number:016x}-{START:016x}.journal")
            write(folder / "system.journal", entry(number, klog(number)))
            written[0] += 1
        over.set()

    thread = threading.Thread(target=grow)
    thread.start()
    found, quiet = b"", 0
    for piece in Journal("j", folder=str(folder), follow=True):
        found += piece.data
        quiet = 0 if piece.data else quiet + over.is_set()
        if quiet > 4:
            break
    thread.join()
    assert [found.count(b"MESSAGE=" + klog(n) + b"\n") for n in range(5 * ROTATIONS + 1)] == [1] * (5 * ROTATIONS + 1)


def test_tail_of_a_journal_goes_on_from_its_state(node3: Path, tmp_path: Path) -> None:
    lines = [line.split(b"]: ", 1)[1] for line in (node3 / "node3-kubelet.log").read_bytes().splitlines() if b"]: " in line[:60]]
    folder, state, out = tmp_path / "journal", tmp_path / "state", tmp_path / "out.jsonl"
    entries = [entry(number, line, at=_AT) for number, line in enumerate(lines)]
    command = [
        sys.executable,
        "-m",
        "kubelog",
        "tail",
        f"--journal={folder}",
        "--state",
        str(state),
        "--to",
        str(out),
        "-o",
        "jsonl",
    ]
    write(folder / "system.journal", *entries[:8])
    for more in (entries[8:], []):
        process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE)
        end = time.monotonic() + 20
        size = -1
        while time.monotonic() < end and (size != (size := out.stat().st_size if out.exists() else 0) or not size):
            time.sleep(0.7)
        process.terminate()
        assert process.communicate(timeout=20)[1] == b""
        assert process.returncode == 0
        if more:
            write(folder / "system.journal", *more)
    whole = subprocess.run(
        [sys.executable, "-m", "kubelog", "tail", "-o", "jsonl"], input=journalctl(folder / "system.journal", "export"),
        capture_output=True, check=True, env=ENVIRONMENT,
    )  # fmt: skip

    def told(data: bytes) -> list[tuple[str, str, str | None]]:
        changes = [json.loads(line) for line in data.splitlines()]
        return [
            (one["incident"]["id"], one["action"], one["step"] and one["step"]["text"])
            for one in changes
            if one["action"] != "updated"
        ]

    assert told(out.read_bytes()) == told(whole.stdout)
    assert len(told(whole.stdout)) > 3
