"""Realistic logs of nodes in trouble, as hypothesis strategies: what kubelets write, with noise, restarts, silence and disorder.

A log is a list of Lines in the order in which they came. Their times differ by at least a microsecond, so that only one order of
them is the order of time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests import words
from tests.words import BACK_OFFS, NEW, OLD, Pod, Said

NOW = datetime(2018, 3, 1)
START = datetime(2017, 10, 16, 9, 50, 55, 56703)
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


@dataclass(frozen=True)
class Line:
    """One line: when it was said, by which node, and how it is written."""

    at: datetime
    node: str
    text: str


@st.composite
def gapped(draw: st.DrawFn, most: int = 4) -> list[str]:
    """A log's lines, among them some that say what it lacks: boots, suppressed lines, lines that were cut short."""
    found = []
    for line in draw(logs(most=most)):
        stamp = f"{MONTHS[line.at.month - 1]} {line.at.day:02} {line.at:%H:%M:%S} {line.node}"
        lacking = [
            f"{stamp} systemd-journald[300]: Suppressed {draw(st.sampled_from([3, 900, 4000]))} messages from kubelet.service",
            f"{stamp} systemd-journald[300]: Suppressed 1500 messages from docker.service",
            f'{stamp} kubelet[7]: I1016 09:50:55.123456       7 kubelet_getters.go:176] "Pod status upd…Running',
            "-- Reboot --",
            "-- Boot 4f3c2b1a09e84d7796a5b4c3d2e1f001 --",
        ]
        found += [*draw(st.lists(st.sampled_from(lacking), max_size=1)), line.text]
    return found


def log_bytes(lines: Iterable[Line]) -> bytes:
    return "".join(line.text + "\n" for line in lines).encode()


# Wordings: body of the glog text, body of the structured line

PODS = ("web-0", "db-1", "job-77x2k")


def _glog_pod(name: str) -> str:
    return f"{name}_default(0a1b2c3d-0000-11e7-a98b-0650cc001a5b)"


def _pair(name: str, value: str) -> str:
    return f'"Eviction manager: {name}"{value}'


def body(kind: str, glog: bool, **what: Any) -> tuple[str, str, str]:
    """Severity, file and body of a wording."""
    resource, pod, condition = what.get("resource"), what.get("pod", "web-0"), what.get("condition", "DiskPressure")
    node, event = what.get("node", "n1"), what.get("event", "")
    manager = {
        "attempted": ("W", f"attempting to reclaim {resource}", _pair("attempting to reclaim", f' resourceName="{resource}"')),
        "reclaimed": (
            "I", f"able to reduce {resource} pressure without evicting pods.",
            _pair("able to reduce resource pressure without evicting pods.", f' resourceName="{resource}"'),
        ),
        "required": ("I", f"must evict pod(s) to reclaim {resource}", _pair("must evict pod(s) to reclaim", f' resourceName="{resource}"')),
        "ranked": ("I", f"pods ranked for eviction: {', '.join(map(_glog_pod, PODS))}", _pair("pods ranked for eviction", ' pods=["default/web-0","default/db-1"]')),
        "evicted": ("I", f"pod {_glog_pod(pod)} is evicted successfully", _pair("pod is evicted successfully", f' pod="default/{pod}"')),
        "cleaned": ("I", f"pods {_glog_pod(pod)} successfully cleaned up", _pair("pods successfully cleaned up", f' pods=["default/{pod}"]')),
        "timed-out": ("W", f"timed out waiting for pods {_glog_pod(pod)} to be cleaned up", _pair("timed out waiting for pods to be cleaned up", f' pods=["default/{pod}"]')),
        "none-active": ("E", "eviction thresholds have been met, but no pods are active to evict", _pair("eviction thresholds have been met, but no pods are active to evict", "")),
        "failed": ("I", "unable to evict any pods from the node", _pair("unable to evict any pods from the node", "")),
        "critical": ("E", f"cannot evict a critical pod {_glog_pod(pod)}", _pair("cannot evict a critical pod", f' pod="default/{pod}"')),
    }  # fmt: skip
    if kind in manager:
        severity, old, new = manager[kind]
        return severity, "eviction_manager.go", f"eviction manager: {old}" if glog else new
    if kind == "rejected":
        old = f"Failed to admit pod {_glog_pod(pod)} - node has conditions: [{condition}]"
        return (
            "W",
            "eviction_manager.go",
            old if glog else f'"Failed to admit pod to node" pod="default/{pod}" nodeCondition=["{condition}"]',
        )
    if kind == "recorded":
        old = f"Recording {event} event message for node {node}"
        return "I", "kubelet_node_status.go", old if glog else f'"Recording event message for node" node="{node}" event="{event}"'
    if kind == "config":
        return "I", "container_manager_linux.go", _config(what["thresholds"], glog)
    assert kind == "version"
    return "I", "server.go", "Kubelet version: v1.15.5" if glog else '"Kubelet version" kubeletVersion="v1.28.4"'


def _config(thresholds: Sequence[tuple[str, str]], glog: bool) -> str:
    """The Node Config of a start; a threshold is its signal and `10%` or `100Mi`."""
    if glog:
        parts = [
            f"{{Signal:{signal} Operator:LessThan Value:{{Quantity:{'<nil>' if '%' in limit else limit} Percentage:{_share(limit)}}} "
            "GracePeriod:0s MinReclaim:<nil>}"
            for signal, limit in thresholds
        ]
        allocatable = (
            f"NodeAllocatableConfig:{{KubeReserved:map[] SystemReserved:map[] HardEvictionThresholds:[{' '.join(parts)}]}}"
        )
        return f"Creating Container Manager object based on Node Config: {{RuntimeCgroupsName: ContainerRuntime:docker {allocatable} ExperimentalQOSReserved:map[]}}"
    parts = [
        f'{{"Signal":"{signal}","Operator":"LessThan","Value":{{"Quantity":{"null" if "%" in limit else chr(34) + limit + chr(34)},'
        f'"Percentage":{_share(limit)}}},"GracePeriod":0,"MinReclaim":null}}'
        for signal, limit in thresholds
    ]
    return f'"Creating Container Manager object based on Node Config" nodeConfig={{"NodeName":"n1","HardEvictionThresholds":[{",".join(parts)}]}}'


def _share(limit: str) -> str:
    return f"{int(limit[:-1]) / 100:g}" if "%" in limit else "0"


def kubelet_line(
    at: datetime, node: str, pid: int, said: tuple[str, str, str], precise: bool = False, unit: str = "kubelet"
) -> Line:
    severity, file, text = said
    header = f"{severity}{at:%m%d %H:%M:%S.%f} {pid:7} {file}:{len(text)}] "
    return Line(at, node, f"{_stamp(at, precise)} {node} {unit}[{pid}]: {header}{text}")


def unit_line(at: datetime, node: str, text: str) -> Line:
    return Line(at, node, f"{_stamp(at, True)} {node} systemd[1]: {text}")


def _stamp(at: datetime, precise: bool) -> str:
    return f"{MONTHS[at.month - 1]} {at.day:02} {at:%H:%M:%S}" + (f".{at:%f}" if precise else "")


NOISE = (
    ("I", "kuberuntime_manager.go", "Container {Name:web Image:web:1} is dead, but RestartPolicy says that we should restart it."),
    ("E", "pod_workers.go", '"Error syncing pod, skipping" err="failed to sync" pod="default/web-0"'),
    ("I", "reconciler.go", "Reconciler: start to sync state"),
)
DEFAULTS = (("memory.available", "100Mi"), ("nodefs.available", "10%"), ("nodefs.inodesFree", "5%"))
CONFIGS = st.sampled_from(
    [
        DEFAULTS,
        (("nodefs.available", "5%"),),
        (("nodefs.available", "15%"), ("memory.available", "100Mi")),
        (("memory.available", "50Mi"), ("nodefs.available", "10%")),
        (),
    ]
)
RECORDS = ("NodeHasDiskPressure", "NodeHasNoDiskPressure", "NodeHasInsufficientMemory", "NodeHasSufficientMemory", "NodeReady")
# A master's own components; most trouble is the API server's.
COMPONENTS = st.sampled_from(["kube-apiserver"] * 4 + ["etcd", "kube-scheduler"])
# A static pod whose manifest was changed has another id.
DIGESTS = st.sampled_from(["2c1e63b8c5a1d8f7a1d0c6f0b4e9a275"] * 4 + ["7b90a1de55c3f1b26b4f5f1a3e0c9d48"])
SERVER = "10.0.0.1:6443"
OUTPUTS = st.sampled_from(
    [
        "HTTP probe failed with statuscode: 401",
        "HTTP probe failed with statuscode: 500",
        f"Get https://{SERVER}/healthz: dial tcp {SERVER}: getsockopt: connection refused",
    ]
)
ERRORS = st.sampled_from([f"dial tcp {SERVER}: connect: connection refused", "x509: certificate has expired or is not yet valid"])
RESOURCES = st.sampled_from(["nodefs", "nodefs", "imagefs", "memory", "ephemeral-storage", "inodes"])


class _Node:
    """Writes the lines of one node; each is later than the one before."""

    def __init__(self, draw: Any, name: str, at: datetime) -> None:
        self.draw, self.name, self.at = draw, name, at
        self.glog, self.precise = draw(st.booleans()), draw(st.booleans())
        self.pid = draw(st.integers(100, 30000))
        self.lines: list[Line] = []

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def say(self, kind: str, **what: Any) -> None:
        self.write(body(kind, self.glog, node=self.name, **what))

    def tell(self, said: Said) -> None:
        self.write(said.written(OLD if self.glog else NEW))

    def write(self, said: tuple[str, str, str]) -> None:
        self.at += timedelta(microseconds=self.draw(st.integers(1, 900_000)))
        self.lines.append(kubelet_line(self.at, self.name, self.pid, said, self.precise))

    def episode(self) -> None:
        draw, resource = self.draw, self.draw(RESOURCES)
        condition = "MemoryPressure" if resource == "memory" else "DiskPressure"
        for _ in range(draw(st.integers(1, 3))):
            self.say("attempted", resource=resource)
            if draw(st.booleans()):
                break
            self.say("required", resource=resource)
            deed = draw(st.sampled_from(["none-active", "evict", "failed", "critical"]))
            if deed == "evict":
                pod = draw(st.sampled_from(PODS))
                self.say("ranked")
                self.say("evicted", pod=pod)
                self.say(draw(st.sampled_from(["cleaned", "timed-out"])), pod=pod)
            else:
                self.say(deed)
            self.wait(10)
        if draw(st.booleans()):
            self.say("recorded", event="NodeHasInsufficientMemory" if resource == "memory" else "NodeHasDiskPressure")
        for pod in draw(st.lists(st.sampled_from(PODS), max_size=2)):
            self.say("rejected", pod=pod, condition=condition)
        end = draw(st.sampled_from(["reclaimed", "cleared", "open", "open"]))
        if end == "reclaimed":
            self.say("reclaimed", resource=resource)
        elif end == "cleared":
            self.wait(draw(st.sampled_from([3, 40, 300])))
            self.say("recorded", event="NodeHasSufficientMemory" if resource == "memory" else "NodeHasNoDiskPressure")

    def loop(self) -> None:
        """A component of the control plane fails its probe, is killed and started again; any of it may not be told."""
        draw, component = self.draw, self.draw(COMPONENTS)
        pod = Pod("kube-system", f"{component}-{self.name}", draw(DIGESTS), component)
        for _ in range(draw(st.integers(0, 4))):
            container = f"{draw(st.integers(0, 3))}c0ffee"
            probe = words.probe_failed(pod, draw(st.sampled_from(["Liveness"] * 4 + ["Readiness", "Startup"])), draw(OUTPUTS))
            self.perhaps(words.pleg(pod, "ContainerStarted", container))
            self.wait(draw(st.sampled_from([0.5, 15, 30])))
            for _ in range(draw(st.integers(0, 3))):
                self.tell(probe)
                self.wait(draw(st.sampled_from([10, 10, 44.5, 50])))
            self.perhaps(words.unhealthy(pod, container))
            self.perhaps(words.killing(pod, container))
            self.perhaps(words.pleg(pod, "ContainerDied", container))
            self.follow()
            if draw(st.booleans()):
                held = words.held_back(pod, draw(st.sampled_from(BACK_OFFS)))
                for _ in range(draw(st.integers(1, 2))):
                    self.tell(held)
                    self.wait(draw(st.sampled_from([1, 12, 70])))
            self.wait(draw(st.sampled_from([0, 1, 200])))
        self.follow()

    def perhaps(self, said: Said) -> None:
        if self.draw(st.booleans()):
            self.tell(said)

    def follow(self) -> None:
        """What the kubelet says while it does not reach the API server."""
        for _ in range(self.draw(st.integers(0, 3))):
            error = self.draw(ERRORS)
            follows = (
                words.list_failed("Service", SERVER, error),
                words.lease_failed(self.name, SERVER, error),
                words.node_unknown(self.name),
                words.status_given_up(),
            )
            self.tell(self.draw(st.sampled_from(follows)))
            self.wait(self.draw(st.sampled_from([0, 1, 7])))

    def restart(self) -> None:
        self.pid += 1
        self.wait(1)
        if self.draw(st.booleans()):
            self.lines.append(unit_line(self.at, self.name, "Started kubelet: The Kubernetes Node Agent."))
        if self.draw(st.booleans()):
            self.say("version")
        if self.draw(st.integers(0, 3)):
            self.say("config", thresholds=self.draw(CONFIGS))
        if self.draw(st.booleans()):
            self.say("recorded", event="NodeHasNoDiskPressure")

    def any(self) -> None:
        """Anything at all, in no order that a kubelet would keep."""
        kind = self.draw(st.sampled_from(["rejected", "cleaned", "none-active", "reclaimed", "recorded", "evicted"]))
        self.say(
            kind,
            resource=self.draw(RESOURCES),
            pod=self.draw(st.sampled_from(PODS)),
            condition=self.draw(st.sampled_from(["DiskPressure", "MemoryPressure", "PIDPressure", "OutOfDisk"])),
            event=self.draw(st.sampled_from(RECORDS)),
        )

    def noise(self) -> None:
        for _ in range(self.draw(st.integers(1, 4))):
            self.at += timedelta(seconds=self.draw(st.sampled_from([0.5, 20.0, 299.0, 599.9])))
            said = self.draw(st.sampled_from(NOISE))
            self.lines.append(kubelet_line(self.at, self.name, self.pid, said, self.precise))

    def sparse(self) -> None:
        """A line now and then: each is a run of its own."""
        for _ in range(self.draw(st.integers(2, 9))):
            self.wait(self.draw(st.sampled_from([601, 605, 660, 1500])))
            self.lines.append(kubelet_line(self.at, self.name, self.pid, NOISE[0], self.precise))
            if self.draw(st.booleans()):
                self.wait(20)
                self.lines.append(kubelet_line(self.at, self.name, self.pid, NOISE[2], self.precise))

    def silence(self) -> None:
        self.wait(self.draw(st.sampled_from([25, 61, 570, 590, 601, 1700, 1801, 1900, 7200, 90000])))


@st.composite
def node_logs(draw: Any, name: str = "n1", start: datetime = START, most: int = 7) -> list[Line]:
    """The log of one node in the order of time."""
    node = _Node(draw, name, start)
    parts = st.sampled_from(
        [node.episode] * 3 + [node.loop] * 3 + [node.noise, node.silence] * 2 + [node.restart, node.sparse, node.any]
    )
    for part in draw(st.lists(parts, min_size=1, max_size=most)):
        part()
    return node.lines


def woven(*logs: Sequence[Line]) -> list[Line]:
    """Logs of several nodes as one, by time."""
    return sorted((line for log in logs for line in log), key=lambda line: line.at)


def ordered(lines: Sequence[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: line.at)


@st.composite
def late(draw: Any, lines: Sequence[Line], most_s: float = 29.0) -> list[Line]:
    """The same lines, some of them late by up to `most_s` of event time."""
    delays = draw(st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.7, 11.0, most_s]), min_size=len(lines), max_size=len(lines)))
    arrivals = [
        (line.at + timedelta(seconds=delay), number, line) for number, (line, delay) in enumerate(zip(lines, delays, strict=True))
    ]
    return [line for _, _, line in sorted(arrivals, key=lambda one: one[:2])]


YEAR_ENDS = datetime(2017, 12, 31, 23, 40)


@st.composite
def logs(draw: Any, most: int = 7, disorder: float = 29.0) -> list[Line]:
    """A log of one or two nodes, with small disorder (or, where asked for, large)."""
    start = draw(st.sampled_from([START, START, YEAR_ENDS]))
    lines = draw(node_logs("n1", start, most))
    if draw(st.integers(0, 2)) == 2:
        lines = woven(lines, draw(node_logs("n2", start + timedelta(seconds=7, microseconds=3), max(1, most // 2))))
    if draw(st.booleans()):
        lines = draw(late(lines, disorder))
    return list(lines)


@st.composite
def listings(draw: Any) -> str:
    """What people paste before, into or behind a log: it has no envelope, some of it has no time."""
    status = (
        "\u25cf kubelet.service - kubelet: The Kubernetes Node Agent\n"
        "   Loaded: loaded (/lib/systemd/system/kubelet.service; enabled; vendor preset: enabled)\n"
        f"   Active: active (running) since Mon 2017-10-16 {draw(st.sampled_from(['09:51:40', '10:25:09']))} CST; 6h ago\n"
        "     Docs: http://kubernetes.io/docs/\n"
        " Main PID: 13640 (kubelet)\n"
        "    Tasks: 18\n"
    )
    return str(
        draw(
            st.sampled_from(
                [
                    status,
                    "Filesystem Size Used Avail Use% Mounted on\n/dev/sda1       5.8G  5.1G  448M   92% /\n/dev/sdb1        99G  5.2G   89G    6% /data\n",
                    "  9d        51m        49428    kubelet, n1            Warning        EvictionThresholdMet    Attempting to reclaim nodefs\n",
                    "    Liveness:       http-get https://127.0.0.1:6443/healthz delay=15s timeout=15s period=10s #success=1 #failure=8\n",
                    "root     13640     1  4 10:25 ?        00:17:25 /usr/bin/kubelet --cadvisor-port=0\n",
                    "I1016 09:50:56.000001   17144 eviction_manager.go:331] eviction manager: attempting to reclaim nodefs\n",
                    # A line without a header goes on with the record before, which then is no eviction any more.
                    "W1016 09:50:57.000001   17144 eviction_manager.go:331] "
                    '"Eviction manager: eviction thresholds have been met, but no pods are active to evict"\nand so on\n',
                ]
            )
        )
    )
