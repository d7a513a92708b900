"""polars: a column of lines, split at fixed texts (three times as quick as one expression with groups); the rows are parted by the
first bytes of their message, and each kind's fields taken by one expression.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.build import Unavailable
from benchmarks.engines import KLOG, Reading
from benchmarks.messages import Message, known, load

JOB = "header, kinds, fields as frames"
FIRST = 6  # bytes of a message that part the rows: no leading literal is shorter


def prepare() -> tuple[Any, dict[str, list[Message]]]:
    try:
        import polars
    except ImportError:
        raise Unavailable("polars is not installed") from None
    choice: dict[str, list[Message]] = {}
    for message in known(load()):
        choice.setdefault(message.lead[:FIRST], []).append(message)
    return polars, choice


def read(state: tuple[Any, dict[str, list[Message]]], path: Path) -> Reading:
    pl, choice = state
    lines = pl.read_csv(path, has_header=False, separator="\x01", quote_char=None, new_columns=["text"], schema={"text": pl.String})
    heads = _heads(pl, lines)
    text = pl.col("message")
    found: list[tuple[Message, Any]] = []
    parts = heads.select("message", text.str.slice(0, FIRST).alias("first")).partition_by("first", as_dict=True, include_key=False)
    for (first,), rows in parts.items():
        for message in choice.get(first, ()):
            wanted = rows.filter(text.str.starts_with(message.lead)) if len(choice[first]) > 1 else rows
            groups = message.regex if message.fields else f"({message.regex})"
            found.append((message, wanted.select(text.str.extract_groups(groups).alias("found")).unnest("found").drop_nulls()))

    def fields() -> Iterator[tuple[str, Iterable[bytes | None]]]:
        for message, frame in found:
            for row in frame.iter_rows():
                yield message.kind or "", [value.encode() for value in row[: len(message.fields)]]

    return Reading({message.kind or "": len(frame) for message, frame in found}, {"headers": len(heads)}, fields)


def _heads(pl: Any, lines: Any) -> Any:
    """A column a part of the prefix and the header."""

    def split(frame: Any, column: str, at: str, *names: str) -> Any:
        return frame.with_columns(pl.col(column).str.splitn(at, 2).struct.rename_fields(names).alias("_")).drop(column).unnest("_")

    frame = split(split(lines, "text", "]: ", "prefix", "rest"), "rest", "] ", "head", "message")
    frame = frame.filter(pl.col("message").is_not_null() & pl.col("head").str.contains(KLOG))
    prefix, head = pl.col("prefix").str, pl.col("head").str
    frame = frame.select(
        "message", prefix.slice(0, 15).alias("stamp"), prefix.slice(16).alias("process"), head.slice(0, 1).alias("severity"),
        head.slice(1, 20).alias("klog_stamp"), head.slice(21).str.strip_chars_start(" ").alias("place"),
    )  # fmt: skip
    frame = split(split(frame, "process", " ", "node", "program"), "program", "[", "unit", "pid")
    return split(split(frame, "place", " ", "thread", "site"), "site", ":", "file", "line")
