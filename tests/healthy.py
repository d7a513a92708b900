"""A healthy day of a busy node: what its journal says from midnight to midnight, in which there is no incident.

The kubelet is started, with the errors that every start has; pods come and go, deployments roll, jobs fail now and then, images are
collected, certificates renewed, the API server is upgraded; and what a node tries again fails once. The model of the node is
`tests.histories`; nothing here is random.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tests import words
from tests.histories import SERVER, Node
from tests.strategies import Line
from tests.words import COMPONENTS, NEW, OLD

MIDNIGHT = datetime(2017, 10, 16)
DEPLOYMENTS = ("web", "cart", "search", "queue")
REPLICAS = 3


def healthy_day(name: str = "n1", at: datetime = MIDNIGHT, *, release: int, number: int = 1) -> list[Line]:
    """The lines of a day in the order of time; of one node, whose number sets it apart from others."""
    day = _Day(Node(name, at, release=release, number=number))
    day.start_up()
    for hour in range(24):
        for minute in range(5, 60, 5):
            day.run_a_job(hour, minute)
        day.roll_out(hour)
    for minute in range(1, 1440, 2):
        day.murmur(minute)
    for hour in (3, 15):
        day.at(hour, 11)
        day.node.collect_images()
    for hour in (0, 6, 18):
        day.rotate_logs(hour)
    day.rotate_certificate()
    day.upgrade_the_api_server()
    day.crash_a_pod()
    day.fail_once()
    return sorted(day.node.lines, key=lambda line: line.at)


class _Day:
    """Each of its parts goes to a time of the day and writes from there."""

    def __init__(self, node: Node) -> None:
        self.node, self.midnight = node, node.at
        self.error = words.refusal(node.server, node.release)
        self.volume = "kube-api-access-x7k2p" if node.release == NEW else "default-token-x7k2p"
        self.running = {name: [f"{name}-{0:010x}-{n}" for n in range(REPLICAS)] for name in DEPLOYMENTS}

    def at(self, hour: int, minute: int, seconds: float = 0) -> None:
        # Nodes do the same at the same time of day, but not in the same second.
        self.node.at = self.midnight + timedelta(hours=hour, minutes=minute, seconds=seconds + 3.7 * self.node.number)

    # The start

    def start_up(self) -> None:
        node = self.node
        self.at(0, 0)
        node.raw("kernel", f"[0.000000] Linux version {node.kernel}")
        node.start()
        for said in words.START:
            node.say(said)
        node.up(ready=False)
        node.say(words.images_not_counted())
        node.say(words.pods_skipped())
        for turn in range(5):
            self._ask_in_vain(turn)
            if turn == 1:
                for component in COMPONENTS:
                    node.begin_pod(node.static(component))
            if turn == 2:
                node.say(words.no_network(node.pod("coredns-5d78c-x2")))
            if turn > 1:
                self._answer_late(turn)
            node.wait(4)
        node.say(words.registering(node.name))
        node.say(words.registered(node.name))
        node.known("recorded", event="NodeReady")
        for component in COMPONENTS:
            node.say(words.pod_ready(node.pod(node.static(component)), "readiness", "ready"))
        for pod in ("coredns-5d78c-x2", *(pod for pods in self.running.values() for pod in pods)):
            self._begin(pod)

    def _ask_in_vain(self, turn: int) -> None:
        """The API server, a static pod of this node, is not there yet; nor is the network."""
        node = self.node
        node.say(words.list_failed(("Pod", "Node", "Service")[turn % 3], node.server, self.error))
        node.say(words.registering(node.name))
        node.say(words.register_failed(node.name, node.server, self.error))
        node.say(words.network_not_ready())
        node.say(words.cni_missing())
        node.say(words.node_unknown(node.name))
        if node.release != OLD:
            node.say(words.node_not_found(node.name))
            node.say(words.lease_failed(node.name, node.server, self.error))

    def _answer_late(self, turn: int) -> None:
        """A probe of the API server that comes up; a kubelet of 1.7 waits for it, and knows no startup probes."""
        pod = self.node.static(SERVER)
        if self.node.release == OLD:
            if turn == 4:
                self.node.fail_probe(pod, "Readiness")
            return
        refused = self._refused()
        self.node.fail_probe(
            pod, "Startup" if turn < 4 else "Readiness", refused if turn < 4 else "HTTP probe failed with statuscode: 500"
        )

    def _refused(self) -> str:
        """What a probe of the API server gets where it does not listen."""
        url = f"https://{self.node.server}/livez"
        return f"Get {words.quoted(url) if self.node.release == NEW else url}: {self.error}"

    # Pods

    def _begin(self, pod: str) -> None:
        """Until it is ready its probe fails once or twice."""
        node = self.node
        node.begin_pod(pod)
        node.say(words.mounted(node.pod(pod), self.volume))
        for _ in range(1 + len(node.pods) % 2):
            node.wait(1)
            at = f"10.244.{node.number}.9:8080"
            node.fail_probe(pod, "Readiness", f"Get http://{at}/ready: {words.refusal(at, node.release)}")
        node.say(words.pod_ready(node.pod(pod), "readiness", "ready"))
        node.say(words.pod_observed(node.pod(pod), 2.5, f"{node.at:%Y-%m-%d %H:%M:%S}"))

    def _end(self, pod: str) -> None:
        node, container = self.node, self.node.id_of(pod)
        node.end_pod(pod)
        node.say(words.pod_ready(node.pod(pod), "readiness", ""))
        node.say(words.container_removed(container))
        node.say(words.container_unknown(container))
        node.say(words.container_not_found(container))
        node.say(words.cgroup_gone(node.pod(pod), container))
        node.say(words.volume_gone(node.pod(pod), self.volume))
        node.say(words.volumes_cleaned(node.pod(pod)))

    def roll_out(self, hour: int) -> None:
        """Each deployment gets a new template: a pod at a time."""
        for turn, (name, pods) in enumerate(self.running.items()):
            self.at(hour, 20 + 7 * turn)
            for n, old in enumerate(pods):
                pods[n] = f"{name}-{hour + 1:010x}-{n}"
                self._begin(pods[n])
                self.node.wait(8)
                self._end(old)

    def run_a_job(self, hour: int, minute: int) -> None:
        """One in 50 ends with exit code 1: it is deleted, and run again as another pod."""
        node, number = self.node, hour * 60 + minute
        failures = number % 250 == 25
        self.at(hour, minute)
        for attempt in range(1 + failures):
            pod = f"report-{25_000_000 + number}-{attempt}"
            node.begin_pod(pod)
            node.say(words.mounted(node.pod(pod), self.volume))
            node.wait(11)
            container = node.id_of(pod)
            node.say(words.container_finished(node.pod(pod), container, int(failures and not attempt)))
            node.end_container(pod)
            node.say(words.synced(node.pod(pod), "UPDATE"))
            node.say(words.synced(node.pod(pod), "DELETE"))
            node.say(words.volume_gone(node.pod(pod), self.volume))
            node.say(words.synced(node.pod(pod), "REMOVE"))
            node.say(words.container_removed(container))
            node.pods.remove(pod)

    def crash_a_pod(self) -> None:
        """Once; it is started again at once, as a first crash is."""
        self.at(17, 44)
        pod = self.running["search"][0]
        self.node.end_container(pod)
        self.node.say(words.container_removed(self.node.id_of(pod)))
        self.node.begin_container(pod)

    # The rest

    def murmur(self, minute: int) -> None:
        self.at(0, minute, 31)
        self.node.chatter(minute)
        if minute % 3 == 0:
            self.node.say(words.watch_ended(("Pod", "Service", "ConfigMap")[minute % 9 // 3], 1000 * minute))

    def rotate_logs(self, hour: int) -> None:
        self.at(hour, 7)
        self.node.systemd("Starting Rotate log files...")
        self.node.systemd("logrotate.service: Deactivated successfully." if not self.node.glog else "Started Rotate log files.")
        self.node.raw("systemd-journald[312]", "Vacuuming done, freed 128.0M of archived journals from /var/log/journal.")
        self.node.say(words.log_gone(self.node.id_of(self.running["queue"][0])))

    def rotate_certificate(self) -> None:
        self.at(9, 33)
        for said in words.certificate_rotated(f"{self.midnight + timedelta(days=300):%Y-%m-%d %H:%M:%S} +0000 UTC"):
            self.node.say(said)
        for turn in range(3):
            self.node.say(words.watch_ended(("Pod", "Service", "Node")[turn], 900_000))

    def upgrade_the_api_server(self) -> None:
        """A new manifest: the old pod is stopped, and for a minute there is no server."""
        node = self.node
        pod = node.static(SERVER)
        self.at(12, 2)
        node.say(words.synced(node.pod(pod), "REMOVE", "file"))
        node.kill(pod)
        node.end_container(pod)
        for turn in range(6):
            node.miss_server(1)
            node.say(words.event_lost(node.server, self.error))
            if turn in (1, 2):
                self._lose_leases(None if turn == 1 else "10s")
            if turn == 1:
                node.change_manifest(pod)
                node.begin_pod(pod)
            if turn > 1 and node.release != OLD:
                node.fail_probe(pod, "Startup", self._refused())
        for component in COMPONENTS[2:]:
            node.begin_container(node.static(component))
        node.fail_probe(pod, "Readiness")
        node.say(words.pod_ready(node.pod(pod), "readiness", "ready"))

    def _lose_leases(self, back_off: str | None) -> None:
        """What cannot renew its lease ends, and is started again: at once, then after a while."""
        for component in COMPONENTS[2:]:
            pod = self.node.static(component)
            self.node.end_container(pod)
            if back_off is None:
                self.node.begin_container(pod)
            else:
                self.node.say(words.held_back(self.node.pod(pod), back_off))

    # What fails once

    def fail_once(self) -> None:
        """The next try of each gets through."""
        for hour in (2, 8, 14, 20):
            self.at(hour, 41)
            self._time_out(self.running["cart"][hour % REPLICAS], "Readiness")
        self.at(10, 15)
        self._time_out(self.running["web"][0], "Liveness")
        self.at(11, 14)
        self.node.say(words.lease_lost(self.node.name, self.node.server))
        self.at(13, 14)
        self._pull_twice("batch-0")
        self.at(14, 14)
        self._mount_twice("mail-0", "configmap", "mail", 'object "default"/"mail" not registered')
        self.at(16, 14)
        self._mount_twice("mail-1", "secret", "mail-key", 'secret "mail-key" not found')
        self._strangers()

    def _time_out(self, pod: str, probe: str) -> None:
        url = f"http://10.244.{self.node.number}.9:8080/{'ready' if probe == 'Readiness' else 'live'}"
        self.node.fail_probe(pod, probe, words.no_answer(url, self.node.release))

    def _pull_twice(self, name: str) -> None:
        """The registry does not answer; half a minute later it does."""
        node, pod = self.node, self.node.pod(name)
        node.say(words.synced(pod, "ADD"))
        node.say(words.sandbox_missing(pod))
        node.wait(1)
        node.say(words.pleg(pod, "ContainerStarted", f"{node.count:064x}"))
        *failed, held = words.image_not_pulled(pod, "registry.example/batch:7")
        node.wait(10)
        for said in failed:
            node.say(said)
        node.wait(1)
        node.say(held)
        node.wait(14)
        node.begin_container(name)

    def _mount_twice(self, name: str, plugin: str, volume: str, error: str) -> None:
        """What a pod mounts is made after it."""
        node, pod = self.node, self.node.pod(name)
        node.say(words.synced(pod, "ADD"))
        if plugin == "secret":
            node.say(words.secret_missing(pod, volume))
        node.say(words.not_mounted(pod, plugin, volume, error, f"{node.at + timedelta(seconds=0.5):%Y-%m-%d %H:%M:%S.%f}"))
        node.wait(0.6)
        node.say(words.mounted(pod, volume))
        node.say(words.sandbox_missing(pod))
        node.wait(1)
        node.begin_container(name)

    def _strangers(self) -> None:
        """A port scan and a monitoring without credentials; and etcd, which chooses another leader."""
        self.at(5, 52)
        self.node.serve(words.shook_no_hands(f"10.0.{self.node.number}.9:48230"))
        self.at(7, 52)
        self.node.serve(words.anonymous_denied())
        self.node.say(words.stranger_turned_away())
        self.at(19, 14)
        self.node.serve(words.leader_changed())
