"""Go's %+v and JSON → data.

    value  = [ "&" ] ( struct | list | map ) | scalar
    struct = "{" [ name ":" value { " " name ":" value } ] "}"      {Signal:memory.available GracePeriod:0s}
    list   = "[" [ value { " " value } ] "]"                         [a b {X:1}]
    map    = "map[" [ key ":" value { " " key ":" value } ] "]"      map[pods:{} cpu:100m]
    scalar = any text: in a struct or map up to the next " name:", in a list up to the next blank

%+v does not quote text, so a text that looks like a field is read as one. Scalars stay text; numbers in JSON are
numbers.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import msgspec

from kubelog.grammar.compile import MAX_DEPTH

if TYPE_CHECKING:
    import pyparsing as pp


def parse(text: str) -> Any:
    """The value that a text says; ValueError where it is neither."""
    if text[:1] in ("{", "["):
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            pass
    # No configuration nests like that, and a reader must not be driven into deep recursion.
    if _depth(text) > MAX_DEPTH:
        raise ValueError("nested too deeply")
    import pyparsing as pp

    try:
        found = _grammar().parse_string(text, parse_all=True)
    except pp.ParseException as error:
        raise ValueError(f"expected Go's %+v, found {text[error.loc : error.loc + 20]!r} at {error.loc}") from None
    return found[0]


def _depth(text: str) -> int:
    depth = most = 0
    for character in text:
        if character in "{[":
            depth += 1
            most = max(most, depth)
        elif character in "}]":
            depth -= 1
    return most


@functools.cache
def _grammar() -> pp.ParserElement:
    import pyparsing as pp

    def token(pattern: str) -> pp.ParserElement:
        return pp.Regex(pattern).leave_whitespace()

    def mark(text: str) -> pp.ParserElement:
        return pp.Suppress(pp.Literal(text)).leave_whitespace()

    value, in_list = pp.Forward(), pp.Forward()
    value.leave_whitespace()
    in_list.leave_whitespace()
    # name:value pairs of a struct, and of a map, whose keys may hold dots and slashes
    name, key = r"[A-Za-z_]\w*", r"[^\s:{}\[\]]+"
    in_struct = value | token(rf"(?:(?! {name}:)[^{{}}\[\]])*")
    in_map = value | token(rf"(?:(?! {key}:)[^{{}}\[\]])*")

    def members(one: str, of: pp.ParserElement) -> pp.ParserElement:
        member = pp.Group(token(one) + mark(":") + of).leave_whitespace()
        return pp.Optional(member + pp.ZeroOrMore(mark(" ") + member)).leave_whitespace()

    def as_dict(tokens: Any) -> Any:
        return [{pair[0]: pair[1] if len(pair) > 1 else "" for pair in tokens}]

    struct = (mark("{") + members(name, in_struct) + mark("}")).leave_whitespace().set_parse_action(as_dict)
    map_ = (mark("map[") + members(key, in_map) + mark("]")).leave_whitespace().set_parse_action(as_dict)
    items = pp.Optional(in_list + pp.ZeroOrMore(mark(" ") + in_list)).leave_whitespace()
    list_ = (mark("[") + items + mark("]")).leave_whitespace().set_parse_action(lambda tokens: [tokens.as_list()])
    tuple_ = (mark("{") + items + mark("}")).leave_whitespace().set_parse_action(lambda tokens: [tokens.as_list()])
    value <<= pp.Optional(mark("&")) + (map_ | struct | list_ | tuple_)
    in_list <<= value | token(r"[^\s{}\[\]]+")
    whole: pp.ParserElement = (value | token(r"[^{}\[\]]*")).parse_with_tabs()
    return whole
