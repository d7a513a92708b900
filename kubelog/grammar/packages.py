"""installed packages → the grammars that they ship, named by entry points of the group `kubelog.grammars`.

`acme = "acme_kubelog"` names a package (or module): the *.toml files in its folder are read, and it is not imported.
`acme = "acme_kubelog:grammars"` names a path (file or folder), or a function that returns one.
"""

from __future__ import annotations

import functools
import os
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from kubelog.errors import GrammarError
from kubelog.grammar.catalog import GROUP, PACKAGES


@functools.cache
def grammars() -> list[Path]:
    """The folders or files, in the order of their entry points' names. Raises GrammarError."""
    found: dict[Path, None] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda one: (one.name, one.value)):
        package = entry.dist.name if entry.dist else entry.name
        told = f"package {package}: {GROUP}: {entry.name} = {entry.value}"
        try:
            path = _path(entry)
        except Exception as error:  # whatever a foreign package raises
            said = " ".join(str(error).split())
            raise GrammarError(told, f"{type(error).__name__}: {said}".rstrip(": ")) from None
        if path is None:
            raise GrammarError(told, "expected a package, a path or a function that returns a path")
        if not path.exists() or (path.is_dir() and not any(path.glob("*.toml"))):
            raise GrammarError(told, f"no grammar file (*.toml) at {path}")
        PACKAGES[path] = package
        found[path] = None
    return list(found)


def _path(entry: EntryPoint) -> Path | None:
    """Where an entry point says that grammars are."""
    if not entry.attr:
        spec = find_spec(entry.module)
        if spec is None:
            raise ModuleNotFoundError(f"no module named {entry.module!r}")
        if spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations)))
        return Path(spec.origin).parent if spec.origin else None
    found = entry.load()
    if callable(found) and not isinstance(found, str | os.PathLike):
        found = found()
    return Path(found) if isinstance(found, str | os.PathLike) else None
