"""events of several inputs → one stream in time order.

Within an input the order stays: a line never overtakes one before it. Facts that have no place in time (the rows of a table, a
command line) come before everything else, where an input begins with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubelog.message.vocabulary.event import Event, Heard
from kubelog.message.vocabulary.evidence import ClusterEvent, FilesystemUsage
from kubelog.message.vocabulary.start import KubeletFlags

Fed = Event | tuple[str | None, Heard]
FACTS = (ClusterEvent, FilesystemUsage, KubeletFlags)


def merge(inputs: Sequence[Iterator[Fed]]) -> Iterator[Fed]:
    """Merge by time; inputs with equal times keep their order."""
    return inputs[0] if len(inputs) == 1 else _merged(inputs)


def _merged(inputs: Sequence[Iterator[Fed]]) -> Iterator[Fed]:
    import heapq

    heap: list[tuple[int, int, Fed, Iterator[Fed]]] = []
    for number, events in enumerate(inputs):
        for one in events:
            if isinstance(one, FACTS):
                yield one
                continue
            heap.append((_time(one, -(1 << 62)), number, one, events))
            break
    heapq.heapify(heap)
    while heap:
        time, number, one, events = heap[0]
        yield one
        following = next(events, None)
        if following is None:
            heapq.heappop(heap)
        else:
            heapq.heapreplace(heap, (max(time, _time(following, time)), number, following, events))


def _time(one: Fed, before: int) -> int:
    """When it was said; what has no time is said right after what came before."""
    if not isinstance(one, Event):
        return one[1].us
    return before if one.seen.time_us is None else one.seen.time_us
