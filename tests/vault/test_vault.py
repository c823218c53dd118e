"""Keys, sealing and the keyring: what opens, what does not, and that it stops at once."""

import asyncio
import io
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.core.gate import Facts, Permit, decide
from gateway.core.model import AccountId, AccountState, DeliveryId, Instant, Level, Session, SessionId, TwoFactor
from gateway.vault import keys, seal
from gateway.vault.device import DeviceKey, DeviceKeyError, TamperedError
from gateway.vault.keyring import Keyring, NotOpen
from gateway.vault.seal import BrokenSeal

ACCOUNT = AccountId("account")
NOW = Instant(datetime(2026, 3, 1, tzinfo=UTC), 10.0, "boot")
PAGE = bytes(range(256)) * 20_000


@pytest.fixture
def permit() -> Permit:
    session = Session(
        id=SessionId("s"),
        account=ACCOUNT,
        level=Level.L2,
        password_at=NOW.utc,
        totp_at=NOW.utc,
        ends=NOW.after(timedelta(hours=1)),
        acts_until=NOW.after(timedelta(hours=1)),
        forwards_until=NOW.after(timedelta(hours=1)),
        epoch=1,
        boot_id="boot",
    )
    facts = Facts(DeliveryId("d"), AccountState.ACTIVE, TwoFactor.ACTIVE, 1, (session,), frozenset({session.id}))
    answer = decide(facts, NOW)
    assert isinstance(answer, Permit)
    return answer


@pytest.fixture(scope="module")
def identity() -> keys.Identity:
    return keys.new_identity()


@pytest.fixture
def sealed(tmp_path: Path, identity: keys.Identity) -> Path:
    path = tmp_path / "page.age"
    with path.open("wb") as file:
        seal.seal(io.BytesIO(PAGE), file, identity.recipient)
    return path


@pytest.fixture
def keyring(identity: keys.Identity) -> Keyring:
    ring = Keyring()
    ring.admit(ACCOUNT, SessionId("s"), identity.secret)
    return ring


def test_the_device_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    first = DeviceKey.load(tmp_path, None).derive("x")
    assert DeviceKey.load(tmp_path, None).derive("x") == first
    assert (tmp_path / "device.key").stat().st_mode & 0o777 == 0o600


def test_a_device_key_that_others_may_read_or_of_a_wrong_size_is_refused(tmp_path: Path) -> None:
    DeviceKey.load(tmp_path, None)
    (tmp_path / "device.key").chmod(0o640)
    with pytest.raises(DeviceKeyError, match="chmod"):
        DeviceKey.load(tmp_path, None)
    (tmp_path / "device.key").chmod(0o600)
    (tmp_path / "device.key").write_bytes(b"short")
    with pytest.raises(DeviceKeyError, match="5 bytes"):
        DeviceKey.load(tmp_path, None)


def test_a_systemd_credential_comes_first(tmp_path: Path) -> None:
    (tmp_path / "device-key").write_bytes(b"k" * 32)
    assert DeviceKey.load(tmp_path, tmp_path).derive("x") == DeviceKey(b"k" * 32).derive("x")
    assert not (tmp_path / "device.key").exists()


@pytest.mark.parametrize("changed", [{"table": "other"}, {"column": "other"}, {"account": "other"}])
def test_a_sealed_value_opens_only_where_it_belongs(changed: dict[str, str]) -> None:
    device = DeviceKey(b"k" * 32)
    place = {"table": "t", "column": "c", "account": "a"}
    box = device.seal(b"secret", **place)
    assert device.unseal(box, **place) == b"secret"
    with pytest.raises(TamperedError):
        device.unseal(box, **{**place, **changed})


@pytest.mark.parametrize("position", [0, 5, 20, -1])
def test_a_changed_sealed_value_does_not_open(position: int) -> None:
    device = DeviceKey(b"k" * 32)
    box = bytearray(device.seal(b"secret", table="t", column="c", account="a"))
    box[position] ^= 1
    with pytest.raises(TamperedError):
        device.unseal(bytes(box), table="t", column="c", account="a")


def test_the_mac_keeps_parts_apart() -> None:
    device = DeviceKey(b"k" * 32)
    assert device.mac("ab", "c") != device.mac("a", "bc")


def test_the_slot_needs_the_password_and_this_gateway(identity: keys.Identity) -> None:
    salt = keys.new_salt()
    right = keys.stretch("correct horse battery staple", salt)
    wrong = keys.stretch("correct horse battery stable", salt)
    half = keys.share(DeviceKey(b"k" * 32), ACCOUNT)
    slot = keys.seal_password_slot(identity.secret, right.kek, half, ACCOUNT)
    assert keys.open_password_slot(slot, right.kek, half, ACCOUNT) == identity.secret
    assert not keys.verify(wrong, right.verifier)
    for kek, other_half, account in (
        (wrong.kek, half, ACCOUNT),
        (right.kek, keys.share(DeviceKey(b"l" * 32), ACCOUNT), ACCOUNT),
        (right.kek, half, AccountId("other")),
    ):
        with pytest.raises(keys.SlotError):
            keys.open_password_slot(slot, kek, other_half, account)


def test_a_password_is_the_same_however_it_is_composed() -> None:
    salt = keys.new_salt()
    assert keys.stretch("pässword is long enough", salt) == keys.stretch("pa\u0308ssword is long enough", salt)


@pytest.mark.parametrize(
    "password", ["short", "x" * 129, "scansnapscansnap", "you@example.org", "a" * 20, "tab\tin the middle of it"]
)
def test_weak_passwords_are_refused_with_a_sentence(password: str) -> None:
    assert keys.password_fault(password, "you@example.org")


def test_spaces_are_significant_and_a_phrase_is_fine() -> None:
    assert keys.password_fault("correct horse battery staple", "you@example.org") is None


async def test_a_page_comes_out_as_it_went_in(keyring: Keyring, permit: Permit, sealed: Path) -> None:
    assert b"".join([c async for c in keyring.stream(permit, ACCOUNT, sealed)]) == PAGE


async def test_dropping_the_session_stops_the_stream_at_once(keyring: Keyring, permit: Permit, sealed: Path) -> None:
    taken = 0
    with pytest.raises(NotOpen):
        async for _ in keyring.stream(permit, ACCOUNT, sealed):
            taken += 1
            keyring.drop_session(permit.session)
    assert taken == 1
    assert keyring.open_sessions(ACCOUNT) == frozenset()


async def test_a_stream_left_early_ends_its_thread(keyring: Keyring, permit: Permit, sealed: Path) -> None:
    stream = keyring.stream(permit, ACCOUNT, sealed)
    await anext(stream)
    async with asyncio.timeout(5):
        await stream.aclose()


async def test_another_account_opens_nothing(keyring: Keyring, permit: Permit, sealed: Path) -> None:
    with pytest.raises(NotOpen):
        await anext(keyring.stream(permit, AccountId("other"), sealed))


@pytest.mark.parametrize("cut", [0, 50, 300, 100_000, -1])
async def test_a_truncated_page_is_a_broken_seal(keyring: Keyring, permit: Permit, sealed: Path, cut: int) -> None:
    sealed.write_bytes(sealed.read_bytes()[:cut])
    with pytest.raises(BrokenSeal):
        [c async for c in keyring.stream(permit, ACCOUNT, sealed)]


@pytest.mark.parametrize("position", [30, 500, 2_000_000])
async def test_a_changed_page_is_a_broken_seal(keyring: Keyring, permit: Permit, sealed: Path, position: int) -> None:
    content = bytearray(sealed.read_bytes())
    content[position] ^= 1
    sealed.write_bytes(bytes(content))
    with pytest.raises(BrokenSeal):
        [c async for c in keyring.stream(permit, ACCOUNT, sealed)]


async def test_a_missing_page_is_a_broken_seal(keyring: Keyring, permit: Permit, tmp_path: Path) -> None:
    with pytest.raises(BrokenSeal):
        [c async for c in keyring.stream(permit, ACCOUNT, tmp_path / "gone.age")]


def test_a_reader_that_fails_leaves_no_complete_seal(identity: keys.Identity) -> None:
    class Failing:
        def read(self, size: int = -1, /) -> bytes:
            raise OSError("the scanner was unplugged")

    with pytest.raises(OSError, match="unplugged"):
        seal.seal(Failing(), io.BytesIO(), identity.recipient)


@pytest.mark.conformance
@pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed")
def test_stock_age_opens_a_sealed_page(sealed: Path, identity: keys.Identity, tmp_path: Path) -> None:
    (tmp_path / "identity").write_text(identity.secret + "\n", "ascii")
    done = subprocess.run(["age", "-d", "-i", tmp_path / "identity", sealed], capture_output=True, check=True)
    assert done.stdout == PAGE


async def test_pages_that_nobody_takes_hold_up_no_other_work(
    keyring: Keyring, permit: Permit, identity: keys.Identity, tmp_path: Path
) -> None:
    large = tmp_path / "large.age"
    with large.open("wb") as file:
        seal.seal(io.BytesIO(bytes(8 * 1024 * 1024)), file, identity.recipient)
    streams = [keyring.stream(permit, ACCOUNT, large) for _ in range(40)]
    try:
        for stream in streams:
            await anext(stream)
        async with asyncio.timeout(30):
            assert await asyncio.to_thread(lambda: "done") == "done"
    finally:
        for stream in streams:
            await stream.aclose()
