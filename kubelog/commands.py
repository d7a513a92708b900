"""The commands: each a few lines over the library. What is printed is worded and escaped in view/."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from kubelog.errors import InputError, StateError, UsageError
from kubelog.view import escape
from kubelog.view.out import Out, complain

if TYPE_CHECKING:
    # What reads logs is imported by the command that is run: --help needs none of it.
    from kubelog.ingest.block import Block
    from kubelog.ingest.inputs.follow import Growing
    from kubelog.ingest.inputs.sources import Source
    from kubelog.message.record import Record, RecordMaker
    from kubelog.message.vocabulary.event import Event
    from kubelog.pipeline import Log
    from kubelog.tail import Tail
    from kubelog.timeline import Change

# The exit status.
OK: Final = 0
FOUND: Final = 1  # by --fail-on
USAGE: Final = 2
UNREADABLE: Final = 3  # some input
# Where journald keeps this machine's journal.
_JOURNALS: Final = ("/var/log/journal", "/run/log/journal")


def _log(options: argparse.Namespace, sources: list[Source]) -> Log:
    from datetime import datetime

    from kubelog.message.filter import Filter
    from kubelog.pipeline import Log, load_grammar

    where = Filter(
        unit=options.unit,
        pod=options.pod,
        kind=options.kind,
        severity=options.severity,
        since=options.since,
        until=options.until,
    )
    if options.boot is not None and options.journal is None:
        raise UsageError("--boot is of the journal: add --journal, or --journal=DIR")
    engine = load_grammar(options.grammar, options.engine)
    known = {entry.event for entry in engine.table.entries}
    if options.kind is not None and options.kind not in known:
        from kubelog.grammar.notation import suggest

        raise UsageError(f"{options.kind!r} is no kind of this grammar; {suggest(options.kind, known)}".rstrip("; "))
    # The clock is read here and nowhere else, and only where nothing in the input says the year.
    now = options.now or datetime.now()
    return Log(
        sources, engine, year=options.year, tz=options.tz, node=options.node, now=now, at=options.at, where=where,
        jobs=options.jobs,
    )  # fmt: skip


def _opened(options: argparse.Namespace) -> tuple[Log, bool]:
    """The log that the arguments name, and whether some of them name none (which has been said)."""
    from kubelog.ingest.inputs.sources import expand

    inputs, journals = options.inputs, _journals(options)
    sources, errors = expand(inputs or ([] if journals else ["-"]))
    sources += journals
    if errors and not sources:
        raise (
            errors[0] if len(errors) == 1 else InputError(errors[0].path, f"{errors[0].reason}, and so for {len(errors) - 1} more")
        )
    for error in errors:
        complain(str(error))
    return _log(options, sources), bool(errors)


def _journals(options: argparse.Namespace) -> list[Source]:
    """The journal, where it is asked for."""
    from kubelog.ingest.inputs.sources import journal

    return [] if options.journal is None else [journal(**_journal(options))]


def _journal(options: argparse.Namespace) -> dict[str, Any]:
    """What is read of the journal: see Journal."""
    name, boot = options.journal, None if options.boot == "all" else options.boot
    if not name:
        return {"path": "journal", "boot": "0" if options.boot is None else boot}
    if not os.path.exists(name):
        raise InputError(name, "no such file or directory")
    return {"path": name, "boot": boot, **({"folder": name} if os.path.isdir(name) else {"files": [name]})}


def _status(log: Log, failed: bool, found: bool = False) -> int:
    for error in log.errors:
        complain(str(error))
    for path in log.empty:
        complain(f"{path}: the input is empty")
    return UNREADABLE if failed or log.errors else FOUND if found else OK


def parse(options: argparse.Namespace, out: Out) -> int:
    log, failed = _opened(options)
    if options.output in ("csv", "parquet", "arrow"):
        _tables(log, options.output, out)
        return _status(log, failed)
    if (options.output or ("text" if out.is_terminal else "jsonl")) == "text":
        from kubelog.view import text

        def show(record: Record) -> None:
            out.line(text.record(record))
    else:

        def show(record: Record) -> None:
            out.text(escape.json(record.to_dict(options.raw)))

    if _is_pipe(log):
        for blocks in _pieces(log):
            _show_blocks(log, blocks, show)
            out.flush()
    else:
        for record in log:
            show(record)
    return _status(log, failed)


def _tables(log: Log, output: str, out: Out) -> None:
    """A table of the records; a pipe's as it comes."""
    from kubelog.view import files

    if output != "csv" and out.is_terminal:
        raise UsageError(f"{output} is not for terminals: name a file with --to, or pipe it on")
    batches = log.batches()
    if output == "csv" and _is_pipe(log):
        make = log.table_maker()
        batches = (make(block, maker) for blocks in _pieces(log) for block, maker in blocks)
    files.write(batches, log.schema, output, out.binary, out.is_terminal)


def _is_pipe(log: Log) -> bool:
    """Whether standard input is all that is read."""
    return len(log.sources) == 1 and log.sources[0].begun is not None


def _pieces(log: Log) -> Iterator[list[tuple[Block, RecordMaker]]]:
    """A pipe's Blocks as they come: what came is complete when the pipe falls silent."""
    from kubelog.ingest.inputs.follow import POLL_S, pipe

    source = log.sources[0]
    reader = log.reader(source)
    maker = log.maker(reader.clock)

    def read(piece: bytes, final: bool = False, settle: bool = False) -> list[tuple[Block, RecordMaker]]:
        blocks = reader.push(piece, final, settle)
        for block in blocks:
            log.where.learn(block)
            log.engine.messages(block)
        return [(block, maker) for block in blocks]

    total = 0
    for piece in pipe(POLL_S, source.begun or b""):
        total += len(piece or b"")
        yield read(piece or b"", settle=piece is None)
    yield read(b"", final=True)
    if not total:
        log.empty.append(source.path)


def _show_blocks(log: Log, blocks: list[tuple[Block, RecordMaker]], show: Callable[[Record], None]) -> None:
    for block, maker in blocks:
        for row in range(len(block)):
            record = maker.record(block, row)
            if not log.where or log.where.admits(record):
                show(record)


def timeline(options: argparse.Namespace, out: Out) -> int:
    if not options.inputs and options.journal is None and not _is_piped() and any(map(_is_filled, _JOURNALS)):
        options.journal = ""
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


def _is_piped() -> bool:
    """Whether something is given on standard input."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _is_filled(folder: str) -> bool:
    """Whether something is in a directory, as far as this user may see."""
    try:
        return next(os.scandir(folder), None) is not None
    except PermissionError:
        return True
    except OSError:
        return False


def _kept(source: Source) -> Source:
    """Standard input, kept so that it can be read again."""
    from kubelog.ingest.inputs.sources import Source

    if source.path != "-":
        return source
    pieces = list(source.read())
    return Source.of("-", pieces, source.aged)


def _fails(wanted: str | None, kind: str, severity: str) -> bool:
    """Whether an incident is one that --fail-on names; `warning` includes critical."""
    return wanted is not None and (wanted in (kind, severity) or (wanted == "warning" and severity == "critical"))


def tail(options: argparse.Namespace, out: Out) -> int:
    from kubelog.hook import Hook
    from kubelog.ingest.inputs.sources import Source
    from kubelog.live import LiveReader
    from kubelog.state import State
    from kubelog.tail import Tail
    from kubelog.timeline import WANTED, Correlator
    from kubelog.view import text
    from kubelog.watch import watch as watching

    hook = Hook(options.on_change, complain) if options.on_change is not None else None
    log = _log(options, [])
    state = State(options.state, out, complain, log.engine.decoder.classes) if options.state else None
    correlator = Correlator(keep_closed=False) if state is None else state.correlator
    live = LiveReader(log, Source.of(options.inputs or ("-" if options.journal is None else options.journal or "journal")), WANTED)
    as_text = (options.output or ("text" if out.is_terminal else "jsonl")) == "text"
    texts, found, assumed = text.ChangeText(), False, False

    def tell(change: Change) -> bytes:
        nonlocal found
        found = found or _fails(options.fail_on, change.incident.kind, change.incident.severity)
        if as_text and out.is_terminal:
            out.lines(texts.lines(change))
            return b""
        lines = text.plain(texts.lines(change)) if as_text else [escape.json(change.to_dict(pods=False))]
        return out.encoded(*lines)

    def is_enough() -> bool:
        nonlocal assumed
        if not assumed and live.reader.clock.assumed is not None:
            assumed = True
            log.note_year(live.reader)
            complain(log.notes[-1])
        return found

    watch = watching(options, out, as_text, live, correlator)
    one = Tail(live, correlator, tell=tell, out=out, watch=watch, says=complain, state=state, hook=hook)
    grows = _growing(options, one)
    try:
        one.run(grows, is_enough)
    finally:
        watch.end()
    return _status(log, bool(getattr(grows, "errors", ())), found)


def _growing(options: argparse.Namespace, one: Tail) -> Growing:
    """What is followed, from where the state says that it was left."""
    from kubelog.ingest.inputs.follow import Piped
    from kubelog.ingest.inputs.growing import Follower
    from kubelog.ingest.inputs.sources import is_journal

    name = options.inputs or "-"
    if options.journal is not None:
        from kubelog.ingest.inputs.journal import Journal

        if options.inputs:
            raise UsageError("expected one input to follow, found a file and --journal")
        return Journal(**_journal(options), follow=True, place=one.resumed())
    if name == "-" or (os.path.exists(name) and not os.path.isfile(name) and not os.path.isdir(name)):
        return Piped(name)
    if is_journal(name):
        folder = os.path.dirname(name) or "."
        raise UsageError(f"{name}: a file of the journal cannot be followed, its directory can: --journal={folder}")
    try:
        return Follower(name, one.resumed())
    except ValueError as error:
        raise StateError(f"{options.state}: it says no place in a file: {error}") from None


def coverage(options: argparse.Namespace, out: Out) -> int:
    from kubelog.view import tables

    log, failed = _opened(options)
    found = log.coverage()
    if options.output == "json":
        out.text(escape.json(tables.coverage_dict(found), indent=True))
    else:
        out.lines(tables.coverage(found))
    return _status(log, failed)


def config(options: argparse.Namespace, out: Out) -> int:
    from kubelog.timeline.settings import settings
    from kubelog.view import tables

    log, failed = _opened(options)
    found = settings(_configured(log))
    if options.output == "json":
        out.text(escape.json([one.to_dict() for one in found], indent=True))
    else:
        out.lines(tables.settings(found))
    return _status(log, failed)


def _configured(log: Log) -> Iterator[Event]:
    """What the inputs say of the kubelets' settings."""
    from kubelog.feed import Feed
    from kubelog.message import config_file
    from kubelog.timeline.settings import TELLING

    log.errors, log.empty = [], []
    for source in log.sources:
        source, head = _peeked(source)
        yield from config_file.read(head, source.path, log.node)
        feed = Feed(TELLING, log.where, log.node, fixed=log.node is not None, leaf=log.engine.leaves.Listener)
        for block, maker in log.blocks_of(source):
            yield from feed.read(block, maker)


def _peeked(source: Source) -> tuple[Source, bytes]:
    """The input, still to be read, and the first piece of it."""
    from itertools import chain

    from kubelog.ingest.inputs.sources import Source

    pieces = source.read()
    try:
        head = next(pieces, b"")
    except InputError:
        return source, b""
    again = Source.of(source.path, chain((head,) if head else (), pieces), source.aged)
    again.age_source = source.age_source
    return again, head


def explain(options: argparse.Namespace, out: Out) -> int:
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
    from kubelog.pipeline import load_grammar

    return load_grammar(grammar, "reference")


def grammar_check(options: argparse.Namespace, out: Out) -> int:
    from kubelog.grammar import catalog
    from kubelog.message.samples import check_samples
    from kubelog.message.vocabulary import vocabulary
    from kubelog.pipeline import further_grammars, load_grammar

    path = options.what or options.grammar
    grammar = catalog.load([catalog.shipped(), *further_grammars(path or None)], vocabulary())
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
        complain(problem)
    return USAGE if problems else OK


def grammar_draft(options: argparse.Namespace, out: Out) -> int:
    from kubelog.draft import draft

    line = sys.stdin.buffer.read() if options.what == "-" else os.fsencode(options.what)
    found = draft(line, _reference(options.grammar))
    if found.known:
        complain(f"the line is read already, as {found.known}")
    out.text(escape.json(found.to_dict(), indent=True) if options.output == "json" else found.toml.removesuffix("\n"))
    return OK


def grammar_diagram(options: argparse.Namespace, out: Out) -> int:
    from kubelog.grammar import diagram

    html = diagram.html(_reference(options.grammar).reference, options.what)
    out.text(escape.json({"event": options.what, "html": html}, indent=True) if options.output == "json" else html)
    return OK


def grammar_list(options: argparse.Namespace, out: Out) -> int:
    from kubelog.pipeline import load_grammar
    from kubelog.view import grammars

    engine = load_grammar(options.grammar)
    if options.output == "json":
        out.text(escape.json(grammars.events(engine.table, engine.decoder.classes), indent=True))
    else:
        out.lines(grammars.listing(engine.table, engine.decoder.classes))
    return OK


def grammar_show(options: argparse.Namespace, out: Out) -> int:
    from kubelog.grammar.notation import suggest
    from kubelog.pipeline import load_grammar
    from kubelog.view import grammars

    if options.output == "html":
        return _events_page(options, out)
    if options.what is None:
        raise UsageError("expected an EVENT to show, found none; `kubelog grammar list` lists them")
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


def _events_page(options: argparse.Namespace, out: Out) -> int:
    """The reference of all events."""
    from kubelog.grammar import catalog
    from kubelog.message import vocabulary
    from kubelog.pipeline import further_grammars
    from kubelog.view import events_page

    if options.what:
        raise UsageError("the HTML page is of all events: leave EVENT out, or use `kubelog grammar diagram EVENT`")
    grammar = catalog.load([catalog.shipped(), *further_grammars(options.grammar)], vocabulary.vocabulary())
    out.text(events_page.html(grammar, {**vocabulary.classes(), **vocabulary.declared(grammar.events)}).removesuffix("\n"))
    return OK
