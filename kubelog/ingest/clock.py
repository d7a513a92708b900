"""stamps without a year → times.

klog writes no year and no zone. The year comes, in this order, from the argument, from the neighbour (the line before),
from the reference that the caller gives: a file's age, or what `now=` says. Nothing here reads the wall clock.
"""

from __future__ import annotations

import copy
from array import array
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from kubelog.errors import UsageError
from kubelog.grammar.compile import Table
from kubelog.ingest.block import NONE, Block
from kubelog.ingest.calendar import DAY, DAYS_BEFORE, in_year, micros, to_datetime, zone
from kubelog.ingest.times import TimeReader

TIME_SOURCES: Final = (None, "klog", "envelope", "table")
KLOG, ENVELOPE, TABLE = 1, 2, 3
YEAR_SOURCES: Final = (None, "envelope", "argument", "neighbour", "file", "clock")
LINE, ARGUMENT, FILE, CLOCK = 1, 2, 4, 5
_EPOCH = datetime(1970, 1, 1)  # naive on purpose: local µs
# A stamp that lies further back than this has crossed New Year; one further ahead is a late line of the old year.
BACK: Final = 180 * DAY
AHEAD: Final = 330 * DAY
# No zone changes its offset and changes it back within this.
_STEADY: Final = 15 * 60 * 1_000_000


@lru_cache
def _year(year: int) -> tuple[int, int]:
    """Where a year begins, µs since 1970, and what it lacks of a leap year."""
    at, march = in_year(0, year), DAYS_BEFORE[2] * DAY
    return at, at + march - in_year(march, year)


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
        # The second that was shown last, its date and clock, its fold.
        self._second: tuple[int, tuple[int, int, int, int, int, int], int] = NONE, (1970, 1, 1, 0, 0, 0), 0

    def read(self, block: Block, reader: Any = TimeReader) -> None:
        """Fill `since_year`, `time`, `time_source` and `year_source`.

        The leaf reads on while nothing changes; the row that changes something is read here.
        """
        leaf = reader(block, self._numbers(block))
        row = 0
        while row < block.rows:
            if self.year is None and self.reference is None:
                row = leaf.unknown(row)
            elif self.year is not None and self.last is not None:
                offset, since, until = self._offset(self.last)
                row = leaf.read(row, *_year(self.year), self.source, self.last, BACK, AHEAD, offset, since, until)
            self.last = self.last if leaf.last == NONE else leaf.last
            if row < block.rows:
                self._row(block, row)
                leaf.last = NONE if self.last is None else self.last
                if block.month[block.first[row]] >= 0:
                    leaf.numbers = self._numbers(block)
                row += 1

    def _numbers(self, block: Block) -> array[int]:
        """The month that each month's name of the Block means; 0: not known."""
        return array("i", [self._month(name) for name in block.months.values(block.data)] or [0])

    def _row(self, block: Block, row: int) -> None:
        line = block.first[row]
        if block.utc[line] != NONE:
            block.since_year[row], block.time[row] = NONE, block.utc[line]
            block.time_source[row], block.year_source[row] = KLOG, LINE
            return
        moment, source = block.moment[line], KLOG
        month = block.month[line]
        name = block.months.value(block.data, month) if month >= 0 else b""
        number = self._month(name) if name else 0
        if moment != NONE:
            if name and not number:
                self._learn(name, moment, block.stamp[line])
        elif number:
            moment, source = DAYS_BEFORE[number - 1] * DAY + block.stamp[line], ENVELOPE
        time = NONE if moment == NONE else self._time(moment)
        block.since_year[row] = moment
        block.time[row] = time
        block.time_source[row] = 0 if moment == NONE else source
        block.year_source[row] = 0 if time == NONE else self.source

    def fork(self) -> Clock:
        """A copy that may run ahead: what it learns is forgotten with it."""
        copied = copy.copy(self)
        copied.months = dict(self.months)
        return copied

    def _month(self, name: bytes) -> int:
        return self.months.get(name.decode("utf-8", "replace").casefold().rstrip("."), 0)

    def _learn(self, name: bytes, moment: int, stamp: int) -> None:
        """A month name that no locale of ours has, on a line whose klog header says the month."""
        number = 1
        while moment >= DAYS_BEFORE[number] * DAY:
            number += 1
        if abs(moment - DAYS_BEFORE[number - 1] * DAY - stamp) < DAY:
            self.months[name.decode("utf-8", "replace").casefold().rstrip(".")] = number

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
        return local - self._ahead(local)

    def _ahead(self, local: int) -> int:
        """µs that the zone's clocks were ahead of UTC at a local time."""
        if self.zone is None:
            return 0
        offset = (_EPOCH + timedelta(microseconds=local)).replace(tzinfo=self.zone).utcoffset() or timedelta()
        return offset // timedelta(microseconds=1)

    def _offset(self, moment: int) -> tuple[int, int, int]:
        """What to take from local times around a moment of this year, and since when and until when (µs since 1970)."""
        if self.zone is None:
            return 0, NONE, -NONE - 1
        assert self.year is not None
        since = in_year(moment, self.year) // _STEADY * _STEADY
        until = since + _STEADY
        offset = self._ahead(since)
        return (offset, since, until) if offset == self._ahead(until) else (0, 0, 0)

    def shown(self, time: int) -> datetime | None:
        """A time as users see it: aware where the zone is known."""
        if time == NONE:
            return None
        second, micro = divmod(time, 1_000_000)
        known, clock, fold = self._second
        if known != second or not second:
            # Zones jump at whole seconds.
            at = to_datetime(time - micro, self.zone)
            assert at is not None
            clock, fold = (at.year, at.month, at.day, at.hour, at.minute, at.second), at.fold
            self._second = second, clock, fold
        return datetime(*clock, micro) if self.zone is None else datetime(*clock, micro, self.zone, fold=fold)

    def placed(self, time: datetime) -> datetime:
        """A time that no stamp says, as `shown`; where the zone of one of them is not known, as a local time."""
        if time.tzinfo is None or self.zone is None:
            return time.replace(tzinfo=self.zone)
        return time.astimezone(self.zone)
