"""The unit machine, one for each way to a unit; which way is preferred; the claim rules."""

from datetime import timedelta
from enum import StrEnum

from gateway.core.model import UnitState

CLAIM_SPAN = timedelta(seconds=60)
CLAIMS_PER_HOUR = 5
LENT_SPAN = timedelta(minutes=10)
_PREFERRED = ("usb", "wifi", "escl")


class Event(StrEnum):
    SIGHTED = "sighted"
    OPENED = "opened"
    PRESS = "press"
    DONE = "done"
    LOST = "lost"
    PIN_MISMATCH = "pin_mismatch"
    OWNER = "owner"
    CLOSED = "closed"


U = UnitState
_STEPS: dict[tuple[UnitState, Event], UnitState] = {
    (U.UNSEEN, Event.SIGHTED): U.SEEN,
    (U.GONE, Event.SIGHTED): U.SEEN,
    (U.SEEN, Event.SIGHTED): U.SEEN,
    (U.SEEN, Event.OPENED): U.READY,
    (U.READY, Event.PRESS): U.BUSY,
    (U.BUSY, Event.DONE): U.READY,
    (U.READY, Event.SIGHTED): U.READY,
    (U.BUSY, Event.SIGHTED): U.BUSY,
    (U.SUSPENDED, Event.OWNER): U.SEEN,
    **{(s, Event.CLOSED): U.SEEN for s in (U.SEEN, U.READY, U.BUSY)},
    (U.GONE, Event.CLOSED): U.GONE,
    **{(s, Event.LOST): U.GONE for s in (U.UNSEEN, U.SEEN, U.READY, U.BUSY, U.GONE)},
    **{(s, Event.PIN_MISMATCH): U.SUSPENDED for s in (U.UNSEEN, U.SEEN, U.READY, U.BUSY, U.GONE)},
    # Whatever it does, only the owner takes it up again.
    **{(U.SUSPENDED, e): U.SUSPENDED for e in Event if e is not Event.OWNER},
}


def step(state: UnitState, event: Event) -> UnitState:
    """Return the state after `event`; KeyError if the machine has no such step."""
    return _STEPS[state, event]


def rank(via: str) -> int:
    """Return how much a way is preferred, 0 the most: a cable is nobody's but ours."""
    return _PREFERRED.index(via) if via in _PREFERRED else len(_PREFERRED)
