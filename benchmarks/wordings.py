"""Grammars → one ten times as big: nine further wordings of each, as a grammar would hold that knows ten times as many messages.

A further wording says another thing in the same manner: most of its words are those of the one that it is made from, so that they
begin alike and part in the middle or at the end of the text in front of the first value. Holes, keys and files stay.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

MORE = 9
# None of them begins a value of values.py: a wording more must not read what the journal says.
_WORDS = (
    "stale static orphaned pending remaining previous unknown expired mirrored shared remote local failing obsolete duplicate "
    "detached restored throttled partial sandboxed privileged delayed ephemeral terminated annotated evictable unmounted "
    "resized scheduled preempted unreachable quarantined"
).split()
_KEPT = ("files", "program", "multiline")
_HOLE = re.compile(r"\{\{|\}\}|\{([a-z_0-9]*):([a-z]*)\}")


class Wordings:
    """Makes wordings that do not stand in the grammars yet."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.random = Random("wordings").random
        self.taken = set(texts)

    def one(self, text: str) -> str:
        """A wording like this one: a word of what stands before its first value is another, or there is one more."""
        hole = next((found for found in _HOLE.finditer(text) if found[1] is not None), None)
        lead, rest = (text[: hole.start()], text[hole.start() :]) if hole else (text, "")
        words = re.findall(r"\S+\s*|^\s+", lead)
        places = [i for i, word in enumerate(words) if i and re.fullmatch(r"[A-Za-z]{3,}\s*", word)]
        while True:
            made = list(words)
            word = self._below(_WORDS)
            if places and self.random() < 2 / 3:
                # The last word often, else one in the middle.
                place = places[-1] if self.random() < 1 / 2 else places[int(self.random() * len(places))]
                made[place] = word + re.sub(r"\S+", "", made[place])
            else:
                last = len(made) if lead.endswith((" ", "\t")) else len(made) - 1
                made.insert(max(1, last), word + " ")
                made[0] = made[0] if made[0].endswith((" ", "\t")) else made[0] + " "
            whole = "".join(made) + rest if rest else "".join(made).rstrip()
            if whole not in self.taken:
                self.taken.add(whole)
                return whole

    def _below(self, words: list[str]) -> str:
        return words[int(self.random() * len(words))]


def further(files: Iterable[Path]) -> tuple[str, int]:
    """A grammar with nine wordings for each in the files, and how many wordings those have. Tables' lines stay as they are."""
    blocks: list[tuple[dict[str, Any], dict[str, str]]] = []
    for file in files:
        data = tomllib.loads(file.read_text())
        for block in data.get("message", []):
            if "line" not in block:
                declared = data.get("event", {}).get(block["event"], {}).get("fields")
                blocks.append((block, _fields(block) if declared is None else declared))
    texts = [
        text for block, _ in blocks for text in (*block.get("text", ()), *(pair["message"] for pair in block.get("pairs", ())))
    ]
    wordings, lines = Wordings(texts), []
    for number in range(1, MORE + 1):
        for place, (block, fields) in enumerate(blocks):
            event = f"{block['event']}More{place}N{number}"
            lines += [f"[event.{event}]", f"fields = {_inline(fields)}", "[[message]]", f"event = {json.dumps(event)}"]
            lines += [f"{name} = {json.dumps(block[name])}" for name in _KEPT if name in block]
            lines.append("sample = [{ body = 'not read here', yields = {} }]")
            if "text" in block:
                lines.append(f"text = {json.dumps([wordings.one(text) for text in block['text']])}")
            pairs = [
                f"{{ message = {json.dumps(wordings.one(pair['message']))}, fields = {_inline(pair.get('fields', {}))} }}"
                for pair in block.get("pairs", ())
            ]
            if pairs:
                lines.append(f"pairs = [{', '.join(pairs)}]")
    return "\n".join(lines) + "\n", len(texts)


def _fields(block: dict[str, Any]) -> dict[str, str]:
    """The fields of an event of the vocabulary, as far as its wordings say their types."""
    found = {name: "text" for pair in block.get("pairs", ()) for name in pair.get("fields", {})}
    for text in block.get("text", ()):
        found |= {hole[1]: hole[2] for hole in _HOLE.finditer(text) if hole[1] and hole[1] != "_"}
    return found


def _inline(values: dict[str, str]) -> str:
    return "{ " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in values.items()) + " }"
