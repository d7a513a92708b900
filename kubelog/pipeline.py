"""read · stream · correlate: the rooms put together.

An input's bytes become Blocks of complete records; a driver calls ingest, klog and message over the same warm Block.
Records and events are made only when someone iterates.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from kubelog.engines import Engine, engine
from kubelog.errors import InputError, UsageError
from kubelog.feed import Feed
from kubelog.grammar import packages
from kubelog.ingest.block import VERDICTS, Block
from kubelog.ingest.clock import CLOCK, Clock
from kubelog.ingest.columns import keep_freed
from kubelog.ingest.inputs.place import NOWHERE, Place
from kubelog.ingest.inputs.sources import CHUNK, Source, expand, family, missing
from kubelog.message.coverage import Coverage
from kubelog.message.filter import Filter
from kubelog.message.record import Record, RecordMaker
from kubelog.message.vocabulary.event import Event
from kubelog.reader import Reader
from kubelog.timeline.changes import Timeline
from kubelog.workers import cores, ordered

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from kubelog.message.event_table import EventTables
    from kubelog.message.table import Tables
    from kubelog.timeline import Change
    from kubelog.timeline.merge import Fed


T = TypeVar("T")
# How far an input is looked at for the nodes that it names.
_BEGINNING = 1 << 18
# So many inputs that are merged are read side by side, in pieces of at least this size.
_BESIDE = 24
_LEAST = 1 << 16


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
        jobs: int | None = None,
    ) -> None:
        if jobs is not None and jobs < 1:
            raise UsageError(f"expected a number of jobs from 1, found {jobs}")
        self.sources, self.engine = sources, engine
        self.jobs = jobs or cores()
        self.year, self.tz, self.node, self.now, self.at = year, tz, node, now, at
        self.where = where or Filter()
        self._clocks: dict[str, tuple[tuple[int, str, int], Clock]] = {}  # of each family, the last file that was read
        self._grouped: tuple[list[Source], dict[str, list[Source]]] = [], {}
        self._years: dict[str, tuple[int, int, bool] | None] = {}
        self.errors: list[InputError] = []  # inputs that could not be read to their end, after an iteration
        self.notes: list[str] = []  # what was assumed, after an iteration
        self.empty: list[str] = []  # inputs without a byte, after an iteration
        self.verdicts: Counter[str] = Counter()  # records by verdict, after `incidents`
        self._clock(Source.of("-"))  # wrong arguments fail here, not in the middle

    def __repr__(self) -> str:
        return f"<kubelog.Log of {', '.join(source.path for source in self.sources) or 'nothing'}>"

    def _clock(self, source: Source) -> Clock:
        reference, kind = (source.aged, source.age_source) if source.aged else (self.now, CLOCK)
        clock = Clock(self.engine.table, year=self.year, tz=self.tz, reference=reference, source=kind)
        if self.year is None and (source.file is not None or source.again or source.head):
            clock.hint = self._first_year(source, clock)
        return clock

    def _first_year(self, source: Source, clock: Clock) -> tuple[int, int, bool] | None:
        """The year of a file's first date, as it and those that were rotated with it say."""
        from kubelog.ingest.survey import years

        if source.path not in self._years:
            siblings = self._families.get(family(source.path)[0], [])
            try:
                found = years(siblings, self.engine.lines, clock.months.likely) if siblings else []
            except OSError:
                found = [None] * len(siblings)  # told when it is read
            self._years |= {one.path: year for one, year in zip(siblings, found, strict=True)}
        return self._years.get(source.path)

    @property
    def _families(self) -> dict[str, list[Source]]:
        """Files that were rotated are one input; by its name."""
        of, found = self._grouped
        if of is not self.sources:
            found = {}
            for source in self.sources:
                found.setdefault(family(source.path)[0], []).append(source)
            self._grouped = self.sources, found
        return found

    def maker(self, clock: Clock, place: Place = NOWHERE) -> RecordMaker:
        return RecordMaker(self.engine.table, self.engine.decoder, clock, self.node, self.at, place)

    def reader(self, source: Source) -> Reader:
        return Reader(self.engine, source.path, self._clock(source))

    def _follows(self, reader: Reader) -> None:
        """A file that was rotated goes on with the clock of the one before it."""
        name, place = family(reader.path)
        before = self._clocks.get(name)
        if before is not None and before[0] < place:
            clock = before[1]
            if reader.clock.hint is None:
                clock.assumed = None  # said already
                reader.clock = clock
            else:
                reader.clock.months, reader.clock.shifts = clock.months, clock.shifts
        self._clocks[name] = place, reader.clock

    def blocks(self) -> Iterator[tuple[Block, RecordMaker]]:
        """The Blocks of all inputs in order. An input that breaks off is told in `errors`; what could be read is delivered."""
        return self.made(lambda block, maker: (block, maker))

    def made(self, make: Callable[[Block, RecordMaker], T]) -> Iterator[T]:
        """What is made of each Block, in order; side by side where there are several jobs."""
        self.errors, self.notes, self.empty = [], [], []
        return self._finished((item for source in self.sources for item in self._joined(source)), make)

    def blocks_of(self, source: Source) -> Iterator[tuple[Block, RecordMaker]]:
        """The Blocks of one input."""
        return self._finished(self._joined(source), lambda block, maker: (block, maker))

    def _finished(self, blocks: Iterable[tuple[Block, RecordMaker]], make: Callable[[Block, RecordMaker], T]) -> Iterator[T]:
        def finish(item: tuple[Block, RecordMaker]) -> T:
            self.engine.messages(item[0])
            return make(*item)

        return ordered(blocks, finish, self.jobs)

    def _joined(self, source: Source) -> Iterator[tuple[Block, RecordMaker]]:
        """The Blocks of one input, but for their messages."""
        reader = self.reader(source)
        self._follows(reader)
        maker = self.maker(reader.clock, source.place)
        keep_freed()
        try:
            for chunk in source.read(reader.give):
                for block in reader.push(chunk):
                    self.where.learn(block)
                    yield block, maker
        except InputError as error:
            self.errors.append(error)
        for block in reader.push(b"", final=True):
            self.where.learn(block)
            yield block, maker
        if reader.offset == 0 and not any(error.path == source.path for error in self.errors):
            self.empty.append(source.path)
        self.notes += source.notes
        self.note_year(reader)

    def note_year(self, reader: Reader) -> None:
        if reader.clock.assumed is not None:
            source = "the file's age" if reader.clock.source != CLOCK else "the clock"
            self.notes.append(
                f"{reader.path}: no year in the log; {reader.clock.assumed} assumed from {source} (--year says another)"
            )
        self.notes += [f"{reader.path}: {difference}" for difference in reader.clock.differences()]

    def __iter__(self) -> Iterator[Record]:
        for block, maker in self.blocks():
            for row in range(len(block)):
                record = maker.record(block, row)
                if not self.where or self.where.admits(record):
                    yield record

    def events(self, kind: str) -> Events:
        """The typed events of one kind; as a table, its fields are columns."""
        known = {entry.event for entry in self.engine.table.entries}
        if kind not in known:
            from kubelog.grammar.notation import suggest

            raise UsageError(f"{kind!r} is no kind of this grammar; {suggest(kind, known)}")
        return Events(self, kind)

    def pod(self, name: str) -> Log:
        """The records about one pod (`namespace/name`), whatever form its name has; a Log as this one."""
        where = Filter(**{**self.where.options, "pod": name})
        return Log(
            self.sources, self.engine, year=self.year, tz=self.tz, node=self.node, now=self.now, at=self.at, where=where,
            jobs=self.jobs,
        )  # fmt: skip

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Arrow batches, a row a record: as `to_arrow`, a Block at a time."""
        return self.made(self.table_maker())

    def table_maker(self) -> Callable[[Block, RecordMaker], pa.RecordBatch]:
        """What makes the table of a Block's records: of those that are wanted."""
        from kubelog.message.table import admitted

        tables, where = self._tables, self.where
        if not where:
            return tables.batch
        return lambda block, maker: admitted(tables.batch(block, maker), where, block, maker)

    @cached_property
    def _tables(self) -> Tables:
        from kubelog.message.table import Tables

        return Tables(self.engine.table, self.engine.decoder, self.engine.leaves)

    @property
    def schema(self) -> pa.Schema:
        """The columns of `to_arrow` and their types."""
        return self._tables.schema(self._clock(Source.of("-")))

    def to_arrow(self) -> pa.Table:
        """A row a record: the columns of `parse -o jsonl`; path, line and offset instead of origin, no fields and pairs.

        Times are µs, aware where the zone is given, else local, or UTC where the line says that. Texts are string views, names
        dictionaries; the input's bytes are let go.
        """
        from kubelog.message.table import arrow

        return arrow().Table.from_batches(list(self.batches()), self.schema)

    def to_pandas(self) -> pd.DataFrame:
        """`to_arrow` as a frame."""
        from kubelog.message.table import arrow, cast, copied, to_pandas

        make, schema = self.table_maker(), copied(self.schema)
        batches = list(self.made(lambda block, maker: cast(make(block, maker), schema)))
        return to_pandas(arrow().Table.from_batches(batches, schema))

    def to_polars(self) -> pl.DataFrame:
        """`to_arrow` as a frame of polars, which is to be installed apart."""
        from kubelog.message.table import to_polars

        frame: pl.DataFrame = to_polars(self.to_arrow())
        return frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The Arrow stream interface: `polars.DataFrame(log)`, `duckdb.sql("from log")`."""
        from kubelog.message.table import arrow

        return arrow().RecordBatchReader.from_batches(self.schema, self.batches()).__arrow_c_stream__(requested_schema)

    def coverage(self) -> Coverage:
        """How much of the log was understood."""
        found = Coverage()
        if self.where:
            for record in self:
                found.add(record)
            return found
        from kubelog.message.layout import layout

        cells = layout(self.engine.table, self.engine.decoder)
        for block, maker in self.blocks():
            found.add_block(block, self.engine.leaves.CellReader(cells, block), maker)
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

    def _inputs(self) -> list[Iterator[Fed]]:
        """The events of each input. Of several, one that names no node is of the node that the others name, if that is one."""
        if len(self.sources) == 1:
            source = self.sources[0]
            return [self._events_of(self.blocks_of(source), self.node or source.place.node)]
        # Each file that was rotated is opened where the one before ends.
        families = self._families
        beside = [one for one in families.values() if all(source.apart for source in one)][:_BESIDE]
        for source in chain.from_iterable(beside):
            source.size = max(_LEAST, CHUNK // len(beside))
        # What cannot be read side by side is read before: only its events are kept.
        starts = [self._start(one, one in beside) for one in families.values()]
        named = {node for nodes, _ in starts for node in nodes}
        only = next(iter(named)) if len(named) == 1 else None
        return [events(self.node or only or next(iter(nodes), None)) for nodes, events in starts]

    def _start(self, sources: list[Source], beside: bool) -> tuple[list[str], Callable[[str | None], Iterator[Fed]]]:
        """The nodes that an input's path or beginning names, in order; and its events, given the node of lines that name none.

        Those of an input that is not read `beside` others are read at once: it is gone when these are.
        """
        blocks = chain.from_iterable(map(self.blocks_of, sources))
        kept: list[tuple[Block, RecordMaker]] = []
        nodes: dict[str, None] = {} if sources[0].place.node is None else {sources[0].place.node: None}
        for block, maker in blocks:
            kept.append((block, maker))
            for row in range(len(block)):
                line = block.first[row]
                node = block.node(line)
                if node is None and block.kind[row] >= 0:
                    made = maker.event(block, row)
                    node = made[0].seen.node if made else None
                if node is not None and block.offset_of(line) < _BEGINNING:
                    nodes[node] = None
            if block.offset + len(block.data) >= _BEGINNING:
                break
        if beside:
            return list(nodes), lambda node: self._events_of(chain(kept, blocks), node)
        first = self.node or next(iter(nodes), None)
        events = list(self._events_of(chain(kept, blocks), first))
        return list(nodes), lambda node: (one if first else _of(one, node) for one in events)

    def _events_of(self, blocks: Iterable[tuple[Block, RecordMaker]], node: str | None) -> Iterator[Fed]:
        """The events of one input that the rules ask for."""
        from kubelog.timeline import WANTED

        feed = Feed(WANTED, self.where, node, fixed=self.node is not None, leaf=self.engine.leaves.Listener)
        path, lost = "", ""
        timed: tuple[Block, RecordMaker] | None = None  # the last that has a time
        for block, maker in blocks:
            if path and block.path != path:
                there = [one.path for one in self._families.get(family(path)[0], ())]
                lost = " and ".join(filter(None, (lost, self._broken(path), missing(path, block.path, there))))
            if lost and (event := feed.lost(lost, block, maker)):
                lost = ""
                yield event
            path = block.path
            yield from feed.read(block, maker)
            timed = (block, maker) if feed.is_timed(block) else timed
        lost = self._broken(path) or ""
        if lost and timed and (event := feed.lost(lost, *timed, behind=True)):
            yield event
        if feed.cut:
            lines = f"{feed.cut:,} line{'' if feed.cut == 1 else 's'}"
            self.notes.append(
                f"{path}: journalctl cut {lines} short (…): what they said is lost; use `journalctl --no-pager --full --all`"
            )
        self.verdicts += feed.verdicts
        yield from feed.heard.items()

    def _broken(self, path: str) -> str | None:
        """That an input could not be read to its end, in words."""
        found = next((error for error in self.errors if error.path == path), None)
        return None if found is None else f"{os.path.basename(path)} breaks off ({found.reason})"

    def incidents(self) -> Timeline:
        """The incidents of the log: list-like, rich in a notebook."""
        timeline = Timeline(self._changes(10_000))
        timeline.notes = list(self.notes)
        timeline.coverage = {verdict: self.verdicts[verdict] for verdict in VERDICTS}
        return timeline


def _of(one: Fed, node: str | None) -> Fed:
    """What an input tells that names no node, as told by this one."""
    if not isinstance(one, Event):
        return (node if one[0] is None else one[0]), one[1]
    return one if one.seen.node is not None else replace(one, seen=replace(one.seen, node=node))


class Events:
    """The events of one kind in a Log: iterable; as a table, its typed fields are columns."""

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

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Arrow batches, a row an event: as `to_arrow`, a Block at a time."""
        tables, where = self._tables, self.log.where
        return self.log.made(lambda block, maker: tables.batch(block, maker, where))

    @cached_property
    def _tables(self) -> EventTables:
        from kubelog.message.event_table import EventTables

        return EventTables(self.log._tables, self.log.engine.decoder, self.log.engine.table, self.kind)

    @property
    def schema(self) -> pa.Schema:
        """The columns of `to_arrow` and their types."""
        return self._tables.schema(self.log._clock(Source.of("-")))

    def to_arrow(self) -> pa.Table:
        """A row an event: time, node, unit, the kind's fields, path and line."""
        from kubelog.message.table import arrow

        return arrow().Table.from_batches(list(self.batches()), self.schema)

    def to_pandas(self) -> pd.DataFrame:
        """`to_arrow` as a frame."""
        from kubelog.message.table import to_pandas

        return to_pandas(self.to_arrow())

    def to_polars(self) -> pl.DataFrame:
        """`to_arrow` as a frame of polars, which is to be installed apart."""
        from kubelog.message.table import to_polars

        frame: pl.DataFrame = to_polars(self.to_arrow())
        return frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The Arrow stream interface."""
        from kubelog.message.table import arrow

        return arrow().RecordBatchReader.from_batches(self.schema, self.batches()).__arrow_c_stream__(requested_schema)


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
    jobs: int | None = None,
) -> Log:
    """A Log of files, directories, globs or `-` (standard input).

    `year` of the first line; without it that of the file's age, or of `now` where the input is a pipe; else times stay
    unknown. `tz` a zone's name or offset: then times are aware. `node` names lines that name none. `at` says when the
    ages in tables were taken. `grammar` is a directory or file of further grammars. `jobs` threads read, by default as many
    as there are cores. Raises InputError, UsageError,
    GrammarError at once.
    """
    sources, errors = expand(inputs)
    if errors:
        raise errors[0]
    return Log(sources, load_grammar(grammar, engine), year=year, tz=tz, node=node, now=now, at=at, jobs=jobs)


def load_grammar(path: Input | None = None, engine_name: str = "scanner") -> Engine:
    """The engine over the shipped grammars, those of installed packages, and those at `path`. Raises GrammarError."""
    return engine(engine_name, further_grammars(path))


def further_grammars(path: Input | None = None) -> list[Path]:
    """Where the grammars are that are read beside the shipped ones. Raises GrammarError."""
    found = packages.installed()
    if path is not None and Path(path).resolve() not in [one.resolve() for one in found]:
        found = [*found, Path(path)]
    return found


def parse_line(line: str | bytes, *, year: int | None = None, tz: str | None = None, grammar: Input | None = None) -> Record:
    """The Record of one line (or of one record of several lines)."""
    data = as_bytes(line)
    log = Log([Source.of("-", (data,))], shared_engine(grammar), year=year, tz=tz)
    for record in log:
        return record
    return next(iter(Log([Source.of("-", (b"\n",))], shared_engine(grammar))))


def as_bytes(line: str | bytes) -> bytes:
    """A line as bytes: what Python made of bytes that are no UTF-8 becomes these bytes again."""
    if not isinstance(line, str):
        return bytes(line)
    try:
        return line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return line.encode("utf-8", "surrogatepass")


_ENGINES: dict[str | None, Engine] = {}


def shared_engine(grammar: Input | None) -> Engine:
    """The scanner over a grammar; loaded once a process."""
    key = None if grammar is None else os.fspath(grammar)
    if key not in _ENGINES:
        _ENGINES[key] = load_grammar(grammar)
    return _ENGINES[key]


def _html(timeline: Timeline) -> str:
    from kubelog.view.html import timeline as render

    return render(timeline)


Timeline.html = _html
