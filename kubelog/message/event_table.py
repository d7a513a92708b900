"""Blocks → Arrow: a row an event of one kind, its fields as typed columns. Needs the extra `table`."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from kubelog.grammar.compile import Table
from kubelog.ingest.block import NONE, Block, text
from kubelog.ingest.calendar import micros
from kubelog.ingest.clock import Clock
from kubelog.klog.values import CONVERT
from kubelog.message.decoder import Decoder
from kubelog.message.filter import Filter
from kubelog.message.layout import is_derived
from kubelog.message.record import RecordMaker, plain
from kubelog.message.table import Tables, arrow

if TYPE_CHECKING:
    import pyarrow as pa

    from kubelog.message.vocabulary import Event


def field_types(cls: type[Event]) -> dict[str, Any]:
    """The Arrow types of an event's fields: text, numbers, structures, lists; what may be anything is JSON text."""
    hints = typing.get_type_hints(cls)
    return {name: _type(hints[name]) for name in cls.__struct_fields__ if name != "seen"}


def _type(hint: Any) -> Any:
    pa = arrow()
    parts = [part for part in typing.get_args(hint) if part is not type(None)]
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return _type(parts[0]) if len(parts) == 1 else pa.float64() if set(parts) == {int, float} else pa.string()
    if typing.get_origin(hint) in (list, tuple):
        return pa.list_(_type(parts[0]))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        inner = typing.get_type_hints(hint)
        return pa.struct([(name, _type(inner[name])) for name in hint.__struct_fields__])
    plain_types = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), datetime: pa.timestamp("us")}
    return plain_types.get(hint, pa.string())


def _cell(type_: Any) -> Callable[[Any], Any] | None:
    """What makes a cell of a field's value that is not None; None: the value is one."""
    pa = arrow()
    if pa.types.is_string(type_):
        return lambda value: value if isinstance(value, str) else msgspec.json.encode(plain(value)).decode()
    if pa.types.is_list(type_):
        inner = _cell(type_.value_type)
        return None if inner is None else lambda value: [one if one is None else inner(one) for one in value]
    if pa.types.is_struct(type_):
        inside = [(field.name, _cell(field.type)) for field in type_]
        return lambda value: {name: _made(getattr(value, name), cell) for name, cell in inside}
    return micros if pa.types.is_timestamp(type_) else None


def _made(value: Any, cell: Callable[[Any], Any] | None) -> Any:
    return value if value is None or cell is None else cell(value)


class EventTables:
    """Makes Arrow tables of the events of one kind: time, node, unit, the kind's fields, path and line."""

    def __init__(self, tables: Tables, decoder: Decoder, table: Table, kind: str) -> None:
        pa = arrow()
        self.tables, self.decoder, self.fields = tables, decoder, field_types(decoder.classes[kind])
        self.cells = {name: _cell(type_) for name, type_ in self.fields.items()}
        self.wordings = [number for number, entry in enumerate(table.entries) if entry.event == kind]
        self.table = table
        self._known: dict[int, list[tuple[int, Callable[[bytes], Any], Any]]] = {}
        self.codes = pa.array(self.wordings, pa.int32())
        # Where values are fields as they are read, no Event is made of them.
        listed = any(table.entries[number].style == "line" for number in self.wordings)
        self.plainly = not listed and not is_derived(decoder.classes[kind])

    def schema(self, clock: Clock) -> pa.Schema:
        """The columns and their types."""
        pa, whole = arrow(), self.tables.schema(clock)
        fields = {name: whole.field(name).type for name in ("time", "node", "unit")} | self.fields
        fields |= {name: whole.field(name).type for name in ("path", "line")}
        return pa.schema(list(fields.items()))

    def batch(self, block: Block, maker: RecordMaker, where: Filter) -> pa.RecordBatch:
        """The events of a Block."""
        pa = arrow()
        rows = self._rows(block)
        if where:
            rows = [row for row in rows if where.admits(maker.record(block, row))]
        columns = self._read(block, maker, rows) if self.plainly else self._made(block, maker, rows)
        schema = self.schema(maker.clock)
        return pa.RecordBatch.from_arrays([_array(columns[field.name], field.type) for field in schema], schema=schema)

    def _rows(self, block: Block) -> list[int]:
        import pyarrow.compute as pc

        pa = arrow()
        kinds = pa.Array.from_buffers(pa.int32(), len(block), [None, pa.py_buffer(block.kind)])
        found: list[int] = pc.indices_nonzero(pc.is_in(kinds, value_set=self.codes)).to_pylist()
        return found

    def _read(self, block: Block, maker: RecordMaker, rows: list[int]) -> dict[str, list[Any]]:
        """The columns, from the field spans."""
        columns: dict[str, list[Any]] = {name: [] for name in ("time", "node", "unit", *self.fields, "path", "line")}
        own = [(columns[name], cell) for name, cell in self.cells.items()]
        node, unit = {-1: maker.node}, {-1: None}
        for row in rows:
            line, time = block.first[row], block.time[row]
            process = block.process[line]
            if process not in node:
                node[process], unit[process] = block.node(line) or maker.node, block.unit(line)
            columns["time"].append(None if time == NONE else time)
            if "node" not in self.fields:
                columns["node"].append(node[process])
            if "unit" not in self.fields:
                columns["unit"].append(unit[process])
            columns["line"].append(block.line + line)
            readers = self._readers(block.kind[row])
            b, p, _, _ = block.body(row)
            at = 2 * block.span_first[row]
            for (column, cell), (place, convert, constant) in zip(own, readers, strict=True):
                value = constant
                if place >= 0 and block.spans[at + place] >= 0:
                    try:
                        value = convert(b[p + block.spans[at + place] : p + block.spans[at + place + 1]])
                    except (ValueError, RecursionError):
                        value = constant
                column.append(value if cell is None or value is None else cell(value))
        if "path" not in self.fields:
            columns["path"] = [block.path] * len(rows)
        return columns

    def _readers(self, number: int) -> list[tuple[int, Callable[[bytes], Any], Any]]:
        """How each field of a wording is read: the place of its span (-1: it has none), its conversion, and its constant."""
        found = self._known.get(number)
        if found is None:
            entry, types = self.table.entries[number], self.decoder.types_of(number)
            # As in an Event: a constant goes before a hole, a later hole before an earlier one.
            place = {name: i for i, (name, _) in enumerate(entry.holes) if name not in entry.constants}
            found = self._known[number] = [
                (2 * place[name], CONVERT[types[place[name]]], None)
                if name in place
                else (-1, CONVERT["text"], entry.constants.get(name))
                for name in self.fields
            ]
        return found

    def _made(self, block: Block, maker: RecordMaker, rows: list[int]) -> dict[str, list[Any]]:
        """The columns, from Events."""
        events = [made[0] for made in (maker.event(block, row) for row in rows) if made is not None]
        columns = {name: [getattr(one.seen, name) for one in events] for name in ("node", "unit", "path", "line")}
        columns["time"] = [None if one.seen.time is None else micros(one.seen.time) for one in events]
        for name, cell in self.cells.items():
            columns[name] = [_made(getattr(one, name), cell) for one in events]
        return columns


def _array(values: list[Any], type_: Any) -> Any:
    pa = arrow()
    if pa.types.is_timestamp(type_):
        return pa.array(values, pa.int64()).cast(type_)
    if pa.types.is_dictionary(type_):
        shown = [value if value is None else text(value.encode("utf-8", "backslashreplace")) for value in values]
        return pa.array(shown, pa.string()).dictionary_encode().cast(type_)
    return pa.array(values, type_)
