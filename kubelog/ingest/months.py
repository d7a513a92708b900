"""months' names → their numbers, in the language of one input.

Some names are of different months in different languages: `lip` is June in Croatian and July in Polish. What else the input says
tells which it is: a klog header on the same line; the other names, of which only some languages have all; the month before. Names
are met in the order of the lines, so where an input is cut does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubelog.ingest.calendar import DAY, DAYS_BEFORE

UNMET, UNKNOWN = 0, -1


class Months:
    """The months' names of one input."""

    def __init__(self, meanings: dict[str, int], calendars: Sequence[Sequence[str]], common: int) -> None:
        """What each name most often means; the months of languages that have a name of several meanings, `common` ones first."""
        self.meanings, self.calendars, self.common = meanings, calendars, common
        self.known: dict[str, int] = {}  # of the names that were met; UNKNOWN where nothing tells
        self.taught: set[str] = set()  # those that a header told

    def copy(self) -> Months:
        copied = Months(self.meanings, self.calendars, self.common)
        copied.known, copied.taught = self.known.copy(), self.taught.copy()
        return copied

    def state(self) -> list[Any]:
        """What was learnt, as plain data."""
        return [self.known, sorted(self.taught)]

    def restore(self, state: Any) -> None:
        known, taught = state
        self.known, self.taught = dict(known), set(taught)

    def likely(self, name: bytes) -> int:
        """What a name means in the commonest language that has it; 0 where none has."""
        return self.meanings.get(_folded(name), 0)

    def number(self, name: bytes) -> int:
        """The number of a month's name as far as the lines before tell; UNMET where none of them has it."""
        return self.known.get(_folded(name), UNMET)

    def meet(self, name: bytes, last: int | None) -> int:
        """The number of a name that comes for the first time, behind the moment `last`; UNKNOWN where nothing tells."""
        folded = _folded(name)
        if folded not in self.known:
            month = 0 if last is None else next(number for number in range(1, 13) if last < DAYS_BEFORE[number] * DAY)
            self.known[folded] = UNKNOWN
            self._decide(folded, month)
        return self.known[folded]

    def teach(self, name: bytes, moment: int, stamp: int) -> int:
        """The number of a name on a line whose klog header, of that moment, says the month."""
        number = 1
        while moment >= DAYS_BEFORE[number] * DAY:
            number += 1
        folded = _folded(name)
        is_near = abs(moment - DAYS_BEFORE[number - 1] * DAY - stamp) < DAY
        if is_near and self.known.get(folded) != number and (self.known.get(folded) == UNKNOWN or self._may_be(folded, number)):
            self.known[folded] = number
            self.taught.add(folded)
            self._decide(folded, 0)
        return self.known[folded]

    def _may_be(self, folded: str, number: int) -> bool:
        return any(calendar[number - 1] == folded for calendar in self.calendars)

    def _decide(self, newest: str, month: int) -> None:
        """What the names mean that were met, now that there is one more; `month` is that of the line before it."""
        names = [name for name in self.known if name in self.meanings]
        languages = [
            (one, number < self.common)
            for number, one in enumerate(self.calendars)
            if all(name in one for name in names)
            and all(one[self.known[name] - 1] == name for name in self.taught if name in self.meanings)
        ]
        for name in self.known.keys() - self.taught:
            possible = {one.index(name) + 1 for one, _ in languages if name in one}
            if len(possible) == 1:
                self.known[name] = possible.pop()
            elif name == newest or not possible:
                # Time goes on, a month at most between two lines.
                met = {one.index(name) + 1 for one, common in languages if common and name in one}
                follows = [number for number in (month, month % 12 + 1) if month and number in met]
                self.known[name] = follows[0] if follows else self.meanings.get(name, UNKNOWN)


def _folded(name: bytes) -> str:
    return name.decode("utf-8", "replace").casefold().rstrip(".")
