"""One side that is a JPEG, from whatever brings its bytes: measured, bounded, never decoded."""

from collections.abc import AsyncIterator

from drivers.errors import PeerError
from drivers.port import PageEnd
from drivers.scsi.image import Jpeg


class JpegSide(AsyncIterator[bytes]):
    """One side that comes in `chunks`, checked to be a whole JPEG as they go by; `end()` after the last.

    PeerError for what is none, or has more than `max_bytes`.
    """

    def __init__(self, chunks: AsyncIterator[bytes], resolution_dpi: int, max_bytes: int) -> None:
        self._chunks = chunks
        self._resolution_dpi = resolution_dpi
        self._max_bytes = max_bytes
        self._jpeg = Jpeg(by_restarts=False)
        self._byte_count = 0
        self._end: PageEnd | None = None

    async def __anext__(self) -> bytes:
        while self._end is None:
            try:
                passed = self._jpeg.feed(await anext(self._chunks))
            except StopAsyncIteration:
                self._end = self._finished()
                break
            self._byte_count += len(passed)
            if self._byte_count > self._max_bytes:
                raise PeerError("The scanner sends more for this page than the page can hold: scan it again")
            if passed:
                return passed
        raise StopAsyncIteration

    def end(self) -> PageEnd:
        """Return what is known of the page after its last chunk; RuntimeError before."""
        if self._end is None:
            raise RuntimeError("the page has not been read to its end")
        return self._end

    @property
    def drained(self) -> bool:
        """Tell whether the page has been read to its end."""
        return self._end is not None

    def _finished(self) -> PageEnd:
        self._jpeg.finish()
        width_px, height_px = self._jpeg.size_px
        return PageEnd(width_px, height_px, self._resolution_dpi, self._byte_count, self._jpeg.components)
