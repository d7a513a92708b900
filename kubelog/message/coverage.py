"""Records → how much of a log was understood."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kubelog.ingest.block import UNPARSED, VERDICTS, Block, text
from kubelog.message.record import Record, RecordMaker


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

    def add_block(self, block: Block, cells: Any, maker: RecordMaker) -> None:
        """The records of a Block, by its columns; `cells` is the CellReader of it."""
        rows = len(block)
        cells.read()
        odd = set(cells.odd_rows())
        for verdict, count in Counter(block.verdict[:rows]).items():
            self.verdicts[VERDICTS[verdict]] += count
        for kind, count in Counter(block.kind[:rows]).items():
            if kind >= 0:
                self.kinds[maker.table.entries[kind].event] += count
        untyped = [row for row in range(rows) if block.kind[row] < 0 and block.verdict[row] != UNPARSED]
        signatures, names = cells.out["signature"], [text(name) for name in cells.signature_texts()]
        for code, count in Counter(signatures[row] for row in untyped if row not in odd).items():
            self.unknown[names[code]] += count
        for row in sorted(odd.intersection(untyped)):
            self.unknown[maker.record(block, row).signature] += 1
