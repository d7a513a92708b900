"""The grammars hold what they say, and a wrong grammar is told with its place, its line and a likely fix."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubelog.engines import Engine
from kubelog.engines import engine as engine_of
from kubelog.errors import GrammarError
from kubelog.grammar import catalog, tree
from kubelog.grammar.compile import Table, compile_grammar
from kubelog.ingest.inputs.sources import Source
from kubelog.message.samples import check_samples
from kubelog.message.vocabulary import classes, vocabulary
from kubelog.pipeline import Log, load_grammar, parse_line

MISTAKES = Path(__file__).with_name("cases") / "grammar" / "mistakes.toml"


def load(*paths: Path) -> tree.Grammar:
    return catalog.load([catalog.shipped(), *paths], vocabulary())


# Samples


def test_every_sample_yields_what_it_says_and_every_wording_has_one(engine: Engine) -> None:
    assert check_samples(engine, load().samples) == []


def test_every_event_of_the_grammar_is_in_the_vocabulary_and_said_somewhere() -> None:
    # No wording says that a line was cut short.
    assert {wording.event for wording in load().wordings} == set(classes()) - {"InputLost", "LineCut"}


def test_every_wording_and_sample_stands_where_it_is_said_to_stand() -> None:
    grammar = load()
    for path, line, text in [(w.path, w.line, w.text) for w in grammar.wordings] + [
        (s.path, s.line, s.body) for s in grammar.samples
    ]:
        found = (catalog.shipped() / Path(path).name).read_text(encoding="utf-8").split("\n")[line - 1]
        assert text.split("\n")[0] in found or "\n" in text, (path, line)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            """sample = [{ body = "the disk of n1 is full", yields = { node = "n2" } }]""",
            "{path}:6: expected node = 'n2', found 'n1'",
        ),
        (
            """sample = [{ body = "the disk of n1 is full", yields = {} }]""",
            "{path}:6: expected node = None, found 'n1'",
        ),
        (
            """sample = [{ body = "the disk is full", yields = {} }]""",
            "{path}:6: expected DiskFull, found no kind: header",
        ),
        (
            """sample = [{ body = "eviction manager: attempting to reclaim nodefs", yields = {} }]""",
            "{path}:6: expected DiskFull, found EvictionReclaimAttempted",
        ),
        (
            """sample = [{ body = "the disk of n 1 is full", yields = {} }]""",
            "{path}:6: expected DiskFull with all its values, found not-converted: node",
        ),
    ],
)
def test_a_sample_that_yields_something_else_is_told(tmp_path: Path, wrong: str, told: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        '[event.DiskFull]\nfields = { node = "word" }\n[[message]]\nevent = "DiskFull"\ntext = ["the disk of {node:word} is full"]\n'
        + wrong
    )
    assert check_samples(load_grammar(file), own(file))[0] == told.format(path=file)


def test_a_wording_that_no_sample_reaches_is_told(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        """[event.DiskFull]
[[message]]
event = "DiskFull"
text = [
  "the disk is full",
  "the disk is overfull",
]
sample = [{ body = "the disk is full", yields = {} }]
"""
    )
    assert check_samples(load_grammar(file), own(file)) == [
        f"{file}:6: no sample reaches this wording of DiskFull: 'the disk is overfull'"
    ]


def own(file: Path) -> list[tree.Sample]:
    """The samples of one file."""
    return [sample for sample in load(file).samples if sample.path == str(file)]


def kinds_of(text: bytes, engine: Engine) -> list[str | None]:
    return [record.kind for record in Log([Source.of("-", (text,))], engine)]


# A user's own grammar


OWN = """
[event.DiskFull]
fields = { device = "path", free = "quantity", since_s = "duration", pod = "pod", percent = "percent", options = "list" }

[[message]]
event = "DiskFull"
files = ["disk.go"]
text = ["disk {device:path} has {free:quantity} left since {since_s:duration} for {pod:pod} at {percent:percent} with {options:list}"]
pairs = [{ message = "Disk full", fields = { device = "device", free = "free", since_s = "since", pod = "pod" } }]
sample = [
  { body = 'disk /dev/sda has 1Ki left since 1m0s for a_b(c) at 92% with [x y]', yields = { device = "/dev/sda", free = { text = "1Ki", value = 1024 }, since_s = 60.0, pod = { name = "a", namespace = "b", uid = "c" }, percent = 0.92, options = ["x", "y"] } },
  { body = '"Disk full" device="/dev/sda" free="1Ki" since="1m0s" pod="b/a"', yields = { device = "/dev/sda", free = { text = "1Ki", value = 1024 }, since_s = 60.0, pod = { name = "a", namespace = "b" } } },
]

# A further wording of an event that kubelog knows.
[[message]]
event = "EvictionFailed"
text = ["nothing could be evicted"]
sample = [{ body = "nothing could be evicted", yields = {} }]
"""


@pytest.fixture
def own_file(tmp_path: Path) -> Path:
    file = tmp_path / "own.toml"
    file.write_text(OWN)
    return file


@pytest.mark.parametrize("name", ["scanner", "reference"])
@pytest.mark.parametrize("as_folder", [False, True])
def test_one_file_adds_a_wording_and_a_new_event(own_file: Path, name: str, as_folder: bool) -> None:
    engine = load_grammar(own_file.parent if as_folder else own_file, name)
    assert check_samples(engine, own(own_file)) == []
    assert kinds_of(b"I0102 03:04:05.678901       1 x.go:1] nothing could be evicted\n", engine) == ["EvictionFailed"]


def test_a_new_event_has_the_fields_that_it_declares(own_file: Path) -> None:
    record = parse_line('I0102 03:04:05.678901       1 disk.go:1] "Disk full" device="/dev/sda" since="90s"', grammar=own_file)
    event: Any = record.event
    assert (event.kind, event.device, event.since_s, event.pod) == ("DiskFull", "/dev/sda", 90.0, None)
    assert type(event).__mro__[1].__name__ == "Event"


def test_a_wording_of_more_literal_text_wins_over_a_shipped_one(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        """[event.NodefsReclaimed]
[[message]]
event = "NodefsReclaimed"
text = ["eviction manager: attempting to reclaim nodefs"]
sample = [{ body = "eviction manager: attempting to reclaim nodefs", yields = {} }]
"""
    )
    line = "I0102 03:04:05.678901       1 eviction_manager.go:1] eviction manager: attempting to reclaim "
    assert parse_line(line + "nodefs", grammar=file).kind == "NodefsReclaimed"
    assert parse_line(line + "memory", grammar=file).kind == "EvictionReclaimAttempted"
    assert parse_line(line + "nodefs").kind == "EvictionReclaimAttempted"


def test_the_file_named_decides_between_equal_wordings(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    block = """
[event.From{0}]
[[message]]
event = "From{0}"
files = ["{0}.go"]
text = ["it is how it was {{_:rest}}"]
pairs = [{{ message = "It is" }}]
sample = [{{ body = "it is how it was then", yields = {{}} }}, {{ body = '"It is"', yields = {{}} }}]
"""
    file.write_text(block.format("A") + block.format("B"))
    for name in ("scanner", "reference"):
        engine = load_grammar(file, name)
        assert check_samples(engine, own(file)) == []
        text = b"".join(
            b"I0102 03:04:05.678901       1 %s.go:1] %s\n" % (go, body)
            for go in (b"A", b"B", b"C")
            for body in (b"it is how it was here", b'"It is"')
        )
        assert kinds_of(text, engine) == ["FromA", "FromA", "FromB", "FromB", "FromA", "FromA"]


def test_a_wording_that_begins_with_a_hole_is_read_only_in_the_files_that_it_names(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    block = """
[event.{0}]
fields = {{ name = "word" }}
[[message]]
event = "{0}"
{1}
text = ["{{name:word}} {2}"]
sample = [{{ body = "sda {2}", yields = {{ name = "sda" }} }}]
"""
    file.write_text(
        block.format("DiskSlow", 'files = ["disk.go", "volume.go"]', "is slow")
        + block.format("ThingSlow", "", "is slow")
        + block.format("DiskVerySlow", 'files = ["disk.go"]', "is very slow")
        + block.format("DaemonSlow", 'program = ["diskd"]', "is slow")
    )
    header = b"I0102 03:04:05.678901       1 %s:1] sda is %sslow\n"
    text = b"".join(header % (go, how) for go in (b"disk.go", b"volume.go", b"other.go") for how in (b"", b"very "))
    text += b"".join(b"Jan  2 03:04:05 n1 %s[1]: sda is slow\n" % program for program in (b"diskd", b"otherd"))
    for name in ("scanner", "reference"):
        engine = load_grammar(file, name)
        assert check_samples(engine, own(file)) == []
        # "is very slow" ends with no "is slow": elsewhere nobody reads it.
        assert kinds_of(text, engine) == ["DiskSlow", "DiskVerySlow", "DiskSlow", None, "ThingSlow", None, "DaemonSlow", None]


# What the package ships


def test_a_table_is_the_same_after_it_was_shipped() -> None:
    table = compile_grammar(load())
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(table), type=Table) == table


def test_the_scanner_needs_no_pyparsing() -> None:
    import subprocess
    import sys

    code = "import sys, kubelog.pipeline as p; p.parse_line('I0102 03:04:05.678901 1 a.go:1] \"m\" a=1'); print('pyparsing' in sys.modules)"
    engine_of("scanner")  # the table of a checkout is made where it is missing
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=catalog.shipped().parent)
    assert done.stdout.strip() == "False"


# Mistakes


def mistakes() -> list[Any]:
    found = tomllib.loads(MISTAKES.read_text(encoding="utf-8"))["case"]
    return [pytest.param(case, id=case["name"].replace(" ", "_")) for case in found]


@pytest.mark.parametrize("case", mistakes())
def test_a_wrong_grammar_is_told_with_its_place(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("mine.toml")
    file.write_bytes(case["grammar"].encode("latin-1") if case.get("latin1") else case["grammar"].encode())
    with pytest.raises(GrammarError) as raised:
        load_grammar(file)
    error = raised.value
    found = {"line": error.line, "column": error.column, "problem": error.problem, "hint": error.hint}
    assert (error.path, found) == ("mine.toml", {"hint": "", **{key: case[key] for key in found if key in case}})
    if error.line and not case.get("latin1"):
        assert error.source == case.get("source", case["grammar"].split("\n")[error.line - 1])
    place = f"mine.toml:{error.line}:{error.column}" if error.line else "mine.toml"
    assert str(error) == f"{place}: {error.problem}" + (f"; {error.hint}" if error.hint else "")


def test_a_folder_without_a_grammar_is_told(tmp_path: Path) -> None:
    with pytest.raises(GrammarError, match=r"no grammar file \(\*\.toml\) in this directory"):
        load_grammar(tmp_path)


def test_a_path_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(GrammarError, match="no such file or directory"):
        load_grammar(tmp_path / "none.toml")


def test_events_that_only_name_a_subsystem_are_few() -> None:
    """A general event is better than none; what people act on has an event of its own."""
    wordings = load().wordings
    general = sum(classes()[wording.event].general for wording in wordings)
    assert 0 < general <= 0.15 * len(wordings)
