"""Gathers the facts, from the database and the keyring, and puts them to the gate."""

from gateway.clock import Clock
from gateway.core.gate import Facts, Permit, Reason, Refusal, decide
from gateway.core.model import AccountId, Delivery, DeliveryId
from gateway.store.store import Store
from gateway.vault.keyring import Keyring


class Gatekeeper:
    """The one who asks the gate, freshly each time."""

    def __init__(self, *, clock: Clock, store: Store, keyring: Keyring) -> None:
        self._clock = clock
        self._store = store
        self._keyring = keyring

    async def ask(self, delivery: Delivery) -> Permit | Refusal:
        """Ask whether this delivery may leave now."""
        return await self._decide(delivery.account, delivery.id)

    async def prospect(self, account: AccountId) -> Refusal | Permit:
        """Ask what the gate would say to any delivery of this account; the Permit names none and delivers nothing."""
        return await self._decide(account, DeliveryId(""))

    async def _decide(self, account_id: AccountId, delivery: DeliveryId) -> Permit | Refusal:
        account = await self._store.accounts.get(account_id)
        if account is None:
            return Refusal(Reason.ACCOUNT_NOT_ACTIVE)
        facts = Facts(
            delivery=delivery,
            account_state=account.state,
            two_factor=account.two_factor,
            auth_epoch=account.auth_epoch,
            sessions=await self._store.sessions.of_account(account_id),
            open_identities=self._keyring.open_sessions(account_id),
        )
        return decide(facts, self._clock.now())
