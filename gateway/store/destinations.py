"""Destinations. A removed one keeps its row, for the ledger, without its secrets."""

from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.core.delivery import REMOVED, Event, step
from gateway.core.model import AccountId, DeliveryState, Destination, DestinationId
from gateway.core.routing import Rule
from gateway.store.audit import AuditEntry, append
from gateway.store.rules import let_go, put
from gateway.store.tables import deliveries, destinations

# What is being sent too: its commit then finds no row to move. Only what is committed already waits for its answer.
_UNFINISHED = (
    *(DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.FAILED),
    *(DeliveryState.UNCERTAIN, DeliveryState.QUARANTINED),
)


def _destination(row: Any) -> Destination:
    return Destination(
        id=DestinationId(row.id),
        account=AccountId(row.account),
        kind=row.kind,
        label=row.label,
        config=row.config,
        created_at=row.created_at,
    )


class Destinations:
    """The repository of destinations."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(
        self, destination: Destination, sealed_secrets: bytes, audit: AuditEntry, *, rule: Rule | None = None
    ) -> None:
        """Add a destination, with the rule that leads to it."""
        async with self._engine.begin() as connection:
            await connection.execute(
                insert(destinations).values(
                    id=destination.id,
                    account=destination.account,
                    kind=destination.kind,
                    label=destination.label,
                    config=destination.config,
                    secrets=sealed_secrets,
                    created_at=destination.created_at,
                )
            )
            if rule is not None:
                await put(connection, rule)
            await append(connection, audit)

    async def change(self, destination: Destination, sealed_secrets: bytes, audit: AuditEntry) -> bool:
        """Write a destination anew; what it refused for good is tried again. False if it is gone."""
        async with self._engine.begin() as connection:
            changed = {"label": destination.label, "config": destination.config, "secrets": sealed_secrets}
            present = destinations.c.id == destination.id, destinations.c.removed_at.is_(None)
            if (await connection.execute(update(destinations).where(*present).values(changed))).rowcount != 1:
                return False
            await connection.execute(
                update(deliveries)
                .where(deliveries.c.destination == destination.id, deliveries.c.state == DeliveryState.FAILED)
                .values(state=step(DeliveryState.FAILED, Event.RETRY), reason="", attempts=0, next_try_at=audit.at)
            )
            await append(connection, audit)
        return True

    async def _select(self, where: Any) -> Any:
        query = select(destinations).where(where, destinations.c.removed_at.is_(None))
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return (await connection.execute(query.order_by(destinations.c.created_at))).all()

    async def of_account(self, account: AccountId) -> tuple[Destination, ...]:
        """Return an account's destinations, oldest first."""
        return tuple(_destination(row) for row in await self._select(destinations.c.account == account))

    async def get(self, destination: DestinationId) -> Destination | None:
        """Return a destination."""
        rows = await self._select(destinations.c.id == destination)
        return _destination(rows[0]) if rows else None

    async def labels(self) -> dict[DestinationId, str]:
        """Return what every destination is called, removed ones included."""
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            rows = await connection.execute(select(destinations.c.id, destinations.c.label))
            return {DestinationId(row.id): row.label for row in rows}

    async def with_secrets(self, destination: DestinationId) -> tuple[Destination, bytes]:
        """Return a destination and the sealed secrets that belong to what it is now; LookupError if it is gone."""
        rows = await self._select(destinations.c.id == destination)
        if not rows:
            raise LookupError(destination)
        return _destination(rows[0]), bytes(rows[0].secrets)

    async def remove(self, account: AccountId, destination: DestinationId, audit: AuditEntry) -> None:
        """Remove a destination, also from the rules; what it was not given yet is discarded for it.

        A scan that was to go nowhere else is held, until a rule leads it somewhere else.
        """
        async with self._engine.begin() as connection:
            await let_go(connection, account, destination)
            await connection.execute(
                update(destinations).where(destinations.c.id == destination).values(removed_at=audit.at, secrets=b"")
            )
            await connection.execute(
                update(deliveries)
                .where(deliveries.c.destination == destination, deliveries.c.state.in_(_UNFINISHED))
                .values(state=DeliveryState.DISCARDED, reason=REMOVED)
            )
            await append(connection, audit)
