"""The notebooks run from top to bottom, as someone who opens them would run them."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_and_shows_what_it_showed(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    shown = [_texts(cell) for cell in notebook.cells]
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    assert [_texts(cell) for cell in notebook.cells] == shown


def _texts(cell: nbformat.NotebookNode) -> list[str]:
    """What a cell printed and showed, as text."""
    return [str(output.get("text") or output.get("data", {}).get("text/plain", "")) for output in cell.get("outputs", [])]
