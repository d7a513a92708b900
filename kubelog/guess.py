"""a text → the values in it: where they stand, what they look like, what they may be called.

What is guessed is held against what the grammar would do: a value that would end elsewhere, or not convert, is none.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from kubelog.grammar.compile import MAX_DEPTH
from kubelog.grammar.file import RESERVED
from kubelog.klog.values import CONVERT
from kubelog.message.samples import said


class Value(msgspec.Struct):
    """A value in a text: where it stands, and what it looks like."""

    start: int
    end: int
    type: str


# What a value looks like; the first that fits a place wins. Each ends where a word could.
_END = r"(?=[\s,;:.)\]}>\"'=%]|$)"
_UID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_POD = r"[a-z0-9][a-z0-9.-]*_[a-z0-9][a-z0-9-]*\([0-9A-Za-z-]*\)"
_TIME = (
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d| [+-]\d{4}(?: [A-Z]{2,5})?(?: m=[+-][\d.]+)?)?"
    r"|\d\d:\d\d:\d\d(?:\.\d+)?"
)
_SHAPES = [
    (type_, re.compile(pattern))
    for type_, pattern in (
        ("quoted", r'"(?:[^"\\]|\\.)*"'),
        ("pods", rf"{_POD}(?:, ?{_POD})+"),
        ("pod", _POD),
        ("uid", _UID + _END),
        ("time", rf"(?:{_TIME}){_END}"),
        ("url", r"[a-z][a-z0-9+-]*://[^\s\"',;]*[^\s\"',;:.)\]}]"),
        ("duration", r"-?\d+(?:\.\d+)?(?:h(?:\d+m)?(?:[\d.]+s)?|m[\d.]+s|s|ms|us|µs|μs|ns)" + _END),
        ("percent", r"\d+(?:\.\d+)?%(?=[\s,;:.)\]}>\"'=]|$)"),
        ("address", r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]*:[0-9a-f:]*\])(?:/\d+|:\d+)?" + _END),
        ("quantity", r"\d+(?:\.\d+)?(?:[KMGTPE]i|[kMGTPE]|m)" + _END),
        ("image", r"[a-z0-9.-]+(?::\d+)?(?:/[A-Za-z0-9_.-]+)+(?::[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{8,64})" + _END),
        ("id", r"(?:(?:docker|sha256|containerd|cri-o):)?(?=[0-9a-f]*\d)(?=[0-9]*[a-f])[0-9a-f]{12,64}" + _END),
        ("float", r"-?\d+\.\d+" + _END),
        ("int", r"-?\d{1,18}" + _END),
        ("path", r"/[\w.@:+~*%?&=/-]*(?<![.:])"),
        ("word", r"[A-Za-z][\w-]*(?:\.[A-Za-z][\w-]*)+" + _END),
        ("namespaced", r"[a-z0-9][a-z0-9-]*/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?" + _END),
    )
]
# A value begins at the start, or behind one of these.
_BEFORE = " \t([{<,;:='\"|"
_OPEN = {"{": "}", "[": "]", "(": ")"}
_BRACKETS = re.compile(r"(?:&|map)?[{\[]")
_WORD = re.compile(r"[^\s,;=()\[\]{}<>\"']*[^\s,;=()\[\]{}<>\"':.]")
_FAILS = re.compile(
    r"\b(?:fail(?:s|ed|ure|ing)?|err(?:or)?s?|unable|cannot|can't|could ?n[o']t|couldn't|refus\w+|invalid|denied)\b", re.I
)
_MASK = re.compile(r'(?<!\S)(?:\*|"\*")(?!\S)')


def is_masked(text: str) -> bool:
    """Whether it is a signature, in which what varies is masked."""
    return "\n" not in text and bool(_MASK.search(text))


def invent(text: str) -> tuple[str, list[Value]]:
    """A signature with values for its masks."""
    shown, values, place = "", [], 0
    if len(text) >= 200:  # it may have been cut
        text = text[:199].rpartition(" ")[0] + " *"
    for number, mask in enumerate(_MASK.finditer(text), 1):
        shown += text[place : mask.start()]
        value = f"value{number}" if mask[0] == "*" else f'"value {number}"'
        type_ = "word" if mask[0] == "*" else "quoted"
        if mask.end() == 200 - 1 or (type_ == "word" and mask.end() == len(text)):
            type_ = "text"
        values.append(Value(len(shown), len(shown) + len(value), type_))
        shown, place = shown + value, mask.end()
    return shown + text[place:], values


def values(text: str) -> Iterator[Value]:
    """The values of a text, from left to right."""
    error = _error(text)
    if error is not None and (whole := _value(text, error, len(text))) and whole.end == len(text) and whole.type != "word":
        error = None
    stop = len(text) if error is None else error
    place = 0
    while place < stop:
        found = _value(text, place, stop) if place == 0 or text[place - 1] in _BEFORE or is_byte(text[place]) else None
        if found is None:
            place += 1
        else:
            yield found
            place = found.end
    if error is not None:
        yield Value(error, len(text), "error")


def _error(text: str) -> int | None:
    """Where the error at the end begins: behind the first `: ` that follows a word for a failure."""
    word = _FAILS.search(text)
    if word is None:
        return None
    depth, place, quoted = 0, 0, False
    while place < len(text):
        one = text[place]
        if one == "\\" and quoted:
            place += 1
        elif one == '"':
            quoted = not quoted
        elif not quoted and one in "{[(":
            depth += 1
        elif not quoted and one in "}])":
            depth -= 1
        elif not quoted and depth <= 0 and place >= word.end() and text.startswith(": ", place) and text[place + 2 :].strip():
            return place + 2
        place += 1
    return None


def _value(text: str, place: int, stop: int) -> Value | None:
    bracket = _BRACKETS.match(text, place)
    if bracket:
        end = _balanced(text, bracket.end() - 1, stop)
        if end > bracket.end() and (inside := text[place:end]).strip("[]{}"):
            return Value(place, end, _bracketed(inside))
    for type_, shape in _SHAPES:
        found = shape.match(text, place, stop)
        if not found or found.end() == place:
            continue
        whole = found[0]
        if type_ == "path" and (text[found.end() : found.end() + 1] or " ") not in " \t,;:.)]}>\"'=":
            continue
        if type_ == "namespaced":
            if _word_before(text, place).lower() in ("pod", "pods"):
                return Value(place, found.end(), "pod")
            if not any(c.isdigit() for c in whole):
                continue
        if type_ == "pod" and _word_before(text, place) == "pods":
            type_ = "pods"
        return Value(place, found.end(), {"url": "word", "address": "word", "namespaced": "pod"}.get(type_, type_))
    word = _WORD.match(text, place, stop)
    if not word:
        return None
    if text[place - 1 : place] == "=" or any(c.isdigit() or is_byte(c) for c in word[0]):
        return Value(place, word.end(), "bool" if word[0] in ("true", "false") else "word")
    return None


def _balanced(text: str, place: int, stop: int) -> int:
    """Where the bracket at a place is closed; 0 where it is not."""
    stack: list[str] = []
    quoted = False
    while place < stop:
        one = text[place]
        if quoted:
            place += one == "\\"
            quoted = one != '"'
        elif one == '"':
            quoted = True
        elif one in _OPEN:
            stack.append(_OPEN[one])
            if len(stack) > MAX_DEPTH:
                return 0
        elif one in ")]}":
            if not stack or stack.pop() != one:
                return 0
            if not stack:
                return place + 1
        place += 1
    return 0


def _bracketed(text: str) -> str:
    """What a value in brackets is."""
    if text[0] != "[":
        return "go"
    members = re.findall(r"[^\s,\[\]\"]+", text)
    if all(re.fullmatch(r"[a-z0-9-]+/[a-z0-9.-]+", one) for one in members) or all(re.fullmatch(_POD, one) for one in members):
        return "pods"
    return "list" if not set("{}()") & set(text[1:-1]) and "[" not in text[1:] else "go"


def settled(text: str, values: list[Value]) -> list[Value]:
    """Those values that the grammar would read as they are meant."""
    values = _apart(text, values)
    for value in values:
        value.type = _convertible(text[value.start : value.end], value.type)
    while True:
        wrong = _wrong(text, values)
        if wrong is None:
            break
        values = [value for value in values if value is not wrong]
    # Too little fixed text reads anything: then the first values stand as they are.
    while values and sum(c.isalpha() for c in "".join(literals(text, values))) < 3:
        values = values[1:]
        while (wrong := _wrong(text, values)) is not None:
            values = [value for value in values if value is not wrong]
    return values


def _apart(text: str, values: list[Value]) -> list[Value]:
    """Values that touch are one."""
    found: list[Value] = []
    for value in values:
        if found and found[-1].end == value.start:
            found[-1] = Value(found[-1].start, value.end, "text")
        else:
            found.append(value)
    return found


def _convertible(text: str, type_: str) -> str:
    """The type, or one that takes any text where the value is not of it or TOML cannot say it."""
    for one in (type_, "word"):
        try:
            value = said(CONVERT[one](text.encode()))
        except (ValueError, RecursionError):
            continue
        if _can_be_said(value):
            return one
    return "text"


def _can_be_said(value: Any, depth: int = 0) -> bool:
    if depth > 20:
        return False
    if isinstance(value, dict):
        return all(_can_be_said(one, depth + 1) for one in value.values())
    if isinstance(value, list):
        return all(one is not None and _can_be_said(one, depth + 1) for one in value)
    if isinstance(value, str):
        return value.isprintable() or not any("\ud800" <= c <= "\udfff" for c in value)
    return not isinstance(value, int) or -(1 << 63) <= value < 1 << 63


def _wrong(text: str, values: list[Value]) -> Value | None:
    """The first value that a pattern of these would not end where it ends: a hole ends where the text behind it first stands."""
    for number, value in enumerate(values):
        if value.type == "quoted":
            continue
        last = number + 1 == len(values)
        behind = text[value.end : len(text) if last else values[number + 1].start]
        if not behind and last:
            continue
        if last:
            # The text behind it ends the line: the first place where both hold is the end.
            continue
        if text.find(behind, value.start) != value.end:
            return value
    return None


def literals(text: str, values: list[Value]) -> list[str]:
    edges = [0, *(edge for value in values for edge in (value.start, value.end)), len(text)]
    return [text[edges[i] : edges[i + 1]] for i in range(0, len(edges), 2)]


def pair_type(key: str, value: bytes) -> str:
    text = CONVERT["text"](value)
    if key in ("err", "error"):
        return "error"
    if key == "pod" and value[:1] == b"{":
        type_ = "pod"
    elif value[:1] in (b"{", b"&") or value.startswith(b"map["):
        type_ = "go"
    elif value[:1] == b"[":
        type_ = _bracketed(text)
    elif value in (b"true", b"false"):
        type_ = "bool"
    elif value[:2] == b"<\n":
        type_ = "text"
    else:
        found = _value(text, 0, len(text))
        type_ = found.type if found and found.end == len(text) else "word"
        if type_ == "quoted" or text in ("<nil>", "null"):
            type_ = "text"
        elif key == "pod" and re.fullmatch(r"[^\s/]+(?:/[^\s/]+)?", text):
            type_ = "pod"
        elif type_ == "pod" and key != "pod" and not key.lower().endswith("pod"):
            type_ = "word"
    try:
        if _can_be_said(said(CONVERT[type_](value))):
            return type_
    except (ValueError, RecursionError):
        pass
    return "text"


def is_byte(one: str) -> bool:
    return "\udc80" <= one <= "\udcff"


# Names

_USUAL = {
    "word": "value", "text": "text", "quoted": "name", "int": "count", "float": "number", "bool": "on", "duration": "duration",
    "quantity": "quantity", "percent": "share", "list": "items", "pod": "pod", "pods": "pods", "uid": "uid", "id": "id",
    "image": "image", "path": "path", "time": "at", "error": "error", "go": "data",
}  # fmt: skip
# What is called by its type, whatever stands before it.
_BY_TYPE = frozenset(("pod", "pods", "error"))
# Words that name nothing.
_EMPTY = frozenset(
    """
    a about above added after all an and are as at back be been before below between but by can could did do does
    doing done due each exists for found from get getting got had has have if in into is it its just least left less
    long met more most no not now of off on one only or out over past per removed set since so some still than that
    the their them then there these this to took under until up via was were when where which while will with within
    without would
    """.split()
)


def _word_before(text: str, place: int, since: int = 0) -> str:
    found = re.search(r"(?<![^\s=:\"'(\[<,;-])([A-Za-z][A-Za-z_.-]*)[\s=:\"'(\[<]*\Z", text[max(since, place - 80) : place])
    return found[1] if found else ""


def named(text: str, values: list[Value]) -> list[str]:
    taken: set[str] = set()
    before = [0, *(value.end for value in values)]
    return [name(_called(text, value, end), value.type, taken) for value, end in zip(values, before, strict=False)]


def _called(text: str, value: Value, since: int) -> str:
    """What a value is called in a text, where the value before it ends at `since`."""
    if value.type in _BY_TYPE:
        return value.type
    before = _word_before(text, value.start, since)
    if before and before.lower() not in _EMPTY:
        return before
    after = re.match(r" ([a-z]{3,})\b", text[value.end : value.end + 30])
    if value.type == "int" and after and after[1] not in _EMPTY:
        return after[1]
    return _USUAL.get(value.type, "value")


def name(called: str, type_: str, taken: set[str]) -> str:
    """A field's name; units stand in names."""
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+", called.encode("ascii", "ignore").decode())
    name = "_".join(words).lower().lstrip("0123456789_")[:40].rstrip("_") or _USUAL.get(type_, "value")
    if type_ == "duration" and not name.endswith("_s"):
        name += "_s"
    name = "at" if name == "time" else name
    if name in RESERVED or keyword.iskeyword(name):
        name += "_"
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found


def event(literal: str, names: Collection[str]) -> str:
    """CamelCase of the first words, and of as many as no other event begins with."""
    words = re.findall(r"[A-Za-z][A-Za-z0-9]*", literal.replace("'", ""))
    words = [word[:1].upper() + word[1:] for word in words] or ["Unnamed"]
    for most in range(min(5, len(words)), len(words) + 1):
        if (name := "".join(words[:most])[:60]) not in names:
            return name
    number = 2
    while f"{name}{number}" in names:
        number += 1
    return f"{name}{number}"
