"""Laws of the correlator on histories: nodes that start, fill, crash, lose their API server and recover, read as they write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kubelog.timeline import Change, Correlator, Incident, Timeline
from kubelog.timeline.cluster import MERGED
from kubelog.timeline.correlator import RULES
from tests.histories import CAUSES, SERVER, Node
from tests.strategies import DEFAULTS, Line, log_bytes, ordered
from tests.test_laws import Tail, batch, by_line, check, shown, without_places
from tests.words import COMPONENTS, RELEASES

# Incidents that are none where another one spans them, or that become one with those of other nodes.
YIELDING = frozenset(rule.kind for rule in RULES if rule.yields) | MERGED
NAMES = ("n1", "n2", "n3")
PODS = st.sampled_from(["web-0", "db-1", "coredns-5d78c-x2"])
OUTPUTS = st.sampled_from(
    [
        "HTTP probe failed with statuscode: 401",
        "HTTP probe failed with statuscode: 500",
        "Get http://10.244.1.7:8443/healthz: net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
        r'Get http://10.244.1.7:8443/healthz: malformed HTTP response "\x15\x03\x01\x00\x02\x02"',
        "HTTP probe failed with statuscode: 500\n[-]etcd failed: reason withheld\nhealthz check failed",
    ]
)


def befalls(**drawn: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """A rule: it befalls one of the nodes; then a share of what waits is delivered, in pieces."""

    def ruled(act: Callable[..., None]) -> Any:
        def step(self: Histories, which: int, share: float, cuts: list[float], **what: Any) -> None:
            act(self, self.nodes[which % len(self.nodes)], **what)
            self.deliver(share, cuts)

        step.__name__ = act.__name__
        shared = {
            "which": st.integers(0, 2),
            "share": st.sampled_from([1.0, 0.4, 0.0]),
            "cuts": st.lists(st.floats(0, 1), max_size=3),
        }
        given: dict[str, Any] = {**shared, **drawn}
        return rule(**given)(step)

    return ruled


class Histories(RuleBasedStateMachine):
    """One to three nodes write; a tail reads what they wrote, cut anywhere, and is saved and resumed meanwhile.

    What a node writes waits until it is delivered, in the order of arrival: some lines come late by less than the window.
    """

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.delays_s: list[float] = [0.0]
        self.waiting: list[Line] = []
        self.came: list[Line] = []
        self.data = b""
        self.tail = Tail()
        self.resumed: Tail | None = None  # a tail that went on where the other was saved
        self.changes: list[Change] = []

    # What befalls a node

    @initialize(
        releases=st.lists(st.sampled_from(RELEASES), min_size=1, max_size=3),
        apart_s=st.sampled_from([0.0, 0.25, 700.0]),
        delays_s=st.sampled_from([[0.0], [0.0, 0.001, 0.7], [0.0, 11.0, 29.0]]),
    )
    def begin(self, releases: list[int], apart_s: float, delays_s: list[float]) -> None:
        self.delays_s = delays_s
        for number, (name, release) in enumerate(zip(NAMES, releases, strict=False), 1):
            node = Node(name, release=release, number=number)
            node.wait(apart_s * number)
            self.nodes.append(node)

    @befalls(thresholds=st.sampled_from([DEFAULTS, (("nodefs.available", "5%"),)]))
    def start_the_kubelet(self, node: Node, thresholds: Any) -> None:
        node.start(thresholds)
        node.up()

    @befalls(thresholds=st.sampled_from([DEFAULTS, (("nodefs.available", "5%"),)]))
    def restart_the_kubelet(self, node: Node, thresholds: Any) -> None:
        node.restart(thresholds)

    @befalls()
    def reboot(self, node: Node) -> None:
        node.reboot()

    @befalls(cause=st.sampled_from([*CAUSES, "panic"]), times=st.integers(1, 5), lived_s=st.sampled_from([0.2, 30.0, 400.0]))
    def crash_the_kubelet(self, node: Node, cause: str, times: int, lived_s: float) -> None:
        for counter in range(times):
            node.wait(lived_s)
            node.crash(cause, counter + 1)

    @befalls(pod=PODS)
    def begin_or_end_a_pod(self, node: Node, pod: str) -> None:
        if pod in node.pods:
            node.end_pod(pod)
        else:
            node.begin_pod(pod)

    @befalls(pods=st.lists(PODS, min_size=1, max_size=2, unique=True), turn=st.integers(1, 3))
    def roll_out_a_deployment(self, node: Node, pods: list[str], turn: int) -> None:
        node.roll(pods, turn)

    @befalls(pod=PODS, output=OUTPUTS, times=st.integers(1, 3), back_off=st.sampled_from([None, "10s", "5m0s"]))
    def fail_the_probes_of_a_pod(self, node: Node, pod: str, output: str, times: int, back_off: str | None) -> None:
        for _ in range(times):
            node.wait(10)
            node.fail_probe(pod, "Liveness", output)
        if times == 3:
            node.kill_unhealthy(pod, back_off)

    @befalls(component=st.sampled_from([SERVER, *COMPONENTS]), kills=st.integers(1, 3), output=OUTPUTS)
    def kill_a_component(self, node: Node, component: str, kills: int, output: str) -> None:
        node.loop(component, kills, output)

    @befalls(component=st.sampled_from([SERVER, *COMPONENTS]), probe=st.sampled_from(["Liveness", "Readiness", "Startup"]))
    def fail_a_probe_of_a_component(self, node: Node, component: str, probe: str) -> None:
        node.fail_probe(node.static(component), probe)

    @befalls(component=st.sampled_from([SERVER, *COMPONENTS]))
    def upgrade_a_component(self, node: Node, component: str) -> None:
        node.kill(node.static(component))
        node.end_container(node.static(component))
        node.miss_server(1)
        node.begin_container(node.static(component))

    @befalls(rounds=st.integers(1, 6))
    def lose_the_api_server(self, node: Node, rounds: int) -> None:
        node.miss_server(rounds)

    @befalls(resource=st.sampled_from(["nodefs", "imagefs", "memory"]), deed=st.sampled_from(["evict", "none"]), pod=PODS)
    def fill_the_disk(self, node: Node, resource: str, deed: str, pod: str) -> None:
        node.fill(resource, deed, pod)

    @befalls(after_s=st.sampled_from([5.0, 310.0]))
    def free_the_disk(self, node: Node, after_s: float) -> None:
        node.free(after_s)

    @befalls()
    def collect_images(self, node: Node) -> None:
        node.collect_images()

    @befalls(count=st.sampled_from([3, 1500]))
    def drop_lines(self, node: Node, count: int) -> None:
        node.suppress(count)

    @befalls(lines=st.integers(1, 3), apart_s=st.sampled_from([0.0, 20.0, 299.0, 605.0]))
    def chatter(self, node: Node, lines: int, apart_s: float) -> None:
        for turn in range(lines):
            node.wait(apart_s)
            node.chatter(len(self.came) + turn)

    @befalls(seconds=st.sampled_from([25, 310, 590, 601, 1900, 7200]))
    def be_silent(self, node: Node, seconds: int) -> None:
        node.wait(seconds)
        node.chatter(1)

    @befalls()
    def let_the_clock_stand_or_go(self, node: Node) -> None:
        node.stands = not node.stands

    # What is read

    @precondition(lambda self: self.came)
    @rule()
    def save_and_resume(self) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "state"
            self.tail.correlator.reading = self.tail.live.place()
            self.tail.correlator.save(path)
            resumed = Tail(correlator=Correlator.load(path))
        resumed.live.resume(resumed.correlator.reading)
        assert resumed.push(self.data[resumed.live.reader.offset :]) == []
        self.resumed = resumed

    def deliver(self, share: float, cuts: list[float]) -> None:
        """A share of what waits comes, in the order of arrival."""
        self.waiting += (line for node in self.nodes for line in node.take())
        self.waiting.sort(key=self.arrival)
        wanted = round(share * len(self.waiting))
        lines, self.waiting = self.waiting[:wanted], self.waiting[wanted:]
        data = log_bytes(lines)
        places = sorted(int(share * len(data)) for share in cuts)
        before = self.told()
        withdrawn = set()
        for a, b in zip([0, *places], [*places, len(data)], strict=True):
            changes = self.tail.push(data[a:b])
            if self.resumed is not None:
                assert self.resumed.push(data[a:b]) == changes
            # What yields is none where an incident turns out to span it.
            told = (change.incident for change in changes if change.incident.kind not in YIELDING)
            withdrawn |= {incident.id for incident in told if incident.episodes == 0}
            self.changes += changes
        self.came += lines
        self.data += data
        self._check_ids(before, withdrawn)

    def told(self) -> dict[str, Incident]:
        return {incident.id: incident for incident in self.tail.correlator.incidents() if incident.kind not in YIELDING}

    def arrival(self, line: Line) -> Any:
        """Lines that were written at the same moment stay together."""
        return line.at + timedelta(seconds=self.delays_s[line.at.microsecond % len(self.delays_s)])

    def _check_ids(self, before: dict[str, Incident], withdrawn: set[str]) -> None:
        """An incident that was told keeps its id: it does not vanish unless it is withdrawn, nor become another."""
        now = self.told()
        assert before.keys() - now.keys() <= withdrawn
        assert not withdrawn or any(self.delays_s)  # only a line that comes late takes one back
        for id, told in before.items():
            if id in now:
                assert (told.kind, told.node) == (now[id].kind, now[id].node)
                assert told.subject.items() <= now[id].subject.items()  # a late line may say more of it

    @invariant()
    def what_a_tail_says_is_what_a_batch_over_the_lines_so_far_says(self) -> None:
        found = self.tail.shown()
        assert found == batch(self.data)
        assert shown(Timeline(self.changes)) == found
        if self.resumed is not None:
            assert self.resumed.shown() == found
        for incident in self.tail.correlator.incidents():
            check(incident)

    def teardown(self) -> None:
        if not self.nodes:
            return
        self.deliver(1.0, [])
        assert self.tail.correlator.flush() == []
        found = self.tail.shown()
        assert batch(*by_line(self.data)) == found
        # Neither lines that come late nor the lines of other nodes matter.
        assert without_places(batch(log_bytes(ordered(self.came)))) == without_places(found)
        assert {name for incident in found["incidents"] for name in incident["nodes"]} <= {node.name for node in self.nodes}
        if any(incident["node"] is None for incident in found["incidents"]):
            return  # nodes that share an endpoint are told together
        for node in self.nodes:
            alone = batch(log_bytes(line for line in self.came if line.node == node.name))
            mine = {what: [one for one in found[what] if one["node"] == node.name] for what in ("incidents", "gaps")}
            assert without_places(mine) == without_places(alone)
        self.tail.push(b"", final=True)
        assert self.tail.shown() == found


TestHistories = Histories.TestCase
TestHistories.settings = settings(stateful_step_count=30)
