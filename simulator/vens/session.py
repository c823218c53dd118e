"""Who has the unit: the state machine of section 9. No I/O; time is passed in.

FREE --reserve--> RESERVED --start--> JOB --feed--> PAGE --page end--> JOB --end--> RESERVED
any --release or time-out--> FREE, but a job that was not ended stays: the unit is occupied for others until it is.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Address

from simulator.vens.wire import Reserve, identity

ACCEPTED, WRONG_PASSWORD, OCCUPIED, BOUND = 0, -3, -4, -7


class State(StrEnum):
    FREE = "free"
    RESERVED = "reserved"
    JOB = "job"
    PAGE = "page"


class Step(StrEnum):
    RESERVE = "reserve"
    START = "start"
    FEED = "feed"
    PAGE_END = "page_end"
    END = "end"
    FREE = "free"


S = State
STEPS: dict[tuple[State, Step], State] = {
    (S.FREE, Step.RESERVE): S.RESERVED,
    (S.RESERVED, Step.RESERVE): S.RESERVED,
    (S.RESERVED, Step.START): S.JOB,
    (S.JOB, Step.START): S.JOB,
    (S.JOB, Step.FEED): S.PAGE,
    (S.PAGE, Step.FEED): S.PAGE,
    (S.PAGE, Step.PAGE_END): S.JOB,
    (S.JOB, Step.PAGE_END): S.JOB,
    (S.RESERVED, Step.END): S.RESERVED,
    (S.JOB, Step.END): S.RESERVED,
    (S.PAGE, Step.END): S.RESERVED,
    (S.FREE, Step.END): S.FREE,
    **{(state, Step.FREE): S.FREE for state in S},
}


@dataclass(frozen=True, slots=True)
class Holder:
    """Who reserved the unit, where it is told of presses, and until when without a keep-alive (seconds)."""

    token: bytes
    address: IPv4Address
    event_port: int
    alive_s: float
    until_s: float


class Session:
    """The reservation of one unit. `lapses`: how often nobody kept it alive."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.state = State.FREE
        self.holder: Holder | None = None
        self.bound_to: IPv4Address | None = None
        self.unfinished = False
        self.lapses = 0

    def reserve(self, token: bytes, asked: Reserve, peer: IPv4Address, now_s: float) -> int:
        """Take a RESERVE and return its status (section 4.1)."""
        self.lapse(now_s)
        if self.bound_to not in (None, peer):
            return BOUND
        if asked.identity != identity(self.password):
            return WRONG_PASSWORD
        if self.holder is not None and self.holder.token != token:
            return OCCUPIED
        if self.unfinished:
            return OCCUPIED
        alive_s = asked.alive_s or 5
        self.holder = Holder(token, peer, asked.event_port, alive_s, now_s + alive_s)
        self.state = STEPS[State.FREE if self.state is State.FREE else State.RESERVED, Step.RESERVE]
        return ACCEPTED

    def alive(self, token: bytes, now_s: float) -> None:
        """Take a keep-alive."""
        self.lapse(now_s)
        if self.holder is not None and self.holder.token == token:
            self.holder = replace(self.holder, until_s=now_s + self.holder.alive_s)

    def release(self, token: bytes) -> bool:
        """Take a RELEASE; False if that one has nothing to release."""
        if self.holder is None or self.holder.token != token:
            return False
        self._free()
        return True

    def lapse(self, now_s: float) -> None:
        """Free the unit if nobody kept it alive."""
        if self.holder is not None and now_s >= self.holder.until_s:
            self.lapses += 1
            self._free()

    def drop(self) -> None:
        """Forget the reservation, as a unit does that loses its power."""
        self.holder, self.state, self.unfinished = None, State.FREE, False

    def step(self, step: Step) -> bool:
        """Do a step of a job; False where the machine has none."""
        after = STEPS.get((self.state, step))
        if after is None:
            return False
        self.state = after
        if step is Step.END:
            self.unfinished = False
        return True

    def _free(self) -> None:
        self.unfinished = self.state in (State.JOB, State.PAGE)
        self.holder, self.state = None, STEPS[self.state, Step.FREE]
