"""One reserved unit on Wi-Fi as `drivers.port.Scanner`: presses, status, pages. What is said: `flow.py`, `wire.py`."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from drivers.ending import to_the_end
from drivers.errors import DriverError, PaperError, PaperFault, Unreachable
from drivers.port import Capabilities, Cause, Page, Press, Profile, Side, Status
from drivers.scsi.flow import Dialogue
from drivers.scsi.wire import WindowId
from drivers.vens import batch as batches
from drivers.vens import flow
from drivers.vens.batch import Batch
from drivers.vens.link import Connection, Data, Result
from drivers.vens.pages import open_side
from drivers.vens.reservation import Reservation

log = logging.getLogger(__name__)

_REPEATS_S = 3.0  # section 2.5: a unit tells of one press again and again, half a second apart, until a scan begins
_LATE_S = 1.0  # the last of these may be under way when the scan ends
_MOST_A_MINUTE = 6  # nobody presses more often; a notice is only a hint, and anybody can send one
_EAGER_POLL_S = 1.0
_PAPER_POLL_S = 2.0  # where paper put in starts the scan: a connection each; also how soon such a wish is noticed
_END_TIMEOUT_S = 8.0
_SIDES = {WindowId.FRONT: Side.FRONT, WindowId.BACK: Side.BACK}


def _never() -> bool:
    return False


class VensScanner:
    """An open unit: we hold its reservation until `close`. Commands take turns; a batch has a connection of its own."""

    def __init__(
        self,
        *,
        id: str,
        reservation: Reservation,
        before: Status,
        now: Callable[[], datetime],
        closed: Callable[[], Awaitable[None]],
    ) -> None:
        self._id = id
        self._reservation = reservation
        self._before = before
        self._now = now
        self._closed = closed
        self._batch = asyncio.Lock()
        self._news = asyncio.Event()
        self._noticed = self._repeated = False
        self._lost: DriverError | None = None
        self._scanning: Connection | None = None
        self._is_closed = False
        self._last_press_s = self._last_scan_s = float("-inf")
        self._accepted: deque[float] = deque(maxlen=_MOST_A_MINUTE)

    @property
    def id(self) -> str:
        """Return the sighting id under which it was opened."""
        return self._id

    @property
    def capabilities(self) -> Capabilities:
        """Return what its dialect offers."""
        return batches.capabilities(self._reservation.dialect)

    def notice(self) -> None:
        """Take a notice that Scan was pressed. What comes while a scan runs or too often is dropped.

        What may be a repeat counts only if the unit itself shows the button down once more.
        """
        now_s = time.monotonic()
        if self._batch.locked() or now_s - self._last_scan_s < _LATE_S:
            return
        if now_s - self._last_press_s < _REPEATS_S and self._last_scan_s <= self._last_press_s:
            self._repeated = True
            self._news.set()
            return
        if len(self._accepted) == _MOST_A_MINUTE and now_s - self._accepted[0] < 60:
            log.warning("%s: more than %d presses a minute; this one is not believed", self._id, _MOST_A_MINUTE)
            return
        self._last_press_s = now_s
        self._accepted.append(now_s)
        self._noticed = True
        self._news.set()

    def lose(self, why: DriverError, *, at_once: bool = False) -> None:
        """Take note that the unit is gone, or ours no more: whoever waits for a press is told.

        A scan goes on as long as the unit does; `at_once`: it ends, too.
        """
        self._lost = self._lost or why
        if at_once and self._scanning is not None:
            self._scanning.abort(why)
        self._news.set()

    @property
    def lost(self) -> bool:
        """Tell whether the unit is gone, or ours no more."""
        return self._lost is not None

    async def status(self) -> Status:
        """Ask once for hopper, button and cover, on a connection of its own."""
        return await self._once(flow.status())

    async def presses(
        self, *, eager: Callable[[], bool] = _never, on_paper: Callable[[], bool] = _never
    ) -> AsyncGenerator[Press]:
        """Yield a press for each notice, and while somebody wants it for paper in a hopper that was empty.

        A notice is checked on a connection of our own: what the unit itself shows is `seen`.
        """
        while True:
            if self._lost is not None:
                raise self._lost
            poll_s = _EAGER_POLL_S if eager() else _PAPER_POLL_S if on_paper() else None
            told, repeated = await self._told(poll_s if poll_s is not None else _PAPER_POLL_S)
            if self._batch.locked() or not (told or repeated or poll_s is not None):
                continue
            before, self._before = self._before, await self.status()
            pressed = self._before.button and not before.button
            loaded = self._before.paper and not before.paper
            if told or pressed:
                self._last_press_s = time.monotonic()
                yield Press(self._id, self._now(), Cause.BUTTON, seen=self._before.button or loaded)
            elif loaded:
                yield Press(self._id, self._now(), Cause.PAPER)

    async def _told(self, patience_s: float) -> tuple[bool, bool]:
        """Wait for a notice, or that the unit is lost; tell of a notice and of what may be a repeat."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._news.wait()
        self._news.clear()
        noticed, repeated = self._noticed, self._repeated
        self._noticed = self._repeated = False
        return noticed, repeated

    async def scan(self, profile: Profile) -> AsyncGenerator[Page]:
        """Feed and yield pages until the hopper is empty, front before back; a side that is dropped as blank is none.

        PaperError(EMPTY) if there was no first sheet; Unsupported before anything moves if the unit cannot.
        However it ends, the job is ended at the unit, too: without that it stays occupied for everybody.
        """
        batch = batches.plan(self._reservation.dialect, profile)
        if self._lost is not None:
            raise self._lost
        async with self._batch, self._reservation.connect() as connection:
            self._scanning = connection
            data = self._reservation.data(connection)
            ended = False
            try:
                await data.run(flow.begin(batch))
                async for page in self._pages(data, batch):
                    yield page
                await data.run(flow.end())
                ended = True
            finally:
                self._last_scan_s = time.monotonic()
                try:
                    if not ended:
                        await to_the_end(self._break_off(connection, data))
                finally:
                    self._scanning = None

    async def _pages(self, data: Data, batch: Batch) -> AsyncIterator[Page]:
        sheet = image = 0
        while await data.run(flow.feed(first=not sheet)):
            sheet += 1
            for side in batch.sides:
                chunks = await open_side(data, batch, side, image)
                image += 1
                if chunks is None:
                    continue
                yield Page(sheet, _SIDES[side], "image/jpeg", batch.colour, chunks, chunks.end)
                if not chunks.drained:
                    raise RuntimeError("the next page was asked for before this one was read to its end")
        if not sheet:
            raise PaperError(PaperFault.EMPTY, "The feeder is empty: load paper")
        self._before = Status(paper=False, button=False, cover_open=False)  # paper loaded before the next poll is new

    async def _break_off(self, connection: Connection, data: Data) -> None:
        """End the job, over a new connection where the one of the job is lost."""
        try:
            async with asyncio.timeout(_END_TIMEOUT_S):
                if data.broken or not await self._broke_off(data):
                    await connection.close()  # a unit that still sends on it would not listen to another
                    await self._once(flow.break_off())
        except (DriverError, TimeoutError) as error:
            log.warning("%s: the job could not be ended at the unit: %s", self._id, error or "no answer")

    async def _broke_off(self, data: Data) -> bool:
        """End the job where it runs; False if the connection broke over it."""
        try:
            await data.run(flow.break_off())
        except DriverError:
            if not data.broken:
                raise
            return False
        return True

    async def _once(self, dialogue: Dialogue[Result]) -> Result:
        if self._lost is not None and isinstance(self._lost, Unreachable):
            raise self._lost
        async with self._reservation.connect() as connection:
            return await self._reservation.data(connection).run(dialogue)

    async def close(self) -> None:
        """Release the unit; never raises, may be called twice."""
        if not self._is_closed:
            self._is_closed = True
            await to_the_end(self._closed())
