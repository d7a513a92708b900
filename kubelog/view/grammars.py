"""The grammar → lines of text: events, their fields, and how they are said."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from kubelog.grammar.compile import Table
from kubelog.message.vocabulary import hole_types
from kubelog.message.vocabulary.event import Event
from kubelog.view.escape import terminal
from kubelog.view.text import Line


def events(table: Table, classes: Mapping[str, type[Event]]) -> list[dict[str, Any]]:
    """The events with their fields and wordings, as data."""
    found: dict[str, dict[str, Any]] = {}
    for entry in table.entries:
        cls = classes[entry.event]
        event = found.setdefault(
            entry.event,
            {"event": entry.event, "meaning": _meaning(cls), "fields": _fields(cls), "wordings": []},
        )
        event["wordings"].append({"style": entry.style, "text": entry.text, "place": f"{entry.path}:{entry.line}"})
    return [found[name] for name in sorted(found)]


def _meaning(cls: type[Event]) -> str:
    return (inspect.getdoc(cls) or "") if cls.__doc__ != Event.__doc__ else ""


def _fields(cls: type[Event]) -> list[str]:
    return [name for name in hole_types(cls) if name not in cls.raw]


def listing(table: Table, classes: Mapping[str, type[Event]]) -> Iterator[Line]:
    """One line an event."""
    for event in events(table, classes):
        fields = ", ".join(event["fields"])
        number = len(event["wordings"])
        wordings = f"{number:>3} wording{' ' if number == 1 else 's'}  "
        yield [(f"{event['event']:<28} ", "bold"), (wordings, ""), (terminal(fields), "dim")]


def show(table: Table, classes: Mapping[str, type[Event]], name: str) -> Iterator[Line]:
    """One event, whole."""
    event = next(one for one in events(table, classes) if one["event"] == name)
    yield [(event["event"], "bold")]
    for line in event["meaning"].split("\n"):
        yield [("  " + terminal(line), "")]
    yield [("  fields    ", "bold cyan"), (", ".join(event["fields"]) or "(none)", "")]
    for wording in event["wordings"]:
        yield [
            (f"  {wording['style']:<9} ", "bold cyan"),
            (terminal(wording["text"]), ""),
            (f"  {terminal(wording['place'])}", "dim"),
        ]
