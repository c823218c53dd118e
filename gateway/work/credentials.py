"""Passwords and the identity behind them: making, checking, opening. The identity is a text of one secret a line."""

from dataclasses import dataclass, replace

from gateway.clock import Clock
from gateway.core.account import fold_email
from gateway.core.model import Account, AccountId
from gateway.store.accounts import Credential
from gateway.store.store import Store
from gateway.vault import keys
from gateway.vault.device import DeviceKey, TamperedError
from gateway.work.caller import Caller
from gateway.work.devices import Devices
from gateway.work.outcomes import Denied
from gateway.work.passwords import Stretcher
from gateway.work.record import entry
from gateway.work.throttle import Throttle

PASSWORD_WRONG = Denied("password_wrong", "The password is not right.", 401)
SLOT_BROKEN = Denied("keys_unavailable", "The account's keys cannot be opened with this gateway's device key.", 500)


@dataclass(frozen=True, slots=True)
class Made:
    """A new credential, and the key share that its password gives."""

    credential: Credential
    kek: bytes


class Credentials:
    """What a password opens."""

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        device: DeviceKey,
        stretcher: Stretcher,
        throttle: Throttle,
        devices: Devices,
    ) -> None:
        self._clock = clock
        self._store = store
        self._device = device
        self._stretcher = stretcher
        self._throttle = throttle
        self._devices = devices

    async def make(self, account: AccountId, email: str, password: str, identity: str) -> Made | Denied:
        """Make the credential of a new password, with the slot that holds the identity; Denied says what is wrong."""
        fault = keys.password_fault(password, email)
        if fault:
            return Denied("unusable", fault, 422)
        salt = keys.new_salt()
        stretched = await self._stretcher.stretch(password, salt)
        if isinstance(stretched, Denied):
            return stretched
        return Made(self.seal(account, salt, stretched, identity), stretched.kek)

    def seal(self, account: AccountId, salt: bytes, stretched: keys.Stretched, identity: str) -> Credential:
        """Return the credential of a stretched password with its slot."""
        slot = keys.seal_password_slot(identity, stretched.kek, keys.share(self._device, account), account)
        return Credential(salt, stretched.verifier, slot, keys.STRETCHING)

    def reseal(self, account: AccountId, credential: Credential, kek: bytes, identity: str) -> Credential:
        """Return the same credential with another identity in its slot."""
        slot = keys.seal_password_slot(identity, kek, keys.share(self._device, account), account)
        return replace(credential, slot=slot)

    async def check(self, account: Account, password: str, caller: Caller) -> bytes | Denied:
        """Check a signed-in person's password once more; returns the key share that opens the slot."""
        known = await self._devices.recognise(caller, account)
        attempt = await self._throttle.password(fold_email(account.email), caller, known=known)
        if isinstance(attempt, Denied):
            return attempt
        credential = await self._store.accounts.credential(account.id)
        if credential is None:
            return PASSWORD_WRONG
        stretched = await self._stretcher.stretch(password, credential.salt, credential.stretching, known=bool(known))
        if isinstance(stretched, Denied):
            await self._throttle.undo(attempt)
            return stretched
        if keys.verify(stretched, credential.verifier):
            await self._throttle.right(attempt)
            return stretched.kek
        refused = entry(self._clock.now(), account.id, caller.peer, "step_up", factor="password", outcome="refused")
        await self._store.audit.append(refused)
        return PASSWORD_WRONG

    async def open(self, account: AccountId, kek: bytes) -> str | Denied:
        """Return the account's identity; to be asked for only after the code was right, where one is due."""
        credential = await self._store.accounts.credential(account)
        return SLOT_BROKEN if credential is None else self.open_slot(account, credential, kek)

    def open_slot(self, account: AccountId, credential: Credential, kek: bytes) -> str | Denied:
        """Return the identity in a credential's slot; likewise."""
        try:
            return keys.open_password_slot(credential.slot, kek, keys.share(self._device, account), account)
        except (keys.SlotError, TamperedError):
            return SLOT_BROKEN
