"""A unit that is opened: reserved, kept alive, its presses believed or not, and let go on every way out."""

import asyncio
from contextlib import aclosing, suppress
from types import SimpleNamespace

import pytest

from drivers.errors import (
    Busy,
    DriverError,
    PeerError,
    Refused,
    Unreachable,
    WrongPassword,
)
from drivers.port import Cause, Press
from drivers.vens.scanner import VensScanner
from tests.drivers.fake_vens import NOBODY, FakeVens, data_reply, event, network, stranger
from tests.drivers.vens_house import (
    BACK,
    FRONT,
    ID,
    NOW,
    PROFILE,
    TOKEN,
    drain,
    housed,
    in_time,
    opened,
    scanned,
    until,
)


async def test_opening_reserves_asks_who_it_is_and_closing_releases() -> None:
    unit = FakeVens()
    async with network(unit) as net, housed(net) as house:
        await house.sighting()
        scanner = await house.finder.open(ID)
        assert unit.told == ["RESERVE", "12", "C2"]
        assert unit.holder == TOKEN + bytes(2)
        assert scanner.id == ID
        await scanner.close()
        await scanner.close()
        assert unit.told == ["RESERVE", "12", "C2", "RELEASE"]
        assert unit.holder == b""


async def test_a_reservation_is_kept_alive_until_it_is_released() -> None:
    unit = FakeVens()
    async with opened(unit, round_s=0.1) as (scanner, _, _net):
        unit.keep_alives = 0
        await until(lambda: unit.keep_alives > 5)
        await scanner.close()
        unit.keep_alives, heard = 0, len(unit.calls)
        await until(lambda: len(unit.calls) > heard + 12)
        assert unit.keep_alives == 0


async def test_a_wrong_password_is_told_as_such_and_the_right_one_opens() -> None:
    unit = FakeVens()
    unit.password = "Secret-1"
    async with network(unit) as net, housed(net) as house:
        await house.sighting()
        for password in ("", "secret-1"):
            with pytest.raises(WrongPassword):
                await house.finder.open(ID, password=password)
        assert unit.told == ["RESERVE", "RESERVE"], "nothing was reserved, so nothing is released"
        scanner = await house.finder.open(ID, password="Secret-1")
        await scanner.close()
        assert unit.told[-1] == "RELEASE"


async def test_a_password_that_cannot_be_never_reaches_the_unit() -> None:
    unit = FakeVens()
    async with network(unit) as net, housed(net) as house:
        await house.sighting()
        with pytest.raises(DriverError):
            await house.finder.open(ID, password="x" * 17)
        assert unit.told == []


async def test_a_unit_that_another_holds_is_busy_and_its_job_is_left_alone() -> None:
    unit = FakeVens()
    unit.occupied, unit.named = True, "192.0.2.7"
    async with network(unit) as net, housed(net, round_s=0.1) as house:
        await house.sighting()
        for _ in range(3):
            with pytest.raises(Busy, match=r"192\.0\.2\.7"):
                await house.finder.open(ID)
            heard = len(unit.calls)
            await until(lambda heard=heard: len(unit.calls) > heard + 6)  # type: ignore[misc]
        assert set(unit.told) == {"RESERVE"}


async def test_a_unit_that_nobody_holds_though_it_says_occupied_has_its_old_job_ended() -> None:
    unit = FakeVens()
    unit.stale = True
    async with network(unit) as net, housed(net, round_s=0.1) as house:
        await house.sighting()
        with pytest.raises(Busy):
            await house.finder.open(ID)
        assert unit.told == ["RESERVE"], "once may be somebody who has not been named yet"
        heard = len(unit.calls)
        await until(lambda: len(unit.calls) > heard + 6)
        scanner = await house.finder.open(ID)
        assert unit.told[:4] == ["RESERVE", "RESERVE", "D6", "RESERVE"]
        await scanner.close()


async def test_who_was_named_in_between_keeps_the_unit() -> None:
    unit = FakeVens()
    unit.occupied = True
    async with network(unit) as net, housed(net, round_s=0.1) as house:
        await house.sighting()
        with pytest.raises(Busy):
            await house.finder.open(ID)
        unit.named = "192.0.2.7"
        heard = len(unit.calls)
        await until(lambda: len(unit.calls) > heard + 6)
        with pytest.raises(Busy):
            await house.finder.open(ID)
        assert unit.told == ["RESERVE", "RESERVE"]


async def test_recovery_of_a_unit_that_stays_occupied_ends() -> None:
    unit = FakeVens()
    unit.occupied = True
    async with network(unit) as net, housed(net, round_s=0.1) as house:
        await house.sighting()
        with pytest.raises(Busy):
            await house.finder.open(ID)
        heard = len(unit.calls)
        await until(lambda: len(unit.calls) > heard + 6)
        with pytest.raises(Busy):
            await house.finder.open(ID)
        assert unit.told.count("D6") <= 8
        assert "RELEASE" not in unit.told


@pytest.mark.parametrize(("status", "error"), [(-1, PeerError), (-2, Refused), (-5, Refused), (-7, Refused)])
async def test_every_other_refusal_is_a_driver_error(status: int, error: type[DriverError]) -> None:
    unit = FakeVens()
    unit._reserve = lambda _token, _request: status  # type: ignore[method-assign]
    async with network(unit) as net, housed(net) as house:
        await house.sighting()
        with pytest.raises(error):
            await house.finder.open(ID)
        assert unit.told == ["RESERVE"]


async def test_a_unit_that_is_none_of_fujitsu_is_released_again() -> None:
    unit = FakeVens()
    unit.inquiry = unit.inquiry.replace(b"FUJITSU", b"EPSON  ")
    async with network(unit) as net, housed(net) as house:
        await house.sighting()
        with pytest.raises(Refused):
            await house.finder.open(ID)
        assert unit.told == ["RESERVE", "12", "RELEASE"]


@pytest.mark.parametrize("fault", ["close", data_reply(0, b"")[:8] + b"\0\0\0\1" + bytes(28), b"\xff\xff\xff\xffVENS"])
async def test_a_unit_that_fails_to_say_who_it_is_is_released_again(fault: str | bytes) -> None:
    unit = FakeVens()
    unit.faults[0x12].append(fault)
    async with network(unit) as net, housed(net) as house:
        await house.sighting()
        with pytest.raises((Unreachable, PeerError)):
            await house.finder.open(ID)
        assert unit.told[-1] == "RELEASE"
        scanner = await house.finder.open(ID)
        await scanner.close()


async def test_an_opening_that_is_cancelled_releases_the_unit() -> None:
    unit = FakeVens()
    unit.faults[0x12].append("hang")
    async with network(unit) as net, housed(net) as house:
        await house.sighting()
        opening = asyncio.create_task(house.finder.open(ID))
        await until(lambda: "12" in unit.told)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert unit.told == ["RESERVE", "12", "RELEASE"]


async def test_an_opening_that_is_cancelled_while_it_reserves_releases_the_unit() -> None:
    unit = FakeVens()
    control = unit._control

    def cancelling(command: int, request: bytes) -> bytes:
        opening.cancel()
        return control(command, request)

    unit._control = cancelling  # type: ignore[method-assign]
    async with network(unit) as net, housed(net) as house:
        await house.sighting()
        opening = asyncio.create_task(house.finder.open(ID))
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert unit.told[0] == "RESERVE"
        await until(lambda: unit.told[-1] == "RELEASE")
        assert unit.holder == b""


async def test_a_unit_that_is_open_is_not_opened_twice() -> None:
    unit = FakeVens()
    async with opened(unit) as (_, house, _net):
        with pytest.raises(Busy):
            await house.finder.open(ID)
        assert unit.told == []


async def test_two_openings_at_once_reserve_once() -> None:
    unit = FakeVens()
    async with network(unit) as net, housed(net) as house:
        await house.sighting()
        answers = await asyncio.gather(*(house.finder.open(ID) for _ in range(2)), return_exceptions=True)
        assert sorted(type(answer).__name__ for answer in answers) == ["Busy", "VensScanner"]
        for answer in answers:
            if isinstance(answer, VensScanner):
                await answer.close()
        assert unit.told.count("RESERVE") == unit.told.count("RELEASE") == 1


async def test_a_unit_that_takes_no_connection_is_unreachable() -> None:
    unit = FakeVens()
    unit.greeting = 1
    async with network(unit) as net, housed(net) as house:
        await house.sighting()
        with pytest.raises(Unreachable):
            await house.finder.open(ID)
        with pytest.raises(Unreachable):
            await house.finder.open("vens:iX500:NOBODY")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return the clock by which presses are told apart; `s` is set by hand."""
    hands = SimpleNamespace(s=1000.0)
    monkeypatch.setattr("drivers.vens.scanner.time", SimpleNamespace(monotonic=lambda: hands.s))
    return hands


async def test_notices_of_one_press_are_one_press(clock: SimpleNamespace) -> None:
    unit = FakeVens()
    async with opened(unit) as (scanner, _, _net), aclosing(scanner.presses()) as presses:
        unit.event(times=5)
        assert (await in_time(anext(presses))).cause is Cause.BUTTON
        clock.s += 1
        unit.event(times=5)
        following = asyncio.ensure_future(anext(presses))
        for _ in range(5):
            await scanner.status()
        assert not following.done()
        clock.s += 10
        unit.event()
        assert await in_time(following) == Press(ID, NOW, Cause.BUTTON, seen=False)


async def test_a_notice_of_a_button_that_is_down_is_seen() -> None:
    unit = FakeVens()
    async with opened(unit) as (scanner, _, _net), aclosing(scanner.presses()) as presses:
        unit.button = 1
        unit.event()
        assert await in_time(anext(presses)) == Press(ID, NOW, Cause.BUTTON, seen=True)


async def test_a_notice_that_the_unit_does_not_confirm_is_not_seen() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    async with opened(unit) as (scanner, _, _net), aclosing(scanner.presses()) as presses:
        unit.event()
        assert await in_time(anext(presses)) == Press(ID, NOW, Cause.BUTTON, seen=False)
        assert unit.told == ["C2"]


async def test_more_than_six_notices_a_minute_are_not_believed(
    clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    unit = FakeVens()
    async with opened(unit) as (scanner, _, _net), aclosing(scanner.presses()) as presses:
        for _ in range(6):
            clock.s += 5
            unit.event()
            await in_time(anext(presses))
        clock.s += 5
        unit.event()
        seventh = asyncio.ensure_future(anext(presses))
        await until(lambda: "not believed" in caplog.text)
        assert unit.told == ["C2"] * 6
        assert not seventh.done()
        clock.s += 60
        unit.event()
        await in_time(seventh)


@pytest.mark.parametrize("kind", [1, 0x10, 0x11, 0x12, 0x22])
async def test_a_notice_from_another_address_starts_and_ends_nothing(kind: int) -> None:
    unit = FakeVens()
    async with opened(unit) as (scanner, _, _net), aclosing(scanner.presses()) as presses:
        waiting = asyncio.ensure_future(anext(presses))
        with stranger("127.9.6.66") as sock:
            sock.sendto(event(kind), unit.trigger)
        for _ in range(5):
            await scanner.status()
        assert unit.told == ["C2"] * 5, "nobody but us asked"
        assert not waiting.done()
        unit.event()
        await in_time(waiting)


async def test_notices_while_a_scan_runs_are_dropped() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    async with opened(unit) as (scanner, _, _net), aclosing(scanner.presses()) as presses:
        waiting = asyncio.ensure_future(anext(presses))
        async with aclosing(scanner.scan(PROFILE)) as pages:
            async for page in pages:
                unit.event(times=3)
                await drain(page)
        for _ in range(5):
            await scanner.status()
        assert not waiting.done()
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting


async def test_a_notice_that_is_late_for_the_scan_it_started_is_dropped(clock: SimpleNamespace) -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    async with opened(unit) as (scanner, _, _net), aclosing(scanner.presses()) as presses:
        await scanned(scanner)
        waiting = asyncio.ensure_future(anext(presses))
        clock.s += 0.5
        unit.event()
        for _ in range(5):
            await scanner.status()
        assert not waiting.done()
        clock.s += 1
        unit.event()
        await in_time(waiting)


async def test_paper_into_an_empty_hopper_is_a_press_where_it_is_wanted() -> None:
    unit = FakeVens()
    async with opened(unit) as (scanner, _, _net), aclosing(scanner.presses(on_paper=lambda: True)) as presses:
        waiting = asyncio.ensure_future(anext(presses))
        await until(lambda: unit.told.count("C2") > 2)
        unit.sheets = [(FRONT, BACK)]
        assert await in_time(waiting) == Press(ID, NOW, Cause.PAPER)


async def test_paper_that_lay_there_at_opening_is_no_press() -> None:
    unit = FakeVens()
    unit.sheets = [(FRONT, BACK)]
    async with opened(unit) as (scanner, _, _net), aclosing(scanner.presses(on_paper=lambda: True)) as presses:
        waiting = asyncio.ensure_future(anext(presses))
        await until(lambda: unit.told.count("C2") > 5)
        assert not waiting.done()
        unit.event()
        assert (await in_time(waiting)).cause is Cause.BUTTON


async def test_a_unit_that_nobody_wants_to_poll_is_left_in_peace() -> None:
    unit = FakeVens()
    async with opened(unit) as (scanner, _, _net), aclosing(scanner.presses()) as presses:
        waiting = asyncio.ensure_future(anext(presses))
        await until(lambda: unit.keep_alives > 5)
        assert unit.told == []
        unit.event()
        await in_time(waiting)


@pytest.mark.parametrize("kind", [0x10, 0x11, 0x12, 0x22])
async def test_a_unit_that_lets_us_go_is_unreachable_for_who_waits(kind: int) -> None:
    unit = FakeVens()
    async with opened(unit) as (scanner, _, _net), aclosing(scanner.presses()) as presses:
        unit.event(kind)
        with pytest.raises(Unreachable):
            await in_time(anext(presses))


async def test_a_unit_that_names_us_no_more_is_unreachable_for_who_waits() -> None:
    unit = FakeVens()
    async with opened(unit, round_s=0.1) as (scanner, _, _net), aclosing(scanner.presses()) as presses:
        waiting = asyncio.ensure_future(anext(presses))
        heard = len(unit.calls)
        await until(lambda: len(unit.calls) > heard + 9)
        assert not waiting.done()
        unit.named = NOBODY
        with pytest.raises(Unreachable):
            await in_time(waiting)
