"""A probe's name, rounds, corpus and perhaps `big` → its figures, as JSON."""

from __future__ import annotations

import json
import sys
from importlib import import_module

from benchmarks.build import Unavailable
from benchmarks.probes import Job


def main() -> None:
    name, rounds, corpus, *big = sys.argv[1:]
    probe = import_module(f"benchmarks.probes.{name}")
    try:
        found = [figure.told() for figure in probe.figures(Job(int(rounds), corpus, bool(big)))]
    except Unavailable as error:
        print(json.dumps({"title": probe.TITLE, "skipped": str(error)}))
        return
    print(json.dumps({"title": probe.TITLE, "figures": found}))


if __name__ == "__main__":
    main()
