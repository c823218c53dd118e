"""Things that happen at the same time, or in the wrong order: nothing is lost, doubled, or let out."""

import asyncio
from datetime import timedelta
from typing import Any

import pyotp
import pytest

from gateway.core.model import DeliveryState
from tests.walk.conftest import PASSWORD


def failing_rows(house: Any, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """Make the nth page's row fail once, after its sealed file was kept."""
    scans, calls = house.daemon.services.store.scans, []
    add_page = scans.add_page

    async def add(page: Any) -> None:
        calls.append(page)
        if len(calls) == nth:
            raise OSError("database or disk is full")
        await add_page(page)

    monkeypatch.setattr(scans, "add_page", add)


async def in_state(house: Any, state: str, count: int = 1) -> list[dict[str, Any]]:
    async def asked() -> Any:
        rows = [scan for scan in await house.scans() if scan["state"] == state]
        return rows if len(rows) >= count else None

    return list(await house.until(state, asked))


async def test_a_page_without_a_row_whose_place_was_taken_becomes_a_document_of_its_own(
    verified: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_rows(verified, monkeypatch, 3)
    await verified.ready()
    verified.unit.load(3)
    verified.unit.press()
    [scan] = await in_state(verified, "paused")
    assert scan["pages"] == 2
    verified.unit.load(1)
    await asyncio.sleep(3)  # the unit is opened again after the failure
    await verified.ready()
    verified.unit.press()
    await in_state(verified, "stored")
    await verified.daemon.janitor.start()
    await verified.sign_in()
    rows = await verified.delivered(2)
    assert {row["state"] for row in rows} == {"stored", "incomplete"}
    sealed = len(list(verified.state.glob("spool/*/*.age")))
    assert sum(row["pages"] for row in rows) == sealed


async def test_a_page_that_is_found_after_its_document_had_left_is_delivered_by_itself(
    verified: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_rows(verified, monkeypatch, 4)
    await verified.ready()
    verified.unit.load(2)
    verified.unit.press()
    [scan] = await in_state(verified, "paused")
    await verified.call("POST", f"/scans/{scan['id']}/finish")
    await verified.delivered(1)
    await verified.daemon.janitor.start()
    await verified.daemon.janitor.start()
    await verified.sign_in()
    rows = await verified.delivered(2)
    assert sorted(row["pages"] for row in rows) == [1, 3]
    assert len(list(verified.archive.glob("*.pdf"))) == 2


async def test_signing_out_right_before_the_commit_keeps_the_document_in(
    verified: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliveries = verified.daemon.services.store.deliveries
    move, signed_out = deliveries.move, asyncio.Event()

    async def moving(delivery: Any, before: Any, after: DeliveryState, **values: Any) -> bool:
        if after is DeliveryState.COMMITTING and not signed_out.is_set():
            await verified.sign_out()
            signed_out.set()
        return bool(await move(delivery, before, after, **values))

    monkeypatch.setattr(deliveries, "move", moving)
    await verified.scan(1)
    await asyncio.wait_for(signed_out.wait(), 30)

    async def waiting() -> bool:
        return bool(await deliveries.in_state(DeliveryState.WAITING))

    await verified.until("the delivery to wait again", waiting)
    assert not list(verified.archive.glob("*.pdf"))
    await verified.sign_in()
    await verified.delivered(1)
    assert len(list(verified.archive.glob("*.pdf"))) == 1


async def test_one_set_up_token_makes_one_account(open_house: Any) -> None:
    async with open_house() as house:
        token = house.daemon.setup.path.read_text("ascii").strip()
        bodies = [{"token": token, "email": f"a{n}@example.org", "password": PASSWORD} for n in range(3)]
        answers = await asyncio.gather(*(house.raw("POST", "/setup", body) for body in bodies))
        assert sorted(status < 300 for status, _ in answers) == [False, False, True]
        assert await house.daemon.services.store.accounts.count() == 1


async def test_a_clock_that_is_set_back_makes_nothing_wait_for_it(verified: Any) -> None:
    await verified.sign_out()
    await verified.scan(1)
    deliveries = verified.daemon.services.store.deliveries

    async def held() -> bool:
        return bool(await deliveries.in_state(DeliveryState.WAITING))

    await verified.until("the delivery", held)
    past = verified.clock.now().utc - timedelta(hours=5)
    assert len(await deliveries.due(past, 10)) == 1


async def test_one_password_and_several_codes_at_once_open_one_session(house: Any) -> None:
    await house.register()
    await house.enable()
    await house.sign_out()
    await house.password()
    now = int(house.clock.now().utc.timestamp()) // 30
    house.clock.ahead += timedelta(seconds=60)
    codes = [pyotp.TOTP(house.secret).generate_otp(now + step) for step in (1, 2, 3)]
    token = house.token
    answers = await asyncio.gather(
        *(house.raw("POST", "/session/code", {"code": code, "window_h": 12}, token=token) for code in codes)
    )
    assert sorted(status for status, _ in answers)[0] == 200
    assert [status < 300 for status, _ in answers].count(True) == 1
    assert all(status < 500 for status, _ in answers)


async def test_a_confirmation_sent_twice_is_one_and_leaves_no_keys_behind(house: Any) -> None:
    await house.register()
    house.secret = (await house.call("POST", "/two-factor", {"password": PASSWORD}))["secret"]
    body = {"code": house.code(), "window_h": 12}
    token = house.token
    answers = await asyncio.gather(*(house.raw("POST", "/two-factor/confirm", body, token=token) for _ in range(3)))
    assert [status < 300 for status, _ in answers].count(True) == 1
    assert all(status < 500 for status, _ in answers)
    [account] = await house.daemon.services.store.accounts.all()
    live = {session.id for session in await house.daemon.services.store.sessions.of_account(account.id)}
    assert house.daemon.services.outbox._renderer._keyring.open_sessions(account.id) <= live


async def test_a_page_that_finds_no_room_says_so(verified: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = verified.daemon.services.intake._spool
    monkeypatch.setattr(spool, "free_bytes", lambda: 1024)
    await verified.ready()
    verified.unit.load(1)
    verified.unit.press()
    [scan] = await in_state(verified, "paused")
    assert "no room left" in scan["reason"]
    assert verified.unit.sheets == 1, "the feeder did not move"
