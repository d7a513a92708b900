"""A pod's story is one filter: every form of its name, and its uid once the log gave it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubelog import read
from kubelog.errors import UsageError
from kubelog.pipeline import Log

UID = "0a1b2c3d-0000-11e7-a98b-0650cc001a5b"
OTHER = "ffff0000-0000-11e7-a98b-0650cc001a5b"
HEAD = "I0102 03:04:05.678901    4321 file.go:1] "

# Each is about default/web-0.
ABOUT = [
    f'Killing unwanted container "web"(id={{"docker" "4f1c0ffee"}}) for pod "web-0_default({UID})"',
    '"SyncLoop ADD" source="api" pods=["default/db-0","default/web-0"]',
    '"Something new" pod="default/web-0" podUID="x"',
    '"Something new" pod={"name":"web-0","namespace":"default"}',
    '"Something new" podNamespace="default" podName="web-0"',
    '"Something new" err="failed for pod \\"web-0_default\\": no"',
    "container k8s_web_web-0_default_" + UID + "_0 died",
    "cannot read /var/log/pods/default_web-0_" + UID + "/web/0.log",
    'Get "https://10.0.0.1:6443/api/v1/namespaces/default/pods/web-0?x=1": EOF',
    f"only its uid: {UID}",
    "its slice: kubepods-burstable-pod" + UID.replace("-", "_") + ".slice",
]
# And none of these.
ELSE = [
    f'Killing unwanted container "web"(id={{"docker" "4f1c0ffee"}}) for pod "web-01_default({OTHER})"',
    f'for pod "my-web-0_default({OTHER})"',
    'pod="default/web-0-a" and other-default/web-0',
    "web-0 alone, default alone",
    '"Something new" podNamespace="other" podName="web-0"',
    "web-0_defaults(x) web-0.default",
    f"only its uid: {OTHER}",
]


def log_of(path: Path, bodies: list[str]) -> Log:
    path.write_text("".join(f"{HEAD}{body}\n" for body in bodies))
    return read(path, year=2026, jobs=2)


@pytest.mark.parametrize("body", ABOUT)
def test_each_form_of_its_name_is_about_a_pod(tmp_path: Path, body: str) -> None:
    # The first line gives the uid.
    log = log_of(tmp_path / "a.log", [ABOUT[0], body, *ELSE])
    assert [record.origin.line for record in log.pod("default/web-0")] == [1, 2]


@pytest.mark.parametrize("body", ELSE)
def test_a_name_that_is_longer_or_of_another_namespace_is_not_the_pod(tmp_path: Path, body: str) -> None:
    assert list(log_of(tmp_path / "a.log", [body]).pod("default/web-0")) == []


def test_a_uid_counts_from_where_the_log_gives_it_to_the_pod(tmp_path: Path) -> None:
    log = log_of(tmp_path / "a.log", [f"early: {UID}", ABOUT[0], f"late: {UID}"])
    assert [record.origin.line for record in log.pod("default/web-0")] == [2, 3]
    # In a later file too.
    (tmp_path / "b.log").write_text(f"{HEAD}later: {UID}\n")
    both = read(tmp_path / "a.log", tmp_path / "b.log", year=2026).pod("default/web-0")
    assert [record.message for record in both][1:] == [f"late: {UID}", f"later: {UID}"]


@given(st.lists(st.sampled_from(ABOUT + ELSE), max_size=30))
def test_a_pods_table_has_the_rows_of_its_records(tmp_path_factory: pytest.TempPathFactory, bodies: list[str]) -> None:
    log = log_of(tmp_path_factory.mktemp("story") / "a.log", bodies).pod("default/web-0")
    lines = [record.origin.line for record in log]
    assert log.to_arrow().column("line").to_pylist() == lines
    assert [record.origin.line for record in log] == lines  # and again


def test_a_pod_is_named_with_its_namespace(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="NAMESPACE/NAME"):
        log_of(tmp_path / "a.log", []).pod("web-0")
