"""The WebDAV destination against nginx."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.core.gate import Permit
from gateway.destinations.names import PARTIAL, temporary
from gateway.destinations.port import Parcel, Rejected, Trace
from tests.conformance.conftest import need
from tests.destinations.conftest import NAME, NOW
from tests.destinations.nginx_peer import PACKAGES, Nginx, nginx, program

pytestmark = pytest.mark.conformance
DATA = bytes(range(256)) * 8000  # longer than what nginx keeps in memory
DRAFT = temporary(NAME, "s/d/1", PARTIAL)
Make = Callable[..., Parcel]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Nginx]:
    need(program(), PACKAGES)
    async with nginx(tmp_path) as one:
        yield one


async def test_a_document_arrives_whole_with_a_proof(server: Nginx, permit: Permit, parcel: Make, gate: Any) -> None:
    gate.look = server.files
    proof = await server.destination().deliver(permit, parcel(DATA), gate)
    assert gate.seen == [[DRAFT]]
    assert server.files() == [NAME]
    assert (server.folder / NAME).read_bytes() == DATA
    assert (proof.byte_count, proof.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())
    assert proof.location.startswith(server.url)


async def test_a_test_of_the_destination_leaves_nothing(server: Nginx) -> None:
    await server.destination().probe()
    assert server.files() == []


async def test_the_same_document_again_is_a_success_and_is_found_again(
    server: Nginx, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = server.destination()
    first = await sink.deliver(permit, parcel(DATA), gate)
    assert await sink.deliver(permit, parcel(DATA), gate) == first
    assert await sink.reconcile(permit, parcel(DATA)) == first
    assert gate.asked == 1


async def test_what_was_never_committed_is_absent_and_its_draft_goes_with_the_next_attempt(
    server: Nginx, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = server.destination()
    (server.folder / DRAFT).write_bytes(DATA * 2)
    assert await sink.reconcile(permit, parcel(DATA)) is Trace.ABSENT
    assert server.files() == [DRAFT]
    await sink.deliver(permit, parcel(DATA), gate)
    assert server.files() == [NAME]
    (server.folder / NAME).unlink()
    assert await sink.reconcile(permit, parcel(DATA)) is Trace.UNKNOWABLE


@pytest.mark.parametrize("other", [DATA[:-1] + b"\0", b"shorter"])
async def test_another_file_of_that_name_is_never_overwritten(
    server: Nginx, permit: Permit, parcel: Make, gate: Any, other: bytes
) -> None:
    (server.folder / NAME).write_bytes(other)
    with pytest.raises(Rejected, match="already"):
        await server.destination().deliver(permit, parcel(DATA), gate)
    assert (server.folder / NAME).read_bytes() == other
    assert gate.asked == 0


async def test_a_name_taken_during_the_commit_is_not_overwritten(server: Nginx, permit: Permit, parcel: Make) -> None:
    async def racer() -> None:
        (server.folder / NAME).write_bytes(b"theirs")

    with pytest.raises(Rejected, match="already"):
        await server.destination().deliver(permit, parcel(DATA), racer)
    assert (server.folder / NAME).read_bytes() == b"theirs"
    assert server.files() == [NAME]


async def test_a_gate_that_shuts_at_the_commit_leaves_nothing(
    server: Nginx, permit: Permit, parcel: Make, gate: Any
) -> None:
    gate.error = LookupError("shut")
    with pytest.raises(LookupError):
        await server.destination().deliver(permit, parcel(DATA), gate)
    assert server.files() == []


async def test_cancelled_in_the_middle_of_the_upload_it_leaves_nothing(
    server: Nginx, permit: Permit, gate: Any
) -> None:
    taken = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield DATA
        taken.set()  # asked for more: the network has the first piece
        await asyncio.Event().wait()

    endless_parcel = Parcel(NAME, "s/d/1", "application/pdf", 10 * len(DATA), endless, NOW.utc)
    task = asyncio.create_task(server.destination().deliver(permit, endless_parcel, gate))
    await taken.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.files() == []
    assert gate.asked == 0
