"""Finds eSCL services by mDNS and at fixed addresses, asks each who it is, opens them over their pinned key."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from zeroconf.asyncio import AsyncZeroconf

from drivers.errors import DriverError, Refused, Unreachable, Unsupported
from drivers.escl.browse import Browser
from drivers.escl.link import PLAIN, Link, key_of
from drivers.escl.scanner import EsclScanner
from drivers.escl.wire import About
from drivers.port import Gone, Sighting

log = logging.getLogger(__name__)

_ROUND_S = 5.0
_ABSENT_S = 10.0  # how often a fixed address that does not answer is tried
_PRESENT_S = 30.0  # how often one that answered is asked again whether it is still the same
_MISSES = 2
_AT_ONCE = 8
_NO_USE = "It has no feeder and no platen that gives JPEG pages, so it cannot be scanned from"
_PRESENCE = "It announces itself, but not a protocol that is driven: switch on eSCL (AirScan) at the scanner"


@dataclass(slots=True)
class _Place:
    """One base address that may be a scanner: what it told, and when it is to be asked again."""

    base: str
    announced: bool
    sighting: Sighting | None = None
    misses: int = 0
    due_s: float = 0.0


class EsclFinder:
    """The door of the eSCL family.

    `now`: an aware UTC clock; `zeroconf` None: no mDNS; `hosts`: "192.168.1.30", "host:port" or a base URL.
    """

    def __init__(
        self, *, now: Callable[[], datetime], zeroconf: AsyncZeroconf | None, hosts: Sequence[str] = ()
    ) -> None:
        self._now = now
        self._zeroconf = zeroconf
        self._places = {base: _Place(base, announced=False) for host in hosts for base in _bases(host)}
        self._present: dict[str, Sighting] = {}
        self._news = asyncio.Event()

    async def sightings(self) -> AsyncGenerator[Sighting | Gone]:
        """Yield each scanner when it appears, moves or shows another key, and when it goes."""
        self._present.clear()  # begun again, everything is told anew
        browser = Browser(self._zeroconf, self._news.set) if self._zeroconf is not None else None
        if browser is not None:
            await browser.start()
        try:
            while True:
                self._news.clear()
                self._follow(browser)
                await self._ask_those_due()
                for event in self._changes(browser):
                    yield event
                await self._pause()
        finally:
            if browser is not None:
                await browser.close()

    async def open(self, sighting_id: str, *, password: str = "") -> EsclScanner:
        """Connect to a scanner over the key that its sighting told. eSCL has no password.

        Unreachable, Refused for another key or another scanner, Unsupported for what is not driven.
        """
        sighting = self._present.get(sighting_id)
        place = self._best().get(sighting_id)
        if sighting is None or place is None:
            raise Unreachable("The scanner is not there: switch it on, and check that it is in the network")
        if sighting.driven:
            raise Unsupported(sighting.driven)
        link = await Link.pinned(place.base, sighting.fingerprint.rpartition("/")[2])
        try:
            about = await link.about()
            if _id(about, place.base) != sighting_id:
                raise Refused("Another scanner answers where this one was")
        except BaseException:
            await link.close()
            raise
        return EsclScanner(id=sighting_id, link=link, about=about, now=self._now)

    # --- asking

    def _follow(self, browser: Browser | None) -> None:
        """Take over what mDNS tells."""
        announced = {service.base for service in browser.services.values() if service.base} if browser else set()
        for base in announced - set(self._places):
            self._places[base] = _Place(base, announced=True)
        for base in [b for b, place in self._places.items() if place.announced and b not in announced]:
            del self._places[base]

    async def _ask_those_due(self) -> None:
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(place: _Place) -> None:
            async with limit:
                await self._ask(place)

        now_s = time.monotonic()
        await asyncio.gather(*(one(place) for place in self._places.values() if place.due_s <= now_s))

    async def _ask(self, place: _Place) -> None:
        try:
            place.sighting = await self._told(place.base)
        except DriverError as error:
            place.misses += 1
            if place.sighting is None and place.misses == 1:
                log.info("%s: %s", place.base, error)
            if place.misses >= _MISSES:
                place.sighting = None
            place.due_s = time.monotonic() + _ABSENT_S
        else:
            place.misses, place.due_s = 0, time.monotonic() + _PRESENT_S

    async def _told(self, base: str) -> Sighting:
        """Ask a place who is there, over the key that it shows."""
        key = await key_of(base)
        link = Link(base, key)
        try:
            about = await link.about()
        finally:
            await link.close()
        return Sighting(
            id=_id(about, base),
            model=about.make_and_model or "eSCL scanner",
            via="escl",
            address=urlsplit(base).netloc,
            fingerprint=f"{about.identity}/{key.spki if key is not None else PLAIN}",
            seen_at=self._now(),
            driven="" if about.feeder or about.platen else _NO_USE,
            has_button=False,
            serial=about.serial,
        )

    # --- telling

    def _best(self) -> dict[str, _Place]:
        """Return the place of each scanner that answers, TLS before plain."""
        places = [place for place in self._places.values() if place.sighting is not None]
        places.sort(key=lambda place: place.base.startswith("https:"))
        return {place.sighting.id: place for place in places if place.sighting is not None}

    def _changes(self, browser: Browser | None) -> list[Sighting | Gone]:
        wanted = {id_: place.sighting for id_, place in self._best().items() if place.sighting is not None}
        wanted |= {} if browser is None else self._presences(browser, wanted)
        events: list[Sighting | Gone] = [Gone(id_) for id_ in self._present if id_ not in wanted]
        for id_, sighting in wanted.items():
            before = self._present.get(id_)
            if before is None or replace(before, seen_at=sighting.seen_at) != sighting:
                events.append(sighting)
        self._present = wanted
        return events

    def _presences(self, browser: Browser, wanted: dict[str, Sighting]) -> dict[str, Sighting]:
        hosts = {sighting.address.partition(":")[0] for sighting in wanted.values()}
        return {
            f"mdns:{service.name}": Sighting(
                id=f"mdns:{service.name}",
                model=service.name,
                via="escl",
                address=service.host,
                fingerprint="",
                seen_at=self._now(),
                driven=_PRESENCE,
                has_button=False,
            )
            for service in browser.services.values()
            if not service.base and service.host not in hosts
        }

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_ROUND_S):
                await self._news.wait()
        except TimeoutError:
            return


def _id(about: About, base: str) -> str:
    return f"escl:{about.identity or urlsplit(base).netloc}"


def _bases(host: str) -> tuple[str, ...]:
    """Return where a fixed address may have its service."""
    if host.startswith(("http://", "https://")):
        return (host.rstrip("/"),)
    return f"https://{host}/eSCL", f"http://{host}/eSCL"
