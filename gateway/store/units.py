"""Registered units and the ways to reach them."""

from collections import defaultdict
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, func, insert, select, true, update
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

    async def register(self, unit: Unit, audit: AuditEntry, *, password: bytes | None = None) -> None:
        """Add a unit with its way, and the sealed password for that; AlreadyOwned if it belongs to a unit already."""
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
                    await connection.execute(insert(ways).values(_row(unit.id, way, password)))
                await append(connection, audit)
        except IntegrityError as error:
            raise AlreadyOwned(unit.ways[0].sighting) from error

    async def join(self, unit: UnitId, way: Way, audit: AuditEntry, *, password: bytes | None = None) -> None:
        """Add a way to a unit; AlreadyOwned if it belongs to one already, or the unit is gone."""
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(ways).values(_row(unit, way, password)))
                await append(connection, audit)
        except IntegrityError as error:
            raise AlreadyOwned(way.sighting) from error

    async def part(self, unit: UnitId, sighting: str, audit: AuditEntry) -> None:
        """Take a way from a unit."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(ways).where(ways.c.unit == unit, ways.c.sighting == sighting))
            await append(connection, audit)

    async def repin(self, sighting: str, pin: str, audit: AuditEntry) -> None:
        """Expect another fingerprint of a way from now on."""
        async with self._engine.begin() as connection:
            await connection.execute(update(ways).where(ways.c.sighting == sighting).values(pin=pin))
            await append(connection, audit)

    async def password(self, sighting: str) -> bytes | None:
        """Return the sealed password of a way; None for its default."""
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            query = select(ways.c.password).where(ways.c.sighting == sighting)
            sealed: bytes | None = (await connection.execute(query)).scalar_one_or_none()
            return sealed

    async def set_password(self, sighting: str, sealed: bytes | None, audit: AuditEntry) -> None:
        """Keep the sealed password of a way; None for its default."""
        async with self._engine.begin() as connection:
            await connection.execute(update(ways).where(ways.c.sighting == sighting).values(password=sealed))
            await append(connection, audit)

    async def _select(self, where: Any) -> tuple[Unit, ...]:
        has_password = ways.c.password.is_not(None).label("password_set")
        query = select(units, ways.c.sighting, ways.c.via, ways.c.pin, has_password)
        query = query.join(ways, ways.c.unit == units.c.id)
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

    async def all(self) -> tuple[Unit, ...]:
        """Return every unit, oldest first."""
        return await self._select(true())

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
        ways=tuple(Way(row.via, row.sighting, row.pin, row.password_set) for row in rows),
        since=first.since,
        settings=UnitSettings(**first.settings),
    )


def _row(unit: UnitId, way: Way, password: bytes | None) -> dict[str, Any]:
    return {"sighting": way.sighting, "unit": unit, "via": way.via, "pin": way.pin, "password": password}
