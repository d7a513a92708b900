"""A set of records: what kubelets, API servers and their hosts say, and what it means wherever it stands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

SHANGHAI = "Asia/Shanghai"
YEAR = 2024
# Between klog's own stamp and that of the transport.
LAG = timedelta(microseconds=412)


@dataclass(frozen=True)
class Said:
    """One log call, and what it means wherever it stands."""

    at: datetime  # UTC
    node: str
    unit: str
    pid: int | None
    form: str  # klog, json, logfmt or plain
    body: str  # behind klog's header; the whole text where there is none
    severity: str | None = None
    source_file: str | None = None
    source_line: int | None = None
    kind: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    message: str = ""
    # The pod that the text names.
    pod: str | None = None
    namespace: str | None = None
    container: str | None = None
    pod_uid: str | None = None
    bound: bool = False  # only who knows the unit knows the kind
    whole: bool = False  # one entry of the journal, its newlines within; else an entry a line
    service: str | None = None  # the unit of systemd, where it is not that of the identifier
    stream: str = "stderr"

    def text(self, zone: str) -> str:
        """As the process wrote it, its clock in this zone."""
        if self.form != "klog":
            return self.body
        stamp = local(self.at, zone).strftime("%m%d %H:%M:%S.%f")
        return f"{self.severity}{stamp} {self.pid:>7} {self.source_file}:{self.source_line}] {self.body}"

    def lines(self, zone: str) -> list[str]:
        """What a transport that ends an entry at a newline makes of it."""
        return [self.text(zone)] if self.whole else self.text(zone).split("\n")

    @property
    def stamped(self) -> datetime:
        """When the transport got it."""
        return self.at + LAG if self.form == "klog" else self.at


def local(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NODE, MASTER = "node-1", "cp-1.example.com"
# Identifier → process.
PIDS = {"kubelet": 1234, "kube-apiserver": 1, "etcd": 1, "systemd": 1, "containerd": 811, "dockerd": 902, "systemd-journald": 311}


def klog(unit: str, at: str, header: str, body: str, kind: str | None = None, /, **more: Any) -> Said:
    """`header` is severity, file and line: `W eviction_manager.go:331`."""
    severity, place = header.split(" ")
    source_file, _, source_line = place.partition(":")
    more.setdefault("message", body)
    node = MASTER if unit == "kube-apiserver" else NODE
    return Said(instant(at), node, unit, PIDS[unit], "klog", body, severity, source_file, int(source_line), kind, **more)


def klog_json(
    unit: str, at: str, severity: str, caller: str, message: str, pairs: dict[str, Any], kind: str | None, /, **more: Any
) -> Said:
    """--logging-format=json: the stamp is in milliseconds since 1970, an error has no `v`."""
    ms = (instant(at) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1)
    said: dict[str, Any] = {"ts": round(ms, 3), "caller": caller, "msg": message}
    said |= {"v": 0} if severity == "I" else {}
    source_file, _, source_line = caller.rpartition("/")[2].partition(":")
    body = json.dumps(said | pairs, ensure_ascii=False, separators=(",", ":"))
    node = MASTER if unit == "kube-apiserver" else NODE
    return Said(
        instant(at), node, unit, PIDS[unit], "json", body, severity, source_file, int(source_line), kind, message=message, **more
    )


def logfmt(unit: str, at: str, severity: str, level: str, message: str, rest: str = "") -> Said:
    """As logrus writes: containerd, dockerd, runc."""
    body = f'time="{at.replace(" ", "T")}123Z" level={level} msg={json.dumps(message, ensure_ascii=False)}{rest}'
    return Said(instant(at), NODE, unit, PIDS[unit], "logfmt", body, severity, message=message)


def plain(unit: str, at: str, body: str, kind: str | None = None, /, **more: Any) -> Said:
    more.setdefault("message", body)
    node = more.pop("node", NODE)
    return Said(instant(at), node, unit, more.pop("pid", PIDS.get(unit)), "plain", body, None, None, None, kind, **more)


WEB = {"namespace": "default", "name": "web-0", "uid": "0a1b2c3d-0000-11e7-a98b-0650cc001a5b"}
# More than docker and the CRI write as one line, and than `journalctl -o json` says without -a. No part ends within a character.
LONG = "failed to pull and unpack image: " + "; ".join(f"layer {n:04} is not there" for n in range(700))
MEDIUM = "write /var/lib/containerd: " + "no space left on device, " * 180 + "gave up"
STACK = "\n".join([
    "goroutine 412 [running]:",
    "k8s.io/kubernetes/pkg/kubelet.(*Kubelet).syncLoopIteration(0xc000ac2000, 0xc00070e0c0)",
    "\t/go/src/k8s.io/kubernetes/pkg/kubelet/kubelet.go:1991 +0x9d3",
    "created by k8s.io/kubernetes/cmd/kubelet/app.startKubelet",
    "\t/go/src/k8s.io/kubernetes/cmd/kubelet/app/server.go:1114 +0x105",
])  # fmt: skip
TRACE = "\n".join([
    'Trace[1783]: "List" url:/api/v1/pods,user-agent:kubectl/v1.17.0,client:10.0.0.1 (started: 2024-08-05 11:00:00.5 +0000 UTC m=+12.3) (total time: 1.2s):',
    "Trace[1783]: [1.1s] [1.1s] Listing from storage done",
    "Trace[1783]: [1.2s] [100ms] END",
])  # fmt: skip
CORE_DUMP = (
    "Process 4321 (kubelet) of user 0 dumped core.\n\nStack trace of thread 4321:\n#0  0x000000000046b5e1 n/a (kubelet)\n  #1  n/a"
)

# All months, 29 February, New Year's midnight in both zones; in the order of time.
RECORDS: list[Said] = [
    plain("systemd", "2024-01-03 09:05:05.000017", "Started kubelet: The Kubernetes Node Agent.", "UnitStarted",
          fields={"unit": "kubelet", "main_pid": None}, bound=True, service="init.scope"),
    klog("kubelet", "2024-01-03 09:05:06.056703", "I server.go:425", "Version: v1.17.4", "KubeletVersion", fields={"version": "v1.17.4"}),
    klog("kubelet", "2024-01-03 09:05:06.999800", "W eviction_manager.go:331", "eviction manager: attempting to reclaim nodefs",
         "EvictionReclaimAttempted", fields={"resource": "nodefs"}),
    plain("kernel", "2024-01-03 09:05:07.500000", "Memory cgroup out of memory: Killed process 4321 (java), UID 0, total-vm:1kB"),
    klog("kubelet", "2024-01-31 23:59:59.999999", "E eviction_manager.go:344", "eviction manager: must evict pod(s) to reclaim nodefs",
         "EvictionPodsRequired", fields={"resource": "nodefs"}),
    klog("kubelet", "2024-02-28 23:59:59.000001", "I eviction_manager.go:395",
         '"Eviction manager: attempting to reclaim" resourceName="ephemeral-storage"', "EvictionReclaimAttempted",
         fields={"resource": "ephemeral-storage"}, message="Eviction manager: attempting to reclaim"),
    klog("kubelet", "2024-02-29 00:00:00.000001", "I kubelet_node_status.go:472", "Recording NodeHasDiskPressure event message for node node-1",
         "NodeConditionChanged", fields={"node": "node-1", "condition": "DiskPressure", "status": True}),
    plain("etcd", "2024-02-29 12:00:00.250000", "etcdserver: read-only range request took too long",
          node=MASTER),
    klog("kubelet", "2024-02-29 23:59:59.750000", "E prober.go:104",
         '"Probe failed" probeType="Liveness" pod="default/web-0" podUID="0a1b2c3d-0000-11e7-a98b-0650cc001a5b" containerName="web" '
         'probeResult="failure" output="dial tcp 10.244.0.7:8080: connect: \\"refused\\"\\tC:\\\\web"', "ProbeFailed",
         fields={"probe": "Liveness", "pod": WEB | {"uid": None}, "container": "web", "output": 'dial tcp 10.244.0.7:8080: connect: "refused"\tC:\\web'},
         message="Probe failed", pod="web-0", namespace="default", container="web", pod_uid=WEB["uid"]),
    klog_json("kubelet", "2024-03-01 00:00:00.125000", "I", "eviction/eviction_manager.go:366", "Eviction manager: attempting to reclaim",
              {"resourceName": "memory"}, "EvictionReclaimAttempted", fields={"resource": "memory"}, stream="stdout"),
    klog("kubelet", "2024-03-10 07:08:09.101112", "E remote_image.go:222", f'"PullImage from image service failed" err="{LONG}" image="registry.example/web:1"',
         "ImagePullFailed", fields={"image": "registry.example/web:1", "error": LONG}, message="PullImage from image service failed"),
    klog_json("kubelet", "2024-03-10 07:08:09.202123", "E", "kuberuntime/kuberuntime_image.go:55", "Failed to pull image",
              {"err": 'say "no" to C:\\web <&> ü', "image": "registry.example/web:2"}, "ImagePullFailed",
              fields={"image": "registry.example/web:2", "error": 'say "no" to C:\\web <&> ü'}, stream="stdout"),
    logfmt("containerd", "2024-03-31 01:30:00.333333", "W", "warning", "cleaning up what a shim left", " id=4f1c0ffee namespace=k8s.io"),
    klog("kubelet", "2024-04-01 10:20:30.405060", "E kubelet.go:1765",
         'skipping pod synchronization - [PLEG is not healthy: pleg was last seen active 3m5.1s ago; threshold is 3m0s]'),
    logfmt("dockerd", "2024-04-30 22:00:00.010203", "E", "error", 'Handler for GET /v1.38/images/json returned "no space"'),
    klog("kubelet", "2024-05-05 05:05:05.050505", "E kuberuntime_manager.go:801", MEDIUM),
    klog("kubelet", "2024-05-05 05:05:06.000000", "E nestedpendingoperations.go:267",
         'note "quoted \\"twice\\"" and a\ttab, a back\\slash, 磁盘已满 ünïcödé ☃ 𝄞'),
    klog("kubelet", "2024-05-31 15:59:59.600000", "E runtime.go:78", "Observed a panic: runtime error: index out of range\n" + STACK,
         "PanicObserved", fields={"message": "runtime error: index out of range"}),
    plain("systemd", "2024-05-31 16:00:00.100000", "kubelet.service: Main process exited, code=exited, status=255/EXCEPTION",
          "UnitExited", fields={"unit": "kubelet", "code": "exited", "status": 255, "status_name": "EXCEPTION"}, bound=True,
          service="init.scope"),
    plain("systemd", "2024-05-31 16:00:00.200000", "kubelet.service: Failed with result 'exit-code'.", "UnitFailed",
          fields={"unit": "kubelet", "result": "exit-code", "restarts": None}, bound=True, service="init.scope"),
    plain("systemd-coredump", "2024-06-01 00:00:00.700000", CORE_DUMP, pid=4330, whole=True, service="systemd-coredump@1-4321-0.service"),
    klog("kube-apiserver", "2024-06-02 03:04:05.060708", "I logs.go:49", "http: TLS handshake error from 10.0.0.1:1234: EOF",
         "TlsHandshakeFailed", fields={"peer": "10.0.0.1:1234", "error": "EOF"}),
    klog("kube-apiserver", "2024-06-30 23:59:59.999999", "I logs.go:49",
         "http: TLS handshake error from [fd00::1]:1234: remote error: tls: bad certificate", "TlsHandshakeFailed",
         fields={"peer": "[fd00::1]:1234", "error": "remote error: tls: bad certificate"}),
    klog("kubelet", "2024-07-01 00:00:00.000000", "E pod_workers.go:965",
         '"Error syncing pod, skipping" err=<\n\tfailed to "StartContainer" for "web":\n\t  back-off 5m0s\n > pod="default/web-0"',
         message="Error syncing pod, skipping", pod="web-0", namespace="default"),
    klog("kubelet", "2024-07-04 04:04:04.444444", "E nodelease.go:49",
         "failed to update node lease, error: Put https://10.0.0.1:6443/apis: context deadline exceeded", "LeaseUpdateFailed",
         fields={"error": "Put https://10.0.0.1:6443/apis: context deadline exceeded"}),
    klog("kube-apiserver", "2024-08-05 11:00:01.700000", "I trace.go:116", TRACE),
    plain("systemd-journald", "2024-08-06 08:08:08.080808", "Suppressed 4711 messages from kubelet.service", "JournalSuppressed",
          fields={"unit": "kubelet", "count": 4711}, bound=True),
    klog_json("kube-apiserver", "2024-09-09 09:09:09.090909", "E", "server/options.go:12", "Unable to do it", {"err": "etcd: no leader"}, None,
              stream="stdout"),
    plain("etcd", "2024-09-09 09:09:10.123456", 'WARNING: 2024/09/09 09:09:10 grpc: addrConn.createTransport failed to connect to {127.0.0.1:2379 0 <nil>}',
          node=MASTER),
    klog("kubelet", "2024-10-03 03:03:03.030303", "I eviction_manager.go:350", "eviction manager: pods web-0_default(0a1b2c3d-0000-11e7-a98b-0650cc001a5b) evicted, waiting for pod to be cleaned up",
         "EvictionCleanupAwaited", fields={"pods": [WEB]}),
    klog("kubelet", "2024-10-16 09:50:55.056703", "E kubelet_node_status.go:380", "Error updating node status, will retry: timed out",
         "NodeStatusUpdateFailed", fields={"error": "timed out"}),
    klog("kubelet", "2024-11-30 15:59:59.500000", "W conversion.go:110", "Could not get instant cpu stats: different number of cpus"),
    klog("kubelet", "2024-12-31 15:59:59.999900", "I eviction_manager.go:1", "eviction manager: attempting to reclaim imagefs",
         "EvictionReclaimAttempted", fields={"resource": "imagefs"}),
    klog("kubelet", "2024-12-31 16:00:00.000100", "I eviction_manager.go:2", "eviction manager: attempting to reclaim memory",
         "EvictionReclaimAttempted", fields={"resource": "memory"}),
    klog("kube-apiserver", "2024-12-31 23:59:59.999900", "E authentication.go:63", "Unable to authenticate the request due to an error: invalid bearer token",
         "AuthenticationFailed", fields={"error": "invalid bearer token"}),
    klog("kubelet", "2024-12-31 23:59:59.999950", "I eviction_manager.go:3", "eviction manager: attempting to reclaim pid",
         "EvictionReclaimAttempted", fields={"resource": "pid"}),
    plain("kernel", "2025-01-01 00:00:00.000000", "perf: interrupt took too long (2523 > 2500), lowering rate"),
    klog("kubelet", "2025-01-01 00:00:00.000150", "I eviction_manager.go:4", "eviction manager: attempting to reclaim inodes",
         "EvictionReclaimAttempted", fields={"resource": "inodes"}),
    plain("systemd", "2025-01-09 01:02:03.040506", "Stopped kubelet: The Kubernetes Node Agent.", "UnitStopped", fields={"unit": "kubelet"},
          bound=True, service="init.scope"),
    klog("kube-apiserver", "2025-01-09 01:02:04.000001", "W reflector.go:402", "watch closed\u202e with: too old resource version"),
]  # fmt: skip

CONTAINERS = [said for said in RECORDS if said.unit in ("kubelet", "kube-apiserver", "etcd")]
# What runs in pods.
PODS = [said for said in RECORDS if said.unit in ("kube-apiserver", "etcd")]


def by_process(records: Iterable[Said]) -> list[list[Said]]:
    found: dict[tuple[str, str], list[Said]] = {}
    for said in records:
        found.setdefault((said.node, said.unit), []).append(said)
    return list(found.values())


def one_line(records: Iterable[Said]) -> list[Said]:
    """What can be said where a newline always ends an entry."""
    return [said for said in records if not said.whole]


def entries(records: Sequence[Said], zone: str) -> Iterator[tuple[Said, int, str]]:
    """What each process wrote, entry by entry, with the number of the entry in its record. Who speaks while another has not yet said all
    of its lines stands between them.
    """
    waits: list[tuple[Said, int, str]] = []
    for number, said in enumerate(records):
        lines = [(said, n, line) for n, line in enumerate(said.lines(zone))]
        after = records[number + 1] if number + 1 < len(records) else said
        yield lines[0]
        yield from waits
        waits = lines[1:]
        if after.unit == said.unit or after.at - said.at > timedelta(seconds=1):
            yield from waits
            waits = []


def ended(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
