"""The words of ApiServerUnreachable and NodeHeartbeatLost: how requests fail, what that shows, what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

# Classes of errors, what is told of them in a summary; what tells most stands first.
CLASSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "refused": "connection refused",
        "dns": "its name is not resolved",
        "route": "no route to it",
        "timeout": "time-outs",
        "lost": "connections break",
        "other": "errors",
    }
)
_TOLD: Final = (
    ("refused", re.compile(r"connection refused")),
    ("dns", re.compile(r"no such host|server misbehaving|lookup \S{1,253} on \S{1,60}: ")),
    ("route", re.compile(r"no route to host|(?:network|host) is (?:unreachable|down)")),
    ("lost", re.compile(r"connection lost|reset by peer|broken pipe|closed network connection|idle connection|GOAWAY|\bEOF\b")),
    (
        "timeout",
        re.compile(r"i/o timeout|timed? ?out|Timeout: |TLS handshake timeout|awaiting (?:response )?headers|Client\.Timeout|"
                   r"deadline exceeded|request canceled"),
    ),
)  # fmt: skip
CAUSES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "refused": (
            "Nothing listens at {at}: kube-apiserver (or the load balancer in front of it) is down, or restarts; the host itself "
            "answers.",
            "likely",
        ),
        "dns": ("The name of the API server is not resolved: DNS, or /etc/hosts of the node, does not know it.", "likely"),
        "route": ("The node's network has no way to {at}: a route, an interface or the host is gone.", "likely"),
        "timeout": (
            "{at} does not answer in time: packets are dropped on the way (firewall, network), or the API server or its etcd is "
            "overloaded.",
            "possible",
        ),
        "lost": ("Connections that were up break: {at} was restarted, or something between (a load balancer, NAT) dropped "
            "them.", "possible"),
        "other": ("Requests to {at} fail.", "possible"),
    }
)  # fmt: skip
_SERVER: Final = (
    "On the control plane node see whether kube-apiserver runs and why it ended: `crictl ps -a | grep kube-apiserver` "
    "(`docker ps -a` where the runtime is Docker), then `crictl logs` of that container, and the log of etcd."
)
_ASK: Final = "Ask it from this node: `curl -k {at}`."
ADVICE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "refused": (_SERVER, _ASK),
        "dns": ("Look the name up on this node: `getent hosts {host}`; see /etc/resolv.conf and /etc/hosts.", _ASK),
        "route": ("See the node's routes and links: `ip route get {host}`, `ip -s link`.", _ASK),
        "timeout": (_ASK, "Where that hangs, look at the firewall and the path to it; where it is slow, at the API server's "
            "load and etcd's disk.", _SERVER),
        "lost": (_ASK, "See whether the API server or the load balancer in front of it was restarted then, and its idle "
            "time-outs.", _SERVER),
        "other": (_ASK, _SERVER),
    }
)  # fmt: skip
# Resources whose requests have a better name.
CLIENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "configmaps": "config maps",
        "csidrivers": "CSI drivers",
        "csinodes": "CSI nodes",
        "runtimeclasses": "runtime classes",
        "persistentvolumeclaims": "volume claims",
        "persistentvolumes": "persistent volumes",
    }
)


def class_of(error: str) -> str:
    """How a request failed."""
    error = error[:65_536]
    return next((name for name, told in _TOLD if told.search(error)), "other")


class Told(NamedTuple):
    """A class of errors of heartbeats: in a word, and what it shows."""

    short: str
    cause: str
    confidence: str


_OVERLOAD: Final = "The API server answers too late, or what lies between: it, its etcd or the network is overloaded."
# What tells most stands first.
HEARTBEATS: Final[Mapping[str, Told]] = MappingProxyType(
    {
        "certificate": Told("its certificate", "A certificate is not accepted.", "certain"),
        "forbidden": Told(
            "forbidden",
            "The API server does not let the kubelet write them: its credentials are not this node's (system:node:<name>), "
            "or the "
            "Node authorizer or RBAC does not grant it.",
            "certain",
        ),
        "unauthorized": Told("unauthorized", "The API server does not accept the kubelet's credentials.", "certain"),
        "etcd": Told("etcd does not answer", "The API server is there but its etcd does not answer in time.", "likely"),
        "conflict": Told(
            "conflicts",
            "Something else writes the same object: a second kubelet under this node's name, or a controller that updates "
            "the node "
            "all the time.",
            "possible",
        ),
        "invalid": Told("refused as invalid", "The API server takes what the kubelet writes for invalid.", "likely"),
        "refused": Told("connection refused", "Nothing listens where the kubelet asks: the API server, or what is in front "
            "of it, is down.", "likely"),
        "dns": Told("its name is not resolved", "The name of the API server is not resolved on this node.", "likely"),
        "route": Told("no route", "The node's network has no way to the API server.", "likely"),
        "timeout": Told("time-outs", _OVERLOAD, "possible"),
        "lost": Told("connections break", "The connection to the API server breaks, or is dead without the kubelet "
            "knowing.", "possible"),
        "given-up": Told("all tries failed", _OVERLOAD, "possible"),
        "other": Told("errors", "The API server does not take them.", "possible"),
    }
)  # fmt: skip
_ANSWERS: Final = (
    ("certificate", re.compile(r"x509|tls: .{0,40}certificate")),
    ("etcd", re.compile(r"etcdserver: |:2379\b")),
    ("forbidden", re.compile(r"forbidden")),
    ("unauthorized", re.compile(r"Unauthorized|provide credentials")),
    ("conflict", re.compile(r"Operation cannot be fulfilled|object has been modified")),
    ("invalid", re.compile(r"is invalid: ")),
)
_LOOK: Final = (
    "See what the control plane knows of the node: `kubectl describe node {node}`, `kubectl -n kube-node-lease "
    "get lease {node} -o yaml`."
)
_STATE: Final = "Look at the API server's load and its etcd's latency, and at the way from this node to it."
HEARTBEAT_ADVICE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        **dict.fromkeys(HEARTBEATS, (_STATE, _LOOK)),
        "certificate": (
            "See what the certificate says: `openssl x509 -noout -subject -dates -in "
            "/var/lib/kubelet/pki/kubelet-client-current.pem`.",
            _LOOK,
        ),
        "forbidden": (
            "See who the kubelet is: `openssl x509 -noout -subject -in /var/lib/kubelet/pki/kubelet-client-current.pem` must say "
            "O = system:nodes, CN = system:node:{node}.",
            _LOOK,
        ),
        "unauthorized": ("Renew the kubelet's credentials (its kubeconfig and client certificate), then restart it.", _LOOK),
        "conflict": ("See whether two machines have the same node name (--hostname-override, cloned images).", _LOOK),
        "lost": ("If it goes on though the API server is well, restart the kubelet: that makes a new connection.", _LOOK),
    }
)  # fmt: skip


def heartbeat_class_of(error: str) -> str:
    """How a heartbeat failed: what was answered, or how the request did."""
    error = error[:65_536]
    return next((name for name, told in _ANSWERS if told.search(error)), "") or class_of(error)
