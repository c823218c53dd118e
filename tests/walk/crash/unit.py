"""A unit in the daemon's own process: it scans what its presses bring, and notes each page that was acknowledged."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from drivers.errors import PaperError, PaperFault
from drivers.port import (
    Capabilities,
    Cause,
    Colour,
    Gone,
    Page,
    PageEnd,
    Press,
    Profile,
    Side,
    Sighting,
    Status,
)
from tests.walk.crash.sheets import RESOLUTION_DPI, SIDE_PX, Sheet

ID = "usb:iX500:1200753"
_CHUNK_BYTES = 16 * 1024
_ABLE = Capabilities((150, 300), tuple(Colour), duplex=True, max_width_mm=216, max_height_mm=360, has_button=True)


@dataclass(frozen=True, slots=True)
class Batch:
    """What lies in the feeder when Scan is pressed; `jams` behind the last sheet."""

    sheets: tuple[Sheet, ...] = ()
    jams: bool = False


class Feeder:
    """Finder and scanner in one. `tell(what, sheet)` is called with "sent" and "acknowledged"."""

    id = ID
    capabilities = _ABLE

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._presses: asyncio.Queue[Batch] = asyncio.Queue()
        self._loaded = Batch()
        self.to_do = 0

    def press(self, batch: Batch | None = None) -> None:
        """Press Scan, with these sheets in the feeder."""
        self.to_do += 1
        self._presses.put_nowait(batch or Batch())

    async def sightings(self) -> AsyncGenerator[Sighting | Gone]:
        """Tell of the one unit, once."""
        yield Sighting(ID, "iX500", "usb", "usb 1-2", "the pin", datetime.now(UTC))
        await asyncio.Event().wait()

    async def open(self, sighting_id: str, *, password: str = "") -> "Feeder":
        """Open it."""
        return self

    async def status(self) -> Status:
        """Say that nothing is up."""
        return Status(paper=False, button=False, cover_open=False)

    async def presses(
        self, *, eager: Callable[[], bool] = bool, on_paper: Callable[[], bool] = bool
    ) -> AsyncGenerator[Press]:
        """Yield each press."""
        while True:
            self._loaded = await self._presses.get()
            if not self._loaded.sheets:
                self.to_do -= 1  # it claims the unit and scans nothing
            yield Press(ID, datetime.now(UTC), Cause.BUTTON)

    async def scan(self, profile: Profile) -> AsyncGenerator[Page]:
        """Yield the sheets; being asked for the next one acknowledges the one before."""
        batch, self._loaded = self._loaded, Batch()
        try:
            for number, sheet in enumerate(batch.sheets, start=1):
                data = sheet.jpeg()
                side = Side.FRONT if number % 2 else Side.BACK
                end = PageEnd(SIDE_PX, SIDE_PX, RESOLUTION_DPI, len(data), 3)
                self._tell("sent", sheet.name)
                yield Page((number + 1) // 2, side, "image/jpeg", Colour.COLOUR, _in_pieces(data), lambda end=end: end)
                self._tell("acknowledged", sheet.name)
            if batch.jams:
                raise PaperError(PaperFault.JAM, "The paper is jammed.")
        finally:
            self.to_do -= bool(batch.sheets)

    async def close(self) -> None:
        """Let go of it."""


async def _in_pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), _CHUNK_BYTES):
        yield data[start : start + _CHUNK_BYTES]
