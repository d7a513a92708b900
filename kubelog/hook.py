"""`tail --on-change CMD`: a program is run for each incident that opens or closes."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Final

from kubelog.errors import UsageError
from kubelog.timeline import Change
from kubelog.view import escape

# A program that takes longer is ended: what comes in waits for it.
_MOST_S: Final = 10.0


class Hook:
    """A command: its words, never a shell's. It gets the Change as a line of JSON on its standard input."""

    def __init__(self, command: str, says: Callable[[str], None]) -> None:
        try:
            self.words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--on-change: {str(error).lower()}: {command!r}") from None
        if not self.words or shutil.which(self.words[0]) is None:
            raise UsageError(f"--on-change: no such program: {self.words[0] if self.words else command!r}")
        self.says = says

    def run(self, change: Change) -> None:
        """Run it to its end. A failure is said, and harms nothing."""
        text = escape.json(change.to_dict(pods=False)) + "\n"
        problem = ""
        try:
            # What it prints must not stand between the Changes.
            done = subprocess.run(self.words, input=text.encode(), stdout=sys.stderr.fileno(), timeout=_MOST_S, check=False)
            if done.returncode:
                problem = f"exit status {done.returncode}" if done.returncode > 0 else f"ended by signal {-done.returncode}"
        except subprocess.TimeoutExpired:
            problem = f"ended after {_MOST_S:g} s"
        except OSError as error:
            problem = (error.strerror or str(error)).lower()
        if problem:
            self.says(f"--on-change: {self.words[0]}: {problem}; {change.action} of {change.incident.id} was not taken")
