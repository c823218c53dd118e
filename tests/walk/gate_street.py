"""Sets a street up: sinks, a house that people moved into, and the loop in which all of it lives."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import aiohttp
import pytest

from gateway.destinations import paperless
from tests.walk import gate_doors as doors
from tests.walk.conftest import PASSWORD
from tests.walk.gate_house import Browser, House, Template
from tests.walk.gate_machine import Street
from tests.walk.gate_sinks import sinks


@contextmanager
def street(folder: Path, kinds: Collection[str]) -> Iterator[Street]:
    """Run one until the block ends; Anna has a destination of each of these kinds, Ben has a folder."""
    with pytest.MonkeyPatch.context() as patched, asyncio.Runner() as runner:
        patched.setattr(paperless, "FIRST_PAUSE_S", 0.001)  # the simulated archive files as soon as it is asked
        patched.setattr(paperless, "LONGEST_PAUSE_S", 0.005)
        made = _made(folder, kinds)
        template = runner.run(anext(made))
        try:
            yield Street(runner, template, folder / "house", count(1))
        finally:
            runner.run(_end(made))


async def _end(made: AsyncIterator[Template]) -> None:
    assert await anext(made, None) is None


async def _made(folder: Path, kinds: Collection[str]) -> AsyncIterator[Template]:
    async with sinks(folder, kinds) as place, aiohttp.ClientSession() as http:
        house = House(place, folder / "moved-in", http)
        await house.start()
        try:
            await _move_in(house)
        finally:
            await house.stop()
        yield Template(house.folder, house)


async def _move_in(house: House) -> None:
    phone, _, bens = house.browsers
    setup = {"token": house.daemon.setup.path.read_text("ascii").strip(), "email": phone.person.email}
    await _arrive(house, phone, "/setup", setup)
    issued = await house.services.admin.invite(bens.person.email)
    await _arrive(house, bens, "/invitation", {"ticket": issued.ticket, "email": bens.person.email})
    for kind in house.place.sinks:
        assert await doors.add_destination(house, phone, kind) == 201, kind
    config = {"path": str(house.place.archive)}
    body = {"kind": "folder", "label": "Ben's", "config": config, "secrets": {}}
    status, reply = await house.call(bens, "POST", "/destinations", body)
    assert status == 201, reply
    bens.person.destinations[reply["id"]] = "folder"


async def _arrive(house: House, browser: Browser, path: str, body: dict[str, str]) -> None:
    """Open an account, let its scanner become its own, and enable two-factor."""
    status, reply = await house.call(browser, "POST", path, body | {"password": PASSWORD})
    assert status == 201, reply
    browser.token, browser.level = reply["token"], reply["level"]
    account = await house.services.store.accounts.by_email(browser.person.email)
    browser.person.account = account.id
    await doors.plug_in(house, browser.person)
    assert await doors.start_two_factor(house, browser) == 201
    assert await doors.confirm_two_factor(house, browser, 12) == 200
