"""Blocks → Arrow: a row a record, a column a field of `parse -o jsonl`. Needs the extra `table`.

A leaf fills the cells; records that are not as usual are made as Records, and their cells taken from there: so a table says
what the records say. Texts are views into copies: less is kept than if they kept the Block's bytes alive.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from datetime import timedelta, timezone
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from kubelog.errors import MissingExtraError
from kubelog.grammar.compile import Table
from kubelog.ingest import ops
from kubelog.ingest.block import NAMES_CONTAINER, NONE, REASONS, SEVERITIES, VERDICTS, Block, Dictionary, text
from kubelog.ingest.calendar import micros
from kubelog.ingest.clock import TIME_SOURCES, YEAR_SOURCES, Clock
from kubelog.message.decoder import Decoder
from kubelog.message.filter import Filter
from kubelog.message.layout import ODD, VIEWS, layout
from kubelog.message.record import Record, RecordMaker

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

COLUMNS: Final = (
    "time", "local_time", "time_source", "year_source", "node", "unit", "pid", "severity", "thread", "source_file",
    "source_line", "verdict", "kind", "message", "signature", "reason", "pod", "namespace", "pod_uid", "container", "path",
    "line", "offset",
)  # fmt: skip
_INTEGERS: Final = ("pid", "thread", "line", "offset")
_CODES: Final = ("node", "unit", "source_file", "kind", "signature", "reason", "path")  # what is of unknown number
_FIXED: Final = {
    "time_source": TIME_SOURCES[1:], "year_source": YEAR_SOURCES[1:], "severity": SEVERITIES, "verdict": VERDICTS,
}  # fmt: skip
# A zone that is an offset.
OFFSET: Final = re.compile(r"([+-])(\d\d):(\d\d)")


def arrow() -> Any:
    """The library pyarrow. Raises MissingExtraError."""
    try:
        import pyarrow as pa
    except ImportError:
        raise MissingExtraError("tables need pyarrow: pip install 'kubelog[table]'") from None
    return pa


def strings(values: Sequence[str | None]) -> Any:
    """A column of texts. (pyarrow.array would import pandas where it is installed.)"""
    pa = arrow()
    texts = [b"" if value is None else value.encode("utf-8", "backslashreplace") for value in values]
    ends = array("i", [0, *accumulate(map(len, texts))])
    bits = bytearray((len(texts) + 7) // 8)
    for i, value in enumerate(values):
        bits[i >> 3] |= (value is not None) << (i & 7)
    return pa.Array.from_buffers(pa.string(), len(texts), [*map(pa.py_buffer, (bits, ends, b"".join(texts)))])


class Tables:
    """Makes Arrow tables of the Blocks of one engine."""

    def __init__(self, table: Table, decoder: Decoder, leaves: Any) -> None:
        self.pa = arrow()
        self.layout, self.leaves = layout(table, decoder), leaves
        self.events = strings(sorted({entry.event for entry in table.entries}))
        self.fixed = {name: strings(values) for name, values in _FIXED.items()}
        self.reasons = list(REASONS[1:])
        self.zeros = self.pa.py_buffer(b"")

    def schema(self, clock: Clock) -> pa.Schema:
        """The columns and their types. Times are µs, aware where the zone is known."""
        return _schema(_zone(clock))

    def nothing(self, type_: Any, rows: int, *, given: bool = False) -> Any:
        """A column of zeros of int32, or of nulls; of texts too. All such columns share their memory."""
        if self.zeros.size < 4 * rows + 4:
            self.zeros = self.pa.py_buffer(bytes(4 * rows + 4))
        buffers = [None if given else self.zeros, self.zeros, *([self.zeros] if type_ == self.pa.string() else [])]
        return self.pa.Array.from_buffers(type_, rows, buffers, 0 if given else rows)

    def batch(self, block: Block, maker: RecordMaker) -> pa.RecordBatch:
        """The records of a Block."""
        return _Batch(self, block, maker).made()


@lru_cache
def _schema(zone: str | None) -> Any:
    pa = arrow()
    kinds = dict.fromkeys(_INTEGERS, pa.int64()) | dict.fromkeys(VIEWS, pa.string_view())
    kinds |= dict.fromkeys(_CODES, pa.dictionary(pa.int32(), pa.string()))
    kinds |= dict.fromkeys(_FIXED, pa.dictionary(pa.int8(), pa.string()))
    kinds |= {"time": pa.timestamp("us", tz=zone), "local_time": pa.string(), "source_line": pa.int32()}
    return pa.schema([(name, kinds[name]) for name in COLUMNS])


def copied(schema: pa.Schema) -> pa.Schema:
    """The same columns, each text's bytes its own: not every reader knows views, and some take all that a view looks into."""
    pa = arrow()
    return pa.schema([(field.name, pa.large_string() if field.type == pa.string_view() else field.type) for field in schema])


def cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch with the columns of a schema, in memory as the columns of the batch are."""
    pa = arrow()
    pool, pairs = pa.system_memory_pool(), zip(batch.columns, schema, strict=True)
    columns = [one if one.type == field.type else one.cast(field.type, memory_pool=pool) for one, field in pairs]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _zone(clock: Clock) -> str | None:
    zone = clock.zone
    if zone is None:
        return None
    if not isinstance(zone, timezone):
        return str(zone)
    minutes = zone.utcoffset(None) // timedelta(minutes=1)
    return "UTC" if minutes == 0 else f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


class _Names:
    """The values of a dictionary column, those of odd records added."""

    def __init__(self, values: list[str]) -> None:
        self.values = values
        self.codes: dict[str, int] = {}

    def code(self, value: str | None) -> int:
        if value is None:
            return -1
        value = text(value.encode("utf-8", "backslashreplace"))  # of an argument that is no UTF-8
        if not self.codes:
            self.codes = {value: code for code, value in enumerate(self.values)}
        if value not in self.codes:
            self.codes[value] = len(self.values)
            self.values.append(value)
        return self.codes[value]


class _Batch:
    """The columns of one Block while they are made."""

    def __init__(self, tables: Tables, block: Block, maker: RecordMaker) -> None:
        self.tables, self.pa, self.block, self.maker = tables, tables.pa, block, maker
        self.rows = len(block)
        self.leaf = tables.leaves.CellReader(tables.layout, block)
        self.out = self.leaf.out
        self.time = block.time
        self.names = {"node": self._values(block.nodes), "unit": self._values(block.units)}
        self.names["source_file"] = self._values(block.files)
        self.leaf.no_node = self.names["node"].code(maker.node)
        self.leaf.read()
        if maker.place.unit is not None:
            units = self.out["unit"]
            code = self.names["unit"].code(maker.place.unit)
            for row in range(self.rows):
                units[row] = code if units[row] < 0 else units[row]
        self.names["signature"] = _Names([text(value) for value in self.leaf.signature_texts()])
        self.out["verdict"] = block.verdict
        self.reasons = _Names(list(tables.reasons))
        self.odd_texts = bytearray()
        self.filled: dict[str, tuple[int, int]] = {}  # where texts stand in it that several cells have
        self.local: dict[int, str | None] = {}
        self._name_containers()
        self.odd = odd = self.leaf.odd_rows()
        if odd:
            self.time = array("q", block.time)
            for row in odd:
                self._patch(row, maker.record(block, row))

    def _name_containers(self) -> None:
        """Pods and containers that transports name, where the text names none."""
        block, place = self.block, self.maker.place
        seen = set(memoryview(block.envelope)[: block.lines].tobytes())
        if place.pod is None and place.container is None and not seen.intersection(NAMES_CONTAINER):
            return
        named = self.leaf.bits["pod"]
        for row in range(self.rows):
            line = block.first[row]
            by_text = named[row >> 3] & (1 << (row & 7))
            self._fill(row, "pod", block.pod(line) or place.pod)
            self._fill(row, "container", block.container(line) or place.container)
            if not by_text:
                self._fill(row, "namespace", place.namespace)
                self._fill(row, "pod_uid", place.pod_uid)

    def _fill(self, row: int, name: str, value: str | None) -> None:
        """Give a cell this text where it has none."""
        bits = self.leaf.bits[name]
        if value is None or bits[row >> 3] & (1 << (row & 7)):
            return
        if value not in self.filled:
            self.filled[value] = len(self.odd_texts), len(self.odd_texts) + len(value.encode("utf-8", "backslashreplace"))
            self.odd_texts += value.encode("utf-8", "backslashreplace")
        bits[row >> 3] |= 1 << (row & 7)
        ops.put_view(self.out[name], 4 * row, self.odd_texts, *self.filled[value], ODD, self.filled[value][0])

    def _values(self, names: Dictionary) -> _Names:
        return _Names([text(value) for value in names.values(self.block.data)])

    def _patch(self, row: int, record: Record) -> None:
        """Take the cells of a row that is not as usual from its Record."""
        self.time[row] = NONE if record.time is None else micros(record.time)
        self.local[row] = record.local_time
        self.out["time_source"][row] = TIME_SOURCES.index(record.time_source) - 1
        self.out["year_source"][row] = YEAR_SOURCES.index(record.year_source) - 1
        self.out["node"][row] = self.names["node"].code(record.node)
        self.out["reason"][row] = self.reasons.code(record.reason)
        self.out["signature"][row] = self.names["signature"].code(record.signature)
        for name in VIEWS:
            value = getattr(record, name)
            if value is None:
                self.leaf.bits[name][row >> 3] &= ~(1 << (row & 7))
                continue
            if name in self.leaf.bits:
                self.leaf.bits[name][row >> 3] |= 1 << (row & 7)
            at = len(self.odd_texts)
            self.odd_texts += value.encode("utf-8", "backslashreplace")
            ops.put_view(self.out[name], 4 * row, self.odd_texts, at, len(self.odd_texts), ODD, at)

    def made(self) -> pa.RecordBatch:
        pa, schema, rows = self.pa, self.tables.schema(self.maker.clock), self.rows
        columns = {name: self._ints(schema.field(name).type, self.out[name]) for name in ("pid", "thread", "source_line")}
        columns |= {name: self._ints(pa.int64(), self.out[name]) for name in ("line", "offset")}
        columns["time"] = self._ints(schema.field("time").type, self.time)
        columns["local_time"] = self._local_times(columns["time"])
        for name, values in self.tables.fixed.items():
            columns[name] = self._coded(pa.int8(), name, values)
        for name, names in self.names.items():
            columns[name] = self._coded(pa.int32(), name, strings(names.values))
        columns["kind"] = self._coded(pa.int32(), "kind", self.tables.events)
        reasons = strings(self.reasons.values)
        if self.odd or self.leaf.has_reasons:
            columns["reason"] = self._coded(pa.int32(), "reason", reasons)
        else:
            columns["reason"] = pa.DictionaryArray.from_arrays(self.tables.nothing(pa.int32(), rows), reasons, safe=False)
        path = strings([self.block.path.encode("utf-8", "backslashreplace").decode()])
        codes = self.tables.nothing(pa.int32(), rows, given=True)
        columns["path"] = pa.DictionaryArray.from_arrays(codes, path, safe=False)
        columns |= self._texts()
        return pa.RecordBatch.from_arrays([columns[name] for name in COLUMNS], schema=schema)

    def _ints(self, type_: Any, column: Any) -> Any:
        bits = self.tables.leaves.Bits(self.rows).of(column, -1 if column.itemsize < 8 else NONE)
        return self.pa.Array.from_buffers(type_, self.rows, [bits and self.pa.py_buffer(bits), self.pa.py_buffer(column)])

    def _coded(self, type_: Any, name: str, values: Any) -> Any:
        return self.pa.DictionaryArray.from_arrays(self._ints(type_, self.out[name]), values, safe=False)

    def _local_times(self, time: Any) -> Any:
        """Local times where the year is not known: `10-16T09:50:55.056703`."""
        if not time.null_count:
            return self.tables.nothing(self.pa.string(), self.rows)
        from kubelog.ingest.calendar import local_text

        found: list[str | None] = []
        for row in range(self.rows):
            moment = self.block.since_year[row]
            known = self.time[row] != NONE or moment == NONE
            found.append(self.local[row] if row in self.local else None if known else local_text(moment))
        return strings(found)

    def _texts(self) -> dict[str, Any]:
        pa = self.pa
        buffers = [self.leaf.kept_texts(), self.leaf.signature_pool(), bytes(self.odd_texts)]
        shared = [pa.py_buffer(buffer) for buffer in buffers]
        columns = {}
        for name in VIEWS:
            bits = pa.py_buffer(self.leaf.bits[name]) if name in self.leaf.bits else None
            columns[name] = pa.Array.from_buffers(pa.string_view(), self.rows, [bits, pa.py_buffer(self.out[name]), *shared])
        return columns


def admitted(batch: pa.RecordBatch, where: Filter, block: Block, maker: RecordMaker) -> pa.RecordBatch:
    """The rows of a Block's table that a Filter admits."""
    import pyarrow.compute as pc

    pa = arrow()
    wanted = {"unit": where.unit, "kind": where.kind}
    masks = [_equal(batch.column(name), value) for name, value in wanted.items() if value is not None]
    if where.story is not None:
        masks.append(pa.array([where.is_about(maker.record(block, row)) for row in range(len(block))], pa.bool_()))
    if where.severity is not None:
        masks.append(pc.is_in(batch.column("severity").dictionary_decode(), pa.array(list(where.severity))))
    for limit, compare in ((where.since, pc.greater_equal), (where.until, pc.less_equal)):
        if limit is not None:
            time = batch.column("time")
            if time.type.tz is not None and limit.tzinfo is None:
                time = local(time)
            elif time.type.tz is None and limit.tzinfo is not None:
                limit = limit.replace(tzinfo=None)
            masks.append(compare(time, pa.scalar(limit, type=time.type)))
    if not masks:
        return batch
    whole = masks[0]
    for mask in masks[1:]:
        whole = pc.and_kleene(whole, mask)
    whole = pc.fill_null(whole, False)
    return pa.RecordBatch.from_arrays([_filtered(column, whole) for column in batch.columns], schema=batch.schema)


def local(times: Any) -> Any:
    """Aware times as local ones. Not every pyarrow knows the zones that are offsets."""
    import pyarrow.compute as pc

    pa = arrow()
    offset = OFFSET.fullmatch(times.type.tz)
    if not offset:
        return pc.local_timestamp(times)
    ahead = (int(offset[2]) * 60 + int(offset[3])) * 60_000_000
    shifted = pc.add(times.cast(pa.int64()), ahead if offset[1] == "+" else -ahead)
    return shifted.cast(pa.timestamp("us"))


def _equal(column: Any, wanted: str) -> Any:
    import pyarrow.compute as pc

    pa = arrow()
    try:
        wanted.encode()
    except UnicodeEncodeError:  # no text of a log is such a one
        return pa.nulls(len(column), pa.bool_())
    return pc.equal(column if pa.types.is_dictionary(column.type) else column.cast(pa.large_string()), wanted)


def _filtered(column: Any, mask: Any) -> Any:
    """The values where the mask says so. pyarrow filters no views: so they are filtered as the sixteen bytes that they are."""
    pa = arrow()
    if column.type != pa.string_view():
        return column.filter(mask)
    _, views, *texts = column.buffers()
    found = pa.Array.from_buffers(pa.binary(16), len(column), [None, views]).filter(mask)
    valid = column.is_valid().filter(mask).buffers()[1]
    return pa.Array.from_buffers(column.type, len(found), [valid, found.buffers()[1] or pa.py_buffer(b""), *texts])


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """A frame with pandas' own types that know missing values: Int64, str, category."""
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError("frames need pandas: pip install 'kubelog[table]'") from None
    pa = arrow()
    text = pd.StringDtype("pyarrow", na_value=float("nan"))
    kinds = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype(), pa.string(): text, pa.large_string(): text}
    kinds[pa.string_view()] = text
    frame: pd.DataFrame = table.unify_dictionaries().to_pandas(types_mapper=kinds.get)
    return frame


def to_polars(table: pa.Table) -> Any:
    try:
        import polars as pl
    except ImportError:
        raise MissingExtraError("this needs polars: pip install polars") from None
    return pl.from_arrow(table)
