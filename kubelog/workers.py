"""work that may be done side by side, its results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered(items: Iterable[T], work: Callable[[T], R], jobs: int) -> Iterator[R]:
    """work(item) for each item, in order, by `jobs` threads: this one, which takes the items, and others.

    Few items are under way at a time. While others work and enough is waiting, this thread works too. An exception of the
    items, or of the work, is raised in its place.
    """
    if jobs < 2:
        yield from map(work, items)
        return
    pool: ThreadPoolExecutor | None = None
    waiting: deque[Future[R]] = deque()
    errors: list[Exception] = []
    try:
        for number, item in enumerate(_until_one_fails(items, errors)):
            if number < 2:
                # A small input's Block, and what its end completes, need no threads: importing them takes longer.
                yield work(item)
                continue
            if pool is None:
                from concurrent.futures import ThreadPoolExecutor

                pool = ThreadPoolExecutor(jobs - 1, "kubelog")
            waiting.append(pool.submit(work, item))
            if len(waiting) > jobs and waiting[-1].cancel():
                waiting[-1] = _done(work, item)
            while waiting and (len(waiting) > 2 * jobs or waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        if errors:
            raise errors[0]
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def _until_one_fails(items: Iterable[T], errors: list[Exception]) -> Iterator[T]:
    try:
        yield from items
    except Exception as error:
        errors.append(error)


def _done(work: Callable[[T], R], item: T) -> Future[R]:
    from concurrent.futures import Future

    future: Future[R] = Future()
    try:
        future.set_result(work(item))
    except Exception as error:
        future.set_exception(error)
    return future
