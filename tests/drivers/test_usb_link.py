"""The link over a fake bus: opening, transactions, and every way in which USB goes wrong."""

import asyncio
import errno
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import usb.core

from drivers.errors import Busy, DriverError, PeerError, Refused, Unreachable, Unsupported
from drivers.flow import Pause
from drivers.scsi import wire
from drivers.scsi.flow import Dialogue
from drivers.scsi.wire import Command, Reply, ScsiStatus
from drivers.usb.link import Link, enumerate_devices
from tests.drivers.fake_usb import BUSY, CHECK, GOOD, Answer, FakeBackend, FakeUnit, failure, sense, timeout


def one(command: Command) -> Dialogue[Reply]:
    reply = yield command
    assert reply is not None
    return reply


def scripted(*answers: Answer) -> FakeUnit:
    rest = list(answers)
    return FakeUnit(lambda cdb, payload: rest.pop(0))


@asynccontextmanager
async def linked(unit: FakeUnit) -> AsyncIterator[Link]:
    (device,) = enumerate_devices(FakeBackend(unit), lambda device: True)
    link = await Link.connect(device)
    try:
        yield link
    finally:
        await link.close()


async def ask(unit: FakeUnit, command: Command) -> Reply:
    async with linked(unit) as link:
        return await link.run(one(command))


async def test_opening_claims_and_neither_configures_nor_clears() -> None:
    unit = scripted()
    async with linked(unit):
        assert unit.calls == ["open", "claim"]
    assert unit.calls == ["open", "claim", "release", "close"]


async def test_an_unconfigured_device_is_configured() -> None:
    unit = scripted()
    unit.configuration = 0
    async with linked(unit):
        assert unit.calls == ["open", "set_configuration", "claim"]


async def test_endpoints_come_from_the_descriptor() -> None:
    unit = scripted()
    unit.endpoints = ((0x83, 3),)
    with pytest.raises(Unsupported):
        async with linked(unit):
            pass
    assert unit.calls[-1] == "close"


@pytest.mark.parametrize(
    ("number", "error", "word"),
    [
        (errno.EACCES, Refused, "udev"),
        (errno.EBUSY, Busy, "program"),
        (errno.ENODEV, Unreachable, "unplugged"),
        (errno.EIO, Unreachable, "unplugged"),
    ],
)
async def test_what_hinders_opening_is_said(number: int, error: type[DriverError], word: str) -> None:
    unit = scripted()
    unit.claim_error = failure(number)
    with pytest.raises(error, match=word):
        async with linked(unit):
            pass


async def test_a_command_without_data() -> None:
    assert await ask(scripted([GOOD]), wire.feed()) == Reply(ScsiStatus.GOOD)


async def test_data_out_follows_the_envelope() -> None:
    unit = scripted([GOOD])
    await ask(unit, wire.get_device_id())
    assert unit.log[0][1] == b"GET DEVICE ID   "


async def test_data_in_may_be_short() -> None:
    assert await ask(scripted([bytes(144), GOOD]), wire.inquiry_vpd()) == Reply(ScsiStatus.GOOD, bytes(144))


async def test_a_check_condition_fetches_the_sense() -> None:
    unit = scripted([b"", CHECK], [sense(3, 0x80, 0x13), GOOD])
    reply = await ask(unit, wire.inquiry())
    assert (reply.status, reply.data) == (ScsiStatus.CHECK, b"")
    assert reply.sense is not None
    assert reply.sense.code == (3, 0x80, 0x13)
    assert unit.opcodes == [0x12, 0x03]


async def test_data_is_kept_beside_the_sense() -> None:
    unit = scripted([b"abc", CHECK], [sense(0, flags=0x60, information=93), GOOD])
    reply = await ask(unit, wire.inquiry())
    assert reply.data == b"abc"
    assert reply.sense is not None
    assert reply.sense.information == 93


async def test_busy_fetches_no_sense() -> None:
    unit = scripted([BUSY])
    assert (await ask(unit, wire.feed())).status is ScsiStatus.BUSY
    assert unit.opcodes == [0x31]


async def test_a_status_in_the_place_of_data_is_recognised() -> None:
    unit = scripted([CHECK], [sense(5, 0x24), GOOD])
    reply = await ask(unit, wire.inquiry())
    assert reply.sense is not None
    assert reply.sense.code == (5, 0x24, 0)


async def test_a_refused_sense_is_the_peers_fault() -> None:
    with pytest.raises(PeerError):
        await ask(scripted([CHECK], [b"", CHECK]), wire.feed())


async def test_a_short_sense_is_the_peers_fault() -> None:
    with pytest.raises(PeerError):
        await ask(scripted([CHECK], [bytes(5), GOOD]), wire.feed())


@pytest.mark.parametrize("frame", [b"", b"\x53", b"\x00" * 13, b"GARBAGE"])
async def test_a_garbled_status_is_the_peers_fault_and_resynchronises(frame: bytes) -> None:
    unit = scripted([frame, b"left over", b"more"], [GOOD])
    async with linked(unit) as link:
        with pytest.raises(PeerError):
            await link.run(one(wire.feed()))
        assert unit.calls[-2:] == ["clear_halt 81", "clear_halt 02"]
        assert (await link.run(one(wire.feed()))).status is ScsiStatus.GOOD


async def test_more_data_than_asked_for_is_the_peers_fault() -> None:
    with pytest.raises(PeerError):
        await ask(scripted([bytes(97), GOOD]), wire.inquiry())


async def test_a_silent_unit_is_unreachable_and_both_endpoints_are_cleared() -> None:
    unit = scripted([timeout()], [GOOD])
    async with linked(unit) as link:
        with pytest.raises(Unreachable):
            await link.run(one(wire.feed()))
        assert unit.calls[-2:] == ["clear_halt 81", "clear_halt 02"]
        await link.run(one(wire.feed()))


async def test_a_stalled_endpoint_is_cleared() -> None:
    unit = scripted([failure(errno.EPIPE)], [GOOD])
    async with linked(unit) as link:
        with pytest.raises(PeerError):
            await link.run(one(wire.feed()))
        await link.run(one(wire.feed()))


async def test_an_unplugged_unit_is_unreachable_and_closes_quietly() -> None:
    unit = scripted()
    backend = FakeBackend(unit)
    (device,) = enumerate_devices(backend, lambda device: True)
    link = await Link.connect(device)
    backend.units.clear()
    with pytest.raises(Unreachable):
        await link.run(one(wire.feed()))
    await link.close()
    await link.close()
    with pytest.raises(Unreachable):
        await link.run(one(wire.feed()))


async def test_a_cancelled_dialogue_stops_between_two_transactions() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def answer(cdb: bytes, payload: bytes) -> Answer:
        asked.set()
        assert go_on.wait(10)
        return [GOOD]

    unit = FakeUnit(answer)
    async with linked(unit) as link:
        running = asyncio.create_task(link.run(_endless()))
        await asyncio.to_thread(asked.wait, 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        go_on.set()
        await link.run(one(wire.cancel()))
    assert unit.opcodes == [0x31, 0xF1]
    assert not unit.pending


def _endless() -> Dialogue[None]:
    while True:
        yield wire.feed()
        yield Pause(3600, "a long time")


async def test_a_dialogue_told_to_run_to_its_end_does_so_although_cancelled() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def answer(cdb: bytes, payload: bytes) -> Answer:
        asked.set()
        assert go_on.wait(10)
        return [GOOD]

    unit = FakeUnit(answer)
    async with linked(unit) as link:
        running = asyncio.create_task(link.run(_twice(wire.cancel), to_the_end=True))
        await asyncio.to_thread(asked.wait, 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        go_on.set()
    assert unit.opcodes == [0xF1, 0xF1]


def _twice(command: Callable[[], Command]) -> Dialogue[None]:
    yield command()
    yield command()


def test_a_bus_that_cannot_be_listed_is_unreachable() -> None:
    backend = FakeBackend()
    backend.list_error = usb.core.USBError("no", -99, errno.EIO)
    with pytest.raises(Unreachable):
        enumerate_devices(backend, lambda device: True)
