"""rule tree → pyparsing: slow, plain, the definition of what a line means.

It reads latin-1, a character a byte, and gives spans. The scanner is held equal to it by properties. White space is
never skipped and tabs are never expanded.
"""

from __future__ import annotations

import re
from typing import Any, Final

import pyparsing as pp

from kubelog.grammar.compile import MAX_DEPTH
from kubelog.grammar.tree import Blanks, Grammar, Hole, Literal, Part, Pattern, Wording

Spans = dict[str, tuple[int, int]]

# (wording, its field spans in the order of its holes)
Found = tuple[int, list[tuple[int, int]]]


# A text that shares fewer bytes with a wording's beginning is not a mangled form of it.
_LEAST_LEAD: Final = 8
# Orders that are kept: hostile input has as many files as lines.
_MOST_ORDERS: Final = 500

# What a terminal is called where it was expected and not found.
NAMES = {
    "severity": "a severity: I, W, E or F", "monthday": "month and day as mmdd", "clock": "a time as hh:mm:ss",
    "microclock": "a time as hh:mm:ss.uuuuuu", "digits": "a number", "line": "a line number", "file": "a file name",
    "body": "a blank or the end", "month": "a month's name", "day": "a day", "host": "a host name",
    "identifier": "a program's name", "priority": "a priority as <30>", "instant": "a date and time",
    "isoinstant": "a date and time as 2025-10-16T09:50:55Z", "nanoinstant": "a date and time as 2025-10-16T09:50:55Z",
    "stream": "stdout or stderr", "tag": "F or P", "name": "a name", "structured": "structured data",
    "monotonic": "the time since the boot", "podname": "the name of a pod or container",
    "podof": "a pod's name that begins with its container's", "service": "a container's name that ends with its number",
    "journalinstant": "a date and time with its zone",
}  # fmt: skip


def _regex(pattern: str) -> pp.ParserElement:
    return pp.Regex(pattern).leave_whitespace()


def _literal(text: bytes) -> pp.ParserElement:
    return pp.Literal(text.decode("latin-1")).leave_whitespace()


class Reference:
    """The parsers of one grammar."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.terminals = {name: parser.set_name(NAMES[name]) for name, parser in self._terminals().items()}
        self.header_parser = self._pattern(grammar.header.parts, self.terminals) if grammar.header else None
        self.envelope_parsers = [
            [self._pattern(pattern.parts, self.terminals) for pattern in patterns] for patterns in grammar.envelopes.values()
        ]
        self.weak = [name in grammar.weak for name in grammar.envelopes]
        self.before = [text.decode("latin-1") for text in grammar.before]
        self.heads = tuple(text.decode("latin-1") for text in grammar.heads)
        self.pair_parser = self._pairs()
        self.take(grammar)

    def take(self, grammar: Grammar) -> None:
        """Read messages by this grammar; their parsers are made when they are first needed."""
        self.grammar = grammar
        self.leads = [wording.lead.decode("latin-1") for wording in grammar.wordings]
        self._parsers: dict[int, pp.ParserElement] = {}
        self._orders: dict[tuple[str, str], list[int]] = {}
        self._numbers: dict[str, list[int]] = {}  # of each style
        self._messages: dict[bytes, list[int]] = {}  # of pairs, by what they say
        for number, wording in enumerate(grammar.wordings):
            self._numbers.setdefault(wording.style, []).append(number)
            if wording.style == "pairs":
                self._messages.setdefault(wording.message, []).append(number)

    def _terminals(self) -> dict[str, pp.ParserElement]:
        """The terminals of headers and envelopes, a literal example above each."""
        names = "|".join(re.escape(name.decode("latin-1")) for name in sorted(self.grammar.phrases, reverse=True))
        phrases = rf"(?ai:{names})\.?(?= )|" if names else ""
        clock = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
        days31, days30 = "(?:0[13578]|1[02])(?:0[1-9]|[12][0-9]|3[01])", "(?:0[469]|11)(?:0[1-9]|[12][0-9]|30)"
        zone = "(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"

        def date(marks: str) -> str:
            """YYYY-MM-DD: years from 1970, 29 February in each."""
            days = "(?:0[13578]|1[02]){}(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11){}(?:0[1-9]|[12][0-9]|30)|02{}(?:0[1-9]|[12][0-9])"
            dates = (f"{mark}(?:{days.format(mark, mark, mark)})" for mark in marks)
            return f"(?:19[7-9]|[2-9][0-9]{{2}})[0-9](?:{'|'.join(dates)})"

        instant = rf"{date('-/')}[T ]{clock}"
        iso = rf"{instant}(?:[.,][0-9]{{1,9}})?{zone}"
        abbreviation = "(?:[A-Z]{2,5}|[+-][0-9]{2}(?:[0-9]{2})?)"
        self.weekday = rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) {date('-')} {clock}(?:[.,][0-9]{{1,6}})? {abbreviation} "
        return {
            # W
            "severity": _regex("[IWEF]"),
            # 1016
            "monthday": _regex(f"{days31}|{days30}|02(?:0[1-9]|[12][0-9])"),
            # 09:50:55  09:50:55.056703
            "clock": _regex(rf"{clock}(?:\.[0-9]{{1,9}})?"),
            # 09:50:55.056703
            "microclock": _regex(rf"{clock}\.[0-9]{{6}}"),
            # 17144
            "digits": _regex("[0-9]{1,18}"),
            # 331
            "line": _regex("[0-9]{1,9}"),
            # eviction_manager.go  ???
            "file": _regex(r"[^ \t:\]]+"),
            # the text: one blank behind the mark, or nothing
            "body": _regex(r"(?: [\s\S]*)?\Z"),
            # Oct  10月  Thg 10  janv.
            "month": _regex(phrases + r"(?=[0-9.'-]*[A-Za-z\x80-\xff])(?!\xef\xbb\xbf)[A-Za-z0-9.'\x80-\xff-]{1,24}"),
            # 16  " 3"  and behind `mai  `, as Estonian aligns its months, "  08"
            "day": _regex(" {0,2}(?:[12][0-9]|3[01]|0?[1-9])"),
            # ubuntu-k8s-3
            "host": _regex(r"[^ \t\[\]]{1,255}(?<!:)"),
            # kubelet
            "identifier": _regex(r"[^ \t\[\]:]{1,255}"),
            # <30>
            "priority": _regex("(?:<[0-9]{1,3}>)?"),
            # 2025-10-16T09:50:55.123456+0800  Thu 2025-10-16 09:50:55 CST  1760608255.123456
            "instant": _regex(
                rf"{instant}(?:[.,][0-9]{{1,6}})?{zone}(?= )|{self.weekday[:-1]}(?= )|[0-9]{{9,11}}\.[0-9]{{6}}(?= )"
            ),
            # 2025-10-16T09:50:55.123456+08:00  -
            "isoinstant": _regex(rf"{iso}|-"),
            # 2016-10-06T00:17:09.669794202Z
            "nanoinstant": _regex(iso + "(?! [+-][0-9]{4})"),
            "stream": _regex("stdout|stderr"),
            "tag": _regex("[FP]"),
            # node-1  -
            "name": _regex(r"[^ \t]{1,255}"),
            # -  [origin@123 ip="10.0.0.1"]
            "structured": _regex(r"-|(?:\[(?:[^\]\"]|\"(?:[^\"\\]|\\[\s\S])*\")*\])+"),
            # [ 1000.000000]  [    5.000000 <   58.500000*>]
            "monotonic": _regex(r"\[ *[0-9]{1,12}\.[0-9]{6}(?: +(?:< *[0-9]{1,12}\.[0-9]{6}[ *]?>)?)?\]"),
            # kube-apiserver-cp-1
            "podname": _regex("[a-z0-9][a-z0-9.-]{0,252}"),
            # kube-apiserver-cp-1, where `kube-apiserver` follows
            "podof": _regex(r"(?=(?P<c>[a-z0-9][a-z0-9-]*)-[a-z0-9.-]+ (?P=c)(?: |\Z))[a-z0-9][a-z0-9.-]{0,252}"),
            # kube-apiserver-1, where a bar follows
            "service": _regex(r"(?=[A-Za-z0-9_.-]{1,128}[ \t])[A-Za-z][A-Za-z0-9_.-]*[-_][0-9]{1,9}(?=[ \t]+\|)"),
            # 2025-10-16T09:50:55+0800  Thu 2025-10-16 09:50:55 CST  1760608255.123456
            "journalinstant": _regex(
                rf"{instant}(?:[.,][0-9]{{1,6}})?(?=[+-]){zone}(?= )|{self.weekday[:-1]}(?= )|[0-9]{{9,11}}\.[0-9]{{6}}(?= )"
            ),
        }

    def _pattern(self, parts: tuple[Part, ...], terminals: dict[str, pp.ParserElement]) -> pp.ParserElement:
        """A pattern whose holes are terminals."""
        steps: list[pp.ParserElement] = []
        for part in parts:
            if isinstance(part, Literal):
                steps.append(_literal(part.text).suppress())
            elif isinstance(part, Blanks):
                steps.append(_regex(rf"[ \t]{{{part.least},}}").suppress())
            else:
                steps.append(_located(terminals[part.type].copy(), part.name))
        return pp.And(steps).leave_whitespace().parse_with_tabs()

    def message_parser(self, pattern: Pattern) -> pp.ParserElement:
        """A wording: a hole ends at the first place where the fixed parts behind it stand; the last ones end the text."""
        parts = pattern.parts
        steps: list[pp.ParserElement] = []
        for number, part in enumerate(parts):
            if not isinstance(part, Hole):
                steps.append(self._fixed(part).suppress())
            elif part.type == "quoted":
                quoted = _regex(r'"(?:[^"\\]|\\[\s\S])*"').set_name(f"{{{part.name}:{part.type}}}")
                steps.append(_located(quoted, part.name))
            else:
                behind = []
                for following in parts[number + 1 :]:
                    if isinstance(following, Hole):
                        break
                    behind.append(self._fixed(following))
                ends = number + 1 + len(behind) == len(parts)
                if ends:
                    behind.append(pp.StringEnd().leave_whitespace())
                skip = pp.SkipTo(pp.And(behind).leave_whitespace()).leave_whitespace().set_name(f"{{{part.name}:{part.type}}}")
                skip.errmsg = f"{skip.name} and then {behind[0].name}" + (" at the end" if ends else "")
                steps.append(_located(skip, part.name))
        steps.append(pp.StringEnd().leave_whitespace().suppress())
        return pp.And(steps).leave_whitespace().parse_with_tabs()

    def _fixed(self, part: Part) -> pp.ParserElement:
        if isinstance(part, Literal):
            return _literal(part.text)
        assert isinstance(part, Blanks)
        return _regex(rf"[ \t]{{{part.least},}}(?![ \t])").set_name("blanks")

    def _pairs(self) -> pp.ParserElement:
        """The pairs behind a structured message; the notation stands in klog/pairs.py."""
        quoted = _regex(r'"(?:[^"\\]|\\[\s\S])*(?:"|\\?\Z)')
        block = _regex(r"<(?=\n)(?:(?!\n >)[\s\S])*(?:\n >|\Z)")
        flat = _regex(r'"(?:[^"\\]|\\[\s\S])*"') | _regex(r"[^{}\[\]]")
        nested: pp.ParserElement = pp.NoMatch()
        for _ in range(MAX_DEPTH):
            inside = (nested | flat).leave_whitespace()
            nested = (_regex(r"[{\[]") + pp.ZeroOrMore(inside).leave_whitespace() + _regex(r"[}\]]")).leave_whitespace()
        brackets = pp.Combine(pp.Optional(_regex(r"&(?=[{\[])|map(?=\[)")) + nested, adjacent=True).leave_whitespace()
        scalar = _regex(r"(?:true|false|null|<nil>|-?[0-9]+(?:\.[0-9]*)?)(?=[ \t\n]|\Z)")
        plain = scalar | _regex(r"[^ \t\n]*(?:[ \t]++[^ \t\n=]*(?=[ \t\n]|\Z))*")
        value = (block | quoted | brackets | plain).leave_whitespace()
        key = _regex(r'[^="\n \t][^="\n]*')
        pair = _regex(r"[ \t]+").suppress() + _located(key, "key") + _literal(b"=").suppress() + _located(value, "value")
        end = _regex(r"[ \t]*(?:\n[\s\S]*)?\Z").suppress()
        stop = pp.Empty().set_parse_action(lambda text, place, tokens: [("stop", place, place)])
        whole = pp.ZeroOrMore(~end + pair.leave_whitespace()) + pp.Optional(end) + stop
        return whole.leave_whitespace().parse_with_tabs()

    def envelope(self, text: str) -> tuple[int, Spans] | None:
        """The envelope that a line (its leading blanks off) begins with: its number from 1, and its holes."""
        for number, (parsers, weak) in enumerate(zip(self.envelope_parsers, self.weak, strict=True), 1):
            if weak and text.startswith(self.heads):
                return None
            for parser in parsers:
                found = _parse(parser, text)
                if found is not None:
                    return number, found
        return None

    def header(self, text: str) -> Spans | None:
        """The klog header that a text begins with, what glog writes in front of it included."""
        start = 0
        for before in self.before:
            if text.startswith(before):
                start = len(before)
        found = self.header_only(text[start:])
        return None if found is None else {name: (a + start, b + start) for name, (a, b) in found.items()}

    def header_only(self, text: str) -> Spans | None:
        """The klog header that a text begins with."""
        return _parse(self.header_parser, text) if self.header_parser else None

    def pairs(self, text: str) -> tuple[list[tuple[int, int, int, int]], int]:
        """The pairs of what stands behind a message, and where reading stopped."""
        *numbers, (_, stop, _) = self.pair_parser.parse_string(text)
        spans = [(a, b) for _, a, b in numbers]
        return [(*spans[i], *spans[i + 1]) for i in range(0, len(spans), 2)], stop

    def structured(self, body: str) -> tuple[str, int] | None:
        """The quoted message that a body begins with (escapes kept), and where it ends."""
        found = _parse(_located(_regex(r'"(?:[^"\\]|\\[\s\S])*"'), "message").parse_with_tabs(), body)
        return None if found is None else (body[slice(*found["message"])], found["message"][1])

    def message(self, style: str, first: str, whole: str, file: str, program: str | None) -> Any:
        """The wordings of a style that read a body, best first: (number, spans)."""
        for number in self.order(style, file):
            wording = self.grammar.wordings[number]
            named = [name.encode().decode("latin-1") for name in wording.program]
            if style == "text" and (bool(named) if program is None else program not in named):
                continue
            if program is None and wording.bound and (file or not wording.lead) and not _names(wording, file):
                continue  # it could be anybody's, and is not said there
            pattern = wording.pattern
            assert pattern is not None
            text = whole if style == "line" or pattern.multiline else first
            if not text.startswith(self.leads[number]):
                continue  # as its first step would say: most are not tried
            parser = self.parser(number)
            try:
                tokens = parser.parse_string(text)
            except pp.ParseException:
                continue
            yield number, [(a, b) for _, a, b in tokens]

    def parser(self, number: int) -> pp.ParserElement:
        """The parser of a wording that has a pattern."""
        found = self._parsers.get(number)
        if found is None:
            pattern = self.grammar.wordings[number].pattern
            assert pattern is not None
            found = self._parsers[number] = self.message_parser(pattern)
        return found

    def saying(self, message: bytes, file: str) -> list[int]:
        """The wordings with pairs that say this, as they are tried."""
        wordings = self.grammar.wordings
        wanted = {n for n in self._messages.get(message, ()) if not (wordings[n].bound and file) or _names(wordings[n], file)}
        return [number for number in self.order("pairs", file) if number in wanted] if len(wanted) > 1 else list(wanted)

    def order(self, style: str, file: str) -> list[int]:
        """Wordings as they are tried: longest leading literal, most literal bytes, the file named."""
        found = self._orders.get((style, file))
        if found is None:
            if len(self._orders) > _MOST_ORDERS:
                self._orders.clear()
            found = self._orders[style, file] = self._ordered(style, file)
        return found

    def _ordered(self, style: str, file: str) -> list[int]:
        def key(number: int) -> tuple[int, int, bool, int]:
            wording = self.grammar.wordings[number]
            return (
                -len(wording.lead),
                -wording.weight,
                not _names(wording, file),
                number,
            )

        numbers = self._numbers.get(style, [])
        return sorted(numbers, key=key) if style == "text" else numbers

    def furthest(self, text: str) -> tuple[Wording, int, str] | None:
        """The wording that read furthest into a text that none reads, how far, and what it expected there."""
        best: tuple[int, int, str] | None = None
        for number in self.order("text", ""):
            lead = self.leads[number]
            place = next((i for i, c in enumerate(lead) if text[i : i + 1] != c), len(lead))
            if place < len(lead):
                # Into its leading literal: a typing error there is found too.
                expected = repr(lead[place : place + 24])
                if place < _LEAST_LEAD:
                    continue
            else:
                stop = _stop(self.parser(number), text)
                if stop is None:
                    continue
                place, expected = stop
            if best is None or place > best[1]:
                best = number, place, expected
        return None if best is None else (self.grammar.wordings[best[0]], *best[1:])

    def header_stop(self, text: str) -> tuple[int, str] | None:
        """Where reading a header stopped and what was expected; None where one was read."""
        return _stop(self.header_parser, text) if self.header_parser else None

    def envelope_stop(self, text: str) -> tuple[int, str] | None:
        """Where reading journald's prefix got furthest and what was expected; None where one was read."""
        stops = [_stop(parser, text) for parsers in self.envelope_parsers[:1] for parser in parsers]
        return None if None in stops else max((stop for stop in stops if stop is not None), default=None)


def _stop(parser: pp.ParserElement, text: str) -> tuple[int, str] | None:
    try:
        parser.parse_string(text)
    except pp.ParseException as error:
        return error.loc, _expected(error)
    return None


def _expected(error: pp.ParseException) -> str:
    return str(error.msg).removeprefix("Expected ").removeprefix("Found unwanted token, ")


def _names(wording: Wording, file: str) -> bool:
    """Whether a wording names a source file, given as latin-1."""
    return file.encode("latin-1").decode("utf-8", "replace") in wording.files


def _located(element: pp.ParserElement, name: str) -> pp.ParserElement:
    """An element whose token is (name, start, end)."""
    return element.set_parse_action(lambda text, place, tokens: [(name, place, place + sum(len(token) for token in tokens))])


def _parse(parser: pp.ParserElement, text: str) -> Spans | None:
    try:
        return {name: (start, end) for name, start, end in parser.parse_string(text)}
    except pp.ParseException:
        return None
