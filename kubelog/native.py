"""The leaves: the modules that read Blocks, compiled where a compiler was to be had, else interpreted.

Both are the same `.py`. KUBELOG_PURE=1 leaves the compiled ones aside.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder, SourceFileLoader

TYPE_CHECKING = False  # as in typing: every start imports this file, so it imports next to nothing
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Any, Final

LEAVES: Final = {
    "LineReader": "kubelog.ingest.lines",
    "EnvelopeReader": "kubelog.ingest.envelope",
    "TimeReader": "kubelog.ingest.times",
    "HeaderReader": "kubelog.klog.header",
    "Joiner": "kubelog.klog.records",
    "PairReader": "kubelog.klog.pairs",
    "Matcher": "kubelog.message.matcher",
    "CellReader": "kubelog.message.cells",
    "Bits": "kubelog.message.cells",
    "Listener": "kubelog.message.heard",
    "FieldReader": "kubelog.message.fields",
}


class _SourceFinder:
    """Finds the sources of this package where the usual finder finds what they were compiled to."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith("kubelog."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None or not spec.origin.endswith(tuple(EXTENSION_SUFFIXES)):
            return spec
        from importlib.util import spec_from_file_location

        source = os.path.join(os.path.dirname(spec.origin), name.rpartition(".")[2] + ".py")
        return spec_from_file_location(name, source, loader=SourceFileLoader(name, source))


if os.environ.get("KUBELOG_PURE", "") not in ("", "0"):
    sys.meta_path.insert(0, _SourceFinder())


def kind() -> str:
    """Which leaves run: `compiled` or `interpreted`."""
    file = str(importlib.import_module(LEAVES["Matcher"]).__file__)
    return "compiled" if file.endswith(tuple(EXTENSION_SUFFIXES)) else "interpreted"


class Leaves:
    """The classes of the leaves."""

    def __init__(self, interpreted: bool = False) -> None:
        for name, module in LEAVES.items():
            setattr(self, name, getattr(_source(module) if interpreted else importlib.import_module(module), name))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def _source(name: str) -> ModuleType:
    """The module as its source says, beside the one that is imported."""
    from importlib.util import module_from_spec

    finder = _SourceFinder()
    spec = finder.find_spec(name, importlib.import_module(name.rpartition(".")[0]).__path__)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
