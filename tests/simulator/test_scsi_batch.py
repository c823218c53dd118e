"""An iX500 over pyusb: who it is, a batch of three sheets, waiting, the end of the paper, and what is out of order."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest
import usb.core

from simulator import Fleet, Simulation, UnitSpec, running
from tests.drivers.vectors import vector
from tests.simulator.host import WINDOW, Answer, Host, Talk, TalkTo

NO_DATA, BAD_ORDER, BAD_CDB, BAD_FIELD = (3, 0x80, 0x13), (5, 0x2C, 0), (5, 0x24, 0), (5, 0x26, 0)


async def test_it_answers_inquiry_like_the_captured_unit(scansnap: Simulation, talk: Talk) -> None:
    assert await talk(lambda host: host.good("12 00 00 00 60 00", asked=96)) == vector("inquiry-ix500")
    assert scansnap.unit("ix500").errors == []


async def test_its_vital_page_is_shorter_than_what_is_asked_for(talk: Talk) -> None:
    page = await talk(lambda host: host.good("12 01 f0 00 cc 00", asked=204))
    assert page == vector("vpd-ix500")


async def test_it_tells_its_serial_number(talk: Talk) -> None:
    def ask(host: Host) -> bytes:
        host.good("1d 00 00 00 10 00", b"GET DEVICE ID   ")
        return host.good("1c 00 00 00 0a 00", asked=10)

    assert await talk(ask) == (1200753).to_bytes(4, "big") + bytes(6)


async def test_unknown_mode_pages_are_refused_with_an_empty_transfer(talk: Talk) -> None:
    refused = await talk(lambda host: host.ask("1a 00 32 00 14 00", asked=20))
    assert (refused.data, refused.code) == (b"", BAD_CDB)
    assert await talk(lambda host: host.good("1a 00 33 00 14 00", asked=20)) == bytes.fromhex("130000003306").ljust(
        20, b"\0"
    )


async def test_a_duplex_batch_gives_each_side_whole_and_unchanged(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(3)

    def batch(host: Host) -> list[bytes]:
        host.begin()
        images = []
        while host.feed().status == 0:
            assert host.scan().status == 0
            for side in (0x00, 0x80):
                size = host.good(f"28 00 80 00 00 {side:02x} 00 00 20 00", asked=32)
                assert size[:8] == bytes.fromhex("00000348 00000448")
                assert host.image_ready(side).status == 0
                images.append(host.side(side))
        host.cancel()
        return images

    images = await talk(batch)
    assert [hashlib.sha256(image).hexdigest() for image in images] == [side.sha256 for side in unit.delivered]
    assert [len(image) for image in images] == [side.byte_count for side in unit.delivered]
    assert [(side.sheet.number, side.side.value) for side in unit.delivered] == [
        (number, side) for number in (1, 2, 3) for side in ("front", "back")
    ]
    assert all(image.startswith(b"\xff\xd8\xff\xdb") and image.endswith(b"\xff\xd9") for image in images)
    assert unit.errors == []


async def test_an_empty_hopper_ends_the_batch(talk: Talk) -> None:
    def ask(host: Host) -> Any:
        host.begin()
        return host.feed()

    answer = await talk(ask)
    assert answer.sense == bytes.fromhex("f0 00 03 00 00 00 00 0a 00 00 00 00 80 03 00 00 00 00")


async def test_the_sense_is_cleared_by_reading_it(talk: Talk) -> None:
    def ask(host: Host) -> bytes:
        host.begin()
        host.feed()
        return host.good("03 00 00 00 12 00", asked=18)

    assert (await talk(ask))[2] == 0


async def test_readiness_is_answered_with_no_data_until_the_side_is_there(talk_to: TalkTo) -> None:
    fleet = Fleet((replace(Fleet.load("ix500").units[0], feed_s=0.0, busy_polls=2, sheets=1),))
    async with running(fleet) as simulation:
        answers = await talk_to(simulation)(_readiness)
        assert [answer.code for answer in answers[:2]] == [NO_DATA, NO_DATA]
        assert answers[2].status == 0


def _readiness(host: Host) -> list[Answer]:
    host.begin()
    host.feed()
    host.scan()
    return [host.image_ready(0x00) for _ in range(3)]


async def test_reading_on_after_the_end_gives_nothing_but_the_end(scansnap: Simulation, talk: Talk) -> None:
    scansnap.unit("ix500").load(1)

    def batch(host: Host) -> Any:
        host.begin()
        host.feed()
        host.scan()
        host.side(0x00)
        return host.read(0x00, 0x1000)

    answer = await talk(batch)
    assert answer.data == b""
    assert answer.sense[:7] == bytes.fromhex("f0 00 60 00 00 10 00")
    assert len(scansnap.unit("ix500").delivered) == 1


@pytest.mark.parametrize("cdb", ["28 00 00 00 00 00 00 10 00 00", "f1 10 00 00 00 00 00 10 00 00"])
async def test_images_before_scan_are_out_of_order(scansnap: Simulation, talk: Talk, cdb: str) -> None:
    answer = await talk(lambda host: host.ask(cdb, asked=0x1000 if cdb.startswith("28") else 0))
    assert answer.code == BAD_ORDER
    assert scansnap.unit("ix500").errors


async def test_cancel_drops_the_page(scansnap: Simulation, talk: Talk) -> None:
    scansnap.unit("ix500").load(2)

    def batch(host: Host) -> Any:
        host.begin()
        host.feed()
        host.scan()
        host.read(0x00, 0x1000)
        host.cancel()
        return host.read(0x00, 0x1000)

    assert (await talk(batch)).code == BAD_ORDER
    assert scansnap.unit("ix500").in_path is None


@pytest.mark.parametrize(
    ("at", "value"),
    [(0x02, b"\x13\x88"), (0x19, b"\x07"), (0x1A, b"\x01"), (0x20, b"\x83"), (0x0E, b"\x7f"), (0x12, b"\x7f")],
)
async def test_a_bad_window_field_is_named_by_its_offset(talk: Talk, at: int, value: bytes) -> None:
    def ask(host: Host) -> Any:
        window = bytearray(WINDOW)
        window[8 + at : 8 + at + len(value)] = value
        return host.ask("24 00 00 00 00 00 00 00 88 00", bytes(window))

    answer = await talk(ask)
    assert answer.code == BAD_FIELD
    assert answer.sense[15:18] == bytes((0x80, 0, 8 + at))


@pytest.mark.parametrize(
    ("cdb", "out", "asked"),
    [
        ("00 01 00 00 00 00", b"", 0),
        ("12 00 00 01 60 00", b"", 96),
        ("c2 00 00 01 00 00 00 00 0c 00", b"", 12),
        ("00 00 00 00 00 00 00 00 00 01", b"", 0),
        ("1d 00 00 00 11 00", b"GET DEVICE ID    ", 0),
        ("c0 00 00 00 00 00 00 00 00 00", b"", 0),
        ("c2 00 00 00 00 00 00 00 0d 00", b"", 13),
        ("1a 00 38 00 10 00", b"", 16),
        ("31 02 00 00 00 00 00 00 00 00", b"", 0),
        ("f1 0f 02 00 00 00 00 00 00 00", b"", 0),
        ("2a 00 83 00 00 00 00 04 0a 00", bytes.fromhex("00001000040001000000") + bytes(1024), 0),
        ("2a 00 90 00 00 00 00 00 04 00", bytes(4), 0),
    ],
)
async def test_what_the_host_does_wrong_is_remembered(
    scansnap: Simulation, talk: Talk, cdb: str, out: bytes, asked: int
) -> None:
    answer = await talk(lambda host: host.ask(cdb, out, asked))
    assert answer.code[0] == 5  # illegal request
    assert len(scansnap.unit("ix500").errors) == 1


async def test_a_window_between_two_sheets_is_refused_and_remembered(scansnap: Simulation, talk: Talk) -> None:
    scansnap.unit("ix500").load(2)

    def batch(host: Host) -> None:
        host.begin()
        host.feed()
        assert host.ask("24 00 00 00 00 00 00 00 88 00", WINDOW).code == BAD_ORDER

    await talk(batch)
    assert scansnap.unit("ix500").errors == ["SET WINDOW between two sheets of a batch"]


async def test_the_status_shows_paper_cover_and_one_press(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")

    def status(host: Host) -> str:
        return host.good("c2 00 00 00 00 00 00 00 0c 00", asked=12).hex(" ")

    assert await talk(status) == "00 00 00 80 00 01 00 00 00 00 00 00"
    unit.load(1)
    assert await talk(status) == "00 00 00 00 00 01 00 00 00 00 00 00"
    unit.press()
    assert await talk(status) == "00 00 00 00 01 01 00 00 00 00 00 00"
    assert await talk(status) == "00 00 00 00 00 01 00 00 00 00 00 00"
    unit.open_cover()
    assert await talk(status) == "00 00 00 20 00 01 00 00 00 00 00 00"


async def test_an_ix1600_that_is_not_cancelled_after_the_last_sheet_hangs_until_its_power_goes(talk_to: TalkTo) -> None:
    fleet = Fleet((UnitSpec("a", "iX1600", 7, feed_s=0.0),))
    window = WINDOW[:8] + own_gamma(WINDOW[8:72]) + own_gamma(WINDOW[72:])

    def batch(host: Host) -> None:
        host.good("24 00 00 00 00 00 00 00 88 00", window)
        assert host.feed().code == (3, 0x80, 0x03)

    def another(host: Host) -> None:
        host.device.write(0x02, (b"C" + bytes(18) + bytes.fromhex("3101")).ljust(31, b"\0"), 5000)
        with pytest.raises(usb.core.USBTimeoutError):
            host.device.read(0x81, 13, 50)

    async with running(fleet) as simulation:
        unit = simulation.unit("a")
        talk = talk_to(simulation, 0x1632)
        await talk(batch)
        await talk(another)
        assert unit.errors == ["no cancel (F1 04) after the feeder ran empty: the real unit hangs here"]
        unit.unplug()
        unit.plug()
        await talk_to(simulation, 0x1632)(batch)


def own_gamma(descriptor: bytes) -> bytes:
    """Return a window descriptor that asks for no lookup table."""
    return descriptor[:0x29] + b"\0" + descriptor[0x2A:]


@pytest.mark.parametrize("command", ["1a 00 3d 00 14 00", "15 10 00 00 0c 00"])
async def test_the_page_that_locks_an_ix500_up_locks_it_up(scansnap: Simulation, talk: Talk, command: str) -> None:
    def ask(host: Host) -> None:
        host.device.write(0x02, (b"C" + bytes(18) + bytes.fromhex(command)).ljust(31, b"\0"), 5000)
        if command.startswith("15"):
            host.device.write(0x02, bytes.fromhex("00000000 3d06 000000000000"), 5000)
        with pytest.raises(usb.core.USBTimeoutError):
            host.device.read(0x81, 20, 50)

    await talk(ask)
    assert scansnap.unit("ix500").errors == ["mode page 3d: the real unit locks up here"]


async def test_fine_scans_without_pre_read_are_remembered_as_wrong(scansnap: Simulation, talk: Talk) -> None:
    scansnap.unit("ix500").load(1)
    window = bytearray(own_gamma(WINDOW[8:72]))
    window[2:6] = bytes.fromhex("0258 0258")

    def batch(host: Host) -> None:
        host.good("24 00 00 00 00 00 00 00 48 00", WINDOW[:8] + bytes(window))
        host.feed()
        host.scan("00")

    await talk(batch)
    assert scansnap.unit("ix500").errors == ["600 dpi without SET PRE READMODE: the real unit fails here"]


async def test_both_windows_ask_for_the_same_kind_of_image(scansnap: Simulation, talk: Talk) -> None:
    back = bytearray(WINDOW[72:])
    back[0x20] = 0x00
    code = await talk(lambda host: host.ask("24 00 00 00 00 00 00 00 88 00", WINDOW[:72] + bytes(back)).code)
    assert code == (5, 0x2C, 2)


@pytest.mark.parametrize("at", [0x1E, 0x25, 0x2C, 0x3F])
async def test_a_reserved_byte_of_the_window_is_refused(scansnap: Simulation, talk: Talk, at: int) -> None:
    window = bytearray(WINDOW)
    window[8 + at] = 1
    answer = await talk(lambda host: host.ask("24 00 00 00 00 00 00 00 88 00", bytes(window)))
    assert (answer.code, answer.sense[17]) == (BAD_FIELD, 8 + at)
    assert len(scansnap.unit("ix500").errors) == 1


async def test_a_card_goes_through_the_return_path_of_an_ix1300(talk_to: TalkTo) -> None:
    async with running(Fleet((UnitSpec("a", "iX1300", 7, sheets=1, feed_s=0.0, paper="card"),))) as simulation:
        await talk_to(simulation, 0x162C)(lambda host: host.good("f1 0f 02 00 00 00 00 00 00 00"))
        assert simulation.unit("a").errors == []


async def test_a_battery_is_told_in_the_long_status(talk_to: TalkTo) -> None:
    async with running(Fleet((UnitSpec("a", "iX100", 7),))) as simulation:
        talk = talk_to(simulation, 0x13F4)
        status = await talk(lambda host: host.good("c2 00 00 00 00 00 00 00 20 00", asked=32))
        assert status[0x11] == 0x80
        await talk(lambda host: host.good("1d 00 00 00 10 00", b"END WAITING SCAN"))
        await talk(lambda host: host.good("15 10 00 00 0c 00", bytes.fromhex("00000000 2c06 040000000000")))
