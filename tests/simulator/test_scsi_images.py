"""The images of a batch: which page they show, how they are encoded, where they end, and how long they take."""

import io
import time
from dataclasses import replace
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from simulator import Fleet, Simulation, UnitSpec, running
from simulator.scanner import VirtualScanner
from tests.simulator.host import WINDOW, Answer, Host, Talk, TalkTo

NO_DATA = (3, 0x80, 0x13)


async def test_each_image_bears_the_mark_of_its_own_page(scansnap: Simulation, talk: Talk) -> None:
    scansnap.unit("ix500").load(2)
    scansnap.unit("ix500").load(1)

    def batch(host: Host) -> list[bytes]:
        host.begin()
        images = []
        while host.feed().status == 0:
            host.scan()
            images += [host.side(side) for side in (0x00, 0x80)]
        return images

    marks = [zxingcpp.read_barcodes(Image.open(io.BytesIO(image))) for image in await talk(batch)]
    assert [[mark.text for mark in found] for found in marks] == [
        [f"scansnap:ix500:{batch}:{number}:{side}"]
        for batch, number in ((1, 1), (1, 2), (2, 1))
        for side in ("front", "back")
    ]


async def test_the_quantisation_tables_are_those_that_were_sent(scansnap: Simulation, talk: Talk) -> None:
    scansnap.unit("ix500").load(1)

    def batch(host: Host) -> bytes:
        host.begin()
        host.feed()
        host.scan("00")
        return host.side(0x00)

    image = await talk(batch)
    luma = image.index(b"\xff\xdb")
    assert image[luma + 5 : luma + 15].hex() == "04030304030304040304"


async def test_a_sheet_takes_the_time_that_the_unit_needs(talk_to: TalkTo) -> None:
    fleet = Fleet((replace(Fleet.load("ix500").units[0], feed_s=600.0, sheets=1),))

    def batch(host: Host) -> Answer:
        host.begin()
        host.feed()
        host.scan()
        return host.image_ready(0x00)

    async with running(fleet) as simulation:
        assert (await talk_to(simulation)(batch)).code == NO_DATA


@pytest.mark.parametrize(("model", "pages_per_minute"), [("iX500", 25), ("S1500", 20), ("iX1600", 40)])
def test_a_unit_feeds_at_the_speed_of_its_model(model: str, pages_per_minute: int) -> None:
    assert VirtualScanner(UnitSpec("a", model, 1)).feed_s == pytest.approx(60 / pages_per_minute)


async def test_two_sheets_take_twice_the_time_of_one_although_the_unit_buffers(talk_to: TalkTo) -> None:
    feed_s = 0.15
    fleet = Fleet((replace(Fleet.load("ix500").units[0], feed_s=feed_s, sheets=2),))

    def batch(host: Host) -> list[float]:
        host.begin()
        took_s = []
        for _ in range(2):
            began_s = time.monotonic()
            host.feed()
            host.scan("00")
            host.side(0x00)
            took_s.append(time.monotonic() - began_s)
        return took_s

    async with running(fleet) as simulation:
        took_s = await talk_to(simulation)(batch)
    assert took_s[0] >= feed_s
    assert sum(took_s) >= 2 * feed_s


async def test_a_block_that_fits_exactly_ends_without_a_residual(scansnap: Simulation, talk: Talk) -> None:
    scansnap.unit("ix500").load(1)
    length = 840 * 1096 * 3

    def batch(host: Host) -> Any:
        window = bytearray(WINDOW)
        window[8 + 0x20] = window[72 + 0x20] = 0x00
        host.begin(bytes(window))
        host.feed()
        host.scan()
        return host.read(0x00, length)

    answer = await talk(batch)
    assert len(answer.data) == length
    assert answer.sense[:7] == bytes.fromhex("f0 00 40 00 00 00 00")


@pytest.mark.parametrize(("composition", "bits", "vendor"), [(0, 1, 0x00), (2, 8, 0x00), (5, 8, 0xC1)])
async def test_raw_images_have_the_announced_size(
    scansnap: Simulation, talk: Talk, composition: int, bits: int, vendor: int
) -> None:
    scansnap.unit("ix500").load(1)

    def batch(host: Host) -> bytes:
        window = bytearray(WINDOW[:72])
        window[8 + 0x19 : 8 + 0x1B] = bytes((composition, bits))
        window[8 + 0x20] = 0x00
        window[8 + 0x28] = vendor
        host.begin(bytes(window))
        host.feed()
        host.scan("00")
        return host.side(0x00)

    image = await talk(batch)
    assert len(image) == 840 * 1096 * {0: 1, 2: 8, 5: 24}[composition] // 8
    assert image[0] == 0x00  # white in each of them: gray and colour are inverted, lineart is not


async def test_automatic_length_ends_the_image_with_the_paper(scansnap: Simulation, talk: Talk) -> None:
    scansnap.unit("ix500").load(1)

    def batch(host: Host) -> bytes:
        window = bytearray(WINDOW)
        for start in (8, 72):
            window[start + 0x12 : start + 0x16] = (17856).to_bytes(4, "big")  # 1488 lines, longer than A4
        host.begin(bytes(window))
        host.good("15 10 00 00 0c 00", bytes.fromhex("00000000 3c06 008000000000"))
        host.feed()
        assert host.scan().status == 0
        return host.side(0x00)

    assert frame_height(await talk(batch)) == 1176  # 1170 lines of paper, in whole blocks


async def test_an_ix1600_states_the_height_of_the_window_although_the_paper_ended(talk_to: TalkTo) -> None:
    fleet = Fleet((UnitSpec("a", "iX1600", 7, feed_s=0.0, sheets=1),))

    def batch(host: Host) -> bytes:
        window = bytearray(WINDOW[:72])
        window[8 + 0x12 : 8 + 0x16] = (17856).to_bytes(4, "big")
        window[8 + 0x29] = 0x00  # its own gamma
        host.good("15 10 00 00 0c 00", bytes.fromhex("00000000 3c06 008000000000"))
        host.good("24 00 00 00 00 00 00 00 48 00", bytes(window))
        host.feed()
        host.scan("00")
        return host.side(0x00)

    async with running(fleet) as simulation:
        image = await talk_to(simulation, 0x1632)(batch)
        assert simulation.unit("a").errors == []
    assert frame_height(image) == 1488
    restarts = sum(image.count(bytes((0xFF, 0xD0 + n))) for n in range(8))
    assert (restarts + 1) * 8 == 1176  # what tells the height of the paper


def frame_height(image: bytes) -> int:
    frame = image.index(b"\xff\xc0")
    return int.from_bytes(image[frame + 5 : frame + 7], "big")
