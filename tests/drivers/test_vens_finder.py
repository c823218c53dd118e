"""Units on loopback and a whole finder: found by every way, followed when they move, gone when they are silent."""

import asyncio
import tracemalloc
from contextlib import aclosing

import pytest

from drivers.errors import (
    Unreachable,
    Unsupported,
)
from drivers.port import Gone, Sighting
from drivers.vens.air import Ports
from drivers.vens.finder import VensFinder
from tests.drivers.fake_vens import FakeVens, event, network, stranger
from tests.drivers.vens_house import (
    ID,
    NOW,
    PATIENCE_S,
    ROUND_S,
    TOKEN,
    housed,
    in_time,
    opened,
    until,
)


async def test_a_unit_is_found_by_broadcast_and_says_who_it_is() -> None:
    unit = FakeVens()
    async with network(unit) as net, housed(net) as house:
        assert await house.sighting() == Sighting(
            id=ID,
            model="iX500",
            via="wifi",
            address="127.9.0.1",
            fingerprint="00:80:92:01:02:03/AK7CC00700",
            seen_at=NOW,
            serial="AK7CC00700",
            default_password="0700",
        )
        assert {data[:4] for data, _ in unit.calls} == {b"VENS", b"ssNR", b"V2ss"}
        assert unit.told == [], "nobody connects to a unit that nobody opened"


async def test_a_unit_at_a_fixed_address_is_found_without_broadcast() -> None:
    unit = FakeVens()
    async with network() as net, housed(net, hosts=("127.9.0.1",), broadcast="127.9.0.250") as house:
        await unit.start(net.port)
        net.units.append(unit)
        await house.sighting()


async def test_a_unit_that_only_advertises_is_called_and_found() -> None:
    unit = FakeVens()
    async with network() as net, housed(net, broadcast="127.9.0.250", round_s=60) as house:
        await unit.start(net.port)
        try:
            unit.advertise(("127.0.0.1", net.advertisement_port))
            await house.sighting()
        finally:
            await unit.stop()


async def test_a_unit_is_told_of_once_however_often_it_answers() -> None:
    unit = FakeVens()
    async with network(unit) as net, housed(net, round_s=0.1) as house:
        await until(lambda: len(unit.calls) > 15)
        assert len(house.events) == 1


async def test_hosts_that_are_no_addresses_do_not_stop_the_calls() -> None:
    unit = FakeVens()
    hosts = (f"{'a' * 80}.invalid", "::1")  # neither is looked up anywhere
    async with network(unit) as net, housed(net, hosts=hosts, round_s=0.1) as house:
        await house.sighting()
        await until(lambda: len(unit.calls) > 15)


async def test_a_name_that_takes_its_time_holds_up_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hang, raising=False)
    unit = FakeVens()
    async with network(unit) as net, housed(net, hosts=("scanner.invalid",), round_s=0.1) as house:
        await house.sighting()
        await until(lambda: len(unit.calls) > 30)
        assert len(house.events) == 1


async def test_a_unit_at_a_name_is_called_where_the_name_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look_up(name: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        assert name == "scanner.invalid"
        return [(2, 1, 6, "", ("127.9.0.1", 0))]

    unit = FakeVens()
    async with network(unit) as net:
        net.units.clear()  # no broadcast arrives
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
        async with housed(net, hosts=("scanner.invalid",), round_s=0.1) as house:
            await house.sighting()
        monkeypatch.undo()
        await unit.stop()


async def test_calls_that_cannot_go_on_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("no interfaces")

    monkeypatch.setattr("drivers.vens.finder.broadcasts", fail)
    finder = VensFinder(token=TOKEN, now=lambda: NOW, ports=Ports(1, 1))
    async with aclosing(finder.sightings()) as sightings:
        with pytest.raises(OSError, match="no interfaces"):
            async with asyncio.timeout(PATIENCE_S):
                await anext(sightings)


async def test_who_tells_the_address_of_another_is_not_believed() -> None:
    honest, liar = FakeVens(), FakeVens("127.9.0.2", serial="LIAR0001")
    async with network(honest, liar) as net, housed(net, round_s=0.1) as house:
        lie = honest.info().replace(b"\x7f\x09\x00\x01", b"\x7f\x09\x00\x63")
        liar.info = lambda: lie  # type: ignore[method-assign]
        await house.sighting()
        await until(lambda: len(liar.calls) > 15)
        assert {found.address for found in house.events if isinstance(found, Sighting)} == {"127.9.0.1"}


@pytest.mark.parametrize(("family", "model"), [(b"ssNR", "iX1600"), (b"V2ss", "iX2500"), (b"VENS", "iX9999")])
async def test_an_unproven_dialect_is_told_and_not_driven(family: bytes, model: str) -> None:
    unit = FakeVens(model=model, family=family)
    async with network(unit) as net, housed(net) as house:
        sighting = await house.sighting(f"vens:{model}:AK7CC00700")
        assert sighting.driven.startswith("Found, dialect unproven")
        assert not sighting.has_button
        with pytest.raises(Unsupported):
            await house.finder.open(sighting.id)
        assert unit.told == []


async def test_a_silent_unit_is_gone_and_whoever_waits_for_its_button_is_told() -> None:
    unit = FakeVens()
    async with opened(unit, round_s=0.2) as (scanner, house, _):
        async with aclosing(scanner.presses()) as presses:
            waiting = asyncio.ensure_future(anext(presses))
            unit.silent = True
            assert await house.heard(lambda event_: isinstance(event_, Gone)) == Gone(ID)
            with pytest.raises(Unreachable):
                await in_time(waiting)
        unit.silent = False
        house.events.clear()
        await house.sighting()


async def test_a_unit_that_moved_is_sighted_within_two_rounds_and_its_old_connection_is_no_more() -> None:
    unit = FakeVens()
    async with opened(unit) as (scanner, house, net), aclosing(scanner.presses()) as presses:
        waiting = asyncio.ensure_future(anext(presses))
        await unit.move("127.9.0.77", net.port)
        async with asyncio.timeout(2 * ROUND_S + 1):
            moved = await house.sighting(address="127.9.0.77")
        assert moved.id == ID
        with pytest.raises(Unreachable):
            await in_time(waiting)
        with pytest.raises(Unreachable):
            await scanner.status()
        await scanner.close()
        again = await house.finder.open(ID)
        assert (await again.status()).paper is False
        await again.close()


async def test_garbage_leaves_memory_flat_and_discovery_at_work() -> None:
    unit = FakeVens()
    async with opened(unit) as (_, house, net):
        calling = unit.calls[0][1]
        ports = [calling, ("127.0.0.1", unit.trigger[1]), ("127.0.0.1", net.advertisement_port)]
        rubbish = [
            b"",
            b"VENS",
            bytes(48),
            b"\0\0\0\x30VENS" + bytes(40),
            unit.info()[:123],
            unit.info().replace(b"iX500", b"i\xff500"),
            event(0x7F),
            bytes(range(256)) * 4,
        ]
        tracemalloc.start()
        try:
            with stranger("127.9.6.66") as sock:
                for number in range(5000):
                    sock.sendto(rubbish[number % len(rubbish)], ports[number % len(ports)])
                    if number == 1000:
                        before, _ = tracemalloc.get_traced_memory()
                    if number % 50 == 0:
                        await asyncio.sleep(0)
            await asyncio.sleep(0)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < 64 * 1024
        second = FakeVens("127.9.0.2", serial="AK7CC00701")
        await second.start(net.port)
        net.units.append(second)
        await house.sighting("vens:iX500:AK7CC00701")
        assert not any(isinstance(event_, Gone) for event_ in house.events)


async def test_a_liar_with_many_names_is_remembered_only_so_far() -> None:
    unit = FakeVens()
    async with network(unit) as net, housed(net, round_s=0.2) as house:
        await house.sighting()
        calling, names = unit.calls[0][1], 0
        for names in range(3000):
            unit.serial = f"LIAR{names:06}"
            unit.send(unit.info(), calling)
            if names % 50 == 0:
                await asyncio.sleep(0)
        unit.serial = "AK7CC00700"
        await until(lambda: len(house.events) >= 1000)
        assert len({event_.id for event_ in house.events}) <= 1024
