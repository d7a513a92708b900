"""messages.toml → a journal of N lines and its truth, the same bytes on every machine.

`python -m benchmarks.generate LINES FILE` writes FILE and FILE.truth.json; `--bless` alone writes expected.json anew, for
every corpus of definitions.toml. `written("small", path)` writes a corpus and says what of it is not as expected.json says.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
from bisect import bisect
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

from benchmarks.messages import HERE, Hole, Message, load
from benchmarks.values import NODE, POOL, line_pool, pool

SEED = 20171016
PIDS = {"kubelet": 2296, "kube-apiserver": 1873, "chronyd": 612}
DAY_OF_NOVEMBER, DAYS_BEFORE = 10, 305  # of November, in a leap year: stamps without a year count in that calendar
STEP_US = 80_000  # mean time between records
APART = 0.2  # how often a line of another process stands within a record of several lines
# What a unit of a duration is in ns.
UNITS = {"µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000}


def duration_ns(raw: bytes) -> int:
    """A quoted Go duration of at least 1 ns."""
    return int(sum(Decimal(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+)(µs|ms|s|m)", raw.decode())))


# Of these kinds each field has a sum of its own: of CRC32s, or of what its text means.
COLUMNS: dict[str, dict[str, Callable[[bytes], int]]] = {
    "BenchHttpRequest": {
        "verb": crc32, "uri": crc32, "latency_s": duration_ns, "user_agent": crc32, "source_ip": crc32, "code": int,
    },
}  # fmt: skip


class Writer:
    """Writes one message: its text and what is true of it."""

    def __init__(self, message: Message, seed: int) -> None:
        self.message = message
        self.pieces = [part.encode() if isinstance(part, str) else pool(seed, part.values) for part in message.parts]
        self.is_field = [isinstance(part, Hole) and part.field is not None for part in message.parts]
        self.more = line_pool(seed, message.lines) if message.lines else None
        self.severity, _, place = message.at.partition(" ")
        self.place = place.encode()
        self.pairs = message.pairs
        self.envelope = f" {NODE} {message.unit}[{PIDS[message.unit]}]: ".encode()
        self.thread = b"%8d " % PIDS[message.unit]

    def write(self, random: Any) -> tuple[bytes, list[bytes], list[bytes]]:
        """The body, its continuation lines, the values of its fields."""
        parts, values = [], []
        for piece, is_field in zip(self.pieces, self.is_field, strict=True):
            if isinstance(piece, list):
                piece = piece[int(random() * POOL)]
                if is_field:
                    values.append(piece)
            parts.append(piece)
        more = self.more[int(random() * POOL)] if self.more else []
        if self.message.spans_lines:
            values[-1] = b"\n".join((values[-1], *more))
        return b"".join(parts), more, values


class Truth:
    """What is true of a corpus."""

    def __init__(self) -> None:
        self.lines = self.bytes = self.records = self.joined = self.pairs = self.headers = self.moments = 0
        self.verdicts = {"typed": 0, "structured": 0, "header": 0, "plain": 0}
        self.kinds: dict[str, list[int]] = {}
        self.columns = {kind: dict.fromkeys(fields, 0) for kind, fields in COLUMNS.items()}
        self.samples: list[dict[str, Any]] = []
        self.digest = hashlib.sha256()

    def line(self, line: bytes) -> None:
        self.lines += 1
        self.bytes += len(line)
        self.digest.update(line)

    def record(self, writer: Writer, moment: int, more: list[bytes], values: list[bytes]) -> None:
        message = writer.message
        self.records += 1
        self.joined += bool(more)
        self.pairs += writer.pairs
        if message.at:
            self.headers += 1
            self.moments = (self.moments + moment) % 2**64
        verdict = "typed" if message.kind else "plain" if not message.at else "structured" if message.structured else "header"
        self.verdicts[verdict] += 1
        if message.kind:
            told = self.kinds.setdefault(message.kind, [0, 0])
            told[0] += 1
            told[1] += sum(map(crc32, values))
            for name, value in zip(message.fields, values, strict=True) if message.kind in COLUMNS else ():
                self.columns[message.kind][name] += COLUMNS[message.kind][name](value)
            if told[0] == 1:
                fields = dict(zip(message.fields, (value.decode() for value in values), strict=True))
                self.samples.append({"line": self.lines, "kind": message.kind, "fields": fields})

    def told(self) -> dict[str, Any]:
        names = "lines bytes records headers joined pairs moments verdicts samples columns".split()
        told = {"sha256": self.digest.hexdigest(), **{name: getattr(self, name) for name in names}}
        return {**told, "kinds": dict(sorted(self.kinds.items()))}


class Journal:
    """The lines of the corpus, and the truth as far as they were taken."""

    def __init__(self, messages: list[Message], seed: int = SEED) -> None:
        self.random = Random(seed).random
        self.truth = Truth()
        writers = [Writer(message, seed) for message in messages]
        self.shared = [w for w in writers if w.message.share]
        self.shares = list(accumulate(w.message.share for w in self.shared))
        self.halves = []
        for structured in (False, True):
            half = [w for w in writers if w.message.weight and w.message.structured is structured]
            self.halves.append((half, list(accumulate(w.message.weight for w in half))))
        self.us = 0

    def draw(self) -> Writer:
        number = self.random()
        if number < self.shares[-1]:
            return self.shared[bisect(self.shares, number)]
        half, weights = self.halves[int(self.random() * 2)]
        return half[bisect(weights, self.random() * weights[-1])]

    def line(self, writer: Writer, text: bytes) -> bytes:
        day, rest = divmod(self.us, 86_400_000_000)
        minutes, second = divmod(rest // 1_000_000, 60)
        stamp = b"Nov %2d %02d:%02d:%02d" % (DAY_OF_NOVEMBER + day, minutes // 60, minutes % 60, second)
        line = stamp + writer.envelope + text + b"\n"
        self.truth.line(line)
        return line

    def record(self, writer: Writer) -> Iterator[bytes]:
        body, more, values = writer.write(self.random)
        self.us += int(self.random() * 2 * STEP_US)
        day, rest = divmod(self.us, 86_400_000_000)
        seconds, micros = divmod(rest, 1_000_000)
        minutes, second = divmod(seconds, 60)
        head = b""
        if writer.place:
            clock = b"11%02d %02d:%02d:%02d.%06d" % (DAY_OF_NOVEMBER + day, minutes // 60, minutes % 60, second, micros)
            head = b"%s%s%s%s] " % (writer.severity.encode(), clock, writer.thread, writer.place)
        line = self.line(writer, head + body)
        moment = (DAYS_BEFORE + DAY_OF_NOVEMBER - 1) * 86_400_000_000 + self.us
        self.truth.record(writer, moment, more, values)
        yield line
        for text in more:
            if self.random() < APART:
                other = self.draw()
                if other.message.unit != writer.message.unit and not other.more:
                    yield from self.record(other)
            yield self.line(writer, text)

    def read(self, lines: int) -> Iterator[bytes]:
        """At least so many lines; the last record is whole."""
        while self.truth.lines < lines:
            yield from self.record(self.draw())


def write(lines: int, path: Path) -> dict[str, Any]:
    """Write a corpus and its truth; the truth."""
    journal = Journal(load())
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb", buffering=1 << 20) as file:
        for line in journal.read(lines):
            file.write(line)
    part.replace(path)
    truth = journal.truth.told()
    truth_of(path).write_text(json.dumps(truth))
    return truth


def truth_of(path: Path) -> Path:
    return path.with_name(path.name + ".truth.json")


def corpora() -> dict[str, Any]:
    """The corpora of definitions.toml."""
    found: dict[str, Any] = tomllib.loads((HERE / "definitions.toml").read_text())["corpus"]
    return found


def expected(name: str) -> dict[str, Any]:
    """What a corpus is to be."""
    found: dict[str, Any] = json.loads((HERE / "expected.json").read_text())[name]
    return found


def written(name: str, path: Path) -> list[str]:
    """Write a corpus of definitions.toml; what of it differs from expected.json."""
    truth = json.loads(json.dumps(write(corpora()[name]["lines"], path)))
    return [key for key, value in expected(name).items() if truth[key] != value]


def bless() -> None:
    """Write what the corpora of definitions.toml are to be."""
    told = {}
    for name, corpus in corpora().items():
        truth = write(corpus["lines"], HERE / "corpus" / f"{name}.log")
        if not corpus.get("samples"):
            del truth["samples"]
        told[name] = truth
    text = json.dumps(told, indent=1, ensure_ascii=False)
    (HERE / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--bless"]:
        bless()
    else:
        write(int(sys.argv[1]), Path(sys.argv[2]))
