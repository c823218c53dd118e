"""The unit machine and the claim rules."""

from datetime import timedelta
from enum import StrEnum

from gateway.core.model import UnitState

CLAIM_SPAN = timedelta(seconds=60)
CLAIMS_PER_HOUR = 5


class Event(StrEnum):
    SIGHTED = "sighted"
    OPENED = "opened"
    PRESS = "press"
    DONE = "done"
    LOST = "lost"
    PIN_MISMATCH = "pin_mismatch"
    OWNER = "owner"


U = UnitState
_STEPS: dict[tuple[UnitState, Event], UnitState] = {
    (U.UNSEEN, Event.SIGHTED): U.SEEN,
    (U.GONE, Event.SIGHTED): U.SEEN,
    (U.SEEN, Event.SIGHTED): U.SEEN,
    (U.SEEN, Event.OPENED): U.READY,
    (U.READY, Event.PRESS): U.BUSY,
    (U.BUSY, Event.DONE): U.READY,
    (U.SUSPENDED, Event.OWNER): U.SEEN,
    (U.SUSPENDED, Event.LOST): U.SUSPENDED,
    **{(s, Event.LOST): U.GONE for s in (U.UNSEEN, U.SEEN, U.READY, U.BUSY, U.GONE)},
    **{(s, Event.PIN_MISMATCH): U.SUSPENDED for s in (U.UNSEEN, U.SEEN, U.READY, U.GONE, U.SUSPENDED)},
}


def step(state: UnitState, event: Event) -> UnitState:
    """Return the state after `event`; KeyError if the machine has no such step."""
    return _STEPS[state, event]
