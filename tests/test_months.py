"""Months as journalctl writes them in every language of glibc: its own sources are what is asked, not our list of them."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from pathlib import Path

from kubelog.engines import Engine
from kubelog.ingest.inputs.sources import Source
from kubelog.message.record import Record
from kubelog.pipeline import Log
from tests.journals import lacks

LOCALES = Path("/usr/share/i18n/locales")
# Not a language: its months are 01 to 12, as journalctl never writes them for people.
NUMBERED = {"i18n"}


@cache
def abmon(locale: str) -> tuple[str, ...]:
    """The months of a locale, as glibc's source has them; none where it says nothing of times."""
    text = (LOCALES / locale).read_text(encoding="utf-8")
    times = re.search(r"^LC_TIME\n(.*?)^END LC_TIME", text, re.DOTALL | re.MULTILINE)
    if times is None:
        return ()
    # A line that ends in a slash goes on in the next.
    said = re.search(r"^abmon[ \t]+((?:[^\n]*/\n)*[^\n]*)", times[1], re.MULTILINE)
    if said is None:
        copied = re.search(r'^copy[ \t]+"([^"]+)"', times[1], re.MULTILINE)
        return abmon(copied[1]) if copied else ()
    names = re.findall(r'"([^"]*)"', re.sub(r"/\n[ \t]*", "", said[1]))
    return tuple(re.sub(r"<U([0-9A-Fa-f]{4,8})>", lambda found: chr(int(found[1], 16)), name) for name in names)


def languages() -> dict[tuple[str, ...], str]:
    """Each list of months once, and a locale that has it."""
    if not LOCALES.is_dir():
        lacks("what localedef makes locales of")
    found: dict[tuple[str, ...], str] = {}
    for path in sorted(LOCALES.iterdir()):
        names = abmon(path.name) if path.name not in NUMBERED else ()
        if names:
            assert len(names) == 12, path
            found.setdefault(names, path.name)
    return found


def read(lines: list[str], engine: Engine) -> list[Record]:
    found = list(Log([Source.of("-", ("".join(lines).encode(),))], engine, year=2017))
    assert {(record.node, record.unit, record.pid) for record in found} == {("n1", "kubelet", 1)}, lines[0]
    return found


def months(records: list[Record]) -> list[int]:
    return [record.time.month if record.time else 0 for record in records]


def year(names: tuple[str, ...], clock: str, text: str) -> list[str]:
    return [f"{name} {n:02} {clock} n1 kubelet[1]: {text.format(n)}\n" for n, name in enumerate(names, 1)]


def plain(name: str) -> str:
    return name.strip(" .").casefold().rstrip(".")


def meanings() -> dict[str, set[int]]:
    """The months that each name is in any language."""
    found: dict[str, set[int]] = defaultdict(set)
    for names in languages():
        for number, name in enumerate(names, 1):
            found[plain(name)].add(number)
    return found


def test_journalctl_is_read_in_every_language_of_glibc(engine: Engine) -> None:
    several = {name for name, numbers in meanings().items() if len(numbers) > 1}
    assert len(languages()) > 100
    for names, locale in languages().items():
        # As -o short writes a year, and as -o short-precise writes the next.
        found = months(read(year(names, "09:50:55", "x") + year(names, "09:50:55.123456", "x"), engine))
        wrong = {plain(name) for name, number, month in zip(names, range(1, 13), found[:12], strict=True) if month != number}
        # In the first year a name may be taken for that of another language; in the second all names were met.
        assert wrong <= several, locale
        assert found[12:] == [*range(1, 13)], locale


def test_a_header_tells_the_month_where_a_name_is_of_several(engine: Engine) -> None:
    several = {name for name, numbers in meanings().items() if len(numbers) > 1}
    for names, locale in languages().items():
        if several & {plain(name) for name in names}:
            lines = year(names, "09:50:55", "I{0:02}{0:02} 09:50:55.000000       1 x.go:1] x")
            assert months(read(lines, engine)) == [*range(1, 13)], locale


def test_where_an_input_is_cut_does_not_matter_to_its_months(engine: Engine) -> None:
    for names, locale in languages().items():
        if locale in ("hr_HR", "pl_PL", "et_EE", "br_FR", "ca_ES", "ar_IQ", "ja_JP", "vi_VN"):
            lines = year(names, "09:50:55", "x")
            lines = lines[5:] + lines
            whole = [(record.time, record.message) for record in read(lines, engine)]
            pieces = list(Log([Source.of("-", [line.encode() for line in lines])], engine, year=2017))
            assert [(record.time, record.message) for record in pieces] == whole, locale
