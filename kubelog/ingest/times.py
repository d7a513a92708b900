"""records → times, while neither the year nor the zone's offset changes: the clock's leaf."""

from __future__ import annotations

from array import array

from kubelog.ingest.block import NO_ZONE, NONE, WITH_YEAR, Block
from kubelog.ingest.calendar import DAYS_BEFORE

try:
    import cython
except ImportError:
    from kubelog import uncompiled as cython

_KLOG, _ENVELOPE = 1, 2
_UNMET = 0  # a month's name: see months.py
_LINE = 1  # the line says its year
_DAY = 86_400_000_000
_MINUTE = 60_000_000
# Where klog's stamp and its envelope's are further apart, the clocks are looked at anew; see clock.py.
_NEAR = 450_000_000
_LAG, _LEAD = 60_000_000, 30_000_000


class TimeReader:
    """Fills the columns of time of a Block."""

    def __init__(self, block: Block, numbers: array[int]) -> None:
        self.rows = block.rows
        self.first, self.month, self.stamp, self.moment = block.first, block.month, block.stamp, block.moment
        self.utc = block.utc
        self.since_year, self.time = block.since_year, block.time
        self.time_source, self.year_source = block.time_source, block.year_source
        self.days_before = DAYS_BEFORE
        self.ahead, self.process = block.ahead, block.process
        self.shift = self.ahead_of_utc = array("q", [NONE])  # of each process, as the clock has them
        self.numbers = numbers  # of the month that each month's name means, as months.py has it
        self.last = NONE  # the moment of the row before

    def unknown(self, row: int) -> int:
        """Fill the rows from this one on, of which no year is known; the first whose month's name is not known, or the end."""
        self.known, self.said = False, 0
        with cython.nogil:
            row = self._read(row)
        return row

    def read(
        self, row: int, year_at: int, leap_day: int, year_source: int, last: int, back: int, ahead: int, offset: int, since: int,
        until: int,
    ) -> int:  # fmt: skip
        """Fill the rows from this one on; the first that may change something, or the end.

        `year_at` is where the year begins, µs since 1970; `leap_day` what to take from moments behind February where it has
        no 29th. That is so for moments from `back` before the moment of the row before to `ahead` behind it, and for local
        times from `since` until `until`, from which `offset` is taken.
        """
        self.known = True
        self.year_at, self.leap_day, self.said, self.last = year_at, leap_day, year_source, last
        self.back, self.ahead_most, self.offset, self.since, self.until = back, ahead, offset, since, until
        with cython.nogil:
            row = self._read(row)
        return row

    def _read(self, row: int) -> int:
        march = self.days_before[2] * _DAY
        while row < self.rows:
            line = self.first[row]
            if self.utc[line] != NONE:
                self.since_year[row] = NONE
                self.time[row] = self.utc[line]
                self.time_source[row], self.year_source[row] = _KLOG, _LINE
                row += 1
                continue
            moment, source = self.moment[line], _KLOG
            month = self.month[line]
            shift, said = 0, self.said
            if month >= 0:
                if self.numbers[month] == _UNMET:
                    return row
                if self.numbers[month] < 0:
                    if moment != NONE:
                        return row  # it may be learnt
                elif moment == NONE:
                    moment = self.days_before[self.numbers[month] - 1] * _DAY + self.stamp[line]
                    source = _ENVELOPE
                else:
                    shift = self.shift[self.process[line]]
                    lag = self.days_before[self.numbers[month] - 1] * _DAY + self.stamp[line] - moment + shift
                    if lag > _NEAR or lag < -_NEAR:
                        return row
            elif month == WITH_YEAR:
                if not self.known or self.stamp[line] < self.year_at or self.stamp[line] >= self.year_at + 365 * _DAY:
                    return row
                if not self._dated(row, line, moment, march):
                    return row
                row += 1
                continue
            time = NONE
            if moment != NONE:
                if self.known:
                    if moment < self.last - self.back or moment > self.last + self.ahead_most:
                        return row
                    local = self.year_at + moment
                    if moment >= march:
                        local -= self.leap_day
                    local -= shift
                    if local < self.since or local >= self.until:
                        return row
                    time = local - self.offset
                self.last = moment
            self.since_year[row] = moment
            self.time[row] = time
            self.time_source[row] = 0 if moment == NONE else source
            self.year_source[row] = 0 if time == NONE else said
            row += 1
        return row

    def _dated(self, row: int, line: int, moment: int, march: int) -> bool:
        """A row whose envelope says the year that goes on; False where something changes."""
        shown = self.stamp[line]
        minutes = self.ahead[line]
        zoned = minutes != NO_ZONE
        utc = shown - minutes * _MINUTE if zoned else shown
        local = utc
        if moment != NONE:
            local = self.year_at + moment
            if moment >= march:
                local -= self.leap_day
            shift = self.ahead_of_utc[self.process[line]] if zoned else self.shift[self.process[line]]
            if shift == NONE:
                return False
            local -= shift
            if local > utc + _LEAD or local < utc - _LAG:
                return False
        time = local
        since = shown - self.year_at
        if since >= march - self.leap_day:
            since += self.leap_day
        if not zoned:
            if local < self.since or local >= self.until:
                return False
            time = local - self.offset
        self.last = since
        if moment != NONE and not zoned:
            # Of what counts, not of what the envelope shows.
            since = local - self.year_at
            if since < 0:
                return False
            if since >= march - self.leap_day:
                since += self.leap_day
        self.since_year[row] = NONE if zoned else since
        self.time[row] = time
        self.time_source[row] = _ENVELOPE if moment == NONE else _KLOG
        self.year_source[row] = _LINE
        return True
