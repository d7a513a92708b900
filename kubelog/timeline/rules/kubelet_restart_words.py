"""A case of KubeletRestartLoop in words: why the kubelet ends, how often it said the same, is it over, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kubelog.timeline.case import Case
from kubelog.timeline.incident import Cause, Evidence, Finding
from kubelog.timeline.rules import Explanation
from kubelog.timeline.rules.kubelet_restart_memory import Said, Starts
from kubelog.timeline.words import clock, lost, plural, silence_finding, suppressed_finding, when

_TOLD: Final = {
    "swap": "swap is on, and this kubelet does not start with it (failSwapOn)",
    "cgroup-driver": "its cgroup driver is not that of the container runtime",
    "cgroup-v1": "the host has cgroup v1, and this kubelet does not run on it",
    "unknown-flag": "its command line has a flag that this release does not know",
    "unknown-command": "its command line has a word that is no flag",
    "flag-value": "a flag of its command line has a value that it does not take",
    "feature-gate": "a feature gate is set that this release does not know or does not let change",
    "certificate": "a certificate, or what it would get one with, is missing or not valid",
    "kubeconfig": "its kubeconfig cannot be read",
    "port-in-use": "a port that it serves on is taken by another process",
    "config-file": "its configuration file is missing or not valid",
    "runtime-unreachable": "the container runtime does not answer, or not in the API that this kubelet speaks",
    "cgroups": "it cannot set up the cgroups of its pods",
    "panic": "it panics: an error in its code",
    "oom": "the kernel kills it for want of memory (oom-kill)",
    "killed": "it is killed with SIGKILL: by the kernel for want of memory, or by somebody",
    "aborted": "it is aborted by a signal",
    "exec": "systemd cannot run its binary",
    "other": "it ends with an error of its own",
}
CAUSES: Final = frozenset(_TOLD)
# flag → the release that no longer has it
_GONE: Final = {
    "require-kubeconfig": 10, "cadvisor-port": 12, "allow-privileged": 15, "keep-terminated-pod-volumes": 31, "cloud-config": 34,
    "network-plugin": 24, "network-plugin-mtu": 24, "cni-bin-dir": 24, "cni-conf-dir": 24, "cni-cache-dir": 24,
    "docker-endpoint": 24, "image-pull-progress-deadline": 24, "dynamic-config-dir": 24,
    "experimental-dockershim-root-directory": 24, "logtostderr": 26, "alsologtostderr": 26, "log-dir": 26, "log-file": 26,
    "stderrthreshold": 26, "container-runtime": 27, "pod-infra-container-image": 35,
}  # fmt: skip
_FLAG: Final = re.compile(r"(?:^|unknown flag: )--([\w-]{1,80})", re.ASCII)
_GATE: Final = re.compile(r"(?:^|feature gate:? |key: )([A-Z]\w{0,80})(?: |$)", re.ASCII)
_PORT: Final = re.compile(r"(?:^|listen tcp\d? )(?:\[[^\]]*\]|[^\s:]*):(\d{1,5})", re.ASCII)
# Of an error so much is told.
_LONGEST: Final = 300


def step_of(said: Said) -> str:
    """The step of a kubelet's last words."""
    return f"The kubelet says why it ends: {_TOLD[said.cause]}"


def explain(case: Case, memory: Starts, node: str | None) -> Explanation:
    """All that is told of a case beyond its steps."""
    told = _Told(case, memory, node)
    return Explanation(told.summary(), told.cause(), tuple(told.findings()), tuple(told.advice()))


class _Told:
    """A case with all that is known of the kubelet's runs."""

    def __init__(self, case: Case, memory: Starts, node: str | None) -> None:
        self.case, self.memory, self.node = case, memory, node
        found = {name[6:]: count for name, count in case.marks.items() if name.startswith("cause ") and count > 0}
        self.causes = dict(sorted(found.items(), key=lambda one: -one[1]))
        # Where causes followed one another, the last one is what is in the way now.
        self.said = next((one for one in reversed(memory.said) if one.cause in found), None)
        self.main = None if self.said is None else self.said.cause

    def summary(self) -> str:
        case = self.case
        on = f" on {self.node}" if self.node else ""
        what = f"kubelet{on} failed {plural(case.episodes, 'time')}"
        if case.opened is not None:
            what += f" since {when(case.opened)}"
        if self.main is not None:
            what += f": {_TOLD[self.main]}"
        return f"{what}; {self._end()}."

    def _end(self) -> str:
        case = self.case
        at, last = clock(case.closed, case.opened), clock(case.last, case.opened)
        if "stuck" in case.marks:
            return f"not over: systemd gave up at {last} and starts it no more"
        if case.resolution == "recovered":
            return f"over: it has run since {at}"
        if case.resolution == "restarted":
            return f"it was stopped at {at}"
        if case.resolution == "quiet":
            return f"no sign of it after {last}, though the log goes on"
        return f"not over: last seen {last}"

    # Why

    def cause(self) -> Cause | None:
        if self.main is None:
            because = tuple(one for step in self.case.steps for one in step.evidence[:1])[:4]
            return Cause("why the kubelet ends, this log does not say.", "possible", because)
        because = tuple(
            one
            for step in self.case.steps
            if step.id.rpartition("-")[0].rpartition(":")[2] == self.main
            for one in (step.evidence[0], step.evidence[-1])
        )
        if self.said is not None:
            because = (*because, self.said.evidence)
        certain = self.main not in ("other", "killed", "aborted")
        confidence = "certain" if certain and self._is_unanimous() else "likely"
        if self.main == "killed":
            confidence = "possible"
        if confidence == "certain" and lost(self.case, self.memory.kubelet):
            confidence = "likely"
        return Cause(f"{_TOLD[self.main]}{self._quote()}.", confidence, tuple(dict.fromkeys(because))[:10])

    def _is_unanimous(self) -> bool:
        return len(self.causes) == 1 and self.causes.get(self.main or "", 0) > 0

    def _quote(self) -> str:
        text = " ".join(self.said.text.split()).rstrip(".") if self.said is not None else ""
        if not text:
            return ""
        return f": {text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}"

    # What the reader must not miss

    def findings(self) -> Iterator[Finding]:
        case = self.case
        proof = self._said_of(self.causes)
        if len(self.causes) == 1 and self.main is not None and self.causes[self.main] > 1:
            number = self.causes[self.main]
            of = "each of them" if number == case.episodes else f"{number} of {case.episodes}"
            yield Finding("same-cause", f"The same cause in {of}: a further restart does not help.", proof)
        elif len(self.causes) > 1:
            parts = ", ".join(f"{_TOLD[one]} ({plural(count, 'time')})" for one, count in self.causes.items())
            yield Finding("causes", f"Not the same each time: {parts}. What came last is in the way now.", proof)
        counter, earlier = case.marks.get("counter", 0), case.marks.get("earlier", 0)
        if counter > 0:
            before = f", {plural(earlier, 'time')} of them before what is told here" if earlier > 0 else ""
            place = () if self.memory.counter_evidence is None else (self.memory.counter_evidence,)
            yield Finding(
                "restart-counter",
                f"systemd's restart counter is at {counter:,}: so often it has started the kubelet again{before}.",
                place,
            )
        if "stuck" in case.marks:
            yield Finding(
                "gave-up",
                "systemd starts the kubelet no more: it failed too often in a short time (StartLimitBurst).",
                tuple(one for step in case.steps if step.kind == "UnitStartLimitHit" for one in step.evidence[:1]),
            )
        yield from suppressed_finding(case, self.memory.kubelet, "there may have been more failed runs than are told here")
        yield from silence_finding(case)

    def _said_of(self, causes: dict[str, int]) -> tuple[Evidence, ...]:
        return tuple(one.evidence for one in self.memory.said if one.cause in causes)

    # What to do

    def advice(self) -> Iterator[str]:
        low, high = self.memory.kubelet.releases
        yield from _advice(self.main, self.said.text if self.said is not None else "", low, high)
        if "stuck" in self.case.marks:
            yield "When that is done: `systemctl reset-failed kubelet && systemctl start kubelet`."


def _advice(cause: str | None, error: str, low: int, high: int) -> Iterator[str]:
    """What to do about a cause, in a kubelet of these releases."""
    if cause == "swap":
        yield "Switch swap off: `swapoff -a`, and take it out of /etc/fstab, or it is back after the next boot."
        if high >= 22:
            yield (
                "Or let the kubelet run with it: failSwapOn: false in its configuration"
                + (
                    "; pods use swap only with memorySwap.swapBehavior: LimitedSwap and cgroup v2 (NodeSwap, GA in 1.34)."
                    if low >= 22
                    else "; from 1.22 on pods may use swap too (NodeSwap, GA in 1.34)."
                )
            )
        else:
            yield "Or let the kubelet run with it: --fail-swap-on=false; pods then use swap without a limit of their own."
    elif cause == "cgroup-driver":
        own = "--cgroup-driver=systemd" if high < 10 else "cgroupDriver: systemd in its configuration"
        docker = '"exec-opts": ["native.cgroupdriver=systemd"] in /etc/docker/daemon.json'
        containerd = "SystemdCgroup = true in containerd's configuration"
        other = docker if high < 24 or "docker" in error else containerd
        yield f"Set the same driver on both sides, on a host that systemd runs: {own}, {other}; then restart both."
        if high >= 28:
            yield "From 1.28 on the kubelet can ask the runtime for it (KubeletCgroupDriverFromCRI; on by default from 1.31)."
    elif cause == "cgroup-v1":
        yield "Boot the host with cgroup v2; failCgroupV1: false in the kubelet's configuration only buys time."
    elif cause == "unknown-flag":
        yield from _advice_of_flag(error)
    elif cause in ("unknown-command", "flag-value"):
        yield "See the command line: `systemctl cat kubelet`, /var/lib/kubelet/kubeadm-flags.env, /etc/default/kubelet."
    elif cause == "feature-gate":
        gate = _GATE.search(error)
        name = gate.group(1) if gate is not None else "the gate"
        yield (
            f"Take {name} out of --feature-gates and of featureGates in the kubelet's configuration: some releases after a "
            "feature is GA, or is given up, its gate is gone."
        )
    elif cause == "certificate":
        if "bootstrap" in error:
            yield (
                "The kubelet has no valid client certificate, and no bootstrap kubeconfig to get one with: see the dates with "
                "`openssl x509 -noout -dates -in /var/lib/kubelet/pki/kubelet-client-current.pem`; if it has expired, make the "
                "node join again with a new token, or a new kubelet.conf on the control plane (`kubeadm kubeconfig user`, "
                "once `kubeadm alpha kubeconfig user`)."
            )
        else:
            yield "See that the files it names exist, belong together, and are valid now: `openssl x509 -noout -dates -in FILE`."
    elif cause == "kubeconfig":
        yield "See that the file of --kubeconfig exists: `kubeadm join` or `kubeadm init` writes /etc/kubernetes/kubelet.conf."
    elif cause == "port-in-use":
        port = _PORT.search(error)
        number = port.group(1) if port is not None else "10250"
        yield f"See who listens: `ss -ltnp 'sport = :{number}'`; mostly it is a second kubelet."
    elif cause == "config-file":
        if "no such file" in error:
            yield "Before `kubeadm init` or `kubeadm join` this is as it should be: kubeadm writes /var/lib/kubelet/config.yaml."
        else:
            yield "Compare the file that --config names with this release's KubeletConfiguration: the error names the field."
    elif cause == "runtime-unreachable":
        yield "See whether the runtime runs: `systemctl status containerd` (crio, docker), `crictl info`."
        if "unknown service" in error or "not implemented" in error:
            yield (
                "It runs, but does not speak this kubelet's CRI: containerd must be 1.6 or later for 1.26 and later, without "
                'disabled_plugins = ["cri"] in /etc/containerd/config.toml.'
            )
        if low >= 24 or (high >= 24 and "docker" in error.lower()):
            yield "From 1.24 on dockershim is gone: --container-runtime-endpoint must name containerd, CRI-O or cri-dockerd."
    elif cause == "cgroups":
        yield "See that the cgroup controllers are there (`cat /proc/cgroups`), and that nothing else owns kubepods.slice."
    elif cause in ("oom", "killed"):
        yield "See who killed it: `journalctl -k | grep -i -e oom -e killed`; system-reserved memory keeps pods from starving it."
    elif cause == "exec":
        yield "See that ExecStart's binary exists, is executable and of this machine's architecture: `systemctl cat kubelet`."
    elif cause == "panic":
        yield "Look for the panic's first frame among the issues of this release; a later patch release may have it fixed."
    else:
        yield "Read the kubelet's last words before it ends: `journalctl -u kubelet -n 200 --no-pager`."


def _advice_of_flag(error: str) -> Iterator[str]:
    found = _FLAG.search(error)
    flag = found.group(1) if found is not None else None
    where = "`systemctl cat kubelet`, /var/lib/kubelet/kubeadm-flags.env or /etc/default/kubelet"
    gone = _GONE.get(flag or "")
    named = f"--{flag}" if flag is not None else "the flag"
    if gone is not None:
        yield f"Take {named} out of the command line: it is gone from release 1.{gone} on. It stands in {where}."
    else:
        yield f"Take {named} out of the command line, or see how it is written; it stands in {where}."
    if flag in ("network-plugin", "cni-bin-dir", "cni-conf-dir", "cni-cache-dir", "network-plugin-mtu"):
        yield "The container runtime sets up the pods' network since then: CNI's directories stand in its configuration."
    if flag == "container-runtime":
        yield "Only --container-runtime-endpoint (containerRuntimeEndpoint in the configuration) is left."
    if flag == "pod-infra-container-image":
        yield "The container runtime's configuration names the pause image."
