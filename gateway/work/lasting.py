"""The guard of a task that must not end: what it raises is logged, then it starts again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

AGAIN_S = 5.0

log = logging.getLogger(__name__)


async def lasting(what: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run until it returns or is cancelled; a failure is logged and it runs again: no trouble ends the daemon."""
    while True:
        try:
            return await run()
        except Exception:  # the task's guard
            log.exception("%s failed; it starts again in %.0f s", what, AGAIN_S)
        await asyncio.sleep(AGAIN_S)
