"""Go's %+v: the reader of klog/go.py says what this grammar says, which is the definition."""

from __future__ import annotations

import functools
from typing import Any

import msgspec
import pyparsing as pp
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kubelog.grammar.compile import MAX_DEPTH
from kubelog.klog import go


@functools.cache
def grammar() -> pp.ParserElement:
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


def defined(text: str) -> Any:
    """What a text says by the definition; ValueError, the class, where it says nothing."""
    if text[:1] in ("{", "["):
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            pass
    try:
        return grammar().parse_string(text, parse_all=True)[0]
    except pp.ParseException:
        return ValueError


def read(text: str) -> Any:
    try:
        return go.parse(text)
    except ValueError:
        return ValueError


# Texts that are %+v, or nearly.
TOKENS = '{ } [ ] map[ & : a: B_1: x y/z: a.b 1 é é: m map {} [] {A:1} {A:1_B:2} [a_b] , " null'.replace("_", " ").split(" ")
noise = st.lists(st.sampled_from([*TOKENS, "{A:1 B:2}", "[a b]", " ", "  ", "\t", "\n", "\x0b", "\u2028"]), max_size=12).map(
    "".join
)
scalars = st.sampled_from(["", "x", "1", "a b", "&", "a:b", "é", " ", "Q X", "<nil>", "0xc42", "memory.available", "10%"])


def nested(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def members(names: list[str]) -> st.SearchStrategy[str]:
        return st.lists(st.tuples(st.sampled_from(names), values).map(":".join), max_size=4).map(" ".join)

    items = st.lists(values, max_size=4).map(" ".join)
    shapes = [
        members(["A", "B_2", "signal", "é"]).map("{{{}}}".format), members(["a", "b/c", "d.e"]).map("map[{}]".format),
        items.map("[{}]".format), items.map("{{{}}}".format),
    ]  # fmt: skip
    return st.tuples(st.sampled_from(["", "&"]), st.one_of(shapes)).map("".join)


trees = st.recursive(scalars, nested, max_leaves=12)


@st.composite
def edited(draw: Any) -> str:
    """A tree with something put in, or cut."""
    text = draw(trees)
    at = draw(st.integers(0, len(text)))
    return str(text[:at] + draw(noise) + text[at + draw(st.integers(0, 3)) :])


@given(st.one_of(trees, noise, edited()))
@example("{A: B:}")
@example("{A:a  B:b}")
@example("{A:1 }\n")
@example("&{Signal:memory.available Value:{Quantity:100Mi Percentage:0} GracePeriod:0s MinReclaim:<nil>}")
@example("map[a:map[b/c:[x y] d:{}] e:]")
@example("{A:{B:1}x}")
@example("[map[")
@example("&")
def test_what_is_read_is_what_the_grammar_says(text: str) -> None:
    assert read(text) == defined(text)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{", "}"), ("{A:", "}"), ("&{A:1 B:", "}"), ("map[k:", "]")])
def test_what_nests_deeper_than_any_configuration_is_no_value(opening: str, closing: str) -> None:
    found, depth = go.parse(opening * MAX_DEPTH + "memory" + closing * MAX_DEPTH), 0
    while found != "memory":
        [*_, found] = found.values() if isinstance(found, dict) else found
        depth += 1
    assert depth == MAX_DEPTH
    with pytest.raises(ValueError, match="nested too deeply"):
        go.parse(opening * (MAX_DEPTH + 1) + "memory" + closing * (MAX_DEPTH + 1))


@pytest.mark.parametrize(
    "text", ["{A:" * 30_000, "[" * 100_000, "{A:" * 39 + " a:" * 50_000, "{" + "A:b " * 50_000, "[ {" * 30_000]
)
def test_what_is_cut_off_is_no_value(text: str) -> None:
    assert read(text) is ValueError
