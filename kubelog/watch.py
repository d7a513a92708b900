"""a LiveReader at work → what a terminal is told meanwhile: at once what is watched, then how it stands. A pipe is told nothing."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kubelog.live import LiveReader
    from kubelog.message.vocabulary.event import Event
    from kubelog.timeline import Change, Correlator
    from kubelog.view.out import Out
    from kubelog.view.status import Known, Status

# How often a terminal is told how it stands.
_EVERY_S: Final = 0.5


class Watch:
    """Tells a terminal of a reader; where there is none, does nothing."""

    def __init__(self, live: LiveReader, known: Known | None = None, status: Status | None = None) -> None:
        self.live, self.known, self.status = live, known, status
        self.since = time.monotonic()  # how long the terminal waits: the one time that is not the log's
        if status is not None:
            import threading

            self.over = threading.Event()
            self.thread = threading.Thread(target=self._run, daemon=True)
            self.thread.start()

    def _run(self) -> None:
        assert self.status is not None
        assert self.known is not None
        head = ""
        while not self.over.wait(_EVERY_S):
            with self.status.held():
                line = self.known.line(time.monotonic() - self.since, is_brief=not self.status.is_dumb)
                # A dumb terminal keeps every line: it is told where something is another.
                if not self.status.is_dumb or (self.known.records and line.split(" · ")[0] != head):
                    self.status.show(line)
                    head = line.split(" · ")[0]

    def saw(self, event: Event) -> None:
        if self.known is not None and getattr(event, "thresholds", None) is not None:
            self.known.configured.add(event.seen.node)

    def told(self, change: Change) -> None:
        if self.known is not None:
            self.known.stands(change.incident)

    @contextmanager
    def taking(self) -> Iterator[None]:
        """While what came is read and told: the status gives way, then knows of it."""
        if self.status is None or self.known is None:
            yield
            return
        with self.status.aside():
            yield
            self.since = time.monotonic()
            self._look(self.known)

    def _look(self, known: Known) -> None:
        """How far the reader has come."""
        live, shown = self.live, self.live.reader.clock.shown
        verdicts = live.feed.verdicts if live.ahead is live.feed else live.feed.verdicts + live.ahead.verdicts
        known.records, known.unparsed = verdicts.total(), verdicts["unparsed"]
        known.nodes, known.year = list(live.heard), live.reader.clock.assumed
        if live.heard:
            last = max(live.heard.values(), key=lambda one: one.us)
            first = min(one.past[0][0] if one.past else one.run_us for one in live.heard.values())
            known.first, known.last = known.first or shown(first), shown(last.us)
            known.silence = (shown(last.past[-1][1]), shown(last.run_us)) if last.past else None

    def end(self) -> None:
        """Nothing more comes: the last status stays."""
        if self.status is not None and self.known is not None:
            self.over.set()
            self.thread.join()
            self.status.end(self.known.line(time.monotonic() - self.since))


def watch(options: argparse.Namespace, out: Out, as_text: bool, live: LiveReader, correlator: Correlator) -> Watch:
    """What tells the terminal: standard error if that is one, else standard output if it shows text."""
    stream = sys.stderr if sys.stderr.isatty() else sys.stdout if out.is_terminal and as_text else None
    if stream is None:
        return Watch(live)
    from kubelog.timeline.correlator import RULES
    from kubelog.view.status import Known, Status, watched

    where = {name: getattr(options, name) for name in ("unit", "node", "pod", "kind", "severity")}
    where |= {name: str(at) for name in ("since", "until") if (at := getattr(options, name)) is not None}
    status = Status(stream, is_dumb=os.environ.get("TERM", "dumb") == "dumb", is_coloured="NO_COLOR" not in os.environ)
    status.say(watched(options.inputs or "-", where, [rule.kind for rule in RULES]))
    known = Known(is_resumed=bool(options.state) and os.path.exists(options.state))
    for incident in correlator.incidents():
        known.stands(incident)
    return Watch(live, known, status)
