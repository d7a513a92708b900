"""The commands of a page in docs/ do what the page shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kubelog

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "grammar.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("sed") is None, reason="the commands are for a shell")
def test_the_page_on_grammars_shows_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "kubelog").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kubelog "$@"\n')
    (programs / "kubelog").chmod(0o755)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    work = tmp_path / "work"
    work.mkdir()
    (work / "disk.log").write_text(blocks("text")[0])
    for block in blocks("console"):
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.M):
            if "| jq" in command and shutil.which("jq") is None:
                continue
            done = subprocess.run(
                ["sh", "-c", command],
                capture_output=True,
                text=True,
                check=False,
                cwd=work,
                env=environment,
                stdin=subprocess.DEVNULL,
            )
            assert done.stdout + done.stderr == shown, command
    monkeypatch.chdir(work)
    code = blocks("python")[0].replace(".to_pandas()", "")
    names: dict[str, object] = {}
    exec(code, names)
    log = names["log"]
    assert isinstance(log, kubelog.Log)
    assert sum(event.fields["waiting"] for event in log.events("DiskSlow")) == 15


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.M | re.S)


def test_the_page_of_events_is_that_of_the_grammar() -> None:
    """Made by `kubelog grammar show -o html --to docs/events.html`."""
    done = subprocess.run(
        [sys.executable, "-m", "kubelog", "grammar", "show", "-o", "html"], capture_output=True, check=True, cwd=ROOT
    )
    assert done.stdout == (ROOT / "docs" / "events.html").read_bytes()
