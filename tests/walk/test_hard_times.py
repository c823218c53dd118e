"""Full disks, folders that cannot be written to, a locked database, a clock that jumps: said clearly, nothing lost."""

import asyncio
import os
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import History
from tests.walk.conftest import House

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")


@asynccontextmanager
async def small_disk(at: Path, size: str) -> AsyncIterator[None]:
    """Mount a disk of its own at a folder for the length of a block."""
    await _run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(at))
    try:
        yield
    finally:
        await _run("umount", "--lazy", str(at))


async def _run(*command: str) -> None:
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=30)


async def ready(house: House) -> None:
    await house.set_up()
    await house.register()
    await house.enable()
    await house.add_folder()


async def told(house: House, words: str) -> Any:
    async def asked() -> Any:
        rows = await house.scans()
        return next((row for row in rows if words in row["reason"]), None)

    return await house.until(words, asked)


@AS_ROOT
async def test_a_destination_whose_disk_is_full_says_so_and_gets_it_when_there_is_room(open_house: Any) -> None:
    async with open_house() as house:
        await house.set_up()
        await house.register()
        await house.enable()
        async with small_disk(house.archive, "64k"):
            await house.add_folder()
            await house.scan(2)
            await told(house, "the disk is full")
            assert not [p for p in house.archive.rglob("*.pdf") if not p.name.startswith(".")]
            await _run("mount", "-o", "remount,size=64m", str(house.archive))

            async def delivered() -> bool:
                house.clock.ahead += timedelta(seconds=5)
                [scan] = await house.scans()
                return bool(scan["deliveries"][0]["state"] == "delivered")

            await house.until("the delivery", delivered)
            assert len(list(house.archive.rglob("*.pdf"))) == 1


@AS_ROOT
async def test_a_destination_that_became_read_only_says_so_and_gets_it_when_it_is_writable(open_house: Any) -> None:
    async with open_house() as house:
        await house.set_up()
        await house.register()
        await house.enable()
        async with small_disk(house.archive, "64m"):
            await house.add_folder()
            await _run("mount", "-o", "remount,ro", str(house.archive))
            await house.scan(1)
            await told(house, "read-only")
            await _run("mount", "-o", "remount,rw", str(house.archive))

            async def delivered() -> bool:
                house.clock.ahead += timedelta(seconds=5)
                [scan] = await house.scans()
                return bool(scan["deliveries"][0]["state"] == "delivered")

            await house.until("the delivery", delivered)


@AS_ROOT
async def test_a_spool_that_fills_up_while_scanning_pauses_and_keeps_every_page_it_had(open_house: Any) -> None:
    async with open_house(history=History(keep_free_mib=0, keep_free_percent=0)) as house:
        await ready(house)
        await house.sign_out()
        spool = house.state / "spool"
        async with small_disk(spool, "600k"):
            await house.ready()
            house.unit.load(20)
            house.unit.press()

            async def paused() -> Any:
                rows = await house.daemon.services.store.scans.in_state("paused")
                return rows and rows[0]

            scan = await house.until("the pause", paused)
            assert "No space left on device" in scan.reason
            pages = await house.daemon.services.store.scans.pages(scan.id)
            assert 0 < len(pages) < 40
            assert not list(spool.rglob(".*.part")), "no half page stays"
            await _run("mount", "-o", "remount,size=64m", str(spool))
            await house.sign_in()
            await house.call("POST", f"/scans/{scan.id}/finish")
            [done] = await house.delivered(1)
            assert done["deliveries"][0]["receipt"]["pages"] == len(pages)


async def test_a_database_that_somebody_locks_for_longer_than_we_wait_costs_no_page(house: House) -> None:
    await house.register()
    await house.enable()
    await house.add_folder()
    await house.ready()
    house.unit.load(10)
    house.unit.press()

    async def some() -> bool:
        return len(house.unit.delivered) >= 4

    await house.until("some pages", some)
    release = asyncio.Event()
    locking = asyncio.create_task(_locked(house.state / "gateway.sqlite3", release))
    await asyncio.sleep(11.0)  # longer than busy_timeout: writers fail, not only wait
    release.set()
    await locking
    before = len(house.unit.delivered)

    async def at_rest() -> Any:
        rows = await house.scans()
        return rows and rows[0]["state"] in ("paused", "stored") and rows[0]

    scan = await house.until("the scan to rest", at_rest)
    assert scan["pages"] >= before - 1, "at most the page under way was not recorded, and its sealed file is there"
    while scan["state"] == "paused":
        await house.ready()
        house.unit.press()
        await asyncio.sleep(0.5)
        scan = await house.until("the scan to rest", at_rest)
    [done] = await house.delivered(1)
    assert done["deliveries"][0]["receipt"]["pages"] == done["pages"]
    assert len(list(house.archive.rglob("*.pdf"))) == 1


async def _locked(path: Path, release: asyncio.Event) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA busy_timeout=30000")
        database.execute("BEGIN IMMEDIATE")
        await release.wait()
        database.execute("ROLLBACK")


@pytest.mark.parametrize("jump", [timedelta(days=400), timedelta(days=-400)], ids=["forward", "back"])
async def test_a_clock_that_jumps_while_something_is_held_loses_nothing_and_opens_nothing(
    house: House, jump: timedelta
) -> None:
    await house.register()
    await house.enable()
    await house.add_folder()
    await house.sign_out()
    await house.scan(1)
    house.clock.ahead += jump
    await asyncio.sleep(0.5)
    assert house.left() == 0
    assert len(list((house.state / "spool").rglob("*.age"))) == 2
    house.clock.ahead -= jump
    await house.sign_in()
    await house.delivered(1)
