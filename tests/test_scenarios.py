"""Scenarios as data: what some logs say, and the verdict that an experienced reader gives. One file a theme in `scenarios/`.

A scenario has `log` (a text) or `inputs` (files of this repository), options of `read` (`year`, `tz`, `node`, `at`), and an
`[[scenario.incident]]` for each incident that must come out, in order, which states some of what `kubelog timeline -o json` prints.
Tables state some keys, lists all members; a text between `…` is a part. `finding` states parts of the texts of findings by their
kind, `without` kinds that must not be among them, `advises` parts of advice, `follows` the number of the incident that it is a
consequence of (from 0; -1: of none). `gaps` is how many there are.
"""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kubelog.ingest.inputs.sources import Source, expand
from kubelog.live import LiveReader
from kubelog.pipeline import Log, load_grammar
from kubelog.timeline import WANTED, Correlator, Timeline
from kubelog.view.text import plain, timeline

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = Path(__file__).with_name("scenarios")
GOLDEN = Path(__file__).with_name("golden") / "scenarios"
KEYS = {"name", "log", "inputs", "year", "tz", "node", "at", "now", "incident", "gaps"}
ENGINE = load_grammar()


def scenarios() -> list[Any]:
    found = []
    for file in sorted(SCENARIOS.glob("*.toml")):
        for scenario in tomllib.loads(file.read_text(encoding="utf-8"))["scenario"]:
            found.append(pytest.param(scenario, id=f"{file.stem}-{scenario['name']}".replace(" ", "_")))
    return found


def options(scenario: dict[str, Any]) -> dict[str, Any]:
    found = {name: scenario[name] for name in ("year", "tz", "node") if name in scenario}
    return found | {name: datetime.fromisoformat(scenario[name]) for name in ("at", "now") if name in scenario}


def sources(scenario: dict[str, Any]) -> list[Source]:
    if "inputs" in scenario:
        found, errors = expand([ROOT / path for path in scenario["inputs"]])
        assert not errors
        return found
    return [Source.of("node.log", (scenario["log"].encode(),))]


def differences(expected: Any, found: Any, at: str) -> list[str]:
    """What is not as expected."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [one for name, value in expected.items() for one in differences(value, found.get(name), f"{at}.{name}")]
    if isinstance(expected, list) and isinstance(found, list):
        wrong = [] if len(expected) == len(found) else [f"{at}: {len(expected)} expected, {len(found)} found: {found}"]
        return wrong + [
            one for i, (a, b) in enumerate(zip(expected, found, strict=False)) for one in differences(a, b, f"{at}[{i}]")
        ]
    if isinstance(expected, str) and expected.startswith("…") and expected.endswith("…"):
        return [] if isinstance(found, str) and expected[1:-1] in found else [f"{at}: {expected!r} is not in {found!r}"]
    null = expected == "null" and found is None
    return [] if null or expected == found else [f"{at}: {expected!r} expected, {found!r} found"]


def verdict(expected: dict[str, Any], found: dict[str, Any], at: str, ids: list[str]) -> list[str]:
    """What is not as expected in one incident, of those with these ids."""
    expected = dict(expected)
    texts = {finding["kind"]: finding["text"] for finding in found["findings"]}
    wrong = []
    for kind, parts in expected.pop("finding", {}).items():
        if kind not in texts:
            wrong.append(f"{at}: no finding {kind} among {sorted(texts)}")
        else:
            wrong += [f"{at}: {part!r} is not in {texts[kind]!r}" for part in parts if part not in texts[kind]]
    wrong += [f"{at}: an unwanted finding {kind}: {texts[kind]}" for kind in expected.pop("without", []) if kind in texts]
    if "follows" in expected:
        of = expected.pop("follows")
        wrong += differences("null" if of < 0 else ids[of], found["consequence_of"], f"{at}.consequence_of")
    advice = " ".join(found["advice"])
    wrong += [f"{at}: {part!r} is not in {advice!r}" for part in expected.pop("advises", []) if part not in advice]
    return wrong + differences(expected, found, at)


def live(scenario: dict[str, Any]) -> Timeline:
    """What a tail says that gets a line at a time."""
    log = Log([], ENGINE, **options(scenario))
    reader, correlator = LiveReader(log, Source.of("node.log"), WANTED), Correlator()
    for line in [*scenario["log"].encode().splitlines(keepends=True), b""]:
        for event in reader.push(line, final=not line):
            correlator.feed(event)
        for node, heard in reader.heard.items():
            correlator.advance(node, heard)
    return correlator.incidents()


@pytest.mark.parametrize("scenario", scenarios())
def test_a_log_gives_the_verdict_that_an_experienced_reader_gives(scenario: dict[str, Any]) -> None:
    assert set(scenario) <= KEYS
    found = Log(sources(scenario), ENGINE, **options(scenario)).incidents().to_dict()
    expected = scenario.get("incident", [])
    summaries = [incident["summary"] for incident in found["incidents"]]
    assert len(summaries) == len(expected), summaries
    ids = [incident["id"] for incident in found["incidents"]]
    wrong = [
        one
        for n, (a, b) in enumerate(zip(expected, found["incidents"], strict=True))
        for one in verdict(a, b, f"incident[{n}]", ids)
    ]
    if "gaps" in scenario:
        wrong += differences(scenario["gaps"], len(found["gaps"]), "gaps")
    assert not wrong, "\n".join([*wrong, *summaries])
    if "log" in scenario:
        assert live(scenario).to_dict()["incidents"] == found["incidents"]


@pytest.mark.parametrize("file", sorted(SCENARIOS.glob("*.toml")), ids=lambda file: file.stem)
def test_what_a_reader_is_told_of_each_scenario_was_read(file: Path, accept: bool) -> None:
    """Golden texts, a file a theme: they change only by `pytest --accept`."""
    parts = []
    for scenario in tomllib.loads(file.read_text(encoding="utf-8"))["scenario"]:
        found = Log(sources(scenario), ENGINE, **options(scenario)).incidents()
        parts += [f"== {scenario['name']}", "", *plain(timeline(found)), ""]
    text, golden = "\n".join(parts), GOLDEN / f"{file.stem}.txt"
    if accept:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
