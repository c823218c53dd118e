"""Claims: "this unit is mine" is proved by pressing its Scan button within 60 s, on our own connection to it."""

import uuid
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from drivers.port import Sighting
from gateway.clock import Clock
from gateway.core.model import AccountId, Deadline, Unit, UnitId, UnitSettings, Way
from gateway.core.unit import CLAIM_SPAN, CLAIMS_PER_HOUR
from gateway.store.store import Store
from gateway.store.units import AlreadyOwned
from gateway.work.hub import Hub
from gateway.work.outcomes import Denied
from gateway.work.record import entry

OWNED = Denied("unit_owned", "This unit is registered already.", 409)


@dataclass(frozen=True, slots=True)
class Claim:
    """One account waiting for one unit's button. `why` says why it lapsed."""

    id: str
    account: AccountId
    sighting: str
    model: str
    ends_at: datetime
    deadline: Deadline
    state: str = "open"
    unit: UnitId | None = None
    why: str = ""


class Claims:
    """The open claims; memory only: a minute is shorter than a restart is likely."""

    def __init__(self, *, clock: Clock, store: Store, hub: Hub) -> None:
        self._clock = clock
        self._store = store
        self._hub = hub
        self._claims: dict[str, Claim] = {}
        self._opened: dict[AccountId, deque[datetime]] = defaultdict(lambda: deque(maxlen=CLAIMS_PER_HOUR))

    def open(self, account: AccountId, sighting: Sighting) -> Claim | Denied:
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
        claim = Claim(uuid.uuid4().hex, account, sighting.id, sighting.model, deadline.utc, deadline)
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

    async def press(self, sighting: Sighting) -> Unit | None:
        """Take a press on a claimed unit: one claim wins it; two accounts waiting win nothing, both are told."""
        self._lapse_old()
        waiting = self._open_on(sighting.id)
        if len({claim.account for claim in waiting}) > 1:
            for claim in waiting:
                self._close(claim, "lapsed", "two accounts waited for this unit; it went to neither")
            return None
        return await self._register(waiting[0], sighting) if waiting else None

    async def _register(self, claim: Claim, sighting: Sighting) -> Unit | None:
        try:
            unit = await self.give(claim.account, sighting, how="press")
        except AlreadyOwned:
            self._close(claim, "lapsed", OWNED.detail)
            return None
        self._claims[claim.id] = replace(claim, state="registered", unit=unit.id)
        self._hub.tell(claim.account, "claims")
        return unit

    async def give(self, account: AccountId, sighting: Sighting, *, how: str) -> Unit:
        """Register a unit to an account; AlreadyOwned."""
        now = self._clock.now()
        unit = Unit(
            id=UnitId(uuid.uuid4().hex),
            owner=account,
            label=f"ScanSnap {sighting.model}",
            model=sighting.model,
            ways=(Way(sighting.via, sighting.id, sighting.fingerprint),),
            since=now.utc,
            settings=UnitSettings(on_paper=not sighting.has_button),
        )
        await self._store.units.register(unit, entry(now, account, "", "unit_registered", reason=how))
        for topic in ("units", "account"):
            self._hub.tell(account, topic)
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
                self._close(claim, "lapsed", "no press of the Scan button was seen within 60 seconds")
            elif now.utc - claim.ends_at > timedelta(hours=1):
                del self._claims[claim.id]
