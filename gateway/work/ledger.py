"""The owner's word on single deliveries: try again, send once more, it arrived, let it be."""

from gateway.clock import Clock
from gateway.core import delivery as machine
from gateway.core.delivery import Event, planned
from gateway.core.model import (
    AccountId,
    Delivery,
    DeliveryId,
    DeliveryState,
    Destination,
    DestinationId,
    Filing,
    Receipt,
    Scan,
    ScanId,
    ScanState,
)
from gateway.store.store import Store
from gateway.work.hub import Hub
from gateway.work.outcomes import NOT_FOUND, Denied
from gateway.work.record import entry

CONFIRMED = "as its owner says"
NOT_FAILED = Denied("not_failed", "Only a failed or uncertain delivery can be tried again.", 409)
NOT_UNCERTAIN = Denied("not_uncertain", "Only of an uncertain delivery its owner has to say whether it arrived.", 409)
UNDER_WAY = Denied("delivery_busy", "The document is on its way or done: it cannot be given up now.", 409)
NOT_AT_REST = Denied("scan_busy", "The scan is not finished yet.", 409)
ERASED = Denied("scan_erased", "The pages were erased after their time; only the record is left.", 410)
STILL_OPEN = Denied("delivery_open", "A delivery to this destination is not over yet.", 409)

_OVER = frozenset({DeliveryState.DELIVERED, DeliveryState.DISCARDED, DeliveryState.QUARANTINED})


class Ledger:
    """Every call names the account, and finds only what belongs to it."""

    def __init__(self, *, clock: Clock, store: Store, hub: Hub) -> None:
        self._clock = clock
        self._store = store
        self._hub = hub

    async def retry(self, account: AccountId, delivery_id: DeliveryId, *, peer: str) -> Denied | None:
        """Try a failed delivery again now, or an uncertain one although it may have arrived."""
        states = (DeliveryState.FAILED, DeliveryState.UNCERTAIN)
        return await self._move(account, delivery_id, states, Event.RETRY, NOT_FAILED, peer)

    async def confirm(self, account: AccountId, delivery_id: DeliveryId, *, peer: str) -> Denied | None:
        """Take an uncertain delivery as delivered: its owner has looked."""
        return await self._move(account, delivery_id, (DeliveryState.UNCERTAIN,), Event.FOUND, NOT_UNCERTAIN, peer)

    async def discard(self, account: AccountId, delivery_id: DeliveryId, *, peer: str) -> Denied | None:
        """Give a delivery up; the scan stays."""
        states = (
            *(DeliveryState.WAITING, DeliveryState.FAILED),
            *(DeliveryState.UNCERTAIN, DeliveryState.QUARANTINED),
        )
        return await self._move(account, delivery_id, states, Event.DISCARD, UNDER_WAY, peer)

    async def resend(
        self, account: AccountId, scan_id: ScanId, destination_id: DestinationId, *, peer: str
    ) -> Delivery | Denied:
        """Send a finished scan to a destination, once more if it has been there: a new generation."""
        scan = await self._store.scans.get(scan_id)
        destination = await self._store.destinations.get(destination_id)
        if scan is None or destination is None or scan.account != account or destination.account != account:
            return NOT_FOUND
        if scan.state not in (ScanState.STORED, ScanState.INCOMPLETE):
            return ERASED if scan.state is ScanState.ERASED else NOT_AT_REST
        earlier = await self._store.deliveries.of_scan(scan_id)
        there = [d for d in earlier if d.destination == destination_id]
        if any(d.state not in _OVER for d in there):
            return STILL_OPEN
        return await self._planned(scan, destination, earlier, len(there) + 1, peer)

    async def _planned(
        self, scan: Scan, destination: Destination, earlier: tuple[Delivery, ...], generation: int, peer: str
    ) -> Delivery | Denied:
        now = self._clock.now()
        filing = earlier[-1].filing if earlier else Filing()
        delivery = planned(scan, destination.id, now.utc, filing=filing, generation=generation)
        audit = entry(now, scan.account, peer, "delivery_asked_for", reason=f"{delivery.name} to {destination.label}")
        if not await self._store.deliveries.plan((delivery,), audit):
            return STILL_OPEN
        self._hub.tell(scan.account, "scans")
        return delivery

    async def _move(
        self,
        account: AccountId,
        delivery_id: DeliveryId,
        states: tuple[DeliveryState, ...],
        event: Event,
        refusal: Denied,
        peer: str,
    ) -> Denied | None:
        delivery = await self._store.deliveries.get(delivery_id)
        if delivery is None or delivery.account != account:
            return NOT_FOUND
        now = self._clock.now()
        moved = delivery.state in states and await self._store.deliveries.move(
            delivery_id,
            (delivery.state,),
            machine.step(delivery.state, event),
            next_try_at=now.utc,
            attempts_delta=-delivery.attempts if event is Event.RETRY else 0,
            receipt=await self._word(delivery) if event is Event.FOUND else None,
            audit=entry(now, account, peer, f"delivery_{event}", reason=delivery.name),
        )
        self._hub.tell(account, "scans")
        return None if moved else refusal

    async def _word(self, delivery: Delivery) -> Receipt:
        pages = len(await self._store.scans.pages(delivery.scan))
        return Receipt(CONFIRMED, "", 0, "", pages, self._clock.now().utc, 0.0)
