"""body → kind and field spans: the scanner's matcher over the compiled table.

Structured messages by the hash of their text, free text by a radix trie over leading literals, the file named last; wordings
that begin with a hole are tried in the files, or of the programs, that they name. A hole ends at the first place where the fixed
text behind it stands; nothing is tried twice.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

from kubelog.grammar.compile import NODE, OP_BLANKS, OP_END, OP_HOLE, OP_LITERAL, OP_QUOTED, WORDING, Program
from kubelog.ingest import ops
from kubelog.ingest.block import HEADER, LOGFMT, NO_HEADER, PLAIN, STRUCTURED, TYPED, UNPARSED, Block, Dictionary
from kubelog.ingest.columns import column, grown, zeros
from kubelog.klog.values import unquote

try:
    import cython
except ImportError:
    from kubelog import uncompiled as cython

# Whether the values of a `line` wording convert: (wording, body, spans) → bool.
Decide = Callable[[int, bytes, list[int]], bool]

# A guess: holes a record, for the room that is made at first.
_USUAL = 3
_FULL = -2


class Messages:
    """The structured messages of a program: a hash table of those without a backslash, for ops.lookup; all by their text."""

    def __init__(self, program: Program) -> None:
        count = len(program.messages)
        self.spans: array[int] = column("i", 2 * count)
        size = 16
        while size < 3 * count:
            size *= 2
        self.slots = zeros("i", size)
        self.numbers: dict[bytes, int] = {}
        pool = program.pool
        for i, literal in enumerate(program.messages):
            p = program.literals[2 * literal]
            e = p + program.literals[2 * literal + 1]
            self.spans[2 * i], self.spans[2 * i + 1] = p, e
            self.numbers[pool[p:e]] = i
            if b"\\" not in pool[p:e]:
                self.slots[-1 - ops.lookup(self.slots, self.spans, pool, pool, p, e)] = i + 1


def _openings(data: bytes, names: Dictionary, known: dict[bytes, tuple[int, int]], else_: tuple[int, int]) -> array[int]:
    """For each name of a Block, what is known of it, flat."""
    return array("i", [number for code in range(names.count) for number in known.get(names.value(data, code), else_)])


class Matcher:
    """Finds the wording of each record of a Block."""

    def __init__(self, program: Program, messages: Messages, decide: Decide, block: Block) -> None:
        self.block, self.decide, self.b, self.data, self.arena = block, decide, block.data, block.data, block.arena
        self.pool, self.literals, self.ops, self.nodes = program.pool, program.literals, program.ops, program.nodes
        self.edges, self.ends, self.wordings, self.names = program.edges, program.ends, program.wordings, program.names
        self.line_wordings, self.message_ends = program.lines, program.message_ends
        self.message_slots, self.message_spans, self.escaped = messages.slots, messages.spans, messages.numbers
        self.rows = block.rows
        self.first, self.process, self.site, self.json = block.first, block.process, block.site, block.json
        self.unit_of, self.file_of = block.unit_of, block.file_of
        self.unit_spans, self.file_spans = block.units.spans, block.files.spans
        self.start, self.first_stop, self.stop, self.joined = block.start, block.first_stop, block.stop, block.joined
        self.verdict, self.reason, self.kind, self.span_first = block.verdict, block.reason, block.kind, block.span_first
        self.message_end, self.pair_first, self.pairs = block.message_end, block.pair_first, block.pairs
        # For each source file, and each program, of the Block: place in `ends` and how many wordings begin with a hole.
        self.anywhere, self.opened = program.openings[0], program.openings[1]
        self.file_openings = _openings(block.data, block.files, program.file_openings, (self.anywhere, self.opened))
        self.unit_openings = _openings(block.data, block.units, program.program_openings, (0, 0))
        # The node at which the last message of a call site ended: it mostly says one thing.
        self.hint = zeros("i", block.sites.count + 1)
        self.deepest = column("i", len(program.nodes) // NODE)
        self.count = self.at = 0

    def read(self) -> None:
        """Fill `kind`, `span_first` and `spans`; settle `verdict` and `reason`."""
        block = self.block
        block.spans = column("i", 2 * (_USUAL * self.rows + 16))
        row = 0
        while True:
            self.spans: array[int] = block.spans
            with cython.nogil:
                row = self._read(row)
            if row >= self.rows:
                break
            block.spans = grown("i", block.spans, 4 * len(block.spans))

    def _read(self, row: int) -> int:
        """Go on until the rows or the room for spans end; where it stopped."""
        while row < self.rows:
            self.span_first[row] = self.count
            if self.joined[row]:
                self.b = self.arena
            kind = self._kind(row, self.start[row], self.first_stop[row], self.stop[row])
            if self.joined[row]:
                self.b = self.data
            if kind == _FULL:
                self.count = self.span_first[row]
                return row
            self.kind[row] = kind
            if kind >= 0:
                self.verdict[row] = TYPED
                self.reason[row] = 0
            row += 1
        self.span_first[row] = self.count
        return row

    def _kind(self, row: int, p: int, first_end: int, e: int) -> int:
        """The wording of the body self.b[p:e]; -1, or _FULL."""
        verdict = self.verdict[row]
        if (verdict == STRUCTURED or verdict == HEADER) and self.json[self.first[row]] >= LOGFMT:
            # Another program's message and pairs, as `"message" key=value`.
            self.verdict[row] = verdict = PLAIN
        if verdict == STRUCTURED:
            return self._structured(row, p, first_end, e)
        if verdict == HEADER:
            if self.json[self.first[row]]:
                # A message without pairs does not tell which style it is of.
                kind = self._message(row, p, p, e, False)
                if kind >= 0:
                    return kind if self._fields(row, p, self.names_at(kind, 7), self.names_at(kind, 8)) else _FULL
            return self._text(row, p, first_end, e, False)
        if verdict == PLAIN:
            return self._text(row, p, first_end, e, True)
        if verdict == UNPARSED and self.reason[row] == NO_HEADER:
            return self._line(p, e)
        return -1

    def _structured(self, row: int, p: int, first_end: int, e: int) -> int:
        number = self._message(row, p, p + 1, p + self.message_end[row] - 1, True)
        if number < 0:
            # Its message may vary: texts that begin with the quote read the body as it stands.
            return self._below(row, p, first_end, e, False, 0)
        return number if self._fields(row, p, self.names_at(number, 7), self.names_at(number, 8)) else _FULL

    def _message(self, row: int, start: int, p: int, e: int, quoted: bool) -> int:
        """The wording with pairs of the body at `start` whose message is self.b[p:e], quoted or not; -1.

        klog 2.50 to 2.100 write a logger's name in front: `name/name: message`.
        """
        message = self._literal(p, e, quoted)
        if message < 0:
            q = ops.find(self.b, 58, p, e)
            if q == p or q + 1 >= e or self.b[q + 1] != 32 or ops.plain_end(self.b, p, q) < q:
                return -1
            message = self._literal(q + 2, e, quoted)
            if message < 0:
                return -1
        i = self.message_ends[2 * message]
        stop = i + self.message_ends[2 * message + 1]
        if stop - i == 1 and self.names_at(self.ends[i], 10) == 0 and self.names_at(self.ends[i], 11) == 0:
            return self.ends[i]
        found = -1
        while i < stop:
            number = self.ends[i]
            if found >= 0 and self.names_at(number, 2) < self.names_at(found, 2):
                break
            if self._holds(row, start, number):
                if self._named(row, number, False):
                    return number
                if found < 0 and not self._elsewhere(row, number):
                    found = number
            i += 1
        return found

    def _holds(self, row: int, start: int, number: int) -> bool:
        """Whether the pairs of the body at `start` hold what a wording wants in them."""
        i = self.names_at(number, 9)
        stop = i + self.names_at(number, 10)
        while i < stop:
            key, text = 2 * self.names[i], 2 * self.names[i + 1]
            size = self.literals[key + 1]
            # The last pair of a key counts.
            first = 4 * self.pair_first[row]
            pair = 4 * self.pair_first[row + 1] - 4
            while pair >= first:
                k = start + self.pairs[pair]
                if self.pairs[pair + 1] - self.pairs[pair] == size and ops.starts(
                    self.b, k, k + size, self.pool, self.literals[key], size
                ):
                    break
                pair -= 4
            if pair < first:
                return False
            v, v_end = start + self.pairs[pair + 2], start + self.pairs[pair + 3]
            if ops.locate(self.b, v, v_end, self.pool, self.literals[text], self.literals[text + 1]) < 0:
                return False
            i += 2
        return True

    def names_at(self, number: int, column: int) -> int:
        return self.wordings[WORDING * number + column]

    def _fields(self, row: int, p: int, first: int, n: int) -> bool:
        """The values of the n keys named from `first` on, as spans: the last pair of a key counts. False: no room."""
        at = 2 * self.count
        if at + 2 * n > len(self.spans):
            return False
        self.count += n
        i = at
        while i < at + 2 * n:
            self.spans[i] = -1
            i += 1
        expected = 0  # keys mostly come in their order
        pair = 4 * self.pair_first[row]
        stop = 4 * self.pair_first[row + 1]
        while pair < stop:
            k = self.pairs[pair]
            size = self.pairs[pair + 1] - k
            tried = 0
            while tried < n:
                literal = 2 * self.names[first + expected]
                i = at + 2 * expected
                expected += 1
                if expected == n:
                    expected = 0
                if self.literals[literal + 1] == size and ops.starts(
                    self.b, p + k, p + k + size, self.pool, self.literals[literal], size
                ):
                    self.spans[i] = self.pairs[pair + 2]
                    self.spans[i + 1] = self.pairs[pair + 3]
                    break
                tried += 1
            pair += 4
        return True

    def _literal(self, p: int, e: int, quoted: bool) -> int:
        """The number of a message, or -1."""
        number = ops.lookup(self.message_slots, self.message_spans, self.pool, self.b, p, e)
        if number < 0:
            return -1 if ops.find(self.b, 92, p, e) == e else self._escaped(p, e, quoted)
        return number

    def _escaped(self, p: int, e: int, quoted: bool) -> int:
        """The number of a message that holds backslashes, or -1."""
        text = bytes(self.b[p:e])
        number: int = self.escaped.get(unquote(b'"' + text + b'"') if quoted else text, -1)
        return number

    def _named(self, row: int, number: int, program: bool) -> bool:
        """Whether a wording names the program, or the source file, of a row."""
        i = self.names_at(number, 3 if program else 5)
        stop = i + self.names_at(number, 4 if program else 6)
        if i == stop:
            return False
        line = self.first[row]
        if program:
            unit = self.process[line]
            if unit >= 0:
                unit = self.unit_of[unit]
            if unit < 0:
                return False
            p, e = self.unit_spans[2 * unit], self.unit_spans[2 * unit + 1]
        else:
            if self.site[line] < 0:
                return False
            file = self.file_of[self.site[line]]
            p, e = self.file_spans[2 * file], self.file_spans[2 * file + 1]
        while i < stop:
            n = self.literals[2 * self.names[i] + 1]
            if n == e - p and ops.starts(self.data, p, e, self.pool, self.literals[2 * self.names[i]], n):
                return True
            i += 1
        return False

    def _elsewhere(self, row: int, number: int) -> bool:
        """Whether a row names a source file in which a wording that says little is not said."""
        return self.names_at(number, 11) != 0 and self.site[self.first[row]] >= 0 and not self._named(row, number, False)

    def _text(self, row: int, p: int, first_end: int, e: int, plain: bool) -> int:
        """The wording of a free text: deeper nodes of the trie have the longer leading literals.

        First below the node where the call site's last message ended: what matches there has the longest leads of all.
        """
        site = self.site[self.first[row]] + 1
        node = self.hint[site]
        if node > 0 and ops.starts(self.b, p, e, self.pool, self.nodes[NODE * node + 2], self.nodes[NODE * node + 3]):
            kind = self._below(row, p, first_end, e, plain, node)
            if kind != -1:
                return kind
        kind = self._below(row, p, first_end, e, plain, 0)
        return self._opening(row, p, first_end, e, plain) if kind == -1 else kind

    def _below(self, row: int, p: int, first_end: int, e: int, plain: bool, node: int) -> int:
        """The wording of a text that begins with a node's lead, at that node or below; -1, or _FULL."""
        q = p + self.nodes[NODE * node + 3]
        found = 0
        while True:
            k = NODE * node
            if self.nodes[k + 5] > 0:
                self.deepest[found] = node
                found += 1
            if q >= e or self.b[q] < self.nodes[k + 7] or self.b[q] > self.nodes[k + 8]:
                break
            node = self.edges[self.nodes[k + 6] + self.b[q] - self.nodes[k + 7]]
            if node == 0 or not ops.starts(self.b, q, e, self.pool, self.nodes[NODE * node], self.nodes[NODE * node + 1]):
                break
            q += self.nodes[NODE * node + 1]
        while found > 0:
            found -= 1
            node = self.deepest[found]
            kind = self._at(row, p, first_end, e, plain, node)
            if kind != -1:
                if kind >= 0:
                    self.hint[self.site[self.first[row]] + 1] = node
                return kind
        return -1

    def _at(self, row: int, p: int, first_end: int, e: int, plain: bool, node: int) -> int:
        """The wording of a text among those of a node: of equal weight, those that name the file first; -1, or _FULL."""
        i = self.nodes[NODE * node + 4]
        end = i + self.nodes[NODE * node + 5]
        lead = self.nodes[NODE * node + 3]
        while i < end:
            stop = i + 1
            while stop < end and self.wordings[WORDING * self.ends[stop] + 2] == self.wordings[WORDING * self.ends[i] + 2]:
                stop += 1
            several = stop - i > 1 and not plain
            turn = 0
            while turn < (2 if several else 1):
                k = i
                while k < stop:
                    number = self.ends[k]
                    k += 1
                    if several and self._named(row, number, False) != (turn == 0):
                        continue
                    if plain:
                        if not self._named(row, number, True):
                            continue
                    elif self.names_at(number, 4) > 0 or self._elsewhere(row, number):
                        continue
                    stands = self._pattern(p, e if self.names_at(number, 1) else first_end, self.names_at(number, 0), lead)
                    if stands == _FULL:
                        return _FULL
                    if stands:
                        return number
                turn += 1
            i = stop
        return -1

    def _opening(self, row: int, p: int, first_end: int, e: int, plain: bool) -> int:
        """The wording of a text among those that begin with a hole; -1, or _FULL."""
        line = self.first[row]
        i, n = self.anywhere, self.opened
        if plain:
            unit = self.process[line]
            if unit >= 0:
                unit = self.unit_of[unit]
            n = 0
            if unit >= 0:
                i, n = self.unit_openings[2 * unit], self.unit_openings[2 * unit + 1]
        elif self.site[line] >= 0:
            file = self.file_of[self.site[line]]
            i, n = self.file_openings[2 * file], self.file_openings[2 * file + 1]
        stop = i + n
        while i < stop:
            number = self.ends[i]
            stands = self._pattern(p, e if self.names_at(number, 1) else first_end, self.names_at(number, 0), 0)
            if stands == _FULL:
                return _FULL
            if stands:
                return number
            i += 1
        return -1

    def _line(self, p: int, e: int) -> int:
        """The `line` wording of a line, the first whose values convert; -1, or _FULL."""
        start = ops.blanks(self.b, p, e)
        first = self.count
        i = 0
        while i < len(self.line_wordings):
            number = self.line_wordings[i]
            i += 1
            stands = self._pattern(start, e, self.names_at(number, 0), 0)
            if stands == _FULL:
                return _FULL
            if stands and self._decide(start, e, number, first):
                k = 2 * first
                while k < 2 * self.count:
                    self.spans[k] += start - p
                    k += 1
                return number
            self.count = first
        return -1

    def _decide(self, p: int, e: int, number: int, first: int) -> bool:
        return self.decide(number, bytes(self.b[p:e]), [self.spans[i] for i in range(2 * first, 2 * self.count)])

    def _push(self, p: int, e: int) -> int:
        if 2 * self.count + 2 > len(self.spans):
            return _FULL
        self.spans[2 * self.count] = p
        self.spans[2 * self.count + 1] = e
        self.count += 1
        return 1

    def _pattern(self, start: int, e: int, step: int, lead: int) -> int:
        """Read self.b[start:e] by a pattern whose first `lead` bytes are known to stand: 1, 0 or _FULL.

        Its spans, counted from `start`, are left in `spans`.
        """
        first = self.count
        p = start
        if lead > 0:
            p += lead
            step += 2
            if p > e:
                return 0
        while True:
            code = self.ops[step]
            if code == OP_END:
                if p == e:
                    return 1
                break
            if code == OP_QUOTED:
                q = ops.closing_quote(self.b, p + 1, e) if p < e and self.b[p] == 34 else e
                if q >= e:
                    break
                if self._push(p - start, q + 1 - start) == _FULL:
                    return _FULL
                p = q + 1
                step += 2
                continue
            if code == OP_HOLE:
                step += 2
                q = self._hole_end(p, e, step)
                if q < 0:
                    break
                if self._push(p - start, q - start) == _FULL:
                    return _FULL
                p = self.at
            else:
                p = self._fixed(p, e, step)
                if p < 0:
                    break
            while self.ops[step] == OP_LITERAL or self.ops[step] == OP_BLANKS:
                step += 2
        self.count = first
        return 0

    def _fixed(self, p: int, e: int, step: int) -> int:
        """The end of the literals and blanks that begin at p, or -1. Where they end the pattern they end the text."""
        while True:
            code = self.ops[step]
            if code == OP_LITERAL:
                n = self.literals[2 * self.ops[step + 1] + 1]
                if not ops.starts(self.b, p, e, self.pool, self.literals[2 * self.ops[step + 1]], n):
                    return -1
                p += n
            elif code == OP_BLANKS:
                q = ops.blanks(self.b, p, e)
                if q - p < self.ops[step + 1]:
                    return -1
                p = q
            else:
                return p if code != OP_END or p == e else -1
            step += 2

    def _hole_end(self, p: int, e: int, step: int) -> int:
        """Where a hole that begins at p ends, what is fixed behind it ends `at`; -1 where that does not stand."""
        code = self.ops[step]
        if code == OP_END:
            self.at = e
            return e
        if code == OP_LITERAL:
            literal, n = self.literals[2 * self.ops[step + 1]], self.literals[2 * self.ops[step + 1] + 1]
            if self.ops[step + 2] == OP_END:
                self.at = e
                q = e - n
                return q if q >= p and ops.starts(self.b, q, e, self.pool, literal, n) else -1
            alone = self.ops[step + 2] == OP_HOLE or self.ops[step + 2] == OP_QUOTED
            q = ops.locate(self.b, p, e, self.pool, literal, n)
            while q >= 0:
                self.at = q + n if alone else self._fixed(q, e, step)
                if self.at >= 0:
                    return q
                q = ops.locate(self.b, q + 1, e, self.pool, literal, n)
            return -1
        q = ops.word(self.b, p, e)
        while q < e:
            self.at = self._fixed(q, e, step)
            if self.at >= 0:
                return q
            q = ops.word(self.b, ops.blanks(self.b, q, e), e)
        return -1
