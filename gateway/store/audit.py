"""The audit: append-only rows, each hashed over the one before it, so that a removed or changed one shows."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.core.model import AccountId
from gateway.store.tables import audit

_GENESIS = "0" * 64


class AuditBroken(Exception):
    """A row does not follow from the one before it; `str()` names its number."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, from where, with which factor, and how it ended. Never a secret."""

    at: datetime
    account: AccountId | None
    session_hash: str
    peer: str
    action: str
    factor: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An entry and its number."""

    seq: int
    entry: AuditEntry


def _row(row: Any) -> AuditRow:
    account = AccountId(row.account) if row.account else None
    fields = (row.peer, row.action, row.factor, row.outcome, row.reason)
    return AuditRow(row.seq, AuditEntry(row.at, account, row.session_hash, *fields))


class Audit:
    """The repository of audit rows."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def append(self, entry: AuditEntry) -> None:
        """Add one row."""
        async with self._engine.begin() as connection:
            await append(connection, entry)

    async def of_account(self, account: AccountId, limit: int, before: int | None = None) -> tuple[AuditRow, ...]:
        """Return the rows of an account, newest first, those before row number `before`."""
        query = select(audit).where(audit.c.account == account)
        if before is not None:
            query = query.where(audit.c.seq < before)
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            rows = await connection.execute(query.order_by(audit.c.seq.desc()).limit(limit))
            return tuple(_row(row) for row in rows)

    async def last(self) -> int:
        """Return the number of the latest row, 0 without one."""
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return (await connection.execute(select(func.max(audit.c.seq)))).scalar_one() or 0

    async def after(self, seq: int, limit: int) -> tuple[AuditRow, ...]:
        """Return the rows that came after one, oldest first."""
        query = select(audit).where(audit.c.seq > seq).order_by(audit.c.seq).limit(limit)
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return tuple(_row(row) for row in await connection.execute(query))

    async def verify(self) -> int:
        """Return how many rows there are if the chain holds; AuditBroken otherwise."""
        before, count = _GENESIS, 0
        async with self._engine.connect() as connection:
            for row in await connection.execute(select(audit).order_by(audit.c.seq)):
                fields = {k: v for k, v in row._mapping.items() if k != "hash"}
                count += 1
                if row.seq != count or _hash(before, fields) != row.hash:
                    raise AuditBroken(f"audit row {row.seq} does not follow from the one before it")
                before = row.hash
        return count


async def append(connection: AsyncConnection, entry: AuditEntry) -> None:
    """Add one row inside the caller's transaction."""
    last = (await connection.execute(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1))).first()
    fields: dict[str, Any] = {
        "seq": last.seq + 1 if last else 1,
        "at": entry.at,
        "account": entry.account,
        "session_hash": entry.session_hash,
        "peer": _line(entry.peer)[:64],
        "action": entry.action,
        "factor": entry.factor,
        "outcome": entry.outcome,
        "reason": _line(entry.reason),
    }
    fields["hash"] = _hash(last.hash if last else _GENESIS, fields)
    await connection.execute(insert(audit).values(fields))


def _line(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")


def _hash(before: str, fields: dict[str, Any]) -> str:
    plain = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in fields.items()}
    return hashlib.sha256((before + json.dumps(plain, sort_keys=True)).encode()).hexdigest()
