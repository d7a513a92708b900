"""What people see: escaped, stable, and as the README shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kubelog
from kubelog.cli import run
from kubelog.ingest.inputs.follow import Piece
from kubelog.view import escape, html, markdown, text

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = Path(__file__).resolve().parent / "golden"
# Whatever could act on a terminal, forge a line or turn the direction of writing.
HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
hostile = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("\x1b\x07\r\n\t\b\x00\x9b\u202e\u2066\u2028|`*_<>&[](){}#!\\\"'")),
    max_size=60,
)


def lines_with(node: str, pod: str, resource: str) -> bytes:
    """A case whose names are hostile."""
    head = f"Oct 16 09:50:55 {node} kubelet[1]: W1016 09:50:55.056703       1 eviction_manager.go:331] "
    said = f'"Eviction manager: attempting to reclaim" resourceName={json.dumps(resource)}'
    gone = f'"Failed to admit pod to node" pod={json.dumps(pod)} nodeCondition=["DiskPressure"]'
    return f"{head}{said}\n{head}{gone}\n".encode("utf-8", "surrogateescape")


class Whole:
    """A file that is read once: others are followed for ever."""

    def __init__(self, path: str, place: object) -> None:
        self.data = Path(path).read_bytes()

    def __iter__(self) -> Iterator[Piece]:
        yield Piece(self.data)

    def place(self) -> None:
        return None


def timeline_of(data: bytes, tmp: Path) -> tuple[kubelog.Log, kubelog.Timeline]:
    file = tmp / "hostile.log"
    file.write_bytes(data)
    log = kubelog.read(file, year=2017)
    return log, log.incidents()


@given(hostile)
def test_no_escaped_text_can_act_on_a_terminal(value: str) -> None:
    assert not HARMFUL.search(escape.terminal(value))
    assert not HARMFUL.search(escape.markdown(value))
    assert not HARMFUL.search(escape.code(value))
    assert not HARMFUL.search(escape.markup(value))


@given(st.recursive(hostile, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile, inner, max_size=3)))
def test_json_is_harmless_and_says_the_same(value: object) -> None:
    said = escape.json(value)
    assert not HARMFUL.search(said)
    assert json.loads(said) == value


@given(node=hostile, pod=hostile, resource=hostile)
def test_no_view_of_a_hostile_log_can_act(node: str, pod: str, resource: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    safe_node = re.sub(r"\s", "", node.replace("\x00", "")) or "n"
    log, found = timeline_of(lines_with(safe_node, pod, resource), tmp_path_factory.mktemp("hostile"))
    raw = text.raw_evidence(found, log)
    for line in text.timeline(found, 100, raw):
        assert not HARMFUL.search("".join(piece for piece, _ in line))
    for said in markdown.timeline(found, raw):
        assert not HARMFUL.search(said)
    for record in log:
        assert not HARMFUL.search("".join(piece for piece, _ in text.record(record)))
    page = html.timeline(found)
    assert not HARMFUL.search(page)
    Tags().feed(page)


class Tags(HTMLParser):
    """Fails on any tag or attribute that a view does not write itself."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"h4", "span", "p", "b", "i", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
        for name, value in attrs:
            assert name == "style"
            assert value in {"color:#b00020", "color:#8a6100", "text-align:left"}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("node3.txt", ["timeline", "node3-kubelet.log", "--year", "2017"]),
        ("node3.md", ["timeline", "node3-kubelet.log", "--year", "2017", "-o", "markdown"]),
        ("node3.json", ["timeline", "node3-kubelet.log", "--year", "2017", "-o", "json"]),
        ("node3-lines.txt", ["timeline", "node3-kubelet.log", "--year", "2017", "--lines"]),
        (
            "node3-all.txt",
            ["timeline", "node3-kubelet.log", "node3-describe-events.txt", "node3-df.txt", "node3-ps.txt", "node3-10-kubeadm.conf",
             "node3-systemctl-status.txt", "--year", "2017", "--at", "2017-10-16T10:30"],
        ),
        ("node3-tail.txt", ["tail", "node3-kubelet.log", "--year", "2017", "-o", "text"]),
        ("node3-config.txt", ["config", "node3-kubelet.log", "--year", "2017"]),
        ("node3-coverage.txt", ["coverage", "node3-kubelet.log", "node3-df.txt"]),
        ("node3-parse.jsonl", ["parse", "node3-kubelet.log", "node3-describe-events.txt", "node3-df.txt", "--year", "2017"]),
    ],
)  # fmt: skip
def test_the_command_prints_the_golden_text(
    name: str, arguments: list[str], node3: Path, accept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(node3)
    if arguments[0] == "tail":
        monkeypatch.setattr("kubelog.ingest.inputs.growing.Follower", Whole)
    target = tmp_path / name
    assert run([*arguments, "--to", str(target)]) == 0
    found = target.read_text()
    if accept:
        (GOLDEN / name).write_text(found)
    assert found == (GOLDEN / name).read_text()


def test_the_readme_shows_what_the_command_prints() -> None:
    readme = (ROOT / "README.md").read_text()
    first = readme.split("```console\n")[1].split("\n```")[0]
    command, shown = first.split("\n", 1)
    assert command == "$ kubelog timeline node3-kubelet.log --year 2017"
    assert shown == (GOLDEN / "node3.txt").read_text().rstrip()
