"""What the outbox sees of any destination. Types and errors only.

DestinationError
├── Unavailable   not now: no connection, 5xx, 429, quota  -> retried; `retry_after_s` when the sink said so
├── Rejected      for good: bad credentials, bad path, conflict -> FAILED until the owner acts
└── ReplyLost     the commit was asked for and no answer came   -> UNCERTAIN, then `reconcile`
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gateway.core.gate import Permit
from gateway.core.model import Filing


class DestinationError(Exception):
    """A destination did not take a document; `str()` is a sentence for the owner."""


class Unavailable(DestinationError):
    """The destination cannot take it now."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Rejected(DestinationError):
    """The destination will not take it, however often it is asked."""


class ReplyLost(DestinationError):
    """The commit went out and its answer did not come back."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A document ready to leave. `open()` starts a fresh stream of exactly `byte_count` bytes each time.

    `key`: scan/destination/generation, the same for every attempt; `created_at`: when the scan began.
    """

    name: str
    key: str
    media_type: str
    byte_count: int
    open: Callable[[], AsyncIterator[bytes]]
    created_at: datetime
    filing: Filing = field(default_factory=Filing)


@dataclass(frozen=True, slots=True)
class Proof:
    """What the sink showed: `location` for a person, `remote_id` (ETag, inode, ...) for a machine."""

    location: str
    remote_id: str
    byte_count: int
    sha256: str


class Trace(StrEnum):
    """What `reconcile` found where it could not find the document."""

    ABSENT = "absent"
    UNKNOWABLE = "unknowable"


Commit = Callable[[], Awaitable[None]]
"""Asked right before the step that makes the document visible: asks the gate again and makes the COMMITTING row
durable. Whatever it raises must stop the delivery before that step."""


class Port(Protocol):
    """One configured destination."""

    async def probe(self) -> None:
        """Test credentials, path and room without sending a byte of any scan; raise DestinationError."""

    async def deliver(self, permit: Permit, parcel: Parcel, commit: Commit) -> Proof:
        """Write under a temporary name, `await commit()`, then make it visible; raise DestinationError.

        Cancelled or failed before the commit, it leaves no complete document and tidies what it wrote; what an earlier
        attempt left goes, too. Where publishing is a rename, ReplyLost leaves the temporary name as it is.
        """

    async def reconcile(self, permit: Permit, parcel: Parcel) -> Proof | Trace:
        """Find out whether an earlier commit of this parcel took effect.

        Where publishing is a rename, the temporary name tells, also of a document that somebody took away since: it
        was there before the commit, and publishing made it vanish. Final name there: Proof, or ABSENT if that is
        another document; only the temporary name there: ABSENT; neither: UNKNOWABLE. The temporary file therefore
        stays until the document is found, or sent again: whoever died after its removal would take it for published.
        """
