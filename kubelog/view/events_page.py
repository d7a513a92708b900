"""The grammar → one HTML page: events, their fields, and each wording as a railroad diagram, with files and releases.

The diagrams are drawn by the page's style alone: a wording is a track of literals (rounded) and holes (square), the wordings of an
event lie between two rails.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from kubelog.grammar.tree import Blanks, Grammar, Literal, Wording
from kubelog.message.vocabulary import hole_types
from kubelog.message.vocabulary.event import Event

_STYLE = """
:root { color-scheme: light dark; --ink: #222; --dim: #667; --line: #99a; --hole: #e8eefc; --text: #f3f3ec; --paper: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ddd; --dim: #99a; --line: #667; --hole: #26324d; --text: #2c2c26; --paper: #1a1a1c }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
body { max-width: 72em; margin: 2em auto; padding: 0 1em }
h2 { margin-top: 2.5em; border-bottom: 1px solid var(--line) } h3 { margin: 1.8em 0 0 }
nav { columns: 16em } nav a { display: block } a { color: inherit }
p { margin: .3em 0 } .dim { color: var(--dim) }
table { border-collapse: collapse; margin: .4em 0 } td { padding: 0 1em 0 0; vertical-align: top }
code, .w { font: 12.5px/1.5 ui-monospace, monospace }
.rails { border: solid var(--line); border-width: 0 2px; padding: .2em 0; margin: .5em 0; overflow-x: auto }
.w { display: flex; align-items: center; white-space: pre; width: max-content; min-width: 100% }
.w::before, .w::after, .w > * + *::before { content: ""; flex: none; width: .7em; border-top: 1px solid var(--line) }
.w::after { flex: 1 } .w > * { display: flex; align-items: center }
.w q, .w i { padding: 0 .45em; margin: 1px 0; border: 1px solid var(--line); font-style: normal; quotes: none }
.w q { border-radius: .8em; background: var(--text) } .w i { background: var(--hole) }
.w small { order: 9; color: var(--dim); padding-left: .8em }
"""


def html(grammar: Grammar, classes: Mapping[str, type[Event]]) -> str:
    """The page. It depends on the grammar files and the vocabulary alone."""
    rooms: dict[str, dict[str, list[Wording]]] = {}
    first: dict[str, str] = {}  # event → the file that says it first
    wordings = sorted(grammar.wordings, key=lambda wording: (wording.path, wording.line, wording.column))
    for wording in wordings:
        room = first.setdefault(wording.event, wording.path)
        rooms.setdefault(room, {}).setdefault(wording.event, []).append(wording)
    return "\n".join(_page(grammar, rooms, classes, len(wordings))) + "\n"


def _page(
    grammar: Grammar, rooms: Mapping[str, Mapping[str, list[Wording]]], classes: Mapping[str, type[Event]], count: int
) -> Iterator[str]:
    names = sorted(name for events in rooms.values() for name in events)
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>kubelog: events</title>'
    yield f"<style>{_STYLE}</style></head><body>"
    yield "<h1>Events</h1>"
    yield (
        f"<p>{len(names)} events in {count:,} wordings, made from the grammar by "
        "<code>kubelog grammar show -o html</code>. "
        "Literals are rounded, values square; a structured message gives its values as pairs, in any order. "
        "Behind a wording stand the releases that say it.</p>"
    )
    yield "<nav>" + "".join(f'<a href="#{name}">{name}</a>' for name in names) + "</nav>"
    for path, events in rooms.items():
        title = path.rpartition("/")[2].removesuffix(".toml").replace("_", " ")
        yield f"<h2>{escape(title)}</h2>"
        if grammar.about.get(path):
            yield f'<p class="dim">{escape(grammar.about[path])}</p>'
        for name, wordings in events.items():
            yield from _event(name, wordings, classes[name])


def _event(name: str, wordings: list[Wording], cls: type[Event]) -> Iterator[str]:
    yield f'<h3 id="{name}">{name}{" <small class=dim>general</small>" if cls.general else ""}</h3>'
    yield "".join(f"<p>{escape(' '.join(part.split()))}</p>" for part in (cls.__doc__ or "").split("\n\n"))
    hints = typing.get_type_hints(cls)
    fields = [field for field in hole_types(cls) if field not in cls.raw]
    if fields:
        rows = (f"<tr><td><code>{field}</code></td><td>{escape(_type(hints[field], field))}</td></tr>" for field in fields)
        yield f"<table>{''.join(rows)}</table>"
    files = sorted({file for wording in wordings for file in wording.files} | {f"{p}:" for w in wordings for p in w.program})
    if files:
        yield f'<p class="dim">{escape(", ".join(files))}</p>'
    yield '<div class="rails">' + "".join(map(_track, wordings)) + "</div>"


def _track(wording: Wording) -> str:
    """A wording as one track."""
    steps: list[str] = []
    if wording.pattern is None:
        message = wording.message.decode()
        steps.append(f"<q>&quot;{escape(message)}&quot;</q>")
        steps += [f"<q>{escape(key)}~{escape(text)}</q>" for key, text in wording.when.items()]
        steps += [f"<q>{escape(key)}=</q><i>{escape(field)}</i>" for field, key in wording.fields.items()]
    else:
        for part in wording.pattern.parts:
            if isinstance(part, Literal):
                steps.append(f"<q>{escape(part.text.decode())}</q>")
            elif isinstance(part, Blanks):
                steps.append("<i> </i>")
            else:
                steps.append(f"<i>{'' if part.name == '_' else part.name + ':'}{part.type}</i>")
    note = f"<small>{escape(wording.note)}</small>" if wording.note else ""
    return f'<div class="w">{"".join(f"<span>{step}</span>" for step in steps)}{note}</div>'


def _type(hint: Any, field: str) -> str:
    """A field's type in words."""
    parts = [part for part in (typing.get_args(hint) or (hint,)) if part is not type(None)]
    one = hint if typing.get_origin(hint) in (list, dict) else parts[0]
    if typing.get_origin(one) is list:
        return f"list of {_type(typing.get_args(one)[0], '')}"
    if typing.get_origin(one) is dict or one is Any:
        return "structure"
    words = {"str": "text", "int": "number", "float": "number", "bool": "true or false", "datetime": "time", "PodRef": "pod"}
    name = words.get(one.__name__, one.__name__.lower())
    return "seconds" if field.endswith("_s") else "bytes" if field.endswith("_bytes") else name
