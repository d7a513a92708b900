"""kubelog: Arrow tables from the file: a row a record, the typed fields of one kind, or both in one pass.

What is asked for stands in BENCH_TABLE. Counts and sums are compared after the measurement, by the tables themselves.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from zlib import crc32

from benchmarks.build import Unavailable
from benchmarks.engines import Reading, kubelog_blocks
from benchmarks.generate import PIDS
from benchmarks.messages import load
from benchmarks.values import NODE

WHAT = os.environ.get("BENCH_TABLE", "records")
JOB = {
    "records": "all of it, a table",
    "batches": "all of it, a table's batches, dropped",
    "fields": "all of it, a table of one kind's fields",
    "both": "all of it, both tables in one pass",
}[WHAT]
# Frequent, with six fields: words, a path, a duration, a number. Of BenchEventOccurred every value of a field holds escapes.
KIND = os.environ.get("BENCH_KIND", "BenchHttpRequest")
# µs from 1970 to November 2023, the month of all times; the truth counts in the calendar of a leap year.
NOVEMBER = 1_698_796_800_000_000
DAY = 86_400_000_000


def prepare() -> Any:
    try:
        import pyarrow.compute  # noqa: F401
    except ImportError:
        raise Unavailable("pyarrow is not installed") from None
    return kubelog_blocks.prepare()


def log_of(engine: Any, *paths: Path, jobs: int = 1) -> Any:
    """As `kubelog.read` makes it, with a grammar that is loaded."""
    from kubelog.ingest.inputs.sources import expand
    from kubelog.pipeline import Log

    sources, errors = expand(paths)
    assert not errors, errors
    return Log(sources, engine, year=2023, jobs=jobs)


def read(engine: Any, path: Path) -> Reading:
    log = log_of(engine, path)
    if WHAT == "batches":
        return Reading({}, {"records": sum(batch.num_rows for batch in log.batches())})
    records = fields = None
    if WHAT == "both":
        records, fields = one_pass(log)
    elif WHAT == "fields":
        fields = log.events(KIND).to_arrow()
    else:
        records = log.to_arrow()

    def finish(reading: Reading, expected: dict[str, Any]) -> list[str]:
        found = []
        if records is not None:
            reading.told |= counts(records)
            reading.kinds |= number_of(records["kind"])
            if os.environ.get("BENCH_CHECK"):
                found += wrong_columns(records) + wrong_samples(records, path, expected)
        if fields is not None:
            found += wrong_fields(fields, expected)
        return found

    return Reading({}, finish=finish)


def one_pass(log: Any) -> tuple[Any, Any]:
    """Both tables. The library has no name for this yet: it is put together from what stands below `Log` and `Events`."""
    import pyarrow as pa

    events = log.events(KIND)
    record_maker, fields = log.table_maker(), events._tables
    made = list(log.made(lambda block, maker: (record_maker(block, maker), fields.batch(block, maker, log.where))))
    one, other = zip(*made, strict=True)
    return pa.Table.from_batches(one, log.schema), pa.Table.from_batches(other, events.schema)


def number_of(column: Any) -> dict[str, int]:
    """How often each value of a column stands in it."""
    import pyarrow.compute as pc

    found: dict[str, int] = {}
    for chunk in column.chunks:
        # The codes are counted; each chunk has its names.
        for pair in pc.value_counts(chunk.indices).to_pylist():
            if pair["values"] is not None:
                name = chunk.dictionary[pair["values"]].as_py()
                found[name] = found.get(name, 0) + pair["counts"]
    return found


def counts(records: Any) -> dict[str, Any]:
    """What the truth counts, from the records' table."""
    import pyarrow as pa
    import pyarrow.compute as pc

    has_header = pc.is_valid(records["severity"])
    times = pc.subtract(records["time"].cast(pa.int64()).filter(has_header), NOVEMBER)
    headers = len(times)
    first = (31 + 29 + 31 + 30 + 31 + 30 + 31 + 31 + 30 + 31) * DAY
    return {
        "records": records.num_rows,
        "verdicts": {"structured": 0, "header": 0, "plain": 0, **number_of(records["verdict"])},
        "headers": headers,
        "moments": (pc.sum(times).as_py() + headers * first) % 2**64,
    }


def wrong_columns(records: Any) -> list[str]:
    """Of every kind all records say who wrote them: as messages.toml says."""
    import pyarrow as pa

    names = ["kind", "node", "unit", "pid", "thread", "severity", "source_file", "source_line"]
    texts = ("kind", "node", "unit", "severity", "source_file")
    plain = pa.table({name: records[name].cast(pa.string()) if name in texts else records[name] for name in names})
    found = {row["kind"]: row for row in plain.group_by(names).aggregate([]).to_pylist() if row["kind"]}
    problems = []
    for message in load():
        if not message.kind or message.kind not in found:
            continue
        severity, place = message.at.split(" ")
        file, line = place.split(":")
        pid = PIDS[message.unit]
        wanted = dict(zip(names, (message.kind, NODE, message.unit, pid, pid, severity, file, int(line)), strict=True))
        if found[message.kind] != wanted:
            problems.append(f"{message.kind}: expected the columns {wanted}, found {found[message.kind]}")
    several = plain.group_by(["kind"]).aggregate([("pid", "count_distinct"), ("source_line", "count_distinct")]).to_pylist()
    problems += [f"{row['kind']}: {row}" for row in several if row["kind"] and set(row.values()) - {row["kind"]} != {1}]
    return problems


def wrong_samples(records: Any, path: Path, expected: dict[str, Any]) -> list[str]:
    """The first record of each kind, by its line: what it says of pod and container, and its message, in its bytes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    samples = {sample["line"]: sample for sample in expected["samples"]}
    places = pc.indices_nonzero(pc.is_in(records["line"], value_set=pa.array(list(samples), pa.int64()))).to_pylist()
    rows = [row for place in places for row in records.slice(place, 1).to_pylist()]  # string views cannot be filtered yet
    problems = [] if len(rows) == len(samples) else [f"expected {len(samples)} samples, found {len(rows)}"]
    structured = {message.kind: message.structured for message in load()}
    with path.open("rb") as file:
        for row in rows:
            sample = samples[row["line"]]
            fields = {name: _unquoted(raw) for name, raw in sample["fields"].items()}
            file.seek(row["offset"])
            line = file.readline().decode().rstrip("\n")
            wanted: dict[str, Any] = {"kind": sample["kind"], "verdict": "typed", "container": _bare(fields.get("container"))}
            wanted["pod"], wanted["namespace"], wanted["pod_uid"] = _pod(fields, structured[row["kind"]])
            problems += [
                f"line {row['line']}: expected {name} = {value!r}, found {row[name]!r}"
                for name, value in wanted.items()
                if row[name] != value
            ]
            message = f'"{row["message"]}"' if structured[row["kind"]] else row["message"].split("\n")[0]
            if f"] {message}" not in line or not line.startswith("Nov "):
                problems.append(f"line {row['line']}: its message {row['message']!r} is not at offset {row['offset']}")
    return problems


def _unquoted(raw: str) -> str:
    return raw[1:-1].replace('\\"', '"').replace("\\\\", "\\") if raw.startswith('"') else raw


def _bare(container: str | None) -> str | None:
    """A container's id as klog prints it is no name."""
    return None if container is None or container.startswith("{") else container


def _pod(fields: dict[str, str], structured: bool) -> tuple[str | None, str | None, str | None]:
    """Name, namespace and uid as the columns give them: the uid where it is the name's, or a pair of its own."""
    text = fields.get("pod")
    if text is None:
        return None, None, None
    if "/" in text:
        space, _, name = text.partition("/")
        return name, space, fields.get("pod_uid") if structured else None
    name, _, rest = text.partition("_")
    return name, rest[: rest.index("(")], rest[rest.index("(") + 1 : -1]


def wrong_fields(fields: Any, expected: dict[str, Any]) -> list[str]:
    """What of the events differs: their number, the sums of their fields."""
    count, checksum = expected["kinds"][KIND]
    if fields.num_rows != count:
        return [f"{KIND}: expected {count} events, found {fields.num_rows}"]
    names = [name for name in fields.schema.names if name not in ("time", "node", "unit", "path", "line")]
    found = {name: sum(_number(value) for value in fields[name].to_pylist()) for name in names}
    wanted = expected["columns"].get(KIND)
    if wanted is None:
        found, wanted = {"all fields": sum(found.values())}, {"all fields": checksum}
    return [
        f"{KIND}: {name}: expected the sum {wanted[name]}, found {found.get(name)}"
        for name in wanted
        if found.get(name) != wanted[name]
    ]


def _number(value: Any) -> int:
    """What the truth sums up: a number; a duration's ns; the CRC32 of a text as it stood in the line, a pod's name too."""
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return round(value * 1e9)
    text = f"{value['namespace']}/{value['name']}" if isinstance(value, dict) else value
    return crc32(('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"').encode())
