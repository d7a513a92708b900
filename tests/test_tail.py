"""What `tail` tells a terminal beside the Changes, and that a pipe gets nothing of it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from datetime import datetime
from pathlib import Path

import pytest

from kubelog.view.status import Known, cropped, plain, watched

ROOT = Path(__file__).resolve().parent.parent
# PYTHONUNBUFFERED would hide a missing flush.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("PYTHONUNBUFFERED", "NO_COLOR", "COLUMNS")}
ENVIRONMENT |= {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
COMMAND = [sys.executable, "-m", "kubelog", "tail"]
QUIET = b"I1016 09:50:55.056703    1234 server.go:12] nothing of note\n"
STARTS = b"watching standard input for: "


class Terminal:
    """`kubelog tail` on a pseudo terminal, its standard input a pipe."""

    def __init__(self, *arguments: str, columns: int = 0, output: int | None = None, **environment: str) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], stdin=subprocess.PIPE, stdout=theirs if output is None else output, stderr=theirs,
            env=ENVIRONMENT | environment,
        )  # fmt: skip
        os.close(theirs)
        self.shown = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *rest: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin
        self.process.stdin.close()
        os.close(self.ours)

    def send(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def until(self, wanted: bytes) -> None:
        """Read until this is shown."""
        end = time.monotonic() + 30
        while wanted not in self.shown:
            assert select.select([self.ours], [], [], max(0.0, end - time.monotonic()))[0], self.shown
            self.shown += os.read(self.ours, 65536)

    def end(self) -> bytes:
        assert self.process.stdin
        self.process.stdin.close()
        try:
            while piece := os.read(self.ours, 65536):
                self.shown += piece
        except OSError:  # what Linux says where the last writer has gone
            pass
        assert self.process.wait(20) == 0
        return self.shown.replace(b"\r\n", b"\n")


def test_a_terminal_is_told_what_is_watched_that_all_is_quiet_and_what_is_not_known() -> None:
    with Terminal("--unit", "kubelet", "--node", "n1", "--year", "2017", columns=200) as terminal:
        terminal.until(b"watching standard input, unit kubelet, node n1 for: ")
        terminal.until(b"node pressure eviction")
        terminal.until(b"no line yet")
        terminal.send(QUIET)
        terminal.until("quiet · 1 record of n1 · last 10-16 09:50:55 · not known: thresholds".encode())
        terminal.send(QUIET)
        terminal.until("quiet · 2 records of n1".encode())
        shown = terminal.end().decode()
    # Written over in place, until the last line, which stays and gives the reasons.
    assert shown.count("\n") == 2
    assert shown.endswith("not known: thresholds (no start of the kubelet is in view)\n")


def test_the_status_gives_way_to_what_is_told(node3: Path) -> None:
    lines = (node3 / "node3-kubelet.log").read_bytes().splitlines(keepends=True)
    with Terminal("--year", "2017", columns=200) as terminal:
        terminal.until(b"no line yet")
        for line in lines[:2]:
            terminal.send(line)
        terminal.until(b"1 open (node pressure eviction)")
        for line in lines[2:]:
            terminal.send(line)
        terminal.until(b"quiet")
        shown = terminal.end().decode()
    # What the screen shows: each line from the last return or erasure on.
    screen = [re.sub(r"\x1b\[[0-9;]*[mK]", "", line.split("\r")[-1]) for line in shown.split("\n")]
    assert [line.split()[2] for line in screen if line.startswith("2017-")].count("closed") == 1
    assert not [line for line in screen[:-2] if "no line yet" in line or "1 open" in line]


def test_what_is_piped_on_is_the_same_with_a_terminal_beside_it(node3: Path) -> None:
    data = (node3 / "node3-kubelet.log").read_bytes()
    alone = subprocess.run([*COMMAND, "--year", "2017"], input=data, capture_output=True, env=ENVIRONMENT, check=True)
    assert alone.stderr == b""
    read, write = os.pipe()
    with Terminal("--year", "2017", output=write) as terminal:
        os.close(write)
        terminal.send(data)
        assert STARTS in terminal.end()
        with open(read, "rb") as file:
            assert file.read() == alone.stdout


def test_a_narrow_terminal_shows_the_beginning_on_one_line() -> None:
    with Terminal("--year", "2017", columns=24) as terminal:
        terminal.send(QUIET)
        terminal.until(b"quiet")
        terminal.until("…".encode())
        shown = terminal.shown.decode()
    found = re.findall(r"\r\x1b\[2m(.*?)\x1b\[0m\x1b\[K", shown)
    assert found
    assert max(len(line) for line in found) == 23


def test_without_colour_there_is_none() -> None:
    with Terminal("--year", "2017", NO_COLOR="1") as terminal:
        terminal.send(QUIET)
        terminal.until(b"quiet")
        assert not re.search(rb"\x1b\[[0-9;]*m", terminal.end())


def test_a_dumb_terminal_gets_plain_lines() -> None:
    with Terminal("--year", "2017", TERM="dumb", NO_COLOR="1") as terminal:
        terminal.send(QUIET)
        terminal.until(b"quiet")
        shown = terminal.end()
    assert b"\x1b" not in shown
    assert b"\r" not in shown
    assert shown.startswith(STARTS)


def test_what_a_log_says_acts_on_no_terminal() -> None:
    line = b"Oct 16 09:50:55 n\xe2\x80\xaeode kubelet[1]: " + QUIET
    with Terminal("--year", "2017", "--node", "a\x1b]0;x\x07", columns=200) as terminal:
        terminal.send(line)
        terminal.until(b"quiet")
        shown = terminal.end()
    assert b"\x1b]" not in shown
    assert b"\x07" not in shown
    assert rb"a\x1b]0;x\x07" in shown


@pytest.mark.parametrize(
    ("kind", "words"),
    [("NodePressureEviction", "node pressure eviction"), ("PlegUnhealthy", "PLEG unhealthy"),
     ("ApiServerUnreachable", "API server unreachable"), ("OutOfMemory", "out of memory"), ("AcmeHTTPDown", "acme HTTP down")],
)  # fmt: skip
def test_a_kind_in_plain_words(kind: str, words: str) -> None:
    assert plain(kind) == words


def test_what_is_watched_is_one_safe_line() -> None:
    assert watched("a\nb", {"unit": None, "node": "n\x1b"}, ["CrashLoop"]) == "watching a\\nb, node n\\x1b for: crash loop"


def test_the_status_says_no_more_than_is_known() -> None:
    known = Known()
    assert known.line() == "no line yet"
    assert known.line(200) == "no line yet, waiting for 3 min"
    known.records = known.unparsed = 2
    assert known.line().startswith("nothing could be read")
    known.unparsed, known.nodes, known.configured, known.year = 0, ["n1", "n2", "n3", "n4"], {"n1"}, 2017
    known.first, known.last = datetime(2017, 10, 16, 9), datetime(2017, 10, 16, 10)
    known.silence = datetime(2017, 10, 16, 9, 10), datetime(2017, 10, 16, 9, 50)
    assert known.line(59, is_brief=True) == (
        "quiet · 2 records of n1, n2, n3 and 1 more · last 10-16 10:00:00 · "
        "not known: some thresholds, year, 10-16 09:10:00 to 10-16 09:50:00 · since 10-16 09:00:00"
    )
    assert "year (2017 is assumed)" in known.line()
    assert known.line(7300).startswith("quiet · no new line for 2 h · ")


def test_a_line_is_cropped_to_its_columns() -> None:
    assert cropped("quiet", 5) == "quiet"
    assert cropped("quiet now", 5) == "quie…"
    assert cropped("日本語", 6) == "日本語"
    assert cropped("日本語", 5) == "日本…"
    assert cropped("日本語", 4) == "日…"
    assert cropped("quiet", 0) == ""
