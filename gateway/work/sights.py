"""Every way in sight, and what it says of the units: their state, what they can do, what is lent. Memory only."""

from dataclasses import dataclass

from drivers.port import Capabilities, Finder, Sighting
from gateway.clock import Clock
from gateway.core.model import AccountId, Deadline, Unit, UnitId, UnitState
from gateway.store.store import Store
from gateway.work.insight import WayInSight

LENT = "Another app may use it until its time is over, or you take it back."
# Which of several ways speaks for the unit: the first of these states that one of them is in.
_SPEAKS = (UnitState.BUSY, UnitState.READY, UnitState.SUSPENDED, UnitState.SEEN, UnitState.GONE)


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
    serial: str = ""
    can_scan: bool = True
    default_password: str = ""
    asks_password: bool = False


class Sights:
    """The ways that finders told of. Who serves them: work.watch."""

    def __init__(self, *, clock: Clock, store: Store) -> None:
        self._clock = clock
        self._store = store
        self._ways: dict[str, WayInSight] = {}
        self._lent: dict[UnitId, Deadline] = {}

    def see(self, sighting: Sighting, finder: Finder) -> None:
        """Take a sighting, new or again."""
        way = self._ways.get(sighting.id)
        if way is None:
            self._ways[sighting.id] = WayInSight(sighting, finder)
        else:
            way.seen(sighting)

    def lose(self, sighting_id: str, *, forget: bool) -> None:
        """Note that a finder does not see a way any more; `forget` it where nobody owns it."""
        way = self._ways.get(sighting_id)
        if way is not None:
            way.lost()
        if forget:
            self._ways.pop(sighting_id, None)

    def way(self, sighting_id: str) -> WayInSight | None:
        """Return a way in sight."""
        way = self._ways.get(sighting_id)
        return way if way is not None and way.listed else None

    def of(self, unit: Unit) -> list[WayInSight]:
        """Return the ways of a registered unit that are in sight, or were."""
        return [self._ways[known.sighting] for known in unit.ways if known.sighting in self._ways]

    def usable(self, unit: Unit | None) -> list[WayInSight]:
        """Return the ways to a unit that may be used now: none while it is lent."""
        return self.of(unit) if unit is not None and self.lent_until(unit.id) is None else []

    def lend(self, unit: UnitId, until: Deadline | None) -> None:
        """Note until when a unit is lent; None: it is not."""
        if until is None:
            self._lent.pop(unit, None)
        else:
            self._lent[unit] = until

    def lent_until(self, unit: UnitId) -> Deadline | None:
        """Return until when a unit is lent; None if it is ours."""
        until = self._lent.get(unit)
        return until if until is not None and not until.passed(self._clock.now()) else None

    async def listing(self) -> tuple[Found, ...]:
        """Return every unit in sight with its owner. What is only named hides behind what can be driven there."""
        owners = {known.sighting: unit for unit in await self._store.units.all() for known in unit.ways}
        driven = {_host(way.sighting) for way in self._ways.values() if way.sighting.via != "snmp"}
        shown = [w for w in self._ways.values() if w.sighting.via != "snmp" or _host(w.sighting) not in driven]
        return tuple(_found(way, owners.get(way.id)) for way in shown)

    def state(self, unit: Unit) -> tuple[UnitState, str]:
        """Return the state of a registered unit, and a note for its owner."""
        if self.lent_until(unit.id) is not None:
            return UnitState.LENT, LENT
        ways = sorted(self.of(unit), key=lambda way: (_SPEAKS.index(way.state), way.rank))
        return (ways[0].state, ways[0].note) if ways else (UnitState.UNSEEN, "")

    def able(self, unit: Unit) -> Capabilities | None:
        """Return what a registered unit can do over its best way; None before it was open for the first time."""
        ways = sorted(self.of(unit), key=lambda way: way.rank)
        return next((way.able for way in ways if way.able is not None), None)


def _host(sighting: Sighting) -> str:
    return sighting.address.rpartition(":")[0] or sighting.address


def _found(way: WayInSight, unit: Unit | None) -> Found:
    sighting = way.sighting
    return Found(
        sighting_id=sighting.id,
        model=sighting.model,
        via=sighting.via,
        address=sighting.address,
        state=way.state,
        owner=unit.owner if unit else None,
        unit=unit.id if unit else None,
        note=way.note or sighting.driven,
        serial=sighting.serial,
        can_scan=not sighting.driven,
        default_password=sighting.default_password,
        asks_password=way.asks_password,
    )
