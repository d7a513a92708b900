"""Pattern text → Pattern: literals, blanks and typed holes, read by pyparsing.

    pattern = { literal | hole | blanks }
    hole    = "{" name ":" type "}"           {resource:word}   a name of "_" is thrown away
    blanks  = "{_}" | "{__}"                  one or more, two or more spaces or tabs
    literal = any other text; "{{" and "}}" stand for braces

A hole ends at the first place where the fixed text behind it stands; the last fixed text of a pattern must end the
text.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from kubelog.grammar.tree import LEXICAL_TYPES, Blanks, Hole, Literal, Part, Pattern

if TYPE_CHECKING:
    import pyparsing as pp


class NotationError(ValueError):
    """A pattern that cannot be read; `column` counts from 0 in the pattern's text."""

    def __init__(self, column: int, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.column, self.problem, self.hint = column, problem, hint


@functools.cache
def _parser() -> pp.ParserElement:
    import pyparsing as pp

    def at(kind: str) -> Any:
        return lambda text, place, found: (kind, place, found.as_list())

    name = pp.Word(pp.alphas + "_", pp.alphanums + "_").leave_whitespace()
    blanks = (pp.Literal("{__}") | pp.Literal("{_}")).leave_whitespace().set_parse_action(at("blanks"))
    hole = (pp.Suppress("{") + name + pp.Suppress(":") + pp.Optional(name, default="") + pp.Suppress("}")).leave_whitespace()
    hole.set_parse_action(at("hole"))
    brace = (pp.Literal("{{") | pp.Literal("}}")).leave_whitespace().set_parse_action(at("brace"))
    plain = pp.Regex(r"[^{}]+").leave_whitespace().set_parse_action(at("plain"))
    return (pp.ZeroOrMore(brace | blanks | hole | plain) + pp.StringEnd().leave_whitespace()).parse_with_tabs()


def parse_pattern(text: str, types: frozenset[str]) -> Pattern:
    """Read one pattern; `types` are the hole types allowed in it. Raises NotationError."""
    import pyparsing as pp

    try:
        found = _parser().parse_string(text)
    except pp.ParseException as error:
        raise NotationError(error.loc, *_explain(text, error.loc)) from None
    parts: list[Part] = []
    names: set[str] = set()
    for kind, place, tokens in found:
        if kind == "hole":
            name, type_ = tokens
            _check_hole(place, name, type_, types, names, parts)
            parts.append(Hole(name, type_))
        elif kind == "blanks":
            parts.append(Blanks(2 if tokens[0] == "{__}" else 1))
        else:
            literal = (tokens[0][0] if kind == "brace" else tokens[0]).encode()
            if parts and isinstance(parts[-1], Literal):
                literal = parts.pop().text + literal  # type: ignore[union-attr]  # just checked
            parts.append(Literal(literal))
    if not parts:
        raise NotationError(0, "the pattern is empty")
    return Pattern(text, tuple(parts))


def _check_hole(place: int, name: str, type_: str, types: frozenset[str], names: set[str], parts: list[Part]) -> None:
    if type_ not in types:
        column = place + len(name) + 2
        raise NotationError(column, f"expected a hole type, found {type_!r}", suggest(type_, types))
    if name != "_" and name in names:
        raise NotationError(place + 1, f"the hole {name!r} stands twice in one pattern")
    names.add(name)
    before = parts[-1] if parts else None
    if isinstance(before, Hole) and before.type not in LEXICAL_TYPES:
        raise NotationError(place, "expected a literal between two holes, found a hole", "a hole ends where literal text begins")


def _explain(text: str, place: int) -> tuple[str, str]:
    found = repr(text[place : place + 12]) if place < len(text) else "the end of the pattern"
    if text[place : place + 1] == "}":
        return f"expected '{{' before it or '}}}}', found {found}", "write }} for a brace in the text"
    return f"expected a hole like {{resource:word}}, found {found}", "write {{ for a brace in the text"


def suggest(word: str, known: frozenset[str] | set[str] | list[str]) -> str:
    """A likely fix: the nearest known word, or all of them where they are few."""
    import difflib

    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"one of: {', '.join(sorted(known))}" if len(known) <= 24 else ""
