"""A name → the values that stand in the synthetic journal under it. Nothing of them is taken from a real log.

Only `Random.random` is used: its numbers are the same in every release of Python.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from random import Random

POOL = 1024  # different values a name
NODE = "node-17"
SERVER = "10.112.0.1:6443"  # a node asks one API server
LOOPING = 12  # containers of the node that crash again and again

_APPS = "web api cart search billing ledger mailer proxy cache queue index auth media report".split()
_SPACES = "default shop payments platform monitoring kube-system ingress data".split()
_CONTAINERS = "server sidecar worker init-db exporter agent coredns etcd".split()
_RESOURCES = "pods services endpoints secrets configmaps nodes deployments.apps jobs.batch leases.coordination.k8s.io".split()
_CONTROLLERS = "autoregister crd-autoregister node_authorizer cluster_authentication_trust service-cidr attach-detach job".split()
_PLUGINS = "projected secret configmap empty-dir host-path nfs csi iscsi portworx-volume downward-api".split()
_TYPES = "Pod Node Service Endpoints Secret ConfigMap CSIDriver RuntimeClass StorageClass EndpointSlice".split()
_ROLES = "admin edit view node node-proxier controller:job-controller controller:ttl-controller discovery".split()
_FLAGS = "address anonymous-auth cgroup-driver cluster-dns eviction-hard max-pods node-ip pod-cidr v volume-plugin-dir".split()
_VERBS = "GET LIST WATCH PUT PATCH POST DELETE".split()
_AGENTS = ("kubelet/v1.27.4 (linux/amd64) kubernetes/fa3d799", "kube-scheduler/v1.27.4 (linux/amd64)", "metrics-server/v0.6.3")
_STATES = "NodeReady NodeNotReady NodeHasSufficientMemory NodeHasNoDiskPressure NodeHasSufficientPID".split()
_REASONS = "Scheduled Pulled Created Started Killing BackOff Unhealthy FailedMount".split()


class Maker:
    """Makes the values of one name, from numbers that depend on nothing else."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed).random

    def below(self, n: int) -> int:
        return int(self.random() * n)

    def one(self, choices: tuple[str, ...] | list[str]) -> str:
        return choices[self.below(len(choices))]

    def hex(self, digits: int) -> str:
        return "".join("0123456789abcdef"[self.below(16)] for _ in range(digits))

    def uid(self) -> str:
        return "-".join(self.hex(n) for n in (8, 4, 4, 4, 12))

    def name(self) -> str:
        return f"{self.one(_APPS)}-{self.hex(9)}-{self.hex(5)}"

    def address(self) -> str:
        return f"10.{self.below(256)}.{self.below(256)}.{1 + self.below(254)}"

    def duration(self) -> str:
        number = self.below(999_999) + 1
        return (f"{number / 1000:g}ms", f"{number / 1000:g}µs", f"{number / 10000:g}s", f"{1 + number % 59}m{number % 60}s")[
            number % 4
        ]

    def time(self) -> str:
        return f"2023-11-{1 + self.below(9):02} {self.below(24):02}:{self.below(60):02}:{self.below(60):02} +0000 UTC"

    def image(self) -> str:
        return f"registry.example/{self.one(_SPACES)}/{self.one(_APPS)}:{self.below(9)}.{self.below(40)}.{self.below(20)}"

    def uri(self) -> str:
        return f"/api/v1/namespaces/{self.one(_SPACES)}/pods/{self.name()}?timeout={1 + self.below(59)}s"

    def refused(self) -> str:
        path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{NODE}?timeout={1 + self.below(59)}s"
        return f'Get "https://{SERVER}{path}": dial tcp {SERVER}: connect: connection refused'

    def crash(self) -> str:
        container, pod = self.one(_looping())
        return (
            f'failed to "StartContainer" for "{container}" with CrashLoopBackOff: "back-off {1 + self.below(5)}m0s restarting '
            f'failed container={container} pod={pod}"'
        )


def _pod_uid(m: Maker) -> str:
    return f"{m.name()}_{m.one(_SPACES)}({m.uid()})"


@cache
def _looping() -> list[tuple[str, str]]:
    m = Maker("looping")
    return [(m.one(_CONTAINERS), _pod_uid(m)) for _ in range(LOOPING)]


def _event_struct(m: Maker) -> str:
    name, space = m.name(), m.one(_SPACES)
    return (
        f'&v1.Event{{TypeMeta:v1.TypeMeta{{Kind:"", APIVersion:""}}, ObjectMeta:v1.ObjectMeta{{Name:"{name}.{m.hex(16)}", '
        f'Namespace:"{space}", UID:"", ResourceVersion:"", Generation:0, Labels:map[string]string(nil)}}, '
        f'InvolvedObject:v1.ObjectReference{{Kind:"Pod", Namespace:"{space}", Name:"{name}", UID:"{m.uid()}"}}, '
        f'Reason:"{m.one(_REASONS)}", Source:v1.EventSource{{Component:"kubelet", Host:"{NODE}"}}, Count:{m.below(500)}, Type:"Warning"}}'
    )


def _node_config(m: Maker) -> str:
    thresholds = " ".join(
        f"{{Signal:{signal} Operator:LessThan Value:{{Quantity:<nil> Percentage:0.{1 + m.below(19):02}}} GracePeriod:0s MinReclaim:<nil>}}"
        for signal in ("nodefs.available", "nodefs.inodesFree", "imagefs.available")
    )
    memory = "{Signal:memory.available Operator:LessThan Value:{Quantity:100Mi Percentage:0} GracePeriod:0s MinReclaim:<nil>}"
    return (
        "{RuntimeCgroupsName: SystemCgroupsName: KubeletCgroupsName: ContainerRuntime:docker CgroupsPerQOS:true CgroupRoot:/ "
        f"CgroupDriver:cgroupfs KubeletRootDir:/var/lib/kubelet-{m.below(50)} ProtectKernelDefaults:false "
        "NodeAllocatableConfig:{KubeReservedCgroupName: SystemReservedCgroupName: EnforceNodeAllocatable:map[pods:{}] "
        f"KubeReserved:map[cpu:{{i:{{value:{m.below(900)} scale:-3}} d:{{Dec:<nil>}} s:100m Format:DecimalSI}}] SystemReserved:map[] "
        f"HardEvictionThresholds:[{memory} {thresholds}]}} ExperimentalQOSReserved:map[] ExperimentalCPUManagerPolicy:none "
        "ExperimentalCPUManagerReconcilePeriod:10s ExperimentalPodPidsLimit:-1 EnforceCPULimits:true CPUCFSQuotaPeriod:100ms}"
    )


def _node_config_json(m: Maker) -> str:
    thresholds = [
        {
            "Signal": signal,
            "Operator": "LessThan",
            "Value": {"Quantity": None, "Percentage": (1 + m.below(19)) / 100},
            "GracePeriod": 0,
            "MinReclaim": None,
        }
        for signal in ("nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree")
    ]
    config = {
        "NodeName": NODE, "RuntimeCgroupsName": "", "SystemCgroupsName": "", "KubeletCgroupsName": "", "KubeletOOMScoreAdj": -999,
        "ContainerRuntime": "", "CgroupsPerQOS": True, "CgroupRoot": "/", "CgroupDriver": "systemd",
        "KubeletRootDir": f"/var/lib/kubelet-{m.below(50)}", "ProtectKernelDefaults": False, "KubeReservedCgroupName": "",
        "SystemReservedCgroupName": "", "ReservedSystemCPUs": {}, "EnforceNodeAllocatable": {"pods": {}},
        "KubeReserved": {"cpu": f"{100 + m.below(900)}m"}, "SystemReserved": None, "HardEvictionThresholds": thresholds,
        "QOSReserved": {}, "CPUManagerPolicy": "none", "TopologyManagerPolicy": "none", "PodPidsLimit": -1, "EnforceCPULimits": True,
    }  # fmt: skip
    return json.dumps(config, separators=(",", ":"))


def _quoted(make: Callable[[Maker], str]) -> Callable[[Maker], str]:
    """As strconv.Quote writes it."""
    return lambda m: '"' + make(m).replace("\\", "\\\\").replace('"', '\\"') + '"'


_PLAIN: dict[str, Callable[[Maker], str]] = {
    "address": Maker.address,
    "agent": lambda m: m.one(_AGENTS).split(" ")[0],
    "backend": lambda m: f'{{Type:"", Prefix:"/registry", Transport:"https://{m.address()}:2379", Paging:true, LeaseReuse:{m.below(2000)}}}',
    "cidr": lambda m: f"10.{m.below(256)}.{m.below(256)}.0/24",
    "code": lambda m: str((200, 200, 200, 201, 404, 409, 422, 503)[m.below(8)]),
    "container": lambda m: m.one(_CONTAINERS),
    "container_id": lambda m: m.hex(64),
    "controller": lambda m: m.one(_CONTROLLERS),
    "crash": Maker.crash,
    "duration": Maker.duration,
    "endpoint": lambda m: f"https://{m.address()}:2379",
    "event_struct": _event_struct,
    "event_type": lambda m: m.one(["Normal", "Warning"]),
    "exit": lambda m: f"command terminated with exit code {1 + m.below(254)}",
    "flag": lambda m: m.one(_FLAGS),
    "forbidden": lambda m: f'events "{m.name()}.{m.hex(16)}" is forbidden: unable to create new content in namespace {m.one(_SPACES)} because it is being terminated',
    "gid": lambda m: str(1000 + m.below(9000)),
    "go_type": lambda m: "*v1." + m.one(_TYPES),
    "hub": lambda m: m.one(["core", "apps", "batch", "policy", "storage.k8s.io"]) + "/__internal",
    "kind": lambda m: m.one(_TYPES),
    "level": lambda m: m.one(["system", "node-high", "workload-low", "leader-election", "catch-all"]),
    "lifecycle": lambda m: m.one(["ContainerStarted", "ContainerDied"]),
    "lifecycle_json": lambda m: json.dumps({"ID": m.uid(), "Type": m.one(["ContainerStarted", "ContainerDied"]), "Data": m.hex(64)}, separators=(",", ":")),
    "list_failed": lambda m: f'failed to list *v1.{m.one(_TYPES)}: Get "https://{SERVER}/api/v1/{m.one(_RESOURCES)}?limit=500&resourceVersion=0": net/http: TLS handshake timeout',
    "logger": lambda m: m.one(["UnhandledError", "controllermanager", "dynamic-resource-allocation"]),
    "missing": lambda m: f'rpc error: code = NotFound desc = an error occurred when try to find container "{m.hex(64)}": not found',
    "namespace": lambda m: m.one(_SPACES),
    "node": lambda m: f"node-{m.below(40)}",
    "node_config": _node_config,
    "node_config_json": _node_config_json,
    "node_state": lambda m: m.one(_STATES),
    "note": lambda m: f'Successfully assigned {m.one(_SPACES)}/{m.name()} to "{NODE}" – slot {m.below(99)}',
    "panic": lambda m: f"runtime error: index out of range [{m.below(90)}] with length {m.below(9)}",
    "peer": lambda m: f"{m.address()}:{30000 + m.below(30000)}",
    "plugin": lambda m: "kubernetes.io/" + m.one(_PLUGINS),
    "pod": lambda m: f"{m.one(_SPACES)}/{m.name()}",
    "pod_uid": _pod_uid,
    "probe": lambda m: m.one(["Readiness", "Liveness", "Startup"]),
    "probe_output": lambda m: f'Get "http://{m.address()}:8080/healthz": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
    "pull": lambda m: f'rpc error: code = Unknown desc = failed to pull and unpack image "{m.image()}": 429 Too Many Requests – toomanyrequests',
    "reason": lambda m: m.one(_REASONS),
    "refused": Maker.refused,
    "registry": lambda m: "/" + m.one(_RESOURCES).split(".")[0],
    "resource": lambda m: m.one(_RESOURCES),
    "revision": lambda m: str(m.below(90_000_000)),
    "role": lambda m: "system:" + m.one(_ROLES),
    "runtime_id": lambda m: f'{{"Type":"containerd","ID":"{m.hex(64)}"}}',
    "scheme": lambda m: m.one(["endpoint", "passthrough", "unix"]),
    "seconds": lambda m: f"{(1 + m.below(99_999_999)) / 1e6:.6f}",
    "setting": lambda m: m.one(["", "true", "false", "cgroupfs", "110", "0.0.0.0", "[10.96.0.10]", "/var/lib/kubelet/pki"]),
    "source": lambda m: f"k8s.io/client-go/informers/factory.go:{100 + m.below(80)}",
    "time": Maker.time,
    "token": lambda m: f"[invalid bearer token, service account token has expired {m.below(900)}s ago]",
    "trace": lambda m: str(m.below(2_000_000_000)),
    "uid": Maker.uid,
    "unique": lambda m: f"{m.one(_PLUGINS)}/{m.uid()}-{m.one(_APPS)}-token",
    "uri": Maker.uri,
    "image": Maker.image,
    "verb": lambda m: m.one(_VERBS),
    "version": lambda m: m.one(["v1", "apps/v1", "batch/v1", "policy/v1", "storage.k8s.io/v1"]),
    "volume": lambda m: f"{m.one(_APPS)}-token-{m.hex(5)}",
    "volumes_path": lambda m: f"/var/lib/kubelet/pods/{m.uid()}/volumes",
}  # fmt: skip


def _addresses(m: Maker) -> str:
    return json.dumps({"IPv4": m.address()}, separators=(",", ":"))


# Continuation lines, as text behind the envelope.
LINES: dict[str, Callable[[Maker], list[str]]] = {
    "trace": lambda m: [
        f'Trace[{m.below(2_000_000_000)}]: ---"Listing from storage done" {m.below(3000)}ms ({m.below(24):02}:{m.below(60):02}:00.{m.below(1000):03})',
        f"Trace[{m.below(2_000_000_000)}]: ---\"Writing http response done\" count:{m.below(900)} {m.below(300)}ms",
        f"Trace[{m.below(2_000_000_000)}]: [{m.duration()}] [{m.duration()}] END",
    ],
    "stack": lambda m: [
        f"goroutine {m.below(9000)} [running]:",
        *(line for _ in range(3) for line in (f"k8s.io/kubernetes/pkg/kubelet.(*Kubelet).step{m.below(90)}(0xc000{m.hex(6)})", f"\t/src/pkg/kubelet/kubelet.go:{m.below(2000)} +0x{m.hex(3)}")),
        "created by k8s.io/kubernetes/pkg/kubelet.(*Kubelet).Run",
    ],
    "block": lambda m: [f"\tpreStop: {m.name()} did not stop", f"\twaited {m.duration()}", f"\tsee {m.uri()}", " >"],
}  # fmt: skip


def pool(seed: int, name: str) -> list[bytes]:
    """The values of a name, as they stand in a line."""
    maker = Maker(f"{seed}:{name}")
    if name == "addresses":
        make = _addresses
    elif name == "block":
        make = lambda _: "<"  # noqa: E731  # the lines of `lines = "block"` are its rest
    elif name.startswith("quoted_"):
        make = _quoted(_PLAIN[name.removeprefix("quoted_")])
    else:
        make = _PLAIN[name]
    return [make(maker).encode() for _ in range(POOL)]


def line_pool(seed: int, name: str) -> list[list[bytes]]:
    """The continuation lines of a name."""
    maker = Maker(f"{seed}:lines:{name}")
    return [[line.encode() for line in LINES[name](maker)] for _ in range(POOL)]
