"""stamps without a year → times.

klog writes no year and no zone. The year comes, in this order, from the argument, from the neighbour (the line before),
from the reference that the caller gives: a file's age, or what `now=` says. Nothing here reads the wall clock.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from kubelog.errors import UsageError
from kubelog.grammar.compile import Table
from kubelog.ingest.block import NONE, Block

# Days before each month in a leap year: stamps without a year count in that calendar.
DAYS_BEFORE: Final = (0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366)
DAY: Final = 86_400_000_000
TIME_SOURCES: Final = (None, "klog", "envelope", "table")
KLOG, ENVELOPE, TABLE = 1, 2, 3
YEAR_SOURCES: Final = (None, "envelope", "argument", "neighbour", "file", "clock")
ARGUMENT, FILE, CLOCK = 2, 4, 5
_EPOCH = datetime(1970, 1, 1)  # naive on purpose: local µs
# A stamp that lies further back than this has crossed New Year; one further ahead is a late line of the old year.
BACK: Final = 180 * DAY
AHEAD: Final = 330 * DAY


class Clock:
    """Gives the records of one input their times; keeps the year from line to line."""

    def __init__(
        self,
        table: Table,
        *,
        year: int | None = None,
        tz: str | None = None,
        reference: datetime | None = None,
        source: int = CLOCK,
    ) -> None:
        if year is not None and not 1970 <= year <= 9998:
            raise UsageError(f"expected a year from 1970 to 9998, found {year}")
        self.months = dict(table.months)
        self.zone = zone(tz)
        self.year, self.source = year, ARGUMENT if year is not None else source
        self.reference = reference
        self.last: int | None = None  # moment of the line before
        self.assumed: int | None = None  # the first year that the reference gave

    def read(self, block: Block) -> None:
        """Fill `since_year`, `time`, `time_source` and `year_source`."""
        for row in range(len(block)):
            line = block.first[row]
            moment, source = block.moment[line], KLOG
            month = block.month[line]
            number = self._month(block.names.months.values[month]) if month >= 0 else 0
            if moment != NONE:
                if month >= 0 and not number:
                    self._learn(block, month, moment, block.stamp[line])
            elif number:
                moment, source = DAYS_BEFORE[number - 1] * DAY + block.stamp[line], ENVELOPE
            block.since_year.append(moment)
            if moment == NONE:
                block.time.append(NONE)
                block.time_source.append(0)
                block.year_source.append(0)
                continue
            time = self._time(moment)
            block.time.append(time)
            block.time_source.append(source)
            block.year_source.append(self.source if time != NONE else 0)

    def fork(self) -> Clock:
        """A copy that may run ahead: what it learns is forgotten with it."""
        copied = copy.copy(self)
        copied.months = dict(self.months)
        return copied

    def _month(self, name: bytes) -> int:
        return self.months.get(name.decode("utf-8", "replace").casefold().rstrip("."), 0)

    def _learn(self, block: Block, month: int, moment: int, stamp: int) -> None:
        """A month name that no locale of ours has, on a line whose klog header says the month."""
        number = 1
        while moment >= DAYS_BEFORE[number] * DAY:
            number += 1
        if abs(moment - DAYS_BEFORE[number - 1] * DAY - stamp) < DAY:
            self.months[block.names.months.values[month].decode("utf-8", "replace").casefold().rstrip(".")] = number

    def _time(self, moment: int) -> int:
        if self.year is None:
            if self.reference is None:
                self.last = moment
                return NONE
            self.year = self.reference.year
            if in_year(moment, self.year) > micros(self.reference) + 31 * DAY:
                self.year -= 1
            self.assumed = self.year
        elif self.last is not None:
            if moment < self.last - BACK:
                self.year += 1
            elif moment > self.last + AHEAD:
                # A late line of the old year: the year of what follows does not change.
                return self._zoned(in_year(moment, self.year - 1))
        self.last = moment
        return self._zoned(in_year(moment, self.year))

    def _zoned(self, local: int) -> int:
        if self.zone is None:
            return local
        offset = (_EPOCH + timedelta(microseconds=local)).replace(tzinfo=self.zone).utcoffset() or timedelta()
        return local - offset // timedelta(microseconds=1)

    def shown(self, time: int) -> datetime | None:
        """A time as users see it: aware where the zone is known."""
        return to_datetime(time, self.zone)


def in_year(moment: int, year: int) -> int:
    """A moment of the leap-year calendar as µs since 1970 in `year`; 29 February of another year is 1 March."""
    day, rest = divmod(moment, DAY)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not leap and day >= DAYS_BEFORE[2]:
        day -= 1
    return ((datetime(year, 1, 1) - _EPOCH).days + day) * DAY + rest  # naive on purpose


def micros(time: datetime) -> int:
    """µs since 1970 of a naive (local) or aware time."""
    if time.tzinfo is not None:
        time = time.astimezone(UTC).replace(tzinfo=None)
    return (time - _EPOCH) // timedelta(microseconds=1)


def to_datetime(time: int, tz: tzinfo | None) -> datetime | None:
    """The time as a datetime: aware where a zone is given, None for no time."""
    if time == NONE:
        return None
    naive = _EPOCH + timedelta(microseconds=time)
    return naive if tz is None else naive.replace(tzinfo=UTC).astimezone(tz)


def local_text(moment: int) -> str:
    """`10-16T09:50:55.056703` of a moment without a year."""
    day, rest = divmod(moment, DAY)
    month = 1
    while day >= DAYS_BEFORE[month]:
        month += 1
    seconds, micro = divmod(rest, 1_000_000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micro:06}"
    return f"{month:02}-{day - DAYS_BEFORE[month - 1] + 1:02}T{clock}"


def zone(name: str | None) -> tzinfo | None:
    """A zone by its name (`Asia/Shanghai`, `UTC`) or offset (`+08:00`); abbreviations are ambiguous and refused."""
    if name is None:
        return None
    import re
    from zoneinfo import ZoneInfo

    offset = re.fullmatch(r"([+-])(\d\d):?(\d\d)", name, re.ASCII)
    if offset and int(offset[2]) < 24 and int(offset[3]) < 60:
        size = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(size if offset[1] == "+" else -size)
    if name in ("UTC", "Z"):
        return UTC
    try:
        if "/" not in name:
            raise ValueError(name)
        return ZoneInfo(name)
    except (OSError, ValueError):
        raise UsageError(f"expected a zone like Europe/Paris, UTC or +08:00, found {name!r}") from None
