"""The command line: a skin over the library. Each command is a few lines; what is printed is worded and escaped in view/."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from kubelog import __version__
from kubelog.errors import GrammarError, InputError, KubelogError, UsageError
from kubelog.ingest.sources import Source, expand
from kubelog.message.record import Record
from kubelog.pipeline import Filter, LiveReader, Log, load_grammar
from kubelog.timeline import WANTED, Change, Correlator
from kubelog.view import escape
from kubelog.view.out import Out

OK, FOUND, USAGE, UNREADABLE = 0, 1, 2, 3


class _Parser(argparse.ArgumentParser):
    """argparse with one line an error, and the nearest known option."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ").split(" ")[0].split("=")[0]
        if unknown.startswith("-") and message.startswith("unrecognized"):
            near = difflib.get_close_matches(unknown, sorted(_options(self)), n=1, cutoff=0.5)
            message += f"; did you mean {near[0]!r}?" if near else ""
        _complain(f"{message} (see {self.prog} --help)")
        raise SystemExit(USAGE)


def _options(parser: argparse.ArgumentParser) -> set[str]:
    """The long options of a parser and of its commands."""
    found: set[str] = set()
    for action in parser._actions:
        found.update(name for name in action.option_strings if name.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                found |= _options(one)
    return found


def run(arguments: list[str]) -> int:
    """Run one command; the exit status: 0, 1 found by --fail-on, 2 usage, 3 some input could not be read."""
    try:
        options = _parser().parse_args(arguments)
        out = Out(options.to)
        try:
            status: int = options.run(options, out)
        finally:
            out.close()
        return status
    except GrammarError as error:
        _complain(*_grammar_error(error))
        return USAGE
    except KubelogError as error:
        _complain(str(error))
        return USAGE if isinstance(error, ValueError) else UNREADABLE
    except BrokenPipeError:
        # The reader has gone: nothing to say, and nothing more to write when Python closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        _complain(f"{name}{(error.strerror or str(error)).lower()}")
        return UNREADABLE


def _complain(*lines: str) -> None:
    """One line on standard error (a grammar's also has the source line and a caret)."""
    for number, line in enumerate(lines):
        print(("kubelog: " if number == 0 else "") + escape.terminal(line), file=sys.stderr)


def _grammar_error(error: GrammarError) -> list[str]:
    lines = [str(error)]
    if error.source:
        shown = escape.terminal(error.source)
        lead = len(escape.terminal(error.source[: max(0, error.column - 1)]))
        start = max(0, lead - 80)
        lines += ["  " + shown[start : start + 120], "  " + " " * (lead - start) + "^"]
    return lines


# Options


def _parser() -> _Parser:
    parser = _Parser(
        prog="kubelog", description="Read what kubelets and API servers log, and say what happened.", allow_abbrev=False,
        epilog="example: kubelog timeline node3-kubelet.log --year 2017",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"kubelog {__version__} (interpreted)")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)

    def command(
        name: str,
        run: Callable[[argparse.Namespace, Out], int],
        help_: str,
        example: str,
        formats: str,
        inputs: str = "*",
    ) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=help_, description=help_, epilog=f"example: {example}", allow_abbrev=False)
        one.set_defaults(run=run)
        names = formats.split()
        one.add_argument("-o", "--output", choices=names, metavar="FORMAT", help=f"one of: {', '.join(names)}")
        one.add_argument("--to", metavar="FILE", help="write to FILE instead of standard output")
        one.add_argument("--grammar", metavar="DIR", help="further grammars: a directory or a file")
        if inputs:
            one.add_argument(
                "inputs", nargs=inputs, metavar="INPUT", help="file, directory, glob or - (standard input, the default)"
            )
        return one

    parse = command("parse", _parse, "Print every record.", "kubelog parse kubelet.log -o jsonl | jq .kind", "jsonl text")
    parse.add_argument("--raw", action="store_true", help="with the raw text of each record")
    timeline = command(
        "timeline", _timeline, "Tell the incidents: what happened, why, since when, is it over.",
        "kubelog timeline node3-kubelet.log events.txt df.txt --year 2017", "text json markdown",
    )  # fmt: skip
    timeline.add_argument("--lines", action="store_true", help="show the raw lines that prove each step")
    tail = command(
        "tail", _tail, "Follow a log and tell incidents as they open, evolve and close.",
        "journalctl -f -u kubelet | kubelog tail", "text jsonl", "?",
    )  # fmt: skip
    tail.add_argument("--state", metavar="FILE", help="keep what is known in FILE, and go on from it at the next start")
    coverage = command(
        "coverage", _coverage, "How much of a log is understood.", "kubelog coverage /var/log/kubelet.log", "text json"
    )
    config = command(
        "config", _config, "The kubelet's settings and eviction thresholds at each start, and what changed.",
        "journalctl -b -u kubelet | kubelog config", "text json",
    )  # fmt: skip
    for one in (parse, timeline, tail, coverage, config):
        _log_options(one)
    for one in (timeline, tail):
        one.add_argument("--fail-on", metavar="KIND|SEVERITY", help="exit 1 where an incident of this kind or severity was told")
    explain = command(
        "explain",
        _explain,
        "Stage by stage how a line is read.",
        "kubelog explain 'W1016 09:50:55.056703 …'",
        "text json",
        "",
    )
    explain.add_argument("line", nargs="?", default="-", metavar="LINE", help="the line, or - for standard input")
    explain.add_argument("--year", type=_year, metavar="Y", help="the year of the line")
    explain.add_argument("--tz", metavar="Z", help="zone of the line: Europe/Paris, UTC, +08:00")
    grammar = commands.add_parser(
        "grammar",
        help="Check, list and show grammars.",
        description="Check, list and show grammars.",
        allow_abbrev=False,
    )
    verbs = grammar.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Parser)
    for name, run_, help_, argument in (
        ("check", _grammar_check, "Read grammars and run their samples on both engines.", "PATH"),
        ("list", _grammar_list, "The events, and how many wordings each has.", ""),
        ("show", _grammar_show, "An event: what it means, its fields and wordings.", "EVENT"),
    ):
        verb = verbs.add_parser(name, help=help_, description=help_, epilog=f"example: kubelog grammar {name}", allow_abbrev=False)
        verb.set_defaults(run=run_)
        verb.add_argument("-o", "--output", choices=["text", "json"], metavar="FORMAT", help="one of: text, json")
        verb.add_argument("--to", metavar="FILE", help="write to FILE instead of standard output")
        verb.add_argument("--grammar", metavar="DIR", help="further grammars: a directory or a file")
        if argument:
            verb.add_argument("what", nargs="?" if name == "check" else None, metavar=argument)
    return parser


def _log_options(one: argparse.ArgumentParser) -> None:
    one.add_argument("--year", type=_year, metavar="Y", help="year of the first line (klog writes none)")
    one.add_argument("--tz", metavar="Z", help="zone of the times: Europe/Paris, UTC, +08:00")
    one.add_argument("--at", type=_time, metavar="T", help="when the ages in a table were taken")
    one.add_argument("--now", type=_time, metavar="T", help="instead of the clock")
    one.add_argument("--node", metavar="N", help="the node of lines that name none")
    one.add_argument("--unit", metavar="U", help="only records of this unit")
    one.add_argument("--pod", metavar="NS/NAME", help="only records of this pod")
    one.add_argument("--kind", metavar="K", help="only records of this kind")
    one.add_argument("--severity", metavar="S", help="only these severities, such as WEF")
    one.add_argument("--since", type=_time, metavar="T", help="only records at T or later")
    one.add_argument("--until", type=_time, metavar="T", help="only records at T or earlier")
    one.add_argument(
        "--engine", choices=["scanner", "reference"], default="scanner", metavar="E", help="scanner or reference (slow)"
    )


def _year(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1970 <= int(text[:6]) <= 9998:
        raise argparse.ArgumentTypeError(f"expected a year like 2017, found {text!r}")
    return int(text)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a time like 2017-10-16T10:30:00, found {text!r}") from None


def _log(options: argparse.Namespace, sources: list[Source]) -> Log:
    where = Filter(
        unit=options.unit,
        pod=options.pod,
        kind=options.kind,
        severity=options.severity,
        since=options.since,
        until=options.until,
    )
    engine = load_grammar(options.grammar, options.engine)
    known = {entry.event for entry in engine.table.entries}
    if options.kind is not None and options.kind not in known:
        from kubelog.grammar.notation import suggest

        raise UsageError(f"{options.kind!r} is no kind of this grammar; {suggest(options.kind, known)}".rstrip("; "))
    # The clock is read here and nowhere else, and only where nothing in the input says the year.
    now = options.now or datetime.now()
    return Log(sources, engine, year=options.year, tz=options.tz, node=options.node, now=now, at=options.at, where=where)


def _opened(options: argparse.Namespace) -> tuple[Log, bool]:
    """The log that the arguments name, and whether some of them name none (which has been said)."""
    sources, errors = expand(options.inputs or ["-"])
    if errors and not sources:
        raise (
            errors[0] if len(errors) == 1 else InputError(errors[0].path, f"{errors[0].reason}, and so for {len(errors) - 1} more")
        )
    for error in errors:
        _complain(str(error))
    return _log(options, sources), bool(errors)


def _status(log: Log, failed: bool, found: bool = False) -> int:
    for error in log.errors:
        _complain(str(error))
    for path in log.empty:
        _complain(f"{path}: the input is empty")
    return UNREADABLE if failed or log.errors else FOUND if found else OK


# Commands


def _parse(options: argparse.Namespace, out: Out) -> int:
    log, failed = _opened(options)
    from kubelog.view import text

    as_text = (options.output or ("text" if out.is_terminal else "jsonl")) == "text"

    def show(record: Record) -> None:
        if as_text:
            out.line(text.record(record))
        else:
            out.text(escape.json(record.to_dict(options.raw)))

    if len(log.sources) == 1 and log.sources[0].path == "-":
        _follow(log, show, out)
    else:
        for record in log:
            show(record)
    return _status(log, failed)


def _follow(log: Log, show: Callable[[Record], None], out: Out) -> None:
    """A pipe, record by record: what came is shown at once when the pipe falls silent."""
    from kubelog.ingest.follow import POLL_S, pipe

    source = log.sources[0]
    reader = log.reader(source)
    maker = log.maker(reader.clock)
    total = 0
    for piece in pipe(POLL_S):
        total += len(piece or b"")
        _show_block(log, reader.push(piece or b"", settle=piece is None), maker, show)
        out.flush()
    _show_block(log, reader.push(b"", final=True), maker, show)
    if not total:
        log.empty.append(source.path)


def _show_block(log: Log, block: Any, maker: Any, show: Callable[[Record], None]) -> None:
    for row in range(len(block)):
        record = maker.record(block, row)
        if not log.where or log.where.admits(record):
            show(record)


def _timeline(options: argparse.Namespace, out: Out) -> int:
    log, failed = _opened(options)
    if options.lines:
        log.sources = [_kept(source) for source in log.sources]
    found = log.incidents()
    output = options.output or "text"
    if output == "json":
        out.text(escape.json(found.to_dict(), indent=True))
    else:
        from kubelog.view import markdown, text

        raw = text.raw_evidence(found, log) if options.lines else None
        if output == "markdown":
            for line in markdown.timeline(found, raw):
                out.text(line)
        elif not log.errors or any(found.coverage.values()):
            out.lines(text.timeline(found, out.width, raw))
    return _status(log, failed, any(_fails(options.fail_on, one.kind, one.severity) for one in found))


def _kept(source: Source) -> Source:
    """Standard input, kept so that it can be read again."""
    if source.path != "-":
        return source
    pieces = list(source.read())
    return Source("-", lambda: iter(pieces), source.aged)


def _fails(wanted: str | None, kind: str, severity: str) -> bool:
    """Whether an incident is one that --fail-on names; `warning` includes critical."""
    return wanted is not None and (wanted in (kind, severity) or (wanted == "warning" and severity == "critical"))


def _tail(options: argparse.Namespace, out: Out) -> int:
    from kubelog.ingest.follow import grow, pipe
    from kubelog.view.text import ChangeText

    name = options.inputs or "-"
    log = _log(options, [])
    live = LiveReader(log, Source(name, lambda: iter(())), WANTED)
    correlator = _state(options.state)
    if name != "-" and _is_read_on(name, correlator.reading):
        live.resume(correlator.reading)
    as_text = (options.output or ("text" if out.is_terminal else "jsonl")) == "text"
    texts, found = ChangeText(), False

    def tell(changes: Iterable[Change]) -> None:
        nonlocal found
        for change in changes:
            found = found or _fails(options.fail_on, change.incident.kind, change.incident.severity)
            if as_text:
                out.lines(texts.lines(change))
            else:
                out.text(escape.json(change.to_dict()))

    def take(piece: bytes, final: bool = False) -> None:
        for event in live.push(piece, final):
            tell(correlator.feed(event))
        for node, heard in live.heard.items():
            tell(correlator.advance(node, heard))
        out.flush()

    try:
        assumed = None
        for piece in pipe() if name == "-" else grow(name, live.reader.offset):
            take(piece or b"")
            if assumed is None and live.reader.clock.assumed is not None:
                assumed = live.reader.clock.assumed
                log.note_year(live.reader)
                _complain(log.notes[-1])
        take(b"", final=True)
        tell(correlator.flush())
    finally:
        if options.state:
            correlator.reading = live.place() if name != "-" else None
            correlator.save(options.state)
    return _status(log, False, found)


def _is_read_on(name: str, place: Any) -> bool:
    """Whether a file was read up to a place before: one that is shorter now is another."""
    return (
        isinstance(place, dict)
        and place.get("path") == name
        and os.path.exists(name)
        and os.path.getsize(name) >= place.get("offset", 0)
    )


def _state(path: str | None) -> Correlator:
    if path is None or not os.path.exists(path):
        return Correlator(keep_closed=False)
    try:
        return Correlator.load(path)
    except KubelogError as error:
        _complain(f"{error}; starting anew")
        return Correlator(keep_closed=False)


def _coverage(options: argparse.Namespace, out: Out) -> int:
    from kubelog.view import tables

    log, failed = _opened(options)
    found = log.coverage()
    if options.output == "json":
        out.text(escape.json(tables.coverage_dict(found), indent=True))
    else:
        out.lines(tables.coverage(found))
    return _status(log, failed)


def _config(options: argparse.Namespace, out: Out) -> int:
    from kubelog.timeline.settings import settings
    from kubelog.view import tables

    log, failed = _opened(options)
    found = settings(log.events("NodeConfig"))
    if options.output == "json":
        out.text(escape.json([one.to_dict() for one in found], indent=True))
    else:
        out.lines(tables.settings(found))
    return _status(log, failed)


def _explain(options: argparse.Namespace, out: Out) -> int:
    from kubelog.explain import explain
    from kubelog.view import tables

    line = sys.stdin.buffer.read() if options.line == "-" else os.fsencode(options.line)
    if not line.strip():
        raise UsageError("expected a line to explain, found none")
    found = explain(line, _reference(options.grammar), year=options.year, tz=options.tz)
    if options.output == "json":
        out.text(escape.json(found.to_dict(), indent=True))
    else:
        out.lines(tables.explanation(found))
    return OK


def _reference(grammar: str | None) -> Any:
    return load_grammar(grammar, "reference")


def _grammar_check(options: argparse.Namespace, out: Out) -> int:
    from kubelog.grammar import catalog
    from kubelog.message.samples import check_samples
    from kubelog.message.vocabulary import vocabulary

    path = options.what or options.grammar
    grammar = catalog.load([catalog.shipped(), *([Path(path)] if path else [])], vocabulary())
    problems: list[str] = []
    for name in ("reference", "scanner"):
        engine = load_grammar(path, name)
        problems += [f"{problem} ({name})" for problem in check_samples(engine, grammar.samples)]
    entries = engine.table.entries
    if options.output == "json":
        out.text(escape.json({"wordings": len(entries), "problems": problems}, indent=True))
    else:
        out.text(
            f"{len(entries)} wordings of {len({entry.event for entry in entries})} events: "
            + ("all samples right" if not problems else f"{len(problems)} wrong")
        )
    for problem in problems:
        _complain(problem)
    return USAGE if problems else OK


def _grammar_list(options: argparse.Namespace, out: Out) -> int:
    from kubelog.view import grammars

    engine = load_grammar(options.grammar)
    if options.output == "json":
        out.text(escape.json(grammars.events(engine.table, engine.decoder.classes), indent=True))
    else:
        out.lines(grammars.listing(engine.table, engine.decoder.classes))
    return OK


def _grammar_show(options: argparse.Namespace, out: Out) -> int:
    from kubelog.grammar.notation import suggest
    from kubelog.view import grammars

    engine = load_grammar(options.grammar)
    known = {entry.event for entry in engine.table.entries}
    if options.what not in known:
        raise UsageError(f"{options.what!r} is no event of this grammar; {suggest(options.what, known)}".rstrip("; "))
    if options.output == "json":
        found = grammars.events(engine.table, engine.decoder.classes)
        out.text(escape.json(next(one for one in found if one["event"] == options.what), indent=True))
    else:
        out.lines(grammars.show(engine.table, engine.decoder.classes, options.what))
    return OK
