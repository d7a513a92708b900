"""Python's `re`: one expression for the prefix and header, then those whose leading literal begins as the message does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.engines import HEADER, PREFIX, Reading
from benchmarks.messages import known, load

JOB = "header, kinds, fields as lists"
FIRST = 6  # bytes of a message that choose which expressions are tried: no leading literal is shorter


def prepare() -> tuple[re.Pattern[bytes], dict[bytes, list[tuple[str, re.Pattern[bytes]]]]]:
    choice: dict[bytes, list[tuple[str, re.Pattern[bytes]]]] = {}
    for message in known(load()):
        pattern = re.compile(message.regex.encode(), re.DOTALL)
        choice.setdefault(message.lead.encode()[:FIRST], []).append((message.kind or "", pattern))
    return re.compile((PREFIX + HEADER).encode()), choice


def read(state: tuple[re.Pattern[bytes], dict[bytes, list[tuple[str, re.Pattern[bytes]]]]], path: Path) -> Reading:
    header, choice = state
    heads, kinds = [], {}
    with path.open("rb") as file:
        for line in file:
            head = header.match(line)
            if head is None:
                continue
            heads.append(head.groups())
            message = line[head.end() : -1]
            for kind, pattern in choice.get(message[:FIRST], ()):
                found = pattern.match(message)
                if found:
                    kinds.setdefault(kind, []).append(found.groups())
                    break

    def fields() -> Iterator[tuple[str, Iterable[bytes | None]]]:
        for kind, rows in kinds.items():
            for row in rows:
                yield kind, row

    return Reading({kind: len(rows) for kind, rows in kinds.items()}, {"headers": len(heads)}, fields)
