"""Scans that are let go: rows go in one transaction, which remembers whose files are still to be erased."""

from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.core.model import AccountId, DeliveryState, ScanId, ScanState
from gateway.store.audit import AuditEntry, append
from gateway.store.tables import deliveries, erasures, pages, scans

_AT_REST = (ScanState.PAUSED, ScanState.STORED, ScanState.INCOMPLETE, ScanState.ERASED)
_FINISHED = (ScanState.STORED, ScanState.INCOMPLETE)
_OVER = (DeliveryState.DELIVERED, DeliveryState.DISCARDED)
_UNDER_WAY = (DeliveryState.SENDING, DeliveryState.COMMITTING)


class _NotAtRestError(Exception):
    """Takes back what the transaction has done."""


class Erasures:
    """The repository of erasures."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def begin(self, scan: ScanId, audit: AuditEntry) -> bool:
        """Remove a scan with its pages and deliveries; False if it is being received, sent, or gone.

        From here on no file of it is adopted (it has no row), nor forgotten (the erasure has one).
        """
        try:
            async with self._engine.begin() as connection:
                await _remove(connection, scan, audit.at)
                await append(connection, audit)
        except _NotAtRestError:
            return False
        return True

    async def retire(self, scan: ScanId, delivered_by: datetime, audit: AuditEntry) -> bool:
        """Let go of the pages of a scan that was delivered by then; scan and deliveries stay as the ledger.

        False if something is left to do with it. Its files are still to be erased afterwards, as with `begin`.
        """
        async with self._engine.begin() as connection:
            if (await connection.execute(_delivered(delivered_by).where(scans.c.id == scan))).first() is None:
                return False
            await connection.execute(update(scans).where(scans.c.id == scan).values(state=ScanState.ERASED))
            await connection.execute(delete(pages).where(pages.c.scan == scan))
            await _remember(connection, scan, audit.at)
            await append(connection, audit)
        return True

    async def retirable(self, delivered_by: datetime) -> tuple[tuple[AccountId, ScanId], ...]:
        """Return the scans, with their owners, that were delivered by then and have nothing left to do."""
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            rows = await connection.execute(_delivered(delivered_by))
            return tuple((AccountId(account), ScanId(scan)) for account, scan in rows)

    async def due(self) -> tuple[ScanId, ...]:
        """Return the scans whose files are still to be erased."""
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            rows = await connection.execute(select(erasures.c.scan).order_by(erasures.c.at))
            return tuple(ScanId(scan) for scan in rows.scalars())

    async def done(self, scan: ScanId) -> None:
        """Note that the files of a scan are gone."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(erasures).where(erasures.c.scan == scan))


def _delivered(by: datetime) -> Any:
    """Return the query for scans that went to a destination, the last one by then, and are to go to none any more."""
    still_to_go = case((deliveries.c.state.not_in(_OVER), 1), else_=0)
    return (
        select(scans.c.account, scans.c.id)
        .join(deliveries, deliveries.c.scan == scans.c.id)
        .where(scans.c.state.in_(_FINISHED))
        .group_by(scans.c.account, scans.c.id)
        .having(func.sum(still_to_go) == 0, func.max(deliveries.c.delivered_at) <= by)
    )


async def _remove(connection: AsyncConnection, scan: ScanId, at: datetime) -> None:
    """Remove the rows; deliveries that were to come are discarded with them, one that is under way forbids it."""
    under_way = select(func.count()).select_from(deliveries)
    under_way = under_way.where(deliveries.c.scan == scan, deliveries.c.state.in_(_UNDER_WAY))
    if (await connection.execute(under_way)).scalar_one():
        raise _NotAtRestError
    await connection.execute(delete(deliveries).where(deliveries.c.scan == scan))
    await connection.execute(delete(pages).where(pages.c.scan == scan))
    removed = await connection.execute(delete(scans).where(scans.c.id == scan, scans.c.state.in_(_AT_REST)))
    if removed.rowcount != 1:
        raise _NotAtRestError
    await _remember(connection, scan, at)


async def _remember(connection: AsyncConnection, scan: ScanId, at: datetime) -> None:
    await connection.execute(delete(erasures).where(erasures.c.scan == scan))
    await connection.execute(insert(erasures).values(scan=scan, at=at))


async def remove_all_of(connection: AsyncConnection, account: AccountId, at: datetime) -> None:
    """Remove every scan of an account inside the caller's transaction, whatever state it is in."""
    mine = select(scans.c.id).where(scans.c.account == account)
    await connection.execute(delete(erasures).where(erasures.c.scan.in_(mine)))
    await connection.execute(
        insert(erasures).from_select(["scan", "at"], mine.add_columns(literal(at, erasures.c.at.type)))
    )
    await connection.execute(delete(deliveries).where(deliveries.c.scan.in_(mine)))
    await connection.execute(delete(pages).where(pages.c.scan.in_(mine)))
    await connection.execute(delete(scans).where(scans.c.account == account))
