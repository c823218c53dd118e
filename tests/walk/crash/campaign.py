"""Chains in parallel until enough lives were ended: two lanes, each with a nursery of its own."""

import asyncio
import itertools
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.walk.crash import template
from tests.walk.crash.nursery import Nursery
from tests.walk.crash.orders import Life
from tests.walk.crash.run import Run
from tests.walk.crash.sinks import Sinks, near
from tests.walk.crash.tally import Tally
from tests.walk.crash.template import Template

LANES = 2  # as many as the cores of the smallest machine that this is to run on
_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 2 * 1024**3  # the gateway itself wants half a gigabyte of room

Chosen = tuple[int, tuple[Life, ...] | None]
Birth = Callable[[], AbstractAsyncContextManager[Nursery]]


@asynccontextmanager
async def ground(
    sinks: Callable[[Path], AbstractAsyncContextManager[Sinks]] = near,
) -> AsyncIterator[Template]:
    """Make the template and the sinks; below the sinks' folder is room for chains.

    In memory where there is room: a kill does not lose what the kernel has, so that a disk would only be slower.
    """
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    folder = Path(tempfile.mkdtemp(prefix="crash-", dir=_MEMORY if roomy else None))
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield await template.make(folder / "template", await stack.enter_async_context(sinks(folder)))


async def run(
    run_of: Callable[[Nursery], Run],
    birth: Birth,
    enough: Callable[[Tally], bool],
    *,
    first: int = 0,
    lanes: int = LANES,
    chains: Iterable[tuple[Life, ...]] | None = None,
) -> None:
    """Run chain after chain until there are enough, or these; the first that fails ends all of them."""
    chosen = enumerate(chains) if chains is not None else ((seed, None) for seed in itertools.count(first))
    began_s = time.monotonic()
    async with AsyncExitStack() as stack:
        runs = [run_of(await stack.enter_async_context(birth())) for _ in range(lanes)]
        running = [asyncio.ensure_future(_lane(one, chosen, enough)) for one in runs]
        try:
            await asyncio.gather(*running)
        finally:
            for lane in running:
                lane.cancel()
            await asyncio.gather(*running, return_exceptions=True)
    runs[0].tally.seconds += time.monotonic() - began_s


async def _lane(one: Run, chosen: Iterator[Chosen], enough: Callable[[Tally], bool]) -> None:
    while not enough(one.tally) and (following := next(chosen, None)) is not None:
        await one.chain(*following)
