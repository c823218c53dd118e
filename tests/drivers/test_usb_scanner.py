"""A whole unit over a fake bus: batches, presses, and every way of leaving early."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from drivers.errors import PaperError, PaperFault, PeerError, Unreachable, Unsupported
from drivers.models import MODELS
from drivers.port import Cause, Colour, Page, PageEnd, Press, Profile, Scanner, Side, Status
from drivers.raw import Layout, RawHeader
from drivers.usb.finder import UsbFinder
from tests.drivers.fake_ix500 import FakeIx500, jpeg
from tests.drivers.fake_usb import CHECK, GOOD, FakeBackend, FakeUnit, failure

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FRONT = jpeg(2544, 4456, 700_000)
BACK = jpeg(2544, 4456, 262_144)  # exactly one block: no short READ tells its end
JUNK = b"\0\0\0\0"


class Unit:
    """The fake unit, its bus, and the commands since it was opened."""

    def __init__(self, product_id: int = 0x132B, vendor_id: int = 0x04C5) -> None:
        self.state = FakeIx500()
        self.device = FakeUnit(self.state.answer, product_id=product_id, vendor_id=vendor_id)
        self.backend = FakeBackend(self.device)

    def opcodes(self) -> list[int]:
        return self.device.opcodes

    def ended(self) -> bool:
        cancel, clear = self.device.log[-2:]
        return cancel[0][:2] == b"\xf1\x04" and clear[1][4:8] == b"\x3a\x06\x80\xc0"


@asynccontextmanager
async def opened(unit: Unit) -> AsyncIterator[Scanner]:
    finder = UsbFinder(unit.backend, lambda: NOW, poll_s=0)
    async with aclosing(finder.sightings()) as sightings:
        sighting = await anext(sightings)
    scanner: Scanner = await finder.open(sighting.id)
    unit.device.log.clear()
    try:
        yield scanner
    finally:
        await scanner.close()


async def drain(page: Page) -> tuple[int, Side, bytes, PageEnd]:
    data = b"".join([chunk async for chunk in page.chunks])
    return page.number, page.side, data, page.end()


async def scanned(scanner: Scanner, profile: Profile) -> list[tuple[int, Side, bytes, PageEnd]]:
    async with aclosing(scanner.scan(profile)) as pages:
        return [await drain(page) async for page in pages]


async def test_two_sheets_give_four_pages_front_before_back() -> None:
    unit = Unit()
    unit.state.sheets = [(JUNK + FRONT, BACK), (BACK, FRONT)]
    async with opened(unit) as scanner:
        pages = await scanned(scanner, Profile())
        assert [(number, side) for number, side, _, _ in pages] == [
            (1, Side.FRONT), (1, Side.BACK), (2, Side.FRONT), (2, Side.BACK)
        ]  # fmt: skip
        assert [data for _, _, data, _ in pages] == [FRONT, BACK, BACK, FRONT]
        assert pages[0][3] == PageEnd(2544, 4456, 300, len(FRONT), 3)
        assert unit.ended()
    assert unit.device.calls[-2:] == ["release", "close"]


async def test_pages_are_jpeg_and_their_end_is_known_only_at_the_end() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, BACK)]
    async with opened(unit) as scanner, aclosing(scanner.scan(Profile(duplex=False))) as pages:
        page = await anext(pages)
        assert page.media_type == "image/jpeg"
        with pytest.raises(RuntimeError):
            page.end()


async def test_nothing_is_read_before_it_is_asked_for() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, BACK)]
    async with opened(unit) as scanner, aclosing(scanner.scan(Profile())) as pages:
        page = await anext(pages)
        assert 0x28 not in unit.opcodes()
        await anext(aiter(page.chunks))
        assert [cdb[0] for cdb, _ in unit.device.log].count(0x28) == 2  # pixel size and one block


async def test_simplex_scans_fronts_only() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, b"")]
    async with opened(unit) as scanner:
        assert [page[1] for page in await scanned(scanner, Profile(duplex=False))] == [Side.FRONT]


async def test_an_empty_hopper_at_the_start_is_a_paper_error() -> None:
    unit = Unit()
    async with opened(unit) as scanner:
        with pytest.raises(PaperError) as caught:
            await scanned(scanner, Profile())
        assert caught.value.kind is PaperFault.EMPTY
        assert 0x31 not in unit.opcodes()
        assert unit.ended()


async def test_an_empty_first_feed_is_a_paper_error() -> None:
    unit = Unit(product_id=0x11A2)  # S1500: its batch has no hopper check
    async with opened(unit) as scanner:
        with pytest.raises(PaperError) as caught:
            await scanned(scanner, Profile())
        assert caught.value.kind is PaperFault.EMPTY
        assert unit.ended()


async def test_a_jam_on_the_second_sheet_comes_after_the_first_and_ends_the_batch() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, BACK)]
    async with opened(unit) as scanner:
        got = []
        with pytest.raises(PaperError) as caught:
            async with aclosing(scanner.scan(Profile())) as pages:
                async for page in pages:
                    got.append(await drain(page))
                    unit.state.faults = {0x31: [unit.state.check(3, 0x80, 0x01)]}
        assert caught.value.kind is PaperFault.JAM
        assert len(got) == 2
        assert unit.ended()


async def test_leaving_in_the_middle_of_a_page_cancels_at_a_boundary() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, BACK), (FRONT, BACK)]
    async with opened(unit) as scanner:
        async with aclosing(scanner.scan(Profile())) as pages:
            await anext(aiter((await anext(pages)).chunks))
        assert unit.ended()
        assert not unit.device.pending
        assert len(await scanned(scanner, Profile())) == 2


async def test_a_cancelled_task_leaves_the_wait_for_the_image_and_cancels_at_the_unit() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, BACK)]
    waiting = asyncio.Event()
    loop = asyncio.get_running_loop()

    def before(cdb: bytes) -> None:
        unit.state.faults = {}
        if cdb[:2] == b"\xf1\x10":  # never ready
            unit.state.faults = {0xF1: [unit.state.check(3, 0x80, 0x13)]}
            loop.call_soon_threadsafe(waiting.set)

    async with opened(unit) as scanner:
        unit.state.before = before
        task = asyncio.create_task(scanned(scanner, Profile()))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert unit.ended()


async def test_closing_during_a_batch_ends_it() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, BACK)]
    async with opened(unit) as scanner, aclosing(scanner.scan(Profile())) as pages:
        await anext(pages)
        await scanner.close()
        assert unit.ended()


async def test_asking_for_the_next_page_too_early_is_refused() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, BACK)]
    async with opened(unit) as scanner:
        pages = scanner.scan(Profile())
        await anext(pages)
        with pytest.raises(RuntimeError):
            await anext(pages)
        assert unit.ended()


async def test_a_truncated_image_is_the_peers_fault() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT[:-10], BACK)]
    async with opened(unit) as scanner:
        with pytest.raises(PeerError):
            await scanned(scanner, Profile())
        assert unit.ended()


async def test_an_endless_image_is_given_up() -> None:
    unit = Unit()
    unit.state.sheets = [(jpeg(1272, 2224)[:-2] + b"\x5a" * 10_000_000, b"")]
    async with opened(unit) as scanner:
        with pytest.raises(PeerError):
            await scanned(scanner, Profile(resolution_dpi=150))


async def test_both_sides_in_one_image_are_taken_apart() -> None:
    unit = Unit()
    unit.state.sheets = [(jpeg(2 * 2544, 4456, 600_000, restart_rows=4, row_px=2544), b"")]
    async with opened(unit) as scanner:
        front, back = await scanned(scanner, Profile())
    assert (front[1], back[1]) == (Side.FRONT, Side.BACK)
    assert front[3].width_px == back[3].width_px == 2544
    assert {side for side, _ in unit.state.reads} == {0x00}, "the unit offers such an image through the front only"


def raw_unit(width_px: int, height_px: int, product_id: int = 0x1632) -> Unit:
    """Return a unit whose VPD offers no JPEG."""
    unit = Unit(product_id)
    vpd = bytearray(unit.state.vpd.ljust(0x90, b"\0"))
    vpd[0x5A] = 0
    unit.state.vpd = bytes(vpd)
    unit.state.pixels = width_px.to_bytes(4, "big") + height_px.to_bytes(4, "big") + bytes(24)
    return unit


@pytest.mark.parametrize(
    ("colour", "header"),
    [
        (Colour.COLOUR, RawHeader(Layout.RGB, 2544, inverted=True)),
        (Colour.GRAY, RawHeader(Layout.GRAY, 2544, inverted=True)),
        (Colour.LINEART, RawHeader(Layout.LINEART, 2544, inverted=False)),
    ],
)
async def test_without_jpeg_a_page_is_raw_rows_after_a_header(colour: Colour, header: RawHeader) -> None:
    unit = raw_unit(2544, 4456)
    front, back = bytes(range(240)) * header.row_bytes, b"\x5a" * header.row_bytes * 100
    unit.state.sheets = [(front, back)]
    async with opened(unit) as scanner, aclosing(scanner.scan(Profile(colour=colour))) as pages:
        page = await anext(pages)
        assert (page.media_type, page.colour) == ("image/x-raw", colour)
        _, _, data, end = await drain(page)
        assert data == header.encode() + front
        assert RawHeader.decode(data[:16]) == header
        assert (end.width_px, end.height_px, end.byte_count) == (2544, 240, len(data))
        _, _, data, end = await drain(await anext(pages))
        assert (data[16:], end.height_px) == (back, 100)
    assert all(length % header.row_bytes == 0 for _, length in unit.state.reads), "whole rows only"


async def test_a_side_that_has_all_its_rows_is_not_read_on() -> None:
    unit = raw_unit(2544, 4456)
    rows = bytes(2544 * 3) * 4456
    unit.state.sheets = [(rows, rows)]
    unit.state.vpd = unit.state.vpd[:0x22] + b"\x7f\0\0\0" + unit.state.vpd[0x26:]  # memory for both sides
    async with opened(unit) as scanner:
        pages = await scanned(scanner, Profile())
    assert [page[3].height_px for page in pages] == [4456, 4456]
    assert [side for side, _ in unit.state.reads] == sorted(side for side, _ in unit.state.reads), "front, then back"
    assert sum(length for _, length in unit.state.reads) < len(rows) * 2 + 2 * 256 * 1024


async def test_sides_are_read_in_turn_where_the_memory_of_the_unit_holds_only_one() -> None:
    unit = raw_unit(2544, 4456)
    unit.state.vpd = unit.state.vpd[:0x22] + b"\0\x10\0\0" + unit.state.vpd[0x26:]
    front, back = bytes(2544 * 3) * 200, b"\x11" * 2544 * 3 * 200
    unit.state.sheets = [(front, back)]
    async with opened(unit) as scanner:
        pages = await scanned(scanner, Profile())
    assert [page[2][16:] for page in pages] == [front, back]
    assert [side for side, _ in unit.state.reads][:4] == [0x00, 0x80, 0x00, 0x80]


async def test_half_a_row_is_no_page() -> None:
    unit = raw_unit(2544, 4456)
    unit.state.sheets = [(bytes(2544 * 3 * 10 + 1), b"")]
    async with opened(unit) as scanner:
        with pytest.raises(PeerError, match="in the middle of a row"):
            await scanned(scanner, Profile(duplex=False))


async def test_a_width_that_makes_no_sense_is_refused() -> None:
    unit = raw_unit(0xFFFFFFF0, 4456)
    unit.state.sheets = [(bytes(100), b"")]
    async with opened(unit) as scanner:
        with pytest.raises(PeerError, match="width"):
            await scanned(scanner, Profile(duplex=False))


async def test_gray_of_a_unit_that_has_colour_only_is_asked_for_in_colour() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, BACK)]
    async with opened(unit) as scanner, aclosing(scanner.scan(Profile(colour=Colour.GRAY))) as pages:
        page = await anext(pages)
        assert (page.media_type, page.colour) == ("image/jpeg", Colour.GRAY)
        assert (await drain(page))[3].components == 3
    [window] = [payload for cdb, payload in unit.device.log if cdb[0] == 0x24]
    assert window[8 + 0x19 : 8 + 0x1B] == b"\x05\x08"


async def test_the_s510m_is_asked_for_blue_first_and_never_for_buffering() -> None:
    unit = Unit(0x116F)
    unit.state.sheets = [(FRONT, BACK)]
    async with opened(unit) as scanner:
        await scanned(scanner, Profile())
    [window] = [payload for cdb, payload in unit.device.log if cdb[0] == 0x24]
    assert window[8 + 0x2A : 8 + 0x2C] == b"\x01\x05"
    assert 0x3A not in [payload[4] for cdb, payload in unit.device.log if cdb[0] == 0x15]


async def test_the_ix1600_page_has_the_height_that_was_scanned() -> None:
    unit = Unit(product_id=0x1632)
    unit.state.sheets = [(jpeg(2544, 4456, restart_rows=200), BACK)]
    async with opened(unit) as scanner:
        assert (await scanned(scanner, Profile(duplex=False)))[0][3].height_px == 3200


async def test_a_profile_beyond_the_unit_moves_nothing() -> None:
    unit = Unit()
    async with opened(unit) as scanner:
        with pytest.raises(Unsupported):
            await scanned(scanner, Profile(resolution_dpi=1200))
        assert not unit.device.log


async def test_an_unplugged_unit_ends_the_scan_as_unreachable() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, BACK)]
    async with opened(unit) as scanner:
        pages = scanner.scan(Profile())
        page = await anext(pages)
        unit.backend.units.clear()
        with pytest.raises(Unreachable):
            await drain(page)
        await pages.aclose()


async def test_a_failing_cancel_after_the_last_page_does_not_spoil_the_pages() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, BACK)]
    async with opened(unit) as scanner:
        unit.state.faults = {0xF1: [[GOOD], [GOOD], [GOOD], [CHECK]]}
        assert len(await scanned(scanner, Profile())) == 2


async def test_status() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, BACK)]
    unit.state.button = 0x20
    async with opened(unit) as scanner:
        assert await scanner.status() == Status(paper=True, button=True, cover_open=False)
        assert unit.opcodes() == [0xC2]
        assert scanner.capabilities.has_button


class Polls:
    """Replaces the pause between polls: does one step to the unit each time and notes the length."""

    def __init__(self, *steps: Callable[[], None]) -> None:
        self.steps = list(steps)
        self.pauses: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if not self.steps:
            raise EOFError
        self.steps.pop(0)()


async def pressed(unit: Unit, *steps: Callable[[], None], eager: bool = False) -> tuple[list[Press], list[float]]:
    async with opened(unit) as scanner:
        polls = Polls(*steps)
        scanner._pause = polls  # type: ignore[attr-defined]
        found = []
        with pytest.raises(EOFError):
            async for press in scanner.presses(eager=lambda: eager):
                found.append(press)
        return found, polls.pauses


def setter(unit: Unit, *, button: int | None = None, paper: bool | None = None) -> Callable[[], None]:
    def apply() -> None:
        if button is not None:
            unit.state.button = button
        if paper is not None:
            unit.state.sheets = [(FRONT, BACK)] if paper else []

    return apply


async def test_a_held_button_is_one_press() -> None:
    unit = Unit()
    hold, release = setter(unit, button=0x20), setter(unit, button=0)
    found, _ = await pressed(unit, hold, hold, release, setter(unit, button=0x01), release)
    assert found == [Press("usb:iX500:700", NOW, Cause.BUTTON)] * 2


async def test_the_bit_that_only_says_never_pressed_is_no_press() -> None:
    unit = Unit()
    assert (await pressed(unit, setter(unit, button=0x80), setter(unit, button=0)))[0] == []


async def test_paper_into_an_empty_hopper_is_a_press() -> None:
    unit = Unit()
    found, _ = await pressed(unit, setter(unit, paper=True), setter(unit), setter(unit, paper=False))
    assert [press.cause for press in found] == [Cause.PAPER]


async def test_paper_that_lay_there_at_opening_is_no_press() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, BACK)]
    assert (await pressed(unit, setter(unit)))[0] == []


async def test_a_button_held_at_opening_is_no_press_and_one_pressed_right_after_it_is() -> None:
    unit = Unit()
    unit.state.button = 0x20
    assert (await pressed(unit, setter(unit)))[0] == []
    unit = Unit()
    async with opened(unit) as scanner:
        unit.state.button = 0x20
        async with aclosing(scanner.presses()) as presses:
            assert (await anext(presses)).cause is Cause.BUTTON


async def test_polls_are_slow_without_paper_and_fast_with_it_or_on_request() -> None:
    unit = Unit()
    assert (await pressed(unit, setter(unit), setter(unit, paper=True)))[1] == [1.0, 1.0, 0.1]
    assert (await pressed(Unit(), setter(unit), eager=True))[1] == [0.1, 0.1]


async def test_presses_ask_nothing_while_a_batch_runs_and_see_paper_loaded_after_it() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, BACK)]
    async with opened(unit) as scanner:
        polls = Polls(setter(unit), setter(unit))
        scanner._pause = polls  # type: ignore[attr-defined]
        async with aclosing(scanner.scan(Profile())) as pages:
            page = await anext(pages)
            before = unit.opcodes().count(0xC2)
            with pytest.raises(EOFError):
                await anext(scanner.presses())
            assert unit.opcodes().count(0xC2) == before
            await drain(page)
            await drain(await anext(pages))
            scanner._before = Status(paper=True, button=False, cover_open=False)  # type: ignore[attr-defined]
            with pytest.raises(StopAsyncIteration):
                await anext(pages)
        unit.state.sheets = [(FRONT, BACK)]
        async with aclosing(scanner.presses()) as presses:
            assert (await anext(presses)).cause is Cause.PAPER


async def test_a_button_and_paper_at_once_are_one_press() -> None:
    unit = Unit()
    found, _ = await pressed(unit, setter(unit, paper=True, button=0x01), setter(unit, button=0))
    assert [press.cause for press in found] == [Cause.BUTTON]


async def first_press(scanner: Scanner) -> Cause:
    async with aclosing(scanner.presses()) as presses:
        return (await anext(presses)).cause


async def test_a_press_between_two_sheets_is_told_once_after_the_batch() -> None:
    unit = Unit()
    unit.state.sheets = [(FRONT, BACK)] * 3
    async with opened(unit) as scanner, aclosing(scanner.scan(Profile())) as pages:
        for number in range(6):
            unit.state.button = 0x01 if number == 2 else 0
            await drain(await anext(pages))
        with pytest.raises(StopAsyncIteration):
            await anext(pages)
        unit.state.button = 0
        assert await first_press(scanner) is Cause.BUTTON
        scanner._pause = Polls(setter(unit))  # type: ignore[attr-defined]
        with pytest.raises(EOFError):
            await anext(scanner.presses())


@pytest.mark.parametrize(("seconds", "presses"), [(0.3, 0), (5, 1)])
async def test_a_finger_still_down_after_a_short_batch_is_the_same_press(seconds: float, presses: int) -> None:
    unit = Unit()
    async with opened(unit) as scanner:
        unit.state.button = 0x20
        assert await first_press(scanner) is Cause.BUTTON
        times = iter([NOW, NOW + timedelta(seconds=seconds)])
        scanner._now = lambda: next(times, NOW)  # type: ignore[attr-defined]
        with pytest.raises(PaperError):
            await scanned(scanner, Profile())
        scanner._pause = Polls(setter(unit))  # type: ignore[attr-defined]
        found = []
        with pytest.raises(EOFError):
            async for press in scanner.presses():
                found.append(press)
        assert len(found) == presses


async def test_a_garbled_poll_is_a_driver_error() -> None:
    unit = Unit()
    async with opened(unit) as scanner:
        unit.state.faults = {0xC2: [[b"\0\0", b"nonsense"], [failure(5)]]}
        with pytest.raises(PeerError):
            await scanner.status()
        with pytest.raises(Unreachable):
            await scanner.status()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
async def test_every_model_of_the_table_scans(model: object) -> None:
    unit = Unit(model.product_id, model.vendor_id)  # type: ignore[attr-defined]
    height = 3296 if model.max_length_1200 else 4456  # type: ignore[attr-defined]
    page = jpeg(2544, height, 500_000)
    unit.state.sheets = [(page, page)]
    async with opened(unit) as scanner:
        assert [data for _, _, data, _ in await scanned(scanner, Profile())] == [page, page]
        assert b"\xf1\x04" in [cdb[:2] for cdb, _ in unit.device.log[-2:]]
