"""How a delivery stands, for its owner: what it waits for, until when, and whether it is for them to say what is so."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from gateway.core.delivery import CANNOT_SAY, REMOVED
from gateway.core.gate import Reason
from gateway.core.model import Delivery, DeliveryState
from gateway.core.notice import TROUBLE_ATTEMPTS

SENTENCES = {
    Reason.ACCOUNT_NOT_ACTIVE: "Held: the account is not active.",
    Reason.TWO_FACTOR_OFF: "Held: enable two-factor authentication, then scans are forwarded.",
    Reason.SIGN_IN: "Held: sign in with password and authentication code.",
    Reason.CODE_DUE: "Held: the authentication code is still due.",
    Reason.WINDOW_OVER: "Held: the time for forwarding is over. Sign in again.",
    Reason.OPEN_THE_PAGE_ONCE: "Held: sign in once more, the gateway was restarted.",
}


class Check(StrEnum):
    """How it stands with the question whether an uncertain delivery arrived.

    It is asked when its time comes (DUE) or forwarding is open (HELD), was asked several times without an answer
    (SILENT), or the destination says that it cannot know (UNKNOWABLE).
    """

    DUE = "due"
    HELD = "held"
    SILENT = "silent"
    UNKNOWABLE = "unknowable"


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery with its destination's label; `held`: it waits for the gate.

    `next_at`: when it is tried or asked for next; None if nothing waits for a time to come. `check`: of an uncertain
    one only.
    """

    delivery: Delivery
    destination_label: str
    held: bool
    next_at: datetime | None = None
    check: Check | None = None

    @property
    def withdrawn(self) -> bool:
        """Tell whether it was given up because its destination was removed."""
        return self.delivery.state is DeliveryState.DISCARDED and self.delivery.reason == REMOVED

    @property
    def left_to_owner(self) -> bool:
        """Tell whether its owner is asked to look whether it arrived."""
        return self.check in (Check.SILENT, Check.UNKNOWABLE)

    @property
    def failing(self) -> bool:
        """Tell whether it waits for another try after one that went wrong."""
        return self.delivery.state is DeliveryState.WAITING and bool(self.delivery.reason) and not self.held


def standing(delivery: Delivery, destination_label: str, now: datetime) -> DeliveryView:
    """Return how a delivery stands now, with the gate's reason put into words."""
    return DeliveryView(
        _spoken(delivery),
        destination_label,
        _held(delivery),
        next_at=_next_at(delivery, now),
        check=_check(delivery),
    )


def _held(delivery: Delivery) -> bool:
    return delivery.state is DeliveryState.WAITING and delivery.reason in set(Reason)


def _next_at(delivery: Delivery, now: datetime) -> datetime | None:
    waits = delivery.state in (DeliveryState.WAITING, DeliveryState.UNCERTAIN) and delivery.reason not in set(Reason)
    return delivery.next_try_at if waits and delivery.next_try_at > now else None


def _check(delivery: Delivery) -> Check | None:
    if delivery.state is not DeliveryState.UNCERTAIN:
        return None
    if delivery.reason in set(Reason):
        return Check.HELD
    if delivery.reason == CANNOT_SAY:
        return Check.UNKNOWABLE
    return Check.SILENT if delivery.attempts >= TROUBLE_ATTEMPTS else Check.DUE


def _spoken(delivery: Delivery) -> Delivery:
    if delivery.reason in set(Reason):
        return replace(delivery, reason=SENTENCES[Reason(delivery.reason)])
    return delivery
