"""rule tree → Table: flat arrays and dictionaries that the scanner runs; shipped with the package, so nothing is
compiled at start.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from kubelog.grammar.tree import Grammar, Pattern, Vocabulary, Wording

# The layout below; a shipped table of another layout is not read.
LAYOUT = 2
# The brackets of a value nest no deeper; what does is read as text, by both engines.
MAX_DEPTH = 40

# What stands at a place of a pattern: `ops` is a flat list of (op, argument).
OP_END, OP_LITERAL, OP_BLANKS, OP_HOLE, OP_QUOTED = range(5)


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A wording as the scanner and the decoder need it."""

    event: str
    style: str
    holes: list[tuple[str, str]]  # name, type ("": as the vocabulary says)
    keys: list[bytes]  # of pairs: the key of each hole
    constants: dict[str, Any]
    program: list[bytes]
    files: list[bytes]
    multiline: bool
    program_ops: int  # where its pattern begins in `ops`; -1 for pairs
    lead: int
    weight: int
    text: str
    path: str
    line: int


class Table(msgspec.Struct, array_like=True):
    """The compiled grammar."""

    layout: int
    digest: str
    entries: list[Entry]
    before: list[bytes]
    heads: list[bytes]
    stacks: list[bytes]
    blocks: list[bytes]
    months: dict[str, int]
    events: dict[str, dict[str, str]]
    # Patterns: ops[i], ops[i + 1] is one step; a literal's argument is its number in `pool`, a run of blanks' its
    # least length.
    ops: list[int]
    pool: list[bytes]
    # The radix trie over leading literals: a node is (label, children by first byte, wordings that end here).
    labels: list[bytes]
    children: list[dict[int, int]]
    ends: list[list[int]]
    # Structured messages by their text, `line` wordings in order.
    messages: dict[bytes, list[int]]
    lines: list[int]


def compile_grammar(grammar: Grammar) -> Table:
    """The table of a grammar; wordings keep the grammar's order."""
    builder = _Builder()
    for number, wording in enumerate(grammar.wordings):
        builder.add(number, wording)
    labels, children, ends = builder.trie()
    return Table(
        LAYOUT, grammar.digest, builder.entries, grammar.before, grammar.heads, grammar.stacks, grammar.blocks,
        grammar.months, grammar.events, builder.ops, builder.pool, labels, children, ends, builder.messages, builder.lines,
    )  # fmt: skip


class _Builder:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.ops: list[int] = []
        self.pool: list[bytes] = []
        self.literals: dict[bytes, int] = {}
        self.messages: dict[bytes, list[int]] = {}
        self.lines: list[int] = []
        self.leads: dict[bytes, list[int]] = {}

    def add(self, number: int, wording: Wording) -> None:
        pattern = wording.pattern
        holes = [(hole.name, hole.type) for hole in pattern.holes] if pattern else [(n, "") for n in wording.fields]
        entry = Entry(
            wording.event, wording.style, holes, [key.encode() for key in wording.fields.values()], wording.constants,
            [name.encode() for name in wording.program], [name.encode() for name in wording.files],
            bool(pattern and pattern.multiline), self.pattern(pattern) if pattern else -1,
            len(pattern.lead) if pattern else 0, pattern.weight if pattern else 0,
            wording.text, wording.path, wording.line,
        )  # fmt: skip
        self.entries.append(entry)
        if wording.style == "pairs":
            self.messages.setdefault(wording.message, []).append(number)
        elif wording.style == "line":
            self.lines.append(number)
        elif pattern:
            self.leads.setdefault(pattern.lead, []).append(number)

    def pattern(self, pattern: Pattern) -> int:
        from kubelog.grammar.tree import Blanks, Literal

        start = len(self.ops)
        for part in pattern.parts:
            if isinstance(part, Literal):
                self.ops += (OP_LITERAL, self.literal(part.text))
            elif isinstance(part, Blanks):
                self.ops += (OP_BLANKS, part.least)
            else:
                self.ops += (OP_QUOTED if part.type == "quoted" else OP_HOLE, 0)
        self.ops += (OP_END, 0)
        return start

    def literal(self, text: bytes) -> int:
        if text not in self.literals:
            self.literals[text] = len(self.pool)
            self.pool.append(text)
        return self.literals[text]

    def trie(self) -> tuple[list[bytes], list[dict[int, int]], list[list[int]]]:
        labels, ends = [b""], [self.leads.get(b"", [])]
        children: list[dict[int, int]] = [{}]

        def grow(node: int, depth: int, leads: list[bytes]) -> None:
            groups: dict[int, list[bytes]] = {}
            for lead in leads:
                if len(lead) > depth:
                    groups.setdefault(lead[depth], []).append(lead)
            for first, group in groups.items():
                shared = _shared(group, depth)
                child = len(labels)
                labels.append(group[0][depth:shared])
                children.append({})
                ends.append(self.leads.get(group[0][:shared], []))
                children[node][first] = child
                grow(child, shared, group)

        grow(0, 0, sorted(self.leads))
        return labels, children, ends


def _shared(group: list[bytes], depth: int) -> int:
    """How long the beginning is that all of a sorted group share."""
    first, last = group[0], group[-1]
    while depth < min(len(first), len(last)) and first[depth] == last[depth]:
        depth += 1
    return depth


def write_table(target: Path, grammars: Path) -> None:
    """Compile the grammars of a directory into the file that the package ships."""
    from kubelog.grammar import catalog

    target.write_bytes(msgspec.msgpack.encode(compile_grammar(catalog.load([grammars]))))


def read_table(extra: Iterable[Path] = (), vocabulary: Vocabulary | None = None) -> Table:
    """The shipped table; with `extra` grammars, both compiled together.

    In a checkout there is no shipped table: one is kept beside this file and made anew when a grammar file has changed.
    """
    from kubelog.grammar import catalog

    extra = list(extra)
    home = catalog.shipped()
    if extra:
        return compile_grammar(catalog.load([home, *extra], vocabulary))
    file = Path(__file__).with_name("table.bin")
    installed = home.parent == file.parent.parent
    table = _decode(file)
    if table is None or (not installed and table.digest != catalog.digest(catalog.find([home]))):
        table = compile_grammar(catalog.load([home], vocabulary))
        if not installed:
            _keep(file, table)
    return table


def _decode(file: Path) -> Table | None:
    try:
        table = msgspec.msgpack.decode(file.read_bytes(), type=Table)
    except (OSError, msgspec.DecodeError):
        return None
    return table if table.layout == LAYOUT else None


def _keep(file: Path, table: Table) -> None:
    """Save for the next start where the checkout may be written; a half-written file is never seen."""
    import os

    part = file.with_suffix(f".{os.getpid()}")
    try:
        part.write_bytes(msgspec.msgpack.encode(table))
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)
