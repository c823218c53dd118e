"""Accounts, their password credentials, and what becomes of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.core.account import fold_email
from gateway.core.model import Account, AccountId, AccountState, SessionId, TwoFactor
from gateway.store import sessions
from gateway.store.audit import AuditEntry, append
from gateway.store.erasures import remove_all_of
from gateway.store.tables import (
    accounts,
    channels,
    destinations,
    devices,
    notices,
    old_keys,
    pending_factors,
    pushes,
    rules,
    sign_in_codes,
    tickets,
)
from gateway.store.tables import sessions as session_rows

_OF_A_PERSON = (
    *(pending_factors, sign_in_codes, old_keys, tickets, devices, session_rows),
    *(pushes, notices, channels, rules, destinations),
)


class EmailTaken(Exception):
    """Another account has this e-mail address."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a password is checked with, and the key slot it opens. `stretching`: by which parameters."""

    salt: bytes
    verifier: bytes
    slot: bytes
    stretching: str


@dataclass(frozen=True, slots=True)
class Paper:
    """What the database holds of a paper: the rescue key's hash and slot, the codes' hashes (None: unchanged)."""

    rescue_hash: str
    rescue_slot: bytes
    codes: tuple[str, ...] | None = None


def _account(row: Any) -> Account:
    return Account(
        id=AccountId(row.id),
        email=row.email,
        state=AccountState(row.state),
        two_factor=TwoFactor(row.two_factor),
        auth_epoch=row.auth_epoch,
        recipient=row.recipient,
        created_at=row.created_at,
        key_epoch=row.key_epoch,
        paper_kept=row.paper_kept,
        deletes_at=row.deletes_at,
        banner=row.banner,
    )


class Accounts:
    """The repository of accounts."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def _one(self, query: Any) -> Any:
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return (await connection.execute(query)).first()

    async def count(self) -> int:
        """Return how many accounts there are."""
        return int((await self._one(select(func.count()).select_from(accounts)))[0])

    async def all(self) -> tuple[Account, ...]:
        """Return every account that is not gone, oldest first."""
        query = select(accounts).where(accounts.c.state != AccountState.PURGED).order_by(accounts.c.created_at)
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return tuple(_account(row) for row in await connection.execute(query))

    async def create(
        self, account: Account, credential: Credential, audit: AuditEntry, *, paper: Paper | None = None
    ) -> None:
        """Add an account, with its paper; EmailTaken."""
        try:
            async with self._engine.begin() as connection:
                await connection.execute(
                    insert(accounts).values(
                        id=account.id,
                        email=account.email,
                        email_folded=fold_email(account.email),
                        state=account.state,
                        two_factor=account.two_factor,
                        auth_epoch=account.auth_epoch,
                        recipient=account.recipient,
                        created_at=account.created_at,
                        **columns(credential),
                    )
                )
                if paper is not None:
                    await keep_paper(connection, account.id, paper)
                await append(connection, audit)
        except IntegrityError as error:
            raise EmailTaken(account.email) from error

    async def get(self, account: AccountId) -> Account | None:
        """Return an account."""
        row = await self._one(select(accounts).where(accounts.c.id == account))
        return _account(row) if row else None

    async def by_email(self, folded: str) -> Account | None:
        """Return the account of a folded e-mail address."""
        row = await self._one(select(accounts).where(accounts.c.email_folded == folded))
        return _account(row) if row else None

    async def credential(self, account: AccountId) -> Credential | None:
        """Return what an account's password is checked with."""
        row = await self._one(select(accounts).where(accounts.c.id == account))
        return Credential(row.salt, row.verifier, row.slot, row.stretching) if row else None

    async def rehash(self, account: AccountId, before: Credential, after: Credential) -> None:
        """Put another stretching of the same password in the place of `before`, with its slot, or do nothing."""
        query = update(accounts).where(accounts.c.id == account, accounts.c.verifier == before.verifier)
        async with self._engine.begin() as connection:
            await connection.execute(query.values(columns(after)))

    async def change_password(
        self, account: AccountId, credential: Credential, audit: AuditEntry
    ) -> tuple[SessionId, ...]:
        """Give an account another password: a new epoch ends every session, which are returned."""
        async with self._engine.begin() as connection:
            await connection.execute(update(accounts).where(accounts.c.id == account).values(columns(credential)))
            ended = await new_epoch(connection, account, audit.at)
            await append(connection, audit)
        return ended

    async def change_email(self, account: AccountId, email: str, audit: AuditEntry) -> tuple[SessionId, ...]:
        """Give an account another e-mail address: a new epoch ends every session, which are returned; EmailTaken."""
        query = update(accounts).where(accounts.c.id == account)
        try:
            async with self._engine.begin() as connection:
                await connection.execute(query.values(email=email, email_folded=fold_email(email)))
                ended = await new_epoch(connection, account, audit.at)
                await append(connection, audit)
        except IntegrityError as error:
            raise EmailTaken(email) from error
        return ended

    async def move(
        self,
        account: AccountId,
        before: AccountState,
        after: AccountState,
        audit: AuditEntry,
        *,
        deletes_at: datetime | None = None,
        ends_sessions: bool,
    ) -> tuple[SessionId, ...] | None:
        """Move an account to another state; returns the sessions that ended, None if it was not in `before`."""
        query = update(accounts).where(accounts.c.id == account, accounts.c.state == before)
        async with self._engine.begin() as connection:
            if (await connection.execute(query.values(state=after, deletes_at=deletes_at))).rowcount != 1:
                return None
            ended = await new_epoch(connection, account, audit.at) if ends_sessions else ()
            await append(connection, audit)
        return ended

    async def tell(self, account: AccountId, banner: str) -> None:
        """Set what the owner must be told, "" for nothing."""
        async with self._engine.begin() as connection:
            await connection.execute(update(accounts).where(accounts.c.id == account).values(banner=banner))

    async def purge(self, account: AccountId, audit: AuditEntry) -> tuple[SessionId, ...]:
        """Forget who an account was and all that it had; its row stays for the audit. Returns the sessions that end."""
        async with self._engine.begin() as connection:
            ended = await sessions.end_of_account(connection, account, audit.at)
            await remove_all_of(connection, account, audit.at)
            for table in _OF_A_PERSON:
                await connection.execute(delete(table).where(table.c.account == account))
            await connection.execute(
                update(accounts)
                .where(accounts.c.id == account)
                .values(
                    email="",
                    email_folded=account,
                    state=AccountState.PURGED,
                    two_factor=TwoFactor.OFF,
                    salt=b"",
                    verifier=b"",
                    slot=b"",
                    totp_secret=None,
                    rescue_hash=None,
                    rescue_slot=None,
                    deletes_at=None,
                )
            )
            await append(connection, audit)
        return ended


async def new_epoch(connection: AsyncConnection, account: AccountId, at: datetime) -> tuple[SessionId, ...]:
    """Begin a new epoch inside the caller's transaction: every session of the account ends, and is returned.

    An enrolment or rotation under way is over, too.
    """
    pending = select(pending_factors.c.was).where(pending_factors.c.account == account)
    was = (await connection.execute(pending)).scalar_one_or_none()
    if was is not None:
        await connection.execute(delete(pending_factors).where(pending_factors.c.account == account))
        await connection.execute(update(accounts).where(accounts.c.id == account).values(two_factor=was))
    epoch = update(accounts).where(accounts.c.id == account).values(auth_epoch=accounts.c.auth_epoch + 1)
    await connection.execute(epoch)
    return await sessions.end_of_account(connection, account, at)


async def keep_paper(connection: AsyncConnection, account: AccountId, paper: Paper) -> None:
    """Replace an account's paper inside the caller's transaction; the owner has not typed it yet."""
    await connection.execute(
        update(accounts)
        .where(accounts.c.id == account)
        .values(rescue_hash=paper.rescue_hash, rescue_slot=paper.rescue_slot, paper_kept=False)
    )
    if paper.codes is None:
        return
    await connection.execute(delete(sign_in_codes).where(sign_in_codes.c.account == account))
    for digest in paper.codes:
        await connection.execute(insert(sign_in_codes).values(account=account, hash=digest))


async def drop_factor(connection: AsyncConnection, account: AccountId) -> None:
    """Forget authenticator and sign-in codes inside the caller's transaction."""
    await connection.execute(delete(sign_in_codes).where(sign_in_codes.c.account == account))
    mine = update(accounts).where(accounts.c.id == account)
    await connection.execute(mine.values(two_factor=TwoFactor.OFF, totp_secret=None))


def columns(credential: Credential) -> dict[str, Any]:
    """Return the columns of the accounts' table that hold a credential."""
    return {
        "salt": credential.salt,
        "verifier": credential.verifier,
        "slot": credential.slot,
        "stretching": credential.stretching,
    }
