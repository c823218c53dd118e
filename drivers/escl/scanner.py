"""One open eSCL service as `drivers.port.Scanner`: status, paper put in, jobs (protocols/escl-mdns-snmp.md 3.4)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import datetime

from drivers.ending import to_the_end
from drivers.errors import Busy, DriverError, PaperError, PaperFault, PeerError, Refused, Unreachable, Unsupported
from drivers.escl import wire
from drivers.escl.link import Link
from drivers.escl.wire import About, AdfState, Input, Job, Source
from drivers.port import Capabilities, Cause, Colour, Page, Paper, Press, Profile, Side, Status
from drivers.scsi.side import JpegSide

log = logging.getLogger(__name__)

_EAGER_POLL_S = 1.0
_PAPER_POLL_S = 2.0
_ALIVE_POLL_S = 30.0  # without a wish for paper: only whether it is there
_MISSES = 2
_READY_BUDGET_S = 60.0  # a page of 600 dpi, and a unit that warms up
_DELETE_TIMEOUT_S = 5.0
_MM_PER_UNIT = 25.4 / 300
_DPI = (75, 100, 150, 200, 240, 300, 400, 600)
_JPEG_SLACK_BYTES = 64 * 1024
# Width and height in 1/300 inch.
_PAPERS: dict[Paper, tuple[int, int]] = {
    Paper.A4: (2480, 3508),
    Paper.A5: (1748, 2480),
    Paper.A6: (1240, 1748),
    Paper.B5: (2150, 3035),
    Paper.LETTER: (2550, 3300),
    Paper.LEGAL: (2550, 4200),
    Paper.CARD: (638, 1011),
}
_TROUBLE: dict[str, tuple[PaperFault, str]] = {
    AdfState.JAM: (PaperFault.JAM, "Paper jam: open the cover, take the sheet out, close it"),
    AdfState.MISPICK: (PaperFault.JAM, "The feeder could not take the sheet: straighten the stack, load it again"),
    AdfState.HATCH_OPEN: (PaperFault.COVER_OPEN, "The cover is open: close it until it clicks"),
    AdfState.DOOR_OPEN: (PaperFault.COVER_OPEN, "The cover is open: close it until it clicks"),
    AdfState.MULTIPICK: (
        PaperFault.DOUBLE_FEED,
        "Two sheets went in together: open the cover, separate them, reload",
    ),
}
_END = frozenset({404, 409, 410})


def _never() -> bool:
    return False


class EsclScanner:
    """An open service. Nothing is held at the unit between two jobs: any app may use it meanwhile."""

    def __init__(self, *, id: str, link: Link, about: About, now: Callable[[], datetime]) -> None:
        self._id = id
        self._link = link
        self._about = about
        self._now = now
        self._batch = asyncio.Lock()
        self._empty = False  # seen since the opening: only paper put in after that is a press

    @property
    def id(self) -> str:
        """Return the sighting id under which it was opened."""
        return self._id

    @property
    def capabilities(self) -> Capabilities:
        """Return what the unit said of itself; lineart is made afterwards, gray where it has none."""
        about = self._about
        inputs = [it for it in (about.feeder, about.platen) if it is not None]
        return Capabilities(
            resolutions_dpi=tuple(dpi for dpi in _DPI if any(it.offers(dpi) for it in inputs)),
            colours=tuple(Colour),
            duplex=about.duplex,
            max_width_mm=round(max(it.max_width for it in inputs) * _MM_PER_UNIT, 1),
            max_height_mm=round(max(it.max_height for it in inputs) * _MM_PER_UNIT, 1),
            has_button=False,
        )

    async def status(self) -> Status:
        """Ask once; eSCL tells of no button."""
        adf = (await self._link.state()).adf
        fault = _TROUBLE.get(adf)
        return Status(
            paper=adf == AdfState.LOADED,
            button=False,
            cover_open=fault is not None and fault[0] is PaperFault.COVER_OPEN,
        )

    async def presses(
        self, *, eager: Callable[[], bool] = _never, on_paper: Callable[[], bool] = _never
    ) -> AsyncGenerator[Press]:
        """Yield a press for paper put into a feeder that was seen empty; Unreachable when the unit stays silent."""
        misses, waited_s = 0, 0.0
        while True:
            poll_s = _EAGER_POLL_S if eager() else _PAPER_POLL_S if on_paper() else _ALIVE_POLL_S
            if waited_s >= poll_s or not waited_s:
                waited_s = 0.0
                try:
                    loaded = not self._batch.locked() and await self._loaded()
                    misses = 0
                except (Unreachable, Busy):
                    misses += 1
                    if misses > _MISSES:
                        raise
                    loaded = False
                if loaded and poll_s != _ALIVE_POLL_S:
                    yield Press(self._id, self._now(), Cause.PAPER)
            await asyncio.sleep(_EAGER_POLL_S)
            waited_s += _EAGER_POLL_S

    async def _loaded(self) -> bool:
        adf = (await self._link.state()).adf
        loaded = adf == AdfState.LOADED and self._empty
        self._empty = adf == AdfState.EMPTY or (self._empty and not loaded)
        return loaded

    async def scan(self, profile: Profile) -> AsyncGenerator[Page]:
        """Scan the feeder until it is empty, front before back, or else one page of the platen.

        PaperError(EMPTY) if there is neither; Unsupported before anything moves. The job is ended at the unit, too.
        """
        async with self._batch:
            job = self._plan(profile, (await self._link.state()).adf)
            path = await self._start(job)
            try:
                async for page in self._pages(job, path, profile.colour):
                    yield page
            finally:
                self._empty = job.source is Source.FEEDER
                await to_the_end(self._delete(path))

    def _plan(self, profile: Profile, adf: str) -> Job:
        about = self._about
        if adf in _TROUBLE:
            raise PaperError(*_TROUBLE[adf])
        source = Source.FEEDER if about.feeder is not None and adf != AdfState.EMPTY else Source.PLATEN
        chosen = about.feeder if source is Source.FEEDER else about.platen
        if chosen is None:
            raise PaperError(PaperFault.EMPTY, "The feeder is empty: load paper")
        if not chosen.offers(profile.resolution_dpi):
            raise Unsupported(f"The scanner does not scan at {profile.resolution_dpi} dpi")
        width, height = _PAPERS.get(profile.paper, (chosen.max_width, chosen.max_height))
        return Job(
            source=source,
            width=min(width, chosen.max_width),
            height=min(height, chosen.max_height),
            colour=_mode(profile.colour, chosen),
            resolution_dpi=profile.resolution_dpi,
            duplex=profile.duplex and about.duplex and source is Source.FEEDER,
        )

    async def _start(self, job: Job) -> str:
        waited_s = 0.0
        while True:
            status, path, again_s = await self._link.start(job)
            if path:
                return path
            await self._raise_trouble(empty=job.source is Source.FEEDER)
            if status not in (409, 503):
                raise Refused(f"The scanner refuses the scan (HTTP {status})")
            if waited_s >= _READY_BUDGET_S:
                raise Busy("Another app uses the scanner: wait until it is done")
            await asyncio.sleep(again_s)
            waited_s += again_s

    async def _pages(self, job: Job, path: str, colour: Colour) -> AsyncIterator[Page]:
        image = 0
        while True:
            async with AsyncExitStack() as stack:
                chunks = await self._next(stack, path)
                if chunks is None:
                    break
                pixels = job.width * job.height * job.resolution_dpi**2 // 300**2
                side = JpegSide(chunks, job.resolution_dpi, 3 * pixels + _JPEG_SLACK_BYTES)
                number = image // 2 + 1 if job.duplex else image + 1
                back = job.duplex and image % 2
                yield Page(number, Side.BACK if back else Side.FRONT, wire.JPEG, colour, side, side.end)
                if not side.drained:
                    raise RuntimeError("the next page was asked for before this one was read to its end")
                image += 1
            if job.source is Source.PLATEN:
                return
        await self._raise_trouble(empty=not image)

    async def _next(self, stack: AsyncExitStack, path: str) -> AsyncIterator[bytes] | None:
        """Wait for the next page; None when there is none any more."""
        waited_s = 0.0
        while True:
            async with AsyncExitStack() as one:
                status, chunks, again_s = await one.enter_async_context(self._link.next_document(path))
                if status == 200:
                    stack.push_async_exit(one.pop_all())
                    return chunks
            if status in _END:
                return None
            if status != 503:
                raise PeerError(f"The scanner gives no page (HTTP {status})")
            if waited_s >= _READY_BUDGET_S:
                raise Unreachable("The scanner stopped sending pages: check it, then scan again")
            await asyncio.sleep(again_s)
            waited_s += again_s

    async def _raise_trouble(self, *, empty: bool) -> None:
        """Raise what the feeder's state stands for; an empty feeder is trouble only where a page was due."""
        adf = (await self._link.state()).adf
        if adf in _TROUBLE:
            raise PaperError(*_TROUBLE[adf])
        if empty and adf == AdfState.EMPTY:
            raise PaperError(PaperFault.EMPTY, "The feeder is empty: load paper")

    async def _delete(self, path: str) -> None:
        try:
            async with asyncio.timeout(_DELETE_TIMEOUT_S):
                await self._link.delete(path)
        except (DriverError, TimeoutError) as error:
            log.info("%s: the job could not be ended at the unit: %s", self._id, error or "no answer")

    async def close(self) -> None:
        """Close the connections; never raises, may be called twice."""
        await to_the_end(self._link.close())


def _mode(colour: Colour, chosen: Input) -> str:
    """Return what the unit is asked for: what is wanted where it can, else the other one."""
    wanted = wire.GRAY if colour in (Colour.GRAY, Colour.LINEART) else wire.COLOUR
    return wanted if wanted in chosen.colours else next(iter(chosen.colours & {wire.COLOUR, wire.GRAY}))
