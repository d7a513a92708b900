"""A line of more than 1 MiB is one record, cut, and is not held; what stands around it is read as ever."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kubelog.engines import Engine
from kubelog.ingest.block import MAX_LINE
from kubelog.ingest.inputs.sources import Source
from kubelog.live import LiveReader
from kubelog.pipeline import Log
from tests.strategies import NOW
from tests.test_properties import said

EVENT = b"I1016 09:50:55.056703   17144 eviction_manager.go:331] eviction manager: must evict pod(s) to reclaim memory"
OPENS = b'Oct 16 09:50:55 n1 kubelet[1]: I1016 09:50:55.056703 1 a.go:1] "m" k=<'
GOES_ON = b"Oct 16 09:50:55 n1 kubelet[1]: \tand so on"
# Heads of lines that are too long: what they say does not count.
HEADS = [b"", b"\tx", OPENS[:-6], EVENT, b"\xff\xfe"]


def long(size: int, head: bytes = b"") -> bytes:
    return head + b"y" * (size - len(head))


def log_of(engine: Engine, pieces: Iterable[bytes]) -> Log:
    kept = list(pieces)
    return Log([Source.of("-", kept)], engine, now=NOW)


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """Pieces of these sizes, again and again."""
    at = 0
    while at < len(data):
        for size in sizes:
            yield data[at : at + size]
            at += size


sizes = st.sampled_from([MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, MAX_LINE + 2, MAX_LINE + 3, 3 * MAX_LINE])
one_line = st.sampled_from([EVENT, OPENS, GOES_ON, b"\tindented", b"text", b""]) | st.builds(long, sizes, st.sampled_from(HEADS))
inputs = st.lists(st.tuples(one_line, st.sampled_from([b"\n", b"\r\n"])), min_size=1, max_size=6)
ends = st.sampled_from([b"", b"", b"\r", b"\n"])
piece_sizes = st.sampled_from([[1 << 16], [1 << 20], [(1 << 20) + 1], [(1 << 20) + 2, 1], [1 << 22], [1 << 20, 1, 1, 1, 1]])


@settings(max_examples=max(1, settings().max_examples // 6))
@given(inputs, ends, piece_sizes)
@example([(OPENS, b"\n"), (long(MAX_LINE + 1), b"\r\n"), (long(MAX_LINE + 2), b"\n"), (GOES_ON, b"\n")], b"", [1 << 20, 1])
@example([(EVENT, b"\n"), (long(MAX_LINE + 1), b"\n"), (b"text", b"\n"), (long(2 * MAX_LINE), b"")], b"", [1 << 16])
def test_a_line_that_is_too_long_is_a_record_wherever_the_input_is_cut(
    scanner: Engine, parts: list[tuple[bytes, bytes]], end: bytes, sizes: list[int]
) -> None:
    *parts, (last, _) = parts
    lines = [*(line + newline for line, newline in parts), last + end]
    data = b"".join(lines)
    found = list(log_of(scanner, cut(data, sizes)))
    assert said(iter(found)) == said(log_of(scanner, [data]))
    owners = {record.origin.spans[0][0]: record for record in found}
    starts = [0]
    for number, line in enumerate(lines, 1):
        at = starts[-1]
        starts.append(at + len(line))
        if len(line.removesuffix(b"\n").removesuffix(b"\r")) > MAX_LINE:
            record = owners[at]
            assert (record.reason, record.verdict, record.kind) == ("line-too-long", "unparsed", None)
            assert (record.origin.line, record.origin.spans) == (number, [(at, len(line))])
            assert record.raw == line[:MAX_LINE]
            assert record.message == line[:MAX_LINE].decode("utf-8", "backslashreplace")
            # Nothing behind it continues what stands before it.
            assert not any(start < at < one.origin.spans[-1][0] for start, one in owners.items())
    assert sum(size for record in found for _, size in record.origin.spans) == len(data)
    assert all(starts[record.origin.line - 1] == start for start, record in owners.items())


def test_a_line_that_is_just_not_too_long_is_read_as_ever(engine: Engine) -> None:
    head = b"I1016 09:50:55.056703 1 a.go:1] "
    for size, newline, reason in (
        (MAX_LINE, b"\n", None),
        (MAX_LINE, b"\r\n", None),
        (MAX_LINE + 1, b"\n", "line-too-long"),
    ):
        data = long(size, head) + newline + EVENT
        records = list(log_of(engine, cut(data, [1 << 20])))
        assert [record.reason for record in records] == [reason, None]
        assert [record.severity for record in records] == [None if reason else "I", "I"]
        assert [record.origin.line for record in records] == [1, 2]


@settings(max_examples=max(1, settings().max_examples // 6))
@given(inputs, piece_sizes)
@example([(EVENT, b"\n"), (long(2 * MAX_LINE), b"\n"), (b"text", b"\n"), (EVENT, b"\n")], [1 << 20, 1])
def test_a_tail_reads_around_it_too(scanner: Engine, parts: list[tuple[bytes, bytes]], sizes: list[int]) -> None:
    data = b"".join(line + newline for line, newline in parts)
    live = LiveReader(log_of(scanner, []), Source.of("-"), None)
    told: dict[int, Any] = {}
    for piece in [*cut(data, sizes), None]:
        for event in live.push(piece or b"", final=piece is None):
            told[event.seen.offset] = (event.kind, event.fields, event.seen.line)
    wanted = [record for record in log_of(scanner, [data]) if record.event]
    assert {at: one for at, one in told.items() if one[0] != "Event"} == {
        record.origin.spans[0][0]: (record.kind, record.event.fields if record.event else None, record.origin.line)
        for record in wanted
    }


def test_what_stands_before_it_does_not_wait_for_its_end(scanner: Engine) -> None:
    reader = log_of(scanner, []).reader(Source.of("-"))
    [block] = reader.push(EVENT + b"\n" + long(2 * MAX_LINE))
    assert (len(block), bytes(block.data[: block.size])) == (1, EVENT + b"\n")
    assert [len(block) for block in reader.push(b"y\n" + EVENT + b"\n", settle=True)] == [1, 1]


# 64 MiB of one line, and what holds of it: a piece, what is kept, what is shown of it, and the columns.
MOST_BYTES = 12 << 20


def endless() -> Iterator[bytes]:
    for _ in range(64):
        yield b"y" * (1 << 20)


@pytest.fixture
def peak() -> Iterator[Any]:
    """The most bytes that were held at once since the test began."""
    tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    yield lambda: tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()


def test_a_line_of_64_mib_is_not_held(scanner: Engine, peak: Any) -> None:
    [record] = Log([Source("-", lambda front, _: (front() + piece for piece in endless()))], scanner, now=NOW)
    assert record.origin.spans == [(0, 64 << 20)]
    assert (record.reason, len(record.message)) == ("line-too-long", MAX_LINE)
    assert peak() < MOST_BYTES


def test_a_tail_holds_no_line_of_64_mib(scanner: Engine, peak: Any) -> None:
    live = LiveReader(Log([], scanner, now=NOW), Source.of("-"), None)
    for piece in endless():
        assert list(live.push(piece)) == []
    assert [event.seen.line for event in live.push(b"\n" + EVENT + b"\n")] == [2]
    assert live.reader.offset == (64 << 20) + 1
    assert peak() < MOST_BYTES
