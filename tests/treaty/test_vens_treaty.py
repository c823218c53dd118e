"""Our VENS driver against the simulated units on the air: finding, reserving, scanning, letting go."""

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from drivers.errors import Busy, DriverError, PaperError, PaperFault, Unreachable, Unsupported, WrongPassword
from drivers.port import Colour, Gone, Profile, Sighting
from drivers.vens.air import Ports
from drivers.vens.finder import VensFinder
from simulator import Fleet, running
from simulator.faults import Fault, FaultKind
from simulator.fleet import UnitSpec, Wifi
from simulator.sheets import Side
from simulator.vens import wire
from simulator.vens.session import State

WIFI = Wifi("127.77.1.1", "AK7CC00700", "00:80:92:01:02:03")
SPEC = UnitSpec("ix500", "iX500", 1200753, feed_s=0.01, usb=False, wifi=WIFI)
ID = "vens:iX500:AK7CC00700"
QUICK = Profile(resolution_dpi=150)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Air:
    """A simulation and one gateway's door to it."""

    simulation: Any
    ports: wire.Ports
    finder: VensFinder
    events: "asyncio.Queue[Sighting | Gone]"

    @property
    def unit(self) -> Any:
        return self.simulation.unit("ix500")

    @property
    def session(self) -> Any:
        return self.simulation.air.units["ix500"].session

    async def next(self, wanted: Any, patience_s: float = 15.0) -> Any:
        async with asyncio.timeout(patience_s):
            while True:
                event = await self.events.get()
                if wanted(event):
                    return event


@asynccontextmanager
async def door(simulation: Any, ports: wire.Ports, token: bytes, **options: Any) -> AsyncIterator[Air]:
    finder = VensFinder(
        token=token,
        now=now,
        **({"broadcast": ("127.255.255.255",), "round_s": 0.3} | options),
        ports=Ports(ports.discovery, ports.advertisement),
    )
    events: asyncio.Queue[Sighting | Gone] = asyncio.Queue()

    async def watch() -> None:
        async with aclosing(finder.sightings()) as sightings:
            async for event in sightings:
                events.put_nowait(event)

    watching = asyncio.create_task(watch())
    try:
        yield Air(simulation, ports, finder, events)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


@asynccontextmanager
async def on_the_air(*specs: UnitSpec, token: bytes = b"\x02abcde", **options: Any) -> AsyncIterator[Air]:
    ports = wire.Ports.free()
    async with (
        running(Fleet(specs or (SPEC,)), vens_ports=ports) as simulation,
        door(simulation, ports, token, **options) as air,
    ):
        yield air


async def read(scanner: Any, profile: Profile = QUICK) -> list[str]:
    digests = []
    async with aclosing(scanner.scan(profile)) as scan:
        async for page in scan:
            digest = hashlib.sha256()
            async for chunk in page.chunks:
                digest.update(chunk)
            assert page.end().width_px > 0
            digests.append(digest.hexdigest())
    return digests


@pytest.mark.parametrize("profile", [QUICK, Profile(300, Colour.GRAY, duplex=False), Profile(200, Colour.LINEART)])
async def test_a_batch_arrives_byte_for_byte(profile: Profile) -> None:
    async with on_the_air() as air:
        sighting = await air.next(lambda e: isinstance(e, Sighting))
        assert (sighting.id, sighting.fingerprint, sighting.driven) == (ID, "00:80:92:01:02:03/AK7CC00700", "")
        scanner = await air.finder.open(ID)
        air.unit.load(2)
        assert await read(scanner, profile) == [sent.sha256 for sent in air.unit.delivered]
        assert len(air.unit.delivered) == (4 if profile.duplex else 2)
        await scanner.close()
        assert (air.session.holder, air.session.state, air.unit.errors) == (None, State.FREE, [])


@pytest.mark.parametrize("dialect", ["if4", "if6"])
async def test_both_interface_versions_of_the_ix500(dialect: str) -> None:
    async with on_the_air(replace(SPEC, wifi=replace(WIFI, dialect=dialect))) as air:
        await air.next(lambda e: isinstance(e, Sighting))
        scanner = await air.finder.open(ID)
        air.unit.load(1)
        assert len(await read(scanner)) == 2
        await scanner.close()
        assert air.unit.errors == []


@pytest.mark.parametrize(("model", "sides"), [("iX100", 1), ("iX1300", 2)])
async def test_the_documented_relatives(model: str, sides: int) -> None:
    async with on_the_air(replace(SPEC, model=model)) as air:
        sighting = await air.next(lambda e: isinstance(e, Sighting))
        scanner = await air.finder.open(sighting.id)
        air.unit.load(1)
        assert len(await read(scanner)) == sides
        await scanner.close()
        assert air.unit.errors == []


async def test_other_families_are_named_and_not_driven() -> None:
    async with on_the_air(replace(SPEC, model="iX1600")) as air:
        sighting = await air.next(lambda e: isinstance(e, Sighting))
        assert "dialect unproven" in sighting.driven
        with pytest.raises(Unsupported):
            await air.finder.open(sighting.id)


async def test_a_fixed_address_is_called_where_broadcasts_do_not_reach() -> None:
    async with on_the_air(broadcast=("127.0.0.1",), hosts=(WIFI.address,)) as air:
        assert (await air.next(lambda e: isinstance(e, Sighting))).id == ID


async def test_a_wrong_password_is_told_as_such() -> None:
    async with on_the_air(replace(SPEC, wifi=replace(WIFI, password="Sesame1"))) as air:
        await air.next(lambda e: isinstance(e, Sighting))
        with pytest.raises(WrongPassword):
            await air.finder.open(ID)
        scanner = await air.finder.open(ID, password="Sesame1")
        await scanner.close()


async def test_two_gateways_take_turns_and_disturb_nobody() -> None:
    async with on_the_air() as one, door(one.simulation, one.ports, b"\x02other") as two:
        for air in (one, two):
            await air.next(lambda e: isinstance(e, Sighting))
        held = await one.finder.open(ID)
        one.unit.load(3)
        async with aclosing(held.scan(QUICK)) as scan:
            page = await anext(scan)
            for _ in range(3):
                with pytest.raises(Busy, match="holds the scanner"):
                    await two.finder.open(ID)
                await asyncio.sleep(0.5)
            async for _ in page.chunks:
                pass
            async for page in scan:
                async for _ in page.chunks:
                    pass
        assert len(one.unit.delivered) == 6
        await held.close()
        other = await two.finder.open(ID)
        await other.close()
        assert one.unit.errors == []


async def test_a_job_that_somebody_left_behind_is_ended_once_nobody_has_the_unit() -> None:
    async with on_the_air() as air:
        await air.next(lambda e: isinstance(e, Sighting))
        air.session.unfinished = True
        with pytest.raises(Busy):
            await air.finder.open(ID)

        async def opened() -> Any:
            while True:
                try:
                    return await air.finder.open(ID)
                except Busy:
                    await asyncio.sleep(0.2)

        scanner = await asyncio.wait_for(opened(), 10)
        await scanner.close()


async def test_leaving_in_mid_page_ends_the_job_and_the_unit_is_free() -> None:
    async with on_the_air() as air:
        await air.next(lambda e: isinstance(e, Sighting))
        scanner = await air.finder.open(ID)
        air.unit.load(5)

        async def scan() -> None:
            await read(scanner)

        task = asyncio.create_task(scan())
        while not air.unit.delivered:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert air.session.state is State.RESERVED
        await scanner.close()
        assert (air.session.holder, air.session.unfinished, air.unit.errors) == (None, False, [])


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (FaultKind.JAM, PaperFault.JAM),
        (FaultKind.DOUBLE_FEED, PaperFault.DOUBLE_FEED),
        (FaultKind.COVER, PaperFault.COVER_OPEN),
    ],
)
@pytest.mark.parametrize("side", [None, Side.BACK])
async def test_paper_trouble_by_its_name(kind: FaultKind, fault: PaperFault, side: Side | None) -> None:
    async with on_the_air() as air:
        await air.next(lambda e: isinstance(e, Sighting))
        scanner = await air.finder.open(ID)
        air.unit.load(2)
        air.unit.inject(Fault(kind, at_sheet=2, side=side))
        with pytest.raises(PaperError) as raised:
            await read(scanner)
        assert raised.value.kind is fault
        assert air.session.state is State.RESERVED
        await scanner.close()


async def test_an_empty_feeder_says_so() -> None:
    async with on_the_air() as air:
        await air.next(lambda e: isinstance(e, Sighting))
        scanner = await air.finder.open(ID)
        with pytest.raises(PaperError) as raised:
            await read(scanner)
        assert raised.value.kind is PaperFault.EMPTY
        await scanner.close()
        assert air.unit.errors == []


@pytest.mark.parametrize("kind", [FaultKind.TRUNCATED_JPEG, FaultKind.WIFI_DROP, FaultKind.UNPLUG_MID_PAGE])
async def test_a_page_that_breaks_off_is_told_and_nothing_hangs(kind: FaultKind) -> None:
    async with on_the_air() as air:
        await air.next(lambda e: isinstance(e, Sighting))
        scanner = await air.finder.open(ID)
        air.unit.load(1)
        air.unit.inject(Fault(kind))
        with pytest.raises(DriverError):
            async with asyncio.timeout(30):
                await read(scanner)
        await scanner.close()


async def test_a_unit_that_moves_is_sighted_there_and_lost_where_it_was() -> None:
    async with on_the_air() as air:
        await air.next(lambda e: isinstance(e, Sighting))
        scanner = await air.finder.open(ID)
        air.unit.move("127.77.1.2")
        moved = await air.next(lambda e: isinstance(e, Sighting) and e.address == "127.77.1.2")
        assert moved.id == ID
        with pytest.raises(Unreachable):
            async with aclosing(scanner.presses()) as presses, asyncio.timeout(5):
                await anext(presses)
        await scanner.close()
        again = await air.finder.open(ID)
        await again.close()


async def test_a_silent_unit_is_gone_and_comes_back() -> None:
    async with on_the_air() as air:
        await air.next(lambda e: isinstance(e, Sighting))
        scanner = await air.finder.open(ID)
        air.unit.drop_wifi()
        assert (await air.next(lambda e: isinstance(e, Gone))).id == ID
        with pytest.raises(Unreachable):
            async with aclosing(scanner.presses()) as presses, asyncio.timeout(5):
                await anext(presses)
        await scanner.close()
        air.unit.restore_wifi()
        await air.next(lambda e: isinstance(e, Sighting))


async def test_a_press_is_told_once_however_often_the_unit_repeats_it() -> None:
    async with on_the_air() as air:
        await air.next(lambda e: isinstance(e, Sighting))
        scanner = await air.finder.open(ID)
        presses = []

        async def count() -> None:
            async with aclosing(scanner.presses()) as told:
                async for press in told:
                    presses.append(press)

        counting = asyncio.create_task(count())
        air.unit.press()
        await asyncio.sleep(2.5)  # the unit repeats itself for two seconds
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)
        assert [press.seen for press in presses] == [True]
        await scanner.close()


async def test_a_notice_from_another_address_is_none() -> None:
    async with on_the_air() as air:
        await air.next(lambda e: isinstance(e, Sighting))
        scanner = await air.finder.open(ID)
        port = air.session.holder.event_port
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
            liar.bind(("127.77.1.99", 0))
            for _ in range(10):
                liar.sendto(wire.event(), ("127.0.0.1", port))
        async with aclosing(scanner.presses()) as presses:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.5):
                    await anext(presses)
        await scanner.close()


async def test_who_tells_another_s_address_is_not_believed() -> None:
    async with on_the_air() as air:
        await air.next(lambda e: isinstance(e, Sighting))
        port = air.finder._air._calls.getsockname()[1]
        info = wire.Info(
            b"VENS", 4, wire.IPv4Address("127.77.1.50"), 1, 2, bytes(6), "iX500-LIAR01", "ScanSnap iX500",
            wire.IPv4Address(0),
        )  # fmt: skip
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
            liar.bind(("127.77.1.51", 0))
            liar.sendto(info.encode(), ("127.0.0.1", port))
        with pytest.raises(TimeoutError):
            await air.next(lambda e: "LIAR" in e.id, 1.0)


async def test_garbage_on_every_port_changes_nothing() -> None:
    async with on_the_air() as air:
        await air.next(lambda e: isinstance(e, Sighting))
        scanner = await air.finder.open(ID)
        ports = (
            air.finder._air._calls.getsockname()[1],
            air.session.holder.event_port,
            air.ports.advertisement,
            air.ports.discovery,
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((WIFI.address, 0))  # from the unit's own address, even
            for round_ in range(2000):
                garbage = os.urandom(1 + round_ % 700)
                for port in ports:
                    sock.sendto(garbage if round_ % 3 else b"\x00\x00\x00\x30VENS" + garbage, ("127.0.0.1", port))
                if not round_ % 50:
                    await asyncio.sleep(0)
        air.unit.load(1)
        assert len(await read(scanner)) == 2
        await scanner.close()
        assert len(air.finder._known) == 1
        assert air.unit.errors == []


async def test_two_hundred_units_answer_one_call() -> None:
    specs = [
        replace(
            SPEC,
            id=f"unit-{n}",
            serial=n,
            wifi=Wifi(f"127.78.{n // 200}.{1 + n % 200}", f"AK{n:06}", f"00:80:92:00:{n // 256:02x}:{n % 256:02x}"),
        )
        for n in range(200)
    ]
    async with on_the_air(*specs, round_s=4.0) as air:
        seen = set()
        while len(seen) < 200:
            seen.add((await air.next(lambda e: isinstance(e, Sighting))).id)
