"""Batches over loopback: the pages that come, and the job that is ended on every way out."""

import asyncio
from contextlib import aclosing

import pytest

from drivers.errors import (
    PaperError,
    PaperFault,
    PeerError,
    Unreachable,
    Unsupported,
)
from drivers.port import Gone, PageEnd, Profile, Side, Status
from tests.drivers.fake_vens import FakeVens, data_reply
from tests.drivers.vens_house import (
    BACK,
    FRONT,
    ID,
    PATIENCE_S,
    PROFILE,
    drain,
    opened,
    scanned,
    until,
)


async def test_two_sheets_give_four_pages_front_before_back() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK), (BACK, FRONT)]
    async with opened(unit) as (scanner, _, _net):
        pages = await scanned(scanner)
        assert [(number, side) for number, side, _, _ in pages] == [
            (1, Side.FRONT), (1, Side.BACK), (2, Side.FRONT), (2, Side.BACK)
        ]  # fmt: skip
        assert [data for _, _, data, _ in pages] == [FRONT, BACK, BACK, FRONT]
        assert pages[0][3] == PageEnd(1741, 2971, 200, len(FRONT), 3)
        assert unit.reads[:5] == [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0x80, 1, 0), (0, 2, 0)]
        assert unit.told[:5] == ["D8", "D4", "D5", "C2", "E0"]
        assert unit.told[-4:] == ["C2", "E0", "03", "D6"]
        assert len({number for number, _ in unit.log}) == 1, "a job stays on its connection"
        assert unit.holder, "the reservation outlives the job"


async def test_nothing_is_read_ahead_of_who_asks() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    async with opened(unit) as (scanner, _, _net), aclosing(scanner.scan(PROFILE)) as pages:
        page = await anext(pages)
        assert unit.told.count("28") == 1
        await anext(aiter(page.chunks))
        assert unit.told.count("28") == 1
        with pytest.raises(RuntimeError):
            page.end()


async def test_a_side_that_the_unit_dropped_as_blank_is_no_page() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, b""), (b"", b""), (b"", BACK)]
    async with opened(unit) as (scanner, _, _net):
        pages = await scanned(scanner)
        assert [(number, side) for number, side, _, _ in pages] == [(1, Side.FRONT), (3, Side.BACK)]


async def test_simplex_reads_fronts_only() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    async with opened(unit) as (scanner, _, _net):
        pages = await scanned(scanner, Profile(resolution_dpi=200, duplex=False))
        assert [side for _, side, _, _ in pages] == [Side.FRONT]
        assert unit.parameters[1] == 1
        assert {side for side, _, _ in unit.reads} == {0}


async def test_bytes_around_the_image_are_cut_off() -> None:
    unit = FakeVens()
    unit.sheets = [(b"\0\0\0\0" + FRONT + bytes(100), BACK)]
    async with opened(unit) as (scanner, _, _net):
        assert [data for _, _, data, _ in await scanned(scanner)] == [FRONT, BACK]


async def test_a_busy_unit_is_waited_for() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    unit.faults[0x28] += ["busy", (3, 0x80, 0x13)]
    unit.faults[0xE0].append("busy")
    async with opened(unit) as (scanner, _, _net):
        assert [data for _, _, data, _ in await scanned(scanner)] == [FRONT, BACK]


async def test_an_empty_feeder_is_a_paper_error_and_the_job_is_ended() -> None:
    unit = FakeVens()
    async with opened(unit) as (scanner, _, _net):
        with pytest.raises(PaperError) as caught:
            await scanned(scanner)
        assert caught.value.kind is PaperFault.EMPTY
        assert "E0" not in unit.told
        assert unit.told[-1] == "D6"


async def test_an_open_cover_stops_before_the_paper_moves() -> None:
    unit = FakeVens()
    unit.sheets, unit.cover = [(FRONT, BACK)], 0x20
    async with opened(unit) as (scanner, _, _net):
        assert await scanner.status() == Status(paper=True, button=False, cover_open=True)
        with pytest.raises(PaperError) as caught:
            await scanned(scanner)
        assert caught.value.kind is PaperFault.COVER_OPEN
        assert "E0" not in unit.told
        assert unit.told[-1] == "D6"


async def test_a_jam_on_the_second_sheet_comes_after_the_first_and_the_job_is_ended() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK), (FRONT, BACK)]
    async with opened(unit) as (scanner, _, _net):
        pages: list[bytes] = []
        with pytest.raises(PaperError) as caught:
            async with aclosing(scanner.scan(PROFILE)) as scan:
                async for page in scan:
                    pages.append((await drain(page))[2])
                    unit.faults[0xE0] = type(unit.faults[0xE0])([(3, 0x80, 0x01)])
        assert caught.value.kind is PaperFault.JAM
        assert pages == [FRONT, BACK]
        assert unit.told[-2:] == ["D8", "D6"]


async def test_leaving_in_the_middle_of_a_page_ends_the_job_on_its_connection() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    async with opened(unit) as (scanner, _, _net):
        async with aclosing(scanner.scan(PROFILE)) as pages:
            await anext(aiter((await anext(pages)).chunks))
        assert unit.told[-2:] == ["D8", "D6"]
        assert unit.connection_of("D6") == unit.connection_of("28")
        assert unit.holder


async def test_a_scan_cancelled_while_the_unit_is_silent_ends_the_job_over_a_new_connection() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    unit.faults[0x28].append("hang")
    async with opened(unit) as (scanner, _, _net):
        task = asyncio.create_task(scanned(scanner))
        await until(lambda: "28" in unit.told)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert unit.told[-2:] == ["D8", "D6"]
        assert unit.connection_of("D6") > unit.connection_of("28")


async def test_a_scan_that_is_cancelled_twice_ends_the_job_all_the_same() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    unit.faults[0x28].append("hang")
    async with opened(unit) as (scanner, _, _net):
        task = asyncio.create_task(scanned(scanner))
        await until(lambda: "28" in unit.told)
        unit.log.clear()
        unit.faults[0xD8].append("busy")
        task.cancel()
        await until(lambda: "D8" in unit.told)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert unit.told == ["D8", "D8", "D6"]


async def test_a_connection_lost_in_the_middle_of_a_page_ends_the_job_over_a_new_one() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK), (FRONT, BACK)]
    async with opened(unit) as (scanner, _, _net):
        pages: list[bytes] = []
        with pytest.raises(Unreachable):
            async with aclosing(scanner.scan(PROFILE)) as scan:
                async for page in scan:
                    pages.append((await drain(page))[2])
                    unit.faults[0x28].append("close")
        assert pages == [FRONT], "what came whole is kept"
        assert unit.told[-2:] == ["D8", "D6"]
        assert unit.connection_of("D6") > unit.connection_of("28")
        unit.faults.clear()
        assert [data for _, _, data, _ in await scanned(scanner)] == [FRONT, BACK], "the next scan goes on"


async def test_a_unit_that_left_the_network_in_the_middle_of_a_page_is_unreachable_at_once() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    async with opened(unit, round_s=0.2) as (scanner, house, net):
        with pytest.raises(Unreachable):
            async with asyncio.timeout(PATIENCE_S), aclosing(scanner.scan(PROFILE)) as pages:
                page = await anext(pages)
                await anext(aiter(page.chunks))
                await unit.stop()
                await drain(page)
        await scanner.close()
        await house.heard(lambda event_: isinstance(event_, Gone))
        house.events.clear()
        await unit.start(net.port)
        await house.sighting()
        unit.sheets = [(BACK, BACK)]
        again = await house.finder.open(ID)
        assert len(await scanned(again)) == 2
        await again.close()


async def test_closing_after_a_broken_scan_still_releases() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    unit.faults[0x28].append(b"\0\0\0\x2aVENS\0\0\0\0\0\0\0\x07" + bytes(26))
    async with opened(unit) as (scanner, _, _net):
        with pytest.raises(PeerError):
            await scanned(scanner)
    assert unit.told[-2:] == ["D6", "RELEASE"]
    assert unit.holder == b""


async def test_a_block_larger_than_asked_for_breaks_the_page() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    unit.faults[0x28].append(data_reply(0, bytes(2) + FRONT[: 256 * 1024 + 1]))
    async with opened(unit) as (scanner, _, _net):
        with pytest.raises(PeerError):
            await scanned(scanner)
        assert unit.told[-1] == "D6"


@pytest.mark.parametrize("fill", [b"\x5a", b"\0"])
@pytest.mark.parametrize("image", [FRONT[:-2], FRONT])
async def test_an_endless_side_is_given_up(image: bytes, fill: bytes) -> None:
    unit = FakeVens()
    unit.sheets = [(image, BACK)]
    block = data_reply(0, bytes(2) + fill * (256 * 1024))
    unit.faults[0x28] += [data_reply(0, bytes(2) + image[: 256 * 1024]), *[block] * 400]
    if image == FRONT:
        unit.faults[0x28] = type(unit.faults[0x28])([data_reply(0, bytes(2) + BACK), *[block] * 400])
    async with opened(unit) as (scanner, _, _net):
        with pytest.raises(PeerError):
            await scanned(scanner)
        assert len(unit.faults[0x28]) > 200, "given up long before the unit had enough"
        assert unit.told[-1] == "D6"


@pytest.mark.parametrize("side", [FRONT[:-100], b"\0" * 1000, b"\xff\xd8\xff\xd9"])
async def test_a_side_that_is_no_whole_jpeg_is_the_peers_fault(side: bytes) -> None:
    unit = FakeVens()
    unit.sheets = [(side, BACK)]
    async with opened(unit) as (scanner, _, _net):
        with pytest.raises(PeerError):
            await scanned(scanner)
        assert unit.told[-1] == "D6"


async def test_asking_for_the_next_page_too_early_is_refused() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    async with opened(unit) as (scanner, _, _net), aclosing(scanner.scan(PROFILE)) as pages:
        await anext(pages)
        with pytest.raises(RuntimeError):
            await anext(pages)
        assert unit.told[-1] == "D6"


async def test_a_profile_beyond_the_unit_moves_nothing() -> None:
    unit = FakeVens()
    async with opened(unit) as (scanner, _, _net):
        with pytest.raises(Unsupported):
            await scanned(scanner, Profile(resolution_dpi=1200))
        assert unit.told == []


async def test_closing_in_the_middle_of_a_scan_leaves_the_unit_free() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    async with opened(unit) as (scanner, _, _net):
        pages = scanner.scan(PROFILE)
        await anext(aiter((await anext(pages)).chunks))
        await pages.aclose()
        await scanner.close()
        assert unit.told[-3:] == ["D8", "D6", "RELEASE"]
        assert unit.holder == b""
