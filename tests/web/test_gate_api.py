"""Before an L2 session exists no byte reaches a destination, whatever is tried through the API; and no secret lies
in clear in what the gateway stores.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.web.routes import API
from tests.web.conftest import EMAIL, PASSWORD, House, until
from tests.web.rows import address

JPEG_MARKERS = (b"\xff\xd8\xff", b"JFIF", b"Exif", b"\xff\xdb\x00", b"\xff\xc4\x00")
QUIET_ROUNDS = 5


@pytest.fixture
async def holding(house: House) -> House:
    """Two destinations, two-factor on, nobody signed in, one scan held."""
    await house.set_up()
    await house.register()
    await house.enable()
    await house.add_folder()
    await house.add_webdav()
    await house.call("DELETE", "/session")
    house.token = ""
    house.sink.requests.clear()
    await house.scan(1)
    return house


async def nothing_left(house: House) -> bool:
    """Wake the outbox a few times, let it ask its gate, and tell whether a destination saw anything."""
    for _ in range(QUIET_ROUNDS):
        house.daemon.services.hub.anything.set()

        async def asked() -> bool:
            return not house.daemon.services.hub.anything.is_set()

        await until("the outbox to look", asked)
    return house.left() == 0 and not house.sink.requests


async def delivered_to_both(house: House) -> None:
    async def all_delivered() -> bool:
        [scan] = (await house.call("GET", "/scans"))["items"]
        return [d["state"] for d in scan["deliveries"]] == ["delivered", "delivered"]

    await until("the scan to go to both destinations, with the code", all_delivered)


def ids(house: House) -> Iterator[str]:
    """Give every identifier that there is, as if an intruder had learnt them all."""
    database = sqlite3.connect(f"file:{house.state / 'gateway.sqlite3'}?mode=ro", uri=True)
    try:
        for table in ("units", "scans", "destinations", "deliveries"):
            yield from (row[0] for row in database.execute(f"SELECT id FROM {table}"))
    finally:
        database.close()


def plausible(house: House, row: Any) -> dict[str, Any] | None:
    """Return the body that somebody would send who knows everything but the code."""
    if row.body is None:
        return None
    folder = {"kind": "folder", "label": "Mine", "config": {"path": str(house.archive)}, "secrets": {}}
    bodies: dict[str, dict[str, Any]] = {
        "SetUp": {"token": "0" * 40, "email": EMAIL, "password": PASSWORD},
        "PasswordSignIn": {"email": EMAIL, "password": PASSWORD},
        "CodeSignIn": {"code": "123456", "window_h": 24},
        "PaperSignIn": {"code": "0000-0000-0000-0000-0000-0000"},
        "Rescue": {"email": EMAIL, "rescue_key": "0" * 24, "password": PASSWORD},
        "Reset": {"ticket": "0" * 40, "password": PASSWORD},
        "Invitation": {"ticket": "0" * 40, "email": EMAIL, "password": PASSWORD},
        "ChangePassword": {"old": "not this one, not this one", "new": PASSWORD},
        "ChangeEmail": {"email": "no address"},
        "DeleteAccount": {"email": "somebody@example.org"},
        "RescueKey": {"rescue_key": "0" * 24},
        "Regain": {"rescue_key": "0" * 24, "password": PASSWORD},
        "StartTwoFactor": {"password": PASSWORD},
        "DisableTwoFactor": {"password": PASSWORD, "code": "123456", "held": 1},
        "OpenClaim": {"sighting": "usb:iX500:1200753"},
        "ScanSettings": {"resolution_dpi": 200},
        "Rename": {"label": "Mine"},
        "WayPassword": {"way": "usb:iX500:1200753", "password": "0700"},
        "NamedWay": {"way": "usb:iX500:1200753"},
        "TrustWay": {"way": "usb:iX500:1200753", "shown": "somebody else"},
        "NewDestination": folder,
        "ChangedDestination": {"label": "Mine", "config": folder["config"]},
        "RuleBody": {"destinations": list(ids(house))},
        "Place": {"place": 0},
        "NewChannel": {"kind": "ntfy", "config": {"url": "https://ntfy.example.org/papers"}},
        "SendTo": {"destination": next(iter(ids(house)), "unknown")},
    }
    return bodies[row.body.__name__]


async def try_everything(house: House, token: str) -> set[int]:
    statuses = set()
    for row in API:
        if row.path.endswith("/events") or (row.method, row.path) == ("DELETE", "/api/v1/session"):
            continue
        for one in ids(house) if "{id}" in row.path else ("",):
            path = address(row, one).removeprefix("/api/v1")
            statuses.add((await house.raw(row.method, path, plausible(house, row), token=token)).status)
    return statuses


async def test_nothing_leaves_without_the_code_whatever_is_tried(holding: House) -> None:
    for token in ("", "0" * 43, await holding.password()):
        statuses = await try_everything(holding, token)
        assert max(statuses) < 500
        assert await nothing_left(holding)
    ended = await holding.sign_in()
    await delivered_to_both(holding)
    await holding.call("DELETE", "/session")
    holding.token, sent = "", holding.left()
    await holding.scan(1)
    await try_everything(holding, ended)
    await nothing_left(holding)
    assert holding.left() == sent, "the token of an ended session opens nothing"


async def test_nothing_leaves_with_two_factor_off_whatever_is_tried(holding: House) -> None:
    await holding.sign_in()
    await delivered_to_both(holding)
    await holding.disable(held=0)
    token = await holding.password()
    assert (await holding.raw("GET", "/session", token=token)).json["level"] == "L1"
    holding.sink.requests.clear()
    sent = holding.left()
    await holding.scan(1)
    statuses = await try_everything(holding, token)
    assert max(statuses) < 500
    await nothing_left(holding)
    assert holding.left() == sent
    assert not holding.sink.requests


def files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes()


def no_page_in_clear(holding: House) -> None:
    sealed = list(files(holding.state / "spool"))
    assert len(sealed) == 2
    for path, content in sealed:
        assert content.startswith(b"age-encryption.org/v1\n"), path
        header, _, payload = content.partition(b"\n--- ")
        assert len(payload) > len(header)
        # Markers of two bytes and a zero turn up in random bytes now and then; the long ones must not be at the start.
        assert not any(marker in content[:4096] for marker in JPEG_MARKERS[:3]), path
    for side in holding.unit.delivered:
        assert not any(side.sha256.encode() in content for _, content in files(holding.state))


async def test_no_page_and_no_secret_lies_in_clear_in_the_state_folder_or_in_an_answer(holding: House) -> None:
    no_page_in_clear(holding)
    token = await holding.sign_in()
    other = await holding.password()
    secrets = {
        "session token": token.encode(),
        "half-open session's token": other.encode(),
        "TOTP secret": holding.secret.encode(),
        "WebDAV password": holding.sink.password.encode(),
        "account password": PASSWORD.encode(),
        "age identity": b"AGE-SECRET-KEY-",
    }
    seen = dict(files(holding.state))
    assert any(path.name == "gateway.sqlite3" for path in seen)
    for path, content in seen.items():
        for what, secret in secrets.items():
            assert secret not in content, f"{what} in {path.name}"
        if "sqlite3" in path.name:
            assert not any(marker in content for marker in (b"\xff\xd8\xff", b"JFIF")), f"page bytes in {path.name}"
    for row in API:
        if row.method == "GET" and not row.path.endswith("/events"):
            for one in ids(holding) if "{id}" in row.path else ("",):
                answer = await holding.raw("GET", address(row, one).removeprefix("/api/v1"), token=token)
                for what, secret in secrets.items():
                    assert secret not in answer.content, f"{what} in {row.path}"
