"""Headless Chromium over a whole gateway: a phone and a desk. A console error or a refused resource fails the test."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page, async_playwright, expect

from tests.conformance.conftest import need
from tests.web.conftest import House, open_house

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESK = {"viewport": {"width": 1280, "height": 800}}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
PATIENCE_MS = 20_000  # two cores, shared
expect.set_options(timeout=PATIENCE_MS)
EXPECTED = ("401", "403", "422", "409")  # a browser's console also tells of a form that was refused


@dataclass
class Screen:
    """One person's browser window."""

    house: House
    page: Page
    name: str
    folder: Path
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Note what a browser complains of."""
        self.page.on("console", lambda m: self._complain(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _complain(self, text: str) -> None:
        if not (text.startswith("Failed to load resource") and any(f"status of {s}" in text for s in EXPECTED)):
            self.complaints.append(text)

    async def open(self, path: str) -> None:
        await self.page.goto(self.house.url + path)

    async def keep(self, name: str) -> None:
        """Keep a picture of the screen, and have axe look at it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=self.folder / f"{self.name}-{name}.png", full_page=True)
        found = await Axe().run(self.page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
        wide = await self.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide, f"{name} scrolls sideways"

    def button(self, label: str) -> Locator:
        return self.page.get_by_role("button", name=label, exact=True)

    def link(self, label: str) -> Locator:
        return self.page.get_by_role("link", name=label, exact=True)

    async def fill(self, **typed: str) -> None:
        for name, text in typed.items():
            await self.page.fill(f"[name={name}]", text)

    async def title(self) -> str:
        return (await self.page.locator("h1").inner_text()).strip()


@pytest.fixture
async def windows(tmp_path: Path) -> AsyncIterator[Any]:
    """Open browser windows over one house; nothing may complain by the end."""
    chromium = shutil.which("chromium")
    need(chromium, "chromium")
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path / "screenshots"))
    (tmp_path / "house").mkdir()
    screens: list[Screen] = []
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(open_house(tmp_path / "house"))
        player = await stack.enter_async_context(async_playwright())
        browser = await player.chromium.launch(executable_path=chromium, args=FLAGS)
        stack.push_async_callback(browser.close)

        @asynccontextmanager
        async def window(kind: dict[str, Any] = PHONE, scheme: str = "light") -> AsyncIterator[Screen]:
            context = await browser.new_context(**kind, color_scheme=scheme)
            page = await context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            screen = Screen(house, page, f"{kind['viewport']['width']}-{scheme}", folder)
            screen.listen()
            screens.append(screen)
            try:
                yield screen
            finally:
                await context.close()

        yield house, window
        assert [s.complaints for s in screens if s.complaints] == []
