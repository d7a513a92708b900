"""Threads that read side by side: what comes out is the same, in order, and none is left behind."""

from __future__ import annotations

import gc
import gzip
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubelog import InputError, UsageError, read
from kubelog.cli import run
from kubelog.engines import Engine, Scanner
from kubelog.ingest.block import Block
from kubelog.ingest.inputs.sources import Front, Source
from kubelog.message.record import Record
from kubelog.pipeline import Log
from kubelog.workers import ordered
from tests.strategies import NOW, late, log_bytes, node_logs
from tests.test_properties import logs, said, woven


def source_of(name: str, data: bytes, size: int) -> Source:
    return Source.of(name, [data[at : at + size] for at in range(0, len(data), size)])


def log_of(engine: Engine, jobs: int, *inputs: bytes, size: int = 300, **options: Any) -> Log:
    sources = [source_of(f"input-{number}", data, size) for number, data in enumerate(inputs)]
    return Log(sources, engine, jobs=jobs, **{"now": NOW, **options})


def threads() -> list[str]:
    gc.collect()
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("kubelog")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert threads() == []


def told(log: Log) -> list[Any]:
    """All that a Log says, what it says of itself included."""
    found: list[Any] = []
    for say in (
        lambda: said(log),
        lambda: vars(log.coverage()),
        lambda: log.incidents().to_dict(),
        lambda: [event.fields for event in log.events("EvictionReclaimAttempted")],
    ):
        found += [say(), log.notes, [str(error) for error in log.errors], log.empty]
    return found


nodes = node_logs(most=3).flatmap(late).map(log_bytes)


@settings(max_examples=max(1, settings().max_examples // 3))
@given(st.lists(logs | woven | nodes, min_size=1, max_size=3), st.integers(40, 2000))
def test_however_many_threads_read_the_same_is_said(scanner: Engine, inputs: list[bytes], size: int) -> None:
    pytest.importorskip("pyarrow")
    alone = log_of(scanner, 1, *inputs, size=size)
    wanted, table = told(alone), alone.to_arrow().to_pylist()
    for jobs in (2, 4):
        log = log_of(scanner, jobs, *inputs, size=size)
        assert told(log) == wanted
        assert log.to_arrow().to_pylist() == table


def lines(count: int, name: str = "a") -> bytes:
    return b"".join(b"I1016 09:50:55.%06d 1 %s.go:1] line %d\n" % (n, name.encode(), n) for n in range(count))


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("how", ["cut", "damaged"])
def test_what_was_read_before_an_input_broke_off_is_delivered_in_order(
    how: str, jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubelog.ingest.inputs.sources.CHUNK", 4096)
    packed = gzip.compress(lines(2000) + b"I1016 09:50:56.000000 1 c.go:1] " + os.urandom(20_000).hex().encode())
    damaged = packed[:-10_000] + (b"" if how == "cut" else bytes(200) + packed[-9800:])
    (tmp_path / "bad.gz").write_bytes(damaged)
    (tmp_path / "whole.log").write_bytes(lines(500, "b"))
    log = read(tmp_path / "bad.gz", tmp_path / "whole.log", jobs=jobs, year=2017)
    found = [(record.source_file, record.message) for record in log]
    assert found[:2000] == [("a.go", f"line {n}") for n in range(2000)]
    assert found[-500:] == [("b.go", f"line {n}") for n in range(500)]
    [error] = log.errors
    assert isinstance(error, InputError)
    assert "bad.gz: at byte" in str(error)


class Fails(Scanner):
    """An engine that cannot read one Block."""

    def messages(self, block: Block) -> None:
        if b"line 60\n" in block.data:
            raise MemoryError("no room")
        super().messages(block)


def until(said: str, records: Iterator[Record]) -> list[str]:
    """The messages before an exception that says this."""
    found: list[str] = []
    with pytest.raises(MemoryError, match=said):
        found.extend(record.message for record in records)
    return found


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_an_exception_in_the_work_is_raised_once_and_in_its_place(scanner: Engine, jobs: int) -> None:
    log = log_of(Fails(scanner.table), jobs, lines(200))
    for _ in range(2):
        records = iter(log)
        found = until("no room", records)
        assert found == [f"line {n}" for n in range(len(found))]
        assert 50 < len(found) <= 60
        assert list(records) == []
        assert threads() == []


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_an_exception_of_the_input_is_raised_behind_what_was_read(scanner: Engine, jobs: int) -> None:
    def read_in_part(front: Front, size: int) -> Iterator[bytes]:
        yield from (front() + line + b"\n" for line in lines(50).splitlines())
        raise MemoryError("no room")

    log = Log([Source("-", read_in_part)], scanner, jobs=jobs, now=NOW)
    assert until("no room", iter(log)) == [f"line {n}" for n in range(49)]  # the last may have gone on


@pytest.mark.parametrize(
    "leave",
    [
        lambda log: next(iter(log)),
        lambda log: [batch for _, batch in zip(range(3), log.batches(), strict=False)],
        lambda log: next(iter(log.events("EvictionReclaimAttempted"))),
        lambda log: next(log.changes()),
        lambda log: __import__("pyarrow").RecordBatchReader.from_stream(log).read_next_batch(),
        lambda log: __import__("pyarrow").RecordBatchReader.from_stream(log.events("EvictionReclaimAttempted")).read_next_batch(),
    ],
)
def test_who_leaves_early_leaves_no_thread_behind(scanner: Engine, leave: Callable[[Log], Any], node3: Path) -> None:
    pytest.importorskip("pyarrow")
    leave(log_of(scanner, 4, (node3 / "node3-kubelet.log").read_bytes() * 20, size=2000))
    assert threads() == []


def test_two_logs_of_one_engine_are_read_at_the_same_time(scanner: Engine, node3: Path) -> None:
    pytest.importorskip("pyarrow")
    real = (node3 / "node3-kubelet.log").read_bytes()
    inputs = [real * 8, lines(600), b"".join(reversed(real.splitlines(keepends=True))) * 8]
    alone = [(said(log_of(scanner, 1, data)), log_of(scanner, 1, data).to_arrow().to_pylist()) for data in inputs]
    found: dict[int, Any] = {}

    def work(number: int) -> None:
        log = log_of(scanner, 2, inputs[number])
        found[number] = said(log), log.to_arrow().to_pylist()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [found[number] for number in range(3)] == alone


def test_a_number_of_jobs_that_is_none_is_refused(node3: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="expected a number of jobs from 1, found 0"):
        read(node3 / "node3-kubelet.log", jobs=0)
    for number in ("0", "-1", "two", "1.5", "9999999"):
        with pytest.raises(SystemExit, match="2"):
            run(["coverage", f"--jobs={number}", str(node3 / "node3-kubelet.log")])
        assert capsys.readouterr().err.startswith(f"kubelog: argument --jobs: expected a number from 1 to 1024, found {number!r}")


# The order


@given(st.integers(0, 60), st.integers(1, 5), st.sets(st.integers(0, 59)), st.none() | st.integers(0, 59))
def test_results_come_in_the_order_of_the_items_up_to_the_first_that_fails(
    count: int, jobs: int, bad: set[int], breaks_off: int | None
) -> None:
    taken, given_out = 0, 0

    def items() -> Iterator[int]:
        nonlocal taken
        for n in range(count):
            if n == breaks_off:
                raise KeyError(n)
            taken += 1
            assert taken - given_out <= 2 * jobs + 3  # few are under way
            yield n

    def work(n: int) -> int:
        if n in bad:
            raise LookupError(n)
        return n * n

    ends = [n for n in (*bad, breaks_off) if n is not None and n < count]
    found, failed = [], None
    try:
        for result in ordered(items(), work, jobs):
            found.append(result)
            given_out += 1
    except LookupError as error:
        failed = error.args[0]
    assert found == [n * n for n in range(min(ends, default=count))]
    assert failed == min(ends, default=None)
