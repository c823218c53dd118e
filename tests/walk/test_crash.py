"""kill -9 in the middle of a batch: every acknowledged page is there afterwards, and is delivered once."""

import asyncio
import signal
import sqlite3
import sys
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from simulator import Fleet, running
from tests.walk.conftest import EMAIL, PASSWORD, House, Shifted

CHILD = Path(__file__).with_name("child.py")
ROOT = Path(__file__).parents[2]


class Child:
    """The daemon in a process of its own."""

    def __init__(self, state: Path, archive: Path, port: int) -> None:
        self._argv = [sys.executable, str(CHILD), str(state), str(archive), str(port)]
        self.process: Any = None

    async def start(self) -> str:
        self.process = await asyncio.create_subprocess_exec(
            *self._argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=ROOT
        )
        async with asyncio.timeout(30):
            return (await self.process.stdout.readline()).decode().strip()

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        self.process._transport.close()


@pytest.mark.parametrize("kill_after_pages", [3, 40])
async def test_a_kill_in_the_middle_of_fifty_sheets_loses_no_page_and_sends_none_twice(
    tmp_path: Path, kill_after_pages: int
) -> None:
    state, archive = tmp_path / "state", tmp_path / "archive"
    archive.mkdir()
    fleet = Fleet.load("ix500")
    fleet = replace(fleet, units=tuple(replace(u, sheets=50, feed_s=0.01) for u in fleet.units))
    async with AsyncExitStack() as stack:
        simulation = await stack.enter_async_context(running(fleet))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        child = Child(state, archive, simulation.usbip_address[1])
        stack.push_async_callback(child.kill)
        url = await child.start()
        house = House(url, http, simulation, None, archive, state, None, Shifted())
        token = (state / "setup-token").read_text("ascii").strip()
        await house.call("POST", "/setup", {"token": token, "email": EMAIL, "password": PASSWORD})
        await house.register()
        await house.enable()
        await house.add_folder()
        house.unit.press()
        await house.until("pages", lambda: _pages(house, kill_after_pages))
        await child.kill()
        acknowledged = _rows(state)
        assert len(acknowledged) >= kill_after_pages
        assert not list(archive.rglob("*.pdf"))

        house.url = await child.start()
        await house.sign_in()
        [scan] = await house.scans()
        assert scan["state"] == "paused"
        assert scan["pages"] >= len(acknowledged)
        assert set(acknowledged) <= set(_rows(state))
        await house.call("POST", f"/scans/{scan['id']}/finish")
        [done] = await house.delivered(1)
        assert done["deliveries"][0]["receipt"]["pages"] == scan["pages"]
        [pdf] = archive.rglob("*.pdf")
        assert "(incomplete)" in pdf.name


async def _pages(house: House, count: int) -> bool:
    return len(_rows(house.state)) >= count


def _rows(state: Path) -> list[str]:
    connection = sqlite3.connect(f"file:{state / 'gateway.sqlite3'}?mode=ro", uri=True)
    try:
        return [row[0] for row in connection.execute("select path from pages")]
    finally:
        connection.close()


async def test_a_complete_sealed_file_without_a_row_is_adopted(verified: Any) -> None:
    await verified.sign_out()
    await verified.scan(1)
    database = verified.state / "gateway.sqlite3"
    before = await asyncio.to_thread(_columns, database)
    assert len(before) == 2
    await asyncio.to_thread(_lose_the_back, database)
    await verified.daemon.janitor.start()
    assert await asyncio.to_thread(_columns, database) == before


def _columns(database: Path) -> set[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as rows:
        return set(rows.execute("select path, width_px, height_px, byte_count, sealed_sha256, mac from pages"))


def _lose_the_back(database: Path) -> None:
    with closing(sqlite3.connect(database)) as rows, rows:
        rows.execute("delete from deliveries")
        rows.execute("delete from pages where side = 'back'")
        rows.execute("update scans set state = 'receiving'")
