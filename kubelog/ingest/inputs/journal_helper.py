"""A process of its own that reads the journal: a file that is truncated while it is mapped kills whoever reads it (SIGBUS).

    python -P journal_helper.py REQUEST

REQUEST is JSON: `files` or `folder`, or neither for this machine's journal; `boot` (an id, or 0, -1, …), `cursor` to go on behind,
`follow`. Written are frames: a letter, the length of what follows as four bytes, and that. `D` entries in the journal export format
(systemd.io/JOURNAL_EXPORT_FORMATS), with the fields that kubelog reads, behind the cursor of the last of them and a newline; `I`
nothing came for a while; `S` something that the user must know; `E` what could not be read: a path, a newline, why; `Z` the end.

It imports nothing of kubelog. systemd-python is the only library; without it journalctl is run.
"""

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

Fields = list[tuple[str, bytes]]

FIELDS = (
    "_SOURCE_REALTIME_TIMESTAMP", "_BOOT_ID", "_HOSTNAME", "SYSLOG_IDENTIFIER", "_COMM", "_PID", "SYSLOG_PID", "MESSAGE",
)  # fmt: skip
# Fields that are read only where others are missing.
INSTEAD = {"_COMM": "SYSLOG_IDENTIFIER", "SYSLOG_PID": "_PID"}
# An entry whose message is longer is told cut: kubelog reads no longer lines.
LONGEST = 900_000
MARK = "…".encode()
BATCH = 1 << 18
# What is not written on a line; a tab is.
CONTROLS = bytes(byte for byte in range(32) if byte != 9)
IDLE_S = 0.2
# Where a journal file says how many entries it has (systemd.io/JOURNAL_FILE_FORMAT, struct Header).
SIGNATURE, ENTRIES_AT = b"LPKSHHRH", 152


def frame(kind: bytes, data: bytes = b"") -> None:
    whole = kind + struct.pack("<I", len(data)) + data
    while whole:
        whole = whole[os.write(1, whole) :]


def say(text: str) -> None:
    frame(b"S", text.encode("utf-8", "surrogateescape"))


def fail(path: str, reason: str) -> None:
    frame(b"E", f"{path}\n{reason}".encode("utf-8", "surrogateescape"))


def exported(name: str, value: bytes) -> bytes:
    if name == "MESSAGE" and len(value) > LONGEST:
        value = value[:LONGEST] + MARK
    if len(value.translate(None, CONTROLS)) != len(value):
        return name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
    return name.encode() + b"=" + value + b"\n"


def text_of(realtime: int, fields: Fields) -> bytes:
    """An entry; `fields` as names and values. Without a message nobody reads it."""
    lines = [b"__REALTIME_TIMESTAMP=%d\n" % realtime]
    lines += [exported(name, value) for name, value in fields]
    return b"".join(lines) + b"\n"


# The files


def journals(folder: str) -> list[str]:
    """The journal files of a folder, and of those in it that are named after machines."""
    found = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        if place.count(os.sep) - folder.rstrip(os.sep).count(os.sep) > 1:
            folders.clear()
        found += [os.path.join(place, name) for name in sorted(names) if name.endswith((".journal", ".journal~"))]
    return found


def reason_of(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def readable(paths: list[str], told: bool) -> tuple[list[str], int]:
    """Those that can be read, and how many entries they say that they have."""
    good, count = [], 0
    for path in paths:
        try:
            with open(path, "rb") as file:
                head = file.read(ENTRIES_AT + 8)
            if not head:
                raise OSError(0, "the file is empty")
            if not head.startswith(SIGNATURE) or len(head) < ENTRIES_AT + 8:
                raise OSError(0, "not a journal file, or its header is damaged")
        except OSError as error:
            if told:
                fail(path, reason_of(error))
            continue
        good.append(path)
        count += struct.unpack_from("<Q", head, ENTRIES_AT)[0]
    return good, count


# By systemd-python


class Library:
    """The journal by systemd's own library."""

    def __init__(self, request: dict[str, Any], _reader: Any) -> None:
        self.request, self._reader = request, _reader
        self.total = 0  # entries that the files say they have, where all of them are read
        self.opened: list[str] = []
        if request.get("files"):
            good, self.total = readable(request["files"], True)
            for path in good:
                try:
                    _reader._Reader(flags=0, files=[path]).close()
                    self.opened.append(path)
                except (OSError, ValueError) as error:
                    fail(path, reason_of(error))
            if not self.opened:
                sys.exit(0)
            _, self.total = readable(self.opened, False)
            self.reader = _reader._Reader(flags=0, files=self.opened)
        elif request.get("folder"):
            self.opened, self.total = readable(journals(request["folder"]), True)
            if not self.opened:
                fail(request["folder"], "no journal file that can be read is in this directory")
                sys.exit(0)
            self.reader = _reader._Reader(flags=0, path=request["folder"])
        else:
            self.reader = _reader._Reader(flags=_reader.LOCAL_ONLY)
            if not (self.reader.has_persistent_files() or self.reader.has_runtime_files()):
                fail("journal", "this machine has no journal, or none that this user may read (see the group systemd-journal)")
                sys.exit(0)
        self.reader.data_threshold = 0
        if request.get("follow"):
            self.reader.fileno()  # early: else files that are rotated stay open

    def boots(self) -> list[Any]:
        """The boots in the journal, the oldest first."""
        found = []
        for boot in self.reader.query_unique("_BOOT_ID"):
            self.reader.flush_matches()
            self.reader.add_match(b"_BOOT_ID=" + boot if isinstance(boot, bytes) else f"_BOOT_ID={boot}")
            self.reader.seek_head()
            if self.reader._next():
                found.append((self.reader._get_realtime(), boot))
        self.reader.flush_matches()
        return [boot for _, boot in sorted(found)]

    def begin(self) -> bool:
        """Go to the first entry that is wanted; whether it is under the reader already."""
        boot, cursor = self.request.get("boot"), self.request.get("cursor")
        if boot is not None:
            self.total = 0
            if boot.lstrip("-").isdigit() and len(boot) < 6:
                boots = self.boots()
                try:
                    boot = boots[int(boot) - 1]  # 0 is the last, 1 the first
                except IndexError:
                    fail("journal", f"no boot {boot}: it has {len(boots)}")
                    sys.exit(0)
            self.reader.add_match(b"_BOOT_ID=" + boot if isinstance(boot, bytes) else f"_BOOT_ID={boot}")
        if not cursor:
            self.reader.seek_head()
            return False
        self.total = 0
        parts = dict(part.split("=", 1) for part in cursor.split(";") if "=" in part)
        try:
            realtime = int(parts.get("t", "0"), 16)
        except ValueError:
            realtime = 0
        try:
            self.reader.seek_cursor(cursor)
            if not self.reader._next():
                return False
            if self.reader.test_cursor(cursor):
                return False
        except (OSError, ValueError):
            pass
        say("the journal has not the entry that was read last: it is read on from its time")
        self.reader.seek_realtime(realtime + 1)
        while self.reader._next():
            if self.reader._get_realtime() > realtime:
                return True
        return False

    def entry(self) -> bytes:
        get, found = self.reader._get, set()
        fields: Fields = []
        for name in FIELDS:
            if INSTEAD.get(name) in found:
                continue
            try:
                fields.append((name, get(name)))
                found.add(name)
            except KeyError:
                pass
        return text_of(self.reader._get_realtime(), fields)

    def run(self) -> None:
        reader, follow = self.reader, self.request.get("follow")
        waits = self.begin()
        held: list[bytes] = []
        size = count = 0
        while True:
            if waits or reader._next():
                waits = False
                one = self.entry()
                held.append(one)
                size += len(one)
                count += 1
                if size < BATCH:
                    continue
            if held:
                frame(b"D", reader._get_cursor().encode() + b"\n" + b"".join(held))
                held, size = [], 0
                continue
            if not follow:
                break
            if reader.wait(int(IDLE_S * 1_000_000)) == self._reader.NOP:
                frame(b"I")
        if count < self.total:
            say(f"{self.total - count:,} of {self.total:,} entries could not be read: a file is damaged")
        frame(b"Z")


# By journalctl


def entries(stream: Any) -> Iterator[Fields]:
    """Entries in export format, as lists of names and values."""
    fields: Fields = []
    while line := stream.readline():
        line = line.rstrip(b"\n")
        if not line:
            if fields:
                yield fields
            fields = []
            continue
        name, equals, value = line.partition(b"=")
        if not equals:
            size = struct.unpack("<Q", stream.read(8))[0]
            value = stream.read(size)
            stream.read(1)
        fields.append((name.decode("ascii", "replace"), value))
    if fields:
        yield fields


def run_journalctl(request: dict[str, Any]) -> None:
    import queue
    import threading

    command = ["journalctl", "--no-pager", "--quiet", "-o", "export", "--output-fields=" + ",".join(FIELDS)]
    total = 0
    if request.get("files"):
        good, total = readable(request["files"], True)
        if not good:
            return
        command += [f"--file={path}" for path in good]
    elif request.get("folder"):
        good, total = readable(journals(request["folder"]), True)
        if not good:
            fail(request["folder"], "no journal file that can be read is in this directory")
            return
        command += [f"--directory={request['folder']}"]
    if request.get("boot") is not None:
        command += [f"--boot={request['boot']}"]
        total = 0
    if request.get("cursor"):
        command += [f"--after-cursor={request['cursor']}"]
        total = 0
    if request.get("follow"):
        command += ["--follow", "--lines=all"]
    try:
        program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    except OSError:
        fail("journal", "neither systemd-python (pip install 'kubelog[journal]') nor journalctl is installed")
        return
    waiting: queue.Queue[Fields | None] = queue.Queue(4096)

    def read() -> None:
        for one in entries(program.stdout):
            waiting.put(one)
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    held: list[bytes] = []
    size, count, cursor, ended = 0, 0, b"", False
    one: Fields | None
    while not ended:
        try:
            one = waiting.get(timeout=IDLE_S) if not held else waiting.get_nowait()
        except queue.Empty:
            one = []
        if one is None:
            ended = True
        elif one:
            values = dict(reversed(one))
            cursor = values.get("__CURSOR", b"")
            wanted = [(name, values[name]) for name in FIELDS if name in values and INSTEAD.get(name) not in values]
            held.append(text_of(int(values["__REALTIME_TIMESTAMP"]), wanted))
            size += len(held[-1])
            count += 1
            if size < BATCH:
                continue
        if held:
            frame(b"D", cursor + b"\n" + b"".join(held))
            held, size = [], 0
        elif not one:
            frame(b"I")
    assert program.stderr is not None
    said = program.stderr.read().decode("utf-8", "replace").strip().splitlines()
    if program.wait() or said:
        fail("journal", f"journalctl: {said[-1] if said else f'exit status {program.returncode}'}")
    elif count < total:
        say(f"{total - count:,} of {total:,} entries could not be read: a file is damaged")
    frame(b"Z")


def main() -> None:
    request = json.loads(sys.argv[1])
    # The parent is told of the keyboard; when it ends, its end of the pipe is closed.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        if request.get("journalctl"):
            raise ImportError
        from systemd import _reader  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:
        run_journalctl(request)
        return
    try:
        Library(request, _reader).run()
    except OSError as error:
        fail(request.get("folder") or "journal", reason_of(error))


if __name__ == "__main__":
    main()
