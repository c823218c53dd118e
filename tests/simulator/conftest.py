"""Fixtures: a simulated iX500 and a host that talks to it over USB."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from simulator import Simulation
from simulator.fixture import scansnap  # noqa: F401 - a fixture
from tests.simulator.host import Host, Result, Talk, TalkTo, open_host


@pytest.fixture
async def talk_to() -> AsyncIterator[TalkTo]:
    """Return what makes a host for a simulation; it is opened in a thread at its first use."""
    opened: list[Host] = []

    def talk_to(simulation: Simulation, product_id: int = 0x132B, /) -> Talk:
        mine: list[Host] = []

        async def run(function: Callable[[Host], Result], /) -> Result:
            def work() -> Result:
                if not mine:
                    mine.append(open_host(simulation.usb_backend(), product_id))
                    opened.extend(mine)
                return function(mine[0])

            return await asyncio.to_thread(work)

        return run

    yield talk_to
    for host in opened:
        await asyncio.to_thread(host.close)


@pytest.fixture
def talk(scansnap: Simulation, talk_to: TalkTo) -> Talk:  # noqa: F811 - the fixture
    return talk_to(scansnap)
