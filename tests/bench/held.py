"""A gateway in a process of its own, its owner, and what its scanner is to scan; see tests.bench.child."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

from tests.bench import pages
from tests.bench.daemon import first_line, python
from tests.walk.conftest import EMAIL, PASSWORD, House, Shifted, until

_SHEETS = 4  # different pages; the scanner begins again with the first


@dataclass
class Held:
    """The house, and the process that its gateway is."""

    house: House
    process: "subprocess.Popen[str]"

    @property
    def pid(self) -> int:
        return self.process.pid

    async def scan(self, count: int) -> None:
        """Put so many pages into the feeder and press Scan."""
        await self._order(f"scan {count}")

    async def told(self, what: str) -> float:
        """Return when something happened that the daemon has to tell of; what it tells before that is passed over."""
        while True:
            line = await asyncio.to_thread(first_line, self.process)
            if not line:
                raise RuntimeError(f"the gateway ended before it told of {what!r}")
            word, _, at_s = line.partition(" ")
            if word == what:
                return float(at_s)

    async def scan_and_hold(self, count: int) -> None:
        """Scan with the gate shut, to the end."""
        await self.house.sign_out()
        await self.scan(count)
        await self.told("stored")

    async def sign_in(self) -> None:
        """Open the gate; the daemon's clock is set forward when a code is used up."""
        await self.house.password()
        code = self.house.code()
        await self._order(f"ahead {self.house.clock.ahead.total_seconds()}")
        await self.house.call("POST", "/session/code", {"code": code, "window_h": 12})

    async def _order(self, order: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()


@asynccontextmanager
async def holding(folder: Path, url: str = "", *, quality: int = pages.HEAVY) -> AsyncIterator[Held]:
    """Run one with two-factor on and an open session, delivering to the folder "archive" or to a WebDAV server."""
    (folder / "archive").mkdir(parents=True)
    (folder / "pages").mkdir()
    await asyncio.to_thread(pages.make, folder / "pages", _SHEETS, quality)
    sink = SimpleNamespace(url=url, username="anna", password="nobody asks")
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        port = URL(url).port if url else 0
        words = [str(folder / "state"), str(folder / "archive"), str(folder / "pages"), str(port)]
        process = stack.enter_context(python(["-m", "tests.bench.child", *words], orders=True))
        at = await asyncio.to_thread(first_line, process)
        house = House(at, http, None, sink, folder / "archive", folder / "state", None, Shifted())
        await _move_in(house)
        await (house.add_webdav() if url else house.add_folder())
        yield Held(house, process)


async def _move_in(house: House) -> None:
    token = (house.state / "setup-token").read_text("ascii").strip()
    await house.call("POST", "/setup", {"token": token, "email": EMAIL, "password": PASSWORD})

    async def ready() -> Any:
        return [unit for unit in (await house.call("GET", "/units"))["items"] if unit["state"] == "ready"]

    await until("the unit to be ready", ready)
    await house.enable()
