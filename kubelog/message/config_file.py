"""bytes of a KubeletConfiguration beside a log → KubeletConfigFile. YAML as people keep it, or JSON; also inside a ConfigMap.

    document = block | flow                      documents stand between lines of `---`
    block    = { key ":" ( scalar | flow | "|" text | more indented block or list ) }
    list     = { "- " ( scalar | flow | block ) }
    flow     = "{" key ":" value … "}" | "[" value … "]" | scalar

No YAML library: of YAML this is what a KubeletConfiguration uses. What is written otherwise (anchors, tags) is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from kubelog.grammar.compile import MAX_DEPTH
from kubelog.message.vocabulary import Event, Seen, Threshold
from kubelog.message.vocabulary import threshold as thresholds

# No configuration is larger.
LARGEST: Final = 1 << 20
KIND: Final = "KubeletConfiguration"
_SIGN: Final = re.compile(rb"KubeletConfiguration|\"kubeletconfig\"")
_PLAIN: Final = r"[^#:\"'{}\[\],]"
_KEY: Final = (
    r"(?:\"(?P<double>(?:[^\"\\]|\\.)*+)\"|'(?P<single>(?:[^']|'')*)'"
    rf"|(?P<bare>[^\s#:'\"{{}}\[\],&*!|>%@`-]{_PLAIN}*+(?::(?!\s|$){_PLAIN}*+)*+))"
)
_ENTRY: Final = re.compile(rf"{_KEY}\s*:(?:\s+(?P<value>.*))?")


class KubeletConfigFile(Event, frozen=True, gc=False, kw_only=True):
    """A kubelet's configuration file: its settings as a tree, and the thresholds that they make."""

    thresholds: list[Threshold] | None = None  # None where it says nothing of eviction, or what cannot be read
    settings: dict[str, Any] | None = None


def looks_like_one(data: bytes) -> bool:
    return _SIGN.search(data) is not None


def read(data: bytes, path: str, node: str | None = None) -> list[KubeletConfigFile]:
    """The kubelet configurations in a file; none where it holds none that can be read."""
    if len(data) > LARGEST or not looks_like_one(data):
        return []
    text = data.decode("utf-8", "backslashreplace").removeprefix("\ufeff")
    found: list[KubeletConfigFile] = []
    for line, document in _documents(text):
        for tree in _configurations(_tree(document), 0):
            tree = {name: value for name, value in tree.items() if name not in ("kind", "apiVersion", "metadata")}
            try:
                limits = thresholds.of_settings(tree)
            except ValueError:
                limits = None
            seen = Seen(path=path, node=node, line=line)
            found.append(KubeletConfigFile(seen=seen, thresholds=limits, settings=tree))
    return found


def _documents(text: str) -> Iterator[tuple[int, str]]:
    """The documents, each with the number of its first line that says something."""
    lines: list[str] = []
    first = 1
    for number, line in enumerate([*text.replace("\r\n", "\n").split("\n"), "---"], 1):
        if not re.match(r"---(\s|$)|\.\.\.\s*$|```", line):
            lines.append(line)
            continue
        said = next((at for at, one in enumerate(lines) if one.strip() and not one.lstrip().startswith("#")), None)
        if said is not None:
            yield first + said, "\n".join(lines)
        lines, first = [], number + 1


def _tree(document: str) -> Any:
    if document.lstrip().startswith(("{", "[")):
        try:
            return msgspec.json.decode(document.strip())
        except (msgspec.DecodeError, RecursionError):
            pass
    try:
        return _Reader(document).document()
    except (ValueError, RecursionError):
        return None


def _configurations(tree: Any, depth: int) -> Iterator[dict[str, Any]]:
    """The configurations in a document: itself, what a node says of it (`configz`), and the texts of a ConfigMap."""
    if not isinstance(tree, dict) or depth > 2:
        return
    if tree.get("kind") == KIND:
        yield tree
    elif isinstance(tree.get("kubeletconfig"), dict):
        yield tree["kubeletconfig"]
    elif tree.get("kind") == "ConfigMap" and isinstance(tree.get("data"), dict):
        for text in tree["data"].values():
            if isinstance(text, str) and KIND in text:
                for _, document in _documents(text):
                    yield from _configurations(_tree(document), depth + 1)
    elif tree.get("kind") in ("List", "ConfigMapList") and isinstance(tree.get("items"), list):
        for one in tree["items"]:
            yield from _configurations(one, depth + 1)


class _Reader:
    """Reads the block form: lines with their indentation. A ValueError says that it is none."""

    def __init__(self, text: str) -> None:
        self.lines = [line.rstrip() for line in text.split("\n")]
        self.at = 0

    def document(self) -> Any:
        found = self.block(0)
        if self.indent() >= 0:
            raise ValueError("expected a key")
        return found

    def indent(self) -> int:
        """Of the next line that says something; -1 where there is none."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            said = line.lstrip(" ")
            if said and not said.startswith("#"):
                return len(line) - len(said)
            self.at += 1
        return -1

    def block(self, depth: int) -> Any:
        """The map or list that begins at the next line."""
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        indent = self.indent()
        if indent < 0:
            return None
        if re.match(r"-(\s|$)", self.lines[self.at][indent:]):
            return self.items(indent, depth)
        found: dict[str, Any] = {}
        while self.indent() == indent:
            read = _ENTRY.fullmatch(self.lines[self.at][indent:])
            if not read:
                raise ValueError("expected a key")
            self.at += 1
            found[_unquoted(read)] = self.value(read["value"] or "", indent, depth)
        if self.indent() > indent:
            raise ValueError("expected a key")
        return found

    def items(self, indent: int, depth: int) -> list[Any]:
        found: list[Any] = []
        while self.indent() == indent:
            said = self.lines[self.at][indent:]
            if not re.match(r"-(\s|$)", said):
                break
            inner = said[1:].lstrip(" ")
            if not inner or (_ENTRY.fullmatch(inner) and inner[0] not in "\"'{["):
                # What stands behind the dash is a block of its own, or begins one.
                self.lines[self.at] = " " * (len(self.lines[self.at]) - len(inner)) + inner
                found.append(self.block(depth + 1) if inner or self.indent() > indent else None)
            else:
                self.at += 1
                found.append(self.value(inner, indent, depth))
        return found

    def value(self, text: str, indent: int, depth: int) -> Any:
        """What stands behind a key of this indentation, on its line and below."""
        if text.startswith(("|", ">")):
            return self.text_block(indent)
        if text.startswith(("{", "[")):
            # A flow may go on over the lines that are indented more.
            parts, opened = [text], _opened(text)
            while opened > 0 and self.indent() > indent:
                parts.append(self.lines[self.at].strip())
                opened += _opened(parts[-1])
                self.at += 1
            text = " ".join(parts)
            found, end = _Flow(text).value(0, depth)
            if text[end:].strip() and not text[end:].lstrip().startswith("#"):
                raise ValueError("expected the end of a flow")
            return found
        if text and not text.startswith("#"):
            return scalar(text)
        below = self.indent()
        # A list may stand as far left as its key.
        if below > indent or (below == indent and re.match(r"-(\s|$)", self.lines[self.at][below:])):
            return self.items(below, depth + 1) if below == indent else self.block(depth + 1)
        return None

    def text_block(self, indent: int) -> str:
        lines: list[str] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
                break
            lines.append(line)
            self.at += 1
        least = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
        return "\n".join(line[least:] for line in lines).rstrip("\n") + "\n"


def _opened(text: str) -> int:
    return text.count("{") + text.count("[") - text.count("}") - text.count("]")


class _Flow:
    """Reads `{a: b}` and `[a, b]`."""

    def __init__(self, text: str) -> None:
        self.text = text

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        at = self.blanks(at)
        opening = self.text[at : at + 1]
        if opening == "{":
            return self.members(at + 1, depth + 1)
        if opening == "[":
            return self.items(at + 1, depth + 1)
        read = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|[^,{}\[\]\"']+").match(self.text, at)
        return (scalar(read[0]), read.end()) if read else (None, at)

    def members(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        key = re.compile(rf"{_KEY}\s*:(?=[\s\"'{{\[]|$)")
        while self.text[(at := self.blanks(at)) : at + 1] not in ("}", ""):
            read = key.match(self.text, at)
            if not read:
                raise ValueError("expected a key")
            found[_unquoted(read)], at = self.value(read.end(), depth)
            at = self.comma(at, "}")
        return found, self.closed(at, "}")

    def items(self, at: int, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        while self.text[(at := self.blanks(at)) : at + 1] not in ("]", ""):
            one, end = self.value(at, depth)
            if end == at:
                raise ValueError("expected a value")
            found.append(one)
            at = self.comma(end, "]")
        return found, self.closed(at, "]")

    def blanks(self, at: int) -> int:
        while self.text[at : at + 1] == " ":
            at += 1
        return at

    def comma(self, at: int, closing: str) -> int:
        at = self.blanks(at)
        if self.text.startswith(",", at):
            return at + 1
        if not self.text.startswith(closing, at):
            raise ValueError(f"expected , or {closing}")
        return at

    def closed(self, at: int, closing: str) -> int:
        if not self.text.startswith(closing, at):
            raise ValueError(f"expected {closing}")
        return at + 1


def _unquoted(read: re.Match[str]) -> str:
    if read["double"] is not None:
        return str(scalar(f'"{read["double"]}"'))
    return read["single"].replace("''", "'") if read["single"] is not None else read["bare"].strip()


def scalar(text: str) -> Any:
    """A plain or quoted scalar; of plain ones, numbers, booleans and nothing are such. A comment behind it is left out."""
    text = text.strip()
    if text.startswith('"'):
        read = re.match(r'"(?:[^"\\]|\\.)*"', text)
        if not read:
            raise ValueError("expected a closing quote")
        try:
            return msgspec.json.decode(read[0])
        except msgspec.DecodeError:
            return read[0][1:-1]
    if text.startswith("'"):
        read = re.match(r"'((?:[^']|'')*)'", text)
        if not read:
            raise ValueError("expected a closing quote")
        return read[1].replace("''", "'")
    text = re.split(r"(?:^|\s)#", text, maxsplit=1)[0].rstrip()
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII):
        return int(text)
    if re.fullmatch(r"[+-]?\d{1,15}\.\d{1,15}", text, re.ASCII):
        return float(text)
    return text
