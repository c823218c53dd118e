"""pytest fixtures: `pytest_plugins = ["simulator.fixture"]` in the root conftest makes them available.

async def test_the_unit_is_there(scansnap: Simulation) -> None:
    scansnap.unit("ix500").load(3)
"""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio

from simulator.app import Simulation, running
from simulator.fleet import Fleet


@pytest_asyncio.fixture
async def scansnap() -> AsyncIterator[Simulation]:
    """Run one iX500, unit "ix500", with an empty feeder and paper that takes no time."""
    fleet = Fleet.load("ix500")
    fast = Fleet(tuple(replace(unit, feed_s=0.0) for unit in fleet.units))
    async with running(fast) as simulation:
        yield simulation
