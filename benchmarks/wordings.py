"""Grammars → one ten times as big: nine further wordings of each, as a grammar would hold that knows ten times as many messages.

A further wording says another thing in the same manner: most of its words are those of the one that it is made from, so that they
begin alike and part in the middle or at the end of the text in front of the first value. Holes, keys and files stay.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from itertools import count
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
        self.taken = {_parted(text)[0] for text in texts}

    def one(self, text: str) -> str:
        """A wording like this one: a word of what stands before its first value is another, or there is one more."""
        lead, rest = _parted(text)
        words = re.findall(r"\S+\s*|^\s+", lead)
        places = [i for i, word in enumerate(words) if i and re.fullmatch(r"[A-Za-z]{3,}\s*", word)]
        for number in count():
            made = list(words)
            # Where a short text is said in many places, one word more is not enough.
            word = " ".join(self._below(_WORDS) for _ in range(1 + number // len(_WORDS)))
            if places and self.random() < 2 / 3:
                # The last word often, else one in the middle.
                place = places[-1] if self.random() < 1 / 2 else places[int(self.random() * len(places))]
                made[place] = word + re.sub(r"\S+", "", made[place])
            else:
                last = len(made) if lead.endswith((" ", "\t")) else len(made) - 1
                made.insert(max(1, last), word + " ")
                made[0] = made[0] if made[0].endswith((" ", "\t")) else made[0] + " "
            begin = "".join(made) if rest else "".join(made).rstrip()
            if begin not in self.taken:
                # What begins alike and goes on otherwise may be ambiguous.
                self.taken.add(begin)
                return begin + rest
        raise AssertionError

    def _below(self, words: list[str]) -> str:
        return words[int(self.random() * len(words))]


def _parted(text: str) -> tuple[str, str]:
    """What stands before the first hole, and the rest."""
    hole = next((found for found in _HOLE.finditer(text) if found[1] is not None), None)
    return (text[: hole.start()], text[hole.start() :]) if hole else (text, "")


def further(files: Iterable[Path]) -> tuple[str, int]:
    """A grammar with nine wordings for each in the files, and how many wordings those have. Tables' lines stay as they are."""
    blocks: list[tuple[dict[str, Any], str, dict[str, Any]]] = []
    for file in files:
        for block in tomllib.loads(file.read_text()).get("message", []):
            # Each by itself: what is a word in one text may be more in another.
            blocks += [(block, text, {}) for text in block.get("text", ())]
            blocks += [(block, pair["message"], pair.get("fields", {})) for pair in block.get("pairs", ())]
    wordings, lines = Wordings(text for _, text, _ in blocks), []
    for number in range(1, MORE + 1):
        for place, (block, text, keys) in enumerate(blocks):
            event = f"{block['event']}More{place}N{number}"
            is_pairs = text in (pair["message"] for pair in block.get("pairs", ()))
            fields = dict.fromkeys(keys, "text") if is_pairs else _fields(text)
            lines += [f"[event.{event}]", f"fields = {_inline(_named(fields))}", "[[message]]", f"event = {json.dumps(event)}"]
            lines += [f"{name} = {json.dumps(block[name])}" for name in _KEPT if name in block]
            lines.append("sample = [{ body = 'not read here', yields = {} }]")
            said = json.dumps(re.sub(r"\{_[a-z]+:", "{_:", wordings.one(text)))  # a raw hole is its own event's
            lines.append(f"pairs = [{{ message = {said}, fields = {_inline(_named(keys))} }}]" if is_pairs else f"text = [{said}]")
    return "\n".join(lines) + "\n", len(blocks)


def _fields(text: str) -> dict[str, str]:
    """The holes of a text and their types."""
    return {hole[1]: hole[2] for hole in _HOLE.finditer(text) if hole[1]}


def _named(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if not name.startswith("_")}


def _inline(values: dict[str, str]) -> str:
    return "{ " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in values.items()) + " }"
