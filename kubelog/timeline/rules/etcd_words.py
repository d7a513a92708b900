"""The words of EtcdUnavailable: how etcd fails an API server, what that shows, what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Classes of errors, what is told of them in a summary; what tells most stands first.
CLASSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "certificate": "certificate",
        "space": "its database is full",
        "no-leader": "no leader",
        "refused": "connection refused",
        "route": "no route to it",
        "timeout": "time-outs",
        "lost": "connections break",
        "leader": "its leader changes",
        "check": "its health check fails",
        "other": "errors",
    }
)
_TOLD: Final = (
    # What every API server says when all is well: old versions are gone, a caller left, a second connection was not needed.
    ("harmless", re.compile(r"compacted|context canceled|operation was canceled|code = Canceled|code = NotFound|"
               r"future revision")),
    ("starting", re.compile(r"not yet established|not finished")),
    ("certificate", re.compile(r"x509|tls: |bad certificate|certificate (?:required|has expired)|"
               r"authentication handshake failed")),
    ("space", re.compile(r"database space exceeded|no space")),
    ("no-leader", re.compile(r"no leader")),
    ("leader", re.compile(r"leader changed|not leader")),
    ("refused", re.compile(r"connection refused")),
    ("route", re.compile(r"no route to host|(?:network|host) is (?:unreachable|down)|no such host")),
    ("timeout", re.compile(r"timed? ?out|i/o timeout|deadline exceeded|DeadlineExceeded|keepalive ping failed|"
               r"too many requests")),
    (
        "lost",
        re.compile(r"transport is closing|reset by peer|broken pipe|\bEOF\b|server stopped|not healthy|"
                   r"connection is unavailable|code = Unavailable"),
    ),
)  # fmt: skip
CAUSES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "certificate": (
            "One side does not accept the other's certificate: it expired, is of another CA, or not for this name.",
            "certain",
        ),
        "space": (
            "etcd's database reached its quota: it takes no writes until it is compacted, defragmented and disarmed.",
            "certain",
        ),
        "no-leader": (
            "etcd has no leader: most of its members are down, or do not reach one another (quorum is lost).",
            "likely",
        ),
        "refused": ("Nothing listens at {at}: etcd is down, or starts again and again.", "likely"),
        "route": ("{at} is not reachable on the network.", "likely"),
        "timeout": (
            "etcd is there but too slow, or has no quorum: a slow disk, a slow network between members, or too much load.",
            "possible",
        ),
        "lost": ("etcd closed its connections: it was stopped or ended.", "possible"),
        "leader": (
            "etcd elects a new leader again and again: members lose one another, by slow disks or a slow network.",
            "likely",
        ),
        "check": ("The check does not say why.", "possible"),
        "other": ("etcd answers with errors.", "possible"),
    }
)
_RUNS: Final = (
    "See whether etcd runs and why it ended: `crictl ps -a | grep etcd` (`docker ps -a` where the runtime is Docker), then "
    "`crictl logs` of it."
)
_MEMBERS: Final = (
    "Ask all members: `ETCDCTL_API=3 etcdctl --cacert /etc/kubernetes/pki/etcd/ca.crt --cert /etc/kubernetes/pki/etcd/server.crt "
    "--key /etc/kubernetes/pki/etcd/server.key --endpoints https://127.0.0.1:2379 endpoint status --cluster -w table` (paths are "
    "kubeadm's)."
)
_DISK: Final = "Look in etcd's log for “took too long” and “slow fdatasync”, and at its disk: `iostat -x 5`."
_CERTIFICATES: Final = (
    "See what the certificates say: `openssl x509 -noout -dates -subject -in /etc/kubernetes/pki/apiserver-etcd-client.crt`, and "
    "of /etc/kubernetes/pki/etcd/server.crt (paths are kubeadm's)."
)
_SPACE: Final = "Compact, defragment (`etcdctl defrag`) and then `etcdctl alarm disarm`; raise --quota-backend-bytes if it must be."
ADVICE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        **dict.fromkeys(CLASSES, (_RUNS, _MEMBERS)),
        "certificate": (_CERTIFICATES,),
        "space": (_SPACE, _MEMBERS),
        "no-leader": (_MEMBERS, _RUNS),
        "timeout": (_DISK, _MEMBERS),
        "leader": (_DISK, _MEMBERS),
        "check": (_RUNS, _DISK, _MEMBERS),
    }
)


def class_of(error: str) -> str:
    """How it failed."""
    error = error[:65_536]
    return next((name for name, told in _TOLD if told.search(error)), "other")
