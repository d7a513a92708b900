"""Laws of the parsing half, each named by its sentence and tried on generated logs.

The logs are nearly valid: samples of the grammars and of the real node, edited; headers, pairs and envelopes built with mistakes;
lines of several units that stand between each other.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from kubelog.engines import Engine
from kubelog.grammar import catalog, tree
from kubelog.grammar.tree import Blanks, Literal, Pattern
from kubelog.ingest.inputs.sources import Source
from kubelog.klog import values
from kubelog.live import stream
from kubelog.message.record import Record
from kubelog.message.samples import wrapped
from kubelog.message.vocabulary import classes, pair_type, vocabulary
from kubelog.message.vocabulary.node import CONDITIONS
from kubelog.pipeline import Log, load_grammar, parse_line

NODE3 = Path(__file__).resolve().parent.parent / "notebooks" / "node3"
GRAMMAR = catalog.load([catalog.shipped()], vocabulary())
SAMPLES = [wrapped(sample) for sample in GRAMMAR.samples]
REAL = [line for file in sorted(NODE3.iterdir()) for line in file.read_bytes().splitlines(keepends=True)]
NOW = datetime.datetime(2017, 11, 1)

# Generated logs

# What means something to one of the readers, or looks as if it did.
TOKENS = [
    b" ", b"  ", b"\t", b"\n", b"\r\n", b"\r", b"\x0b", b"\x1c", b"\x85", b"\0", b"\xff", "é".encode(), "\u2028".encode(), b'"',
    b'\\"', b"\\", b"=", b":", b"]", b"[", b"{", b"}", b"(", b")", b"&{", b"map[", b"<", b"=<\n", b"\n >", b" >", b"\n\t", b"<nil>",
    b"true", b"null", b"0", b"-1.5", b"1e3", b"99", b"12345678901234567890", b"k=v", b' k="v"', b"a b=c", b"goroutine 1 [running]:",
    b"Trace[1]: ", b"created by ", b"ERROR: logging before flag.Parse: ", b"I0102 03:04:05.678901    4321 a.go:1] ", b"kubelet[1]: ",
    b"Feb 29 23:59:59 n kubelet[1]: ", "10月 16 09:50:55 n systemd[1]: ".encode(), b"Thg 10 1 00:00:00 n a[1]: ", "● ".encode(),
    b"kube-apiserver-1  | ", b"2025-10-16T09:50:55+0800 n kubelet[1]: ", b"Thu 2025-10-16 09:50:55 UTC n a[1]: ",
    b"2016-10-06T00:17:09.669794202Z stdout F ", b"2016-10-06T00:17:09.669794202Z stdout P ", b"2018-01-01 09:50:55 ",
    b"1760608255.123456 n kubelet[1]: ", b"[ 1000.000000] n kernel: ", b"[    5.000000 <   58.500000*>] n a[1]: ",
    b"<30>1 2025-10-16T09:50:55Z n kubelet 1 - - ", b"<30>Oct  3 09:50:55 n kubelet[1]: ", b"[pod/web-0/web] ", b"web-0 web ",
    b'[a b="c]"]', b" kubelet.service[1]: ", b"#012", b"#011", b"#033[1m", b"#033[", b"\x1b[31m", b"\x1b[0m", b"# ", b"> ", b"12: ",
    "\u2502 ".encode(), b'{"log":"I0102 03:04:05.678901 1 a.go:1] x\\n","stream":"stderr","time":"2017-09-26T19:59:07.1Z"}',
    b'{"MESSAGE":"a\\nb","__REALTIME_TIMESTAMP":"1760608255123456","_HOSTNAME":"n","SYSLOG_IDENTIFIER":"kubelet"}',
    b'{"level":"warn","ts":"2024-09-17T09:12:33.817253Z","msg":"a"}', b"[19B blob data]", b".", b"...", b"%", b"100Mi", b"1m30s", b"default/web-0", b"web-0_default(1-2)",
]  # fmt: skip
tokens = st.sampled_from(TOKENS)
noise = st.one_of(tokens, st.binary(max_size=6), st.text(max_size=4).map(str.encode))


@st.composite
def edited(draw: Any, lines: Any) -> bytes:
    """A line with some bytes cut, put in, or said twice."""
    line = draw(lines)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(line)))
        to = min(len(line), at + draw(st.integers(0, 12)))
        line = line[:at] + draw(noise | st.just(b"") | st.just(line[at:to] * 2)) + line[to:]
    return bytes(line)


def either(right: Any, *wrong: str) -> Any:
    """Mostly what is right, at times a mistake."""
    return st.integers(0, 15).flatmap(lambda n: st.sampled_from(wrong) if n == 11 else right)


clocks = either(
    st.builds("{:02}:{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59), st.integers(0, 59)),
    "24:00:00", "23:60:00", "23:59:60", "1:02:03", "0１:02:03", "aa:bb:cc",
)  # fmt: skip
headers = st.builds(
    "{}{}{} {}{}{}{}{}{}:{}]{}".format,
    either(st.just(""), " ", "prefix | ", "p {", "\t", "ERROR: logging before flag.Parse: "),
    either(st.sampled_from("IWEF"), "X", "D", "i", ""),
    either(
        st.builds("{:02}{:02}".format, st.integers(1, 12), st.integers(1, 28)),
        "0229",
        "0230",
        "0431",
        "1301",
        "0000",
        "101",
    ),
    clocks,
    either(st.integers(0, 999999).map(".{:06}".format), ".1", "", ".1234567", ",123456"),
    either(st.sampled_from(["   ", " ", "       "]), "", "\t", "\u00a0"),
    either(st.integers(0, 1 << 40).map(str), "", "x", "9" * 18, "9" * 19, "-1"),
    either(st.just(" "), "", "  ", "\t"),
    either(st.sampled_from(["a.go", "dir/a.go", "???", "eviction_manager.go", "flags.go"]), "", "a b.go", "a:b.go", "é.go"),
    either(st.integers(0, 9999).map(str), "", "1" * 9, "1" * 10, "１"),
    either(st.just(" "), "", "  ", "\t", ":"),
).map(str.encode)

envelopes = st.builds(
    "{}{} {} {}{} {}{}: ".format,
    either(st.just(""), " ", " " * 15, " " * 16, "\t"),
    either(st.sampled_from(sorted(GRAMMAR.months)), "Oct", "xyz", "12", "Thg 10", "", "M" * 25),
    either(st.integers(1, 31).map(str), " 3", "0", "32", "007", ""),
    clocks,
    either(st.sampled_from(["", ".123456", ".1"]), ".", ".1234567890"),
    either(st.sampled_from(["n1 ", "n2 ", ""]), "a:b ", "n: ", "[n] ", "h" * 256 + " "),
    either(
        st.sampled_from(["kubelet[1]", "kubelet[2]", "systemd[1]", "kernel"]),
        "a b[1]",
        "[1]",
        "x[]",
        "x[1",
        "x[1]]",
        "p[" + "9" * 19 + "]",
    ),
).map(str.encode)

pair_values = st.one_of(
    st.sampled_from('1 -1 1.5 true <nil> null [] {} [a b] {a:b} map[a:b] &{A:b} ["a","b"] {"a":1} 1h2m 0x1 "a" "" x'.split()),
    st.text('ab "\\=[]{}<>\n\t', max_size=8),
    st.text('ab "\\=', max_size=6).map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
    st.lists(st.text("ab =>", max_size=4), max_size=3).map(lambda lines: "<\n" + "".join(f"\t{x}\n" for x in lines) + " >"),
)
structured = st.builds(
    lambda message, pairs: (f'"{message}"' + "".join(f"{blank}{key}={value}" for blank, key, value in pairs)).encode(),
    st.builds(
        "{}{}".format,
        either(st.just(""), "a/b: ", "UnhandledError: ", "a b: ", ": ", "a:", "a\\tb: ", "é: "),
        st.sampled_from([w.message.decode() for w in GRAMMAR.wordings if w.style == "pairs"]),
    )
    | st.text('ab\\"', max_size=4),
    st.lists(
        st.tuples(
            either(st.just(" "), "", "  ", "\t"),
            either(st.sampled_from(["a", "pod", "a b", "err", "resourceName"]), "", '"', "é"),
            pair_values,
        ),
        max_size=4,
    ),
)
free = st.sampled_from([sample.body.encode() for sample in GRAMMAR.samples])
bodies = st.one_of(structured, edited(free), noise)
# klog's JSON, and what is nearly that.
messages = st.sampled_from([w.message.decode() for w in GRAMMAR.wordings if w.style == "pairs"] + [s.body for s in GRAMMAR.samples])
objects = st.builds(
    lambda time, members, end: (f'{{"ts":{time}' + "".join(f",{member}" for member in members) + end).encode(),
    either(
        st.floats(1e12, 2e12).map(lambda ms: f"{ms:.4f}".rstrip("0").rstrip(".")), "1", "99999999999", "100000000000", '"1"', "-1",
        "1580306777043.9995", "1580306777043.", "1580306777043.12349", "1e12", "9" * 16, "",
    ),
    st.lists(
        st.one_of(
            (messages | st.text(max_size=6)).map(lambda text: f'"msg":{json.dumps(text)}'),
            messages.map(lambda text: f'"msg":{json.dumps(text, ensure_ascii=False)}'),
            st.sampled_from(
                ["x/a.go:1", "eviction/eviction_manager.go:338", "a.go", "a b.go:1", "/:1", "x/a.go:1234567890", "é/é.go:2"]
            ).map(lambda text: f'"caller":"{text}"'),
            st.sampled_from(['"v":0', '"v":10', '"v":"a"', '"v":1.5', '"logger":"a.b"', '"err":"a \\"b\\"\\n"', '"":1', '"a":', "a:1", '"a"', '"a":"', "["]),
            st.builds(
                lambda key, value: f"{json.dumps(key)}:{json.dumps(value)}",
                st.sampled_from(["pod", "a b", "resourceName", "nodeCondition", "pods", "msg", "ts", "caller", "v", 'a"b', "a=b"]),
                st.recursive(
                    st.text(max_size=4) | st.integers() | st.booleans() | st.none(),
                    lambda one: st.lists(one, max_size=2) | st.dictionaries(st.text(max_size=2), one, max_size=2),
                ),
            ),
        ),
        max_size=5,
    ),
    either(st.just("}"), "", "},", "} x", "]"),
)  # fmt: skip
# What other programs write, and what looks like it.
logfmt = st.lists(
    st.builds(
        lambda key, value: f"{key}={value}",
        st.sampled_from(["t", "ts", "time", "level", "level", "lvl", "msg", "msg", "error", "k.v-w_1", "logger"]) | st.sampled_from(["", "é", 'a"']),
        st.one_of(
            st.sampled_from(["info", "WARN", '"error"', "crit", "fatal", "dbug", "nonsense", "inf", "infos", "warn1", '"', '""', ""]),
            st.text(max_size=6).map(json.dumps), st.sampled_from(["x", "[1,2]", "{a", "<", "map[a:b]", "a,b", "é", 'a"b', "a\\b", "1.5", "true", "a\tb"]),
        ),
    ),
    min_size=1, max_size=6,
).flatmap(lambda pairs: st.sampled_from([" ", "  ", "\t"]).map(lambda blank: blank.join(pairs).encode()))  # fmt: skip
built = st.builds(lambda a, b, c: a + b + c, st.just(b"") | envelopes, st.just(b"") | headers, bodies) | st.builds(
    lambda a, b: a + b, st.just(b"") | envelopes, objects | edited(objects) | logfmt | edited(logfmt)
)
lines = st.one_of(edited(st.sampled_from(SAMPLES)), edited(st.sampled_from(REAL)), built, built, noise)
logs = st.lists(st.tuples(lines, either(st.just("\n"), "\r\n", "", "\n\n")), max_size=6).map(
    lambda parts: b"".join(line + end.encode() for line, end in parts)
)

# One process's lines between those of others: what records are joined from.
woven = st.lists(
    st.builds(
        lambda *parts: b"".join(parts) + b"\n",
        st.sampled_from(
            [
                b"",
                b"Oct 16 09:50:55 n1 kubelet[1]: ",
                b"Oct 16 09:50:56 n1 kubelet[2]: ",
                b"Dec 31 23:59:59 n2 etcd[1]: ",
                b"Listopad 16 09:50:55 n1 kubelet[1]: ",
                b"Listopad 17 09:50:55 n3 x[1]: ",
            ]
        ),
        st.sampled_from([b"", b"I1016 09:50:55.056703       1 a.go:1] ", b"E0101 00:00:00.000000       2 b.go:2] "]),
        st.sampled_from(
            [
                b"",
                b'"m" k=<',
                b"\tx",
                b" >",
                b" > a=1",
                b"goroutine 1 [running]:",
                b"text",
                b" ",
                b"Trace[1]: x",
                b"]",
                b" " * 40 + b"x",
            ]
        ),
    ),
    max_size=40,
).map(b"".join)


# What a log says

Columns = Callable[[Engine, bytes], dict[str, Any]]


def log_of(engine: Engine, *pieces: bytes) -> Log:
    return Log([Source.of("-", pieces)], engine, now=NOW)


def said(records: Iterator[Record] | Log) -> list[dict[str, Any]]:
    return [record.to_dict(raw=True) for record in records]


def cuts(data: bytes, at: list[float]) -> list[bytes]:
    places = sorted(int(share * len(data)) for share in at)
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


# Engines


@given(logs)
def test_the_scanner_and_the_reference_fill_the_same_columns(
    scanner: Engine, reference: Engine, columns: Columns, data: bytes
) -> None:
    assert columns(scanner, data) == columns(reference, data)


@given(woven)
def test_the_scanner_and_the_reference_join_the_same_records(
    scanner: Engine, reference: Engine, columns: Columns, data: bytes
) -> None:
    assert columns(scanner, data) == columns(reference, data)


# Records


@given(logs | woven)
def test_every_byte_is_in_exactly_one_record(scanner: Engine, data: bytes) -> None:
    spans = sorted(span for record in log_of(scanner, data) for span in record.origin.spans)
    assert [at for at, _ in spans] == [0, *(at + size for at, size in spans)][: len(spans)]
    assert sum(size for _, size in spans) == len(data)


@given(logs | woven, st.lists(st.floats(0, 1), max_size=6))
def test_where_the_input_is_cut_does_not_matter(scanner: Engine, data: bytes, at: list[float]) -> None:
    assert said(log_of(scanner, *cuts(data, at))) == said(log_of(scanner, data))


@given(logs | woven)
def test_what_a_record_is_settled_as_is_what_it_stays(scanner: Engine, data: bytes) -> None:
    """Each line pushed alone: a record that was given out is never seen again, and none is lost."""
    log = log_of(scanner)
    reader = log.reader(Source.of("-"))
    maker = log.maker(reader.clock)
    found = []
    for line in [*data.splitlines(keepends=True), None]:
        for block in reader.push(line or b"", final=line is None):
            scanner.messages(block)
            found += [maker.record(block, row) for row in range(len(block))]
    assert said(iter(found)) == said(log_of(scanner, data))


@given(logs | woven)
def test_a_record_can_be_printed(scanner: Engine, data: bytes) -> None:
    for record in log_of(scanner, data):
        assert msgspec.json.decode(msgspec.json.encode(record.to_dict(raw=True)))["verdict"] == record.verdict


@given(logs | woven)
def test_a_stream_gives_the_events_of_a_file(data: bytes) -> None:
    """An event whose record grew comes again in full: the last one counts."""
    streamed: dict[int, Any] = {}
    for event in stream(data.splitlines(keepends=True), now=NOW):
        streamed[event.seen.offset] = (event.kind, event.fields, event.seen.time, event.seen.line)
    kept = [record.event for record in log_of(load_grammar(), data) if record.event]
    assert streamed == {e.seen.offset: (e.kind, e.fields, e.seen.time, e.seen.line) for e in kept}


@given(st.binary(max_size=200) | st.text(max_size=100) | logs)
@example(b"")
@example("")
@example("\ud800")
def test_no_line_raises(line: bytes | str) -> None:
    record = parse_line(line)
    assert record.verdict in ("typed", "structured", "header", "plain", "unparsed")
    assert (record.reason is not None) if record.verdict == "unparsed" else True
    assert (record.kind is not None) == (record.verdict == "typed") == (record.event is not None)


# Wordings and values


def go_quote(text: str) -> str:
    """strconv.Quote."""
    short = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v", '"': '"', "\\": "\\"}

    def one(c: str) -> str:
        if c in short:
            return "\\" + short[c]
        if c.isprintable():
            return c
        code = ord(c)
        return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return '"' + "".join(map(one, text)) + '"'


def go_duration(ns: int) -> str:
    """time.Duration.String."""
    if abs(ns) < 1_000_000_000:
        for size, unit in ((1_000_000, "ms"), (1_000, "µs"), (1, "ns")):
            if abs(ns) >= size:
                return f"{ns / size:.6f}".rstrip("0").rstrip(".") + unit
        return "0s"
    sign, ns = ("-", -ns) if ns < 0 else ("", ns)
    seconds, rest = divmod(ns, 1_000_000_000)
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{second}{fraction}s"
    if minutes:
        text = f"{minute}m" + text
    return sign + (f"{hours}h" if hours else "") + text


# (as written, as read). No letter that stands in a wording's literals, so that a hole ends where it should.
words = st.text("QZXY79-", min_size=1, max_size=8).filter(lambda text: not text.startswith("-"))
texts = st.lists(words, min_size=1, max_size=3).map(" ".join)
durations = st.integers(0, 10**15).map(lambda ns: (go_duration(ns), ns / 1e9))
pods = st.tuples(words, words, st.uuids().map(str))


def same(strategy: Any) -> Any:
    return strategy.map(lambda value: (value, value))


def pod_dict(pod: tuple[str, str, str | None]) -> dict[str, str | None]:
    return {"namespace": pod[1], "name": pod[0], "uid": pod[2]}


TEXT_VALUES: dict[str, Any] = {
    "word": same(words), "uid": same(words), "id": same(words), "image": same(words), "text": same(texts), "path": same(texts),
    "time": same(texts), "error": same(texts), "rest": same(texts), "go": same(words),
    "quoted": st.text(max_size=6).map(lambda text: (go_quote(text), text)),
    "int": st.integers(0, 10**9).map(lambda n: (str(n), n)),
    "float": st.integers(0, 10**6).map(lambda n: (f"{n}.5", n + 0.5)),
    "bool": st.booleans().map(lambda x: (str(x).lower(), x)),
    "duration": durations,
    "quantity": st.integers(0, 2**20).map(lambda n: (f"{n}Ki", {"text": f"{n}Ki", "value": n * 1024})),
    "percent": st.integers(0, 100).map(lambda n: (f"{n}%", n / 100)),
    "list": st.lists(words, max_size=3).map(lambda items: ("[" + " ".join(items) + "]", items)),
    "pod": pods.map(lambda p: (f"{p[0]}_{p[1]}({p[2]})", pod_dict(p))),
    "pods": st.lists(pods, min_size=1, max_size=3).map(lambda found: (", ".join(f"{a}_{b}({c})" for a, b, c in found), [pod_dict(p) for p in found])),
    # of line wordings
    "age": st.integers(0, 10**6).map(lambda s: (f"{s // 3600}h{s % 3600}s", float(s))),
    "size": st.integers(1, 999).map(lambda n: (f"{n}G", n << 30)),
    "column": same(texts), "mountpoint": same(texts.map(lambda text: "/" + text)), "variable": same(st.sampled_from(["A", "KUBELET_ARGS"])),
    "eventtype": same(st.sampled_from(["Normal", "Warning"])),
    "kubeletcommand": same(words.map(lambda word: f"/usr/bin/kubelet --v={word}")), "flagtext": same(words.map(lambda word: f"--v={word}")),
    "since": same(st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2100, 1, 1)).map(lambda t: f"{t:%a %Y-%m-%d %H:%M:%S} UTC")),
}  # fmt: skip
# As pairs: text is quoted (or, with newlines, a block), lists and pods are JSON from klog 2.100 on.
PAIR_VALUES: dict[str, Any] = {
    **{name: TEXT_VALUES[name] for name in ("int", "float", "bool", "go")},
    "text": st.text(max_size=8).map(lambda text: (go_quote(text), text))
    | st.lists(st.text("ab >=\"{", max_size=4), min_size=2, max_size=3).map(lambda found: ("<\n" + "".join(f"\t{x}\n" for x in found) + " >", "\n".join(found))),
    "duration": durations.map(lambda pair: (f'"{pair[0]}"', pair[1])),
    "quantity": TEXT_VALUES["quantity"].map(lambda pair: (f'"{pair[0]}"', pair[1])),
    "list": st.lists(st.text('ab {"]', max_size=4), max_size=3).map(lambda items: (msgspec.json.encode(items).decode(), items)),
    "pod": pods.map(lambda p: (f'"{p[1]}/{p[0]}"', pod_dict((p[0], p[1], None)))),
    "pods": st.lists(pods, max_size=3).map(lambda found: (msgspec.json.encode([f"{b}/{a}" for a, b, _ in found]).decode(), [pod_dict((a, b, None)) for a, b, _ in found])),
    "word": words.map(lambda word: (f'"{word}"', word)), "error": same(words).map(lambda pair: (go_quote(pair[0]), pair[1])),
}  # fmt: skip
FREE = {"word", "text", "path", "error", "rest", "id", "uid", "image", "time", "go"}


def node_config(limits: list[tuple[str, int, bool]], flat: bool) -> tuple[str, dict[str, Any]]:
    """A Node Config with these thresholds (signal, limit, whether it is a share), as Go's %+v or as JSON, and its fields."""
    thresholds: list[dict[str, Any]] = []
    parts: list[Any] = []
    for signal, limit, is_share in limits:
        share, quantity = limit / 1000 if is_share else 0, None if is_share else f"{limit}Mi"
        if flat:
            value = {"Quantity": quantity, "Percentage": share}
            parts.append({"Signal": signal, "Operator": "LessThan", "Value": value, "GracePeriod": 0, "MinReclaim": None})
        else:
            value_text = f"{{Quantity:{quantity or '<nil>'} Percentage:{share:g}}}"
            parts.append(f"{{Signal:{signal} Operator:LessThan Value:{value_text} GracePeriod:0s MinReclaim:<nil>}}")
        thresholds.append(
            {
                "signal": signal, "operator": "LessThan", "quantity": quantity and {"text": quantity, "value": limit << 20},
                "percentage": share or None, "grace_s": 0.0, "min_reclaim": None, "hard": True,
            }
        )  # fmt: skip
    if flat:
        text = json.dumps({"CgroupRoot": "/", "HardEvictionThresholds": parts}, separators=(",", ":"))
        return text, {"thresholds": thresholds, "settings": {"CgroupRoot": "/"}}
    text = f"{{CgroupRoot:/ NodeAllocatableConfig:{{HardEvictionThresholds:[{' '.join(map(str, parts))}]}}}}"
    return text, {"thresholds": thresholds, "settings": {"CgroupRoot": "/", "NodeAllocatableConfig": {}}}


def waiting(threshold: tuple[str, int, bool], grace_ns: int, form: int) -> tuple[str, dict[str, Any]]:
    """A threshold that is waited for, as one of three generations says it, and its fields."""
    signal, limit, is_share = threshold
    shown = f"{limit / 10:.6f}%" if is_share else f"{limit}Mi"
    if form == 2:
        shown = f"{{<nil> {limit / 1000:g}}}" if is_share else f"{{{limit}Mi 0}}"
    operator, value = (shown, "LessThan") if form == 0 else ("LessThan", shown)
    text = f"threshold(signal={signal}, operator={operator}, value={value}, gracePeriod={go_duration(grace_ns)})"
    quantity = None if is_share else {"text": f"{limit}Mi", "value": limit << 20}
    share = pytest.approx(limit / 1000) if is_share else None
    return text, {"signal": signal, "quantity": quantity, "percentage": share, "grace_s": grace_ns / 1e9}


def back_off(pod: tuple[str, str, str], container: str, ns: int) -> tuple[str, dict[str, Any]]:
    """An error that says that a container waits, and its fields."""
    name, namespace, uid = pod
    waits = f"back-off {go_duration(ns)} restarting failed container={container} pod={name}_{namespace}({uid})"
    text = f'failed to "StartContainer" for "{container}" with CrashLoopBackOff: "{waits}"'
    return text, {"pod": pod_dict(pod), "container": container, "back_off_s": ns / 1e9}


def lifecycle(type_: str) -> Any:
    """An event of the pod lifecycle as Go's %+v or as JSON, and its fields."""
    forms = ("&{{ID:{} Type:{} Data:{}}}", '{{"ID":"{}","Type":"{}","Data":"{}"}}')
    return st.tuples(st.sampled_from(forms), st.uuids(), words).map(
        lambda drawn: (drawn[0].format(drawn[1], type_, drawn[2]), {"container_id": drawn[2]})
    )


EXPIRED = "x509: certificate has expired or is not yet valid"


def expiry(moment: datetime.datetime, as_go: bool) -> tuple[str, str]:
    """When a certificate expired, as a message says it and as its field does."""
    form = "%Y-%m-%d %H:%M:%S +0000 UTC" if as_go else "%Y-%m-%dT%H:%M:%SZ"
    return moment.strftime(form), moment.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00")


moments = st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2100, 1, 1))
limits = st.tuples(words, st.integers(1, 999), st.booleans())
# The beginnings of health checks' names, by the hole that stands behind them.
CHECKS = {
    "ping": "ping", "log": "log", "etcd": "etcd", "kms": "kms-provider", "informers": "informer-sync", "hook": "poststarthook/",
    "services": "autoregister-completion", "shutdown": "shutdown", "syncloop": "syncloop",
}  # fmt: skip
# Holes that are no fields: as written, and the fields that they make. Those of tables and listings stand in their samples.
RAW_VALUES: dict[tuple[str, str], Any] = {
    ("NodeConditionChanged", "state"): st.sampled_from(sorted(CONDITIONS)).map(
        lambda name: (name, dict(zip(("condition", "status"), CONDITIONS[name], strict=True)))
    ),
    ("EvictionGracePeriodPending", "threshold"): st.builds(waiting, limits, st.integers(0, 10**12), st.integers(0, 2)),
    ("NodeConfig", "config"): st.builds(node_config, st.lists(limits, max_size=3), st.booleans()),
    ("ContainerBackOff", "error"): st.builds(back_off, pods, words, st.integers(0, 10**12)),
    ("ContainerDied", "event"): lifecycle("ContainerDied"),
    ("ContainerKilled", "grace"): st.integers(0, 10**6).map(lambda n: (str(n), {"grace_s": float(n)})),
    ("ContainerKilled", "id"): words.map(lambda word: (word, {"container_id": word})),
    ("ContainerStarted", "event"): lifecycle("ContainerStarted"),
    ("AnonymousDenied", "wanted"): words.map(lambda word: (f'resource "{word}" in API group ""', {"resource": word})),
    ("CertificateExpiryReported", "before"): st.just(("Get https://10.0.0.1:6443/api: ", {})),
    ("CertificateExpiryReported", "past"): moments.map(lambda at: expiry(at, False)).map(
        lambda at: (
            f": current time 2100-01-01T00:00:00Z is after {at[0]}",
            {
                "error": f"Get https://10.0.0.1:6443/api: {EXPIRED}: current time 2100-01-01T00:00:00Z is after {at[0]}",
                "expired_at": at[1],
            },
        )
    ),
    ("CertificateExpiryReported", "expired"): moments.map(lambda at: expiry(at, True)).map(
        lambda at: (at[0], {"expired_at": at[1]})
    ),
    ("HealthCheckFailed", "told"): words.map(lambda word: (word, {"check": word})),
    **{
        ("HealthCheckFailed", hole): words.map(lambda word, begin=begin: (word, {"check": begin + word}))  # type: ignore[misc]
        for hole, begin in CHECKS.items()
    },
    ("ProtocolMismatchSeen", "answer"): words.map(lambda word: (word, {"error": f'malformed HTTP response "{word}"'})),
    ("ProtocolMismatchSeen", "request"): st.just(("http://10.1.2.3:8443/: ", {"endpoint": "10.1.2.3:8443"})),
    ("ProxyTargetShown", "url"): st.just(("http://10.1.2.3:8443/", {"endpoint": "10.1.2.3:8443"})),
    ("NodeNotFound", "error"): words.map(lambda word: (f'node "{word}" not found', {"node": word})),
    # With what is available under its own key; without it, see below.
    ("EvictionThresholdObserved", "resource_or_available"): words.map(lambda word: (word, {"resource": word})),
}
LISTED = {"ClusterEvent", "KubeletFlags", "UnitStarted"}


def render(draw: Any, event: str, pattern: Pattern) -> tuple[str, dict[str, Any]]:
    """A text that the pattern reads, and the fields that the values in its holes make."""
    text = ""
    said: dict[str, Any] = {}
    for part, behind in zip(pattern.parts, [*pattern.parts[1:], None], strict=True):
        if isinstance(part, Literal):
            text += part.text.decode()
        elif isinstance(part, Blanks):
            text += draw(st.sampled_from([" ", "  ", "\t "])) * part.least
        elif (event, part.name) in RAW_VALUES:
            written, fields = draw(RAW_VALUES[event, part.name])
            text, said = text + written, said | fields
        else:
            # A hole ends at the first place where the next literal stands.
            end = behind.text.decode() if isinstance(behind, Literal) and part.type in FREE else ""
            fit = TEXT_VALUES[part.type].filter(lambda drawn, end=end: not end or (drawn[0] + end).index(end) == len(drawn[0]))
            written, said[part.name] = draw(fit)
            text += written
    return text, said


def render_pairs(draw: Any, event: str, wording: tree.Wording) -> tuple[str, dict[str, Any]]:
    text = go_quote(wording.message.decode())
    said: dict[str, Any] = {}
    cls = classes()[event]
    for field, key in wording.fields.items():
        type_ = pair_type(cls, field)
        if (event, field) in RAW_VALUES:
            written, fields = draw(RAW_VALUES[event, field])
            written, said = written if type_ == "go" else go_quote(written), fields | said
        elif key in wording.when:
            wanted = values.unquote(b'"' + wording.when[key].encode() + b'"').decode()
            if type_ == "duration":
                written, said[field] = draw(PAIR_VALUES[type_])
                assert written.endswith(f'{wanted}"')
            else:
                said[field] = draw(texts) + wanted
                written = go_quote(said[field])
        else:
            written, said[field] = draw(PAIR_VALUES[type_])
        text += f' other="{draw(words)}" {key}={written}'
    for key, wanted in wording.when.items():
        if key not in wording.fields.values():
            text += f" {key}={go_quote(draw(texts) + wanted)}"
    return text, said


# Rows of tables are told apart by what their neighbours hold: each of their wordings has a sample that only it reads.
RENDERED = [wording for wording in GRAMMAR.wordings if wording.event not in ("ClusterEvent", "TableHead")]
# A few at a time: hypothesis costs more a test than a value.
SOME = [
    (event, found[at : at + 8])
    for event in sorted({wording.event for wording in RENDERED})
    for found in [[wording for wording in RENDERED if wording.event == event]]
    for at in range(0, len(found), 8)
]


@pytest.mark.parametrize(("event", "some"), SOME, ids=[f"{event}-{some[0].text[:40]}" for event, some in SOME])
@given(data=st.data())
@settings(max_examples=3, phases=[Phase.generate])
def test_parsing_a_rendered_wording_gives_its_event_back(scanner: Engine, event: str, some: list[tree.Wording], data: Any) -> None:
    cls = classes()[event]
    for wording in some:
        if wording.pattern is None:
            body, said = render_pairs(data.draw, event, wording)
        else:
            body, said = render(data.draw, event, wording.pattern)
        sample = tree.Sample(
            event, "line" if wording.style == "line" else "message", body, {}, wording.program, wording.files, "", 0
        )
        [record] = log_of(scanner, wrapped(sample))
        assert (record.kind, body) == (event, body)
        if event == "EventRecorded":  # its object is put together of up to three holes
            continue
        expected = {name: value for name, value in said.items() if name != "_" and name not in cls.raw} | wording.constants
        assert {name: record.fields[name] for name in expected} == expected
        # What `derive` makes of holes that are no fields stands in the samples, where RAW_VALUES does not tell it.
        if event not in LISTED and not cls.raw.keys() & said.keys():
            assert record.fields == dict.fromkeys(name for name in cls.__struct_fields__ if name != "seen") | expected
        assert record.reason is None or event in LISTED


@given(words, st.integers(0, 2**20))
def test_what_is_available_is_read_under_either_key(signal: str, amount: int) -> None:
    body = f'"Eviction manager:" log="observations" signal={signal} resourceName="{amount}Ki" capacity="1Gi"'
    event = parse_line(f"I1016 09:50:55.056703   17144 helpers.go:1] {body}").event
    assert event is not None
    assert event.fields["available"] == values.Quantity(f"{amount}Ki", amount * 1024)
    assert (event.fields["signal"], event.fields["resource"]) == (signal, None)


@given(st.text())
def test_unquoting_undoes_quoting(text: str) -> None:
    assert values.plain(go_quote(text).encode("utf-8", "surrogatepass")) == values.text(text.encode("utf-8", "surrogatepass"))


@given(st.integers(-(2**63), 2**63 - 1))
@example(0)
@example(1)
@example(-1_500_000)
@example(3_600_000_000_000)
def test_a_duration_is_the_seconds_that_go_printed(ns: int) -> None:
    assert values.duration(go_duration(ns).encode()) == pytest.approx(ns / 1e9, rel=1e-12)


@given(st.integers(-(2**40), 2**40), st.sampled_from([("", 1), ("Ki", 2**10), ("Mi", 2**20), ("k", 10**3), ("M", 10**6)]))
def test_a_quantity_is_its_number_times_its_suffix(number: int, suffix: tuple[str, int]) -> None:
    text = f"{number}{suffix[0]}"
    assert values.quantity(text.encode()) == values.Quantity(text, number * suffix[1])


@given(st.integers(-(10**12), 10**12))
def test_a_quantity_in_thousandths_is_exact(number: int) -> None:
    assert values.quantity(f"{number}m".encode()).value == number / 1000


@given(pods)
def test_a_pod_is_the_same_however_it_is_named(found: tuple[str, str, str]) -> None:
    name, namespace, uid = found
    assert values.pod(f"{name}_{namespace}({uid})".encode()) == values.PodRef(namespace, name, uid)
    without_uid = values.PodRef(namespace, name)
    assert values.pod(f'"{namespace}/{name}"'.encode()) == without_uid
    assert values.pod(msgspec.json.encode({"name": name, "namespace": namespace})) == without_uid


@given(st.sampled_from(sorted(values.CONVERT)), noise | st.lists(noise, max_size=4).map(b"".join))
def test_a_value_converts_or_is_a_value_error(type_: str, value: bytes) -> None:
    try:
        values.CONVERT[type_](value)
    except ValueError:
        pass
