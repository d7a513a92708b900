"""Go's %+v and JSON → data.

    value  = [ "&" ] ( struct | list | map ) | scalar
    struct = "{" [ name ":" value { " " name ":" value } ] "}"      {Signal:memory.available GracePeriod:0s}
           | "{" [ value { " " value } ] "}"                         {a b {X:1}}, of fields without names
    list   = "[" [ value { " " value } ] "]"                         [a b {X:1}]
    map    = "map[" [ key ":" value { " " key ":" value } ] "]"      map[pods:{} cpu:100m]
    scalar = any text: in a struct or map up to the next " name:", in a list up to the next blank

%+v does not quote text, so a text that looks like a field is read as one. Scalars stay text; numbers in JSON are
numbers. tests/test_go.py says the same with pyparsing.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import msgspec

from kubelog.grammar.compile import MAX_DEPTH

# A value and where it ends; None where it is none.
Found = tuple[Any, int] | None


def parse(text: str) -> Any:
    """The value that a text says; ValueError where it is neither."""
    if text[:1] in ("{", "["):
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            pass
    found, end = _Reader(text).value(0, 0) or _up_to(_tokens().scalar, text, 0)
    if text[end:].strip(" \t\r\n"):
        raise ValueError(f"expected Go's %+v, found {text[end : end + 20]!r} at {end}")
    return found


class _Tokens:
    """What has no parts, and the names of members: of a struct's fields, and of a map's keys, which may hold dots and slashes."""

    def __init__(self) -> None:
        name, key = r"[A-Za-z_]\w*", r"[^\s:{}\[\]]+"
        self.name, self.in_struct = re.compile(f"({name}):"), re.compile(rf"(?:(?! {name}:)[^{{}}\[\]])*")
        self.key, self.in_map = re.compile(f"({key}):"), re.compile(rf"(?:(?! {key}:)[^{{}}\[\]])*")
        self.in_list, self.scalar = re.compile(r"[^\s{}\[\]]+"), re.compile(r"[^{}\[\]]*")


@functools.cache
def _tokens() -> _Tokens:
    """Made when the first structure is read."""
    return _Tokens()


def _up_to(scalar: re.Pattern[str], text: str, at: int) -> tuple[str, int]:
    """The text that a pattern reads there: none is a text too."""
    read = scalar.match(text, at)
    return (read[0], read.end()) if read else ("", at)


class _Reader:
    """Reads values at places of a text: the first alternative that fits is the right one."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens = text, _tokens()

    def value(self, at: int, depth: int) -> Found:
        """The struct, list or map there."""
        text, tokens = self.text, self.tokens
        at += text.startswith("&", at)
        opening = text[at : at + 1]
        if opening not in ("{", "[") and not text.startswith("map[", at):
            return None
        # No configuration nests like that, and a reader must not be driven into deep recursion.
        if depth >= MAX_DEPTH:
            raise ValueError("nested too deeply")
        if opening == "{":
            named = self.members(at + 1, "}", tokens.name, tokens.in_struct, depth + 1)
            return named or self.items(at + 1, "}", depth + 1)
        if opening == "[":
            return self.items(at + 1, "]", depth + 1)
        return self.members(at + 4, "]", tokens.key, tokens.in_map, depth + 1)

    def members(self, at: int, closing: str, name: re.Pattern[str], scalar: re.Pattern[str], depth: int) -> Found:
        text, found = self.text, {}
        named = name.match(text, at)
        while named:
            found[named[1]], at = self.value(named.end(), depth) or _up_to(scalar, text, named.end())
            named = name.match(text, at + 1) if text.startswith(" ", at) else None
        return (found, at + 1) if text.startswith(closing, at) else None

    def items(self, at: int, closing: str, depth: int) -> Found:
        text, found = self.text, []
        one = self.item(at, depth)
        while one:
            found.append(one[0])
            at = one[1]
            one = self.item(at + 1, depth) if text.startswith(" ", at) else None
        return (found, at + 1) if text.startswith(closing, at) else None

    def item(self, at: int, depth: int) -> Found:
        found = self.value(at, depth)
        if found is None:
            read = self.tokens.in_list.match(self.text, at)
            found = (read[0], read.end()) if read else None
        return found
