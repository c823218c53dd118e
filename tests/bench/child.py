"""A daemon whose scanner is in its own process: `python -m tests.bench.child STATE ARCHIVE PAGES SINK_PORT`.

SINK_PORT: of this machine, where it may deliver to; 0: to the folder ARCHIVE only.
Its unit, which belongs to you@example.org, scans the JPEG files of the folder PAGES over and over. It takes orders from
standard input, a line each: `scan COUNT` presses Scan with so many pages in the feeder, `ahead SECONDS` sets its clock.
On standard output it prints its URL, and then what happened and when, in seconds of CLOCK_MONOTONIC: `last_page`: the
scanner's last byte was taken; `stored`: the scan is complete; `delivered`: its receipt is in the ledger.
"""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path

from drivers.port import Capabilities, Cause, Colour, Gone, Page, PageEnd, Press, Profile, Side, Sighting, Status
from gateway import app
from gateway.clock import SystemClock
from gateway.core.model import Instant, ScanState
from gateway.settings import Destinations, Network, Paths, Registration, Settings, Web

EMAIL = "you@example.org"
_END = {"width_px": 2480, "height_px": 3508, "resolution_dpi": 300, "components": 3}  # of tests.bench.pages
_ID = "usb:iX500:1"
_CHUNK_BYTES = 256 * 1024
_LOOK_S = 0.05
_ABLE = Capabilities((300,), tuple(Colour), duplex=True, max_width_mm=216, max_height_mm=360, has_button=True)


def tell(what: str) -> None:
    print(f"{what} {time.monotonic()}", flush=True)


class Ahead:
    """The system's clock, set forward."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self.ahead = timedelta()

    def now(self) -> Instant:
        real = self._system.now()
        return Instant(real.utc + self.ahead, real.boot_s + self.ahead.total_seconds(), real.boot_id)


class Feeder:
    """Finder and scanner in one."""

    id = _ID
    capabilities = _ABLE

    def __init__(self, sheets: list[Path]) -> None:
        self._sheets = sheets
        self._presses: asyncio.Queue[int] = asyncio.Queue()
        self._loaded = 0

    def press(self, count: int) -> None:
        self._presses.put_nowait(count)

    async def sightings(self) -> AsyncGenerator[Sighting | Gone]:
        yield Sighting(_ID, "iX500", "usb", "usb 1-2", "the pin", datetime.now(UTC))
        await asyncio.Event().wait()

    async def open(self, sighting_id: str, *, password: str = "") -> "Feeder":
        return self

    async def status(self) -> Status:
        return Status(paper=False, button=False, cover_open=False)

    async def presses(
        self, *, eager: Callable[[], bool] = bool, on_paper: Callable[[], bool] = bool
    ) -> AsyncGenerator[Press]:
        while True:
            self._loaded = await self._presses.get()
            yield Press(_ID, datetime.now(UTC), Cause.BUTTON)

    async def scan(self, profile: Profile) -> AsyncGenerator[Page]:
        for index, path in enumerate(islice(cycle(self._sheets), self._loaded)):
            side = Side.BACK if index % 2 else Side.FRONT
            end = PageEnd(**_END, byte_count=path.stat().st_size)
            chunks = _chunks(path, last=index == self._loaded - 1)
            yield Page(1 + index // 2, side, "image/jpeg", Colour.COLOUR, chunks, lambda end=end: end)

    async def close(self) -> None:
        """Let go of it."""


async def _chunks(path: Path, *, last: bool) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
    if last:
        tell("last_page")


class _Receipts(logging.Handler):
    """Hears of each delivery right after its row is durable, without asking anybody."""

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith("delivered "):
            tell("delivered")


async def main(state: Path, archive: Path, pages: Path, port: int) -> None:
    settings = Settings(
        paths=Paths(state=state, runtime=state / "run"),
        web=Web(port=0),
        network=Network(find=False),
        registration=Registration("usb", EMAIL),
        destinations=Destinations(roots=(archive,), allow=(f"127.0.0.1:{port}",) if port else ()),
    )
    outbox = logging.getLogger("gateway.work.outbox")
    outbox.setLevel(logging.INFO)
    outbox.addHandler(_Receipts())
    clock, feeder = Ahead(), Feeder(sorted(pages.iterdir()))
    async with app.build(settings, clock=clock, finders=[feeder]) as daemon:
        serving = asyncio.ensure_future(daemon.run(ready=lambda url: print(url, flush=True)))
        obeying = asyncio.ensure_future(_obey(daemon, clock, feeder))
        await asyncio.wait({serving, obeying}, return_when=asyncio.FIRST_COMPLETED)  # whoever gave the orders is gone
        serving.cancel()
        obeying.cancel()
        await asyncio.gather(serving, obeying, return_exceptions=True)


async def _obey(daemon: app.App, clock: Ahead, feeder: Feeder) -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    scans, known = daemon.services.store.scans, set()
    while order := (await orders.readline()).split():
        if order[0] == b"ahead":
            clock.ahead = timedelta(seconds=float(order[1]))
            continue
        feeder.press(int(order[1]))
        while not (new := {scan.id for scan in await scans.in_state(ScanState.STORED)} - known):
            await asyncio.sleep(_LOOK_S)
        known |= new
        tell("stored")


if __name__ == "__main__":
    state, archive, pages, port = sys.argv[1:]
    asyncio.run(main(Path(state), Path(archive), Path(pages), int(port)))
