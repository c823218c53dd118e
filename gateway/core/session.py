"""The session machine: levels, times, and what each level may do (SECURITY.md, Levels and Times)."""

from dataclasses import replace
from datetime import timedelta
from enum import StrEnum

from gateway.core.model import Account, AccountId, Instant, Level, Session, SessionId, TwoFactor

LP_SPAN = timedelta(minutes=5)
LR_SPAN = timedelta(minutes=15)
L1_SPAN = timedelta(hours=12)
IDLE_SPAN = timedelta(minutes=30)
LP_MISSES = 5
WINDOWS_H = (1, 12, 24)
DEFAULT_WINDOW_H = 12


def windows_h(ceiling_h: int) -> tuple[int, ...]:
    """Return the forwarding windows that may be chosen where none is longer than the ceiling."""
    return tuple(hours for hours in WINDOWS_H if hours <= ceiling_h)


def default_window_h(windows: tuple[int, ...]) -> int:
    """Return the window that is chosen unless another one is."""
    return min(DEFAULT_WINDOW_H, windows[-1])


class Event(StrEnum):
    CODE = "code"
    SIGN_IN_CODE = "sign_in_code"
    ENROLLED = "enrolled"
    END = "end"


# L0 has no row: the password decides by the account's two-factor whether LP or L1 begins.
_RISES: dict[tuple[Level, Event], Level] = {
    (Level.LP, Event.CODE): Level.L2,
    (Level.LP, Event.SIGN_IN_CODE): Level.LR,
    (Level.LR, Event.ENROLLED): Level.L2,
    (Level.L1, Event.ENROLLED): Level.L2,
    (Level.L2, Event.ENROLLED): Level.L2,  # another authenticator
    (Level.LP, Event.END): Level.ENDED,
    (Level.L1, Event.END): Level.ENDED,
    (Level.LR, Event.END): Level.ENDED,
    (Level.L2, Event.END): Level.ENDED,
}

_NEEDS_CODE = frozenset({TwoFactor.ACTIVE, TwoFactor.SUSPENDED, TwoFactor.ROTATING})


def step(level: Level, event: Event) -> Level:
    """Return the level after `event`; KeyError if the machine has no such step."""
    return _RISES[level, event]


def begin(account: Account, new_id: SessionId, now: Instant, *, peer: str = "", client: str = "") -> Session:
    """Return the session that a right password opens: LP while a code is due, else L1."""
    needs_code = account.two_factor in _NEEDS_CODE
    span = LP_SPAN if needs_code else L1_SPAN
    return Session(
        id=new_id,
        account=account.id,
        level=Level.LP if needs_code else Level.L1,
        password_at=now.utc,
        totp_at=None,
        ends=now.after(span),
        acts_until=now.after(min(span, IDLE_SPAN)),
        forwards_until=None,
        epoch=account.auth_epoch,
        boot_id=now.boot_id,
        peer=peer,
        client=client,
    )


def by_paper(before: Session, new_id: SessionId, now: Instant) -> Session:
    """Return the LR session that a sign-in code makes of a half-open one: it may re-enrol two-factor, no more."""
    span = now.after(LR_SPAN)
    level = step(before.level, Event.SIGN_IN_CODE)
    return replace(before, id=new_id, level=level, ends=span, acts_until=span, misses=0)


def verified(before: Session, event: Event, new_id: SessionId, now: Instant, *, window_h: int, epoch: int) -> Session:
    """Return the L2 session that follows `before`; its forwarding window starts at the code."""
    if window_h not in WINDOWS_H:
        raise ValueError(f"a forwarding window is one of {WINDOWS_H} hours")
    window = now.after(timedelta(hours=window_h))
    return replace(
        before,
        id=new_id,
        level=step(before.level, event),
        totp_at=now.utc,
        ends=window,
        acts_until=now.after(IDLE_SPAN),
        forwards_until=window,
        epoch=epoch,
        misses=0,
    )


def lives(session: Session, account: Account, now: Instant) -> bool:
    """Tell whether the session still counts at all."""
    return (
        session.ended_at is None
        and session.epoch == account.auth_epoch
        and session.boot_id == now.boot_id
        and not session.ends.passed(now)
        and session.account == AccountId(account.id)
    )


def locked(session: Session, now: Instant) -> bool:
    """Tell whether the session's pages are locked for want of activity; its window is not touched by that."""
    return session.acts_until.passed(now)
