"""Our eSCL driver scans from our eSCL simulator, which sane-airscan scans from, too (tests/conformance)."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from zeroconf.asyncio import AsyncZeroconf

from drivers.errors import PaperError, PaperFault, Refused, Unreachable, Unsupported
from drivers.escl.finder import EsclFinder
from drivers.port import Cause, Colour, Gone, Profile, Side, Sighting
from simulator import Fleet, running
from simulator.escl.quirks import Location, Quirks
from simulator.faults import Fault, FaultKind
from simulator.fleet import Escl, UnitSpec

QUICK = Profile(resolution_dpi=75)


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def seen(escl: Escl, **options: Any) -> AsyncIterator[tuple[Any, Any, EsclFinder, Sighting, Any]]:
    """Run one unit and find it at its fixed address."""
    spec = UnitSpec("office", "iX500", 7, feed_s=0.02, usb=False, escl=escl)
    async with running(Fleet((spec,))) as simulation:
        server, unit = simulation.escl["office"], simulation.unit("office")
        for name, value in options.items():
            setattr(server, name, value)
        finder = EsclFinder(now=now, zeroconf=None, hosts=(server.url,))
        async with aclosing(finder.sightings()) as sightings:
            sighting = await anext(sightings)
            assert isinstance(sighting, Sighting)
            yield unit, server, finder, sighting, sightings
        assert unit.errors == []


async def read(scanner: Any, profile: Profile = QUICK) -> list[tuple[int, Side, str]]:
    pages = []
    async with aclosing(scanner.scan(profile)) as scan:
        async for page in scan:
            digest = hashlib.sha256()
            async for chunk in page.chunks:
                digest.update(chunk)
            assert page.end().width_px > 0
            pages.append((page.number, page.side, digest.hexdigest()))
    return pages


def sent(unit: Any) -> list[str]:
    return [delivered.sha256 for delivered in unit.delivered]


@pytest.mark.parametrize("tls", [False, True])
async def test_a_duplex_batch_arrives_byte_for_byte_front_before_back(tls: bool) -> None:
    async with seen(Escl(tls=tls, serial="AK7CC00700")) as (unit, server, finder, sighting, _):
        assert (sighting.via, sighting.serial, sighting.driven) == ("escl", "AK7CC00700", "")
        assert sighting.fingerprint.endswith("/plain") is not tls
        unit.load(3)
        scanner = await finder.open(sighting.id)
        assert scanner.capabilities.duplex
        pages = await read(scanner)
        assert [(number, side.value) for number, side, _ in pages] == [
            (1, "front"),
            (1, "back"),
            (2, "front"),
            (2, "back"),
            (3, "front"),
            (3, "back"),
        ]
        assert [digest for _, _, digest in pages] == sent(unit)
        assert any(line.startswith("DELETE") for line in server.requests)
        await scanner.close()


async def test_the_glass_is_scanned_where_the_feeder_is_empty() -> None:
    async with seen(Escl(platen=True)) as (unit, _, finder, sighting, _s):
        unit.put_on_glass()
        scanner = await finder.open(sighting.id)
        pages = await read(scanner, replace(QUICK, colour=Colour.GRAY))
        assert [(number, side) for number, side, _ in pages] == [(1, Side.FRONT)]
        assert [digest for *_, digest in pages] == sent(unit)
        await scanner.close()


async def test_an_empty_feeder_says_so() -> None:
    async with seen(Escl()) as (unit, _server, finder, sighting, _s):
        scanner = await finder.open(sighting.id)
        with pytest.raises(PaperError) as raised:
            await read(scanner)
        assert raised.value.kind is PaperFault.EMPTY
        unit.load(1)
        with pytest.raises(Unsupported):
            await read(scanner, replace(QUICK, resolution_dpi=1200))
        await scanner.close()


@pytest.mark.parametrize(
    "quirks",
    [
        Quirks(location=Location.RELATIVE),
        Quirks(location=Location.FOREIGN),
        Quirks(end=409),
        Quirks(end=410),
        Quirks(retry_after_s=1),
        Quirks(chunked=True),
        Quirks(prefixes=("p", "s")),
        Quirks(resolution_range=True),
        Quirks(blocking=True),
    ],
)
async def test_makers_oddities_change_nothing(quirks: Quirks) -> None:
    async with seen(Escl(duplex=False), quirks=quirks) as (unit, _, finder, sighting, _s):
        unit.load(2)
        scanner = await finder.open(sighting.id)
        assert [digest for *_, digest in await read(scanner)] == sent(unit)
        assert len(sent(unit)) == 2
        await scanner.close()


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (FaultKind.JAM, PaperFault.JAM),
        (FaultKind.DOUBLE_FEED, PaperFault.DOUBLE_FEED),
        (FaultKind.COVER, PaperFault.COVER_OPEN),
    ],
)
async def test_trouble_with_the_second_sheet_leaves_the_first(kind: FaultKind, fault: PaperFault) -> None:
    async with seen(Escl()) as (unit, _, finder, sighting, _s):
        unit.load(2)
        unit.inject(Fault(kind, at_sheet=2))
        scanner = await finder.open(sighting.id)
        pages = []
        with pytest.raises(PaperError) as raised:
            async with aclosing(scanner.scan(QUICK)) as scan:
                async for page in scan:
                    async for _ in page.chunks:
                        pass
                    pages.append(page)
        assert (len(pages), raised.value.kind) == (2, fault)
        await scanner.close()


async def test_a_connection_that_breaks_off_in_mid_page_is_told_and_the_job_is_ended() -> None:
    async with seen(Escl()) as (unit, server, finder, sighting, _):
        unit.load(1)
        unit.inject(Fault(FaultKind.STALL))
        scanner = await finder.open(sighting.id)
        with pytest.raises(Unreachable):
            await read(scanner)
        assert any(line.startswith("DELETE") for line in server.requests)
        await scanner.close()


async def test_leaving_in_mid_batch_ends_the_job() -> None:
    async with seen(Escl()) as (unit, server, finder, sighting, _):
        unit.load(5)
        scanner = await finder.open(sighting.id)
        async with aclosing(scanner.scan(QUICK)) as scan:
            page = await anext(scan)
            await anext(page.chunks)
        assert any(line.startswith("DELETE") for line in server.requests)
        await scanner.close()


async def test_paper_put_into_the_empty_feeder_is_a_press() -> None:
    async with seen(Escl()) as (unit, _, finder, sighting, _s):
        scanner = await finder.open(sighting.id)
        async with aclosing(scanner.presses(eager=lambda: True)) as presses:
            coming = asyncio.ensure_future(anext(presses))
            while not scanner._empty:
                await asyncio.sleep(0.05)
            unit.load(1)
            press = await asyncio.wait_for(coming, 10)
        assert (press.cause, press.seen) == (Cause.PAPER, True)
        await scanner.close()


async def test_another_key_gets_no_request_and_is_sighted_as_such() -> None:
    async with seen(Escl(tls=True)) as (_, server, finder, sighting, sightings):
        await server.renew_certificate()
        before = list(server.requests)
        with pytest.raises(Refused):
            await finder.open(sighting.id)
        assert list(server.requests) == before
        for place in finder._places.values():
            place.due_s = 0
        changed = await asyncio.wait_for(anext(sightings), 15)
        assert changed.id == sighting.id
        assert changed.fingerprint != sighting.fingerprint


async def test_a_unit_is_found_by_mdns_and_its_end_is_told() -> None:
    name = f"Test {uuid.uuid4().hex[:8]}"
    spec = UnitSpec("office", "iX500", 7, usb=False, escl=Escl(make_and_model=name, announced=True))
    zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"])
    finder = EsclFinder(now=now, zeroconf=zeroconf)
    try:
        async with running(Fleet((spec,))) as simulation, aclosing(finder.sightings()) as sightings:
            async with asyncio.timeout(30):
                async for event in sightings:
                    if isinstance(event, Sighting) and event.model == name:
                        break
                simulation.unit("office").power_off()  # it says no good-bye: nobody does whose power goes
                for place in finder._places.values():
                    place.due_s = 0
                async for event in sightings:
                    if isinstance(event, Gone):
                        break
    finally:
        await zeroconf.async_close()
