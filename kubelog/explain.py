"""one line → how it is read, stage by stage, and where a mangled one stopped being read.

The reference answers: it defines what a line means.
"""

from __future__ import annotations

import inspect

from kubelog.engines import ReferenceEngine
from kubelog.ingest.inputs.sources import Source
from kubelog.message.explanation import Explanation, Stop
from kubelog.message.record import Record
from kubelog.pipeline import Log


def explain(line: bytes, engine: ReferenceEngine, *, year: int | None = None, tz: str | None = None) -> Explanation:
    """Explain one line (or one record of several lines)."""
    log = Log([Source.of("-", (line,))], engine, year=year, tz=tz)
    block, maker = next(log.blocks())
    record = maker.record(block, 0)
    first, kind = block.first[0], block.kind[0]
    number = block.envelope[first]
    header = block.head[first] >= 0
    entry = engine.table.entries[kind] if kind >= 0 else None
    meaning = inspect.getdoc(type(record.event)) if record.event is not None else None
    return Explanation(
        record=record,
        envelope=list(engine.reference.grammar.envelopes)[number - 1] if number else None,
        header=header,
        wording=entry.text if entry else None,
        place=f"{entry.path}:{entry.line}" if entry else None,
        meaning=meaning,
        stops=_stops(engine, record, number > 0, header),
    )


def _stops(engine: ReferenceEngine, record: Record, enveloped: bool, header: bool) -> list[Stop]:
    """The stages that read a part and no more."""
    if record.kind is not None or (record.severity is not None and not header):
        return []  # all of it was read: as a message that is known, or as logfmt
    reference, stops = engine.reference, []
    text = record.raw.split(b"\n")[0].rstrip(b"\r").lstrip(b" \t")[:4096].decode("latin-1")
    if not enveloped:
        stop = reference.envelope_stop(text)
        if stop is not None and stop[0] > 0 and not header and not text.startswith(("I", "W", "E", "F")):
            stops.append(_stop_at("envelope", text, *stop))
    if not header:
        body = record.message.encode("utf-8", "surrogateescape").decode("latin-1") if enveloped else text
        stop = reference.header_stop(body)
        if stop is not None and stop[0] > 1:
            stops.append(_stop_at("header", body, *stop))
    elif record.pairs is None:
        body = record.message.split("\n")[0].encode("utf-8", "surrogateescape").decode("latin-1")
        furthest = reference.furthest(body)
        if furthest is not None:
            wording, column, expected = furthest
            stops.append(_stop_at("message", body, column, expected, wording.text, wording.place))
    return stops


def _stop_at(stage: str, text: str, column: int, expected: str, wording: str | None = None, place: str | None = None) -> Stop:
    """A stop in characters of UTF-8 text; the reference counts bytes."""
    raw = text.encode("latin-1")
    found = raw[column : column + 16].decode("utf-8", "replace") or "the end of the line"
    shown = raw.decode("utf-8", "replace")
    place_in_text = len(raw[:column].decode("utf-8", "replace"))
    return Stop(
        stage,
        shown,
        place_in_text,
        expected.encode("latin-1", "replace").decode("utf-8", "replace"),
        found,
        wording,
        place,
    )
