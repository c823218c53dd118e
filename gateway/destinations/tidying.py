"""Cleaning up after a delivery that failed or was cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Tidying:
    """Cleanings that go on in the background if who waits for them is cancelled meanwhile; each bounds itself."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, cleaning: Coroutine[Any, Any, None]) -> None:
        """Clean up as well as possible. What stays nevertheless goes with the next attempt."""
        task = asyncio.create_task(cleaning, name="tidying")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)
