"""A notebook → the same, executed: what its cells show, without what differs from machine to machine.

`python -m tests.notebooks` executes all of them anew and writes what they show, where that has rightly changed.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook, run from top to bottom in its folder."""
    notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=120, resources=resources, record_timing=False, coalesce_streams=True).execute()
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def shown(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """What each cell printed and showed, as text."""
    return [[_text(output) for output in cell.get("outputs", [])] for cell in notebook.cells]


def _text(output: nbformat.NotebookNode) -> str:
    return str(output.get("text") or output.get("data", {}).get("text/plain", ""))


if __name__ == "__main__":
    for path in NOTEBOOKS:
        nbformat.write(executed(path), path)
