"""Whether codes can be checked by the clock: not behind its saved floor, nor unset on a machine that forgets it."""

import logging
from datetime import datetime, timedelta

from gateway.clock import Clock, Hardware
from gateway.store.store import Store
from gateway.work.outcomes import Denied

_FLOOR = "clock_floor"
STEP_BACK = timedelta(seconds=5)  # what a time server's correction may take back
SAVED_EVERY = timedelta(minutes=1)

log = logging.getLogger(__name__)


class Timekeeper:
    """Keeps the latest time ever seen, durably."""

    def __init__(self, *, clock: Clock, store: Store, hardware: Hardware) -> None:
        self._clock = clock
        self._store = store
        self._hardware = hardware
        self._floor: datetime | None = None

    async def start(self) -> None:
        """Read the floor and say what is wrong with the clock."""
        saved = await self._store.remembered.get(_FLOOR)
        self._floor = datetime.fromisoformat(saved) if saved else None
        refused = self.refusal()
        if refused is not None:
            log.warning("%s", refused.detail)
        elif not self._hardware.synchronised():
            log.warning("the clock is not synchronised; authentication codes need the right time")
        await self.note()

    async def note(self) -> None:
        """Raise the floor to now, if it is worth a write."""
        now = self._clock.now().utc
        if self.refusal() is None and (self._floor is None or now - self._floor >= SAVED_EVERY):
            self._floor = now
            await self._store.remembered.put(_FLOOR, now.isoformat())

    def refusal(self) -> Denied | None:
        """Return why codes are not checked now; None if the clock is trusted."""
        now = self._clock.now().utc
        shows = now.strftime("%Y-%m-%d %H:%M:%S UTC")
        if self._floor is not None and now < self._floor - STEP_BACK:
            drift_s = round((self._floor - now).total_seconds())
            why = f"it shows {shows}, {drift_s} seconds before a time that it has shown already"
        elif not self._hardware.keeps_time() and not self._hardware.synchronised():
            why = f"it shows {shows} and was not set since the machine started"
        else:
            return None
        detail = f"The gateway's clock cannot be trusted, so no code is checked: {why}. Set the clock, or run: "
        return Denied("clock_untrusted", detail + "scansnap-gateway clock trust.", 503)

    async def trust(self) -> None:
        """Believe the clock from now on: reset the floor, and the codes that were used at times to come."""
        now = self._clock.now().utc
        self._floor = now
        await self._store.remembered.put(_FLOOR, now.isoformat())
        await self._store.factors.forget_steps()
