"""A finder at work over the units of fake_vens, and all that it told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest

from drivers.port import Gone, Page, PageEnd, Press, Profile, Side, Sighting
from drivers.vens.air import Ports
from drivers.vens.finder import VensFinder
from drivers.vens.scanner import VensScanner
from tests.drivers.fake_ix500 import jpeg
from tests.drivers.fake_vens import BROADCAST, FakeVens, Network, network

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TOKEN = bytes.fromhex("021122334455")
ID = "vens:iX500:AK7CC00700"
FRONT = jpeg(1741, 2971, 700_000)
BACK = jpeg(1741, 2971, 262_144)  # exactly one block
PROFILE = Profile(resolution_dpi=200)
PATIENCE_S = 10.0
ROUND_S = 0.5


# What only spares a real unit, or its network.
_SHORTER = {
    "drivers.vens.reservation._RECOVERY_PAUSE_S": 0.0,
    "drivers.vens.finder._ALIVE_S": 0.05,
    "drivers.vens.scanner._EAGER_POLL_S": 0.02,
    "drivers.vens.scanner._PAPER_POLL_S": 0.02,
}


class House:
    """A finder at work and all that it told."""

    def __init__(self, finder: VensFinder) -> None:
        self.finder = finder
        self.events: list[Sighting | Gone] = []
        self._more = asyncio.Condition()

    async def listen(self) -> None:
        async with aclosing(self.finder.sightings()) as sightings:
            async for event_ in sightings:
                async with self._more:
                    self.events.append(event_)
                    self._more.notify_all()

    async def heard(self, wanted: Callable[[Sighting | Gone], bool]) -> Sighting | Gone:
        async with asyncio.timeout(PATIENCE_S), self._more:
            await self._more.wait_for(lambda: any(wanted(event_) for event_ in self.events))
        return next(event_ for event_ in self.events if wanted(event_))

    async def sighting(self, id: str = ID, address: str = "") -> Sighting:
        def wanted(event_: Sighting | Gone) -> bool:
            return isinstance(event_, Sighting) and event_.id == id and address in ("", event_.address)

        found = await self.heard(wanted)
        assert isinstance(found, Sighting)
        return found


@asynccontextmanager
async def housed(
    net: Network, *, hosts: tuple[str, ...] = (), broadcast: str = BROADCAST, round_s: float = ROUND_S
) -> AsyncIterator[House]:
    ports = Ports(net.port, net.advertisement_port)
    finder = VensFinder(token=TOKEN, now=lambda: NOW, broadcast=(broadcast,), hosts=hosts, ports=ports, round_s=round_s)
    house = House(finder)
    with pytest.MonkeyPatch.context() as patched:
        for name, seconds in _SHORTER.items():
            patched.setattr(name, seconds)
        listening = asyncio.create_task(house.listen(), name="sightings")
        try:
            yield house
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening


@asynccontextmanager
async def opened(unit: FakeVens, *, round_s: float = ROUND_S) -> AsyncIterator[tuple[VensScanner, House, Network]]:
    async with network(unit) as net, housed(net, round_s=round_s) as house:
        sighting = await house.sighting(f"vens:{unit.model}:{unit.serial}")
        scanner = await house.finder.open(sighting.id)
        unit.log.clear()
        try:
            yield scanner, house, net
        finally:
            await scanner.close()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.005)


async def in_time(work: Awaitable[Press]) -> Press:
    async with asyncio.timeout(PATIENCE_S):
        return await work


async def drain(page: Page) -> tuple[int, Side, bytes, PageEnd]:
    data = b"".join([chunk async for chunk in page.chunks])
    return page.number, page.side, data, page.end()


async def scanned(scanner: VensScanner, profile: Profile = PROFILE) -> list[tuple[int, Side, bytes, PageEnd]]:
    async with aclosing(scanner.scan(profile)) as pages:
        return [await drain(page) async for page in pages]
