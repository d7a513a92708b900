"""an input that grows → its incidents, told as they open, evolve and close."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from kubelog.errors import InputError
from kubelog.ingest.columns import give_freed

if TYPE_CHECKING:
    from kubelog.hook import Hook
    from kubelog.ingest.inputs.follow import Growing, Piece
    from kubelog.live import LiveReader
    from kubelog.message.vocabulary.event import Event, Heard
    from kubelog.state import State
    from kubelog.timeline import Change, Correlator
    from kubelog.view.out import Out
    from kubelog.watch import Watch


# Memory that is free is given back when so many bytes were read.
_OFTEN: Final = 32 << 20


class StopError(BaseException):
    """SIGTERM or SIGINT came."""


class Signals:
    """SIGTERM and SIGINT end the waiting at once, and all else when it is done."""

    def __init__(self) -> None:
        self.came = self.waits = False

    def __enter__(self) -> Signals:
        self.before = [(number, signal.signal(number, self._handle)) for number in (signal.SIGTERM, signal.SIGINT)]
        return self

    def __exit__(self, *rest: object) -> None:
        for number, handler in self.before:
            signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        self.came = True
        if self.waits:
            raise StopError

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Here nothing is half done."""
        self.waits = True
        try:
            if self.came:
                raise StopError
            yield
        finally:
            self.waits = False


class Tail:
    """Reads what grows, tells the Changes, keeps the state."""

    def __init__(
        self, live: LiveReader, correlator: Correlator, *, tell: Callable[[Change], bytes], out: Out, watch: Watch,
        says: Callable[[str], None], state: State | None = None, hook: Hook | None = None,
    ) -> None:  # fmt: skip
        self.live, self.correlator, self.tell, self.out, self.watch = live, correlator, tell, out, watch
        self.says, self.state, self.hook = says, state, hook
        self.place: Any = None  # up to where everything was told, as the state says it
        self.known: dict[str | None, Heard] = {}  # how far the correlator knows each node's records to have come

    def resumed(self) -> Any:
        """Go on where the state was saved; the place in the input, None where it is to be read from its beginning."""
        place, reader = self.state.place if self.state else None, self.live.reader
        if place is None:
            return None
        try:
            if place["reader"]["path"] != reader.path:
                self.says(f"the state was saved reading {place['reader']['path']}: {reader.path} is read from its beginning")
                return None
            input_, held, dropped = place["input"], place["held"], place["dropped"]
            self.live.resume(place["reader"])
        except (LookupError, TypeError, ValueError) as error:
            self.says(f"the state does not say how far {reader.path} was read ({error}): it is read from its beginning")
            return None
        self.correlator.begin(reader.path, max(self.live.early, default=-1))
        for event in self.live.push(held):
            self.correlator.take(event)  # it was told before
        reader.dropped = dropped
        self.place = place
        return input_

    def run(self, grows: Growing, is_enough: Callable[[], bool] = lambda: False) -> None:
        """Read on until the input ends, a signal comes or enough was told."""
        with Signals() as signals:
            read = 0
            pieces = iter(grows)
            while piece := self._next(pieces, signals):
                if piece.said:
                    self.says(piece.said)
                if piece.lost:
                    self.live.missing = (piece.said or "").partition(": ")[2]
                if not piece.data and not piece.begins:
                    if self.state is not None and self.place is not None:
                        self.state.idle(self.place)
                    continue
                with self.watch.taking():
                    text = self._ended() if piece.begins else b""
                    if piece.begins:
                        self._begin()
                    text += self._taken(self.live.push(piece.data))
                    self.place = self._place(grows.place())
                    if not self._batch(text, signals):
                        return
                read += len(piece.data)
                if read > _OFTEN:
                    give_freed()
                    read = 0
                if is_enough() and self.place is not None:
                    break
            with self.watch.taking():
                if self.state is None or self.place is None:
                    # Nobody goes on from here.
                    self._batch(self._ended(), signals)
                if self.state is not None:
                    self.state.save(self.place)

    def _next(self, pieces: Iterator[Piece], signals: Signals) -> Piece | None:
        try:
            with signals.waiting():
                return next(pieces, None)
        except StopError:
            return None

    def _begin(self) -> None:
        """Another file goes on where the one before ended."""
        reader = self.live.reader
        reader.go_on(0, 1, reader.boot)
        self.correlator.begin(reader.path)

    def _ended(self) -> bytes:
        """What the end of a file completes."""
        text = self._taken(self.live.push(b"", final=True))
        return text + self._told(self.correlator.flush())

    def _taken(self, events: Iterable[Event]) -> bytes:
        text = []
        for event in events:
            self.watch.saw(event)
            text.append(self._told(self.correlator.feed(event)))
        for node, heard in self.live.heard.items():
            if self.known.get(node) is not heard:
                self.known[node] = heard
                text.append(self._told(self.correlator.advance(node, heard)))
        return b"".join(text)

    def _told(self, changes: Iterable[Change]) -> bytes:
        text = []
        for change in changes:
            self.watch.told(change)
            text.append(self.tell(change))
            if self.hook is not None and change.action in ("opened", "closed"):
                self.hook.run(change)
        return b"".join(text)

    def _place(self, input_: Any) -> Any:
        """Where the input, what reads it and what it holds stand."""
        if input_ is None or self.state is None:
            return input_
        reader = self.live.reader
        return {"input": input_, "reader": self.live.place(), "held": reader.held, "dropped": reader.dropped}

    def _batch(self, text: bytes, signals: Signals) -> bool:
        """Write what a batch tells; whether someone took it."""

        def write(text: bytes) -> None:
            descriptor, left = self.out.file.fileno(), memoryview(text)
            while left:
                with signals.waiting():
                    select.select([], [descriptor], [])
                # So much can be written now without waiting: a signal finds nothing half told.
                left = left[os.write(descriptor, left[: select.PIPE_BUF]) :]

        again = "; it is told again at the next start" if self.state else ""
        try:
            if self.state is not None:
                self.state.batch(text, self.place, write)
            elif text:
                write(text)
        except StopError:
            self.says(f"stopped while nobody took what was told{again}")
            return False
        except BrokenPipeError:
            if self.state is not None:
                raise InputError("standard output", f"closed by its reader{again}") from None
            raise
        return True
