"""One side of one sheet as it is pulled from the unit, block by block: nothing is read before somebody asks for it."""

from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

from drivers.errors import PeerError, Unsupported
from drivers.flow import Flow
from drivers.port import PageEnd
from drivers.scsi import flow
from drivers.scsi.job import Job
from drivers.scsi.jpeg import JpegCheck
from drivers.scsi.wire import Command, Reply, WindowId

Result = TypeVar("Result")


class Runner(Protocol):
    """Run a dialogue at the unit."""

    async def __call__(self, dialogue: Flow[Command, Reply, Result], /) -> Result:
        """Return its result or raise its DriverError."""


class SideChunks(AsyncIterator[bytes]):
    """The chunks of one side, JPEG from FF D8 to FF D9; `end()` after the last of them."""

    def __init__(self, run: Runner, job: Job, side: WindowId) -> None:
        self._run = run
        self._job = job
        self._side = side
        self._jpeg = JpegCheck()
        self._opened = False
        self._byte_count = 0
        self._end: PageEnd | None = None

    async def __anext__(self) -> bytes:
        if not self._opened:
            self._opened = True
            await self._run(flow.open_side(self._job, self._side))
        while self._end is None:
            block = await self._run(flow.read_block(self._job, self._side))
            chunk = self._checked(block.data)
            if block.end or self._jpeg.complete:
                self._end = self._finished()
            if chunk:
                return chunk
        raise StopAsyncIteration

    def end(self) -> PageEnd:
        """Return what is known of the page after its last chunk; RuntimeError before."""
        if self._end is None:
            raise RuntimeError("the page has not been read to its end")
        return self._end

    @property
    def drained(self) -> bool:
        """Tell whether the unit has nothing more to send of this side."""
        return self._end is not None

    def _checked(self, data: bytes) -> bytes:
        chunk = self._jpeg.feed(data)
        self._byte_count += len(chunk)
        if self._byte_count > self._job.max_side_bytes:
            raise PeerError("The scanner sends more for this page than the page can hold: scan it again")
        if len(self._job.sides) == 2 and self._jpeg.width_px == 2 * self._job.width_px:
            raise Unsupported("This unit sends both sides as one image, which is not driven: scan one side only")
        return chunk

    def _finished(self) -> PageEnd:
        self._jpeg.finish()
        tells = self._job.model.restarts_tell_height
        return PageEnd(
            width_px=self._jpeg.width_px,
            height_px=self._jpeg.scanned_height_px() if tells else self._jpeg.height_px,
            resolution_dpi=self._job.window.resolution_dpi,
            byte_count=self._byte_count,
        )
