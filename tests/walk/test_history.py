"""Delivered scans are kept for a while, then erased; a full disk or a used-up share refuses before the feeder moves."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.settings import History
from gateway.work import janitor
from tests.walk.conftest import House


def sealed(house: House) -> list[Any]:
    return list((house.state / "spool").rglob("*.age"))


async def erased(house: House) -> Any:
    async def asked() -> Any:
        rows = await house.scans()
        return rows[0] if rows[0]["state"] == "erased" and not sealed(house) else None

    return await house.until("the pages to be erased", asked)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(janitor, "ROUND_S", 0.1)


async def days_pass(house: House, days: float) -> None:
    house.clock.ahead += timedelta(days=days)
    await house.sign_in()


async def test_a_delivered_scan_stays_for_two_weeks_then_only_the_record_is_left(open_house: Any, quick: None) -> None:
    async with open_house() as house:
        await house.set_up()
        await house.register()
        await house.enable()
        await house.add_folder()
        await house.scan(1)
        [scan] = await house.delivered(1)
        await days_pass(house, 13.9)
        await asyncio.sleep(0.5)
        assert len(sealed(house)) == 2
        assert len((await house.call("GET", f"/scans/{scan['id']}/pages"))["items"]) == 2
        await days_pass(house, 0.2)
        left = await erased(house)
        assert left["deliveries"][0]["receipt"] == scan["deliveries"][0]["receipt"]
        status, said = await house.raw(
            "POST", f"/scans/{scan['id']}/deliveries", {"destination": scan["deliveries"][0]["destination"]}
        )
        assert (status, said["type"]) == (410, "/problems/scan_erased")
        assert len(list(house.archive.rglob("*.pdf"))) == 1


async def test_what_was_not_delivered_everywhere_is_never_erased(open_house: Any, quick: None) -> None:
    async with open_house() as house:
        await house.set_up()
        await house.register()
        await house.enable()
        await house.add_folder()
        gone = house.archive / "gone"
        gone.mkdir()
        body = {"kind": "folder", "label": "Gone", "config": {"path": str(gone)}}
        await house.call("POST", "/destinations", body)
        gone.rmdir()
        await house.scan(1)

        async def half() -> Any:
            [scan] = await house.scans()
            states = {d["state"] for d in scan["deliveries"]}
            return states == {"delivered", "waiting"}

        await house.until("one of two deliveries", half)
        await days_pass(house, 100)
        await asyncio.sleep(0.5)
        assert len(sealed(house)) == 2
        assert (await house.scans())[0]["state"] == "stored"


async def test_with_no_days_the_pages_go_as_soon_as_they_are_delivered(open_house: Any, quick: None) -> None:
    async with open_house(history=History(days=0)) as house:
        await house.set_up()
        await house.register()
        await house.enable()
        await house.add_folder()
        await house.scan(1)
        await house.delivered(1)
        await erased(house)


async def test_a_clock_behind_its_floor_erases_nothing(open_house: Any, quick: None) -> None:
    async with open_house(history=History(days=0)) as house:
        await house.set_up()
        await house.register()
        await house.enable()
        house.daemon.janitor._timekeeper.refusal = lambda: "the clock stands wrong"
        await house.add_folder()
        await house.scan(1)
        await house.delivered(1)
        await asyncio.sleep(0.5)
        assert len(sealed(house)) == 2


async def test_an_account_that_has_used_up_its_share_is_refused_before_the_feeder_moves(open_house: Any) -> None:
    async with open_house(history=History(quota_mib=1)) as house:
        await house.set_up()
        await house.register()
        await house.scan(6)
        assert (await house.daemon.services.room.left((await account(house)).id)).bytes == 0
        await house.ready()
        house.unit.load(1)
        house.unit.press()

        async def refused() -> Any:
            return next((s for s in await house.scans() if "used up its room" in s["reason"]), None)

        scan = await house.until("the refusal", refused)
        assert scan["pages"] == 0
        assert house.unit.sheets == 1, "the feeder did not move"


async def account(house: House) -> Any:
    [one] = await house.daemon.services.store.accounts.all()
    return one


@pytest.mark.parametrize(("mib", "percent", "full"), [(0, 0, False), (10**9, 0, True), (0, 90, True)])
async def test_the_larger_of_two_limits_keeps_the_disk_free(
    house: House, mib: int, percent: int, full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = house.daemon.services.room
    monkeypatch.setattr(room._spool, "free_bytes", lambda: 50 * 2**30)
    monkeypatch.setattr(room._spool, "total_bytes", lambda: 100 * 2**30)
    room._settings = replace(room._settings, keep_free_mib=mib, keep_free_percent=percent)
    assert (room.on_disk() < 0) is full
    assert bool(await room.refusal((await account(house)).id)) is full
