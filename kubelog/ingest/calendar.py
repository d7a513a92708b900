"""Moments, times and dates. A moment counts µs since its year began, in the calendar of a leap year."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from kubelog.errors import UsageError
from kubelog.ingest.block import NONE

# Days before each month in a leap year: stamps without a year count in that calendar.
DAYS_BEFORE: Final = array("i", (0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366))
DAY: Final = 86_400_000_000
_EPOCH = datetime(1970, 1, 1)  # naive on purpose: local µs


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
