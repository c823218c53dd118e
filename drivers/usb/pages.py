"""One sheet as it is pulled from the unit, block by block: nothing is read before somebody asks for it."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

from drivers.errors import PeerError
from drivers.flow import Flow
from drivers.port import PageEnd
from drivers.scsi import flow
from drivers.scsi.flow import Block, Opened
from drivers.scsi.image import Image, Jpeg, Rows
from drivers.scsi.interlaced import Splitter
from drivers.scsi.job import Job
from drivers.scsi.jpeg import JpegCheck
from drivers.scsi.wire import Command, Reply, WindowId

Result = TypeVar("Result")


class Runner(Protocol):
    """Run a dialogue at the unit."""

    async def __call__(self, dialogue: Flow[Command, Reply, Result], /) -> Result:
        """Return its result or raise its DriverError."""


class Sheet:
    """Both sides of one sheet, in the order in which the unit can give them.

    A block of the other side is held only where the unit cannot hold it: where its memory is too small for both
    sides, or where it sends both as one interlaced JPEG. At the most that is one side.
    """

    def __init__(self, run: Runner, job: Job) -> None:
        self._run = run
        self._job = job
        self._opened: dict[WindowId, Opened] = {}
        self._held: dict[WindowId, deque[Block]] = {side: deque() for side in job.sides}
        self._came = dict.fromkeys(job.sides, 0)
        self._ended: set[WindowId] = set()
        self._splitter: Splitter | None = None
        self.sides = {side: SideChunks(self, job, side) for side in job.sides}

    async def open(self, side: WindowId) -> Opened:
        """Wait until a side's first block is there."""
        if side not in self._opened:
            self._opened[side] = await self._run(flow.open_side(self._job, side))
        return self._opened[side]

    async def block(self, side: WindowId) -> Block:
        """Return the next block of a side."""
        while not self._held[side]:
            await self._pull(side)
        return self._held[side].popleft()

    async def _pull(self, side: WindowId) -> None:
        if self._splitter is not None:
            await self._split(self._splitter, await self._read(WindowId.FRONT))
            return
        first = not self._opened
        block = await self._read(side)
        if first and self._is_interlaced(block):
            self._splitter = Splitter()
            await self._split(self._splitter, block)
            return
        self._held[side].append(block)
        if self._job.alternate:
            for other in self._job.sides:
                if other is not side and other not in self._ended:
                    self._held[other].append(await self._read(other))

    async def _read(self, side: WindowId) -> Block:
        if side in self._ended:
            raise PeerError("The scanner sent one side of the sheet only: scan it again")
        opened = await self.open(side)
        block = await self._run(flow.read_block(opened, side))
        self._came[side] += len(block.data)
        if self._came[side] > len(self._job.sides) * self._job.max_side_bytes:
            raise PeerError("The scanner sends more for this sheet than the sheet can hold: scan it again")
        if block.end or 0 < opened.byte_count <= self._came[side]:
            self._ended.add(side)
        return Block(block.data, side in self._ended)

    async def _split(self, splitter: Splitter, block: Block) -> None:
        front, back = splitter.feed(block.data)
        end = block.end or splitter.complete
        if end:
            splitter.finish()
        self._held[WindowId.FRONT].append(Block(front, end))
        self._held[WindowId.BACK].append(Block(back, end))

    def _is_interlaced(self, block: Block) -> bool:
        """Tell whether this first block begins a JPEG of both sides, twice as wide as one."""
        if not self._job.window.jpeg or len(self._job.sides) < 2:
            return False
        check = JpegCheck()
        check.feed(block.data)
        return check.width_px == 2 * self._job.width_px


class SideChunks(AsyncIterator[bytes]):
    """The chunks of one side: JPEG from FF D8 to FF D9, or raw rows after their header; `end()` after the last."""

    def __init__(self, sheet: Sheet, job: Job, side: WindowId) -> None:
        self._sheet = sheet
        self._job = job
        self._side = side
        self._image: Image | None = None
        self._byte_count = 0
        self._end: PageEnd | None = None

    async def __anext__(self) -> bytes:
        while self._end is None:
            image = self._image = self._image or await self._begin()
            block = await self._sheet.block(self._side)
            chunk = self._checked(image.feed(block.data))
            if block.end or image.complete:
                self._end = self._finished(image)
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

    async def _begin(self) -> Image:
        if self._job.window.jpeg:
            return Jpeg(by_restarts=self._job.model.restarts_tell_height)
        opened = await self._sheet.open(self._side)
        if opened.header is None:
            raise PeerError("The scanner sent no rows")
        return Rows(opened.header)

    def _checked(self, chunk: bytes) -> bytes:
        self._byte_count += len(chunk)
        if self._byte_count > self._job.max_side_bytes:
            raise PeerError("The scanner sends more for this page than the page can hold: scan it again")
        return chunk

    def _finished(self, image: Image) -> PageEnd:
        image.finish()
        width_px, height_px = image.size_px
        return PageEnd(
            width_px=width_px,
            height_px=height_px,
            resolution_dpi=self._job.window.resolution_dpi,
            byte_count=self._byte_count,
            components=image.components,
        )
