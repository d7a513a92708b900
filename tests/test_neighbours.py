"""Cases in company: a healthy day has no incident, and a log says the same among the lines of nodes that have nothing to do with it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kubelog.ingest.inputs.sources import Source, expand
from kubelog.live import LiveReader
from kubelog.pipeline import Log
from kubelog.timeline import WANTED, Correlator
from tests.healthy import healthy_day
from tests.strategies import MONTHS, Line, log_bytes
from tests.test_laws import ENGINE, Tail, batch, few, log_of, shown, without_places
from tests.words import MIDDLE, NEW, OLD, RELEASES

ROOT = Path(__file__).resolve().parent.parent
NEIGHBOURS = {"w1": OLD, "w2": NEW, "w3": MIDDLE}  # and their release
# A journal in a terminal of any language: Oct 16, 10月 16; the node is the next word.
STAMP = re.compile(r"(?:([A-Z][a-z]{2}) |(\d+)月 )([ \d]\d) (\d\d):(\d\d):(\d\d)(?:\.\d+)? (\S+) ")


@dataclass(frozen=True)
class Case:
    """A log of a journal, and how it is read: always with a year, as a file has one and a pipe has none."""

    name: str
    lines: tuple[Line, ...]
    year: int
    tz: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        return {"year": self.year, "tz": self.tz}

    @property
    def nodes(self) -> set[str]:
        return {line.node for line in self.lines}

    def neighbours(self) -> list[Line]:
        """What three healthy nodes say meanwhile, and a few minutes before and after."""
        first, last = self.lines[0].at, self.lines[-1].at
        found = []
        for number, (name, release) in enumerate(NEIGHBOURS.items(), 1):
            day = _day(name, release, number, first.replace(hour=0, minute=0, second=0))
            found += [line for line in day if first - timedelta(minutes=5) < line.at < last + timedelta(minutes=5)]
        return found

    def woven(self) -> bytes:
        """By time; its own lines in their order."""
        return log_bytes(sorted([*self.lines, *self.neighbours()], key=lambda line: line.at))


@cache
def _day(name: str, release: int, number: int, at: datetime) -> list[Line]:
    return healthy_day(name, at, release=release, number=number)


def lines_of(text: str) -> tuple[Line, ...] | None:
    """The lines of a log, where each of them says when and where; not earlier than the one before: it came after it."""
    found: list[Line] = []
    for line in text.splitlines():
        stamp = STAMP.match(line)
        if stamp is None:
            return None
        month, number, *rest, node = stamp.groups()
        day, hour, minute, second = map(int, rest)
        at = datetime(2017, MONTHS.index(month) + 1 if month else int(number), day, hour, minute, second)
        found.append(Line(max(at, found[-1].at) if found else at, node, line))
    return tuple(found)


def cases() -> list[Case]:
    """The shipped logs, and the scenarios that are logs of journals."""
    found = []
    for folder, year in (("node3", 2017), ("logs", 2024)):
        for path in sorted((ROOT / "notebooks" / folder).glob("*.log")):
            if (lines := lines_of(path.read_text(encoding="utf-8"))) is not None:
                found.append(Case(path.stem, lines, year))
    for file in sorted((ROOT / "tests" / "scenarios").glob("*.toml")):
        for scenario in tomllib.loads(file.read_text(encoding="utf-8"))["scenario"]:
            lines = lines_of(scenario["log"]) if "log" in scenario else None
            if lines and not {"node", "at", "now"} & scenario.keys():
                found.append(
                    Case(f"{file.stem}-{scenario['name']}".replace(" ", "_"), lines, scenario.get("year", 2017), scenario.get("tz"))
                )
    return found


CASES = cases()
# The longest are not cut again and again.
SHORT = [case for case in CASES if case.lines[-1].at - case.lines[0].at < timedelta(hours=3)]


def from_files(folder: Path, case: Case, data: bytes) -> dict[str, Any]:
    path = folder / "kubelet.log"
    path.write_bytes(data)
    sources, errors = expand([path])
    assert not errors
    return shown(Log(sources, ENGINE, **case.options).incidents())


def from_tail(case: Case, pieces: list[bytes]) -> dict[str, Any]:
    live, correlator = LiveReader(Log([], ENGINE, **case.options), Source.of("-"), WANTED), Correlator()
    for n, piece in enumerate([*pieces, b""]):
        for event in live.push(piece, final=n == len(pieces)):
            correlator.feed(event)
        for node, heard in live.heard.items():
            correlator.advance(node, heard)
    return shown(correlator.incidents())


def of_nodes(found: dict[str, Any], nodes: set[str]) -> dict[str, Any]:
    return {
        what: [one for one in found[what] if one["node"] in nodes or nodes.intersection(one.get("nodes", ()))]
        for what in ("incidents", "gaps")
    }


def test_the_shipped_logs_are_among_the_cases() -> None:
    names = {case.name for case in CASES}
    assert {"node3-kubelet", "apiserver-loop-1.7", "apiserver-loop-1.30"} <= names
    assert len(names) == len(CASES) > 50


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_a_case_is_the_same_from_a_file_and_from_a_tail_alone_and_among_neighbours(case: Case, tmp_path: Path) -> None:
    data, woven = log_bytes(case.lines), case.woven()
    alone = from_files(tmp_path, case, data)
    assert without_places(from_tail(case, [data])) == without_places(alone)
    among = from_files(tmp_path, case, woven)
    assert without_places(from_tail(case, [woven])) == without_places(among)
    assert without_places(of_nodes(among, case.nodes)) == without_places(alone)
    assert of_nodes(among, set(NEIGHBOURS)) == {"incidents": [], "gaps": []}
    assert {node for incident in among["incidents"] for node in incident["nodes"] or [incident["node"]]} <= case.nodes


# What a kubelet says all day of pods that nothing is wrong with; none of it tells that anything works again.
NOISE = (
    ("I", "scope.go:117", '"RemoveContainer" containerID="5f3a9c0d1e2b"'),
    ("I", "kubelet_getters.go:187", '"Pod status updated" pod="idle/quiet-0" status="Running"'),
    ("I", "prober.go:107", '"Probe failed" probeType="Readiness" pod="idle/quiet-0" podUID="9c1d" containerName="quiet" '
        'probeResult="failure" output="HTTP probe failed with statuscode: 503"'),
    ("I", "reconciler_common.go:245", '"operationExecutor.VerifyControllerAttachedVolume started for volume \\"tmp\\" (UniqueName: '
        '\\"kubernetes.io/empty-dir/9c1d-tmp\\") pod \\"quiet-0\\" (UID: \\"9c1d\\") " pod="idle/quiet-0"'),
    ("W", "watcher.go:93", 'Error while processing event ("/sys/fs/cgroup/cpu/user.slice": 0x40000100 == IN_CREATE|IN_ISDIR): '
        "inotify_add_watch /sys/fs/cgroup/cpu/user.slice: no such file or directory"),
    ("E", "summary.go:92", 'Failed to get system container stats for "/system.slice/ssh.service": failed to get cgroup stats for '
        '"/system.slice/ssh.service": failed to get container info for "/system.slice/ssh.service": unknown container "/ssh.service"'),
    ("I", "pod_startup_latency_tracker.go:104", '"Observed pod startup duration" pod="idle/quiet-0" podStartSLOduration=1.5 '
        'podStartE2EDuration="1.5s" podCreationTimestamp="2024-06-03 10:00:00 +0000 UTC"'),
)  # fmt: skip
# What these are about is when a kubelet says anything at all.
ABOUT_SILENCE = ("kubelet_restart_loop", "log_gap", "suppressed")


VERDICT = (
    "id", "kind", "node", "subject", "state", "resolution", "severity", "opened", "last_seen", "closed", "episodes", "counts",
    "affected", "consequence_of", "consequences", "advice",
)  # fmt: skip


def noisy(case: Case) -> list[Line]:
    """With a line of the same node behind each of its kubelet's, said at once: so that no silence becomes another."""
    found = []
    for number, line in enumerate(case.lines):
        found.append(line)
        stamp = STAMP.match(line.text)
        if stamp is not None and " kubelet[" in line.text[: stamp.end() + 10]:
            severity, place, text = NOISE[number % len(NOISE)]
            head = f"{severity}{line.at:%m%d %H:%M:%S}.999000    4242 {place}] "
            found.append(Line(line.at, line.node, f"{stamp[0]}kubelet[4242]: {head}{text}"))
    return found


@pytest.mark.parametrize(
    "case", [pytest.param(one, id=one.name) for one in CASES if one.tz is None and not one.name.startswith(ABOUT_SILENCE)]
)
def test_a_case_is_the_same_in_the_noise_of_its_own_node(case: Case, tmp_path: Path) -> None:
    alone, among = (from_files(tmp_path, case, log_bytes(lines)) for lines in (case.lines, noisy(case)))
    # A silence begins with the last line, whatever it says.
    assert [{name: one[name] for name in VERDICT} for one in among["incidents"]] == [
        {name: one[name] for name in VERDICT} for one in alone["incidents"]
    ]


@given(st.sampled_from(SHORT), st.lists(st.floats(0, 1), max_size=8))
def test_where_a_tail_of_a_case_among_neighbours_is_cut_does_not_matter(case: Case, at: list[float]) -> None:
    woven = case.woven()
    places = [0, *sorted(int(share * len(woven)) for share in at), len(woven)]
    found = from_tail(case, [woven[a:b] for a, b in pairwise(places)])
    assert without_places(of_nodes(found, case.nodes)) == without_places(from_tail(case, [log_bytes(case.lines)]))


# A healthy day


# What the day must hold: each of these, more often, would be an incident.
BLIPS = {
    "AnonymousDenied", "ApiConnectionFailed", "ApiResponseFailed", "ContainerBackOff", "ContainerDied", "ContainerKilled",
    "ImageGcStarted", "ImagePullFailed", "LeaseUpdateFailed", "NetworkNotReadyReported", "NodeStatusUpdateFailed", "ProbeFailed",
    "SecretMissing", "TlsHandshakeFailed", "VolumeMountFailed",
}  # fmt: skip


@pytest.mark.parametrize("release", RELEASES)
def test_a_healthy_day_has_no_incident(release: int) -> None:
    data = log_bytes(_day("n1", release, 1, datetime(2017, 10, 16)))
    log = log_of(data)
    assert shown(log.incidents()) == {"incidents": [], "gaps": []}
    tail = Tail()
    pieces = [data[at : at + 4099] for at in range(0, len(data), 4099)]
    assert [change for piece in pieces for change in tail.push(piece)] == []
    records = [record for record in log if record.unit in ("kubelet", "kube-apiserver")]
    assert len(records) > 5000
    assert {record.message for record in records if record.verdict != "typed"} == set()
    missing = BLIPS - {record.kind for record in records}
    assert missing == ({"LeaseUpdateFailed"} if release == OLD else set())


def test_healthy_days_of_three_releases_have_no_incident_merged_from_files(tmp_path: Path) -> None:
    for number, release in enumerate(RELEASES, 1):
        (tmp_path / f"{release}.log").write_bytes(log_bytes(_day(f"r{release}", release, number, datetime(2017, 10, 16))))
    sources, errors = expand([tmp_path])
    assert (len(sources), errors) == (len(RELEASES), [])
    assert shown(Log(sources, ENGINE, year=2017).incidents()) == {"incidents": [], "gaps": []}


@few
@given(st.sampled_from(RELEASES), st.integers(0, 1439), st.integers(1, 1440))
def test_no_part_of_a_healthy_day_has_an_incident(release: int, begin: int, minutes: int) -> None:
    """A journal's oldest lines go first. Of an upgrade that is under way when it begins, it does not say that it is one."""
    assume(begin not in (722, 723))
    midnight = datetime(2017, 10, 16)
    first, last = midnight + timedelta(minutes=begin), midnight + timedelta(minutes=begin + minutes)
    part = [line for line in _day("n1", release, 1, midnight) if first <= line.at < last]
    assert batch(log_bytes(part)) == {"incidents": [], "gaps": []}


def test_three_healthy_nodes_have_no_incident_together() -> None:
    at = datetime(2017, 12, 31)
    days = [line for n, (name, release) in enumerate(NEIGHBOURS.items(), 1) for line in _day(name, release, n, at)]
    assert batch(log_bytes(sorted(days, key=lambda line: line.at))) == {"incidents": [], "gaps": []}
