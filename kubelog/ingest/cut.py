"""Lines that journalctl cut short: with --no-full, or on a terminal, it puts `…` where the rest was. Messages that it does not
tell: `[19B blob data]` in the short modes, `null` as JSON.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from kubelog.ingest.block import MESSAGE_LOST, Block

_MARK: Final = "…".encode()
# journalctl puts it behind nine tenths of what it shows; no terminal is wider.
_WIDEST: Final = 1000


def cut_rows(block: Block) -> list[int]:
    """The records of a Block whose first line journalctl cut short, or did not tell, in order."""
    found = _cut(block)
    lost = memoryview(block.reason)[: block.rows].tobytes()
    at = lost.find(MESSAGE_LOST)
    while at >= 0:
        found.append(at)
        at = lost.find(MESSAGE_LOST, at + 1)
    return sorted(set(found))


def _cut(block: Block) -> list[int]:
    data, found, stop = block.data, [], block.at[block.member_first[block.rows]]
    at = _found(data, 0, stop)
    while at >= 0:
        start = data.rfind(b"\n", 0, at) + 1
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        line = data[start:end] if end - start <= 4 * _WIDEST else b""
        # A line of the journal begins with a month or a year and names a program, which ends with a colon.
        if line[:1].isalnum() and b": " in line[: at - start] and 10 * (at - start) >= 8 * len(line):
            number = bisect_left(block.at, start, 0, block.lines)
            row = bisect_left(block.first, number, 0, block.rows)
            if row < block.rows and block.first[row] == number and len(line.decode(errors="replace")) <= _WIDEST:
                found.append(row)
        at = _found(data, end, stop)
    return found


def _found(data: bytes, at: int, stop: int) -> int:
    """Where the mark stands next, or -1: one byte is found many times as fast as three."""
    at = data.find(_MARK[:1], at, stop)
    while at >= 0 and not data.startswith(_MARK, at, stop):
        at = data.find(_MARK[:1], at + 1, stop)
    return at
