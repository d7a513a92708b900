"""body → kind and field spans: the scanner's matcher over the compiled table.

Structured messages by their text, free text by a radix trie over leading literals, the file named last. A hole ends at
the first place where the fixed text behind it stands; nothing is tried twice.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

from kubelog.grammar.compile import OP_BLANKS, OP_END, OP_HOLE, OP_LITERAL, OP_QUOTED, Entry, Table
from kubelog.ingest import ops
from kubelog.ingest.block import HEADER, PLAIN, STRUCTURED, TYPED, UNPARSED, Block
from kubelog.klog import pairs
from kubelog.klog.records import NO_HEADER
from kubelog.klog.values import unquote

# Whether the values of a `line` wording convert: (entry, body, spans) → bool.
Decide = Callable[[Entry, bytes, "array[int]"], bool]


class Matcher:
    """Finds the wording of each record of a Block."""

    def __init__(self, table: Table, decide: Decide) -> None:
        self.table = table
        self.entries = table.entries
        self.decide = decide
        self.spans = array("i")
        self.pairs = array("i")

    def read(self, block: Block) -> None:
        """Fill `kind`, `span_first` and `spans`; settle `verdict`."""
        for row in range(len(block)):
            line = block.first[row]
            verdict = block.verdict[row]
            kind = -1
            del self.spans[:]
            b, p, first_end, e = block.body(row)
            if verdict in (HEADER, STRUCTURED):
                file = block.names.files.values[block.file[line]]
                if verdict == STRUCTURED:
                    verdict, kind = self._structured(b, p, e, file)
                if kind < 0 and verdict == HEADER:
                    kind = self._text(b, p, first_end, e, file, None)
            elif verdict == PLAIN:
                program = block.names.units.values[block.unit[line]]
                kind = self._text(b, p, first_end, e, b"", program)
            elif verdict == UNPARSED and block.reason[row] == NO_HEADER:
                kind = self._line(b, p, e)
            block.verdict[row] = TYPED if kind >= 0 else verdict
            if kind >= 0:
                block.reason[row] = 0
            block.kind.append(kind)
            block.spans.extend(self.spans)
            block.span_first.append(len(block.spans))

    def _structured(self, b: bytes, p: int, e: int, file: bytes) -> tuple[int, int]:
        q = ops.closing_quote(b, p + 1, e)
        if q >= e:
            return HEADER, -1
        del self.pairs[:]
        stop = pairs.read(b, q + 1, e, self.pairs)
        # A message without pairs ends with its line; lines below it may belong to it.
        if stop < e and not self.pairs and b[stop] != 10:
            return HEADER, -1
        candidates = self.table.messages.get(unquote(b[p : q + 1]))
        if not candidates:
            return STRUCTURED, -1
        number = candidates[0]
        for candidate in candidates:
            if file in self.entries[candidate].files:
                number = candidate
                break
        for key in self.entries[number].keys:
            found = -1
            for i in range(0, len(self.pairs), pairs.STEP):
                if b[self.pairs[i] : self.pairs[i + 1]] == key:
                    found = i
            if found < 0:
                self.spans.extend((-1, -1))
            else:
                self.spans.extend((self.pairs[found + 2] - p, self.pairs[found + 3] - p))
        return STRUCTURED, number

    def _text(self, b: bytes, p: int, first_end: int, e: int, file: bytes, program: bytes | None) -> int:
        """The wording of a free text: deeper nodes of the trie have the longer leading literals."""
        table = self.table
        node, q = 0, p
        found: list[int] = []
        while True:
            if table.ends[node]:
                found.append(node)
            child = table.children[node].get(b[q], -1) if q < e else -1
            if child < 0 or not ops.starts(b, table.labels[child], q, e):
                break
            node = child
            q += len(table.labels[child])
        while found:
            for number in self._ordered(table.ends[found.pop()], file):
                entry = self.entries[number]
                if (program is None and entry.program) or (program is not None and program not in entry.program):
                    continue
                if self._pattern(b, p, e if entry.multiline else first_end, entry.program_ops):
                    return number
        del self.spans[:]
        return -1

    def _ordered(self, numbers: list[int], file: bytes) -> list[int]:
        """Wordings of one leading literal: the most literal bytes first, among equals those that name the file."""
        if len(numbers) < 2 or not file:
            return numbers
        return sorted(numbers, key=lambda n: (-self.entries[n].weight, file not in self.entries[n].files, n))

    def _line(self, b: bytes, p: int, e: int) -> int:
        start = ops.blanks(b, p, e)
        for number in self.table.lines:
            entry = self.entries[number]
            if self._pattern(b, start, e, entry.program_ops) and self.decide(entry, b[start:e], self.spans):
                for i in range(len(self.spans)):
                    self.spans[i] += start - p
                return number
        del self.spans[:]
        return -1

    def _pattern(self, b: bytes, start: int, e: int, step: int) -> bool:
        """Read b[start:e] by a pattern; its spans, counted from `start`, are left in `spans`."""
        del self.spans[:]
        codes, p = self.table.ops, start
        while True:
            code = codes[step]
            if code == OP_END:
                return p == e
            if code == OP_QUOTED:
                q = ops.closing_quote(b, p + 1, e) if p < e and b[p] == 34 else e
                if q >= e:
                    return False
                self.spans.extend((p - start, q + 1 - start))
                p = q + 1
                step += 2
            elif code == OP_HOLE:
                step += 2
                q, after = self._hole_end(b, p, e, step)
                if q < 0:
                    return False
                self.spans.extend((p - start, q - start))
                p = after
                while codes[step] in (OP_LITERAL, OP_BLANKS):
                    step += 2
            else:
                p = self._fixed(b, p, e, step)
                if p < 0:
                    return False
                while codes[step] in (OP_LITERAL, OP_BLANKS):
                    step += 2

    def _fixed(self, b: bytes, p: int, e: int, step: int) -> int:
        """The end of the literals and blanks that begin at p, or -1. Where they end the pattern they end the text."""
        codes = self.table.ops
        while codes[step] in (OP_LITERAL, OP_BLANKS):
            if codes[step] == OP_LITERAL:
                literal = self.table.pool[codes[step + 1]]
                if not ops.starts(b, literal, p, e):
                    return -1
                p += len(literal)
            else:
                q = ops.blanks(b, p, e)
                if q - p < codes[step + 1]:
                    return -1
                p = q
            step += 2
        return p if codes[step] != OP_END or p == e else -1

    def _hole_end(self, b: bytes, p: int, e: int, step: int) -> tuple[int, int]:
        """Where a hole that begins at p ends and what is fixed behind it ends; -1 where that does not stand."""
        codes = self.table.ops
        if codes[step] == OP_END:
            return e, e
        if codes[step] == OP_LITERAL:
            literal = self.table.pool[codes[step + 1]]
            if codes[step + 2] == OP_END:
                q = e - len(literal)
                return (q, e) if q >= p and ops.starts(b, literal, q, e) else (-1, -1)
            q = ops.locate(b, literal, p, e)
            while q >= 0:
                after = self._fixed(b, q, e, step)
                if after >= 0:
                    return q, after
                q = ops.locate(b, literal, q + 1, e)
            return -1, -1
        q = ops.word(b, p, e)
        while q < e:
            after = self._fixed(b, q, e, step)
            if after >= 0:
                return q, after
            q = ops.word(b, ops.blanks(b, q, e), e)
        return -1, -1
