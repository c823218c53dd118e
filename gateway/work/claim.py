"""Claims: "this unit is mine" is proved by pressing its Scan button within 60 s, on our own connection to it."""

import uuid
from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from drivers.port import Press, Sighting
from gateway.clock import Clock
from gateway.core.model import AccountId, Deadline, Unit, UnitId, UnitSettings, Way
from gateway.core.unit import CLAIM_SPAN, CLAIMS_PER_HOUR
from gateway.store.store import Store
from gateway.store.units import AlreadyOwned
from gateway.vault.device import DeviceKey
from gateway.work.hub import Hub
from gateway.work.outcomes import Denied
from gateway.work.record import entry

_SAME_PRESS = timedelta(seconds=3)  # one press is told of over two ways at once, or nearly so
_UNSEEN = "the scanner told of a press but cannot prove it: put paper into its empty feeder"
_LONGEST_LABEL = 60
OWNED = Denied("unit_owned", "This unit is registered already.", 409)


@dataclass(frozen=True, slots=True)
class Claim:
    """One account waiting for one unit's button.

    `why` says why it lapsed, or what else to do. `password`: what the unit is opened with meanwhile. `join`: the
    account's unit to which this is another way; None for a new unit.
    """

    id: str
    account: AccountId
    sighting: str
    model: str
    ends_at: datetime
    deadline: Deadline
    state: str = "open"
    unit: UnitId | None = None
    why: str = ""
    proved_at: datetime | None = None
    password: str = field(default="", repr=False)
    join: UnitId | None = None


class Claims:
    """The open claims; memory only: a minute is shorter than a restart is likely."""

    def __init__(self, *, clock: Clock, store: Store, device: DeviceKey, hub: Hub) -> None:
        self._clock = clock
        self._store = store
        self._device = device
        self._hub = hub
        self._claims: dict[str, Claim] = {}
        self._opened: dict[AccountId, deque[datetime]] = defaultdict(lambda: deque(maxlen=CLAIMS_PER_HOUR))

    def open(
        self, account: AccountId, sighting: Sighting, *, password: str = "", join: UnitId | None = None
    ) -> Claim | Denied:
        """Open a claim on one listed unit; the account's earlier claim on it is replaced."""
        now = self._clock.now()
        opened = self._opened[account]
        if len(opened) == CLAIMS_PER_HOUR and now.utc - opened[0] < timedelta(hours=1):
            return Denied("too_many_claims", "Five claims an hour are the limit. Try again later.", 429)
        opened.append(now.utc)
        for other in self._open_on(sighting.id):
            if other.account == account:
                self._close(other, "lapsed", "replaced by a newer claim")
        deadline = now.after(CLAIM_SPAN)
        claim = Claim(
            id=uuid.uuid4().hex,
            account=account,
            sighting=sighting.id,
            model=sighting.model,
            ends_at=deadline.utc,
            deadline=deadline,
            password=password,
            join=join,
        )
        self._claims[claim.id] = claim
        return claim

    def get(self, account: AccountId, claim_id: str) -> Claim | None:
        """Return a claim of this account."""
        self._lapse_old()
        claim = self._claims.get(claim_id)
        return claim if claim is not None and claim.account == account else None

    def wants(self, sighting: str) -> bool:
        """Tell whether somebody waits for this unit's button."""
        self._lapse_old()
        return bool(self._open_on(sighting))

    def password(self, sighting: str) -> str:
        """Return what the newest claim on a unit opens it with."""
        waiting = self._open_on(sighting)
        return waiting[-1].password if waiting else ""

    def joining(self, unit: UnitId) -> bool:
        """Tell whether a press on this unit proves another way to it, now or a moment ago, and shall scan nothing."""
        now = self._clock.now()
        mine = [claim for claim in self._claims.values() if claim.join == unit]
        return any(claim.state == "open" and not claim.deadline.passed(now) for claim in mine) or any(
            claim.proved_at is not None and now.utc - claim.proved_at < _SAME_PRESS for claim in mine
        )

    async def press(self, sighting: Sighting, press: Press) -> Unit | None:
        """Take a press on a claimed unit: one claim wins it; two accounts waiting win nothing, both are told.

        What only a notice told of wins nothing: anybody can send one.
        """
        self._lapse_old()
        waiting = self._open_on(sighting.id)
        if not press.seen:
            for claim in waiting:
                self._close(claim, claim.state, _UNSEEN)
            return None
        if len({claim.account for claim in waiting}) > 1:
            for claim in waiting:
                self._close(claim, "lapsed", "two accounts waited for this unit; it went to neither")
            return None
        return await self._register(waiting[0], sighting) if waiting else None

    async def _register(self, claim: Claim, sighting: Sighting) -> Unit | None:
        try:
            unit = await (self._join(claim, claim.join, sighting) if claim.join else self._give(claim, sighting))
        except AlreadyOwned:
            self._close(claim, "lapsed", OWNED.detail)
            return None
        if unit is None:
            self._close(claim, "lapsed", "the scanner was removed from your account meanwhile")
            return None
        now = self._clock.now().utc
        self._claims[claim.id] = replace(claim, state="registered", unit=unit.id, why="", proved_at=now)
        self._hub.tell(claim.account, "claims")
        return unit

    async def _give(self, claim: Claim, sighting: Sighting) -> Unit:
        return await self.give(claim.account, sighting, how="press", password=claim.password)

    async def _join(self, claim: Claim, unit_id: UnitId, sighting: Sighting) -> Unit | None:
        unit = await self._store.units.get(unit_id)
        if unit is None or unit.owner != claim.account:
            return None
        audit = entry(self._clock.now(), claim.account, "", "way_joined", reason=sighting.id)
        way = Way(sighting.via, sighting.id, sighting.fingerprint)
        await self._store.units.join(unit_id, way, audit, password=self.sealed(claim.account, claim.password))
        self._hub.tell(claim.account, "units")
        return await self._store.units.get(unit_id)

    def sealed(self, account: AccountId, password: str) -> bytes | None:
        """Seal a unit's password for the database; None for its default."""
        if not password:
            return None
        return self._device.seal(password.encode(), table="ways", column="password", account=account)

    async def give(self, account: AccountId, sighting: Sighting, *, how: str, password: str = "") -> Unit:
        """Register a unit to an account; AlreadyOwned."""
        now = self._clock.now()
        unit = Unit(
            id=UnitId(uuid.uuid4().hex),
            owner=account,
            label=_label(sighting),
            model=sighting.model,
            ways=(Way(sighting.via, sighting.id, sighting.fingerprint),),
            since=now.utc,
            settings=UnitSettings(on_paper=not sighting.has_button),
        )
        audit = entry(now, account, "", "unit_registered", reason=how)
        await self._store.units.register(unit, audit, password=self.sealed(account, password))
        self._hub.tell(account, "account")
        self._hub.tell_all("units")
        return unit

    def _open_on(self, sighting: str) -> list[Claim]:
        return [c for c in self._claims.values() if c.state == "open" and c.sighting == sighting]

    def _close(self, claim: Claim, state: str, why: str) -> None:
        self._claims[claim.id] = replace(claim, state=state, why=why)
        self._hub.tell(claim.account, "claims")

    def _lapse_old(self) -> None:
        now = self._clock.now()
        for claim in tuple(self._claims.values()):
            if claim.state == "open" and claim.deadline.passed(now):
                self._close(claim, "lapsed", claim.why or "no press of the Scan button was seen within 60 seconds")
            elif now.utc - claim.ends_at > timedelta(hours=1):
                del self._claims[claim.id]


def _label(sighting: Sighting) -> str:
    """Return a unit's first name: the maker's own of a ScanSnap, what it calls itself of any other."""
    name = sighting.model if sighting.via == "escl" else f"ScanSnap {sighting.model}"
    return name[:_LONGEST_LABEL]
