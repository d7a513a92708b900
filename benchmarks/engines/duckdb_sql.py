"""duckdb: a column of lines, split at fixed texts (twice as quick as one expression with groups); each kind's rows by leading
literal, its fields by one expression.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.build import Unavailable
from benchmarks.engines import KLOG, Reading
from benchmarks.messages import Message, known, load

JOB = "header, kinds, fields as tables"
HEADS = """
CREATE TEMP TABLE heads AS
SELECT prefix[:15] AS stamp, split_part(process, ' ', 1) AS node, split_part(split_part(process, ' ', 2), '[', 1) AS unit,
       split_part(process, '[', 2) AS pid, head[1] AS severity, head[2:21] AS klog_stamp, split_part(place, ' ', 1) AS thread,
       split_part(split_part(place, ' ', 2), ':', 1) AS file, split_part(place, ':', 2) AS line, message
FROM (SELECT prefix, prefix[17:] AS process, head, ltrim(head[22:], ' ') AS place, message
      FROM (SELECT prefix, rest[:strpos(rest, '] ') - 1] AS head, rest[strpos(rest, '] ') + 2:] AS message
            FROM (SELECT text[:strpos(text, ']: ') - 1] AS prefix, text[strpos(text, ']: ') + 3:] AS rest
                  FROM read_csv({path}, header = false, columns = {{'text': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '',
                                auto_detect = false, max_line_size = 2097152)))
      WHERE regexp_matches(head, {klog}))
"""


def prepare() -> tuple[Any, list[Message]]:
    try:
        import duckdb
    except ImportError:
        raise Unavailable("duckdb is not installed") from None
    return duckdb, known(load())


def read(state: tuple[Any, list[Message]], path: Path) -> Reading:
    duckdb, messages = state
    base = duckdb.connect()
    base.execute("SET threads = 1")
    base.execute("SET preserve_insertion_order = false")
    base.execute(HEADS.format(path=_text(str(path)), klog=_text(KLOG)))
    for message in messages:
        wanted = f"starts_with(message, {_text(message.lead)}) AND regexp_matches(message, {_text(message.regex)})"
        found = f"regexp_extract(message, {_text(message.regex)}, {_list(message.fields)})" if message.fields else "{'none': ''}"
        base.execute(f"CREATE TEMP TABLE {message.kind} AS SELECT found.* FROM (SELECT {found} AS found FROM heads WHERE {wanted})")
    kinds = {message.kind or "": _count(base, message.kind) for message in messages}

    def fields() -> Iterator[tuple[str, Iterable[bytes | None]]]:
        for message in messages:
            if message.fields:
                for row in base.execute(f"SELECT * FROM {message.kind}").fetchall():
                    yield message.kind or "", [value.encode() for value in row]

    return Reading(kinds, {"headers": _count(base, "heads")}, fields)


def _count(base: Any, name: str | None) -> int:
    count: int = base.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
    return count


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _list(names: Iterable[str]) -> str:
    return "[" + ", ".join(_text(name) for name in names) + "]"
