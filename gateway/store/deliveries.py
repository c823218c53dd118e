"""The ledger of deliveries. Every move between states is one conditional UPDATE."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, insert, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.core.delivery import LONGEST_RETRY_S, REMOVED
from gateway.core.gate import Reason
from gateway.core.model import (
    AccountId,
    Delivery,
    DeliveryId,
    DeliveryState,
    DestinationId,
    Filing,
    Receipt,
    Scan,
    ScanId,
    ScanState,
)
from gateway.store.audit import AuditEntry, append
from gateway.store.scans import scan_of, select_scans
from gateway.store.tables import deliveries, destinations, pages, scans

_LONGEST = 2 * timedelta(seconds=LONGEST_RETRY_S)
_UNDECIDED = (DeliveryState.WAITING, DeliveryState.UNCERTAIN)
_FINISHED = (ScanState.STORED, ScanState.INCOMPLETE)


def _receipt(stored: dict[str, Any] | None) -> Receipt | None:
    return None if stored is None else Receipt(**{**stored, "at": datetime.fromisoformat(stored["at"])})


def filing(stored: dict[str, Any]) -> Filing:
    """Return what is said of documents as a record."""
    return Filing(**{**stored, "tags": tuple(stored.get("tags", ()))})


def _delivery(row: Any) -> Delivery:
    return Delivery(
        id=DeliveryId(row.id),
        scan=ScanId(row.scan),
        account=AccountId(row.account),
        destination=DestinationId(row.destination),
        generation=row.generation,
        name=row.name,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        next_try_at=row.next_try_at,
        reason=row.reason,
        receipt=_receipt(row.receipt),
        created_at=row.created_at,
        filing=filing(row.filing),
    )


class Deliveries:
    """The repository of deliveries."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def _select(self, *where: Any) -> tuple[Delivery, ...]:
        query = select(deliveries).where(*where).order_by(deliveries.c.created_at, deliveries.c.id)
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return tuple(_delivery(row) for row in await connection.execute(query))

    async def plan(self, planned: tuple[Delivery, ...], audit: AuditEntry | None = None) -> int:
        """Add deliveries that are not there yet: of scans that are still here, to destinations that are.

        Returns how many are new; only with one is there a line in the audit.
        """
        added = 0
        async with self._engine.begin() as connection:
            known = select(deliveries.c.id).where(deliveries.c.id.in_([d.id for d in planned]))
            there = set((await connection.execute(known)).scalars())
            kept = select(scans.c.id).where(scans.c.id.in_([d.scan for d in planned]), scans.c.state.in_(_FINISHED))
            scans_there = set((await connection.execute(kept)).scalars())
            sinks = select(destinations.c.id).where(destinations.c.removed_at.is_(None))
            sinks_there = set((await connection.execute(sinks)).scalars())
            for delivery in planned:
                fits = delivery.scan in scans_there and delivery.destination in sinks_there
                if delivery.id not in there and fits:
                    row = {name: getattr(delivery, name) for name in Delivery.__slots__}
                    row["filing"] = asdict(delivery.filing)
                    await connection.execute(insert(deliveries).values(row))
                    added += 1
            if added and audit is not None:
                await append(connection, audit)
        return added

    async def due(self, now: datetime, limit: int) -> tuple[Delivery, ...]:
        """Return what waits or is uncertain and may be tried now: of each destination the oldest, oldest first."""
        turn = func.row_number().over(
            partition_by=deliveries.c.destination, order_by=(deliveries.c.created_at, deliveries.c.id)
        )
        ready = select(deliveries.c.id, turn.label("turn")).where(
            deliveries.c.state.in_(_UNDECIDED),
            or_(
                deliveries.c.next_try_at <= now,
                deliveries.c.next_try_at > now + _LONGEST,  # the clock was set back
                deliveries.c.reason.in_(tuple(Reason)),  # held: only the gate counts
            ),
        )
        inner = ready.subquery()
        return await self._select(deliveries.c.id.in_(select(inner.c.id).where(inner.c.turn <= limit)))

    async def next_try(self, now: datetime) -> datetime | None:
        """Return when the next undecided delivery becomes due; None if none does later than now."""
        query = select(func.min(deliveries.c.next_try_at)).where(
            deliveries.c.state.in_(_UNDECIDED), deliveries.c.next_try_at > now
        )
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            due: datetime | None = (await connection.execute(query)).scalar_one()
            return due

    async def counts(self) -> dict[str, int]:
        """Return how many there are in each state."""
        query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return {str(state): count for state, count in await connection.execute(query)}

    async def in_state(self, *states: DeliveryState) -> tuple[Delivery, ...]:
        """Return all deliveries in these states, oldest first."""
        return await self._select(deliveries.c.state.in_(states))

    async def troubled(self, account: AccountId) -> tuple[Delivery, ...]:
        """Return an account's deliveries that were tried and are not over, or are over badly; oldest first."""
        open_still = deliveries.c.state.not_in((DeliveryState.DELIVERED, DeliveryState.DISCARDED))
        return await self._select(deliveries.c.account == account, open_still, deliveries.c.attempts > 0)

    async def latest(self, limit: int, account: AccountId | None = None) -> tuple[Delivery, ...]:
        """Return the deliveries that were planned last, newest first; of one account, or of all."""
        query = select(deliveries).order_by(deliveries.c.created_at.desc(), deliveries.c.id).limit(limit)
        if account is not None:
            query = query.where(deliveries.c.account == account)
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return tuple(_delivery(row) for row in await connection.execute(query))

    async def get(self, delivery: DeliveryId) -> Delivery | None:
        """Return a delivery."""
        return next(iter(await self._select(deliveries.c.id == delivery)), None)

    async def of_scan(self, scan: ScanId) -> tuple[Delivery, ...]:
        """Return a scan's deliveries."""
        return await self._select(deliveries.c.scan == scan)

    async def move(
        self,
        delivery: DeliveryId,
        before: tuple[DeliveryState, ...],
        after: DeliveryState,
        *,
        reason: str = "",
        next_try_at: datetime | None = None,
        receipt: Receipt | None = None,
        attempts_delta: int = 0,
        audit: AuditEntry | None = None,
    ) -> bool:
        """Move a delivery between states, durably, with its line in the audit; False if it was in none before."""
        values: dict[str, Any] = {
            "state": after,
            "reason": reason,
            "attempts": deliveries.c.attempts + attempts_delta,
        }
        if next_try_at is not None:
            values["next_try_at"] = next_try_at
        if receipt is not None:
            values["receipt"] = {**asdict(receipt), "at": receipt.at.isoformat()}
            values["delivered_at"] = receipt.at
        query = update(deliveries).where(deliveries.c.id == delivery, deliveries.c.state.in_(before)).values(values)
        async with self._engine.begin() as connection:
            moved = (await connection.execute(query)).rowcount == 1
            if moved and audit is not None:
                await append(connection, audit)
        return moved

    async def scans_without_deliveries(self, account: AccountId) -> tuple[Scan, ...]:
        """Return an account's finished scans that go nowhere yet, oldest first; empty ones never do.

        One whose destinations were all removed before they had it goes nowhere again.
        """
        removed = and_(deliveries.c.state == DeliveryState.DISCARDED, deliveries.c.reason == REMOVED)
        planned = select(deliveries.c.scan).where(not_(removed))
        query = select_scans().where(
            scans.c.account == account,
            scans.c.state.in_(_FINISHED),
            scans.c.id.not_in(planned),
            select(pages.c.scan).where(pages.c.scan == scans.c.id).exists(),
        )
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            rows = (await connection.execute(query.order_by(scans.c.started_at))).all()
        return tuple(scan_of(row) for row in rows)

    async def waiting_scans(self, account: AccountId) -> int:
        """Return how many of an account's finished scans wait for the gate, or for a first destination."""
        return await self.gated(account) + len(await self.scans_without_deliveries(account))

    async def gated(self, account: AccountId) -> int:
        """Return how many of an account's finished scans wait for the gate."""
        gated = select(deliveries.c.scan).where(
            deliveries.c.account == account,
            deliveries.c.state == DeliveryState.WAITING,
            deliveries.c.reason.in_(["", *Reason]),
        )
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            query = select(func.count()).select_from(scans).where(scans.c.id.in_(gated))
            return int((await connection.execute(query)).scalar_one())
