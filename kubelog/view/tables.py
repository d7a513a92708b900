"""Coverage, settings, explanations and grammars → lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kubelog.message.coverage import Coverage
from kubelog.message.explanation import Explanation
from kubelog.message.record import plain, stamp
from kubelog.message.vocabulary.start import NodeConfig
from kubelog.timeline.settings import Settings
from kubelog.view import words
from kubelog.view.escape import json, terminal
from kubelog.view.text import Line

_SEVERITY = {"I": "information", "W": "a warning", "E": "an error", "F": "fatal, the program ended"}
_VERDICT = {
    "typed": "the grammar knows this message",
    "structured": "a message and its pairs; the grammar does not know this message",
    "header": "a header and a text; the grammar does not know this text",
    "plain": "no klog header: a line of another program, or one that klog did not write",
    "unparsed": "no header and no envelope that kubelog knows",
}


def coverage(found: Coverage, most: int = 20) -> Iterator[Line]:
    """Records by verdict, kinds by count, the most frequent unknown signatures."""
    total = sum(found.verdicts.values())
    yield [(f"{total:,} record{'' if total == 1 else 's'}", "bold")]
    for verdict, count in found.verdicts.most_common():
        yield [(f"{count:>10,}  {count / total:>4.0%}  ", ""), (verdict, "bold")]
    for head, counts in (("kinds", found.kinds), ("not in the grammar, by signature", found.unknown)):
        if counts:
            yield []
            yield [(head, "bold")]
        for name, count in counts.most_common(most if counts is found.unknown else None):
            yield [(f"{count:>10,}  ", ""), (terminal(name), "")]
        if counts is found.unknown and len(counts) > most:
            yield [(f"{'':>10}  and {len(counts) - most:,} more signatures", "dim")]


def coverage_dict(found: Coverage, most: int = 100) -> dict[str, Any]:
    """The same as data."""
    return {
        "records": sum(found.verdicts.values()),
        "verdicts": dict(found.verdicts),
        "kinds": dict(found.kinds.most_common()),
        "unknown": [{"signature": text, "count": count} for text, count in found.unknown.most_common(most)],
    }


def settings(found: Iterable[Settings]) -> Iterator[Line]:
    """The kubelet's settings at each start, what changed, and what differs between nodes."""
    none = True
    differing: dict[str, dict[str, dict[str, Any]]] = {}
    for one in found:
        if not none:
            yield []
        none = False
        if one.differs:
            differing[one.source] = one.differs
        what = {"flags": "Flags beside the log", "file": "Configuration file"}.get(one.source)
        release = what or f"Kubernetes {one.to_dict()['kubernetes']}"
        yield [
            (terminal(one.node or "kubelet"), "bold"), (f"  {words.day_and_clock(one.time)}".rstrip(), "cyan"),
            (f"  {release}  ", ""), (terminal(words.place(one.evidence)), "dim"),
        ]  # fmt: skip
        yield from _eviction(one)
        for path, (before, now) in one.changed.items():
            yield [("  changed  ", "bold yellow"), (f"{terminal(path)}: {_value(before)} → {_value(now)}", "")]
        yield from tree(one.settings or one.flags, "  ")
    for differs in differing.values():
        yield []
        yield [("Differs", "bold")]
        for path, values in differs.items():
            yield [(f"  {terminal(path)}", "yellow")]
            for name, value in values.items():
                yield [(f"    {terminal(name)}: ", "cyan"), (_value(value), "")]
    if none:
        yield [("No start of a kubelet is in the log (it prints its Node Config once, at start).", "bold")]


def _eviction(one: Settings) -> Iterator[Line]:
    """The thresholds as flags say them."""
    hard = ",".join(one.thresholds) or (
        "(none)" if one.hard_known else "(not readable)" if one.source == "start" else "(not given here)"
    )
    yield [("  eviction-hard  ", "bold"), (terminal(hard), "")]
    if one.soft:
        yield [("  eviction-soft  ", "bold"), (terminal(",".join(limit.flag for limit in one.soft)), "")]
    elif one.source == "start" and one.config_file and not one.soft_known:
        yield [("  eviction-soft  ", "bold"), (terminal(f"(not in the log; it may stand in {one.config_file})"), "")]
    for name, found in (
        ("eviction-soft-grace-period", one.grace_periods),
        ("eviction-minimum-reclaim", one.minimum_reclaim),
    ):
        if found:
            yield [(f"  {name}  ", "bold"), (terminal(",".join(f"{signal}={value}" for signal, value in found.items())), "")]
    for limit in one.soft:
        if limit.grace is None:
            yield [("  note  ", "bold yellow"), (terminal(f"no grace period is given here for {limit.flag}, which needs one"), "")]


def _value(value: Any) -> str:
    return "(not set)" if value is None else terminal(value if isinstance(value, str) else json(plain(value)))


def tree(found: Any, indent: str) -> Iterator[Line]:
    """A tree of settings, indented."""
    for name, value in found.items():
        if isinstance(value, Mapping) and value:
            yield [(f"{indent}{terminal(str(name))}:", "cyan")]
            yield from tree(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield [(f"{indent}{terminal(str(name))}:", "cyan")]
            for one in value:
                yield [(f"{indent}  - ", ""), (terminal(json(plain(one))), "")]
        else:
            yield [(f"{indent}{terminal(str(name))}: ", "cyan"), (_value(value), "")]


def explanation(found: Explanation) -> Iterator[Line]:
    """Stage by stage how a line is read."""
    record = found.record
    time = stamp(record.time) or record.local_time or ""
    if found.envelope:
        parts = (("node", record.node), ("unit", record.unit), ("process", record.pid))
        yield _stage("envelope", found.envelope + "".join(f" · {name} {value}" for name, value in parts if value is not None))
    else:
        yield _stage("envelope", "none (what journald or a container runtime writes in front of a line)")
    if found.header:
        said = ["klog", f"{record.severity}: {_SEVERITY[record.severity or 'I']}", time]
        said += [] if record.thread is None else [f"thread {record.thread}"]  # JSON says none
        said += [] if record.source_file is None else [f"said in {record.source_file}, line {record.source_line}"]
        yield _stage("header", " · ".join(said))
    elif record.severity is not None:
        said = ["logfmt", f"{record.severity}: {_SEVERITY[record.severity].partition(',')[0]}", *([time] if time else [])]
        yield _stage("header", " · ".join(said))
    else:
        yield _stage("header", "none" + (f" · {time}" if time else ""))
    if record.time is None and record.local_time:
        yield _stage("", "no year in the line: --year says it")
    yield _stage("message", record.message.split("\n")[0])
    for line in record.message.split("\n")[1:]:
        yield _stage("", line)
    for key, value in record.pairs or ():
        yield _stage("pair", f"{key} = {value if isinstance(value, str) else json(plain(value))}")
    yield _stage("verdict", f"{record.verdict}: {_VERDICT[record.verdict]}" + (f" · {record.reason}" if record.reason else ""))
    if found.wording:
        yield _stage("wording", f"{found.wording}")
        yield _stage("", f"{found.place}")
    if record.kind:
        yield _stage("kind", record.kind)
        for line in (found.meaning or "").split("\n"):
            yield _stage("", line)
        yield from _fields(found)
    else:
        yield _stage("signature", record.signature)
        if record.verdict != "unparsed" and not any(stop.column for stop in found.stops):
            yield _stage("next", "`kubelog grammar draft` makes a wording of the line, for a grammar of your own")
    for stop in found.stops:
        yield []
        where = f"stopped at column {stop.column + 1}: expected {terminal(stop.expected)}, found {terminal(stop.found)!r}"
        yield [(f"{stop.stage:<10} ", "bold red"), (where, "")]
        start = max(0, stop.column - 60)
        shown = terminal(stop.text[start : stop.column])
        yield [
            (" " * 11, ""),
            (("…" if start else "") + shown + terminal(stop.text[stop.column : stop.column + 40]), ""),
        ]
        yield [(" " * (11 + len(shown) + bool(start)), ""), ("^", "bold red")]
        if stop.wording:
            yield _stage("nearest", f"{stop.wording} ({stop.place})")


def _stage(name: str, text: str) -> Line:
    return [(f"{name:<10} ", "bold cyan"), (terminal(text), "")]


def _fields(found: Explanation) -> Iterator[Line]:
    event = found.record.event
    if isinstance(event, NodeConfig):
        if event.thresholds is not None:
            yield _stage("thresholds", ",".join(one.flag for one in event.thresholds) or "(none)")
        if event.settings is not None:
            yield _stage("settings", "")
            yield from tree(event.settings, " " * 13)
        return
    for name, value in found.record.fields.items():
        if value is not None:
            yield _stage("field", f"{name} = {value if isinstance(value, str) else json(value)}")
