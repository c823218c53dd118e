"""The scan machine."""

from datetime import timedelta
from enum import StrEnum

from gateway.core.model import ScanState

RESUME_SPAN = timedelta(minutes=10)


class Event(StrEnum):
    END = "end"
    FAULT = "fault"
    PRESS = "press"
    GIVE_UP = "give_up"


_STEPS: dict[tuple[ScanState, Event], ScanState] = {
    (ScanState.RECEIVING, Event.END): ScanState.STORED,
    (ScanState.RECEIVING, Event.FAULT): ScanState.PAUSED,
    (ScanState.PAUSED, Event.PRESS): ScanState.RECEIVING,
    (ScanState.PAUSED, Event.GIVE_UP): ScanState.INCOMPLETE,
}


def step(state: ScanState, event: Event) -> ScanState:
    """Return the state after `event`; KeyError if the machine has no such step."""
    return _STEPS[state, event]
