"""one grammar file → its part of the Grammar: every table and key checked, every mistake told with its place."""

from __future__ import annotations

import functools
import keyword
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubelog.errors import GrammarError
from kubelog.grammar.notation import NotationError, parse_pattern, suggest
from kubelog.grammar.tree import LEXICAL_TYPES, LINE_TYPES, VALUE_TYPES, Grammar, Pattern, Sample, Vocabulary, Wording

# What every event has: no field is called so.
RESERVED = frozenset("derive fields kind raw seen time written".split())

# The head of a table: a line of a sample may begin with a bracket too.
_HEAD = re.compile(r"\s*\[\[?[\w. \"-]+\]\]?\s*(?:#.*)?\Z")


class GrammarFile:
    """One grammar file: its tables, and where in the text each of them stands."""

    def __init__(self, file: Path, shown: str, grammar: Grammar) -> None:
        self.path = shown
        self.grammar = grammar
        try:
            self.text = file.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise GrammarError(self.path, f"expected UTF-8, found byte {error.object[error.start]:#04x}") from None
        except OSError as error:
            raise GrammarError(self.path, error.strerror or "cannot be read") from None
        self.lines = self.text.split("\n")
        try:
            self.data = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            raise self._toml_error(error) from None
        self.starts: dict[str, list[int]] = {}
        for number, line in enumerate(self.lines, 1):
            head = re.fullmatch(r"\s*\[\[(\w+)\]\]\s*(?:#.*)?", line)
            if head:
                self.starts.setdefault(head[1], []).append(number)

    def _toml_error(self, error: tomllib.TOMLDecodeError) -> GrammarError:
        text = str(error)
        place = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)", text)
        problem = "not TOML: " + (text[: place.start()] if place else text)
        if place and place[1]:
            return self.error(int(place[1]), int(place[2]), problem)
        return self.error(len(self.lines), len(self.lines[-1]) + 1, problem)

    def error(self, line: int, column: int, problem: str, hint: str = "") -> GrammarError:
        source = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return GrammarError(self.path, problem, line=line, column=column, source=source, hint=hint)

    def place(self, start: int, needle: str) -> tuple[int, int]:
        """Line and column of `needle` in the block that starts at line `start`."""
        for number in range(start, len(self.lines) + 1):
            if number > start and _HEAD.match(self.lines[number - 1]):
                break
            line = self.lines[number - 1]
            column = (line if " #" in needle else line.split(" #", 1)[0]).find(needle)
            if column >= 0:
                return number, column + 1
        return start, 1

    def place_of_text(self, start: int, text: str) -> tuple[int, int]:
        """Line and column of a text behind its opening quote, where it first stands behind line `start` in its block."""
        first, *more = text.split("\n", 1)
        for number in range(start, len(self.lines) + 1):
            line = self.lines[number - 1]
            if number > start and _HEAD.match(line):
                break
            if first not in line:
                continue
            code = line if " #" in first else line.split(" #", 1)[0]
            found = []
            for quote in ("'''", '"""', "'", '"'):
                column = code.find(quote + first + ("" if more else quote))
                if column >= 0:
                    found.append(column + 1 + len(quote))
            if found:
                return number, min(found)
        return self.place(start, first)

    def note(self, line: int, end: int) -> str:
        """The comment behind what ends at a place."""
        return self.lines[line - 1][end:].partition(" #")[2].strip() if line <= len(self.lines) else ""

    def about(self) -> str:
        """The comment that the file begins with."""
        head: list[str] = []
        for line in self.lines:
            if not line.startswith("#"):
                break
            head.append(line.lstrip("# "))
        return " ".join(head)

    def declare(self, vocabulary: Vocabulary | None) -> None:
        """The tables that other files may refer to: new events."""
        known = {"header", "envelope", "continuation", "block", "months", "rare_months", "message", "event"}
        self.grammar.about[self.path] = self.about()
        for name in self.data:
            if name not in known:
                raise self.error(*self.place_of_table(name), f"{name!r} is not a table of a grammar", suggest(name, known))
        for name, event in self._table("event").items():
            line, column = self.place_of_table(f"event.{name}")
            fields = event.get("fields", {}) if isinstance(event, dict) else None
            if not isinstance(fields, dict) or not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
                raise self.error(
                    line,
                    column,
                    f'expected [event.{name}] with fields = {{ name = "type" }}, and a name like PodEvicted',
                )
            for field, type_ in fields.items():
                if type_ not in VALUE_TYPES:
                    raise self.error(
                        *self.place(line, str(type_)), f"{type_!r} is not a hole type", suggest(str(type_), VALUE_TYPES)
                    )
                if not re.fullmatch(r"[a-z][a-z0-9_]*", field) or field in RESERVED or keyword.iskeyword(field):
                    raise self.error(
                        *self.place(line, field), f"{field!r} cannot be a field's name", "take a name like pod or elapsed_s"
                    )
            if name in (vocabulary or ()):
                raise self.error(line, column, f"the event {name!r} is one of the vocabulary", "use another name")
            if name in self.grammar.events:
                raise self.error(line, column, f"the event {name!r} is declared twice")
            self.grammar.events[name] = fields

    def place_of_table(self, name: str) -> tuple[int, int]:
        return self._tables().get(name, 1), 1

    @functools.cache  # noqa: B019  # a file is read once and let go
    def _tables(self) -> dict[str, int]:
        """Where each table or key stands first: its name → its line."""
        found: dict[str, int] = {}
        for number, line in enumerate(self.lines, 1):
            named = re.match(r"\s*(?:\[+\s*([^\]]+?)\s*\]|([^=\[{\s]+)\s*=)", line)
            if named:
                found.setdefault(named[1] or named[2], number)
        return found

    def _table(self, name: str) -> dict[str, Any]:
        table = self.data.get(name, {})
        if not isinstance(table, dict):
            raise self.error(*self.place_of_table(name), f"expected a table [{name}], found {_kind(table)}")
        return table

    def read(self, vocabulary: Vocabulary | None) -> None:
        grammar = self.grammar
        header = self._table("header")
        if header:
            line, _ = self.place_of_table("header")
            grammar.header = self.pattern(line, header.get("pattern"), LEXICAL_TYPES)
            grammar.before += [text.encode() for text in self.strings(line, header, "before")]
        for number, envelope in enumerate(self.blocks("envelope")):
            line = self.line_of("envelope", number)
            patterns = [self.pattern(line, text, LEXICAL_TYPES) for text in self.strings(line, envelope, "patterns")]
            name = str(envelope.get("name", f"envelope-{number}"))
            grammar.envelopes[name] = patterns
            if envelope.get("weak"):
                grammar.weak.append(name)
        for table, key, target in (
            ("continuation", "heads", grammar.heads),
            ("continuation", "stacks", grammar.stacks),
            ("continuation", "crashes", grammar.crashes),
            ("block", "heads", grammar.blocks),
        ):
            line, _ = self.place_of_table(table)
            target += [text.encode() for text in self.strings(line, self._table(table), key)]
        for locale, names in self._table("months").items():
            self.months(locale, names)
        self.grammar.common += len(self._table("months"))
        for locale, names in self._table("rare_months").items():
            self.months(locale, names)
        for number, block in enumerate(self.blocks("message")):
            self.message(self.line_of("message", number), block, vocabulary)

    def blocks(self, name: str) -> list[dict[str, Any]]:
        found = self.data.get(name, [])
        if not isinstance(found, list) or not all(isinstance(block, dict) for block in found):
            raise self.error(*self.place_of_table(name), f"expected [[{name}]] blocks, found {_kind(found)}", f"write [[{name}]]")
        return found

    def line_of(self, name: str, number: int) -> int:
        starts = self.starts.get(name, [])
        return starts[number] if number < len(starts) else 1

    def strings(self, line: int, block: dict[str, Any], key: str) -> list[str]:
        found = block.get(key, [])
        if isinstance(found, str) or not isinstance(found, list) or not all(isinstance(x, str) for x in found):
            raise self.error(*self.place(line, key), f"expected a list of strings for {key!r}, found {_kind(found)}")
        return found

    def pattern(self, line: int, text: Any, types: frozenset[str]) -> Pattern:
        if not isinstance(text, str):
            raise self.error(line, 1, f"expected a pattern (text), found {_kind(text)}")
        try:
            return parse_pattern(text, types)
        except NotationError as error:
            number, column = self.place_of_text(line, text)
            raise self.error(number, column + error.column, error.problem, error.hint) from None

    def months(self, locale: str, names: Any) -> None:
        line, column = self.place_of_table(locale)
        if not isinstance(names, list) or len(names) != 12 or not all(isinstance(name, str) and name for name in names):
            raise self.error(line, column, f"expected the 12 month names of {locale}, found {_kind(names)}")
        folded = [name.casefold() for name in names]
        if len(set(folded)) != 12:
            raise self.error(line, column, f"expected 12 names of {locale} that differ, found {', '.join(names)}")
        for number, name in enumerate(folded, 1):
            self.grammar.months.setdefault(name, number)
        self.grammar.calendars.append(folded)
        self.grammar.phrases += [name.encode() for name in names if _is_phrase(name)]

    def message(self, line: int, block: dict[str, Any], vocabulary: Vocabulary | None) -> None:
        known = {"event", "files", "text", "pairs", "line", "sample", "program", "set"}
        for key in block:
            if key not in known:
                raise self.error(*self.place(line, key), f"{key!r} is not a key of a message", suggest(key, known))
        event = block.get("event")
        if not isinstance(event, str):
            raise self.error(line, 1, 'expected event = "Name" in this message, found none')
        holes = None
        if vocabulary is not None:
            if event not in vocabulary:
                hint = suggest(event, set(vocabulary)) or f"declare it: [event.{event}]"
                raise self.error(*self.place(line, event), f"{event!r} is not an event", hint)
            holes = vocabulary[event]
        files, program = (tuple(self.strings(line, block, key)) for key in ("files", "program"))
        constants = block.get("set", {})
        if not isinstance(constants, dict):
            raise self.error(*self.place(line, "set"), f"expected set = {{ field = value }}, found {_kind(constants)}")
        for name in constants:
            self.check_field(line, event, name, "", holes)

        def add(style: str, text: str, **what: Any) -> None:
            whole = {"pattern": None, "message": b"", "fields": {}, "when": {}, **what}
            number, column = self.place_of_text(line, text)
            self.grammar.wordings.append(
                Wording(
                    event,
                    style,
                    files=files,
                    program=program,
                    constants=constants,
                    path=self.path,
                    line=number,
                    column=column,
                    note=self.note(number, column - 1 + len(text)),
                    **whole,
                )
            )

        for style, types in (("text", VALUE_TYPES), ("line", LINE_TYPES)):
            for text in self.strings(line, block, style):
                pattern = self.pattern(line, text, types)
                number = self.place_of_text(line, text)[0]
                for hole in pattern.holes:
                    if hole.name != "_":
                        self.check_field(number, event, hole.name, hole.type, holes, f"{{{hole.name}:")
                add(style, text, pattern=pattern)
        for pair in self.pairs(line, block):
            number = self.place_of_text(line, pair["message"])[0]
            for name in pair.get("fields", {}):
                self.check_field(number, event, name, "", holes)
            fields, when = pair.get("fields", {}), pair.get("when", {})
            add("pairs", pair["message"], message=pair["message"].encode(), fields=fields, when=when)
        self.samples(line, event, block, files, program)

    def pairs(self, line: int, block: dict[str, Any]) -> list[dict[str, Any]]:
        found = block.get("pairs", [])
        shape = '{ message = "…", fields = { field = "key" } }'
        if not isinstance(found, list):
            raise self.error(*self.place(line, "pairs"), f"expected pairs = [{shape}], found {_kind(found)}")
        for pair in found:
            tables = [pair.get("fields", {}), pair.get("when", {})] if isinstance(pair, dict) else [None]
            right = all(isinstance(table, dict) and all(isinstance(x, str) for x in table.values()) for table in tables)
            if not right or not isinstance(pair.get("message"), str) or set(pair) - {"message", "fields", "when"}:
                raise self.error(*self.place(line, "pairs"), f"expected {shape}, found {pair!r}"[:300])
            for key, text in pair.get("when", {}).items():
                if not text:
                    raise self.error(*self.place(line, key), f"expected a text that the value of {key!r} must hold, found none")
        return found

    def check_field(
        self, line: int, event: str, name: str, type_: str, holes: Mapping[str, frozenset[str]] | None, needle: str = ""
    ) -> None:
        if holes is None:
            return
        if name not in holes:
            number, column = self.place(line, needle or name)
            column += 1 if needle else 0
            raise self.error(number, column, f"{name!r} is not a field of {event}", suggest(name, set(holes)))
        if type_ and type_ not in holes[name]:
            number, column = self.place(line, needle or name)
            wanted = ", ".join(sorted(holes[name]))
            raise self.error(number, column + len(name) + 2, f"{event}.{name} takes a hole of type {wanted}, found {type_!r}")

    def samples(self, line: int, event: str, block: dict[str, Any], files: tuple[str, ...], program: tuple[str, ...]) -> None:
        found = block.get("sample", [])
        start = self.place(line, "sample")[0]
        style = "line" if "line" in block else "message"
        if style == "line" and ("text" in block or "pairs" in block):
            problem = "expected either `line` or `text` and `pairs` in one message, found both"
            raise self.error(*self.place(line, "line"), problem, "write two [[message]] blocks")
        for sample in found if isinstance(found, list) else [found]:
            if not isinstance(sample, dict) or not isinstance(sample.get("body"), str) or "yields" not in sample:
                raise self.error(*self.place(line, "sample"), "expected sample = [{ body = '''…''', yields = { field = value } }]")
            number = self.place_of_text(start, sample["body"])[0]
            self.grammar.samples.append(Sample(event, style, sample["body"], sample["yields"], program, files, self.path, number))
        if not found and any(key in block for key in ("text", "pairs", "line")):
            raise self.error(
                line, 1, f"expected a sample for {event}, found none", "add sample = [{ body = '''…''', yields = {} }]"
            )


def _kind(value: Any) -> str:
    names = {dict: "a table", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return "nothing" if value is None else names.get(type(value), type(value).__name__)


# A month's name of more bytes, with a dot behind it, is read only as it is.
_LONGEST_MONTH = 23


def _is_phrase(name: str) -> bool:
    """Whether a month's name is read as it is: others are any short word."""
    return " " in name or "/" in name or len(name.encode()) > _LONGEST_MONTH
