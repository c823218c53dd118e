"""What the gateway remembers of itself: a few named values."""

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store.tables import remembered


class Remembered:
    """The repository of named values."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, name: str) -> str | None:
        """Return a value."""
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            query = select(remembered.c.value).where(remembered.c.name == name)
            value: str | None = (await connection.execute(query)).scalar_one_or_none()
            return value

    async def put(self, name: str, value: str) -> None:
        """Set a value."""
        query = update(remembered).where(remembered.c.name == name).values(value=value)
        async with self._engine.begin() as connection:
            if (await connection.execute(query)).rowcount == 0:
                await connection.execute(insert(remembered).values(name=name, value=value))
