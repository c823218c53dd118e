"""One open unit on USB as `drivers.port.Scanner`: polls, presses, pages. What is said on the wire: `drivers.scsi`."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

from drivers import raw
from drivers.errors import DriverError, PaperError, PaperFault
from drivers.models import Model
from drivers.port import Capabilities, Cause, Page, Press, Profile, Side, Status
from drivers.scsi import flow
from drivers.scsi.blocks import HardwareStatus
from drivers.scsi.flow import Dialogue, Result
from drivers.scsi.job import Identity, Job, capabilities, plan
from drivers.scsi.wire import WindowId
from drivers.usb.link import Link
from drivers.usb.pages import Sheet, SideChunks

log = logging.getLogger(__name__)

_IDLE_POLL_S = 1.0  # without paper nothing can be scanned, and polling holds the interface
_FAST_POLL_S = 0.1  # a tap is visible for about one such poll (s1500d, S1500)
_ONE_PRESS = timedelta(seconds=1.5)  # a finger that is still down after so short a batch began it
_SIDES = {WindowId.FRONT: Side.FRONT, WindowId.BACK: Side.BACK}


def _never() -> bool:
    return False


def _always() -> bool:
    return True


async def tick(seconds: float) -> None:
    """Sleep until the next multiple of this time, so that the polls of several units share a wake-up."""
    await asyncio.sleep(until_tick_s(seconds))


def until_tick_s(seconds: float) -> float:
    """Return the time until the next multiple of `seconds` on the monotonic clock."""
    return seconds - time.monotonic() % seconds if seconds else 0.0


class UsbScanner:
    """An open unit. Dialogues take turns; while a batch runs, `presses` asks nothing.

    `id` is that of the sighting; `identity` and `before` are what the unit answered at opening; `now`: aware UTC.
    """

    def __init__(
        self,
        *,
        id: str,
        model: Model,
        identity: Identity,
        link: Link,
        before: Status,
        now: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = tick,
        closed: Callable[[], None] = lambda: None,
    ) -> None:
        self._id = id
        self._model = model
        self._identity = identity
        self._link = link
        self._now = now
        self._pause = pause
        self._closed = closed
        self._turn = asyncio.Lock()
        self._batch = asyncio.Lock()
        self._before = before
        self._pressed = False  # while a batch ran

    @property
    def id(self) -> str:
        """Return the sighting id under which it was opened."""
        return self._id

    @property
    def capabilities(self) -> Capabilities:
        """Return what the unit said of itself, as far as it is driven."""
        return capabilities(self._model, self._identity.vpd)

    async def status(self) -> Status:
        """Ask once for hopper, button and cover."""
        return seen(await self._run(flow.status()))

    async def presses(
        self, *, eager: Callable[[], bool] = _never, on_paper: Callable[[], bool] = _always
    ) -> AsyncGenerator[Press]:
        """Poll until closed; a press is a button that went down, or paper in a hopper that was empty.

        Measured from the opening: what lay or was held then is no press. Every poll tells of paper, wanted or not.
        """
        while True:
            if not self._batch.locked():
                cause = await self._poll()
                if cause is not None:
                    yield Press(unit=self._id, at=self._now(), cause=cause)
            soon = self._before.paper or self._before.button or eager()  # a held button is not to hide the next press
            await self._pause(_FAST_POLL_S if soon else _IDLE_POLL_S)

    async def scan(self, profile: Profile) -> AsyncGenerator[Page]:
        """Feed and yield pages until the hopper is empty, front before back.

        PaperError(EMPTY) if there was no first sheet; Unsupported before anything moves if the unit cannot.
        However it ends, the batch is ended at the unit, too. A press meanwhile is kept for `presses`.
        """
        job = plan(self._model, profile, self._identity.vpd)
        async with self._batch:
            began = self._now()
            try:
                await self._run(flow.ready())
                await self._run(flow.begin_batch(job))
                sheet = 0
                while await self._fed(job, first=not sheet):
                    sheet += 1
                    await self._run(flow.start_sheet(job))
                    for side, chunks in Sheet(self._run, job).sides.items():
                        yield _page(sheet, side, job, chunks)
                        if not chunks.drained:
                            raise RuntimeError("the next page was asked for before this one was read to its end")
                if not sheet:
                    raise PaperError(PaperFault.EMPTY, "The feeder is empty: load paper")
                self._hopper_ran_empty()
            finally:
                await self._end_batch()
                if self._now() - began >= _ONE_PRESS:
                    self._before = replace(self._before, button=False)

    async def close(self) -> None:
        """End a running batch and release the unit; never raises, may be called twice."""
        try:
            if self._batch.locked():
                await self._end_batch()
            await self._link.close()
        finally:
            self._closed()

    async def _end_batch(self) -> None:
        """Run to the end even if the task is cancelled once more: half a cancel leaves some firmware hanging."""
        try:
            await self._run(flow.finish_batch(self._model), to_the_end=True)
        except DriverError as error:
            log.warning("%s: the batch could not be ended at the unit: %s", self._id, error)

    async def _run(self, dialogue: Dialogue[Result], *, to_the_end: bool = False) -> Result:
        async with self._turn:
            return await self._link.run(dialogue, to_the_end=to_the_end)

    async def _poll(self) -> Cause | None:
        """Ask the unit and return what a person did since the last time; the button counts before the paper."""
        before, self._before = self._before, await self.status()
        pressed, self._pressed = self._pressed, False
        if pressed or (self._before.button and not before.button):
            return Cause.BUTTON
        return Cause.PAPER if self._before.paper and not before.paper else None

    async def _fed(self, job: Job, *, first: bool) -> bool:
        """Feed a sheet, and look at the button between two of them."""
        if not first:
            now = await self.status()
            self._pressed |= now.button and not self._before.button
            self._before = replace(self._before, button=now.button)
        return await self._run(flow.feed(job))

    def _hopper_ran_empty(self) -> None:
        """Take note, so that paper loaded before the next poll counts as new."""
        self._before = replace(self._before, paper=False)


def seen(answer: HardwareStatus) -> Status:
    """Return what matters of a unit's answer to GET HW STATUS."""
    return Status(paper=not answer.hopper_empty, button=answer.button, cover_open=answer.cover_open)


def _page(sheet: int, side: WindowId, job: Job, chunks: SideChunks) -> Page:
    return Page(
        number=sheet,
        side=_SIDES[side],
        media_type="image/jpeg" if job.window.jpeg else raw.MEDIA_TYPE,
        colour=job.colour,
        chunks=chunks,
        end=chunks.end,
    )
