"""`kubelog tail` as a service: killed at any time, stopped, its disk full, nobody reading what it tells.

KUBELOG_KILLS says how often it is killed (default: a few).
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kubelog.timeline import Correlator

KILLS = int(os.environ.get("KUBELOG_KILLS", "8"))
ROOT = Path(__file__).resolve().parent.parent
# PYTHONUNBUFFERED would hide a missing flush.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"} | {"PYTHONPATH": str(ROOT)}
COMMAND = [sys.executable, "-m", "kubelog", "tail", "--year", "2017", "-o", "jsonl"]


def started(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*COMMAND, *map(str, arguments)], env=ENVIRONMENT, stderr=subprocess.PIPE, **options)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    """The status, and what was said on standard error."""
    said = process.communicate(timeout=30)[1]
    return process.returncode, said


def told(data: bytes) -> list[tuple[str, str, str | None, str | None]]:
    """What is told for good: the counts of a step may be told at once or one by one."""
    changes = [json.loads(line) for line in data.splitlines()]
    return [
        (one["incident"]["id"], one["action"], one["step"] and one["step"]["text"], one["step"] and one["step"]["time"])
        for one in changes
        if one["action"] in ("opened", "step", "closed")
    ]


def grown(path: Path, least: int = 1) -> None:
    """Wait until a file has so many bytes."""
    end = time.monotonic() + 30
    while not path.exists() or path.stat().st_size < least:
        assert time.monotonic() < end, f"{path} does not grow"
        time.sleep(0.02)


def quiet(path: Path) -> None:
    """Wait until a file grows no more."""
    size = -1
    while size != (size := path.stat().st_size if path.exists() else 0):
        time.sleep(0.8)


@pytest.fixture
def lines(node3: Path) -> list[bytes]:
    return (node3 / "node3-kubelet.log").read_bytes().splitlines(keepends=True)


def cases(lines: Sequence[bytes]) -> Iterator[bytes]:
    """The first case again and again, a day later each time."""
    for day in range(17, 31):
        for line in lines:
            yield line.replace(b"Oct 16", b"Oct %d" % day).replace(b"1016 ", b"10%d " % day)


def whole(data: bytes) -> bytes:
    return subprocess.run(COMMAND, input=data, capture_output=True, check=True, env=ENVIRONMENT).stdout


def test_to_a_file_nothing_is_lost_and_nothing_told_twice_however_often_it_is_killed(lines: list[bytes], tmp_path: Path) -> None:
    log, state, out = tmp_path / "kubelet.log", tmp_path / "state", tmp_path / "out.jsonl"
    draw, source = random.Random(7), cases(lines)
    log.write_bytes(b"")
    for _ in range(KILLS):
        process = started(log, "--state", state, "--to", out)
        end = time.monotonic() + draw.uniform(0.1, 0.9)
        while time.monotonic() < end:
            with log.open("ab") as file:
                file.write(b"".join(line for line, _ in zip(source, range(draw.randrange(4)), strict=False)))
            time.sleep(draw.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        assert ended(process) == (-signal.SIGKILL, b"")
    with log.open("ab") as file:
        file.writelines(source)
    process = started(log, "--state", state, "--to", out)
    time.sleep(1)
    quiet(out)
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (0, b"")
    assert told(out.read_bytes()) == told(whole(log.read_bytes()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_is_stopped_cleanly_and_goes_on(number: signal.Signals, lines: list[bytes], tmp_path: Path) -> None:
    log, state, out = tmp_path / "kubelet.log", tmp_path / "state", tmp_path / "out.jsonl"
    # Half a line at the end: its other half comes later.
    log.write_bytes(b"".join(lines[:6]) + lines[6][:50])
    process = started(log, "--state", state, "--to", out)
    grown(out)
    quiet(out)
    process.send_signal(number)
    assert ended(process) == (0, b"")
    Correlator.load(state)
    with log.open("ab") as file:
        file.write(lines[6][50:] + b"".join(lines[7:]))
    process = started(log, "--state", state, "--to", out)
    time.sleep(1)
    quiet(out)
    process.send_signal(number)
    assert ended(process) == (0, b"")
    assert told(out.read_bytes()) == told(whole(b"".join(lines)))


def test_a_start_without_anything_new_keeps_its_place(lines: list[bytes], tmp_path: Path) -> None:
    log, state, out = tmp_path / "kubelet.log", tmp_path / "state", tmp_path / "out.jsonl"
    log.write_bytes(b"".join(lines))
    for _ in range(3):
        process = started(log, "--state", state, "--to", out)
        grown(out)
        time.sleep(1)
        process.terminate()
        assert ended(process) == (0, b"")
    assert told(out.read_bytes()) == told(whole(b"".join(lines)))


def test_it_goes_on_through_rotation_while_it_is_stopped(lines: list[bytes], tmp_path: Path) -> None:
    log, state, out = tmp_path / "kubelet.log", tmp_path / "state", tmp_path / "out.jsonl"
    parts = [b"".join(lines[:5]), b"".join(lines[5:9]), b"".join(lines[9:12]), b"".join(lines[12:])]
    log.write_bytes(parts[0])
    process = started(log, "--state", state, "--to", out)
    grown(out)
    quiet(out)
    process.terminate()
    assert ended(process) == (0, b"")
    with log.open("ab") as file:
        file.write(parts[1])
    log.rename(tmp_path / "kubelet.log.2")
    (tmp_path / "kubelet.log.1").write_bytes(parts[2])
    log.write_bytes(parts[3])
    process = started(log, "--state", state, "--to", out)
    time.sleep(2)
    quiet(out)
    process.terminate()
    assert ended(process) == (0, b"")
    assert told(out.read_bytes()) == told(whole(b"".join(lines)))


def test_a_truncation_is_told_as_a_gap(lines: list[bytes], tmp_path: Path) -> None:
    log = tmp_path / "kubelet.log"
    log.write_bytes(b"".join(lines[:6]))
    process = started(log, "--to", tmp_path / "out.jsonl")
    grown(tmp_path / "out.jsonl")
    quiet(tmp_path / "out.jsonl")
    log.write_bytes(lines[12])
    time.sleep(1)
    process.terminate()
    status, said = ended(process)
    assert status == 0
    assert b"truncated while it was read" in said
    assert '"kind":"LogGap"' in (tmp_path / "out.jsonl").read_text()


def test_a_state_that_is_none_is_said_and_it_starts_anew(lines: list[bytes], tmp_path: Path) -> None:
    log, state = tmp_path / "kubelet.log", tmp_path / "state"
    log.write_bytes(b"".join(lines))
    process = started(log, "--state", state, "--to", tmp_path / "first")
    grown(tmp_path / "first")
    quiet(tmp_path / "first")
    process.terminate()
    assert ended(process) == (0, b"")
    good = state.read_bytes()
    draw = random.Random(11)
    broken = [b"", bytes(len(good)), good[:-1], good[: draw.randrange(len(good))]]
    for number, data in enumerate(broken):
        state.write_bytes(data)
        out = tmp_path / f"out-{number}"
        process = started(log, "--state", state, "--to", out)
        grown(out)
        quiet(out)
        process.terminate()
        status, said = ended(process)
        assert status == 0
        assert b"starting anew" in said
        assert out.read_bytes() == (tmp_path / "first").read_bytes()


def test_no_cut_of_a_state_is_taken_for_one(lines: list[bytes], tmp_path: Path) -> None:
    """Every cut, and every byte that is another."""
    from kubelog.errors import StateError

    state = tmp_path / "state"
    log = tmp_path / "kubelet.log"
    log.write_bytes(b"".join(lines[:7]))
    process = started(log, "--state", state, "--to", tmp_path / "out")
    grown(tmp_path / "out")
    quiet(tmp_path / "out")
    process.terminate()
    assert ended(process) == (0, b"")
    good, part = state.read_bytes(), tmp_path / "part"
    for size in range(0, len(good), max(1, len(good) // 400)):
        part.write_bytes(good[:size])
        with pytest.raises(StateError):
            Correlator.load(part)
    for at in range(0, len(good), max(1, len(good) // 400)):
        part.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :])
        with pytest.raises(StateError):
            Correlator.load(part)


def test_the_state_of_another_input_is_said(lines: list[bytes], tmp_path: Path) -> None:
    state = tmp_path / "state"
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(b"".join(lines))
    process = started(tmp_path / "a.log", "--state", state, "--to", tmp_path / "a")
    grown(tmp_path / "a")
    quiet(tmp_path / "a")
    process.terminate()
    assert ended(process) == (0, b"")
    process = started(tmp_path / "b.log", "--state", state, "--to", tmp_path / "b")
    time.sleep(2)
    process.terminate()
    status, said = ended(process)
    assert status == 0
    assert f"the state was saved reading {tmp_path}/a.log".encode() in said


def test_who_reads_nothing_is_waited_for_and_loses_nothing(lines: list[bytes], tmp_path: Path) -> None:
    data = b"".join(cases(lines))
    log, state = tmp_path / "kubelet.log", tmp_path / "state"
    log.write_bytes(data)
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    process = started(log, "--state", state, stdout=write)
    time.sleep(2)
    assert process.poll() is None
    process.terminate()
    status, said = ended(process)
    os.close(write)
    assert status == 0
    assert b"it is told again at the next start" in said
    with open(read, "rb") as file:
        first = file.read()
    out = tmp_path / "out"
    with out.open("wb") as file:
        process = started(log, "--state", state, stdout=subprocess.PIPE)
        assert process.stdout
        os.set_blocking(process.stdout.fileno(), False)
        end = time.monotonic() + 6
        rest = b""
        while time.monotonic() < end:
            rest += process.stdout.read() or b""
            time.sleep(0.1)
        process.terminate()
        rest += process.communicate(timeout=20)[0] or b""
    # At most one batch is told again: here all was one.
    assert first.count(b"\n") > 0
    assert told(rest) == told(whole(data))


def test_a_reader_that_has_gone_is_said_where_a_state_is_kept(lines: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "kubelet.log").write_bytes(b"".join(cases(lines)))
    read, write = os.pipe()
    os.close(read)
    process = started(tmp_path / "kubelet.log", "--state", tmp_path / "state", stdout=write)
    os.close(write)
    status, said = ended(process)
    assert status == 3
    assert said == b"kubelog: standard output: closed by its reader; it is told again at the next start\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_device_is_an_error(lines: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "kubelet.log").write_bytes(b"".join(lines))
    process = started(tmp_path / "kubelet.log", "--to", "/dev/full", "--state", tmp_path / "state")
    status, said = ended(process)
    assert status == 3
    assert b"no space left on device" in said
    assert b"Traceback" not in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_full_disk_ends_it_and_the_last_state_is_good(lines: list[bytes], tmp_path: Path) -> None:
    disk, log = tmp_path / "disk", tmp_path / "kubelet.log"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "kubelog", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        log.write_bytes(b"".join(lines))
        out, state = disk / "out", disk / "state"
        process = started(log, "--to", out, "--state", state)
        grown(out)
        quiet(out)
        (disk / "filler").write_bytes(bytes((1 << 20) - out.stat().st_size - 3 * state.stat().st_size - 8 * 4096))
        source = cases(lines)
        with log.open("ab") as file:
            file.writelines(source)
        status, said = ended(process)
        assert status == 3
        assert b"no space left on device" in said
        Correlator.load(state)
        # With room again, it goes on where it was.
        (disk / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        process = started(log, "--to", out, "--state", state)
        time.sleep(2)
        quiet(out)
        process.terminate()
        assert ended(process) == (0, b"")
        assert told(out.read_bytes()) == told(whole(log.read_bytes()))
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_program_is_run_for_what_opens_and_closes(lines: list[bytes], tmp_path: Path) -> None:
    found, program = tmp_path / "found", tmp_path / "a program.sh"
    program.write_text(f'#!/bin/sh\necho "$#:$1" >> {found}\ncat >> {found}\necho printed\n')
    program.chmod(0o755)
    done = subprocess.run(
        [*COMMAND, "--on-change", f"'{program}' 'a; echo $HOME'"],
        input=b"".join(lines),
        capture_output=True,
        check=True,
        env=ENVIRONMENT,
    )
    said = found.read_text().splitlines()
    assert said[::2] == ["1:a; echo $HOME"] * 2
    assert [json.loads(line)["action"] for line in said[1::2]] == ["opened", "closed"]
    # What it prints does not stand between the Changes.
    assert b"printed" not in done.stdout
    assert done.stderr.count(b"printed") == 2


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("/bin/false", 0, b"/bin/false: exit status 1; opened of"),
        ("no-such-program-here", 2, b"--on-change: no such program: 'no-such-program-here'"),
        ("'open", 2, b"--on-change: no closing quotation"),
        ("", 2, b"--on-change: no such program"),
    ],
)
def test_a_program_that_fails_is_said(command: str, status: int, said: bytes, lines: list[bytes]) -> None:
    done = subprocess.run(
        [*COMMAND, "--on-change", command], input=b"".join(lines), capture_output=True, check=False, env=ENVIRONMENT
    )
    assert done.returncode == status
    assert said in done.stderr
    assert status or len(told(done.stdout)) > 3


def test_it_ends_when_what_is_asked_for_was_told(lines: list[bytes], tmp_path: Path) -> None:
    log = tmp_path / "kubelet.log"
    log.write_bytes(b"".join(lines))
    process = started(log, "--fail-on", "NodePressureEviction", "--to", tmp_path / "out")
    assert ended(process) == (1, b"")
    assert told((tmp_path / "out").read_bytes())
