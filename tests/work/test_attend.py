"""A unit attended over two ways: whatever is opened is closed again, also when the task ends in the middle."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from drivers.port import Capabilities, Colour, Finder, Press, Sighting
from gateway.core.model import AccountId, Unit, UnitId, Way
from gateway.work.attend import Attendant, Hall
from gateway.work.insight import WayInSight

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ABLE = Capabilities((300,), (Colour.COLOUR,), True, 216.0, 360.0, True)


class FakeScanner:
    """A scanner that nobody presses; `may_close` holds its closing up."""

    capabilities = ABLE

    def __init__(self) -> None:
        self.listening, self.closing, self.closed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.may_close = asyncio.Event()

    async def presses(self, **_: Any) -> AsyncGenerator[Press]:
        self.listening.set()
        await asyncio.Event().wait()
        yield cast(Press, None)

    async def close(self) -> None:
        self.closing.set()
        await self.may_close.wait()
        self.closed.set()


class FakeFinder:
    def __init__(self) -> None:
        self.scanner = FakeScanner()

    async def open(self, id: str, *, password: str = "") -> FakeScanner:
        return self.scanner


def sighted(via: str, finder: FakeFinder) -> WayInSight:
    sighting = Sighting(f"{via}:1", "iX500", via, "here", f"pin {via}", NOW)
    return WayInSight(sighting, cast(Finder, finder))


class Claims:
    def wants(self, way: str) -> bool:
        return False

    def joining(self, unit: UnitId) -> bool:
        return False


def attended(ways: list[WayInSight]) -> Attendant:
    known = tuple(Way(via, f"{via}:1", f"pin {via}") for via in ("usb", "wifi"))
    unit = Unit(UnitId("u"), AccountId("a"), "iX500", "iX500", known, NOW)

    async def the_unit() -> Unit:
        return unit

    async def nothing(*_: Any) -> Any:
        return ""

    hall = Hall(
        unit=the_unit,
        ways=lambda _: list(ways),
        wanted=lambda _: True,
        claimed=nothing,
        password=nothing,
        suspend=nothing,
        scan=nothing,
        changed=lambda _: None,
        claims=cast(Any, Claims()),
    )
    return Attendant(hall)


async def test_a_task_that_ends_between_two_ways_closes_both() -> None:
    wifi, usb = FakeFinder(), FakeFinder()
    ways = [sighted("wifi", wifi)]
    attendant = attended(ways)
    running = asyncio.create_task(attendant.run())
    async with asyncio.timeout(20):
        await wifi.scanner.listening.wait()
        ways.append(sighted("usb", usb))
        attendant.news()
        await wifi.scanner.closing.wait()  # the better one is open, the other one on its way out
        running.cancel()
        usb.scanner.may_close.set()
        wifi.scanner.may_close.set()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert wifi.scanner.closed.is_set()
    assert usb.scanner.closed.is_set()
