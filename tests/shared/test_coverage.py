"""How much of what was published, and of what the sources can say, is typed. Skipped without the corpus."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kubelog.engines import Engine
from kubelog.ingest.inputs.sources import Source
from kubelog.pipeline import Log, read

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "corpus-kinds.json"


@pytest.fixture(scope="module")
def said(shared: Path, scanner: Engine) -> Counter[tuple[str, str | None]]:
    """Of each record of kubelet or API server with a klog header: severity and kind."""
    found: Counter[tuple[str, str | None]] = Counter()
    for file in sorted((shared / "corpus").rglob("*.log")):
        for record in read(file, year=2020):
            if record.severity and record.source_file and record.verdict != "unparsed":
                found[record.severity, record.kind] += 1
    return found


def share(said: Counter[tuple[str, str | None]], severities: str) -> float:
    typed = sum(count for (severity, kind), count in said.items() if severity in severities and kind)
    return typed / sum(count for (severity, _), count in said.items() if severity in severities)


def test_nearly_all_that_was_published_is_typed(said: Counter[tuple[str, str | None]]) -> None:
    assert share(said, "WEF") >= 0.97
    assert share(said, "IWEF") >= 0.92


def test_the_corpus_gives_as_many_of_each_kind_as_before(said: Counter[tuple[str, str | None]], accept: bool) -> None:
    """Counts alone: no line of the corpus may stand in the project."""
    counts: Counter[str] = Counter()
    for (_, kind), count in said.items():
        counts[kind or "untyped"] += count
    if accept:
        GOLDEN.write_text(json.dumps(dict(sorted(counts.items())), indent=1) + "\n", encoding="utf-8")
    assert dict(counts) == json.loads(GOLDEN.read_text(encoding="utf-8"))


# What to write where a verb of Go's fmt stands: it must not matter.
VERBS = {"d": "17", "t": "true", "q": '"word"', "x": "1f", "f": "0.5", "g": "0.5", "c": "c", "p": "0xc000", "U": "U+0041"}


def rendered(message: dict[str, Any]) -> str:
    """A body as the component prints the message."""
    if message["style"] == "structured":
        pairs = ' err="failed"' if message["err"] else ""
        return json.dumps(message["message"]) + pairs + "".join(f' {key}="word"' for key in message["keys"])
    text = re.sub(
        r"%[-+#0-9. ]*([a-zA-Z%])", lambda verb: "%" if verb[1] == "%" else VERBS.get(verb[1], "word"), message["message"]
    )
    return text.removesuffix("\n")


# Of warnings, errors and fatals that hold literal text.
LEAST = {
    "kubelet/other": 0.6, "kubelet/runtime+cri": 0.6, "kubelet/volumemanager": 0.6, "cmd/kubelet": 0.6,
    "kubelet/cm": 0.3, "volume": 0.3, "apiserver-staging": 0.3, "kube-apiserver": 0.3, "client-go": 0.3,
}  # fmt: skip


def test_most_of_what_can_be_said_is_typed(shared: Path, scanner: Engine) -> None:
    messages = [json.loads(line) for line in (shared / "data" / "messages.jsonl").read_text(encoding="utf-8").splitlines()]
    wanted = [m for m in messages if m["component"] in LEAST and m["severity"] in "WEF" and not m["dynamic"]]
    wanted = [m for m in wanted if re.search(r"[A-Za-z]{3}", re.sub(r"%[-+#0-9. ]*[a-zA-Z]", "", m["message"]))]
    lines = []
    for message in wanted:
        body = rendered(message).replace("\n", " ")
        lines.append(f"{message['severity']}1016 09:50:55.056703   17144 {message['files'][0]}:1] {body}\n")
    records = list(Log([Source.of("-", ("".join(lines).encode(),))], scanner, year=2017))
    assert len(records) == len(wanted)
    typed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for message, record in zip(wanted, records, strict=True):
        total[message["component"]] += 1
        typed[message["component"]] += record.kind is not None
    assert {name: typed[name] / total[name] for name in LEAST if typed[name] < LEAST[name] * total[name]} == {}
