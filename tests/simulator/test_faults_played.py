"""Each fault as the host meets it: in sense data, in the bytes, or on the cable."""

import errno
import hashlib
from typing import Any

import pytest
import usb.core

from simulator import Simulation
from simulator.faults import Fault, FaultKind
from simulator.sheets import Side
from tests.simulator.host import CHECK, Answer, Host, Talk


def batch_of_two(host: Host) -> list[Answer]:
    """Feed two sheets, read them front only, and return the answers to the feeds."""
    host.begin()
    feeds = []
    for _ in range(2):
        feeds.append(host.feed())
        if feeds[-1].status:
            break
        host.scan("00")
        host.side(0x00)
    return feeds


def begin_side(host: Host) -> Any:
    host.begin()
    assert host.feed().status == 0
    assert host.scan().status == 0
    return host


def feed_again(host: Host) -> Any:
    host.begin()
    return host.feed()


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.JAM, (3, 0x80, 0x01)),
        (FaultKind.COVER, (3, 0x80, 0x02)),
        (FaultKind.DOUBLE_FEED, (3, 0x80, 0x07)),
        (FaultKind.WIFI, (3, 0x80, 0x33)),
        (FaultKind.JAM_INSIDE, (3, 0x80, 0x0B)),
        (FaultKind.CARRIER_SHEET, (3, 0x80, 0x09)),
        (FaultKind.UNUSUAL_PAPER, (3, 0x80, 0x04)),
        (FaultKind.PAPER_PROTECTION, (3, 0x80, 0x0D)),
        (FaultKind.STOP_BUTTON, (3, 0x80, 0x20)),
        (FaultKind.BATTERY, (4, 0x80, 0x22)),
        (FaultKind.NOT_READY, (2, 0x00, 0x00)),
        (FaultKind.ASLEEP, (6, 0x80, 0x01)),
    ],
)
async def test_it_stops_the_feed_of_its_sheet(
    scansnap: Simulation, talk: Talk, kind: FaultKind, code: tuple[int, int, int]
) -> None:
    unit = scansnap.unit("ix500")
    unit.load(2)
    unit.inject(Fault(kind, at_sheet=2))
    feeds = await talk(batch_of_two)
    assert feeds[0].status == 0
    assert feeds[1].code == code
    assert unit.faults == ()
    assert unit.errors == []


@pytest.mark.parametrize("kind", [FaultKind.JAM, FaultKind.DOUBLE_FEED, FaultKind.COVER])
async def test_after_cover_and_press_no_sheet_is_lost(scansnap: Simulation, talk: Talk, kind: FaultKind) -> None:
    unit = scansnap.unit("ix500")
    unit.load(2)
    unit.inject(Fault(kind, at_sheet=2))
    await talk(batch_of_two)
    await talk(lambda host: host.cancel())
    assert (await talk(feed_again)).status == CHECK  # still in the way
    unit.open_cover()
    unit.close_cover()
    await talk(batch_of_two)
    assert [side.sheet.number for side in unit.delivered] == [1, 2]


async def test_a_jam_may_come_in_mid_page(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    unit.inject(Fault(FaultKind.JAM, side=Side.BACK))

    def batch(host: Host) -> Any:
        begin_side(host)
        host.side(0x00)
        return host.read(0x80)

    answer = await talk(batch)
    assert (answer.data, answer.code) == (b"", (3, 0x80, 0x01))
    assert [side.side for side in unit.delivered] == [Side.FRONT]


async def test_a_truncated_jpeg_has_no_end(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    unit.inject(Fault(FaultKind.TRUNCATED_JPEG))
    image = await talk(lambda host: begin_side(host).side(0x00))
    assert image.startswith(b"\xff\xd8")
    assert not image.endswith(b"\xff\xd9")
    assert unit.delivered[0].sha256 == hashlib.sha256(image).hexdigest()


async def test_a_short_reply_disagrees_with_its_sense(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    unit.inject(Fault(FaultKind.SHORT_REPLY))
    asked = 0x100000
    answer = await talk(lambda host: begin_side(host).read(0x00, asked))
    assert len(answer.data) < asked - int.from_bytes(answer.sense[3:7], "big")


async def test_a_garbage_status_is_no_status(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    unit.inject(Fault(FaultKind.GARBAGE_STATUS, side=Side.BACK))

    def batch(host: Host) -> bytes:
        begin_side(host)
        envelope = b"C" + bytes(18) + bytes.fromhex("28000000008000020000")
        host.device.write(0x02, envelope.ljust(31, b"\0"), 5000)
        host.device.read(0x81, 0x200, 5000)
        return bytes(host.device.read(0x81, 13, 5000))

    frame = await talk(batch)
    assert len(frame) == 13
    assert frame[0] != 0x53


async def test_a_stall_lasts_until_the_halt_is_cleared(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    unit.inject(Fault(FaultKind.STALL))

    def stalled_read(host: Host) -> None:
        begin_side(host)
        with pytest.raises(usb.core.USBError) as raised:
            host.read(0x00)
        assert raised.value.errno == errno.EPIPE
        with pytest.raises(usb.core.USBError):
            host.device.read(0x81, 13, 5000)
        host.device.clear_halt(0x81)
        host.cancel()

    await talk(stalled_read)
    assert unit.errors == []


@pytest.mark.parametrize("kind", [FaultKind.STALL, FaultKind.UNPLUG_MID_PAGE])
async def test_a_block_that_never_left_does_not_count_as_sent(
    scansnap: Simulation, talk: Talk, kind: FaultKind
) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    unit.inject(Fault(kind))

    def batch(host: Host) -> None:
        begin_side(host)
        with pytest.raises(usb.core.USBError):
            host.read(0x00, 0x100000)

    await talk(batch)
    assert unit.delivered == []


async def test_unplugging_in_mid_page_loses_the_device(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    unit.inject(Fault(FaultKind.UNPLUG_MID_PAGE))

    def batch(host: Host) -> int:
        begin_side(host)
        with pytest.raises(usb.core.USBError) as raised:
            host.side(0x00, 0x1000)
        code: int = raised.value.errno
        return code

    assert await talk(batch) == errno.ENODEV
    assert not unit.plugged
    assert unit.delivered == []


async def test_the_stop_button_ends_the_page_and_the_sheet_goes_out(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    unit.inject(Fault(FaultKind.STOP_BUTTON, side=Side.BACK))

    def batch(host: Host) -> Answer:
        begin_side(host)
        host.side(0x00)
        return host.read(0x80)

    assert (await talk(batch)).code == (3, 0x80, 0x20)
    assert (unit.in_path, unit.sheets, unit.stuck) == (None, 0, None)


async def test_a_sheet_longer_than_the_unit_takes_jams_at_the_end(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1, "banner")

    def batch(host: Host) -> tuple[Answer, Answer]:
        begin_side(host)
        return host.read(0x00, 0x1000), host.read(0x00, 0x100000)

    first, last = await talk(batch)
    assert first.status == 0
    assert last.code == (3, 0x80, 0x01)
    assert unit.stuck is FaultKind.JAM


@pytest.mark.parametrize(("page", "fed"), [("00", 1), ("80", 2), ("90", 1), ("d0", 2)])
async def test_double_feeds_are_reported_unless_the_mode_page_says_otherwise(
    scansnap: Simulation, talk: Talk, page: str, fed: int
) -> None:
    unit = scansnap.unit("ix500")
    unit.load(3)
    unit.inject(Fault(FaultKind.DOUBLE_FEED, at_sheet=2))

    def batch(host: Host) -> int:
        host.begin()
        host.good("15 10 00 00 0c 00", bytes.fromhex(f"00000000 3806 {page}0000000000"))
        sheets = 0
        while host.feed().status == 0:
            sheets += 1
            host.scan("00")
            host.side(0x00)
        return sheets

    assert await talk(batch) == fed
    assert unit.errors == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: Fault(FaultKind.EMPTY),
        lambda: Fault(FaultKind.JAM, at_sheet=0),
        lambda: Fault(FaultKind.WIFI, side=Side.BACK),
        lambda: Fault(FaultKind.JAM, command=0x31),
        lambda: Fault(FaultKind.STALL, side=Side.BACK, command=0x28),
        lambda: Fault(FaultKind.SENSE),
        lambda: Fault(FaultKind.SENSE, sense=(16, 0, 0)),
        lambda: Fault(FaultKind.JAM, sense=(3, 0x80, 0x01)),
        lambda: Fault(FaultKind.BUSY, times=0),
        lambda: Fault(FaultKind.BUSY, command=0x100),
        lambda: Fault(FaultKind.SLOW, delay_s=-1.0),
    ],
)
def test_what_cannot_be_played_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        make()
