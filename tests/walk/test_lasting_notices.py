"""Notices whose cause outlasts a sign-in, and what is said while the gate is shut: each cause once, in true words."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.work import dispatch, notices
from simulator.sinks import Fault as SinkFault
from simulator.sinks import Trouble
from tests.walk.conftest import EMAIL, PASSWORD, House
from tests.walk.test_notices import _every, gone, one, time_passes, told


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "PAUSE_S", 0.05)
    monkeypatch.setattr(notices, "ROUND_S", 0.2)
    monkeypatch.setattr(dispatch, "SWEEP_S", 0.2)


async def test_a_destination_that_stays_broken_is_told_once_whatever_the_owner_signs_out_and_in(house: House) -> None:
    await house.register()
    await house.enable()
    await house.add_webdav()
    house.sink.misbehave(SinkFault("PROPFIND", Trouble.STATUS, status=503, times=10_000))
    await house.scan(1)
    store = house.daemon.services.store

    async def begun() -> Any:
        await time_passes(house)
        return [row for row in await store.notices._rows(_every()) if row.kind == "destination"]

    first = await house.until("the notice", begun)
    for _ in range(3):
        await house.sign_out()
        await state(house, "sign_in")
        await looked(house)
        await house.sign_in()
        await state(house, "the server")
        await looked(house)
    assert [(row.id, row.over_at) for row in await begun()] == [(row.id, None) for row in first]
    house.sink.faults.clear()

    async def delivered() -> bool:
        await time_passes(house)
        [scan] = await house.scans()
        return bool(scan["deliveries"][0]["state"] == "delivered")

    await house.until("the delivery", delivered)
    await gone(house, "destination")


async def state(house: House, words: str) -> None:
    """Wait until the one delivery waits for such a reason."""

    async def there() -> bool:
        house.clock.ahead += timedelta(seconds=15)
        [row] = await house.daemon.services.store.deliveries.latest(1)
        return row.state == "waiting" and row.reason.startswith(words)

    await house.until(words, there)


async def looked(house: House) -> None:
    """Have what there is to tell looked for now, by the very look that the round makes."""
    await house.daemon.services.notices.look()


async def test_what_is_held_for_want_of_two_factor_is_told_so_and_goes_when_it_is_on(verified: House) -> None:
    await verified.call("POST", "/two-factor/disable", {"password": PASSWORD, "code": verified.code(), "held": 0})
    await verified.password()
    await verified.scan(1)
    [notice] = await told(verified, "two_factor_off")
    assert "two-factor authentication" in notice["title"]
    assert "sign in" not in (notice["title"] + notice["detail"]).lower()
    await looked(verified)
    await gone(verified, "held")
    await verified.enable()
    await gone(verified, "two_factor_off")
    await verified.delivered(1)


async def test_before_two_factor_is_on_the_first_scan_is_not_said_to_want_a_rule(house: House) -> None:
    await house.register()
    await house.scan(1)
    house.clock.ahead += timedelta(minutes=2)
    await told(house, "two_factor_off")
    await looked(house)
    await gone(house, "unrouted")
    await house.enable()
    await gone(house, "two_factor_off")
    await told(house, "unrouted")


async def test_a_disabled_account_is_told_that_it_is_not_active(verified: House) -> None:
    await verified.sign_out()
    await verified.scan(1)
    await verified.daemon.services.admin.disable(EMAIL)
    store, account = verified.daemon.services.store, await one(verified)

    async def kinds() -> bool:
        return {n.kind for n in await store.notices.of_account(account)} & {"held", "not_active"} == {"not_active"}

    await verified.until("the notice", kinds)
