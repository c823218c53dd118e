"""A browser warns about a gateway that it does not know, and no more once its authority is installed."""

import asyncio
import os
import shutil
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Error, Playwright, async_playwright

from gateway.settings import Web
from tests.browser.conftest import DESK, FLAGS, PHONE
from tests.conformance.conftest import need
from tests.web.doors import Door, careless, client, door


async def launched(player: Playwright, home: Path) -> Browser:
    """Start Chromium as a person whose home folder this is."""
    chromium = shutil.which("chromium")
    need(chromium, "chromium")
    environment: dict[str, str | float | bool] = dict(os.environ | {"HOME": str(home)})
    return await player.chromium.launch(executable_path=chromium, args=FLAGS, env=environment)


def trust(home: Path, certificate: Path) -> None:
    """Install an authority where Chromium looks for those that a person trusts."""
    need(shutil.which("certutil"), "libnss3-tools")
    folder = home / ".pki" / "nssdb"
    folder.mkdir(parents=True)
    for words in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "gateway", "-i", str(certificate)]):
        subprocess.run(["certutil", "-d", f"sql:{folder}", *words], check=True, timeout=60)


async def install(here: Door, home: Path) -> None:
    async with client(careless()) as http, http.get(f"{here.url}/ca.crt") as answer:
        (home / "ca.crt").write_bytes(await answer.read())
    await asyncio.to_thread(trust, home, home / "ca.crt")


async def test_chromium_trusts_the_gateway_once_its_authority_is_installed_and_keeps_its_cookie(tmp_path: Path) -> None:
    async with door(tmp_path, Web(port=0, tls="own")) as here, async_playwright() as player:
        home = tmp_path / "home"
        home.mkdir()
        async with await launched(player, home) as stranger:
            page = await stranger.new_page()
            with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
                await page.goto(f"{here.url}/trust")
        await install(here, home)
        async with await launched(player, home) as friend:
            page = await friend.new_page()
            for host in ("127.0.0.1", "localhost"):
                answer = await page.goto(f"https://{host}:{here.port}/trust")
                assert answer is not None
                assert answer.status == 200
            await page.goto(f"{here.url}/setup")
            for name, typed in (here.setup() | {"again": here.setup()["password"]}).items():
                await page.fill(f"[name={name}]", typed)
            await page.get_by_role("button", name="Create account").click()
            await page.get_by_role("link", name="I have printed or saved it").wait_for()
            await page.goto(f"{here.url}/")
            assert await page.locator("h1").inner_text() == "Scans"
            kept = {cookie["name"]: (cookie["secure"], cookie["httpOnly"]) for cookie in await page.context.cookies()}
            assert kept == {"__Host-sid": (True, True), "__Host-did": (True, True)}


@pytest.mark.parametrize(("kind", "scheme"), [(PHONE, "dark"), (DESK, "light")])
async def test_the_page_about_it_is_for_everybody(tmp_path: Path, kind: dict[str, object], scheme: str) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path / "screenshots"))
    web = Web(port=0, tls="own")
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(door(tmp_path, web))
        player = await stack.enter_async_context(async_playwright())
        browser = await stack.enter_async_context(await launched(player, tmp_path))
        page = await browser.new_page(**kind, color_scheme=scheme, ignore_https_errors=True)  # type: ignore[arg-type]
        await page.goto(f"{here.url}/trust")
        fingerprint = (await page.locator("#fingerprint").inner_text()).replace("\n", "").replace(" ", "")
        assert fingerprint == here.daemon.tls.authority.fingerprint.replace(":", "")
        folder.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=folder / f"{kind['viewport']['width']}-{scheme}-trust.png", full_page=True)  # type: ignore[index]
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
