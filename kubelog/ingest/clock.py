"""stamps → times.

klog writes no year and no zone. The year comes, in this order, from the envelope, from the argument, from the neighbour (a line
of the same input that says it), from the reference that the caller gives: a file's age, or what `now=` says. Nothing here reads the
wall clock.

A line may say two times, klog's and its envelope's. klog's is the one that counts, to the µs; but its clock may be another: a
container writes UTC, the node's journal is shown in local time. Where the two differ by whole quarter hours this is taken for a
zone: where the envelope says an instant, klog's time is one too; else it is given by the envelope's clock, so that one log has one
clock.
"""

from __future__ import annotations

import copy
from array import array
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from kubelog.errors import UsageError
from kubelog.grammar.compile import Table
from kubelog.ingest.block import NO_ZONE, NONE, WITH_YEAR, Block
from kubelog.ingest.calendar import DAY, DAYS_BEFORE, in_year, micros, to_datetime, zone
from kubelog.ingest.months import UNKNOWN, UNMET, Months
from kubelog.ingest.times import TimeReader

TIME_SOURCES: Final = (None, "klog", "envelope", "table")
KLOG, ENVELOPE, TABLE = 1, 2, 3
YEAR_SOURCES: Final = (None, "envelope", "argument", "neighbour", "file", "clock")
LINE, ARGUMENT, NEIGHBOUR, FILE, CLOCK = range(1, 6)
_EPOCH = datetime(1970, 1, 1)  # naive on purpose: local µs
_LEAP: Final = 366 * DAY
# A stamp that lies further back than this has crossed New Year; one further ahead is a late line of the old year.
BACK: Final = 30 * DAY
AHEAD: Final = 350 * DAY
# A clock that nobody set begins with a year; so long it may go on between two lines. A New Year comes behind a December.
_UNSET: Final = 10 * 60 * 1_000_000
_DECEMBER: Final = DAYS_BEFORE[11] * DAY
# In the hour that comes twice no line is so late.
_SET_BACK: Final = 30 * 60 * 1_000_000
# Zones differ by quarter hours, at most by these; a stamp of klog is that much older than its envelope's, or younger.
_QUARTER: Final = 15 * 60 * 1_000_000
_WIDEST: Final = 14 * 4 * _QUARTER
LAG: Final = 60 * 1_000_000
LEAD: Final = 30 * 1_000_000
_MINUTE: Final = 60 * 1_000_000
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
        self.months = Months(table.months, table.calendars, table.common)
        self.zone = zone(tz)
        self.year, self.source = year, ARGUMENT if year is not None else source
        self.reference = reference
        self.last: int | None = None  # moment of the line before
        self.unset: int | None = None  # the last moment of a clock that was not set
        self.twice: int | None = None  # the last local time of an hour that comes twice
        self.fold = 0  # which of the two it is
        self.assumed: int | None = None  # the first year that the reference gave
        # The year and moment of the first date, and whether a line says it: see survey.py.
        self.hint: tuple[int, int, bool] | None = None
        # By node, unit and whether the envelope says an instant: what klog's clock is ahead of the envelope's, or of UTC.
        self.shifts: dict[tuple[str | None, str | None, bool], int] = {}
        # The second that was shown last, its date and clock, its fold.
        self._second: tuple[int, tuple[int, int, int, int, int, int], int] = NONE, (1970, 1, 1, 0, 0, 0), 0

    def read(self, block: Block, reader: Any = TimeReader) -> None:
        """Fill `since_year`, `time`, `time_source` and `year_source`. A time that is an instant though no zone was given has no
        `since_year`.

        The leaf reads on while nothing changes; the row that changes something is read here.
        """
        leaf = reader(block, self._numbers(block))
        self._shifted(block, leaf)
        row = 0
        while row < block.rows:
            if self.year is None and self.reference is None and self.hint is None:
                row = leaf.unknown(row)
            elif self.year is not None and self.last is not None:
                offset, since, until = self._offset(self.last)
                row = leaf.read(row, *_year(self.year), self.source, self.last, BACK, AHEAD, offset, since, until)
            self.last = self.last if leaf.last == NONE else leaf.last
            if row < block.rows:
                known = len(self.shifts), sum(self.shifts.values())
                self._row(block, row)
                leaf.last = NONE if self.last is None else self.last
                if block.month[block.first[row]] >= 0:
                    leaf.numbers = self._numbers(block)
                if known != (len(self.shifts), sum(self.shifts.values())):
                    self._shifted(block, leaf)
                row += 1

    def _numbers(self, block: Block) -> array[int]:
        """The month that each month's name of the Block means."""
        return array("i", [self.months.number(name) for name in block.months.values(block.data)] or [UNMET])

    def _shifted(self, block: Block, leaf: Any) -> None:
        """Tell the leaf what is known of the clocks of the Block's processes."""
        names = [block.names_of(process) for process in range(block.processes.count)]
        leaf.shift = array("q", [self.shifts.get((*name, False), 0) for name in names] or [0])
        leaf.ahead_of_utc = array("q", [self.shifts.get((*name, True), NONE) for name in names] or [NONE])

    def _row(self, block: Block, row: int) -> None:
        line = block.first[row]
        if block.utc[line] != NONE:
            block.since_year[row], block.time[row] = NONE, block.utc[line]
            block.time_source[row], block.year_source[row] = KLOG, LINE
            return
        if block.month[line] == WITH_YEAR:
            self._dated(block, row, line)
            return
        moment, source = block.moment[line], KLOG
        month = block.month[line]
        name = block.months.value(block.data, month) if month >= 0 else b""
        number, shift = UNKNOWN, 0
        if name and moment != NONE:
            self.months.meet(name, self.last)
            number = self.months.teach(name, moment, block.stamp[line])
        elif name:
            number = self.months.meet(name, self.last)
        if moment != NONE:
            if number > 0:
                shift = self._shift(block, line, moment, DAYS_BEFORE[number - 1] * DAY + block.stamp[line])
        elif number > 0:
            moment, source = DAYS_BEFORE[number - 1] * DAY + block.stamp[line], ENVELOPE
        time = NONE if moment == NONE else self._time(moment, shift)
        block.since_year[row] = moment
        block.time[row] = time
        block.time_source[row] = 0 if moment == NONE else source
        block.year_source[row] = 0 if time == NONE else self.source

    def _dated(self, block: Block, row: int, line: int) -> None:
        """A row whose envelope says the year."""
        shown, minutes, moment = block.stamp[line], block.ahead[line], block.moment[line]
        ahead = NONE if minutes == NO_ZONE else minutes * _MINUTE
        utc = shown if ahead == NONE else shown - ahead
        local = shown
        if moment != NONE:
            # Of the years around that of the envelope the nearest one.
            year = (_EPOCH + timedelta(microseconds=shown)).year
            local = min(
                (in_year(moment, year + more) for more in (0, -1, 1) if year + more >= 1970), key=lambda us: abs(us - shown)
            )
            key = *block.names_of(block.process[line]), ahead != NONE
            shift = _quarters(local - utc)
            if shift is None:
                shift = self.shifts.get(key, 0 if ahead == NONE else ahead)
            else:
                self.shifts[key] = shift
            local -= shift
            time = local if ahead != NONE else self._zoned(local)
        else:
            time = utc if ahead != NONE else self._zoned(local)
        block.time[row] = time
        block.time_source[row], block.year_source[row] = ENVELOPE if moment == NONE else KLOG, LINE
        # What follows without a year is of this one.
        at = _EPOCH + timedelta(microseconds=shown)
        if at.year > 1970:
            # Else the node did not know the time yet.
            self.last = moment_of(shown)
            if self.source != ARGUMENT:
                self.year, self.source = at.year, NEIGHBOUR
        block.since_year[row] = NONE if ahead != NONE else moment_of(local)

    def _shift(self, block: Block, line: int, moment: int, envelope: int) -> int:
        """What klog's clock is ahead of an envelope's that says no year."""
        key = *block.names_of(block.process[line]), False
        # The calendar is a leap year's: between years, and from February to March, it may have a day too many.
        between = moment - envelope
        found = next((s for s in map(_quarters, (between, between - _LEAP, between + _LEAP)) if s is not None), None)
        if found is not None and (found or key in self.shifts):
            self.shifts[key] = found
        return self.shifts.get(key, 0)

    def fork(self) -> Clock:
        """A copy that may run ahead: what it learns is forgotten with it."""
        copied = copy.copy(self)
        copied.months, copied.shifts = self.months.copy(), dict(self.shifts)
        return copied

    def differences(self) -> list[str]:
        """Whose clock is another than their envelope's, in words."""
        found = []
        for (node, unit, instant), shift in self.shifts.items():
            whose = " ".join(name for name in (unit, f"on {node}" if node else None) if name) or "klog"
            if not instant and shift:
                way = "ahead of" if shift > 0 else "behind"
                found.append(f"the klog clock of {whose} is {_hours(abs(shift))} {way} its envelope's: times are the envelope's")
        return found

    def _time(self, moment: int, shift: int = 0) -> int:
        if self.year is None:
            if self.hint is not None:
                self.year, first, said = self.hint
                self.year += (moment < first - BACK) - (moment > first + AHEAD)
                if said:
                    self.source = NEIGHBOUR
                else:
                    self.assumed = self.year
            elif self.reference is None:
                self.last = moment
                return NONE
            else:
                self.year = self.reference.year
                if in_year(moment, self.year) > micros(self.reference) + 31 * DAY:
                    self.year -= 1
                self.assumed = self.year
        elif self.last is not None:
            if moment < self.last - BACK:
                if is_unset(moment, self.last, self.unset):
                    self.unset = moment
                    return self._zoned(in_year(moment, self.year) - shift)
                self.year += 1
            elif moment > self.last + AHEAD:
                # A late line of the old year: the year of what follows does not change.
                return self._zoned(in_year(moment, self.year - 1) - shift)
        self.last = moment
        return self._zoned(in_year(moment, self.year) - shift)

    def _zoned(self, local: int) -> int:
        return local - self._ahead(local)

    def _ahead(self, local: int) -> int:
        """µs that the zone's clocks were ahead of UTC at a local time, of two such times that of the line's."""
        if self.zone is None:
            return 0
        first, second = self._offsets(local)
        if second >= first:
            return first
        if self.twice is None or abs(local - self.twice) > DAY:
            self.fold = 0
        elif local < self.twice - _SET_BACK:
            self.fold = 1
        self.twice = local
        return second if self.fold else first

    def _offsets(self, local: int) -> tuple[int, int]:
        """µs that the zone's clocks were ahead of UTC when they first and when they last showed a time."""
        at = (_EPOCH + timedelta(microseconds=local)).replace(tzinfo=self.zone)
        first, second = at.utcoffset() or timedelta(), at.replace(fold=1).utcoffset() or timedelta()
        return first // timedelta(microseconds=1), second // timedelta(microseconds=1)

    def _offset(self, moment: int) -> tuple[int, int, int]:
        """What to take from local times around a moment of this year, and since when and until when (µs since 1970)."""
        if self.zone is None:
            return 0, NONE, -NONE - 1
        assert self.year is not None
        since = in_year(moment, self.year) // _STEADY * _STEADY
        until = since + _STEADY
        (offset, again), (after, _) = self._offsets(since), self._offsets(until)
        return (offset, since, until) if offset == again == after else (0, 0, 0)

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


def is_unset(moment: int, last: int, unset: int | None) -> bool:
    """Whether a moment that is far behind the last is said by a clock that nobody has set yet, and is no New Year."""
    # Each boot begins with the year again.
    return last < _DECEMBER and (moment < _UNSET or (unset is not None and 0 <= moment - unset < _UNSET))


def moment_of(local: int) -> int:
    """µs since the year began of µs since 1970, in the calendar of a leap year."""
    at = _EPOCH + timedelta(microseconds=local)
    return (DAYS_BEFORE[at.month - 1] + at.day - 1) * DAY + local % DAY


def _quarters(between: int) -> int | None:
    """The whole quarter hours that klog's stamp is ahead of its envelope's, where they differ by that and a little."""
    shift = (between + LAG) // _QUARTER * _QUARTER
    return shift if abs(shift) <= _WIDEST and between - shift <= LEAD else None


def _hours(shift: int) -> str:
    hours, minutes = divmod(shift // _MINUTE, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
