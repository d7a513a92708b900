"""ImagePullFailing: an image cannot be pulled, so the containers that need it wait.

One case a node and image. A pull that fails is tried again after 10 s, 20 s and so on up to 5 min; it is an incident once a
second try failed, or when it has lasted 45 s: one that fails once and succeeds is none. It ends when the image is pulled, or a
container of a pod that waited starts, or its only pod is deleted; else when nothing is said of it for 15 min.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from kubelog.klog.values import PodRef
from kubelog.message.vocabulary.container_runtime import RuntimeImagePulled, RuntimeImagePullFailed
from kubelog.message.vocabulary.event import Event
from kubelog.message.vocabulary.pod import ContainerStarted, ImagePullFailed
from kubelog.message.vocabulary.sync import PodConfigReceived, PodSyncFailed
from kubelog.timeline.rules import Case, Cause, Explanation, State, instant
from kubelog.timeline.rules.episodic import EpisodicRule, Sign, lasted_us, proof
from kubelog.timeline.words import plural, since

_REASONS: Final = (
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
)
_LASTS_US: Final = 45_000_000
# Lines of one try lie closer together than two tries.
_ONE_TRY_US: Final = 8_000_000
_MANY_PODS: Final = 3
# Words of the error → what that means, how sure it is, what to do.
_WHY: Final[tuple[tuple[str, re.Pattern[str], str, str, str], ...]] = (
    ("rate", re.compile(r"toomanyrequests|429 Too Many|pull rate limit|rate exceeded"),
     "The registry allows no more pulls for now: its rate limit is reached.", "certain",
     "Pull with credentials (imagePullSecrets), through a mirror of your own, or with imagePullPolicy: IfNotPresent."),
    ("plain", re.compile(r"server gave HTTP response to HTTPS client"),
     "The registry speaks plain HTTP, and is asked by HTTPS.", "certain",
     "Let the registry serve TLS; where it must not, tell the container runtime so."),
    ("tls", re.compile(r"x509|certificate|tls:"), "The registry's certificate is not trusted, or not valid.", "certain",
     "Install the registry's CA where the container runtime looks for it, and see whether its certificate has expired."),
    ("dns", re.compile(r"no such host|server misbehaving|lookup .{1,200} (?:i/o timeout|on)"),
     "The registry's name cannot be resolved on this node.", "likely",
     "Resolve it on the node itself (`getent hosts NAME`): the runtime uses the node's resolver, not the cluster's DNS."),
    ("denied", re.compile(r"unauthorized|denied|403 Forbidden|401 Unauthorized|no basic auth credentials|authentication required"),
     "The registry does not let this node pull it: it is private, the credentials lack or are wrong, or it is not there (a "
         "registry "
     "answers both alike).", "likely",
     "See the name for a typing error; then the imagePullSecrets of the pod or its service account, and that they are of this "
         "registry."),
    ("disk", re.compile(r"no space left on device|disk quota exceeded"), "The disk of the node is full.", "certain",
     "Free space for images on the node: `crictl rmi --prune`, `df -h /var/lib`."),
    ("missing", re.compile(r"not found|manifest unknown|NotFound|does not exist|no match for platform|no matching manifest"),
     "The registry has no such image or tag, or none for this node's platform.", "certain",
     "Correct the image's name or tag, or push it: `crictl pull IMAGE` on the node tells the same."),
    ("name", re.compile(r"InvalidImageName|invalid reference format|couldn't parse image"),
     "The image's name is none that is allowed.", "certain", "Correct the image's name in the pod: no blanks, no capitals "
         "before the tag."),
    ("never", re.compile(r"ErrImageNeverPull|NeverPull|pull policy of Never"),
     "The pod says imagePullPolicy: Never, and the image is not on this node.", "certain",
     "Load the image onto the node, or let it be pulled."),
    ("unreached", re.compile(r"connection refused|i/o timeout|no route to host|timeout|deadline exceeded|EOF|connection "
        r"reset|Unavailable|TLS handshake"),
     "The registry is not reached from this node, or does not answer in time.", "likely",
     "Try it from the node: `curl -v https://REGISTRY/v2/`; look at the proxy settings of the container runtime."),
)  # fmt: skip
_OTHER: Final = (
    "The error itself is all that the log tells.",
    "possible",
    "Try it on the node: `crictl pull IMAGE` says why at once.",
)


class ImagePullFailing(EpisodicRule):
    """See the module."""

    kind = "ImagePullFailing"
    opens = extends = frozenset({ImagePullFailed, PodSyncFailed, RuntimeImagePullFailed})
    closes = frozenset({RuntimeImagePulled, ContainerStarted, PodConfigReceived})
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = {
        "PodSyncFailed": tuple(reason.encode() for reason in _REASONS),
        "PodConfigReceived": (b"DELETE", b"REMOVE"),
    }
    quiet_us: ClassVar[int] = 900_000_000

    def signs_of(self, event: Event, memory: Any) -> Iterable[Sign]:
        image: str | None = getattr(event, "image", None)
        if not image or (isinstance(event, PodSyncFailed) and event.reason not in _REASONS):
            return
        error: str = getattr(event, "error", None) or ""
        why = next((one[0] for one in _WHY if one[1].search(error[:4000])), "")
        waits = isinstance(event, PodSyncFailed) and event.reason == "ImagePullBackOff"
        text = "The container waits for the next try (ImagePullBackOff)" if waits else "The image cannot be pulled"
        pods: tuple[PodRef | None, ...] = (event.pod,) if isinstance(event, PodSyncFailed) else ()
        marks = {} if waits or not why else {f"why {why}": 1}
        yield Sign(_key(image), {"image": image}, text, "waits" if waits else why, pods, marks=marks)

    def apply(self, state: State, event: Event, node: str | None) -> State:
        if isinstance(event, RuntimeImagePulled):
            case = state.latest(_key(event.image)) if event.image else None
            return state if case is None else self._end(state, event, case, "The image is pulled")
        if isinstance(event, ContainerStarted):
            for case in state.cases:
                if event.pod is not None and any(_is_one(pod, event.pod) for pod in case.pods):
                    state = self._end(state, event, case, "A container of a pod that waited is started")
            return state
        if isinstance(event, PodConfigReceived):
            for gone in (event.pods or ()) if event.operation in ("DELETE", "REMOVE") else ():
                for case in state.cases:
                    if case.pods and all(_is_one(pod, gone) for pod in case.pods):
                        state = self._end(state, event, case, "The pod that waited is deleted")
            return state
        return super().apply(state, event, node)

    def matters(self, case: Case) -> bool:
        return case.marks.get("tries", 0) > 1 or lasted_us(case) >= _LASTS_US

    def explain(self, case: Case, memory: Any, node: str | None) -> Explanation:
        found = [one for one in _WHY if f"why {one[0]}" in case.marks]
        text, confidence, advice = found[0][2:] if found else _OTHER
        image, host = case.subject["image"], _registry(case.subject["image"])
        waits = (
            (f"; {plural(case.pods_total, 'pod')} {'waits' if case.pods_total == 1 else 'wait'} for it") if case.pods_total else ""
        )
        waits = waits if case.is_open else waits.replace("waits", "waited").replace("wait for", "waited for")
        verb = "cannot" if case.is_open else "could not"
        summary = f"Image {image} {verb} be pulled{f' on {node}' if node else ''}{since(case)}{waits}."
        signs = proof(case, ("ImagePullFailed", "RuntimeImagePullFailed")) or proof(case)
        advice = advice.replace("IMAGE", image).replace("REGISTRY", host)
        return Explanation(summary, Cause(text, confidence, signs), (), (advice,))

    def _sign(self, state: State, event: Event, sign: Sign) -> State:
        state = super()._sign(state, event, sign)
        case, us = state.latest(sign.key), event.seen.time_us
        if case is None:
            return state
        marks = case.marks
        if sign.about != "waits" and (us is None or us - marks.get("try_us", -(1 << 62)) > _ONE_TRY_US):
            marks = {**marks, "tries": marks.get("tries", 0) + 1, "try_us": us or 0}
        critical = case.pods_total >= _MANY_PODS
        return state.put(case.replace(marks=marks, severity="critical" if critical else case.severity))

    def _end(self, state: State, event: Event, case: Case, text: str) -> State:
        if not case.is_open:
            return state
        return state.put(case.said(event, text, "end").close("resolved", "recovered", instant(event.seen)))


def _key(image: str) -> str:
    """The same image under its short and its long name."""
    return image.removeprefix("docker.io/").removeprefix("library/")


def _registry(image: str) -> str:
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "registry-1.docker.io"


def _is_one(pod: PodRef, other: PodRef) -> bool:
    return (pod.name, pod.namespace) == (other.name, other.namespace)
