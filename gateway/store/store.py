"""The store, opened: the schema brought up to date, then one repository per kind of record."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store import engine as engines
from gateway.store.accounts import Accounts
from gateway.store.audit import Audit
from gateway.store.deliveries import Deliveries
from gateway.store.destinations import Destinations
from gateway.store.devices import Devices
from gateway.store.erasures import Erasures
from gateway.store.factors import Factors
from gateway.store.idempotency import Idempotency
from gateway.store.notices import Notices
from gateway.store.recovery import Recovery
from gateway.store.remembered import Remembered
from gateway.store.rules import Rules
from gateway.store.scans import Scans
from gateway.store.sessions import Sessions
from gateway.store.throttles import Throttles
from gateway.store.units import Units

MIGRATIONS = Path(__file__).parent / "migrations"


class StoreUnusable(Exception):
    """The database cannot be opened; `str()` says which and why."""


class Store:
    """All repositories over one engine."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.accounts = Accounts(engine)
        self.factors = Factors(engine)
        self.recovery = Recovery(engine)
        self.sessions = Sessions(engine)
        self.devices = Devices(engine)
        self.throttles = Throttles(engine)
        self.units = Units(engine)
        self.scans = Scans(engine)
        self.erasures = Erasures(engine)
        self.rules = Rules(engine)
        self.deliveries = Deliveries(engine)
        self.notices = Notices(engine)
        self.destinations = Destinations(engine)
        self.audit = Audit(engine)
        self.remembered = Remembered(engine)
        self.idempotency = Idempotency(engine)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


async def open_store(path: Path) -> Store:
    """Open the database at `path`, made or migrated as needed; StoreUnusable."""
    await asyncio.to_thread(path.touch, 0o600)
    engine = engines.make(path)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate)
    except (DatabaseError, CommandError) as error:
        await engine.dispose()
        raise StoreUnusable(f"{path} cannot be opened: {getattr(error, 'orig', None) or error}") from error
    return Store(engine)


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
