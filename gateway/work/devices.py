"""Known devices: a browser that passed the whole sign-in is counted apart from strangers. It never skips a factor."""

import hmac
import uuid
from datetime import timedelta

from gateway.clock import Clock
from gateway.core.model import Account, AccountId
from gateway.store.devices import Device
from gateway.store.store import Store
from gateway.vault.device import DeviceKey
from gateway.work.caller import Caller
from gateway.work.outcomes import NOT_FOUND, Denied

SPAN = timedelta(days=180)


class Devices:
    """Recognises, welcomes, lists, forgets."""

    def __init__(self, *, clock: Clock, store: Store, device: DeviceKey) -> None:
        self._clock = clock
        self._store = store
        self._device = device

    async def recognise(self, caller: Caller, account: Account | None) -> str:
        """Return the id of the account's known device that calls; "" for a stranger."""
        name, _, mac = caller.device.partition(".")
        if account is None or not hmac.compare_digest(self._mac(account.id, name).encode(), mac.encode()):
            return ""
        device = await self._store.devices.get(account.id, name)
        over = device is None or self._clock.now().utc - device.last_at >= SPAN
        return "" if over else name

    async def welcome(self, caller: Caller, account: Account) -> str:
        """Note that the caller passed the whole sign-in; returns what its browser keeps."""
        now = self._clock.now().utc
        name = await self.recognise(caller, account)
        client, peer = caller.client[:200], caller.peer[:64]
        if name:
            await self._store.devices.touch(name, client, peer, now)
        else:
            name = uuid.uuid4().hex
            await self._store.devices.add(Device(name, account.id, client, peer, now, now))
        return f"{name}.{self._mac(account.id, name)}"

    async def of(self, account: AccountId) -> tuple[Device, ...]:
        """Return the account's known devices."""
        return await self._store.devices.of_account(account)

    async def forget(self, account: AccountId, device: str) -> Denied | None:
        """Forget a known device; from then on it is a stranger."""
        return None if await self._store.devices.forget(account, device) else NOT_FOUND

    def _mac(self, account: AccountId, name: str) -> str:
        return self._device.mac("known device", account, name)
