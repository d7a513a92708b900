"""rule tree → Table: flat arrays and dictionaries that the scanner runs; shipped with the package, so nothing is
compiled at start.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from kubelog.grammar.tree import Grammar, Pattern, Vocabulary, Wording

# The layout below; a shipped table of another layout is not read.
LAYOUT = 9
# The brackets of a value nest no deeper; what does is read as text, by both engines.
MAX_DEPTH = 40

# What stands at a place of a pattern: `ops` is a flat list of (op, argument).
OP_END, OP_LITERAL, OP_BLANKS, OP_HOLE, OP_QUOTED = range(5)

# A node of the trie, as numbers: its label (place in the pool, length), its whole lead (place, length), the wordings that
# end here (place in `ends`, how many), its children (place in `edges`, first byte, last byte).
NODE = 9
# A wording, as numbers: where its pattern begins in `ops` (-1 for pairs), whether it takes several lines, its weight, and its
# programs, files, keys and conditions (place in `names`, how many; a condition is two, a key and what its value must hold); and
# whether it is read only in the files that it names.
WORDING = 12


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A wording as the decoder needs it."""

    event: str
    style: str
    holes: list[tuple[str, str]]  # name, type ("": as the vocabulary says)
    constants: dict[str, Any]
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
    months: dict[str, int]
    calendars: list[list[str]]  # of the languages that have a name which is another month's elsewhere; those met most are first
    common: int  # how many of these are met most
    events: dict[str, dict[str, str]]
    # All literals behind one another, and where each stands: place, length. Lists of literals hold their numbers.
    pool: bytes
    literals: list[int]
    before: list[int]
    heads: list[int]
    stacks: list[int]
    crashes: list[int]
    blocks: list[int]
    phrases: list[int]  # months' names that are no single short word
    # Patterns: ops[i], ops[i + 1] is one step; a literal's argument is its number, a run of blanks' its least length.
    ops: list[int]
    # The radix trie over leading literals; `edges` hold child nodes, 0 for none.
    nodes: list[int]
    edges: list[int]
    ends: list[int]
    wordings: list[int]
    names: list[int]
    # Wordings that begin with a hole, in the order in which they are tried: place in `ends` and how many of those that name no
    # file; then of those for each source file that is named (its literal, place, how many), and for each program.
    openings: list[int]
    file_openings: list[int]
    program_openings: list[int]
    # Structured messages (literals), and the wordings of each: place in `ends`, how many.
    messages: list[int]
    message_ends: list[int]
    # `line` wordings in order.
    lines: list[int]


class Program:
    """The arrays of a table, as the leaves bind them."""

    def __init__(self, table: Table) -> None:
        def ints(values: list[int]) -> array[int]:
            return array("i", values)

        self.pool, self.literals = table.pool, ints(table.literals)
        self.before, self.heads, self.stacks, self.blocks = map(ints, (table.before, table.heads, table.stacks, table.blocks))
        self.phrases, self.crashes = ints(table.phrases), ints(table.crashes)
        self.ops, self.nodes, self.edges, self.ends = map(ints, (table.ops, table.nodes, table.edges, table.ends))
        self.wordings, self.names, self.lines = map(ints, (table.wordings, table.names, table.lines))
        self.messages, self.message_ends = ints(table.messages), ints(table.message_ends)
        self.openings, self.file_openings = table.openings, self._openings(table.file_openings)
        self.program_openings = self._openings(table.program_openings)

    def _openings(self, values: list[int]) -> dict[bytes, tuple[int, int]]:
        """By the name of a file or program: place in `ends`, how many."""
        found: dict[bytes, tuple[int, int]] = {}
        for i in range(0, len(values), 3):
            p, n = self.literals[2 * values[i] : 2 * values[i] + 2]
            found[self.pool[p : p + n]] = values[i + 1], values[i + 2]
        return found


def compile_grammar(grammar: Grammar) -> Table:
    """The table of a grammar; wordings keep the grammar's order."""
    builder = _Builder()
    for number, wording in enumerate(grammar.wordings):
        builder.add(number, wording)
    builder.trie()
    openings, file_openings, program_openings = builder.openings(grammar.wordings)
    before, heads = builder.literals_of(grammar.before), builder.literals_of(grammar.heads)
    stacks, crashes = builder.literals_of(grammar.stacks), builder.literals_of(grammar.crashes)
    blocks = builder.literals_of(grammar.blocks)
    phrases = builder.literals_of(sorted(set(grammar.phrases)))
    several = {name for one in grammar.calendars for number, name in enumerate(one, 1) if grammar.months[name] != number}
    calendars = [one for one in grammar.calendars if several & set(one)]
    common = sum(1 for one in grammar.calendars[: grammar.common] if several & set(one))
    messages, message_ends = builder.literals_of(builder.messages), builder.message_ends()
    return Table(
        LAYOUT, grammar.digest, builder.entries, grammar.months, calendars, common, grammar.events,
        bytes(builder.pool), builder.literals,
        before, heads, stacks, crashes, blocks, phrases, builder.ops, builder.nodes, builder.edges, builder.ends,
        builder.wordings, builder.names, openings, file_openings, program_openings, messages, message_ends, builder.lines,
    )  # fmt: skip


class _Builder:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.wordings: list[int] = []
        self.names: list[int] = []
        self.ops: list[int] = []
        self.pool = bytearray()
        self.literals: list[int] = []
        self.numbers: dict[bytes, int] = {}
        self.messages: dict[bytes, list[int]] = {}
        self.lines: list[int] = []
        self.leads: dict[bytes, list[int]] = {}
        self.nodes: list[int] = []
        self.edges: list[int] = []
        self.ends: list[int] = []

    def add(self, number: int, wording: Wording) -> None:
        pattern = wording.pattern
        holes = [(hole.name, hole.type) for hole in pattern.holes] if pattern else [(n, "") for n in wording.fields]
        lead, weight = (len(pattern.lead), pattern.weight) if pattern else (0, 0)
        self.entries.append(
            Entry(wording.event, wording.style, holes, wording.constants, lead, weight, wording.text, wording.path, wording.line)
        )
        self.wordings += (self.pattern(pattern) if pattern else -1, int(bool(pattern and pattern.multiline)), wording.weight)
        conditions = [text for condition in wording.when.items() for text in condition]
        for texts in (wording.program, wording.files, wording.fields.values(), conditions):
            self.wordings += (len(self.names), len(texts))
            self.names += self.literals_of(text.encode() for text in texts)
        self.wordings.append(int(wording.bound))
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
        """The number of a literal."""
        if text not in self.numbers:
            self.numbers[text] = len(self.literals) // 2
            self.literals += (len(self.pool), len(text))
            self.pool += text
        return self.numbers[text]

    def literals_of(self, texts: Iterable[bytes]) -> list[int]:
        return [self.literal(text) for text in texts]

    def message_ends(self) -> list[int]:
        found: list[int] = []
        for numbers in self.messages.values():
            found += (len(self.ends), len(numbers))
            self.ends += numbers
        return found

    def openings(self, wordings: list[Wording]) -> tuple[list[int], list[int], list[int]]:
        """The wordings that begin with a hole: those that name no file, and those for each file and program that is named."""
        numbers = self.leads.get(b"", [])
        headed = [n for n in numbers if not wordings[n].program]
        anywhere = [n for n in headed if not wordings[n].files]
        files, programs = [], []
        for name in sorted({file for n in headed for file in wordings[n].files}):
            files += [self.literal(name.encode()), *self._kept([n for n in headed if name in wordings[n].files], anywhere)]
        for name in sorted({program for n in numbers for program in wordings[n].program}):
            programs += [self.literal(name.encode()), *self._kept([n for n in numbers if name in wordings[n].program], [])]
        return self._kept(anywhere, []), files, programs

    def _kept(self, named: list[int], others: list[int]) -> list[int]:
        """Wordings in the order in which they are tried, put into `ends`: place, how many."""
        ordered = sorted(named + others, key=lambda n: (-self.entries[n].weight, n in others, n))
        self.ends += ordered
        return [len(self.ends) - len(ordered), len(ordered)]

    def trie(self) -> None:
        """The nodes: the root first."""
        self.node(b"", 0, sorted(self.leads))

    def node(self, lead: bytes, depth: int, leads: list[bytes]) -> int:
        """The node of a lead, whose label is what follows `depth`, and those below it: of sorted leads that begin with it."""
        number = len(self.nodes) // NODE
        whole, _ = self.literals[2 * self.literal(lead) :][:2]
        # Those of one lead: the most literal bytes first. (Of equals, the reading prefers those that name the file.)
        wordings = sorted(self.leads.get(lead, []), key=lambda n: -self.entries[n].weight) if lead else []
        groups: dict[int, list[bytes]] = {}
        for one in leads:
            if len(one) > len(lead):
                groups.setdefault(one[len(lead)], []).append(one)
        first, last = min(groups, default=0), max(groups, default=-1)
        edge = len(self.edges)
        self.nodes += (whole + depth, len(lead) - depth, whole, len(lead), len(self.ends), len(wordings), edge, first, last)
        self.ends += wordings
        self.edges += [0] * (last + 1 - first)
        for byte, group in groups.items():
            self.edges[edge + byte - first] = self.node(group[0][: _shared(group, len(lead))], len(lead), group)
        return number


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
