"""Sessions: rows by the hash of their token; an ended one is never found again."""

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.core.model import AccountId, Deadline, Level, Session, SessionId
from gateway.store.audit import AuditEntry, append
from gateway.store.tables import sessions

MOST_HALF_OPEN = 32
MOST_OPEN = 5


class SessionOver(Exception):
    """The session that was to rise has ended meanwhile."""


def _session(row: Any) -> Session:
    forwards = None if row.forwards_utc is None else Deadline(row.forwards_utc, row.forwards_boot_s)
    return Session(
        id=SessionId(row.id),
        account=AccountId(row.account),
        level=Level(row.level),
        password_at=row.password_at,
        totp_at=row.totp_at,
        ends=Deadline(row.ends_utc, row.ends_boot_s),
        acts_until=Deadline(row.acts_utc, row.acts_boot_s),
        forwards_until=forwards,
        epoch=row.epoch,
        boot_id=row.boot_id,
        misses=row.misses,
        ended_at=row.ended_at,
        peer=row.peer,
        client=row.client,
    )


class Sessions:
    """The repository of sessions."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def create(
        self,
        session: Session,
        token_hash: str,
        audit: AuditEntry,
        *,
        ended: SessionId | None = None,
        rises: bool = False,
    ) -> tuple[SessionId, ...]:
        """Add a session, in one transaction with the end of the one it follows; returns all that ended.

        `rises`: the one it follows must be live until now, or SessionOver. At most 5 open and 32 half-open ones per
        account: the oldest ends.
        """
        async with self._engine.begin() as connection:
            over = [ended] if ended else []
            if rises and not await _end(connection, tuple(over), audit.at):
                raise SessionOver(ended)
            half = session.level is Level.LP
            query = select(sessions.c.id).where(
                sessions.c.account == session.account,
                sessions.c.ended_at.is_(None),
                (sessions.c.level == Level.LP) if half else (sessions.c.level != Level.LP),
                sessions.c.id != (ended or ""),
            )
            rows = (await connection.execute(query.order_by(sessions.c.password_at))).scalars().all()
            most = MOST_HALF_OPEN if half else MOST_OPEN
            over += [SessionId(row) for row in rows[: max(0, len(rows) + 1 - most)]]
            await _end(connection, tuple(over), audit.at)
            await add(connection, session, token_hash)
            await append(connection, audit)
        return tuple(over)

    async def by_token(self, token_hash: str) -> Session | None:
        """Return the live session of a token's hash."""
        query = select(sessions).where(sessions.c.token_hash == token_hash, sessions.c.ended_at.is_(None))
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            row = (await connection.execute(query)).first()
        return _session(row) if row else None

    async def of_account(self, account: AccountId) -> tuple[Session, ...]:
        """Return the sessions of an account that were not ended."""
        query = select(sessions).where(sessions.c.account == account, sessions.c.ended_at.is_(None))
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return tuple(_session(row) for row in await connection.execute(query))

    async def touch(self, session: SessionId, acts_until: Deadline) -> None:
        """Move the end of a session's pages."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(sessions)
                .where(sessions.c.id == session, sessions.c.ended_at.is_(None))
                .values(acts_utc=acts_until.utc, acts_boot_s=acts_until.boot_s)
            )

    async def miss(self, session: SessionId) -> int:
        """Count a wrong code and return how many there were."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(sessions).where(sessions.c.id == session).values(misses=sessions.c.misses + 1)
            )
            row = (await connection.execute(select(sessions.c.misses).where(sessions.c.id == session))).first()
            return int(row.misses) if row else 0

    async def end(self, ids: tuple[SessionId, ...], audit: AuditEntry) -> None:
        """End sessions."""
        async with self._engine.begin() as connection:
            await _end(connection, ids, audit.at)
            await append(connection, audit)

    async def end_all_of(self, account: AccountId, audit: AuditEntry) -> tuple[SessionId, ...]:
        """End every session of an account and return them."""
        async with self._engine.begin() as connection:
            ended = await end_of_account(connection, account, audit.at)
            await append(connection, audit)
        return ended

    async def end_lost(self, boot_id: str, at: datetime) -> None:
        """End what does not outlive a restart: sessions of another boot, and those half-way (keys in memory only)."""
        half_way = sessions.c.level.in_((Level.LP, Level.LR))
        query = update(sessions).where(sessions.c.ended_at.is_(None), half_way | (sessions.c.boot_id != boot_id))
        async with self._engine.begin() as connection:
            await connection.execute(query.values(ended_at=at))

    async def live(self) -> frozenset[SessionId]:
        """Return every session that was not ended."""
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            query = select(sessions.c.id).where(sessions.c.ended_at.is_(None))
            return frozenset(SessionId(row) for row in (await connection.execute(query)).scalars())

    async def stop_forwarding(self, account: AccountId, audit: AuditEntry) -> None:
        """Shut the forwarding windows of all of an account's sessions."""
        query = update(sessions).where(sessions.c.account == account, sessions.c.ended_at.is_(None))
        async with self._engine.begin() as connection:
            await connection.execute(query.values(forwards_utc=None, forwards_boot_s=None))
            await append(connection, audit)


async def _end(connection: AsyncConnection, ids: tuple[SessionId, ...], at: datetime) -> int:
    """End what is live of these, and return how many that were."""
    query = update(sessions).where(sessions.c.id.in_(ids), sessions.c.ended_at.is_(None))
    return int((await connection.execute(query.values(ended_at=at))).rowcount)


async def end_of_account(connection: AsyncConnection, account: AccountId, at: datetime) -> tuple[SessionId, ...]:
    """End all sessions of an account inside the caller's transaction."""
    query = select(sessions.c.id).where(sessions.c.account == account, sessions.c.ended_at.is_(None))
    ids = tuple(SessionId(row) for row in (await connection.execute(query)).scalars())
    await _end(connection, ids, at)
    return ids


async def add(connection: AsyncConnection, session: Session, token_hash: str) -> None:
    """Add a session's row inside the caller's transaction."""
    forwards = session.forwards_until
    await connection.execute(
        insert(sessions).values(
            id=session.id,
            token_hash=token_hash,
            account=session.account,
            level=session.level,
            password_at=session.password_at,
            totp_at=session.totp_at,
            ends_utc=session.ends.utc,
            ends_boot_s=session.ends.boot_s,
            acts_utc=session.acts_until.utc,
            acts_boot_s=session.acts_until.boot_s,
            forwards_utc=forwards.utc if forwards else None,
            forwards_boot_s=forwards.boot_s if forwards else None,
            epoch=session.epoch,
            boot_id=session.boot_id,
            misses=session.misses,
            ended_at=session.ended_at,
            peer=session.peer,
            client=session.client,
        )
    )
