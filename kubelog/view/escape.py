"""text of logs → text that is safe to print.

Control characters (C0, DEL, C1), those that turn the direction of writing, and line separators are shown as escapes, so that no log
line can move a cursor, set a title, forge a line or hide its end. Nothing is printed that did not come through here.
"""

from __future__ import annotations

import re
from typing import Any

# Patterns stay text until a text needs them: most are printable as they are, and compiling takes a while.
_CONTROL = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
# In JSON, C0 is escaped already.
_JSON = "[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]"
_MARKDOWN = r"([\\`*_\[\]<>#&!|~])"


def _shown(found: re.Match[str]) -> str:
    point = ord(found[0])
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(point) or (f"\\x{point:02x}" if point < 256 else f"\\u{point:04x}")


def terminal(text: str) -> str:
    """One line for a terminal or a pipe."""
    return text if text.isprintable() else re.sub(_CONTROL, _shown, text)


def markdown(text: str) -> str:
    """Inline text of a Markdown document: no mark-up, no HTML, one line."""
    return re.sub(_MARKDOWN, r"\\\1", terminal(text))


def prose(text: str) -> str:
    """A sentence of ours, in which `…` is code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return markdown(text)
    return "".join(code(part) if number % 2 and part else markdown(part) for number, part in enumerate(parts))


def code(text: str) -> str:
    """Inline code of a Markdown document."""
    shown = terminal(text)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if "`" in shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def markup(text: str) -> str:
    """Text of an HTML document."""
    import html

    return html.escape(terminal(text), quote=True)


def json(data: Any, *, indent: bool = False) -> str:
    """JSON in which no character acts on a terminal."""
    import msgspec

    try:
        encoded = msgspec.json.encode(data)
    except UnicodeEncodeError:  # the name of a file, or an argument, that is no UTF-8
        encoded = msgspec.json.encode(_encodable(data))
    if indent:
        encoded = msgspec.json.format(encoded, indent=2)
    text = encoded.decode("utf-8", "replace")
    return text if text.isprintable() else re.sub(_JSON, lambda found: f"\\u{ord(found[0]):04x}", text)


def _encodable(data: Any) -> Any:
    if isinstance(data, str):
        return data.encode("utf-8", "backslashreplace").decode()
    if isinstance(data, dict):
        return {_encodable(key): _encodable(value) for key, value in data.items()}
    return [_encodable(value) for value in data] if isinstance(data, list | tuple) else data
