"""Any bytes at all: the unit and its cable answer within their error trees, and stay usable."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Fleet, UnitSpec, running
from simulator.models import BY_NAME, MODELS
from simulator.scanner import VirtualScanner
from simulator.scsi.replies import Reply
from simulator.scsi.server import Target
from simulator.scsi.wire import Command, Op, Status, WireError, parse_envelope
from simulator.usb import client, wire
from simulator.usb.device import ScanSnapUsb
from tests.simulator.host import WINDOW

BOUNDED = settings(max_examples=100, deadline=None)
OPCODES = st.sampled_from([int(op) for op in Op])
TELLING = st.sampled_from([0x00, 0x01, 0x04, 0x05, 0x10, 0x80, 0x83, 0x88])  # bytes that choose a branch
OCTETS = st.lists(st.one_of(TELLING, st.integers(0, 0xFF)), min_size=11, max_size=11)
CDB = st.tuples(OPCODES, OCTETS).map(lambda parts: bytes((parts[0], *parts[1])))
COMMANDS = st.lists(st.tuples(CDB, st.binary(max_size=160)), max_size=12)
MODEL = st.sampled_from([model.name for model in MODELS])
TEST_UNIT_READY = b"C" + bytes(30)


def small_page(model: str) -> list[tuple[bytes, bytes]]:
    """Return the commands that bring a page of 64 x 64 pixels in gray under way."""
    window = bytearray(WINDOW[:72])
    window[8 + 0x0E : 8 + 0x16] = bytes.fromhex("00000300 00000300")
    window[8 + 0x19], window[8 + 0x20], window[8 + 0x28] = 2, 0, 0
    set_window, feed, scan = (bytes.fromhex(cdb) for cdb in ("24000000000000004800", "3101", "1b0000000100"))
    entries = BY_NAME[model].lut_entries
    send = bytes.fromhex(f"2a0083000000{entries + 10:06x}00")
    table = bytes.fromhex(f"00001000{entries:04x}01000000") + bytes(entries)
    return [(set_window, bytes(window)), (send, table), (feed, b""), (scan, b"\0")]


def unit(model: str = "iX500") -> VirtualScanner:
    return VirtualScanner(UnitSpec("a", model, 1, sheets=3, feed_s=0.0))


async def answer(target: Target, command: Command, data: bytes) -> Reply | None:
    """Return the reply to a command, or None if the firmware hangs at it."""
    task = asyncio.create_task(target.execute(command, data))
    while not target.hung and not task.done():
        await asyncio.wait({task}, timeout=0.01)
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait({task})
    return None


@BOUNDED
@given(st.binary(max_size=64))
def test_no_bytes_but_31_that_begin_with_43_are_a_command(data: bytes) -> None:
    with suppress(WireError):
        assert parse_envelope(data).op == data[0x13]
        assert (len(data), data[0]) == (31, 0x43)


@BOUNDED
@given(model=MODEL, in_mid_page=st.booleans(), commands=COMMANDS)
def test_every_command_gets_a_reply_that_is_no_longer_than_asked_for(
    model: str, in_mid_page: bool, commands: list[tuple[bytes, bytes]]
) -> None:
    async def talk() -> None:
        target = Target(unit(model))
        for cdb, data in small_page(model) if in_mid_page else ():
            reply = await target.execute(parse_envelope(b"C" + bytes(18) + cdb.ljust(12, b"\0")), data)
            assert reply.status is Status.GOOD
        for cdb, data in commands:
            command = parse_envelope(b"C" + bytes(18) + cdb)
            sent = data[: command.out_length].ljust(min(command.out_length, 160), b"\0")
            replied = await answer(target, command, sent)
            if replied is None:
                break
            assert len(replied.data) <= command.in_length
        await target.reset()

    asyncio.run(talk())


@BOUNDED
@given(st.lists(st.one_of(st.binary(max_size=80), CDB.map(lambda cdb: b"C" + bytes(18) + cdb)), max_size=12))
def test_any_transfers_leave_a_device_that_works_after_a_reconnect(transfers: list[bytes]) -> None:
    async def talk() -> None:
        scanner = unit()
        device = ScanSnapUsb(scanner)
        await device.attach(lambda: None)
        for data in transfers:
            taken = device.bulk_out(0x02, data)
            assert taken < 0 or taken == len(data)
            await asyncio.sleep(0)
            device.bulk_in(0x81, 512)
        assert await status(device) == b"S" + bytes(12)
        assert not [error for error in scanner.errors if "inside the simulator" in error]
        await device.close()

    async def status(device: ScanSnapUsb) -> bytes:
        woken = asyncio.Event()
        await device.attach(woken.set)
        device.bulk_out(0x02, TEST_UNIT_READY)
        await woken.wait()
        found = device.bulk_in(0x81, 13)
        assert isinstance(found, bytes)
        return found

    asyncio.run(talk())


@BOUNDED
@given(setup=st.binary(min_size=8, max_size=8), data=st.binary(max_size=64))
def test_any_control_request_is_answered_or_stalled(setup: bytes, data: bytes) -> None:
    outcome = ScanSnapUsb(unit()).control(setup, data)
    assert isinstance(outcome, bytes) or outcome < 0


@settings(max_examples=40, deadline=None)
@given(
    imported=st.booleans(),
    junk=st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=44).map(lambda tail: (b"\0\0\0\1" + tail).ljust(48, b"\0")),  # a transfer of some kind
    ),
)
def test_a_client_that_sends_anything_takes_nothing_with_it(imported: bool, junk: bytes) -> None:
    async def talk() -> None:
        async with running(Fleet((UnitSpec("a", "iX500", 1),))) as simulation:
            reader, writer = await asyncio.open_connection(*simulation.usbip_address)
            if imported:
                writer.write(wire.Op(wire.OpCode.REQ_IMPORT).encode() + wire.encode_busid("1-1"))
                await reader.readexactly(wire.OP_LENGTH + wire.DEVICE_LENGTH)
            writer.write(junk)
            writer.write_eof()
            with suppress(ConnectionError):
                await reader.read()
            writer.close()
            listed = await asyncio.to_thread(client.list_devices, simulation.usbip_address)
            assert [device.busid for device in listed] == ["1-1"]
            await asyncio.to_thread(lambda: client.Imported(simulation.usbip_address, "1-1").close())

    asyncio.run(talk())


@pytest.mark.parametrize("page", [0x33, 0x37, 0x38, 0x39, 0x3A, 0x3C])
async def test_a_mode_page_of_another_length_is_refused_and_harms_no_batch(page: int) -> None:
    target = Target(unit())
    for length in (0, 1, 5, 7, 9):
        data = bytes((0, 0, 0, 0, page, length)) + bytes(length)
        select = parse_envelope((b"C" + bytes(18) + bytes((0x15, 0x10, 0, 0, len(data), 0))).ljust(31, b"\0"))
        assert (await target.execute(select, data)).status is Status.CHECK


async def test_a_jpeg_higher_than_its_header_can_say_is_refused() -> None:
    target = Target(unit("iX1600"))
    window = bytearray(WINDOW[:72])
    window[8 + 0x02 : 8 + 0x06] = bytes.fromhex("0258 0258")
    window[8 + 0x12 : 8 + 0x16] = (65536 * 2).to_bytes(4, "big")
    command = parse_envelope((b"C" + bytes(18) + bytes.fromhex("24000000000000004800")).ljust(31, b"\0"))
    assert (await target.execute(command, bytes(window))).status is Status.CHECK
    window[8 + 0x12 : 8 + 0x16] = (65528 * 2).to_bytes(4, "big")
    assert (await target.execute(command, bytes(window))).status is Status.GOOD
