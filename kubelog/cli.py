"""arguments → a command: options, and how errors are told."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from kubelog import __version__, commands, native
from kubelog.commands import OK, UNREADABLE, USAGE
from kubelog.errors import GrammarError, KubelogError
from kubelog.view import escape
from kubelog.view.out import Out, complain

if TYPE_CHECKING:
    from datetime import datetime


class _Parser(argparse.ArgumentParser):
    """argparse with one line an error, and the nearest known option."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ").split(" ")[0].split("=")[0]
        if unknown.startswith("-") and message.startswith("unrecognized"):
            import difflib

            near = difflib.get_close_matches(unknown, sorted(_options(self)), n=1, cutoff=0.5)
            message += f"; did you mean {near[0]!r}?" if near else ""
        complain(f"{message} (see {self.prog} --help)")
        raise SystemExit(USAGE)


class _Version(argparse.Action):
    """Say the version and what runs: looked up when it is asked for, not at every start."""

    def __call__(self, parser: argparse.ArgumentParser, *rest: Any) -> NoReturn:
        sys.stdout.write(f"kubelog {__version__} ({native.kind()})\n")
        parser.exit()


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
        complain(*_grammar_error(error))
        return USAGE
    except KubelogError as error:
        complain(str(error))
        return USAGE if isinstance(error, ValueError) else UNREADABLE
    except BrokenPipeError:
        # The reader has gone: nothing to say, and nothing more to write when Python closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        complain(f"{name}{(error.strerror or str(error)).lower()}")
        return UNREADABLE


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
    parser.add_argument("--version", action=_Version, nargs=0, dest=argparse.SUPPRESS, help="say the version, and whether it is compiled")
    subcommands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)

    def command(
        name: str,
        run: Callable[[argparse.Namespace, Out], int],
        help_: str,
        example: str,
        formats: str,
        inputs: str = "*",
    ) -> argparse.ArgumentParser:
        one = subcommands.add_parser(name, help=help_, description=help_, epilog=f"example: {example}", allow_abbrev=False)
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

    parse = command("parse", commands.parse, "Print every record.", "kubelog parse kubelet.log -o jsonl | jq .kind", "jsonl text")
    parse.add_argument("--raw", action="store_true", help="with the raw text of each record")
    timeline = command(
        "timeline", commands.timeline, "Tell the incidents: what happened, why, since when, is it over.",
        "kubelog timeline node3-kubelet.log events.txt df.txt --year 2017", "text json markdown",
    )  # fmt: skip
    timeline.add_argument("--lines", action="store_true", help="show the raw lines that prove each step")
    tail = command(
        "tail", commands.tail, "Follow a log and tell incidents as they open, evolve and close.",
        "journalctl -f -u kubelet | kubelog tail", "text jsonl", "?",
    )  # fmt: skip
    tail.add_argument("--state", metavar="FILE", help="keep what is known in FILE, and go on from it at the next start")
    coverage = command(
        "coverage", commands.coverage, "How much of a log is understood.", "kubelog coverage /var/log/kubelet.log", "text json"
    )
    config = command(
        "config", commands.config, "The kubelet's settings and eviction thresholds at each start, and what changed.",
        "journalctl -b -u kubelet | kubelog config", "text json",
    )  # fmt: skip
    for one in (parse, timeline, tail, coverage, config):
        _log_options(one)
    for one in (timeline, tail):
        one.add_argument("--fail-on", metavar="KIND|SEVERITY", help="exit 1 where an incident of this kind or severity was told")
    explain = command(
        "explain",
        commands.explain,
        "Stage by stage how a line is read.",
        "kubelog explain 'W1016 09:50:55.056703 …'",
        "text json",
        "",
    )
    explain.add_argument("line", nargs="?", default="-", metavar="LINE", help="the line, or - for standard input")
    explain.add_argument("--year", type=_year, metavar="Y", help="the year of the line")
    explain.add_argument("--tz", metavar="Z", help="zone of the line: Europe/Paris, UTC, +08:00")
    grammar = subcommands.add_parser(
        "grammar",
        help="Check, list and show grammars.",
        description="Check, list and show grammars.",
        allow_abbrev=False,
    )
    verbs = grammar.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Parser)
    for name, run_, help_, argument in (
        ("check", commands.grammar_check, "Read grammars and run their samples on both engines.", "PATH"),
        ("list", commands.grammar_list, "The events, and how many wordings each has.", ""),
        ("show", commands.grammar_show, "An event: what it means, its fields and wordings.", "EVENT"),
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
    from datetime import datetime

    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a time like 2017-10-16T10:30:00, found {text!r}") from None
