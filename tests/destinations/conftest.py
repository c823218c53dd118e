"""What every destination's tests need: a permit made by the gate, and parcels."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.gate import Facts, Permit, decide
from gateway.core.model import (
    AccountId,
    AccountState,
    DeliveryId,
    Filing,
    Instant,
    Level,
    Session,
    SessionId,
    TwoFactor,
)
from gateway.destinations.port import Parcel

NOW = Instant(datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), 100.0, "boot")
NAME = "2024-05-06 scan é.pdf"

UNFILED = Filing()


@pytest.fixture
def permit() -> Permit:
    session = Session(
        id=SessionId("s"),
        account=AccountId("a"),
        level=Level.L2,
        password_at=NOW.utc,
        totp_at=NOW.utc,
        ends=NOW.after(timedelta(hours=24)),
        acts_until=NOW.after(timedelta(minutes=30)),
        forwards_until=NOW.after(timedelta(hours=12)),
        epoch=1,
        boot_id="boot",
    )
    facts = Facts(DeliveryId("d"), AccountState.ACTIVE, TwoFactor.ACTIVE, 1, (session,), frozenset({session.id}))
    decision = decide(facts, NOW)
    assert isinstance(decision, Permit)
    return decision


@pytest.fixture
def parcel() -> Callable[..., Parcel]:
    def make(
        data: bytes,
        name: str = "2024-05-06 scan é.pdf",
        key: str = "s/d/1",
        claimed: int | None = None,
        filing: Filing = UNFILED,
    ) -> Parcel:
        async def chunks() -> AsyncIterator[bytes]:
            for at in range(0, len(data), 100_000):
                yield data[at : at + 100_000]

        return Parcel(name, key, "application/pdf", len(data) if claimed is None else claimed, chunks, NOW.utc, filing)

    return make


@dataclass(slots=True)
class Gate:
    """A commit that counts, and fails if it is told to."""

    error: BaseException | None = None
    asked: int = 0
    seen: list[list[str]] = field(default_factory=list)
    look: Callable[[], list[str]] | None = None

    async def __call__(self) -> None:
        self.asked += 1
        if self.look is not None:
            self.seen.append(self.look())
        if self.error is not None:
            raise self.error


@pytest.fixture
def gate() -> Gate:
    return Gate()
