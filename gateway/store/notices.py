"""What accounts are told, and what of it is on its way to their channels."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.core.delivery import LONGEST_RETRY_S
from gateway.core.model import AccountId
from gateway.core.notice import EVENTS, Cause, ChannelId, Kind, Notice, NoticeId, first_push
from gateway.store.audit import AuditEntry, append
from gateway.store.tables import channels, notices, pushes

_LONGEST = 2 * timedelta(seconds=LONGEST_RETRY_S)
_SHOWN = 100  # notices of an account at once


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to push notices to an account; `config` is what its owner may see."""

    id: ChannelId
    account: AccountId
    kind: str
    config: dict[str, str]
    sealed: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Push:
    """A notice that is due at a channel."""

    notice: Notice
    channel: Channel
    attempts: int


def _notice(row: Any) -> Notice:
    return Notice(
        id=NoticeId(row.id),
        account=AccountId(row.account),
        cause=row.cause,
        kind=Kind(row.kind),
        detail=row.detail,
        begun_at=row.begun_at,
        over_at=row.over_at,
        read_at=row.read_at,
    )


def _channel(row: Any) -> Channel:
    return Channel(ChannelId(row.id), AccountId(row.account), row.kind, row.config, bytes(row.secrets), row.created_at)


class Notices:
    """The repository of notices, channels and pushes."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def _rows(self, query: Any) -> Any:
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return (await connection.execute(query)).all()

    async def of_account(self, account: AccountId) -> tuple[Notice, ...]:
        """Return what an account is told now, newest first: what lasts, and events that nobody put away."""
        query = select(notices).where(notices.c.account == account, notices.c.over_at.is_(None))
        query = query.where(notices.c.read_at.is_(None)).order_by(notices.c.begun_at.desc()).limit(_SHOWN)
        rows = await self._rows(query)
        return tuple(_notice(row) for row in rows)

    async def settle(self, account: AccountId, causes: tuple[Cause, ...], now: datetime) -> bool:
        """Begin notices of causes that are new, end those whose cause is gone; tells whether anything changed."""
        lasting = select(notices).where(notices.c.account == account, notices.c.over_at.is_(None))
        there = {row.cause: row for row in await self._rows(lasting)}
        told = {cause.key for cause in causes if cause.kind in EVENTS} - there.keys()
        if told:
            before = select(notices.c.cause).where(notices.c.account == account, notices.c.cause.in_(told))
            told = {row.cause for row in await self._rows(before)}
        held = {cause.key for cause in causes}
        new = {c.key: c for c in causes if c.begins and c.key not in there and c.key not in told}
        gone = [row.id for row in there.values() if row.cause not in held and row.kind not in EVENTS]
        if not new and not gone:
            return False
        async with self._engine.begin() as connection:
            await connection.execute(update(notices).where(notices.c.id.in_(gone)).values(over_at=now))
            for cause in new.values():
                await _begin(connection, account, cause, now)
        return True

    async def tell(self, account: AccountId, cause: Cause, now: datetime) -> None:
        """Tell an event, once for its cause."""
        known = select(notices.c.id).where(notices.c.account == account, notices.c.cause == cause.key)
        async with self._engine.begin() as connection:
            if (await connection.execute(known)).first() is None:
                await _begin(connection, account, cause, now)

    async def read(self, account: AccountId, notice: NoticeId, at: datetime) -> bool:
        """Put a notice away; False if the account has none of that id."""
        query = update(notices).where(notices.c.account == account, notices.c.id == notice).values(read_at=at)
        async with self._engine.begin() as connection:
            return (await connection.execute(query)).rowcount == 1

    async def prune(self, before: datetime) -> None:
        """Forget what was over before that time, and events of before that time."""
        old = select(notices.c.id).where(
            or_(notices.c.over_at < before, notices.c.kind.in_(EVENTS) & (notices.c.begun_at < before))
        )
        async with self._engine.begin() as connection:
            await connection.execute(delete(pushes).where(pushes.c.notice.in_(old)))
            await connection.execute(delete(notices).where(notices.c.id.in_(old)))

    async def channels(self, account: AccountId) -> tuple[Channel, ...]:
        """Return an account's channels, oldest first."""
        query = select(channels).where(channels.c.account == account).order_by(channels.c.created_at)
        return tuple(_channel(row) for row in await self._rows(query))

    async def add_channel(self, channel: Channel, audit: AuditEntry) -> None:
        """Add a channel; it gets what begins from now on."""
        async with self._engine.begin() as connection:
            await connection.execute(
                insert(channels).values(
                    id=channel.id,
                    account=channel.account,
                    kind=channel.kind,
                    config=channel.config,
                    secrets=channel.sealed,
                    created_at=channel.created_at,
                )
            )
            await append(connection, audit)

    async def remove_channel(self, channel: ChannelId, audit: AuditEntry) -> None:
        """Remove a channel with what was on its way to it."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(pushes).where(pushes.c.channel == channel))
            await connection.execute(delete(channels).where(channels.c.id == channel))
            await append(connection, audit)

    async def due(self, now: datetime) -> tuple[Push, ...]:
        """Return what is to be pushed now: to each channel what is due longest."""
        turn = func.row_number().over(partition_by=pushes.c.channel, order_by=pushes.c.next_try_at)
        ready = or_(pushes.c.next_try_at <= now, pushes.c.next_try_at > now + _LONGEST)  # the clock was set back
        first = select(pushes, turn.label("turn")).where(ready).subquery()
        rows = await self._rows(select(first).where(first.c.turn == 1))
        known = {row.id: _notice(row) for row in await self._named(notices, {row.notice for row in rows})}
        ways = {row.id: _channel(row) for row in await self._named(channels, {row.channel for row in rows})}
        return tuple(Push(known[row.notice], ways[row.channel], row.attempts) for row in rows)

    async def _named(self, table: Any, ids: set[str]) -> Any:
        return await self._rows(select(table).where(table.c.id.in_(ids)))

    async def pushed(self, push: Push, *, error: str = "", next_try_at: datetime | None = None) -> None:
        """Note how a push went; without a next try it is over."""
        query = update(pushes).where(pushes.c.notice == push.notice.id, pushes.c.channel == push.channel.id)
        async with self._engine.begin() as connection:
            values = {"attempts": push.attempts + 1, "error": error, "next_try_at": next_try_at}
            await connection.execute(query.values(values))

    async def errors(self, account: AccountId) -> dict[ChannelId, str]:
        """Return what went wrong with the latest pushes, by channel."""
        latest = select(pushes.c.channel, pushes.c.error).join(notices, notices.c.id == pushes.c.notice)
        rows = await self._rows(latest.where(pushes.c.account == account).order_by(notices.c.begun_at))
        return {ChannelId(row.channel): row.error for row in rows}


async def _begin(connection: AsyncConnection, account: AccountId, cause: Cause, now: datetime) -> None:
    """Add a notice and put it on its way to every channel of the account."""
    row = {"id": uuid.uuid4().hex, "account": account, "cause": cause.key, "kind": cause.kind, "detail": cause.detail}
    await connection.execute(insert(notices).values(begun_at=now, **row))
    ways = await connection.execute(select(channels.c.id).where(channels.c.account == account))
    due = first_push(cause.kind, now)
    for channel in ways.scalars().all():
        push = {"notice": row["id"], "channel": channel, "account": account, "attempts": 0, "error": ""}
        await connection.execute(insert(pushes).values(next_try_at=due, **push))
