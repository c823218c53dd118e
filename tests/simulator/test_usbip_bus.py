"""The bus: one owner per device, hot plug, timeouts, halts, and where a packet ends."""

import asyncio
import errno
import hashlib
from dataclasses import replace
from typing import Any

import pytest
import usb.core
import usb.util

from simulator import Fleet, Simulation, UnitSpec, running
from simulator.scanner import VirtualScanner
from simulator.usb.backend import UsbIpBackend
from simulator.usb.device import ScanSnapUsb
from tests.simulator.host import WINDOW, Host, Talk, TalkTo


def find(simulation: Simulation) -> Any:
    return usb.core.find(backend=simulation.usb_backend(), idVendor=0x04C5)


def reason(call: Any) -> int | None:
    with pytest.raises(usb.core.USBError) as raised:
        call()
    code: int | None = raised.value.errno
    return code


async def test_it_looks_like_an_ix500_on_the_bus(scansnap: Simulation) -> None:
    def look() -> tuple[Any, ...]:
        device = find(scansnap)
        interface = device.get_active_configuration()[(0, 0)]
        names = (usb.util.get_string(device, device.iManufacturer), usb.util.get_string(device, device.iProduct))
        endpoints = [(e.bEndpointAddress, e.bmAttributes, e.wMaxPacketSize) for e in interface]
        count = len(list(device))
        usb.util.dispose_resources(device)
        return device.idProduct, device.bDeviceClass, interface.bInterfaceClass, names, endpoints, count

    assert await asyncio.to_thread(look) == (
        0x132B,
        0xFF,
        0xFF,
        ("Fujitsu", "ScanSnap iX500"),
        [(0x81, 2, 512), (0x02, 2, 512)],
        1,
    )


async def test_descriptors_past_the_end_are_index_errors(scansnap: Simulation) -> None:
    def past() -> None:
        backend = scansnap.usb_backend()
        node = backend.enumerate_devices()[0]
        for call in (
            lambda: backend.get_configuration_descriptor(node, 1),
            lambda: backend.get_interface_descriptor(node, 1, 0, 0),
            lambda: backend.get_interface_descriptor(node, 0, 1, 0),
            lambda: backend.get_endpoint_descriptor(node, 2, 0, 0, 0),
        ):
            with pytest.raises(IndexError):
                call()

    await asyncio.to_thread(past)


async def test_a_second_import_is_refused_until_the_first_one_ends(scansnap: Simulation, talk: Talk) -> None:
    await talk(lambda host: host.good("00 00 00 00 00 00"))

    def second() -> int | None:
        return reason(find(scansnap).get_active_configuration)

    assert await asyncio.to_thread(second) == errno.EBUSY
    assert len(await asyncio.to_thread(scansnap.usb_backend().enumerate_devices)) == 1
    await talk(lambda host: host.close())

    def third() -> None:
        device = find(scansnap)
        assert device.get_active_configuration().bConfigurationValue == 1
        usb.util.dispose_resources(device)

    await asyncio.to_thread(third)


async def test_a_claim_is_exclusive(scansnap: Simulation, talk: Talk) -> None:
    await talk(lambda host: usb.util.claim_interface(host.device, 0))
    second = await asyncio.to_thread(find, scansnap)
    assert await asyncio.to_thread(reason, lambda: usb.util.claim_interface(second, 0)) == errno.EBUSY
    await talk(lambda host: usb.util.release_interface(host.device, 0))
    await talk(lambda host: host.close())

    def claim() -> None:
        usb.util.claim_interface(second, 0)
        usb.util.dispose_resources(second)

    await asyncio.to_thread(claim)


async def test_two_units_are_claimed_side_by_side(talk_to: TalkTo) -> None:
    fleet = Fleet((UnitSpec("a", "iX500", 1), UnitSpec("b", "S1500", 2)))
    async with running(fleet) as simulation:
        first, second = talk_to(simulation, 0x132B), talk_to(simulation, 0x11A2)
        names = [await talk(lambda host: host.good("12 00 00 00 60 00", asked=96)[16:32]) for talk in (first, second)]
    assert names == [b"ScanSnap iX500  ", b"ScanSnap S1500  "]


async def test_pulled_while_the_host_waits_for_a_page_it_is_gone_at_once(talk_to: TalkTo) -> None:
    spec = replace(Fleet.load("ix500").units[0], feed_s=600.0, sheets=2)
    async with running(Fleet((spec,))) as simulation:
        unit = simulation.unit("ix500")
        loop, started = asyncio.get_running_loop(), asyncio.Event()

        def batch(host: Host) -> int | None:
            host.begin()
            host.feed()
            host.scan()
            loop.call_soon_threadsafe(started.set)
            return reason(lambda: host.read(0x00))

        reading = asyncio.create_task(talk_to(simulation)(batch))
        await started.wait()
        unit.unplug()
        assert await reading == errno.ENODEV
        assert (unit.sheets, unit.in_path) == (1, None)
        assert unit.delivered == []


async def test_unplugged_it_is_gone_and_replugged_it_has_another_address(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    backend = scansnap.usb_backend()
    before = await asyncio.to_thread(backend.enumerate_devices)
    assert before == await asyncio.to_thread(backend.enumerate_devices)
    await talk(lambda host: host.good("00 00 00 00 00 00"))
    unit.unplug()
    assert await talk(lambda host: reason(lambda: host.good("00 00 00 00 00 00"))) == errno.ENODEV
    assert await asyncio.to_thread(backend.enumerate_devices) == []
    unit.plug()
    after = await asyncio.to_thread(backend.enumerate_devices)
    assert after[0].listed.busid == before[0].listed.busid
    assert after[0].listed.devnum != before[0].listed.devnum
    assert await asyncio.to_thread(lambda: reason(lambda: backend.open_device(before[0]))) == errno.ENODEV


async def test_a_unit_without_power_forgets_its_window(scansnap: Simulation, talk: Talk, talk_to: TalkTo) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    await talk(lambda host: host.begin())
    unit.unplug()
    unit.plug()
    answer = await talk_to(scansnap)(lambda host: host.feed())
    assert answer.code == (5, 0x2C, 0x00)


async def test_a_server_that_is_not_there_has_no_devices() -> None:
    assert await asyncio.to_thread(UsbIpBackend("127.0.0.1", 1).enumerate_devices) == []


async def test_a_server_that_hangs_up_has_no_devices() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        backend = UsbIpBackend(*server.sockets[0].getsockname())
        assert await asyncio.to_thread(backend.enumerate_devices) == []


@pytest.mark.parametrize(
    "answer",
    [
        bytes.fromhex("0111 0003 00000000 ffffffff"),
        bytes.fromhex("0106 0005 00000000 00000001"),
        bytes.fromhex("0111 0005 00000000 00000001") + b"\xff" * 312,
    ],
    ids=["no-list", "version", "interfaces"],
)
async def test_a_server_that_talks_rubbish_is_a_usb_error(answer: bytes) -> None:
    async def talk_rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(answer)
        await writer.drain()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(talk_rubbish, "127.0.0.1", 0) as server:
        backend = UsbIpBackend(*server.sockets[0].getsockname())
        assert await asyncio.to_thread(reason, backend.enumerate_devices) == errno.EPROTO


async def test_a_read_without_data_times_out_and_the_next_transaction_works(scansnap: Simulation, talk: Talk) -> None:
    def ask(host: Host) -> int:
        with pytest.raises(usb.core.USBTimeoutError):
            host.device.read(0x81, 13, 20)
        host.good("00 00 00 00 00 00")
        return len(host.good("12 00 00 00 60 00", asked=96))

    assert await talk(ask) == 96
    assert scansnap.unit("ix500").errors == []


async def test_what_is_no_envelope_stalls_the_endpoint(scansnap: Simulation, talk: Talk) -> None:
    def ask(host: Host) -> int | None:
        found = reason(lambda: host.device.write(0x02, b"D" + bytes(30), 1000))
        host.device.clear_halt(0x02)
        host.good("00 00 00 00 00 00")
        return found

    assert await talk(ask) == errno.EPIPE
    assert scansnap.unit("ix500").errors == ["an envelope starts with 43, not 44"]


async def test_a_command_before_the_last_status_was_read_is_remembered(scansnap: Simulation, talk: Talk) -> None:
    def ask(host: Host) -> None:
        host.device.write(0x02, b"C" + bytes(30), 1000)
        host.good("00 00 00 00 00 00")

    await talk(ask)
    assert scansnap.unit("ix500").errors == ["a transfer before the last transaction was finished"]


async def test_a_command_that_nobody_waits_for_takes_no_block(talk_to: TalkTo) -> None:
    spec = replace(Fleet.load("ix500").units[0], feed_s=0.05, sheets=1)

    def batch(host: Host) -> bytes:
        host.begin()
        host.feed()
        host.scan("00")
        impatient = b"C" + bytes(18) + bytes.fromhex("28000000000000100000")
        host.device.write(0x02, impatient.ljust(31, b"\0"), 1000)
        return host.side(0x00)

    async with running(Fleet((spec,))) as simulation:
        image = await talk_to(simulation)(batch)
        assert image.startswith(b"\xff\xd8")
        assert hashlib.sha256(image).hexdigest() == simulation.unit("ix500").delivered[0].sha256


async def test_harmless_control_requests_are_accepted(talk: Talk) -> None:
    def ask(host: Host) -> None:
        host.device.set_interface_altsetting(0, 0)
        host.device.set_configuration(1)
        host.device.clear_halt(0x81)
        host.good("00 00 00 00 00 00")

    await talk(ask)


class Bus:
    """A device without a socket: its transfers by hand."""

    def __init__(self) -> None:
        self.device = ScanSnapUsb(VirtualScanner(UnitSpec("a", "iX500", 1)))

    def read(self, count: int) -> Any:
        return self.device.bulk_in(0x81, count)


@pytest.mark.parametrize(("asked", "residual"), [(0x1000, 0), (0x2000, 0x1000)])
async def test_image_data_of_whole_packets_ends_before_the_status(
    scansnap: Simulation, talk: Talk, asked: int, residual: int
) -> None:
    scansnap.unit("ix500").load(1)

    def batch(host: Host) -> Any:
        window = bytearray(WINDOW[:72])
        window[8 + 0x0E : 8 + 0x16] = bytes.fromhex("00001800 00000060")  # 512 x 8 pixels
        window[8 + 0x19 : 8 + 0x1B] = bytes.fromhex("02 08")  # gray
        window[8 + 0x20] = window[8 + 0x28] = 0x00
        host.begin(bytes(window))
        host.feed()
        host.scan("00")
        return host.read(0x00, asked)

    answer = await talk(batch)
    assert len(answer.data) == 0x1000
    assert int.from_bytes(answer.sense[3:7], "big") == residual


async def test_a_reply_may_be_read_in_pieces_of_whole_packets() -> None:
    bus = Bus()
    bus.device._in.extend([bytes(1200), b"S" * 13])
    assert [len(bus.read(n)) for n in (512, 512, 512, 13)] == [512, 512, 176, 13]


async def test_a_read_of_whole_packets_stays_open_until_a_short_one() -> None:
    bus = Bus()
    bus.device._in.append(bytes(1024))
    assert bus.read(2048) is None
    bus.device._in.append(b"")
    assert len(bus.read(2048)) == 1024


async def test_a_packet_that_does_not_fit_is_an_overflow() -> None:
    bus = Bus()
    bus.device._in.append(bytes(96))
    assert bus.read(13) == -errno.EOVERFLOW
    assert bus.read(13) is None
