"""An account's units and the ways to them: name, settings, lending; joining, passwords, trust after a change."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from drivers.port import Capabilities
from gateway.clock import Clock
from gateway.core.model import AccountId, TwoFactor, Unit, UnitId, UnitSettings, UnitState, Way
from gateway.core.unit import LENT_SPAN
from gateway.store.store import Store
from gateway.work.claim import Claim, Claims
from gateway.work.hub import Hub
from gateway.work.outcomes import NOT_FOUND, Denied
from gateway.work.profile import refusal
from gateway.work.record import entry
from gateway.work.sights import Sights
from gateway.work.watch import Watch

NEWS_SPAN = timedelta(days=1)
LONGEST_PASSWORD = 16  # protocols/scansnap-wifi-vens.md 5
_PASSWORD_SHAPE = Denied("unusable", f"A scanner's password has 1 to {LONGEST_PASSWORD} ASCII characters.", 422)


@dataclass(frozen=True, slots=True)
class WayView:
    """One way to a unit, for its owner: `expected` is its pin, `shown` what it shows ("" while it is not in sight)."""

    sighting: str
    via: str
    address: str
    state: UnitState
    note: str
    in_use: bool
    expected: str
    shown: str
    takes_password: bool
    password_set: bool
    asks_password: bool


@dataclass(frozen=True, slots=True)
class UnitView:
    """A registered unit: how it is now, what it can do (None before it was open for the first time), the ways to it."""

    unit: Unit
    state: UnitState
    note: str
    able: Capabilities | None
    ways: tuple[WayView, ...]
    lent_until: datetime | None


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A unit that became somebody's lately: everybody is told, so that nobody takes another's scanner unnoticed."""

    model: str
    owner: str
    since: datetime


class Units:
    """Reads and owner's actions; every call names the account, and finds only what belongs to it."""

    def __init__(self, *, clock: Clock, store: Store, watch: Watch, sights: Sights, claims: Claims, hub: Hub) -> None:
        self._clock = clock
        self._store = store
        self._watch = watch
        self._sights = sights
        self._claims = claims
        self._hub = hub

    async def of(self, account: AccountId) -> tuple[UnitView, ...]:
        """Return the account's units."""
        units = await self._store.units.of_account(account)
        return tuple(self.view(unit) for unit in units)

    async def newcomers(self) -> tuple[Newcomer, ...]:
        """Return the units that became somebody's within a day, the latest first."""
        since = self._clock.now().utc - NEWS_SPAN
        units = [unit for unit in await self._store.units.all() if unit.since > since]
        owners = {account.id: account.email for account in await self._store.accounts.all()}
        latest = sorted(units, key=lambda unit: unit.since, reverse=True)
        return tuple(Newcomer(unit.model, owners[unit.owner], unit.since) for unit in latest if unit.owner in owners)

    def view(self, unit: Unit) -> UnitView:
        """Return a unit with what the hall knows of it."""
        state, note = self._sights.state(unit)
        until = self._sights.lent_until(unit.id)
        able, ways = self._sights.able(unit), self._ways(unit)
        return UnitView(unit, state, note, able, ways, until.utc if until is not None else None)

    async def rename(self, account: AccountId, unit_id: UnitId, label: str, *, peer: str) -> Unit | Denied:
        """Give a unit another label of 1 to 60 characters."""
        unit = await self._unit(account, unit_id)
        if unit is None:
            return NOT_FOUND
        label = " ".join(label.split())
        if not 1 <= len(label) <= 60 or not label.isprintable():
            return Denied("unusable", "A unit's name has 1 to 60 characters.", 422)
        await self._store.units.rename(unit_id, label)
        self._hub.tell(account, "units")
        return replace(unit, label=label)

    async def configure(self, account: AccountId, unit_id: UnitId, settings: UnitSettings) -> Unit | Denied:
        """Set how a unit scans, from its next scan on."""
        unit = await self._unit(account, unit_id)
        if unit is None:
            return NOT_FOUND
        refused = refusal(settings, self._sights.able(unit))
        if refused is not None:
            return refused
        await self._store.units.configure(unit_id, settings)
        self._watch.look_again(unit)
        return replace(unit, settings=settings)

    async def remove(self, account_id: AccountId, unit_id: UnitId, *, peer: str) -> Denied | None:
        """Unregister a unit; the last one only while two-factor authentication is off."""
        unit = await self._store.units.get(unit_id)
        account = await self._store.accounts.get(account_id)
        if unit is None or account is None or unit.owner != account_id:
            return NOT_FOUND
        if account.two_factor is not TwoFactor.OFF and await self._store.units.count(account_id) == 1:
            return Denied("last_unit", "This is your last unit: disable two-factor authentication first.", 409)
        await self._release(unit, peer)
        return None

    async def force_out(self, unit_id: UnitId, *, peer: str) -> Denied | None:
        """Take a unit from its owner, also the last one: two-factor authentication stays as it is."""
        unit = await self._store.units.get(unit_id)
        if unit is None:
            return NOT_FOUND
        await self._release(unit, peer)
        return None

    async def _release(self, unit: Unit, peer: str) -> None:
        audit = entry(self._clock.now(), unit.owner, peer, "unit_removed", reason=unit.label)
        await self._store.units.remove(unit.id, audit)
        self._watch.look_again(unit)
        for topic in ("units", "account"):
            self._hub.tell(unit.owner, topic)

    def _ways(self, unit: Unit) -> tuple[WayView, ...]:
        """Return the ways of a unit, those that are in sight and those that are not."""
        in_sight = {way.id: way for way in self._sights.of(unit)}
        using = self._watch.using(unit)
        views = []
        for known in unit.ways:
            way = in_sight.get(known.sighting)
            views.append(
                WayView(
                    sighting=known.sighting,
                    via=known.via,
                    address=way.sighting.address if way else "",
                    state=way.state if way else UnitState.UNSEEN,
                    note=way.note if way else "",
                    in_use=way is not None and way is using,
                    expected=known.pin,
                    shown=way.sighting.fingerprint if way else "",
                    takes_password=bool(way and way.sighting.default_password) or known.password_set,
                    password_set=known.password_set,
                    asks_password=bool(way and way.asks_password),
                )
            )
        return tuple(views)

    async def _unit(self, account: AccountId, unit_id: UnitId) -> Unit | None:
        unit = await self._store.units.get(unit_id)
        return unit if unit is not None and unit.owner == account else None

    async def _way(self, account: AccountId, unit_id: UnitId, sighting: str) -> tuple[Unit, Way] | Denied:
        unit = await self._unit(account, unit_id)
        way = next((way for way in unit.ways if way.sighting == sighting), None) if unit is not None else None
        return (unit, way) if unit is not None and way is not None else NOT_FOUND

    async def claim(
        self, account: AccountId, sighting: str, *, password: str = "", join: UnitId | None = None
    ) -> Claim | Denied:
        """Claim a way in sight as a new unit, or as another way to one's own: a press over it proves that."""
        if join is not None and await self._unit(account, join) is None:
            return NOT_FOUND
        if password and not _fits(password):
            return _PASSWORD_SHAPE
        return await self._watch.claim(account, sighting, password=password, join=join)

    async def part(self, account: AccountId, unit_id: UnitId, sighting: str, *, peer: str) -> Denied | None:
        """Take a way from a unit; the last one goes with the unit itself."""
        found = await self._way(account, unit_id, sighting)
        if isinstance(found, Denied):
            return found
        unit, way = found
        if len(unit.ways) == 1:
            return Denied("last_way", "This is the only way to the scanner: remove the scanner instead.", 409)
        audit = entry(self._clock.now(), account, peer, "way_parted", reason=way.sighting)
        await self._store.units.part(unit_id, sighting, audit)
        self._watch.look_again(unit)
        return None

    async def set_password(
        self, account: AccountId, unit_id: UnitId, sighting: str, password: str, *, peer: str
    ) -> Denied | None:
        """Keep the password that a way asks for; "" for its default."""
        found = await self._way(account, unit_id, sighting)
        if isinstance(found, Denied):
            return found
        if password and not _fits(password):
            return _PASSWORD_SHAPE
        unit, way = found
        audit = entry(self._clock.now(), account, peer, "way_password", reason=way.sighting)
        await self._store.units.set_password(sighting, self._claims.sealed(account, password), audit)
        self._watch.look_again(unit)
        return None

    async def lend(self, account: AccountId, unit_id: UnitId, *, lent: bool) -> Denied | None:
        """Let another app have the unit for 10 minutes, or take it back."""
        unit = await self._unit(account, unit_id)
        if unit is None:
            return NOT_FOUND
        state, _ = self._sights.state(unit)
        if lent and state is UnitState.BUSY:
            return Denied("unit_busy", "The unit is scanning: lend it when it is done.", 409)
        self._watch.lend(unit, self._clock.now().after(LENT_SPAN) if lent else None)
        return None

    async def trust(
        self, account: AccountId, unit_id: UnitId, sighting: str, shown: str, *, peer: str
    ) -> Denied | None:
        """Take up a suspended way again as what it shows now, which the owner has seen and names in `shown`."""
        found = await self._way(account, unit_id, sighting)
        if isinstance(found, Denied):
            return found
        way = self._sights.way(sighting)
        if way is None or way.sighting.fingerprint != shown:
            return Denied("fingerprint_changed", "The scanner shows something else by now: look again.", 409)
        audit = entry(self._clock.now(), account, peer, "way_trusted", reason=f"{sighting} shows {shown}")
        await self._store.units.repin(sighting, shown, audit)
        self._watch.trust(found[0], sighting)
        return None


def _fits(password: str) -> bool:
    return len(password) <= LONGEST_PASSWORD and password.isascii() and password.isprintable()
