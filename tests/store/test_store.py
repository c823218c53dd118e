"""Rows and sealed files through a real SQLite file."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from gateway.core.delivery import planned
from gateway.core.model import (
    Account,
    AccountId,
    AccountState,
    Delivery,
    DeliveryState,
    Destination,
    DestinationId,
    Filing,
    Instant,
    Level,
    PageFile,
    Receipt,
    Scan,
    ScanId,
    ScanState,
    Session,
    SessionId,
    TwoFactor,
    Unit,
    UnitId,
    Way,
)
from gateway.store.accounts import Credential, Paper
from gateway.store.audit import AuditBroken, AuditEntry
from gateway.store.factors import EnrolmentOver, PendingFactor
from gateway.store.spool import PageFacts, Spool
from gateway.store.store import Store, open_store
from gateway.store.units import AlreadyOwned

NOW = Instant(datetime(2026, 3, 1, 12, tzinfo=UTC), 100.0, "boot")
AUDIT = AuditEntry(NOW.utc, None, "", "127.0.0.1", "test", "", "ok", "line\r\nbreak")
ACCOUNT = Account(AccountId("a" * 32), "Me@Example.org", AccountState.ACTIVE, TwoFactor.OFF, 1, "age1x", NOW.utc)
SCAN = Scan(ScanId("5" * 32), ACCOUNT.id, UnitId("u" * 32), "iX500", ScanState.RECEIVING, NOW.utc)
DONE = replace(SCAN, state=ScanState.STORED)
DESTINATION = Destination(DestinationId("d" * 32), ACCOUNT.id, "folder", "A", {"path": "/x"}, NOW.utc)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(tmp_path / "gateway.sqlite3")
    await opened.accounts.create(ACCOUNT, Credential(b"s", b"v", b"k", "plain"), AUDIT)
    yield opened
    await opened.close()


def to(scan: Scan, destination: Destination) -> tuple[Delivery, ...]:
    return (planned(scan, destination.id, NOW.utc, filing=Filing("A title", "Somebody", ("one", "two"))),)


def a_session(name: str, level: Level = Level.L1, at: Instant = NOW) -> Session:
    span = timedelta(hours=1)
    return Session(
        id=SessionId(name),
        account=ACCOUNT.id,
        level=level,
        password_at=at.utc,
        totp_at=None,
        ends=at.after(span),
        acts_until=at.after(span),
        forwards_until=None,
        epoch=1,
        boot_id="boot",
    )


def a_page(number: int, side: str) -> PageFile:
    path = f"{SCAN.id}/{number:04}-{side}.x.age"
    return PageFile(
        SCAN.id,
        ACCOUNT.id,
        SCAN.unit,
        number,
        side,
        "image/jpeg",
        10,
        20,
        300,
        99,
        3,
        "colour",
        path,
        "0" * 64,
        "m" * 32,
        NOW.utc,
    )


async def test_opening_twice_migrates_once_and_keeps_the_rows(store: Store, tmp_path: Path) -> None:
    again = await open_store(tmp_path / "gateway.sqlite3")
    assert await again.accounts.get(ACCOUNT.id) == ACCOUNT
    await again.close()
    assert (tmp_path / "gateway.sqlite3").stat().st_mode & 0o777 == 0o600


async def test_the_migrations_make_what_the_tables_say(store: Store, tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    from gateway.store.tables import metadata

    engine = create_engine(f"sqlite:///{tmp_path / 'gateway.sqlite3'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


async def test_the_database_is_durable_by_its_settings(store: Store) -> None:
    async with store._engine.connect() as connection:
        assert (await connection.exec_driver_sql("PRAGMA synchronous")).scalar() == 2
        assert (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar() == "wal"
        assert (await connection.exec_driver_sql("PRAGMA foreign_keys")).scalar() == 1


async def test_an_account_is_found_by_its_folded_email(store: Store) -> None:
    assert await store.accounts.by_email("me@example.org") == ACCOUNT
    assert await store.accounts.by_email("other@example.org") is None


async def test_of_sixteen_racers_with_one_code_one_wins(store: Store) -> None:
    for step in range(100, 110):
        won = await asyncio.gather(*(store.factors.burn_step(ACCOUNT.id, step) for _ in range(16)))
        assert sum(won) == 1
    assert not await store.factors.burn_step(ACCOUNT.id, 105), "an older step stays used"


PENDING = PendingFactor(ACCOUNT.id, SessionId("acting"), b"sealed", NOW.utc, 0)
PAPER = Paper("rescue", b"slot", ("one", "two"))


async def test_activation_ends_all_sessions_but_the_one_that_goes_on(store: Store) -> None:
    for name in ("acting", "other"):
        await store.sessions.create(a_session(name), name, AUDIT)
    assert await store.factors.start_pending(PENDING, TwoFactor.PENDING)
    after = replace(a_session("after", Level.L2), epoch=2)
    ended = await store.factors.activate(
        PENDING, before=TwoFactor.PENDING, step=7, successor=after, token_hash="after", paper=PAPER, audit=AUDIT
    )
    assert set(ended) == {"acting", "other"}
    assert await store.sessions.of_account(ACCOUNT.id) == (after,)
    account = await store.accounts.get(ACCOUNT.id)
    assert account is not None
    assert (account.two_factor, account.auth_epoch) == (TwoFactor.ACTIVE, 2)
    assert not await store.factors.burn_step(ACCOUNT.id, 7), "the confirming code is used"
    assert await store.factors.codes_left(ACCOUNT.id) == 2
    assert set(await store.factors.disable(ACCOUNT.id, AUDIT)) == {"after"}
    assert await store.factors.get(ACCOUNT.id) is None
    assert await store.factors.codes_left(ACCOUNT.id) == 0


async def test_a_lapsed_enrolment_cannot_be_confirmed(store: Store) -> None:
    assert await store.factors.start_pending(PENDING, TwoFactor.PENDING)
    assert await store.factors.miss_pending(ACCOUNT.id) == 1
    await store.factors.clear_pending(PENDING)
    with pytest.raises(EnrolmentOver):
        await store.factors.activate(
            PENDING,
            before=TwoFactor.PENDING,
            step=1,
            successor=a_session("n"),
            token_hash="n",
            paper=PAPER,
            audit=AUDIT,
        )
    account = await store.accounts.get(ACCOUNT.id)
    assert account is not None
    assert account.two_factor is TwoFactor.OFF


async def test_of_sixteen_racers_with_one_sign_in_code_one_wins(store: Store) -> None:
    await store.recovery.print(ACCOUNT.id, PAPER, AUDIT)
    won = await asyncio.gather(*(store.factors.burn_code(ACCOUNT.id, "one") for _ in range(16)))
    assert sum(won) == 1


async def test_the_sixth_session_ends_the_oldest(store: Store) -> None:
    for i in range(5):
        at = Instant(NOW.utc + timedelta(seconds=i), NOW.boot_s, NOW.boot_id)
        assert await store.sessions.create(a_session(f"s{i}", at=at), f"s{i}", AUDIT) == ()
    assert await store.sessions.create(a_session("s5"), "s5", AUDIT) == ("s0",)
    assert await store.sessions.by_token("s0") is None


async def test_a_rise_ends_the_session_it_follows_in_the_same_transaction(store: Store) -> None:
    await store.sessions.create(a_session("lp", Level.LP), "one", AUDIT)
    assert await store.sessions.create(a_session("l2", Level.L2), "two", AUDIT, ended=SessionId("lp")) == ("lp",)
    assert await store.sessions.by_token("one") is None
    assert await store.sessions.by_token("two") == a_session("l2", Level.L2)


async def test_a_unit_has_one_owner(store: Store) -> None:
    unit = Unit(UnitId("1" * 32), ACCOUNT.id, "iX500", "iX500", (Way("usb", "usb:iX500:1", "pin"),), NOW.utc)
    await store.units.register(unit, AUDIT)
    with pytest.raises(AlreadyOwned):
        await store.units.register(replace(unit, id=UnitId("2" * 32)), AUDIT)
    assert await store.units.of_account(ACCOUNT.id) == (unit,)
    assert await store.units.by_sighting("usb:iX500:1") == unit
    await store.units.remove(unit.id, AUDIT)
    assert await store.units.count(ACCOUNT.id) == 0


async def test_pages_come_back_by_sheet_front_first_and_only_once(store: Store) -> None:
    await store.scans.begin(SCAN)
    rows = [a_page(2, "back"), a_page(1, "back"), a_page(2, "front"), a_page(1, "front")]
    for row in rows + rows:
        await store.scans.add_page(row)
    found = await store.scans.pages(SCAN.id)
    assert [(p.number, p.side) for p in found] == [(1, "front"), (1, "back"), (2, "front"), (2, "back")]
    scan = await store.scans.get(SCAN.id)
    assert scan is not None
    assert scan.page_count == 4
    await store.scans.forget_empty(SCAN.id)
    assert await store.scans.get(SCAN.id) is not None, "a scan with pages is never forgotten"


async def test_a_delivery_moves_only_from_where_it_is(store: Store) -> None:
    await store.destinations.add(DESTINATION, b"sealed", AUDIT)
    await store.scans.begin(SCAN)
    assert await store.deliveries.scans_without_deliveries(ACCOUNT.id) == ()
    await store.scans.add_page(a_page(1, "front"))
    assert await store.scans.move(SCAN.id, ScanState.RECEIVING, ScanState.STORED, at=NOW.utc)
    assert not await store.scans.move(SCAN.id, ScanState.RECEIVING, ScanState.PAUSED, at=NOW.utc)
    assert await store.deliveries.waiting_scans(ACCOUNT.id) == 1
    [scan] = await store.deliveries.scans_without_deliveries(ACCOUNT.id)
    assert await store.deliveries.plan(to(scan, DESTINATION)) == 1
    assert await store.deliveries.plan(to(scan, DESTINATION)) == 0
    [delivery] = await store.deliveries.due(NOW.utc, 10)
    assert (delivery,) == to(scan, DESTINATION)
    moves = await asyncio.gather(
        *(
            store.deliveries.move(delivery.id, (DeliveryState.WAITING,), DeliveryState.SENDING, attempts_delta=1)
            for _ in range(8)
        )
    )
    assert sum(moves) == 1
    receipt = Receipt("/x/a.pdf", "1", 5, "0" * 64, 1, NOW.utc, 0.5)
    await store.deliveries.move(delivery.id, (DeliveryState.SENDING,), DeliveryState.DELIVERED, receipt=receipt)
    stored = await store.deliveries.get(delivery.id)
    assert stored is not None
    assert (stored.receipt, stored.attempts) == (receipt, 1)
    assert await store.deliveries.waiting_scans(ACCOUNT.id) == 0


async def test_a_long_queue_of_one_destination_hides_no_other(store: Store) -> None:
    other = replace(DESTINATION, id=DestinationId("e" * 32), label="Other")
    for destination in (DESTINATION, other):
        await store.destinations.add(destination, b"sealed", AUDIT)
    for number in range(5):
        scan = replace(DONE, id=ScanId(f"{number:032}"))
        await store.scans.begin(scan)
        await store.deliveries.plan(to(scan, DESTINATION))
    await store.scans.begin(DONE)
    await store.deliveries.plan(to(DONE, other))
    due = await store.deliveries.due(NOW.utc, 3)
    assert [d.destination for d in due].count(DESTINATION.id) == 3
    assert [d.destination for d in due].count(other.id) == 1


async def test_removing_a_destination_discards_what_it_was_not_given(store: Store) -> None:
    await store.destinations.add(DESTINATION, b"sealed", AUDIT)
    await store.scans.begin(DONE)
    await store.deliveries.plan(to(DONE, DESTINATION))
    await store.destinations.remove(SCAN.account, DESTINATION.id, AUDIT)
    assert await store.destinations.of_account(ACCOUNT.id) == ()
    [delivery] = await store.deliveries.of_scan(SCAN.id)
    assert delivery.state is DeliveryState.DISCARDED


async def test_the_audit_shows_a_changed_or_removed_row(store: Store, tmp_path: Path) -> None:
    for _ in range(3):
        await store.audit.append(AUDIT)
    assert await store.audit.verify() == 4
    with sqlite3.connect(tmp_path / "gateway.sqlite3") as direct:
        assert direct.execute("select reason from audit where seq = 2").fetchone() == ("line\\r\\nbreak",)
        direct.execute("update audit set outcome = 'changed' where seq = 2")
    direct.close()
    with pytest.raises(AuditBroken, match="2"):
        await store.audit.verify()


def sealing(data: bytes) -> "object":
    def write(file: BinaryIO) -> None:
        file.write(data)

    return write


FACTS = PageFacts("image/jpeg", 2480, 3508, 300, 1234567, 3, "colour")


def test_a_kept_page_tells_everything_by_its_name(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    draft = spool.write(SCAN.id, 3, "back", sealing(b"sealed"))  # type: ignore[arg-type]
    assert list(spool.sealed_files()) == []
    path = draft.keep(FACTS, "0123456789abcdef" * 2)
    [found] = spool.sealed_files()
    assert (found.path, found.scan, found.number, found.side) == (path, SCAN.id, 3, "back")
    assert (found.facts, found.mac) == (FACTS, "0123456789abcdef" * 2)
    assert spool.sha256(path) == draft.sha256
    assert spool.absolute(path).stat().st_mode & 0o777 == 0o600


def test_a_failed_or_crashed_write_leaves_no_page(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        spool.write(SCAN.id, 1, "front", fail)
    spool.write(SCAN.id, 2, "front", sealing(b"complete, but never kept"))  # type: ignore[arg-type]
    spool.sweep_temps()
    assert not [p for p in (tmp_path / "spool").rglob("*") if p.is_file()]


def test_strange_names_are_left_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    (tmp_path / "spool" / "x").mkdir()
    (tmp_path / "spool" / "x" / "0001-front.age").write_bytes(b"?")
    assert list(spool.sealed_files()) == []
    spool.sweep_temps()
    assert (tmp_path / "spool" / "x" / "0001-front.age").exists()
