"""files that belong together → the year in which each of them begins, as far as they say it.

klog writes no year. One line that says it tells those of all others, since a year changes where the dates jump back; the age of the
last file is the year of its last line. What is large is looked at in places: nobody is silent for a year within half a megabyte.
Of what is compressed or stands in an archive only the beginning is looked at.
"""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from kubelog.errors import InputError
from kubelog.ingest.block import NONE, WITH_YEAR, Block
from kubelog.ingest.calendar import DAY, DAYS_BEFORE, in_year, micros
from kubelog.ingest.clock import AHEAD, BACK, is_unset, moment_of
from kubelog.ingest.inputs.sources import Source

_WHOLE: Final = 1 << 20  # what is smaller is looked at as a whole
_STEP: Final = 1 << 19
_SAMPLE: Final = 1 << 13
_BEGINNING: Final = 1 << 18
_MONTH_US: Final = 31 * DAY
_LEAP_DAY: Final = 59  # 29 February, counted from 0
_HEAD: Final = re.compile(rb"Log file created at: (\d{4})/(\d\d)/(\d\d) ")
# A date, its year if it says one; and of which file it is.
Date = tuple[int, int | None, int]


Year = tuple[int, int, bool] | None


def years(siblings: Sequence[Source], lines: Callable[[Block], None], months: Callable[[bytes], int]) -> list[Year]:
    """Of each file of a log, the year and moment of its first date, and whether a line says that year, not the age; None where
    the file goes on with the clock of the one before it, or its own age has to do.
    """
    plain = [one.file for one in siblings if one.file is not None]
    if len(plain) < len(siblings):
        looked: list[list[bytes]] = []
        for one in siblings:
            looked.append(_beginning(one))
            if first_years(looked[-1:], None, lines, months)[0] is not None:
                # How far what is behind a beginning goes is not known: the clock itself goes on from here.
                return first_years(looked, None, lines, months) + [None] * (len(siblings) - len(looked))
    found = iter(first_years([samples(path) for path in plain], siblings[-1].aged, lines, months) if plain else ())
    return [next(found) if one.file is not None else None for one in siblings]


def _beginning(source: Source) -> list[bytes]:
    if source.file is not None:
        return samples(source.file)
    if not source.again:
        return [source.head] if source.head else []
    try:
        return [next(source.read(size=_BEGINNING), b"")]
    except InputError:
        return []  # told when it is read


def samples(path: Path) -> list[bytes]:
    """What is looked at of a file: whole lines, but for the first and last of a piece."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _WHOLE:
            return [file.read()]
        found = []
        for at in (*range(0, size - _SAMPLE, _STEP), size - _SAMPLE):
            file.seek(at)
            found.append(file.read(_SAMPLE))
        return found


def first_years(
    files: Sequence[Sequence[bytes]], aged: datetime | None, lines: Callable[[Block], None], months: Callable[[bytes], int]
) -> list[Year]:
    """Of each file, in their order, the year and moment of its first date, and whether a line says that year, not the age."""
    dates: list[Date] = []
    for number, pieces in enumerate(files):
        for piece in pieces:
            dates += _dates(piece, number, lines, months)
    turns, turned, last, unset = [], 0, None, None
    for moment, _, _ in dates:
        if last is not None and moment > last + AHEAD:
            turns.append(turned - 1)  # a late line of the old year
            continue
        if last is not None and moment < last - BACK and is_unset(moment, last, unset):
            unset = moment
            turns.append(turned)
            continue
        turned += last is not None and moment < last - BACK
        last = moment
        turns.append(turned)
    said = [(year - turn, True) for (_, year, _), turn in zip(dates, turns, strict=True) if year is not None]
    if not said and dates and aged is not None:
        year = aged.year
        moment, age = dates[-1][0], micros(aged)
        if in_year(moment, year) > age + _MONTH_US:
            year -= 1
        elif in_year(moment, year + 1) <= age + DAY:
            year += 1
        year -= turns[-1]
        # A file that was copied is younger than its lines: 29 February is of a leap year.
        leaps = {turn for (moment, _, _), turn in zip(dates, turns, strict=True) if moment // DAY == _LEAP_DAY}
        said = [(next((y for y in range(year, year - 8, -1) if all(isleap(y + turn) for turn in leaps)), year), False)]
    found: list[Year] = [None] * len(files)
    for (moment, _, number), turn in zip(dates, turns, strict=True):
        if said and found[number] is None:
            found[number] = said[0][0] + turn, moment, said[0][1]
    return found


def _dates(piece: bytes, number: int, lines: Callable[[Block], None], months: Callable[[bytes], int]) -> list[Date]:
    head = _HEAD.match(piece)
    found: list[Date] = []
    if head and 1 <= int(head[2]) <= 12 and 1 <= int(head[3]) <= 31:
        found.append(((DAYS_BEFORE[int(head[2]) - 1] + int(head[3]) - 1) * DAY, int(head[1]), number))
    block = Block(piece)
    lines(block)
    names = [months(name) for name in block.months.values(piece)]
    for line in range(block.lines):
        month, moment = block.month[line], block.moment[line]
        if month == WITH_YEAR:
            year = _year_of(block.stamp[line])
            if year > 1970:
                found.append((moment_of(block.stamp[line]), year, number))
        elif month >= 0 and names[month]:
            found.append((DAYS_BEFORE[names[month] - 1] * DAY + block.stamp[line], None, number))
        elif moment != NONE:
            found.append((moment, None, number))
    return found


def _year_of(local: int) -> int:
    year = 1970 + local // (365 * DAY + DAY // 4)
    return year - (in_year(0, year) > local) + (in_year(0, year + 1) <= local)
