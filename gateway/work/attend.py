"""One unit attended: kept open over the best way that works, its presses acted on. One task each.

A registered unit may have several ways; a unit that nobody owns is attended over one way, while a claim names that.
The better way is opened before the other one is let go, so that what cannot be opened costs nothing.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from drivers.ending import to_the_end
from drivers.errors import DriverError, PeerError
from drivers.port import Cause, Press, Scanner
from gateway.core import unit as units
from gateway.core.model import Unit, UnitState
from gateway.work.claim import Claims
from gateway.work.insight import REST_S, WayInSight

SETTLE_S = 1.0  # between the first edge of a stack in the feeder and the hand that lets go of it

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hall:
    """What an attendant needs of the hall.

    `unit`: the registered unit as it is now, None for a claimed way; `ways`: the ways to it that are in sight and may
    be used; `wanted`: whether there is a use for it still; `claimed`: called with a press on a unit that nobody owns,
    returns the hall of whose it is now; `password` of a way; `suspend`: called with a way that its pin does not fit.
    """

    unit: Callable[[], Awaitable[Unit | None]]
    ways: Callable[[Unit | None], list[WayInSight]]
    wanted: Callable[[Unit | None], bool]
    claimed: Callable[[WayInSight, Press], "Awaitable[Hall | None]"]
    password: Callable[[WayInSight], Awaitable[str]]
    suspend: Callable[[Unit, WayInSight], Awaitable[None]]
    scan: Callable[[Unit, Scanner], Awaitable[None]]
    changed: Callable[[Unit | None], None]
    claims: Claims


class Attendant:
    """The task of one unit. `news` has it look again; `scan_now` is as a press."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._unit: Unit | None = None
        self._news = asyncio.Event()
        self._asked = False
        self._next: tuple[WayInSight, Scanner] | None = None
        self.using: WayInSight | None = None

    def news(self) -> None:
        """Tell that a way, the unit or a claim changed."""
        self._news.set()

    def scan_now(self) -> None:
        """Scan as if the button had been pressed."""
        self._asked = True
        self._news.set()

    async def run(self) -> None:
        """Attend until nobody has a use for this unit any more."""
        try:
            while await self._wanted():
                self._next = await self._best()
                if self._next is None:
                    await self._news_within(self._patience_s())
                while self._next is not None:
                    await self._use(*self._next)
        finally:
            if self._next is not None:  # opened, and never used
                await to_the_end(self._next[1].close())

    async def _wanted(self) -> bool:
        self._unit = await self._hall.unit()
        return self._hall.wanted(self._unit)

    def _ways(self) -> list[WayInSight]:
        return sorted((way for way in self._hall.ways(self._unit) if way.usable), key=lambda way: way.rank)

    async def _best(self) -> tuple[WayInSight, Scanner] | None:
        """Open the best way that can be opened, if it is better than the one in use."""
        for way in self._ways():
            if self.using is not None and way.rank >= self.using.rank:
                return None
            if not way.rest_s and (scanner := await self._open(way)) is not None:
                return way, scanner
        return None

    async def _open(self, way: WayInSight) -> Scanner | None:
        if not await self._pin_holds(way):
            return None
        if way.state is UnitState.GONE:
            way.step(units.Event.SIGHTED)
        try:
            scanner = await way.finder.open(way.id, password=await self._hall.password(way))
        except DriverError as error:
            self._failed(way, error, opening=True)
            return None
        kept = False
        try:
            kept = await self._pin_holds(way) and way in self._ways()  # it was told of while we opened it
        finally:
            if not kept:
                await to_the_end(scanner.close())
        if not kept:
            return None
        way.opened(scanner.capabilities)
        return scanner

    async def _pin_holds(self, way: WayInSight) -> bool:
        if self._unit is None:
            return True
        pins = {known.sighting: known.pin for known in self._unit.ways}
        if pins.get(way.id) == way.sighting.fingerprint:
            return True
        await self._hall.suspend(self._unit, way)
        return False

    def _failed(self, way: WayInSight, error: DriverError, *, opening: bool = False) -> None:
        if isinstance(error, PeerError):
            log.warning("%s: %s", way.id, error)
        way.failed(error, opening=opening)
        self._hall.changed(self._unit)

    async def _use(self, way: WayInSight, scanner: Scanner) -> None:
        """Await presses until the unit fails, is not wanted, or a better way was opened; that is `_next` then."""
        self.using, self._next = way, None
        self._hall.changed(self._unit)
        try:
            presses = scanner.presses(eager=lambda: self._hall.claims.wants(way.id), on_paper=self._on_paper)
            async with aclosing(presses):
                await self._listen(way, scanner, presses)
        except DriverError as error:
            self._failed(way, error)
        except Exception:  # the guard of one unit: the next try is after its rest
            log.exception("%s: serving it failed", way.id)
            way.failed(PeerError("An internal error; see the log."), opening=False)
        finally:
            self.using = None
            try:
                await to_the_end(scanner.close())
            finally:
                way.step(units.Event.CLOSED)
                self._hall.changed(self._unit)

    def _on_paper(self) -> bool:
        return self._unit is not None and self._unit.settings.on_paper

    async def _listen(self, way: WayInSight, scanner: Scanner, presses: AsyncGenerator[Press]) -> None:
        coming = asyncio.ensure_future(anext(presses))
        try:
            while True:
                news = asyncio.ensure_future(self._news_within(self._patience_s()))
                await _first(coming, news)
                if not await self._wanted() or way not in self._ways() or not await self._pin_holds(way):
                    return
                if coming.done():
                    await self._pressed(way, scanner, coming.result())
                    coming = asyncio.ensure_future(anext(presses))
                elif self._asked and self._unit is not None:
                    self._asked = False
                    await self._scan(way, self._unit, scanner)
                self._next = await self._best()
                if self._next is not None:
                    return
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    async def _pressed(self, way: WayInSight, scanner: Scanner, press: Press) -> None:
        if self._unit is None:
            self._hall = await self._hall.claimed(way, press) or self._hall  # the claiming press scans nothing
            self._unit = await self._hall.unit()
        elif self._hall.claims.joining(self._unit.id):
            log.info("%s: this press proves another way", way.id)
        elif press.cause is Cause.BUTTON:
            await self._scan(way, self._unit, scanner)
        elif self._unit.settings.on_paper:
            await asyncio.sleep(SETTLE_S)
            await self._scan(way, self._unit, scanner)

    async def _scan(self, way: WayInSight, unit: Unit, scanner: Scanner) -> None:
        """Scan, and show the unit as busy meanwhile; not if it was lost or suspended since the press."""
        if not way.ready:
            return
        way.step(units.Event.PRESS)
        self._hall.changed(unit)
        try:
            await self._hall.scan(unit, scanner)
        finally:
            if way.state is UnitState.BUSY:
                way.step(units.Event.DONE)
            self._hall.changed(unit)

    def _patience_s(self) -> float | None:
        """Return when to look again: a way ends its rest, or a claim may have lapsed."""
        rests = [way.rest_s for way in self._ways() if self.using is None or way.rank < self.using.rank]
        if self._unit is None:
            rests.append(REST_S)
        return min(rests) + 0.01 if rests else None

    async def _news_within(self, patience_s: float | None) -> None:
        try:
            async with asyncio.timeout(patience_s):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()


async def _first(coming: "asyncio.Future[Press]", news: "asyncio.Future[None]") -> None:
    """Wait for either; the news are not waited for any longer then."""
    try:
        await asyncio.wait((coming, news), return_when=asyncio.FIRST_COMPLETED)
    finally:
        news.cancel()
        await asyncio.gather(news, return_exceptions=True)
