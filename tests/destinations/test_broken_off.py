"""An upload that breaks off: what waits in buffers, ours and the system's, is dropped and does not trickle out."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from yarl import URL

from gateway.destinations.dav import Dav
from gateway.destinations.net import Guard
from gateway.destinations.port import Parcel
from tests.destinations.conftest import NAME, NOW

PIECE = bytes(64 * 1024)
_ENOUGH = 8  # pieces: more than the server's reader holds


class Shut(Exception):
    """What a stream raises whose keys are gone."""


class Server:
    """Takes the head of a request and no more until it is told; `end` is then what came after the last byte."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.end: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.begun.set()
        await self.go_on.wait()
        try:
            while await reader.read(len(PIECE)):
                pass
            self.end.set_result(None)
        except ConnectionError as error:
            self.end.set_result(error)
        writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[URL]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=len(PIECE))
        async with server:
            yield URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/scan.pdf")


def parcel(stream: Callable[[], AsyncIterator[bytes]]) -> Parcel:
    return Parcel(NAME, "s/d/1", "application/pdf", 10**9, stream, NOW.utc)


async def put(url: URL, stream: Callable[[], AsyncIterator[bytes]]) -> Any:
    async with Dav(Guard(("127.0.0.0/8",), ()), url, "anna", "x") as dav:
        return await dav.put(url, parcel(stream))


async def test_cancelled_while_the_server_takes_nothing_it_sends_no_more() -> None:
    server, full = Server(), asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for number in itertools.count():
            if number == _ENOUGH:
                full.set()
            yield PIECE

    async with server.running() as url, asyncio.timeout(20):
        sending = asyncio.create_task(put(url, endless))
        await server.begun.wait()
        await full.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        server.go_on.set()
        assert isinstance(await server.end, ConnectionResetError)


async def test_a_stream_that_fails_sends_no_more_of_what_it_gave() -> None:
    server = Server()

    async def failing() -> AsyncIterator[bytes]:
        yield PIECE
        await server.begun.wait()
        raise Shut

    async with server.running() as url, asyncio.timeout(20):
        with pytest.raises(Shut):
            await put(url, failing)
        server.go_on.set()
        assert isinstance(await server.end, ConnectionResetError)
