"""What an account has beside its units, for its pages: destinations, scans, and the owner's actions on them."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.clock import Clock
from gateway.core.gate import Permit
from gateway.core.model import (
    AccountId,
    Destination,
    DestinationId,
    Level,
    Scan,
    ScanId,
    ScanState,
)
from gateway.core.routing import Rule, Unrouted, route
from gateway.destinations.port import DestinationError
from gateway.store.store import Store
from gateway.work.gatekeeper import Gatekeeper
from gateway.work.hub import Hub
from gateway.work.outcomes import NOT_FOUND, Denied, sentence
from gateway.work.paused import finish
from gateway.work.ports import Ports
from gateway.work.record import entry
from gateway.work.routing import Routing, local
from gateway.work.standing import SENTENCES, DeliveryView, standing

MOST_DESTINATIONS = 20
TOO_MANY = Denied("too_many_destinations", f"An account has {MOST_DESTINATIONS} destinations at the most.", 409)
NOT_PAUSED = Denied("not_paused", "Only a paused scan can be finished.", 409)
UNROUTED = {
    Unrouted.NO_RULE: "Held: no rule says where it goes.",
    Unrouted.NO_DESTINATION: "Held: the rule for it names no destination any more.",
}
NO_DESTINATION = "Held: no destination is set up yet."
PAUSED = "Paused. Press Scan to continue, or finish it as it is."


@dataclass(frozen=True, slots=True)
class ScanView:
    """A scan with its deliveries; `held`: at least one of them waits for the gate, or there is no destination."""

    scan: Scan
    deliveries: tuple[DeliveryView, ...]
    held: bool
    reason: str


@dataclass(frozen=True, slots=True)
class _Words:
    """What the views of an account's scans are put into words with."""

    labels: dict[DestinationId, str]
    rules: tuple[Rule, ...]

    def of(self, scan: Scan) -> str:
        """Return why a finished scan goes nowhere; "" for the moment until its deliveries are planned."""
        if not self.labels:
            return NO_DESTINATION
        found = route(scan, self.rules, local(scan))
        return UNROUTED[found] if isinstance(found, Unrouted) else ""


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Whether the gate is open for the account, until when, and through how many sessions."""

    open: bool
    until: datetime | None
    sessions: int
    reason: str


class Catalogue:
    """Reads and owner's actions; every call names the account, and finds only what belongs to it."""

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        ports: Ports,
        gatekeeper: Gatekeeper,
        routing: Routing,
        hub: Hub,
    ) -> None:
        self._clock = clock
        self._store = store
        self._ports = ports
        self._gatekeeper = gatekeeper
        self._routing = routing
        self._hub = hub

    async def destinations(self, account: AccountId) -> tuple[Destination, ...]:
        """Return the account's destinations, without their secrets."""
        return await self._store.destinations.of_account(account)

    async def add_destination(
        self,
        account: AccountId,
        kind: str,
        label: str,
        config: dict[str, str],
        secrets: dict[str, str],
        *,
        everything: bool,
        peer: str,
    ) -> Destination | Denied:
        """Save a destination that its kind accepts; `everything`: the rule for every scan names it from now on."""
        label = " ".join(label.split())
        if (refused := await self._refusal(kind, label, config, secrets)) is not None:
            return refused
        now = self._clock.now()
        destination = Destination(DestinationId(uuid.uuid4().hex), account, kind, label, config, now.utc)
        audit = entry(now, account, peer, "destination_added", reason=f"{kind}: {label}")
        async with self._routing.changes:
            if len(await self._store.destinations.of_account(account)) >= MOST_DESTINATIONS:
                return TOO_MANY
            rule = await self._routing.including(account, destination.id) if everything else None
            await self._store.destinations.add(destination, self._ports.seal(secrets, account), audit, rule=rule)
        for topic in ("account", "scans"):
            self._hub.tell(account, topic)
        return destination

    async def _refusal(self, kind: str, label: str, config: dict[str, str], secrets: dict[str, str]) -> Denied | None:
        if not 1 <= len(label) <= 60 or not label.isprintable():
            return Denied("unusable", "A destination's name has 1 to 60 characters.", 422)
        try:
            await self._ports.check(kind, config, secrets)
        except DestinationError as error:
            return Denied("destination_unusable", sentence(error), 422)
        return None

    async def change_destination(
        self,
        account: AccountId,
        destination_id: DestinationId,
        label: str,
        config: dict[str, str],
        secrets: dict[str, str],
        *,
        peer: str,
    ) -> Destination | Denied:
        """Write a destination anew; what failed there is tried again.

        Secrets that are left out stay, but only where nothing but the name changes besides: they go to no other server.
        """
        present = await self._destination(account, destination_id)
        if present is None:
            return NOT_FOUND
        label, given = " ".join(label.split()), _filled(secrets)
        if _filled(config) == _filled(present.config):
            given = (await self._ports.with_secrets(present.id))[1] | given
        if (refused := await self._refusal(present.kind, label, config, given)) is not None:
            return refused
        changed = replace(present, label=label, config=config)
        audit = entry(self._clock.now(), account, peer, "destination_changed", reason=f"{present.kind}: {label}")
        if not await self._store.destinations.change(changed, self._ports.seal(given, account), audit):
            return NOT_FOUND
        for topic in ("account", "scans"):
            self._hub.tell(account, topic)
        return changed

    async def _destination(self, account: AccountId, destination_id: DestinationId) -> Destination | None:
        destination = await self._store.destinations.get(destination_id)
        return destination if destination is not None and destination.account == account else None

    async def test_destination(self, account: AccountId, destination_id: DestinationId) -> Denied | None:
        """Test a destination without sending a byte of any scan."""
        destination = await self._destination(account, destination_id)
        if destination is None:
            return NOT_FOUND
        try:
            await (await self._ports.open(destination)).probe()
        except DestinationError as error:
            return Denied("destination_failed", sentence(error), 424)
        return None

    async def remove_destination(
        self, account: AccountId, destination_id: DestinationId, *, peer: str
    ) -> Denied | None:
        """Remove a destination; what was not delivered to it yet is discarded for it, never from the spool."""
        destination = await self._destination(account, destination_id)
        if destination is None:
            return NOT_FOUND
        audit = entry(self._clock.now(), account, peer, "destination_removed", reason=destination.label)
        async with self._routing.changes:
            await self._store.destinations.remove(account, destination_id, audit)
        for topic in ("account", "scans"):
            self._hub.tell(account, topic)
        return None

    async def scans(
        self, account: AccountId, *, limit: int = 50, before: datetime | None = None, tie: str = ""
    ) -> tuple[ScanView, ...]:
        """Return the account's scans, newest first. `tie`: the last one seen of those that began at `before`."""
        words = await self._words(account)
        scans = await self._store.scans.of_account(account, limit, before, tie)
        return tuple([await self._view(scan, words) for scan in scans])

    async def scan(self, account: AccountId, scan_id: ScanId) -> ScanView | None:
        """Return one scan of the account."""
        scan = await self._store.scans.get(scan_id)
        if scan is None or scan.account != account:
            return None
        return await self._view(scan, await self._words(account))

    async def _words(self, account: AccountId) -> _Words:
        labels = {d.id: d.label for d in await self._store.destinations.of_account(account)}
        return _Words(labels, await self._routing.rules(account))

    async def _view(self, scan: Scan, words: _Words) -> ScanView:
        now = self._clock.now().utc
        deliveries = tuple(
            standing(d, words.labels.get(d.destination, "removed destination"), now)
            for d in await self._store.deliveries.of_scan(scan.id)
        )
        if scan.state is ScanState.PAUSED:
            return ScanView(scan, deliveries, held=True, reason=f"{scan.reason} {PAUSED}".strip())
        if scan.state is ScanState.RECEIVING:
            return ScanView(scan, deliveries, held=False, reason="")
        if all(d.withdrawn for d in deliveries):
            return ScanView(scan, deliveries, held=True, reason=words.of(scan))
        what_holds_it_first = sorted(deliveries, key=lambda d: not d.held)
        reasons = [d.delivery.reason for d in what_holds_it_first if d.delivery.reason]
        return ScanView(scan, deliveries, any(d.held for d in deliveries), reasons[0] if reasons else "")

    async def finish_scan(self, account: AccountId, scan_id: ScanId) -> Denied | None:
        """Finish a paused scan with the pages it has; it is delivered marked as incomplete."""
        scan = await self._store.scans.get(scan_id)
        if scan is None or scan.account != account:
            return NOT_FOUND
        if scan.state is not ScanState.PAUSED:
            return NOT_PAUSED
        if not await finish(self._store, self._hub, scan, self._clock.now().utc):
            return NOT_PAUSED
        return None

    async def held_count(self, account: AccountId) -> int:
        """Return how many scans wait for the gate or for a destination."""
        return await self._store.deliveries.waiting_scans(account)

    async def forwarding(self, account: AccountId) -> Forwarding:
        """Return whether the gate is open for this account now."""
        answer = await self._gatekeeper.prospect(account)
        if not isinstance(answer, Permit):
            why = SENTENCES[answer.reason].removeprefix("Held: ")
            return Forwarding(False, None, 0, why[:1].upper() + why[1:])
        now = self._clock.now()
        through = [
            s
            for s in await self._store.sessions.of_account(account)
            if s.level is Level.L2 and s.forwards_until is not None and not s.forwards_until.passed(now)
        ]
        return Forwarding(True, answer.good_until.utc, len(through), "")


def _filled(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
