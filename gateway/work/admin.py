"""What the administrator may do on the command line. No account has power over another; this is where it is."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from gateway.clock import Clock
from gateway.core import account as accounts
from gateway.core.model import Account, AccountState, Delivery, UnitId
from gateway.store.audit import AuditBroken
from gateway.store.recovery import Ticket
from gateway.store.store import Store
from gateway.work.founding import ticket_hash
from gateway.work.outcomes import Denied
from gateway.work.record import entry
from gateway.work.sessions import Sessions
from gateway.work.setup import SetupToken
from gateway.work.timekeeper import Timekeeper
from gateway.work.units import Units

TICKET_BYTES = 20  # 160 bit
INVITATION_SPAN = timedelta(days=7)
RESET_SPAN = timedelta(minutes=30)
PEER = "command line"
LISTED = 100  # deliveries at a console

NO_ACCOUNT = Denied("no_account", "There is no account with this e-mail address.", 404)
NO_UNIT = Denied("no_unit", "There is no such unit.", 404)
TAKEN = Denied("email_taken", "There is an account with this e-mail address.", 409)


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account as the administrator sees it: never what it holds."""

    account: Account
    units: int
    sessions: int


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """A delivery with whose it is and what its destination is called."""

    delivery: Delivery
    email: str
    destination: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A ticket, shown once. `span`: how long it is good."""

    ticket: str
    email: str
    span: timedelta


class Admin:
    """The desk behind the Unix socket."""

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        sessions: Sessions,
        units: Units,
        timekeeper: Timekeeper,
        setup: SetupToken,
    ) -> None:
        self._clock = clock
        self._store = store
        self._sessions = sessions
        self._units = units
        self._timekeeper = timekeeper
        self._setup = setup

    async def accounts(self) -> tuple[AccountLine, ...]:
        """List the accounts."""
        return tuple(
            [
                AccountLine(account, await self._store.units.count(account.id), len(await self._sessions.of(account)))
                for account in await self._store.accounts.all()
            ]
        )

    async def deliveries(self, email: str) -> tuple[DeliveryLine, ...] | Denied:
        """List what went where lately, newest first: of one account, or of all with ""."""
        accounts_by_id = {account.id: account for account in await self._store.accounts.all()}
        wanted = None
        if email:
            found = await self._store.accounts.by_email(accounts.fold_email(email))
            if found is None:
                return NO_ACCOUNT
            wanted = found.id
        labels = await self._store.destinations.labels()
        return tuple(
            DeliveryLine(row, accounts_by_id[row.account].email, labels[row.destination])
            for row in await self._store.deliveries.latest(LISTED, wanted)
        )

    async def invite(self, email: str) -> Issued | Denied:
        """Issue an invitation to a new account, good for a week."""
        fault = accounts.email_fault(email.strip())
        if fault:
            return Denied("unusable", fault, 422)
        folded = accounts.fold_email(email)
        if await self._store.accounts.by_email(folded) is not None:
            return TAKEN
        return await self._issue("invite", folded, None, INVITATION_SPAN, drops_two_factor=False)

    async def reset(self, email: str, *, drop_two_factor: bool) -> Issued | Denied:
        """Issue a ticket that sets a new password, good for half an hour; two-factor goes only if told so."""
        account = await self._account(email)
        if isinstance(account, Denied):
            return account
        return await self._issue(
            "reset", accounts.fold_email(account.email), account, RESET_SPAN, drops_two_factor=drop_two_factor
        )

    async def _issue(
        self, kind: str, email: str, account: Account | None, span: timedelta, *, drops_two_factor: bool
    ) -> Issued:
        now, ticket = self._clock.now(), secrets.token_hex(TICKET_BYTES)
        who = account.id if account else None
        row = Ticket(ticket_hash(ticket), kind, email, who, drops_two_factor, now.utc + span)
        reason = "two-factor goes" if drops_two_factor else ""
        await self._store.recovery.issue(row, entry(now, who, PEER, f"{kind}_issued", reason=reason))
        return Issued(ticket, email, span)

    async def disable(self, email: str) -> Denied | None:
        """Disable an account: its units still scan, its gate is shut, nobody signs in."""
        return await self._move(email, AccountState.ACTIVE, "disable")

    async def enable(self, email: str) -> Denied | None:
        """Enable a disabled account."""
        return await self._move(email, AccountState.DISABLED, "enable")

    async def _move(self, email: str, before: AccountState, event: str) -> Denied | None:
        account = await self._account(email)
        if isinstance(account, Denied):
            return account
        after = accounts.account_step(before, event)
        audit = entry(self._clock.now(), account.id, PEER, f"account_{event}d")
        ended = await self._store.accounts.move(account.id, before, after, audit, ends_sessions=True)
        if ended is None:
            return Denied("account_state", f"The account is {account.state}.", 409)
        self._sessions.over(account.id, ended)
        return None

    async def release(self, unit: str) -> Denied | None:
        """Take a unit from its owner, also the last one; two-factor authentication stays on."""
        return NO_UNIT if await self._units.force_out(UnitId(unit), peer=PEER) else None

    async def trust_clock(self) -> None:
        """Believe the clock from now on."""
        await self._timekeeper.trust()
        await self._store.audit.append(entry(self._clock.now(), None, PEER, "clock_trusted"))

    async def verify_audit(self) -> int | Denied:
        """Return how many rows the audit has, if none was changed, or removed from within."""
        try:
            return await self._store.audit.verify()
        except AuditBroken as broken:
            return Denied("audit_broken", f"{broken}.", 409)

    async def setup_token(self) -> str | Denied:
        """Renew the set-up token, as long as there is no account."""
        if await self._store.accounts.count():
            return Denied("already_set_up", "This gateway has its first account already.", 409)
        return self._setup.renew()

    async def _account(self, email: str) -> Account | Denied:
        return await self._store.accounts.by_email(accounts.fold_email(email)) or NO_ACCOUNT
