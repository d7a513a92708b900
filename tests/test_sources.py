"""Files, archives and pipes: what is found by looking, in order, once; what is damaged is told, and the rest delivered."""

from __future__ import annotations

import bz2
import functools
import gzip
import hashlib
import http.server
import io
import lzma
import os
import random
import resource
import subprocess
import sys
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

import kubelog
from kubelog.errors import InputError
from kubelog.ingest.inputs.place import Place, place
from kubelog.ingest.inputs.sources import expand, family

LINES = [
    f"I1016 09:50:{i % 60:02}.{i:06}   17144 kubelet.go:{1000 + i % 977}] message {i} of the kubelet {i * i % 7919}\n".encode()
    for i in range(400)
]
LOG = b"".join(LINES)


def zstd(data: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard")
    made: bytes = zstandard.ZstdCompressor(write_checksum=True).compress(data)
    return made


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0), "xz": lzma.compress, "bzip2": bz2.compress, "zstd": zstd,
}  # fmt: skip


def tar(members: dict[str, bytes], mtime: int = 1508147455) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as made:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), mtime
            made.addfile(info, io.BytesIO(data))
    return target.getvalue()


def zip_(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return target.getvalue()


def read(path: Path) -> tuple[dict[str, bytes], list[InputError]]:
    """What each source of a file holds, and all errors."""
    sources, errors = expand([path])
    found: dict[str, bytes] = {}
    for source in sources:
        pieces = []
        try:
            for piece in source.read():
                pieces.append(piece)
        except InputError as error:
            errors.append(error)
        found[source.path.removeprefix(str(path))] = b"".join(pieces)
    return found, errors


@pytest.mark.parametrize("kind", COMPRESSED)
def test_a_compressed_log_is_read_also_in_several_parts(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.log"  # its name says nothing
    path.write_bytes(COMPRESSED[kind](LOG[:5000]) + COMPRESSED[kind](LOG[5000:]) + (b"\0" * 512 if kind != "zstd" else b""))
    assert read(path) == ({"": LOG}, [])


@pytest.mark.parametrize("kind", COMPRESSED)
def test_what_follows_compressed_data_is_told_behind_it(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(COMPRESSED[kind](LOG) + b"something else that is no such data")
    found, [error] = read(path)
    assert found == {"": LOG}
    assert error.path == str(path)


MEMBERS = {"nodes/n-1/kubelet.log": LOG, "nodes/n-2/kubelet.log.1.gz": gzip.compress(LOG), "../../etc/passwd": b"root:x:0\n"}


@pytest.mark.parametrize("outer", [None, *COMPRESSED])
@pytest.mark.parametrize("make", [tar, zip_])
def test_the_members_of_an_archive_are_inputs(make: Callable[[dict[str, bytes]], bytes], outer: str | None, tmp_path: Path) -> None:
    data = make(MEMBERS | {"core": bytes(5000), "inner.tar.gz": gzip.compress(tar({"kubelet.log": LOG}))})
    path = tmp_path / "a"
    path.write_bytes(COMPRESSED[outer](data) if outer else data)
    found, errors = read(path)
    assert not errors
    assert found == {
        "!nodes/n-1/kubelet.log": LOG, "!nodes/n-2/kubelet.log.1.gz": LOG, "!../../etc/passwd": b"root:x:0\n",
        "!inner.tar.gz!kubelet.log": LOG,
    }  # fmt: skip
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("wanted", "members"),
    [
        ("nodes/n-1/kubelet.log", ["nodes/n-1/kubelet.log"]),
        ("nodes/*/kubelet.log*", ["nodes/n-1/kubelet.log", "nodes/n-2/kubelet.log.1.gz"]),
        ("inner.tar.gz", ["inner.tar.gz!kubelet.log", "inner.tar.gz!other.log"]),
        ("inner.tar.gz!k*", ["inner.tar.gz!kubelet.log"]),
    ],
)
def test_members_of_an_archive_are_named_behind_a_mark(wanted: str, members: list[str], tmp_path: Path) -> None:
    inner = gzip.compress(tar({"kubelet.log": LOG, "other.log": LOG}))
    (tmp_path / "a.tgz").write_bytes(gzip.compress(tar(MEMBERS | {"inner.tar.gz": inner})))
    sources, errors = expand([f"{tmp_path}/a.tgz!{wanted}"])
    assert not errors
    assert [source.path for source in sources] == [f"{tmp_path}/a.tgz!{member}" for member in members]
    assert {b"".join(source.read()) for source in sources} == {LOG}


def test_a_member_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(gzip.compress(tar(MEMBERS)))
    sources, [error] = expand([f"{tmp_path}/a.tgz!nodes/n-7/kubelet.log"])
    assert not sources
    assert str(error) == f"{tmp_path}/a.tgz!nodes/n-7/kubelet.log: no such log in this archive"


OBJECTS = {
    "pods.yaml": b"---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n",
    "nodes.json": b'{\n  "apiVersion": "v1",\n  "items": [ { "kind": "Node" } ]\n}\n',
}
TELLING = {
    "events.json": b'{"apiVersion": "v1", "kind": "EventList", "items": []}\n',
    "audit.log": b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"x"}\n',
    "kubelet.yaml": b"apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n",
}


def test_objects_of_the_api_are_passed_over_unless_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar(OBJECTS | TELLING | {"kubelet.log": LOG}))
    (tmp_path / "dir").mkdir()
    for name, data in (OBJECTS | TELLING).items():
        (tmp_path / "dir" / name).write_bytes(data)
    assert read(tmp_path / "a.tar") == ({f"!{name}": data for name, data in (TELLING | {"kubelet.log": LOG}).items()}, [])
    sources, errors = expand([tmp_path / "dir"])
    assert not errors
    assert sorted(Path(source.path).name for source in sources) == sorted(TELLING)
    assert len(expand([tmp_path / "dir" / name for name in OBJECTS])[0]) == 2


def test_links_and_devices_of_an_archive_are_no_inputs(tmp_path: Path) -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as made:
        for type_ in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo(f"member-{type_!r}")
            info.type, info.linkname = type_, "/etc/passwd"
            made.addfile(info)
        info = tarfile.TarInfo("kubelet.log")
        info.size = len(LOG)
        made.addfile(info, io.BytesIO(LOG))
    (tmp_path / "a.tar").write_bytes(target.getvalue())
    assert read(tmp_path / "a.tar") == ({"!kubelet.log": LOG}, [])


@pytest.mark.parametrize("name", ["gzip", "xz", "bzip2", "zstd", "tar", "tar.gz", "zip"])
def test_of_what_is_cut_or_damaged_the_good_part_is_delivered_and_one_error_told(name: str, tmp_path: Path) -> None:
    make = {"tar": tar, "zip": zip_}.get(name)
    if make:
        whole = make({"a.log": LOG[:9000], "b.log": LOG[9000:]})
    elif name == "tar.gz":
        whole = gzip.compress(tar({"a.log": LOG[:9000], "b.log": LOG[9000:]}), mtime=0)
    else:
        whole = COMPRESSED[name](LOG)
    originals = {"": LOG, "!a.log": LOG[:9000], "!b.log": LOG[9000:]}
    path, draw = tmp_path / "a", random.Random(name)
    for number in range(600):
        if number % 2:
            data = whole[: draw.randrange(1, len(whole))]
        else:
            at = draw.randrange(len(whole))
            data = whole[:at] + bytes([whole[at] ^ draw.randrange(1, 256)]) + whole[at + 1 :]
        path.write_bytes(data)
        found, errors = read(path)
        told = {}
        for error in errors:
            assert error.path not in told, errors
            told[error.path] = error
            assert "Traceback" not in str(error)
        if name == "gzip" and not number % 2 and at > 20:
            # All that stands before the wrong byte.
            assert found[""].startswith(zlib.decompressobj(31).decompress(whole[:at])[:-1]), number
        for member, got in found.items():
            if number % 2 and member in originals:
                # Of what is cut each part is the beginning of what it was.
                assert originals[member].startswith(got), (number, member)
        if number % 2 and name not in ("zip", "tar") and len(data) > 40:
            assert errors, number
        assert sorted(tmp_path.iterdir()) == [path]


def test_files_that_were_rotated_come_oldest_first(tmp_path: Path) -> None:
    for name in (
        "kubelet.log",
        "kubelet.log.1",
        "kubelet.log.10.gz",
        "kubelet.log.2",
        "messages",
        "messages-20171016",
        "other.log",
    ):
        (tmp_path / name).write_bytes(gzip.compress(LOG) if name.endswith("gz") else LOG)
    sources, errors = expand([tmp_path])
    assert not errors
    assert [Path(source.path).name for source in sources] == [
        "kubelet.log.10.gz", "kubelet.log.2", "kubelet.log.1", "kubelet.log", "messages-20171016", "messages", "other.log",
    ]  # fmt: skip
    assert family("/x/kubelet.n1.root.log.INFO.20171016-095054.17144")[0] == "/x/kubelet.n1.root.log.INFO"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["kubelet.log", "kubelet.log.1", "kubelet.log.3"], "kubelet.log.2 is not there"),
        (["kubelet.log", "kubelet.log.5.gz"], "kubelet.log.1 to kubelet.log.4 are not there"),
        (["kubelet.log", "kubelet.log.1", "kubelet.log.2"], None),
        (["kubelet.log", "kubelet.log-20171016"], None),
    ],
)
def test_a_rotated_file_that_is_missing_is_a_gap(names: list[str], text: str | None, tmp_path: Path) -> None:
    for hour, name in zip((12, 11, 9), names, strict=False):
        lines = f"I1016 {hour:02}:00:00.000000       1 a.go:1] x\nI1016 {hour:02}:30:00.000000       1 a.go:1] x\n".encode()
        (tmp_path / name).write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
    found = kubelog.read(tmp_path, year=2017, node="n1").incidents().to_dict()
    first = "09:30:00" if len(names) == 3 else "11:30:00"
    gap = {"from": f"2017-10-16T{first}.000000", "to": "", "node": "n1", "kind": "input", "text": text}
    gap["to"] = "2017-10-16T11:00:00.000000" if len(names) == 3 else "2017-10-16T12:00:00.000000"
    assert found["gaps"] == ([gap] if text else [])
    assert [one["kind"] for one in found["incidents"]] == (["LogGap"] if text else [])


def test_a_rotated_file_that_is_empty_is_not_missing(tmp_path: Path) -> None:
    (tmp_path / "kubelet.log.2").write_bytes(b"I1016 09:00:00.000000       1 a.go:1] x\n")
    (tmp_path / "kubelet.log.1").write_bytes(b"")
    (tmp_path / "kubelet.log").write_bytes(b"I1016 12:00:00.000000       1 a.go:1] x\n")
    assert kubelog.read(tmp_path, year=2017).incidents().gaps == []


@pytest.mark.parametrize("followed", [True, False])
def test_an_input_that_breaks_off_is_a_gap(followed: bool, tmp_path: Path) -> None:
    lines = "".join(f"I1016 09:{one // 60:02}:{one % 60:02}.000000       1 a.go:1] {hash_of(one)}\n" for one in range(3000))
    packed = gzip.compress(lines.encode())
    (tmp_path / "kubelet.log.1.gz").write_bytes(packed[: len(packed) // 2])
    if followed:
        (tmp_path / "kubelet.log").write_bytes(b"I1016 12:00:00.000000       1 a.go:1] x\n")
    log = kubelog.read(tmp_path, year=2017, node="n1")
    last = max(record.time for record in log if record.time and record.time.hour < 12).isoformat(timespec="microseconds")
    found = log.incidents().to_dict()
    text = "kubelet.log.1.gz breaks off (cut off: the compressed data ends too early)"
    end = "2017-10-16T12:00:00.000000" if followed else last
    assert found["gaps"] == [{"from": last, "to": end, "node": "n1", "kind": "input", "text": text}]
    assert [one["kind"] for one in found["incidents"]] == (["LogGap"] if followed else [])


def hash_of(number: int) -> str:
    """What does not compress to nothing."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def years_of(path: Path) -> list[int]:
    return [record.time.year for record in kubelog.read(path) if record.time is not None]


OLD, NEW = b"I1230 08:00:00.000000       1 a.go:1] x\n", b"I0102 08:00:00.000000       1 a.go:1] x\n"
DATED = b"2018-01-02T08:00:00Z n1 systemd[1]: x\n"


@pytest.mark.parametrize("packed", [True, False])
def test_the_members_of_an_archive_tell_each_other_their_year(packed: bool, tmp_path: Path) -> None:
    data = tar({"kubelet.log": DATED, "kubelet.log.1": OLD})
    path = tmp_path / "a.tar"
    path.write_bytes(gzip.compress(data) if packed else data)
    os.utime(path, (1_622_505_600,) * 2)
    assert years_of(path) == [2017, 2018]


def test_the_age_of_a_member_of_a_zip_says_its_year(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(zipfile.ZipInfo("kubelet.log.1", (2017, 12, 30, 9, 0, 0)), OLD)
        file.writestr(zipfile.ZipInfo("kubelet.log", (2018, 1, 2, 9, 0, 0)), NEW)
    assert years_of(path) == [2017, 2018]


def test_a_member_that_says_no_age_is_as_old_as_its_archive(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar({"kubelet.log": OLD}, mtime=0))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(zipfile.ZipInfo("kubelet.log"), OLD)
    for path in (tmp_path / "a.tar", tmp_path / "a.zip"):
        os.utime(path, (1_514_900_000,) * 2)  # 2 January 2018
        assert years_of(path) == [2017]


def test_the_same_file_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "kubelet.log"
    path.write_bytes(LOG)
    (tmp_path / "link.log").symlink_to(path)
    os.link(path, tmp_path / "hard.log")
    assert len(list(kubelog.read(path, tmp_path, f"{tmp_path}/*.log", tmp_path / "link.log"))) == len(LINES)


def test_binary_files_of_a_directory_are_left_out_and_told_where_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "core").write_bytes(bytes(9000))
    (tmp_path / "kubelet.log").write_bytes(LOG)
    assert [Path(source.path).name for source in expand([tmp_path])[0]] == ["kubelet.log"]
    [error] = expand([tmp_path / "core"])[1]
    assert "binary" in str(error)


PLACES = {
    "/var/log/pods/kube-system_kube-apiserver-cp-1_0f1e2d3c4b5a69788796a5b4c3d2e1f0/kube-apiserver/3.log": Place(
        "cp-1", "kube-apiserver", "kube-system", "kube-apiserver-cp-1", "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "kube-apiserver"
    ),
    f"/var/log/containers/web-7d4b9c6f5-x2x4z_default_app-{'0a' * 32}.log": Place(
        None, "app", "default", "web-7d4b9c6f5-x2x4z", None, "app"
    ),
    "must-gather/quay-io/namespaces/openshift-etcd/pods/etcd-m-0/etcd/etcd/logs/current.log": Place(
        None, "etcd", "openshift-etcd", "etcd-m-0", None, "etcd"
    ),
    "a.tar.gz!nodes/n-7/kubelet.log": Place("n-7", "kubelet"),
    "logs/node-3/kubelet.log.1.gz": Place("node-3", "kubelet"),
    "dump/kube-system/kube-proxy-4xk2p/logs.txt": Place(None, None, "kube-system", "kube-proxy-4xk2p"),
    "/var/log/kubelet.n1.root.log.INFO.20171016-095054.17144": Place("n1", "kubelet"),
    "/var/log/messages": Place(),
    "notes.txt": Place(),
}


@pytest.mark.parametrize("path", PLACES)
def test_a_path_says_whose_log_it_is(path: str) -> None:
    assert place(path) == PLACES[path]


def test_what_a_path_says_is_in_records_and_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    name = "pods/kube-system_kube-apiserver-cp-1_0f1e2d3c4b5a69788796a5b4c3d2e1f0/kube-apiserver/0.log"
    line = b"2024-02-29T12:00:00.250000789Z stderr F I0229 12:00:00.250000       1 server.go:1] started\n"
    path.write_bytes(gzip.compress(tar({name: line})))
    log = kubelog.read(path)
    [record] = log
    assert (record.node, record.unit, record.pod, record.container) == (
        "cp-1",
        "kube-apiserver",
        "kube-apiserver-cp-1",
        "kube-apiserver",
    )
    row = log.to_arrow().to_pylist()[0]
    assert {name: row[name] for name in ("node", "unit", "pod", "container", "namespace", "pod_uid")} == {
        name: getattr(record, name) for name in ("node", "unit", "pod", "container", "namespace", "pod_uid")
    }


BOMB = """
import sys
from kubelog.ingest.inputs.sources import expand
from kubelog.errors import InputError
size = 0
sources, errors = expand([sys.argv[1]])
for source in sources:
    try:
        for piece in source.read():
            size += len(piece)
    except InputError as error:
        errors.append(error)
used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))
print(size, used, [str(error) for error in errors])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc")
@pytest.mark.parametrize("kind", ["gzip", "xz", "bzip2", "zstd"])
def test_a_bomb_takes_no_more_memory_than_a_log(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    with path.open("wb") as target:
        part = COMPRESSED[kind](bytes(b"0" * (1 << 20)) * 64)
        for _ in range(4):
            target.write(part)
    done = subprocess.run([sys.executable, "-c", BOMB, str(path)], capture_output=True, text=True, check=True)
    size, used, _ = done.stdout.split(" ", 2)
    assert int(size) == 256 << 20
    assert int(used) < 80 << 10  # KiB


def test_a_window_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xz"
    path.write_bytes(lzma.compress(LOG, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29, "preset": 0}]))
    found, [error] = read(path)
    assert found == {"": b""}
    assert "more than 128 MiB" in str(error)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_an_archive_of_many_nodes_tells_what_their_files_tell(tmp_path: Path) -> None:
    log = (Path(__file__).parents[1] / "notebooks/node3/node3-kubelet.log").read_bytes()
    members = {f"nodes/node-{number}/kubelet.log": log.replace(b"ubuntu-k8s-3", b"node-%d" % number) for number in range(40)}
    for name, data in members.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "a.tar").write_bytes(tar(members))
    (tmp_path / "a.tgz").write_bytes(gzip.compress(tar(members)))
    (tmp_path / "a.zip").write_bytes(zip_(members))

    def told(path: Path) -> list[dict[str, object]]:
        found = kubelog.read(path, year=2017).incidents().to_dict()["incidents"]
        for incident in found:
            del incident["id"], incident["steps"], incident["cause"], incident["findings"]  # they name files
        return sorted(found, key=lambda one: (one["node"], one["kind"]))

    first = told(tmp_path / "nodes")
    assert len({incident["node"] for incident in first}) == 40
    for name in ("a.tar", "a.tgz", "a.zip"):
        assert told(tmp_path / name) == first


def test_a_url_is_an_input(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(tar({"kubelet.log": LOG})))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            sources, errors = expand([f"{url}/a.tar.gz", f"{url}/none"])
            assert [(source.path, b"".join(source.read())) for source in sources] == [(f"{url}/a.tar.gz!kubelet.log", LOG)]
            assert [str(error) for error in errors] == [f"{url}/none: not found"]
        finally:
            server.shutdown()
            thread.join()


def test_an_archive_comes_by_a_pipe_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kubelog", "parse", "-o", "jsonl", "--year", "2017", "-"]
    for data in (LOG, gzip.compress(LOG), gzip.compress(tar({"kubelet.log": LOG})), zip_({"kubelet.log": LOG})):
        done = subprocess.run(command, input=data, capture_output=True, check=True)
        assert done.stdout.count(b"\n") == len(LINES)
