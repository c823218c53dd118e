"""Stretching passwords: a few at a time, the rest in a short queue, then no."""

import asyncio

from gateway.vault import keys
from gateway.work.outcomes import Denied

AT_ONCE = 2  # 64 MiB each: what a Raspberry Pi can spare
QUEUE = 8
KEPT_FREE = 3  # places of the queue that only known devices take: strangers cannot crowd the owner out

BUSY = Denied("busy", "Too many sign-ins at once. Try again in a few seconds.", 503, retry_after_s=5)


class Stretcher:
    """Argon2id in threads, bounded in memory."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def stretch(
        self, password: str, salt: bytes, costs: str = keys.STRETCHING, *, known: bool = False
    ) -> keys.Stretched | Denied:
        """Return verifier and key share of a password, or BUSY. `known`: it comes from a known device."""
        if self._waiting >= AT_ONCE + QUEUE - (0 if known else KEPT_FREE):
            return BUSY
        self._waiting += 1
        try:
            async with self._places:
                return await asyncio.to_thread(keys.stretch, password, salt, costs)
        finally:
            self._waiting -= 1
