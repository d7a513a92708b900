"""reference parsers → railroad diagrams, as an HTML page. Needs the extra `diagram`."""

from __future__ import annotations

from html import escape
from typing import Any

import pyparsing as pp

from kubelog.errors import MissingExtraError, UsageError
from kubelog.grammar.notation import suggest
from kubelog.grammar.reference import Reference
from kubelog.grammar.tree import Wording

# Above this number the alternatives of a choice stand below one another.
_VERTICAL = 2


def html(reference: Reference, event: str | None = None) -> str:
    """One event's wordings, or those of every event, by name. Raises UsageError, MissingExtraError."""
    try:
        from pyparsing.diagram import railroad_to_html, to_railroad
    except ImportError:
        raise MissingExtraError("diagrams need railroad-diagrams and jinja2: pip install 'kubelog[diagram]'") from None
    events: dict[str, list[pp.ParserElement]] = {}
    for number, wording in enumerate(reference.grammar.wordings):
        steps = _pairs(wording) if wording.pattern is None else _text(reference.parser(number))
        events.setdefault(wording.event, []).append(steps)
    if event is not None and event not in events:
        raise UsageError(f"{event!r} is no event of this grammar; {suggest(event, set(events))}".rstrip("; "))
    drawn: list[Any] = []
    for name in sorted(events) if event is None else [event]:
        drawn += to_railroad(pp.MatchFirst(events[name]).set_name(escape(name)), vertical=_VERTICAL)
    return str(railroad_to_html(drawn)).strip()


def _text(parser: pp.ParserElement) -> pp.ParserElement:
    """A reference parser without what only reads: marks of what is thrown away, and of the end."""
    steps = []
    for step in parser.recurse():
        inner = step.expr if isinstance(step, pp.Suppress) else step
        if not isinstance(inner, pp.StringEnd):
            steps.append(_step(inner))
    return pp.And(steps)


def _step(element: Any) -> pp.ParserElement:
    if isinstance(element, pp.Literal):
        return _box(repr(element.match.encode("latin-1").decode("utf-8", "replace")))
    return _box(str(element.customName))


class _Box(pp.Token):
    """A box with a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def _generateDefaultName(self) -> str:  # noqa: N802  # pyparsing's name
        return self.text


def _box(text: str) -> pp.ParserElement:
    """A step. Behind a Forward, which is not drawn, it does not count as one of many: a wording stays on one line."""
    box = pp.Forward()
    box <<= _Box(text)
    return box


def _pairs(wording: Wording) -> pp.ParserElement:
    """A structured message: its pairs come in any order."""
    message = _box(f'"{wording.message.decode()}"')
    if not wording.fields:
        return pp.And([message])
    pairs = [pp.And([_box(f"{key}="), _box(f"{{{field}}}")]) for field, key in wording.fields.items()]
    return pp.And([message, pp.ZeroOrMore(pp.MatchFirst(pairs))])
