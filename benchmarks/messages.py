"""messages.toml → Message: its parts, its fields, and how an engine may look for it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from string import Formatter

HERE = Path(__file__).resolve().parent
QUOTED = r'"(?:[^"\\]|\\.)*"'  # a quoted value may hold what looks like the next key


@dataclass(frozen=True)
class Hole:
    """A place for a value; `field` is None where no field is made of it."""

    field: str | None
    values: str


@dataclass(frozen=True)
class Message:
    unit: str
    body: str
    kind: str | None = None  # None: a stranger
    at: str = ""  # severity, source file and line; "": no klog header
    weight: int = 0
    share: float = 0.0
    lines: str = ""
    spans_lines: bool = False
    parts: tuple[str | Hole, ...] = field(init=False)

    def __post_init__(self) -> None:
        parts: list[str | Hole] = []
        for literal, name, _, _ in Formatter().parse(self.body):
            if literal:
                parts.append(parts.pop() + literal if parts and isinstance(parts[-1], str) else literal)
            if name is not None:
                first, _, values = name.rpartition("=")
                parts.append(Hole(None if not first or first.startswith("_") else first, values))
        object.__setattr__(self, "parts", tuple(parts))

    @property
    def structured(self) -> bool:
        return self.body.startswith('"')

    @cached_property
    def lead(self) -> str:
        """The literal that the message begins with; of a structured one the quoted text."""
        first = self.parts[0]
        assert isinstance(first, str)
        return re.match(r'"[^"]*"', first)[0] if self.structured else first

    @cached_property
    def fields(self) -> tuple[str, ...]:
        return tuple(part.field for part in self.parts if isinstance(part, Hole) and part.field)

    @cached_property
    def keys(self) -> dict[str, str]:
        """Of a structured message: field → the key of its pair."""
        found = {}
        for before, part in zip(self.parts, self.parts[1:], strict=False):
            if isinstance(part, Hole) and part.field:
                found[part.field] = re.search(r" ([^ =]+)=$", before)[1]
        return found

    @property
    def pairs(self) -> int:
        """How many pairs a structured message has."""
        text = "".join(part if isinstance(part, str) else "x" for part in self.parts)
        return len(re.findall(r' [^ ="]+=', text[len(self.lead) :])) if self.structured else 0

    @cached_property
    def regex(self) -> str:
        """The whole message, a group a field: right for Python's `re`, Rust's `regex` and RE2."""
        text = ""
        for part in self.parts:
            if isinstance(part, str):
                text += re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", part)
            else:
                value = QUOTED if self.structured and part.values.startswith("quoted_") else ".*?"
                text += f"({value})" if part.field else value
        return f"^{text}$"


def load() -> list[Message]:
    return [Message(**one) for one in tomllib.loads((HERE / "messages.toml").read_text())["message"]]


def known(messages: list[Message]) -> list[Message]:
    """Those that have a kind, the longest leading literal first."""
    return sorted((m for m in messages if m.kind), key=lambda m: (-len(m.lead), m.kind))
