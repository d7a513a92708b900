"""A journal → what one tool finds in it: a file a tool, each used in the best way that we know.

An engine is a module with `prepare()`, which gets ready what does not depend on the input (imports, patterns, programs) and
raises Unavailable where the tool is not to be had, and `read(state, path)`, which is measured and returns a Reading. What is only
needed to check a result is done in the Reading's `finish`, which is not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

# The prefix of `journalctl -o short` and klog's header, a group a column; what stands behind is the message.
PREFIX = r"^(\w+ +\d+ \d\d:\d\d:\d\d) (\S+) ([^\[ ]+)\[(\d+)\]: "
HEADER = r"([IWEF])(\d{4} \d\d:\d\d:\d\d\.\d{6}) +(\d+) ([^:\]]+):(\d+)\] "
# A header without its last bracket: for tools that split lines at fixed texts and then ask whether that was one.
KLOG = r"^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ [^: ]+:\d+$"


@dataclass
class Reading:
    """What an engine found."""

    kinds: dict[str, int]  # kind → records; empty where the tool only counts
    told: dict[str, Any] = field(default_factory=dict)  # numbers that the truth has under the same name
    fields: Callable[[], Iterator[tuple[str, Iterable[bytes | None]]]] | None = None  # (kind, values), to be checked; not measured
    values: dict[int, tuple[str | None, dict[str, Any]]] = field(default_factory=dict)  # line → kind, typed values; to be checked
    sums: dict[str, int] | None = None  # kind → checksum, where the tool makes it itself
    finish: Callable[[Reading, dict[str, Any]], list[str]] | None = None  # (itself, the truth) → what is wrong; may fill it in
    cpu_ns: int | None = None  # where the tool measures itself
    peak_kib: int | None = None
