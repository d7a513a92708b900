"""AnonymousAccessDenied: requests come as nobody, and are refused.

One case a user who is refused (system:anonymous). A single request is a stray: it is an incident from the third on. It is over when
nothing more is said of it for 10 min. Probes that are refused so are told by the loop that they cause. Credentials that are shown
and not accepted (a token that has expired, another CA) are none of it: who asks is not nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from kubelog.message.vocabulary.api import AnonymousDenied
from kubelog.message.vocabulary.event import Event
from kubelog.timeline.rules import Case, Cause, Explanation
from kubelog.timeline.rules.episodic import EpisodicRule, Sign, proof
from kubelog.timeline.words import listed, since

_KUBELETS: Final = ("kubelet", "hyperkube", "kubenswrapper", "k3s", "microk8s.daemon-kubelite")
_HEALTH: Final = ("/healthz", "/livez", "/readyz")


class AnonymousAccessDenied(EpisodicRule):
    """See the module."""

    kind = "AnonymousAccessDenied"
    opens = extends = signs = frozenset({AnonymousDenied})
    least: ClassVar[int] = 3

    def signs_of(self, event: Event, memory: Any) -> Iterable[Sign]:
        if not isinstance(event, AnonymousDenied):
            return
        own = event.seen.unit in _KUBELETS
        user, resource = event.user or "system:anonymous", event.resource or ""
        marks = {f"resource {resource[:60]}": 1} | ({"own": 1} if own else {})
        if not resource.startswith(_HEALTH):
            marks["other"] = 1
        text = f"A request of {user} is refused: {resource[:100] or 'nothing is said of what'}"
        yield Sign(user, {"user": user}, text, resource[:60], (), own and not resource.startswith("/"), marks)

    def explain(self, case: Case, memory: Any, node: str | None) -> Explanation:
        where = f" on {node}" if node else ""
        signs = proof(case)
        what = [name.removeprefix("resource ") for name in case.marks if name.startswith("resource ") and len(name) > 9]
        asked = f" ({listed(what[:4])})" if what else ""
        if "other" not in case.marks and what:
            cause = Cause(
                "What asks for the API server's health shows no credentials, and anonymous requests may not.", "likely", signs
            )
            advice = (
                "Let health checks ask without credentials (--anonymous-auth=true, the default, with RBAC's "
                "system:public-info-viewer), or give them some."
            )
        elif "own" in case.marks:
            text = "The kubelet shows no client certificate or token that the API server knows: its kubeconfig has none, or a "
            cause = Cause(f"{text}wrong one.", "likely", signs)
            advice = (
                "Look at the kubelet's --kubeconfig and the client certificate that it names; after a failed bootstrap join "
                "the node anew."
            )
        else:
            text = "A client shows no credentials: its kubeconfig has none, or a proxy in between drops them."
            cause = Cause(text, "possible", signs)
            advice = "The audit log tells who asks, by address and user agent."
        summary = f"Requests of {case.subject['user']} are refused{asked}{where}{since(case)}."
        return Explanation(summary, cause, (), (advice,))
