"""bytes of a KubeletConfiguration beside a log → KubeletConfigFile. YAML as people keep it, or JSON; also inside a ConfigMap.

Documents that refer to themselves (anchors) or make objects of tags are not read.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from kubelog.grammar.compile import MAX_DEPTH
from kubelog.message.vocabulary import threshold as thresholds
from kubelog.message.vocabulary.event import Event, Seen
from kubelog.message.vocabulary.threshold import Threshold

# No configuration is larger.
LARGEST: Final = 1 << 18
KIND: Final = "KubeletConfiguration"
_SIGN: Final = re.compile(rb"KubeletConfiguration|\"kubeletconfig\"")


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
    """What a document says; None where it is neither JSON nor YAML."""
    if document.lstrip().startswith(("{", "[")):
        try:
            return msgspec.json.decode(document.strip())
        except (msgspec.DecodeError, RecursionError):
            pass
    import yaml

    loader = _loader()
    try:
        depth = 0
        for event in yaml.parse(document, loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH or isinstance(event, yaml.AliasEvent):
                return None
        return yaml.load(document, loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


@functools.cache
def _loader() -> Any:
    """PyYAML's safe loader, but for dates: what looks like one is text."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader


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
