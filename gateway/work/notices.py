"""What owners are told: found anew in the rows whenever something changed, so that nothing is missed by a crash."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from gateway.clock import Clock
from gateway.core.gate import Reason, Refusal
from gateway.core.model import (
    Account,
    AccountId,
    AccountState,
    DeliveryId,
    Instant,
    Scan,
    ScanId,
    ScanState,
    UnitId,
    UnitState,
)
from gateway.core.notice import LOST_SPAN, UNROUTED_SPAN, Cause, Kind, Notice, NoticeId, of_delivery
from gateway.store.store import Store
from gateway.work.gatekeeper import Gatekeeper
from gateway.work.hub import Hub
from gateway.work.outcomes import NOT_FOUND, Denied
from gateway.work.room import Room
from gateway.work.sights import Sights

ROUND_S = 30.0  # what only time brings about waits no longer
PAUSE_S = 1.0  # changes come in bursts: one look for all of them
_KEPT_SPAN = timedelta(days=30)
_LATELY_SPAN = timedelta(days=2)  # an incomplete scan is news
_READ_ROWS = 500
_AUDIT_READ = "notices_audit_row"

TITLES: dict[Kind, str] = {
    Kind.HELD: "Scans are held until you sign in",
    Kind.TWO_FACTOR_OFF: "Scans are held until two-factor authentication is on",
    Kind.NOT_ACTIVE: "Scans are held while your account is not active",
    Kind.UNROUTED: "Scans are held: no rule says where they go",
    Kind.OPEN_THE_PAGE_ONCE: "Open the gateway's page once: it was restarted",
    Kind.INCOMPLETE: "A scan is incomplete",
    Kind.DESTINATION: "A destination does not take documents",
    Kind.UNCERTAIN: "It is not certain whether a document arrived",
    Kind.DAMAGED: "A page of a scan is damaged",
    Kind.UNIT_LOST: "A scanner was not in sight for a day",
    Kind.UNIT_CHANGED: "A scanner shows another identity",
    Kind.ROOM: "Room for scans is nearly used up",
    Kind.SECURITY: "Your account",
}
# What the security log says of an account that its owner must hear of; {} is what the row says besides.
SECURITY: dict[str, str] = {
    "account_deletion_began": "The deletion of your account began.",
    "account_disabled": "The administrator disabled your account.",
    "account_reset": "Your password was reset with a ticket.",
    "authenticator_replaced": "Your authenticator was replaced.",
    "channel_removed": "Notices are no longer pushed to a place ({}).",
    "channel_added": "Notices are pushed to a further place ({}).",
    "destination_added": "A destination was added ({}).",
    "destination_changed": "A destination was changed ({}).",
    "destination_removed": "A destination was removed ({}).",
    "email_changed": "Your e-mail address was changed.",
    "paper_printed": "A new rescue key and new sign-in codes were printed.",
    "password_changed": "Your password was changed.",
    "reset_issued": "The administrator issued a ticket that resets your password.",
    "two_factor_disabled": "Two-factor authentication was disabled.",
    "two_factor_enabled": "Two-factor authentication was enabled.",
    "rule_added": "A rule was added.",
    "rule_changed": "A rule was changed.",
    "rule_removed": "A rule was removed.",
    "two_factor_lifted": "The suspension of your authenticator was lifted.",
    "two_factor_suspended": "Too many wrong codes: your authenticator counts no more.",
    "unit_registered": "A scanner was registered to your account.",
    "unit_removed": "A scanner was removed from your account ({}).",
}
_TWO_FACTOR_OFF = "They are safe on the gateway, sealed. Enable it in Settings, Account: they go out then."
_LIVING = (AccountState.ACTIVE, AccountState.DISABLED)


class Notices:
    """Keeps what accounts are told up to date."""

    def __init__(
        self, *, clock: Clock, store: Store, gatekeeper: Gatekeeper, sights: Sights, room: Room, hub: Hub
    ) -> None:
        self._clock = clock
        self._store = store
        self._gatekeeper = gatekeeper
        self._sights = sights
        self._room = room
        self._hub = hub
        self._gone: dict[UnitId, Instant] = {}  # since when a unit is out of sight

    async def of(self, account: AccountId) -> tuple[Notice, ...]:
        """Return what an account is told now, newest first."""
        return await self._store.notices.of_account(account)

    async def scan(self, notice: Notice) -> ScanId | None:
        """Return the scan that a notice is about; None if it is about no single one, or that one is gone."""
        what, _, of = notice.cause.partition(":")
        if what == "delivery":
            delivery = await self._store.deliveries.get(DeliveryId(of))
            return delivery.scan if delivery is not None else None
        scan = await self._store.scans.get(ScanId(of)) if what == "scan" else None
        return scan.id if scan is not None else None

    async def read(self, account: AccountId, notice: NoticeId) -> Denied | None:
        """Put a notice away."""
        if not await self._store.notices.read(account, notice, self._clock.now().utc):
            return NOT_FOUND
        self._hub.tell(account, "notices")
        return None

    async def run(self) -> None:
        """Look whenever something changed, and now and again, until cancelled."""
        if await self._store.remembered.get(_AUDIT_READ) is None:
            await self._store.remembered.put(_AUDIT_READ, str(await self._store.audit.last()))
        while True:
            self._hub.notable.clear()
            await self.look()
            await asyncio.sleep(PAUSE_S)
            try:
                async with asyncio.timeout(ROUND_S):
                    await self._hub.notable.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Find what there is to tell, and tell it."""
        now = self._clock.now()
        await self._security(now)
        for account in await self._store.accounts.all():
            if account.state in _LIVING:
                causes = tuple([cause async for cause in self._causes(account, now)])
                if await self._store.notices.settle(account.id, causes, now.utc):
                    self._hub.tell(account.id, "notices")
        await self._store.notices.prune(now.utc - _KEPT_SPAN)

    async def _security(self, now: Instant) -> None:
        """Tell of what the security log says since the last look; the row's number is the cause."""
        read = int(await self._store.remembered.get(_AUDIT_READ) or 0)
        rows = await self._store.audit.after(read, _READ_ROWS)
        for row in rows:
            words = SECURITY.get(row.entry.action)
            if words and row.entry.account and row.entry.outcome == "ok":
                told = Cause(f"audit:{row.seq}", Kind.SECURITY, words.format(row.entry.reason))
                await self._store.notices.tell(row.entry.account, told, now.utc)
                self._hub.tell(row.entry.account, "notices")
        if rows:
            await self._store.remembered.put(_AUDIT_READ, str(rows[-1].seq))

    async def _causes(self, account: Account, now: Instant) -> AsyncIterator[Cause]:
        refusal = await self._gatekeeper.prospect(account.id)
        why = refusal.reason if isinstance(refusal, Refusal) else None
        if (held := await self._held(account.id, why)) is not None:
            yield held
        lost = [s for s in await self._store.deliveries.scans_without_deliveries(account.id) if _planned_by(s, now)]
        if lost:
            # Destinations and rules cannot be changed before two-factor is on.
            begins = why is not Reason.TWO_FACTOR_OFF
            yield Cause("unrouted", Kind.UNROUTED, "Add a destination or a rule; they flow by themselves then.", begins)
        labels = {d.id: d.label for d in await self._store.destinations.of_account(account.id)}
        told: set[str] = set()
        for delivery in await self._store.deliveries.troubled(account.id):
            label = labels.get(delivery.destination, "")
            cause = of_delivery(delivery, label, held=delivery.reason in set(Reason))
            if cause is not None and (cause.begins or cause.key not in told):
                told.add(cause.key)
                yield cause
        for scan in await self._store.scans.lately(account.id, ScanState.INCOMPLETE, now.utc - _LATELY_SPAN):
            yield Cause(f"scan:{scan.id}", Kind.INCOMPLETE, f"{scan.unit_label}. {scan.reason}".strip())
        for unit in await self._store.units.of_account(account.id):
            state, note = self._sights.state(unit)
            if state is UnitState.SUSPENDED:
                yield Cause(f"unit:{unit.id}", Kind.UNIT_CHANGED, f"{unit.label}. {note}")
            elif self._lost(unit.id, state, now):
                yield Cause(f"unit:{unit.id}", Kind.UNIT_LOST, unit.label)
        left = await self._room.left(account.id)
        if left.low:
            yield Cause("room", Kind.ROOM, "Below the limit no scan is begun.", begins=left.nearly_full)

    async def _held(self, account: AccountId, why: Reason | None) -> Cause | None:
        if why is Reason.OPEN_THE_PAGE_ONCE:
            return Cause("gate:open", Kind.OPEN_THE_PAGE_ONCE, "Until then scans are held.")
        if why is Reason.TWO_FACTOR_OFF:
            held = await self._store.deliveries.waiting_scans(account)  # without it they go nowhere, planned or not
            return Cause("gate:two_factor", Kind.TWO_FACTOR_OFF, _TWO_FACTOR_OFF) if held else None
        if why is None or not await self._store.deliveries.gated(account):
            return None
        if why is Reason.ACCOUNT_NOT_ACTIVE:
            return Cause("gate:account", Kind.NOT_ACTIVE, "They are safe on the gateway, sealed.")
        return Cause("gate", Kind.HELD, "They are safe on the gateway, sealed, and go out by themselves then.")

    def _lost(self, unit: UnitId, state: UnitState, now: Instant) -> bool:
        if state not in (UnitState.GONE, UnitState.UNSEEN):
            self._gone.pop(unit, None)
            return False
        since = self._gone.setdefault(unit, now)
        return now.boot_s - since.boot_s >= LOST_SPAN.total_seconds()


def _planned_by(scan: Scan, now: Instant) -> bool:
    """Tell whether a finished scan would have been planned by now, if a rule fitted it."""
    return scan.ended_at is not None and now.utc - scan.ended_at >= UNROUTED_SPAN
