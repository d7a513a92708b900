"""Arrow batches → CSV, Parquet or an Arrow stream, as they come: memory does not grow with what is written."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from kubelog.message.table import OFFSET, cast, copied, local
from kubelog.view.escape import terminal

if TYPE_CHECKING:
    import pyarrow as pa

# Rows of a Parquet row group.
GROUP: Final = 1 << 16


def write(batches: Iterable[pa.RecordBatch], schema: pa.Schema, output: str, file: BinaryIO, on_terminal: bool) -> None:
    """Write all batches in a format: csv, parquet or arrow (the IPC stream). What came before an error is complete."""
    if output == "csv":
        _csv(batches, schema, file, on_terminal)
        return
    schema = copied(schema)
    with _writer(schema, output, file) as write_batches:
        waiting: list[pa.RecordBatch] = []
        rows = 0
        try:
            for batch in batches:
                waiting.append(cast(batch, schema))
                rows += batch.num_rows
                if output == "arrow" or rows >= GROUP:
                    written, waiting, rows = waiting, [], 0
                    write_batches(written)
        finally:
            if waiting:
                write_batches(waiting)


@contextmanager
def _writer(schema: pa.Schema, output: str, file: BinaryIO) -> Iterator[Any]:
    import pyarrow as pa

    if output == "arrow":
        with pa.ipc.new_stream(file, schema) as stream:
            yield lambda batches: [stream.write_batch(batch) for batch in batches]
        return
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, schema, compression="zstd") as parquet:
        yield lambda batches: parquet.write_table(pa.Table.from_batches(batches, schema), row_group_size=2 * GROUP)


def _csv(batches: Iterable[pa.RecordBatch], schema: pa.Schema, file: BinaryIO, on_terminal: bool) -> None:
    """RFC 4180, with a head; times as in JSON lines, nothing where there is no value."""
    import pyarrow as pa
    from pyarrow import csv

    shown = pa.schema([(field.name, field.type if pa.types.is_integer(field.type) else pa.large_string()) for field in schema])
    options = csv.WriteOptions(include_header=False, quoting_style="needed")
    file.write((",".join(schema.names) + "\n").encode())
    file.flush()
    for batch in batches:
        columns = [_plain(column) for column in batch.columns]
        if on_terminal:
            columns = [_escaped(column) for column in columns]
        buffer = io.BytesIO()
        csv.write_csv(pa.RecordBatch.from_arrays(columns, schema=shown), buffer, options)
        file.write(buffer.getbuffer())
        file.flush()


def _plain(column: Any) -> Any:
    """A column as CSV has it: of numbers or of texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(column.type):
        return column
    zone = column.type.tz if pa.types.is_timestamp(column.type) else None
    if pa.types.is_timestamp(column.type):
        text = pc.strftime(local(column) if zone else column, "%Y-%m-%dT%H:%M:%S")
        if zone:
            ahead = pa.scalar(zone) if OFFSET.fullmatch(zone) else pc.strftime(column, "%Ez")
            text = pc.binary_join_element_wise(text, ahead, "")
        column = text
    elif pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.large_string())


def _escaped(column: Any) -> Any:
    """What acts on a terminal is shown, so that a record is a line."""
    import pyarrow as pa

    if pa.types.is_integer(column.type):
        return column
    return pa.array([None if value is None else terminal(value) for value in column.to_pylist()], column.type)
