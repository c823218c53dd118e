"""The same with daemons that are started from nothing, as a service manager does it."""

import itertools
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.walk.crash import campaign, plan
from tests.walk.crash.nursery import Cold
from tests.walk.crash.orders import Life
from tests.walk.crash.run import Run
from tests.walk.crash.tally import Tally

COLD_STARTS = int(os.environ.get("CRASH_COLD_STARTS", "50"))
STRETCH = 10.0  # importing everything takes a second, and is as good a time to be killed as any other
LIVES = 7  # of a chain: so few that not many more are started than asked for


def _short(seed: int) -> tuple[Life, ...]:
    *lives, last = plan.chain(seed)
    return (*lives[:LIVES], last)


@asynccontextmanager
async def _cold() -> AsyncIterator[Cold]:
    yield Cold()


@pytest.mark.timeout(1800)  # two seconds each on a busy machine
async def test_fresh_processes_lose_nothing_either(tally: Callable[[str], Tally]) -> None:
    seen = tally("cold starts")
    async with campaign.ground() as template:
        await campaign.run(
            lambda nursery: Run(nursery, template, seen, stretch=STRETCH),
            _cold,
            lambda t: t.starts >= COLD_STARTS,
            chains=(_short(seed) for seed in itertools.count()),
        )
    assert seen.starts >= COLD_STARTS
