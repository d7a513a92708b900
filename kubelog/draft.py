"""one line, or a masked signature → a draft of its wording: TOML for a user's grammar, which loads and reads that line.

What is a value, and what it is called, is guessed: see guess.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

import msgspec

from kubelog import guess
from kubelog.engines import ReferenceEngine
from kubelog.errors import UsageError
from kubelog.ingest.inputs.sources import Source
from kubelog.klog.values import CONVERT
from kubelog.message.decoder import conversion
from kubelog.message.record import Record, plain
from kubelog.message.samples import said
from kubelog.pipeline import Log

_HEADER = b"I0102 03:04:05.678901    4321 file.go:1] "


class Draft(msgspec.Struct, frozen=True):
    """A wording as it could stand in a grammar."""

    event: str
    fields: dict[str, str]  # name → hole type
    files: list[str]
    program: list[str]
    text: str | None  # a pattern; None where the line has pairs
    pairs: dict[str, Any] | None
    body: str
    yields: dict[str, Any]
    known: str | None  # the event that reads the line already, and where
    invented: bool  # the values of the sample stand for those that a signature masks

    @property
    def toml(self) -> str:
        """The blocks of a grammar file."""
        note = "# Drafted from one line: name the event and its fields as you would say them, and see what else varies."
        if self.invented:
            note = "# Drafted from a signature: the sample's values are made up, so take them from a real line."
        lines = [note, f"[event.{self.event}]", f"fields = {_toml(self.fields)}", "", "[[message]]", f"event = {_toml(self.event)}"]
        lines += [f"{key} = {_toml(found)}" for key, found in (("files", self.files), ("program", self.program)) if found]
        if self.pairs is None:
            lines.append(f"text = [{_toml(self.text)}]")
        else:
            lines.append(f"pairs = [{_toml(self.pairs)}]")
        lines.append(f"sample = [{{ body = {_literal(self.body)}, yields = {_toml(self.yields)} }}]")
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """What `kubelog grammar draft -o json` prints."""
        return {**msgspec.to_builtins(self), "toml": self.toml}


def draft(line: bytes, engine: ReferenceEngine) -> Draft:
    """Draft a wording for one record: a line with or without its header, or a signature as `coverage` shows it."""
    if not line.strip():
        raise UsageError("expected a line or a signature to draft from, found none")
    record, body, known = _read(line, engine)
    files, program, invented = [], [], False
    if record.source_file is not None:
        files = [record.source_file]
    elif record.verdict != "unparsed" and record.unit is not None and record.severity is None:
        program = [record.unit]
    if not files and not program:
        bare = line.strip(b"\r\n")
        body = _text(bare)
        invented = guess.is_masked(body)
        if not invented:
            record, body, again = _read(_HEADER + bare, engine)
            known = known or again
    if not body.strip():
        raise UsageError("expected a message to draft from, found a line without one")
    names = {*engine.decoder.classes}
    if record.pairs is not None and not program and not invented:
        return _of_pairs(body, record, engine, names, files, known)
    return _of_text(body, names, files, program, known, invented)


def _read(line: bytes, engine: ReferenceEngine) -> tuple[Record, str, str | None]:
    """The first record, its body, and the event that reads it with its place."""
    log = Log([Source.of("-", (line,))], engine)
    block, maker = next(log.blocks())
    entry = engine.table.entries[block.kind[0]] if block.kind[0] >= 0 else None
    record = maker.record(block, 0)
    b, p, _, e = block.body(0)
    body = _text(bytes(b[p:e]))
    if record.pairs is not None and not body.startswith('"'):
        # Read from JSON: as klog writes it in text.
        pairs = "".join(f" {key}={json.dumps(plain(value), ensure_ascii=False)}" for key, value in record.pairs)
        body = json.dumps(record.message, ensure_ascii=False) + pairs
    return record, body, f"{entry.event} ({entry.path}:{entry.line})" if entry else None


def _text(raw: bytes) -> str:
    """Text of one character a byte that is no UTF-8."""
    return raw.decode("utf-8", "surrogateescape")


def _sayable(text: str) -> str:
    """What can stand in a file of text: a byte that is no UTF-8 is a replacement character."""
    return "".join("\ufffd" if guess.is_byte(c) else c for c in text)


def _of_text(body: str, names: Collection[str], files: list[str], program: list[str], known: str | None, invented: bool) -> Draft:
    first = body.split("\n", 1)[0].rstrip("\r")
    if not first.strip():
        raise UsageError("expected a message to draft from, found an empty first line")
    values: list[guess.Value] = []
    if invented:
        first, values = guess.invent(first)
    else:
        values = list(guess.values(first))
    shown = _sayable(first)
    values = guess.settled(shown, values)
    named = guess.named(shown, values)
    text, place, yields, fields = "", 0, {}, {}
    for value, name in zip(values, named, strict=True):
        text += _escaped(shown[place : value.start]) + f"{{{name}:{value.type}}}"
        place = value.end
        fields[name] = value.type
        yields[name] = said(conversion(value.type, "text")(shown[value.start : value.end].encode()))
    text += _escaped(shown[place:])
    literal = " ".join(guess.literals(shown, values))
    return Draft(
        guess.event(literal, names), fields, files, program, text, None, shown, {k: v for k, v in yields.items() if v is not None},
        known, invented,
    )  # fmt: skip


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _of_pairs(
    body: str, record: Record, engine: ReferenceEngine, names: Collection[str], files: list[str], known: str | None
) -> Draft:
    shown = _sayable(body)
    raw = shown.encode()
    text = raw.decode("latin-1")
    quoted = engine.reference.structured(text)
    assert quoted is not None  # it has pairs
    message = CONVERT["text"](quoted[0].encode("latin-1"))
    values: dict[str, bytes] = {}
    end = quoted[1]
    for k, k_end, v, v_end in engine.reference.pairs(text[end:])[0]:
        values[raw[end + k : end + k_end].decode()] = raw[end + v : end + v_end]
    fields, keys, yields = {}, {}, {}
    taken: set[str] = set()
    for key, value in values.items():
        type_ = guess.pair_type(key, value)
        name = guess.name("error" if type_ == "error" else key, type_, taken)
        fields[name], keys[name] = type_, key
        found = said(conversion(type_, "pairs")(value))
        if found is not None:
            yields[name] = found
    pairs = {"message": message, "fields": keys} if keys else {"message": message}
    return Draft(guess.event(message, names), fields, files, [], None, pairs, shown, yields, known, False)


# TOML


def _toml(value: Any) -> str:
    """A value as TOML says it, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(key)} = {_toml(one)}" for key, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _quoted(key)


def _quoted(text: str) -> str:
    if not _needs_escapes(text):
        if '"' not in text and "\\" not in text:
            return f'"{text}"'
        if "'" not in text:
            return f"'{text}'"
    found = json.dumps(text, ensure_ascii=False)
    return "".join(f"\\U{ord(c):08x}" if _needs_escapes(c) else c for c in found)


def _literal(text: str) -> str:
    """A text of any length as it stands, where TOML allows it."""
    plain = text.replace("\n", "")
    return _quoted(text) if _needs_escapes(plain) or "'''" in text or text[-1:] == "'" or text[:1] == "\n" else f"'''{text}'''"


def _needs_escapes(text: str) -> bool:
    """Whether TOML does not allow it as it stands, or an editor would not show it."""
    return not text.replace("\t", "").isprintable()
