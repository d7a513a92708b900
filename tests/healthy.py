"""A healthy day of a busy node: what its journal says from midnight to midnight, in which there is no incident.

The kubelet is started, with the errors that every start has; pods come and go, deployments roll, jobs fail now and then, images are
collected, the API server is upgraded. The model of the node is `tests.histories`; nothing here is random.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tests import words
from tests.histories import SERVER, Node
from tests.strategies import Line
from tests.words import COMPONENTS

MIDNIGHT = datetime(2017, 10, 16)
DEPLOYMENTS = ("web", "cart", "search", "queue")
REPLICAS = 3
VOLUME = "kube-api-access-x7k2p"


def healthy_day(name: str = "n1", at: datetime = MIDNIGHT, *, glog: bool, number: int = 1) -> list[Line]:
    """The lines of a day in the order of time; of one node, whose number sets it apart from others."""
    day = _Day(Node(name, at, glog=glog, number=number))
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
    return sorted(day.node.lines, key=lambda line: line.at)


class _Day:
    """Each of its parts goes to a time of the day and writes from there."""

    def __init__(self, node: Node) -> None:
        self.node, self.midnight = node, node.at
        self.error = words.refusal(node.server, node.glog)
        self.running = {name: [f"{name}-{0:010x}-{n}" for n in range(REPLICAS)] for name in DEPLOYMENTS}

    def at(self, hour: int, minute: int, seconds: float = 0) -> None:
        # Nodes do the same at the same time of day, but not in the same second.
        self.node.at = self.midnight + timedelta(hours=hour, minutes=minute, seconds=seconds + 3.7 * self.node.number)

    # The start

    def start_up(self) -> None:
        node = self.node
        self.at(0, 0)
        node.raw("kernel", f"[0.000000] Linux version {'4.4.0' if node.glog else '6.1.0'}")
        node.start()
        for said in words.START:
            node.say(said)
        node.up()
        node.say(words.images_not_counted())
        node.say(words.pods_skipped())
        for turn in range(5):
            self._ask_in_vain(turn)
            if turn == 1:
                for component in COMPONENTS:
                    node.begin_pod(node.static(component))
            if turn > 1:
                self._answer_late(turn)
            node.wait(4)
        node.say(words.registering(node.name))
        node.say(words.registered(node.name))
        node.known("recorded", event="NodeReady")
        for component in COMPONENTS:
            node.say(words.pod_ready(node.pod(node.static(component)), "readiness", "ready"))
        for pods in self.running.values():
            for pod in pods:
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
        if not node.glog:
            node.say(words.node_not_found(node.name))
            node.say(words.lease_failed(node.name, node.server, self.error))

    def _answer_late(self, turn: int) -> None:
        """A probe of the API server that comes up; a kubelet of 1.7 waits for it, and knows no startup probes."""
        pod = self.node.static(SERVER)
        if self.node.glog:
            if turn == 4:
                self.node.fail_probe(pod, "Readiness")
            return
        refused = f'Get "https://{self.node.server}/livez": {self.error}'
        self.node.fail_probe(
            pod, "Startup" if turn < 4 else "Readiness", refused if turn < 4 else "HTTP probe failed with statuscode: 500"
        )

    # Pods

    def _begin(self, pod: str) -> None:
        """Until it is ready its probe fails once or twice."""
        node = self.node
        node.begin_pod(pod)
        node.say(words.mounted(node.pod(pod), VOLUME))
        for _ in range(1 + len(node.pods) % 2):
            node.wait(1)
            node.fail_probe(pod, "Readiness", f"Get http://10.244.{node.number}.9:8080/ready: dial tcp 10.244.{node.number}.9:8080: "
                            f"{'getsockopt' if node.glog else 'connect'}: connection refused")  # fmt: skip
        node.say(words.pod_ready(node.pod(pod), "readiness", "ready"))
        node.say(words.pod_observed(node.pod(pod), 2.5, f"{node.at:%Y-%m-%d %H:%M:%S}"))

    def _end(self, pod: str) -> None:
        node, container = self.node, self.node.id_of(pod)
        node.end_pod(pod)
        node.say(words.pod_ready(node.pod(pod), "readiness", ""))
        node.say(words.container_removed(container))
        node.say(words.container_unknown(container))
        node.say(words.volume_gone(node.pod(pod), VOLUME))
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
        """One in 50 ends with exit code 1: it is run again, as another pod."""
        node, number = self.node, hour * 60 + minute
        failures = number % 250 == 25
        self.at(hour, minute)
        for attempt in range(1 + failures):
            pod = f"report-{25_000_000 + number}-{attempt}"
            node.begin_pod(pod)
            node.say(words.mounted(node.pod(pod), VOLUME))
            node.wait(11)
            container = node.id_of(pod)
            node.say(words.container_finished(node.pod(pod), container, int(failures and not attempt)))
            node.end_container(pod)
            node.say(words.synced(node.pod(pod), "UPDATE"))
            node.say(words.synced(node.pod(pod), "DELETE"))
            node.say(words.volume_gone(node.pod(pod), VOLUME))
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

    def rotate_certificate(self) -> None:
        self.at(9, 33)
        self.node.say(words.certificate_rotated())
        for turn in range(3):
            self.node.say(words.watch_ended(("Pod", "Service", "Node")[turn], 900_000))

    def upgrade_the_api_server(self) -> None:
        """A new manifest: the old pod is stopped, and for 40 s there is no server."""
        node = self.node
        pod = node.static(SERVER)
        self.at(12, 2)
        node.say(words.synced(node.pod(pod), "REMOVE", "file"))
        node.kill(pod)
        node.end_container(pod)
        for turn in range(4):
            node.miss_server(1)
            node.say(words.event_lost(node.server, self.error))
            if turn in (1, 2):
                self._lose_leases(None if turn == 1 else "10s")
            if turn == 1:
                node.change_manifest(pod)
                node.begin_pod(pod)
            if turn > 1 and not node.glog:
                node.fail_probe(pod, "Startup", f'Get "https://{node.server}/livez": {self.error}')
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
