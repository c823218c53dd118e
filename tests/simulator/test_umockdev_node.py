"""A device node of the simulated bus answers as usbdevfs does: claims, transfers, and the cable."""

import asyncio
import errno
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from simulator.faults import Fault, FaultKind
from simulator.fleet import UnitSpec
from simulator.scanner import VirtualScanner
from simulator.usb.device import ScanSnapUsb
from simulator.usb.umockdev import bus as under_test
from simulator.usb.umockdev.bus import UmockdevBus
from tests.simulator import guest
from tests.simulator.guest import INQUIRY, Errno, Guest, open_node, polled

GET_PRODUCT = bytes.fromhex("80 06 02 03 09 04 ff 00")


@dataclass(frozen=True)
class Plugged:
    bus: UmockdevBus
    unit: VirtualScanner
    files: list[Guest] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return Path(self.bus.environment()["UMOCKDEV_DIR"])

    async def open(self, address: int = 2) -> Guest:
        self.files.append(await open_node(self.root, address))
        return self.files[-1]

    async def claimed(self, address: int = 2) -> Guest:
        guest_ = await self.open(address)
        await guest_.ioctl(guest.CLAIM, 0)
        return guest_


@pytest.fixture
async def plugged(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Plugged]:
    monkeypatch.setattr(under_test.ctypes.util, "find_library", str)  # no process is started here
    unit = VirtualScanner(UnitSpec("desk", "iX500", 7))
    bus = UmockdevBus([ScanSnapUsb(unit)])
    await bus.start()
    there = Plugged(bus, unit)
    try:
        yield there
    finally:
        for file in there.files:
            await file.close()
        await bus.close()


async def refused(call: Awaitable[object]) -> int:
    with pytest.raises(Errno) as caught:
        await call
    return caught.value.code


async def test_the_node_reads_as_the_descriptors(plugged: Plugged) -> None:
    file = await plugged.open()
    content = await file.descriptors()
    assert (len(content), content[:4], content[8:12]) == (18 + 32, b"\x12\x01\x00\x02", b"\xc5\x04\x2b\x13")
    assert await file.descriptors(18) == content[:18]


async def test_a_command_goes_out_and_its_data_and_status_come_back(plugged: Plugged) -> None:
    data, frame = await (await plugged.claimed()).exchange(INQUIRY, 96)
    assert data[8:32] == b"FUJITSU ScanSnap iX500  "
    assert (len(frame), frame[0], frame[9]) == (13, 0x53, 0)
    assert plugged.unit.errors == []


async def test_only_a_transfer_that_has_ended_wakes_a_waiting_process(plugged: Plugged) -> None:
    file = await plugged.claimed()
    with polled(plugged.root) as reported:
        reading = await file.submit(guest.URB_BULK, 0x81, 96)
        assert not reported()
        assert await refused(file.reap()) == errno.EAGAIN
        writing = await file.submit(guest.URB_BULK, 0x02, len(INQUIRY), INQUIRY)
        assert reported()
        assert (await file.reap())[:2] == (writing, 0)
        assert (await file.reap(guest.REAP))[:2] == (reading, 0)
        assert not reported()


async def test_a_process_that_waits_for_nothing_sleeps_although_the_unit_is_gone(plugged: Plugged) -> None:
    file = await plugged.claimed()
    with polled(plugged.root) as reported:
        await file.submit(guest.URB_BULK, 0x81, 96)
        plugged.unit.unplug()
        assert (await file.reap(guest.REAP))[1] == -errno.ESHUTDOWN
        assert not reported()


async def test_one_file_has_the_interface_until_it_gives_it_back_or_closes(plugged: Plugged) -> None:
    first, second = await plugged.claimed(), await plugged.open()
    assert await refused(second.ioctl(guest.CLAIM, 0)) == errno.EBUSY
    assert await refused(second.submit(guest.URB_BULK, 0x81, 96)) == errno.EBUSY
    assert await refused(second.ioctl(guest.CLEAR_HALT, 0x81)) == errno.EBUSY
    assert await refused(second.ioctl(guest.RELEASE, 0)) == errno.EINVAL
    await first.ioctl(guest.RELEASE, 0)
    await second.ioctl(guest.CLAIM, 0)
    assert await refused(first.ioctl(guest.CLAIM, 0)) == errno.EBUSY
    await second.close()
    await first.ioctl(guest.CLAIM, 0)
    assert plugged.unit.errors == []


async def test_using_the_interface_without_a_claim_takes_it_and_is_an_error_of_the_host(plugged: Plugged) -> None:
    file, other = await plugged.open(), await plugged.open()
    await file.submit(guest.URB_BULK, 0x81, 96)
    assert await refused(other.ioctl(guest.CLAIM, 0)) == errno.EBUSY
    assert plugged.unit.errors == ["the interface is used before it was claimed"]


async def test_a_discarded_transfer_ends_as_such_and_only_once(plugged: Plugged) -> None:
    file = await plugged.claimed()
    reading = await file.submit(guest.URB_BULK, 0x81, 96)
    await file.discard(reading)
    assert await refused(file.discard(reading)) == errno.EINVAL
    assert await file.reap() == (reading, -errno.ENOENT, b"")


@pytest.mark.parametrize("request_", [guest.RELEASE, guest.RESET])
async def test_what_is_under_way_ends_with_the_claim_or_a_reset(plugged: Plugged, request_: int) -> None:
    file = await plugged.claimed()
    await file.submit(guest.URB_BULK, 0x02, len(INQUIRY), INQUIRY)
    await file.reap()
    reading = await file.submit(guest.URB_BULK, 0x81, 5)
    await file.reap(guest.REAP)  # an overflow; what is left of the reply is of no use to anybody
    reading = await file.submit(guest.URB_BULK, 0x81, 96)
    await file.ioctl(request_, 0)
    assert await file.reap() == (reading, -errno.ENOENT, b"")
    await file.ioctl(guest.CLAIM, 0)
    assert (await file.exchange(INQUIRY, 96))[0].startswith(bytes.fromhex("06"))


async def test_after_an_unplug_all_that_was_under_way_can_be_reaped_and_nothing_else_done(plugged: Plugged) -> None:
    file = await plugged.claimed()
    reading = await file.submit(guest.URB_BULK, 0x81, 96)
    plugged.unit.unplug()
    assert await file.reap(guest.REAP) == (reading, -errno.ESHUTDOWN, b"")
    assert await refused(file.reap()) == errno.ENODEV
    assert await refused(file.reap(guest.REAP)) == errno.ENODEV
    assert await refused(file.submit(guest.URB_BULK, 0x81, 96)) == errno.ENODEV
    assert await refused(file.ioctl(guest.CLAIM, 0)) == errno.ENODEV
    assert await refused(file.discard(reading)) == errno.ENODEV
    assert await refused(file.descriptors()) == errno.ENODEV


async def test_plugged_in_again_it_has_a_new_address_and_an_old_file_disturbs_nobody(plugged: Plugged) -> None:
    old = await plugged.claimed()
    plugged.unit.unplug()
    assert await refused(old.reap(guest.REAP)) == errno.ENODEV
    plugged.unit.plug()
    shown = plugged.root / "sys/dev/char/189:2"
    await until(lambda: asyncio.to_thread(shown.exists))
    new = await plugged.claimed(3)
    reading = await new.submit(guest.URB_BULK, 0x81, 96)
    await old.close()
    await new.submit(guest.URB_BULK, 0x02, len(INQUIRY), INQUIRY)
    assert (await new.reap())[1] == 0
    number, status, data = await new.reap(guest.REAP)
    assert (number, status, len(data)) == (reading, 0, 96)


async def test_a_process_that_dies_while_it_waits_gives_the_interface_back(plugged: Plugged) -> None:
    dying = await plugged.claimed()
    waiting = asyncio.ensure_future(dying.reap(guest.REAP))
    await asyncio.sleep(0)
    dying.writer.transport.abort()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await waiting
    heir = await plugged.open()

    async def claims() -> bool:
        try:
            await heir.ioctl(guest.CLAIM, 0)
        except Errno:
            return False
        return True

    await until(claims)


async def test_control_requests_reach_the_unit_with_and_without_a_urb(plugged: Plugged) -> None:
    file = await plugged.open()
    count, text = await file.transfer(guest.CONTROL, GET_PRODUCT)
    assert text[2:].decode("utf-16-le") == "ScanSnap iX500"
    await file.submit(guest.URB_CONTROL, 0, 8 + 255, GET_PRODUCT)
    _, status, data = await file.reap()
    assert (status, data) == (0, (GET_PRODUCT + text)[:count])
    assert await refused(file.transfer(guest.CONTROL, bytes.fromhex("c0 42 00 00 00 00 04 00"))) == errno.EPIPE


async def test_a_synchronous_transfer_waits_for_its_end_or_its_timeout(plugged: Plugged) -> None:
    file = await plugged.claimed()
    out, in_ = struct.pack("@II", 0x02, len(INQUIRY)), struct.pack("@II", 0x81, 96)
    assert await refused(file.transfer(guest.BULK, in_, timeout_ms=1)) == errno.ETIMEDOUT
    assert (await file.transfer(guest.BULK, out, INQUIRY))[0] == len(INQUIRY)
    assert (await file.transfer(guest.BULK, in_))[1][8:15] == b"FUJITSU"
    assert await refused(file.reap()) == errno.EAGAIN


async def test_a_stalled_endpoint_works_again_once_it_is_cleared(plugged: Plugged) -> None:
    plugged.unit.inject(Fault(FaultKind.STALL, command=0x12))
    file = await plugged.claimed()
    await file.submit(guest.URB_BULK, 0x02, len(INQUIRY), INQUIRY)
    await file.reap()
    await file.submit(guest.URB_BULK, 0x81, 96)
    assert (await file.reap(guest.REAP))[1] == -errno.EPIPE
    await file.ioctl(guest.CLEAR_HALT, 0x81)
    assert (await file.exchange(INQUIRY, 96))[0][8:15] == b"FUJITSU"


async def test_what_a_device_has_not_or_the_kernel_refuses(plugged: Plugged) -> None:
    file = await plugged.open()
    assert await refused(file.ioctl(guest.SET_CONFIGURATION, 2)) == errno.EINVAL
    assert await file.ioctl(guest.SET_CONFIGURATION, 1) == 0
    assert await refused(file.ioctl(guest.CLAIM, 1)) == errno.ENOENT
    await file.ioctl(guest.CLAIM, 0)
    assert await refused(file.ioctl(guest.SET_CONFIGURATION, 1)) == errno.EBUSY
    assert await file.ioctl(guest.SET_INTERFACE, 0, 0) == 0
    assert await file.ioctl(guest.RESET_ENDPOINT, 0x81) == 0
    assert await refused(file.submit(guest.URB_BULK, 0x83, 96)) == errno.ENOENT
    assert await refused(file.submit(guest.URB_BULK, 0x81, -1)) == errno.EINVAL
    assert await refused(file.submit(guest.URB_BULK, 0x02, 1 << 30)) == errno.EINVAL
    assert await refused(file.submit(0, 0x81, 96)) == errno.EINVAL
    assert await refused(file.ioctl(guest.GET_DRIVER, 0)) == errno.ENODATA
    assert await refused(file.ioctl(0x7F)) == errno.ENOTTY
    assert await file.ioctl(guest.SPEED) == 3
    assert await file.ioctl(guest.CAPABILITIES) == 0


async def until(so: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what the other end does by itself."""
    async with asyncio.timeout(5):
        while not await so():
            await asyncio.sleep(0)
