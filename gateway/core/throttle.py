"""Throttling of guesses: what is remembered of misses, and how long the next attempt must wait (SECURITY.md).

An attempt counts as a miss before it is checked and is taken back when it turns out to be none, so that many at once
gain nothing. Nothing here is permanent, and nobody needs an administrator to get in again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

KEPT = 20  # the longest of the limits below
SUSPENDS = 50  # codes missed in a row: the factor is suspended
CLOSES = 100  # passwords missed in a row by strangers: unknown devices wait a day
FREE = 5
_FIRST_WAIT_S, _LONGEST_WAIT_S = 30.0, 3600.0
_FREE_SPAN = timedelta(minutes=15)
_DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Tally:
    """The misses of one bucket: how many in a row, and when the latest were, oldest first."""

    at: tuple[datetime, ...] = ()
    in_a_row: int = 0


Rule = Callable[[Tally, datetime], float]
"""How many seconds the next attempt must wait; 0 for not at all."""


def missed(tally: Tally, now: datetime) -> Tally:
    """Return the tally with one miss more."""
    return Tally((*tally.at, now)[-KEPT:], tally.in_a_row + 1)


def returned(tally: Tally) -> Tally:
    """Return the tally without its latest miss, which was none."""
    return Tally(tally.at[:-1], max(0, tally.in_a_row - 1))


def code_wait_s(tally: Tally, now: datetime) -> float:
    """Authentication codes, per account: 5 misses in 15 minutes, 20 in a day."""
    return max(_within(tally, now, FREE, _FREE_SPAN), _within(tally, now, KEPT, _DAY))


def near_wait_s(tally: Tally, now: datetime) -> float:
    """Passwords, per account and network (or known device): 5, then 30 s doubling to an hour.

    The row is forgotten after a quiet quarter of an hour, or twice the last wait if that is longer.
    """
    if tally.in_a_row < FREE or not tally.at:
        return 0.0
    wait_s: float = min(_FIRST_WAIT_S * 2 ** min(tally.in_a_row - FREE, 20), _LONGEST_WAIT_S)
    quiet_s = _age_s(tally.at[-1], now)
    return 0.0 if quiet_s >= max(_FREE_SPAN.total_seconds(), 2 * wait_s) else max(0.0, wait_s - quiet_s)


def strangers_wait_s(tally: Tally, now: datetime) -> float:
    """Passwords, per account over all unknown devices: 20 an hour; 100 in a row close that door for a day."""
    closed_s = 0.0
    if tally.at and tally.in_a_row >= CLOSES and tally.in_a_row % CLOSES == 0:
        closed_s = max(0.0, _DAY.total_seconds() - _age_s(tally.at[-1], now))
    return max(closed_s, _within(tally, now, KEPT, timedelta(hours=1)))


def suspends(tally: Tally) -> bool:
    """Tell whether so many codes were missed in a row that the factor is suspended."""
    return tally.in_a_row >= SUSPENDS


def _within(tally: Tally, now: datetime, most: int, span: timedelta) -> float:
    """Return how long until fewer than `most` misses lie within the span."""
    if len(tally.at) < most:
        return 0.0
    return max(0.0, span.total_seconds() - _age_s(tally.at[-most], now))


def _age_s(at: datetime, now: datetime) -> float:
    """Return how long ago this was; what a clock set back shows as to come was just now."""
    return max(0.0, (now - at).total_seconds())
