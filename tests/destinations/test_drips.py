"""Servers that take a document and then give their answer byte by byte: nobody waits for its end."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from yarl import URL

from gateway.core.gate import Permit
from gateway.destinations import http, s3_http, upload
from gateway.destinations.net import Guard
from gateway.destinations.paperless import PaperlessDestination
from gateway.destinations.port import DestinationError, Parcel, Port, Proof, ReplyLost, Unavailable
from gateway.destinations.push import Note, NtfyPusher
from gateway.destinations.signing import key_of
from gateway.destinations.webdav import WebdavDestination
from gateway.destinations.webhook import WebhookDestination
from simulator.sinks import Fault, Trouble, ntfy_sink, paperless_sink, s3_sink, webdav_sink, webhook_sink
from tests.destinations.conftest import NOW
from tests.destinations.s3_rig import destination as s3_destination

DATA = bytes(range(256)) * 2000
GUARD = Guard(("127.0.0.0/8",), ())
LIMIT_S = 1.0  # of an answer, once the server drips
Make = Callable[..., Parcel]
Commit = Callable[[], Awaitable[None]]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let nobody be patient with an answer any more."""

    def begin() -> None:
        for module in (http, upload, s3_http):
            monkeypatch.setattr(module, "ANSWER_S", LIMIT_S)

    return begin


def dripping(method: str) -> Fault:
    return Fault(method, Trouble.DRIP, pause_s=LIMIT_S / 20)


async def failure(port: Port, permit: Permit, parcel: Parcel, commit: Commit) -> DestinationError:
    with pytest.raises(DestinationError) as caught:
        async with asyncio.timeout(30):
            await port.deliver(permit, parcel, commit)
    return caught.value


@pytest.mark.parametrize("method", ["MOVE", "PROPFIND"])
async def test_a_webdav_server_that_drips_after_the_commit_is_uncertain_and_found_later(
    tmp_path: Path,
    permit: Permit,
    parcel: Make,
    impatient: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    async with webdav_sink(tmp_path) as sink:

        async def commit() -> None:
            sink.misbehave(dripping(method))
            impatient()

        port = WebdavDestination(sink.url, sink.username, sink.password, GUARD)
        assert isinstance(await failure(port, permit, parcel(DATA), commit), ReplyLost)
        monkeypatch.undo()
        assert isinstance(await port.reconcile(permit, parcel(DATA)), Proof)


async def test_a_paperless_server_that_drips_after_the_last_byte_is_uncertain(
    permit: Permit, parcel: Make, impatient: Callable[[], None]
) -> None:
    async with paperless_sink() as sink:

        async def commit() -> None:
            impatient()

        sink.misbehave(dripping("POST"))
        port = PaperlessDestination(sink.url, sink.token, GUARD)
        error = await failure(port, permit, parcel(DATA), commit)
        assert isinstance(error, ReplyLost)
        assert "in time" in str(error)
        await sink.until(lambda s: s.whole_uploads == 1)


async def test_a_webhook_that_drips_after_the_last_byte_is_uncertain(
    permit: Permit, parcel: Make, impatient: Callable[[], None]
) -> None:
    async with webhook_sink() as sink:

        async def commit() -> None:
            impatient()

        sink.misbehave(dripping("POST"))
        port = WebhookDestination(URL(sink.url), key_of(sink.secret), GUARD)
        error = await failure(port, permit, parcel(DATA), commit)
        assert isinstance(error, ReplyLost)
        assert "in time" in str(error)
        await sink.until(lambda s: len(s.taken) == 1)


async def test_a_store_that_drips_while_it_puts_the_parts_together_is_uncertain(
    permit: Permit, parcel: Make, impatient: Callable[[], None]
) -> None:
    async with s3_sink() as sink:

        async def commit() -> None:
            sink.misbehave(dripping("POST"))
            impatient()

        assert isinstance(await failure(s3_destination(sink), permit, parcel(DATA), commit), ReplyLost)
        await sink.until(lambda s: len(s.objects()) == 1)


async def test_a_server_that_drips_at_a_notice_is_left_alone(impatient: Callable[[], None]) -> None:
    async with ntfy_sink() as sink:
        sink.misbehave(dripping("POST"))
        impatient()
        with pytest.raises(Unavailable, match="in time"):
            async with asyncio.timeout(30):
                await NtfyPusher(URL(f"{sink.url}topic"), "", GUARD).push(Note("k", "t", "t", "", NOW.utc))
