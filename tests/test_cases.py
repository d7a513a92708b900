"""Cases as data: an input and the records that it is, on every engine. One file a theme in `cases/`.

A case has `input`, the options of `read` (`year`, `tz`, `node`, `at`), and a `[[case.record]]` for each record that must come out,
which states some of the fields that `kubelog parse -o jsonl` prints; `absent` lists those that must be null. `every` states fields
of all records, `records` their number. In texts, `⟨ff⟩` is that byte, `⟨x*3⟩` is xxx, and a value `⟨null⟩` is null.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from kubelog.engines import Engine
from kubelog.grammar.catalog import shipped
from kubelog.ingest.inputs.sources import Source
from kubelog.message.samples import said
from kubelog.pipeline import Log

CASES = Path(__file__).with_name("cases")
KEYS = {"name", "input", "year", "tz", "node", "at", "record", "records", "every"}


def cases() -> list[Any]:
    found = []
    for file in sorted(CASES.glob("*.toml")):
        for case in tomllib.loads(file.read_text(encoding="utf-8"))["case"]:
            found.append(pytest.param(case, id=f"{file.stem}-{case['name']}".replace(" ", "_")))
    return found


def written(text: str) -> bytes:
    """The bytes that a text of a case stands for."""
    text = re.sub(r"⟨(.)\*(\d+)⟩", lambda found: found[1] * int(found[2]), text)
    return re.sub(rb"\xe2\x9f\xa8([0-9a-f]{2})\xe2\x9f\xa9", lambda found: bytes.fromhex(found[1].decode()), text.encode())


def filled(value: Any) -> Any:
    if isinstance(value, str):
        return None if value == "⟨null⟩" else written(value).decode() if "⟨" in value else value
    return [filled(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", cases())
def test_a_case_gives_its_records(case: dict[str, Any], engine: Engine) -> None:
    assert set(case) <= KEYS
    data = written(case["input"])
    options = {name: case[name] for name in ("year", "tz", "node", "at") if name in case}
    found = [record.to_dict() for record in Log([Source.of("-", (data,))], engine, **options)]
    expected = [case.get("every", {}) | record for record in case.get("record", [case.get("every", {})] * case.get("records", 0))]
    shown = [(record["verdict"], record["kind"], record["message"][:80]) for record in found]
    assert len(found) == len(expected), shown
    for wanted, record in zip(expected, found, strict=True):
        for name, value in wanted.items():
            if name == "absent":
                assert {key: record[key] for key in value} == dict.fromkeys(value)
            elif name == "fields":
                assert said(record["fields"]) == value
            elif name == "origin":
                assert {key: record["origin"][key] for key in value} == value
            else:
                assert record[name] == filled(value), name


def locales(table: str = "months") -> dict[str, list[str]]:
    months: dict[str, list[str]] = tomllib.loads((shipped() / "months.toml").read_text(encoding="utf-8"))[table]
    return months


# As journalctl writes months: with or without a dot, aligned by a blank in front.
FORMS = [(locale, form) for locale in locales() for form in ("{}", "{}.", " {}")]


@pytest.mark.parametrize(("locale", "written_as"), FORMS)
def test_journalctl_is_read_in_every_language(locale: str, written_as: str, engine: Engine) -> None:
    names = [written_as.format(name.title() if locale == "vi_VN" else name) for name in locales()[locale]]
    text = "".join(f"{name} {number:2} 09:50:55 n1 systemd[1]: x\n" for number, name in enumerate(names, 1))
    found = list(Log([Source.of("-", (text.encode(),))], engine, year=2017))
    assert [str(record.time) for record in found] == [f"2017-{n:02}-{n:02} 09:50:55" for n in range(1, 13)]
    assert {(record.node, record.unit, record.pid, record.message) for record in found} == {("n1", "systemd", 1, "x")}


def test_journalctl_is_read_in_every_other_language_of_glibc(engine: Engine) -> None:
    for locale, names in locales("rare_months").items():
        lines = [
            f"{name.encode().title().decode()}. {number:2} 09:50:55 n1 systemd[1]: x\n" for number, name in enumerate(names, 1)
        ]
        # Twice: a name alone may be another month's in another language; when all were met they tell.
        found = list(Log([Source.of("-", ("".join(lines * 2).encode(),))], engine, year=2017))[12:]
        assert [(record.time.month, record.time.day) for record in found if record.time] == [(n, n) for n in range(1, 13)], locale
        assert {(record.node, record.unit) for record in found} == {("n1", "systemd")}, locale


ORDERED = {
    "a name that no other language has": (["svi", "lip"], [5, 6]),
    "names that only one language has together": (["lip", "srp", "lip"], [7, 7, 6]),
    "the month before": (["2017-06-30", "lip", "lip"], [6, 6, 6]),
    "the month after": (["2017-06-30", "srp"], [6, 7]),
    "what it is most often": (["lip", "sie", "lis"], [7, 8, 11]),
    "a header": (["lip I0601", "lip", "lis"], [6, 6, 10]),
    "a header of a name that nobody has": (["xyz I0601", "xyz"], [6, 6]),
    "nothing tells": (["xyz", "jan"], [0, 1]),
    "a rare language does not count against the common": (["may", "jan"], [5, 1]),
}


@pytest.mark.parametrize("case", ORDERED)
def test_a_name_of_two_months_is_the_one_that_other_lines_tell(case: str, engine: Engine) -> None:
    names, wanted = ORDERED[case]
    lines = []
    for name in names:
        month, _, header = name.partition(" ")
        text = f"{header} 09:50:55.000000       1 x.go:1] x" if header else "x"
        stamp = f"{month}T09:50:55" if month[0].isdigit() else f"{month} 01 09:50:55"
        lines.append(f"{stamp} n1 kubelet[1]: {text}\n".encode())
    for pieces in (lines, [b"".join(lines)]):
        found = list(Log([Source.of("-", pieces)], engine, year=2017))
        assert [record.time.month if record.time else 0 for record in found] == wanted
