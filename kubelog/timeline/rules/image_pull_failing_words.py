"""Why an image cannot be pulled, read from the registry's or the runtime's error; and a case of ImagePullFailing in words."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from kubelog.timeline.case import Case
from kubelog.timeline.incident import Cause, Finding
from kubelog.timeline.rules import Explanation
from kubelog.timeline.rules.episodic import proof
from kubelog.timeline.words import plural, silence_finding, since

_LOOKED_AT: Final = 4000


class Reason(NamedTuple):
    """One reason that an error may tell: how it is known, what it means, how sure that is, and what to look at."""

    found: re.Pattern[str]
    text: str
    confidence: str
    advice: tuple[str, ...]


def _reason(found: str, text: str, confidence: str, *advice: str) -> Reason:
    return Reason(re.compile(found, re.IGNORECASE), text, confidence, advice)


_REACH: Final = "Try the registry from this node: `curl -v https://{registry}/v2/`."
_SECRET: Final = "See which credentials the pod uses: `imagePullSecrets` of the pod and of its service account."
_NAME: Final = "Compare the name and tag in the pod's spec with what the registry has: `skopeo list-tags docker://{repository}`."
# In this order: the first that is found is it.
REASONS: Final[dict[str, Reason]] = {
    "http": _reason(
        r"server gave HTTP response to HTTPS client",
        "The registry speaks plain HTTP, and the runtime asks by HTTPS.",
        "certain",
        "Give the registry a certificate, or tell the runtime that it is insecure: containerd in "
        "`/etc/containerd/certs.d/{registry}/"
        "hosts.toml`, CRI-O in `/etc/containers/registries.conf`, docker by `insecure-registries` in `/etc/docker/daemon.json`.",
    ),
    "certificate-expired": _reason(
        r"x509: certificate has expired or is not yet valid",
        "The registry's certificate has expired, or the clock of this node is wrong.",
        "certain",
        "See until when it is valid: `openssl s_client -connect {registry}:443 </dev/null | openssl x509 -noout -dates`; and "
        "`timedatectl`.",
    ),
    "certificate": _reason(
        r"x509:|tls: failed to verify|certificate signed by unknown authority|certificate is valid for",
        "This node does not trust the registry's certificate.",
        "certain",
        "Make the registry's CA known to the runtime on this node: `/etc/containerd/certs.d/{registry}/` or "
        "`/etc/docker/certs.d/{registry}/`.",
    ),
    "limit": _reason(
        r"toomanyrequests|429 Too Many Requests|rate limit|pull rate limit|QPS exceeded",
        "There are more pulls than are allowed (429, or the kubelet's own limit): this one is refused.",
        "certain",
        "Pull with credentials that have a higher limit, or through a mirror or cache of the registry.",
        "`QPS exceeded` is the kubelet's own limit: `registryPullQPS` and `registryBurst` in its configuration.",
    ),
    "platform": _reason(
        r"no match for platform|no matching manifest for|exec format error|image operating system",
        "The image is not there for this node's platform.",
        "certain",
        "See which platforms it has: `docker manifest inspect {image}`; and the node's: `uname -m`.",
    ),
    "denied": _reason(
        r"pull access denied|repository does not exist or may require|insufficient_scope",
        "The repository does not exist, or it is private and the node has no credentials for it: the registry does not say which.",
        "likely",
        _NAME,
        _SECRET,
    ),
    "unauthorized": _reason(
        r"unauthorized|authentication required|401 Unauthorized|403 Forbidden|no basic auth credentials|denied: |access denied"
        r"|failed to fetch (?:oauth|anonymous) token.{0,300}40[13]|permission.{0,60}denied",
        "The registry refuses the credentials, or asks for some that are not given.",
        "certain",
        _SECRET,
        "See whether they are still good: tokens of cloud registries end after some hours.",
    ),
    "missing": _reason(
        r"manifest unknown|manifest for \S+ not found|not found: manifest|failed to resolve reference[^\n]{0,600}: not found"
        r"|name unknown"
        r"|repository \S+ not found|\bnot found\b|404 Not Found",
        "The registry has no such image, or no such tag.",
        "certain",
        _NAME,
    ),
    "name": _reason(
        r"invalid reference format|couldn't parse image|InvalidImageName|unable to parse image|repository name must be",
        "The image's name is not a valid one.",
        "certain",
        "Correct the name in the pod's spec: small letters, and a tag behind a colon.",
    ),
    "never": _reason(
        r"ErrImageNeverPull|is not present with pull policy of Never",
        "The image is not on this node, and the pod says that it must not be pulled (`imagePullPolicy: Never`).",
        "certain",
        "Load the image on this node (`ctr -n k8s.io images import`, `docker load`), or change the pod's `imagePullPolicy`.",
    ),
    "short-name": _reason(
        r"short-name|did not resolve to an alias",
        "The name has no registry, and the runtime does not know which one is meant.",
        "certain",
        "Write the registry's name in front of the image's.",
    ),
    "no-space": _reason(
        r"no space left on device|disk quota exceeded",
        "There is no space left on the disk where images are kept.",
        "certain",
        "See what fills it: `df -h; df -i`, `crictl images`.",
    ),
    "read-only": _reason(
        r"read-only file ?system|input/output error",
        "The disk where images are kept cannot be written.",
        "certain",
        "See what the kernel says of the disk: `dmesg | tail`.",
    ),
    "dns": _reason(
        r"no such host|server misbehaving|temporary failure in name resolution|lookup \S+ on \S+: .{0,80}timeout"
        r"|lookup \S+: .{0,80}try again",
        "The registry's name cannot be resolved on this node.",
        "certain",
        "Try it on this node: `getent hosts {registry}`, `resolvectl status`, `cat /etc/resolv.conf`.",
    ),
    "refused": _reason(
        r"connection refused", "At the registry's address nothing listens, or a firewall refuses.", "certain", _REACH
    ),
    "proxy": _reason(
        r"proxyconnect|Proxy Authentication Required",
        "The proxy between this node and the registry does not let it through.",
        "certain",
        "Look at the proxy that the runtime is given: `systemctl show containerd docker crio -p Environment`.",
    ),
    "unreachable": _reason(
        r"no route to host|network is unreachable|connection reset|i/o timeout|TLS handshake timeout|Client\.Timeout|EOF"
        r"|broken pipe"
        r"|connection timed out|deadline ?exceeded|request canceled while waiting",
        "The registry cannot be reached from this node, or is too slow.",
        "likely",
        _REACH,
    ),
    "server": _reason(
        r"\b50[0234]\b|Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out",
        "The registry itself fails (a status of 500 or above).",
        "certain",
        "See the state of the registry, and of what stands in front of it.",
    ),
    "unpack": _reason(
        r"failed to (?:extract|unpack|register) layer|error creating overlay|layers? .{0,80}corrupt|digest|failed size validation",
        "What was pulled cannot be unpacked, or is not what it should be.",
        "likely",
        "Remove what is there of it, and let it be pulled again: `crictl rmi {image}`.",
    ),
    "signature": _reason(
        r"SignatureValidationFailed|signature|policy requirement",
        "The image's signature is not what the node's policy asks for.",
        "likely",
        "Look at the policy on this node: `/etc/containers/policy.json`.",
    ),
    "runtime": _reason(
        r"code = Unavailable|dial unix|connect: no such file",
        "The container runtime does not answer.",
        "likely",
        "See whether it runs: `systemctl status containerd docker crio`.",
    ),
    "canceled": _reason(
        r"context canceled", "The pull was broken off, as when the runtime or the kubelet is restarted.", "possible", _REACH
    ),
}


def mark_of(error: str | None) -> str | None:
    """The mark that keeps the reason that an error tells."""
    # An error is wrapped: what matters stands at its end.
    told = (error or "")[-_LOOKED_AT:]
    return next((f"why {name}" for name, reason in REASONS.items() if reason.found.search(told)), None)


def why(case: Case) -> str | None:
    """The reason that was told last."""
    told = [(us, mark[4:]) for mark, us in case.marks.items() if mark.startswith("why ")]
    # That one was broken off says the least.
    return max(told, key=lambda one: (one[1] != "canceled", *one))[1] if told else None


def reasons_of(case: Case) -> list[str]:
    return [mark[4:] for mark in case.marks if mark.startswith("why ")]


def registry_of(image: str) -> str:
    """Where an image is pulled from."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first
    return "registry-1.docker.io"


def repository_of(image: str) -> str:
    """An image's name without tag and digest."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def explain(case: Case, node: str | None) -> Explanation:
    """All that is told of a case beyond its steps."""
    image = case.subject.get("image", "?")
    on = f" on {node}" if node else ""
    does = "cannot be pulled" if case.is_open else "could not be pulled"
    waits = f"; {plural(case.pods_total, 'pod')} {'waits' if case.pods_total == 1 else 'wait'} for it" if case.pods_total else ""
    if not case.is_open:
        waits = waits.replace(" waits ", " waited ").replace(" wait ", " waited ")
    name = why(case)
    evidence = proof(case, ("ImagePullFailed", "RuntimeImagePullFailed")) or proof(case)
    if name is None:
        only = (
            "the log shows only that the kubelet waits before it tries again" if "tried_us" not in case.marks else "see the lines"
        )
        cause = Cause(f"The error names no reason that is known: {only}.", "possible", evidence)
        advice: tuple[str, ...] = ("Pull it by hand on this node, and see what is said: `crictl pull {image}`.",)
    else:
        reason = REASONS[name]
        confidence = "likely" if case.holes and reason.confidence == "certain" else reason.confidence
        cause = Cause(reason.text, confidence, evidence)
        advice = (*reason.advice, "Try it by hand on this node: `crictl pull {image}`.")
    values = {"image": image, "registry": registry_of(image), "repository": repository_of(image)}
    advice = tuple(one.format(**values) for one in advice)
    summary = f"Image {image} {does}{on}{waits}{since(case)}."
    return Explanation(summary, cause, tuple(_findings(case)), advice)


def _findings(case: Case) -> list[Finding]:
    found = []
    reasons = [one for one in reasons_of(case) if one != "canceled"]
    if len(reasons) > 1:
        last = why(case)
        others = " ".join(REASONS[one].text for one in reasons if one != last)
        found.append(Finding("other-reasons", f"The registry gave other answers, too: {others}", proof(case)))
    system = [pod for pod in case.pods if pod.namespace == "kube-system"]
    if system:
        text = f"A pod of kube-system is among those that wait for it: {system[0].name}."
        found.append(Finding("system-pod", text, proof(case, ("PodSyncFailed",))))
    return [*found, *silence_finding(case)]
