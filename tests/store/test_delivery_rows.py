"""Rules, notices and what is let go, through a real SQLite file; and an older database brought up to date."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from gateway.core.model import (
    AccountId,
    DeliveryState,
    DestinationId,
    Filing,
    Receipt,
    RuleId,
    ScanId,
    ScanState,
    UnitId,
)
from gateway.core.notice import Cause, ChannelId, Kind
from gateway.core.routing import Rule, When
from gateway.store.accounts import Credential
from gateway.store.notices import Channel
from gateway.store.store import MIGRATIONS, Store, open_store
from tests.store.test_store import ACCOUNT, AUDIT, DESTINATION, DONE, NOW, a_page, to

RULE = Rule(
    RuleId("r" * 32),
    ACCOUNT.id,
    0,
    When(frozenset({UnitId("u" * 32)}), frozenset({"gray"}), frozenset({0, 6}), 480, 60),
    (DESTINATION.id, DestinationId("e" * 32)),
    Filing("{date}", "Bank", ("one", "two")),
)
RECEIPT = Receipt("/x/a.pdf", "1", 5, "0" * 64, 1, NOW.utc, 0.5)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(tmp_path / "gateway.sqlite3")
    await opened.accounts.create(ACCOUNT, Credential(b"s", b"v", b"k", "plain"), AUDIT)
    yield opened
    await opened.close()


async def test_a_rule_is_kept_as_it_is_and_a_removed_destination_leaves_it(store: Store) -> None:
    await store.destinations.add(DESTINATION, b"sealed", AUDIT, rule=RULE)
    assert await store.rules.of_account(ACCOUNT.id) == (RULE,)
    moved = (replace(RULE, position=1), replace(RULE, id=RuleId("q" * 32)))
    await store.rules.save(moved, AUDIT)
    assert await store.rules.of_account(ACCOUNT.id) == (moved[1], moved[0])
    await store.destinations.remove(ACCOUNT.id, DESTINATION.id, AUDIT)
    assert {r.destinations for r in await store.rules.of_account(ACCOUNT.id)} == {(DestinationId("e" * 32),)}
    await store.rules.remove(RULE.id, (), AUDIT)
    assert [r.id for r in await store.rules.of_account(ACCOUNT.id)] == ["q" * 32]


@pytest.mark.parametrize(
    ("states", "goes"),
    [
        ((DeliveryState.DELIVERED,), True),
        ((DeliveryState.DELIVERED, DeliveryState.DISCARDED), True),
        ((DeliveryState.DISCARDED,), False),
        ((), False),
        *(
            ((DeliveryState.DELIVERED, state), False)
            for state in DeliveryState
            if state not in (DeliveryState.DELIVERED, DeliveryState.DISCARDED)
        ),
    ],
)
async def test_only_what_was_delivered_and_is_to_go_nowhere_else_is_let_go(
    store: Store, states: tuple[DeliveryState, ...], goes: bool
) -> None:
    await store.scans.begin(DONE)
    await store.scans.add_page(a_page(1, "front"))
    for number, state in enumerate(states):
        destination = replace(DESTINATION, id=DestinationId(f"{number:032}"))
        await store.destinations.add(destination, b"sealed", AUDIT)
        await store.deliveries.plan(to(DONE, destination))
        [delivery] = [d for d in await store.deliveries.of_scan(DONE.id) if d.destination == destination.id]
        receipt = RECEIPT if state is DeliveryState.DELIVERED else None
        await store.deliveries.move(delivery.id, (DeliveryState.WAITING,), state, receipt=receipt)
    early, late = NOW.utc - timedelta(seconds=1), NOW.utc
    assert await store.erasures.retirable(early) == ()
    assert await store.erasures.retire(DONE.id, early, AUDIT) is False
    assert bool(await store.erasures.retirable(late)) is goes
    assert await store.erasures.retire(DONE.id, late, AUDIT) is goes
    scan = await store.scans.get(DONE.id)
    assert scan is not None
    assert scan.state is (ScanState.ERASED if goes else ScanState.STORED)
    assert (scan.page_count == 0) is goes
    assert (await store.erasures.due() == (DONE.id,)) is goes
    assert len(await store.deliveries.of_scan(DONE.id)) == len(states), "the record stays"


async def test_an_erased_scan_takes_no_further_delivery(store: Store) -> None:
    await store.destinations.add(DESTINATION, b"sealed", AUDIT)
    await store.scans.begin(replace(DONE, state=ScanState.ERASED))
    assert await store.deliveries.plan(to(DONE, DESTINATION)) == 0


async def test_a_cause_is_told_once_until_it_is_gone_and_an_event_once_for_all(store: Store) -> None:
    later, account = NOW.utc + timedelta(hours=1), ACCOUNT.id
    lasting, event = Cause("gate", Kind.HELD, "one"), Cause("scan:x", Kind.INCOMPLETE, "jam")
    assert await store.notices.settle(account, (lasting, event), NOW.utc)
    assert not await store.notices.settle(account, (replace(lasting, detail="two"), event), later)
    assert {n.detail for n in await store.notices.of_account(account)} == {"one", "jam"}
    assert await store.notices.settle(account, (), later)
    [left] = await store.notices.of_account(account)
    assert left.kind is Kind.INCOMPLETE, "an event stays until it is put away"
    assert await store.notices.read(account, left.id, later)
    assert not await store.notices.settle(account, (event,), later)
    assert await store.notices.of_account(account) == ()
    assert await store.notices.settle(account, (lasting,), later), "it is back: told anew"


async def test_what_does_not_begin_keeps_a_notice_and_makes_none(store: Store) -> None:
    weak = Cause("destination:d", Kind.DESTINATION, "503", begins=False)
    assert not await store.notices.settle(ACCOUNT.id, (weak,), NOW.utc)
    await store.notices.settle(ACCOUNT.id, (replace(weak, begins=True),), NOW.utc)
    assert not await store.notices.settle(ACCOUNT.id, (weak,), NOW.utc)
    assert len(await store.notices.of_account(ACCOUNT.id)) == 1


async def test_a_push_is_due_after_its_time_until_it_is_over(store: Store) -> None:
    channel = Channel(ChannelId("c" * 32), ACCOUNT.id, "ntfy", {"url": "x"}, b"sealed", NOW.utc)
    await store.notices.add_channel(channel, AUDIT)
    await store.notices.settle(ACCOUNT.id, (Cause("gate", Kind.HELD, "one"), Cause("room", Kind.ROOM, "x")), NOW.utc)
    [urgent] = await store.notices.due(NOW.utc)
    assert urgent.notice.kind is Kind.ROOM
    await store.notices.pushed(urgent, error="no", next_try_at=NOW.utc + timedelta(minutes=10))
    [held] = await store.notices.due(NOW.utc + timedelta(minutes=1))
    assert (held.notice.kind, held.attempts, held.channel) == (Kind.HELD, 0, channel)
    await store.notices.pushed(held)
    [again] = await store.notices.due(NOW.utc + timedelta(minutes=10))
    assert await store.notices.due(NOW.utc - timedelta(days=1)) == (again,), "the clock was set back"
    assert again.attempts == 1
    await store.notices.remove_channel(channel.id, AUDIT)
    assert await store.notices.due(NOW.utc + timedelta(days=1)) == ()


async def test_a_database_from_before_the_rules_goes_on_as_it_did(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sqlite3"
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
    engine.dispose()
    with closing(sqlite3.connect(path)) as old, old:
        old.execute(
            "insert into accounts (id, email, email_folded, state, two_factor, auth_epoch, recipient, created_at, salt,"
            " verifier, slot)"
            " values ('a', 'a@b', 'a@b', 'active', 'off', 1, 'age1', '2024-01-01 00:00:00', x'', x'', x'')"
        )
        for name, removed in (("one", None), ("two", None), ("gone", "2024-02-01 00:00:00")):
            old.execute(
                "insert into destinations values (?, 'a', 'folder', ?, '{}', x'', '2024-01-01 00:00:00', ?)",
                (name, name, removed),
            )
        old.execute("insert into scans values ('s', 'a', 'u', 'Hall', 'stored', '2024-01-01 00:00:00', null, null, '')")
        receipt = {**{k: getattr(RECEIPT, k) for k in RECEIPT.__slots__}, "at": "2024-01-02T03:04:05+00:00"}
        old.execute(
            "insert into deliveries values ('d', 's', 'a', 'one', 1, 'n', 'delivered', 1, '2024-01-01 00:00:00', '', ?,"
            " '2024-01-01 00:00:00')",
            (json.dumps(receipt),),
        )
    store = await open_store(path)
    try:
        [rule] = await store.rules.of_account(AccountId("a"))
        assert (rule.when, rule.destinations) == (When(), ("one", "two"))
        [delivery] = await store.deliveries.of_scan(ScanId("s"))
        assert delivery.filing == Filing()
        assert await store.erasures.retirable(NOW.utc) == (("a", "s"),)
    finally:
        await store.close()
