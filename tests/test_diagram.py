"""Railroad diagrams: one an event, of all its wordings, and nothing in them is mark-up."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kubelog.engines import ReferenceEngine
from kubelog.errors import MissingExtraError, UsageError
from kubelog.grammar import diagram
from kubelog.pipeline import load_grammar
from tests.test_cli import kubelog

HOSTILE = """
[event.Hostile]
fields = { x = "word" }
[[message]]
event = "Hostile"
text = ["<script>alert(1)</script> & \\u001b[2J {x:word} </svg>"]
pairs = [{ message = "<b onload='x'>", fields = { x = "<i>" } }]
sample = [{ body = "x", yields = {} }]
"""


class _Page(HTMLParser):
    """The tags and the texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data)


def reference(path: Path | None = None) -> ReferenceEngine:
    found = load_grammar(path, "reference")
    assert isinstance(found, ReferenceEngine)
    return found


def test_an_event_is_one_diagram_of_all_its_wordings() -> None:
    done = kubelog("grammar", "diagram", "EvictionPodEvicted")
    assert done.returncode == 0, done.stderr
    page = _Page(done.stdout.decode())
    assert page.tags["h1"] == page.tags["svg"] == 1
    for text in ("EvictionPodEvicted", "{pod:pod}", "' is evicted successfully'", "' evicted successfully'", "pod="):
        assert text in page.texts
    assert '"Eviction manager: pod is evicted successfully"' in page.texts


def test_every_event_has_its_diagram(tmp_path: Path) -> None:
    engine = reference()
    page = _Page(diagram.html(engine.reference))
    assert page.tags["h1"] == len({wording.event for wording in engine.reference.grammar.wordings})
    file = tmp_path / "all.html"
    assert kubelog("grammar", "diagram", "--to", str(file)).stdout == b""
    assert file.read_text().startswith("<!DOCTYPE html>")


def test_what_a_grammar_says_is_no_mark_up(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(HOSTILE)
    html = diagram.html(reference(file).reference, "Hostile")
    page = _Page(html)
    assert "\x1b" not in html
    assert {"script", "b", "i"} & set(page.tags) == set()
    assert page.tags["svg"] == html.count("</svg>") == 1
    assert any("<script>alert(1)</script>" in text for text in page.texts)


def test_as_json_it_is_a_text() -> None:
    found = json.loads(kubelog("grammar", "diagram", "EvictionPodEvicted", "-o", "json").stdout)
    assert found["event"] == "EvictionPodEvicted"
    assert found["html"].startswith("<!DOCTYPE html>")


def test_an_unknown_event_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="'EvictionPodEvictd' is no event of this grammar; did you mean 'EvictionPodEvicted'"):
        diagram.html(reference().reference, "EvictionPodEvictd")


@pytest.mark.parametrize("package", ["railroad", "jinja2"])
def test_without_what_draws_it_says_what_to_install(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = reference()
    monkeypatch.delitem(sys.modules, "pyparsing.diagram", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kubelog\[diagram\]'"):
        diagram.html(engine.reference)
