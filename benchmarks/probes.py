"""kubelog alone: start-up, size of the grammar, threads, size of the file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.engines import kubelog_blocks
from benchmarks.measure import corpus, cpu_ns
from benchmarks.messages import HERE

LINE = "W1016 09:50:55.056703   17144 eviction_manager.go:331] eviction manager: attempting to reclaim nodefs"
STARTS = {
    "python alone": "pass",
    "import kubelog": "import kubelog",
    "first event": f"import kubelog; assert kubelog.parse_line({LINE!r}, year=2017).kind == 'EvictionReclaimAttempted'",
}
GROWTH = 10


def start_up(rounds: int) -> dict[str, float]:
    """CPU ms of a fresh process, medians of interleaved rounds. Bytecode is cached, as for any installed package."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found: dict[str, list[int]] = {name: [] for name in STARTS}
    for number in range(rounds + 1):
        for name, code in STARTS.items():
            before = cpu_ns()
            subprocess.run([sys.executable, "-c", code], env=env, check=True)
            if number:  # the first fills the caches
                found[name].append(cpu_ns() - before)
    return {name: median(costs) / 1e6 for name, costs in found.items()}


def grammar_size(rounds: int, name: str) -> dict[str, float]:
    """Cost of a record in ns with the benchmark's wordings, and with ten times as many; ms to load both."""
    with tempfile.TemporaryDirectory() as folder:
        for file in sorted((HERE / "grammar").glob("*.toml")):
            (Path(folder) / file.name).write_text(file.read_text())
        (Path(folder) / "more.toml").write_text(variants())
        costs: dict[str, list[float]] = {"one": [], "ten": [], "load one": [], "load ten": []}
        for _ in range(rounds):
            for label, path in (("one", HERE / "grammar"), ("ten", Path(folder))):
                before = cpu_ns()
                engine = kubelog_blocks.prepare(path)
                costs[f"load {label}"].append((cpu_ns() - before) / 1e6)
                costs[label].append(_cost(engine, corpus(name)))
    found = {label: median(values) for label, values in costs.items()}
    return {**found, "ratio": median(ten / one for one, ten in zip(costs["one"], costs["ten"], strict=True))}


def variants() -> str:
    """The benchmark's wordings, nine times more: a word is added behind the first, so that they share their beginnings."""
    lines = []
    for file in sorted((HERE / "grammar").glob("*.toml")):
        data = tomllib.loads(file.read_text())
        for number in range(1, GROWTH):
            for block in data["message"]:
                event = f"{block['event']}V{number}"
                types = data["event"][block["event"]]["fields"].items()
                fields = ", ".join(f"{name} = {json.dumps(type_)}" for name, type_ in types)
                lines += [f"[event.{event}]", f"fields = {{ {fields} }}", "[[message]]", f"event = {json.dumps(event)}"]
                lines += [f"files = {json.dumps(block['files'])}", "sample = [{ body = 'not read here', yields = {} }]"]
                if "text" in block:
                    lines.append(f"text = {json.dumps([_vary(text, number) for text in block['text']])}")
                for pair in block.get("pairs", []):
                    keys = ", ".join(f"{name} = {json.dumps(key)}" for name, key in pair["fields"].items())
                    lines.append(f"pairs = [{{ message = {json.dumps(_vary(pair['message'], number))}, fields = {{ {keys} }} }}]")
    return "\n".join(lines) + "\n"


def _vary(text: str, number: int) -> str:
    first, blank, rest = text.partition(" ")
    return f"{first} variant{number}{blank}{rest}" if "{" not in first else f"variant{number} {text}"


def threads(rounds: int, name: str) -> dict[str, float]:
    """How many times as much two threads read as one does in the same time: two readers, an input each."""
    path = corpus(name)
    engines = [kubelog_blocks.prepare() for _ in range(2)]

    def work(count: int) -> float:
        running = [threading.Thread(target=kubelog_blocks.read, args=(engine, path)) for engine in engines[:count]]
        before = time.perf_counter()
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return time.perf_counter() - before

    return {"two threads": median(2 * work(1) / work(2) for _ in range(rounds))}


def file_size(rounds: int, name: str) -> dict[str, float]:
    """Cost of a record in ns at the beginning of a corpus: a sixteenth, a quarter, all."""
    engine = kubelog_blocks.prepare()
    lines = corpus(name).read_bytes().splitlines(keepends=True)
    costs: dict[int, list[float]] = {len(lines) // part: [] for part in (16, 4, 1)}
    with tempfile.TemporaryDirectory() as folder:
        for count in costs:
            (Path(folder) / f"{count}.log").write_bytes(b"".join(lines[:count]))
        for _ in range(rounds):
            for count, found in costs.items():
                found.append(_cost(engine, Path(folder) / f"{count}.log"))
    return {f"{count} lines": median(found) for count, found in costs.items()}


def _cost(engine: Any, path: Path) -> float:
    before = cpu_ns()
    reading = kubelog_blocks.read(engine, path)
    return (cpu_ns() - before) / reading.told["records"]


def main() -> None:
    """Called in a fresh process: rounds and corpus as arguments, JSON out."""
    rounds, name = int(sys.argv[1]), sys.argv[2]
    probes: dict[str, Callable[[], dict[str, float]]] = {
        "start-up, CPU ms": lambda: start_up(2 * rounds + 3),
        "grammar × 10, ns a record (load: ms)": lambda: grammar_size(rounds, name),
        "threads, × one": lambda: threads(rounds, name),
        "size of the file, ns a record": lambda: file_size(rounds, name),
    }
    print(json.dumps({title: probe() for title, probe in probes.items()}))


if __name__ == "__main__":
    main()
