"""Who is there, whose is it, and was Scan pressed. One task per way that is worth polling.

A sighting is held against the units' pins (the address is never the identity). Owned units are kept open and their
presses awaited; units that nobody owns are opened only while a claim names them.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from drivers.errors import Busy, DriverError, Unreachable
from drivers.port import Capabilities, Cause, Finder, Gone, Press, Scanner, Sighting
from gateway.core import unit as units
from gateway.core.model import AccountId, Unit, UnitId, UnitState
from gateway.store.store import Store
from gateway.work.claim import OWNED, Claim, Claims
from gateway.work.hub import Hub
from gateway.work.lasting import lasting
from gateway.work.outcomes import Denied

SETTLE_S = 1.0  # between the first edge of a stack in the feeder and the hand that lets go of it
REOPEN_S = 2.0  # after a unit was busy or silent: soon enough for a person, rare enough for the unit
NOT_THERE = Denied("unit_not_found", "No such unit is in sight.", 404)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A unit in sight, as the pages list it."""

    sighting_id: str
    model: str
    via: str
    address: str
    state: UnitState
    owner: AccountId | None
    unit: UnitId | None
    note: str


@dataclass(slots=True)
class _Way:
    """One way in sight and what is being done with it."""

    sighting: Sighting
    finder: Finder
    state: UnitState = UnitState.SEEN
    note: str = ""
    able: Capabilities | None = None
    task: asyncio.Task[None] | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)


Scan = Callable[[Unit, Scanner], Awaitable[None]]
Register = Callable[[Sighting], Awaitable[Unit | None]]


class Watch:
    """The hall: every way in sight, until the daemon stops."""

    def __init__(
        self,
        *,
        finders: Sequence[Finder],
        store: Store,
        claims: Claims,
        hub: Hub,
        scan: Scan,
        register: Register,
    ) -> None:
        self._finders = finders
        self._store = store
        self._claims = claims
        self._hub = hub
        self._scan = scan
        self._register = register
        self._ways: dict[str, _Way] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Watch all finders until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for finder in self._finders:
                what = f"finder {type(finder).__name__}"
                group.create_task(lasting(what, partial(self._find, finder)), name=what)

    async def _find(self, finder: Finder) -> None:
        async with aclosing(finder.sightings()) as sightings:
            async for event in sightings:
                if isinstance(event, Gone):
                    await self._lost(event.id)
                else:
                    await self._sighted(event, finder)

    async def _sighted(self, sighting: Sighting, finder: Finder) -> None:
        way = self._ways.get(sighting.id)
        if way is None:
            way = self._ways[sighting.id] = _Way(sighting, finder)
        else:
            way.sighting = sighting
            way.state = units.step(way.state, units.Event.SIGHTED) if way.state is not UnitState.READY else way.state
        unit = await self._owner(sighting) or await self._register(sighting)
        log.info("sighted %s at %s%s", sighting.id, sighting.address, "" if unit else ", nobody's")
        if unit is not None:
            self._attend(way)
        self._changed(unit)

    async def _owner(self, sighting: Sighting) -> Unit | None:
        return await self._store.units.by_sighting(sighting.id)

    async def _lost(self, sighting_id: str) -> None:
        way = self._ways.get(sighting_id)
        if way is None:
            return
        way.state, way.note = units.step(way.state, units.Event.LOST), ""
        if way.task is not None:
            way.task.cancel()
        unit = await self._owner(way.sighting)
        if unit is None:
            del self._ways[sighting_id]
        log.info("lost %s", sighting_id)
        self._changed(unit)

    def _attend(self, way: _Way) -> None:
        if self._group is not None and (way.task is None or way.task.done()):
            what = f"unit {way.sighting.id}"
            way.task = self._group.create_task(lasting(what, partial(self._serve, way)), name=what)

    async def _serve(self, way: _Way) -> None:
        """Keep one way open while it is owned or claimed, and act on its presses."""
        while way.state is not UnitState.GONE:
            try:
                if not await self._serve_once(way):
                    return
            except Busy as error:
                way.note = str(error)
            except Unreachable as error:
                way.state, way.note = units.step(way.state, units.Event.LOST), str(error)
            except DriverError as error:
                log.warning("%s: %s", way.sighting.id, error)
                way.note = str(error)
            except Exception:
                log.exception("%s: serving it failed", way.sighting.id)
                way.note = "An internal error; see the log."
            self._changed(await self._owner(way.sighting))
            await asyncio.sleep(REOPEN_S)
            if way.state is UnitState.GONE and way.sighting.id in self._ways:
                way.state = units.step(way.state, units.Event.SIGHTED)

    async def _serve_once(self, way: _Way) -> bool:
        """Open, poll, scan; False when nobody has a use for this way any more."""
        sighting = way.sighting
        unit = await self._owner(sighting)
        if unit is not None and not self._pin_holds(way, unit):
            return False
        scanner = await way.finder.open(sighting.id)
        way.state, way.note, way.able = UnitState.READY, "", scanner.capabilities
        self._changed(unit)
        try:
            presses = scanner.presses(eager=lambda: self._claims.wants(sighting.id))
            async with aclosing(presses):
                return await self._heed(way, unit, scanner, presses)
        finally:
            await scanner.close()

    def _pin_holds(self, way: _Way, unit: Unit) -> bool:
        pins = {w.sighting: w.pin for w in unit.ways}
        if pins.get(way.sighting.id) == way.sighting.fingerprint:
            return True
        way.state = units.step(way.state, units.Event.PIN_MISMATCH)
        way.note = "It answers differently from the unit you registered, so it is not used."
        log.warning("%s: the pin of unit %s does not match", way.sighting.id, unit.id)
        self._changed(unit)
        return False

    async def _heed(self, way: _Way, unit: Unit | None, scanner: Scanner, presses: AsyncGenerator[Press]) -> bool:
        coming = asyncio.ensure_future(anext(presses))
        asked = asyncio.ensure_future(way.asked.wait())
        try:
            while True:
                patience_s = REOPEN_S if unit is None else None  # a claim may lapse; a unit's removal is told
                await asyncio.wait({coming, asked}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
                unit = await self._owner(way.sighting)
                if coming.done():
                    await self._pressed(way, unit, scanner, coming.result())
                    coming = asyncio.ensure_future(anext(presses))
                elif unit is None and not self._claims.wants(way.sighting.id):
                    return False
                elif asked.done():
                    way.asked.clear()
                    asked = asyncio.ensure_future(way.asked.wait())
                    if unit is not None:
                        await self._scan_now(way, unit, scanner)
        finally:
            for task in (coming, asked):
                task.cancel()
            await asyncio.gather(coming, asked, return_exceptions=True)

    async def _pressed(self, way: _Way, unit: Unit | None, scanner: Scanner, press: Press) -> None:
        if unit is None:
            await self._claims.press(way.sighting)  # the claiming press scans nothing
            self._hub.tell_all("units")
        elif press.cause is Cause.BUTTON:
            await self._scan_now(way, unit, scanner)
        elif unit.settings.on_paper:
            await asyncio.sleep(SETTLE_S)
            await self._scan_now(way, unit, scanner)

    async def _scan_now(self, way: _Way, unit: Unit, scanner: Scanner) -> None:
        """Scan on one open unit and show it as busy meanwhile."""
        way.state = units.step(way.state, units.Event.PRESS)
        self._changed(unit)
        try:
            await self._scan(unit, scanner)
        finally:
            if way.state is UnitState.BUSY:
                way.state = units.step(way.state, units.Event.DONE)
            self._changed(unit)

    def claim(self, account: AccountId, sighting_id: str) -> Claim | Denied:
        """Open a claim on a unit in sight and start polling it."""
        way = self._ways.get(sighting_id)
        if way is None or way.state is UnitState.GONE:
            return NOT_THERE
        if way.sighting.driven:
            return Denied("unit_not_driven", way.sighting.driven, 409)
        if way.task is not None and not way.task.done() and not self._claims.wants(sighting_id):
            return OWNED
        claim = self._claims.open(account, way.sighting)
        if isinstance(claim, Claim):
            self._attend(way)
        return claim

    async def scan_now(self, account: AccountId, unit_id: UnitId) -> Denied | None:
        """Scan as if the button of one of the account's units had been pressed."""
        unit = await self._store.units.get(unit_id)
        if unit is None or unit.owner != account:
            return NOT_THERE
        for known in unit.ways:
            way = self._ways.get(known.sighting)
            if way is not None and way.state is UnitState.READY:
                way.asked.set()
                return None
        state, note = self.state(unit)
        return Denied("unit_not_ready", note or f"The unit is not ready: it is {state}.", 409)

    def removed(self, unit: Unit) -> None:
        """Let go of a unit that is nobody's any more."""
        for known in unit.ways:
            way = self._ways.get(known.sighting)
            if way is not None:
                way.asked.set()

    async def listing(self) -> tuple[Found, ...]:
        """Return every unit in sight with its owner."""
        found = []
        for way in tuple(self._ways.values()):
            unit = await self._owner(way.sighting)
            s = way.sighting
            found.append(
                Found(
                    sighting_id=s.id,
                    model=s.model,
                    via=s.via,
                    address=s.address,
                    state=way.state,
                    owner=unit.owner if unit else None,
                    unit=unit.id if unit else None,
                    note=way.note or s.driven,
                )
            )
        return tuple(found)

    def state(self, unit: Unit) -> tuple[UnitState, str]:
        """Return the state of a registered unit over its best way, and a note for its owner."""
        for known in unit.ways:
            way = self._ways.get(known.sighting)
            if way is not None:
                return way.state, way.note
        return UnitState.UNSEEN, ""

    def able(self, unit: Unit) -> Capabilities | None:
        """Return what a registered unit can do; None before it was open for the first time."""
        found = (self._ways.get(known.sighting) for known in unit.ways)
        return next((way.able for way in found if way is not None and way.able is not None), None)

    def _changed(self, unit: Unit | None) -> None:
        if unit is None:
            self._hub.tell_all("units")
        else:
            self._hub.tell(unit.owner, "units")
