"""The account and two-factor machines: who may enable, confirm, disable, and why not."""

import unicodedata
from datetime import timedelta
from enum import StrEnum

from gateway.core.model import AccountState, TwoFactor

PENDING_SPAN = timedelta(minutes=10)
PENDING_TRIES = 5
FRESH_PASSWORD_SPAN = timedelta(minutes=10)


class Event(StrEnum):
    START = "start"
    CODE = "code"
    LAPSE = "lapse"
    DISABLE = "disable"
    SUSPEND = "suspend"
    LIFT = "lift"
    ROTATE = "rotate"


_TWO_FACTOR: dict[tuple[TwoFactor, Event], TwoFactor] = {
    (TwoFactor.OFF, Event.START): TwoFactor.PENDING,
    (TwoFactor.PENDING, Event.START): TwoFactor.PENDING,
    (TwoFactor.PENDING, Event.CODE): TwoFactor.ACTIVE,
    (TwoFactor.PENDING, Event.LAPSE): TwoFactor.OFF,
    (TwoFactor.ACTIVE, Event.DISABLE): TwoFactor.OFF,
    (TwoFactor.ACTIVE, Event.SUSPEND): TwoFactor.SUSPENDED,
    (TwoFactor.SUSPENDED, Event.LIFT): TwoFactor.ACTIVE,
    (TwoFactor.ACTIVE, Event.ROTATE): TwoFactor.ROTATING,
    (TwoFactor.SUSPENDED, Event.ROTATE): TwoFactor.ROTATING,
    (TwoFactor.ROTATING, Event.ROTATE): TwoFactor.ROTATING,
    (TwoFactor.ROTATING, Event.CODE): TwoFactor.ACTIVE,  # LAPSE leads back to what it was: the pending row knows
}
DELETION_SPAN = timedelta(days=14)

_ACCOUNT: dict[tuple[AccountState, str], AccountState] = {
    (AccountState.ACTIVE, "disable"): AccountState.DISABLED,
    (AccountState.DISABLED, "enable"): AccountState.ACTIVE,
    (AccountState.ACTIVE, "delete"): AccountState.DELETING,
    (AccountState.DELETING, "cancel"): AccountState.ACTIVE,
    (AccountState.DELETING, "purge"): AccountState.PURGED,
}


class Refused(StrEnum):
    """Why two-factor authentication cannot be changed now; a decision, not an error."""

    NO_UNIT = "no_unit"
    ALREADY_ON = "already_on"
    NOT_ON = "not_on"


def step(state: TwoFactor, event: Event) -> TwoFactor:
    """Return the two-factor state after `event`; KeyError if the machine has no such step."""
    return _TWO_FACTOR[state, event]


def account_step(state: AccountState, event: str) -> AccountState:
    """Return the account state after `event`; KeyError if the machine has no such step."""
    return _ACCOUNT[state, event]


def may_enable(two_factor: TwoFactor, unit_count: int) -> Refused | None:
    """Return why two-factor cannot be enabled, or None: a registered unit is what makes it available."""
    if unit_count < 1:
        return Refused.NO_UNIT
    return Refused.ALREADY_ON if (two_factor, Event.START) not in _TWO_FACTOR else None


def may_rotate(two_factor: TwoFactor) -> Refused | None:
    """Return why the authenticator cannot be replaced, or None; that needs no unit."""
    return Refused.NOT_ON if (two_factor, Event.ROTATE) not in _TWO_FACTOR else None


def may_disable(two_factor: TwoFactor, unit_count: int) -> Refused | None:
    """Return why two-factor cannot be disabled, or None: that too needs a registered unit."""
    if unit_count < 1:
        return Refused.NO_UNIT
    return Refused.NOT_ON if (two_factor, Event.DISABLE) not in _TWO_FACTOR else None


def fold_email(email: str) -> str:
    """Return the form under which an e-mail address is looked up and unique."""
    return unicodedata.normalize("NFC", email.strip()).casefold()


def email_fault(email: str) -> str | None:
    """Return what is wrong with an e-mail address, or None (RFC 5321 lengths; the rest is the mail server's)."""
    local, at, domain = email.rpartition("@")
    if not at or not local or not domain or len(email) > 254 or len(local) > 64:
        return "an e-mail address looks like name@example.org"
    if any(c.isspace() or not c.isprintable() for c in email):
        return "an e-mail address holds no spaces or control characters"
    return None
