"""The gate, fact by fact: every single fact that is wrong shuts it, with its reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.gate import Facts, Permit, Reason, Refusal, decide
from gateway.core.model import (
    AccountId,
    AccountState,
    Deadline,
    DeliveryId,
    Instant,
    Level,
    Session,
    SessionId,
    TwoFactor,
)

NOW = Instant(utc=datetime(2026, 3, 1, 12, tzinfo=UTC), boot_s=1000.0, boot_id="boot")
SESSION = Session(
    id=SessionId("s"),
    account=AccountId("a"),
    level=Level.L2,
    password_at=NOW.utc,
    totp_at=NOW.utc,
    ends=NOW.after(timedelta(hours=12)),
    acts_until=NOW.after(timedelta(minutes=30)),
    forwards_until=NOW.after(timedelta(hours=12)),
    epoch=7,
    boot_id="boot",
)
FACTS = Facts(
    delivery=DeliveryId("d"),
    account_state=AccountState.ACTIVE,
    two_factor=TwoFactor.ACTIVE,
    auth_epoch=7,
    sessions=(SESSION,),
    open_identities=frozenset({SESSION.id}),
)


def with_session(**changes: object) -> Facts:
    return replace(FACTS, sessions=(replace(SESSION, **changes),))  # type: ignore[arg-type]


def test_all_facts_right_gives_a_permit_for_this_delivery_and_session() -> None:
    assert decide(FACTS, NOW) == Permit(DeliveryId("d"), SessionId("s"), SESSION.forwards_until)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", [s for s in AccountState if s is not AccountState.ACTIVE])
def test_an_account_that_is_not_active_sends_nothing(state: AccountState) -> None:
    assert decide(replace(FACTS, account_state=state), NOW) == Refusal(Reason.ACCOUNT_NOT_ACTIVE)


@pytest.mark.parametrize("two_factor", [TwoFactor.OFF, TwoFactor.PENDING])
def test_without_two_factor_nothing_leaves(two_factor: TwoFactor) -> None:
    assert decide(replace(FACTS, two_factor=two_factor), NOW) == Refusal(Reason.TWO_FACTOR_OFF)


@pytest.mark.parametrize("two_factor", [TwoFactor.SUSPENDED, TwoFactor.ROTATING])
def test_running_windows_run_out_while_the_factor_is_suspended_or_rotating(two_factor: TwoFactor) -> None:
    assert isinstance(decide(replace(FACTS, two_factor=two_factor), NOW), Permit)


def test_no_session_asks_for_a_sign_in() -> None:
    assert decide(replace(FACTS, sessions=()), NOW) == Refusal(Reason.SIGN_IN)


@pytest.mark.parametrize("level", [Level.L0, Level.L1, Level.LR, Level.ENDED])
def test_no_other_level_opens_the_gate(level: Level) -> None:
    assert decide(with_session(level=level), NOW) == Refusal(Reason.SIGN_IN)


def test_a_password_alone_says_that_the_code_is_due() -> None:
    assert decide(with_session(level=Level.LP), NOW) == Refusal(Reason.CODE_DUE)


@pytest.mark.parametrize(
    "changes",
    [
        {"ended_at": NOW.utc},
        {"epoch": 6},
        {"boot_id": "another"},
        {"ends": NOW.after(timedelta(0))},
        {"ends": Deadline(NOW.utc + timedelta(hours=1), NOW.boot_s)},
    ],
)
def test_a_session_that_no_longer_lives_does_not_count(changes: dict[str, object]) -> None:
    assert decide(with_session(**changes), NOW) == Refusal(Reason.SIGN_IN)


@pytest.mark.parametrize(
    "window",
    [
        None,
        Deadline(NOW.utc, NOW.boot_s + 60),
        Deadline(NOW.utc + timedelta(hours=1), NOW.boot_s),
    ],
)
def test_a_window_over_on_either_clock_is_over(window: Deadline | None) -> None:
    assert decide(with_session(forwards_until=window), NOW) == Refusal(Reason.WINDOW_OVER)


def test_an_identity_that_is_not_open_asks_for_the_page_once() -> None:
    assert decide(replace(FACTS, open_identities=frozenset()), NOW) == Refusal(Reason.OPEN_THE_PAGE_ONCE)


def test_locked_pages_do_not_shut_the_window() -> None:
    assert isinstance(decide(with_session(acts_until=NOW.after(timedelta(0))), NOW), Permit)


def test_of_several_sessions_the_one_with_the_longest_window_permits() -> None:
    longer = replace(SESSION, id=SessionId("t"), forwards_until=NOW.after(timedelta(hours=24)))
    facts = replace(FACTS, sessions=(SESSION, longer), open_identities=frozenset({SESSION.id, longer.id}))
    assert decide(facts, NOW) == Permit(DeliveryId("d"), SessionId("t"), NOW.after(timedelta(hours=24)))
