"""A table says what the records say: each cell is the field of its Record, of whatever log, on the scanner and on its sources."""

from __future__ import annotations

import tomllib
import types
import typing
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kubelog import load_grammar, native
from kubelog.engines import Engine, Scanner
from kubelog.ingest.calendar import micros
from kubelog.ingest.inputs.sources import Source
from kubelog.message.coverage import Coverage
from kubelog.message.filter import Filter
from kubelog.message.record import Record, plain
from kubelog.message.samples import wrapped
from kubelog.pipeline import Log
from tests.strategies import listings, log_bytes, node_logs
from tests.test_cases import CASES, written
from tests.test_properties import (
    GRAMMAR,
    NOW,
    PAIR_VALUES,
    REAL,
    TEXT_VALUES,
    edited,
    go_quote,
    logs,
    noise,
    pair_values,
    woven,
)  # fmt: skip

pa = pytest.importorskip("pyarrow")

# The law


def log_of(engine: Engine, data: bytes, **options: Any) -> Log:
    return Log([Source.of("-", (data,))], engine, **{"now": NOW, **options})


def row(record: Record) -> dict[str, Any]:
    """A record as a row: what its cells must be."""
    found = {name: getattr(record, name) for name in record.__struct_fields__[:16]}
    found |= {name: getattr(record, name) for name in ("pod", "namespace", "pod_uid", "container")}
    found |= {"path": record.origin.path, "line": record.origin.line, "offset": record.origin.spans[0][0]}
    return {name: shown(value) for name, value in found.items()}


def shown(value: Any) -> Any:
    """A value as a table has it: what is no text is written out, times are µs."""
    if isinstance(value, datetime):
        return micros(value), value.tzinfo is not None
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def rows(table: Any) -> list[dict[str, Any]]:
    """The cells of a table that is as Arrow wants it."""
    table.validate(full=True)
    aware = table.schema.field("time").type.tz is not None
    times = table.column("time").cast(pa.int64()).to_pylist()
    return [
        {**one, "time": None if time is None else (time, aware)}
        for one, time in zip(table.drop(["time"]).to_pylist(), times, strict=True)
    ]


def assert_the_law(engine: Engine, data: bytes, **options: Any) -> None:
    log = log_of(engine, data, **options)
    table = log.to_arrow()
    found, wanted = rows(table), [row(record) for record in log]
    if table.schema.field("time").type.tz is None:
        # There a time whose line says its zone stands among those that do not, in UTC.
        wanted = [one | {"time": one["time"] and (one["time"][0], False)} for one in wanted]
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one == other
    counted = Coverage()
    for record in log:
        counted.add(record)
    assert vars(log.coverage()) == vars(counted)


options = st.fixed_dictionaries(
    {},
    optional={
        "year": st.sampled_from([1970, 2016, 2017]),
        "now": st.none(),
        "tz": st.sampled_from(["UTC", "+08:00", "-03:30", "Europe/Paris", "America/St_Johns"]),
        "node": st.sampled_from(["n9", "ubuntu-k8s-3", "n\udcff"]),
        "at": st.sampled_from([datetime(2017, 10, 16, 10, 41), datetime(2017, 10, 16, 10, 41, tzinfo=UTC)]),
    },
)
listed = st.lists(edited(st.sampled_from(REAL)) | listings().map(str.encode) | noise, max_size=8).map(b"".join)


@given(logs | woven | listed | st.binary(max_size=300), options)
def test_a_table_says_what_the_records_say(scanner: Engine, interpreted: Engine, data: bytes, options: dict[str, Any]) -> None:
    for engine in (scanner, interpreted):
        assert_the_law(engine, data, **options)


def cases() -> list[tuple[bytes, dict[str, Any]]]:
    found = []
    for file in sorted(CASES.glob("*.toml")):
        for case in tomllib.loads(file.read_text(encoding="utf-8"))["case"]:
            found.append((written(case["input"]), {name: case[name] for name in ("year", "tz", "node", "at") if name in case}))
    return found


def test_a_table_says_what_the_records_of_every_case_say(scanner: Engine, interpreted: Engine) -> None:
    for data, given_options in cases():
        for engine in (scanner, interpreted):
            assert_the_law(engine, data, **given_options)


# Values: a hole of each type, in a text and in a pair


NAMES = "word text quoted int float bool duration quantity list uid path error go pods percent".split()
LISTED = "".join(
    f'[event.A{name.title()}]\nfields = {{ v = "{name}", pod = "pod", container = "word" }}\n[[message]]\nevent = "A{name.title()}"\nfiles = ["{name}.go"]\n'
    f'text = ["the {name} is {{v:{name}}}; so", "{{v:{name}}}! was a {name} of {{pod:pod}}", "{name} at last {{v:{name}}}"]\n'
    f'pairs = [{{ message = "{name}", fields = {{ v = "v" }} }}, {{ message = "{name} of", fields = {{ v = "v", pod = "its", container = "of" }} }}]\n'
    "sample = [{ body = '', yields = {} }]\n"
    for name in NAMES
)  # fmt: skip


@pytest.fixture(scope="module")
def of_each_type(tmp_path_factory: pytest.TempPathFactory) -> list[Engine]:
    """Engines whose grammar has wordings with a hole of each type."""
    file = tmp_path_factory.mktemp("grammar") / "each.toml"
    file.write_text(LISTED)
    found = load_grammar(file)
    return [found, Scanner(found.table, native.Leaves(interpreted=True))]


# Values as Go prints them, so nested that the pieces mean something.
scalars = st.sampled_from(["", "a b", *'a 1 -1.50 true null <nil> a:b b: é & 0x1 map a-b/c 1e9 " \\'.split()])
names = st.sampled_from(["A", "b", "B1", "a.b/c", "1", "é", ""])
in_go = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(st.tuples(names, inner), max_size=3).map(lambda found: "{" + " ".join(f"{a}:{b}" for a, b in found) + "}"),
        st.lists(st.tuples(names, inner), max_size=3).map(lambda found: "map[" + " ".join(f"{a}:{b}" for a, b in found) + "]"),
        st.lists(inner, max_size=3).map(lambda found: "[" + " ".join(found) + "]"),
        st.lists(inner, max_size=3).map(lambda found: "{" + " ".join(found) + "}"),
        inner.map("&{}".format),
    ),
    max_leaves=6,
)
json_scalars = st.sampled_from(["", "9" * 19, *r'"a" "" "\n" "\u00e9" "é" 1 -0 01 1.5 1. 1e5 true nul null a'.split()])
in_json = st.recursive(
    json_scalars,
    lambda inner: st.one_of(
        st.lists(st.tuples(st.sampled_from(['"k"', '"k\\t" ', "k", ""]), inner), max_size=3).map(
            lambda found: "{" + ", ".join(f"{a}:{b}" for a, b in found) + "}"
        ),
        st.lists(inner, max_size=3).map(lambda found: "[" + ",".join(found) + "]"),
    ),
    max_leaves=6,
)
odd = st.sampled_from(
    "1K 1Ki 1k 1m 1e3 1.5Mi .5 1. +1 -1 -0 0 -0s 1h2m3.5s 1ms 1µs 1μs 1us 1ns 1s1 1 1x 0x1 9223372036854775808 1e400 NaN -- 5% 5.5% true True "
    "truex null a/b a/b/c a_b(c) a_b() a_b(c)) /b a/ a_b _ a/_ a,b [a] {a} é/b b/é a_b(é) {} [] & &{} &[] map[] map[a] <nil> <".split()
)
pods = st.sampled_from(
    [
        "",
        *'default/web-0 web-0 web-0_default(1-2) web-0_default() {"name":"w","namespace":"d"} {"name":"w"} é / 12 true null ""'.split(),
    ]
)
some_pairs = st.lists(
    st.tuples(
        st.sampled_from(["pod", "podUID", "containerName", "v", "its", "of"]), st.one_of(pods, pods.map(go_quote), pair_values)
    ),
    max_size=4,
).map(lambda found: "".join(f" {a}={b}" for a, b in found))


@st.composite
def said(draw: Any) -> bytes:
    """A line of one of these wordings, its values right or nearly."""
    name = draw(st.sampled_from(NAMES))
    good = TEXT_VALUES.get(name, TEXT_VALUES["word"]).map(lambda pair: pair[0])
    in_pair = PAIR_VALUES.get(name, PAIR_VALUES["word"]).map(lambda pair: pair[0])
    near = st.one_of(in_go, in_json, odd, good) if name in ("go", "list") else st.one_of(good, good, odd, odd, in_go)
    value = draw(st.one_of(near, near.map(go_quote), edited(near.map(str.encode)).map(lambda b: b.decode("latin-1"))))
    blocks = st.lists(near, max_size=2).map(lambda found: "<\n" + "".join(f"\t{x}\n" for x in found) + " >")
    pair = draw(st.one_of(in_pair, st.just(value), st.just(go_quote(value)), blocks))
    body: str = draw(
        st.sampled_from(
            [
                f"the {name} is {value}; so", f"{value}! was a {name} of {draw(pods)}", f"{name} at last {value}",
                f'"{name}" v={pair}{draw(some_pairs)}', f'"{name} of" v={pair}{draw(some_pairs)}', f'"something else"{draw(some_pairs)}',
            ]
        )
    )  # fmt: skip
    return f"I0102 03:04:05.678901    4321 {name}.go:1] {body}\n".encode("utf-8", "surrogatepass")


@given(st.lists(said(), max_size=8).map(b"".join))
def test_a_table_reads_values_as_their_types_do(of_each_type: list[Engine], data: bytes) -> None:
    for engine in of_each_type:
        assert_the_law(engine, data)


# Filters

TIMES = [
    datetime(2017, 10, 16, 9, 50, 55, 56703), datetime(2017, 10, 16, 10, 20, tzinfo=UTC), datetime(2016, 1, 1),
    datetime(2017, 10, 16, 9, 50, 55, 56703, tzinfo=ZoneInfo("Europe/Paris")), datetime(2017, 10, 29, 2, 30, fold=1), datetime.max,
]  # fmt: skip
filters = st.fixed_dictionaries(
    {},
    optional={
        "unit": st.sampled_from(["kubelet", "systemd", "n\udcff"]),
        "pod": st.sampled_from(["default/web-0", "None/web-0", "None/None", "/", "d\udcff/"]),
        "kind": st.sampled_from(["EvictionPodEvicted", "ClusterEvent", "NodeConfig"]),
        "severity": st.sampled_from(["I", "wef"]),
        "since": st.sampled_from(TIMES),
        "until": st.sampled_from(TIMES),
    },
)


@given(logs | listed | node_logs().map(log_bytes), options, filters)
@example(b"I1029 02:30:00.000000 1 a.go:1] x\n", {"tz": "Europe/Paris"}, {"since": datetime(2017, 10, 29, 2, 30)})
def test_a_filter_admits_the_same_rows_of_a_table_as_records(
    scanner: Engine, data: bytes, options: dict[str, Any], where: dict[str, Any]
) -> None:
    assert_the_law(scanner, data, **options, where=Filter(**where))
    log = log_of(scanner, data, **options, where=Filter(**where))
    for kind in ("EvictionPodEvicted", "ClusterEvent"):
        assert log.events(kind).to_arrow().num_rows == sum(record.kind == kind for record in log)


def test_a_line_that_is_too_long_is_a_row(scanner: Engine) -> None:
    line = b"I1016 09:50:55.056703 1 a.go:1] x\n"
    assert_the_law(scanner, line + b"\xe9" + b"y" * (1 << 20) + b"\n" + line + b"z" * ((1 << 20) + 1))


# The events of one kind


def cell(value: Any, hint: Any) -> Any:
    """A field as its column has it: structures as dicts, what may be anything as JSON text."""
    parts = [part for part in typing.get_args(hint) if part is not type(None)]
    if value is None:
        return None
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return cell(value, parts[0]) if len(parts) == 1 else float(value)
    if typing.get_origin(hint) is list:
        return [cell(one, parts[0]) for one in value]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        inner = typing.get_type_hints(hint)
        return {name: cell(getattr(value, name), inner[name]) for name in hint.__struct_fields__}
    if hint is Any or typing.get_origin(hint) is dict:
        return msgspec.json.encode(plain(value)).decode()
    return micros(value) if isinstance(value, datetime) else shown(value)


def assert_the_law_of_events(engine: Engine, data: bytes, kind: str, **options: Any) -> int:
    events = log_of(engine, data, **options).events(kind)
    table = events.to_arrow()
    table.validate(full=True)
    assert table.schema == log_of(engine, b"", **options).events(kind).to_arrow().schema
    zone = events.log.schema.field("time").type.tz
    times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    assert {table.schema.field(name).type.tz for name in times} == {zone}
    for name in times:
        table = table.set_column(table.schema.get_field_index(name), name, table.column(name).cast(pa.int64()))
    hints = typing.get_type_hints(engine.decoder.classes[kind])
    wanted = []
    for event in events:
        row = {name: shown(getattr(event.seen, name)) for name in ("node", "unit", "path", "line")}
        row["time"] = None if event.time is None else micros(event.time)
        moments = [value for value in (event.time, *event.fields.values()) if isinstance(value, datetime)]
        assert zone is None or all(moment.tzinfo is not None for moment in moments)
        wanted.append(row | {name: cell(value, hints[name]) for name, value in event.fields.items()})
    found = table.to_pylist()
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one == other
    return len(found)


KINDS = sorted({wording.event for wording in GRAMMAR.wordings})


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_a_kind_says_what_its_events_say(kind: str, scanner: Engine, interpreted: Engine) -> None:
    data = b"\n".join(wrapped(sample) for sample in GRAMMAR.samples if sample.event == kind)
    for engine in (scanner, interpreted):
        for given_options in ({}, {"year": 2017, "tz": "Europe/Paris", "node": "n\udcff", "at": TIMES[0]}, {"now": None}):
            assert assert_the_law_of_events(engine, data, kind, **given_options) > 0


@settings(max_examples=max(1, settings().max_examples // 2))
@given(st.lists(said(), max_size=6).map(b"".join))
def test_the_table_of_a_kind_reads_values_as_their_types_do(of_each_type: list[Engine], data: bytes) -> None:
    for engine in of_each_type:
        for kind in {record.kind for record in log_of(engine, data) if record.kind}:
            assert_the_law_of_events(engine, data, kind)


@given(logs | listed, options)
def test_the_table_of_a_kind_says_what_the_events_of_a_log_say(scanner: Engine, data: bytes, options: dict[str, Any]) -> None:
    for kind in {record.kind for record in log_of(scanner, data) if record.kind}:
        assert_the_law_of_events(scanner, data, kind, **options)
