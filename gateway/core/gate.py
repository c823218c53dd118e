"""The gate: may this delivery leave the gateway now? The only place where a Permit is made.

A scan leaves only while its account is active, has two-factor authentication on, and has at least one session
that passed password and authentication code (level L2), has not ended, belongs to this boot and to the account's
present `auth_epoch`, and is inside its forwarding window on both clocks. The account's identity must be open in
memory too: without it nothing could be unsealed anyway. The gate is asked for every attempt, and once more before
the destination's commit. What it says no to is held, with the reason.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.core.model import (
    AccountState,
    Deadline,
    DeliveryId,
    Instant,
    Level,
    Session,
    SessionId,
    TwoFactor,
)


class Reason(StrEnum):
    """Why the gate is shut; the pages have a sentence for each."""

    ACCOUNT_NOT_ACTIVE = "account_not_active"
    TWO_FACTOR_OFF = "two_factor_off"
    SIGN_IN = "sign_in"
    CODE_DUE = "code_due"
    WINDOW_OVER = "window_over"
    OPEN_THE_PAGE_ONCE = "open_the_page_once"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the decision rests on, read from the database for this very question."""

    delivery: DeliveryId
    account_state: AccountState
    two_factor: TwoFactor
    auth_epoch: int
    sessions: tuple[Session, ...]
    open_identities: frozenset[SessionId]


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to deliver one delivery, on the strength of one session, until `good_until`."""

    delivery: DeliveryId
    session: SessionId
    good_until: Deadline


@dataclass(frozen=True, slots=True)
class Refusal:
    """No, and why."""

    reason: Reason


_TWO_FACTOR_ON = frozenset({TwoFactor.ACTIVE, TwoFactor.SUSPENDED, TwoFactor.ROTATING})


def decide(facts: Facts, now: Instant) -> Permit | Refusal:
    """Decide whether a delivery may leave now."""
    if facts.account_state is not AccountState.ACTIVE:
        return Refusal(Reason.ACCOUNT_NOT_ACTIVE)
    if facts.two_factor not in _TWO_FACTOR_ON:
        return Refusal(Reason.TWO_FACTOR_OFF)
    alive = [s for s in facts.sessions if _alive(s, facts.auth_epoch, now)]
    verified = [s for s in alive if s.level is Level.L2]
    if not verified:
        return Refusal(Reason.CODE_DUE if any(s.level is Level.LP for s in alive) else Reason.SIGN_IN)
    forwarding = [(s, s.forwards_until) for s in verified if s.forwards_until is not None]
    in_window = [(s, until) for s, until in forwarding if not until.passed(now)]
    if not in_window:
        return Refusal(Reason.WINDOW_OVER)
    able = [(s, until) for s, until in in_window if s.id in facts.open_identities]
    if not able:
        return Refusal(Reason.OPEN_THE_PAGE_ONCE)
    session, until = max(able, key=lambda pair: (pair[1].utc, pair[0].id))
    return Permit(delivery=facts.delivery, session=session.id, good_until=until)


def _alive(session: Session, epoch: int, now: Instant) -> bool:
    return (
        session.ended_at is None
        and session.level is not Level.ENDED
        and session.epoch == epoch
        and session.boot_id == now.boot_id
        and not session.ends.passed(now)
    )
