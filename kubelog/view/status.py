"""how far a log was read → what a terminal says of it: what is watched, that all is quiet, what cannot be known."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Final, TextIO

from kubelog.timeline.incident import Incident
from kubelog.view.escape import terminal

# So long without a new line is worth saying.
_WAITED_S: Final = 60.0
_NAMED: Final = 3  # nodes, by name
_WORDS: Final = {"pleg": "PLEG", "api": "API"}


def plain(kind: str) -> str:
    """`NodePressureEviction` → `node pressure eviction`."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|.", kind)
    words = [part if len(part) > 1 and part.isupper() else part.lower() for part in parts]
    return " ".join(_WORDS.get(word, word) for word in words)


def watched(name: str, where: Mapping[str, str | None], kinds: Iterable[str]) -> str:
    """What is watched, and for what: the line that stands first."""
    only = [f"{what} {value}" for what, value in where.items() if value]
    of = ", ".join(["standard input" if name == "-" else name, *only])
    return terminal(f"watching {of} for: {', '.join(plain(kind) for kind in kinds)}")


class Known:
    """What was read so far and what is open, as the status line says it. Times are the log's own."""

    def __init__(self, *, is_resumed: bool = False) -> None:
        self.records = self.unparsed = 0
        self.nodes: list[str | None] = []
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.silence: tuple[datetime | None, datetime | None] | None = None  # the last long stretch without a line
        self.year: int | None = None  # that was assumed
        self.is_resumed = is_resumed  # what is known of the nodes may come from a saved state
        self.configured: set[str | None] = set()  # nodes whose thresholds a line told
        self.open: dict[str, str] = {}  # id → kind

    def stands(self, incident: Incident) -> None:
        """An incident is open, is over, or is taken back."""
        if incident.state == "open" and incident.episodes:
            self.open[incident.id] = incident.kind
        else:
            self.open.pop(incident.id, None)

    def line(self, waited_s: float = 0.0, *, is_brief: bool = False) -> str:
        """The status, what matters most first: a narrow terminal shows its beginning. In brief it gives no reasons."""
        silent = _ago(waited_s)
        if not self.records:
            return "no line yet" + (f", waiting for {silent}" if silent else "")
        if self.open:
            kinds = ", ".join(sorted({plain(kind) for kind in self.open.values()}))
            parts = [f"{len(self.open):,} open ({kinds})"]
        elif self.unparsed == self.records:
            parts = ["nothing could be read: no line is one of a log that is known"]
        else:
            parts = ["quiet"]
        if silent:
            parts.append(f"no new line for {silent}")
        count = f"{self.records:,} record{'' if self.records == 1 else 's'}"
        nodes = self._nodes()
        parts.append(f"{count} of {nodes}" if nodes else count)
        unknown = [what if is_brief else f"{what} ({why})" for what, why in self._unknown()]
        if self.last is not None:
            parts.append(f"last {_clock(self.last)}")
        if unknown:
            parts.append(f"not known: {', '.join(unknown)}")
        if self.first is not None and self.first != self.last:
            parts.append(f"since {_clock(self.first)}")
        return terminal(" · ".join(parts))

    def _nodes(self) -> str:
        named = [node for node in self.nodes if node is not None]
        rest = len(named) - _NAMED
        return ", ".join(named[:_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")

    def _unknown(self) -> Iterator[tuple[str, str]]:
        """What cannot be known from what was read, and why."""
        if not any(self.nodes):
            yield "node", "no line names it; --node does"
        if not self.is_resumed and any(node not in self.configured for node in self.nodes or [None]):
            yield "thresholds" if not self.configured else "some thresholds", "no start of the kubelet is in view"
        if self.last is None:
            yield "time", "no line says it"
        elif self.year is not None:
            yield "year", f"{self.year} is assumed"
        if self.silence is not None:
            yield f"{_clock(self.silence[0])} to {_clock(self.silence[1])}", "no line"


def _ago(waited_s: float) -> str:
    """`3 min`, or nothing where that is not long."""
    if waited_s < _WAITED_S:
        return ""
    minutes = int(waited_s // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def _clock(time: datetime | None) -> str:
    return "" if time is None else time.strftime("%m-%d %H:%M:%S")


class Status:
    """A terminal's last line, written over in place; on a dumb terminal, plain lines, and few of them.

    Several threads may write: each holds the line while it does.
    """

    def __init__(self, stream: TextIO, *, is_dumb: bool, is_coloured: bool) -> None:
        self.stream, self.is_dumb, self.is_coloured = stream, is_dumb, is_coloured
        self._lock = threading.RLock()
        self._shown = ""

    def say(self, line: str) -> None:
        """A line that stays."""
        with self.aside():
            self.stream.write(line + "\n")
            self.stream.flush()

    def show(self, line: str) -> None:
        """The status as it is now."""
        with self._lock:
            line = line if self.is_dumb else cropped(line, self._columns() - 1)
            if line == self._shown:
                return
            if self.is_dumb:
                self.stream.write(line + "\n")
            else:
                dim, plain_again = ("\x1b[2m", "\x1b[0m") if self.is_coloured else ("", "")
                self.stream.write(f"\r{dim}{line}{plain_again}\x1b[K")
            self._shown = line
            self.stream.flush()

    def held(self) -> AbstractContextManager[object]:
        """While it is held, no other thread writes."""
        return self._lock

    @contextmanager
    def aside(self) -> Iterator[None]:
        """The line out of the way while something else is written to the terminal."""
        with self._lock:
            if self._shown and not self.is_dumb:
                self.stream.write("\r\x1b[K")
                self.stream.flush()
                self._shown = ""
            yield

    def end(self, line: str) -> None:
        """The last status, which stays."""
        with self._lock:
            if self.is_dumb:
                self.show(line)
            else:
                self.say(line)

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80


def cropped(line: str, columns: int) -> str:
    """As much of a line as so many columns show; a character of East Asia takes two."""
    if line.isascii() and len(line) <= columns:
        return line
    from rich.cells import cell_len

    if cell_len(line) <= columns:
        return line
    width, shown = 0, ""
    for character in line:
        width += cell_len(character)
        if width >= columns:
            break
        shown += character
    return shown + "…" if columns > 0 else ""
