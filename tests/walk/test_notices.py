"""What owners are told: once a cause, gone when it goes, pushed where they want it, never anything of a page."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.work import channels, dispatch, notices
from simulator.faults import Fault, FaultKind
from simulator.sinks import Fault as SinkFault
from simulator.sinks import Trouble, ntfy_sink
from tests.walk.conftest import House


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "PAUSE_S", 0.05)
    monkeypatch.setattr(notices, "ROUND_S", 0.2)
    monkeypatch.setattr(channels, "LOOK_S", 0.1)
    monkeypatch.setattr(dispatch, "SWEEP_S", 0.2)


async def told(house: House, kind: str) -> Any:
    async def asked() -> Any:
        return [n for n in (await house.call("GET", "/notices"))["items"] if n["kind"] == kind]

    return await house.until(f"a notice of {kind}", asked)


async def time_passes(house: House) -> None:
    """Let a while pass in which the owner is not idle."""
    house.clock.ahead += timedelta(seconds=15)
    await house.raw("POST", "/notices/none/read")


async def gone(house: House, kind: str) -> None:
    async def asked() -> bool:
        return not [n for n in (await house.call("GET", "/notices"))["items"] if n["kind"] == kind]

    await house.until(f"no notice of {kind}", asked)


async def test_what_is_held_is_told_once_and_the_notice_goes_with_the_code(verified: House) -> None:
    await verified.sign_out()
    await verified.scan(1)
    await verified.scan(1)
    await verified.password()
    store, account = verified.daemon.services.store, await one(verified)

    async def there() -> Any:
        return [n for n in await store.notices.of_account(account) if n.kind == "held"]

    held = await verified.until("a notice", there)
    assert len(held) == 1
    await verified.sign_in()
    await gone(verified, "held")


async def one(house: House) -> Any:
    [account] = await house.daemon.services.store.accounts.all()
    return account.id


async def test_after_a_restart_the_owner_is_asked_to_open_the_page_once(verified: House) -> None:
    token, verified.token = verified.token, ""
    await verified.restart()
    store, account = verified.daemon.services.store, await one(verified)

    async def there() -> Any:
        return [n for n in await store.notices.of_account(account) if n.kind == "open_the_page_once"]

    await verified.until("a notice", there)
    verified.token = token
    await verified.call("GET", "/session")
    await gone(verified, "open_the_page_once")


async def test_a_broken_destination_is_told_once_however_often_it_is_tried(house: House) -> None:
    await house.register()
    await house.enable()
    await house.add_webdav()
    house.sink.misbehave(SinkFault("PUT", Trouble.STATUS, status=503, times=6))
    await house.scan(1)

    async def tried() -> bool:
        await time_passes(house)
        return not house.sink.faults

    await house.until("the tries", tried)
    rows = await house.daemon.services.store.notices._rows(_every())
    assert len([r for r in rows if r.kind == "destination"]) == 1

    async def delivered() -> bool:
        await time_passes(house)
        [scan] = await house.scans()
        return bool(scan["deliveries"][0]["state"] == "delivered")

    await house.until("the delivery", delivered)
    await gone(house, "destination")


def _every() -> Any:
    from sqlalchemy import select

    from gateway.store.tables import notices as table

    return select(table)


async def test_an_incomplete_scan_is_told_and_can_be_put_away(verified: House) -> None:
    verified.unit.inject(Fault(FaultKind.JAM, at_sheet=2))
    verified.unit.load(3)
    verified.unit.press()

    async def paused() -> Any:
        rows = await verified.scans()
        return rows and rows[0]["state"] == "paused" and rows[0]

    scan = await verified.until("the jam", paused)
    await verified.call("POST", f"/scans/{scan['id']}/finish")
    [notice] = await told(verified, "incomplete")
    await verified.call("POST", f"/notices/{notice['id']}/read")
    await gone(verified, "incomplete")
    verified.daemon.services.hub.notable.set()
    await asyncio.sleep(0.5)
    await gone(verified, "incomplete")
    assert (await verified.raw("POST", "/notices/nothing/read"))[0] == 404


async def test_events_of_security_are_told(verified: House) -> None:
    async def both() -> bool:
        words = " ".join(row["detail"] for row in await told(verified, "security"))
        return "registered" in words and "enabled" in words

    await verified.until("both events", both)
    assert all(row["urgent"] for row in await told(verified, "security"))


async def test_a_destination_that_cannot_be_asked_leaves_the_word_to_the_owner(house: House) -> None:
    await house.register()
    await house.enable()
    await house.add_webdav()
    house.sink.misbehave(SinkFault("MOVE", Trouble.DROP_REPLY))
    await house.scan(1)

    async def lost() -> Any:
        rows = await house.scans()
        return rows[0]["deliveries"] and rows[0]["deliveries"][0]["state"] == "uncertain"

    await house.until("the lost reply", lost)
    house.sink.misbehave(SinkFault("PROPFIND", Trouble.STATUS, status=503, times=1000))

    async def uncertain() -> Any:
        await time_passes(house)
        return [n for n in (await house.call("GET", "/notices"))["items"] if n["kind"] == "uncertain"]

    await house.until("the notice", uncertain)
    [scan] = await house.scans()
    [delivery] = scan["deliveries"]
    assert delivery["state"] == "uncertain"
    await house.call("POST", f"/deliveries/{delivery['id']}/confirm")
    [scan] = await house.delivered(1)
    assert scan["deliveries"][0]["receipt"]["location"] == "as its owner says"
    await gone(house, "uncertain")


async def test_notices_are_pushed_once_with_patience_and_without_anything_of_a_page(
    open_house: Any, tmp_path: Path
) -> None:
    async with ntfy_sink() as ntfy, open_house(allow=(ntfy.url,)) as house:
        await house.set_up()
        await house.register()
        await house.enable()
        body = {"kind": "ntfy", "config": {"url": f"{ntfy.url}papers"}, "secrets": {}}
        status, said = await house.raw("POST", "/channels", body | {"config": {"url": "http://127.0.0.1:1/papers"}})
        assert (status, said["type"]) == (422, "/problems/channel_unusable")
        channel = await house.call("POST", "/channels", body)
        await house.call("POST", f"/channels/{channel['id']}/test")
        assert [m.title for m in ntfy.messages] == ["A test"]
        ntfy.messages.clear()
        ntfy.misbehave(SinkFault("POST", Trouble.STATUS, status=503, times=2))
        await house.add_folder()

        async def pushed() -> bool:
            house.clock.ahead += timedelta(seconds=20)
            return bool(ntfy.messages)

        await house.until("the push", pushed)
        assert ntfy.messages[0].title == "Your account"
        assert str(house.archive) not in ntfy.messages[0].text
        await house.call("DELETE", f"/channels/{channel['id']}")
        assert (await house.call("GET", "/channels"))["items"] == []


async def test_who_signs_in_within_a_minute_is_not_called(open_house: Any) -> None:
    async with ntfy_sink() as ntfy, open_house(allow=(ntfy.url,)) as house:
        await house.set_up()
        await house.register()
        await house.enable()
        await house.add_folder()
        body = {"kind": "ntfy", "config": {"url": f"{ntfy.url}papers"}, "secrets": {}}
        await house.call("POST", "/channels", body)
        await house.sign_out()
        await house.scan(1)
        store, account = house.daemon.services.store, await one(house)

        async def there() -> Any:
            return [n for n in await store.notices.of_account(account) if n.kind == "held"]

        await house.until("a notice", there)
        await house.sign_in()
        await gone(house, "held")
        house.clock.ahead += timedelta(minutes=5)

        async def settled() -> bool:
            return not await store.notices.due(house.clock.now().utc)

        await house.until("the pushes", settled)
        assert "held" not in " ".join(m.title for m in ntfy.messages)


async def test_a_channel_that_hangs_holds_up_no_other(open_house: Any) -> None:
    hanging = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hanging.wait()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    dead = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, ntfy_sink() as ntfy, open_house(allow=(ntfy.url, dead)) as house:
        await house.set_up()
        await house.register()
        await house.enable()
        for url in (dead, ntfy.url):
            await house.call("POST", "/channels", {"kind": "ntfy", "config": {"url": f"{url}papers"}, "secrets": {}})
        await house.add_folder()

        async def pushed() -> bool:
            return bool(ntfy.messages)

        await house.until("the push to the one that answers", pushed)
        hanging.set()


async def test_scans_that_no_rule_sends_are_told_of(house: House) -> None:
    await house.register()
    await house.enable()
    await house.scan(1)
    house.clock.ahead += timedelta(minutes=2)
    await told(house, "unrouted")
    await house.add_folder()
    await gone(house, "unrouted")


async def test_room_that_comes_and_goes_about_the_line_is_told_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, gib = house.daemon.services.room, 2**30
    room._settings = replace(room._settings, keep_free_mib=1024, keep_free_percent=0)
    left = [5 * gib]
    monkeypatch.setattr(room._spool, "free_bytes", lambda: left[0])
    for _ in range(3):
        left[0] = 2 * gib - 2**20
        house.daemon.services.hub.notable.set()
        await told(house, "room")
        left[0] = 2 * gib + 2**20
        house.daemon.services.hub.notable.set()
        await asyncio.sleep(0.3)
    rows = await house.daemon.services.store.notices._rows(_every())
    assert len([r for r in rows if r.kind == "room"]) == 1
    left[0] = 5 * gib
    await gone(house, "room")
