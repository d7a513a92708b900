"""Block → Block: who reads it, the scanner or the reference. Both fill the same columns and agree on every input."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from kubelog.errors import UsageError
from kubelog.grammar.compile import Program, Table, compile_grammar, read_table
from kubelog.ingest import ops
from kubelog.ingest.block import (
    BARE,
    CRI,
    DATED,
    HEADER,
    IDENTIFIER,
    LEAST_MS,
    LOGFMT,
    MAX_INDENT,
    MAX_LINE,
    MAX_PREFIX,
    MONOTONIC,
    MOST_MS,
    NO_HEADER,
    NO_ZONE,
    NONE,
    PLAIN,
    SEVERITIES,
    SHORT,
    STRUCTURED,
    SYSLOG,
    TYPED,
    UNPARSED,
    WITH_YEAR,
    Block,
)  # fmt: skip
from kubelog.ingest.calendar import DAY, DAYS_BEFORE
from kubelog.klog.header import LEVELS
from kubelog.klog.values import unquote
from kubelog.message.decoder import Decoder
from kubelog.message.matcher import Messages
from kubelog.message.vocabulary import vocabulary
from kubelog.native import Leaves

Spans = dict[str, tuple[int, int]]


class Engine(Protocol):
    """Reads Blocks with one grammar."""

    table: Table
    decoder: Decoder
    leaves: Any

    def lines(self, block: Block) -> None:
        """Fill the columns of ingest and klog that have a value a line, for the lines that were added to the Block."""

    def joiner(self, block: Block) -> Any:
        """What joins the lines of a Block, which may grow, into records."""

    def messages(self, block: Block) -> None:
        """Fill the columns of pairs and of message."""


class Scanner:
    """The engine that runs the compiled table."""

    def __init__(self, table: Table, leaves: Any = None) -> None:
        self.table = table
        self.decoder = Decoder(table)
        self.leaves = leaves or Leaves()
        self.program = Program(table)
        self.messages_by_text = Messages(self.program)

    def lines(self, block: Block) -> None:
        first = block.lines
        self.leaves.LineReader(block).read()
        self.leaves.EnvelopeReader(self.program, block).read(first)
        self.leaves.HeaderReader(self.program, block).read(first)

    def joiner(self, block: Block) -> Any:
        return self.leaves.Joiner(self.program, block)

    def messages(self, block: Block) -> None:
        self.leaves.PairReader(block).read()
        self.leaves.Matcher(self.program, self.messages_by_text, self.decoder.decide, block).read()


class ReferenceEngine:
    """The engine that runs pyparsing: slow, the definition."""

    def __init__(self, grammar_paths: Iterable[Path] = (), home: Iterable[Path] | None = None) -> None:
        """`home` are the grammars in the place of the shipped ones."""
        from kubelog.grammar import catalog
        from kubelog.grammar.reference import Reference

        grammar = catalog.load([*([catalog.shipped()] if home is None else home), *grammar_paths], vocabulary())
        self.reference = Reference(grammar)
        self.table = compile_grammar(grammar)
        self.decoder = Decoder(self.table)
        self.leaves = Leaves()
        self.program = Program(self.table)

    def lines(self, block: Block) -> None:
        first = block.lines
        self.leaves.LineReader(block).read()
        for line in range(first, block.lines):
            raw = block.data[block.at[line] : block.end[line]]
            self._line(block, line, block.at[line], raw if len(raw) <= MAX_LINE else b"")

    def _line(self, block: Block, line: int, at: int, raw: bytes) -> None:
        text = raw.decode("latin-1")
        indent = len(text) - len(text.lstrip(" \t"))
        found = self.reference.envelope(text[indent:]) if indent <= MAX_INDENT and indent < len(text) else None
        number, spans = found or (BARE, {})

        def hole(name: str) -> str | None:
            return text[indent + spans[name][0] : indent + spans[name][1]] if name in spans else None

        body = indent + spans["body"][0] if found else 0
        block.json[line], block.utc[line] = 0, NONE
        if found and body < len(text):
            body += 1
            if number == SYSLOG and text.startswith("\xef\xbb\xbf", body):
                body += 3
            elif number == SYSLOG and re.match(r" (?:[^ >][\s\S]| >)", text[body:]):
                # rsyslog keeps the blank behind `kubelet[1]:`; klog itself has one before what ends a value of several lines.
                body += 1
        day, clock, instant = hole("day"), hole("clock"), hole("instant")
        block.envelope[line] = number
        block.text_at[line] = at + body
        block.odd[line] = indent <= MAX_INDENT and self._odd(number, spans, text[indent:])
        block.month[line] = self._code(block, "months", at + indent, spans.get("month"))
        block.stamp[line] = (int(day) - 1) * DAY + _clock(clock) if day and clock else NONE
        if instant not in (None, "-"):
            block.month[line] = WITH_YEAR
            block.stamp[line], block.ahead[line] = _instant(instant)
        block.process[line] = -1 if found is None else self._process(block, at + indent, number, spans)
        self._header(block, line, at + body, text[body:], number == BARE)

    def _odd(self, number: int, spans: Spans, text: str) -> bool:
        """Whether a line is to be written anew before it is read, as far as its envelope tells."""
        if number == CRI:
            return text[slice(*spans["tag"])] == "P"
        if number != BARE:
            return False
        if re.match(self.reference.weekday + r"\[s=", text):
            return True  # journalctl -o verbose: the fields follow
        return not text.startswith(self.reference.heads) and re.match(_PASTED, text) is not None

    def _code(self, block: Block, names: str, at: int, span: tuple[int, int] | None) -> int:
        return -1 if span is None else getattr(block, names).code(block.data, at + span[0], at + span[1])

    def _process(self, block: Block, at: int, number: int, spans: Spans) -> int:
        """The code of node, unit, pid and pod together."""
        named = [spans[name] for name in ("node", "pod", "unit", "pid") if name in spans]
        first, last = min((span[0] for span in named), default=0), max((span[1] for span in named), default=0)
        if number == CRI:
            first, last = spans["stream"][0], spans["stream"][1] + 1
        elif number in (SHORT, DATED, MONOTONIC, IDENTIFIER):
            last += 1  # the bracket behind the number, else the colon, is its own
        code = block.processes.code(block.data, at + first, at + last)
        said = {name: span for name, span in spans.items() if number != SYSLOG or block.data[at + span[0] : at + span[1]] != b"-"}
        unit = said.get("unit")
        if unit and unit[1] - unit[0] > 8 and block.data.endswith(b".service", at + unit[0], at + unit[1]):
            said["unit"] = unit[0], unit[1] - 8
        node, unit_code, pod = (self._code(block, names, at, said.get(names[:-1])) for names in ("nodes", "units", "pods"))
        block.room_for_names()
        pid = b"" if "pid" not in said else block.data[at + said["pid"][0] : at + said["pid"][1]]
        block.node_of[code], block.unit_of[code], block.pod_of[code] = node, unit_code, pod
        block.pid_of[code] = int(pid) if re.fullmatch(rb"[0-9]{1,18}", pid) else NONE
        return code

    def _object(self, block: Block, line: int, at: int, text: str) -> bool:
        """Read the header of klog's JSON; whether the line is such an object."""
        read = _read_object(text)
        if read is None:
            return False
        us, severity, caller = read
        block.head[line], block.moment[line], block.thread[line], block.site[line] = SEVERITIES.index(severity), NONE, NONE, -1
        block.body_at[line], block.json[line], block.utc[line] = at, 1, us
        if caller is not None:
            self._site(block, line, at + caller[0], at + caller[1], text[slice(*caller)])
        return True

    def _site(self, block: Block, line: int, p: int, e: int, text: str) -> None:
        """The code of `file:line`."""
        size = text.rindex(":")
        site = block.site[line] = block.sites.code(block.data, p, e)
        file = block.files.code(block.data, p, p + size)
        block.room_for_names()
        block.file_of[site], block.line_of[site] = file, int(text[size + 1 :])

    def _header(self, block: Block, line: int, at: int, text: str, bare: bool) -> None:
        if text.startswith('{"ts":') and self._object(block, line, at, text):
            return
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
            severity = _read_logfmt(text)
            if severity >= 0:
                block.json[line] = LOGFMT + severity
            elif text and (text[0] in "{\x1b" or _ESCAPED.search(text) or re.match(r"[IWEF][0-9]{4}", text) or _FUSED.search(text)):
                block.odd[line] = 1
            if text and bare and line and block.head[line - 1] >= 0 and self._is_open(block, line - 1):
                block.odd[line - 1] = 1
            block.head[line] = block.site[line] = -1
            block.moment[line] = block.thread[line] = NONE
            block.body_at[line] = at
            return
        part = {name: text[start + a : start + b] for name, (a, b) in spans.items()}
        month, day = int(part["date"][:2]), int(part["date"][2:])
        block.head[line] = SEVERITIES.index(part["severity"])
        block.moment[line] = (DAYS_BEFORE[month - 1] + day - 1) * DAY + _clock(part["clock"])
        block.thread[line] = int(part["thread"])
        file_at, number_end = start + spans["source_file"][0], start + spans["source_line"][1]
        self._site(block, line, at + file_at, at + number_end, text[file_at:number_end])
        body = start + spans["body"][0]
        body += 1 if body < len(text) else 0
        block.body_at[line] = at + body
        if _FUSED.search(text, body) or _ESCAPED.search(text, body):
            block.odd[line] = 1

    def _is_open(self, block: Block, line: int) -> bool:
        """Whether a structured line ends inside a quoted text."""
        text = block.data[block.body_at[line] : block.end[line]]
        return text.startswith(b'"') and re.fullmatch(rb'(?:"(?:[^"\\]|\\[\s\S])*"[^"]*)*', text) is None

    def joiner(self, block: Block) -> Any:
        return self.leaves.Joiner(self.program, block)

    def messages(self, block: Block) -> None:
        spans, pairs = array("i"), array("i")
        for row in range(len(block)):
            block.span_first[row], block.pair_first[row] = len(spans) // 2, len(pairs) // 4
            kind, found, end = -1, array("i"), -1
            verdict, line = block.verdict[row], block.first[row]
            b, p, first_end, e = block.body(row)
            whole, first = b[p:e].decode("latin-1"), b[p:first_end].decode("latin-1")
            if verdict in (HEADER, STRUCTURED) and block.json[line] >= LOGFMT:
                # Another program's message and pairs, as `"message" key=value`.
                end = self._message_end(whole) if self._structured(whole, "", pairs)[0] == STRUCTURED else -1
                verdict = PLAIN
            if verdict in (HEADER, STRUCTURED):
                site = block.site[line]
                file = "" if site < 0 else block.files.value(block.data, block.file_of[site]).decode("latin-1")
                if verdict == STRUCTURED:
                    verdict, kind, found = self._structured(whole, file, pairs)
                if verdict == STRUCTURED:
                    end = self._message_end(whole)
                    if kind < 0:
                        # Its message may vary: texts that begin with the quote read the body as it stands.
                        kind, found = self._best("text", first, whole, file, None, quoted=True)
                else:
                    # A JSON message without pairs does not tell which style it is of.
                    kind, found = self._unpaired(whole, file) if block.json[line] else (-1, found)
                    if kind < 0:
                        kind, found = self._best("text", first, whole, file, None)
            elif verdict == PLAIN:
                unit = -1 if block.process[line] < 0 else block.unit_of[block.process[line]]
                program = "" if unit < 0 else block.units.value(block.data, unit).decode("latin-1")
                kind, found = self._best("text", first, whole, "", program)
            elif verdict == UNPARSED and block.reason[row] == NO_HEADER:
                kind, found = self._listing(whole)
            block.verdict[row] = TYPED if kind >= 0 else verdict
            if kind >= 0:
                block.reason[row] = 0
            block.kind[row], block.message_end[row] = kind, end
            spans.extend(found)
        block.span_first[len(block)], block.pair_first[len(block)] = len(spans) // 2, len(pairs) // 4
        block.spans, block.pairs = spans, pairs

    def _message_end(self, body: str) -> int:
        quoted = self.reference.structured(body)
        assert quoted is not None
        return quoted[1]

    def _structured(self, body: str, file: str, out: array[int]) -> tuple[int, int, array[int]]:
        quoted = self.reference.structured(body)
        if quoted is None:
            return HEADER, -1, array("i")
        message, end = quoted
        pairs, stop = self.reference.pairs(body[end:])
        if end + stop < len(body) and not pairs and body[end + stop] != "\n":
            return HEADER, -1, array("i")
        for pair in pairs:
            out.extend(end + place for place in pair)
        values = {body[end + k : end + k_end]: body[end + v : end + v_end] for k, k_end, v, v_end in pairs}
        number = self._message(message[1:-1], file, True, values)
        if number < 0:
            return STRUCTURED, -1, array("i")
        spans = array("i")
        for key in self.reference.grammar.wordings[number].fields.values():
            found = (-1, -1)
            for k, k_end, v, v_end in pairs:
                if body[end + k : end + k_end] == key.encode().decode("latin-1"):
                    found = end + v, end + v_end
            spans.extend(found)
        return STRUCTURED, number, spans

    def _unpaired(self, message: str, file: str) -> tuple[int, array[int]]:
        """The wording with pairs that says this, none of which the line gives."""
        number = self._message(message, file, False, {})
        return number, array("i", [-1, -1] * (len(self.reference.grammar.wordings[number].fields) if number >= 0 else 0))

    def _message(self, message: str, file: str, quoted: bool, values: dict[str, str]) -> int:
        """The wording with pairs of a message, with or without a logger's name in front (`name/name: message`); -1.

        `values` are those of the pairs, the last of each key.
        """
        wordings, named = self.reference.grammar.wordings, re.match(r"[^ \t\n:]+: ", message)
        for text in (message, message[named.end() :] if named else message):
            wanted = unquote(f'"{text}"'.encode("latin-1")) if quoted else text.encode("latin-1")
            same = self.reference.saying(wanted, file)
            if same:
                same = [n for n in same if _holds(wordings[n].when, values)]
                same = [n for n in same if wordings[n].weight == wordings[same[0]].weight]
                return next((n for n in same if file in wordings[n].files), same[0] if same else -1)
        return -1

    def _best(
        self, style: str, first: str, whole: str, file: str, program: str | None, quoted: bool = False
    ) -> tuple[int, array[int]]:
        for number, spans in self.reference.message(style, first, whole, file, program):
            if quoted and not self.reference.grammar.wordings[number].lead:
                continue
            return number, array("i", [place for span in spans for place in span])
        return -1, array("i")

    def _listing(self, whole: str) -> tuple[int, array[int]]:
        text = whole.lstrip(" \t")
        start = len(whole) - len(text)
        for number, spans in self.reference.message("line", text, text, "", None):
            flat = array("i", [place for span in spans for place in span])
            if self.decoder.decide(number, text.encode("latin-1"), flat.tolist()):
                return number, array("i", [start + place for place in flat])
        return -1, array("i")


def _holds(when: dict[str, str], values: dict[str, str]) -> bool:
    """Whether the values hold, as they are written, what a wording wants in them."""
    texts = [(key.encode().decode("latin-1"), text.encode().decode("latin-1")) for key, text in when.items()]
    return all(text in values.get(key, "") for key, text in texts)


_LEVELS = {name: int(number) for name, number in re.findall(r"([a-z]+)(\d)", LEVELS.decode())}
_LOGFMT = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^\x00-\x20"\\]*)(?: +|\Z)', re.ASCII)


def _read_logfmt(text: str) -> int:
    """The number of the severity that a line in logfmt says; -1 where it is none, or says no level or no message."""
    place, said, level = 0, False, None
    while text[:1] in ("t", "l") and place < len(text):
        pair = _LOGFMT.match(text, place)
        if not pair:
            return -1
        if pair[1] in ("level", "lvl"):
            level = _LEVELS.get((pair[2][1:-1] if pair[2][:1] == '"' else pair[2]).lower())
            if level is None:
                return -1
        said, place = said or pair[1] == "msg", pair.end()
    return -1 if level is None or not said else level


_MEMBER = re.compile(r'"((?:[^"\\]|\\.)*)":')
_CALLER = re.compile(r"(?:.*/)?([^ \t:/]+:\d{1,9})")


def _read_object(text: str) -> tuple[int, str, tuple[int, int] | None] | None:
    """Time in µs, severity and the place of `file:line` of an object that klog wrote; None where it is none."""
    read = re.match(r'\{"ts":(\d{1,15})(?:\.(\d{0,18}))?(?=,)', text, re.ASCII)
    if not read or not LEAST_MS <= int(read[1]) <= MOST_MS:
        return None
    digits = (read[2] or "").ljust(3, "0")
    us = int(read[1]) * 1000 + int(digits[:3]) + (digits[3:4] >= "5")
    place, caller = read.end(), None
    while text[place : place + 1] == ",":
        key = _MEMBER.match(text, place + 1)
        if not key or key.end() >= len(text):
            return None
        at, place = key.end(), ops.value_end(text.encode("latin-1"), key.end(), len(text))
        if key[1] == "msg":
            whole = re.compile(r'"(?:[^"\\]|\\.)*"').match(text, at)
            return (us, "I" if text.startswith(',"v":', place) else "E", caller) if whole and whole.end() == place else None
        if key[1] == "caller" and text[at] == '"' and text[place - 1] == '"':
            found = _CALLER.fullmatch(text, at + 1, place - 1)
            caller = found.span(1) if found else caller
    return None


# Another header in a text, as far as it tells that the line is to be looked at.
_FUSED = re.compile(r"[IWEF][0-9]{4} [0-9:]{8}\.[0-9]{6}[ \t]")
# What rsyslog writes for a tab, or the end of a line, or begins a colour with.
_ESCAPED = re.compile(r"#01[12]|#033\[")
# What a line without an envelope begins with that has something in front, or is no line: colours, a record separator, marks of
# comments, quotes, lists and boxes, numbers; an entry of the journal.
_PASTED = r"[\x1b\x1e#*+,./0-9>|\xe2\xef-]|__|data: \{|\{\Z"
_ZONE = re.compile(r"([+-])(\d\d):?(\d\d)?\Z", re.ASCII)


def _instant(text: str) -> tuple[int, int]:
    """A date and time as µs since 1970 as they are shown, and minutes that their zone is ahead of UTC."""
    if re.fullmatch(r"\d+\.\d{6}", text):
        return int(text.replace(".", "")), 0
    parts = re.fullmatch(r"(?:\w{3} )?(\d{4}.\d\d.\d\d)[T ]([0-9:]{8}(?:[.,]\d{1,9})?) ?(.*)", text, re.ASCII)
    assert parts is not None
    date, clock, rest = parts.groups()
    year, month, day = int(date[:4]), int(date[5:7]), int(date[8:])
    # 29 February of a year that has none is 1 March.
    days = (datetime(year, month, 1) - datetime(1970, 1, 1)).days + day - 1
    zone = _ZONE.match(rest)
    minutes = 0 if rest in ("Z", "UTC") else NO_ZONE
    if zone:
        minutes = (60 * int(zone[2]) + int(zone[3] or 0)) * (-1 if zone[1] == "-" else 1)
    return days * DAY + _clock(clock.replace(",", ".")), minutes


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
