"""definitions.toml → the table: each engine in interleaved rounds, medians, ratios to the floor of the same round.

`python -m benchmarks.run --help` says what can be asked for.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tomllib
from datetime import date
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.engines.kubelog_blocks import is_compiled
from benchmarks.generate import corpora, expected, written
from benchmarks.measure import corpus
from benchmarks.messages import HERE
from benchmarks.probes import NAMES, ROOT, environment, line_of

FLOOR = "C floor"


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.run", description="What kubelog and its rivals cost.")
    arguments.add_argument("--rounds", type=int, default=3, help="measured rounds of every engine (3)")
    arguments.add_argument(
        "--only", action="append", metavar="TEXT", help="engines whose name contains TEXT; the floor always runs"
    )
    arguments.add_argument("--save", type=Path, metavar="FILE", help="write the raw results as JSON")
    arguments.add_argument("--show", type=Path, metavar="FILE", help="run nothing: print the table of saved results")
    arguments.add_argument("--no-probes", action="store_true", help="engines only")
    arguments.add_argument(
        "--probe", action="append", choices=NAMES, metavar="NAME", help=f"no engines, only these: {', '.join(NAMES)}"
    )
    arguments.add_argument("--big", action="store_true", help="the probe memory reads 4 GB (disk: 6 GB), bounded 10 million lines")
    asked = arguments.parse_args()
    if asked.show:
        print(report(json.loads(asked.show.read_text())))
        return 0
    definitions = tomllib.loads((HERE / "definitions.toml").read_text())
    wanted = [] if asked.probe else [FLOOR, *asked.only] if asked.only else [""]
    engines = [engine for engine in definitions["engine"] if any(text in engine["name"] for text in wanted)]
    # Where kubelog is compiled, the day is read in a moment; interpreted, the cut takes as long.
    probed = "day" if is_compiled() else "cut"
    prepare({engine["corpus"] for engine in engines} | {probed})
    engines, skipped = check(engines)
    results: dict[str, Any] = {"date": date.today().isoformat(), "machine": machine(), "engines": engines, "skipped": skipped}
    results["rounds"] = measure(engines, asked.rounds)
    if not asked.no_probes:
        results["probes"] = [probe(name, asked.rounds, probed, asked.big) for name in asked.probe or NAMES]
    print(report(results))
    if asked.save:
        asked.save.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return 0


def prepare(names: set[str]) -> None:
    """The corpora, byte for byte as expected.json says."""
    for name in sorted(names):
        path = corpus(name)
        if not path.exists() or _digest(path) != expected(name)["sha256"]:
            progress(f"writing the corpus {name!r}: {corpora()[name]['lines']:,} lines")
            wrong = written(name, path)
            if wrong:
                raise SystemExit(f"corpus {name!r} is not as expected.json says: {', '.join(wrong)} differ (see README.md)")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(engines: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Each engine once, not measured: what it finds is compared field by field. Those that can run, and why others cannot."""
    able, skipped = [], {}
    for engine in engines:
        progress(f"checking {engine['name']}")
        told = one(engine, check=True)
        if "skipped" in told:
            skipped[engine["name"]] = told["skipped"]
        else:
            able.append(engine)
    return able, skipped


def measure(engines: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    rounds = []
    for number in range(count):
        told = {}
        for engine in engines:
            progress(f"round {number + 1} of {count}: {engine['name']}")
            told[engine["name"]] = one(engine)
        rounds.append(told)
    progress("")
    return rounds


def one(engine: dict[str, Any], check: bool = False) -> dict[str, Any]:
    """An engine in a fresh process."""
    env = {**environment(), **engine.get("env", {}), **({"BENCH_CHECK": "1"} if check else {})}
    command = [sys.executable, "-m", "benchmarks.measure", json.dumps(engine)]
    done = subprocess.run(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{engine['name']} failed")
    told: dict[str, Any] = json.loads(done.stdout)
    if told.get("problems"):
        raise SystemExit(f"{engine['name']} does not find what is there:\n  " + "\n  ".join(told["problems"]))
    return told


def probe(name: str, rounds: int, corpus_name: str, big: bool) -> dict[str, Any]:
    """What a probe finds, in a fresh process."""
    progress(f"probe {name}")
    command = [sys.executable, "-m", "benchmarks.probes", name, str(rounds), corpus_name, *(["big"] if big else [])]
    done = subprocess.run(command, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the probe {name} failed")
    found: dict[str, Any] = json.loads(done.stdout)
    progress("")
    return found


def report(results: dict[str, Any]) -> str:
    """The results as people read them."""
    told = results["machine"]
    lines = [f"{told['cpu']}, {told['cores']} cores, Python {told['python']}, kubelog {told['kubelog']}, {results['date']}"]
    if results["engines"]:
        lines += ["", *table(results["engines"], results["rounds"])]
    lines += [f"left out: {name}: {reason}" for name, reason in results["skipped"].items()]
    for told in results.get("probes", []):
        lines += ["", told["title"], *map(line_of, told.get("figures", []))]
        lines += [f"  left out: {told['skipped']}"] if "skipped" in told else []
    return "\n".join(lines)


def table(engines: list[dict[str, Any]], rounds: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"{'CPU of one core, medians':<36}{'ns/record':>9}{'spread':>17}{'× floor':>9}{'spread':>15}{'peak MiB':>10}  corpus  job"
    ]
    for engine in engines:
        name = engine["name"]
        costs = [told[name]["cpu_ns"] / told[name]["records"] for told in rounds]
        floors = [told[FLOOR]["cpu_ns"] / told[FLOOR]["records"] for told in rounds]
        ratios = [cost / floor for cost, floor in zip(costs, floors, strict=True)]
        spread = f"{min(costs):,.0f}–{max(costs):,.0f}"
        peak = median(told[name]["peak_kib"] for told in rounds) / 1024
        digits = 2 if median(ratios) < 10 else 0
        among = f"{min(ratios):,.{digits}f}–{max(ratios):,.{digits}f}"
        numbers = f"{median(costs):>9,.0f}{spread:>17}{median(ratios):>9,.{digits}f}{among:>15}{peak:>10,.0f}"
        lines.append(f"{name:<36}{numbers}  {engine['corpus']:<6}  {rounds[0][name]['job']}")
    return lines


def machine() -> dict[str, Any]:
    """What the figures hold for."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    packages = {}
    for name in ("kubelog", "pyparsing", "msgspec", "pyarrow", "pandas", "polars", "duckdb"):
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    programs = {
        "cc": _first_line("cc", "--version"),
        "ripgrep": _first_line("rg", "--version"),
        "liblognorm": _first_line("pkg-config", "--modversion", "lognorm"),
    }
    return {
        "cpu": cpu, "cores": os.cpu_count(), "architecture": platform.machine(), "system": platform.system(),
        "python": platform.python_version(), "kubelog": "compiled" if is_compiled() else "interpreted", "packages": packages,
        "programs": {name: said for name, said in programs.items() if said},
    }  # fmt: skip


def _first_line(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.splitlines()[0]


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
