"""Raw images: every composition, order and ending, held against the pixels of the printed sheet."""

import time
import tracemalloc
from typing import Any

import pytest

from simulator import Fleet, Simulation, UnitSpec, running, sheets
from simulator.models import BY_NAME
from simulator.scanner import Delivered
from simulator.sheets import Mode, Sheet, Side, View
from tests.simulator.host import WINDOW, Host, Talk, TalkTo

COLOUR, GRAY, LINEART = (5, 8, 0xC1), (2, 8, 0x00), (0, 1, 0x00)
INVERT = bytes(255 - value for value in range(256))


def window(kind: tuple[int, int, int], sides: int = 2, **fields: int) -> bytes:
    """Return the recorded window as raw, with some bytes of each descriptor changed: at_2b=5 sets byte 2B."""
    data = bytearray(WINDOW[: 8 + 64 * sides])
    for start in range(8, len(data), 64):
        data[start + 0x19], data[start + 0x1A], data[start + 0x28] = kind
        data[start + 0x20] = 0x00
        data[start + 0x2A] = 1 if kind is COLOUR else 0
        for name, value in fields.items():
            data[start + int(name.removeprefix("at_"), 16)] = value
    return bytes(data)


def expected(sent: Delivered) -> bytes:
    return sheets.expected_pixels(sent.sheet, sent.side, sent.mode, sent.dpi, sent.view)


def one_sheet(host: Host, data: bytes, length: int = 0xFC00, sides: str = "00 80") -> dict[int, bytes]:
    host.begin(data)
    assert host.feed().status == 0
    assert host.scan(sides).status == 0
    return {side: host.side(side, length) for side in bytes.fromhex(sides)}


@pytest.mark.parametrize("kind", [COLOUR, GRAY, LINEART], ids=["colour", "gray", "lineart"])
async def test_a_raw_side_is_the_printed_side(scansnap: Simulation, talk: Talk, kind: tuple[int, int, int]) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    images = await talk(lambda host: one_sheet(host, window(kind)))
    front, back = unit.delivered
    assert (front.side, back.side, front.view) == (Side.FRONT, Side.BACK, back.view)
    for sent, image in zip(unit.delivered, images.values(), strict=True):
        assert (image if kind is LINEART else image.translate(INVERT)) == expected(sent)
    assert unit.errors == []


async def test_the_delivered_view_is_that_of_the_window(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    await talk(lambda host: one_sheet(host, window(GRAY)))
    left_px = (0x27AF - sheets.PAPER_WIDTH_1200) // 2 * 100 // 1200
    assert unit.delivered[0].view == View(840, 1096, left_px=left_px)
    assert (unit.delivered[0].mode, unit.delivered[0].dpi) == (Mode.GRAY, 100)


async def test_blue_first_and_line_by_line_are_the_same_pixels(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(2)
    (bgr,) = (await talk(lambda host: one_sheet(host, window(COLOUR, 1, at_2b=5), sides="00"))).values()
    await talk(lambda host: host.cancel())
    (lines,) = (await talk(lambda host: one_sheet(host, window(COLOUR, 1, at_2a=0), sides="00"))).values()
    first, second = (expected(sent) for sent in unit.delivered)
    assert bgr.translate(INVERT)[2::3] == first[0::3]
    assert bgr.translate(INVERT)[0::3] == first[2::3]
    row = lines.translate(INVERT)[3 * 840 * 500 : 3 * 840 * 501]
    assert [row[at : at + 840] for at in (0, 840, 1680)] == [
        second[3 * 840 * 500 + at : 3 * 840 * 501 : 3] for at in (0, 1, 2)
    ]


async def test_sides_may_be_read_in_turn(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)

    def batch(host: Host) -> dict[int, bytes]:
        host.begin(window(GRAY))
        host.feed()
        host.scan()
        images = {0x00: b"", 0x80: b""}
        ended: set[int] = set()
        while len(ended) < 2:
            for side in sorted(images.keys() - ended):
                answer = host.read(side, 840 * 77)
                images[side] += answer.data
                if answer.status:
                    ended.add(side)
        return images

    images = await talk(batch)
    assert [image.translate(INVERT) for image in images.values()] == [expected(sent) for sent in unit.delivered]


async def test_a_short_sheet_ends_early_and_the_size_is_known_then(talk_to: TalkTo) -> None:
    async with running(Fleet((UnitSpec("a", "S1500", 7, sheets=1, feed_s=0.0, paper="a6"),))) as simulation:
        unit = simulation.unit("a")

        def batch(host: Host) -> tuple[bytes, bytes, bytes]:
            host.good("15 10 00 00 0c 00", bytes.fromhex("00000000 3c06 008000000000"))
            host.good("24 00 00 00 00 00 00 00 48 00", window(GRAY, 1, at_29=0))
            host.feed()
            host.scan("00")
            before = host.good("28 00 80 00 00 00 00 00 20 00", asked=32)
            image = host.side(0x00)
            return image, before, host.good("28 00 80 00 00 00 00 00 20 00", asked=32)

        image, before, after = await talk_to(simulation, 0x11A2)(batch)
        lines = -(-6992 * 100 // 1200)
        assert len(image) == 840 * lines
        assert image.translate(INVERT) == expected(unit.delivered[0])
        assert before == bytes.fromhex("00000348 00000448") + bytes(24)
        assert after[8:16] == (4961 * 100 // 1200).to_bytes(4, "big") + lines.to_bytes(4, "big")
        assert unit.errors == []


async def test_without_automatic_length_the_backing_follows_the_sheet(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1, "a6")

    def batch(host: Host) -> bytes:
        host.begin(window(GRAY, 1))
        host.good("15 10 00 00 0c 00", bytes.fromhex("00000000 3706 b80000000000"))  # black
        host.feed()
        host.scan("00")
        return host.side(0x00)

    image = (await talk(batch)).translate(INVERT)
    assert len(image) == 840 * 1096
    assert image == expected(unit.delivered[0])
    assert (image[0], image[840 * 100 + 420], image[-1]) == (0, 255, 0)


async def test_overscan_shows_what_lies_above_the_paper(talk_to: TalkTo) -> None:
    async with running(Fleet((UnitSpec("a", "iX1600", 7, sheets=1, feed_s=0.0),))) as simulation:
        unit = simulation.unit("a")

        def batch(host: Host) -> bytes:
            host.good("15 10 00 00 0c 00", bytes.fromhex("00000000 3c06 008000c00000"))
            host.good("24 00 00 00 00 00 00 00 48 00", window(GRAY, 1, at_29=0))
            host.feed()
            host.scan("00")
            return host.side(0x00)

        await talk_to(simulation, 0x1632)(batch)
        assert unit.delivered[0].view.top_px == 0x58 * 100 // 600
        assert unit.errors == []


async def test_brightness_threshold_and_reverse_are_those_of_the_window(talk_to: TalkTo) -> None:
    async with running(Fleet((UnitSpec("a", "S510", 7, sheets=3, feed_s=0.0),))) as simulation:
        unit = simulation.unit("a")

        def batch(host: Host) -> list[bytes]:
            images = []
            for data in (
                window(GRAY, 1, at_16=0xA0, at_18=0x90, at_29=0),
                window(LINEART, 1, at_17=0x30, at_29=0),
                window(GRAY, 1, at_1d=0x80, at_29=0),
            ):
                host.good("24 00 00 00 00 00 00 00 48 00", data)
                host.feed()
                host.scan("00")
                images.append(host.side(0x00))
                host.cancel()
            return images

        bright, thin, negative = await talk_to(simulation, 0x1155)(batch)
        assert bright.translate(INVERT) == expected(unit.delivered[0])
        assert thin == expected(unit.delivered[1])
        assert negative.translate(INVERT) == expected(unit.delivered[2])
        assert negative[0] == 0xFF
        assert unit.errors == []
    plain = sheets.expected_pixels(Sheet("a", 1, 1), Side.FRONT, Mode.GRAY, 100, View(840, 1096))
    assert sum(bright.translate(INVERT)) > sum(plain)


async def test_a_unit_without_brightness_refuses_it(scansnap: Simulation, talk: Talk) -> None:
    def ask(host: Host) -> Any:
        return host.ask("24 00 00 00 00 00 00 00 48 00", window(GRAY, 1, at_16=0x90))

    answer = await talk(ask)
    assert (answer.code, answer.sense[17]) == ((5, 0x26, 0), 8 + 0x16)
    assert scansnap.unit("ix500").errors


def test_pixels_are_those_of_a_pnm() -> None:
    view = View(424, 584)
    colour, gray, bits = (sheets.expected_pixels(Sheet("a", 1, 1), Side.FRONT, mode, 50, view) for mode in Mode)
    assert (len(colour), len(gray), len(bits)) == (3 * 424 * 584, 424 * 584, 424 * 584 // 8)
    assert (colour[0], gray[0], bits[0]) == (255, 255, 0)
    black = min(range(len(gray)), key=lambda at: gray[at])
    assert bits[black // 8] & 0x80 >> black % 8


@pytest.mark.parametrize("lines", [1, 37, 584])
@pytest.mark.parametrize("paper", ["a4", "card", "receipt"])
def test_stripes_make_up_the_page(lines: int, paper: str) -> None:
    sheet, view = Sheet("a", 1, 1, paper), View(424, 584, left_px=-3, top_px=5, black_backing=True)
    tops = range(0, view.height_px, lines)
    parts = [sheets.stripe(sheet, Side.BACK, 50, view, top, min(lines, 584 - top)).tobytes() for top in tops]
    assert b"".join(parts) == sheets.stripe(sheet, Side.BACK, 50, view, 0, 584).tobytes()


async def test_a_side_of_600_dpi_never_lies_in_memory_as_a_whole(talk_to: TalkTo) -> None:
    wide, long = 0x26C0, 0x36D0
    data = bytearray(window(COLOUR))
    for start in (8, 72):
        data[start + 2 : start + 6] = bytes.fromhex("0258 0258")
        data[start + 0x0E : start + 0x16] = wide.to_bytes(4, "big") + long.to_bytes(4, "big")
    async with running(Fleet((UnitSpec("a", "iX500", 7, sheets=1, feed_s=0.0),))) as simulation:

        def batch(host: Host) -> int:
            host.begin(bytes(data))
            host.feed()
            host.scan()
            return sum(len(host.read(side, 0x100000).data) for side in (0x00, 0x80) for _ in range(3))

        tracemalloc.start()
        try:
            assert await talk_to(simulation)(batch) == 6 * 0x100000
            assert tracemalloc.get_traced_memory()[1] < 32 << 20
        finally:
            tracemalloc.stop()


def test_a_colour_page_of_300_dpi_is_drawn_in_no_time() -> None:
    view = View(2550, 3508)
    sheets.expected_pixels(Sheet("a", 1, 1), Side.FRONT, Mode.COLOUR, 300, view)
    began_s = time.process_time()
    sheets.expected_pixels(Sheet("a", 1, 2), Side.FRONT, Mode.COLOUR, 300, view)
    assert time.process_time() - began_s < 0.3


async def test_a_gray_jpeg_has_one_component(scansnap: Simulation, talk: Talk) -> None:
    scansnap.unit("ix500").load(1)
    images = await talk(lambda host: one_sheet(host, window(GRAY, 1, at_20=0x81), sides="00"))
    frame = images[0].index(b"\xff\xc0")
    assert images[0][frame + 9] == 1


@pytest.mark.parametrize(("sent", "name"), [(0x81, "S510M"), (0x00, "S510M")])
async def test_an_s510m_takes_blue_first_only(talk_to: TalkTo, sent: int, name: str) -> None:
    async with running(Fleet((UnitSpec("a", name, 7, sheets=1, feed_s=0.0),))) as simulation:

        def batch(host: Host) -> list[tuple[int, int, int]]:
            answers = [
                host.ask("24 00 00 00 00 00 00 00 48 00", window(COLOUR, 1, at_20=sent, at_2a=dot, at_2b=order))
                for dot, order in ((1, 0), (0, 0), (1, 5))
            ]
            answers.append(host.ask("15 10 00 00 0c 00", bytes.fromhex("00000000 3a06 80c000000000")))
            return [answer.code if answer.status else (0, 0, 0) for answer in answers]

        codes = await talk_to(simulation, BY_NAME[name].product_id)(batch)
        assert codes == [(5, 0x26, 0), (5, 0x26, 0), (0, 0, 0), (5, 0x26, 0)]
        assert simulation.unit("a").errors == []  # a host finds out by asking


async def test_an_older_duplex_unit_interlaces_its_jpeg(talk_to: TalkTo) -> None:
    async with running(Fleet((UnitSpec("a", "S510", 7, sheets=1, feed_s=0.0),))) as simulation:
        unit = simulation.unit("a")

        def batch(host: Host) -> bytes:
            host.good("24 00 00 00 00 00 00 00 88 00", window(COLOUR, at_20=0x81, at_29=0))
            host.feed()
            host.scan()
            image = host.side(0x00)
            assert host.read(0x80, 0x1000).code == (5, 0x2C, 0)
            return image

        image = await talk_to(simulation, 0x1155)(batch)
        frame = image.index(b"\xff\xc0")
        assert int.from_bytes(image[frame + 7 : frame + 9], "big") == 2 * 840
        assert sum(image.count(bytes((0xFF, 0xD0 + n))) for n in range(8)) == 2 * 1096 // 8 - 1
        assert [sent.side for sent in unit.delivered] == [Side.FRONT, Side.BACK]


async def test_a_simplex_unit_has_no_back(talk_to: TalkTo) -> None:
    async with running(Fleet((UnitSpec("a", "iX100", 7, sheets=1, feed_s=0.0),))) as simulation:
        code = await talk_to(simulation, 0x13F4)(
            lambda host: host.ask("24 00 00 00 00 00 00 00 88 00", window(COLOUR)).code
        )
        assert code == (5, 0x26, 0)
