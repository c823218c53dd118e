"""What replaces a lost factor: rescue keys, sign-in codes, and the tickets of the command line. Hashes only."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.core.model import AccountId, SessionId, TwoFactor
from gateway.store.accounts import Credential, Paper, columns, drop_factor, keep_paper, new_epoch
from gateway.store.audit import AuditEntry, append
from gateway.store.tables import accounts, old_keys, tickets


@dataclass(frozen=True, slots=True)
class RescueSlot:
    """The identity of one key epoch, as its rescue key opens it."""

    key_epoch: int
    rescue_hash: str
    slot: bytes


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the command line gave out. `kind`: "invite" or "reset"."""

    hash: str
    kind: str
    email: str
    account: AccountId | None
    drops_two_factor: bool
    expires_at: datetime


class TicketUsed(Exception):
    """Somebody was faster with this ticket or rescue key."""


class Recovery:
    """The repository of what replaces a lost factor."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def rescue_slots(self, account: AccountId) -> tuple[RescueSlot, ...]:
        """Return the identities that a rescue key opens, the present one first."""
        present = select(accounts.c.key_epoch, accounts.c.rescue_hash, accounts.c.rescue_slot)
        older = select(old_keys).where(old_keys.c.account == account).order_by(old_keys.c.key_epoch.desc())
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            now = (await connection.execute(present.where(accounts.c.id == account))).all()
            rows = [*now, *(await connection.execute(older)).all()]
        return tuple(RescueSlot(r.key_epoch, r.rescue_hash, r.rescue_slot) for r in rows if r.rescue_hash)

    async def print(self, account: AccountId, paper: Paper, audit: AuditEntry) -> None:
        """Replace the paper of an account."""
        async with self._engine.begin() as connection:
            await keep_paper(connection, account, paper)
            await append(connection, audit)

    async def kept(self, account: AccountId, rescue_hash: str, audit: AuditEntry) -> bool:
        """Note that the owner has the present rescue key on paper; False if this is another one."""
        query = update(accounts).where(accounts.c.id == account, accounts.c.rescue_hash == rescue_hash)
        async with self._engine.begin() as connection:
            if (await connection.execute(query.values(paper_kept=True))).rowcount != 1:
                return False
            await append(connection, audit)
            return True

    async def rescue(
        self, account: AccountId, used: str, credential: Credential, paper: Paper, audit: AuditEntry
    ) -> tuple[SessionId, ...]:
        """Replace the password by the rescue key `used`, and that by a new one; every session ends. TicketUsed."""
        query = update(accounts).where(accounts.c.id == account, accounts.c.rescue_hash == used)
        async with self._engine.begin() as connection:
            if (await connection.execute(query.values(columns(credential)))).rowcount != 1:
                raise TicketUsed(account)
            await keep_paper(connection, account, paper)
            ended = await new_epoch(connection, account, audit.at)
            await append(connection, audit)
        return ended

    async def regain(
        self, account: AccountId, old: RescueSlot, credential: Credential, paper: Paper, audit: AuditEntry
    ) -> bool:
        """Take the identity of an earlier epoch among the present ones; False if it is there already."""
        query = delete(old_keys).where(old_keys.c.account == account, old_keys.c.key_epoch == old.key_epoch)
        async with self._engine.begin() as connection:
            if (await connection.execute(query)).rowcount != 1:
                return False
            await connection.execute(update(accounts).where(accounts.c.id == account).values(columns(credential)))
            await keep_paper(connection, account, paper)
            await append(connection, audit)
            return True

    async def issue(self, ticket: Ticket, audit: AuditEntry) -> None:
        """Give a ticket out; an earlier one of the same kind for the same address is void."""
        same = delete(tickets).where(tickets.c.kind == ticket.kind, tickets.c.email == ticket.email)
        async with self._engine.begin() as connection:
            await connection.execute(same)
            await connection.execute(
                insert(tickets).values(
                    hash=ticket.hash,
                    kind=ticket.kind,
                    email=ticket.email,
                    account=ticket.account,
                    drops_two_factor=ticket.drops_two_factor,
                    expires_at=ticket.expires_at,
                )
            )
            await append(connection, audit)

    async def ticket(self, kind: str, digest: str, now: datetime) -> Ticket | None:
        """Return a ticket that is not over."""
        query = select(tickets).where(tickets.c.hash == digest, tickets.c.kind == kind, tickets.c.expires_at > now)
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        account = AccountId(row.account) if row.account else None
        return Ticket(row.hash, row.kind, row.email, account, row.drops_two_factor, row.expires_at)

    async def use(self, ticket: Ticket) -> bool:
        """Use a ticket up: one conditional DELETE, so that of two racers one loses."""
        async with self._engine.begin() as connection:
            return await _use(connection, ticket)

    async def reset(
        self,
        ticket: Ticket,
        account: AccountId,
        credential: Credential,
        paper: Paper,
        audit: AuditEntry,
        *,
        recipient: str | None,
        banner: str,
    ) -> tuple[SessionId, ...]:
        """Carry a reset out: password, paper, and with `recipient` a new key epoch; every session ends. TicketUsed.

        The identity of the epoch before stays for whoever finds its rescue key. An authenticator that the ticket
        drops goes with its codes; a suspended one is active again.
        """
        mine = accounts.c.id == account
        async with self._engine.begin() as connection:
            if not await _use(connection, ticket):
                raise TicketUsed(ticket.hash)
            if recipient is not None:
                await _retire(connection, account)
                changed = {"recipient": recipient, "key_epoch": accounts.c.key_epoch + 1}
                await connection.execute(update(accounts).where(mine).values(changed))
            await connection.execute(update(accounts).where(mine).values(banner=banner, **columns(credential)))
            await keep_paper(connection, account, paper)
            ended = await new_epoch(connection, account, audit.at)
            if ticket.drops_two_factor:
                await drop_factor(connection, account)
            else:
                lifted = update(accounts).where(mine, accounts.c.two_factor == TwoFactor.SUSPENDED)
                await connection.execute(lifted.values(two_factor=TwoFactor.ACTIVE))
            await append(connection, audit)
        return ended


async def _use(connection: AsyncConnection, ticket: Ticket) -> bool:
    return (await connection.execute(delete(tickets).where(tickets.c.hash == ticket.hash))).rowcount == 1


async def _retire(connection: AsyncConnection, account: AccountId) -> None:
    """Put the present identity's rescue slot among the old ones."""
    row = (await connection.execute(select(accounts).where(accounts.c.id == account))).one()
    if row.rescue_hash:
        await connection.execute(
            insert(old_keys).values(
                account=account,
                key_epoch=row.key_epoch,
                rescue_hash=row.rescue_hash,
                rescue_slot=row.rescue_slot,
            )
        )
