"""ImagePullFailing: an image cannot be pulled on this node, and the pods that need it wait.

One case a node and image. The kubelet says of each pull that it failed, and with each sync of a waiting pod (10 s to 2 min apart)
that it still backs off; it tries again after 10 s, 20 s, 40 s … up to 5 min. One pull that fails and succeeds with the next is no
incident: a case counts once two pulls failed, or it went on for half a minute.

It closes when the image is pulled, when a container of a waiting pod starts, when the only pod that waits is deleted, or when a log
that goes on says nothing of it for 15 min (three tries).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

import msgspec

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.client import EventRecorded
from kubelog.message.vocabulary.container_runtime import RuntimeImagePulled, RuntimeImagePullFailed
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.pod import ContainerStarted, ImagePullFailed
from kubelog.message.vocabulary.sync import PodConfigReceived, PodStartupObserved, PodSyncFailed
from kubelog.timeline.incident import instant
from kubelog.timeline.rules import Case, Explanation, Instant, State
from kubelog.timeline.rules.episodic import End, EpisodicRule, Sign
from kubelog.timeline.rules.image_pull_failing_words import explain, mark_of

# What the kubelet calls the state of a container whose image is not there.
_STATES: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "RegistryUnavailable", "ImageInspectError",
     "SignatureValidationFailed"}
)  # fmt: skip
# States in which something was tried just now, not only put off.
_TRIES: Final = _STATES - {"ImagePullBackOff"}
# Lines of one pull lie closer together than this; two pulls of an image do not.
_ONE_TRY_US: Final = 5_000_000
_LEAST_US: Final = 30_000_000
_NAMED: Final = re.compile(
    r"(?:[Bb]ack-off pulling image|Container image|default image tag|parse image reference|(?:pull|pulling|unpack) image"
    r"|pull and unpack "
    r'image|manifest for|resolve reference|initializing source docker:/?/?)[ :]?"?([^\s"\\]{1,600}[^\s"\\:,])'
)
_PULLED: Final = re.compile(r'(?:Successfully pulled image|Container image) "([^"]{1,600})"')
_DEFAULT: Final = "docker.io/"


class Last(msgspec.Struct, frozen=True, gc=False):
    """The last pull that failed: a pod's error that names no image, right behind it, is of that one."""

    image: str | None = None
    us: int | None = None


class ImagePullFailing(EpisodicRule):
    """See the module."""

    kind = "ImagePullFailing"
    opens = extends = frozenset({ImagePullFailed, RuntimeImagePullFailed, PodSyncFailed})
    closes = frozenset({RuntimeImagePulled, EventRecorded, ContainerStarted, PodStartupObserved, PodConfigReceived})
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = {
        "PodSyncFailed": tuple(one.encode() for one in sorted(_STATES)),
        "EventRecorded": (b"Pulled",),
        "PodConfigReceived": (b"DELETE", b"REMOVE"),
    }
    memory = Last
    tells_memory = False
    quiet_us: ClassVar[int] = 900_000_000  # three tries
    reopen_us: ClassVar[int] = 1_800_000_000  # what fails again within half an hour is the same registry, the same name
    signs = frozenset({PodSyncFailed})
    picks = frozenset({EventRecorded, PodConfigReceived})
    idle = frozenset({RuntimeImagePulled, EventRecorded, ContainerStarted, PodStartupObserved, PodConfigReceived})

    def concerns(self, event: Event) -> bool:
        if isinstance(event, EventRecorded):
            return event.reason == "Pulled"
        return isinstance(event, PodConfigReceived) and event.operation in ("DELETE", "REMOVE")

    def told(self, memory: Last, event: Event) -> Last:
        if isinstance(event, ImagePullFailed | RuntimeImagePullFailed) and event.image:
            return Last(event.image, event.seen.time_us)
        return memory

    def signs_of(self, event: Event, memory: Last | None) -> Iterable[Sign]:
        if isinstance(event, ImagePullFailed | RuntimeImagePullFailed):
            image = event.image or _image_in(event.error)
            if image:
                text = "The image cannot be pulled"
                yield Sign(key_of(image), {"image": image[:600]}, text, "failed", marks=_tried(event, event.error))
        elif isinstance(event, PodSyncFailed):
            yield from _of_pod(event, memory)

    def ends_of(self, event: Event, memory: Last) -> Iterable[End]:
        image: str | None = None
        if isinstance(event, RuntimeImagePulled) and event.reference:
            # CRI-O names what it has pulled by its digest only: that the image is another is not known.
            image = event.image
        elif isinstance(event, EventRecorded) and event.reason == "Pulled" and (found := _PULLED.search(event.message or "")):
            image = found[1]
        if image:
            yield End(key_of(image), "The image is pulled")

    def apply(self, state: State, event: Event, node: str | None) -> State:
        if isinstance(event, ContainerStarted | PodStartupObserved | PodConfigReceived):
            return self._pod_changed(state, event) if state.cases else state
        return super().apply(state, event, node)

    def matters(self, case: Case) -> bool:
        marks = case.marks
        if marks.get("tried_us", 0) + marks.get("first_us", 0) >= _ONE_TRY_US:
            return True
        return case.last is not None and case.opened is not None and case.last.us - case.opened.us >= _LEAST_US

    def reopens(self, case: Case, now: Instant | None) -> bool:
        """What ended before it was an incident is not opened again: that would make one of two short ones."""
        return case.is_open or (self.matters(case) and super().reopens(case, now))

    def begins_anew(self, case: Case) -> bool:
        """What is still said after the pod was deleted is of the same episode; so is a pod that comes in its place. Where a
        container
        of the pod ended it, that was another one, with another image.
        """
        closed = case.closed.us if case.closed is not None else None
        return case.resolution != "condition-cleared" and case.marks.get("runs_us") != closed

    def explain(self, case: Case, memory: Any, node: str | None) -> Explanation:
        return explain(case, node)

    def _pod_changed(self, state: State, event: ContainerStarted | PodStartupObserved | PodConfigReceived) -> State:
        now = instant(event.seen)
        for case in state.cases:
            if not case.is_open:
                continue
            if isinstance(event, PodConfigReceived):
                gone = {(pod.namespace, pod.name) for pod in event.pods or ()}
                if event.operation in ("DELETE", "REMOVE") and case.pods and case.pods_total == len(case.pods):
                    left = [pod for pod in case.pods if (pod.namespace, pod.name) not in gone and _mark(pod) not in case.marks]
                    if len(left) < len(case.pods):
                        marks = {_mark(pod): 1 for pod in case.pods if (pod.namespace, pod.name) in gone}
                        case = case.replace(marks={**case.marks, **marks})
                        if not left:
                            text = "The last pod that waits for the image is deleted"
                            case = case.said(event, text, "gone").close("resolved", "condition-cleared", now)
                        state = state.put(case)
            elif (
                event.pod is not None
                and _waits(case, event.pod)
                and (isinstance(event, PodStartupObserved) or _is_later(case, now))
            ):
                case = case.said(event, "A pod that waited for the image runs", "runs").close("resolved", "recovered", now)
                if isinstance(event, ContainerStarted) and case.closed is not None:
                    case = case.replace(marks={**case.marks, "runs_us": case.closed.us})
                state = state.put(case)
        return state


def key_of(image: str) -> str:
    """An image by its full name: an error names it as the pod's spec does, or as the runtime does."""
    name, at, digest = image[:600].partition("@")
    _, slash, last = name.rpartition("/")
    if not at and ":" not in last:
        name += ":latest"
    first = name.partition("/")[0]
    if not slash:
        return f"{_DEFAULT}library/{name}{at}{digest}"
    is_host = "." in first or ":" in first or first == "localhost"
    return f"{'' if is_host else _DEFAULT}{name}{at}{digest}"


def _image_in(error: str | None) -> str | None:
    found = _NAMED.search((error or "")[:8000].replace('\\"', '"'))
    return found[1] if found else None


def _of_pod(event: PodSyncFailed, memory: Last | None) -> Iterable[Sign]:
    """A pod waits for its images; it may name none, or several."""
    pod = event.pod
    if pod is not None and pod.uid is None and event.pod_uid:
        pod = PodRef(pod.namespace, pod.name, event.pod_uid)
    failures = event.failures if isinstance(event.failures, list) else []
    found: dict[str, tuple[str, str, str]] = {}
    for one in failures[:50] or [{"reason": event.reason, "message": event.error}]:
        reason, message = str(one.get("reason") or ""), str(one.get("message") or "")
        if reason not in _STATES:
            continue
        image = _image_in(message) or (event.image if reason == event.reason else None)
        if image is None:
            if memory is None:
                # It takes the memory to know which.
                return
            image = _last(event, memory)
        if image:
            found.setdefault(key_of(image), (image, reason, message))
    for key, (image, reason, message) in found.items():
        tried = _tried(event, f"{reason}: {message}") if reason in _TRIES else _told(event, message)
        text = (
            "A pod cannot start: its image cannot be pulled"
            if reason in _TRIES
            else "A pod waits for the next try to pull the image"
        )
        critical = pod is not None and pod.namespace == "kube-system"
        yield Sign(key, {"image": image[:600]}, text, reason, (_plain(pod),), critical, tried)


def _last(event: Event, memory: Last | None) -> str | None:
    """The image of a pull that failed just before."""
    now = event.seen.time_us
    if memory is None or memory.us is None or now is None or not 0 <= now - memory.us < 1_000_000:
        return None
    return memory.image


def _plain(pod: PodRef | None) -> PodRef | None:
    """Without the UID, which not every line gives: a pod is counted once."""
    return None if pod is None else PodRef(pod.namespace, pod.name)


def _tried(event: Event, error: str | None) -> dict[str, int]:
    us, told = event.seen.time_us, _told(event, error)
    # `first_us` is below zero, so that the greatest of them is the first.
    return told if us is None else {"tried_us": us, "first_us": -us, **told}


def _told(event: Event, error: str | None) -> dict[str, int]:
    mark = mark_of(error)
    return {} if mark is None else {mark: event.seen.time_us or 0}


def _mark(pod: PodRef) -> str:
    return f"gone {pod.namespace}/{pod.name}"[:600]


def _waits(case: Case, pod: PodRef) -> bool:
    return any(one.name == pod.name and one.namespace == pod.namespace for one in case.pods)


def _is_later(case: Case, now: Instant | None) -> bool:
    """Whether a container starts well behind the last try; what starts with it is another one of the pod, or its sandbox."""
    return now is not None and now.us - case.marks.get("tried_us", 0) >= _ONE_TRY_US
