"""Two scanners in the daemon's own process, plugged in and out by hand; they note each page that was acknowledged."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from drivers.port import Capabilities, Cause, Colour, Gone, Page, PageEnd, Press, Profile, Side, Sighting, Status
from tests.walk.crash.sheets import RESOLUTION_DPI, SIDE_PX, Sheet

_CHUNK_BYTES = 16 * 1024
_ABLE = Capabilities((150, 300), tuple(Colour), duplex=True, max_width_mm=216, max_height_mm=360, has_button=True)


@dataclass(slots=True)
class Stand:
    """One scanner. `listening`: somebody awaits its presses; `unanswered`: presses that were not dealt with yet."""

    serial: str
    plugged: bool = False
    listening: bool = False
    unanswered: int = 0
    acknowledged: list[Sheet] = field(default_factory=list)
    _presses: asyncio.Queue[tuple[Sheet, ...]] = field(default_factory=asyncio.Queue)
    _loaded: tuple[Sheet, ...] = ()

    @property
    def id(self) -> str:
        """Return the name of the one way to it."""
        return f"usb:iX500:{self.serial}"

    @property
    def capabilities(self) -> Capabilities:
        """Say what it can do."""
        return _ABLE

    def sighting(self) -> Sighting:
        """Say who it is."""
        at = datetime.now(UTC)
        return Sighting(self.id, "iX500", "usb", f"usb {self.serial}", f"pin {self.serial}", at, serial=self.serial)

    def press(self, sheets: tuple[Sheet, ...]) -> None:
        """Press Scan with these sheets in the feeder; nobody sees it unless somebody is listening."""
        if self.listening:
            self.unanswered += 1
            self._presses.put_nowait(sheets)

    async def status(self) -> Status:
        """Say that nothing is up."""
        return Status(paper=False, button=False, cover_open=False)

    async def presses(
        self, *, eager: Callable[[], bool] = bool, on_paper: Callable[[], bool] = bool
    ) -> AsyncGenerator[Press]:
        """Yield each press; being asked for the next one answers the one before."""
        self.listening = True
        try:
            while True:
                self._loaded = await self._presses.get()
                try:
                    yield Press(self.id, datetime.now(UTC), Cause.BUTTON)
                finally:
                    self._loaded, self.unanswered = (), self.unanswered - 1
        finally:
            self.listening = False

    async def scan(self, profile: Profile) -> AsyncGenerator[Page]:
        """Yield the sheets; being asked for the next one acknowledges the one before."""
        sheets, self._loaded = self._loaded, ()
        for number, sheet in enumerate(sheets, start=1):
            data = sheet.jpeg()
            side = Side.FRONT if number % 2 else Side.BACK
            end = PageEnd(SIDE_PX, SIDE_PX, RESOLUTION_DPI, len(data), 3)
            yield Page((number + 1) // 2, side, "image/jpeg", Colour.COLOUR, _in_pieces(data), lambda end=end: end)
            self.acknowledged.append(sheet)

    async def close(self) -> None:
        """Let go of it."""


class Bus:
    """The finder of these scanners."""

    def __init__(self, *stands: Stand) -> None:
        self._stands = {stand.id: stand for stand in stands}
        self._news: asyncio.Queue[Sighting | Gone] = asyncio.Queue()

    def plug(self, stand: Stand) -> None:
        """Plug it in."""
        stand.plugged = True
        self._news.put_nowait(stand.sighting())

    def unplug(self, stand: Stand) -> None:
        """Pull it out."""
        stand.plugged = False
        self._news.put_nowait(Gone(stand.id))

    async def sightings(self) -> AsyncGenerator[Sighting | Gone]:
        """Tell of what is plugged in, then of every change."""
        self._news = asyncio.Queue()
        for stand in self._stands.values():
            if stand.plugged:
                yield stand.sighting()
        while True:
            yield await self._news.get()

    async def open(self, sighting_id: str, *, password: str = "") -> Stand:
        """Open one."""
        return self._stands[sighting_id]


async def _in_pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), _CHUNK_BYTES):
        yield data[start : start + _CHUNK_BYTES]
