"""Tallies of misses, one row per bucket. The rules are in core/throttle.py."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.core.throttle import Rule, Tally, missed, returned
from gateway.store.tables import throttles


class Throttles:
    """The repository of tallies."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def take(self, rules: Mapping[str, Rule], now: datetime) -> float:
        """Count an attempt as a miss in every bucket and return 0, or how many seconds it must wait, uncounted."""
        async with self._engine.begin() as connection:
            tallies = {bucket: await _read(connection, bucket) for bucket in rules}
            wait_s = max((rule(tallies[bucket], now) for bucket, rule in rules.items()), default=0.0)
            if wait_s <= 0:
                for bucket, tally in tallies.items():
                    await _write(connection, bucket, missed(tally, now), now)
            return max(0.0, wait_s)

    async def give_back(self, buckets: Iterable[str], now: datetime) -> None:
        """Take back the latest miss of each bucket: it was none."""
        async with self._engine.begin() as connection:
            for bucket in buckets:
                await _write(connection, bucket, returned(await _read(connection, bucket)), now)

    async def clear(self, buckets: Iterable[str]) -> None:
        """Forget the misses of each bucket."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(throttles).where(throttles.c.bucket.in_(tuple(buckets))))

    async def tally(self, bucket: str) -> Tally:
        """Return the misses of a bucket."""
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return await _read(connection, bucket)

    async def prune(self, before: datetime) -> None:
        """Forget buckets that nobody touched since `before`."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(throttles).where(throttles.c.touched_at < before))


async def _read(connection: AsyncConnection, bucket: str) -> Tally:
    row = (await connection.execute(select(throttles).where(throttles.c.bucket == bucket))).first()
    return Tally(tuple(datetime.fromisoformat(at) for at in row.misses), row.in_a_row) if row else Tally()


async def _write(connection: AsyncConnection, bucket: str, tally: Tally, now: datetime) -> None:
    values = {"misses": [at.isoformat() for at in tally.at], "in_a_row": tally.in_a_row, "touched_at": now}
    query = update(throttles).where(throttles.c.bucket == bucket).values(values)
    if (await connection.execute(query)).rowcount == 0:
        await connection.execute(insert(throttles).values(bucket=bucket, **values))
