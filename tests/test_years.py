"""The clock's puzzles: stamps without a year, and the times that they must get. One file a theme in `years/`.

A puzzle has a `name`, says `why` its answer is right, and marks what no contract says but a user would expect with `judgement`. It is
a file of `lines` that was `aged` last, several of them (`file`, given to `read` in this order), or a `pipe`; `year`, `tz` and `now` are
the arguments of `read`. `times` names records by their messages: `time year_source`, and `time_source` where that is the question, or
`unknown`. A time with an offset is an instant, one without is local. `note` is searched for in the notes; `silent` wants none.
"""

from __future__ import annotations

import gzip
import os
import re
import tomllib
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kubelog
from kubelog.ingest.inputs.sources import Source
from kubelog.pipeline import Log, load_grammar

PUZZLES = Path(__file__).with_name("years")
KEYS = {
    "name",
    "why",
    "judgement",
    "file",
    "path",
    "aged",
    "pipe",
    "lines",
    "year",
    "tz",
    "now",
    "times",
    "note",
    "silent",
}
ENGINE = load_grammar()
few = settings(max_examples=max(1, settings().max_examples * 2 // 5))  # they write files

Timed = tuple[datetime | None, str | None, str | None]


def puzzles() -> list[dict[str, Any]]:
    return [one for file in sorted(PUZZLES.glob("*.toml")) for one in tomllib.loads(file.read_text(encoding="utf-8"))["puzzle"]]


def write(path: Path, lines: str, aged: datetime) -> Path:
    """A file whose age is a local time, as ages are read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())
    os.utime(path, (aged.timestamp(),) * 2)
    return path


def opened(puzzle: dict[str, Any], folder: Path) -> Log:
    options = {name: puzzle[name] for name in ("year", "tz") if name in puzzle}
    now = datetime.fromisoformat(puzzle["now"]) if "now" in puzzle else None
    if puzzle.get("pipe"):
        return Log([Source.of("-", (puzzle["lines"].encode(),))], ENGINE, now=now, **options)
    # A puzzle that says no age must not depend on one.
    unsaid = "2035-07-01T00:00:00"
    files = [
        write(folder / one.get("path", "kubelet.log"), one["lines"], datetime.fromisoformat(one.get("aged", unsaid)))
        for one in puzzle.get("file", [puzzle])
    ]
    return kubelog.read(*files, now=now, **options)


def timed(log: Log) -> dict[str, Timed]:
    """The time of each record by its message, and where it is from."""
    found: dict[str, Timed] = {}
    for record in log:
        shown = record.to_dict()
        time = None if shown["time"] is None else datetime.fromisoformat(shown["time"])
        found[shown["message"].strip()] = time, shown["year_source"], shown["time_source"]
    return found


@pytest.mark.parametrize("puzzle", [pytest.param(one, id=one["name"].replace(" ", "_")) for one in puzzles()])
def test_a_puzzle_has_its_answer(puzzle: dict[str, Any], tmp_path: Path) -> None:
    log = opened(puzzle, tmp_path)
    found = timed(log)
    for message, answer in puzzle["times"].items():
        time, year_source, time_source = found[message]
        if answer == "unknown":
            assert (time, year_source) == (None, None), (message, puzzle["why"])
            continue
        wanted, *sources = answer.split()
        at = datetime.fromisoformat(wanted)
        assert time is not None, (message, puzzle["why"])
        # Instants are compared, not how they are written; a local time is none.
        assert (time.tzinfo is None, time) == (at.tzinfo is None, at), (message, puzzle["why"])
        assert [year_source, time_source][: len(sources)] == sources, (message, puzzle["why"])
    if "note" in puzzle:
        assert any(re.search(puzzle["note"], note) for note in log.notes), log.notes
    if "silent" in puzzle:
        assert not log.notes


def test_the_puzzles_are_many_and_well_formed() -> None:
    found = puzzles()
    assert len(found) >= 40
    assert len({one["name"] for one in found}) == len(found)
    for one in found:
        assert one["why"]
        assert one["times"]
        for part in (one, *one.get("file", [])):
            assert set(part) <= KEYS, one["name"]
        lines = [line for part in one.get("file", [one]) for line in part["lines"].splitlines()]
        for message in one["times"]:
            # A message names one line.
            assert sum(bool(re.search(rf"\b{message}\b", line)) for line in lines) == 1, (one["name"], message)


# Laws: the truth is a list of times; what is written of it has no year.


FIRST = datetime(2001, 1, 1)


def klog(time: datetime, message: object) -> str:
    return f"I{time:%m%d %H:%M:%S.%f}       1 a.go:1] {message}\n"


def iso(time: datetime, message: object) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}Z n1 kubelet[1]: {klog(time, message)}"


@st.composite
def histories(draw: st.DrawFn, longest: timedelta = timedelta(days=170)) -> list[datetime]:
    """The times of some lines in order, never further apart than `longest`.

    None is the first behind a silence of a month and more and in the first hour of a year: so begins a clock that nobody has set.
    """
    first = FIRST + draw(st.timedeltas(timedelta(0), timedelta(days=365 * 25)))
    steps = draw(st.lists(st.timedeltas(timedelta(microseconds=1), longest), min_size=1, max_size=8))
    times = [first]
    for step in steps:
        time = times[-1] + step
        is_unset = (time.month, time.day, time.hour) == (1, 1, 0) and times[-1].month < 12 and times[-1].year < time.year
        times.append(time + timedelta(hours=is_unset))
    return times


@st.composite
def new_years(draw: st.DrawFn) -> list[datetime]:
    """Lines around one New Year, some of them late by seconds."""
    year = draw(st.integers(2002, 2030))
    offsets = draw(st.lists(st.integers(-86_400, 86_400), min_size=2, max_size=12, unique=True))
    late = draw(st.lists(st.integers(0, 20), min_size=len(offsets), max_size=len(offsets)))
    order = sorted(range(len(offsets)), key=lambda one: (offsets[one] + late[one], one))
    return [datetime(year, 1, 1) + timedelta(seconds=offsets[one]) for one in order]


def times_of(log: Log) -> list[datetime | None]:
    found = timed(log)
    return [found[str(number)][0] for number in range(len(found))]


@few
@given(histories(), st.timedeltas(timedelta(0), timedelta(days=20)))
def test_a_file_as_old_as_its_last_line_has_the_times_that_were_written(times: list[datetime], later: timedelta) -> None:
    with TemporaryDirectory() as folder:
        lines = "".join(klog(time, number) for number, time in enumerate(times))
        path = write(Path(folder, "kubelet.log"), lines, times[-1] + later)
        assert times_of(kubelog.read(path)) == times


@given(histories())
def test_the_year_of_the_first_line_gives_the_times_that_were_written(times: list[datetime]) -> None:
    lines = "".join(klog(time, number) for number, time in enumerate(times))
    assert times_of(Log([Source.of("-", (lines.encode(),))], ENGINE, year=times[0].year)) == times


@few
@given(histories(), st.data())
def test_one_line_with_its_year_gives_the_others_theirs(times: list[datetime], data: st.DataObject) -> None:
    known = data.draw(st.integers(0, len(times) - 1))
    lines = "".join((iso if number == known else klog)(time, number) for number, time in enumerate(times))
    with TemporaryDirectory() as folder:
        found = timed(kubelog.read(write(Path(folder, "kubelet.log"), lines, datetime(2035, 7, 1))))
    for number, time in enumerate(times):
        shown, year_source, _ = found[str(number)]
        assert shown is not None
        assert (shown.replace(tzinfo=None), year_source) == (time, "envelope" if number == known else "neighbour")


@few
@given(histories(), st.data())
def test_a_log_that_was_rotated_has_the_times_of_the_whole(times: list[datetime], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(times) - 1))
    with TemporaryDirectory() as folder:
        parts = {"kubelet.log.1": range(cut), "kubelet.log": range(cut, len(times))}
        files = [
            write(Path(folder, name), "".join(klog(times[one], one) for one in part), times[part[-1]])
            for name, part in parts.items()
        ]
        assert times_of(kubelog.read(*files)) == times


@given(new_years(), st.booleans())
def test_a_rollover_changes_the_year_once_and_late_lines_change_it_never(times: list[datetime], argument: bool) -> None:
    lines = "".join(klog(time, number) for number, time in enumerate(times))
    known: dict[str, Any] = {"year": times[0].year} if argument else {"now": max(times) + timedelta(minutes=1)}
    assert times_of(Log([Source.of("-", (lines.encode(),))], ENGINE, **known)) == times


@given(histories(), st.lists(st.booleans(), min_size=9, max_size=9), st.data())
def test_where_the_input_is_cut_changes_no_time(times: list[datetime], with_year: list[bool], data: st.DataObject) -> None:
    lines = "".join((iso if with_year[number] else klog)(time, number) for number, time in enumerate(times)).encode()
    cuts = [0, *sorted(data.draw(st.sets(st.integers(1, len(lines) - 1), max_size=6))), len(lines)]
    pieces = [lines[start:end] for start, end in pairwise(cuts)]
    whole = timed(Log([Source.of("-", (lines,))], ENGINE, now=times[-1]))
    assert len(whole) == len(times)
    assert timed(Log([Source.of("-", pieces)], ENGINE, now=times[-1])) == whole


@given(histories(), st.lists(st.booleans(), min_size=9, max_size=9), st.integers(1, 9))
def test_envelopes_of_other_years_give_other_years(times: list[datetime], with_year: list[bool], cycles: int) -> None:
    # By four years, so that 29 February stands where it stood; 2100 is not reached.
    with_year[0] = True

    def found(ahead: int) -> list[datetime]:
        moved = [time.replace(year=time.year + ahead) for time in times]
        lines = "".join((iso if with_year[number] else klog)(time, number) for number, time in enumerate(moved))
        return [
            time.replace(tzinfo=None)
            for time in times_of(Log([Source.of("-", (lines.encode(),))], ENGINE, now=datetime(2035, 7, 1)))
            if time is not None
        ]

    here = found(0)
    assert len(here) == len(times)
    assert found(4 * cycles) == [time.replace(year=time.year + 4 * cycles) for time in here]


@given(histories(), st.integers(-56, 56))
def test_an_instant_around_a_local_header_says_its_zone(times: list[datetime], quarters: int) -> None:
    ahead = timedelta(minutes=15 * quarters)
    lines = "".join(
        f"{time:%Y-%m-%dT%H:%M:%S.%f}Z n1 kubelet[1]: {klog(time + ahead, number)}" for number, time in enumerate(times)
    )
    found = timed(Log([Source.of("-", (lines.encode(),))], ENGINE))
    assert found == {str(number): (time.replace(tzinfo=UTC), "envelope", "klog") for number, time in enumerate(times)}
