"""Arrow batches → CSV, Parquet or an Arrow stream, as they come: memory does not grow with what is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final

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
    with _writer(schema, output, file) as write_batches:
        waiting: list[pa.RecordBatch] = []
        rows = 0
        try:
            for batch in batches:
                waiting.append(batch)
                rows += batch.num_rows
                if output == "arrow" or rows >= GROUP:
                    write_batches(waiting)
                    waiting, rows = [], 0
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
    import io

    import pyarrow as pa
    from pyarrow import csv

    shown = pa.schema([(field.name, pa.large_string() if _is_text(pa, field.type) else field.type) for field in schema])
    options = csv.WriteOptions(include_header=False, quoting_style="needed")
    file.write((",".join(schema.names) + "\n").encode())
    for batch in batches:
        plain = pa.RecordBatch.from_arrays([_plain(pa, column) for column in batch.columns], schema=shown)
        if on_terminal:
            buffer = io.BytesIO()
            csv.write_csv(plain, buffer, options)
            for line in buffer.getvalue().decode().split("\n")[:-1]:
                file.write(terminal(line).encode() + b"\n")
        else:
            csv.write_csv(plain, file, options)
        file.flush()


def _is_text(pa: Any, type_: Any) -> bool:
    return not pa.types.is_integer(type_)


def _plain(pa: Any, column: Any) -> Any:
    import pyarrow.compute as pc

    if pa.types.is_timestamp(column.type):
        column = pc.strftime(column, "%Y-%m-%dT%H:%M:%S" + ("%Ez" if column.type.tz else ""))
    elif pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column if pa.types.is_integer(column.type) else column.cast(pa.large_string())
