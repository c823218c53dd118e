"""What owners are told, and when: a cause once, however often it is met again, and anew only after it was gone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from gateway.core.model import AccountId, Delivery, DeliveryState

NoticeId = NewType("NoticeId", str)
ChannelId = NewType("ChannelId", str)

UNROUTED_SPAN = timedelta(minutes=1)  # by then a finished scan was planned
TROUBLE_ATTEMPTS = 3  # tries that failed, half a minute or so: a server that restarts is no news
LOST_SPAN = timedelta(days=1)  # scanners are switched off over night
FIRST_PUSH_SPAN = timedelta(minutes=1)  # who signs in meanwhile need not be told
LAST_PUSH_SPAN = timedelta(days=1)


class Kind(StrEnum):
    """What a notice is about; the words for each are in `work/notices.py`."""

    HELD = "held"
    TWO_FACTOR_OFF = "two_factor_off"
    NOT_ACTIVE = "not_active"
    UNROUTED = "unrouted"
    OPEN_THE_PAGE_ONCE = "open_the_page_once"
    INCOMPLETE = "incomplete"
    DESTINATION = "destination"
    UNCERTAIN = "uncertain"
    DAMAGED = "damaged"
    UNIT_LOST = "unit_lost"
    UNIT_CHANGED = "unit_changed"
    ROOM = "room"
    SECURITY = "security"


# Of these each one is told once for all; the others last as long as their cause.
EVENTS = frozenset({Kind.INCOMPLETE, Kind.SECURITY})
# Pushed at once and marked so. All others are pushed after a while, if they still hold.
URGENT = frozenset({Kind.SECURITY, Kind.UNIT_CHANGED, Kind.DAMAGED, Kind.ROOM})


@dataclass(frozen=True, slots=True)
class Cause:
    """Something to be told. `key` tells causes apart; one that does not `begin` only keeps a notice that is there."""

    key: str
    kind: Kind
    detail: str
    begins: bool = True


@dataclass(frozen=True, slots=True)
class Notice:
    """What was told. `over_at`: since when its cause is gone; `read_at`: when its owner put it away."""

    id: NoticeId
    account: AccountId
    cause: str
    kind: Kind
    detail: str
    begun_at: datetime
    over_at: datetime | None = None
    read_at: datetime | None = None


def first_push(kind: Kind, begun_at: datetime) -> datetime:
    """Return when a notice is first pushed."""
    return begun_at if kind in URGENT else begun_at + FIRST_PUSH_SPAN


def of_delivery(delivery: Delivery, destination: str, *, held: bool) -> Cause | None:
    """Return what there is to tell of a delivery, whose destination is called so; `held`: it waits for the gate.

    What failed before and waits for the gate now keeps its cause: a shut gate mends no destination.
    """
    state, tries = delivery.state, delivery.attempts
    if state is DeliveryState.QUARANTINED:
        return Cause(f"delivery:{delivery.id}", Kind.DAMAGED, delivery.name)
    if state is DeliveryState.UNCERTAIN:
        detail = f"{delivery.name} to {destination}"
        return Cause(f"delivery:{delivery.id}", Kind.UNCERTAIN, detail, begins=held or tries >= TROUBLE_ATTEMPTS)
    failed = state is DeliveryState.WAITING and tries > 0 and bool(delivery.reason)
    again = state in (DeliveryState.SENDING, DeliveryState.COMMITTING) and tries > 1
    if state is not DeliveryState.FAILED and not failed and not again:
        return None
    begins = state is DeliveryState.FAILED or (failed and not held and tries >= TROUBLE_ATTEMPTS)
    return Cause(f"destination:{delivery.destination}", Kind.DESTINATION, destination, begins)
