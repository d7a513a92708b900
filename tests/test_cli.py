"""The command line as a user meets it: one clear line an error, the right exit status, nothing held back."""

from __future__ import annotations

import gzip
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kubelog.cli import run

ROOT = Path(__file__).resolve().parent.parent
# PYTHONUNBUFFERED would hide a missing flush.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"} | {"PYTHONPATH": str(ROOT)}
COMMAND = [sys.executable, "-m", "kubelog"]

BROKEN_GRAMMAR = '[[message]]\nevent = "EvictionReclaimed"\ntext = ["no more {podd:word} here"]\nsample = [{ body = "no more x here", yields = {} }]\n'


def kubelog(*arguments: str, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments], input=stdin, capture_output=True, env=ENVIRONMENT, cwd=cwd, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["timeline", "--yaer", "2017"], 2, r"unrecognized arguments: --yaer; did you mean '--year'\?"),
        (["timeline", "--year", "twenty"], 2, r"expected a year like 2017, found 'twenty'"),
        (["timeline", "--year", "99999"], 2, r"expected a year like 2017, found '99999'"),
        (["timeline", "--tz", "CST", "log"], 2, r"expected a zone like Europe/Paris, UTC or \+08:00, found 'CST'"),
        (["timeline", "--since", "now", "log"], 2, r"expected a time like .*, found 'now'"),
        (["timeline", "--severity", "X", "log"], 2, r"expected severities of I, W, E, F"),
        (["timeline", "--pod", "web", "log"], 2, r"expected a pod as NAMESPACE/NAME, found 'web'"),
        (["timeline", "--kind", "EvictionReclaimd", "log"], 2, r"did you mean 'EvictionReclaimed'\?"),
        (["timeline", "-o", "xml"], 2, r"invalid choice: 'xml'"),
        (["tell"], 2, r"invalid choice: 'tell'"),
        ([], 2, r"required: COMMAND"),
        (["grammar", "show", "EvictionReclaimd"], 2, r"did you mean 'EvictionReclaimed'\?"),
        (["timeline", "absent.log"], 3, r"absent\.log: no such file or directory"),
        (["timeline", "absent*.log"], 3, r"absent\*\.log: no such file or directory"),
        (["parse", "folder"], 3, r"folder: no file in this directory"),
        (["parse", "binary"], 3, r"binary: not a text log: the file is binary"),
        (["parse", "empty"], 0, r"empty: the input is empty"),
        (["timeline", "empty"], 0, r"empty: the input is empty"),
        (["parse", "cut.gz"], 3, r"cut\.gz: at byte \d+: cut off"),
        (["parse", "log", "--to", "no/such/folder"], 3, r"no/such/folder: no such file or directory"),
        (["parse", "log", "--to", "/dev/full"], 3, r"no space left on device"),
        (["tail", "absent.log"], 3, r"absent\.log: no such file or directory"),
        (["explain", ""], 2, r"expected a line to explain, found none"),
        (["grammar", "check", "absent"], 2, r"absent: no such file or directory"),
        (["grammar", "check", "folder"], 2, r"folder: no grammar file \(\*\.toml\) in this directory"),
    ],
)  # fmt: skip
def test_an_error_is_one_clear_line(
    arguments: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    node3: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    log = (node3 / "node3-kubelet.log").read_bytes()
    (tmp_path / "log").write_bytes(log)
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(os.urandom(2000).hex().encode() + log)[:-40])
    try:
        found = run(arguments)
    except SystemExit as stop:
        found = int(stop.code or 0)
    errors = capfd.readouterr().err
    assert found == status
    assert re.search(said, errors)
    assert errors.startswith("kubelog: ")
    assert errors.count("\n") == 1
    assert "Traceback" not in errors


def test_what_could_be_read_is_delivered(node3: Path, tmp_path: Path) -> None:
    log = (node3 / "node3-kubelet.log").read_bytes()
    (tmp_path / "cut.gz").write_bytes(gzip.compress(log * 400)[:-200])
    done = kubelog("parse", "cut.gz", "absent.log", str(node3 / "node3-df.txt"), "--year", "2017", cwd=tmp_path)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 3
    assert done.stderr.count(b"\n") == 2
    assert sum(record["origin"]["path"] == "cut.gz" for record in records) > 100
    assert sum(record["kind"] == "FilesystemUsage" for record in records) == 8


def test_a_broken_grammar_is_shown_with_its_line_and_a_caret(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(BROKEN_GRAMMAR)
    for arguments in (["grammar", "check", "mine.toml"], ["parse", "--grammar", ".", "-"]):
        done = kubelog(*arguments, cwd=tmp_path)
        lines = done.stderr.decode().splitlines()
        assert done.returncode == 2
        assert "mine.toml:3:19: 'podd' is not a field of EvictionReclaimed" in lines[0]
        assert lines[1] == '  text = ["no more {podd:word} here"]'
        assert lines[2] == " " * 20 + "^"


def test_a_users_grammar_is_used(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        '[event.DiskReplaced]\nfields = { disk = "path", took_s = "duration" }\n'
        '[[message]]\nevent = "DiskReplaced"\ntext = ["disk {disk:path} replaced in {took_s:duration}"]\n'
        "sample = [{ body = 'disk /dev/sdb replaced in 1m2s', yields = { disk = '/dev/sdb', took_s = 62.0 } }]\n"
    )
    with open(tmp_path / "mine.toml", "a") as file:
        # A pair is read as its field was declared, whatever the field is called.
        file.write(
            '[event.Slow]\nfields = { slo_s = "float", took = "duration" }\n[[message]]\nevent = "Slow"\n'
            'pairs = [{ message = "Slow", fields = { slo_s = "slo", took = "took" } }]\n'
            """sample = [{ body = '"Slow" slo=0.5 took="1m2s"', yields = { slo_s = 0.5, took = 62.0 } }]\n"""
        )
    assert kubelog("grammar", "check", "mine.toml", cwd=tmp_path).returncode == 0
    line = b"I0102 03:04:05.000006       7 disks.go:8] disk /dev/sdc replaced in 2m0s\n"
    done = kubelog("parse", "--grammar", ".", "-", "-o", "jsonl", stdin=line, cwd=tmp_path)
    record = json.loads(done.stdout)
    assert (record["verdict"], record["kind"], record["fields"]) == (
        "typed",
        "DiskReplaced",
        {"disk": "/dev/sdc", "took_s": 120.0},
    )


def test_the_case_comes_out_of_a_pipe_with_the_year_said_to_be_assumed(node3: Path) -> None:
    log = (node3 / "node3-kubelet.log").read_bytes()
    done = kubelog("timeline", "--now", "2017-12-01", stdin=log)
    assert done.returncode == 0
    assert b"opened" not in done.stderr
    assert "no year in the log; 2017 assumed from the clock" in done.stdout.decode()
    assert b"2017-10-16 09:50:55" in done.stdout
    # A date more than a month ahead is the year before's.
    assert b"2016 assumed" in kubelog("timeline", "--now", "2017-02-01", stdin=log).stdout


def test_lines_that_journalctl_cut_short_are_told() -> None:
    whole = b"Oct 16 09:50:55 n1 kubelet[1234]: I1016 09:50:55.123456    1234 server.go:12] a message"
    cut = whole + b' of which the rest is miss\xe2\x80\xa6nx"]\n'
    quoted = whole + b' that quotes an "\xe2\x80\xa6" and goes on for quite some time behind it, as no line does that was cut\n'
    assert b"cut 2 lines short" in kubelog("timeline", "--year", "2017", stdin=cut + quoted + cut).stdout
    assert b"short" not in kubelog("timeline", "--year", "2017", stdin=quoted).stdout


def test_fail_on_finds_kinds_and_severities(node3: Path) -> None:
    log = str(node3 / "node3-kubelet.log")
    for wanted, status in (("NodePressureEviction", 1), ("critical", 1), ("warning", 1), ("CrashLoop", 0)):
        assert kubelog("timeline", log, "--fail-on", wanted, "--year", "2017").returncode == status


def test_a_reader_that_goes_away_is_no_error(node3: Path, tmp_path: Path) -> None:
    log = tmp_path / "long.log"
    log.write_bytes((node3 / "node3-kubelet.log").read_bytes() * 1000)
    with subprocess.Popen(
        [*COMMAND, "parse", str(log)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


class Live:
    """A command that is fed line by line through real pipes."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen([*COMMAND, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT)
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.rest = b""

    def send(self, data: bytes) -> None:
        self.stdin.write(data)
        self.stdin.flush()

    def until(self, wanted: int, within_s: float = 20.0) -> list[dict]:
        """The first `wanted` lines that come, as JSON."""
        end = time.monotonic() + within_s
        while self.rest.count(b"\n") < wanted and time.monotonic() < end:
            if select.select([self.stdout], [], [], 0.05)[0]:
                chunk = os.read(self.stdout.fileno(), 65536)
                if not chunk:
                    break
                self.rest += chunk
        lines = self.rest.split(b"\n")[:-1]
        self.rest = b""
        return [json.loads(line) for line in lines]

    def end(self) -> list[dict]:
        self.stdin.close()
        self.rest += self.stdout.read()
        lines, self.rest = self.rest.split(b"\n")[:-1], b""
        self.stdout.close()
        assert self.process.wait(20) == 0
        return [json.loads(line) for line in lines]


def test_each_change_leaves_when_its_line_came_in_and_folds_to_the_incident(node3: Path) -> None:
    lines = (node3 / "node3-kubelet.log").read_bytes().splitlines(keepends=True)
    live = Live("tail", "--year", "2017")
    changes = []
    # How many Changes each line brings at once; noise brings none.
    for line, expected in zip(lines, (2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 2), strict=True):
        live.send(line)
        got = live.until(expected) if expected else []
        assert len(got) == expected, line
        changes += got
    changes += live.end()
    steps: dict[str, dict] = {}
    for change in changes:
        if change["step"]:
            steps[change["step"]["id"]] = change["step"]
    incident = {**changes[-1]["incident"], "steps": sorted(steps.values(), key=lambda step: step["time"])}
    done = kubelog("timeline", "-", "--year", "2017", "-o", "json", stdin=b"".join(lines))
    told = json.loads(done.stdout)
    assert [{name: one[name] for name in incident} for one in told["incidents"]] == [incident]


def test_parse_follows_a_pipe_line_by_line(node3: Path) -> None:
    lines = (node3 / "node3-kubelet.log").read_bytes().splitlines(keepends=True)
    live = Live("parse", "--year", "2017")
    for number, line in enumerate(lines[:4], 1):
        live.send(line)
        assert [record["origin"]["line"] for record in live.until(1)] == [number]
    assert live.end() == []


def test_tail_follows_a_file_as_it_grows(node3: Path, tmp_path: Path) -> None:
    lines = (node3 / "node3-kubelet.log").read_bytes().splitlines(keepends=True)
    log = tmp_path / "kubelet.log"
    log.write_bytes(lines[0])
    with subprocess.Popen([*COMMAND, "tail", str(log), "--year", "2017"], stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stdout
        first = [json.loads(process.stdout.readline()) for _ in range(2)]
        with open(log, "ab") as file:
            file.write(lines[1])
        second = json.loads(process.stdout.readline())
        process.terminate()
    assert [change["action"] for change in first] == ["opened", "step"]
    assert second["step"]["kind"] == "EvictionPodsRequired"


def test_tail_reads_a_pipe_that_has_a_name(node3: Path, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=((node3 / "node3-kubelet.log").read_bytes(),), daemon=True)
    writer.start()
    done = kubelog("tail", "--year", "2017", str(path))
    writer.join()
    assert done.returncode == 0
    again = kubelog("tail", "--year", "2017", stdin=(node3 / "node3-kubelet.log").read_bytes())
    assert done.stdout.count(b"\n") == again.stdout.count(b"\n") > 3


def test_tail_of_a_directory_or_a_file_of_the_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "system.journal").write_bytes(b"LPKSHHRH" + bytes(300))
    done = kubelog("tail", str(tmp_path))
    assert done.returncode == 3
    assert done.stderr.startswith(f"kubelog: {tmp_path}: only files are followed".encode())
    done = kubelog("tail", str(tmp_path / "system.journal"))
    assert done.returncode == 2
    assert f"its directory can: --journal={tmp_path}".encode() in done.stderr


def test_tail_goes_on_from_its_state(node3: Path, tmp_path: Path) -> None:
    lines = (node3 / "node3-kubelet.log").read_bytes().splitlines(keepends=True)
    state = str(tmp_path / "state")
    first = kubelog("tail", "--year", "2017", "--state", state, stdin=b"".join(lines[:6]))
    second = kubelog("tail", "--year", "2017", "--state", state, stdin=b"".join(lines[6:]))
    actions = [json.loads(line)["action"] for line in (first.stdout + second.stdout).splitlines()]
    assert actions.count("opened") == 1
    assert actions[-1] == "closed"
    (tmp_path / "state").write_bytes(b"\0" * 100)
    again = kubelog("tail", "--year", "2017", "--state", state, stdin=b"".join(lines))
    assert again.returncode == 0
    assert b"starting anew" in again.stderr


def test_tail_of_a_file_goes_on_behind_what_it_read(node3: Path, tmp_path: Path) -> None:
    lines = (node3 / "node3-kubelet.log").read_bytes().splitlines(keepends=True)
    log, state, told = tmp_path / "kubelet.log", str(tmp_path / "state"), []
    for part, expected in ((lines[:6], 7), (lines[6:], 3)):
        with open(log, "ab") as file:
            file.writelines(part)
        with subprocess.Popen(
            [*COMMAND, "tail", str(log), "--year", "2017", "--state", state], stdout=subprocess.PIPE, env=ENVIRONMENT
        ) as process:
            assert process.stdout
            told += [json.loads(process.stdout.readline())["action"] for _ in range(expected)]
            process.send_signal(signal.SIGINT)
            assert process.stdout.read() == b""
    assert told == ["opened", "step", "step", "step", "step", "updated", "amended", "amended", "step", "closed"]


def test_explain_shows_a_node_config_as_a_tree(node3: Path) -> None:
    line = (node3 / "node3-kubelet.log").read_bytes().splitlines()[11]
    shown = kubelog("explain", "-", stdin=line).stdout.decode()
    assert "thresholds memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%" in shown
    assert "\n             NodeAllocatableConfig:\n               KubeReservedCgroupName:" in shown
    data = json.loads(kubelog("explain", "-", "-o", "json", stdin=line).stdout)
    assert data["thresholds"] == ["memory.available<100Mi", "nodefs.available<10%", "nodefs.inodesFree<5%"]


@pytest.mark.parametrize(
    ("line", "stage", "column", "expected"),
    [
        ("W1016 09:50:55.056703   17144 eviction_manager.go 331] eviction manager: x", "header", 50, "expected ':'"),
        ("W1016 09:5055.056703   17144 eviction_manager.go:331] eviction manager: x", "header", 7, "expected a time as hh:mm:ss.uuuuuu"),
        ("W1016 09:50:55.056703   17144 eviction_manager.go:331] eviction manager: attempting to reclam nodefs", "message", 38, "expected 'im '"),
        ("Oct 16 09:50:55 node kubelet17144]: W1016 09:50", "envelope", 34, "expected '['"),
    ],
)  # fmt: skip
def test_explain_points_at_where_a_mangled_line_stopped(line: str, stage: str, column: int, expected: str) -> None:
    shown = kubelog("explain", line).stdout.decode()
    assert re.search(rf"{stage} +stopped at column {column}: {re.escape(expected)}", shown), shown
    caret = next(text for text in shown.splitlines() if text.strip() == "^")
    text = shown.splitlines()[shown.splitlines().index(caret) - 1]
    # The caret stands under the character of the column.
    body = line if stage != "message" else line.split("] ", 1)[1]
    assert text[caret.index("^") :].startswith(body[column - 1 :][:5])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "I0102 03:04:05.678901    7 a.go:12] b",
            ["I: information", "thread 7", "said in a.go, line 12", "header: a header and a text"],
        ),
        ("F0102 03:04:05.678901    7 a.go:12] b", ["F: fatal, the program ended", "next       `kubelog grammar draft`"]),
        (
            'E0102 03:04:05.678901    7 a.go:12] "b" c="d"',
            ["E: an error", "pair       c = d", "structured: a message and its pairs"],
        ),
        ("Jan  2 03:04:05 n1 kubelet[7]: b", ["plain: no klog header: a line of another program, or one that klog did not write"]),
        ("b", ["unparsed: no header and no envelope that kubelog knows"]),
        (
            "I0102 03:04:05.678901    7 a.go:12] eviction manager: pod a_b(c) is evictd",
            ["expected {pod:pod} and then ' is evicted successfully' at the end"],
        ),
    ],
)
def test_explain_says_each_stage_in_plain_words(line: str, told: list[str]) -> None:
    shown = kubelog("explain", line).stdout.decode()
    assert [text for text in told if text not in shown] == [], shown


def test_no_command_shows_a_traceback_for_a_mangled_log(node3: Path) -> None:
    data = (node3 / "node3-kubelet.log").read_bytes()
    mangled = (
        data.replace(b"] ", b"]", 3).replace(b"Signal:", b"Signal", 1)[::1]
        + b"\xff\xfe\x00\x1b[2J"
        + data[:50]
        + b"\n"
        + b"{" * 5000
    )
    for command in ("parse", "timeline", "tail", "coverage", "config"):
        done = kubelog(command, stdin=mangled)
        assert done.returncode == 0
        assert b"Traceback" not in done.stderr
        assert b"\x1b" not in done.stdout


def test_every_help_shows_an_example() -> None:
    for command in ("parse", "timeline", "tail", "coverage", "config", "explain"):
        shown = kubelog(command, "--help").stdout.decode()
        assert f"example: kubelog {command}" in " ".join(shown.split()) or f"| kubelog {command}" in " ".join(shown.split())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_read_from_its_first_byte(tmp_path: Path) -> None:
    lines = b"".join(
        b"I0102 03:04:05.678901    4321 a.go:%d] a line that is long enough for several reads\n" % n for n in range(1, 501)
    )
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(lines,), daemon=True)
    writer.start()  # it waits for the reader
    done = kubelog("parse", str(pipe), "--year", "2017", "-o", "jsonl")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["source_line"] for line in done.stdout.splitlines()] == list(range(1, 501))
