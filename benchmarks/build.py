"""messages.toml, *.c → the programs in C: the floor and the driver of liblognorm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.messages import HERE, Hole, Message, known, load

BUILD = HERE / "build"
FLAGS = ("-O3", "-march=native", "-std=gnu11", "-Wall", "-Wextra")


class Unavailable(Exception):  # noqa: N818  # it is no error: the table says why an engine was left out
    """Why something cannot be run here."""


def compiler() -> str:
    found = shutil.which("cc") or shutil.which("gcc")
    if not found:
        raise Unavailable("no C compiler")
    return found


def compile_c(source: Path, name: str, *libraries: str) -> Path:
    """The program that a C file makes; built anew where it is older than its sources."""
    BUILD.mkdir(exist_ok=True)
    program = BUILD / name
    sources = [source, HERE / "messages.toml", HERE / "build.py"]
    if program.exists() and program.stat().st_mtime > max(file.stat().st_mtime for file in sources):
        return program
    command = [compiler(), *FLAGS, f"-I{BUILD}", "-o", str(program), str(source), *libraries]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{source.name} does not compile: {done.stderr.strip().splitlines()[0]}")
    return program


def floor() -> Path:
    BUILD.mkdir(exist_ok=True)
    header = BUILD / "templates.h"
    text = templates(known(load()))
    if not header.exists() or header.read_text() != text:
        header.write_text(text)
        (BUILD / "floor").unlink(missing_ok=True)
    return compile_c(HERE / "floor" / "floor.c", "floor")


def templates(messages: list[Message]) -> str:
    """The messages as C."""
    lines = ["/* Made of messages.toml by build.py. */"]
    rows = []
    for number, message in enumerate(messages):
        steps, keys = [], []
        if message.structured:
            keys = [f"{{{_c(key)}, {len(key.encode())}}}" for key in message.keys.values()]
        else:
            steps = _steps(message)
        lines.append(f"static const Step S{number}[] = {{{', '.join(steps) or '{0, 0, 0}'}}};")
        lines.append(f"static const Key K{number}[] = {{{', '.join(keys) or '{0, 0}'}}};")
        lead = f"{_c(message.lead)}, {len(message.lead.encode())}"
        flags = f"{number}, {int(message.structured)}, {int(message.spans_lines)}"
        rows.append(f"  {{{flags}, {lead}, S{number}, {len(steps)}, K{number}, {len(keys)}}},")
    lines += ["static const Template TEMPLATES[] = {", *rows, "};"]
    lines += [f"static const char *KINDS[] = {{{', '.join(_c(m.kind or '') for m in messages)}}};"]
    lines += [f"enum {{ N_TEMPLATES = {len(messages)}, N_KINDS = {len(messages)} }};"]
    return "\n".join(lines) + "\n"


def _steps(message: Message) -> list[str]:
    steps, field = [], 0
    for place, part in enumerate(message.parts):
        if isinstance(part, Hole):
            after = message.parts[place + 1] if place + 1 < len(message.parts) else ""
            assert isinstance(after, str)
            steps.append(f"{{{_c(after)}, {len(after.encode())}, {field if part.field else -1}}}")
            field += part.field is not None
    return steps


def _c(text: str) -> str:
    return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode()) + '"'
