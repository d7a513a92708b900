"""A wording with `when` reads a structured message only where the value of a pair holds a text; every engine decides alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubelog.engines import Engine, Scanner
from kubelog.engines import engine as engine_of
from kubelog.errors import GrammarError
from kubelog.grammar import catalog
from kubelog.grammar.compile import read_table
from kubelog.ingest.inputs.sources import Source
from kubelog.message.vocabulary import vocabulary
from kubelog.native import Leaves
from kubelog.pipeline import Log

WHEN = """
[event.Lost]
fields = { state = "word" }
[event.Half]
[event.Found]
[event.Said]

[[message]]
event = "Lost"
files = ["a.go"]
pairs = [{ message = "It changed", when = { state = "lost" }, fields = { state = "state" } }]
sample = [{ body = '"It changed" state="lost"', yields = { state = "lost" } }]

[[message]]
event = "Half"
files = ["a.go"]
pairs = [{ message = "It changed", when = { state = "lost", "how far" = "\\"half" } }]
sample = [{ body = '"It changed" state="lost" how far="half"', yields = {} }]

[[message]]
event = "Found"
files = ["a.go"]
pairs = [{ message = "It changed", when = { state = "found ü" } }]
sample = [{ body = '"It changed" state="found ü"', yields = {} }]

# Without a condition: what no other reads.
[[message]]
event = "Said"
files = ["a.go"]
pairs = [{ message = "It changed" }, { message = "It \\"stopped\\"", when = { state = "over" } }]
sample = [
  { body = '"It changed"', yields = {} },
  { body = '"It \\"stopped\\"" state=over', yields = {} },
]
"""


@pytest.fixture(scope="module")
def when_engines(tmp_path_factory: pytest.TempPathFactory) -> list[Engine]:
    file = tmp_path_factory.mktemp("when") / "when.toml"
    file.write_text(WHEN, encoding="utf-8")
    table = read_table([file], vocabulary())
    return [Scanner(table), Scanner(table, Leaves(interpreted=True)), engine_of("reference", [file])]


def kinds(engine: Engine, body: str, file: str = "b.go") -> list[str | None]:
    line = f"I0102 03:04:05.678901       1 {file}:1] {body}\n".encode()
    return [record.kind for record in Log([Source.of("-", (line,))], engine)]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('"It changed" state="lost"', "Lost"),
        ('"It changed" state="it is lost now"', "Lost"),
        ('"It changed" other="lost" state={"is":"lost"}', "Lost"),
        ('"It changed" state="los" other="lost"', "Said"),
        ('"It changed" states="lost"', "Said"),
        ('"It changed" state="lost" how far="half"', "Half"),
        ('"It changed" how far="half"', "Said"),
        ('"It changed" how far="a half" state="lost"', "Lost"),
        ('"It changed" state="found ü"', "Found"),
        ('"It changed" state="found lost"', "Lost"),
        ('"It changed" state="lost" state="found"', "Said"),
        ('"It changed" state="found" state="lost"', "Lost"),
        ('"It changed" state=<\n\tit is\n\tlost\n >', "Lost"),
        ('"It changed" state=', "Said"),
        ('"It changed"', "Said"),
        ('"logger: It changed" state="lost"', "Lost"),
        ('"It \\"stopped\\"" state="over"', "Said"),
        ('"It \\"stopped\\"" state="on"', None),
        ('"It \\"stopped\\""', None),
    ],
)
def test_a_value_decides_what_a_message_says(when_engines: list[Engine], body: str, kind: str | None) -> None:
    assert [kinds(engine, body) for engine in when_engines] == [[kind]] * 3


@pytest.mark.parametrize(("state", "kind"), [("lost", "Lost"), ("kept", "Said"), (None, "Said")])
def test_a_value_decides_in_json_too(when_engines: list[Engine], state: str | None, kind: str) -> None:
    said = {"ts": 1700000000000.5, "caller": "b.go:1", "msg": "It changed", "v": 0} | ({"state": state} if state else {})
    line = json.dumps(said, separators=(",", ":")).encode() + b"\n"
    for engine in when_engines:
        assert [record.kind for record in Log([Source.of("-", (line,))], engine)] == [kind]


pairs = st.tuples(
    st.sampled_from(["state", "how far", "other", "sta"]),
    st.sampled_from(["lost", "half", "los", "t half", "found ü", "over", "", '"', "\\"]),
)


@given(
    st.sampled_from(['"It changed"', '"It \\"stopped\\""', '"x: It changed"']),
    st.lists(pairs, max_size=4),
    st.sampled_from(["a.go", "b.go"]),
)
def test_all_engines_decide_alike(when_engines: list[Engine], message: str, said: list[tuple[str, str]], file: str) -> None:
    body = message + "".join(f' {key}="{value}"' for key, value in said)
    first, *others = [kinds(engine, body, file) for engine in when_engines]
    assert others == [first] * 2


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        ('{ message = "It ended", when = "x" }', "expected { message"),
        ('{ message = "It ended", when = { state = 1 } }', "expected { message"),
        ('{ message = "It ended", when = { state = "" } }', "expected a text that the value of 'state' must hold, found none"),
        (
            '{ message = "It ended", when = { a = "x" } }, { message = "It ended", when = { b = "y" } }',
            "could read the same text, and neither wins",
        ),
    ],
)
def test_a_wrong_when_is_told(tmp_path: Path, pair: str, problem: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        f'[event.Ended]\n[[message]]\nevent = "Ended"\npairs = [{pair}]\nsample = [{{ body = \'"It ended"\', yields = {{}} }}]\n'
    )
    with pytest.raises(GrammarError, match=problem.replace("{", r"\{")) as error:
        catalog.load([file], vocabulary())
    assert error.value.line == 4
