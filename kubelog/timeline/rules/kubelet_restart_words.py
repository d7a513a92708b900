"""A case of KubeletRestartLoop in words: why the kubelet does not stay up, since when, is it over, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from kubelog.message.vocabulary import Event, KubeletFailed, PanicObserved, UnitExited, UnitFailed
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Cause, Evidence, Finding, Instant
from kubelog.timeline.kubelet import Kubelet
from kubelog.timeline.rules import Explanation
from kubelog.timeline.rules.node_pressure_words import dropped_lines, lost, plural, when

# What a kubelet's last words hold, by cause; the first that fits.
_CAUSES: Final = {
    "swap": ("swap on is not supported",),
    "cgroup-driver": ("cgroup driver",),
    "unknown-flag": ("unknown flag", "unknown shorthand flag", "flag provided but not defined", "unknown command"),
    "feature-gate": ("feature gate", "unrecognized key: "),
    "port-in-use": ("address already in use",),
    "certificate": (
        "x509", "certificate", "client CA file", "tls: ", "bootstrap kubeconfig", "bootstrap-kubeconfig", "bootstrap-kubelet.conf",
    ),
    "config-file": (
        "kubelet config file", "Kubelet config file", "KubeletConfiguration", "strict decoding", "validate kubelet",
        "invalid configuration",
    ),
    "runtime": (
        "container runtime", "runtime service", "runtime API", "service connection", "containerd", "docker", "crio", "cri-o",
    ),
    "cgroups": ("cgroup",),
    "kubeconfig": ("kubeconfig",),
}  # fmt: skip
STEPS: Final = {
    "swap": "The kubelet gives up: swap is on",
    "cgroup-driver": "The kubelet gives up: its cgroup driver is not that of the container runtime",
    "unknown-flag": "The kubelet gives up: it is given a flag that it does not know",
    "feature-gate": "The kubelet gives up: it is given a feature gate that it does not know or cannot set",
    "port-in-use": "The kubelet gives up: its port is in use",
    "certificate": "The kubelet gives up: a certificate cannot be used",
    "config-file": "The kubelet gives up: its configuration cannot be used",
    "runtime": "The kubelet gives up: the container runtime does not answer as it must",
    "cgroups": "The kubelet gives up: it cannot set up its cgroups",
    "kubeconfig": "The kubelet gives up: its kubeconfig cannot be used",
    "panic": "The kubelet panics",
    "other": "The kubelet gives up",
    "UnitExited": "The kubelet's process ends with an error",
    "UnitFailed": "systemd: the unit kubelet failed",
    "start-limit-hit": "systemd does not start it again: it was started too often",
    "UnitRestartScheduled": "systemd starts the kubelet again by itself",
    "UnitStarted": "The kubelet is started",
    "UnitStopping": "The kubelet is stopped by request",
}
# What each cause is, in a sentence that goes on with the kubelet's own words.
_WHY: Final = {
    "swap": "the host has swap on, and this kubelet does not start with it",
    "cgroup-driver": "kubelet and container runtime use different cgroup drivers",
    "unknown-flag": "its command line has a flag that this release does not know",
    "feature-gate": "it is given a feature gate that this release does not know, or that cannot be set any more",
    "port-in-use": "another process holds its port",
    "certificate": "a certificate that it needs is missing, expired or not valid",
    "config-file": "its configuration cannot be read or is not valid",
    "runtime": "the container runtime does not answer as it must",
    "cgroups": "it cannot set up its cgroups",
    "kubeconfig": "its kubeconfig cannot be used",
    "panic": "it panics, which is a bug of it or a broken state on disk",
    "other": "it gives up at its start",
}
# The releases that took these flags away.
_REMOVED: Final = {
    "allow-privileged": 15, "cni-bin-dir": 24, "cni-cache-dir": 24, "cni-conf-dir": 24, "container-runtime": 27,
    "docker-endpoint": 24, "dynamic-config-dir": 24, "experimental-dockershim-root-directory": 24,
    "image-pull-progress-deadline": 24, "network-plugin": 24, "network-plugin-mtu": 24, "pod-infra-container-image": 35,
}  # fmt: skip
_SWAP_8: Final = "--fail-swap-on=false lets it start all the same; what a node with swap promises its pods is then not kept."
_SWAP_22: Final = (
    "With failSwapOn: false in its configuration it starts with swap on; what pods may use of it, memorySwap.swapBehavior says "
    "(NodeSwap, general in 1.34)."
)
_DRIVER: Final = (
    "Let both use systemd's: cgroupDriver: systemd in the kubelet's configuration (/var/lib/kubelet/config.yaml), and "
    "SystemdCgroup = true in containerd's (or native.cgroupdriver=systemd in Docker's daemon.json)."
)
_DRIVER_34: Final = "From 1.34 on the kubelet asks the runtime which one it uses (KubeletCgroupDriverFromCRI)."
_GATES: Final = (
    "--feature-gates, and of featureGates in the kubelet's configuration: what has become general is always on, and its gate is "
    "taken away some releases later."
)
_SECOND: Final = "It is often a second kubelet (k3s, microk8s, a container), or the one before, which did not end."
_CLIENT: Final = "/var/lib/kubelet/pki/kubelet-client-current.pem"
_BOOTSTRAP: Final = (
    "Where the client certificate has expired or is missing, let the kubelet fetch a new one: `kubeadm token create` on a "
    "control-plane node, a bootstrap kubeconfig with that token, and kubelet.conf and the old certificate out of the way."
)
_RUNTIME_24: Final = (
    "From 1.24 on there is no dockershim, and from 1.26 on the runtime must speak CRI v1 (containerd 1.6 and later)."
)
_PANIC: Final = (
    "Read the stack behind the panic, and look for it among Kubernetes' issues. State files in /var/lib/kubelet "
    "(cpu_manager_state, memory_manager_state) are a common reason."
)
_GIVEN_UP: Final = (
    "systemd does not try again by itself: `systemctl reset-failed kubelet && systemctl start kubelet`, once the cause is gone."
)
_COMMAND_LINE: Final = (
    "It comes from /var/lib/kubelet/kubeadm-flags.env, /etc/default/kubelet (or /etc/sysconfig/kubelet) or a drop-in (`systemctl "
    "cat kubelet`)."
)
_FLAG: Final = re.compile(r"(?:unknown flag|not defined): -{1,2}([\w-]{1,60})", re.ASCII)
_GATE: Final = re.compile(r"feature gate:? \"?(\w{1,80})|unrecognized key: (\w{1,80})", re.ASCII)
_PORT: Final = re.compile(r":(\d{1,5}): bind", re.ASCII)
_FILES: Final = re.compile(r"(/[\w./+-]{1,200}\.(?:crt|pem|key|conf|yaml|kubeconfig))\b", re.ASCII)


def cause_of(event: Event) -> tuple[str | None, str | None]:
    """What made a run end, of a line that says so, and the words."""
    if isinstance(event, PanicObserved):
        return "panic", event.message
    if isinstance(event, KubeletFailed):
        error = event.error or ""
        return next((cause for cause, texts in _CAUSES.items() if any(one in error for one in texts)), "other"), error
    return None, None


def explain(
    case: Case,
    memory: Kubelet,
    words: Mapping[str, tuple[str, tuple[Evidence, ...]]],
    restarts: int | None,
    counted: Evidence | None,
    node: str | None,
) -> Explanation:
    """All that is told of a case beyond its steps; `words` are the last words of each cause, with their proof."""
    told = _Told(case, memory, words, restarts, counted, node)
    return Explanation(told.summary(), told.cause(), tuple(told.findings()), tuple(told.advice()))


class _Told:
    def __init__(
        self,
        case: Case,
        memory: Kubelet,
        words: Mapping[str, tuple[str, tuple[Evidence, ...]]],
        restarts: int | None,
        counted: Evidence | None,
        node: str | None,
    ) -> None:
        self.case, self.memory, self.words, self.restarts, self.counted, self.node = case, memory, words, restarts, counted, node
        self.often = {name[6:]: count for name, count in case.marks.items() if name.startswith("cause ") and count > 0}
        # The one that made the last run end counts: what was put right before is over.
        self.latest = max(self.often, key=lambda one: (case.marks.get(f"latest {one}", 0), one), default=None)

    def summary(self) -> str:
        case = self.case
        on = f" on {self.node}" if self.node else ""
        since = f" since {when(case.opened)}" if case.opened is not None else ""
        why = f": {_WHY[self.latest]}" if self.latest else ""
        given_up = any(step.id.startswith("UnitFailed:start-limit-hit") for step in case.steps) and case.is_open
        often = "once" if case.episodes == 1 else f"{case.episodes} times"
        end = f"not over: last seen {_clock(case.last, case.opened)}"
        if case.resolution in ("recovered", "restarted"):
            by = ", when it was started by hand" if case.resolution == "restarted" else ""
            end = f"over: it has run since {_clock(case.closed, case.opened)}{by}"
        elif case.resolution == "quiet":
            end = f"no sign of it after {_clock(case.last, case.opened)}, though the log goes on"
        elif given_up:
            end = f"systemd has given up at {_clock(case.last, case.opened)}"
        return f"the kubelet{on} failed {often}{since}{why}; {end}."

    def cause(self) -> Cause:
        if self.latest is None:
            return self._unsaid()
        error, proof = self.words.get(self.latest, ("", ()))
        count = self.often[self.latest]
        text = _WHY[self.latest][0].upper() + _WHY[self.latest][1:]
        said = " ".join(error.split())
        text += f" ({said if len(said) <= 300 else said[:299] + '…'})" if said else ""
        if count > 1:
            text += f"; the same cause {count} times"
        sure = self.latest not in ("other", "panic", "runtime", "certificate", "cgroups", "kubeconfig")
        is_lost = bool(lost(self.case, self.memory)) or bool(self.case.holes)
        return Cause(f"{text}.", "certain" if sure and count > 1 and not is_lost else "likely", proof[:10])

    def _unsaid(self) -> Cause:
        """Nothing but systemd tells of it."""
        ends = [step for step in self.case.steps if step.kind in (UnitExited.__name__, UnitFailed.__name__)]
        proof = tuple(one for step in ends for one in step.evidence)[:10]
        return Cause(
            "The kubelet's process ends with an error; why, its own lines would say, which are not in this log.", "possible", proof
        )

    def findings(self) -> Iterator[Finding]:
        case = self.case
        others = sorted((one for one in self.often if one != self.latest), key=lambda one: case.marks.get(f"latest {one}", 0))
        for one in others:
            error, proof = self.words.get(one, ("", ()))
            said = f" ({' '.join(error.split())[:200]})" if error else ""
            text = f"Before, it ended {plural(self.often[one], 'time')} for another reason: {_WHY[one]}{said}."
            yield Finding("other-cause", text, proof[:10])
        if self.restarts is not None and self.counted is not None and self.restarts > case.episodes:
            yield Finding(
                "restart-counter",
                f"systemd's restart counter is at {self.restarts:,}, more than this log shows: the loop, or an earlier one, began "
                "before it, or lines are missing.",
                (self.counted,),
            )
        spans = lost(case, self.memory)
        if spans:
            yield Finding(
                "lines-suppressed",
                f"{dropped_lines(sum(one.count for one in spans))} from {when(spans[0].begin)} to "
                f"{_clock(spans[-1].time, spans[0].begin)}: it may have failed more often than is told here.",
                tuple(one for span in spans for one in span.evidence)[:10],
            )
        if case.holes:
            start, stop = max(case.holes, key=lambda hole: hole[1].us - hole[0].us)
            yield Finding(
                "silence",
                f"From {when(start)} to {_clock(stop, start)} there is no line of this node: what happened then is not known.",
                (),
            )

    def advice(self) -> Iterator[str]:
        error = self.words.get(self.latest or "", ("", ()))[0]
        low, high = self.memory.releases
        files = _FILES.findall(error)
        match self.latest:
            case "swap":
                yield "Turn swap off (`swapoff -a`) and keep it off: take it out of /etc/fstab, or mask its systemd .swap unit."
                yield _SWAP_22 if low >= 22 else f"{_SWAP_8} From 1.22 on, w{_SWAP_22[1:]}" if high >= 22 else _SWAP_8
            case "cgroup-driver":
                yield _DRIVER
                if high >= 28:
                    yield _DRIVER_34
            case "unknown-flag":
                yield from self._advice_of_flag(error)
            case "feature-gate":
                found = _GATE.search(error)
                name = next((one for one in found.groups() if one), "") if found else ""
                yield f"Take {name or 'the feature gate'} out of {_GATES}"
            case "port-in-use":
                port = _PORT.search(error)
                yield f"See what holds the port: `ss -ltnp 'sport = :{port[1] if port else 10250}'`. {_SECOND}"
            case "certificate":
                yield f"Look at it: `openssl x509 -noout -enddate -subject -in {files[0] if files else _CLIENT}`."
                yield _BOOTSTRAP
            case "config-file" | "kubeconfig":
                yield f"Put {files[0] if files else '/var/lib/kubelet/config.yaml'} right: what is wrong stands in its words."
            case "runtime":
                yield "Look at the runtime first: `systemctl status containerd` (or crio, docker), `crictl info`."
                if high >= 24:
                    yield _RUNTIME_24
            case "panic":
                yield _PANIC
            case _:
                yield "Read its own last words: `journalctl -u kubelet -n 100 --no-pager`, or run its command line by hand."
        if any(step.id.startswith("UnitFailed:start-limit-hit") for step in self.case.steps) and self.case.is_open:
            yield _GIVEN_UP

    def _advice_of_flag(self, error: str) -> Iterator[str]:
        found = _FLAG.search(error)
        name = found[1] if found else ""
        text = f"Take --{name} out of the kubelet's command line" if name else "Put the kubelet's command line right"
        if name in _REMOVED:
            text += f": 1.{_REMOVED[name]} took it away"
        yield f"{text}. {_COMMAND_LINE}"
        if name in ("network-plugin", "cni-bin-dir", "cni-conf-dir", "cni-cache-dir", "network-plugin-mtu"):
            yield "CNI is the container runtime's matter from then on: set its directories there (containerd: bin_dir, conf_dir)."
        elif name == "container-runtime":
            yield "Only CRI runtimes are left: name the socket by containerRuntimeEndpoint (or --container-runtime-endpoint)."
        elif name == "pod-infra-container-image":
            yield "The pause image is the container runtime's matter from then on (containerd: sandbox_image)."


def _clock(time: Instant | None, beside: Instant | None) -> str:
    """A time without its date where that is the date of `beside`."""
    text, other = when(time), when(beside)
    return text.split(" ")[-1] if " " in text and text.split(" ")[0] == other.split(" ")[0] else text
