"""AnonymousAccessDenied: requests come as nobody, or with credentials that are not known, and are refused.

One case a user who is refused (system:anonymous), and one for credentials that the API server does not accept. A single request
is a stray: it is an incident from the third on. It is over when nothing more is said of it for 10 min. Probes that are refused so
are told by the loop that they cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from kubelog.message.vocabulary.api import AnonymousDenied, ApiConnectionFailed, AuthenticationFailed
from kubelog.message.vocabulary.event import Event
from kubelog.timeline.incident import Finding
from kubelog.timeline.rules import Case, Cause, Explanation
from kubelog.timeline.rules.episodic import EpisodicRule, Sign, proof
from kubelog.timeline.words import listed, since

_KUBELETS: Final = ("kubelet", "hyperkube", "kubenswrapper", "k3s", "microk8s.daemon-kubelite")
_HEALTH: Final = ("/healthz", "/livez", "/readyz")
# Words of the error → what that means, how sure it is, what to do.
_WHY: Final[tuple[tuple[str, re.Pattern[str], str, str, str], ...]] = (
    ("expired-token", re.compile(r"token (?:has )?expired|expired token"), "The bearer token has expired.", "certain",
     "See who uses it: a service account's token is renewed in its projected volume only, and a program must read it again."),
    ("unknown-ca", re.compile(r"unknown authority"), "The client's certificate was signed by a CA that the API server does not "
        "know.", "certain",
     "Compare the client's CA with --client-ca-file of the API server: the cluster's CA was made anew, or the kubeconfig is "
         "another cluster's."),
    ("invalid-token", re.compile(r"[Ii]nvalid bearer token|token lookup failed|signature is invalid"),
     "The bearer token is none that the API server accepts: its service account is gone, or the signing key was changed.", "likely",
     "Delete the pods or secrets that hold old tokens; compare --service-account-key-file of all API servers."),
)  # fmt: skip


class AnonymousAccessDenied(EpisodicRule):
    """See the module."""

    kind = "AnonymousAccessDenied"
    opens = extends = frozenset({AnonymousDenied, AuthenticationFailed, ApiConnectionFailed})
    about: ClassVar[Mapping[str, tuple[bytes, ...]]] = {"ApiConnectionFailed": (b"Unauthorized", b"system:anonymous")}
    least: ClassVar[int] = 3
    signs = frozenset({AnonymousDenied, AuthenticationFailed, ApiConnectionFailed})
    picks = frozenset({ApiConnectionFailed})

    def concerns(self, event: Event) -> bool:
        return isinstance(event, ApiConnectionFailed) and (event.error or "").rstrip().endswith("Unauthorized")

    def signs_of(self, event: Event, memory: Any) -> Iterable[Sign]:
        own = event.seen.unit in _KUBELETS
        marks = {"own": 1} if own else {}
        if isinstance(event, AnonymousDenied):
            user, resource = event.user or "system:anonymous", event.resource or ""
            marks[f"resource {resource[:60]}"] = 1
            if not resource.startswith(_HEALTH):
                marks["other"] = 1
            critical = own and not resource.startswith("/")
            yield Sign(
                user,
                {"user": user},
                f"A request of {user} is refused: {resource[:100] or 'nothing is said of what'}",
                resource[:60],
                (),
                critical,
                marks,
            )
        elif isinstance(event, AuthenticationFailed):
            error = event.error or ""
            why = next((one[0] for one in _WHY if one[1].search(error[:4000])), "")
            marks |= {f"why {why}": 1} if why else {}
            yield Sign("unauthenticated", {"user": "unauthenticated"}, "The API server does not know who asks", why, marks=marks)
        elif self.concerns(event):
            yield Sign(
                "unauthorized",
                {"user": "this client"},
                "The API server does not accept this client's credentials",
                "",
                (),
                own,
                marks,
            )

    def explain(self, case: Case, memory: Any, node: str | None) -> Explanation:
        where = f" on {node}" if node else ""
        signs = proof(case)
        what = [name.removeprefix("resource ") for name in case.marks if name.startswith("resource ") and len(name) > 9]
        asked = f" ({listed(what[:4])})" if what else ""
        findings: tuple[Finding, ...] = ()
        if case.key in ("unauthenticated", "unauthorized"):
            found = next((one for one in _WHY if f"why {one[0]}" in case.marks), None)
            text, confidence, advice = found[2:] if found else (
                "The credentials that are shown are not accepted: a token or certificate that is old, or of another "
                    "cluster.", "possible",
                "Look at the kubeconfig that is used: its certificate's dates and CA, its token.")  # fmt: skip
            begun = (
                ("Requests whose credentials are not accepted are")
                if case.key == "unauthenticated"
                else "The credentials of this client are"
            )
            summary = f"{begun} refused{where}{since(case)}."
        else:
            summary = f"Requests of {case.subject['user']} are refused{asked}{where}{since(case)}."
            if "other" not in case.marks and what:
                text, confidence = (
                    ("What asks for the API server's health shows no credentials, and anonymous requests may not."),
                    "likely",
                )
                advice = (
                    "Let health checks ask without credentials (--anonymous-auth=true, the default, with RBAC's "
                    "system:public-info-viewer), "
                    "or give them some."
                )
            elif "own" in case.marks:
                text = (
                    "The kubelet shows no client certificate or token that the API server knows: its kubeconfig has none, or "
                    "a wrong one."
                )
                confidence = "likely"
                advice = (
                    "Look at the kubelet's --kubeconfig and the client certificate that it names; after a failed bootstrap join "
                    "the node anew."
                )
            else:
                text, confidence = (
                    ("A client shows no credentials: its kubeconfig has none, or a proxy in between drops them."),
                    "possible",
                )
                advice = "The audit log tells who asks, by address and user agent."
        return Explanation(summary, Cause(text, confidence, signs), findings, (advice,))
