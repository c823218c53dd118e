"""How many passwords are stretched at a time, who waits, and what one costs."""

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.vault import keys
from gateway.work.outcomes import Denied
from gateway.work.passwords import Stretcher


@contextmanager
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Hold up every stretching until the block ends; gives those that have begun."""
    begun: list[str] = []
    go = threading.Event()

    def stretch(password: str, salt: bytes, costs: str) -> keys.Stretched:
        begun.append(password)
        go.wait(20)
        return keys.Stretched(b"", b"")

    monkeypatch.setattr(keys, "stretch", stretch)
    try:
        yield begun
    finally:
        go.set()


async def crowd(stretcher: Stretcher, count: int, *, known: bool) -> list["asyncio.Task[keys.Stretched | Denied]"]:
    """Send so many passwords at once and let them come as far as they can."""
    tasks = [asyncio.create_task(stretcher.stretch(f"{n}", b"salt", known=known)) for n in range(count)]
    for _ in range(50):
        await asyncio.sleep(0)
    return tasks


async def test_two_at_once_and_a_queue_of_eight_with_places_that_strangers_never_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stretcher = Stretcher()
    with held_up(monkeypatch) as begun:
        strangers = await crowd(stretcher, 20, known=False)
        assert sum(task.done() for task in strangers) == 20 - 7
        refused = next(task.result() for task in strangers if task.done())
        assert isinstance(refused, Denied)
        assert (refused.reason, refused.status, refused.retry_after_s) == ("busy", 503, 5)
        owners = await crowd(stretcher, 5, known=True)
        assert sum(task.done() for task in owners) == 2
        async with asyncio.timeout(20):
            while len(begun) < 2:
                await asyncio.sleep(0.01)
        assert len(begun) == 2
    await asyncio.gather(*strangers, *owners)


def test_a_password_costs_what_is_written_down() -> None:
    salt = keys.new_salt()
    assert len(salt) == 16
    raw = hash_secret_raw(b"correct horse", salt, 3, 64 * 1024, 4, 32, Type.ID)
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"auth/v1").derive(raw)
    assert keys.stretch("correct horse", salt).verifier == hashlib.sha256(derived).digest()
