"""Known devices: browsers that passed the whole sign-in of an account."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.core.model import AccountId
from gateway.store.tables import devices

MOST = 20  # of an account; a program that does not say which device it is would add one at each sign-in


@dataclass(frozen=True, slots=True)
class Device:
    """A known device: by what and from where it came last."""

    id: str
    account: AccountId
    client: str
    peer: str
    first_at: datetime
    last_at: datetime


class Devices:
    """The repository of known devices."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, device: Device) -> None:
        """Remember a device; of an account that has many, those that were here last stay."""
        mine = select(devices.c.id).where(devices.c.account == device.account).order_by(devices.c.last_at.desc())
        async with self._engine.begin() as connection:
            await connection.execute(
                insert(devices).values(
                    id=device.id,
                    account=device.account,
                    client=device.client,
                    peer=device.peer,
                    first_at=device.first_at,
                    last_at=device.last_at,
                )
            )
            stay = (await connection.execute(mine.limit(MOST))).scalars().all()
            await connection.execute(
                delete(devices).where(devices.c.account == device.account, devices.c.id.not_in(stay))
            )

    async def get(self, account: AccountId, device: str) -> Device | None:
        """Return a device of an account."""
        return next((d for d in await self.of_account(account) if d.id == device), None)

    async def of_account(self, account: AccountId) -> tuple[Device, ...]:
        """Return the devices of an account, the one seen last first."""
        query = select(devices).where(devices.c.account == account).order_by(devices.c.last_at.desc())
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            rows = await connection.execute(query)
            return tuple(Device(r.id, account, r.client, r.peer, r.first_at, r.last_at) for r in rows)

    async def touch(self, device: str, client: str, peer: str, at: datetime) -> None:
        """Note that a device was here."""
        query = update(devices).where(devices.c.id == device)
        async with self._engine.begin() as connection:
            await connection.execute(query.values(client=client, peer=peer, last_at=at))

    async def forget(self, account: AccountId, device: str) -> bool:
        """Forget a device; False if the account has none such."""
        query = delete(devices).where(devices.c.account == account, devices.c.id == device)
        async with self._engine.begin() as connection:
            return (await connection.execute(query)).rowcount == 1

    async def prune(self, before: datetime) -> None:
        """Forget devices that were not here since `before`."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(devices).where(devices.c.last_at < before))
