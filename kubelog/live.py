"""lines as they come → Events at once, those of records that may still grow included."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from kubelog.feed import Feed
from kubelog.ingest.inputs.sources import Source
from kubelog.message.vocabulary.event import Event, Heard
from kubelog.pipeline import Input, Log, as_bytes, shared_engine


def stream(
    lines: Iterable[str | bytes], *, year: int | None = None, tz: str | None = None, node: str | None = None,
    now: datetime | None = None, grammar: Input | None = None,
) -> Iterator[Event]:  # fmt: skip
    """Typed events of any iterable of lines (or pieces) of bytes or str, each as soon as its line came.

    A str without a newline at its end is taken as a whole line. An event whose record grew by a continuation line comes
    again, in full, with the same `seen.path` and `seen.offset`; the correlator takes it for the same event.
    """
    log = Log([], shared_engine(grammar), year=year, tz=tz, node=node, now=now)
    live = LiveReader(log, Source.of("-"), None)
    for line in lines:
        data = as_bytes(line)
        if isinstance(line, str) and not data.endswith(b"\n"):
            data += b"\n"
        yield from live.push(data)
    yield from live.push(b"", final=True)


class LiveReader:
    """Pieces of one input → events at once: those of records that are complete, and those of records that may still grow."""

    def __init__(self, log: Log, source: Source, wanted: Collection[str] | None) -> None:
        self.reader = log.reader(source)
        self.maker = log.maker(self.reader.clock)
        every = frozenset(entry.event for entry in log.engine.table.entries)
        leaf = self.reader.engine.leaves.Listener
        self.feed = Feed(every if wanted is None else wanted, log.where, log.node, fixed=log.node is not None, leaf=leaf)
        self.ahead = self.feed
        self.missing: str | None = None  # what is missing before that which comes
        self.early: dict[int, Event] = {}  # offset → an event that was told before its record was complete

    def push(self, data: bytes, final: bool = False) -> Iterator[Event]:
        """The events of what came; one that was told before its record was complete comes again where it changed.

        Where the whole record turns out to be none, a plain Event takes it back.
        """
        for block in self.reader.push(data, final):
            self.feed.where.learn(block)
            self.reader.engine.messages(block)
            if self.missing and (event := self.feed.lost(self.missing, block, self.maker)):
                self.missing = None
                yield event
            for event in self.feed.read(block, self.maker):
                if _said(self.early.pop(event.seen.offset, None)) != _said(event):
                    yield event
        for offset in [offset for offset in self.early if offset < self.reader.offset]:
            yield Event(seen=self.early.pop(offset).seen)
        self.ahead = self.feed.fork()
        told = set()
        pending = self.reader.pending()
        self.feed.where.learn(pending)
        self.reader.engine.messages(pending)
        for event in self.ahead.read(pending, self.maker):
            told.add(event.seen.offset)
            if _said(self.early.get(event.seen.offset)) != _said(event):
                self.early[event.seen.offset] = event
                yield event
        for offset in self.early.keys() - told:
            yield Event(seen=self.early.pop(offset).seen)

    def place(self) -> dict[str, Any]:
        """Where it stands, as plain data: a reader that resumes there goes on with the input's bytes from `offset`."""
        clock, feed = self.reader.clock, self.feed
        return {
            "path": self.reader.path,
            "offset": self.reader.offset,
            "line": self.reader.line,
            "boot": self.reader.boot.decode("latin-1"),
            "clock": [clock.year, clock.source, clock.last, clock.assumed, clock.unset, clock.twice, clock.fold],
            "missing": self.missing,
            "months": clock.months.state(),
            "shifts": [[*key, shift] for key, shift in clock.shifts.items()],
            "feed": [feed.node, feed.moment, feed.turned, msgspec.to_builtins(list(feed.heard.items())), list(feed.booting)],
            "early": [(event.kind, msgspec.to_builtins(event)) for event in self.early.values()],
        }

    def resume(self, place: dict[str, Any]) -> None:
        """Go on at a place. Raises LookupError, TypeError or ValueError where it is none."""
        clock, feed = self.reader.clock, self.feed
        learnt, months = tuple(place["clock"]), place["months"]
        shifts = {(node, unit, bool(instant)): shift for node, unit, instant, shift in place["shifts"]}
        node, moment, turned, saved, booting = place["feed"]
        heard = {name: msgspec.convert(one, Heard, strict=False) for name, one in saved}
        classes = self.reader.engine.decoder.classes
        early = [msgspec.convert(data, classes[kind], strict=False) for kind, data in place["early"]]
        self.reader.go_on(place["offset"], place["line"], place["boot"].encode("latin-1"))
        clock.year, clock.source, clock.last, clock.assumed, clock.unset, clock.twice, clock.fold = learnt
        clock.months.restore(months)
        clock.shifts = shifts
        feed.node, feed.moment, feed.turned, feed.heard, feed.booting = node, moment, turned, heard, set(booting)
        self.early = {event.seen.offset: event for event in early}
        self.ahead, self.missing = feed, place["missing"]

    @property
    def heard(self) -> dict[str | None, Heard]:
        """How far the nodes' records came, those that may still grow included."""
        return self.ahead.heard


def _said(event: Event | None) -> tuple[str, dict[str, Any]] | None:
    return None if event is None else (event.kind, event.fields)
