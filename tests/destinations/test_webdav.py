"""The WebDAV destination against a real server that misbehaves on request."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.core.gate import Permit
from gateway.destinations import http, upload
from gateway.destinations.names import PARTIAL, temporary
from gateway.destinations.net import Guard
from gateway.destinations.port import DestinationError, Parcel, Proof, Rejected, ReplyLost, Trace, Unavailable
from gateway.destinations.webdav import WebdavDestination
from simulator.sinks import DavSink, Fault, Trouble, webdav_sink
from tests.destinations.conftest import NOW

DATA = bytes(range(256)) * 3000
NAME = "2024-05-06 scan é.pdf"
DRAFT = temporary(NAME, "s/d/1", PARTIAL)
Make = Callable[..., Parcel]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[DavSink]:
    folder = tmp_path / "served"
    folder.mkdir()
    async with webdav_sink(folder) as sink:
        yield sink


def destination(server: DavSink, *, password: str | None = None, path: str = "") -> WebdavDestination:
    guard = Guard(("127.0.0.0/8",), ())
    return WebdavDestination(server.url + path, server.username, password or server.password, guard)


async def test_a_document_arrives_whole_with_a_proof(server: DavSink, permit: Permit, parcel: Make, gate: Any) -> None:
    proof = await destination(server).deliver(permit, parcel(DATA), gate)
    assert (server.folder / NAME).read_bytes() == DATA
    assert server.files() == [NAME]
    assert proof.sha256 == hashlib.sha256(DATA).hexdigest()
    assert proof.byte_count == len(DATA)
    assert proof.location.startswith(server.url)
    assert proof.remote_id
    assert gate.asked == 1


async def test_the_upload_states_its_length_and_type_and_the_move_forbids_overwriting(
    server: DavSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    await destination(server).deliver(permit, parcel(DATA), gate)
    put, move = (next(r for r in server.requests if r.method == m) for m in ("PUT", "MOVE"))
    assert put.bytes_received == len(DATA)
    assert "transfer-encoding" not in put.headers
    assert move.headers["overwrite"] == "F"
    assert move.headers["destination"].startswith("http://127.0.0.1:")


async def test_before_the_commit_only_a_hidden_name_exists(
    server: DavSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    gate.look = server.files
    await destination(server).deliver(permit, parcel(DATA), gate)
    assert gate.seen == [[DRAFT]]


async def test_a_gate_that_shuts_at_the_commit_leaves_nothing(
    server: DavSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    gate.error = LookupError("shut")
    with pytest.raises(LookupError):
        await destination(server).deliver(permit, parcel(DATA), gate)
    assert server.files() == []


async def test_cancelled_in_the_middle_of_the_upload_it_leaves_nothing(
    server: DavSink, permit: Permit, gate: Any
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield DATA
        await asyncio.Event().wait()

    endless_parcel = Parcel(NAME, "s/d/1", "application/pdf", 10 * len(DATA), endless, NOW.utc)
    task = asyncio.create_task(destination(server).deliver(permit, endless_parcel, gate))
    await server.until(lambda s: DRAFT in s.files())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.files() == []
    assert gate.asked == 0


async def test_cancelled_while_it_waits_for_the_gate_it_leaves_nothing(
    server: DavSink, permit: Permit, parcel: Make
) -> None:
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(destination(server).deliver(permit, parcel(DATA), never))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.files() == []


async def test_a_slow_server_still_gets_everything(server: DavSink, permit: Permit, parcel: Make, gate: Any) -> None:
    server.misbehave(Fault("PUT", Trouble.SLOW_BODY, pause_s=0.001))
    await destination(server).deliver(permit, parcel(DATA), gate)
    assert (server.folder / NAME).read_bytes() == DATA


async def test_a_server_that_stops_taking_the_upload_is_given_up(
    server: DavSink, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "STALL_S", 0.3)
    monkeypatch.setattr(upload, "STALL_S", 0.3)
    server.misbehave(Fault("PUT", Trouble.SLOW_BODY, pause_s=1.5))
    with pytest.raises(Unavailable, match="stopped taking"):
        await destination(server).deliver(permit, parcel(DATA * 20), gate)
    assert gate.asked == 0


@pytest.mark.parametrize("claimed", [len(DATA) - 1, len(DATA) + 1])
async def test_a_stream_of_another_length_is_never_committed(
    server: DavSink, permit: Permit, parcel: Make, gate: Any, claimed: int
) -> None:
    with pytest.raises(Unavailable, match="announced"):
        await destination(server).deliver(permit, parcel(DATA, claimed=claimed), gate)
    assert server.files() == []
    assert gate.asked == 0


@pytest.mark.parametrize("error", [ArithmeticError("seal"), OSError("truncated")])
async def test_a_stream_that_breaks_leaves_nothing_and_says_what_broke(
    server: DavSink, permit: Permit, gate: Any, error: Exception
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        raise error

    with pytest.raises(type(error), match=str(error)):
        await destination(server).deliver(
            permit, Parcel(NAME, "s/d/1", "application/pdf", 10**7, broken, NOW.utc), gate
        )
    assert server.files() == []


async def test_the_same_document_again_is_a_success_without_a_second_commit(
    server: DavSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = destination(server)
    first = await sink.deliver(permit, parcel(DATA), gate)
    assert await sink.deliver(permit, parcel(DATA), gate) == first
    assert gate.asked == 1
    assert [r.method for r in server.requests].count("PUT") == 1


@pytest.mark.parametrize("other", [b"shorter", DATA[:-1] + b"\0"])
async def test_another_file_of_that_name_is_never_overwritten(
    server: DavSink, permit: Permit, parcel: Make, gate: Any, other: bytes
) -> None:
    (server.folder / NAME).write_bytes(other)
    with pytest.raises(Rejected, match="already"):
        await destination(server).deliver(permit, parcel(DATA), gate)
    assert (server.folder / NAME).read_bytes() == other
    assert gate.asked == 0


@pytest.mark.parametrize("same", [True, False])
async def test_a_name_taken_during_the_commit_is_not_overwritten(
    server: DavSink, permit: Permit, parcel: Make, same: bool
) -> None:
    other = DATA if same else b"theirs"

    async def racer() -> None:
        (server.folder / NAME).write_bytes(other)

    if same:
        proof = await destination(server).deliver(permit, parcel(DATA), racer)
        assert proof.sha256 == hashlib.sha256(DATA).hexdigest()
    else:
        with pytest.raises(Rejected, match="already"):
            await destination(server).deliver(permit, parcel(DATA), racer)
    assert (server.folder / NAME).read_bytes() == other
    assert server.files() == [NAME]


async def test_a_wrong_password_sends_no_byte_of_the_document(
    server: DavSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = destination(server, password="wrong")
    with pytest.raises(Rejected, match="password"):
        await sink.deliver(permit, parcel(DATA), gate)
    assert "PUT" not in [r.method for r in server.requests]
    with pytest.raises(Rejected, match="password"):
        await sink.probe()


async def test_a_folder_that_does_not_exist_is_refused(
    server: DavSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = destination(server, path="nowhere/")
    with pytest.raises(Rejected, match="does not exist"):
        await sink.deliver(permit, parcel(DATA), gate)
    with pytest.raises(Rejected, match="does not exist"):
        await sink.probe()


STATUSES = [
    (301, Rejected, "redirect"),
    (400, Rejected, "400"),
    (403, Rejected, "right"),
    (409, Rejected, "does not exist"),
    (413, Rejected, "too large"),
    (423, Unavailable, "locked"),
    (429, Unavailable, "slow down"),
    (500, Unavailable, "500"),
    (503, Unavailable, "503"),
    (507, Unavailable, "room"),
]


@pytest.mark.parametrize("method", ["PROPFIND", "PUT", "MOVE"])
@pytest.mark.parametrize(("status", "error", "words"), STATUSES)
async def test_a_refusal_is_told_by_its_status_and_leaves_nothing(
    server: DavSink,
    permit: Permit,
    parcel: Make,
    gate: Any,
    method: str,
    status: int,
    error: type[DestinationError],
    words: str,
) -> None:
    server.misbehave(Fault(method, Trouble.STATUS, status))
    with pytest.raises(error, match=words):
        await destination(server).deliver(permit, parcel(DATA), gate)
    assert server.files() == []


@pytest.mark.parametrize(("value", "seconds"), [("120", 120.0), ("soon", None), ("²", None), ("9" * 40, None)])
async def test_the_server_may_say_when_to_try_again(
    server: DavSink, permit: Permit, parcel: Make, gate: Any, value: str, seconds: float | None
) -> None:
    header = value.encode().decode("latin-1")
    server.misbehave(Fault("PROPFIND", Trouble.STATUS, 503, headers=(("Retry-After", header),)))
    with pytest.raises(Unavailable) as caught:
        await destination(server).deliver(permit, parcel(DATA), gate)
    assert caught.value.retry_after_s == seconds


async def test_a_connection_lost_during_the_upload_is_retried_later(
    server: DavSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.misbehave(Fault("PUT", Trouble.DROP))
    with pytest.raises(Unavailable):
        await destination(server).deliver(permit, parcel(DATA), gate)
    assert server.files() == []
    assert gate.asked == 0


async def test_a_reply_lost_after_the_move_took_effect_is_found_again(
    server: DavSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.misbehave(Fault("MOVE", Trouble.DROP_REPLY))
    sink = destination(server)
    with pytest.raises(ReplyLost):
        await sink.deliver(permit, parcel(DATA), gate)
    found = await sink.reconcile(permit, parcel(DATA))
    assert isinstance(found, Proof)
    assert found.sha256 == hashlib.sha256(DATA).hexdigest()
    assert [r.method for r in server.requests].count("MOVE") == 1


async def test_a_reply_lost_before_the_move_took_effect_is_found_absent_and_tidied_with_the_next_attempt(
    server: DavSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.misbehave(Fault("MOVE", Trouble.DROP))
    sink = destination(server)
    with pytest.raises(ReplyLost):
        await sink.deliver(permit, parcel(DATA), gate)
    for _ in range(2):
        assert server.files() == [DRAFT]
        assert await sink.reconcile(permit, parcel(DATA)) is Trace.ABSENT
    await sink.deliver(permit, parcel(DATA), gate)
    assert server.files() == [NAME]


async def test_a_document_that_somebody_took_away_is_not_called_absent(
    server: DavSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.misbehave(Fault("MOVE", Trouble.DROP_REPLY))
    sink = destination(server)
    with pytest.raises(ReplyLost):
        await sink.deliver(permit, parcel(DATA), gate)
    (server.folder / NAME).unlink()
    assert await sink.reconcile(permit, parcel(DATA)) is Trace.UNKNOWABLE


async def test_a_folder_that_is_gone_says_nothing_of_the_document(
    server: DavSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    await destination(server).deliver(permit, parcel(DATA), gate)
    server.folder.rename(server.folder.with_name("away"))
    with pytest.raises(Rejected, match="folder does not exist"):
        await destination(server).reconcile(permit, parcel(DATA))


@pytest.mark.parametrize("how", ["found by reconcile", "found by the next attempt"])
async def test_a_temporary_file_beside_the_document_goes_when_that_is_found(
    server: DavSink, permit: Permit, parcel: Make, gate: Any, how: str
) -> None:
    for name in (NAME, DRAFT):
        (server.folder / name).write_bytes(DATA)
    if how == "found by reconcile":
        assert isinstance(await destination(server).reconcile(permit, parcel(DATA)), Proof)
    else:
        await destination(server).deliver(permit, parcel(DATA), gate)
    assert server.files() == [NAME]


@pytest.mark.parametrize("status", [502, 504])
async def test_a_proxys_word_about_the_move_is_not_believed(
    server: DavSink, permit: Permit, parcel: Make, gate: Any, status: int
) -> None:
    server.misbehave(Fault("MOVE", Trouble.STATUS_AFTER, status))
    sink = destination(server)
    with pytest.raises(ReplyLost):
        await sink.deliver(permit, parcel(DATA), gate)
    assert isinstance(await sink.reconcile(permit, parcel(DATA)), Proof)


async def test_reconcile_does_not_take_another_file_for_ours(server: DavSink, permit: Permit, parcel: Make) -> None:
    (server.folder / NAME).write_bytes(DATA[:-1] + b"\0")
    assert await destination(server).reconcile(permit, parcel(DATA)) is Trace.ABSENT
    assert server.files() == [NAME]


async def test_reconcile_says_nothing_while_the_server_does_not_answer(
    server: DavSink, permit: Permit, parcel: Make
) -> None:
    server.misbehave(Fault("PROPFIND", Trouble.DROP))
    with pytest.raises(Unavailable):
        await destination(server).reconcile(permit, parcel(DATA))


async def test_nobody_listening_is_retried_later(permit: Permit, parcel: Make, gate: Any, tmp_path: Path) -> None:
    async with webdav_sink(tmp_path) as gone:
        sink = destination(gone)
    with pytest.raises(Unavailable, match="connection"):
        await sink.deliver(permit, parcel(DATA), gate)


async def test_a_probe_writes_and_removes_an_empty_file(server: DavSink) -> None:
    await destination(server).probe()
    assert server.files() == []
    assert [r.method for r in server.requests] == ["PROPFIND", "PUT", "DELETE"]
    assert server.bytes_received == len_of_question(server)


async def test_a_probe_of_a_file_is_refused(server: DavSink) -> None:
    (server.folder / "file").write_bytes(b"x")
    with pytest.raises(Rejected):
        await destination(server, path="file").probe()


async def test_an_address_that_is_not_allowed_is_never_contacted(
    server: DavSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = WebdavDestination(server.url, server.username, server.password, Guard((), ()))
    with pytest.raises(Rejected, match="allow ="):
        await sink.deliver(permit, parcel(DATA), gate)
    with pytest.raises(Rejected, match="allow ="):
        await sink.probe()
    assert server.requests == []


async def test_an_upload_is_never_sent_twice(parcel: Make) -> None:
    body = upload.Upload(parcel(b""))
    await body.write_with_length(None, None)  # type: ignore[arg-type]
    with pytest.raises(aiohttp.ClientConnectionError):
        await body.write_with_length(None, None)  # type: ignore[arg-type]


def len_of_question(server: DavSink) -> int:
    return sum(r.bytes_received for r in server.requests if r.method == "PROPFIND")
