"""The rules of an account: which scan goes where."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.core.model import AccountId, DestinationId, RuleId, UnitId
from gateway.core.routing import Rule, When
from gateway.store.audit import AuditEntry, append
from gateway.store.deliveries import filing
from gateway.store.tables import rules


def _rule(row: Any) -> Rule:
    return Rule(
        id=RuleId(row.id),
        account=AccountId(row.account),
        position=row.position,
        when=_when(row.conditions),
        destinations=tuple(DestinationId(d) for d in row.destinations),
        filing=filing(row.filing),
    )


def _when(stored: dict[str, Any]) -> When:
    return When(
        units=frozenset(UnitId(u) for u in stored.get("units", ())),
        colours=frozenset(stored.get("colours", ())),
        weekdays=frozenset(stored.get("weekdays", ())),
        from_minute=stored.get("from_minute", 0),
        to_minute=stored.get("to_minute", 0),
    )


def _values(rule: Rule) -> dict[str, Any]:
    when = rule.when
    return {
        "account": rule.account,
        "position": rule.position,
        "conditions": {
            "units": sorted(when.units),
            "colours": sorted(when.colours),
            "weekdays": sorted(when.weekdays),
            "from_minute": when.from_minute,
            "to_minute": when.to_minute,
        },
        "destinations": list(rule.destinations),
        "filing": asdict(rule.filing),
    }


class Rules:
    """The repository of rules."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def of_account(self, account: AccountId) -> tuple[Rule, ...]:
        """Return an account's rules in their order."""
        query = select(rules).where(rules.c.account == account).order_by(rules.c.position, rules.c.id)
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return tuple(_rule(row) for row in await connection.execute(query))

    async def save(self, changed: tuple[Rule, ...], audit: AuditEntry) -> None:
        """Add rules, or write those anew that are there, in one step."""
        async with self._engine.begin() as connection:
            for rule in changed:
                await put(connection, rule)
            await append(connection, audit)

    async def remove(self, rule: RuleId, left: tuple[Rule, ...], audit: AuditEntry) -> None:
        """Remove a rule, and write those that are left anew."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(rules).where(rules.c.id == rule))
            for other in left:
                await put(connection, other)
            await append(connection, audit)


async def put(connection: AsyncConnection, rule: Rule) -> None:
    """Add a rule, or write it anew, inside the caller's transaction."""
    written = await connection.execute(update(rules).where(rules.c.id == rule.id).values(_values(rule)))
    if not written.rowcount:
        await connection.execute(insert(rules).values(id=rule.id, **_values(rule)))


async def let_go(connection: AsyncConnection, account: AccountId, destination: DestinationId) -> None:
    """Take a destination out of every rule of its account, inside the caller's transaction; the rules stay."""
    for row in (await connection.execute(select(rules).where(rules.c.account == account))).all():
        left = [d for d in row.destinations if d != destination]
        await connection.execute(update(rules).where(rules.c.id == row.id).values(destinations=left))
