"""The notebooks run from top to bottom, as someone who opens them would run them."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.notebooks import NOTEBOOKS, executed, shown

# What a notebook is there to show: texts in this order.
KEYS = {
    "disk-pressure": (
        "'nodefs.available<10%'",
        "<kubelog.Timeline of 1 incident>",
        "mitigated config-changed certain",
        "No pod is left to evict, though the threshold is still crossed [3]",
        "memory.available are no longer watched",
        "closed | mitigated",
    ),
    "apiserver-loop": (
        "ApiConnectionFailed         127",
        "kube-apiserver on yypdcom2 was killed 6 times",
        "open critical certain",
        "refused with 401 Unauthorized: it comes without credentials",
        "as with --anonymous-auth=false",
        "life 1 2017-07-18 09:00:24.918891        1    7",
        "life 7 2017-07-18 09:11:36.701538        0    4",
        "80.0       2017-07-18 09:08:57.746786      8",
        "Liveness probe fails: 401 Unauthorized",
        "killed after 8 failures in a row",
        'Liveness probe for "kube-apiserver-yypdcom2_kube-system(',
        '"Probe failed" probeType="Liveness"',
        "ContainerKilled                               6                        6",
        "2. Take --anonymous-auth=false out",
    ),
    "fleet": (
        "v1.21.14 2022-03-15 10:40:38.399450     10",
        "ImageGcFailed                0.1       0.1       0.1       4.5",
        "worker-3  NodePressureEviction   warning   resolved",
        "worker-2    KubeletRestartLoop  critical  mitigated",
        "worker-3        ImageGcFailing   warning       open",
        'kubelet cgroup driver: "systemd" is different from docker cgroup driver: "cgroupfs"',
        "threshold nodefs.available",
        "ExperimentalPodPidsLimit                         -1                    4096",
        "to be named again in evictionHard: imagefs.available<15%, nodefs.available<10%, nodefs.inodesFree<5%",
    ),
    "grammar-and-rule": (
        "5 Disk * of pod * is slow: * a write, * writes wait",
        "expected a hole type, found 'duraton'; did you mean 'duration'?",
        "{'typed': 6}",
        "3 2026-01-02 03:05:05.680034  /dev/sdb1     1.50       96     4",
        "/dev/sdc1 open warning {'DiskSlow': 1} no incident",
        "/dev/sdb1 resolved critical {'DiskSlow': 4, 'DiskRecovered': 1} an incident",
        "<kubelog.Timeline of 1 incident>",
        "SlowDisk critical resolved recovered",
        "4 opened | /dev/sdb1 on n1 is slow; 2 pods wrote to it",
        "6 closed | ",
    ),
}


def test_every_notebook_is_asked_for_what_it_shows() -> None:
    assert {path.stem for path in NOTEBOOKS} == KEYS.keys()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_and_shows_what_it_showed(path: Path) -> None:
    found = shown(executed(path))
    assert found == shown(nbformat.read(path, as_version=4))
    text, at = "\n".join(one for cell in found for one in cell), 0
    for key in KEYS[path.stem]:
        at = text.find(key, at)
        assert at >= 0, f"expected {key!r}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_as_it_runs_anywhere(path: Path) -> None:
    """No path of a machine, no time of day, no error; and cells are numbered from top to bottom."""
    text = path.read_text(encoding="utf-8")
    assert not any(part in text for part in ("/home/", "/root/", "/tmp/", "/Users/", "/work/", "Traceback"))
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert [cell.id for cell in notebook.cells] == [f"cell-{n}" for n in range(1, len(notebook.cells) + 1)]
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not any(cell.metadata for cell in notebook.cells)
