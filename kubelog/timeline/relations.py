"""incidents of single nodes → the incidents that are told.

Rules know one node each. Here, in one place, is what they cannot know: that an incident follows from another one, and that several
nodes see the same. Both are functions of the incidents alone; nodes that share no endpoint never meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from kubelog.timeline.changes import difference, withdrawal
from kubelog.timeline.cluster import MERGED, Group, grouped, is_shared, merged
from kubelog.timeline.incident import Change, Incident

_MINUTE: Final = 60_000_000
# A consequence may be seen a little before its cause: they are told by different hands, each at its own pace.
_BEFORE: Final = 2 * _MINUTE
# What opens so long after its cause has ended may still follow from it.
_AFTER: Final = 2 * _MINUTE
# What ended so long before the last that is known of its node has no part in what comes.
_SETTLED: Final = 60 * _MINUTE


class _Because(NamedTuple):
    """A kind of incident that another follows from, and what must then hold of both."""

    kind: str
    cause: Mapping[str, tuple[str | None, ...]] = {}  # what the cause's subject may say
    effect: Mapping[str, tuple[str | None, ...]] = {}  # and the consequence's
    same: tuple[str, ...] = ()  # keys of the subject that both have, alike
    counts: str = ""  # an event that both count
    pods: bool = False  # whether they must share a pod, by its uid
    full: bool = False  # whether the consequence must be that a disk is full


_API: Final = {"container": ("kube-apiserver",)}
_FULL: Final = "no space left"  # as the rules' causes say it
_ETCD: Final = {"container": ("etcd",)}
_DISK: Final = {
    "resource": (None, "nodefs", "imagefs", "containerfs", "ephemeral-storage", "inodes", "nodefs inodes", "imagefs inodes")
}
# By kind, what it may follow from: the nearest cause first. Etcd → API server → the kubelet's requests → pods; disk → image GC →
# eviction; runtime → PLEG → node; network → pods; certificate → kubelet or API server.
CAUSES: Final[Mapping[str, tuple[_Because, ...]]] = {
    "EtcdUnavailable": (_Because("ControlPlaneRestartLoop", _ETCD), _Because("CertificateExpired")),
    "ControlPlaneRestartLoop": (
        _Because("EtcdUnavailable"),
        _Because("CertificateExpired"),
        _Because("RuntimeDown"),
        _Because("OutOfMemory"),
    ),
    "ApiServerUnreachable": (
        _Because("ControlPlaneRestartLoop", _API),
        _Because("EtcdUnavailable"),
        _Because("CertificateExpired"),
    ),
    "NodeHeartbeatLost": (
        _Because("ApiServerUnreachable"),
        _Because("ControlPlaneRestartLoop", _API),
        _Because("EtcdUnavailable"),
        _Because("CertificateExpired"),
        _Because("AnonymousAccessDenied"),
        _Because("KubeletRestartLoop"),
    ),
    "AnonymousAccessDenied": (_Because("CertificateExpired"), _Because("ControlPlaneRestartLoop", _API)),
    "KubeletRestartLoop": (_Because("CertificateExpired"), _Because("RuntimeDown")),
    "PlegUnhealthy": (_Because("RuntimeDown"),),
    "NetworkNotReady": (_Because("RuntimeDown"), _Because("ApiServerUnreachable")),
    "NodePressureEviction": (_Because("ImageGcFailing", effect=_DISK),),
    "OutOfMemory": (_Because("NodePressureEviction", {"resource": ("memory",)}),),
    "ContainerProbeRestartLoop": (_Because("NetworkNotReady"), _Because("RuntimeDown")),
    "CrashLoop": (
        _Because("OutOfMemory", pods=True),
        _Because("NetworkNotReady"),
    ),
    "VolumeStuck": (_Because("NodePressureEviction", _DISK, full=True), _Because("ApiServerUnreachable")),
    "ImagePullFailing": (
        _Because("ProtocolMismatch", counts="ImagePullFailed"),
        _Because("NodePressureEviction", _DISK, full=True),
        _Because("RuntimeDown"),
    ),
    "AdmissionRejected": (_Because("NodePressureEviction", _DISK, full=True),),
}


# Kinds that are related by their pods.
_BY_POD: Final = frozenset(
    kind for effect, causes in CAUSES.items() for because in causes if because.pods for kind in (effect, because.kind)
)


class _Shape(NamedTuple):
    """What relations are made of: while it stays, they stay."""

    kind: str
    node: str | None
    opened_us: int
    closed_us: int
    last_us: int  # where several nodes may see it
    subject: tuple[tuple[str, str], ...]
    endpoints: tuple[str, ...]
    counts: frozenset[str]
    uids: frozenset[str]  # of pods
    full: bool  # whether its cause is a full disk


class Relations:
    """All incidents of single nodes, and how they were told."""

    def __init__(self) -> None:
        self.alone: dict[str, Incident] = {}  # of single nodes, by id
        self.told: dict[str, Incident] = {}
        self._shapes: dict[str, _Shape] = {}
        self._links: dict[str, str] = {}  # what follows → its cause, as told
        self._effects: dict[str, list[str]] = {}  # a cause → what follows
        self._groups: dict[str, Group] = {}  # by the id under which several are told as one
        self._of: dict[str, str] = {}  # a member → that id
        self._latest: dict[str | None, int] = {}
        self._settled: set[str] = set()

    def update(self, new: Mapping[str, Incident | None]) -> list[Change]:
        """Take what is new of single nodes (None: it is none any more); what is to be told."""
        moved = False
        for id_, incident in new.items():
            if incident is None or not incident.episodes:
                if self.alone.pop(id_, None) is not None:
                    del self._shapes[id_]
                    moved = True
                continue
            shape = _shape(incident)
            moved = moved or self._shapes.get(id_) != shape
            self.alone[id_], self._shapes[id_] = incident, shape
            self._settled.discard(id_)
            last = incident.last_seen or incident.opened
            if last is not None and last.us > self._latest.get(incident.node, -(1 << 62)):
                self._latest[incident.node] = last.us
        touched = set(new)
        if moved:
            touched |= self._relate()
        touched |= {self._of.get(id_, id_) for id_ in touched}
        return [change for id_ in sorted(touched, key=self._order) for change in self._tell(id_, new.get(id_))]

    def forget(self, over: set[str]) -> set[str]:
        """Forget those of these incidents of which all that they belong to is over as well; as whom they were told."""
        gone: set[str] = set()
        for id_ in over:
            if id_ not in gone and id_ in self.alone:
                family = self._family(id_)
                if family <= over:
                    gone |= family
            elif id_ not in self.alone:
                gone.add(id_)  # it was none: only gaps were told of it
        told = {self._of.get(id_, id_) for id_ in gone} | gone
        for id_ in gone:
            self.alone.pop(id_, None)
            self._shapes.pop(id_, None)
            self._of.pop(id_, None)
            self._settled.discard(id_)
        for id_ in told:
            self.told.pop(id_, None)
            self._groups.pop(id_, None)
            self._links.pop(id_, None)
            self._effects.pop(id_, None)
        return told

    def _family(self, id_: str) -> set[str]:
        """All incidents of single nodes that it is told with, that it follows from, that follow from it, and so on."""
        found: set[str] = set()
        waiting = [self._of.get(id_, id_)]
        seen = set(waiting)
        while waiting:
            one = waiting.pop()
            group = self._groups.get(one)
            found |= set(group.members) if group else {one}
            cause = self._links.get(one)
            near = [*self._effects.get(one, ()), *([cause] if cause is not None else [])]
            waiting += [other for other in near if other not in seen]
            seen.update(near)
        return found

    def restore(self, alone: Iterable[Incident], told: Iterable[Incident]) -> None:
        """Begin with these incidents of single nodes, and what was told."""
        self.told = {one.id: one for one in told}
        self._links = {one.id: one.consequence_of for one in self.told.values() if one.consequence_of is not None}
        self.update({one.id: one for one in alone})

    # How they belong together

    def _relate(self) -> set[str]:
        """Work out anew what belongs together; the ids of all that this changes."""
        active = {id_: one for id_, one in self.alone.items() if id_ not in self._settled}
        before = self._groups
        self._groups = {group.id: group for group in grouped([one for one in active.values() if one.kind in MERGED])}
        kept = {id_: group for id_, group in before.items() if all(member in self._settled for member in group.members)}
        self._groups.update(kept)
        was = self._of
        self._of = {member: group.id for group in self._groups.values() for member in group.members}
        links, changed = self._causes(active), set()
        for id_ in self.alone:
            if id_ in self._settled and id_ in self._links:
                links[id_] = self._links[id_]
        for id_ in was.keys() | self._of.keys():
            if was.get(id_) != self._of.get(id_):
                changed |= {id_, was.get(id_, id_), self._of.get(id_, id_)}
        changed |= {id_ for id_, group in self._groups.items() if before.get(id_) != group}
        told = self._as_told(links)
        for id_ in self._links.keys() | told.keys():
            if self._links.get(id_) != told.get(id_):
                changed |= {one for one in (id_, self._links.get(id_), told.get(id_)) if one is not None}
        self._links = told
        self._effects = {}
        for id_, cause in told.items():
            self._effects.setdefault(cause, []).append(id_)
        self._settle()
        return changed

    def _settle(self) -> None:
        """What is over for long, with its whole family, keeps what it belongs to."""
        for id_ in [id_ for id_ in self.alone if id_ not in self._settled and self._is_over(id_)]:
            if id_ not in self._settled:
                family = self._family(id_)
                if all(self._is_over(one) for one in family):
                    self._settled |= family

    def _is_over(self, id_: str) -> bool:
        shape = self._shapes.get(id_)
        return shape is not None and shape.closed_us + _SETTLED < self._latest.get(shape.node, 0)

    def _causes(self, active: Mapping[str, Incident]) -> dict[str, str]:
        """What follows → its cause, of single nodes."""
        by_kind: dict[str, list[tuple[_Shape, str]]] = {}
        for id_ in active:
            by_kind.setdefault(self._shapes[id_].kind, []).append((self._shapes[id_], id_))
        found: dict[str, str] = {}
        for id_ in active:
            effect = self._shapes[id_]
            for because in CAUSES.get(effect.kind, ()):
                fit = [(cause, one) for cause, one in by_kind.get(because.kind, ()) if _explains(because, cause, effect)]
                if fit:
                    # The one of its own node, then the one that opened last before it.
                    best = max(fit, key=lambda one: (one[0].node == effect.node, one[0].opened_us, one[1]))
                    found[id_] = best[1]
                    break
        return found

    def _as_told(self, links: Mapping[str, str]) -> dict[str, str]:
        """The links between what is told: members are those of their group."""
        found: dict[str, str] = {}
        for id_ in sorted(links):
            effect, cause = self._of.get(id_, id_), self._of.get(links[id_], links[id_])
            if effect != cause:
                found.setdefault(effect, cause)
        return found

    # How they are told

    def _order(self, id_: str) -> tuple[int, str]:
        # What is taken back first, so that a reader never sees both.
        return (id_ in self.alone and id_ not in self._of) or id_ in self._groups, id_

    def _tell(self, id_: str, new: Incident | None) -> list[Change]:
        """How one is told now."""
        group, before = self._groups.get(id_), self.told.get(id_)
        if group is not None:
            now = merged(group, [self.alone[member] for member in group.members])
        elif id_ in self.alone and id_ not in self._of:
            now = self.alone[id_]
        elif new is not None and new.gaps and not new.episodes:
            now = new  # none, but the log lacks something
        elif before is not None:
            del self.told[id_]
            return [withdrawal(before)]
        else:
            return []
        cause, effects = self._links.get(id_), tuple(sorted(self._effects.get(id_, ()), key=self._opened))
        if now.episodes and (cause is not None or effects):
            now = msgspec.structs.replace(now, consequence_of=cause, consequences=effects)
        if now == before:
            return []
        self.told[id_] = now
        return difference(before, now)

    def _opened(self, id_: str) -> tuple[int, str]:
        group = self._groups.get(id_)
        members = group.members if group else (id_,)
        return min((self._shapes[one].opened_us for one in members if one in self._shapes), default=0), id_


def _shape(incident: Incident) -> _Shape:
    opened = incident.opened.us if incident.opened else -(1 << 62)
    closed = incident.closed.us if incident.closed else 1 << 62
    last = incident.last_seen.us if incident.last_seen and incident.kind in MERGED else opened
    subject, counts = tuple(incident.subject.items()), frozenset(incident.counts)
    uids: set[str] = set()
    if incident.kind in _BY_POD:
        uids = {pod.uid for pod in incident.affected.pods if pod.uid} | {incident.subject.get("pod_uid", "")}
    full = incident.cause is not None and _FULL in incident.cause.text
    return _Shape(
        incident.kind, incident.node, opened, closed, last, subject, incident.endpoints, counts, frozenset(uids - {""}), full
    )  # fmt: skip


def _explains(because: _Because, cause: _Shape, effect: _Shape) -> bool:
    if cause.opened_us - _BEFORE > effect.opened_us or cause.closed_us + _AFTER < effect.opened_us:
        return False
    if cause.node != effect.node and not is_shared(cause.endpoints, effect.endpoints):
        return False
    if because.counts and not (because.counts in cause.counts and because.counts in effect.counts):
        return False
    if (because.full and not effect.full) or (because.pods and cause.uids.isdisjoint(effect.uids)):
        return False
    of_cause, of_effect = dict(cause.subject), dict(effect.subject)
    if any(of_cause.get(key) not in allowed for key, allowed in because.cause.items()):
        return False
    if any(of_effect.get(key) not in allowed for key, allowed in because.effect.items()):
        return False
    return all(key in of_cause and of_cause[key] == of_effect.get(key) for key in because.same)
