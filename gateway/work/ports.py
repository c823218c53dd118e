"""From a destination's row to a destination that can be talked to."""

import msgspec

from gateway.core.model import AccountId, Destination, DestinationId
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
        present, secrets = await self.with_secrets(destination.id)
        return registry.build(present.kind, present.config, secrets, self._around)

    async def with_secrets(self, destination_id: DestinationId) -> tuple[Destination, dict[str, str]]:
        """Return a destination as it is now, and what opens it there: one is never used without the other."""
        present, sealed = await self._store.destinations.with_secrets(destination_id)
        plain = self._device.unseal(sealed, table="destinations", column="secrets", account=present.account)
        return present, msgspec.json.decode(plain, type=dict[str, str])

    async def check(self, kind: str, config: dict[str, str], secrets: dict[str, str]) -> None:
        """Check what an owner entered, the address included; DestinationError names the field at fault."""
        await registry.check(kind, config, secrets, self._around)

    def seal(self, secrets: dict[str, str], account: AccountId) -> bytes:
        """Seal a destination's secrets for the database."""
        return self._device.seal(msgspec.json.encode(secrets), table="destinations", column="secrets", account=account)
