"""The tables of states: what must be possible, and that everything else raises."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import account, delivery, scan, session, totp, unit
from gateway.core.model import (
    Account,
    AccountId,
    AccountState,
    DeliveryState,
    Instant,
    Level,
    Scan,
    ScanId,
    ScanState,
    SessionId,
    TwoFactor,
    UnitId,
)

NOW = Instant(utc=datetime(2026, 3, 1, 12, tzinfo=UTC), boot_s=1000.0, boot_id="boot")
# RFC 6238, appendix B, SHA-1, the last six of its eight digits; secret "12345678901234567890".
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
RFC_ROWS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
]


def at(seconds: float) -> Instant:
    return Instant(utc=datetime.fromtimestamp(seconds, UTC), boot_s=seconds, boot_id="boot")


def an_account(two_factor: TwoFactor) -> Account:
    return Account(AccountId("a"), "a@example.org", AccountState.ACTIVE, two_factor, 3, "age1x", NOW.utc)


@pytest.mark.parametrize(("seconds", "code"), RFC_ROWS)
def test_the_codes_of_rfc_6238_match_at_their_step(seconds: int, code: str) -> None:
    assert totp.match(RFC_SECRET, code, at(seconds)) == seconds // 30


def test_one_step_of_drift_is_accepted_and_two_are_not() -> None:
    assert totp.match(RFC_SECRET, "287082", at(59 + 30)) == 1
    assert totp.match(RFC_SECRET, "287082", at(59 + 60)) is None
    assert totp.match(RFC_SECRET, "287082", at(29)) == 1


@pytest.mark.parametrize(
    "code", [287082, "２８７０８２", " 287082", "287082\n", "28708", "2870822", None, True, b"287082"]
)
def test_only_a_string_of_six_ascii_digits_is_a_code(code: object) -> None:
    assert totp.match(RFC_SECRET, code, at(59)) is None


def test_the_uri_names_issuer_and_email() -> None:
    uri = totp.uri(RFC_SECRET, email="a b@example.org", issuer="ScanSnap Gateway")
    assert uri.startswith("otpauth://totp/ScanSnap%20Gateway:a%20b%40example.org?secret=" + RFC_SECRET)
    assert "digits=6" in uri
    assert "period=30" in uri
    assert "algorithm=SHA1" in uri


def test_a_password_opens_lp_while_a_code_is_due_and_l1_otherwise() -> None:
    assert session.begin(an_account(TwoFactor.ACTIVE), SessionId("s"), NOW).level is Level.LP
    assert session.begin(an_account(TwoFactor.SUSPENDED), SessionId("s"), NOW).level is Level.LP
    assert session.begin(an_account(TwoFactor.OFF), SessionId("s"), NOW).level is Level.L1
    assert session.begin(an_account(TwoFactor.PENDING), SessionId("s"), NOW).level is Level.L1


def test_a_code_raises_lp_to_l2_with_the_chosen_window() -> None:
    before = session.begin(an_account(TwoFactor.ACTIVE), SessionId("s"), NOW)
    after = session.verified(before, session.Event.CODE, SessionId("t"), NOW, window_h=1, epoch=3)
    assert (after.level, after.forwards_until) == (Level.L2, NOW.after(timedelta(hours=1)))
    assert after.id != before.id


@pytest.mark.parametrize("level", [Level.L0, Level.L1, Level.L2, Level.LR, Level.ENDED])
def test_a_code_raises_no_other_level(level: Level) -> None:
    with pytest.raises(KeyError):
        session.step(level, session.Event.CODE)


def test_an_unlisted_window_is_refused() -> None:
    before = session.begin(an_account(TwoFactor.ACTIVE), SessionId("s"), NOW)
    with pytest.raises(ValueError, match="window"):
        session.verified(before, session.Event.CODE, SessionId("t"), NOW, window_h=48, epoch=3)


def test_sessions_of_another_epoch_boot_or_past_their_end_do_not_live() -> None:
    owner = an_account(TwoFactor.OFF)
    one = session.begin(owner, SessionId("s"), NOW)
    assert session.lives(one, owner, NOW)
    assert not session.lives(one, owner, Instant(NOW.utc, NOW.boot_s, "another boot"))
    later = Instant(NOW.utc - timedelta(days=1), NOW.boot_s + 13 * 3600, "boot")
    assert not session.lives(one, owner, later), "a clock set back revives nothing"


@pytest.mark.parametrize("unit_count", [0, 1])
def test_two_factor_needs_a_registered_unit_both_ways(unit_count: int) -> None:
    expected = account.Refused.NO_UNIT if unit_count == 0 else None
    assert account.may_enable(TwoFactor.OFF, unit_count) == expected
    assert account.may_disable(TwoFactor.ACTIVE, unit_count) == expected


def test_two_factor_cannot_be_enabled_twice_or_disabled_when_off() -> None:
    assert account.may_enable(TwoFactor.ACTIVE, 1) is account.Refused.ALREADY_ON
    assert account.may_disable(TwoFactor.OFF, 1) is account.Refused.NOT_ON


def test_a_scan_pauses_resumes_and_ends() -> None:
    assert scan.step(ScanState.RECEIVING, scan.Event.FAULT) is ScanState.PAUSED
    assert scan.step(ScanState.PAUSED, scan.Event.PRESS) is ScanState.RECEIVING
    with pytest.raises(KeyError):
        scan.step(ScanState.STORED, scan.Event.PRESS)


def test_a_commit_without_an_answer_is_uncertain_and_never_simply_sent_again() -> None:
    assert delivery.step(DeliveryState.COMMITTING, delivery.Event.NO_ANSWER) is DeliveryState.UNCERTAIN
    assert delivery.step(DeliveryState.COMMITTING, delivery.Event.CRASH) is DeliveryState.UNCERTAIN
    with pytest.raises(KeyError):
        delivery.step(DeliveryState.UNCERTAIN, delivery.Event.PERMIT)


def test_what_is_delivered_stays_delivered() -> None:
    for event in delivery.Event:
        with pytest.raises(KeyError):
            delivery.step(DeliveryState.DELIVERED, event)


@given(st.integers(0, 10_000), st.floats(0, 1), st.one_of(st.none(), st.floats(0, 1e9)))
def test_the_back_off_is_bounded(attempts: int, jitter: float, retry_after_s: float | None) -> None:
    wait = delivery.next_try(attempts, NOW.utc, jitter=jitter, retry_after_s=retry_after_s) - NOW.utc
    assert timedelta(seconds=5) <= wait <= timedelta(seconds=3600 * 1.2)


@given(st.text(max_size=60))
def test_a_document_name_is_safe_on_every_file_system(label: str) -> None:
    one = Scan(ScanId("ab" * 16), AccountId("a"), UnitId("u"), label, ScanState.STORED, NOW.utc)
    name = delivery.document_name(one)
    assert not set(name) & set('/\\:*?"<>|\0\n')
    assert not name.startswith(".")
    assert "abababab" in name


def test_an_incomplete_scan_says_so_in_its_name() -> None:
    one = Scan(ScanId("ab" * 16), AccountId("a"), UnitId("u"), "iX500", ScanState.INCOMPLETE, NOW.utc)
    assert delivery.document_name(one).endswith("(incomplete).pdf")


def test_a_unit_that_shows_another_pin_is_suspended_until_its_owner_acts() -> None:
    from gateway.core.model import UnitState

    assert unit.step(UnitState.SEEN, unit.Event.PIN_MISMATCH) is UnitState.SUSPENDED
    for event in set(unit.Event) - {unit.Event.OWNER}:
        assert unit.step(UnitState.SUSPENDED, event) is UnitState.SUSPENDED
    assert unit.step(UnitState.SUSPENDED, unit.Event.OWNER) is UnitState.SEEN
    with pytest.raises(KeyError):
        unit.step(UnitState.UNSEEN, unit.Event.OPENED)


@pytest.mark.parametrize("email", ["", "a", "@x", "a@", "a b@x", "a@x\n", "x" * 65 + "@y"])
def test_what_is_no_email_address_is_told(email: str) -> None:
    assert account.email_fault(email)


def test_email_addresses_are_one_whatever_their_case() -> None:
    assert account.fold_email(" Ä@Example.ORG") == account.fold_email("ä@example.org")
