"""How the gateway is, for whoever watches over it: whether it works, and some figures. Nothing of anybody's papers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.core.model import Level
from gateway.store.store import Store
from gateway.work.room import Room
from gateway.work.sights import Sights


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts by state, and the room that is left in bytes. `open_sessions`: those through which scans are forwarded."""

    units: Mapping[str, int]
    scans: Mapping[str, int]
    deliveries: Mapping[str, int]
    open_sessions: int
    free_bytes: int


class Health:
    """Looks, and changes nothing."""

    def __init__(self, *, clock: Clock, store: Store, room: Room, sights: Sights) -> None:
        self._clock = clock
        self._store = store
        self._room = room
        self._sights = sights

    async def trouble(self) -> str:
        """Return why no scan can be taken now, "" if one can; an error of the database comes out."""
        await self._store.units.all()
        return "" if self._room.on_disk() >= 0 else "there is no room left for scans"

    async def figures(self) -> Figures:
        """Return the figures of this moment."""
        units = Counter(str(self._sights.state(unit)[0]) for unit in await self._store.units.all())
        return Figures(
            units,
            await self._store.scans.counts(),
            await self._store.deliveries.counts(),
            await self._open_sessions(),
            max(0, self._room.on_disk()),
        )

    async def _open_sessions(self) -> int:
        now, found = self._clock.now(), 0
        for account in await self._store.accounts.all():
            for session in await self._store.sessions.of_account(account.id):
                until = session.forwards_until
                found += session.level is Level.L2 and until is not None and not until.passed(now)
        return found
