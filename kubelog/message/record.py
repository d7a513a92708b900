"""a row of a Block → Record: what a line says, as users get it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from kubelog.grammar.compile import Table
from kubelog.ingest.block import (
    LINE_TOO_LONG,
    LOGFMT,
    MAX_LINE,
    NO_ZONE,
    NONE,
    REASONS,
    SEVERITIES,
    STRUCTURED,
    TYPED,
    VERDICTS,
    WITH_YEAR,
    Block,
)  # fmt: skip
from kubelog.ingest.calendar import local_text, micros, to_datetime
from kubelog.ingest.clock import TABLE, TIME_SOURCES, YEAR_SOURCES, Clock
from kubelog.ingest.inputs.place import NOWHERE, Place
from kubelog.klog import values
from kubelog.klog.values import PodRef
from kubelog.message import signature
from kubelog.message.decoder import Decoder, table_time
from kubelog.message.vocabulary.event import Event, Heard, Seen
from kubelog.message.vocabulary.evidence import ClusterEvent

# By the number in a Block; none is -1.
_SEVERITY_OF: Final[tuple[str | None, ...]] = (*SEVERITIES, None)


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where a record stands in its (decompressed) input: its first line from 1, and the byte spans of its lines."""

    path: str
    line: int
    spans: list[tuple[int, int]]


class Record(msgspec.Struct, frozen=True, gc=False):
    """One log call. The fields are those of `kubelog parse -o jsonl`; what the line does not say is None."""

    time: datetime | None
    local_time: str | None
    time_source: str | None
    year_source: str | None
    node: str | None
    unit: str | None
    pid: int | None
    severity: str | None
    thread: int | None
    source_file: str | None
    source_line: int | None
    verdict: str
    kind: str | None
    message: str
    signature: str
    reason: str | None
    event: Event | None
    pairs: list[tuple[str, Any]] | None
    pod: str | None
    namespace: str | None
    pod_uid: str | None
    container: str | None
    origin: Origin
    raw: bytes

    @property
    def fields(self) -> dict[str, Any]:
        """The typed fields as plain data; empty unless the record is typed."""
        if self.event is None:
            return {}
        return {name: plain(value) for name, value in self.event.fields.items()}

    def to_dict(self, raw: bool = False) -> dict[str, Any]:
        """The record as `kubelog parse -o jsonl` prints it."""
        found: dict[str, Any] = {"time": stamp(self.time)}
        for name in self.__struct_fields__[1:16]:
            found[name] = getattr(self, name)
        found["fields"] = self.fields
        found["pairs"] = None if self.pairs is None else [[key, value] for key, value in self.pairs]
        for name in ("pod", "namespace", "pod_uid", "container"):
            found[name] = getattr(self, name)
        origin = self.origin
        found["origin"] = {"path": origin.path, "line": origin.line, "spans": [list(span) for span in origin.spans]}
        if raw:
            found["raw"] = values.text(self.raw)
        return found


def stamp(time: datetime | None) -> str | None:
    """RFC 3339 with microseconds; an offset only where the zone is known."""
    return None if time is None else time.isoformat(timespec="microseconds")


def plain(value: Any) -> Any:
    """A field's value as JSON data."""
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    return value


class RecordMaker:
    """Makes Records and Events of the rows of one input's Blocks."""

    def __init__(
        self, table: Table, decoder: Decoder, clock: Clock, node: str | None, at: datetime | None, place: Place = NOWHERE
    ) -> None:
        self.table, self.decoder, self.clock, self.node, self.at = table, decoder, clock, node or place.node, at
        self.place = place  # whose log it is, where the lines do not say
        # A Block, and node, unit and pid (or NONE) of its processes.
        self._known: tuple[Block | None, dict[int, tuple[str | None, str | None, int]]] = None, {}

    def kind(self, block: Block, row: int) -> str | None:
        number = block.kind[row]
        return None if number < 0 else self.table.entries[number].event

    def event(
        self, block: Block, row: int, shift: int = 0, heard: Callable[[str | None], Heard | None] | None = None
    ) -> tuple[Event, str | None] | None:
        """The event of a typed row, and what did not convert.

        `shift` is added to a moment without a year; `heard` says how far the records of the event's node had come.
        """
        number = block.kind[row]
        if number < 0:
            return None
        line = block.first[row]
        body, p = block.arena if block.joined[row] else block.data, block.start[row]
        cls, fields, problem = self.decoder.fields(number, body, p, block.spans, 2 * block.span_first[row])
        process = block.process[line]
        known, texts = self._known
        if known is not block:
            # Threads may read several Blocks: each goes on with what it took.
            self._known = known, texts = block, {}
        found = texts.get(process)
        if found is None:
            pid = NONE if process < 0 else block.pid_of[process]
            found = texts[process] = block.node(line), block.unit(line) or self.place.unit, pid
        node, unit, pid = found
        node = node or self.node
        if pid == NONE:
            pid = block.thread[line]
        time = block.time[row]
        shown = self._shown(block, line, time)
        event = None
        if self.table.entries[number].style == "line":
            spans = block.spans_of(row)
            event, shown = table_time(
                self.table.entries[number], cls(**fields), body[p : block.stop[row]], spans, self.at, self.clock
            )
            time = NONE if shown is None else micros(shown)
        if cls is ClusterEvent:
            node = ClusterEvent(**fields).host or node
        us: int | None = time
        if time == NONE:
            us = block.since_year[row]
            us = None if us == NONE else us + shift
        seen = Seen(
            shown, us, time != NONE, node, unit, None if pid == NONE else pid, _SEVERITY_OF[block.head[line]], block.path,
            block.number_of(line), block.offset_of(line), None if heard is None else heard(node),
        )  # fmt: skip
        return cls(seen=seen, **fields) if event is None else msgspec.structs.replace(event, seen=seen), problem

    def seen(self, block: Block, row: int, shift: int, heard: Callable[[str | None], Heard | None]) -> Seen:
        """When and where a row was said; see `event`."""
        line, time, moment = block.first[row], block.time[row], block.since_year[row]
        us = time if time != NONE else None if moment == NONE else moment + shift
        node, unit = block.node(line) or self.node, block.unit(line) or self.place.unit
        return Seen(
            self._shown(block, line, time), us, time != NONE, node, unit, block.pid(line), _SEVERITY_OF[block.head[line]],
            block.path, block.number_of(line), block.offset_of(line), heard(node),
        )  # fmt: skip

    def _shown(self, block: Block, line: int, time: int) -> datetime | None:
        """A time as users see it. Of no zone but that of the line itself, if that says one."""
        if (
            time != NONE
            and self.clock.zone is None
            and (block.utc[line] != NONE or (block.month[line] == WITH_YEAR and block.ahead[line] != NO_ZONE))
        ):
            return to_datetime(time, UTC)
        return self.clock.shown(time)

    def record(self, block: Block, row: int) -> Record:
        line = block.first[row]
        b, p, _, e = block.body(row)
        body = b[p : min(e, p + MAX_LINE)] if block.reason[row] == LINE_TOO_LONG else b[p:e]
        made = self.event(block, row)
        event, problem = made if made else (None, None)
        kind = block.kind[row]
        verdict = block.verdict[row]
        message, found = body, None
        if block.message_end[row] >= 0:
            message, found = values.unquote(body[: block.message_end[row]]), self._pairs(body, block.pairs_of(row))
        text = values.text(message)
        time, source = block.time[row], block.time_source[row]
        shown = self._shown(block, line, time)
        if event is not None and kind >= 0 and self.table.entries[kind].style == "line":
            shown, source = event.seen.time, TABLE if event.seen.time else 0
        moment = block.since_year[row]
        named = self._named(event, found)
        return Record(
            time=shown,
            local_time=local_text(moment) if shown is None and moment != NONE else None,
            time_source=TIME_SOURCES[source],
            year_source=YEAR_SOURCES[block.year_source[row]],
            node=event.seen.node if event else block.node(line) or self.node,
            unit=block.unit(line) or self.place.unit,
            pid=block.pid(line),
            severity=_severity(block, line),
            thread=None if block.thread[line] == NONE else block.thread[line],
            source_file=block.source_file(line),
            source_line=block.source_line(line),
            verdict=VERDICTS[verdict],
            kind=None if kind < 0 else self.table.entries[kind].event,
            message=text,
            signature=self._signature(verdict, kind, text),
            reason=problem or REASONS[block.reason[row]],
            event=event,
            pairs=found,
            pod=named.name if named else block.pod(line) or self.place.pod,
            namespace=named.namespace if named else self.place.namespace,
            pod_uid=named.uid if named else self.place.pod_uid,
            container=self._text_of(found, "containerName")
            or _str(getattr(event, "container", None))
            or block.container(line)
            or self.place.container,
            origin=self._origin(block, row),
            raw=self._raw(block, row),
        )

    def _signature(self, verdict: int, kind: int, text: str) -> str:
        if verdict == TYPED:
            return self.table.entries[kind].text
        return text if verdict == STRUCTURED else signature.of_text(text)

    def _pairs(self, body: bytes, spans: list[int]) -> list[tuple[str, Any]]:
        found = []
        for i in range(0, len(spans), 4):
            key, value = body[spans[i] : spans[i + 1]], body[spans[i + 2] : spans[i + 3]]
            found.append((values.text(key), values.pair(value)))
        return found

    def _named(self, event: Event | None, found: list[tuple[str, Any]] | None) -> PodRef | None:
        """The pod that a record is about."""
        named = getattr(event, "pod", None)
        uid = self._text_of(found, "podUID")
        if not isinstance(named, PodRef):
            text = self._text_of(found, "pod")
            try:
                named = values.pod(text.encode()) if text else None
            except ValueError:
                named = None
        if named is not None and named.uid is None and uid:
            return PodRef(named.namespace, named.name, uid)
        return named

    def _text_of(self, found: list[tuple[str, Any]] | None, key: str) -> str | None:
        for name, value in found or ():
            if name == key and isinstance(value, str):
                return value
        return None

    def _raw(self, block: Block, row: int) -> bytes:
        """The bytes of a record; of a line that is too long those that are told."""
        if block.reason[row] == LINE_TOO_LONG:
            return block.raw(block.first[row])[:MAX_LINE]
        return b"".join(block.raw(line) for line in block.lines_of(row))

    def _origin(self, block: Block, row: int) -> Origin:
        spans: list[tuple[int, int]] = []
        for line in block.lines_of(row):
            for at, size in block.places_of(line):
                if spans and spans[-1][0] + spans[-1][1] == at:
                    spans[-1] = (spans[-1][0], spans[-1][1] + size)
                else:
                    spans.append((at, size))
        return Origin(block.path, block.number_of(block.first[row]), spans)


def _severity(block: Block, line: int) -> str | None:
    """Of a klog header, or as a line in logfmt says it."""
    number = block.head[line] if block.head[line] >= 0 else block.json[line] - LOGFMT
    return SEVERITIES[number] if number >= 0 else None


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) else None
