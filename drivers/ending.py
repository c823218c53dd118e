"""What must be done even if the task that does it is cancelled."""

import asyncio
from collections.abc import Awaitable


async def to_the_end(work: Awaitable[None]) -> None:
    """Finish what others depend on; a cancellation is raised after that."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
