"""Records → how much of a log was understood."""

from __future__ import annotations

from collections import Counter

from kubelog.message.record import Record


class Coverage:
    """Records by verdict, kinds by count, and the signatures of what is not typed."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()

    def add(self, record: Record) -> None:
        self.verdicts[record.verdict] += 1
        if record.kind is not None:
            self.kinds[record.kind] += 1
        elif record.verdict != "unparsed":
            self.unknown[record.signature] += 1
