"""What a kubelet and its API server say → severity, file and body, as 1.7 and 1.18 write it (glog), and as 1.30 does (pairs)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

OLD, MIDDLE, NEW = RELEASES = (7, 18, 30)  # of Kubernetes 1
COMPONENTS = ("kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler")
BACK_OFFS = ("10s", "20s", "40s", "1m20s", "2m40s", "5m0s")


class Said(NamedTuple):
    """One message in its wordings; lines behind the first are lines of their own in the journal."""

    severity: str  # where it changed, that of each release
    file: str  # likewise, with blanks between
    glog: str
    pairs: str
    middle: str | None = None  # of 1.18, where it is another than that of 1.7

    def written(self, release: int) -> tuple[str, str, str]:
        which, files = RELEASES.index(release), self.file.split()
        text = (self.glog, self.glog if self.middle is None else self.middle, self.pairs)[which]
        return self.severity[min(which, len(self.severity) - 1)], files[min(which, len(files) - 1)], text


@dataclass(frozen=True)
class Pod:
    """A pod with one container."""

    namespace: str
    name: str
    uid: str
    container: str

    @property
    def glog(self) -> str:
        return f"{self.name}_{self.namespace}({self.uid})"

    @property
    def pair(self) -> str:
        return f'pod="{self.namespace}/{self.name}"'


def quoted(text: str) -> str:
    """As Go quotes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def refusal(server: str, release: int) -> str:
    """Go named the call that failed until 1.9, of which Kubernetes 1.10 is made."""
    return f"dial tcp {server}: {'getsockopt' if release == OLD else 'connect'}: connection refused"


def no_answer(url: str, release: int) -> str:
    at = quoted(url) if release == NEW else url
    return f"Get {at}: net/http: request canceled (Client.Timeout exceeded while awaiting headers)"


# Pods


def synced(pod: Pod, what: str, source: str = "api") -> Said:
    """The kubelet was told of a pod: `what` is ADD, UPDATE, DELETE or REMOVE."""
    return Said(
        "I", "kubelet.go", f'SyncLoop ({what}, "{source}"): "{pod.glog}"',
        f'"SyncLoop {what}" source="{source}" pods=["{pod.namespace}/{pod.name}"]',
    )  # fmt: skip


def sandbox_missing(pod: Pod) -> Said:
    return Said(
        "I", "kuberuntime_manager.go", f'No sandbox for pod "{pod.glog}" can be found. Need to start a new one',
        f'"No sandbox for pod can be found. Need to start a new one" {pod.pair}',
    )  # fmt: skip


def pleg(pod: Pod, what: str, container: str) -> Said:
    """`what` is ContainerStarted or ContainerDied; a container has an id."""
    return Said(
        "I", "kubelet.go",
        f'SyncLoop (PLEG): "{pod.glog}", event: &pleg.PodLifecycleEvent{{ID:"{pod.uid}", Type:"{what}", Data:"{container}"}}',
        f'"SyncLoop (PLEG): event for pod" {pod.pair} event={{"ID":"{pod.uid}","Type":"{what}","Data":"{container}"}}',
    )  # fmt: skip


def mounted(pod: Pod, volume: str) -> Said:
    """The volume of a service account's token: a secret, and projected from 1.21 on."""
    old, new = (
        f'MountVolume.SetUp succeeded for volume "{volume}" (UniqueName: "kubernetes.io/{plugin}/{pod.uid}-{volume}") '
        f'pod "{pod.name}" (UID: "{pod.uid}") '
        for plugin in ("secret", "projected")
    )
    return Said("I", "operation_generator.go", old.rstrip(), f"{quoted(new)} {pod.pair}")


def probe_failed(pod: Pod, probe: str, output: str) -> Said:
    pairs = (
        f'"Probe failed" probeType="{probe}" {pod.pair} podUID="{pod.uid}" containerName="{pod.container}" probeResult="failure"'
    )
    told = "<\n" + "".join(f"\t{line}\n" for line in output.split("\n")) + " >" if "\n" in output else quoted(output)
    return Said(
        "I", "prober.go", f'{probe} probe for "{pod.glog}:{pod.container}" failed (failure): {output}', f"{pairs} output={told}"
    )


def unhealthy(pod: Pod, container: str) -> Said:
    return Said(
        "I", "kuberuntime_manager.go",
        f'pod "{pod.glog}" container "{pod.container}" is unhealthy, it will be killed and re-created.',
        f'"Message for Container of pod" containerName="{pod.container}" containerStatusID={{"Type":"containerd","ID":"{container}"}} '
        f'{pod.pair} containerMessage="Container {pod.container} failed liveness probe, will be restarted"',
        f'Container "{pod.container}" ({{"docker" "{container}"}}) of pod {pod.glog}: Container {pod.container} failed liveness '
        "probe, will be restarted",
    )  # fmt: skip


def killing(pod: Pod, container: str) -> Said:
    return Said(
        "I", "kuberuntime_container.go", f'Killing container "docker://{container}" with 30 second grace period',
        f'"Killing container with a grace period" {pod.pair} podUID="{pod.uid}" containerName="{pod.container}" '
        f'containerID="containerd://{container}" gracePeriod=30',
    )  # fmt: skip


def held_back(pod: Pod, back_off: str) -> Said:
    reason = f"ack-off {back_off} restarting failed container={pod.container} pod={pod.glog}"
    error = f'failed to "StartContainer" for "{pod.container}" with CrashLoopBackOff: '
    return Said(
        "E", "pod_workers.go", f'Error syncing pod {pod.uid} ("{pod.glog}"), skipping: {error}"B{reason}"',
        f'"Error syncing pod, skipping" err={quoted(error + quoted("b" + reason))} {pod.pair} podUID="{pod.uid}"',
        f'Error syncing pod {pod.uid} ("{pod.glog}"), skipping: {error}"b{reason}"',
    )  # fmt: skip


# Images


def images_too_many() -> Said:
    return Said(
        "I", "image_gc_manager.go",
        '[imageGCManager]: Disk usage on "/dev/sda1" (/) is at 86% which is over the high threshold (85%). Trying to free 1288490188 '
        "bytes",
        '"Disk usage on image filesystem is over the high threshold, trying to free bytes down to the low threshold" usage=86 '
        "highThreshold=85 amountToFree=1288490188 lowThreshold=80",
        "[imageGCManager]: Disk usage on image filesystem is at 86% which is over the high threshold (85%). Trying to free 1288490188 "
        "bytes down to the low threshold (80%).",
    )  # fmt: skip


def image_removed(image: str) -> Said:
    return Said(
        "I", "image_gc_manager.go", f'[imageGCManager]: Removing image "{image}" to free 524288000 bytes',
        f'"Removing image to free bytes" imageID="{image}" size=524288000 runtimeHandler=""',
    )  # fmt: skip


# Requests to the API server that do not get through; `error` says why


def list_failed(kind: str, server: str, error: str) -> Said:
    at = f"https://{server}/api/v1/{kind.lower()}s?limit=500&resourceVersion=0"
    return Said(
        "E", "reflector.go", f"k8s.io/kubernetes/pkg/kubelet/kubelet.go:400: Failed to list *v1.{kind}: Get {at}: {error}",
        f"k8s.io/client-go/informers/factory.go:160: Failed to watch *v1.{kind}: failed to list *v1.{kind}: Get {quoted(at)}: {error}",
    )  # fmt: skip


def status_failed(node: str, server: str, error: str) -> Said:
    at, told = f"https://{server}/api/v1/nodes/{node}", f"error getting node {quoted(node)}: Get "
    return Said(
        "E", "kubelet_node_status.go", f"Error updating node status, will retry: {told}{at}: {error}",
        f'"Error updating node status, will retry" err={quoted(f"{told}{quoted(at)}: {error}")}',
    )  # fmt: skip


def status_given_up() -> Said:
    return Said(
        "E", "kubelet_node_status.go", "Unable to update node status: update node status exceeds retry count",
        '"Unable to update node status" err="update node status exceeds retry count"',
    )  # fmt: skip


def lease_failed(node: str, server: str, error: str) -> Said:
    """1.7 has no leases: its wording is that of 1.14."""
    at = f"https://{server}/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}?timeout=10s"
    return Said(
        "E", "controller.go", f"failed to ensure node lease exists, will retry in 7s, error: Get {at}: {error}",
        f'"Failed to ensure lease exists, will retry" err={quoted(f"Get {quoted(at)}: {error}")} interval="7s"',
    )  # fmt: skip


def node_unknown(node: str) -> Said:
    return Said(
        "E", "eviction_manager.go", f"eviction manager: unexpected err: failed GetNode: node '{node}' not found",
        f'"Eviction manager: failed to get summary stats" err={quoted(f"failed to get node info: node {quoted(node)} not found")}',
        f"eviction manager: failed to get summary stats: failed to get node info: node {quoted(node)} not found",
    )  # fmt: skip


# A start of the kubelet; empty where that release says nothing of it


def registering(node: str) -> Said:
    return Said(
        "I", "kubelet_node_status.go", f"Attempting to register node {node}", f'"Attempting to register node" node="{node}"'
    )


def register_failed(node: str, server: str, error: str) -> Said:
    at = f"https://{server}/api/v1/nodes"
    return Said(
        "E", "kubelet_node_status.go", f"Unable to register node {quoted(node)} with API server: Post {at}: {error}",
        f'"Unable to register node with API server" err={quoted(f"Post {quoted(at)}: {error}")} node="{node}"',
    )  # fmt: skip


def registered(node: str) -> Said:
    return Said(
        "I", "kubelet_node_status.go", f"Node {node} was previously registered", f'"Node was previously registered" node="{node}"'
    )


def node_not_found(node: str) -> Said:
    error = quoted(f"node {quoted(node)} not found")
    return Said(
        "E", "kubelet_node_status.go kubelet.go kubelet_node_status.go", "",
        f'"Error getting the current node from lister" err={error}', f"node {quoted(node)} not found",
    )  # fmt: skip


def network_not_ready() -> Said:
    told = "NetworkReady=false reason:NetworkPluginNotReady message:"
    new = f"{told}Network plugin returns error: cni plugin not initialized"
    return Said(
        "E", "kubelet.go",
        f"Container runtime network not ready: {told}docker: network plugin is not ready: cni config uninitialized",
        f'"Container runtime network not ready" networkReady="{new}"',
    )  # fmt: skip


def pods_skipped() -> Said:
    """Before the first look at the containers: 1.7 counts from the year 1."""
    told = "[container runtime status check may not have completed yet, PLEG is not healthy: pleg has yet to be successful]"
    return Said(
        "IE", "kubelet.go",
        "skipping pod synchronization - [container runtime is down PLEG is not healthy: pleg was last seen active "
        "2562047h47m16.854775807s ago; threshold is 3m0s]",
        f'"Skipping pod synchronization" err="{told}"', f"skipping pod synchronization - {told}",
    )  # fmt: skip


def images_not_counted() -> Said:
    told = "Image garbage collection failed once. Stats initialization may not have completed yet"
    return Said(
        "E", "kubelet.go", f"{told}: unable to find data for container /", f'"{told}" err="invalid capacity 0 on image filesystem"',
        f"{told}: failed to get imageFs info: unable to find data in memory cache",
    )  # fmt: skip


def cni_missing() -> Said:
    told = "Unable to update cni config: {} networks found in /etc/cni/net.d"
    return Said("W", "cni.go", told.format("No"), "", told.format("no"))


START = (
    Said("I", "server.go", "", '"Client rotation is on, will bootstrap in background"', "Client rotation is on, will bootstrap in background"),
    Said("I", "client.go", "Connecting to docker on unix:///var/run/docker.sock", ""),
    Said(
        "I", "kubelet.go", "Adding manifest file: /etc/kubernetes/manifests", '"Adding static pod path" path="/etc/kubernetes/manifests"',
        "Adding pod path: /etc/kubernetes/manifests",
    ),
    Said("I", "kubelet.go apiserver.go kubelet.go", "Watching apiserver", '"Adding apiserver pod source"'),
    Said(
        "I", "kuberuntime_manager.go", "Container runtime docker initialized, version: 1.12.6, apiVersion: 1.24.0",
        '"Container runtime initialized" containerRuntime="containerd" version="1.7.15" apiVersion="v1"',
        "Container runtime docker initialized, version: 19.3.8, apiVersion: 1.40.0",
    ),
    Said("I", "server.go", "Starting to listen on 0.0.0.0:10250", '"Starting to listen" address="0.0.0.0" port=10250'),
    Said("I", "status_manager.go", "Starting to sync pod status with apiserver", '"Starting to sync pod status with apiserver"'),
    Said("I", "volume_manager.go", "Starting Kubelet Volume Manager", '"Starting Kubelet Volume Manager"'),
    Said("I", "container_log_manager.go", "", '"Initializing container log rotate workers" workers=1 monitorPeriod="10s"', ""),
)  # fmt: skip

# What a healthy kubelet says now and then


def pod_ready(pod: Pod, probe: str, status: str) -> Said:
    """The answer to a probe changed."""
    return Said("I", "kubelet.go", "", f'"SyncLoop (probe)" probe="{probe}" status="{status}" {pod.pair}')


def pod_observed(pod: Pod, took_s: float, at: str) -> Said:
    """How long a pod took to start; `at` is a time as Go prints it."""
    pairs = (
        f'"Observed pod startup duration" {pod.pair} podStartSLOduration={took_s} podStartE2EDuration="{took_s}s" '
        f'podCreationTimestamp="{at} +0000 UTC" firstStartedPulling="0001-01-01 00:00:00 +0000 UTC" '
        'lastFinishedPulling="0001-01-01 00:00:00 +0000 UTC" '
        f'observedRunningTime="{at}.5 +0000 UTC m=+{took_s}" watchObservedRunningTime="{at}.5 +0000 UTC m=+{took_s}"'
    )
    return Said("I", "pod_startup_latency_tracker.go", "", pairs)


def volume_gone(pod: Pod, volume: str) -> Said:
    old, new = (
        f'UnmountVolume.TearDown succeeded for volume "kubernetes.io/{plugin}/{pod.uid}-{volume}" (OuterVolumeSpecName: "{volume}") '
        f'pod "{pod.uid}" (UID: "{pod.uid}"). InnerVolumeSpecName "{volume}". PluginName "kubernetes.io/{plugin}", VolumeGidValue ""'
        for plugin in ("secret", "projected")
    )
    return Said("I", "operation_generator.go", old, new)


def container_removed(container: str) -> Said:
    return Said(
        "I", "topology_manager.go topology_manager.go scope.go", "", f'"RemoveContainer" containerID="{container}"',
        f"[topologymanager] RemoveContainer - Container ID: {container}",
    )  # fmt: skip


def container_not_found(container: str) -> Said:
    """Of one that is gone already: with Docker, of a sandbox that ends."""
    told = f"Container {quoted(container)} not found in pod's containers"
    return Said("W", "pod_container_deletor.go", told, "")


def cgroup_gone(pod: Pod, container: str) -> Said:
    """A container is gone before cAdvisor, which is told of it, looks."""
    at = f"/kubepods/besteffort/pod{pod.uid}/{container}"
    return Said(
        "W", "manager.go", "",
        f"Failed to process watch event {{EventType:0 Name:{at} WatchSource:0}}: Error finding container {container}: Status 404 "
        f"returned error can't find the container with id {container}",
        f"Failed to process watch event {{EventType:0 Name:{at} WatchSource:0}}: Error finding container {container}: Status 404 "
        "returned error &{%!s(*http.body=&{{} <nil> <nil> false false {0 0} false false false <nil>}) {%!s(int32=0) %!s(uint32=0)}}",
    )  # fmt: skip


def container_unknown(container: str) -> Said:
    """The kubelet asks for a container that it just removed."""
    told = "rpc error: code = NotFound desc = an error occurred when try to find container "
    return Said(
        "E", "remote_runtime.go",
        f'ContainerStatus "{container}" from runtime service failed: rpc error: code = 2 desc = no such container: "{container}"',
        f'"ContainerStatus from runtime service failed" err={quoted(f"{told}{quoted(container)}: not found")} containerID="{container}"',
        f'ContainerStatus "{container}" from runtime service failed: rpc error: code = Unknown desc = Error: No such container: '
        f"{container}",
    )  # fmt: skip


def container_finished(pod: Pod, container: str, code: int) -> Said:
    return Said(
        "I", "generic.go", "",
        f'"Generic (PLEG): container finished" podID="{pod.uid}" containerID="{container}" exitCode={code}',
    )  # fmt: skip


def volumes_cleaned(pod: Pod) -> Said:
    return Said(
        "I", "kubelet_volumes.go", "",
        f'"Cleaned up orphaned pod volumes dir" podUID="{pod.uid}" path="/var/lib/kubelet/pods/{pod.uid}/volumes"',
    )  # fmt: skip


def watch_ended(kind: str, version: int) -> Said:
    told = f"watch of *v1.{kind} ended with: too old resource version: {version} ({version + 73})"
    return Said(
        "W",
        "reflector.go",
        f"k8s.io/kubernetes/pkg/kubelet/kubelet.go:400: {told}",
        f"k8s.io/client-go/informers/factory.go:160: {told}",
    )


def event_lost(server: str, error: str) -> Said:
    """An event that is to be told later; the dump of the event is cut short."""
    at = f"https://{server}/api/v1/namespaces/default/events"
    event = '&v1.Event{TypeMeta:v1.TypeMeta{Kind:"", APIVersion:""}, Reason:"Pulled"}'
    return Said(
        "E", "event.go", f"Unable to write event: 'Post {at}: {error}' (may retry after sleeping)",
        f'"Unable to write event (may retry after sleeping)" err={quoted(f"Post {quoted(at)}: {error}")} event={quoted(event)}',
    )  # fmt: skip


def certificate_rotated(until: str) -> tuple[Said, ...]:
    """A new certificate of the kubelet's own; `until` is a time as Go prints it."""
    signer = "kubernetes.io/kube-apiserver-client-kubelet: "
    rotating, dated = "Rotating certificates", f"Certificate expiration is {until}, rotation deadline is {until}"
    closed = "ertificate rotation detected, shutting down client connections to start using new credentials"
    return (
        Said("I", "certificate_manager.go", "Requesting new certificate.", signer + rotating, rotating),
        Said("I", "certificate_manager.go", "", signer + dated, dated),
        Said("I", "transport.go cert_rotation.go transport.go", "", f'"C{closed}"', "c" + closed),
    )


def log_gone(container: str) -> Said:
    """A container is removed while its log is to be rotated."""
    error = f"rpc error: code = NotFound desc = an error occurred when try to find container {quoted(container)}: not found"
    return Said(
        "E", "container_log_manager.go", "",
        f'"Failed to get container status" err={quoted(error)} worker=1 containerID="{container}"',
        f"Failed to get container status for {quoted(container)}: rpc error: code = Unknown desc = Error: No such container: {container}",
    )  # fmt: skip


# What fails once: the next try gets through


def lease_lost(node: str, server: str) -> Said:
    """One renewal of a lease; 1.7 has none: there it is the node's status."""
    old = no_answer(f"https://{server}/api/v1/nodes/{node}", OLD)
    at, late = (
        f"https://{server}/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}?timeout=10s",
        "context deadline exceeded",
    )
    return Said(
        "E", "kubelet_node_status.go controller.go",
        f"Error updating node status, will retry: error getting node {quoted(node)}: {old}",
        f'"Failed to update lease" err={quoted(f"Put {quoted(at)}: {late}")}',
        f"failed to update node lease, error: Put {at}: {late}",
    )  # fmt: skip


def image_not_pulled(pod: Pod, image: str) -> tuple[Said, ...]:
    """A pull that the registry does not answer, and what the kubelet makes of it."""
    registry, name, tag = re.split("[/:]", image)
    manifest = f"https://{registry}/v2/{name}/manifests/{tag}"
    late = f"dial tcp: lookup {registry} on 10.0.0.2:53: read udp 10.0.1.1:41210->10.0.0.2:53: i/o timeout"
    daemon = f"Error response from daemon: Get https://{registry}/v2/: {late}"
    new = (
        f"rpc error: code = Unknown desc = failed to pull and unpack image {quoted(image)}: failed to resolve reference {quoted(image)}: "
        f"failed to do request: Head {quoted(manifest)}: {late}"
    )
    old, middle = f"rpc error: code = 2 desc = {daemon}", f"rpc error: code = Unknown desc = {daemon}"
    return (
        Said(
            "E", "remote_image.go", f"PullImage {quoted(image)} from image service failed: {old}",
            f'"PullImage from image service failed" err={quoted(new)} image={quoted(image)}',
            f"PullImage {quoted(image)} from image service failed: {middle}",
        ),
        Said(
            "E", "kuberuntime_image.go", f"Pull image {quoted(image)} failed: {old}",
            f'"Failed to pull image" err={quoted(new)} image={quoted(image)}', f"Pull image {quoted(image)} failed: {middle}",
        ),
        _not_started(pod, f"ErrImagePull: {quoted(old)}", f"ErrImagePull: {quoted(new)}", f"ErrImagePull: {quoted(middle)}"),
        _not_started(pod, *[f"ImagePullBackOff: {quoted(f'Back-off pulling image {quoted(image)}')}"] * 3),
    )  # fmt: skip


def _not_started(pod: Pod, *errors: str) -> Said:
    old, new, middle = (f'failed to "StartContainer" for "{pod.container}" with {error}' for error in errors)
    told = f'Error syncing pod {pod.uid} ("{pod.glog}"), skipping: '
    return Said(
        "E", "pod_workers.go", told + old, f'"Error syncing pod, skipping" err={quoted(new)} {pod.pair} podUID="{pod.uid}"',
        told + middle,
    )  # fmt: skip


def not_mounted(pod: Pod, plugin: str, volume: str, error: str, until: str) -> Said:
    """`plugin` is secret or configmap; `until` is the time of the next try as Go prints it."""
    name = f"kubernetes.io/{plugin}/{pod.uid}-{volume}"
    told = f'MountVolume.SetUp failed for volume "{volume}" (UniqueName: "{name}") pod "{pod.name}" (UID: "{pod.uid}") : {error}'
    tried = f"No retries permitted until {until} +0000 UTC m=+812.5 (durationBeforeRetry 500ms). "
    new = f'Operation for "{{volumeName:{name} podName:{pod.uid} nodeName:}}" failed. {tried}'
    operation = quoted(f'"{name}" ("{pod.uid}")')
    return Said(
        "E", "nestedpendingoperations.go",
        f"Operation for {operation} failed. No retries permitted until {until} +0000 UTC (durationBeforeRetry 500ms). Error: {told}",
        f"{new}Error: {told}",
        f"Operation for {operation} failed. {tried}Error: {quoted(told)}",
    )  # fmt: skip


def secret_missing(pod: Pod, name: str) -> Said:
    told = f"Couldn't get secret {pod.namespace}/{name}: secret {quoted(name)} not found"
    return Said("E", "secret.go", told, told)


def no_network(pod: Pod) -> Said:
    """A pod that waits for it."""
    told = "NetworkReady=false reason:NetworkPluginNotReady message:"
    old = f"network is not ready: [runtime network not ready: {told}docker: network plugin is not ready: cni config uninitialized]"
    middle = f"network is not ready: runtime network not ready: {told}docker: network plugin is not ready: cni config uninitialized"
    new = (
        f"network is not ready: container runtime network not ready: {told}Network plugin returns error: cni plugin not initialized"
    )
    skipped = f'Error syncing pod {pod.uid} ("{pod.glog}"), skipping: '
    return Said(
        "E", "pod_workers.go", skipped + old, f'"Error syncing pod, skipping" err="{new}" {pod.pair} podUID="{pod.uid}"',
        skipped + middle,
    )  # fmt: skip


def stranger_turned_away() -> Said:
    """Somebody asks the kubelet without saying who he is."""
    return Said(
        "I", "server.go", "Forbidden (user=system:anonymous, verb=get, resource=nodes, subresource=proxy)",
        '"Forbidden" user="system:anonymous" verb="get" resource="nodes" subresource="proxy"',
    )  # fmt: skip


# What the API server says


def shook_no_hands(peer: str) -> Said:
    told = f"http: TLS handshake error from {peer}: EOF"
    return Said("I", "logs.go log.go", told, told)


def anonymous_denied() -> Said:
    """Said by default until 1.18."""
    told = 'RBAC DENY: user "system:anonymous" groups ["system:unauthenticated"] cannot "get" nonResourceURL "/" cluster-wide'
    return Said("I", "rbac.go", told, "")


def leader_changed() -> Said:
    """The members of etcd chose another leader; the etcd of 1.7 has no words of its own for it."""
    told = "apiserver received an error that is not an metav1.Status: "
    error = 'rpctypes.EtcdError{code:0xe, desc:"etcdserver: leader changed"}'
    return Said(
        "E", "status.go", f"{told}etcdserver: request timed out, possibly due to previous leader failure",
        f"{told}{error}: etcdserver: leader changed", told + error,
    )  # fmt: skip
