"""A process that waits, then reads: JOBS FILE… → the batches of `to_arrow`, dropped. For what is measured from outside.

Says `ready` when all is loaded, begins at a line on standard input, and says how many records there were.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.engines import kubelog_table


def main() -> None:
    jobs, *files = sys.argv[1:]
    log = kubelog_table.log_of(kubelog_table.prepare(), *map(Path, files), jobs=int(jobs))
    assert log.schema  # imports
    print("ready", flush=True)
    sys.stdin.readline()
    print(sum(batch.num_rows for batch in log.batches()), flush=True)


if __name__ == "__main__":
    main()
