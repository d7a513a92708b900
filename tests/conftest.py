"""What every test may ask for: the sample node, the shared corpus, leave to rewrite golden files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from kubelog import native
from kubelog.engines import Engine, Scanner
from kubelog.engines import engine as engine_of
from kubelog.grammar.compile import read_table
from kubelog.ingest.block import LINE_COLUMNS, RECORD_COLUMNS, WITH_YEAR, Block
from kubelog.ingest.clock import Clock

ROOT = Path(__file__).resolve().parent.parent

# No deadline and no complaint about slowness: how fast a shared machine is says nothing about the code.
settings.register_profile(
    "default",
    deadline=None,
    max_examples=60,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("default"), derandomize=False, max_examples=2000)
settings.register_profile("quick", settings.get_profile("default"), phases=[Phase.explicit, Phase.generate])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="rewrite the golden files with what is found now")


@pytest.fixture(scope="session")
def accept(request: pytest.FixtureRequest) -> bool:
    """True when a golden file is to be rewritten instead of compared."""
    return bool(request.config.getoption("--accept"))


@pytest.fixture(scope="session")
def scanner() -> Engine:
    return engine_of("scanner")


@pytest.fixture(scope="session")
def interpreted() -> Engine:
    """The scanner as its sources say, whether or not it was compiled."""
    return Scanner(read_table(), native.Leaves(interpreted=True))


@pytest.fixture(scope="session")
def reference() -> Engine:
    return engine_of("reference")


@pytest.fixture(params=["scanner", "interpreted", "reference"], scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn: a test that asks for it runs on all."""
    found: Engine = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def columns() -> Callable[[Engine, bytes], dict[str, Any]]:
    """What an engine makes of a log: all columns of the Block that it is."""
    return _columns


def _columns(engine: Engine, data: bytes) -> dict[str, Any]:
    block = Block(data)
    engine.lines(block)
    joiner = engine.joiner(block)
    joiner.run()
    joiner.settle(True, block)
    Clock(engine.table, year=2017).read(block, engine.leaves.TimeReader)
    engine.messages(block)
    found: dict[str, Any] = {name: getattr(block, name)[: block.lines].tolist() for name in LINE_COLUMNS}
    found |= {name: getattr(block, name)[: block.rows].tolist() for name in RECORD_COLUMNS}
    rows = range(block.rows)
    found["members"] = [block.lines_of(row) for row in rows]
    found["spans"] = [block.spans_of(row) for row in rows]
    found["pairs"] = [block.pairs_of(row) for row in rows]
    found["bodies"] = [block.body(row) for row in rows]
    del found["odd"]  # what it leads to is the same: it only says which lines are looked at
    found["ahead"] = [ahead for ahead, month in zip(found["ahead"], found["month"], strict=True) if month == WITH_YEAR]
    # A code as the text that it stands for: the order in which names came is no column.
    found["months"] = sorted(block.months.values(data))
    found["month"] = [None if code < 0 else block.months.value(data, code) for code in found["month"]]
    found["process"] = [(block.node(line), block.unit(line), block.pid(line), block.pod(line)) for line in range(block.lines)]
    found["site"] = [(block.source_file(line), block.source_line(line)) for line in range(block.lines)]
    return found


@pytest.fixture(scope="session")
def node3() -> Path:
    """The folder of the sample node, whose disk ran full."""
    return ROOT / "notebooks" / "node3"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The corpus folder beside the checkout; a test that asks for it is skipped where there is none."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("there is no folder `shared` beside this checkout")
    return folder
