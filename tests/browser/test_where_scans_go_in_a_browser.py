"""Destinations, rules, notices and a scan's page: filled in and looked at, on a phone and on a desk."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import expect

from gateway.core.delivery import CANNOT_SAY
from gateway.core.model import DeliveryState, ScanId
from gateway.destinations.registry import KINDS
from gateway.web.pages.shown import SCAN_ROWS
from simulator.sinks import Fault, Trouble
from tests.browser.conftest import DESK, PHONE, Screen
from tests.web.conftest import EMAIL, PASSWORD, House, until


async def sign_in(house: House, screen: Screen) -> None:
    await screen.open("/sign-in")
    await screen.fill(email=EMAIL, password=PASSWORD)
    await screen.button("Sign in").click()
    await screen.fill(code=house.code())
    await screen.button("Sign in").click()
    await expect(screen.page.get_by_text("Forwarding is open")).to_be_visible()


@pytest.mark.parametrize(("kind", "scheme"), [(PHONE, "light"), (DESK, "dark")], ids=["phone", "desk"])
async def test_a_rule_by_its_labels_sends_a_scan_and_the_owner_sends_it_once_more(
    windows: Any, kind: Any, scheme: str
) -> None:
    house, window = windows
    await house.set_up()
    await house.register()
    await house.enable()
    async with window(kind, scheme) as screen:
        await sign_in(house, screen)
        await screen.open("/destinations")
        await screen.keep("destinations-none")
        await screen.link("Folder on the gateway").click()
        await screen.fill(label="Archive", path=str(house.archive))
        await screen.page.get_by_label("Every scan goes there").uncheck()
        await screen.keep("destination-add")
        await screen.button("Save").click()
        await screen.keep("destinations-without-a-rule")
        await house.scan(1)
        await screen.open("/")
        await expect(screen.page.get_by_text("No rule says where it goes")).to_be_visible()
        await screen.keep("main-no-rule")
        await screen.open("/destinations")
        await screen.link("Add a rule").click()
        await screen.page.get_by_label("Archive").check()
        await screen.page.get_by_label("Colour", exact=True).check()
        await screen.fill(title="{unit} of {date}", tags="post, 2024")
        await screen.keep("rule")
        await screen.button("Save").click()
        await expect(screen.page.get_by_text("The rules are saved.")).to_be_visible()
        await screen.keep("destinations-with-a-rule")
        await screen.page.get_by_label("Change: Archive").click()
        await screen.fill(label="", path="/nowhere")
        await screen.button("Save").click()
        await screen.fill(label="Attic")
        await screen.button("Save").click()
        await expect(screen.page.get_by_role("alert")).to_contain_text("not below any of the roots")
        await screen.keep("destination-change-refused")
        await screen.fill(path=str(house.archive))
        await screen.button("Save").click()
        await expect(screen.page.get_by_text("what failed there is tried again")).to_be_visible()
        await screen.open("/")
        await expect(screen.page.locator(".badge.delivered").first).to_be_visible()
        await screen.page.locator(".facts a").first.click()
        await screen.page.get_by_label("Send it to").select_option(label="Attic")
        await screen.button("Send").click()
        await expect(screen.page.get_by_text("It is on its way.")).to_be_visible()
        await expect(screen.page.locator("details.receipt")).to_have_count(2)
        await screen.keep("scan-sent-again")


async def test_every_form_of_a_destination_and_of_a_channel(windows: Any) -> None:
    house, window = windows
    await house.set_up()
    await house.register()
    await house.enable()
    async with window(PHONE) as screen, window(DESK, "dark") as desk:
        for one in (screen, desk):
            await sign_in(house, one)
            for kind in KINDS:
                await one.open(f"/destinations/add/{kind}")
                await one.keep(f"destination-add-{kind}")
            await one.open("/settings/notices")
            await one.keep("notices-none")
            for channel in ("mail", "webhook", "ntfy"):
                await one.open(f"/settings/notices/add/{channel}")
                await one.keep(f"notices-add-{channel}")
            await one.fill(url="http://127.0.0.1:1/papers")
            await one.button("Save").click()
            await expect(one.page.get_by_role("alert")).to_contain_text("is inside the local network")
            await one.keep("notices-refused")
            await one.open("/")
            await one.page.get_by_text("notices", exact=False).first.click()
            await one.keep("main-notices")


async def test_what_goes_wrong_says_so_and_old_scans_are_found(windows: Any) -> None:
    house, window = windows
    await house.set_up()
    await house.register()
    await house.enable()
    await house.add_webdav()
    busy = Fault("PROPFIND", Trouble.STATUS, status=503, headers=(("Retry-After", "600"),), times=1000)
    house.sink.misbehave(Fault("MOVE", Trouble.DROP_REPLY))
    await house.scan(1)
    scan = await in_state(house, "uncertain")
    house.sink.misbehave(busy)
    store = house.daemon.services.store
    row = await store.scans.get(ScanId(scan))
    async with window(PHONE) as screen, window(DESK, "dark") as desk:
        for one in (screen, desk):
            await sign_in(house, one)
            await expect(one.page.get_by_text("The next look is at")).to_be_visible()
            await one.keep("main-checked")
            await one.open(f"/scans/{scan}")
            await one.keep("scan-checked")
            await one.open("/rules/add")
            await one.fill(title="{unit}", tags="post", from_time="08:30")
            await one.button("Save").click()
            await expect(one.page.get_by_role("alert")).to_contain_text("A rule names one destination")
            await expect(one.page.locator("[name=tags]")).to_have_value("post")
            await expect(one.page.locator("[name=from_time]")).to_have_value("08:30")
            await one.keep("rule-refused")
            await one.open("/account/audit")
            await one.keep("audit")
        for n in range(SCAN_ROWS):
            await store.scans.begin(replace(row, id=ScanId(f"{n:032x}"), started_at=row.started_at + timedelta(n + 1)))
        await fails(house, 1, "the server is busy; it asks to be left alone for a while (HTTP 503)")
        for one in (screen, desk):
            await one.open("/")
            await one.keep("main-full")
            await one.link("Older").click()
            await expect(one.link("Newest")).to_be_visible()
            await expect(one.page.get_by_text("The next try is at")).to_be_visible()
            await one.keep("main-older")
        [lost] = await store.deliveries.in_state(DeliveryState.UNCERTAIN)
        assert await store.deliveries.move(lost.id, (lost.state,), lost.state, reason=CANNOT_SAY)
        for one in (screen, desk):
            await one.open("/")
            await one.link("Older").click()
            await expect(one.page.get_by_text("the destination cannot be asked")).to_be_visible()
            await one.keep("main-undecided")
            await one.open(f"/scans/{scan}")
            await one.keep("scan-undecided")


async def fails(house: House, n: int, reason: str) -> None:
    """Scan, and have the n-th delivery be one that failed just now: its destination rests meanwhile."""
    await house.scan(1)
    deliveries = house.daemon.services.store.deliveries

    async def planned() -> Any:
        rows = await deliveries.latest(9)
        return rows[0] if len(rows) > n else None

    one, at = await until("the delivery", planned), house.clock.now().utc + timedelta(minutes=9)
    assert await deliveries.move(one.id, (one.state,), one.state, reason=reason, next_try_at=at, attempts_delta=1)


async def in_state(house: House, state: str) -> str:
    """Wait until a delivery that went wrong is in a state; return its scan."""

    async def there() -> Any:
        for row in await house.daemon.services.store.deliveries.latest(9):
            if row.state == state and row.reason:
                return row.scan
        return None

    return str(await until(state, there))
