"""The gate shut in the middle of a delivery: from the sign-out to the last byte that a slow server sees.

The server is nginx behind a narrow way: a relay that takes a few MB/s from the gateway, as a home's upstream does.
"""

import asyncio
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from yarl import URL

from tests.bench.held import Held, holding
from tests.bench.table import Bound, unmeasured
from tests.destinations.nginx_peer import PACKAGES, nginx, program

_ROUNDS = 10
_PAGES = 40  # 100 MB: no round sees the end of them
_PIECE_BYTES = 16 * 1024
_PAUSE_S = 0.005  # between pieces: 3 MB/s
_UNDER_WAY_BYTES = 2_000_000
_STEP_S = 0.025  # each round signs out a little later, so that no clock of the gateway's is met in step
_MOST_MS, _AIM_MS = 1000, 250
_WHAT = "a shut gate: sign-out -> last byte seen by the server"


def bench() -> list[Bound]:
    """Sign out ten times in the middle of the same delivery."""
    if program() is None:
        return [unmeasured(_WHAT, f"it takes {PACKAGES}")]
    sent_ms, answered_ms = ([1000 * taken_s for taken_s in side] for side in zip(*asyncio.run(measured()), strict=True))
    aim = f"aim {_AIM_MS}: {'yes' if max(sent_ms) <= _AIM_MS else 'NO'}"
    return [_bound(_WHAT, sent_ms, f", {aim}"), _bound("... from the answer to the sign-out", answered_ms, "")]


def _bound(what: str, taken_ms: list[float], more: str) -> Bound:
    worst, median = max(taken_ms), statistics.median(taken_ms)
    return Bound(
        what, f"{worst:.0f} ms", f"under {_MOST_MS}", worst < _MOST_MS, f"worst of {_ROUNDS}, median {median:.0f}{more}"
    )


class Narrow:
    """The relay. `taken` bytes came through the present upload, the last ones at `last_s`."""

    def __init__(self) -> None:
        self.taken = 0
        self.last_s = 0.0
        self.over = asyncio.Event()

    @asynccontextmanager
    async def open(self, port: int) -> AsyncIterator[int]:
        """Relay to a port of this machine until the block ends; gives the port to come to."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            # What lies in the relay's own buffer has left the gateway already; a narrow way has no such hall.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _PIECE_BYTES)
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(self._serve(listening, port, group))
                yield listening.getsockname()[1]
                serving.cancel()

    async def _serve(self, listening: socket.socket, port: int, group: asyncio.TaskGroup) -> None:
        while True:
            near, _ = await asyncio.get_running_loop().sock_accept(listening)
            group.create_task(self._relay(near, port))

    async def _relay(self, near: socket.socket, port: int) -> None:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        back = loop.create_task(_answer(reader, near))
        uploading = False
        with near:
            try:
                while piece := await loop.sock_recv(near, _PIECE_BYTES):
                    if piece.startswith(b"PUT "):
                        uploading, self.taken = True, 0
                        self.over.clear()
                    if uploading:
                        self.taken, self.last_s = self.taken + len(piece), time.monotonic()
                        await asyncio.sleep(_PAUSE_S)
                    writer.write(piece)
                    await writer.drain()
            except ConnectionError:
                pass
            if uploading:
                self.over.set()
            writer.close()
            await asyncio.gather(back, return_exceptions=True)


async def _answer(reader: asyncio.StreamReader, near: socket.socket) -> None:
    while data := await reader.read(_PIECE_BYTES):
        await asyncio.get_running_loop().sock_sendall(near, data)


async def measured() -> list[tuple[float, float]]:
    """Return for each round the seconds from sending the sign-out, and from its answer, to the last byte."""
    with tempfile.TemporaryDirectory(prefix="bench-shut-") as name:
        (Path(name) / "nginx").mkdir()
        narrow = Narrow()
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(nginx(Path(name) / "nginx"))
            port = await stack.enter_async_context(narrow.open(URL(server.url).port or 0))
            held = await stack.enter_async_context(holding(Path(name) / "house", f"http://127.0.0.1:{port}/"))
            await held.scan_and_hold(_PAGES)
            return [await _round(held, narrow, number * _STEP_S) for number in range(_ROUNDS)]


async def _round(held: Held, narrow: Narrow, later_s: float) -> tuple[float, float]:
    narrow.taken = 0
    await held.sign_in()
    while narrow.taken < _UNDER_WAY_BYTES:
        await asyncio.sleep(0.01)
    await asyncio.sleep(later_s)
    sent_s = time.monotonic()
    await held.house.sign_out()
    answered_s = time.monotonic()
    async with asyncio.timeout(60.0):
        await narrow.over.wait()
    return narrow.last_s - sent_s, narrow.last_s - answered_s
