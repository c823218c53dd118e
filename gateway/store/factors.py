"""Second factors: the authenticator, an enrolment or rotation under way, and the sign-in codes on paper."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.core.model import AccountId, Session, SessionId, TwoFactor
from gateway.store import sessions
from gateway.store.accounts import Paper, drop_factor, keep_paper, new_epoch
from gateway.store.audit import AuditEntry, append
from gateway.store.tables import accounts, pending_factors, sign_in_codes


@dataclass(frozen=True, slots=True)
class Factor:
    """The authenticator: its sealed secret and the last time step that was used."""

    sealed_secret: bytes
    last_step: int


@dataclass(frozen=True, slots=True)
class PendingFactor:
    """An enrolment or rotation under way; it belongs to one session. `was`: the state to go back to."""

    account: AccountId
    session: SessionId
    sealed_secret: bytes
    started_at: datetime
    tries: int
    was: TwoFactor = TwoFactor.OFF


class EnrolmentOver(Exception):
    """The enrolment is not pending any more."""


class Factors:
    """The repository of second factors."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, account: AccountId) -> Factor | None:
        """Return the authenticator."""
        query = select(accounts.c.totp_secret, accounts.c.last_step).where(accounts.c.id == account)
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            row = (await connection.execute(query)).first()
        return Factor(row.totp_secret, row.last_step) if row and row.totp_secret else None

    async def burn_step(self, account: AccountId, step: int) -> bool:
        """Use a time step up: one conditional UPDATE, so that of two racers one loses."""
        query = update(accounts).where(accounts.c.id == account, accounts.c.last_step < step)
        async with self._engine.begin() as connection:
            return (await connection.execute(query.values(last_step=step))).rowcount == 1

    async def burn_code(self, account: AccountId, digest: str) -> bool:
        """Use a sign-in code up: one conditional DELETE, so that of two racers one loses."""
        query = delete(sign_in_codes).where(sign_in_codes.c.account == account, sign_in_codes.c.hash == digest)
        async with self._engine.begin() as connection:
            return (await connection.execute(query)).rowcount == 1

    async def codes_left(self, account: AccountId) -> int:
        """Return how many sign-in codes are unused."""
        query = select(func.count()).select_from(sign_in_codes).where(sign_in_codes.c.account == account)
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return int((await connection.execute(query)).scalar_one())

    async def forget_steps(self) -> None:
        """Take every account's last used step back: the clock was wrong, and is trusted again."""
        async with self._engine.begin() as connection:
            await connection.execute(update(accounts).values(last_step=0))

    async def pending(self, account: AccountId) -> PendingFactor | None:
        """Return the enrolment or rotation under way of an account."""
        return next((p for p in await self.all_pending() if p.account == account), None)

    async def all_pending(self) -> tuple[PendingFactor, ...]:
        """Return every enrolment and rotation under way."""
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return tuple(_pending(row) for row in await connection.execute(select(pending_factors)))

    async def start_pending(self, pending: PendingFactor, after: TwoFactor) -> bool:
        """Begin an enrolment or rotation, from `was` to `after`; only the newest counts. False in another state."""
        async with self._engine.begin() as connection:
            if not await _set(connection, pending.account, (pending.was, after), after):
                return False
            await connection.execute(delete(pending_factors).where(pending_factors.c.account == pending.account))
            await connection.execute(
                insert(pending_factors).values(
                    account=pending.account,
                    session=pending.session,
                    sealed_secret=pending.sealed_secret,
                    started_at=pending.started_at,
                    tries=pending.tries,
                    was=pending.was,
                )
            )
            return True

    async def miss_pending(self, account: AccountId) -> int:
        """Count a wrong code of an enrolment and return how many there were."""
        mine = pending_factors.c.account == account
        async with self._engine.begin() as connection:
            await connection.execute(update(pending_factors).where(mine).values(tries=pending_factors.c.tries + 1))
            row = (await connection.execute(select(pending_factors.c.tries).where(mine))).first()
            return int(row.tries) if row else 0

    async def clear_pending(self, pending: PendingFactor) -> None:
        """End an enrolment or rotation without effect."""
        under_way = (TwoFactor.PENDING, TwoFactor.ROTATING)
        async with self._engine.begin() as connection:
            await connection.execute(delete(pending_factors).where(pending_factors.c.account == pending.account))
            await _set(connection, pending.account, under_way, pending.was)

    async def activate(
        self,
        pending: PendingFactor,
        *,
        before: TwoFactor,
        step: int,
        successor: Session,
        token_hash: str,
        paper: Paper,
        audit: AuditEntry,
    ) -> tuple[SessionId, ...]:
        """Switch the new authenticator on: a new epoch ends every session, the acting one goes on as `successor`.

        Returns the ended sessions. EnrolmentOver if it is no longer under way.
        """
        account = pending.account
        async with self._engine.begin() as connection:
            gone = delete(pending_factors).where(
                pending_factors.c.account == account, pending_factors.c.sealed_secret == pending.sealed_secret
            )
            if (await connection.execute(gone)).rowcount != 1:
                raise EnrolmentOver(pending.session)
            if not await _set(connection, account, (before,), TwoFactor.ACTIVE):
                raise EnrolmentOver(pending.session)
            mine = accounts.c.id == account
            await connection.execute(
                update(accounts).where(mine).values(totp_secret=pending.sealed_secret, last_step=step)
            )
            await keep_paper(connection, account, paper)
            ended = await new_epoch(connection, account, audit.at)
            await sessions.add(connection, successor, token_hash)
            await append(connection, audit)
        return ended

    async def suspend(self, account: AccountId, audit: AuditEntry) -> bool:
        """Suspend an active authenticator; False if it is not active."""
        async with self._engine.begin() as connection:
            if not await _set(connection, account, (TwoFactor.ACTIVE,), TwoFactor.SUSPENDED):
                return False
            await append(connection, audit)
            return True

    async def lift(self, account: AccountId, audit: AuditEntry) -> bool:
        """Lift a suspension; False if there is none."""
        async with self._engine.begin() as connection:
            if not await _set(connection, account, (TwoFactor.SUSPENDED,), TwoFactor.ACTIVE):
                return False
            await append(connection, audit)
            return True

    async def disable(self, account: AccountId, audit: AuditEntry) -> tuple[SessionId, ...]:
        """Switch two-factor off: the codes on paper go, a new epoch ends every session, which are returned."""
        async with self._engine.begin() as connection:
            ended = await new_epoch(connection, account, audit.at)
            await drop_factor(connection, account)
            await append(connection, audit)
        return ended


def _pending(row: Any) -> PendingFactor:
    return PendingFactor(
        account=AccountId(row.account),
        session=SessionId(row.session),
        sealed_secret=row.sealed_secret,
        started_at=row.started_at,
        tries=row.tries,
        was=TwoFactor(row.was),
    )


async def _set(
    connection: AsyncConnection, account: AccountId, before: tuple[TwoFactor, ...], after: TwoFactor
) -> bool:
    query = update(accounts).where(accounts.c.id == account, accounts.c.two_factor.in_(before))
    return (await connection.execute(query.values(two_factor=after))).rowcount == 1
