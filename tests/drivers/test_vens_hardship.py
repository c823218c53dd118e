"""A finder in hard times: who lies about a unit, who floods, a standstill of ours, a unit that is slow or half gone."""

import asyncio
import socket
import time
from contextlib import AsyncExitStack, aclosing, suppress

import pytest

from drivers.errors import Busy, Unreachable
from drivers.port import Gone, Sighting
from tests.drivers.fake_vens import FakeVens, network, stranger
from tests.drivers.vens_house import (
    BACK,
    FRONT,
    ID,
    PATIENCE_S,
    PROFILE,
    drain,
    housed,
    in_time,
    opened,
    scanned,
    until,
)


class SlowVens(FakeVens):
    """Answers no READ before `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def _answer(self, cdb: bytes, payload: bytes) -> bytes:
        if cdb[0] == 0x28:
            await self.go.wait()
        return await super()._answer(cdb, payload)


# --- standstills of ours


async def test_a_standstill_of_ours_is_not_taken_for_the_units() -> None:
    unit = FakeVens()
    async with network(unit) as net, housed(net, round_s=0.1) as house:
        await house.sighting()
        time.sleep(1.0)  # ten rounds
        heard = len(unit.calls)
        await until(lambda: len(unit.calls) > heard + 9)
        assert not any(isinstance(event, Gone) for event in house.events)


async def test_who_listens_anew_is_told_everything_and_what_was_open_is_opened_again() -> None:
    unit = FakeVens()
    async with network(unit) as net:
        async with housed(net) as house:
            await house.sighting()
            scanner = await house.finder.open(ID)
        async with aclosing(scanner.presses()) as presses:
            with pytest.raises(Busy):
                await in_time(anext(presses))
        await scanner.close()
        async with aclosing(house.finder.sightings()) as sightings, asyncio.timeout(PATIENCE_S):
            assert isinstance(found := await anext(sightings), Sighting)
            assert found.id == ID
            await (await house.finder.open(ID)).close()


async def test_a_job_is_ended_at_the_unit_also_when_nobody_listens_to_it_any_more() -> None:
    unit = SlowVens()
    unit.sheets = [(FRONT, BACK)]
    async with network(unit) as net, AsyncExitStack() as stack:
        async with housed(net) as house:
            await house.sighting()
            scanner = await house.finder.open(ID)
            stack.push_async_callback(scanner.close)
            task = asyncio.create_task(scanned(scanner))
            await until(lambda: "28" in unit.told)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert unit.told[-1] == "D6"
        assert unit.connection_of("D6") != unit.connection_of("28")  # that one hangs in mid-block


async def test_a_reservation_is_kept_alive_while_the_unit_still_tells_who_it_is() -> None:
    unit = FakeVens()
    unit.faults[0x12].append("hang")
    async with network(unit) as net, housed(net) as house:
        await house.sighting()
        opening = asyncio.create_task(house.finder.open(ID))
        await until(lambda: "12" in unit.told)
        unit.keep_alives = 0
        await until(lambda: unit.keep_alives > 5)
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await opening
        assert unit.holder == b""
        await (await house.finder.open(ID)).close()


# --- liars


async def test_who_claims_to_be_a_unit_that_is_still_where_it_was_is_not_believed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    unit, liar = FakeVens(), FakeVens("127.9.0.66")
    unit.sheets = [(FRONT, BACK)]
    async with opened(unit, round_s=0.1) as (scanner, house, net):
        await liar.start(net.port)
        net.units.append(liar)
        await until(lambda: "claims to be it" in caplog.text)
        heard = len(liar.calls)
        await until(lambda: len(liar.calls) > heard + 9)
        assert [event.address for event in house.events if isinstance(event, Sighting)] == [unit.address]
        assert len(await scanned(scanner)) == 2
        assert liar.told == [], "and is told no password"
        assert caplog.text.count("claims to be it") == 1


async def test_a_unit_that_moves_in_mid_page_ends_the_scan_at_once_though_its_connection_hangs() -> None:
    unit, moved = FakeVens(), FakeVens("127.9.0.77")
    unit.sheets = [(FRONT, BACK)]
    async with opened(unit, round_s=0.1) as (scanner, house, net):
        async with aclosing(scanner.scan(PROFILE)) as pages:
            page = await anext(pages)
            unit.faults[0x28].append("hang")
            unit.silent = True
            for server in unit._servers:
                server.close()
            await moved.start(net.port)
            net.units.append(moved)
            with pytest.raises(Unreachable, match="has moved"):
                async with asyncio.timeout(PATIENCE_S):
                    await drain(page)
        await house.sighting(address="127.9.0.77")
        await scanner.close()
        await (await house.finder.open(ID)).close()


async def test_one_unit_with_two_network_cards_is_two_pins_and_never_mixed_up() -> None:
    unit, twin = FakeVens(), FakeVens("127.9.0.66")
    twin.mac = b"\x00\x80\x92\x99\x99\x99"
    async with opened(unit, round_s=0.1) as (scanner, house, net):
        await twin.start(net.port)
        net.units.append(twin)

        def of_the_twin(event: Sighting | Gone) -> bool:
            return isinstance(event, Sighting) and event.fingerprint.startswith("00:80:92:99")

        await house.heard(of_the_twin)
        assert (await scanner.status()).paper is False, "what is open stays with the one that it was opened at"
        assert twin.told == []


async def test_advertisements_without_end_cost_a_few_calls() -> None:
    unit = FakeVens()
    async with network(unit) as net, housed(net) as house:
        await house.sighting()
        with stranger("127.9.6.66") as liar, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target:
            target.bind(("127.9.6.66", net.port))
            target.setblocking(False)
            fake = FakeVens("127.9.6.66")
            fake.send = liar.sendto  # type: ignore[assignment, method-assign]
            for number in range(2000):
                fake.advertise(("127.0.0.1", net.advertisement_port))
                if number % 20 == 0:
                    await asyncio.sleep(0)
            calls = 0
            with suppress(BlockingIOError):
                while target.recv(64):
                    calls += 1
            assert 0 < calls <= 12  # three families, some errands


async def test_what_nobody_can_read_is_logged_once_and_in_full(caplog: pytest.LogCaptureFixture) -> None:
    unit = FakeVens()
    async with network(unit) as net, housed(net, round_s=0.1) as house:
        await house.sighting()
        calling = unit.calls[0][1]
        odd = b"V2ss" + bytes(range(140))
        for _ in range(5):
            unit.send(odd, calling)
        await until(lambda: odd.hex(" ") in caplog.text)
        await until(lambda: len(unit.calls) > 15)
        assert caplog.text.count("unknown reply") == 1


async def test_the_whole_reply_of_an_unproven_unit_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    unit = FakeVens(model="iX1600", family=b"ssNR")
    async with network(unit) as net, housed(net, round_s=0.1) as house:
        await house.sighting("vens:iX1600:AK7CC00700")
        await until(lambda: len(unit.calls) > 15)
        assert caplog.text.count(unit.info().hex(" ")) == 1


# --- other clients


async def test_what_a_unit_said_a_while_ago_does_not_end_the_job_of_who_has_it_now() -> None:
    unit = FakeVens()
    async with network(unit) as net, housed(net, round_s=60) as house:
        await house.sighting()
        unit.stale = True
        with pytest.raises(Busy):
            await house.finder.open(ID)
        heard = len(unit.calls)
        await until(lambda: len(unit.calls) > heard)  # the first rounds are short: it says that nobody has it
        unit.stale, unit.occupied, unit.named = False, True, "127.9.7.7"
        with pytest.raises(Busy, match=r"127\.9\.7\.7 holds the scanner"):
            await house.finder.open(ID)
        assert "D6" not in unit.told


# --- slow and half-gone units


async def test_a_scan_cancelled_while_a_block_is_under_way_ends_the_job_on_its_connection() -> None:
    unit = SlowVens()
    unit.sheets = [(FRONT, BACK)]
    async with opened(unit) as (scanner, _, _net):
        task = asyncio.create_task(scanned(scanner))
        await until(lambda: "28" in unit.told)
        task.cancel()
        await asyncio.sleep(0)
        unit.go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert unit.told[-2:] == ["D8", "D6"]
        assert unit.connection_of("D6") == unit.connection_of("28")


async def test_a_side_that_begins_with_nothing_is_asked_for_again_by_who_wants_it() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    unit.faults[0x28].append(b"\0\0\0\x2aVENS" + bytes(8) + bytes(26))
    async with opened(unit) as (scanner, _, _net):
        with pytest.raises(Exception, match="sends nothing of the page"):
            await scanned(scanner)
        assert unit.told[-1] == "D6"


async def test_a_unit_that_is_lost_starts_no_scan() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    async with opened(unit) as (scanner, _, _net):
        unit.event(0x12)
        async with aclosing(scanner.presses()) as presses:
            with pytest.raises(Unreachable):
                await in_time(anext(presses))
        with pytest.raises(Unreachable):
            await scanned(scanner)
        assert unit.told == []
