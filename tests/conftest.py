"""What every test may ask for: the sample node, the shared corpus, leave to rewrite golden files."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from kubelog.engines import Engine
from kubelog.engines import engine as engine_of
from kubelog.ingest.block import Block, Names
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
def reference() -> Engine:
    return engine_of("reference")


@pytest.fixture(params=["scanner", "reference"], scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn: a test that asks for it runs on all."""
    found: Engine = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def columns() -> Callable[[Engine, bytes], dict[str, Any]]:
    """What an engine makes of a log: all columns of the Block that it is."""
    return _columns


def _columns(engine: Engine, data: bytes) -> dict[str, Any]:
    block = Block(data, Names())
    engine.lines(block)
    engine.records(block, True)
    Clock(engine.table, year=2017).read(block)
    engine.messages(block)
    found: dict[str, Any] = {"joined": block.joined}
    for name in block.__slots__:
        column = getattr(block, name)
        if isinstance(column, array):
            found[name] = column.tolist()
    # A code as the text that it stands for: the order in which names came is no column.
    for name in ("nodes", "units", "files", "months"):
        values = getattr(block.names, name).values
        found[name] = sorted(values)
        found[name[:-1]] = [None if code < 0 else values[code] for code in found[name[:-1]]]
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
