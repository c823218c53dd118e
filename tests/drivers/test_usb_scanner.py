"""A whole unit over a fake bus: batches, presses, and every way of leaving early."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime

import pytest

from drivers.errors import PaperError, PaperFault, PeerError, Unreachable, Unsupported
from drivers.models import MODELS
from drivers.port import Cause, Colour, Page, PageEnd, Press, Profile, Scanner, Side, Status
from drivers.usb.finder import UsbFinder
from tests.drivers.fake_ix500 import FakeIx500, jpeg
from tests.drivers.fake_usb import CHECK, GOOD, FakeBackend, FakeUnit, failure

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FRONT = jpeg(2544, 4456, 700_000)
BACK = jpeg(2544, 4456, 262_144)  # exactly one block: no short READ tells its end
JUNK = b"\0\0\0\0"


class Unit:
    """The fake unit, its bus, and the commands since it was opened."""

    def __init__(self, product_id: int = 0x132B) -> None:
        self.state = FakeIx500()
        self.device = FakeUnit(self.state.answer, product_id=product_id)
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
        assert pages[0][3] == PageEnd(2544, 4456, 300, len(FRONT))
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


async def test_both_sides_in_one_image_are_unsupported() -> None:
    unit = Unit()
    unit.state.sheets = [(jpeg(2 * 2544, 4456), b"")]
    async with opened(unit) as scanner:
        with pytest.raises(Unsupported):
            await scanned(scanner, Profile())


async def test_the_ix1600_page_has_the_height_that_was_scanned() -> None:
    unit = Unit(product_id=0x1632)
    unit.state.sheets = [(jpeg(2544, 4456, restart_rows=200), BACK)]
    async with opened(unit) as scanner:
        assert (await scanned(scanner, Profile(duplex=False)))[0][3].height_px == 3200


async def test_a_profile_beyond_the_unit_moves_nothing() -> None:
    unit = Unit()
    async with opened(unit) as scanner:
        with pytest.raises(Unsupported):
            await scanned(scanner, Profile(colour=Colour.LINEART))
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
    unit = Unit(product_id=model.product_id)  # type: ignore[attr-defined]
    unit.state.sheets = [(FRONT, BACK)]
    async with opened(unit) as scanner:
        assert [data for _, _, data, _ in await scanned(scanner, Profile())] == [FRONT, BACK]
        assert unit.ended()
