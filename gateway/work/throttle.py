"""Guesses are slowed down before anything is checked: per account, per network, per address (SECURITY.md)."""

import math
from collections import OrderedDict, deque
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.core import throttle as rules
from gateway.core.model import AccountId
from gateway.store.store import Store
from gateway.vault.device import DeviceKey
from gateway.work.caller import Caller
from gateway.work.outcomes import Denied

REMEMBERED = 4096  # networks whose calls are counted at a time: some 2 MB at the most
_MINUTE_S, _HOUR_S = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """A guess under way, counted as a miss until it is said to be right, or to be none."""

    buckets: tuple[str, ...]


def slower(wait_s: float) -> Denied:
    """Return the answer to whoever must wait."""
    wait = math.ceil(wait_s)
    span = f"{wait} seconds" if wait < 120 else f"{math.ceil(wait / 60)} minutes"
    return Denied("too_many_tries", f"Too many wrong attempts. Try again in {span}.", 429, retry_after_s=wait)


class Throttle:
    """Tallies of misses, under names that tell nobody whose they are (an unknown e-mail address is counted alike)."""

    def __init__(self, *, clock: Clock, store: Store, device: DeviceKey) -> None:
        self._clock = clock
        self._store = store
        self._device = device

    async def password(self, email: str, caller: Caller, *, known: str = "") -> Attempt | Denied:
        """Begin a guess at the password of a folded e-mail address; `known`: the known device that it comes from."""
        if known:
            return await self._take({self._bucket("device", known): rules.near_wait_s})
        return await self._take(
            {
                self._bucket("near", email, caller.network): rules.near_wait_s,
                self._bucket("strangers", email): rules.strangers_wait_s,
            }
        )

    async def paper(self, email: str, caller: Caller) -> Attempt | Denied:
        """Begin a guess at a rescue key or sign-in code."""
        return await self._take({self._bucket("paper", email, caller.network): rules.near_wait_s})

    async def code(self, account: AccountId) -> Attempt | Denied:
        """Begin a guess at an authentication code."""
        return await self._take({self._bucket("code", account): rules.code_wait_s})

    async def right(self, attempt: Attempt) -> None:
        """Forget the misses: the guess was right."""
        await self._store.throttles.clear(attempt.buckets)

    async def undo(self, attempt: Attempt) -> None:
        """Take the attempt back: nothing was guessed at."""
        await self._store.throttles.give_back(attempt.buckets, self._clock.now().utc)

    async def suspends(self, account: AccountId) -> bool:
        """Tell whether so many codes were missed in a row that the factor must be suspended."""
        return rules.suspends(await self._store.throttles.tally(self._bucket("code", account)))

    async def open_up(self, email: str, account: AccountId) -> None:
        """Forget every lock on an account that does not depend on the network: its owner has proved to be the owner."""
        await self._store.throttles.clear((self._bucket("strangers", email), self._bucket("code", account)))

    async def forgive_codes(self, account: AccountId) -> None:
        """Forget the missed codes of an account: a suspension was lifted."""
        await self._store.throttles.clear((self._bucket("code", account),))

    async def _take(self, buckets: dict[str, rules.Rule]) -> Attempt | Denied:
        wait_s = await self._store.throttles.take(buckets, self._clock.now().utc)
        return slower(wait_s) if wait_s > 0 else Attempt(tuple(buckets))

    def _bucket(self, *names: str) -> str:
        return self._device.mac("throttle", *names)


class Calls:
    """Calls to sign in, per network, in memory: never permanent, and a restart forgets them."""

    def __init__(self, *, clock: Clock, per_minute: int, per_hour: int) -> None:
        self._clock = clock
        self._per_minute = per_minute
        self._per_hour = per_hour
        self._at: OrderedDict[str, deque[float]] = OrderedDict()

    def knock(self, caller: Caller) -> Denied | None:
        """Count a call; Denied if there were too many of late, and then it is not counted."""
        now_s = self._clock.now().boot_s
        calls = self._at.setdefault(caller.network, deque())
        self._at.move_to_end(caller.network)
        while calls and now_s - calls[0] >= _HOUR_S:
            calls.popleft()
        wait_s = max(_wait_s(calls, now_s, self._per_minute, _MINUTE_S), _wait_s(calls, now_s, self._per_hour, _HOUR_S))
        if wait_s <= 0:
            calls.append(now_s)
        while len(self._at) > REMEMBERED:
            self._at.popitem(last=False)
        if wait_s <= 0:
            return None
        wait = math.ceil(wait_s)
        return Denied("too_many_calls", f"Too many sign-ins. Try again in {wait} seconds.", 429, retry_after_s=wait)


def _wait_s(calls: deque[float], now_s: float, most: int, span_s: float) -> float:
    return 0.0 if len(calls) < most else max(0.0, calls[-most] + span_s - now_s)
