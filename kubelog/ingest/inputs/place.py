"""path of a file → whose log it is: node, unit, pod, where the lines do not say.

The layouts: kubelet's `/var/log/pods` and `/var/log/containers`, OpenShift's must-gather, sosreport, `kubectl cluster-info dump`, a
folder a node. What a path does not say for sure is None.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec


class Place(msgspec.Struct, frozen=True):
    """What a path says of the lines in it."""

    node: str | None = None
    unit: str | None = None
    namespace: str | None = None
    pod: str | None = None
    pod_uid: str | None = None
    container: str | None = None


NOWHERE: Final = Place()
_NAME = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
# pods/<namespace>_<pod>_<uid>/<container>/0.log, and what the kubelet makes of it when it rotates.
_PODS = re.compile(
    rf"(?:.*/)?(?P<namespace>{_NAME})_(?P<pod>{_NAME})_(?P<pod_uid>[0-9a-f-]{{32,36}})/(?P<container>{_NAME})/\d+\.log[^/]*"
)
# containers/<pod>_<namespace>_<container>-<id>.log
_CONTAINERS = re.compile(rf"(?:.*/)?(?P<pod>{_NAME})_(?P<namespace>{_NAME})_(?P<container>{_NAME})-[0-9a-f]{{64}}\.log[^/]*")
# must-gather: namespaces/<namespace>/pods/<pod>/<container>/<container>/logs/current.log
_GATHERED = re.compile(
    rf"(?:.*/)?namespaces/(?P<namespace>{_NAME})/pods/(?P<pod>{_NAME})/(?P<container>{_NAME})/(?P=container)/logs/"
    r"(?:current|previous|previous\.insecure)\.log[^/]*"
)
# kubectl cluster-info dump: <namespace>/<pod>/logs.txt
_DUMPED = re.compile(rf"(?:.*/)?(?P<namespace>{_NAME})/(?P<pod>{_NAME})/logs\.txt")
# A folder a node: nodes/<node>/kubelet.log, node-3/kubelet.log; must-gather's nodes/<node>/<node>_logs_kubelet.gz.
_NODES = re.compile(rf"(?:.*/)?nodes/(?P<node>{_NAME})/.*")
_OF_NODE = re.compile(
    r"(?:.*/)?(?P<node>(?:node|worker|master|cp|control-plane)-\d+[a-z0-9.-]*|ip-\d+-\d+-\d+-\d+[a-z0-9.-]*)/[^/]+"
)
_SOS = re.compile(rf"(?:.*[/!])?sosreport-(?P<node>{_NAME}?)-(?:[\w]+-)?\d{{4}}-\d\d-\d\d-[a-z]+/.*")
# Programs whose logs have their names.
_UNITS = re.compile(
    r"(?:.*[/_])?(?P<unit>kubelet|kube-apiserver|kube-controller-manager|kube-scheduler|kube-proxy|etcd|containerd|dockerd|crio)"
    r"(?:[._](?:service|log|logs|out|err|txt)|\.journal)*(?:[.-]\d[\w:.-]*)?(?:\.(?:gz|xz|zst|bz2))?"
)
# klog's own files: kubelet.node-1.root.log.INFO.20171016-095054.17144
_KLOG = re.compile(
    rf"(?:.*/)?(?P<unit>[a-z][a-z-]*)\.(?P<node>{_NAME})\.[^/.]+\.log\.(?:INFO|WARNING|ERROR|FATAL)\.\d{{8}}-\d{{6}}\.\d+[^/]*"
)
# The pods that the kubelet itself starts: their names end with the node's.
_STATIC = re.compile(rf"(?P<unit>kube-apiserver|kube-controller-manager|kube-scheduler|etcd)-(?P<node>{_NAME})")
# What a ReplicaSet calls its pods.
_REPLICA = re.compile(r"-[0-9a-f]{5,10}-[a-z0-9]{5}\Z")


def place(path: str) -> Place:
    """Whose log a path is; a member of an archive stands behind the archive's name and `!`."""
    said: dict[str, str] = {}
    inner = path.replace("!", "/")
    for layout in (_PODS, _CONTAINERS, _GATHERED, _DUMPED, _KLOG):
        found = layout.fullmatch(inner)
        if found:
            said = found.groupdict()
            break
    for layout in (_SOS, _NODES, _OF_NODE, _UNITS):
        found = layout.fullmatch(inner)
        if found:
            said = found.groupdict() | said
    if "pod" in said:
        said["unit"] = said.get("container") or said.get("unit") or ""
        static = _STATIC.fullmatch(said["pod"])
        if static and not _REPLICA.search(said["pod"]) and said.get("namespace") == "kube-system":
            said.setdefault("node", static["node"])
    return Place(**{name: value for name, value in said.items() if value})
