"""One side as it is pulled from the unit, block by block: JPEG from FF D8 to FF D9, never decoded."""

from collections.abc import AsyncIterator

from drivers.errors import PeerError
from drivers.port import PageEnd
from drivers.scsi.image import Jpeg
from drivers.scsi.wire import WindowId
from drivers.vens import flow
from drivers.vens.batch import Batch
from drivers.vens.link import Data


class SideChunks(AsyncIterator[bytes]):
    """The chunks of one side; `end()` after the last. Only the first block is read before somebody asks for it."""

    def __init__(self, data: Data, batch: Batch, side: WindowId, image: int) -> None:
        self._data = data
        self._batch = batch
        self._side = side
        self._image = image
        self._sequence = 0
        self._jpeg = Jpeg(by_restarts=False)
        self._first: bytes | None = None
        self._byte_count = 0
        self._last = False
        self._end: PageEnd | None = None

    async def begin(self) -> bool:
        """Read the first block; False where the unit left the side out (section 8.6: an image of no bytes)."""
        self._first = await self._block()
        return bool(self._first) or not self._last

    async def __anext__(self) -> bytes:
        while self._end is None:
            block, self._first = self._first, None
            if block is None:
                block = await self._block()
            chunk = self._jpeg.feed(block)
            self._byte_count += len(chunk)
            if self._last:
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

    async def _block(self) -> bytes:
        if self._byte_count > self._batch.max_side_bytes:
            raise PeerError("The scanner sends more for this page than the page can hold: scan it again")
        block, self._last = await self._data.run(flow.read_block(self._batch, self._side, self._image, self._sequence))
        self._sequence += 1
        if not block and not self._last:
            raise PeerError("The scanner sends nothing of the page: scan it again")
        return block

    def _finished(self) -> PageEnd:
        self._jpeg.finish()
        width_px, height_px = self._jpeg.size_px
        return PageEnd(width_px, height_px, self._batch.resolution_dpi, self._byte_count, self._jpeg.components)
