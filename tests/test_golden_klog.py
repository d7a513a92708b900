"""What the real logging library of 14 releases printed for the same calls: header, verdict, message, pairs in order.

`data/golden_klog_lines.jsonl` holds the lines; `case` names the call. Here stands what each call must be read as, by release where
the library changed what it prints.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kubelog.engines import Engine
from kubelog.ingest.inputs.sources import Source
from kubelog.message.record import Record
from kubelog.pipeline import Log

FILE = Path(__file__).with_name("data") / "golden_klog_lines.jsonl"
LINES = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
LIBRARIES = "glog glog-head v0.3.1 v1.0.0 v2.2.0 v2.8.0 v2.30.0 v2.60.1 v2.70.1 v2.90.1 v2.100.1 v2.120.1 v2.130.1 v2.140.0".split()
FAILED = 'open /x: "quoted" failed'

# Unstructured calls: the message, whatever the release.
TEXTS = {
    "printf.info": ("I", "EvictionPodsRequired", "eviction manager: must evict pod(s) to reclaim memory"),
    "printf.newline": ("I", None, "line one\nline two"),
    "print.info": ("I", None, f"ab1 2copen {FAILED.removeprefix('open ')}"),
    "println.warning": ("W", None, "a b 1"),
    "printf.warning": (
        "W",
        "PodAdmissionRejected",
        "Failed to admit pod web-0_default(1234) - node has conditions: [MemoryPressure]",
    ),
    "printf.error": ("E", "EvictionStatsFailed", f"eviction manager: unexpected err: {FAILED}"),
    "printf.empty-value": ("I", None, 'x: <nil> "q\\"s" {Name:x y N:3 Inner:{A:[p q r] B:map[k:1]} P:<nil> d:0}'),
}

STRUCT = "{Name:x y N:3 Inner:{A:[p q r] B:map[k:1]} P:<nil> d:0}"
STRUCT_JSON = {"Name": "x y", "N": 3, "Inner": {"A": ["p", "q r"], "B": {"k": 1}}, "P": None}
TYPES = [
    ["str", "plain"], ["sp", "two words"], ["quote", 'say "hi"'], ["bs", "a\\b"], ["tab", "a\tb"], ["uni", "é☃"], ["ctl", "\x01"],
    ["empty", ""], ["int", 3], ["neg", -1], ["float", 0.5], ["bool", True], ["nil", None],
]  # fmt: skip


def types2(slice_: Any, ints: Any, map_: Any, struct: Any, pointer: Any, raw: str, none: Any) -> list[list[Any]]:
    return [
        ["dur", "1.5s"], ["time", "2024-01-02 03:04:05.000000678 +0000 UTC"], ["slice", slice_], ["ints", ints], ["map", map_],
        ["struct", struct], ["pstruct", pointer], ["bytes", raw], ["stringer", "stringer<z>"], ["quantity", "100Mi"],
        ["emptyslice", []], ["nilslice", none],
    ]  # fmt: skip


# Structured calls: message, and pairs; (first release, message, pairs), the last one that applies counts.
PAIRS: dict[str, list[tuple[str, str, list[Any]]]] = {
    "s.plain": [("v2.2.0", "Eviction manager: no resources are starved", [])],
    "s.types": [("v2.2.0", "types", TYPES)],
    "s.types2": [
        ("v2.2.0", "types2", types2("[a b c]", "[1 2]", "map[k:v w]", STRUCT, "&" + STRUCT, "[114 97 119 10]", [])),
        ("v2.30.0", "types2", types2("[a b c]", "[1 2]", "map[k:v w]", STRUCT, "&" + STRUCT, "raw\n", [])),
        ("v2.100.1", "types2", types2(["a", "b c"], [1, 2], {"k": "v w"}, STRUCT_JSON, STRUCT_JSON, "raw\n", None)),
    ],
    "s.err-key": [("v2.2.0", "failed", [["err", FAILED]])],
    "s.multiline-value": [("v2.2.0", "ml", [["before", 1], ["out", "line1\nline2"], ["after", "x"]])],
    # A block cannot say whether its text ended with a newline.
    "s.multiline-trailing": [("v2.2.0", "ml", [["out", "line1\nline2\n"]]), ("v2.60.1", "ml", [["out", "line1\nline2"]])],
    "s.multiline-msg": [("v2.2.0", "msg line1\nmsg line2", [["k", "v"]])],
    "s.multiline-struct": [
        ("v2.2.0", "mlstruct", [["s", "{A:x\ny B:1}"]]),
        ("v2.100.1", "mlstruct", [["s", {"A": "x\ny", "B": 1}]]),
    ],
    "s.error": [("v2.2.0", "Eviction manager: failed to get summary stats", [["err", FAILED]])],
    "s.error-kv": [("v2.2.0", "Eviction manager: pod failed to evict", [["err", FAILED], ["pod", "default/web-0"], ["n", 1]])],
    "s.error-nil": [("v2.2.0", "Eviction manager: eviction thresholds have been met, but no pods are active to evict", [])],
    "s.error-multiline": [("v2.2.0", "boom", [["err", "first\nsecond"], ["k", "v"]])],
    "s.kobj": [("v2.2.0", "kobj", [["pod", "kube-system/a"], ["node", "n1"], ["ref", "ns/nm"], ["empty", ""]])],
    "s.kobjs": [
        ("v2.30.0", "kobjs", [["pods", "[a/b c/d]"]]),
        ("v2.100.1", "kobjs", [["pods", [{"name": "b", "namespace": "a"}, {"name": "d", "namespace": "c"}]]]),
    ],
    "s.kobjslice": [
        ("v2.70.1", "kobjslice", [["pods", "[a/b c/d]"], ["none", "[]"], ["nil", "[]"]]),
        ("v2.90.1", "kobjslice", [["pods", "[a/b c/d]"], ["none", []], ["nil", []]]),
        ("v2.100.1", "kobjslice", [["pods", ["a/b", "c/d"]], ["none", []], ["nil", None]]),
    ],
    "s.missing": [("v2.2.0", "missing", [["a", 1], ["b", "(MISSING)"]])],
    "s.dup": [("v2.2.0", "dup", [["a", 1], ["a", 2], ["a", 2]]), ("v2.140.0", "dup", [["a", 2]])],
    "l.name": [("v2.60.1", "eviction: Named", [["k", "v"]]), ("v2.120.1", "Named", [["logger", "eviction"], ["k", "v"]])],
    "l.name2": [
        ("v2.60.1", "a/b: Named err", [["err", FAILED], ["k", "v"]]),
        ("v2.120.1", "Named err", [["err", FAILED], ["logger", "a.b"], ["k", "v"]]),
    ],
    "l.values": [("v2.60.1", "With values", [["k", "v"], ["pod", "dup"]])],
    "l.unhandled": [
        ("v2.60.1", "UnhandledError: Unhandled Error", [["err", FAILED]]),
        ("v2.120.1", "Unhandled Error", [["err", FAILED], ["logger", "UnhandledError"]]),
    ],
}  # fmt: skip
for _, _, pairs in PAIRS["s.kobjslice"]:
    pairs.append(["bad", "<KObjSlice needs a slice, got type int>"])

# The calls whose message is one of the grammar.
KINDS = {
    "s.plain": "EvictionNoStarvedResources",
    "s.error": "EvictionStatsFailed",
    "s.error-kv": "EvictionPodFailed",
    "s.error-nil": "EvictionNoActivePods",
    "l.unhandled": "UnhandledErrorReported",
}

THRESHOLDS: list[dict[str, Any]] = [
    {
        "signal": "memory.available",
        "quantity": {"text": "100Mi", "value": 104857600},
        "percentage": None,
        "grace_s": 0.0,
    },
    {"signal": "nodefs.available", "quantity": None, "percentage": 0.1, "grace_s": 0.0},
    {"signal": "nodefs.inodesFree", "quantity": None, "percentage": 0.05, "grace_s": 0.0},
    {"signal": "imagefs.available", "quantity": None, "percentage": 0.15, "grace_s": 90.0},
]


def read(line: dict[str, Any], engine: Engine) -> Record:
    [record] = Log([Source.of("-", (line["text"].encode(),))], engine)
    return record


def test_the_header_of_every_release_is_read(engine: Engine) -> None:
    for line in LINES:
        record = read(line, engine)
        head = re.match(r"([IWEF])(\d\d)(\d\d) (\S+) +(\d+) (\S+):(\d+)\]", line["text"])
        assert head is not None
        severity, month, day, clock, thread, file, number = head.groups()
        assert record.local_time == f"{month}-{day}T{clock}"
        assert (record.severity, record.thread, record.pid) == (severity, int(thread), int(thread))
        assert (record.source_file, record.source_line) == (file, int(number))
        assert record.reason is None


@pytest.mark.parametrize("line", [pytest.param(line, id=f"{line['case']}-{line['library']}") for line in LINES])
def test_the_body_of_every_release_is_read(line: dict[str, Any], engine: Engine) -> None:
    case, record = line["case"], read(line, engine)
    if case in TEXTS:
        severity, kind, message = TEXTS[case]
        verdict = "typed" if kind else "header"
        assert (record.severity, record.verdict, record.kind, record.message) == (severity, verdict, kind, message)
        assert record.pairs is None
    elif case in PAIRS:
        since = LIBRARIES.index(line["library"])
        expected = next(call for call in reversed(PAIRS[case]) if LIBRARIES.index(call[0]) <= since)
        assert (record.message, [list(pair) for pair in record.pairs or ()]) == expected[1:]
        assert record.kind == KINDS.get(case)
        assert record.verdict == ("typed" if case in KINDS else "structured")
    else:
        assert case in ("printf.nodeconfig", "s.nodeconfig", "s.threshold-slice")


@pytest.mark.parametrize("case", ["printf.nodeconfig", "s.nodeconfig"])
def test_the_node_configs_of_all_releases_give_the_same_thresholds(case: str, engine: Engine) -> None:
    records = {line["library"]: read(line, engine) for line in LINES if line["case"] == case}
    assert len(records) == {"printf.nodeconfig": 14, "s.nodeconfig": 10}[case]
    for library, record in records.items():
        assert (record.verdict, record.kind, record.reason) == ("typed", "NodeConfig", None), library
        found = [{name: one[name] for name in THRESHOLDS[0]} for one in record.fields["thresholds"]]
        assert found == THRESHOLDS, library
        assert {one["operator"] for one in record.fields["thresholds"]} == {"LessThan"}
        # %+v prints only the pointer to what is to be reclaimed.
        as_json = case == "s.nodeconfig" and LIBRARIES.index(library) >= LIBRARIES.index("v2.100.1")
        reclaim = {"text": "1Gi", "value": 1 << 30} if as_json else {"text": "unknown", "value": None}
        assert record.fields["thresholds"][3]["min_reclaim"] == reclaim, library


def test_the_settings_of_a_node_config_are_a_tree(engine: Engine) -> None:
    for line in LINES:
        if line["case"] in ("printf.nodeconfig", "s.nodeconfig"):
            settings = read(line, engine).fields["settings"]
            inner = settings.get("NodeAllocatableConfig", settings)
            assert settings["CgroupRoot"] == "/"
            assert inner["EnforceNodeAllocatable"] == {"pods": {}}
            assert inner["KubeReserved"] == {"cpu": "100m", "memory": "256Mi"}, line["library"]


def test_a_slice_of_thresholds_is_one_pair(engine: Engine) -> None:
    for line in LINES:
        if line["case"] == "s.threshold-slice":
            record = read(line, engine)
            assert (record.verdict, [key for key, _ in record.pairs or ()]) == ("structured", ["thresholds"])
            value = (record.pairs or [])[0][1]
            as_json = LIBRARIES.index(line["library"]) >= LIBRARIES.index("v2.100.1")
            assert isinstance(value, list) is as_json
            assert (len(value) if as_json else value.count("Signal:")) == 4
