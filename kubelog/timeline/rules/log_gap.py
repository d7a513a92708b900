"""LogGap: what the journal itself shows it lacks: lines that journald dropped or journalctl cut short, the time between two boots.

Each loss is told as a gap. An incident is only what no other incident spans, of at least 1,000 lines or 5 minutes. Silence alone is
none: a log that says little, or was filtered, is silent often.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from kubelog.message.vocabulary.event import Event, Heard
from kubelog.message.vocabulary.host import BootChanged, InputLost, JournalSuppressed, LineCut, UnitStarted
from kubelog.message.vocabulary.start import KubeletVersion, NodeConfig
from kubelog.timeline.case import Case
from kubelog.timeline.incident import Cause, Gap, Incident, Instant, instant, shifted
from kubelog.timeline.kubelet import SUPPRESSED_US, Dropped, with_dropped
from kubelog.timeline.rules import Explanation, Rule, State
from kubelog.timeline.words import clock, gap_of, plural, when

_LEAST_US: Final = 300_000_000
_LEAST_LINES: Final = 1000
# Times before this are of no known year.
_YEARLESS_US: Final = 5 * 366 * 86_400_000_000


class Lost(msgspec.Struct, frozen=True, gc=False):
    """What it remembers: how the node's times are shown, and the spans in which lines were dropped."""

    clock: Instant | None = None
    dropped: tuple[Dropped, ...] = ()


class LogGap(Rule):
    """See the module."""

    kind = "LogGap"
    opens = extends = frozenset({JournalSuppressed, LineCut, BootChanged, InputLost})
    explains = frozenset({UnitStarted, NodeConfig, KubeletVersion})
    # What was lost is never lost again: it is kept for as long as another incident may turn out to span it.
    reopen_us = 3_600_000_000
    memory = Lost
    yields = True
    losses = True

    def apply(self, state: State, event: Event, node: str | None) -> State:
        now, memory = instant(event.seen), state.memory
        if now is not None and memory.clock is None:
            memory = msgspec.structs.replace(memory, clock=now)
            state = msgspec.structs.replace(state, memory=memory)
        match event:
            case JournalSuppressed() | LineCut() if now is not None:
                return self._lost(state, event, now)
            case InputLost() if now is not None:
                return self._missing(state, event, now)
            case BootChanged() if event.seen.heard is not None:
                return self._booted(state, event, event.seen.heard.us)
        return state

    def _lost(self, state: State, event: JournalSuppressed | LineCut, now: Instant) -> State:
        memory: Lost = state.memory
        memory = msgspec.structs.replace(memory, dropped=with_dropped(memory.dropped, event, 256))
        state = msgspec.structs.replace(state, memory=memory)
        unit, cut = event.unit or "a unit", isinstance(event, LineCut)
        key, begin = f"{_CUT}{unit}" if cut else unit, now if cut else shifted(now, now.us - SUPPRESSED_US)
        case = state.latest(key)
        if case is None or not case.is_open:
            state, case = state.begin(key, {"unit": event.unit} if event.unit else {})
        text = f"Lines of {unit} are cut short" if cut else f"journald drops lines of {unit}"
        case = case.goes_on(event, "Messages of the kernel are missed" if unit == "kernel" and not cut else text)
        lines = case.marks.get("lines", 0) + (1 if isinstance(event, LineCut) else event.count or 0)
        opened = begin if case.opened is None or begin.us < case.opened.us else case.opened
        return state.put(case.replace(opened=opened, marks={**case.marks, "lines": lines}))

    def _missing(self, state: State, event: InputLost, now: Instant) -> State:
        state, case = state.begin(_MISSING, {})
        begin = now if event.since_us is None or event.since_us > now.us else shifted(now, event.since_us)
        case = case.said(event, f"A part of the log is missing: {event.text}").replace(opened=begin, last=now)
        return state.put(case.close("resolved", "recovered", now))

    def _booted(self, state: State, event: Event, us: int) -> State:
        case = next((one for one in state.cases if _is_boot(one) and one.opened is not None and one.opened.us == us), None)
        if case is None:
            state, case = state.begin(_BOOT, {})
            # Without a last sign it cannot go quiet: it ends with the first record behind it.
            case = case.replace(opened=Instant(us))
        return state.put(case.said(event, "Another boot of the host begins"))

    def settle(self, state: State, heard: Heard | None, until_us: int | None = None) -> State:
        """The boots end with the first record behind them: a run begins there."""
        if heard is None or not state.cases:
            return state
        now = heard.us if until_us is None or until_us > heard.us else until_us
        begins = (*(begin for begin, _ in heard.past), heard.run_us)
        for case in state.cases:
            if _is_boot(case) and case.is_open and case.opened is not None:
                end = next((one for one in begins if case.opened.us < one <= now), None)
                if end is not None:
                    state = state.put(case.replace(last=Instant(end)).close("resolved", "restarted", Instant(end)))
        return super().settle(state, heard, until_us)

    def due_us(self, state: State) -> int:
        # A boot ends with the next record, which may come at any time.
        return -(1 << 62) if any(_is_boot(case) and case.is_open for case in state.cases) else super().due_us(state)

    def passed(self, state: State, heard: Heard | None, us: int) -> State:
        if any(_is_boot(case) and case.is_open for case in state.cases):
            state = self.settle(state, heard, us)
        return super().passed(state, heard, us)

    def incident(self, case: Case, memory: Lost, node: str | None) -> Incident:
        return super().incident(_shown(case, memory), memory, node)

    def explain(self, case: Case, memory: Lost, node: str | None) -> Explanation:
        begin, end, host = when(case.opened), clock(case.last, case.opened), node or "this node"
        proof = tuple(one for step in case.steps for one in step.evidence)[:10]
        if _is_boot(case):
            summary = f"{host} was started anew: from {begin} to {end} the log has no line of it."
            return Explanation(summary, Cause("The journal begins another boot there.", "certain", proof), (), (_BOOT_ADVICE,))
        if case.key == _MISSING:
            text = case.steps[0].text.partition(": ")[2]
            summary = f"From {begin} to {end} a part of the log of {host} is missing."
            return Explanation(summary, Cause(f"Of the files that were read {text}.", "certain", proof), (), (_MISSING_ADVICE,))
        unit, count = case.subject.get("unit", "a unit"), case.marks.get("lines", 0)
        what = f"{plural(count, 'message' if unit == 'kernel' else 'line')} of {'the kernel' if unit == 'kernel' else unit}"
        if case.key.startswith(_CUT):
            summary = f"{what} were cut short from {begin} to {end}: how they ended is not known."
            return Explanation(summary, Cause("journalctl cut them, with --no-full.", "certain", proof), (), (_CUT_ADVICE,))
        summary = f"{what} were lost from {begin} to {end}: what they said is not known."
        if unit == "kernel":
            cause = "The kernel wrote faster than journald read: its ring buffer was overwritten."
            return Explanation(summary, Cause(cause, "certain", proof), (), (_KERNEL_ADVICE,))
        cause = f"journald dropped them: {unit} wrote more lines than its rate limit lets through."
        return Explanation(summary, Cause(cause, "certain", proof), (), (_RATE_ADVICE,))

    def gaps(self, case: Case, memory: Lost, node: str | None) -> tuple[Gap, ...]:
        begin, end = case.opened, case.last
        if begin is None or end is None:
            return ()
        if _is_boot(case):
            text = "another boot of the host begins: what came between is not in the log"
            return () if case.is_open else (Gap(begin, end, node, "boot", text),)
        if case.key == _MISSING:
            return (Gap(begin, end, node, "input", case.steps[0].text.partition(": ")[2]),)
        unit, cut = case.subject.get("unit", ""), case.key.startswith(_CUT)
        spans = (one for one in memory.dropped if one.unit == unit and one.cut == cut)
        return tuple(gap_of(one, node) for one in spans if begin.us <= one.begin.us and one.time.us <= end.us)

    def matters(self, case: Case) -> bool:
        if _is_boot(case) or case.key == _MISSING:
            return case.opened is not None and case.last is not None and case.last.us - case.opened.us >= _LEAST_US
        # Lines that were cut short are there, but for their ends.
        return case.marks.get("lines", 0) >= _LEAST_LINES and not case.key.startswith(_CUT)

    def is_spanned(self, found: Incident, by: Incident) -> bool:
        # Where a span begins in which lines were dropped, no line says.
        by_chance = SUPPRESSED_US if found.counts.get("JournalSuppressed") else 0
        if found.opened is None or found.last_seen is None or by.opened is None or by.opened.us > found.opened.us + by_chance:
            return False
        return by.state == "open" or any(one is not None and one.us >= found.last_seen.us for one in (by.closed, by.last_seen))


_BOOT, _CUT, _MISSING = "-- boot", "-- cut ", "-- missing"  # no unit is called so
_BOOT_ADVICE: Final = (
    "See how the boot before ended (`journalctl -b -1 -e`), and whether the host was restarted on purpose (`last -x`)."
)
_RATE_ADVICE: Final = (
    "Raise the limit for the unit (LogRateLimitIntervalSec=, LogRateLimitBurst=; RateLimitBurst= in journald.conf for all), and "
    "look at what it repeats: the lines around the gap mostly say it."
)
_MISSING_ADVICE: Final = "Read what is missing too, or a whole copy of what breaks off; keep more files when logs are rotated."
_CUT_ADVICE: Final = "Write the log with `journalctl --no-pager --full --all`."
_KERNEL_ADVICE: Final = "Give the kernel a larger buffer (log_buf_len=), and look at what it repeats (`dmesg`)."


def _is_boot(case: Case) -> bool:
    return case.key == _BOOT


def _shown(case: Case, memory: Lost) -> Case:
    """With times as the node's events show theirs: of a boot only µs are known."""
    if not _is_boot(case):
        return case
    opened, last = (None if one is None else _time(one.us, memory.clock) for one in (case.opened, case.last))
    return case.replace(opened=opened, last=last, closed=None if case.closed is None else last)


def _time(us: int, clock: Instant | None) -> Instant:
    if clock is None and us >= _YEARLESS_US:
        clock = Instant(us, datetime.fromtimestamp(us // 1_000_000, UTC).replace(tzinfo=None, microsecond=us % 1_000_000))
    return shifted(clock or Instant(us), us)
