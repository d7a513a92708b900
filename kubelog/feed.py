"""Blocks → Events: those that the rules ask for, each with its node and with how far that node's records had come."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator

import msgspec

from kubelog.ingest.block import NONE, VERDICTS, Block
from kubelog.ingest.calendar import DAY
from kubelog.ingest.clock import AHEAD, BACK
from kubelog.message.filter import Filter
from kubelog.message.record import RecordMaker
from kubelog.message.vocabulary import Event, Heard

# Moments without a year count in a leap year.
_YEAR = 366 * DAY


class Feed:
    """Blocks → the events that the rules ask for, each with how far its node's records had come.

    A line that names no node is of the node of the line before, unless `node` is fixed.
    """

    def __init__(self, wanted: frozenset[str], where: Filter, node: str | None = None, *, fixed: bool = False) -> None:
        self.wanted, self.where, self.node, self.fixed = wanted, where, node, fixed
        self.heard: dict[str | None, Heard] = {}
        self.verdicts: Counter[str] = Counter()
        self.moment: int | None = None  # of the line before, where no year is known
        self.turned = 0  # µs of the New Years that were passed without one
        self._kinds: dict[int, bool] = {}

    def fork(self) -> Feed:
        """A copy that may run ahead."""
        copied = copy.copy(self)
        copied.heard, copied.verdicts = self.heard.copy(), self.verdicts.copy()
        return copied

    def read(self, block: Block, maker: RecordMaker) -> Iterator[Event]:
        """The wanted events of a Block."""
        process, named = -1, None
        for row in range(len(block)):
            line = block.first[row]
            self.verdicts[VERDICTS[block.verdict[row]]] += 1
            if block.process[line] != process:
                process, named = block.process[line], block.node(line)
            if named is not None:
                self._name(named)
            node = named or self.node
            time, turned = block.time[row], 0
            if time == NONE and block.since_year[row] != NONE:
                turned = self._turn(block.since_year[row])
                time = block.since_year[row] + turned
            if time != NONE:
                heard = self.heard.get(node)
                self.heard[node] = Heard(time, time) if heard is None else heard.at(time)
            number = block.kind[row]
            if number >= 0 and self._wants(number, maker):
                event = self._event(block, row, maker, turned)
                if event is not None:
                    yield event

    def _event(self, block: Block, row: int, maker: RecordMaker, turned: int) -> Event | None:
        maker.node = self.node
        if self.where and not self.where.admits(maker.record(block, row)):
            return None
        made = maker.event(block, row)
        if made is None:
            return None
        event, seen = made[0], made[0].seen
        if seen.node is not None:
            self._name(seen.node)
        heard = self.heard.get(seen.node)
        if heard is not None:
            self.heard[seen.node] = heard.asked()
        time = seen.time_us + turned if seen.time_us is not None else None
        return msgspec.structs.replace(event, seen=msgspec.structs.replace(seen, heard=heard, time_us=time))

    def _name(self, node: str) -> None:
        """A line names its node: so it is that of the lines behind it, and of those before it that no line names."""
        if self.fixed or node == self.node:
            return
        if self.node is None and None in self.heard:
            self.heard[node] = self.heard.pop(None)
        self.node = node

    def _turn(self, moment: int) -> int:
        """µs to add to a moment without a year, so that it is behind those before it."""
        if self.moment is not None:
            if moment < self.moment - BACK:
                self.turned += _YEAR
            elif moment > self.moment + AHEAD:
                return self.turned - _YEAR
        self.moment = moment
        return self.turned

    def _wants(self, number: int, maker: RecordMaker) -> bool:
        wants = self._kinds.get(number)
        if wants is None:
            wants = self._kinds[number] = maker.table.entries[number].event in self.wanted
        return wants
