"""How an account begins: the first one with the set-up token, every further one by an invitation."""

import asyncio
import hashlib
import uuid
from dataclasses import replace

from gateway.clock import Clock
from gateway.core import account as accounts
from gateway.core.model import Account, AccountId, AccountState, Session, TwoFactor
from gateway.store.accounts import EmailTaken
from gateway.store.store import Store
from gateway.vault import keys
from gateway.work.caller import Caller
from gateway.work.credentials import Credentials
from gateway.work.outcomes import Denied, Grant, Paper
from gateway.work.paper import print_paper
from gateway.work.record import entry
from gateway.work.sessions import Parked
from gateway.work.setup import SetupToken
from gateway.work.signin import SignIn

SETUP_TOKEN_WRONG = Denied("setup_token_wrong", "The set-up token is wrong or too old; renew it on the console.", 403)
INVITATION_OVER = Denied("invitation_over", "This invitation is wrong, used, or over. Ask for a new one.", 403)


def ticket_hash(ticket: str) -> str:
    """Return what the database holds of a ticket of the command line."""
    return hashlib.sha256(ticket.strip().encode(errors="surrogateescape")).hexdigest()


class Founding:
    """Makes accounts; sign-up is closed."""

    def __init__(
        self, *, clock: Clock, store: Store, credentials: Credentials, signin: SignIn, setup: SetupToken
    ) -> None:
        self._clock = clock
        self._store = store
        self._credentials = credentials
        self._signin = signin
        self._setup = setup
        self._founding = asyncio.Lock()

    async def setup_required(self) -> bool:
        """Tell whether no account exists yet."""
        return await self._store.accounts.count() == 0

    async def first(self, token: str, email: str, password: str, *, caller: Caller) -> Grant | Denied:
        """Create the first account with the set-up token and sign it in; one attempt at a time."""
        async with self._founding:
            if not await self.setup_required():
                return Denied("already_set_up", "This gateway has its first account already.", 409)
            if self._setup.spent():
                return Denied("too_many_tries", "Too many wrong set-up tokens. Wait a quarter of an hour.", 429, 900)
            if not self._setup.fits(token):
                return Denied(
                    "setup_token_wrong", "The set-up token is wrong or too old; renew it on the console.", 403
                )
            made = await self._make(email, password, caller)
            if isinstance(made, Denied):
                return made
            self._setup.burn()
            return await self._enter(made, None, caller)

    async def invited(
        self, ticket: str, email: str, password: str, *, caller: Caller, replaces: Session | None
    ) -> Grant | Denied:
        """Create the account that an invitation is for, and sign it in."""
        async with self._founding:
            found = await self._store.recovery.ticket("invite", ticket_hash(ticket), self._clock.now().utc)
            if found is None or found.email != accounts.fold_email(email):
                return INVITATION_OVER
            made = await self._make(email, password, caller)
            if isinstance(made, Denied):
                return made
            await self._store.recovery.use(found)
            return await self._enter(made, replaces, caller)

    async def _make(self, email: str, password: str, caller: Caller) -> tuple[Account, Paper] | Denied:
        email = email.strip()
        fault = accounts.email_fault(email)
        if fault:
            return Denied("unusable", fault, 422)
        now, account_id, identity = self._clock.now(), AccountId(uuid.uuid4().hex), keys.new_identity()
        made = await self._credentials.make(account_id, email, password, identity.secret)
        if isinstance(made, Denied):
            return made
        account = Account(
            id=account_id,
            email=email,
            state=AccountState.ACTIVE,
            two_factor=TwoFactor.OFF,
            auth_epoch=1,
            recipient=identity.recipient,
            created_at=now.utc,
        )
        printed = print_paper(account_id, identity.secret)
        audit = entry(now, account_id, caller.peer, "account_created")
        try:
            await self._store.accounts.create(account, made.credential, audit, paper=printed.stored)
        except EmailTaken:
            return INVITATION_OVER
        return account, printed.paper

    async def _enter(self, made: tuple[Account, Paper], replaces: Session | None, caller: Caller) -> Grant:
        account, printed = made
        return replace(await self._signin.open(account, caller, replaces, Parked()), paper=printed)
