"""Who is there, and whose is it. One attendant per unit that is worth one.

A sighting is held against the units' pins (the address is never the identity). Owned units are kept open and their
presses awaited; units that nobody owns are opened only while a claim names them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from drivers.port import Finder, Gone, Press, Scanner, Sighting
from gateway.clock import Clock
from gateway.core import unit as units
from gateway.core.model import AccountId, Deadline, Unit, UnitId, UnitState
from gateway.store.store import Store
from gateway.vault.device import DeviceKey
from gateway.work.attend import Attendant, Hall
from gateway.work.claim import OWNED, Claim, Claims
from gateway.work.hub import Hub
from gateway.work.insight import WayInSight
from gateway.work.lasting import lasting
from gateway.work.outcomes import Denied
from gateway.work.record import entry
from gateway.work.sights import Sights

LATE_S = 5.0
NOT_THERE = Denied("unit_not_found", "No such unit is in sight.", 404)
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Attended:
    """An attendant, its task, and under which key it is known: its unit, or the way that is claimed."""

    key: str
    attendant: Attendant
    task: asyncio.Task[None] = field(init=False)


Scan = Callable[[Unit, Scanner], Awaitable[None]]
Register = Callable[[Sighting], Awaitable[Unit | None]]


class Watch:
    """The hall: every way in sight, until the daemon stops."""

    def __init__(
        self,
        *,
        clock: Clock,
        finders: Sequence[Finder],
        store: Store,
        sights: Sights,
        device: DeviceKey,
        claims: Claims,
        hub: Hub,
        scan: Scan,
        register: Register | None,
    ) -> None:
        self._clock = clock
        self._finders = finders
        self._store = store
        self._sights = sights
        self._device = device
        self._claims = claims
        self._hub = hub
        self._scan = scan
        self._register = register
        self._attended: dict[str, _Attended] = {}  # by the unit, or by the way that is claimed
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Watch all finders until cancelled."""
        self._attended.clear()
        async with asyncio.TaskGroup() as group:
            self._group = group
            for finder in self._finders:
                what = f"finder {type(finder).__name__}"
                group.create_task(lasting(what, partial(self._find, finder)), name=what)
            if self._register is not None:
                group.create_task(lasting("registering", self._register_late), name="registering")

    async def _find(self, finder: Finder) -> None:
        async with aclosing(finder.sightings()) as sightings:
            async for event in sightings:
                if isinstance(event, Gone):
                    await self._lose(event.id)
                else:
                    await self._sight(event, finder)

    async def _sight(self, sighting: Sighting, finder: Finder) -> None:
        self._sights.see(sighting, finder)
        unit = await self._store.units.by_sighting(sighting.id)
        if unit is None and self._register is not None:
            unit = await self._register(sighting)
        log.info("sighted %s at %s%s", sighting.id, sighting.address, "" if unit else ", nobody's")
        if unit is not None:
            self._attend(unit)
        self._changed(unit)

    async def _register_late(self) -> None:
        """Register what was in sight before its owner had an account."""
        while self._register is not None:
            await asyncio.sleep(LATE_S)
            for found in await self._sights.listing():
                way = self._sights.way(found.sighting_id)
                if found.owner is None and way is not None and (unit := await self._register(way.sighting)):
                    self._attend(unit)
                    self._changed(unit)

    async def _lose(self, sighting_id: str) -> None:
        unit = await self._store.units.by_sighting(sighting_id)
        self._sights.lose(sighting_id, forget=unit is None)
        self._tell(sighting_id if unit is None else unit.id)
        log.info("lost %s", sighting_id)
        self._changed(unit)

    # --- attendants

    def _attend(self, unit: Unit) -> None:
        """Have a unit attended; an attendant that is there already looks again."""
        self._serve(unit.id, self._hall_of(unit.id))

    def _hall_of(self, unit: UnitId) -> Hall:
        async def fresh() -> Unit | None:
            return await self._store.units.get(unit)

        return self._hall(fresh, self._sights.usable, lambda it: it is not None)

    def _attend_claimed(self, sighting_id: str) -> None:
        async def nobodys() -> None:
            return None

        def only(_unit: Unit | None) -> list[WayInSight]:
            way = self._sights.way(sighting_id)
            return [way] if way is not None else []

        self._serve(sighting_id, self._hall(nobodys, only, lambda _: self._claims.wants(sighting_id)))

    def _hall(
        self,
        unit: Callable[[], Awaitable[Unit | None]],
        ways: Callable[[Unit | None], list[WayInSight]],
        wanted: Callable[[Unit | None], bool],
    ) -> Hall:
        return Hall(
            unit=unit,
            ways=ways,
            wanted=wanted,
            claimed=self._claimed,
            password=self._password,
            suspend=self._suspend,
            scan=self._scan,
            changed=self._changed,
            claims=self._claims,
        )

    def _serve(self, key: str, hall: Hall) -> None:
        if key in self._attended or self._group is None:
            self._tell(key)
            return
        attended = self._attended[key] = _Attended(key, Attendant(hall))
        attended.task = self._group.create_task(self._attending(attended), name=f"unit {key}")

    async def _attending(self, attended: _Attended) -> None:
        await lasting(f"unit {attended.key}", attended.attendant.run)
        del self._attended[attended.key]
        unit = await self._store.units.by_sighting(attended.key)
        if unit is not None:  # another way to a unit was proved: its own attendant has it now
            self._attend(unit)
        self._changed(unit)

    async def _claimed(self, way: WayInSight, press: Press) -> Hall | None:
        """Take a press on a claimed way; a unit that is new goes on with the connection that it has."""
        unit = await self._claims.press(way.sighting, press)
        if unit is None or unit.id in self._attended:
            return None
        attended = self._attended.pop(way.id)
        attended.key = unit.id
        self._attended[unit.id] = attended
        return self._hall_of(unit.id)

    def _tell(self, key: str) -> None:
        if key in self._attended:
            self._attended[key].attendant.news()

    async def _password(self, way: WayInSight) -> str:
        if not way.sighting.default_password:
            return ""  # it asks for none
        unit = await self._store.units.by_sighting(way.id)
        sealed = await self._store.units.password(way.id)
        if unit is None or sealed is None:
            return self._claims.password(way.id)
        return self._device.unseal(sealed, table="ways", column="password", account=unit.owner).decode()

    async def _suspend(self, unit: Unit, way: WayInSight) -> None:
        if way.state is UnitState.SUSPENDED:
            return
        way.mistaken()
        log.warning("%s: the pin of unit %s does not match", way.id, unit.id)
        reason = f"{way.id} shows {way.sighting.fingerprint}"
        await self._store.audit.append(
            entry(self._clock.now(), unit.owner, "", "unit_suspended", outcome="refused", reason=reason)
        )
        self._changed(unit)

    # --- what accounts ask

    async def claim(
        self, account: AccountId, sighting_id: str, *, password: str = "", join: UnitId | None = None
    ) -> Claim | Denied:
        """Open a claim on a unit in sight and start looking at it. `join`: see Claim."""
        way = self._sights.way(sighting_id)
        if way is None:
            return NOT_THERE
        if way.sighting.driven:
            return Denied("unit_not_driven", way.sighting.driven, 409)
        if await self._store.units.by_sighting(sighting_id) is not None:
            return OWNED
        claim = self._claims.open(account, way.sighting, password=password, join=join)
        if isinstance(claim, Claim):
            way.wake()
            self._attend_claimed(sighting_id)
        return claim

    async def scan_now(self, account: AccountId, unit_id: UnitId) -> Denied | None:
        """Scan as if the button of one of the account's units had been pressed."""
        unit = await self._store.units.get(unit_id)
        if unit is None or unit.owner != account:
            return NOT_THERE
        attended = self._attended.get(unit_id)
        using = attended.attendant.using if attended is not None else None
        if attended is not None and using is not None and using.state is UnitState.READY:
            attended.attendant.scan_now()
            return None
        state, note = self._sights.state(unit)
        return Denied("unit_not_ready", note or f"The unit is not ready: it is {state}.", 409)

    def lend(self, unit: Unit, until: Deadline | None) -> None:
        """Let go of a unit until then, so that another app can have it; None takes it back."""
        self._sights.lend(unit.id, until)
        if until is not None:
            left_s = (until.utc - self._clock.now().utc).total_seconds()
            asyncio.get_running_loop().call_later(left_s, self.look_again, unit)
        self.look_again(unit)

    def trust(self, unit: Unit, sighting_id: str) -> None:
        """Take up a suspended way again; its new pin is in the unit's row."""
        way = self._sights.way(sighting_id)
        if way is not None and way.state is UnitState.SUSPENDED:
            way.step(units.Event.OWNER)
            way.note = ""
        self.look_again(unit)

    def look_again(self, unit: Unit) -> None:
        """Try a unit at once: its owner changed something, or it is nobody's any more."""
        for way in self._sights.of(unit):
            way.wake()
        self._tell(unit.id)
        self._changed(unit)

    def using(self, unit: Unit) -> WayInSight | None:
        """Return the way over which a unit is open now."""
        attended = self._attended.get(unit.id)
        return attended.attendant.using if attended is not None else None

    def _changed(self, unit: Unit | None) -> None:
        if unit is None:
            self._hub.tell_all("units")
        else:
            self._hub.tell(unit.owner, "units")
