"""A model of a node: what is done to it or befalls it → the lines that it writes to its journal, with their times.

It knows what it runs: pods, a kubelet with a process id, a threshold that is crossed. It writes as a kubelet of 1.7 does, as one
of 1.18, or as one of 1.30. Nothing in it is random, so that a test which drives it finds the same history again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tests import words
from tests.strategies import DEFAULTS, MONTHS, START, Line, body, kubelet_line
from tests.words import BACK_OFFS, COMPONENTS, NEW, OLD, RELEASES, Pod, Said

KERNELS, VERSIONS = ("4.4.0", "5.4.0", "6.1.0"), ("v1.7.16", "v1.18.20", "v1.30.4")
# Why a kubelet ends: as 1.7 and 1.18 say it, and as 1.30 does.
CAUSES = {
    "swap": (
        ("F", "server.go", "failed to run Kubelet: Running with swap on is not supported, please disable swap! or set --fail-swap-on "
         "flag to false."),
        ("E", "run.go", '"command failed" err="failed to run Kubelet: running with swap on is not supported, please disable swap! or '
         'set --fail-swap-on flag to false"'),
    ),
    "driver": (
        ("F", "server.go", 'failed to run Kubelet: misconfiguration: kubelet cgroup driver: "cgroupfs" is different from docker cgroup '
         'driver: "systemd"'),
        ("E", "run.go", '"command failed" err="failed to run Kubelet: unable to determine runtime API version: rpc error: code = '
         'Unavailable desc = connection error"'),
    ),
}  # fmt: skip
# Its stack is lines of their own in the journal.
PANIC = ("panic: runtime error: index out of range", "", "goroutine 1 [running]:", "main.main()", "\t/go/src/kubelet.go:10 +0x1f")
DESCRIPTION = "kubelet: The Kubernetes Node Agent"
SERVER = "kube-apiserver"


class Node:
    """One node. What it writes waits in `lines` until it is taken."""

    def __init__(self, name: str = "n1", at: datetime = START, *, release: int = OLD, number: int = 1) -> None:
        self.name, self.at, self.release, self.number = name, at, release, number
        self.glog = release < NEW
        self.pid = 1000 * number
        self.lines: list[Line] = []
        self.pods: list[str] = []
        self.ids: dict[str, str] = {}  # of the container of each pod
        self.manifests: dict[str, int] = {}  # how often that of a static pod was changed
        self.full: str | None = None  # the resource that ran out
        self.stands = False  # its clock
        self.count = 0

    # How it writes

    @property
    def server(self) -> str:
        """The API server of its cluster, which is no other node's."""
        return f"10.0.{self.number}.1:6443"

    @property
    def kernel(self) -> str:
        return KERNELS[RELEASES.index(self.release)]

    @property
    def unit(self) -> str:
        return DESCRIPTION if self.glog else f"kubelet.service - {DESCRIPTION}"

    def take(self) -> list[Line]:
        taken, self.lines = self.lines, []
        return taken

    def wait(self, seconds: float) -> None:
        if not self.stands:
            self.at += timedelta(seconds=seconds)

    def _tick(self) -> None:
        self.count += 1
        self.wait((1 + self.count * 7919 % 90_000) / 1e6)

    def kubelet(self, severity: str, file: str, text: str) -> None:
        """A line of the kubelet; a text of several lines is several lines of the journal."""
        self._tick()
        first, *rest = text.split("\n")
        self.lines.append(kubelet_line(self.at, self.name, self.pid, (severity, file, first), precise=True))
        for more in rest:
            self._journal(f"kubelet[{self.pid}]", more)

    def say(self, said: Said) -> None:
        """A line of the kubelet as its release writes it."""
        severity, file, text = said.written(self.release)
        if text:  # a release may say nothing of it
            self.kubelet(severity, file, text)

    def serve(self, said: Said) -> None:
        """A line of the API server, which the journal of this node keeps, too."""
        severity, file, text = said.written(self.release)
        if text:
            self._tick()
            self.lines.append(kubelet_line(self.at, self.name, 77, (severity, file, text), precise=True, unit=SERVER))

    def known(self, kind: str, **what: Any) -> None:
        """A line of the kubelet that `strategies.body` words."""
        self.kubelet(*body(kind, self.glog, node=self.name, **what))

    def raw(self, who: str, text: str) -> None:
        """A line of anyone: `systemd[1]`, `kernel`."""
        self._tick()
        self._journal(who, text)

    def _journal(self, who: str, text: str) -> None:
        stamp = f"{MONTHS[self.at.month - 1]} {self.at.day:02} {self.at:%H:%M:%S.%f}"
        self.lines.append(Line(self.at, self.name, f"{stamp} {self.name} {who}: {text}"))

    def systemd(self, text: str) -> None:
        self.raw("systemd[1]", text)

    # Kubelet

    def boot(self) -> None:
        self.raw("kernel", f"[0.000000] Linux version {self.kernel}")
        self.start()
        self.up()

    def start(self, thresholds: Sequence[tuple[str, str]] = DEFAULTS) -> None:
        """The kubelet starts; it is not up yet."""
        self.pid += 7
        self.systemd(f"Started {self.unit}.")
        version = VERSIONS[RELEASES.index(self.release)]
        self.say(Said("I", "server.go", "", f'"Kubelet version" kubeletVersion="{version}"', f"Version: {version}"))
        self.known("config", thresholds=thresholds)

    def up(self, *, ready: bool = True) -> None:
        self.say(Said("I", "server.go", "Started kubelet v1.7.16", '"Started kubelet"', "Started kubelet"))
        self.say(Said("I", "kubelet.go", "Starting kubelet main sync loop.", '"Starting kubelet main sync loop"'))
        for event in ("NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeReady")[: 3 if ready else 2]:
            self.known("recorded", event=event)

    def stop(self) -> None:
        self.systemd(f"Stopping {self.unit}...")
        if not self.glog:
            self.systemd("kubelet.service: Deactivated successfully.")
        self.systemd(f"Stopped {self.unit}.")

    def restart(self, thresholds: Sequence[tuple[str, str]] = DEFAULTS) -> None:
        """`systemctl restart kubelet`."""
        self.stop()
        self.start(thresholds)
        self.up()

    def reboot(self) -> None:
        self.stop()
        self.systemd("Reached target Shutdown.")
        self.wait(40)
        self.pods.clear()
        self.ids.clear()
        self.boot()

    def crash(self, cause: str, counter: int) -> None:
        """The kubelet ends with an error; systemd starts it anew 10 s later. Not up: it may end again."""
        if cause == "panic":
            self._tick()
            for text in PANIC:
                self._journal(f"kubelet[{self.pid}]", text)
        else:
            self.kubelet(*CAUSES[cause][0 if self.glog else 1])
        status = {"panic": "2/INVALIDARGUMENT"}.get(cause, "255/n/a" if self.glog else "1/FAILURE")
        self.systemd(f"kubelet.service: Main process exited, code=exited, status={status}")
        if self.glog:
            self.systemd("kubelet.service: Unit entered failed state.")
        self.systemd("kubelet.service: Failed with result 'exit-code'.")
        self.wait(10)
        if self.glog:
            self.systemd("kubelet.service: Service hold-off time over, scheduling restart.")
        else:
            self.systemd(f"kubelet.service: Scheduled restart job, restart counter is at {counter}.")
        self.systemd(f"Stopped {self.unit}.")
        self.start()

    # Pods

    def static(self, component: str) -> str:
        """The static pod of a component of the control plane."""
        return f"{component}-{self.name}"

    def uid(self, pod: str) -> str:
        """Those of static pods are digests."""
        number = sum(pod.encode()) * 1009 % 0xFFFF
        return (
            f"{number:04x}{self.manifests.get(pod, 0):04x}{self.number:024x}"
            if pod.startswith(COMPONENTS)
            else f"{number:04x}{self.number:04x}-0000-11e7-a98b-0650cc001a5b"
        )

    def change_manifest(self, pod: str) -> None:
        """A static pod is another one from then on."""
        self.manifests[pod] = self.manifests.get(pod, 0) + 1

    def pod(self, name: str) -> Pod:
        namespace = "kube-system" if name.startswith((*COMPONENTS, "coredns")) else "default"
        container = next((one for one in COMPONENTS if name.startswith(one)), name.partition("-")[0])
        return Pod(namespace, name, self.uid(name), container)

    def id_of(self, pod: str) -> str:
        """Of the container of a pod."""
        return self.ids.setdefault(pod, f"{self.number:032x}{self.count:032x}")

    def begin_container(self, pod: str) -> None:
        self.ids.pop(pod, None)
        self.say(words.pleg(self.pod(pod), "ContainerStarted", self.id_of(pod)))

    def end_container(self, pod: str) -> None:
        self.say(words.pleg(self.pod(pod), "ContainerDied", self.id_of(pod)))

    def begin_pod(self, pod: str) -> None:
        self.pods.append(pod)
        self.say(words.synced(self.pod(pod), "ADD", "file" if pod.startswith(COMPONENTS) else "api"))
        self.say(words.sandbox_missing(self.pod(pod)))
        self.wait(1)
        self.say(words.pleg(self.pod(pod), "ContainerStarted", f"{self.count:064x}"))
        self.begin_container(pod)

    def end_pod(self, pod: str) -> None:
        if pod in self.pods:
            self.pods.remove(pod)
        self.say(words.synced(self.pod(pod), "DELETE"))
        self.kill(pod)
        self.fail_probe(pod, "Readiness", f"Get http://10.244.{self.number}.7:8080/ready: dial tcp: connection refused")
        self.wait(2)
        self.end_container(pod)
        self.say(words.synced(self.pod(pod), "REMOVE"))

    def roll(self, pods: Sequence[str], turn: int) -> None:
        """A rolling deployment: each pod makes room for one of a new template."""
        for pod in pods:
            self.begin_pod(f"{pod}-{turn:x}")
            self.fail_probe(f"{pod}-{turn:x}", "Readiness")
            self.wait(5)
            self.end_pod(pod)

    def kill(self, pod: str) -> None:
        self.say(words.killing(self.pod(pod), self.id_of(pod)))

    def fail_probe(self, pod: str, probe: str = "Liveness", output: str = "HTTP probe failed with statuscode: 500") -> None:
        self.say(words.probe_failed(self.pod(pod), probe, output))

    def kill_unhealthy(self, pod: str, back_off: str | None) -> None:
        """Its liveness probe failed too often: it is killed, and started again or held back."""
        self.say(words.unhealthy(self.pod(pod), self.id_of(pod)))
        self.kill(pod)
        self.wait(2)
        self.end_container(pod)
        if back_off is None:
            self.begin_container(pod)
        else:
            self.say(words.held_back(self.pod(pod), back_off))

    def loop(self, component: str, kills: int, output: str) -> None:
        """A component of the control plane is killed for the answer to its probe, again and again."""
        pod = self.static(component)
        for back_off in (None, *BACK_OFFS)[:kills]:
            self.wait(15)
            for _ in range(3):
                self.fail_probe(pod, "Liveness", output)
                self.wait(10)
            self.kill_unhealthy(pod, back_off)
            if component == SERVER:
                self.miss_server(2)
            if back_off is not None:
                self.begin_container(pod)

    # Disk

    def collect_images(self) -> None:
        """The disk of the images is fuller than it shall be, and less so than a threshold."""
        self.say(words.images_too_many())
        for image in range(3):
            self.say(words.image_removed(f"sha256:{image + self.number:064x}"))
            self.wait(1)

    def fill(self, resource: str, deed: str, pod: str) -> None:
        """A threshold is crossed; the eviction manager goes round once."""
        self.full = resource
        self.known("attempted", resource=resource)
        self.known("required", resource=resource)
        if deed == "evict":
            self.known("ranked")
            self.known("evicted", pod=pod)
            self.known("cleaned", pod=pod)
        else:
            self.known("none-active")
        self.wait(9)
        self.known("recorded", event="NodeHasInsufficientMemory" if resource == "memory" else "NodeHasDiskPressure")
        self.known("rejected", pod=pod, condition="MemoryPressure" if resource == "memory" else "DiskPressure")

    def free(self, after_s: float) -> None:
        """What ran out is there again; the condition clears a while later."""
        if self.full is None:
            return
        if after_s < 60:
            self.known("attempted", resource=self.full)
            self.known("reclaimed", resource=self.full)
        self.wait(after_s)
        self.known("recorded", event="NodeHasSufficientMemory" if self.full == "memory" else "NodeHasNoDiskPressure")
        self.full = None

    # API server

    def miss_server(self, rounds: int) -> None:
        """The API server does not listen, for so many rounds of 10 s."""
        error = words.refusal(self.server, self.release)
        for turn in range(rounds):
            self.say(words.list_failed(("Pod", "Node", "Service")[turn % 3], self.server, error))
            self.say(words.status_failed(self.name, self.server, error))
            if turn % 5 == 4:
                self.say(words.status_given_up())
            if self.release != OLD:
                self.say(words.lease_failed(self.name, self.server, error))
            self.wait(10)

    # Others

    def suppress(self, count: int) -> None:
        """Lines of the kubelet are dropped by journald."""
        unit = "/system.slice/kubelet.service" if self.glog else "kubelet.service"
        self.raw("systemd-journald[312]", f"Suppressed {count} messages from {unit}")

    def chatter(self, turn: int) -> None:
        """A line that no one needs to read."""
        others = (
            ("kernel", f"[{turn + 71}.500000] docker0: port 1(veth{turn % 4096:04x}) entered forwarding state"),
            ("systemd[1]", f"Started Session {turn} of user core."),
            ("sshd[411]", f"Accepted publickey for core from 10.9.8.7 port {40000 + turn % 9999} ssh2"),
            ("systemd[1]", "Starting Cleanup of Temporary Directories..."),
            ("dockerd[901]", f'time="2017-10-16T09:50:55Z" level=info msg="shim reaped" id={turn:012x}'),
        )
        if turn % 2:
            self.raw(*others[turn // 2 % len(others)])
        else:
            self.say(words.mounted(self.pod("web-0"), f"default-token-{turn % 7}"))
