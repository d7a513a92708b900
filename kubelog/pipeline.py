"""read · stream · correlate: the rooms put together.

An input's bytes become Blocks of complete records; a driver calls ingest, klog and message over the same warm Block.
Records and events are made only when someone iterates.
"""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from kubelog.engines import Engine, engine
from kubelog.errors import InputError, UsageError
from kubelog.ingest.block import NONE, VERDICTS, Block, Names
from kubelog.ingest.clock import CLOCK, DAY, Clock, micros
from kubelog.ingest.sources import CHUNK, Source, expand
from kubelog.message.coverage import Coverage
from kubelog.message.record import Record, RecordMaker
from kubelog.message.vocabulary import Event, Heard
from kubelog.timeline.changes import Timeline

if TYPE_CHECKING:
    import pandas as pd

    from kubelog.timeline import Change


class Filter:
    """Which records are wanted; None admits all."""

    def __init__(
        self,
        *,
        unit: str | None = None,
        pod: str | None = None,
        kind: str | None = None,
        severity: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        if severity is not None and (not severity or set(severity.upper()) - set("IWEF")):
            raise UsageError(f"expected severities of I, W, E, F (such as WEF), found {severity!r}")
        if pod is not None and pod.count("/") != 1:
            raise UsageError(f"expected a pod as NAMESPACE/NAME, found {pod!r}")
        self.unit, self.pod, self.kind, self.severity = unit, pod, kind, severity.upper() if severity else None
        self.since, self.until = since, until

    def __bool__(self) -> bool:
        return any(value is not None for value in vars(self).values())

    def admits(self, record: Record) -> bool:
        """Whether a record passes. A record without a time passes no limit of time."""
        if self.unit is not None and record.unit != self.unit:
            return False
        if self.kind is not None and record.kind != self.kind:
            return False
        if self.severity is not None and (record.severity or " ") not in self.severity:
            return False
        if self.pod is not None and f"{record.namespace}/{record.pod}" != self.pod:
            return False
        return self._in_time(record.time)

    def _in_time(self, time: datetime | None) -> bool:
        if self.since is None and self.until is None:
            return True
        if time is None:
            return False
        return (self.since is None or _later(time, self.since)) and (self.until is None or _later(self.until, time))


def _later(one: datetime, other: datetime) -> bool:
    """One ≥ other; where only one of them knows its zone, as local times."""
    if (one.tzinfo is None) != (other.tzinfo is None):
        one, other = one.replace(tzinfo=None), other.replace(tzinfo=None)
    return one >= other


class Reader:
    """bytes of one input, in any pieces → Blocks of complete records. Where the pieces are cut does not matter."""

    def __init__(self, engine: Engine, path: str, clock: Clock) -> None:
        self.engine, self.path, self.clock = engine, path, clock
        self.names = Names()
        self.held = b""  # bytes whose records a later line may still continue
        self.offset, self.line = 0, 1  # of held[0]
        self._begin()

    def go_on(self, offset: int, line: int) -> None:
        """Go on with the input's bytes from `offset`, where this line begins."""
        self.offset, self.line, self.held = offset, line, b""
        self._begin()

    def _begin(self) -> None:
        self.block = Block(b"", self.names, self.path, self.offset, self.line)
        self.joiner = self.engine.joiner(self.block)

    def _grow(self, stop: int) -> None:
        """Read the lines of held[:stop] that were not read yet."""
        if stop > len(self.block.data):
            self.block.data = self.held[:stop]
            self.engine.lines(self.block)
            self.joiner.run()

    def push(self, data: bytes, final: bool = False, settle: bool = False) -> Block:
        """The records that are complete now; with `final` all of them, with `settle` all whole lines. The Block may be empty."""
        self.held += data
        self._grow(len(self.held) if final else self.held.rfind(b"\n") + 1)
        rows = self.block.without_records()
        settled = self.joiner.settle(final or settle, rows)
        self._finish(rows, self.clock)
        if settled:
            taken = rows.next[settled - 1]
            self.held = self.held[taken:]
            self.offset += taken
            self.line += settled
            self._begin()
        return rows

    def pending(self) -> Block:
        """The records of the whole lines that are held, as they are so far."""
        self._grow(self.held.rfind(b"\n") + 1)
        rows = self.block.without_records()
        self.joiner.settle(True, rows)
        self._finish(rows, self.clock.fork())
        return rows

    def _finish(self, block: Block, clock: Clock) -> None:
        clock.read(block)
        self.engine.messages(block)


class Log:
    """The records of some inputs: lazy, re-iterable. Made by `read`."""

    def __init__(
        self,
        sources: list[Source],
        engine: Engine,
        *,
        year: int | None = None,
        tz: str | None = None,
        node: str | None = None,
        now: datetime | None = None,
        at: datetime | None = None,
        where: Filter | None = None,
    ) -> None:
        self.sources, self.engine = sources, engine
        self.year, self.tz, self.node, self.now, self.at = year, tz, node, now, at
        self.where = where or Filter()
        self.errors: list[InputError] = []  # inputs that could not be read to their end, after an iteration
        self.notes: list[str] = []  # what was assumed, after an iteration
        self.empty: list[str] = []  # inputs without a byte, after an iteration
        self.verdicts: Counter[str] = Counter()  # records by verdict, after `incidents`
        self._clock(Source("-", lambda: iter(())))  # wrong arguments fail here, not in the middle

    def __repr__(self) -> str:
        return f"<kubelog.Log of {', '.join(source.path for source in self.sources) or 'nothing'}>"

    def _clock(self, source: Source) -> Clock:
        reference, kind = (source.aged, source.age_source) if source.aged else (self.now, CLOCK)
        return Clock(self.engine.table, year=self.year, tz=self.tz, reference=reference, source=kind)

    def maker(self, clock: Clock) -> RecordMaker:
        return RecordMaker(self.engine.table, self.engine.decoder, clock, self.node, self.at)

    def reader(self, source: Source) -> Reader:
        return Reader(self.engine, source.path, self._clock(source))

    def blocks(self) -> Iterator[tuple[Block, RecordMaker]]:
        """The Blocks of all inputs in order. An input that breaks off is told in `errors`; what could be read is delivered."""
        self.errors, self.notes, self.empty = [], [], []
        for source in self.sources:
            yield from self.blocks_of(source)

    def blocks_of(self, source: Source) -> Iterator[tuple[Block, RecordMaker]]:
        """The Blocks of one input."""
        reader = self.reader(source)
        maker = self.maker(reader.clock)
        try:
            for chunk in source.read():
                block = reader.push(chunk)
                if len(block):
                    yield block, maker
        except InputError as error:
            self.errors.append(error)
        block = reader.push(b"", final=True)
        if len(block):
            yield block, maker
        if reader.offset == 0 and not any(error.path == source.path for error in self.errors):
            self.empty.append(source.path)
        self.note_year(reader)

    def note_year(self, reader: Reader) -> None:
        if reader.clock.assumed is not None:
            source = "the file's age" if reader.clock.source != CLOCK else "the clock"
            self.notes.append(
                f"{reader.path}: no year in the log; {reader.clock.assumed} assumed from {source} (--year says another)"
            )

    def __iter__(self) -> Iterator[Record]:
        for block, maker in self.blocks():
            for row in range(len(block)):
                record = maker.record(block, row)
                if not self.where or self.where.admits(record):
                    yield record

    def events(self, kind: str) -> Events:
        """The typed events of one kind; its fields are columns in `to_pandas`."""
        known = {entry.event for entry in self.engine.table.entries}
        if kind not in known:
            from kubelog.grammar.notation import suggest

            raise UsageError(f"{kind!r} is no kind of this grammar; {suggest(kind, known)}")
        return Events(self, kind)

    def to_pandas(self) -> pd.DataFrame:
        """A row a record: the columns of `parse -o jsonl`; path, line and offset instead of origin, no fields and pairs."""
        from kubelog.message.frame import records_frame

        return records_frame(self)

    def coverage(self) -> Coverage:
        """How much of the log was understood."""
        found = Coverage()
        for record in self:
            found.add(record)
        return found

    def changes(self) -> Iterator[Change]:
        """What the correlator says as it reads; inputs are merged by time."""
        return self._changes(1)

    def _changes(self, every: int) -> Iterator[Change]:
        """The changes, asked for after so many events: what they fold to is the same."""
        from kubelog.timeline import Correlator, merge

        self.errors, self.notes, self.empty, self.verdicts = [], [], [], Counter()
        correlator = Correlator(one_input=len(self.sources) == 1)
        for number, item in enumerate(merge(self._inputs()), 1):
            if isinstance(item, Event):
                correlator.take(item)
                if number % every == 0:
                    yield from correlator.tell(item.seen.node) if every == 1 else correlator.flush()
            else:
                yield from correlator.advance(*item)
        yield from correlator.flush()

    def _inputs(self) -> list[Iterator[Event | tuple[str | None, Heard]]]:
        """The events of each input. Of several, one that names no node is of the node that the others name, if that is one."""
        if len(self.sources) == 1:
            return [self._events_of(self.blocks_of(self.sources[0]), self.node)]
        starts = [self._start(source) for source in self.sources]
        named = {node for nodes, _ in starts for node in nodes}
        only = next(iter(named)) if len(named) == 1 else None
        return [self._events_of(blocks, self.node or only or next(iter(nodes), None)) for nodes, blocks in starts]

    def _start(self, source: Source) -> tuple[list[str], Iterator[tuple[Block, RecordMaker]]]:
        """The nodes that an input's beginning names, in order, and all its Blocks."""
        blocks = self.blocks_of(source)
        kept: list[tuple[Block, RecordMaker]] = []
        nodes: dict[str, None] = {}
        for block, maker in blocks:
            kept.append((block, maker))
            for row in range(len(block)):
                line = block.first[row]
                node = block.names.nodes.text(block.node[line])
                if node is None and block.kind[row] >= 0:
                    made = maker.event(block, row)
                    node = made[0].seen.node if made else None
                if node is not None and block.offset + block.at[line] < CHUNK:
                    nodes[node] = None
            if block.offset + len(block.data) >= CHUNK:
                break
        return list(nodes), chain(kept, blocks)

    def _events_of(
        self, blocks: Iterable[tuple[Block, RecordMaker]], node: str | None
    ) -> Iterator[Event | tuple[str | None, Heard]]:
        """The events of one input that the rules ask for."""
        from kubelog.timeline import WANTED

        feed = Feed(WANTED, self.where, node, fixed=self.node is not None)
        for block, maker in blocks:
            yield from feed.read(block, maker)
        self.verdicts += feed.verdicts
        yield from feed.heard.items()

    def incidents(self) -> Timeline:
        """The incidents of the log: list-like, rich in a notebook."""
        timeline = Timeline(self._changes(1000))
        timeline.notes = list(self.notes)
        timeline.coverage = {verdict: self.verdicts[verdict] for verdict in VERDICTS}
        return timeline


# Moments without a year count in a leap year; half of it back is New Year, nearly all of it ahead a late line of the old year.
_YEAR, _BACK, _AHEAD = 366 * DAY, 180 * DAY, 330 * DAY


class Feed:
    """Blocks → the events that the rules ask for, each with how far its node's records had come.

    A line that names no node is of the node of the line before, unless `node` is fixed.
    """

    def __init__(self, wanted: frozenset[str], where: Filter, node: str | None = None, *, fixed: bool = False) -> None:
        self.wanted, self.where, self.node, self.fixed = wanted, where, node, fixed
        self.heard: dict[str | None, Heard] = {}
        self.verdicts: Counter[str] = Counter()
        self.moment: int | None = None  # of the line before, where no year is known
        self.turned = 0  # µs of the New Years that were passed without one
        self._kinds: dict[int, bool] = {}

    def fork(self) -> Feed:
        """A copy that may run ahead."""
        copied = copy.copy(self)
        copied.heard, copied.verdicts = self.heard.copy(), self.verdicts.copy()
        return copied

    def read(self, block: Block, maker: RecordMaker) -> Iterator[Event]:
        """The wanted events of a Block."""
        names, code, named = block.names.nodes, -1, None
        for row in range(len(block)):
            line = block.first[row]
            self.verdicts[VERDICTS[block.verdict[row]]] += 1
            if block.node[line] != code:
                code = block.node[line]
                named = names.text(code)
            if named is not None:
                self._name(named)
            node = named or self.node
            time, turned = block.time[row], 0
            if time == NONE and block.since_year[row] != NONE:
                turned = self._turn(block.since_year[row])
                time = block.since_year[row] + turned
            if time != NONE:
                heard = self.heard.get(node)
                self.heard[node] = Heard(time, time) if heard is None else heard.at(time)
            number = block.kind[row]
            if number >= 0 and self._wants(number, maker):
                event = self._event(block, row, maker, turned)
                if event is not None:
                    yield event

    def _event(self, block: Block, row: int, maker: RecordMaker, turned: int) -> Event | None:
        maker.node = self.node
        if self.where and not self.where.admits(maker.record(block, row)):
            return None
        made = maker.event(block, row)
        if made is None:
            return None
        event, seen = made[0], made[0].seen
        if seen.node is not None:
            self._name(seen.node)
        heard = self.heard.get(seen.node)
        if heard is not None:
            self.heard[seen.node] = heard.asked()
        time = seen.time_us + turned if seen.time_us is not None else None
        return msgspec.structs.replace(event, seen=msgspec.structs.replace(seen, heard=heard, time_us=time))

    def _name(self, node: str) -> None:
        """A line names its node: so it is that of the lines behind it, and of those before it that no line names."""
        if self.fixed or node == self.node:
            return
        if self.node is None and None in self.heard:
            self.heard[node] = self.heard.pop(None)
        self.node = node

    def _turn(self, moment: int) -> int:
        """µs to add to a moment without a year, so that it is behind those before it."""
        if self.moment is not None:
            if moment < self.moment - _BACK:
                self.turned += _YEAR
            elif moment > self.moment + _AHEAD:
                return self.turned - _YEAR
        self.moment = moment
        return self.turned

    def _wants(self, number: int, maker: RecordMaker) -> bool:
        wants = self._kinds.get(number)
        if wants is None:
            wants = self._kinds[number] = maker.table.entries[number].event in self.wanted
        return wants


class Events:
    """The events of one kind in a Log: iterable; `to_pandas` has the typed fields as columns."""

    def __init__(self, log: Log, kind: str) -> None:
        self.log, self.kind = log, kind

    def __iter__(self) -> Iterator[Event]:
        for block, maker in self.log.blocks():
            for row in range(len(block)):
                if maker.kind(block, row) != self.kind:
                    continue
                if self.log.where and not self.log.where.admits(maker.record(block, row)):
                    continue
                made = maker.event(block, row)
                if made is not None:
                    yield made[0]

    def to_pandas(self) -> pd.DataFrame:
        """time, node, unit, path, line and the kind's fields."""
        from kubelog.message.frame import events_frame

        return events_frame(self, self.log.engine.decoder.classes[self.kind])


Input = str | os.PathLike[str]


def read(
    *inputs: Input,
    year: int | None = None,
    tz: str | None = None,
    node: str | None = None,
    now: datetime | None = None,
    at: datetime | None = None,
    grammar: Input | None = None,
    engine: str = "scanner",
) -> Log:
    """A Log of files, directories, globs or `-` (standard input).

    `year` of the first line; without it that of the file's age, or of `now` where the input is a pipe; else times stay
    unknown. `tz` a zone's name or offset: then times are aware. `node` names lines that name none. `at` says when the
    ages in tables were taken. `grammar` is a directory or file of further grammars. Raises InputError, UsageError,
    GrammarError at once.
    """
    sources, errors = expand(inputs)
    if errors:
        raise errors[0]
    return Log(sources, load_grammar(grammar, engine), year=year, tz=tz, node=node, now=now, at=at)


def load_grammar(path: Input | None = None, engine_name: str = "scanner") -> Engine:
    """The engine over the shipped grammars and those at `path`. Raises GrammarError."""
    return engine(engine_name, () if path is None else (Path(path),))


def parse_line(line: str | bytes, *, year: int | None = None, tz: str | None = None, grammar: Input | None = None) -> Record:
    """The Record of one line (or of one record of several lines)."""
    data = _bytes(line)
    log = Log([Source("-", lambda: iter((data,)))], _shared(grammar), year=year, tz=tz)
    for record in log:
        return record
    return next(iter(Log([Source("-", lambda: iter((b"\n",)))], _shared(grammar))))


def _bytes(line: str | bytes) -> bytes:
    """A line as bytes: what Python made of bytes that are no UTF-8 becomes these bytes again."""
    if not isinstance(line, str):
        return bytes(line)
    try:
        return line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return line.encode("utf-8", "surrogatepass")


def stream(
    lines: Iterable[str | bytes], *, year: int | None = None, tz: str | None = None, node: str | None = None,
    now: datetime | None = None, grammar: Input | None = None,
) -> Iterator[Event]:  # fmt: skip
    """Typed events of any iterable of lines (or pieces) of bytes or str, each as soon as its line came.

    A str without a newline at its end is taken as a whole line. An event whose record grew by a continuation line comes
    again, in full, with the same `seen.path` and `seen.offset`; the correlator takes it for the same event.
    """
    log = Log([], _shared(grammar), year=year, tz=tz, node=node, now=now)
    live = LiveReader(log, Source("-", lambda: iter(())), None)
    for line in lines:
        data = _bytes(line)
        if isinstance(line, str) and not data.endswith(b"\n"):
            data += b"\n"
        yield from live.push(data)
    yield from live.push(b"", final=True)


class LiveReader:
    """Pieces of one input → events at once: those of records that are complete, and those of records that may still grow."""

    def __init__(self, log: Log, source: Source, wanted: frozenset[str] | None) -> None:
        self.reader = log.reader(source)
        self.maker = log.maker(self.reader.clock)
        every = frozenset(entry.event for entry in log.engine.table.entries)
        self.feed = Feed(every if wanted is None else wanted, log.where, log.node, fixed=log.node is not None)
        self.ahead = self.feed
        self.early: dict[int, Event] = {}  # offset → an event that was told before its record was complete

    def push(self, data: bytes, final: bool = False) -> Iterator[Event]:
        """The events of what came; one that was told before its record was complete comes again where it changed.

        Where the whole record turns out to be none, a plain Event takes it back.
        """
        block = self.reader.push(data, final)
        for event in self.feed.read(block, self.maker):
            if _said(self.early.pop(event.seen.offset, None)) != _said(event):
                yield event
        for offset in [offset for offset in self.early if offset < self.reader.offset]:
            yield Event(seen=self.early.pop(offset).seen)
        self.ahead = self.feed.fork()
        told = set()
        for event in self.ahead.read(self.reader.pending(), self.maker):
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
            "clock": [clock.year, clock.last, clock.assumed, clock.months],
            "feed": [feed.node, feed.moment, feed.turned, msgspec.to_builtins(list(feed.heard.items()))],
            "early": [(event.kind, msgspec.to_builtins(event)) for event in self.early.values()],
        }

    def resume(self, place: dict[str, Any]) -> None:
        """Go on at a place. Raises LookupError, TypeError or ValueError where it is none."""
        clock, feed = self.reader.clock, self.feed
        self.reader.go_on(place["offset"], place["line"])
        clock.year, clock.last, clock.assumed, clock.months = place["clock"]
        feed.node, feed.moment, feed.turned, heard = place["feed"]
        feed.heard = {node: msgspec.convert(one, Heard, strict=False) for node, one in heard}
        classes = self.reader.engine.decoder.classes
        early = [msgspec.convert(data, classes[kind], strict=False) for kind, data in place["early"]]
        self.early = {event.seen.offset: event for event in early}
        self.ahead = feed

    @property
    def heard(self) -> dict[str | None, Heard]:
        """How far the nodes' records came, those that may still grow included."""
        return self.ahead.heard


def _said(event: Event | None) -> tuple[str, dict[str, Any]] | None:
    return None if event is None else (event.kind, event.fields)


_ENGINES: dict[str | None, Engine] = {}


def _shared(grammar: Input | None) -> Engine:
    """The scanner over a grammar; loaded once a process."""
    key = None if grammar is None else os.fspath(grammar)
    if key not in _ENGINES:
        _ENGINES[key] = load_grammar(grammar)
    return _ENGINES[key]


def _html(timeline: Timeline) -> str:
    from kubelog.view.html import timeline as render

    return render(timeline)


Timeline.html = _html
__all__ = ["Coverage", "Events", "Filter", "Log", "Reader", "load_grammar", "micros", "parse_line", "read", "stream"]
