"""Tables as files and in other libraries: what is written is what the records say, through real processes and pipes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from kubelog import read
from kubelog.cli import run
from kubelog.engines import Engine
from kubelog.ingest.inputs.sources import Source
from kubelog.pipeline import Log
from kubelog.view import files
from tests.test_cli import COMMAND, ENVIRONMENT, kubelog

pa = pytest.importorskip("pyarrow")
pytest.importorskip("pyarrow.parquet")

FORMATS = ("csv", "parquet", "arrow")
COLUMNS = (
    "time local_time time_source year_source node unit pid severity thread source_file source_line verdict kind message signature reason "
    "pod namespace pod_uid container path line offset"
).split()
# What is hard to write down: quotes, commas, newlines, what acts on a terminal, what is no text, a zone's jump, and nothing.
HARD = (
    b'I1016 09:50:55.056703 1 a.go:1] a, "b", c\r\nand so on\n'
    b'Oct 16 09:50:55 n1 kubelet[1]: E1029 02:30:00.000001 2 b.go:2] "m\\n\\u202e" pod="a/b" podUID="" containerName="c,d"\n'
    b"\x1b[2J\xff\xc2\x9b\xe2\x80\xae\n\n\tindented\n" + b"I1016 09:50:55.056703 1 a.go:1] " + b"y" * 5_000 + b"\n"
)


def parse(output: str, *arguments: str, stdin: bytes = b"", status: int = 0) -> Any:
    """The rows of a table that the command prints."""
    done = kubelog("parse", "-o", output, *arguments, stdin=stdin)
    assert done.returncode == status, done.stderr
    return table(output, done.stdout)


def table(output: str, data: bytes) -> list[dict[str, Any]]:
    if output == "csv":
        return list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    found = pa.parquet.read_table(io.BytesIO(data)) if output == "parquet" else pa.ipc.open_stream(data).read_all()
    found.validate(full=True)
    assert found.column_names == COLUMNS
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def records(*arguments: str) -> list[dict[str, Any]]:
    """The records that `-o jsonl` prints, as rows."""
    return [row(json.loads(line)) for line in kubelog("parse", "-o", "jsonl", *arguments).stdout.splitlines()]


def row(record: dict[str, Any]) -> dict[str, Any]:
    origin = record["origin"]
    found = record | {"path": origin["path"], "line": origin["line"], "offset": origin["spans"][0][0]}
    return {name: found[name] for name in COLUMNS}


def in_pieces(path: Path, size: int = 700) -> Source:
    data = path.read_bytes()
    return Source.of(str(path), [data[at : at + size] for at in range(0, len(data), size)])


def as_text(row: dict[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in row.items()}


def as_json(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"time": row["time"] and row["time"].isoformat(timespec="microseconds")}


@pytest.fixture
def inputs(node3: Path, tmp_path: Path) -> list[str]:
    hard = tmp_path / "hard.log"
    hard.write_bytes(HARD)
    return [str(node3 / name) for name in ("node3-kubelet.log", "node3-df.txt", "node3-describe-events.txt")] + [str(hard)]


def test_each_format_has_the_fields_of_the_json_lines(inputs: list[str], tmp_path: Path) -> None:
    options = ["--year", "2017", "--tz", "Europe/Paris", "--at", "2017-10-16T10:41:00"]
    wanted = records(*inputs, *options)
    assert len(wanted) > 40
    assert parse("csv", *inputs, *options) == [as_text(row) for row in wanted]
    assert [as_json(row) for row in parse("parquet", *inputs, *options)] == wanted
    file = tmp_path / "found.arrow"
    assert kubelog("parse", "-o", "arrow", *inputs, *options, "--to", str(file)).stdout == b""
    assert [as_json(row) for row in table("arrow", file.read_bytes())] == wanted


@pytest.mark.parametrize("options", [{}, {"year": 2017, "tz": "-03:30", "node": "n1"}, {"year": 2017, "tz": "America/St_Johns"}])
def test_each_format_holds_several_blocks(options: dict[str, Any], inputs: list[str], scanner: Engine, tmp_path: Path) -> None:
    log = Log([in_pieces(Path(name)) for name in inputs], scanner, **options)
    wanted = [row(record.to_dict()) for record in log]
    for output in FORMATS:
        file = io.BytesIO()
        files.write(log.batches(), log.schema, output, file, False)
        found = table(output, file.getvalue())
        if output == "csv":
            assert found == [as_text(row) for row in wanted]
        else:
            assert [as_json(row) for row in found] == wanted


@pytest.mark.parametrize("output", FORMATS)
def test_an_empty_input_is_a_table_without_rows(output: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert run(["parse", "-o", output, str(tmp_path / "empty"), "--to", str(tmp_path / "table")]) == 0
    assert capsys.readouterr().err == f"kubelog: {tmp_path}/empty: the input is empty\n"
    data = (tmp_path / "table").read_bytes()
    assert table(output, data) == []
    assert output != "csv" or data.decode() == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize("output", FORMATS)
def test_what_could_be_read_is_in_the_table(
    output: str, inputs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One input is not there, one is cut off: the table is whole, and the status says so."""
    cut, found = tmp_path / "cut.gz", tmp_path / "table"
    cut.write_bytes(gzip.compress(Path(inputs[0]).read_bytes() + os.urandom(9000).hex().encode())[:-5000])
    there = [str(cut), *inputs[1:]]
    assert run(["parse", "-o", output, *there, str(tmp_path / "absent.log"), "--year", "2017", "--to", str(found)]) == 3
    assert capsys.readouterr().err.count("\n") == 2
    wanted = [row(record.to_dict()) for record in read(*there, year=2017)]
    assert len(wanted) > 40
    told = table(output, found.read_bytes())
    assert told == [as_text(row) for row in wanted] if output == "csv" else [as_json(row) for row in told] == wanted


def test_without_pyarrow_it_is_said_in_one_line(inputs: list[str]) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None; from kubelog.cli import run\n"
        "print(*[run(['parse', '-o', output, *sys.argv[1:]]) for output in ('csv', 'parquet', 'arrow')])"
    )
    done = subprocess.run([sys.executable, "-c", code, inputs[0]], capture_output=True, env=ENVIRONMENT, timeout=60, check=False)
    assert done.stdout == b"2 2 2\n"
    assert done.stderr == b"kubelog: tables need pyarrow: pip install 'kubelog[table]'\n" * 3


def test_a_name_that_is_no_text_is_shown(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/no\xff.log")
    Path(name).write_bytes(HARD)
    for output in (*FORMATS, "jsonl"):
        assert run(["parse", "-o", output, name, "--node", "n\udcff", "--to", str(tmp_path / output)]) == 0
    wanted = [row(json.loads(line)) for line in (tmp_path / "jsonl").read_bytes().splitlines()]
    assert {one["path"] for one in wanted} == {f"{tmp_path}/no\\udcff.log"}
    assert {one["node"] for one in wanted} == {"n1", "n\\udcff"}
    assert table("csv", (tmp_path / "csv").read_bytes()) == [as_text(one) for one in wanted]
    assert [as_json(one) for one in table("arrow", (tmp_path / "arrow").read_bytes())] == wanted


# Terminals and pipes


def on_a_terminal(*arguments: str) -> tuple[int, bytes]:
    """What a command shows on a terminal, and its status."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=ENVIRONMENT
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # what Linux says where the last writer has gone
            pass
    os.close(ours)
    return process.returncode, shown.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("output", ["parquet", "arrow"])
def test_what_no_terminal_can_show_is_refused_there(output: str, inputs: list[str]) -> None:
    status, shown = on_a_terminal("parse", "-o", output, *inputs)
    assert status == 2
    assert shown.decode() == f"kubelog: {output} is not for terminals: name a file with --to, or pipe it on\n"


def test_csv_on_a_terminal_acts_on_nothing(inputs: list[str]) -> None:
    status, shown = on_a_terminal("parse", "-o", "csv", inputs[-1], "--year", "2017")
    assert status == 0
    text = shown.decode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    # A record is a line.
    found = list(csv.DictReader(io.StringIO(text)))
    assert text.count("\n") == 1 + len(found)
    assert [one["message"] for one in found][:3] == ['a, "b", c\\nand so on', "m\\n\\u202e", "\\x1b[2J\\xff\\x9b\\u202e"]


@pytest.mark.parametrize("output", FORMATS)
def test_a_reader_that_goes_away_is_no_error(output: str, inputs: list[str], tmp_path: Path) -> None:
    log = tmp_path / "long.log"
    log.write_bytes(Path(inputs[0]).read_bytes() * 1000)
    with subprocess.Popen(
        [*COMMAND, "parse", "-o", output, str(log)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.read(4)
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


def test_rows_leave_a_pipe_as_its_lines_come(inputs: list[str]) -> None:
    assert "PYTHONUNBUFFERED" not in ENVIRONMENT
    lines = Path(inputs[0]).read_bytes().splitlines(keepends=True)
    command = [*COMMAND, "parse", "-o", "csv", "--year", "2017"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stdin
        assert process.stdout
        hung = threading.Timer(30, process.kill)
        hung.start()
        for number, line in enumerate(lines[:3], 1):
            process.stdin.write(line)
            process.stdin.flush()
            if number == 1:
                assert process.stdout.readline().decode().strip().split(",") == COLUMNS
            at = sum(map(len, lines[: number - 1]))
            assert process.stdout.readline().endswith(f',"-",{number},{at}\n'.encode())
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(20) == 0
        hung.cancel()


# Other libraries

NAMED = b"Oct 16 09:50:%02d node-%d unit-%d[1]: I1016 09:50:55.%06d 1 file-%d.go:%d] eviction manager: must evict pod(s) to reclaim of-%d\n"


@pytest.fixture
def of_many_names(scanner: Engine, tmp_path: Path) -> Log:
    """A log of several Blocks, each with names of its own, and some that the others have too."""
    for name in "ab":
        lines = [NAMED % (n % 60, n // 70, n // 50 % 3, n, n // 30, n, n) for n in range(300 if name == "a" else 40)]
        (tmp_path / name).write_bytes(b"".join(lines))
    return Log([in_pieces(tmp_path / name) for name in "ab"], scanner, year=2017)


def frame_of(found: Any) -> list[dict[str, Any]]:
    """A frame of pandas as rows; what is missing is None."""
    return [
        {name: None if value != value else value for name, value in one.items()} for one in found.astype(object).to_dict("records")
    ]


@pytest.mark.parametrize("what", ["of_many_names", "node3"])
def test_other_libraries_read_the_rows(what: str, request: pytest.FixtureRequest, scanner: Engine) -> None:
    polars, duckdb, pandas = (pytest.importorskip(name) for name in ("polars", "duckdb", "pandas"))
    log = request.getfixturevalue(what)
    if what == "node3":
        log = read(log / "node3-kubelet.log", year=2017)
    wanted = [row(record.to_dict()) for record in log]
    assert [as_json(one) for one in polars.DataFrame(log).to_dicts()] == wanted
    assert [as_json(one) for one in log.to_polars().to_dicts()] == wanted
    found = duckdb.sql("from log")
    assert [as_json(dict(zip(found.columns, one, strict=True))) for one in found.fetchall()] == wanted
    frame = log.to_pandas()
    assert [as_json(one) for one in frame_of(frame)] == wanted
    assert isinstance(frame["node"].dtype, pandas.CategoricalDtype)
    assert set(frame["node"].cat.categories) == {one["node"] for one in wanted if one["node"]}
    stream = io.BytesIO()
    files.write(log.batches(), log.schema, "arrow", stream, False)
    assert [as_json(one) for one in polars.read_ipc_stream(stream.getvalue()).to_dicts()] == wanted


def test_other_libraries_read_the_events_of_a_kind(of_many_names: Log) -> None:
    polars, duckdb = (pytest.importorskip(name) for name in ("polars", "duckdb"))
    events = of_many_names.events("EvictionPodsRequired")
    wanted = [(one.seen.time, one.seen.node, one.seen.unit, one.fields["resource"], one.seen.path, one.seen.line) for one in events]
    assert len(wanted) == 340
    assert polars.DataFrame(events).rows() == wanted
    assert events.to_polars().rows() == wanted
    assert duckdb.sql("from events").fetchall() == wanted
    assert [tuple(one) for one in events.to_pandas().astype(object).itertuples(index=False)] == wanted


def test_what_the_command_writes_polars_reads(inputs: list[str]) -> None:
    polars = pytest.importorskip("polars")
    done = kubelog("parse", "-o", "arrow", *inputs, "--year", "2017", "--tz", "Asia/Shanghai")
    wanted = [row(record.to_dict()) for record in read(*inputs, year=2017, tz="Asia/Shanghai")]
    assert [as_json(one) for one in polars.read_ipc_stream(done.stdout).to_dicts()] == wanted


def test_a_code_is_a_code_where_no_value_is(of_many_names: Log, scanner: Engine, interpreted: Engine) -> None:
    """Some readers look at what is not there."""
    for engine in (scanner, interpreted):
        log = Log([*of_many_names.sources, Source.of("-", (HARD,))], engine, year=2017)
        for column in (column for column in log.to_arrow().columns if pa.types.is_dictionary(column.type)):
            for chunk in column.chunks:
                codes = chunk.indices
                there = pa.Array.from_buffers(codes.type, len(codes), [None, codes.buffers()[1]])
                assert all(0 <= code < max(1, len(chunk.dictionary)) for code in there.to_pylist())
