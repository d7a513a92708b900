"""What a kubelet says of pods and of its API server → severity, file and body, as 1.7 writes it (glog) and as 1.30 does (pairs)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

COMPONENTS = ("kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler")
BACK_OFFS = ("10s", "20s", "40s", "1m20s", "2m40s", "5m0s")


class Said(NamedTuple):
    """One message in its two wordings; lines behind the first are lines of their own in the journal."""

    severity: str  # where it changed, the old and the new
    file: str
    glog: str
    pairs: str

    def written(self, glog: bool) -> tuple[str, str, str]:
        return self.severity[0 if glog else -1], self.file, self.glog if glog else self.pairs


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


def refusal(server: str, glog: bool) -> str:
    return f"dial tcp {server}: {'getsockopt' if glog else 'connect'}: connection refused"


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
    told = (
        f'MountVolume.SetUp succeeded for volume "{volume}" (UniqueName: "kubernetes.io/projected/{pod.uid}-{volume}") '
        f'pod "{pod.name}" (UID: "{pod.uid}") '
    )
    return Said("I", "operation_generator.go", told.rstrip(), f"{quoted(told)} {pod.pair}")


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
    )  # fmt: skip


# Images


def images_too_many() -> Said:
    return Said(
        "I", "image_gc_manager.go",
        '[imageGCManager]: Disk usage on "/dev/sda1" (/) is at 86% which is over the high threshold (85%). Trying to free 1288490188 '
        "bytes",
        '"Disk usage on image filesystem is over the high threshold, trying to free bytes down to the low threshold" usage=86 '
        "highThreshold=85 amountToFree=1288490188 lowThreshold=80",
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
        "E", "kubelet_node_status.go", f"Error updating node status, will retry: error getting node {quoted(node)}: node not found",
        f'"Error getting the current node from lister" err={error}',
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
    return Said(
        "IE", "kubelet.go", "skipping pod synchronization - [container runtime is down]",
        '"Skipping pod synchronization" err="[container runtime status check may not have completed yet, PLEG is not healthy: pleg has '
        'yet to be successful]"',
    )  # fmt: skip


def images_not_counted() -> Said:
    told = "Image garbage collection failed once. Stats initialization may not have completed yet"
    return Said(
        "E", "kubelet.go", f"{told}: unable to find data for container /", f'"{told}" err="invalid capacity 0 on image filesystem"'
    )


def cni_missing() -> Said:
    return Said("W", "cni.go", "Unable to update cni config: No networks found in /etc/cni/net.d", "")


START = (
    Said("I", "client.go", "Connecting to docker on unix:///var/run/docker.sock", ""),
    Said("I", "kubelet.go", "Adding manifest file: /etc/kubernetes/manifests", '"Adding static pod path" path="/etc/kubernetes/manifests"'),
    Said("I", "kubelet.go", "Watching apiserver", '"Adding apiserver pod source"'),
    Said(
        "I", "kuberuntime_manager.go", "Container runtime docker initialized, version: 1.12.6, apiVersion: 1.24.0",
        '"Container runtime initialized" containerRuntime="containerd" version="1.7.15" apiVersion="v1"',
    ),
    Said("I", "server.go", "Starting to listen on 0.0.0.0:10250", '"Starting to listen" address="0.0.0.0" port=10250'),
    Said("I", "server.go", "", '"Client rotation is on, will bootstrap in background"'),
    Said("I", "status_manager.go", "Starting to sync pod status with apiserver", '"Starting to sync pod status with apiserver"'),
    Said("I", "volume_manager.go", "Starting Kubelet Volume Manager", '"Starting Kubelet Volume Manager"'),
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
    told = (
        f'UnmountVolume.TearDown succeeded for volume "kubernetes.io/projected/{pod.uid}-{volume}" (OuterVolumeSpecName: "{volume}") '
        f'pod "{pod.uid}" (UID: "{pod.uid}"). InnerVolumeSpecName "{volume}". PluginName "kubernetes.io/projected", VolumeGidValue ""'
    )
    return Said("I", "operation_generator.go", told, told)


def container_removed(container: str) -> Said:
    return Said("I", "scope.go", "", f'"RemoveContainer" containerID="{container}"')


def container_unknown(container: str) -> Said:
    """The kubelet asks for a container that it just removed."""
    told = "rpc error: code = NotFound desc = an error occurred when try to find container "
    return Said(
        "E", "remote_runtime.go",
        f'ContainerStatus "{container}" from runtime service failed: rpc error: code = 2 desc = no such container: "{container}"',
        f'"ContainerStatus from runtime service failed" err={quoted(f"{told}{quoted(container)}: not found")} containerID="{container}"',
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


def certificate_rotated() -> Said:
    return Said(
        "I", "transport.go", "",
        '"Certificate rotation detected, shutting down client connections to start using new credentials"',
    )  # fmt: skip
