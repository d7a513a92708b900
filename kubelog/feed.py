"""Blocks → Events: those that the rules ask for, each with its node and with how far that node's records had come."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from kubelog.ingest.block import NONE, VERDICTS, Block, text
from kubelog.ingest.calendar import DAY
from kubelog.ingest.clock import AHEAD, BACK
from kubelog.ingest.cut import cut_rows
from kubelog.message.filter import Filter
from kubelog.message.heard import Listener
from kubelog.message.record import RecordMaker
from kubelog.message.vocabulary.event import GAP_US, LATE_US, Event, Heard
from kubelog.message.vocabulary.host import BootChanged, InputLost, LineCut

# Moments without a year count in a leap year.
_YEAR = 366 * DAY


class Feed:
    """Blocks → the events that the rules ask for, each with how far its node's records had come.

    `wanted` are the kinds; as a mapping, with texts of which a record must hold one, where there are any. A line that names no node
    is of the node of the line before, unless `node` is fixed. The leaf goes over the rows; what is
    done here is done for each event, and for each run of a node's records.
    """

    def __init__(
        self, wanted: Collection[str], where: Filter, node: str | None = None, *, fixed: bool = False, leaf: Any = Listener
    ) -> None:
        self.wanted: Mapping[str, tuple[bytes, ...]] = wanted if isinstance(wanted, Mapping) else dict.fromkeys(wanted, ())
        self.where, self.node, self.fixed, self.leaf = where, node, fixed, leaf
        self.heard: dict[str | None, Heard] = {}
        self.verdicts: Counter[str] = Counter()
        self.moment: int | None = None  # of the line before, where no year is known
        self.turned = 0  # µs of the New Years that were passed without one
        self.booting: set[str | None] = set()  # the nodes that said of a boot, but no time since
        self.cut = 0  # lines that journalctl cut short
        self.filters = bool(where)
        self._kinds: array[int] | None = None  # of each wording, whether its event is wanted
        self._texts: list[tuple[bytes, ...]] = []  # and which texts its record must hold

    def fork(self) -> Feed:
        """A copy that may run ahead, but for the verdicts."""
        copied = Feed(self.wanted, self.where, self.node, fixed=self.fixed, leaf=self.leaf)
        copied.heard, copied.moment, copied.turned = self.heard.copy(), self.moment, self.turned
        copied._kinds, copied._texts = self._kinds, self._texts
        copied.booting = self.booting.copy()
        return copied

    def is_timed(self, block: Block) -> bool:
        """Whether a record of a Block has a time."""
        return bool(_timed(block).strip(b"\0"))

    def lost(self, text: str, block: Block, maker: RecordMaker, behind: bool = False) -> Event | None:
        """That a part of the input is missing before a Block, or behind it; None where no record of it has a time."""
        timed = _timed(block)
        if not timed.strip(b"\0"):
            return None
        row = len(timed.rstrip(b"\0")) - 1 if behind else len(timed) - len(timed.lstrip(b"\0"))
        maker.node = self.node
        seen = maker.seen(block, row, self.turned, self.heard.get)
        if seen.heard is None or seen.time_us is None:
            return InputLost(text=text, seen=seen)
        return InputLost(text=text, since_us=seen.heard.us, seen=replace(seen, heard=seen.heard.at(seen.time_us)))

    def read(self, block: Block, maker: RecordMaker) -> Iterator[Event]:
        """The wanted events of a Block."""
        rows = len(block)
        if not rows:
            return
        verdicts = memoryview(block.verdict)[:rows].tobytes()
        for number, verdict in enumerate(VERDICTS):
            count = verdicts.count(number)
            if count:
                self.verdicts[verdict] += count
        if self._kinds is None:
            self._kinds = array("b", [entry.event in self.wanted for entry in maker.table.entries])
            self._texts = [self.wanted.get(entry.event, ()) for entry in maker.table.entries]
        listener = self.leaf(block, self._kinds, GAP_US, LATE_US, _YEAR, BACK, AHEAD)
        nodes = _Nodes(self, listener, [text(name) for name in block.nodes.values(block.data)])
        cut = cut_rows(block) if "LineCut" in self.wanted else []
        self.cut += len(cut)
        # What is typed all the same tells of itself. The leaf ends behind each that is not, and goes on.
        ends = iter([row + 1 for row in cut if block.kind[row] < 0])
        end = next(ends, None)
        listener.rows = end or rows
        row = listener.read(0)
        while row < rows or end is not None:
            if row == end:
                maker.node = nodes.names[listener.node]
                if not self.filters or self.where.admits(maker.record(block, row - 1)):
                    seen = maker.seen(block, row - 1, listener.shift, nodes.asked)
                    yield LineCut(unit=seen.unit, seen=seen)
                end = next(ends, None)
                listener.rows = end or rows
            elif listener.asked and not _holds(block, row, self._texts[block.kind[row]]):
                row += 1
            elif listener.asked:
                maker.node = nodes.names[listener.node]
                if not self.filters or self.where.admits(maker.record(block, row)):
                    made = maker.event(block, row, listener.shift, nodes.asked)
                    if made is not None:
                        if type(made[0]) is BootChanged:
                            nodes.booted(listener.of)
                        yield made[0]
                row += 1
            else:
                nodes.listen()
            row = listener.read(row)
        nodes.take_back()


class _Nodes:
    """The nodes of a Block: the leaf knows them by number. How far their records came is taken back from it when it counts."""

    def __init__(self, feed: Feed, leaf: Any, names: list[str]) -> None:
        self.feed, self.leaf = feed, leaf
        self.numbers: dict[str | None, int] = {None: 0}
        for name in (*names, feed.node):
            self.numbers.setdefault(name, len(self.numbers))
        self.names = list(self.numbers)
        known = [feed.heard.get(name) for name in self.names]
        self.us = array("q", [NONE if one is None else one.us for one in known])
        self.run_us = array("q", [NONE if one is None else _begin(one) for one in known])
        leaf.us, leaf.run_us = self.us, self.run_us
        leaf.number_of = array("q", [self.numbers[name] for name in names] or [0])
        leaf.node, leaf.fixed = self.numbers[feed.node], feed.fixed
        leaf.moment, leaf.turned = NONE if feed.moment is None else feed.moment, feed.turned
        leaf.gap = 0 if feed.booting else GAP_US

    def listen(self) -> None:
        """Do what the leaf stopped for: the record that it stopped at begins a run or moves one, or names the first node."""
        number, time = self.leaf.of, self.leaf.at
        if time == NONE:
            self._named(number)
            return
        before, name = self._heard(number), self.names[number]
        heard = Heard(time, time) if before is None else before.at(time, name in self.feed.booting)
        self._put(number, heard)
        if name in self.feed.booting and heard.run_us == time > (before.us if before is not None else NONE):
            self.feed.booting.discard(name)
            self.leaf.gap = 0 if self.feed.booting else GAP_US

    def booted(self, number: int) -> None:
        """The next record of a node begins a run: the leaf stops at each until it has come."""
        if self.names[number] in self.feed.heard:
            self.feed.booting.add(self.names[number])
            self.leaf.gap = 0

    def asked(self, node: str | None) -> Heard | None:
        """How far the records of a node have come of which an event is made."""
        number = self.numbers.get(node)
        if number is None:
            number = self._add(node)
        if number and number != self.leaf.node and not self.feed.fixed:
            self._named(number)
        heard = self._heard(number)
        if heard is not None and heard.past:
            self.feed.heard[node] = heard.asked()
        return heard

    def take_back(self) -> None:
        """All of it, at the end of the Block."""
        feed, leaf = self.feed, self.leaf
        for number in range(len(self.names)):
            self._heard(number)
        feed.node = self.names[leaf.node]
        feed.moment, feed.turned = None if leaf.moment == NONE else leaf.moment, leaf.turned

    def _named(self, number: int) -> None:
        """A line names its node: so it is that of the lines behind it, and of those before it that no line names."""
        if self.leaf.node == 0:
            before = self._heard(0)
            if before is not None:
                del self.feed.heard[None]
                self.us[0] = NONE
                self._put(number, before)
                if None in self.feed.booting:
                    self.feed.booting.discard(None)
                    self.feed.booting.add(self.names[number])
        self.leaf.node = number

    def _heard(self, number: int) -> Heard | None:
        us, name = self.us[number], self.names[number]
        if us == NONE:
            return None
        heard = self.feed.heard[name]
        if heard.us != us:
            # The leaf moves nothing else.
            heard = self.feed.heard[name] = Heard(us, heard.run_us, heard.past, heard.booted)
        return heard

    def _put(self, number: int, heard: Heard) -> None:
        self.feed.heard[self.names[number]] = heard
        self.us[number], self.run_us[number] = heard.us, _begin(heard)

    def _add(self, node: str | None) -> int:
        """A node that no line of the Block names but a text in it."""
        number = self.numbers[node] = len(self.names)
        self.names.append(node)
        heard = self.feed.heard.get(node)
        self.us = self.us + array("q", [NONE if heard is None else heard.us])
        self.run_us = self.run_us + array("q", [NONE if heard is None else _begin(heard)])
        self.leaf.us, self.leaf.run_us = self.us, self.run_us
        return number


def _holds(block: Block, row: int, texts: tuple[bytes, ...]) -> bool:
    """Whether a record's body holds one of these texts; where there are none, it does."""
    if not texts:
        return True
    b, start, _, stop = block.body(row)
    return any(b.find(text, start, stop) >= 0 for text in texts)


def _timed(block: Block) -> bytes:
    """Of each record where its time is from; 0: it has none."""
    return memoryview(block.time_source)[: len(block)].tobytes()


def _begin(heard: Heard) -> int:
    """What a record must lie before to move the beginning of the run."""
    return heard.run_us if heard.run_us > heard.least_us else -(1 << 62)
