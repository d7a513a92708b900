"""liblognorm: one rule a message behind the prefix and header, driven by a small program of ours; a JSON object a line."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import build
from benchmarks.engines import Reading, floor
from benchmarks.messages import HERE, Hole, Message, known, load

JOB = "header, kinds, fields as JSON objects"


def prepare() -> tuple[Path, Path]:
    try:
        asked = subprocess.run(["pkg-config", "--cflags", "--libs", "lognorm"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise build.Unavailable("liblognorm-dev or pkg-config is not installed") from None
    program = build.compile_c(HERE / "engines" / "lognorm.c", "lognorm", *asked.stdout.split())
    rules = build.BUILD / "lognorm.rules"
    rules.write_text("version=2\n" + "".join(f"rule={m.kind}:%{json.dumps(_rule(m))}%\n" for m in known(load())))
    return program, rules


def read(state: tuple[Path, Path], path: Path) -> Reading:
    program, rules = state
    check = ["--check"] if os.environ.get("BENCH_CHECK") else []
    return floor.run([str(program), *check, str(rules), str(path)], bool(check))


def _rule(message: Message) -> list[dict[str, Any]]:
    rule: list[dict[str, Any]] = [
        {"type": "word", "name": "month"}, {"type": "whitespace"}, {"type": "word", "name": "day"}, _literal(" "),
        {"type": "word", "name": "clock"}, _literal(" "), {"type": "word", "name": "node"}, _literal(" "), _until("unit", "["),
        _literal("["), {"type": "number", "name": "pid"}, _literal("]: "), {"type": "word", "name": "severity"}, _literal(" "),
        {"type": "word", "name": "time"}, {"type": "whitespace"}, {"type": "number", "name": "thread"}, _literal(" "),
        _until("file", ":"), _literal(":"), {"type": "number", "name": "line"}, _literal("] "),
    ]  # fmt: skip
    for place, part in enumerate(message.parts):
        if isinstance(part, str):
            rule.append(_literal(part))
            continue
        name = f"f.{part.field}" if part.field else "-"
        after = message.parts[place + 1] if place + 1 < len(message.parts) else None
        assert not isinstance(after, Hole)
        if after is None:
            rule.append({"type": "rest", "name": name})
        elif message.structured and part.values.startswith("quoted_"):
            # No parser knows escaped quotes: the text up to the next key. `q.`: the driver adds the quotes when it checks.
            rule += [_literal('"'), _until(name.replace("f.", "q."), '"' + after), _literal('"')]
        else:
            rule.append(_until(name, after))
    return rule


def _literal(text: str) -> dict[str, Any]:
    return {"type": "literal", "text": text}


def _until(name: str, text: str) -> dict[str, Any]:
    return {"type": "char-to" if len(text) == 1 else "string-to", "name": name, "extradata": text}
