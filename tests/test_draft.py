"""A draft loads, and reads the line that it was made of."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kubelog.draft import Draft, draft
from kubelog.engines import ReferenceEngine, Scanner
from kubelog.errors import UsageError
from kubelog.grammar import catalog
from kubelog.grammar.compile import compile_grammar
from kubelog.grammar.reference import Reference
from kubelog.message.samples import check_samples
from kubelog.message.vocabulary import vocabulary
from kubelog.pipeline import load_grammar, parse_line
from tests.test_cli import kubelog

CASES = Path(__file__).with_name("cases") / "grammar" / "drafts.toml"
HEADER = "E0102 03:04:05.678901    4321 disk.go:12] "
KLOG = catalog.shipped() / "klog.toml"


@pytest.fixture(scope="module")
def shipped() -> ReferenceEngine:
    found = load_grammar(engine_name="reference")
    assert isinstance(found, ReferenceEngine)
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What is wrong with a draft that stands alone beside the header's grammar, for both engines."""
    file = tmp_path_factory.mktemp("draft") / "mine.toml"
    # Making the parsers of headers and pairs takes longer than all else: they are the same for each draft.
    reference = Reference(catalog.load([KLOG]))

    def check(made: Draft) -> list[str]:
        file.write_text(made.toml, encoding="utf-8", newline="\n")
        grammar = catalog.load([KLOG, file], vocabulary())
        fast, slow = Scanner(compile_grammar(grammar)), object.__new__(ReferenceEngine)
        slow.table, slow.decoder, slow.leaves, slow.program = fast.table, fast.decoder, fast.leaves, fast.program
        reference.take(grammar)
        slow.reference = reference
        return check_samples(fast, grammar.samples) + check_samples(slow, grammar.samples)

    return check


def cases() -> list[Any]:
    return [
        pytest.param(case, id=case["name"].replace(" ", "_")) for case in tomllib.loads(CASES.read_text(encoding="utf-8"))["case"]
    ]


@pytest.mark.parametrize("case", cases())
def test_a_line_is_drafted_as_it_says(case: dict[str, Any], shipped: ReferenceEngine, alone: Any) -> None:
    made = draft(case["line"].encode(), shipped)
    found = {**made.to_dict(), "sample": made.body}
    assert {key: found[key] for key in case if key not in ("name", "line")} == {
        key: value for key, value in case.items() if key not in ("name", "line")
    }
    assert alone(made) == []


def test_a_shipped_sample_can_be_drafted_anew(shipped: ReferenceEngine, alone: Any) -> None:
    """Of each event's samples the first and every sixteenth."""
    seen: Counter[str] = Counter()
    for sample in catalog.load([catalog.shipped()], vocabulary()).samples:
        seen[sample.event] += 1
        if seen[sample.event] % 16 != 1:
            continue
        made = draft(sample.body.encode(), shipped)
        assert alone(made) == [], made.toml
        assert made.event not in vocabulary()


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                """pod web-0_shop(0a1b2c3d) "quoted \\" text" {a:1 b:[x y]} map[a:b] [a b] 5m30s 100Mi 12% failed error: cannot : , =
                10.0.0.1:6443 /var/lib/x kube-system/dns-1 0a1b2c3d-0000-11e7-a98b-0650cc001a5b {{ }} } ' ''' \\ * %d true=1 a=b (3) docker://x
                <nil> é 10月 ]x[ &{A:B} "" 2017-10-16T09:50:55Z""".split()
            ),
            st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=8),
        ),
        min_size=1,
        max_size=12,
    ).map(" ".join)
)
@settings(max_examples=60, deadline=None)
@example("a{b}c {{x}} 5")
@example("5 5 5")
@example('"msg" a=1 a=2 b c="x"')
@example('"msg" kind="x" from="y" error="z" err="w" Kind=5')
@example("x '''y''' \\ \x7f\x00\x1b[2J\u200b 7'")
@example("failed: a: b: c 5: d")
@example("/" + ":" * 5000)
@example("[" * 5000 + "(" * 5000)
@example("a" * 5000 + "/" * 5000 + "-" * 5000)
def test_any_line_can_be_drafted(shipped: ReferenceEngine, alone: Any, text: str) -> None:
    if not text.strip():
        with pytest.raises(UsageError):
            draft((HEADER + text).encode(), shipped)
        return
    made = draft((HEADER + text).encode(), shipped)
    assert alone(made) == [], made.toml


@given(st.binary(min_size=1, max_size=60))
@settings(max_examples=40, deadline=None)
@example(b"disk \xff\xfe full 5")
@example(b"disk (\xff) a]\xff")
@example(b"\xff")
def test_any_bytes_can_be_drafted(shipped: ReferenceEngine, alone: Any, data: bytes) -> None:
    try:
        made = draft(HEADER.encode() + data.replace(b"\n", b" ").replace(b"\r", b" "), shipped)
    except UsageError:
        return
    assert alone(made) == [], made.toml


# The command


LINE = HEADER + 'Disk /dev/sdb1 of "node 7" has 100Mi {free} after 3m20s: retrying'


def test_what_is_printed_is_a_grammar_that_types_the_line(tmp_path: Path) -> None:
    made = kubelog("grammar", "draft", LINE)
    assert (made.returncode, made.stderr) == (0, b"")
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "disk.toml").write_bytes(made.stdout)
    checked = kubelog("grammar", "check", str(folder))
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.endswith(b"all samples right\n")
    for engine in ("scanner", "reference"):
        log = (LINE + "\n" + LINE.replace("sdb1", "sdc").replace("100Mi", "2Gi")).encode()
        done = kubelog("parse", "--year", "2017", "--grammar", str(folder), "--engine", engine, "-o", "jsonl", stdin=log)
        first, second = map(json.loads, done.stdout.splitlines())
        assert (first["verdict"], first["kind"]) == ("typed", "DiskOfHasAfterRetrying")
        assert first["fields"] == {"disk": "/dev/sdb1", "name": "node 7"} | first["fields"]
        assert second["fields"]["disk"] == "/dev/sdc"
        assert second["fields"]["quantity"] == {"text": "2Gi", "value": 2 << 30}


def test_a_line_from_standard_input_and_its_draft_as_json() -> None:
    made = json.loads(kubelog("grammar", "draft", "-", "-o", "json", stdin=LINE.encode() + b"\n").stdout)
    assert made["event"] in made["toml"]
    assert made["files"] == ["disk.go"]
    assert made["toml"].encode() == kubelog("grammar", "draft", LINE).stdout


def test_a_line_that_is_known_is_told() -> None:
    line = "eviction manager: attempting to reclaim nodefs"
    made = kubelog("grammar", "draft", line)
    assert made.returncode == 0
    assert b"the line is read already, as EvictionReclaimAttempted (grammars/kubelet_eviction.toml:7)" in made.stderr


@pytest.mark.parametrize("line", ["", "  ", HEADER.strip()])
def test_nothing_to_draft_from_is_one_clear_line(line: str) -> None:
    made = kubelog("grammar", "draft", line)
    assert (made.returncode, made.stdout) == (2, b"")
    assert made.stderr.startswith(b"kubelog: expected a ")
    assert made.stderr.count(b"\n") == 1


def test_a_name_that_the_users_grammar_has_is_not_taken_again(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(kubelog("grammar", "draft", "the disk is full").stdout)
    again = kubelog("grammar", "draft", "the disk is full of 5", "--grammar", str(file)).stdout.decode()
    assert "[event.TheDiskIsFull]" not in again
    file.write_text(file.read_text() + again)
    assert parse_line(HEADER + "the disk is full of 7", grammar=file).fields == {"count": 7}
