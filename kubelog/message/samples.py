"""samples of the grammar → problems: each sample must yield what it says, and each wording must be reached by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from kubelog.grammar.compile import Table
from kubelog.grammar.tree import Sample
from kubelog.ingest.block import Block
from kubelog.ingest.clock import Clock
from kubelog.message.decoder import Decoder
from kubelog.message.record import Record, RecordMaker, plain


class Engine(Protocol):
    """Either engine; see `kubelog/engines.py`."""

    table: Table
    decoder: Decoder

    def lines(self, block: Block) -> None: ...
    def joiner(self, block: Block) -> Any: ...
    def messages(self, block: Block) -> None: ...


def check_samples(engine: Engine, samples: Iterable[Sample]) -> list[str]:
    """What is wrong with some grammar files' samples, a line each: `path:line: …`; all samples of a file belong together."""
    problems: list[str] = []
    paths: set[str] = set()
    reached: set[int] = set()
    for sample in samples:
        paths.add(sample.path)
        number, record, rows = read_sample(engine, sample)
        reached.add(number)
        problem = _problem(sample, record, rows)
        if problem:
            problems.append(f"{sample.path}:{sample.line}: {problem}")
    for number, entry in enumerate(engine.table.entries):
        if entry.path in paths and number not in reached:
            problems.append(f"{entry.path}:{entry.line}: no sample reaches this wording of {entry.event}: {entry.text!r}")
    return problems


def read_sample(engine: Engine, sample: Sample) -> tuple[int, Record, int]:
    """The wording that reads a sample (-1 for none), its record, and how many records the sample is (1 where it is right)."""
    block = Block(wrapped(sample))
    clock = Clock(engine.table)
    engine.lines(block)
    joiner = engine.joiner(block)
    joiner.run()
    joiner.settle(True, block)
    clock.read(block)
    engine.messages(block)
    maker = RecordMaker(engine.table, engine.decoder, clock, None, None)
    return block.kind[0], maker.record(block, 0), len(block)


def wrapped(sample: Sample) -> bytes:
    """A sample as a log has it: a `line` wording's as it is, others behind an envelope or a klog header."""
    body = sample.body.encode()
    if sample.style == "line":
        return body + b"\n"
    if sample.program:
        # Each newline ends an entry of the journal.
        before = b"Jan  2 03:04:05 node-1 " + sample.program[0].encode() + b"[1]: "
        return b"".join(before + line + b"\n" for line in body.split(b"\n"))
    file = sample.files[0] if sample.files else "file.go"
    return b"I0102 03:04:05.678901    4321 " + file.encode() + b":1] " + body + b"\n"


def _problem(sample: Sample, record: Record, rows: int) -> str:
    if rows != 1:
        return f"expected one record of {sample.event}, found {rows}"
    if record.kind != sample.event:
        return f"expected {sample.event}, found {record.kind or 'no kind: ' + record.verdict}"
    if record.reason:
        return f"expected {sample.event} with all its values, found {record.reason}"
    wanted, found = said(sample.yields), said(record.fields)
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            return f"expected {name} = {wanted.get(name)!r}, found {found.get(name)!r}"
    return ""


def said(value: Any) -> Any:
    """Data without what is not said: TOML has no null."""
    value = plain(value)
    if isinstance(value, dict):
        return {key: said(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [said(one) for one in value]
    return value
