"""From a destination's row to a destination that can be talked to."""

import msgspec

from gateway.core.model import AccountId, Destination
from gateway.destinations import registry
from gateway.destinations.kinds import Surroundings
from gateway.destinations.port import Port
from gateway.store.store import Store
from gateway.vault.device import DeviceKey


class Ports:
    """Builds destinations, with their secrets unsealed for just that."""

    def __init__(self, *, store: Store, device: DeviceKey, around: Surroundings) -> None:
        self._store = store
        self._device = device
        self._around = around

    async def open(self, destination: Destination) -> Port:
        """Return the destination behind its port; Rejected if its configuration cannot be used (any more)."""
        return registry.build(destination.kind, destination.config, await self.secrets(destination), self._around)

    async def secrets(self, destination: Destination) -> dict[str, str]:
        """Return what opens a destination."""
        sealed = await self._store.destinations.secrets(destination.id)
        plain = self._device.unseal(sealed, table="destinations", column="secrets", account=destination.account)
        return msgspec.json.decode(plain, type=dict[str, str])

    async def check(self, kind: str, config: dict[str, str], secrets: dict[str, str]) -> None:
        """Check what an owner entered, the address included; DestinationError names the field at fault."""
        await registry.check(kind, config, secrets, self._around)

    def seal(self, secrets: dict[str, str], account: AccountId) -> bytes:
        """Seal a destination's secrets for the database."""
        return self._device.seal(msgspec.json.encode(secrets), table="destinations", column="secrets", account=account)
