"""The customer's procedure by its visible labels, on a phone and on a desk; and what an open page does by itself."""

import asyncio
import io
import shutil
from datetime import timedelta
from typing import Any

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import expect

from tests.browser.conftest import DESK, PHONE, Screen
from tests.conformance.conftest import need
from tests.web.conftest import EMAIL, PASSWORD, House

ENABLE, DISABLE = "Enable two-factor authentication", "Disable two-factor authentication"
PASSWORD_AGED = timedelta(minutes=11)
OTHER = "another long sentence instead"


async def set_up(house: House, screen: Screen) -> None:
    await screen.open("/")
    await screen.keep("set-up")
    await screen.fill(token=house.setup_token(), email=EMAIL, password=PASSWORD, again=PASSWORD)
    await screen.button("Create account").click()
    await screen.keep("rescue-key")
    await keep_paper(house, screen)
    await house.password()


async def keep_paper(house: House, screen: Screen) -> None:
    house.rescue_key = await screen.page.locator("#rescue-key").inner_text()
    house.codes = await screen.page.locator("#sign-in-codes li").all_inner_texts()
    await screen.link("I have printed or saved it").click()
    await screen.fill(rescue_key=house.rescue_key)
    await screen.keep("rescue-key-typed")
    await screen.button("Check").click()


async def to_account_management(screen: Screen, house: House) -> None:
    """Steps 1 to 5 of the procedure."""
    await screen.open("/")
    await screen.page.locator("summary", has=screen.page.locator("svg")).first.click()
    assert await screen.page.locator("summary").first.get_attribute("aria-label") == "Navigation Menu"
    await screen.keep("navigation-menu")
    await screen.link("Settings").click()
    assert await screen.title() == "Settings"
    await screen.keep("settings")
    await screen.page.get_by_role("link", name="Account").first.click()
    assert await screen.title() == "Account"
    await screen.keep("account")
    house.clock.ahead += PASSWORD_AGED
    await screen.link("Show the account management page").click()
    assert await screen.title() == "Sign in"
    await screen.keep("sign-in-again")
    await screen.fill(email=EMAIL, password=PASSWORD)
    await screen.button("Sign in").click()


async def oathtool(house: House, secret: str) -> str:
    """Return the code that another program computes for the gateway's own time."""
    at = house.clock.now().utc.strftime("%Y-%m-%d %H:%M:%S UTC")
    process = await asyncio.create_subprocess_exec(
        "oathtool", "--totp", "--base32", "--now", at, secret, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return out.decode().strip()


async def add_scanner(house: House, screen: Screen) -> None:
    """Pick the unit that is in sight and press Scan on it; the open page tells."""
    await screen.open("/units/add")
    await expect(screen.page.get_by_text("ScanSnap iX500").first).to_be_visible()
    await screen.keep("add-a-scanner")
    await screen.page.locator("main form button").first.click()
    await expect(screen.page.get_by_text("Press the Scan button", exact=False).first).to_be_visible()
    await screen.keep("press-scan-now")
    await house.press_for_claim()
    await expect(screen.page.get_by_text("Scanner added")).to_be_visible()
    await screen.keep("scanner-added")


@pytest.mark.parametrize(("kind", "scheme"), [(PHONE, "light"), (DESK, "dark")], ids=["phone", "desk"])
async def test_the_seven_steps_by_their_labels(windows: Any, kind: Any, scheme: str) -> None:
    need(shutil.which("oathtool"), "oathtool")
    house, window = windows
    async with window(kind, scheme) as screen, window(kind, scheme) as second:
        await set_up(house, screen)
        await screen.keep("main-empty")
        await to_account_management(screen, house)
        assert await screen.title() == "Account management"
        assert await screen.page.locator("h2").first.inner_text() == "Account setting"
        await expect(screen.button(ENABLE)).to_be_disabled()
        assert "register a ScanSnap unit" in await screen.page.locator("#why-not").inner_text()
        await screen.keep("account-management-no-unit")
        await second.open("/sign-in")
        await second.fill(email=EMAIL, password=PASSWORD)
        await second.button("Sign in").click()
        await add_scanner(house, second)
        await expect(screen.link(ENABLE)).to_be_visible()  # on the open page, without a reload
        await screen.keep("account-management")
        await screen.link(ENABLE).click()
        await screen.keep("enable")
        await screen.fill(password=PASSWORD)
        await screen.button("Continue").click()
        secret = "".join((await screen.page.locator("#secret").inner_text()).split())
        picture = Image.open(io.BytesIO(await screen.page.locator(".qr").screenshot(scale="device")))
        [found] = zxingcpp.read_barcodes(picture.resize((picture.width * 3, picture.height * 3)))
        assert f"secret={secret}&" in found.text
        assert found.text.startswith("otpauth://totp/ScanSnap%20Gateway:you%40example.org?")
        house.secret = secret
        await screen.keep("secret-key")
        await screen.fill(code=await oathtool(house, secret))
        await screen.button(ENABLE).click()
        assert await screen.title() == "Two-factor authentication is enabled"
        await screen.keep("enabled")
        await keep_paper(house, screen)
        assert await screen.title() == "Account management"
        await expect(screen.link(DISABLE)).to_be_visible()
        await screen.keep("account-management-on")
        for name in ("sessions", "recovery", "audit", "password", "email", "authenticator", "delete"):
            await screen.open(f"/account/{name}")
            await screen.keep(f"account-{name}")
        await screen.open("/account/two-factor/disable")
        await screen.keep("disable")


async def test_a_held_scan_appears_by_itself_and_flows_after_the_code(windows: Any) -> None:
    house, window = windows
    await house.set_up()
    await house.register()
    await house.enable()
    await house.add_folder()
    async with window() as screen, window(DESK) as other:
        for one in (screen, other):
            await one.open("/sign-in")
            await one.fill(email=EMAIL, password=PASSWORD)
            await one.button("Sign in").click()
            await one.keep("code")
            await one.fill(code=house.code())
            await one.button("Sign in").click()
            await expect(one.page.get_by_text("Forwarding is open")).to_be_visible()
        await screen.button("Stop forwarding now").click()
        await expect(other.page.get_by_text("Forwarding is stopped")).to_be_visible()
        await shifts(screen)
        await house.scan(1)
        await expect(screen.page.locator(".badge.held").first).to_be_visible()
        await expect(screen.page.get_by_text("1 scan is held.")).to_be_visible()
        assert await shifted(screen) < 0.1
        await screen.keep("main-held")
        await screen.page.locator(".banner").get_by_role("link", name="Sign in").click()
        await screen.fill(email=EMAIL, password=PASSWORD)
        await screen.button("Sign in").click()
        await screen.fill(code=house.code())
        await screen.button("Sign in").click()
        for one in (screen, other):
            await expect(one.page.locator(".badge.delivered").first).to_be_visible()
            await one.keep("main-delivered")
        await screen.open("/sign-out")
        await screen.keep("sign-out")
        await screen.button("Sign out").click()
        await other.page.wait_for_url("**/sign-in?**")


async def shifts(screen: Screen) -> None:
    """Begin to sum up what jumps on the page by itself."""
    await screen.page.evaluate(
        "() => { window.jumped = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) "
        "window.jumped += entry.value; }).observe({ type: 'layout-shift', buffered: false }); }"
    )


async def shifted(screen: Screen) -> float:
    return float(await screen.page.evaluate("window.jumped"))


@pytest.mark.parametrize("kind", [PHONE, DESK], ids=["phone", "desk"])
async def test_a_lost_phone_and_a_forgotten_password(windows: Any, kind: Any) -> None:
    house, window = windows
    await house.set_up()
    await house.register()
    await house.enable()
    async with window(kind) as screen:
        await screen.open("/sign-in")
        await screen.keep("sign-in")
        await screen.fill(email=EMAIL, password=PASSWORD)
        await screen.button("Sign in").click()
        await screen.link("Lost your authenticator?").click()
        await screen.keep("sign-in-code")
        await screen.fill(code=house.codes[0])
        await screen.button("Continue").click()
        assert await screen.title() == "Replace the authenticator"
        await screen.keep("replace")
        await screen.fill(password=PASSWORD)
        await screen.button("Continue").click()
        house.secret = "".join((await screen.page.locator("#secret").inner_text()).split())
        await screen.fill(code=house.code())
        await screen.button(ENABLE).click()
        await keep_paper(house, screen)
        await screen.open("/sign-out")
        await screen.button("Sign out").click()
        await screen.link("Forgot your password?").click()
        await screen.keep("rescue")
        await screen.fill(email=EMAIL, rescue_key=house.rescue_key, password=OTHER, again=OTHER)
        await screen.button("Reset password").click()
        await screen.fill(code=house.code())
        await screen.button("Sign in").click()
        assert await screen.title() == "Print or save this now"
        for path in ("reset", "invitation"):
            await screen.open(f"/{path}")
            await screen.keep(path)


async def test_everything_can_be_reached_and_used_by_keyboard(windows: Any) -> None:
    house, window = windows
    await house.set_up()
    async with window(DESK) as screen:
        press = screen.page.keyboard.press
        await screen.open("/sign-in")
        await expect(screen.page.locator("[name=email]")).to_be_focused()
        await screen.page.keyboard.type(EMAIL)
        await press("Tab")
        await screen.page.keyboard.type(PASSWORD)
        await press("Enter")
        await expect(screen.page.locator("h1")).to_have_text("Scans")
        await screen.page.wait_for_load_state("load")
        await press("Tab")
        assert (await focused(screen)).startswith("Skip to the content")
        await press("Tab")
        await press("Tab")
        assert await focused(screen) == "Navigation Menu"
        assert await screen.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        await press("Enter")
        await expect(screen.link("Settings")).to_be_visible()
        while await focused(screen) != "Sign out":
            await press("Tab")
        await press("Enter")
        await expect(screen.page.locator("h1")).to_have_text("Sign out")


async def focused(screen: Screen) -> str:
    return str(
        await screen.page.evaluate("(it => it.name || it.ariaLabel || it.textContent.trim())(document.activeElement)")
    )


async def test_the_narrowest_phone_scrolls_no_page_sideways(windows: Any) -> None:
    house, window = windows
    await house.set_up()
    await house.register()
    await house.enable()
    async with window({"viewport": {"width": 320, "height": 568}}, "dark") as screen:
        await screen.open("/sign-in")
        await screen.fill(email=EMAIL, password=PASSWORD)
        await screen.button("Sign in").click()
        await screen.fill(code=house.code())
        await screen.button("Sign in").click()
        await expect(screen.page.locator("h1")).to_have_text("Scans")
        unit = f"/units/{house.unit_id}"
        for path in ("/", "/units/add", unit, "/destinations", "/destinations/add/webdav", "/account"):
            await screen.open(path)
            await screen.keep("narrow" + path.replace("/", "-").replace(house.unit_id, "unit"))


@pytest.mark.parametrize(("kind", "scheme"), [(PHONE, "light"), (DESK, "dark")], ids=["phone", "desk"])
async def test_a_scan_is_looked_at_and_downloaded(windows: Any, kind: Any, scheme: str) -> None:
    house, window = windows
    await house.set_up()
    await house.register()
    await house.enable()
    await house.scan(2)
    async with window(kind, scheme) as screen:
        await screen.open("/sign-in")
        await screen.fill(email=EMAIL, password=PASSWORD)
        await screen.button("Sign in").click()
        await screen.fill(code=house.code())
        await screen.button("Sign in").click()
        await loaded(screen, 1)
        await screen.keep("main-thumbnails")
        await screen.page.locator(".facts a").click()
        await loaded(screen, 4)
        await screen.keep("scan")
        await house.add_folder()
        await expect(screen.page.locator(".badge.delivered").first).to_be_visible()
        await loaded(screen, 4)
        await screen.keep("scan-delivered")
        async with screen.page.expect_download() as download:
            await screen.link("Download as PDF").click()
        path = await (await download.value).path()
        assert path.read_bytes().startswith(b"%PDF-")
        await screen.link("Delete").click()
        await screen.keep("scan-delete")
        await screen.button("Delete the scan").click()
        await expect(screen.page.get_by_text("The scan is deleted.")).to_be_visible()
        await house.disable(held=0)
        await house.scan(1)
        await screen.open("/sign-in")
        await screen.fill(email=EMAIL, password=PASSWORD)
        await screen.button("Sign in").click()
        await screen.page.locator(".facts a").click()
        await screen.keep("scan-sealed")


async def loaded(screen: Screen, count: int) -> None:
    """Wait until so many pictures are there, each with something in it; a refresh may exchange them meanwhile."""
    shown = "count => document.images.length === count && [...document.images].every(it => it.naturalWidth > 0)"
    await screen.page.wait_for_function(shown, arg=count)
