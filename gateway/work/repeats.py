"""A request that is sent again by mistake does its work once (draft-ietf-httpapi-idempotency-key-header-07).

The key counts within its account, for one request, for 24 hours. What was refused did nothing and frees its key.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from gateway.clock import Clock
from gateway.core.model import AccountId
from gateway.store.store import Store
from gateway.vault.device import DeviceKey
from gateway.work.outcomes import Denied

SPAN = timedelta(hours=24)  # longer than a phone is without a network, over night too
REUSED = Denied("idempotency_key_reused", "This Idempotency-Key was used for another request.", 422)
IN_PROGRESS = Denied("idempotency_in_progress", "The first request with this key is still at work.", 409)
UNKNOWN = Denied(
    "idempotency_unknown",
    "The first request with this key was cut off. Look what became of it, then use another key.",
    409,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer without secrets. `again`: it was given before."""

    status: int
    body: bytes
    again: bool = False


class Repeats:
    """Gives a repeated request its first answer."""

    def __init__(self, *, clock: Clock, store: Store, device: DeviceKey) -> None:
        self._clock = clock
        self._store = store
        self._device = device
        self._running: dict[str, str] = {}

    async def once(
        self, account: AccountId, key: str, request: bytes, act: Callable[[], Awaitable[Answer]]
    ) -> Answer | Denied:
        """Act, unless the account's request with this key did already; `request`: all that tells it from others.

        If `act` raises, nobody knows what it did, and the key answers UNKNOWN from then on.
        """
        name = self._device.mac("idempotency key", account, key)
        asked = self._device.mac("idempotent request", hashlib.sha256(request).hexdigest())
        if name in self._running:
            return IN_PROGRESS if self._running[name] == asked else REUSED
        self._running[name] = asked
        try:
            return await self._first(name, asked, act)
        finally:
            del self._running[name]

    async def _first(self, name: str, asked: str, act: Callable[[], Awaitable[Answer]]) -> Answer | Denied:
        now = self._clock.now().utc
        before = await self._store.idempotency.begin(name, asked, now, forget_before=now - SPAN)
        if before is not None:
            if before.request != asked:
                return REUSED
            return UNKNOWN if before.status is None else Answer(before.status, before.body, again=True)
        answer = await act()
        if answer.status < 300:
            await self._store.idempotency.finish(name, answer.status, answer.body)
        else:
            await self._store.idempotency.forget(name)
        return answer
