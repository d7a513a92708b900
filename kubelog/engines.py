"""Block → Block: who reads it, the scanner or the reference. Both fill the same columns and agree on every input."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from kubelog.errors import UsageError
from kubelog.grammar.compile import Table, compile_grammar, read_table
from kubelog.ingest.block import BARE, HEADER, MAX_LINE, NONE, PLAIN, SEVERITIES, STRUCTURED, TYPED, UNPARSED, Block
from kubelog.ingest.clock import DAY, DAYS_BEFORE
from kubelog.ingest.envelope import MAX_INDENT, EnvelopeReader
from kubelog.ingest.lines import split
from kubelog.klog.header import MAX_PREFIX, HeaderReader
from kubelog.klog.records import NO_HEADER, Joiner, RecordReader
from kubelog.klog.values import unquote
from kubelog.message.decoder import Decoder
from kubelog.message.matcher import Matcher
from kubelog.message.vocabulary import vocabulary


class Engine(Protocol):
    """Reads Blocks with one grammar."""

    table: Table
    decoder: Decoder

    def lines(self, block: Block) -> None:
        """Fill the columns of ingest and klog that have a value a line, for the lines that were added to the Block."""

    def records(self, block: Block, final: bool) -> int:
        """Join lines into records; how many lines are settled."""

    def joiner(self, block: Block) -> Joiner:
        """What joins the lines of a Block that grows."""

    def messages(self, block: Block) -> None:
        """Fill the columns of message."""


class Scanner:
    """The engine that runs the compiled table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.decoder = Decoder(table)
        self._envelopes, self._headers, self._records = EnvelopeReader(table), HeaderReader(table), RecordReader(table)
        self._matcher = Matcher(table, self.decoder.decide)

    def lines(self, block: Block) -> None:
        split(block)
        self._envelopes.read(block)
        self._headers.read(block)

    def records(self, block: Block, final: bool) -> int:
        return self._records.read(block, final)

    def joiner(self, block: Block) -> Joiner:
        return self._records.joiner(block)

    def messages(self, block: Block) -> None:
        self._matcher.read(block)


class ReferenceEngine:
    """The engine that runs pyparsing: slow, the definition."""

    def __init__(self, grammar_paths: Iterable[Path] = ()) -> None:
        from kubelog.grammar import catalog
        from kubelog.grammar.reference import Reference

        grammar = catalog.load([catalog.shipped(), *grammar_paths], vocabulary())
        self.reference = Reference(grammar)
        self.table = compile_grammar(grammar)
        self.decoder = Decoder(self.table)
        self._records = RecordReader(self.table)

    def lines(self, block: Block) -> None:
        split(block)
        for line in range(len(block.envelope), len(block.at)):
            raw = block.data[block.at[line] : block.end[line]]
            self._line(block, block.at[line], raw if len(raw) <= MAX_LINE else b"")

    def _line(self, block: Block, at: int, raw: bytes) -> None:
        names, text = block.names, raw.decode("latin-1")
        indent = len(text) - len(text.lstrip(" \t"))
        found = self.reference.envelope(text[indent:]) if indent <= MAX_INDENT and indent < len(text) else None
        number, spans = found or (BARE, {})

        def hole(name: str) -> str | None:
            return text[indent + spans[name][0] : indent + spans[name][1]] if name in spans else None

        body = indent + spans["body"][0] if found else 0
        if found and body < len(text):
            body += 1
        month, day, clock = hole("month"), hole("day"), hole("clock")
        node, unit, pid = hole("node"), hole("unit"), hole("pid")
        block.envelope.append(number)
        block.text_at.append(at + body)
        block.month.append(names.months.code(month.encode("latin-1")) if month else -1)
        block.stamp.append((int(day) - 1) * DAY + _clock(clock) if day and clock else NONE)
        block.node.append(names.nodes.code(node.encode("latin-1")) if node else -1)
        block.unit.append(names.units.code(unit.encode("latin-1")) if unit else -1)
        block.pid.append(int(pid) if pid else NONE)
        self._header(block, at + body, text[body:], number == BARE)

    def _header(self, block: Block, at: int, text: str, bare: bool) -> None:
        start, spans = 0, self.reference.header(text)
        if spans is None and bare:
            for place in range(1, min(len(text), MAX_PREFIX + 1)):
                if text[place - 1] in '"{=':
                    break
                if text[place - 1] in " \t" and text[place] in SEVERITIES:
                    spans = self.reference.header_only(text[place:])
                    if spans is not None:
                        start = place
                        break
        if spans is None:
            block.head.append(-1)
            block.moment.append(NONE)
            block.thread.append(NONE)
            block.file.append(-1)
            block.source_line.append(-1)
            block.body_at.append(at)
            return
        part = {name: text[start + a : start + b] for name, (a, b) in spans.items()}
        month, day = int(part["date"][:2]), int(part["date"][2:])
        block.head.append(SEVERITIES.index(part["severity"]))
        block.moment.append((DAYS_BEFORE[month - 1] + day - 1) * DAY + _clock(part["clock"]))
        block.thread.append(int(part["thread"]))
        block.file.append(block.names.files.code(part["source_file"].encode("latin-1")))
        block.source_line.append(int(part["source_line"]))
        body = start + spans["body"][0]
        block.body_at.append(at + body + (1 if body < len(text) else 0))

    def records(self, block: Block, final: bool) -> int:
        return self._records.read(block, final)

    def joiner(self, block: Block) -> Joiner:
        return self._records.joiner(block)

    def messages(self, block: Block) -> None:
        for row in range(len(block)):
            kind, spans = -1, array("i")
            verdict, line = block.verdict[row], block.first[row]
            b, p, first_end, e = block.body(row)
            whole, first = b[p:e].decode("latin-1"), b[p:first_end].decode("latin-1")
            if verdict in (HEADER, STRUCTURED):
                file = block.names.files.values[block.file[line]].decode("latin-1")
                if verdict == STRUCTURED:
                    verdict, kind, spans = self._structured(whole, file)
                if kind < 0 and verdict == HEADER:
                    kind, spans = self._best("text", first, whole, file, None)
            elif verdict == PLAIN:
                program = block.names.units.values[block.unit[line]].decode("latin-1")
                kind, spans = self._best("text", first, whole, "", program)
            elif verdict == UNPARSED and block.reason[row] == NO_HEADER:
                kind, spans = self._listing(whole)
            block.verdict[row] = TYPED if kind >= 0 else verdict
            if kind >= 0:
                block.reason[row] = 0
            block.kind.append(kind)
            block.spans.extend(spans)
            block.span_first.append(len(block.spans))

    def _structured(self, body: str, file: str) -> tuple[int, int, array[int]]:
        quoted = self.reference.structured(body)
        if quoted is None:
            return HEADER, -1, array("i")
        message, end = quoted
        pairs, stop = self.reference.pairs(body[end:])
        if end + stop < len(body) and not pairs and body[end + stop] != "\n":
            return HEADER, -1, array("i")
        wanted = unquote(message.encode("latin-1"))
        same = [n for n in self.reference.order("pairs", file) if self.reference.grammar.wordings[n].message == wanted]
        if not same:
            return STRUCTURED, -1, array("i")
        named = [n for n in same if file in self.reference.grammar.wordings[n].files]
        number = (named or same)[0]
        spans = array("i")
        for key in self.reference.grammar.wordings[number].fields.values():
            found = (-1, -1)
            for k, k_end, v, v_end in pairs:
                if body[end + k : end + k_end] == key.encode().decode("latin-1"):
                    found = end + v, end + v_end
            spans.extend(found)
        return STRUCTURED, number, spans

    def _best(self, style: str, first: str, whole: str, file: str, program: str | None) -> tuple[int, array[int]]:
        for number, spans in self.reference.message(style, first, whole, file, program):
            return number, array("i", [place for span in spans for place in span])
        return -1, array("i")

    def _listing(self, whole: str) -> tuple[int, array[int]]:
        text = whole.lstrip(" \t")
        start = len(whole) - len(text)
        for number, spans in self.reference.message("line", text, text, "", None):
            flat = array("i", [place for span in spans for place in span])
            if self.decoder.decide(self.table.entries[number], text.encode("latin-1"), flat):
                return number, array("i", [start + place for place in flat])
        return -1, array("i")


def _clock(text: str) -> int:
    """hh:mm:ss and a fraction as µs."""
    hours, minutes, rest = text.split(":")
    seconds, _, fraction = rest.partition(".")
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1_000_000 + int((fraction + "000000")[:6])


def engine(name: str = "scanner", grammar: Iterable[Path] = ()) -> Engine:
    """The engine of that name, over the shipped grammars and those given."""
    paths = list(grammar)
    if name == "scanner":
        return Scanner(read_table(paths, vocabulary() if paths else None))
    if name == "reference":
        return ReferenceEngine(paths)
    raise UsageError(f"expected the engine 'scanner' or 'reference', found {name!r}")
