"""An account over the years: sessions, restarts, a new password, another address, deletion, a clock that is wrong."""

import sqlite3
from datetime import timedelta
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.work import janitor

EMAIL, PASSWORD, OTHER = "you@example.org", "correct horse battery staple", "another long sentence instead"


async def denied(house: Any, method: str, path: str, body: Any = None, *, token: str | None = None) -> tuple[int, str]:
    status, reply = await house.raw(method, path, body, token=token)
    assert status >= 400, reply
    return status, reply["type"].rsplit("/", 1)[-1]


async def settled(house: Any) -> None:
    await house.register()
    await house.enable()
    await house.add_folder()


def column(house: Any, query: str) -> list[Any]:
    database = sqlite3.connect(f"file:{house.state / 'gateway.sqlite3'}?mode=ro", uri=True)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


async def test_a_restart_of_the_service_keeps_verified_sessions_and_one_request_opens_the_keys(
    house: Any,
) -> None:
    await settled(house)
    token = house.token
    await house.restart()
    await house.scan(1)

    async def waits() -> bool:
        rows = await house.daemon.services.store.deliveries.of_scan(
            (await house.daemon.services.store.scans.in_state("stored"))[0].id
        )
        return bool(rows and rows[0].reason == "open_the_page_once")

    await house.until("the scan to wait for the keys", waits)
    assert house.left() == 0
    house.token = token
    await house.delivered(1)
    assert not list(house.state.rglob("*.slot")), "never beside the database"


async def test_a_locked_page_opens_the_keys_after_a_restart_and_nothing_else(house: Any) -> None:
    await settled(house)
    token = house.token
    house.clock.ahead += timedelta(minutes=31)
    await house.restart()
    await house.scan(1)
    house.token = token
    assert await denied(house, "GET", "/scans") == (401, "locked")

    async def there() -> bool:
        return house.left() > 0

    await house.until("the scan to leave", there)
    assert await denied(house, "GET", "/scans") == (401, "locked")


async def test_the_runtime_slot_opens_only_with_its_token_and_goes_with_its_session(house: Any) -> None:
    await settled(house)
    slots = house.state.parent / "run"
    [slot] = slots.glob("*.slot")
    assert slot.stat().st_mode & 0o777 == 0o600
    assert b"AGE-SECRET" not in slot.read_bytes()
    desk = house.daemon.services.sessions
    [session] = await desk.of(await house.daemon.services.store.accounts.by_email(EMAIL))
    assert desk._slots.read(session.id, house.token) is not None
    assert desk._slots.read(session.id, house.token[:-1] + "x") is None
    await house.sign_out()
    assert not list(slots.glob("*.slot"))


async def test_another_boot_ends_every_session(house: Any) -> None:
    await settled(house)
    house.clock.boot = "another boot"
    await house.restart()
    assert await denied(house, "GET", "/account") == (401, "sign_in")


async def test_sessions_are_listed_and_one_is_ended(house: Any) -> None:
    await settled(house)
    first = house.token
    await house.sign_in()
    rows = (await house.call("GET", "/sessions"))["items"]
    assert [(r["level"], r["yours"], r["peer"]) for r in rows] == [
        ("L2", True, "127.0.0.1"),
        ("L2", False, "127.0.0.1"),
    ]
    assert all(r["client"].startswith("ScanSnapCloud/1.7") for r in rows)
    assert (await house.raw("DELETE", f"/sessions/{rows[1]['id']}"))[0] == 204
    assert await denied(house, "GET", "/account", token=first) == (401, "sign_in")
    assert await denied(house, "DELETE", f"/sessions/{'0' * 32}") == (404, "not_found")


async def test_the_sixth_session_ends_the_oldest(house: Any) -> None:
    await settled(house)
    first = house.token
    for _ in range(5):
        await house.sign_in()
    assert len((await house.call("GET", "/sessions"))["items"]) == 5
    assert await denied(house, "GET", "/account", token=first) == (401, "sign_in")


async def test_stop_forwarding_now_holds_everything_and_leaves_the_pages_open(house: Any) -> None:
    await settled(house)
    await house.sign_in()
    assert (await house.raw("DELETE", "/forwarding"))[0] == 204
    await house.scan(1)

    async def held() -> Any:
        [scan] = await house.scans()
        return scan["held"]

    await house.until("the scan to be held", held)
    assert house.left() == 0
    assert not (await house.call("GET", "/account"))["forwarding"]
    await house.sign_in()
    await house.delivered(1)


async def test_a_new_password_ends_every_session_and_the_scans_stay_readable(house: Any) -> None:
    await settled(house)
    other = house.token
    await house.sign_in()
    assert await denied(house, "POST", "/password", {"old": OTHER, "new": OTHER}) == (401, "password_wrong")
    assert await denied(house, "POST", "/password", {"old": PASSWORD, "new": "short"}) == (422, "unusable")
    for token in (other, house.token):
        assert (await house.raw("GET", "/account", token=token))[0] == 200
    assert (await house.raw("POST", "/password", {"old": PASSWORD, "new": OTHER}))[0] == 204
    for token in (other, house.token):
        assert await denied(house, "GET", "/account", token=token) == (401, "sign_in")
    await house.scan(1)
    assert house.left() == 0
    house.token = ""
    await house.call("POST", "/session", {"email": EMAIL, "password": OTHER})
    await house.call("POST", "/session/code", {"code": house.code(), "window_h": 12})
    await house.delivered(1)


async def test_another_email_address_ends_every_session_and_signs_in_from_then_on(house: Any) -> None:
    await settled(house)
    assert await denied(house, "POST", "/email", {"email": "nonsense"}) == (422, "email_unusable")
    assert (await house.raw("POST", "/email", {"email": "New@Example.org"}))[0] == 204
    assert await denied(house, "GET", "/account") == (401, "sign_in")
    assert await denied(house, "POST", "/session", {"email": EMAIL, "password": PASSWORD}, token="") == (
        401,
        "sign_in_failed",
    )
    house.token = ""
    assert (await house.call("POST", "/session", {"email": "new@example.org", "password": PASSWORD}))["level"] == "LP"


async def test_a_deleted_account_can_be_kept_for_fourteen_days_and_then_is_gone(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(janitor, "ROUND_S", 0.2)
    await settled(house)
    await house.scan(1)
    await house.delivered(1)
    assert (await house.raw("PUT", "/account/deletion", {"email": EMAIL}))[0] == 204
    assert await denied(house, "GET", "/account") == (401, "sign_in")
    before = len(house.unit.delivered)
    house.unit.load(1)
    house.unit.press()
    await house.sign_in()
    assert (await house.call("GET", "/account"))["deletes_at"]
    assert len(house.unit.delivered) == before, "a press feeds nothing"
    assert (await house.raw("DELETE", "/account/deletion"))[0] == 204
    assert await denied(house, "DELETE", "/account/deletion") == (409, "not_deleting")
    await house.ready()
    house.unit.press()

    async def two() -> bool:
        return len(await house.scans()) == 2

    await house.until("the next press to scan", two)
    await house.delivered(2)
    assert (await house.raw("PUT", "/account/deletion", {"email": EMAIL}))[0] == 204
    house.clock.ahead += timedelta(days=14) - timedelta(seconds=20)
    await house.daemon.janitor._purge()
    assert column(house, "SELECT state FROM accounts") == [("deleting",)]
    house.clock.ahead += timedelta(seconds=40)

    async def gone() -> bool:
        return not list((house.state / "spool").iterdir())

    await house.until("the sealed pages to be gone", gone)
    assert column(house, "SELECT state FROM accounts") == [("purged",)]
    assert not column(house, "SELECT id FROM scans")
    assert not column(house, "SELECT id FROM units")
    assert not column(house, "SELECT id FROM destinations")
    assert column(house, "SELECT email, length(verifier), totp_secret FROM accounts") == [("", 0, None)]
    house.token = ""
    assert (await denied(house, "POST", "/session", {"email": EMAIL, "password": PASSWORD}))[0] == 401


async def test_a_clock_behind_its_floor_checks_no_code_until_it_is_trusted(house: Any) -> None:
    await settled(house)
    house.clock.ahead += timedelta(hours=1)
    await house.restart()
    house.clock.ahead -= timedelta(hours=1)
    await house.password()
    status, said = await house.raw("POST", "/session/code", {"code": house.code(), "window_h": 12})
    assert (status, said["type"]) == (503, "/problems/clock_untrusted")
    assert "UTC" in said["detail"], "it shows its own time and the drift"
    assert "seconds before" in said["detail"]
    assert (await house.call("POST", "/session/sign-in-code", {"code": house.codes[0]}))["level"] == "LR"
    await house.daemon.services.admin.trust_clock()
    await house.sign_in()


async def test_what_happened_is_in_the_security_log_and_a_changed_line_shows(house: Any) -> None:
    await settled(house)
    await house.raw("POST", "/session", {"email": EMAIL, "password": OTHER}, token="")
    rows = (await house.call("GET", "/audit?limit=5"))["items"]
    assert [(r["action"], r["factor"], r["outcome"]) for r in rows][:2] == [
        ("sign_in", "password", "refused"),
        ("destination_added", "", "ok"),
    ]
    older = (await house.call("GET", f"/audit?before={rows[-1]['seq']}"))["items"]
    assert older[0]["seq"] < rows[-1]["seq"]
    assert older[-1]["action"] == "account_created"
    assert isinstance(await house.daemon.services.admin.verify_audit(), int)
    database = sqlite3.connect(house.state / "gateway.sqlite3", isolation_level=None)
    database.execute("UPDATE audit SET peer = '' WHERE action = 'account_created'")
    database.close()
    broken = await house.daemon.services.admin.verify_audit()
    assert not isinstance(broken, int)
    assert broken.reason == "audit_broken"


async def test_outdated_stretching_is_renewed_after_the_code(house: Any) -> None:
    from gateway.store.accounts import Credential
    from gateway.vault import keys

    await settled(house)
    store, credentials = house.daemon.services.store, house.daemon.services.signin._credentials
    account = await store.accounts.by_email(EMAIL)
    assert account is not None
    before = await store.accounts.credential(account.id)
    identity = keys.open_password_slot(
        before.slot, keys.stretch(PASSWORD, before.salt).kek, keys.share(credentials._device, account.id), account.id
    )
    weak = "argon2id,t=1,m=8192,p=1"
    stretched = keys.stretch(PASSWORD, b"0" * 16, weak)
    sealed = credentials.seal(account.id, b"0" * 16, stretched, identity)
    await store.accounts.rehash(account.id, before, Credential(b"0" * 16, sealed.verifier, sealed.slot, weak))
    await house.password()
    assert (await store.accounts.credential(account.id)).stretching == weak, "not before the code"
    await house.call("POST", "/session/code", {"code": house.code(), "window_h": 12})
    assert (await store.accounts.credential(account.id)).stretching == keys.STRETCHING
    await house.scan(1)
    await house.delivered(1)
    await house.sign_in()


def test_the_system_says_whether_its_clock_is_synchronised() -> None:
    from gateway.clock import SystemHardware

    assert SystemClock().now().boot_id
    assert isinstance(SystemHardware().synchronised(), bool)
    assert isinstance(SystemHardware().keeps_time(), bool)


async def test_a_window_over_the_ceiling_cannot_be_chosen(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await settled(house)
    for room in (house.daemon.services.signin, house.daemon.services.enroll):
        monkeypatch.setattr(room, "windows_h", (1, 12))
    await house.password()
    body = {"code": house.code(), "window_h": 24}
    status, said = await house.raw("POST", "/session/code", body)
    assert (status, said["detail"]) == (422, "A forwarding window here is one of these, in hours: 1, 12.")
    await house.call("POST", "/session/code", body | {"window_h": 12})
