"""What the security log's chain proves, and what is said of it: no more than that."""

import sqlite3

from gateway.web import texts
from tests.walk.conftest import House
from tests.walk.test_ledger import console

WITHIN = "none was changed, or removed from within"


def without(house: House, condition: str) -> None:
    """Remove lines of the log, as somebody could who owns the gateway's disk."""
    database = sqlite3.connect(house.state / "gateway.sqlite3")
    try:
        assert database.execute(f"DELETE FROM audit WHERE {condition}").rowcount > 0
        database.commit()
    finally:
        database.close()


def test_the_page_promises_what_the_chain_can_hold() -> None:
    assert texts.text("audit.lead").endswith("it is noticed if one is changed, or removed from within.")


async def test_lines_removed_from_within_are_noticed_those_cut_off_at_the_end_are_not_promised(house: House) -> None:
    await house.register()
    await house.enable()
    await house.add_folder()
    last = await house.daemon.services.store.audit.last()
    without(house, f"seq = {last}")
    code, said, _ = await console(house, "audit", "verify")
    assert code == 0
    assert said.strip() == f"{last - 1} rows, unbroken: {WITHIN}."
    without(house, f"seq = {last // 2}")
    code, _, trouble = await console(house, "audit", "verify")
    assert code != 0
    assert "does not follow" in trouble
