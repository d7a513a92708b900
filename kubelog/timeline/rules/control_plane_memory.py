"""What ControlPlaneRestartLoop remembers of a node: the control plane's containers, how their probes are set, who was refused."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.api import AnonymousDenied
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.evidence import ClusterEvent
from kubelog.message.vocabulary.pod import ContainerBackOff, ContainerDied, ContainerKilled, ProbeConfigured
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Evidence, evidence
from kubelog.timeline.kubelet import TELLING, Kubelet

# In the order of dependence: what a component's rank is greater than, it cannot do without. kubeadm's names, of pod and container.
RANKS: Final = {"etcd": 0, "kube-apiserver": 1, "kube-controller-manager": 2, "kube-scheduler": 2}
# The ports of the other servers of a control-plane node: no probe of one of these is the API server's.
_PORTS: Final = {
    "etcd": ("2379", "2381"),
    "kube-controller-manager": ("10252", "10257"),
    "kube-scheduler": ("10251", "10259"),
}
_OTHERS: Final = ("10248", "10249", "10250", "10255", "10256")
_KEPT: Final = 16
# Failed probes that lie further apart are no run: between them one was passed. Two and a half periods, where the period is known.
_APART_US: Final = 45_000_000
# A probe so soon after the kill is one that was under way; a new container is not probed at once.
UNDER_WAY_US: Final = 5_000_000
# So soon after its last probe failed a container is killed.
_AT_ONCE_US: Final = 1_000_000
# So much longer than the grace period or the back-off a container is not down: what comes then is another kill.
_SLACK_US: Final = 15_000_000
# The longest back-off: what was down before that has run in between.
_LONGEST_US: Final = 300_000_000
# Dead containers that are told of so soon after a start, of the kubelet's or of a new container, died before.
_LISTED_US: Final = 30_000_000
_REPLACED_US: Final = 10_000_000
_STATUS: Final = re.compile(r"statuscode: (\d{3})\b", re.ASCII)
_URL: Final = re.compile(r'(?:Get|Head) "?(https?://[^\s"]{1,200}?)"?: ')
_CHECK: Final = re.compile(r"^\[-\]([\w./-]{1,60}) failed", re.ASCII | re.MULTILINE)
_PORT: Final = re.compile(r"(?:https?://)?(?:\[[^\]]*\]|[^/:]*):(\d{1,5})(?:/|$)", re.ASCII)
_TIMED_OUT: Final = ("timeout", "Timeout", "deadline exceeded", "timed out", "awaiting headers")


class Probe(msgspec.Struct, frozen=True, gc=False):
    """A probe as `kubectl describe` shows it."""

    probe: str
    url: str
    period_s: float | None
    failure_threshold: int | None
    evidence: Evidence


class Listed(msgspec.Struct, frozen=True, gc=False):
    """What a failed probe was told, of a row of an events table."""

    outcome: str
    evidence: Evidence


class Watch(msgspec.Struct, frozen=True, gc=False):
    """A container of the control plane: whether it runs, as far as is known, and what went wrong that no incident tells of yet."""

    key: str
    component: str
    pod: PodRef
    container: str
    ids: tuple[tuple[str, int], ...] = ()  # the containers that were seen to start last, and when
    dead: tuple[str, ...] = ()
    up_us: int | None = None
    down_us: int | None = None  # None: it runs
    stopped: bool = False  # it is down, and no probe did it
    stopped_us: int | None = None  # when that was the last time
    grace_s: float = 30.0
    back_off_s: float | None = None
    failed_us: int | None = None  # the last failed probe since it runs
    url: str | None = None
    url_evidence: Evidence | None = None
    checks: tuple[str, ...] = ()  # that failed, where the answer names them
    run: Case | None = None  # failed probes that may lead to a kill, and a kill that may be the first of a loop

    def up(self, us: int) -> Watch:
        return msgspec.structs.replace(self, up_us=us, down_us=None, stopped=False, failed_us=None, back_off_s=None)


class ControlPlane(msgspec.Struct, frozen=True, gc=False):
    """All of it; bounded, and never changed in place."""

    kubelet: Kubelet = msgspec.field(default_factory=Kubelet)
    watches: tuple[Watch, ...] = ()
    probes: tuple[Probe, ...] = ()
    denials: tuple[Evidence, ...] = ()
    listed: tuple[Listed, ...] = ()
    unknown: tuple[str, ...] = ()  # containers that were killed, of which only the id is known

    def told(self, event: Event) -> ControlPlane:
        """With what an event says that is no sign itself."""
        if isinstance(event, ProbeConfigured):
            one = Probe(event.probe or "", event.url or "", event.period_s, event.failure_threshold, evidence(event))
            return msgspec.structs.replace(self, probes=(*self.probes, one)[-_KEPT:])
        if isinstance(event, AnonymousDenied):
            if event.verb not in (None, "get") or not (event.resource or "/").startswith("/"):
                return self  # no question of a probe
            return msgspec.structs.replace(self, denials=(*self.denials, evidence(event))[:4])
        if isinstance(event, ClusterEvent) and event.reason == "Unhealthy":
            if not (event.message or "").startswith(("Liveness probe failed", "Startup probe failed")):
                return self
            row = Listed(outcome_of(event.message), evidence(event))
            return msgspec.structs.replace(self, listed=(*self.listed, row)[-_KEPT:])
        if type(event) in TELLING:
            kubelet = self.kubelet.told(event)
            return self if kubelet is self.kubelet else msgspec.structs.replace(self, kubelet=kubelet)
        return self

    def killed(self, event: ContainerKilled) -> ControlPlane:
        """With a container of which no one knows yet whose it is: its end will tell."""
        return msgspec.structs.replace(self, unknown=(*self.unknown, event.container_id or "")[-_KEPT:])

    def watch(self, key: str) -> Watch | None:
        for one in self.watches:
            if one.key == key:
                return one
        return None

    def put(self, watch: Watch) -> ControlPlane:
        kept = [one for one in self.watches if one.key != watch.key]
        return msgspec.structs.replace(self, watches=(*kept, watch)[-_KEPT:])

    def started_within(self, us: int, at: int) -> bool:
        """Whether the kubelet was started less than so long ago: then it lists containers that ended long before."""
        return any(one.time is not None and 0 <= at - one.time.us < us for one in self.kubelet.starts)

    def probe_of(self, watch: Watch) -> Probe | None:
        """The liveness probe of a container, if it was shown; the row does not name the pod."""
        live = [one for one in self.probes if one.probe == "Liveness"]
        if watch.url is not None:
            port = port_of(watch.url)
            return next((one for one in reversed(live) if port_of(one.url) == port), None)
        ports = _PORTS.get(watch.component)
        for one in reversed(live):
            port = port_of(one.url)
            if ports is not None:
                if port in ports:
                    return one
            elif one.url.startswith("https://") and is_health(one.url) and port not in _OTHERS and not _is_known(port):
                return one
        return None


def is_health(url: str) -> bool:
    return (
        url.rsplit("/", 1)[-1].split("?", maxsplit=1)[0] in ("healthz", "livez", "readyz") or "/livez/" in url or "/healthz/" in url
    )


def _is_known(port: str | None) -> bool:
    return any(port in ports for ports in _PORTS.values())


def port_of(url: str | None) -> str | None:
    """`6443` of `https://127.0.0.1:6443/healthz` or `127.0.0.1:6443`."""
    found = _PORT.match(url or "")
    return found[1] if found else None


class Named(NamedTuple):
    """A pod of the control plane: the component, and whether it is sure to be a static pod."""

    component: str
    certain: bool


def named(pod: PodRef, container: str | None, node: str | None) -> Named | None:
    """Which component a pod is, by its name: a static pod is called by what it runs and its node."""
    if pod.namespace != "kube-system":
        return None
    for component in RANKS:
        if pod.name.startswith(component + "-"):
            host = pod.name[len(component) + 1 :]
            # The ids of static pods are digests, without dashes.
            static = bool(pod.uid) and "-" not in (pod.uid or "-")
            here = node is not None and host.split(".")[0].lower() == node.split(".")[0].lower()
            if container == component or static or here:
                return Named(component, static or here)
            return Named(component, False) if container is None and node is None and not pod.uid else None
    return None


def outcome_of(output: str | None) -> str:
    """What a probe was told: an HTTP status, `refused`, `timeout`, `tls`, `other`, or `unknown` where nothing says it."""
    if not output:
        return "unknown"
    status = _STATUS.search(output)
    if status:
        return status[1]
    if "connection refused" in output:
        return "refused"
    if any(word in output for word in _TIMED_OUT):
        return "timeout"
    return "tls" if "x509" in output or "tls:" in output else "other"


def url_of(output: str | None) -> str | None:
    found = _URL.search((output or "")[:2000])
    return found[1] if found else None


def checks_of(output: str | None) -> list[str]:
    """The checks that failed, as the answer of a health endpoint lists them: `[-]etcd failed: reason withheld`."""
    return _CHECK.findall((output or "")[:20_000])


def watch_of(memory: ControlPlane, pod: PodRef | None, container: str | None, node: str | None) -> Watch | None:
    """The container of the control plane that is meant; None where it is none."""
    if pod is None or pod.namespace != "kube-system":
        return None
    key = f"{pod.namespace}/{pod.name}"
    watch = memory.watch(key)
    if watch is None:
        found = named(pod, container, node)
        return None if found is None else Watch(key, found.component, pod, container or found.component)
    if container is not None and container != watch.container:
        # An event of the whole pod names none.
        return (
            None if watch.container != watch.component or watch.failed_us else msgspec.structs.replace(watch, container=container)
        )
    return watch


def watch_of_id(memory: ControlPlane, event: ContainerKilled) -> Watch | None:
    """The container that a kill names by its id only; else the one that was said to be unhealthy just before."""
    us = event.seen.time_us
    for watch in memory.watches:
        if event.container_id and any(one == event.container_id for one, _ in watch.ids):
            return watch
    if us is None:
        return None
    for watch in reversed(memory.watches):
        if watch.down_us is not None and not watch.stopped and 0 <= us - watch.down_us < UNDER_WAY_US:
            return watch
    # Its last probe failed a moment ago.
    return next((one for one in memory.watches if one.failed_us is not None and 0 <= us - one.failed_us < _AT_ONCE_US), None)


def us_of(event: Event, watch: Watch) -> int:
    """When it was said; what has no time is said when something was last."""
    us = event.seen.time_us
    if us is not None:
        return us
    return max((one for one in (watch.failed_us, watch.down_us, watch.up_us) if one is not None), default=0)


def has_lived(watch: Watch, event: Event, us: int) -> bool:
    """Whether a container that was down must have run in between, though nothing said so."""
    down_us = watch.down_us or 0
    if isinstance(event, ContainerBackOff):
        if watch.back_off_s is None:
            return us - down_us > _LONGEST_US
        if event.back_off_s is not None and event.back_off_s != watch.back_off_s:
            return True
        return us - down_us > watch.back_off_s * 1e6 + _SLACK_US
    held_us = int(max(watch.grace_s, watch.back_off_s or 0.0) * 1e6)
    return us - down_us > held_us + _SLACK_US


def is_stale(memory: ControlPlane, watch: Watch, event: ContainerDied, us: int) -> bool:
    """Whether a container that ended is one of before: one that is known to be dead, or another than the one that runs."""
    if event.container_id in watch.dead:
        return True
    started = dict(watch.ids)
    if event.container_id in started:
        # Sandbox and container start together.
        return watch.down_us is None and any(
            at > started[event.container_id] + UNDER_WAY_US and us - at < _REPLACED_US for one, at in watch.ids
        )
    if memory.started_within(_LISTED_US, us):
        return True
    return watch.down_us is None and any(0 <= us - at < _REPLACED_US for _, at in watch.ids)


def apart_us(watch: Watch, memory: ControlPlane) -> int:
    probe = memory.probe_of(watch)
    return int(probe.period_s * 2.5e6) if probe is not None and probe.period_s else _APART_US


def gone_down(watch: Watch, event: Event, us: int, again: bool, stopped: bool) -> Watch:
    """The container as it then is."""
    if again:
        watch = msgspec.structs.replace(watch, down_us=us, grace_s=30.0, back_off_s=None)
    changes: dict[str, object] = {"stopped": stopped}
    if isinstance(event, ContainerKilled):
        changes["grace_s"] = event.grace_s or 30.0
    elif isinstance(event, ContainerDied):
        # The back-off counts from its end.
        changes |= {"down_us": us, "dead": (*watch.dead, event.container_id or "")[-8:]}
    elif isinstance(event, ContainerBackOff):
        if watch.back_off_s is None:
            changes["down_us"] = us
        changes["back_off_s"] = event.back_off_s if event.back_off_s is not None else watch.back_off_s
    return msgspec.structs.replace(watch, **changes)
