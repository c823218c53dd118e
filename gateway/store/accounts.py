"""Accounts, their password credentials, and their second factor."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.core.account import fold_email
from gateway.core.model import Account, AccountId, AccountState, Session, SessionId, TwoFactor
from gateway.store import sessions
from gateway.store.audit import AuditEntry, append
from gateway.store.tables import accounts, pending_factors


@dataclass(frozen=True, slots=True)
class Credential:
    """What a password is checked with, and the key slot it opens."""

    salt: bytes
    verifier: bytes
    slot: bytes


@dataclass(frozen=True, slots=True)
class Factor:
    """The active authenticator: its sealed secret and the last time step that was used."""

    sealed_secret: bytes
    last_step: int


@dataclass(frozen=True, slots=True)
class PendingFactor:
    """An enrolment under way; it belongs to one session."""

    account: AccountId
    session: SessionId
    sealed_secret: bytes
    started_at: datetime
    tries: int


def _account(row: Any) -> Account:
    return Account(
        id=AccountId(row.id),
        email=row.email,
        state=AccountState(row.state),
        two_factor=TwoFactor(row.two_factor),
        auth_epoch=row.auth_epoch,
        recipient=row.recipient,
        created_at=row.created_at,
    )


class EnrolmentOver(Exception):
    """The enrolment is not pending any more."""


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
        """Return every account."""
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return tuple(_account(row) for row in await connection.execute(select(accounts)))

    async def create(self, account: Account, credential: Credential, audit: AuditEntry) -> None:
        """Add an account; IntegrityError if its e-mail address is taken."""
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
                    salt=credential.salt,
                    verifier=credential.verifier,
                    slot=credential.slot,
                )
            )
            await append(connection, audit)

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
        return Credential(row.salt, row.verifier, row.slot) if row else None

    async def factor(self, account: AccountId) -> Factor | None:
        """Return the active authenticator."""
        row = await self._one(select(accounts).where(accounts.c.id == account))
        return Factor(row.totp_secret, row.last_step) if row and row.totp_secret else None

    async def burn_step(self, account: AccountId, step: int) -> bool:
        """Use a time step up: one conditional UPDATE, so that of two racers one loses."""
        async with self._engine.begin() as connection:
            return await _burn(connection, account, step)

    async def pending(self, account: AccountId) -> PendingFactor | None:
        """Return the enrolment under way."""
        row = await self._one(select(pending_factors).where(pending_factors.c.account == account))
        if not row:
            return None
        return PendingFactor(account, SessionId(row.session), row.sealed_secret, row.started_at, row.tries)

    async def start_pending(self, pending: PendingFactor) -> None:
        """Begin an enrolment; only the newest counts."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(pending_factors).where(pending_factors.c.account == pending.account))
            await connection.execute(
                insert(pending_factors).values(
                    account=pending.account,
                    session=pending.session,
                    sealed_secret=pending.sealed_secret,
                    started_at=pending.started_at,
                    tries=pending.tries,
                )
            )
            await _set_two_factor(connection, pending.account, (TwoFactor.OFF, TwoFactor.PENDING), TwoFactor.PENDING)

    async def miss_pending(self, account: AccountId) -> int:
        """Count a wrong code of an enrolment and return how many there were."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(pending_factors)
                .where(pending_factors.c.account == account)
                .values(tries=pending_factors.c.tries + 1)
            )
            query = select(pending_factors.c.tries).where(pending_factors.c.account == account)
            row = (await connection.execute(query)).first()
            return int(row.tries) if row else 0

    async def clear_pending(self, account: AccountId) -> None:
        """End an enrolment without effect."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(pending_factors).where(pending_factors.c.account == account))
            await _set_two_factor(connection, account, (TwoFactor.PENDING,), TwoFactor.OFF)

    async def activate(
        self,
        account: AccountId,
        *,
        sealed_secret: bytes,
        step: int,
        acting: SessionId,
        successor: Session,
        token_hash: str,
        at: datetime,
        audit: AuditEntry,
    ) -> tuple[SessionId, ...]:
        """Switch two-factor on: a new epoch ends every session, the acting one goes on as `successor`.

        Returns the ended sessions. EnrolmentOver if it is no longer pending.
        """
        async with self._engine.begin() as connection:
            if not await _set_two_factor(connection, account, (TwoFactor.PENDING,), TwoFactor.ACTIVE):
                raise EnrolmentOver(acting)
            await connection.execute(delete(pending_factors).where(pending_factors.c.account == account))
            await connection.execute(
                update(accounts)
                .where(accounts.c.id == account)
                .values(totp_secret=sealed_secret, last_step=step, auth_epoch=accounts.c.auth_epoch + 1)
            )
            ended = await sessions.end_of_account(connection, account, at)
            await sessions.add(connection, successor, token_hash)
            await append(connection, audit)
        return ended

    async def disable_factor(self, account: AccountId, *, at: datetime, audit: AuditEntry) -> tuple[SessionId, ...]:
        """Switch two-factor off: a new epoch ends every session, which are returned."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(accounts)
                .where(accounts.c.id == account)
                .values(two_factor=TwoFactor.OFF, totp_secret=None, auth_epoch=accounts.c.auth_epoch + 1)
            )
            ended = await sessions.end_of_account(connection, account, at)
            await append(connection, audit)
        return ended


async def _burn(connection: AsyncConnection, account: AccountId, step: int) -> bool:
    query = update(accounts).where(accounts.c.id == account, accounts.c.last_step < step).values(last_step=step)
    return (await connection.execute(query)).rowcount == 1


async def _set_two_factor(
    connection: AsyncConnection, account: AccountId, before: tuple[TwoFactor, ...], after: TwoFactor
) -> bool:
    query = update(accounts).where(accounts.c.id == account, accounts.c.two_factor.in_(before))
    return (await connection.execute(query.values(two_factor=after))).rowcount == 1
