"""grammars/*.toml → Grammar: finds the files, reads the patterns, orders the wordings, refuses what is ambiguous.

Which wording wins: the longest leading literal, then the most literal bytes, then the file named. Two wordings that are
equal in all three and could read the same text are an error that names both places; of one block, the first is taken. `line`
wordings, whose hole types decide, are tried in the order written where the first two are equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kubelog.errors import GrammarError
from kubelog.grammar.packages import PACKAGES

if TYPE_CHECKING:
    # A start asks only where the grammars are: what reads them is imported by who reads them.
    from kubelog.grammar.file import GrammarFile
    from kubelog.grammar.tree import Grammar, Pattern, Vocabulary, Wording


def shipped() -> Path:
    """Where the grammars of this installation are: inside the package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "grammars"
    return inside if inside.is_dir() else package.parent / "grammars"


def find(paths: Iterable[Path]) -> list[Path]:
    """The grammar files that `paths` (files or directories) name, sorted. Raises GrammarError."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(path.glob("*.toml"))
            if not found:
                raise GrammarError(str(path), "no grammar file (*.toml) in this directory")
            files += found
        elif path.is_file():
            files.append(path)
        else:
            raise GrammarError(str(path), "no such file or directory")
    return files


def digest(files: Iterable[Path]) -> str:
    """A digest of the grammar files' names and bytes, and of the code that makes a table of them."""
    import hashlib

    seen = hashlib.sha256()
    code = [Path(__file__).with_name(name) for name in ("catalog.py", "compile.py", "file.py", "notation.py", "tree.py")]
    for file in (*files, *code):
        seen.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return seen.hexdigest()


def load(paths: Iterable[Path], vocabulary: Vocabulary | None = None) -> Grammar:
    """Read grammar files; with a vocabulary, events and fields are checked against it. Raises GrammarError."""
    from kubelog.grammar.file import GrammarFile
    from kubelog.grammar.tree import Grammar

    files = find(paths)
    grammar = Grammar(digest=digest(files))
    readers = [GrammarFile(file, _shown(file), grammar) for file in files]
    for reader in readers:
        reader.declare(vocabulary)
    known = dict(vocabulary or {})
    for event, fields in grammar.events.items():
        known[event] = {name: frozenset((type_,)) for name, type_ in fields.items()}
    for reader in readers:
        reader.read(known if vocabulary is not None else None)
    grammar.wordings.sort(key=lambda w: (-len(w.lead), -w.weight, w.path, w.line))
    _refuse_ambiguity(grammar.wordings, {reader.path: reader for reader in readers})
    return grammar


def _refuse_ambiguity(wordings: list[Wording], readers: Mapping[str, GrammarFile]) -> None:
    groups: dict[Any, list[Wording]] = {}
    for wording in wordings:
        if wording.style == "line":  # tried in the order written: their types decide
            continue
        groups.setdefault((wording.style, wording.lead, wording.weight), []).append(wording)
    for group in groups.values():
        for number, second in enumerate(group):
            for first in group[:number]:
                if set(first.program) != set(second.program) or not _same_files(first, second) or _same_block(first, second):
                    continue
                if first.pattern is None or second.pattern is None or _overlap(first.pattern, second.pattern):
                    raise readers[second.path].error(
                        second.line,
                        second.column,
                        f"this wording of {second.event} and that of {first.event} at {first.place} could read the same "
                        "text, and neither wins: equal leading literal, literal bytes and files",
                        "name different files, or make one wording more exact",
                    )


# What `_symbols` has beside bytes.
_BLANK: Final = 32
_ANY, _WORD = -1, -2
# A value of these types that holds a blank does not convert: what reads it is not what was meant.
_WORDS: Final = frozenset("word int float bool duration quantity percent pod uid id image".split())


def _same_block(first: Wording, second: Wording) -> bool:
    """Whether both say the same in the same words but for their holes: the one that is written first wins."""
    same = first.event == second.event and first.constants == second.constants and first.files == second.files
    return same and first.style == "text" and first.path == second.path


def _same_files(first: Wording, second: Wording) -> bool:
    return (not first.files and not second.files) or bool(set(first.files) & set(second.files))


def _overlap(first: Pattern, second: Pattern) -> bool:
    """Whether some text could be read by both: the usual meeting of two wildcard patterns.

    Holes are taken as any text, or as any without a blank where their type has none.
    """
    a, b = _symbols(first), _symbols(second)
    reach = {(0, 0)}
    queue = [(0, 0)]
    while queue:
        i, j = queue.pop()
        if i == len(a) and j == len(b):
            return True
        steps = []
        if i < len(a) and a[i] < 0:
            steps.append((i + 1, j))
            if j < len(b) and (a[i] == _ANY or b[j] != _BLANK):
                steps.append((i, j + 1))
        if j < len(b) and b[j] < 0:
            steps.append((i, j + 1))
            if i < len(a) and (b[j] == _ANY or a[i] != _BLANK):
                steps.append((i + 1, j))
        if i < len(a) and j < len(b) and a[i] >= 0 and a[i] == b[j]:
            steps.append((i + 1, j + 1))
        for step in steps:
            if step not in reach:
                reach.add(step)
                queue.append(step)
    return False


def _symbols(pattern: Pattern) -> list[int]:
    """Bytes of literals; a hole is any text, or any word; blanks are a blank and any text."""
    from kubelog.grammar.tree import Blanks, Hole, Literal

    found: list[int] = []
    for part in pattern.parts:
        if isinstance(part, Literal):
            found += part.text
        elif isinstance(part, Blanks):
            found += [_BLANK, _ANY]
        elif isinstance(part, Hole):
            found.append(_WORD if part.type in _WORDS else _ANY)
    return found


def _shown(file: Path) -> str:
    """The path as a user knows it: relative below the working directory, `grammars/…` for shipped ones, with its package."""
    package = PACKAGES.get(file.parent) or PACKAGES.get(file)
    if package is not None:
        return f"package {package}: {file.name}"
    try:
        if file.resolve().parent == shipped().resolve():
            return f"grammars/{file.name}"
        return str(file.relative_to(Path.cwd())) if file.is_absolute() else str(file)
    except ValueError:
        return str(file)
