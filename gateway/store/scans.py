"""Scans and the manifest rows of their sealed pages."""

from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, delete, false, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.core.model import AccountId, PageFile, Scan, ScanId, ScanState, UnitId
from gateway.store.tables import pages, scans

_PAGE_COUNT = (
    select(func.count()).select_from(pages).where(pages.c.scan == scans.c.id).scalar_subquery().label("page_count")
)
_SIDES = case((pages.c.side == "front", 0), else_=1)


def select_scans() -> Any:
    """Return the query that `scan_of` reads."""
    return select(scans, _PAGE_COUNT)


def scan_of(row: Any) -> Scan:
    """Return a row as a record."""
    return Scan(
        id=ScanId(row.id),
        account=AccountId(row.account),
        unit=UnitId(row.unit),
        unit_label=row.unit_label,
        state=ScanState(row.state),
        started_at=row.started_at,
        paused_at=row.paused_at,
        ended_at=row.ended_at,
        reason=row.reason,
        page_count=row.page_count,
        colour=row.colour,
    )


def _page(row: Any) -> PageFile:
    fields = dict(row._mapping)
    return PageFile(**fields)


class Scans:
    """The repository of scans and pages."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def _rows(self, query: Any) -> Any:
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return (await connection.execute(query)).all()

    async def begin(self, scan: Scan) -> None:
        """Add a scan."""
        async with self._engine.begin() as connection:
            await connection.execute(
                insert(scans).values(
                    id=scan.id,
                    account=scan.account,
                    unit=scan.unit,
                    unit_label=scan.unit_label,
                    state=scan.state,
                    started_at=scan.started_at,
                    reason=scan.reason,
                    colour=scan.colour,
                )
            )

    async def move(self, scan: ScanId, before: ScanState, after: ScanState, *, at: datetime, reason: str = "") -> bool:
        """Move a scan from one state to another; False if it was not in the first. The time goes where it belongs."""
        values: dict[str, Any] = {"state": after, "reason": reason}
        if after is ScanState.PAUSED:
            values["paused_at"] = at
        elif after in (ScanState.STORED, ScanState.INCOMPLETE):
            values["ended_at"] = at
        async with self._engine.begin() as connection:
            moved = await connection.execute(
                update(scans).where(scans.c.id == scan, scans.c.state == before).values(values)
            )
            return bool(moved.rowcount)

    async def forget_empty(self, scan: ScanId) -> None:
        """Remove a scan that never had a page."""
        async with self._engine.begin() as connection:
            count = select(func.count()).select_from(pages).where(pages.c.scan == scan).scalar_subquery()
            await connection.execute(delete(scans).where(scans.c.id == scan, count == 0))

    async def add_page(self, page: PageFile) -> None:
        """Add a page's row; once it is there it stays as it is."""
        values = {name: getattr(page, name) for name in PageFile.__slots__}
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(pages).values(values))
        except IntegrityError:
            if page not in await self.pages(page.scan):
                raise

    async def pages(self, scan: ScanId) -> tuple[PageFile, ...]:
        """Return a scan's pages: by sheet, front before back."""
        query = select(pages).where(pages.c.scan == scan).order_by(pages.c.number, _SIDES)
        return tuple(_page(row) for row in await self._rows(query))

    async def has_page_path(self, path: str) -> bool:
        """Tell whether a sealed file has a row."""
        return bool(await self._rows(select(pages.c.path).where(pages.c.path == path)))

    async def get(self, scan: ScanId) -> Scan | None:
        """Return a scan."""
        rows = await self._rows(select_scans().where(scans.c.id == scan))
        return scan_of(rows[0]) if rows else None

    async def of_account(
        self, account: AccountId, limit: int, before: datetime | None, tie: str = ""
    ) -> tuple[Scan, ...]:
        """Return an account's scans, newest first, at most `limit`, older than `before`.

        `tie`: of those that began at that very time, the ones behind this id too.
        """
        query = select_scans().where(scans.c.account == account)
        if before is not None:
            behind = and_(scans.c.started_at == before, scans.c.id > tie) if tie else false()
            query = query.where(or_(scans.c.started_at < before, behind))
        query = query.order_by(scans.c.started_at.desc(), scans.c.id).limit(limit)
        return tuple(scan_of(row) for row in await self._rows(query))

    async def bytes_of(self, account: AccountId) -> int:
        """Return the bytes of an account's pages that are kept."""
        query = select(func.coalesce(func.sum(pages.c.byte_count), 0)).where(pages.c.account == account)
        return int((await self._rows(query))[0][0])

    async def counts(self) -> dict[str, int]:
        """Return how many there are in each state."""
        query = select(scans.c.state, func.count()).group_by(scans.c.state)
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return {str(state): count for state, count in await connection.execute(query)}

    async def in_state(self, *states: ScanState) -> tuple[Scan, ...]:
        """Return all scans in these states, oldest first."""
        query = select_scans().where(scans.c.state.in_(states)).order_by(scans.c.started_at)
        return tuple(scan_of(row) for row in await self._rows(query))

    async def lately(self, account: AccountId, state: ScanState, since: datetime) -> tuple[Scan, ...]:
        """Return an account's scans in a state that began since then."""
        query = select_scans().where(scans.c.account == account, scans.c.state == state, scans.c.started_at >= since)
        return tuple(scan_of(row) for row in await self._rows(query.order_by(scans.c.started_at)))

    async def paused_on(self, unit: UnitId) -> Scan | None:
        """Return the newest paused scan of a unit."""
        query = select_scans().where(scans.c.unit == unit, scans.c.state == ScanState.PAUSED)
        rows = await self._rows(query.order_by(scans.c.started_at.desc()).limit(1))
        return scan_of(rows[0]) if rows else None
