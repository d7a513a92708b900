"""lines that cannot be read as they stand → lines that can be, and where in the input each of them is from.

The readers of envelopes and headers mark such lines as `odd`. They are few, or the input is of a form that is written for programs:
  * a document: entries of the journal (-o json, json-pretty, json-seq, json-sse, export, verbose), docker's, an audit log's,
    etcd's;
  * a line that a container runtime cut in parts;
  * what people paste: colours, line numbers, marks of comments and quotes, boxes, names of files in front; two records on a line, a
    record whose header or quoted text was wrapped.
What it cannot make sense of stays as it is. All that it does to a line depends on that line and those of the same document, so
where an input is cut does not matter. Both engines share it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from kubelog.ingest import documents
from kubelog.ingest.block import BARE, CRI, DATED, MAX_LINE, MAX_PREFIX, SHORT, SYSLOG, Block
from kubelog.ingest.origins import Origins

# A document or a line in parts has no more lines, and no more bytes.
_MOST_LINES: Final = 20_000
_MOST_BYTES: Final = MAX_LINE
# A header, and what may stand in front of it on a line.
_HEADER: Final = re.compile(
    rb"[IWEF](?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]) (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}[ \t]+\d{1,18} "
    rb"[^ \t:\]]+:\d{1,9}\](?= |\Z)"
)
# A header that the end of the line cut.
_CUT: Final = re.compile(rb"[IWEF]\d{4}(?: [\d:.]{0,15}(?:[ \t]+(?:\d{1,18}(?: [^ \t\]]*)?)?)?)?\Z")
_CLOCK: Final = rb"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_MONTH: Final = rb"(?:[^ \t\d][^ \t]{1,23}|\d{1,2}(?:\xe6\x9c\x88|\xec\x9b\x94)|Thg \d{1,2})"
_ZONE: Final = rb"(?:Z|[+-]\d\d:?\d\d| [A-Z]{2,5})?"
_DATED: Final = rb"(?:\w{3} )?\d{4}[-/]\d\d[-/]\d\d[T ]" + _CLOCK + _ZONE
_STAMP: Final = rb"(?:" + _MONTH + rb" {1,3}\d\d? " + _CLOCK + rb"|" + _DATED + rb"|\d{9,11}\.\d{6}|\[ *\d+\.\d{6}\])"
_ENVELOPE: Final = re.compile(_STAMP + rb" (?:[^ \t\[\]]{1,255} )?[^ \t\[\]:]{1,255}(?:\[\d{1,18}\])?:(?= |\Z)")
# `msg` of one line and the envelope of the next, without a newline between: letters may touch the month.
_FRONT: Final = re.compile(
    rb"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)"
    rb" (?:[^ \t\[\]]{1,255} )?[^ \t\[\]:]{1,255}(?:\[\d{1,18}\])?: \Z"
)
# Colours and links, as terminals get them.
_COLOURS: Final = re.compile(rb"\x1b\[[0-9;:]*[mK]|\x1b\]8;[^\x07\x1b]*(?:\x07|\x1b\\)")
# What rsyslog writes for a tab, or the end of a line, inside a message; and for a colour: `#033` alone may be a text's own.
_ESCAPED: Final = re.compile(rb"#01[12]|#033\[[0-9;:]*[mK]")
_ESCAPED_COLOURS: Final = re.compile(rb"#033\[[0-9;:]*[mK]")
# A blank line of a record: below an envelope it is told by its indentation.
_BELOW: Final = b" " * 16
# What is put in front of a line: a number, marks, the name of a file (with a number), a byte order mark.
_MARK: Final = re.compile(
    rb"[ \t]*(?:\xef\xbb\xbf|\d{1,7}(?:[:.)|\t-]|(?=[ \t]))[ \t]?|[#>*+|-]+|//+|(?:\xe2[\x94\x95][\x80-\xbf])+|\xe2\x80\xa2|"
    rb"\./?[^ \t:]*:(?:\d+[:-])?|/[^ \t:]*:(?:\d+[:-])?)[ \t]*"
)
_BOX_END: Final = re.compile(rb"[ \t]*(?:\xe2\x94\x82|\xe2\x94\x83|\xe2\x95\x91|\|)[ \t]*\Z")
_FIELD: Final = re.compile(rb"    ([A-Z0-9_]+)=(.*)\Z", re.DOTALL)
_ENTRY: Final = re.compile(rb"\w{3} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})? [A-Z+\d-]{2,5} \[(s=[^\]]*)\]\Z")
# A bracket behind which a quoted text may end.
_ENDS: Final = b" ,)]}\t"

# A line that was made, and the bytes of the Block that it is from: of several lines from the same bytes one takes them.
Span = tuple[int, int]
Line = tuple[bytes, list[Span]]
# The end of what was read (a line's number), and the lines made of it; none where it stays as it is.
Made = tuple[int, list[Line]]


class Unwrapped:
    """Text of lines, and where each of them is from."""

    def __init__(self, block: Block) -> None:
        self.pieces: list[bytes] = []
        self.origins = Origins(block)
        self.boots: dict[int, bytes] = {}  # the boot before a line that was made

    def text(self) -> bytes:
        return b"".join(self.pieces)

    def boot(self, line: int, last: bytes) -> bytes:
        """The boot that the entries before a line are of; `last` behind the last of them."""
        return next((boot for number, boot in self.boots.items() if number >= line), last)

    def copy(self, first: int, stop: int) -> None:
        """Take lines of the input as they are."""
        if first < stop:
            block = self.origins.block
            self.pieces.append(block.data[block.at[first] : block.at[stop]])
            self.origins.copy(first, stop)

    def make(self, line: Line, number: int, glued: bool) -> None:
        """Take a line that was made, of the line of this number; `glued` to the one before."""
        self.origins.make(line[1], number, glued)
        self.pieces += (line[0], b"\n")


class Unwrapper:
    """Makes lines of the odd ones of an input, in order."""

    def __init__(self, boot: bytes = b"") -> None:
        self.boot = boot  # of the journal's entry before
        self.mark: Mark | None = None  # in front of the line before
        self.coloured = -1  # the line behind one that was coloured

    def read(self, block: Block, first: int, final: bool) -> tuple[Unwrapped, int]:
        """The lines of a Block, those before `first` as they are, and how many could be read.

        A document may go on in what comes; what is `final` ends it.
        """
        self.block, self.data, self.final = block, block.data, final
        out = Unwrapped(block)
        odd = memoryview(block.odd)[: block.lines].tobytes()
        line = 0
        while line < block.lines:
            at = odd.find(1, max(line, first))
            if at < 0:
                at = block.lines
            out.copy(line, at)
            line = at
            if at == block.lines:
                break
            before = self.boot
            made = self._made(at)
            if made is None:
                return out, at
            line, lines = made
            if not lines:
                out.copy(at, line)
            for number, one in enumerate(lines):
                out.boots[out.origins.lines] = before
                out.make(one, self._number(one[1][0][0]) if one[1] else at, number > 0)
            out.origins.total = line
        return out, line

    def _from(self, texts: list[bytes], line: int, stop: int) -> list[Line]:
        """Lines that were made of lines together: the first that says something takes their bytes."""
        span = [(self.block.at[line], self.block.at[stop])]
        if len(texts) == 1:
            return [(texts[0], span)]
        taker = next((number for number, text in enumerate(texts) if not text.startswith(b"-- Boot ")), 0)
        return [(text, span if number == taker else []) for number, text in enumerate(texts)]

    def _line(self, line: int) -> bytes:
        return self.data[self.block.at[line] : self.block.end[line]]

    def _made(self, line: int) -> Made | None:
        """What is made of the document at a line; None where more of it is to come."""
        block, text = self.block, self._line(line)
        if len(text) > MAX_LINE:
            return line + 1, []
        if block.envelope[line] == BARE:
            start = text.lstrip()
            if start[:1] == b"{" and len(start) > 1 and start.rstrip()[-1:] == b"}":
                return self._object(line, start)
            if start.rstrip() in (b"{", b"[{"):
                return self._pretty(line, text)
            if start[:2] == b"\x1e{" or start[:7] == b"data: {":
                return self._object(line, start[1:] if start[:1] == b"\x1e" else start[6:])
            if text.startswith((b"__CURSOR=", b"__REALTIME_TIMESTAMP=")):
                return self._export(line)
            if _ENTRY.match(text):
                return self._verbose(line)
        if block.envelope[line] == CRI and block.odd[line] and text[block.text_at[line] - block.at[line] - 2 :][:1] == b"P":
            return self._parts(line)
        stop, text = self._unbroken(line, text)
        if stop is None:
            return None
        made = self._lines(line, stop, text)
        if made is None:
            return (stop, []) if stop == line + 1 else (stop, self._from([text], line, stop))
        return stop, made

    # Documents

    def _object(self, line: int, text: bytes) -> Made | None:
        fields = documents.decode(text)
        if fields is None:
            return line + 1, []
        part = documents.container(fields)
        if part is not None:
            return self._parts(line)
        stop = line + 1
        if self._line(line).startswith(b"data: "):
            # A blank line ends an event.
            if stop == self.block.lines and not self.final:
                return None
            if stop < self.block.lines and not self._line(stop):
                stop += 1
        return stop, self._from(self._lines_of(fields), line, stop)

    def _lines_of(self, fields: documents.Fields) -> list[bytes]:
        """The lines of an object that is the whole of a document."""
        if documents.is_journal(fields):
            boot, before = documents.boot(fields), self.boot
            self.boot = boot or before
            mark = [b"-- Boot " + boot + b" --"] if before and boot and boot != before else []
            lines = documents.journal(fields)
            return [*mark, *(self._texts(lines[0]) + lines[1:] if lines else [b""])]
        found = [documents.said(fields), *map(documents.event, documents.items(fields))]
        return [one for one in found if one is not None]

    def _texts(self, line: bytes) -> list[bytes]:
        """A line whose text may be an object that a program logged."""
        at = line.find(b": {")
        said = self._said(line[at + 2 :]) if at >= 0 else None
        return [line if said is None else line[: at + 2] + said]

    def _said(self, text: bytes) -> bytes | None:
        """What the object says that a program logged, if a text is one."""
        if text[:1] != b"{" or text.startswith(b'{"ts":'):
            return None
        fields = documents.decode(text)
        return None if fields is None else documents.said(fields)

    def _gathered(self, line: int, ends: Callable[[bytes], bool]) -> int | None:
        """Behind the line that ends a document; -1 where there is none; None where it may be still to come."""
        start, stop = self.block.at[line], min(self.block.lines, line + _MOST_LINES)
        for number in range(line + 1, stop):
            if self.block.at[number] - start > _MOST_BYTES:
                return -1
            if ends(self._line(number)):
                return number + 1
        return -1 if self.final or stop < self.block.lines else None

    def _pretty(self, line: int, text: bytes) -> Made | None:
        """An object over several lines; of a list the items are looked at, each by itself."""
        indent = text[: len(text) - len(text.lstrip())]
        closing = (indent + b"}", indent + b"},")
        stop = self._gathered(line, lambda one: one in closing or one.rstrip().endswith(b'"items": ['))
        if stop is None:
            return None
        if stop < 0 or self._line(stop - 1) not in closing:
            return line + 1, []
        whole = self.data[self.block.at[line] : self.block.end[stop - 1]].rstrip(b",")
        fields = documents.decode(whole)
        lines = [] if fields is None else self._lines_of(fields)
        return stop, self._from(lines, line, stop)

    def _export(self, line: int) -> Made | None:
        """An entry of journalctl -o export: fields, a line each, or with their length in front; a blank line ends it."""
        fields: dict[str, Any] = {}
        at, end = self.block.at[line], self.block.at[self.block.lines]
        most = at + _MOST_BYTES
        stop = self.data.find(b"\n\n", at, min(end, most))
        if stop >= 0:
            try:
                # Most often each field is a line.
                pairs = [one.split(b"=", 1) for one in self.data[at:stop].split(b"\n")]
                fields = {documents.FIELDS[name]: value for name, value in reversed(pairs) if name in documents.FIELDS}
            except ValueError:
                pass
            else:
                after = bisect_left(self.block.at, stop + 2, line, self.block.lines)
                return after, self._from(self._lines_of(fields), line, after)
        while at < end and at < most:
            stop = self.data.find(b"\n", at, end)
            if stop < 0:
                break
            name, equals, value = self.data[at:stop].partition(b"=")
            at = stop + 1
            if not name:
                after = bisect_left(self.block.at, at, 0, self.block.lines)
                return after, self._from(self._lines_of(fields), line, after)
            if not equals:
                if end - at < 8:
                    break
                size = int.from_bytes(self.data[at : at + 8], "little")
                if size > _MOST_BYTES or at + 8 + size >= end:
                    at = most if size > _MOST_BYTES else end
                    break
                value = self.data[at + 8 : at + 8 + size]
                at += 9 + size
            fields.setdefault(name.decode("latin-1"), value)
        if at < most and not self.final:
            return None
        if self.final and at < most and fields:
            # The end of the input ends an entry too.
            return self.block.lines, self._from(self._lines_of(fields), line, self.block.lines)
        return line + 1, []

    def _number(self, at: int) -> int:
        """The number of the line that holds the byte at `at`."""
        return bisect_right(self.block.at, at, 0, self.block.lines) - 1

    def _verbose(self, line: int) -> Made | None:
        """An entry of journalctl -o verbose: fields, indented; a field's further lines stand below its value."""
        stop = self._gathered(line, lambda one: not one.startswith(b"    "))
        if stop is None:
            return None
        stop = min(line + _MOST_LINES, self.block.lines) if stop < 0 else stop - 1
        fields: dict[str, Any] = {}
        name, width = "", 0
        for number in range(line + 1, stop):
            text = self._line(number)
            field = _FIELD.match(text)
            if field:
                name, width = field[1].decode(), 5 + len(field[1])
                fields.setdefault(name, field[2])
            elif name:
                fields[name] += b"\n" + (text[width:] if not text[:width].strip() else text)
        entry = _ENTRY.match(self._line(line))
        time = re.search(rb"t=([0-9a-f]{1,16})", entry[1]) if entry else None
        if time:
            fields.setdefault("__REALTIME_TIMESTAMP", b"%d" % int(time[1], 16))
        return stop, self._from(self._lines_of(fields), line, stop)

    # Lines of containers

    def _part(self, line: int) -> tuple[bytes, bytes, bytes, bool] | None:
        """Time, stream and text of a container's line or part of one, and whether it ends there; None where it is none."""
        text = self._line(line)
        if self.block.envelope[line] == CRI:
            at = self.block.text_at[line] - self.block.at[line]
            front = text[:at].split()
            return front[0], front[1], text[at:], front[2] == b"F"
        start = text.strip()
        if self.block.envelope[line] != BARE or start[:1] != b"{":
            return None
        fields = documents.decode(start)
        part = None if fields is None else documents.container(fields)
        if part is None:
            return None
        ended = part[2].endswith(b"\n")
        return *part[:2], part[2][:-1] if ended else part[2], ended

    def _parts(self, line: int) -> Made | None:
        """A container's line, and those that stand between its parts: each line where its first part stands."""
        block = self.block
        made: list[tuple[bytes, bytes, list[Span]]] = []  # time and stream, text, bytes
        open_: dict[bytes, int] = {}
        number = line
        while True:
            part, span = self._part(number), (block.at[number], block.at[number + 1])
            if part is None:
                made.append((b"", self._line(number), [span]))
            else:
                stamp, stream, text, ended = part
                place = open_.pop(stream, -1)
                if place < 0:
                    place = len(made)
                    made.append((stamp + b" " + stream + b" F ", text, [span]))
                else:
                    front, before, spans = made[place]
                    made[place] = front, before + text, [*spans, span]
                if not ended:
                    open_[stream] = place
            number += 1
            if not open_ or number - line >= _MOST_LINES:
                break
            if number == block.lines:
                if not self.final:
                    return None
                break
            if block.at[number] - block.at[line] > _MOST_BYTES:
                break
        lines: list[Line] = []
        for front, text, spans in made:
            for one in text.split(b"\n") if front else [text]:
                at = len(front)
                said = self._said(one) if front else None
                for piece, _ in _split(front + one, at) if said is None and front else [(front + (said or one), 0)]:
                    lines.append((piece, spans))
                    spans = []
        return number, lines

    # What people paste

    def _unbroken(self, line: int, text: bytes) -> tuple[int | None, bytes]:
        """A line and what was wrapped of it: a header that is cut, a quoted text that is open. No end where more may come."""
        block = self.block
        at = block.text_at[line] - block.at[line]
        cut = block.head[line] < 0 and _CUT.match(text[at:]) is not None
        opened = block.head[line] >= 0 and _is_open(text[block.body_at[line] - block.at[line] :])
        stop = line + 1
        width = 0  # of a line that was cut where a line ends
        while (cut or opened or width) and stop - line < 50:
            if stop == block.lines:
                return (stop, text) if self.final else (None, text)
            if block.envelope[stop] != BARE or block.head[stop] >= 0 or block.json[stop]:
                break
            more = self._line(stop)
            if _CUT.match(more):
                break
            if cut:
                joined = next((one for one in (text + more, text + b" " + more) if _HEADER.match(one[at:])), None)
                if joined is None:
                    break
                header = _HEADER.match(joined[at:])
                assert header is not None
                cut, opened = False, _is_open(joined[at + header.end() + 1 :])
                width = _width(text)
                text = joined
            else:
                text += more
                opened = opened and _is_open(text[block.body_at[line] - block.at[line] :])
            if _width(more) != width:
                width = 0
            stop += 1
        if opened:
            # No end was found: the lines are as they are.
            return line + 1, self._line(line)
        return stop, text

    def _lines(self, line: int, stop: int, text: bytes) -> list[Line] | None:
        """What is made of the text of one line, which goes on until `stop`; None where that is what it was."""
        block = self.block
        at = block.text_at[line] - block.at[line]
        found = text
        if b"\x1b" in text:
            front = _COLOURS.sub(b"", text[:at])
            found = front + _COLOURS.sub(b"", text[at:])
            at = len(front)
        if block.envelope[line] in (SHORT, DATED, SYSLOG) and _ESCAPED.search(found, at):
            first, *more = _ESCAPED_COLOURS.sub(b"", found[at:]).replace(b"#011", b"\t").split(b"#012")
            return self._from([found[:at] + first, *(b" " * at + one for one in more)], line, stop)
        if block.envelope[line] == BARE:
            bare, found = found, self._unmarked(line, found)
            if bare is found != text:
                if bare.startswith(b"-- ") or _HEADER.match(bare) or _ENVELOPE.match(bare) or self.coloured == line:
                    self.coloured = stop  # the lines below it are parts of its record
                else:
                    return None
            envelope = _ENVELOPE.match(found)
            at = envelope.end() + 1 if envelope else 0
        said = self._said(found[at:].rstrip())
        if said is not None:
            return self._from([_behind(found[:at], said)], line, stop)
        pieces = _split(found, at)
        if len(pieces) > 1 and found == text == self._line(line):
            places = [block.at[line] + place for _, place in pieces] + [block.at[stop]]
            return [(piece, [(places[n], places[n + 1])]) for n, (piece, _) in enumerate(pieces)]
        made = [piece for piece, _ in pieces]
        return None if made == [text] else self._from(made, line, stop)

    def _unmarked(self, line: int, text: bytes) -> bytes:
        """A line without what people put in front of it, where what is left is read as a record or stands below such a line."""
        rest = text
        for _ in range(4):
            mark = _MARK.match(rest)
            if not mark or mark.end() == 0:
                break
            rest = rest[mark.end() :]
            if _HEADER.match(rest) or _ENVELOPE.match(rest):
                front = text[: len(text) - len(rest)]
                boxed = b"\xe2" in front or b"|" in front
                self.mark = Mark(line + 1, _shape(front), boxed)
                return _BOX_END.sub(b"", rest) if boxed else rest
        if self.mark is not None and self.mark.line == line:
            below = self.mark.shape.match(text)
            if below:
                self.mark = self.mark._replace(line=line + 1)
                rest = text[below.end() :]
                if self.mark.boxed:
                    rest = _BOX_END.sub(b"", rest) or _BELOW
                return rest
        return text


class Mark(NamedTuple):
    """What stood in front of a line."""

    line: int  # the number of the next line
    shape: re.Pattern[bytes]
    boxed: bool


def _shape(front: bytes) -> re.Pattern[bytes]:
    """What stands in front of the lines below one, which are parts of its record: the same, with any numbers."""
    said = front.rstrip(b" \t")
    parts = (rb"[ \t]*\d{1,7}" if part[-1:].isdigit() else re.escape(part) for part in re.split(rb"([ \t]*\d+)", said) if part)
    return re.compile(b"".join(parts) + rb"(?:" + re.escape(front[len(said) :]) + rb"|\Z)")


def _behind(front: bytes, said: bytes) -> bytes:
    """What a program said behind an envelope: a time of its own is not a second one."""
    own = re.match(rb"\d{4}-\d\d-\d\dT\S* (?=level=)", said)
    return front + (said[own.end() :] if own and front else said)


def _width(text: bytes) -> int:
    """The number of characters."""
    return len(text.decode("utf-8", "replace"))


def _is_open(body: bytes) -> bool:
    """Whether a structured body ends inside a quoted text."""
    return body[:1] == b'"' and re.fullmatch(rb'(?:"(?:[^"\\]|\\.)*"[^"]*)*', body, re.DOTALL) is None


def _split(text: bytes, at: int) -> list[tuple[bytes, int]]:
    """The records that stand on one line, whose envelope ends at `at`, and where each begins: all but the first with a header, or
    with an envelope in front of that. Where they have none of their own, that of the line is theirs too.
    """
    cuts = [(0, True)]
    for header in _HEADER.finditer(text, at):
        place = header.start()
        if at == 0 < place <= MAX_PREFIX and len(cuts) == 1 and len(text[:place].split()) < 3 and not _is_quoted(text, 0, place):
            # A name or a mark in front of the first: it belongs to it.
            text = text[place:]
            return [(piece, number and number + place) for piece, number in _split(text, 0)]
        start = max(cuts[-1][0], at)
        if place <= start or _is_quoted(text, start, place):
            continue
        own = _FRONT.search(text, start, place)
        if own is None or own.start() > start:
            cuts.append((own.start(), True) if own else (place, False))
    stops = [place for place, _ in cuts[1:]] + [len(text)]
    return [
        (text[place:stop] if own else text[:at] + text[place:stop], place) for (place, own), stop in zip(cuts, stops, strict=True)
    ]


def _is_quoted(text: bytes, start: int, place: int) -> bool:
    """Whether a header stands inside a quoted text that ends behind it."""
    quotes = len(re.findall(rb'(?<!\\)"', text[start:place]))
    if quotes % 2 == 0:
        return False
    end = re.compile(rb'(?<!\\)"').search(text, place)
    return end is not None and (end.end() == len(text) or text[end.end() : end.end() + 1] in _ENDS)
