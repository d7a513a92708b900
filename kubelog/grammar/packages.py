"""installed packages → the grammars that they ship, named by entry points of the group `kubelog.grammars`.

`acme = "acme_kubelog"` names a package (or module): the *.toml files in its folder are read, and it is not imported.
`acme = "acme_kubelog:grammars"` names a path (file or folder), or a function that returns one.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kubelog.errors import GrammarError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "kubelog.grammars"
# The packages of the grammars that were found: folder or file → name.
PACKAGES: Final[dict[Path, str]] = {}


def installed() -> list[Path]:
    """The grammars that installed packages ship, by entry points of the group `kubelog.grammars`. Raises GrammarError."""
    return _grammars() if _is_named(GROUP) else []


def named(group: str) -> list[tuple[EntryPoint, str, str]]:
    """The entry points of a group, by name: each with its package's name, and how an error names it."""
    # Looking through what is installed costs a start more than reading a log does: so first whether any names the group.
    if not _is_named(group):
        return []
    from importlib.metadata import entry_points

    found = []
    for entry in sorted(entry_points(group=group), key=lambda one: (one.name, one.value)):
        package = entry.dist.name if entry.dist else entry.name
        found.append((entry, package, f"package {package}: {group}: {entry.name} = {entry.value}"))
    return found


def _is_named(group: str) -> bool:
    """Whether an installed package has such an entry point."""
    for folder in dict.fromkeys(sys.path):
        try:
            with os.scandir(folder or ".") as entries:
                names = [entry.path for entry in entries if entry.name.endswith((".dist-info", ".egg-info"))]
        except OSError:
            continue  # an archive, or no folder
        for name in names:
            try:
                with open(os.path.join(name, "entry_points.txt"), "rb") as file:
                    if group.encode() in file.read():
                        return True
            except OSError:
                pass
    return False


@functools.cache
def _grammars() -> list[Path]:
    """The folders or files, in the order of their entry points' names. Raises GrammarError."""
    found: dict[Path, None] = {}
    for entry, package, told in named(GROUP):
        try:
            path = _path(entry)
        except Exception as error:  # whatever a foreign package raises
            raise GrammarError(told, said(error)) from None
        if path is None:
            raise GrammarError(told, "expected a package, a path or a function that returns a path")
        if not path.exists() or (path.is_dir() and not any(path.glob("*.toml"))):
            raise GrammarError(told, f"no grammar file (*.toml) at {path}")
        PACKAGES[path] = package
        found[path] = None
    return list(found)


def said(error: Exception) -> str:
    """What a foreign package raised, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")


def _path(entry: EntryPoint) -> Path | None:
    """Where an entry point says that grammars are."""
    from importlib.util import find_spec

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
