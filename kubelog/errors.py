"""Everything that kubelog raises: one tree, each class also the builtin that a caller expects."""

from __future__ import annotations


class KubelogError(Exception):
    """What can go wrong with an argument, a grammar, an input or a state file. Bad log lines never raise."""


class UsageError(KubelogError, ValueError):
    """An argument that cannot be used: unknown time zone, year out of range, unknown kind."""


class InputError(KubelogError, OSError):
    """An input that cannot be read, or not to its end; `path` names it, `offset` says how far it was read."""

    def __init__(self, path: str, reason: str, offset: int | None = None) -> None:
        self.path, self.reason, self.offset = path, reason, offset
        place = path if offset is None else f"{path}: at byte {offset}"
        super().__init__(f"{place}: {reason}")

    def __str__(self) -> str:
        return str(self.args[0])


class StateError(KubelogError, ValueError):
    """A saved correlator state that cannot be used."""


class MissingExtraError(KubelogError, ImportError):
    """A library that an extra of this package brings is not installed."""


class GrammarError(KubelogError, ValueError):
    """A grammar file that is wrong; carries where, what was expected and found, and a likely fix.

    `line` and `column` count from 1; `source` is the text of that line; any of them may be unknown (0 or "").
    """

    def __init__(self, path: str, problem: str, *, line: int = 0, column: int = 0, source: str = "", hint: str = "") -> None:
        self.path, self.problem, self.line, self.column = path, problem, line, column
        self.source, self.hint = source, hint
        place = path + (f":{line}" if line else "") + (f":{column}" if line and column else "")
        super().__init__(f"{place}: {problem}" + (f"; {hint}" if hint else ""))
