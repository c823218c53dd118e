"""The rows of the table of routes as tests need them: names, addresses, and what an account owns around a request."""

import sqlite3
from collections.abc import Iterable
from typing import Any

from tests.web.conftest import House

# What nobody may change unasked. A session's activity and the audit move by themselves.
_OWNED = (
    "SELECT id, state, two_factor, auth_epoch, last_step FROM accounts",
    "SELECT id, ended_at, level FROM sessions WHERE level = 'L2'",
    "SELECT id, owner, label FROM units",
    "SELECT id, label, config, removed_at FROM destinations",
    "SELECT id, state FROM scans",
    "SELECT id, kind, config FROM channels",
    "SELECT id, position, conditions, destinations FROM rules",
)


def names(rows: Iterable[Any]) -> list[str]:
    """Return the rows' names for pytest."""
    return [f"{row.method} {row.path}" for row in rows]


def address(row: Any, one: str = "x") -> str:
    """Return a row's path with its placeholders filled."""
    return (
        str(row.path)
        .replace("{id}", one)
        .replace("{kind}", "mail" if "notices" in row.path else "folder")
        .replace("{page}", "1")
        .replace("{name}", "style.css")
    )


def owned(house: House) -> list[Any]:
    """Return the rows of the database that only a permitted request may change."""
    database = sqlite3.connect(f"file:{house.state / 'gateway.sqlite3'}?mode=ro", uri=True)
    try:
        return [database.execute(query).fetchall() for query in _OWNED]
    finally:
        database.close()
