"""The records that every room passes on. Frozen; times are aware UTC; units stand in the names."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

AccountId = NewType("AccountId", str)
SessionId = NewType("SessionId", str)
UnitId = NewType("UnitId", str)
ScanId = NewType("ScanId", str)
DestinationId = NewType("DestinationId", str)
DeliveryId = NewType("DeliveryId", str)
RuleId = NewType("RuleId", str)


@dataclass(frozen=True, slots=True)
class Instant:
    """Now, on both clocks: the wall clock, and the seconds since this boot (which nobody can set back)."""

    utc: datetime
    boot_s: float
    boot_id: str

    def after(self, span: timedelta) -> "Deadline":
        """Return the deadline that lies `span` from this instant on both clocks."""
        return Deadline(utc=self.utc + span, boot_s=self.boot_s + span.total_seconds())


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time on both clocks; whichever comes first counts, so a clock set back revives nothing."""

    utc: datetime
    boot_s: float

    def passed(self, now: Instant) -> bool:
        """Tell whether the deadline is over."""
        return now.utc >= self.utc or now.boot_s >= self.boot_s


class AccountState(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"
    DELETING = "deleting"
    PURGED = "purged"


class TwoFactor(StrEnum):
    OFF = "off"
    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ROTATING = "rotating"


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account. `recipient` is the public half of its age identity; `auth_epoch` ends old sessions.

    `key_epoch` counts the identities: a new one is made when password and rescue key are lost. `paper_kept`: the owner
    has typed the rescue key once more. `deletes_at`: when an account that is being deleted is gone. `banner`: what its
    owner must be told at the next sign-in, a key of the catalogue.
    """

    id: AccountId
    email: str
    state: AccountState
    two_factor: TwoFactor
    auth_epoch: int
    recipient: str
    created_at: datetime
    key_epoch: int = 1
    paper_kept: bool = False
    deletes_at: datetime | None = None
    banner: str = ""


class Level(StrEnum):
    """How far a session has come (SECURITY.md, Levels). L0 is a request without a session."""

    L0 = "L0"
    LP = "LP"
    L1 = "L1"
    LR = "LR"
    L2 = "L2"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser or client.

    `ends` is the end of the session itself, `acts_until` the end of its pages without activity,
    `forwards_until` the end of its forwarding window (L2 only); `peer` and `client`: from where and by what it began.
    """

    id: SessionId
    account: AccountId
    level: Level
    password_at: datetime
    totp_at: datetime | None
    ends: Deadline
    acts_until: Deadline
    forwards_until: Deadline | None
    epoch: int
    boot_id: str
    misses: int = 0
    ended_at: datetime | None = None
    peer: str = ""
    client: str = ""


class UnitState(StrEnum):
    """How a unit is over one way; LENT is said of the whole unit: its owner lets another app have it for a while."""

    UNSEEN = "unseen"
    SEEN = "seen"
    READY = "ready"
    BUSY = "busy"
    GONE = "gone"
    SUSPENDED = "suspended"
    LENT = "lent"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to reach a unit; `sighting` names it, `pin` is the fingerprint it must show.

    `password_set`: the owner gave a password of its own for it.
    """

    via: str
    sighting: str
    pin: str
    password_set: bool = False


@dataclass(frozen=True, slots=True)
class UnitSettings:
    """How a unit scans, as its owner set it; what the values mean: `drivers.port.Profile`.

    `on_paper`: paper put into the empty feeder starts a scan, as a press does.
    """

    resolution_dpi: int = 300
    colour: str = "colour"
    duplex: bool = True
    jpeg_quality: int = 4
    paper: str = "automatic"
    overscan: bool = False
    double_feed: bool = True
    brightness: int = 0
    contrast: int = 0
    on_paper: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """A registered scanner and its one owner."""

    id: UnitId
    owner: AccountId
    label: str
    model: str
    ways: tuple[Way, ...]
    since: datetime
    settings: UnitSettings = UnitSettings()


class ScanState(StrEnum):
    RECEIVING = "receiving"
    PAUSED = "paused"
    STORED = "stored"
    INCOMPLETE = "incomplete"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Scan:
    """One batch. It belongs to whoever owned the unit when it began.

    `reason` says why it paused; `colour`: how its unit was set to scan.
    """

    id: ScanId
    account: AccountId
    unit: UnitId
    unit_label: str
    state: ScanState
    started_at: datetime
    paused_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""
    page_count: int = 0
    colour: str = ""


@dataclass(frozen=True, slots=True)
class PageFile:
    """The manifest row of one sealed page. `path` is relative to the spool; digests are lower-case hex.

    `components` of a pixel as it was sent, 1 or 3; `colour`: how the page is wanted.
    """

    scan: ScanId
    account: AccountId
    unit: UnitId
    number: int
    side: str
    media_type: str
    width_px: int
    height_px: int
    resolution_dpi: int
    byte_count: int
    components: int
    colour: str
    path: str
    sealed_sha256: str
    mac: str
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an account's documents go. `config` is what the owner may see; secrets never leave the store unsealed."""

    id: DestinationId
    account: AccountId
    kind: str
    label: str
    config: dict[str, str]
    created_at: datetime


class DeliveryState(StrEnum):
    WAITING = "waiting"
    SENDING = "sending"
    COMMITTING = "committing"
    DELIVERED = "delivered"
    UNCERTAIN = "uncertain"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a destination proved: where the document is, what the sink calls it, how big it is there."""

    location: str
    remote_id: str
    byte_count: int
    sha256: str
    pages: int
    at: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class Filing:
    """What a rule says of its documents, for sinks that know more than a name; "" leaves it to the sink."""

    title: str = ""
    correspondent: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One scan on its way to one destination. `name` and `filing` are fixed before the first try."""

    id: DeliveryId
    scan: ScanId
    account: AccountId
    destination: DestinationId
    generation: int
    name: str
    state: DeliveryState
    attempts: int
    next_try_at: datetime
    reason: str
    receipt: Receipt | None
    created_at: datetime
    filing: Filing = Filing()

    @property
    def key(self) -> str:
        """Return the idempotency key: scan/destination/generation."""
        return f"{self.scan}/{self.destination}/{self.generation}"
