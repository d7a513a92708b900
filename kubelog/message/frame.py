"""Records → pandas: a row a record, a column a field. Needs the extra `table`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kubelog.message.record import Record, plain
from kubelog.message.vocabulary import Event

if TYPE_CHECKING:
    import pandas as pd

_LEFT_OUT = ("event", "pairs", "origin", "raw")


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError:
        raise ImportError("tables need pandas: pip install 'kubelog[table]'") from None
    return pd


def records_frame(records: Iterable[Record]) -> pd.DataFrame:
    """The columns of `parse -o jsonl` but fields and pairs; `path`, `line` and `offset` for the origin."""
    pandas = _pandas()
    names = [name for name in Record.__struct_fields__ if name not in _LEFT_OUT]
    columns: dict[str, list[Any]] = {name: [] for name in (*names, "path", "line", "offset")}
    for record in records:
        for name in names:
            columns[name].append(getattr(record, name))
        columns["path"].append(record.origin.path)
        columns["line"].append(record.origin.line)
        columns["offset"].append(record.origin.spans[0][0])
    integers = {"pid", "thread", "source_line", "line", "offset"}
    series = {name: pandas.array(values, dtype="Int64") if name in integers else values for name, values in columns.items()}
    frame: pd.DataFrame = pandas.DataFrame(series, columns=list(columns))
    frame["time"] = pandas.to_datetime(frame["time"])
    return frame


def events_frame(events: Iterable[Event], cls: type[Event]) -> pd.DataFrame:
    """time, node, unit, path, line and the fields of one kind; structures as plain data."""
    pandas = _pandas()
    fields = [name for name in cls.__struct_fields__ if name != "seen"]
    rows = []
    for event in events:
        seen = event.seen
        row = {"time": seen.time, "node": seen.node, "unit": seen.unit, "path": seen.path, "line": seen.line}
        rows.append(row | {name: _cell(getattr(event, name)) for name in fields})
    names = list(dict.fromkeys(["time", "node", "unit", *fields, "path", "line"]))
    frame: pd.DataFrame = pandas.DataFrame(rows, columns=names)
    frame["time"] = pandas.to_datetime(frame["time"])
    return frame


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float | str) else plain(value)
