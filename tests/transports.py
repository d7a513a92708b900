"""One set of records → the bytes of each transport, and what each of them carries."""

from __future__ import annotations

import functools
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.journals import journal, journalctl, program
from tests.said import CONTAINERS, PODS, RECORDS, SHANGHAI, Said, by_process, ended, entries, local, one_line

# What docker and the runtimes behind the CRI write at most as one line.
PART_BYTES = 16_384
# Records, and the zone of the processes, as text.
Render = Callable[[Sequence[Said], str], str]
# Into a folder.
Writer = Callable[[Path, "Transport"], list["File"]]


@dataclass(frozen=True)
class File:
    """A file that a transport made, and the records that are in it, in order."""

    path: Path
    said: list[Said]


@dataclass(frozen=True)
class Transport:
    """How a set of records is written, and what of each record survives it."""

    name: str
    write: Writer
    records: list[Said] = field(default_factory=lambda: RECORDS)
    zone: str = "UTC"  # of the clock that is shown, and of the processes
    clock: str | None = "us"  # how fine its stamps are, us or s; None where it has none that says a date
    zoned: bool = True  # its stamps are instants
    # What it says of each record besides: node, unit, pid, pod, namespace, container.
    says: frozenset[str] = frozenset()
    names: Callable[[Said], dict[str, Any]] = lambda said: {}  # where it says them in its own words
    tab: str = "\t"  # what it makes of one


HOST = frozenset({"node", "unit", "pid"})
NOBODY: frozenset[str] = frozenset()


def one_file(render: Render) -> Writer:
    """All records in one file."""

    def write(folder: Path, transport: Transport) -> list[File]:
        return [saved(folder / "all.log", render(transport.records, transport.zone), transport.records)]

    return write


def file_each(render: Render, path: Callable[[Said], str] | None = None) -> Writer:
    """A file a process, for what says no name and so cannot tell one from another. The path says none either, unless it is given."""

    def write(folder: Path, transport: Transport) -> list[File]:
        return [
            saved(folder / (path(said[0]) if path else f"{number}.log"), render(said, transport.zone), said)
            for number, said in enumerate(by_process(transport.records))
        ]

    return write


def saved(path: Path, text: str, said: Sequence[Said]) -> File:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return File(path, list(said))


# The journal.


def by_journalctl(mode: str, options: Sequence[str], environment: dict[str, str], priorities: bool = False) -> Writer:
    """All records by way of a journal; the journals stand beside the folder."""

    def write(folder: Path, transport: Transport) -> list[File]:
        source = journal(folder.parent / "journals", transport.zone, priorities)
        path = folder / f"journal.{mode}"
        path.write_bytes(journalctl(source, mode, *options, zone=transport.zone, **environment))
        return [File(path, list(transport.records))]

    return write


def by_journalctl_cat(folder: Path, transport: Transport) -> list[File]:
    """`journalctl -o cat` says no names: a file a process, as `-u` makes it."""
    source = journal(folder.parent / "journals", transport.zone, False)
    found = []
    for number, said in enumerate(by_process(transport.records)):
        path = folder / f"{number}.cat"
        path.write_bytes(
            journalctl(source, "cat", f"_HOSTNAME={said[0].node}", f"SYSLOG_IDENTIFIER={said[0].unit}", zone=transport.zone)
        )
        found.append(File(path, said))
    return found


def by_terminal(folder: Path, transport: Transport) -> list[File]:
    """As it looks on a terminal: colours by priority, and lines that end in CR LF."""
    source = journal(folder.parent / "journals", transport.zone, True)
    command = f"{program('journalctl')} --no-pager -q --full -a --file {source} -o short"
    settings = {"PATH": os.environ.get("PATH", ""), "TZ": transport.zone, "TERM": "xterm-256color", "COLUMNS": "32000"}
    done = subprocess.run(
        [program("script"), "-qec", command, "/dev/null"], capture_output=True, check=True, env=settings, stdin=subprocess.DEVNULL
    )
    path = folder / "typescript"
    path.write_bytes(done.stdout)
    return [File(path, list(transport.records))]


def with_unit(said: Said) -> dict[str, Any]:
    """`-o with-unit` says systemd's unit: init.scope is where systemd itself runs."""
    return {"unit": (said.service or said.unit).removesuffix(".service")}


def as_json(records: Sequence[Said], zone: str) -> str:
    """As `journalctl -a -o json` writes entries: what holds an unprintable character is a list of bytes."""
    found = []
    for said in records:
        for line in said.lines(zone):
            hard = any((ord(char) < 32 and char not in "\t\n") or 0x7F <= ord(char) < 0xA0 for char in line)
            entry = {
                "_HOSTNAME": said.node, "MESSAGE": list(line.encode()) if hard else line, "SYSLOG_IDENTIFIER": said.unit, "_PID": str(said.pid),
                "__REALTIME_TIMESTAMP": str(round(said.stamped.timestamp() * 1_000_000)), "PRIORITY": "6",
            }  # fmt: skip
            found.append(json.dumps(entry, ensure_ascii=False, separators=(",", ":")))
    return ended(found)


def as_short_unix(records: Sequence[Said], zone: str) -> str:
    """As `journalctl -a -o short-unix`."""
    return ended(
        f"{round(said.stamped.timestamp() * 1_000_000) / 1_000_000:.6f} {said.node} {tag(said)}: {line}"
        for said in records
        for line in said.lines(zone)
    )


# The modes of journalctl: the clock, whether it is an instant, what it says besides.
MODES: dict[str, tuple[str | None, bool, frozenset[str]]] = {
    "short": ("s", False, HOST),
    "short-full": ("s", True, HOST),
    "short-iso": ("s", True, HOST),
    "short-iso-precise": ("us", True, HOST),
    "short-precise": ("us", False, HOST),
    "short-monotonic": (None, False, HOST),
    "short-delta": (None, False, HOST),
    "short-unix": ("us", True, HOST),
    "with-unit": ("s", True, HOST),
    "cat": (None, False, NOBODY),
    "verbose": ("us", True, HOST),
    "export": ("us", True, HOST),
    "json": ("us", True, HOST),
    "json-pretty": ("us", True, HOST),
    "json-sse": ("us", True, HOST),
    "json-seq": ("us", True, HOST),
}
# Those that name a zone by letters that several zones share.
LETTERS = {"short-full", "with-unit"}


def of_mode(mode: str, *options: str, zone: str = "UTC", **environment: str) -> Transport:
    clock, zoned, says = MODES[mode]
    text = mode.startswith(("short", "with"))
    whole = () if text or mode == "cat" else ("-a",)
    if "--no-hostname" in options:
        says = says - {"node"}
    shown = "UTC" if "--utc" in options else zone
    name = " ".join(
        ["journalctl -o", mode, *options, *(f"{key}={value}" for key, value in environment.items() if key != "LOCPATH")]
    )
    return Transport(
        name=name if zone == "UTC" else f"TZ={zone} {name}",
        write=by_journalctl_cat if mode == "cat" else by_journalctl(mode, [*whole, *options], environment),
        records=one_line(RECORDS) if mode == "cat" else RECORDS,
        zone=zone,
        clock=clock,
        zoned=zoned and not (mode in LETTERS and shown != "UTC"),
        says=says,
        names=with_unit if mode == "with-unit" else lambda said: {},
        tab="\t" if "-a" in options or not text else " " * 8,
    )


# Syslog.


def tag(said: Said) -> str:
    return said.unit if said.pid is None else f"{said.unit}[{said.pid}]"


def day_padded(at: datetime) -> str:
    """`Oct  3`: RFC 3164's day has a blank in front, journalctl's a zero."""
    return f"{MONTHS[at.month - 1]} {at.day:2} {at:%H:%M:%S}"


MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def rfc3164(records: Sequence[Said], zone: str, head: str = "", host: bool = True) -> str:
    """RSYSLOG_TraditionalFileFormat; with `<30>` as it goes over the wire, to /dev/log without a host."""
    return ended(
        f"{head}{day_padded(local(said.stamped, zone))} {said.node + ' ' if host else ''}{tag(said)}: {line}"
        for said, _, line in entries(records, zone)
    )


# The forms in which rsyslogd writes records to files: the clock, and whether it is an instant.
TEMPLATES: dict[str, tuple[str, bool]] = {
    "RSYSLOG_TraditionalFileFormat": ("s", False),
    "RSYSLOG_FileFormat": ("us", True),
    "RSYSLOG_SyslogProtocol23Format": ("us", True),
    "forwarded": ("us", True),
}
# RSYSLOG_ForwardFormat, which itself ends no line.
FORWARDED = "<%PRI%>%TIMESTAMP:::date-rfc3339% %HOSTNAME% %syslogtag:1:32%%msg:::sp-if-no-1st-sp%%msg%\\n"


def by_rsyslogd(template: str) -> Writer:
    """As rsyslogd writes what another rsyslogd forwards to it."""

    def write(folder: Path, transport: Transport) -> list[File]:
        path, socket_, errors = folder / "rsyslog.log", folder / "in", folder / "stderr"
        (folder / "rsyslog.conf").write_text(
            f'global(workDirectory="{folder}" maxMessageSize="256k")\nmodule(load="imptcp")\n'
            f'input(type="imptcp" path="{socket_}" unlink="on")\n'
            f'template(name="forwarded" type="string" string="{FORWARDED}")\naction(type="omfile" file="{path}" template="{template}")\n'
        )
        frames = []
        for said, _, line in entries(transport.records, transport.zone):
            frame = f"<30>{rfc3339(said.stamped, transport.zone)} {said.node} {tag(said)}: {line}".encode()
            frames.append(b"%d %s" % (len(frame), frame))
        command = [program("rsyslogd"), "-n", "-C", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "pid")]
        with errors.open("wb") as file:
            daemon = subprocess.Popen(command, env={"PATH": os.environ.get("PATH", ""), "TZ": transport.zone}, stderr=file)
        try:
            awaited(socket_.exists, daemon, errors)
            with socket.socket(socket.AF_UNIX) as sender:
                sender.connect(str(socket_))
                sender.sendall(b"".join(frames))
            awaited(lambda: path.exists() and path.read_bytes().count(b"\n") == len(frames), daemon, errors)
        finally:
            daemon.terminate()
            daemon.wait()
        return [File(path, list(transport.records))]

    return write


def awaited(condition: Callable[[], bool], daemon: subprocess.Popen[bytes], errors: Path) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert daemon.poll() is None, errors.read_text()
        assert time.monotonic() < end, "rsyslogd wrote less than it got"
        time.sleep(0.02)


def rfc5424(records: Sequence[Said], zone: str, head: str = "<30>1 ", structured: str = "-", mark: str = "") -> str:
    return ended(
        f"{head}{rfc3339(said.stamped, zone)} {said.node} {said.unit} {said.pid or '-'} - {structured} {mark}{line}"
        for said, _, line in entries(records, zone)
    )


def rfc3339(at: datetime, zone: str, nanoseconds: str = "", utc: str = "+00:00") -> str:
    shown = at.astimezone(ZoneInfo(zone))
    offset = shown.isoformat()[-6:]
    return f"{shown:%Y-%m-%dT%H:%M:%S.%f}{nanoseconds}{utc if offset == '+00:00' else offset}"


# Containers.


def stamp(said: Said, zone: str) -> str:
    """As Go's RFC3339Nano writes it, in nine digits."""
    return rfc3339(said.stamped, zone, "789", "Z")


def in_parts(line: str, characters: bool = False) -> list[str]:
    """Cut wherever a part is full; or, as JSON can say no other, before the character that does not fit."""
    data, parts = line.encode(), []
    while len(data) > PART_BYTES:
        at = PART_BYTES
        while characters and data[at] & 0xC0 == 0x80:
            at -= 1
        parts.append(data[:at])
        data = data[at:]
    return [part.decode("utf-8", "surrogateescape") for part in [*parts, data]]


def woven(lines: Iterable[list[str]]) -> str:
    """Lines, each in its parts: between the first part of one and its others stands what came next, of the other stream."""
    found: list[str] = []
    waits: list[str] = []
    for first, *rest in lines:
        found += [first, *waits]
        waits = rest
    return ended(found + waits)


def cri(records: Sequence[Said], zone: str) -> str:
    """`2016-10-06T00:17:09.669794202Z stdout F text`: the parts of a long line are marked P, its end F."""

    def parts(said: Said, line: str) -> list[str]:
        *cut, last = in_parts(line)
        head = f"{stamp(said, zone)} {said.stream}"
        return [*(f"{head} P {part}" for part in cut), f"{head} F {last}"]

    return woven(parts(said, line) for said in records for line in said.lines(zone))


def docker(records: Sequence[Said], zone: str) -> str:
    """The json-file driver, always in UTC: what is longer is split, and only the last part ends in a newline."""

    def parts(said: Said, line: str) -> list[str]:
        *cut, last = in_parts(line, characters=True)
        return [entry(said, part) for part in [*cut, last + "\n"]]

    def entry(said: Said, part: str) -> str:
        text = json.dumps(
            {"log": part, "stream": said.stream, "time": stamp(said, "UTC")}, ensure_ascii=False, separators=(",", ":")
        )
        return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")

    return woven(parts(said, line) for said in records for line in said.lines(zone))


def prefixed(prefix: Callable[[Said], str], stamps: bool = False) -> Render:
    """Lines behind what a program writes in front of each, and the stamp behind that."""

    def render(records: Sequence[Said], zone: str) -> str:
        return ended(f"{prefix(said)}{stamp(said, zone) + ' ' if stamps else ''}{line}" for said, _, line in entries(records, zone))

    return render


POD_UIDS = {"kube-apiserver": "5a3c0b1e-1111-4222-8333-444455556666", "etcd": "9b8a7c6d-1111-4222-8333-444455556666"}


def pod_of(said: Said) -> str:
    return f"{said.unit}-7c9f8b6d5-x2x4z"


def in_pod(*names: str) -> Callable[[Said], dict[str, Any]]:
    """Who the transport says it was. What a text itself says of a pod is worth more: see `expected`."""

    def name(said: Said) -> dict[str, Any]:
        known = {
            "unit": said.unit,
            "container": said.unit,
            "pod": pod_of(said),
            "namespace": "kube-system",
            "pod_uid": POD_UIDS[said.unit],
        }
        return {key: known[key] for key in names}

    return name


def composed(said: Said) -> dict[str, Any]:
    """Docker compose writes the names of containers."""
    return {"unit": f"{said.unit}-1", "container": f"{said.unit}-1"}


def compose_prefix(said: Said) -> str:
    return f"{said.unit + '-1':<16}  | "


# Pasted: what people do to lines before they show them.


def short_lines(records: Sequence[Said], zone: str) -> list[str]:
    """As `journalctl -o short -a` writes them."""
    found = []
    for said, _, line in entries(records, zone):
        head = f"{local(said.stamped, zone):%b %d %H:%M:%S} {said.node} {tag(said)}: "
        first, *rest = line.split("\n")
        found += [head + first, *(" " * len(head) + part for part in rest)]
    return found


def pasted(change: Callable[[int, str], str]) -> Render:
    """`change` gets the number of a line, from 1, and the line."""

    def render(records: Sequence[Said], zone: str) -> str:
        return ended(change(number, line) for number, line in enumerate(short_lines(records, zone), 1))

    return render


def collapsed(records: Sequence[Said], zone: str) -> str:
    """As HTML shows them: blanks in a row are one."""
    return ended(" ".join(line.split()) for line in short_lines(records, zone))


def fused(records: Sequence[Said], zone: str) -> str:
    """Two records on a line each."""
    lines = short_lines(records, zone)
    return ended("".join(lines[at : at + 2]) for at in range(0, len(lines), 2))


def wrapped(records: Sequence[Said], zone: str) -> str:
    """Cut hard at 80 columns."""
    return ended(line[at : at + 80] for line in short_lines(records, zone) for at in range(0, len(line), 80))


SIMPLE = [
    said for said in RECORDS if said.form == "klog" and "\n" not in said.body and "  " not in said.body and "\t" not in said.body
]
# Those that take two or three lines of 80 columns.
WIDE = [said for said in SIMPLE if 80 < len(short_lines([said], "UTC")[0]) <= 240]


def colours(number: int, line: str) -> str:
    """As a pager's raw output holds them: the stamp dimmed, the text bold."""
    head, colon, text = line.partition("]: ")
    return f"\x1b[90m{head}{colon}\x1b[0m\x1b[1;39m{text}\x1b[0m"


ENTRIES = one_line(RECORDS)

SYSLOG = [
    Transport("syslog RFC 3164", one_file(rfc3164), ENTRIES, clock="s", zoned=False, says=HOST),
    Transport("TZ=Asia/Shanghai syslog RFC 3164", one_file(rfc3164), ENTRIES, SHANGHAI, clock="s", zoned=False, says=HOST),
    Transport("syslog <30>", one_file(functools.partial(rfc3164, head="<30>")), ENTRIES, clock="s", zoned=False, says=HOST),
    Transport(
        "syslog <30> without host", one_file(functools.partial(rfc3164, head="<30>", host=False)), ENTRIES, clock="s", zoned=False,
        says=HOST - {"node"},
    ),
    *(
        Transport(f"TZ={zone} {name}", by_rsyslogd(name), zone=zone, clock=clock, zoned=zoned, says=HOST)
        for name, (clock, zoned) in TEMPLATES.items()
        for zone in ("UTC", SHANGHAI)
    ),
    Transport("syslog RFC 5424", one_file(rfc5424), ENTRIES, says=HOST),
    Transport("TZ=Asia/Shanghai syslog RFC 5424", one_file(rfc5424), ENTRIES, SHANGHAI, says=HOST),
    Transport("syslog RFC 5424 with BOM", one_file(functools.partial(rfc5424, mark="\ufeff")), ENTRIES, says=HOST),
    Transport("syslog RFC 5424 with structured data", one_file(functools.partial(
        rfc5424, structured='[meta sequenceId="29"][origin ip="10.0.0.1" x="say \\"]\\" \\\\"]')), ENTRIES, says=HOST),
]  # fmt: skip

CONTAINER = [
    Transport("CRI", file_each(cri), CONTAINERS),
    Transport("TZ=Asia/Shanghai CRI", file_each(cri), CONTAINERS, SHANGHAI),
    Transport(
        "CRI in /var/log/pods",
        file_each(cri, lambda said: f"var/log/pods/kube-system_{pod_of(said)}_{POD_UIDS[said.unit]}/{said.unit}/0.log"), PODS,
        names=in_pod("unit", "container", "pod", "namespace", "pod_uid"),
    ),
    Transport(
        "CRI in /var/log/containers",
        file_each(cri, lambda said: f"var/log/containers/{pod_of(said)}_kube-system_{said.unit}-{'4f1c0ffe' * 8}.log"), PODS,
        names=in_pod("unit", "container", "pod", "namespace"),
    ),
    Transport("docker json-file", file_each(docker, lambda said: f"{POD_UIDS.get(said.unit, 'f' * 8)[:8] * 8}-json.log"), CONTAINERS),
    Transport("TZ=Asia/Shanghai docker json-file", file_each(docker), CONTAINERS, SHANGHAI),
    Transport("kubectl logs", file_each(prefixed(lambda said: "")), CONTAINERS, clock=None, zoned=False),
    Transport("kubectl logs --timestamps", file_each(prefixed(lambda said: "", True)), CONTAINERS),
    Transport(
        "kubectl logs --prefix", one_file(prefixed(lambda said: f"[pod/{pod_of(said)}/{said.unit}] ")), PODS, clock=None, zoned=False,
        names=in_pod("unit", "container", "pod"),
    ),
    Transport(
        "kubectl logs --prefix --timestamps", one_file(prefixed(lambda said: f"[pod/{pod_of(said)}/{said.unit}] ", True)), PODS,
        names=in_pod("unit", "container", "pod"),
    ),
    Transport(
        "stern", one_file(prefixed(lambda said: f"{pod_of(said)} {said.unit} ")), PODS, clock=None, zoned=False,
        names=in_pod("unit", "container", "pod"),
    ),
    Transport(
        "stern --timestamps", one_file(prefixed(lambda said: f"{pod_of(said)} {said.unit} ", True)), PODS,
        names=in_pod("unit", "container", "pod"),
    ),
    Transport(
        "TZ=Asia/Shanghai stern --timestamps", one_file(prefixed(lambda said: f"{pod_of(said)} {said.unit} ", True)), PODS, SHANGHAI,
        names=in_pod("unit", "container", "pod"),
    ),
    Transport("docker compose logs", one_file(prefixed(compose_prefix)), CONTAINERS, clock=None, zoned=False, names=composed),
    Transport("docker compose logs -t", one_file(prefixed(compose_prefix, True)), CONTAINERS, names=composed),
]  # fmt: skip


def as_pasted(name: str, write: Render, records: list[Said] = RECORDS) -> Transport:
    return Transport(name, one_file(write), records, clock="s", zoned=False, says=HOST)


PASTED = [
    as_pasted("journalctl -o short -a, by hand", pasted(lambda number, line: line)),
    as_pasted("CR LF", pasted(lambda number, line: f"{line}\r")),
    as_pasted("behind a byte order mark", pasted(lambda number, line: ("\ufeff" if number == 1 else "") + line)),
    as_pasted("numbered '  12  '", pasted(lambda number, line: f"{number:4}  {line}")),
    as_pasted("numbered '12: '", pasted(lambda number, line: f"{number}: {line}")),
    as_pasted("numbered '12:'", pasted(lambda number, line: f"{number}:{line}")),
    as_pasted("numbered '12|'", pasted(lambda number, line: f"{number}|{line}")),
    as_pasted("numbered '12 | '", pasted(lambda number, line: f"{number:>3} | {line}")),
    as_pasted("numbered '12' and a tab", pasted(lambda number, line: f"{number:6}\t{line}")),
    as_pasted("commented '# '", pasted(lambda number, line: f"# {line}")),
    as_pasted("commented '// '", pasted(lambda number, line: f"// {line}")),
    as_pasted("quoted '> '", pasted(lambda number, line: f"> {line}")),
    as_pasted("quoted '> > '", pasted(lambda number, line: f"> > {line}")),
    as_pasted("indented", pasted(lambda number, line: f"    {line}")),
    as_pasted("in a box", pasted(lambda number, line: f"│ {line:<120} │")),
    as_pasted("in colours", pasted(colours)),
    as_pasted("blanks collapsed", collapsed, SIMPLE),
    as_pasted("two on a line", fused, SIMPLE[: len(SIMPLE) // 2 * 2]),
    as_pasted("wrapped at 80 columns", wrapped, WIDE),
]

JOURNAL = [
    *(of_mode(mode) for mode in MODES),
    *(of_mode(mode, zone=SHANGHAI) for mode in MODES if mode not in ("cat", "short-monotonic", "short-delta")),
    *(of_mode(mode, "--no-hostname") for mode in MODES if mode.startswith("short") or mode == "with-unit"),
    *(of_mode(mode, "--utc") for mode in ("short", "short-precise", "short-full", "short-iso", "verbose")),
    # The clock that is shown and that of the processes differ.
    *(of_mode(mode, "--utc", zone=SHANGHAI) for mode in ("short-iso", "short-iso-precise", "short-full", "with-unit", "verbose")),
    *(of_mode(mode, "-a") for mode in ("short", "short-iso-precise")),
    replace(
        of_mode("short"), name="SYSTEMD_COLORS=1 journalctl -o short", write=by_journalctl("short", [], {"SYSTEMD_COLORS": "1"}, True)
    ),
    Transport("journalctl -a on a terminal", by_terminal, clock="s", zoned=False, says=HOST),
]  # fmt: skip

TRANSPORTS = [*JOURNAL, *SYSLOG, *CONTAINER, *PASTED]
