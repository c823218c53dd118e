"""Destinations, rules, notices and a scan's page: filled in and looked at, on a phone and on a desk."""

from typing import Any

import pytest
from playwright.async_api import expect

from gateway.destinations.registry import KINDS
from tests.browser.conftest import DESK, PHONE, Screen
from tests.web.conftest import EMAIL, PASSWORD, House


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
        await screen.open("/")
        await expect(screen.page.locator(".badge.delivered").first).to_be_visible()
        await screen.page.locator(".facts a").first.click()
        await screen.page.get_by_label("Send it to").select_option(label="Archive")
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
