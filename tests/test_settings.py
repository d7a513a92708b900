"""The kubelet's settings: whatever printed them, they are the same; `kubelog config` shows, follows and compares them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import kubelog
from kubelog.klog.values import Quantity
from kubelog.message import config_file
from kubelog.message.vocabulary import threshold
from kubelog.message.vocabulary.start import NodeConfig
from kubelog.message.vocabulary.threshold import Threshold
from kubelog.timeline.release import minors

ROOT = Path(__file__).resolve().parent.parent
PRINTED = [json.loads(line) for line in (ROOT / "tests" / "data" / "node_config_lines.jsonl").read_text().splitlines()]
PREFIX = "Creating Container Manager object based on Node Config: "


def node_config(body: str) -> NodeConfig:
    record = kubelog.parse_line(f"I1016 09:54:09.616282   14085 container_manager_linux.go:240] {body}", year=2017)
    assert (record.verdict, record.reason) == ("typed", None), record
    assert isinstance(record.event, NodeConfig)
    return record.event


def shown(found: list[Threshold] | None) -> list[str] | None:
    """`hard memory.available<100Mi 1m30s 1Gi`: all of a threshold, nothing of what is not set."""
    if found is None:
        return None
    return [
        " ".join(
            part
            for part in (
                "hard" if one.hard else "soft",
                one.flag,
                "?" if one.grace_s is None else one.grace,
                one.min_reclaim and one.min_reclaim.text,
            )
            if part
        )
        for one in found
    ]


# The Node Config of each release


@pytest.mark.parametrize("case", PRINTED, ids=[case["release"] for case in PRINTED])
def test_the_node_config_of_every_release_says_the_same(case: dict[str, str]) -> None:
    event = node_config(case["body"])
    reclaim = "1Gi" if '"MinReclaim"' in case["body"] else "unknown"
    assert shown(event.thresholds) == [
        "hard memory.available<100Mi", "hard nodefs.available<10%", "hard nodefs.inodesFree<5%",
        f"hard imagefs.available<15% 1m30s {reclaim}",
    ]  # fmt: skip
    assert [one.percentage for one in event.thresholds or ()] == [None, 0.1, 0.05, 0.15]
    assert (event.thresholds or [])[0].quantity == Quantity("100Mi", 104857600)
    tree = event.settings or {}
    allocatable = tree.get("NodeAllocatableConfig", tree)
    assert allocatable["KubeReserved"] == {"cpu": "100m", "memory": "256Mi"}
    assert allocatable["EnforceNodeAllocatable"] == {"pods": {}}
    assert (tree["CgroupDriver"], tree["CgroupRoot"]) == ("systemd", "/")
    assert "HardEvictionThresholds" not in allocatable


@pytest.mark.parametrize("case", PRINTED, ids=[case["release"] for case in PRINTED])
def test_the_settings_tell_the_release(case: dict[str, str]) -> None:
    low, high = minors(node_config(case["body"]).settings or {})
    assert low <= int(case["release"].split(".")[1]) <= high
    assert high - low <= 3


def test_the_first_release_that_prints_a_node_config_says_the_same() -> None:
    body = PRINTED[0]["body"].replace(" NodeAllocatableConfig:", " EnableCRI:true NodeAllocatableConfig:")
    event = node_config(body)
    assert event.thresholds == node_config(PRINTED[0]["body"]).thresholds
    assert minors(event.settings or {}) == (6, 6)


GO = PREFIX + "{NodeAllocatableConfig:{KubeReserved:map[%s] HardEvictionThresholds:%s}}"
JSON = '"Creating Container Manager object based on Node Config" nodeConfig={"HardEvictionThresholds":%s}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (GO % ("", "[]"), []),
        (GO % ("", "<nil>"), []),
        (JSON % "[]", []),
        (JSON % "null", []),
        ('"Creating Container Manager object based on Node Config" nodeConfig={"CgroupRoot":"/"}', []),
        (GO % ("", "[{Signal:a.b Operator:LessThan Value:{Quantity:<nil> Percentage:0.05} GracePeriod:0s MinReclaim:{Quantity:1Gi Percentage:0}}]"),
         ["hard a.b<5% 1Gi"]),
        (GO % ("", "[{Signal:a.b Operator:LessThan Value:{Quantity:1Gi Percentage:0} GracePeriod:0s MinReclaim:{Quantity:<nil> Percentage:0.05}}]"),
         ["hard a.b<1Gi 5%"]),
        (GO % ("", "[{Signal:a.b Operator:LessThan Value:{Quantity:1Gi Percentage:0} GracePeriod:0s MinReclaim:500Mi}]"), ["hard a.b<1Gi 500Mi"]),
        (GO % ("", "[{MinReclaim:<nil> GracePeriod:1h0m0s Value:{Percentage:0 Quantity:1Gi} Operator:LessThan Signal:a.b}]"), ["hard a.b<1Gi 1h0m0s"]),
        (JSON % '[{"Signal":"a.b","Operator":"LessThan","Value":{"Quantity":null,"Percentage":0.10000000149011612},"GracePeriod":0,"MinReclaim":{"Quantity":null,"Percentage":0.05000000074505806}}]',
         ["hard a.b<10% 5%"]),
        (JSON % '[{"Signal":"a.b","Value":{"Quantity":null,"Percentage":0}}]', ["hard a.b<0%"]),
    ],
)  # fmt: skip
def test_odd_thresholds_are_read(body: str, expected: list[str]) -> None:
    assert shown(node_config(body).thresholds) == expected


def test_noise_of_a_float32_is_not_in_the_fraction() -> None:
    body = JSON % '[{"Signal":"a.b","Value":{"Quantity":null,"Percentage":0.10000000149011612}}]'
    assert [one.percentage for one in node_config(body).thresholds or ()] == [0.1]


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("{i:{value:268435456 scale:0} d:{Dec:<nil>} s: Format:BinarySI}", "256Mi"),
        ("{i:{value:100 scale:-3} d:{Dec:<nil>} s: Format:DecimalSI}", "100m"),
        ("{i:{value:4000000000 scale:0} d:{Dec:<nil>} s: Format:DecimalSI}", "4G"),
        ("{i:{value:5 scale:12} d:{Dec:<nil>} s: Format:DecimalSI}", "5T"),
        ("{i:{value:0 scale:0} d:{Dec:<nil>} s: Format:DecimalSI}", "0"),
        ("{i:{value:0 scale:0} d:{Dec:0xc000123456} s: Format:DecimalSI}", "unknown"),
        ("{i:{value:0 scale:0} d:{Dec:0xc000123456} s:1.5 Format:DecimalSI}", "1.5"),
    ],
)
def test_quantities_printed_field_by_field_are_read(quantity: str, expected: str) -> None:
    settings = node_config(GO % (f"memory:{quantity}", "[]")).settings or {}
    assert settings["NodeAllocatableConfig"]["KubeReserved"] == {"memory": expected}


@pytest.mark.parametrize(
    "thresholds",
    ["[1]", '["0xc000123"]', '{"a":1}', '[{"Signal":1}]', '[{"Signal":"a","Value":3}]', '[{"Signal":"a","Value":{"Percentage":-1}}]', '[{"Signal":"a","Value":{"Quantity":{}}}]'],
)  # fmt: skip
def test_what_is_no_threshold_leaves_the_record_whole_and_says_so(thresholds: str) -> None:
    record = kubelog.parse_line(f"I1016 09:54:09.616282   14085 container_manager_linux.go:240] {JSON % thresholds}")
    assert (record.verdict, record.reason) == ("typed", "not-converted: config")


# The same from flags and files

SAME = [
    "hard memory.available<100Mi", "hard nodefs.available<10% 1Gi", "soft memory.available<500Mi 1m30s", "soft nodefs.available<15% 2m0s 1Gi",
]  # fmt: skip
FLAGS = {
    "eviction-hard": "memory.available<100Mi,nodefs.available<10%",
    "eviction-soft": "memory.available<500Mi,nodefs.available<15%",
    "eviction-soft-grace-period": "memory.available=1m30s,nodefs.available=2m",
    "eviction-minimum-reclaim": "nodefs.available=1Gi",
}
YAML = """\
# by kubeadm
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  x509: {clientCAFile: /etc/kubernetes/pki/ca.crt}
clusterDNS:
- 10.96.0.10
evictionHard:   # ours
  memory.available: "100Mi"
  nodefs.available: 10%
  imagefs.available: "0%"
evictionSoft: {memory.available: 500Mi, "nodefs.available": '15%'}
evictionSoftGracePeriod:
    memory.available: 1m30s
    nodefs.available: 2m
evictionMinimumReclaim:
  nodefs.available: 1Gi
kubeReserved:
  cpu: 100m
registerWithTaints:
  - key: "a: b"
    effect: NoSchedule
"""
CONFIG_MAP = (
    "apiVersion: v1\ndata:\n  kubelet: |\n"
    + "".join(f"    {line}\n" for line in YAML.splitlines())
    + "kind: ConfigMap\nmetadata:\n  name: kubelet-config\n"
)
AS_JSON = json.dumps(
    {
        "kind": "KubeletConfiguration",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "10%"},
        "evictionSoft": {"memory.available": "500Mi", "nodefs.available": "15%"},
        "evictionSoftGracePeriod": {"memory.available": "1m30s", "nodefs.available": "2m"},
        "evictionMinimumReclaim": {"nodefs.available": "1Gi"},
    }
)


@pytest.mark.parametrize(
    "line",
    [
        "ExecStart=/usr/bin/kubelet " + " ".join(f"--{name}={value}" for name, value in FLAGS.items()),
        "ExecStart=/usr/bin/kubelet " + " ".join(f"--{name} '{value}'" for name, value in FLAGS.items()),
        'Environment="KUBELET_EXTRA_ARGS='
        + " ".join(f"--{name}={value}".replace("%", "%%") for name, value in FLAGS.items())
        + '"',
    ],
)
def test_a_command_line_says_the_same_thresholds(line: str) -> None:
    event = kubelog.parse_line(line).event
    assert event is not None
    assert shown(event.fields["thresholds"]) == SAME


@pytest.mark.parametrize(
    "text",
    [
        YAML, YAML.replace("\n", "\r\n"), "\ufeff" + YAML, "kind: ClusterConfiguration\n---\n" + YAML, CONFIG_MAP,
        "".join(f"  {line}\n" for line in YAML.splitlines()), f"```yaml\n{YAML}```\n", AS_JSON, f'{{"kubeletconfig":{AS_JSON}}}',
    ],
    ids=["yaml", "crlf", "bom", "second", "configmap", "indented", "fenced", "json", "configz"],
)  # fmt: skip
def test_a_configuration_file_says_the_same_thresholds(text: str) -> None:
    (event,) = config_file.read(text.encode(), "config.yaml")
    assert shown(event.thresholds) == SAME


def test_the_settings_of_a_configuration_file_are_a_tree() -> None:
    (event,) = config_file.read(YAML.encode(), "config.yaml")
    settings = event.settings or {}
    assert settings["authentication"] == {"x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"}}
    assert settings["clusterDNS"] == ["10.96.0.10"]
    assert settings["registerWithTaints"] == [{"key": "a: b", "effect": "NoSchedule"}]
    assert event.seen.line == 2


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, None),
        ({"v": "2", "eviction-soft-grace-period": "memory.available=1m"}, None),
        ({"eviction-hard": ""}, []),
        ({"eviction-hard": "nodefs.available<0%,imagefs.available<100%"}, []),
        ({"eviction-hard": "nodefs.available<5%"}, ["hard nodefs.available<5%"]),
        ({"eviction-soft": "nodefs.available<5%"}, ["soft nodefs.available<5% ?"]),
        ({"eviction-hard": "pid.available<10%", "eviction-minimum-reclaim": "pid.available=5%"}, ["hard pid.available<10% 5%"]),
    ],
)
def test_flags_are_read_as_the_kubelet_reads_them(flags: dict[str, str], expected: list[str] | None) -> None:
    assert shown(threshold.of_flags(flags)) == expected


@pytest.mark.parametrize("text", ["nodefs.available", "nodefs.available<", "<5%", "nodefs.available<5,5%", "a<1Mib"])
def test_flags_that_a_kubelet_refuses_have_no_thresholds(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        threshold.of_flags({"eviction-hard": text})
    event = kubelog.parse_line(f"ExecStart=/usr/bin/kubelet --eviction-hard={text}").event
    assert event is not None
    assert event.fields["flags"] == {"eviction-hard": text}
    assert event.fields["thresholds"] is None


HOSTILE = [
    b"kind: KubeletConfiguration\na" + b" " * 250_000 + b"b\n",
    b"kind: KubeletConfiguration\na: [" + b"\n  [," * 50_000,
    b"kind: KubeletConfiguration\na: " + b"{a: " * 60_000,
    b"kind: KubeletConfiguration\n" + b"".join(b" " * depth + b"a:\n" for depth in range(700)),
    b"kind: KubeletConfiguration\n- " + b"- " * 100_000,
    b"kind: KubeletConfiguration\n" + b":a" * 120_000,
    b'kind: KubeletConfiguration\nx: "' + b"\\" * 250_000,
    b"KubeletConfiguration " + b"'" * 250_000,
    b"\xff\xfe kind: KubeletConfiguration",
    b"kind: KubeletConfiguration\n\tevictionHard: {}",
    b"kind: KubeletConfiguration\na: &b\nc: *b\n? x\n",
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_configuration_is_none_soon(data: bytes) -> None:
    start = time.process_time()
    assert config_file.read(data, "x") == []
    assert time.process_time() - start < 5


@pytest.mark.parametrize("maps", ["evictionHard: 3", "evictionHard: [a]", "evictionHard:\n  memory.available: much"])
def test_a_configuration_whose_thresholds_are_wrong_has_none(maps: str) -> None:
    (event,) = config_file.read(f"kind: KubeletConfiguration\n{maps}\n".encode(), "x")
    assert event.thresholds is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(90.0, "1m30s"), (0.1, "100ms"), (3600.0, "1h0m0s"), (30.0, "30s"), (1.5, "1.5s"), (1e-05, "10µs"), (120, "2m0s")]
)  # fmt: skip
def test_durations_are_written_as_go_writes_them(seconds: float, text: str) -> None:
    assert threshold.duration_text(seconds) == text


# kubelog config


def config(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "kubelog", "config", *arguments], input=stdin, capture_output=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TZ": "UTC"},
    )  # fmt: skip


def journal(node: str, *bodies: str, minute: int = 50) -> bytes:
    head = f"Oct 16 09:{minute}:09 {node} kubelet[1408]: I1016 09:{minute}:09.616282    1408 flags.go:1] "
    return "".join(f"{head}{body}\n" for body in bodies).encode()


def flag_lines(flags: dict[str, str]) -> list[str]:
    return [f'FLAG: --{name}="{value}"' for name, value in flags.items()]


OLD = next(case["body"] for case in PRINTED if case["release"] == "v1.20.8")
LAST_GO = next(case["body"] for case in PRINTED if case["release"] == "v1.27.7")
FIRST_JSON = next(case["body"] for case in PRINTED if case["release"] == "v1.28.3")
NEW = next(case["body"] for case in PRINTED if case["release"] == "v1.36.2")


def test_a_start_has_the_soft_thresholds_that_its_flags_said(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(journal("n1", *flag_lines(FLAGS | {"config": ""}), OLD))
    (one,) = json.loads(config(str(log), "-o", "json", "--year", "2017").stdout)
    assert one["thresholds"] == ["memory.available<100Mi", "nodefs.available<10%", "nodefs.inodesFree<5%", "imagefs.available<15%"]
    assert one["soft_thresholds"] == ["memory.available<500Mi", "nodefs.available<15%"]
    assert one["grace_periods"] == {"imagefs.available": "1m30s", "memory.available": "1m30s", "nodefs.available": "2m0s"}
    assert one["minimum_reclaim"] == {"nodefs.available": "1Gi", "imagefs.available": "unknown"}
    assert (one["source"], one["node"], one["flags"]["eviction-soft"]) == ("start", "n1", FLAGS["eviction-soft"])
    text = config(str(log), "--year", "2017").stdout.decode()
    assert "  eviction-soft  memory.available<500Mi,nodefs.available<15%\n" in text
    assert "  eviction-minimum-reclaim  nodefs.available=1Gi,imagefs.available=unknown\n" in text
    assert "eviction-soft-grace-period  " in text


def test_flags_alone_make_a_start_where_they_are_a_kubelets() -> None:
    (one,) = json.loads(config("-o", "json", stdin=journal("n1", *flag_lines(FLAGS))).stdout)
    assert (one["source"], one["thresholds"]) == ("start", ["memory.available<100Mi", "nodefs.available<10%"])
    assert json.loads(config("-o", "json", stdin=journal("n1", 'FLAG: --etcd-servers="x"')).stdout) == []


def test_soft_thresholds_that_may_stand_in_a_file_are_not_said_to_be_none() -> None:
    log = journal("n1", 'FLAG: --config="/var/lib/kubelet/config.yaml"', 'FLAG: --eviction-soft=""', NEW)
    (one,) = json.loads(config("-o", "json", stdin=log).stdout)
    assert one["soft_thresholds"] is None
    assert b"eviction-soft  (not in the log; it may stand in /var/lib/kubelet/config.yaml)" in config(stdin=log).stdout


def test_a_restart_tells_what_its_flags_changed() -> None:
    log = journal("n1", *flag_lines(FLAGS | {"v": "2"}), OLD)
    log += journal("n1", *flag_lines(FLAGS | {"v": "4", "eviction-soft": "memory.available<1Gi"}), OLD, minute=58)
    _, two = json.loads(config("-o", "json", stdin=log).stdout)
    assert two["changed"] == {
        "soft threshold memory.available": {"before": "memory.available<500Mi", "now": "memory.available<1Gi"},
        "soft threshold nodefs.available": {"before": "nodefs.available<15%", "now": None},
        "grace period of soft threshold nodefs.available": {"before": "2m0s", "now": None},
        "flag v": {"before": "2", "now": "4"},
    }


def test_an_upgrade_from_go_to_json_changes_nothing_that_is_only_printed_otherwise() -> None:
    log = journal("n1", LAST_GO) + journal("n1", FIRST_JSON, minute=58)
    _, two = json.loads(config("-o", "json", stdin=log).stdout)
    assert two["changed"] == {}


def test_nodes_are_compared(tmp_path: Path) -> None:
    for node, body in (
        ("n1", FIRST_JSON),
        ("n2", FIRST_JSON.replace("100Mi", "200Mi").replace('"systemd"', '"cgroupfs"')),
        ("n3", LAST_GO),
    ):
        (tmp_path / f"{node}.log").write_bytes(journal(node, body))
    names = [str(tmp_path / f"n{number}.log") for number in (1, 2, 3)]
    found = json.loads(config(*names, "-o", "json").stdout)
    expected = {
        "CgroupDriver": {"n1": "systemd", "n2": "cgroupfs", "n3": "systemd"},
        "threshold memory.available": {
            "n1": "memory.available<100Mi",
            "n2": "memory.available<200Mi",
            "n3": "memory.available<100Mi",
        },
    }
    assert [one["differs"] for one in found] == [expected] * 3
    text = config(*names).stdout.decode()
    assert text.endswith(
        "Differs\n  CgroupDriver\n    n1: systemd\n    n2: cgroupfs\n    n3: systemd\n  threshold memory.available\n"
        "    n1: memory.available<100Mi\n    n2: memory.available<200Mi\n    n3: memory.available<100Mi\n"
    )


def test_only_the_last_start_of_each_node_is_compared(tmp_path: Path) -> None:
    other = NEW.replace("100Mi", "200Mi")
    (tmp_path / "a.log").write_bytes(journal("n1", other) + journal("n1", NEW, minute=58))
    (tmp_path / "b.log").write_bytes(journal("n2", NEW))
    found = json.loads(config(str(tmp_path), "-o", "json").stdout)
    assert [one["differs"] for one in found] == [{}, {}, {}]


def test_configuration_files_stand_beside_logs_and_are_compared(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(journal("n1", NEW))
    (tmp_path / "b.yaml").write_text(YAML)
    (tmp_path / "c.yaml").write_text(YAML.replace("500Mi", "1Gi"))
    start, one, two = json.loads(config(str(tmp_path), "-o", "json").stdout)
    assert [start["source"], one["source"], two["source"]] == ["start", "file", "file"]
    assert one["soft_thresholds"] == ["memory.available<500Mi", "nodefs.available<15%"]
    assert start["differs"] == {}
    path = "soft threshold memory.available"
    assert one["differs"] == {
        path: {str(tmp_path / "b.yaml"): "memory.available<500Mi", str(tmp_path / "c.yaml"): "memory.available<1Gi"}
    }
    assert b"Configuration file  b.yaml:2" in config(str(tmp_path)).stdout


def test_a_configuration_comes_through_a_pipe_and_a_log_with_it() -> None:
    found = json.loads(config("-o", "json", stdin=YAML.encode()).stdout)
    assert [one["source"] for one in found] == ["file"]


def test_the_lines_of_a_unit_file_make_one_command_line() -> None:
    lines = [f'Environment="KUBELET_{number}_ARGS=--{name}={value}"' for number, (name, value) in enumerate(FLAGS.items())]
    (one,) = json.loads(config("-o", "json", stdin="\n".join(lines).encode()).stdout)
    assert (one["source"], one["soft_thresholds"]) == ("flags", ["memory.available<500Mi", "nodefs.available<15%"])
    assert one["grace_periods"] == {"memory.available": "1m30s", "nodefs.available": "2m0s"}


def test_a_node_config_that_is_cut_says_nothing_of_thresholds_nor_of_changes() -> None:
    log = journal("n1", LAST_GO) + journal("n1", LAST_GO[:600], minute=58)
    _, two = json.loads(config("-o", "json", stdin=log).stdout)
    assert (two["thresholds"], two["changed"]) == ([], {})
    assert b"eviction-hard  (not readable)" in config(stdin=log).stdout


def test_mangled_settings_end_without_a_traceback() -> None:
    lines = [b'FLAG: --eviction-hard="x<', b'FLAG: --eviction-hard="memory.available<much"', b'FLAG: --eviction-hard=""']
    log = b"".join(b"I1016 09:50:09.616282    1408 flags.go:33] " + line + b"\n" for line in lines)
    done = config(stdin=log + b"kind: KubeletConfiguration\n" + b"x: {" * 3000)
    assert (done.returncode, done.stderr.count(b"Traceback")) == (0, 0)
