"""The door of the USB family: who is sighted, who is gone, who may be opened."""

import errno
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime

import pytest
import usb.core

from drivers.errors import Busy, Refused, Unreachable
from drivers.port import Gone, Sighting
from drivers.usb.finder import UsbFinder
from tests.drivers.fake_ix500 import FakeIx500
from tests.drivers.fake_usb import FakeBackend, FakeUnit, failure

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def unit(serial: int = 700, address: int = 5, product_id: int = 0x132B) -> FakeUnit:
    return FakeUnit(FakeIx500(serial=serial).answer, address=address, product_id=product_id)


def finder(*units: FakeUnit) -> tuple[UsbFinder, FakeBackend]:
    backend = FakeBackend(*units)
    return UsbFinder(backend, lambda: NOW, poll_s=0), backend


async def test_a_unit_is_sighted_by_its_own_answer_and_left_closed() -> None:
    there = unit()
    found, _ = finder(there)
    async with aclosing(found.sightings()) as sightings:
        assert await anext(sightings) == Sighting(
            id="usb:iX500:700",
            model="iX500",
            via="usb",
            address="usb 1-5",
            fingerprint="ScanSnap iX500/700",
            seen_at=NOW,
        )
    assert there.opcodes == [0x12, 0x12, 0x1D, 0x1C]
    assert there.calls[-1] == "close"


async def test_a_unit_that_left_is_gone_and_comes_back_under_its_id() -> None:
    there = unit()
    found, bus = finder(there)
    async with aclosing(found.sightings()) as sightings:
        first = await anext(sightings)
        bus.units.clear()
        assert await anext(sightings) == Gone(first.id)
        bus.units.append(unit(address=6))
        back = await anext(sightings)
        assert isinstance(back, Sighting)
        assert (back.id, back.address) == (first.id, "usb 1-6")


async def test_a_device_outside_the_table_is_never_touched() -> None:
    stranger, there = unit(address=4), unit()
    stranger.vendor_id = 0x046D
    found, _ = finder(stranger, there)
    async with aclosing(found.sightings()) as sightings:
        assert (await anext(sightings)).address == "usb 1-5"
    assert stranger.calls == []


@pytest.mark.parametrize(
    ("ids", "name", "sentence"),
    [((0x04C5, 0x128D), "S1300i", "not driven yet"), ((0x05CA, 0x0308), "fi-70F", "not driven yet")],
)
async def test_a_unit_of_the_other_family_is_named_and_never_sent_a_byte(
    ids: tuple[int, int], name: str, sentence: str
) -> None:
    there = unit(product_id=ids[1])
    there.vendor_id = ids[0]
    found, _ = finder(there)
    async with aclosing(found.sightings()) as sightings:
        sighting = await anext(sightings)
    assert (sighting.model, sighting.address) == (name, "usb 1-5")
    assert sentence in sighting.driven
    assert there.calls == there.log == []


async def test_an_unknown_model_of_the_right_shape_is_offered_and_probed_only_when_invited() -> None:
    there = unit(product_id=0x03E9)
    there.vendor_id = 0x05CA
    found, bus = finder(there)
    async with aclosing(found.sightings()) as sightings:
        sighting = await anext(sightings)
    assert sighting.model == "05ca:03e9"
    assert '"05ca:03e9" to usb.also' in sighting.driven
    assert there.calls == there.log == []
    invited = UsbFinder(bus, lambda: NOW, poll_s=0, also=frozenset({(0x05CA, 0x03E9)}))
    async with aclosing(invited.sightings()) as sightings:
        sighting = await anext(sightings)
    assert (sighting.id, sighting.model, sighting.driven) == ("usb:iX500:700", "iX500", "")


@pytest.mark.parametrize("endpoints", [((0x81, 2),), ((0x81, 2), (0x02, 2), (0x83, 3)), ((0x81, 2), (0x82, 2))])
async def test_an_unknown_device_of_another_shape_is_not_offered(endpoints: tuple[tuple[int, int], ...]) -> None:
    stranger, there = unit(product_id=0x0FFF, address=4), unit()
    stranger.endpoints = endpoints
    found, _ = finder(stranger, there)
    async with aclosing(found.sightings()) as sightings:
        assert (await anext(sightings)).address == "usb 1-5"
    assert stranger.calls == []


async def test_a_unit_that_is_held_is_asked_again_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    held, later = unit(), unit(serial=9, address=6)
    held.claim_error = failure(errno.EBUSY)
    found, bus = finder(held)
    polls = 0

    def listed() -> list[FakeUnit]:
        nonlocal polls
        polls += 1
        if polls == 4:
            held.claim_error = None
        return [held]

    bus.enumerate_devices = lambda: iter(listed())  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING):
        async with aclosing(found.sightings()) as sightings:
            nameless = await anext(sightings)
            assert "holds the scanner" in nameless.driven
            assert await anext(sightings) == Gone(nameless.id)
            assert (await anext(sightings)).id == "usb:iX500:700"
    assert polls == 4
    assert len(caplog.records) == 1
    assert later.calls == []


async def test_a_stranger_with_a_known_usb_identity_cannot_be_driven(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeUnit(FakeIx500(inquiry=b"\xff" * 96).answer)
    found, bus = finder(fake)
    async with aclosing(found.sightings()) as sightings:
        bus.units.append(unit(serial=1, address=7))
        stranger = await anext(sightings)
        assert stranger.driven
        assert (await anext(sightings)).id == "usb:iX500:1"
        with pytest.raises(Unreachable):
            await found.open(stranger.id)
    assert "1-5" in caplog.text


async def test_a_bus_that_cannot_be_listed_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    found, bus = finder(unit())
    answers = iter([usb.core.USBError("no", -99, errno.EIO), None])

    def enumerate_devices() -> object:
        error = next(answers, None)
        if error is not None:
            raise error
        return iter(bus.units)

    bus.enumerate_devices = enumerate_devices  # type: ignore[method-assign,assignment]
    async with aclosing(found.sightings()) as sightings:
        assert (await anext(sightings)).id == "usb:iX500:700"
    assert len(caplog.records) == 1


async def test_what_a_dead_host_left_in_the_pipe_does_not_hide_the_unit() -> None:
    there = unit()
    there.pending = [b"\xff\xd8 rest of a page " * 10, b"\x53" + bytes(12)]
    found, _ = finder(there)
    async with aclosing(found.sightings()) as sightings:
        assert (await anext(sightings)).id == "usb:iX500:700"


async def sighted(found: UsbFinder) -> str:
    sightings: AsyncGenerator[Sighting | Gone] = found.sightings()
    async with aclosing(sightings):
        return (await anext(sightings)).id


async def test_opening_asks_again_and_recovers_the_unit() -> None:
    there = unit()
    found, _ = finder(there)
    sighting_id = await sighted(found)
    there.log.clear()
    scanner = await found.open(sighting_id)
    assert scanner.id == sighting_id
    assert there.opcodes == [0x12, 0x12, 0x1D, 0x1C, 0x00, 0xF1, 0x15, 0xC2]
    await scanner.close()


async def test_another_unit_in_its_place_is_refused() -> None:
    there = unit()
    found, bus = finder(there)
    sighting_id = await sighted(found)
    bus.units[:] = [unit(serial=701)]
    with pytest.raises(Refused):
        await found.open(sighting_id)
    assert bus.units[0].calls[-1] == "close"


async def test_a_unit_never_sighted_or_gone_is_unreachable() -> None:
    found, bus = finder(unit())
    with pytest.raises(Unreachable):
        await found.open("usb:iX500:1")
    sighting_id = await sighted(found)
    bus.units.clear()
    with pytest.raises(Unreachable):
        await found.open(sighting_id)


async def test_an_open_unit_is_not_asked_who_it_is_and_not_opened_twice() -> None:
    there = unit()
    found, bus = finder(there)
    sighting_id = await sighted(found)
    scanner = await found.open(sighting_id)
    there.log.clear()
    there.calls.clear()
    async with aclosing(found.sightings()) as sightings:
        assert (await anext(sightings)).id == sighting_id
        bus.units.append(unit(serial=2, address=9))
        assert (await anext(sightings)).id == "usb:iX500:2"
        assert (there.log, there.calls) == ([], [])
    with pytest.raises(Busy):
        await found.open(sighting_id)
    await scanner.close()
    await (await found.open(sighting_id)).close()
