r"""bytes → lines: where each line of a Block begins and ends. Lines end with \n and nothing else."""

from __future__ import annotations

from kubelog.ingest import ops
from kubelog.ingest.block import Block


def split(block: Block) -> None:
    """Fill `at`, `end` and `next` for what was added to the data; a last line may lack its newline."""
    b, e = block.data, len(block.data)
    p = block.next[-1] if block.next else 0
    while p < e:
        q = ops.find(b, 10, p, e)
        stop = q
        if stop > p and b[stop - 1] == 13:
            stop -= 1
        block.at.append(p)
        block.end.append(stop)
        p = q + 1 if q < e else e
        block.next.append(p)
