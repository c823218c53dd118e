"""A way in sight: where it is now, its state, and how long it rests after a failure. Memory only."""

import time
from dataclasses import dataclass

from drivers.errors import DriverError, Refused, Unreachable, WrongPassword
from drivers.port import Capabilities, Finder, Sighting
from gateway.core import unit as units
from gateway.core.model import UnitState

REST_S = 2.0  # after it was busy or silent: soon enough for a person, rare enough for the unit
LONGEST_REST_S = 10.0  # a unit that stays silent; its finder tells when it comes back anyway
REFUSED_REST_S = 60.0  # only its owner can change that, and what the owner changes is tried at once

_USABLE = frozenset({UnitState.SEEN, UnitState.READY, UnitState.BUSY, UnitState.GONE})


@dataclass(slots=True, eq=False)
class WayInSight:
    """One way that a finder told of; `listed`: it still does."""

    sighting: Sighting
    finder: Finder
    state: UnitState = UnitState.SEEN
    listed: bool = True
    note: str = ""
    asks_password: bool = False
    able: Capabilities | None = None
    failures: int = 0
    rests_until_s: float = 0.0

    @property
    def id(self) -> str:
        """Return the sighting's id."""
        return self.sighting.id

    @property
    def rank(self) -> int:
        """Return how much it is preferred, 0 the most."""
        return units.rank(self.sighting.via)

    @property
    def ready(self) -> bool:
        """Tell whether it is open and at rest."""
        return self.state is UnitState.READY

    @property
    def usable(self) -> bool:
        """Tell whether it may be opened, if not now then after its rest."""
        return self.listed and not self.sighting.driven and self.state in _USABLE

    @property
    def rest_s(self) -> float:
        """Return how long it still rests."""
        return max(0.0, self.rests_until_s - time.monotonic())

    def step(self, event: units.Event) -> None:
        """Do a step of the unit machine."""
        self.state = units.step(self.state, event)

    def seen(self, sighting: Sighting) -> None:
        """Take a new sighting of the same way: it is there, and worth a try at once."""
        self.sighting, self.listed = sighting, True
        self.step(units.Event.SIGHTED)
        self.wake()

    def lost(self) -> None:
        """Note that its finder does not see it any more."""
        self.listed, self.note = False, ""
        self.step(units.Event.LOST)

    def opened(self, able: Capabilities) -> None:
        """Note that it is open."""
        self.able, self.note, self.failures, self.asks_password = able, "", 0, False
        self.step(units.Event.OPENED)

    def failed(self, error: DriverError, *, opening: bool) -> None:
        """Note why it could not be used, and let it rest: longer if it refused to be opened."""
        self.note = str(error)
        self.asks_password = isinstance(error, WrongPassword)
        if isinstance(error, Unreachable):
            self.step(units.Event.LOST)
        self.failures += 1
        refused = opening and isinstance(error, Refused)
        rest_s = REFUSED_REST_S if refused else min(LONGEST_REST_S, REST_S * self.failures)
        self.rests_until_s = time.monotonic() + rest_s

    def wake(self) -> None:
        """End its rest."""
        self.failures, self.rests_until_s = 0, 0.0

    def mistaken(self) -> None:
        """Suspend it: it is not what its pin says."""
        self.step(units.Event.PIN_MISMATCH)
        self.note = "It answers differently from the unit you registered, so it is not used."
