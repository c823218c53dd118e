"""What requests with an Idempotency-Key were answered, so that a retry gets the first answer again."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store.tables import first_answers


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What became of the first request with a key; `status` None: it never came to an end."""

    request: str
    status: int | None
    body: bytes


class Idempotency:
    """The repository of first answers. `key` and `request` are MACs, 64 hex digits."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def begin(self, key: str, request: str, now: datetime, *, forget_before: datetime) -> FirstAnswer | None:
        """Note that a request begins; or return what became of the one that has the key already."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(first_answers).where(first_answers.c.began_at < forget_before))
            row = (await connection.execute(select(first_answers).where(first_answers.c.key == key))).first()
            if row is not None:
                return FirstAnswer(row.request, row.status, row.body)
            await connection.execute(insert(first_answers).values(key=key, request=request, body=b"", began_at=now))
            return None

    async def finish(self, key: str, status: int, body: bytes) -> None:
        """Keep the answer."""
        query = update(first_answers).where(first_answers.c.key == key).values(status=status, body=body)
        async with self._engine.begin() as connection:
            await connection.execute(query)

    async def forget(self, key: str) -> None:
        """Free a key: its request did nothing."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(first_answers).where(first_answers.c.key == key))
