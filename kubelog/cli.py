"""arguments → a command: options, and how errors are told."""

from __future__ import annotations

import argparse
import functools
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


class _Help(argparse.HelpFormatter):
    """argparse's own, which would import what says the terminal's width, and ask for it at each option."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


@functools.cache
def _columns() -> int:
    """Columns for help: what COLUMNS says, the terminal's, else 80."""
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said[:6]):
        return int(said[:6])
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (AttributeError, ValueError, OSError):
        return 80


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
        options = _parser(arguments).parse_args(arguments)
        # What a state goes with is gone on with too.
        out = Out(options.to, keep=getattr(options, "state", None) is not None)
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
        return USAGE if isinstance(error, ValueError | ImportError) else UNREADABLE
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


def _parser(arguments: list[str]) -> _Parser:
    """The parser for these arguments: only a command that they name gets its options, for making them takes a while."""
    parser = _Parser(
        prog="kubelog", description="Read what kubelets and API servers log, and say what happened.", allow_abbrev=False,
        epilog="example: kubelog timeline node3-kubelet.log --year 2017", formatter_class=_Help,
    )  # fmt: skip
    parser.add_argument(
        "--version", action=_Version, nargs=0, dest=argparse.SUPPRESS, help="show the version, and whether it is compiled"
    )
    subcommands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)

    def command(
        name: str,
        run: Callable[[argparse.Namespace, Out], int],
        help_: str,
        example: str,
        formats: str,
        fill: Callable[[argparse.ArgumentParser], None],
        inputs: str = "*",
    ) -> None:
        one = subcommands.add_parser(
            name, help=help_, description=help_, epilog=f"example: {example}", allow_abbrev=False, formatter_class=_Help
        )
        if name not in arguments:
            return
        one.set_defaults(run=run)
        _output_options(one, formats)
        if inputs:
            one.add_argument(
                "inputs", nargs=inputs, metavar="INPUT", help="file, directory, glob or - (standard input, the default)"
            )
        fill(one)

    command(
        "parse", commands.parse, "Print every record.", "kubelog parse kubelet.log -o jsonl | jq .kind",
        "jsonl text csv parquet arrow", _parse_options,
    )  # fmt: skip
    command(
        "timeline", commands.timeline, "Tell the incidents: what happened, why, since when, is it over.",
        "kubelog timeline node3-kubelet.log events.txt df.txt --year 2017", "text json markdown", _timeline_options,
    )  # fmt: skip
    command(
        "tail", commands.tail, "Follow a log and tell incidents as they open, evolve and close.",
        "journalctl -f -u kubelet | kubelog tail", "text jsonl", _tail_options, "?",
    )  # fmt: skip
    command(
        "coverage", commands.coverage, "How much of a log is understood.", "kubelog coverage /var/log/kubelet.log", "text json",
        _log_options,
    )  # fmt: skip
    command(
        "config", commands.config, "A kubelet's settings and thresholds at each start, what changed, what differs between nodes.",
        "journalctl -b -u kubelet | kubelog config", "text json", _log_options,
    )  # fmt: skip
    command(
        "explain", commands.explain, "Stage by stage how a line is read.", "kubelog explain 'W1016 09:50:55.056703 …'",
        "text json", _explain_options, "",
    )  # fmt: skip
    help_ = "Check, list, show, draw and draft grammars."
    grammar = subcommands.add_parser("grammar", help=help_, description=help_, allow_abbrev=False, formatter_class=_Help)
    if "grammar" in arguments:
        _grammar_verbs(grammar)
    return parser


_GRAMMAR_EXAMPLES = {
    "show": "show EvictionPodEvicted",
    "draft": "draft 'E1016 09:50:55.056703 …' > mine/disk.toml",
    "diagram": "diagram EvictionPodEvicted --to evicted.html",
}


def _grammar_verbs(grammar: argparse.ArgumentParser) -> None:
    verbs = grammar.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Parser)
    for name, run, help_, argument, formats in (
        ("check", commands.grammar_check, "Read grammars and run their samples on both engines.", "PATH", "text json"),
        ("list", commands.grammar_list, "The events, and how many wordings each has.", "", "text json"),
        ("show", commands.grammar_show, "An event: what it means, its fields, wordings; as HTML, all.", "EVENT", "text json html"),
        ("draft", commands.grammar_draft, "A wording for a line, or a signature, that no grammar reads.", "LINE", "text json"),
        ("diagram", commands.grammar_diagram, "Railroad diagrams of the wordings, as HTML.", "EVENT", "html json"),
    ):
        epilog = f"example: kubelog grammar {_GRAMMAR_EXAMPLES.get(name, name)}"
        verb = verbs.add_parser(name, help=help_, description=help_, epilog=epilog, allow_abbrev=False, formatter_class=_Help)
        verb.set_defaults(run=run)
        _output_options(verb, formats)
        if name == "draft":
            verb.add_argument("what", nargs="?", default="-", metavar="LINE", help="a line or a signature; - for standard input")
        elif argument:
            verb.add_argument("what", nargs="?", metavar=argument)


def _output_options(one: argparse.ArgumentParser, formats: str) -> None:
    names = formats.split()
    one.add_argument("-o", "--output", choices=names, metavar="FORMAT", help=f"one of: {', '.join(names)}")
    one.add_argument("--to", metavar="FILE", help="write to FILE instead of standard output")
    one.add_argument("--grammar", metavar="DIR", help="further grammars: a directory or a file")


def _parse_options(one: argparse.ArgumentParser) -> None:
    one.add_argument("--raw", action="store_true", help="with the raw text of each record")
    _log_options(one)


def _timeline_options(one: argparse.ArgumentParser) -> None:
    one.add_argument("--lines", action="store_true", help="show the raw lines that prove each step")
    _log_options(one)
    _fail_on(one)


def _tail_options(one: argparse.ArgumentParser) -> None:
    one.add_argument("--state", metavar="FILE", help="keep what is known in FILE, and go on from it at the next start")
    one.add_argument(
        "--on-change", metavar="CMD", help="run CMD when an incident opens or closes: the Change on its standard input"
    )
    _log_options(one)
    _fail_on(one)


def _fail_on(one: argparse.ArgumentParser) -> None:
    one.add_argument("--fail-on", metavar="KIND|SEVERITY", help="exit 1 where an incident of this kind or severity was told")


def _explain_options(one: argparse.ArgumentParser) -> None:
    one.add_argument("line", nargs="?", default="-", metavar="LINE", help="the line, or - for standard input")
    one.add_argument("--year", type=_year, metavar="Y", help="the year of the line")
    one.add_argument("--tz", metavar="Z", help="zone of the line: Europe/Paris, UTC, +08:00")


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
        "--journal", nargs="?", const="", metavar="DIR", help="read the journal: this machine's, this boot; or that in DIR"
    )
    one.add_argument("--boot", metavar="B", help="which boot of the journal: 0 the last, -1 the one before, an id, all")
    one.add_argument("--jobs", type=_count, metavar="N", help="threads that read (default: the cores)")
    one.add_argument(
        "--engine", choices=["scanner", "reference"], default="scanner", metavar="E", help="scanner or reference (slow)"
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= 1024:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 1024, found {text!r}")
    return int(text)


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
