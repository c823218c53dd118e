"""Registered units and the ways to reach them."""

from collections import defaultdict
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.core.model import AccountId, Unit, UnitId, UnitSettings, Way
from gateway.store.audit import AuditEntry, append
from gateway.store.tables import units, ways


class AlreadyOwned(Exception):
    """The way belongs to a registered unit."""


class Units:
    """The repository of units."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def register(self, unit: Unit, audit: AuditEntry) -> None:
        """Add a unit with its ways; AlreadyOwned if one of them belongs to a unit already."""
        try:
            async with self._engine.begin() as connection:
                await connection.execute(
                    insert(units).values(
                        id=unit.id,
                        owner=unit.owner,
                        label=unit.label,
                        model=unit.model,
                        since=unit.since,
                        settings=asdict(unit.settings),
                    )
                )
                for way in unit.ways:
                    row = {"sighting": way.sighting, "unit": unit.id, "via": way.via, "pin": way.pin}
                    await connection.execute(insert(ways).values(row))
                await append(connection, audit)
        except IntegrityError as error:
            raise AlreadyOwned(unit.ways[0].sighting) from error

    async def _select(self, where: Any) -> tuple[Unit, ...]:
        query = select(units, ways.c.sighting, ways.c.via, ways.c.pin).join(ways, ways.c.unit == units.c.id)
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            rows = (await connection.execute(query.where(where).order_by(units.c.since, units.c.id))).all()
        by_unit: dict[str, list[Any]] = defaultdict(list)
        for row in rows:
            by_unit[row.id].append(row)
        return tuple(_unit(group) for group in by_unit.values())

    async def get(self, unit: UnitId) -> Unit | None:
        """Return a unit."""
        return next(iter(await self._select(units.c.id == unit)), None)

    async def of_account(self, account: AccountId) -> tuple[Unit, ...]:
        """Return an account's units, oldest first."""
        return await self._select(units.c.owner == account)

    async def by_sighting(self, sighting: str) -> Unit | None:
        """Return the unit that is reached by this way."""
        inner = select(ways.c.unit).where(ways.c.sighting == sighting)
        return next(iter(await self._select(units.c.id.in_(inner))), None)

    async def count(self, account: AccountId) -> int:
        """Return how many units an account has."""
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            query = select(func.count()).select_from(units).where(units.c.owner == account)
            return int((await connection.execute(query)).scalar_one())

    async def rename(self, unit: UnitId, label: str) -> None:
        """Give a unit another label."""
        async with self._engine.begin() as connection:
            await connection.execute(update(units).where(units.c.id == unit).values(label=label))

    async def configure(self, unit: UnitId, settings: UnitSettings) -> None:
        """Give a unit other settings."""
        async with self._engine.begin() as connection:
            await connection.execute(update(units).where(units.c.id == unit).values(settings=asdict(settings)))

    async def remove(self, unit: UnitId, audit: AuditEntry) -> None:
        """Unregister a unit; its scans stay."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(ways).where(ways.c.unit == unit))
            await connection.execute(delete(units).where(units.c.id == unit))
            await append(connection, audit)


def _unit(rows: list[Any]) -> Unit:
    first = rows[0]
    return Unit(
        id=UnitId(first.id),
        owner=AccountId(first.owner),
        label=first.label,
        model=first.model,
        ways=tuple(Way(row.via, row.sighting, row.pin) for row in rows),
        since=first.since,
        settings=UnitSettings(**first.settings),
    )
