"""record → signature: a stable masked text, so that what the grammar does not know can be counted and compared."""

from __future__ import annotations

import re

_QUOTED = re.compile(r'"[^"]*"')
_DIGIT = re.compile("[0-9]")
_MOST = 200


def of_text(text: str) -> str:
    """The first line with quoted texts and words that hold a digit masked as `*`; at most 200 characters."""
    first = _QUOTED.sub('"*"', text.split("\n", 1)[0][:4096])
    return " ".join(["*" if _DIGIT.search(word) else word for word in first.split()])[:_MOST]
