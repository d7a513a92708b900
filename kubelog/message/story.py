"""Records → those about one pod, whatever form its name has: the pod's story.

A pod is named `namespace/name`, `name_namespace(uid)`, `namespace_name_uid` (its log directory), by two pairs, or by its uid alone:
a uid counts from the place on at which the log gives it to that name. A StatefulSet's pod has had several.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from kubelog.ingest.block import Block

# What names of Kubernetes are made of: a longer name is another's.
_NAME = rb"[A-Za-z0-9.-]"
_UID = rb"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}"
# In front of an absent place.
_NEVER = (1 << 62, 0)


class Story:
    """Which records are about a pod."""

    def __init__(self, namespace: str, name: str) -> None:
        self.namespace, self.name = namespace, name
        self._bytes = (name or "\n").encode("utf-8", "surrogateescape")
        of, one = (re.escape(text.encode("utf-8", "surrogateescape")) for text in (namespace, name))
        named = rb"(?<!%s)%s_%s" % (_NAME, one, of)
        placed = rb"(?<!%s)%s_%s" % (_NAME, of, one)
        whole = rb"(?<![\w./-])%s/%s(?![\w.-])" % (of, one)
        within = rb"namespaces/%s/pods/%s(?!%s)" % (of, one, _NAME)
        self._named = re.compile(rb"%s(?!%s)|%s(?=_[0-9a-f])|%s|%s" % (named, _NAME, placed, whole, within))
        # Two pairs, or two members of an object, in either order.
        self._pair = re.compile(rb"(?:name|Name|pod|Pod)[\"\\]*[=: ]+[\"\\]*%s(?!%s)" % (one, _NAME))
        self._space = re.compile(rb"(?:n|N)amespace[\"\\]*[=: ]+[\"\\]*%s(?!%s)" % (of, _NAME))
        # Where a text gives the pod's uid: `web-0_default(…)`, Docker's containers, a directory of logs, a pair behind it.
        self._given = re.compile(rb"(?:%s[_(]|%s_|%s\"?[^\n]{0,80}? podUID=\"?)(%s)" % (named, placed, whole, _UID))
        self.uids: dict[bytes, tuple[int, int]] = {}  # and the place from which on it is known: number of the input, offset
        self._inputs: dict[str, int] = {}

    def learn(self, block: Block) -> None:
        """Take from a Block which uids are the pod's. Blocks of an input come in order."""
        data = block.data
        if self._bytes not in data:
            return
        number = self._number(block.path)
        for found in self._given.finditer(data):
            line = bisect_right(block.at, found.start(), 0, block.lines) - 1
            place = number, block.offset_of(line)
            for uid in {found[1], found[1].replace(b"-", b"_")}:
                self.uids[uid] = min(place, self.uids.get(uid, _NEVER))

    def _number(self, path: str) -> int:
        return self._inputs.setdefault(path, len(self._inputs))

    def tells(self, namespace: str | None, name: str | None, raw: bytes, path: str, offset: int) -> bool:
        """Whether a record is about the pod: `namespace` and `name` are what it is said to be about."""
        if name == self.name and namespace in (self.namespace, None):
            return True
        if self._bytes in raw:
            if self._named.search(raw):
                return True
            if self._pair.search(raw) and self._space.search(raw):
                return True
        if not self.uids:
            return False
        place = self._number(path), offset
        return any(uid in raw for uid, since in self.uids.items() if since <= place)
