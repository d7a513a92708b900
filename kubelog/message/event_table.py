"""Blocks → Arrow: a row an event of one kind, its fields as typed columns. Needs the extra `table`."""

from __future__ import annotations

import types
import typing
from array import array
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from kubelog.grammar.compile import Table
from kubelog.ingest.block import NONE, Block, text
from kubelog.ingest.calendar import micros
from kubelog.ingest.clock import Clock
from kubelog.ingest.columns import zeros
from kubelog.message.decoder import Decoder, conversion
from kubelog.message.filter import Filter
from kubelog.message.layout import OTHER, READS, is_derived
from kubelog.message.record import RecordMaker, plain
from kubelog.message.table import Tables, arrow, strings

if TYPE_CHECKING:
    import pyarrow as pa

    from kubelog.message.vocabulary.event import Event


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


def _cell(type_: Any, hint: Any = str) -> Callable[[Any], Any] | None:
    """What makes a cell of a field's value that is not None; None: the value is one."""
    pa = arrow()
    if pa.types.is_string(type_):
        return None if hint in (str, str | None) else lambda value: msgspec.json.encode(plain(value)).decode()
    if pa.types.is_list(type_):
        inner = _cell(type_.value_type)
        return None if inner is None else lambda value: [one if one is None else inner(one) for one in value]
    if pa.types.is_struct(type_):
        inside = [(field.name, _cell(field.type)) for field in type_]
        return lambda value: {name: _made(getattr(value, name), cell) for name, cell in inside}
    if pa.types.is_floating(type_):
        return float  # pyarrow refuses an integer that is no float exactly
    return micros if pa.types.is_timestamp(type_) else None


def _made(value: Any, cell: Callable[[Any], Any] | None) -> Any:
    return value if value is None or cell is None else cell(value)


class EventTables:
    """Makes Arrow tables of the events of one kind: time, node, unit, the kind's fields, path and line."""

    def __init__(self, tables: Tables, decoder: Decoder, table: Table, kind: str) -> None:
        self.tables, self.decoder, self.fields = tables, decoder, field_types(decoder.classes[kind])
        hints = typing.get_type_hints(decoder.classes[kind])
        self.cells = {name: _cell(type_, hints[name]) for name, type_ in self.fields.items()}
        self.wordings = [number for number, entry in enumerate(table.entries) if entry.event == kind]
        self.table = table
        self._schemas: dict[Any, Any] = {}
        self._known: dict[int, list[tuple[int, Callable[[bytes], Any], Any]]] = {}
        self.wanted = array("b", [entry.event == kind for entry in table.entries])
        # How the leaf reads each field; -1: it does not. And its hole in each wording; -1: it has none.
        self.checks, self.holes = array("b"), array("i", [-1]) * (len(table.entries) * len(self.fields))
        # Where values are fields as they are read, no Event is made of them.
        listed = any(table.entries[number].style == "line" for number in self.wordings)
        self.plainly = not listed and not is_derived(decoder.classes[kind])
        if self.plainly:
            self._plan()

    def _plan(self) -> None:
        """Fill `checks` and `holes`: the leaf reads a field that all wordings write alike, in a way that it knows."""
        for number in range(len(self.fields)):
            found = set()
            for wording in self.wordings:
                place, _, constant = self._readers(wording)[number]
                if place >= 0:
                    found.add(READS.get(self.decoder.types_of(wording)[place // 2], -1))
                elif constant is not None:
                    found.add(-1)
                self.holes[wording * len(self.fields) + number] = place // 2
            self.checks.append(found.pop() if len(found) == 1 else -1)

    def schema(self, clock: Clock) -> pa.Schema:
        """The columns and their types."""
        whole = self.tables.schema(clock)
        if whole not in self._schemas:
            self._schemas[whole] = self._schema(whole)
        return self._schemas[whole]

    def _schema(self, whole: Any) -> Any:
        pa = arrow()
        # Whatever is a time is aware where that of the line is.
        own = {name: whole.field("time").type if pa.types.is_timestamp(type_) else type_ for name, type_ in self.fields.items()}
        fields = {name: whole.field(name).type for name in ("time", "node", "unit")} | own
        fields |= {name: whole.field(name).type for name in ("path", "line") if name not in self.fields}
        return pa.schema(list(fields.items()))

    def batch(self, block: Block, maker: RecordMaker, where: Filter) -> pa.RecordBatch:
        """The events of a Block."""
        pa, leaf = arrow(), self.tables.leaves.FieldReader(block, self.wanted, self.checks, self.holes)
        if where:
            leaf.choose([row for row in leaf.found if where.admits(maker.record(block, row))])
        columns = self._read(block, maker, leaf) if self.plainly else self._made(block, maker, leaf.found)
        schema = self.schema(maker.clock)
        return pa.RecordBatch.from_arrays([_array(columns[field.name], field.type) for field in schema], schema=schema)

    def _read(self, block: Block, maker: RecordMaker, leaf: Any) -> dict[str, Any]:
        """The columns, from the field spans."""
        leaf.read()
        columns: dict[str, Any] = self._places(block, maker, leaf)
        for number, (name, type_) in enumerate(self.fields.items()):
            if self.checks[number] < 0:
                columns[name] = self._converted(block, leaf.found, number)
            else:
                columns[name] = self._column(block, leaf, number, type_)
        return columns

    def _places(self, block: Block, maker: RecordMaker, leaf: Any) -> dict[str, Any]:
        """When and where the rows were said."""
        pa, n, leaves = arrow(), leaf.n, self.tables.leaves
        times, lines, nodes, units = leaf.where
        bits = _buffer(leaves.Bits(n).of(times, NONE))
        names = [text(value) for value in block.nodes.values(block.data)]
        if maker.node is not None:
            names += [] if maker.node in names else [maker.node]
            nodes = array("i", [names.index(maker.node) if node < 0 else node for node in nodes])
        return {
            "time": pa.Array.from_buffers(pa.int64(), n, [bits, pa.py_buffer(times)]),
            "node": _coded(leaves, nodes, names),
            "unit": _coded(leaves, units, [text(value) for value in block.units.values(block.data)]),
            "path": _coded(leaves, zeros("i", n), [block.path]),
            "line": pa.Array.from_buffers(pa.int64(), n, [None, pa.py_buffer(lines)]),
        }  # fmt: skip

    def _column(self, block: Block, leaf: Any, number: int, type_: Any) -> Any:
        """A field's column as the leaf filled it; values of another form are converted one by one."""
        pa, n = arrow(), leaf.n
        integers, floats, given, ends = (memoryview(column) for column in leaf.out)
        at = number * n
        there = array("b", given[at : at + n])
        others = [i for i in range(n) if there[i] == OTHER] if leaf.has_others else []
        values = [self._value(block, leaf.found[i], number) for i in others]
        if pa.types.is_string(type_):
            ends = ends[at + number : at + number + n + 1]
            if others:
                texts = [leaf.texts[ends[i] : ends[i + 1]].decode() if there[i] else None for i in range(n)]
                for i, value in zip(others, values, strict=True):
                    texts[i] = value
                return strings(texts)
            bits = _buffer(self.tables.leaves.Bits(n).of(there, 0))
            return pa.Array.from_buffers(type_, n, [bits, pa.py_buffer(ends), pa.py_buffer(leaf.texts)])
        column = floats[at : at + n] if pa.types.is_floating(type_) else integers[at : at + n]
        for i, value in zip(others, values, strict=True):
            there[i] = value is not None
            column[i] = 0 if value is None else value
        bits = _buffer(self.tables.leaves.Bits(n).of(there, 0))
        whole = pa.Array.from_buffers(type_ if pa.types.is_floating(type_) else pa.int64(), n, [bits, pa.py_buffer(column)])
        return whole if whole.type == type_ else whole.cast(type_)

    def _converted(self, block: Block, rows: Sequence[int], number: int) -> list[Any]:
        """A field's values, converted one by one; each text once."""
        name = list(self.fields)[number]
        cell = self.cells[name]
        known: dict[Any, Any] = {}
        found = []
        for row in rows:
            place, convert, constant = self._readers(block.kind[row])[number]
            at = 2 * block.span_first[row] + place
            raw = constant
            if place >= 0 and block.spans[at] >= 0:
                b, p, _, _ = block.body(row)
                raw = b[p + block.spans[at] : p + block.spans[at + 1]]
                if raw not in known:
                    known[raw] = _made(_tried(convert, raw), cell)
                raw = known[raw]
            else:
                raw = _made(constant, cell)
            found.append(raw)
        return found

    def _value(self, block: Block, row: int, number: int) -> Any:
        place, convert, constant = self._readers(block.kind[row])[number]
        at = 2 * block.span_first[row] + place
        if place < 0 or block.spans[at] < 0:
            return constant
        b, p, _, _ = block.body(row)
        return _tried(convert, b[p + block.spans[at] : p + block.spans[at + 1]])

    def _readers(self, number: int) -> list[tuple[int, Callable[[bytes], Any], Any]]:
        """How each field of a wording is read: the place of its span (-1: it has none), its conversion, and its constant."""
        found = self._known.get(number)
        if found is None:
            entry, types = self.table.entries[number], self.decoder.types_of(number)
            # As in an Event: a constant goes before a hole, a later hole before an earlier one.
            place = {name: i for i, (name, _) in enumerate(entry.holes) if name not in entry.constants}
            found = self._known[number] = [
                (2 * place[name], conversion(types[place[name]], entry.style), None)
                if name in place
                else (-1, conversion("text", entry.style), entry.constants.get(name))
                for name in self.fields
            ]
        return found

    def _made(self, block: Block, maker: RecordMaker, rows: Sequence[int]) -> dict[str, list[Any]]:
        """The columns, from Events."""
        events = [made[0] for made in (maker.event(block, row) for row in rows) if made is not None]
        columns = {name: [getattr(one.seen, name) for one in events] for name in ("node", "unit", "path", "line")}
        columns["time"] = [None if one.seen.time is None else micros(one.seen.time) for one in events]
        for name, cell in self.cells.items():
            columns[name] = [_made(getattr(one, name), cell) for one in events]
        return columns


def _tried(convert: Callable[[bytes], Any], value: bytes) -> Any:
    try:
        return convert(value)
    except (ValueError, RecursionError):
        return None


def _buffer(bits: bytearray | None) -> Any:
    return None if bits is None else arrow().py_buffer(bits)


def _coded(leaves: Any, codes: array[int], names: list[str]) -> Any:
    """A dictionary column; code -1: no value."""
    pa = arrow()
    bits = _buffer(leaves.Bits(len(codes)).of(codes, -1))
    codes = pa.Array.from_buffers(pa.int32(), len(codes), [bits, pa.py_buffer(codes)])
    return pa.DictionaryArray.from_arrays(codes, strings(names), safe=False)


def _array(values: Any, type_: Any) -> Any:
    pa = arrow()
    if not isinstance(values, list):
        return values.cast(type_) if pa.types.is_timestamp(type_) else values
    if pa.types.is_timestamp(type_):
        return pa.array(values, pa.int64()).cast(type_)
    if pa.types.is_dictionary(type_):
        shown = [value if value is None else text(value.encode("utf-8", "backslashreplace")) for value in values]
        return pa.array(shown, pa.string()).dictionary_encode().cast(type_)
    return pa.array(values, type_)
