"""A set of records says the same whatever carried it: the journal in every mode and language, syslog, containers, people who paste."""

from __future__ import annotations

import functools
import json
import random
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kubelog
from kubelog import Record
from kubelog.ingest.inputs.sources import Source
from kubelog.pipeline import Log, load_grammar
from tests import journals, transports
from tests.journals import LANGUAGES
from tests.said import LONG, MEDIUM, RECORDS, SHANGHAI, YEAR, Said, klog, local
from tests.transports import CONTAINER, MODES, PASTED, SIMPLE, SYSLOG, TRANSPORTS, File, Transport, of_mode


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transports")


@pytest.fixture(scope="session")
def locales(folder: Path) -> Path:
    return journals.languages(folder / "locales")


@functools.cache
def untyped(text: str) -> tuple[str | None, dict[str, Any]]:
    """What the grammar makes of a bare text: of a message that it may come to know the transports say what it says."""
    found = kubelog.parse_line(text, year=YEAR)
    return found.kind, found.fields


def expected(said: Said, transport: Transport, names: dict[str, Any]) -> dict[str, Any]:
    """What is to be read of a record behind a transport; what it does not carry is None."""
    known = {name: getattr(said, name) for name in transport.says} | names
    kind, fields = said.kind, said.fields
    if kind is None:
        wrapped = f"Jan 03 00:00:00 n {said.unit}: " if said.form == "plain" and known.get("unit") else ""
        kind, fields = untyped(wrapped + said.text("UTC").replace("\t", transport.tab))
    if said.bound and known.get("unit") is None:
        kind, fields = None, {}
    return {
        "kind": kind,
        "fields": fields,
        "message": said.message.replace("\t", transport.tab),
        "severity": said.severity,
        "source_file": said.source_file,
        "source_line": said.source_line,
        "time": times_of(said, transport),
        "node": known.get("node"),
        "unit": known.get("unit"),
        # Without the transport's word klog's own is the next best.
        "pid": known.get("pid", said.pid if said.form == "klog" else None),
        "pod": said.pod or known.get("pod"),
        "namespace": said.namespace or known.get("namespace"),
        "pod_uid": said.pod_uid or known.get("pod_uid"),
        "container": said.container or known.get("container"),
    }


def times_of(said: Said, transport: Transport) -> list[datetime | None]:
    """The time of a record; where it has a stamp of its own beside the transport's, either."""
    if said.form == "json":
        return [said.at]  # milliseconds since 1970: an instant
    if said.form == "klog":
        return [said.at if transport.zoned else local(said.at, transport.zone)]
    own = [said.at] if said.form == "logfmt" else []
    if transport.clock is None:
        return [None, *own]
    at = said.at.replace(microsecond=0) if transport.clock == "s" else said.at
    return [at if transport.zoned else local(at, transport.zone), *own]


def check(transport: Transport, file: File, found: Iterable[Record], timed: bool = True) -> None:
    """The records of a file are those that were written, or the first that is not is shown."""
    kept = list(found)
    for number, said in enumerate(file.said):
        if number == len(kept):
            pytest.fail(
                f"{transport.name}: {file.path.name} ends after {number} of {len(file.said)} records, before\n  {said.text('UTC')[:300]!r}"
            )
        wanted = expected(said, transport, transport.names(said))
        differs = differences(wanted if timed else wanted | {"time": [kept[number].time]}, kept[number])
        if differs:
            pytest.fail(
                "\n".join(
                    [f"{transport.name}: record {number} of {len(file.said)} in {file.path.name}", *differs, *place(kept[number])]
                )
            )
    if len(kept) > len(file.said):
        more = kept[len(file.said)]
        pytest.fail("\n".join([f"{transport.name}: {len(kept) - len(file.said)} records more than were written", *place(more)]))


def differences(wanted: dict[str, Any], record: Record) -> list[str]:
    told = []
    for name, value in wanted.items():
        got = getattr(record, name)
        if got not in value if name == "time" else got != value:
            told += [f"  {name}", f"    expected {shown(value)}", f"    found    {shown(got)}"]
    return told


def shown(value: Any) -> str:
    """Long texts by their ends."""
    text = " or ".join(map(str, value)) if isinstance(value, list) and value and isinstance(value[0], datetime) else repr(value)
    return text if len(text) <= 400 else f"{text[:250]} … {text[-100:]} ({len(text)} characters)"


def place(record: Record) -> list[str]:
    return [f"  read of line {record.origin.line}", f"    {shown(record.raw)}", f"  as {record.verdict}, reason {record.reason}"]


def read(transport: Transport, folder: Path) -> None:
    folder.mkdir(parents=True)
    for file in transport.write(folder, transport):
        check(transport, file, kubelog.read(file.path, year=YEAR))


def named(transport: Transport) -> str:
    return transport.name


@pytest.mark.parametrize("transport", TRANSPORTS, ids=named)
def test_a_transport_changes_nothing_of_what_is_said(transport: Transport, folder: Path) -> None:
    read(transport, folder / str(TRANSPORTS.index(transport)))


@pytest.mark.parametrize("mode", ["short", "short-precise"])
@pytest.mark.parametrize("language", ["C", *LANGUAGES])
def test_journalctl_is_read_in_every_language(language: str, mode: str, folder: Path, locales: Path) -> None:
    settings = {} if language == "C" else {"LOCPATH": str(locales), "LC_ALL": f"{language}.UTF-8"}
    transport = of_mode(mode, **settings)
    place = folder / f"{mode}-{language}"
    read(transport, place)
    # A locale that is not there is C, and proves nothing.
    english = b"\nFeb 29 " in (place / f"journal.{mode}").read_bytes()
    assert english == (language in ("C", "en_US", "de_DE"))


def test_the_records_are_in_order_in_all_months_and_on_the_days_that_are_hard() -> None:
    times = [said.at for said in RECORDS]
    assert times == sorted(times)
    assert {at.month for at in times if at.year == YEAR} == set(range(1, 13))
    for zone in ("UTC", SHANGHAI):
        days = [local(at, zone) for at in times]
        assert any(at.month == 2 and at.day == 29 for at in days)
        last, first = next((at, after) for at, after in pairwise(days) if after.year > at.year)
        assert first - last < timedelta(seconds=1)
    assert len(LONG.encode()) > transports.PART_BYTES > len(MEDIUM) > 4088


# What a transport cannot say, it must not be silent about. ---------------------------------------------------------------

BEFORE = klog(
    "kubelet", "2024-02-29 12:00:01.500000", "W eviction_manager.go:331", "eviction manager: attempting to reclaim nodefs",
    "EvictionReclaimAttempted",
)  # fmt: skip
LOST = replace(BEFORE, at=BEFORE.at + timedelta(seconds=1), body=MEDIUM)
AFTER = replace(BEFORE, at=BEFORE.at + timedelta(seconds=2))


def check_lost(log: kubelog.Log, lost: Said) -> None:
    """The record is there, says why nothing is known of it, and the timeline that something is missing."""
    before, record, after = list(log)
    assert [before.message, after.message] == [BEFORE.message, AFTER.message]
    assert [before.kind, record.kind, after.kind] == [BEFORE.kind, None, AFTER.kind]
    assert (record.node, record.unit, record.pid) == (lost.node, lost.unit, lost.pid)
    assert record.time == lost.stamped
    assert record.reason is not None
    gaps = log.incidents().gaps
    assert [gap.node for gap in gaps] == [lost.node]
    moment = round(lost.stamped.timestamp() * 1_000_000)
    assert gaps[0].start.us <= moment <= gaps[0].end.us


@pytest.mark.parametrize("mode", ["json", "json-pretty", "json-sse", "json-seq"])
def test_a_message_that_journalctl_left_out_is_told_as_lost(mode: str, tmp_path: Path) -> None:
    """Without -a it says `"MESSAGE":null` of what has 4,088 bytes or more."""
    source = journals.made(tmp_path / "a.journal", journals.export([BEFORE, LOST, AFTER], "UTC"))
    path = tmp_path / f"a.{mode}"
    path.write_bytes(journals.journalctl(source, mode))
    assert path.read_bytes().count(b"null") == 1
    check_lost(kubelog.read(path), LOST)


def test_a_message_that_journalctl_shows_as_its_size_is_told_as_lost(tmp_path: Path) -> None:
    """Of a message that would act on a terminal the short modes say `[15B blob data]`."""
    lost = replace(LOST, body="bell\x07")
    source = journals.made(tmp_path / "a.journal", journals.export([BEFORE, lost, AFTER], "UTC"))
    path = tmp_path / "a.log"
    path.write_bytes(journals.journalctl(source, "short-unix"))
    assert b"B blob data]\n" in path.read_bytes()
    check_lost(kubelog.read(path), lost)


@pytest.mark.parametrize("mode", ["export", "json", "json-pretty", "json-sse", "json-seq"])
def test_bytes_that_are_no_text_come_back_as_they_were(mode: str, tmp_path: Path) -> None:
    """In JSON they are a list of numbers."""
    text = BEFORE.text("UTC").encode() + b" \xff\xfe\x00\x07 end"
    plain = journals.export([BEFORE], "UTC")
    data = plain.replace(journals.exported("MESSAGE", BEFORE.text("UTC").encode()), journals.exported("MESSAGE", text))
    source = journals.made(tmp_path / "a.journal", data)
    path = tmp_path / f"a.{mode}"
    path.write_bytes(journals.journalctl(source, mode, "-a"))
    (record,) = kubelog.read(path)
    assert record.message == kubelog.parse_line(text).message == BEFORE.message + " \\xff\\xfe\x00\x07 end"
    assert (record.node, record.unit, record.pid, record.time) == (BEFORE.node, BEFORE.unit, BEFORE.pid, BEFORE.at)


# All at once. ------------------------------------------------------------------------------------------------------------

# A stretch in which only one kubelet says something.
WINDOW = ("--since=2024-10-01", "--until=2024-12-01")
WITHIN = [said for said in RECORDS if "2024-10" < said.at.isoformat() < "2024-12"]
# What is told by a path, or only at the head of a file, cannot stand within another.
ALONE = ("CRI in /var/log/pods", "CRI in /var/log/containers", "behind a byte order mark")


@pytest.mark.parametrize("form", ["export", "json"])
def test_a_journal_of_several_boots_may_be_cut_anywhere(form: str) -> None:
    data = b""
    for number in range(6):
        fields = {
            "__REALTIME_TIMESTAMP": str(1704273905000000 + number), "_BOOT_ID": f"{number // 2:032x}", "_HOSTNAME": "n1",
            "SYSLOG_IDENTIFIER": "kubelet", "_PID": "7", "MESSAGE": f"I0103 09:25:05.00000{number}       7 a.go:1] message {number}",
        }  # fmt: skip
        lines = [f"{name}={value}\n" for name, value in fields.items()]
        data += (json.dumps(fields) + "\n").encode() if form == "json" else ("".join(lines) + "\n").encode()
    whole = [(record.message, record.origin.spans) for record in Log([Source.of("-", (data,))], load_grammar())]
    assert sum(message.startswith("-- Boot") for message, _ in whole) == 2
    assert [message for message, _ in whole if message.startswith("message")] == [f"message {number}" for number in range(6)]
    engine = load_grammar()
    for cut in range(0, len(data), 7):
        found = Log([Source.of("-", (data[:cut], data[cut:]))], engine)
        assert [(record.message, record.origin.spans) for record in found] == whole, cut


def pieces() -> list[Transport]:
    journal = [replace(of_mode(mode, *WINDOW), records=WITHIN) for mode in MODES if mode != "cat"]
    other = [one for one in [*SYSLOG, *CONTAINER, *PASTED] if one.name not in ALONE]
    return journal + [replace(one, records=[said for said in one.records if said in SIMPLE][-4:]) for one in other]


def test_pieces_of_all_transports_in_one_file_are_all_read(folder: Path) -> None:
    """But for their times: where a piece says no year, that of another near by is as good as any."""
    written = []
    for number, transport in enumerate(pieces()):
        place = folder / f"piece-{number}"
        place.mkdir()
        written += [(transport, file, file.path.read_bytes()) for file in transport.write(place, transport)]
    path = folder / "mixed.log"
    path.write_bytes(b"".join(data for _, _, data in written))
    ends = list(accumulate(len(data) for _, _, data in written))
    found: list[list[Record]] = [[] for _ in written]
    for record in kubelog.read(path, year=YEAR):
        found[bisect_right(ends, record.origin.spans[0][0])].append(record)
    for (transport, file, _), records in zip(written, found, strict=True):
        check(transport, file, records, timed=False)


# Any text. ---------------------------------------------------------------------------------------------------------------

# As it is written, and whether its stamps are instants.
RENDER: dict[str, tuple[transports.Render, bool]] = {
    "CRI": (transports.cri, True),
    "docker json-file": (transports.docker, True),
    "json": (transports.as_json, True),
    "export": (lambda said, zone: journals.export(said, zone).decode("utf-8", "surrogateescape"), True),
    "short-unix": (transports.as_short_unix, True),
    "RFC 3164": (transports.rfc3164, False),
}
# A file of control characters is no text, unless its format can say them.
QUOTING = ("json", "export", "docker json-file")


def texts(characters: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda text, times: text * times, st.text(characters, max_size=40), st.sampled_from([1, 1, 1, 7, 1_000]))


printed = texts(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\t"))
anything = texts(st.characters(exclude_categories=["Cs"], exclude_characters="\n\x1b"))


@pytest.mark.parametrize("name", RENDER)
@settings(max_examples=max(1, settings().max_examples // 2))
@given(data=st.data())
def test_any_text_comes_back_whole(name: str, data: st.DataObject, folder: Path) -> None:
    said = data.draw(st.lists(anything if name in QUOTING else printed, min_size=1, max_size=5))
    # Between letters: a quote at the head would be that of a structured message, a CR at the end that of the line.
    records = [
        replace(BEFORE, at=BEFORE.at + timedelta(seconds=number), body=f"m {text}|", stream=("stderr", "stdout")[number % 2])
        for number, text in enumerate(said)
    ]
    path = folder / f"any.{name}"
    render, zoned = RENDER[name]
    path.write_bytes(render(records, "UTC").encode("utf-8", "surrogateescape"))
    found = list(kubelog.read(path, year=YEAR))
    assert [record.message for record in found] == [one.body for one in records]
    assert [record.time for record in found] == [one.at if zoned else local(one.at, "UTC") for one in records]


@pytest.mark.parametrize("mode", MODES)
def test_where_a_file_is_cut_does_not_matter_and_each_byte_is_in_one_record(mode: str, tmp_path: Path) -> None:
    source = journals.made(tmp_path / "a.journal", journals.export(list(RECORDS), "UTC"))
    data, engine, draw = journals.journalctl(source, mode), kubelog.load_grammar(), random.Random(mode)

    def read(pieces: Sequence[bytes]) -> list[dict[str, Any]]:
        return [record.to_dict(raw=True) for record in Log([Source.of("-", pieces)], engine, year=YEAR)]

    whole = read([data])
    end = 0
    for at, size in sorted(tuple(span) for record in whole for span in record["origin"]["spans"]):
        assert at == end
        end = at + size
    assert end == len(data)
    for many in (1, 3, 20, 200):
        cuts = sorted(draw.sample(range(1, len(data)), many))
        assert read([data[at:end] for at, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]) == whole
