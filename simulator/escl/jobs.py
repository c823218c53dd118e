"""Jobs and what may happen to them, as a table. No HTTP, no paper."""

import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto

from simulator.escl.images import Document
from simulator.escl.wire import Region, Settings, Source

_REMEMBERED = 8  # jobs that a status still lists


class State(StrEnum):
    PENDING = "Pending"
    PROCESSING = "Processing"
    COMPLETED = "Completed"
    CANCELED = "Canceled"
    ABORTED = "Aborted"


class Event(Enum):
    """What happens to a job."""

    ASKED = auto()  # its first page is asked for
    RAN_OUT = auto()  # there is no further page
    CANCELLED = auto()  # the client takes it back
    STOPPED = auto()  # somebody pressed Stop at the unit
    FAILED = auto()  # paper trouble, or power
    EXPIRED = auto()  # the client is no longer heard


_ENDS = {
    Event.RAN_OUT: State.COMPLETED,
    Event.CANCELLED: State.CANCELED,
    Event.STOPPED: State.CANCELED,
    Event.FAILED: State.ABORTED,
    Event.EXPIRED: State.ABORTED,
}
# Where a row is missing, nothing happens: what is over stays as it ended.
NEXT: dict[tuple[State, Event], State] = {
    (State.PENDING, Event.ASKED): State.PROCESSING,
    **{(state, event): end for state in (State.PENDING, State.PROCESSING) for event, end in _ENDS.items()},
}
REASONS: dict[Event, str] = {
    Event.ASKED: "JobScanningAndTransferring",
    Event.RAN_OUT: "JobCompletedSuccessfully",
    Event.CANCELLED: "JobCanceledByUser",
    Event.STOPPED: "JobCanceledByUser",
    Event.FAILED: "AbortedBySystem",
    Event.EXPIRED: "JobTimedOut",
}
_ACTIVE = frozenset({State.PENDING, State.PROCESSING})


@dataclass(slots=True)
class Job:
    """One job. `waiting`: pages of the sheet in the path that were not sent yet; times are the loop's seconds."""

    settings: Settings
    source: Source
    region: Region
    born_s: float
    heard_s: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: State = State.PENDING
    reason: str = "JobQueued"
    waiting: deque[Document] = field(default_factory=deque)
    last: Document | None = None
    completed: int = 0
    ready_at_s: float = 0.0
    busy_polls: int = 0
    ask_again_s: float = 0.0
    sending: bool = False

    @property
    def active(self) -> bool:
        """Tell whether it still occupies the unit."""
        return self.state in _ACTIVE

    @property
    def to_transfer(self) -> int:
        """Return how many pages lie ready."""
        return len(self.waiting)

    def happens(self, event: Event) -> bool:
        """Take an event; False where it changes nothing."""
        following = NEXT.get((self.state, event))
        if following is None:
            return False
        self.state, self.reason = following, REASONS[event]
        if not self.active:
            self.waiting.clear()
        return True


class Jobs:
    """The job that the unit works on, and the last ones before it."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque(maxlen=_REMEMBERED)

    def __iter__(self) -> Iterator[Job]:
        return reversed(self._jobs)

    @property
    def active(self) -> Job | None:
        """Return the job that occupies the unit."""
        return next((job for job in self._jobs if job.active), None)

    def add(self, job: Job) -> None:
        """Take a new job; the oldest is forgotten."""
        self._jobs.append(job)

    def find(self, id_: str) -> Job | None:
        """Return a job by its id."""
        return next((job for job in self._jobs if job.id == id_), None)
