"""One side as it is pulled from the unit, block by block: only the first is read before somebody asks for it."""

from collections.abc import AsyncIterator

from drivers.errors import PeerError
from drivers.scsi.side import JpegSide
from drivers.scsi.wire import WindowId
from drivers.vens import flow
from drivers.vens.batch import Batch
from drivers.vens.link import Data

_NOTHING = "The scanner sends nothing of the page: scan it again"


async def open_side(data: Data, batch: Batch, side: WindowId, image: int) -> JpegSide | None:
    """Read the first block of a side; None where the unit left the side out (section 8.6: an image of no bytes)."""
    block, last = await data.run(flow.read_block(batch, side, image, 0))
    if not block and last:
        return None
    if not block:
        raise PeerError(_NOTHING)
    chunks = _chunks(data, batch, side, image, block, last=last)
    return JpegSide(chunks, batch.resolution_dpi, batch.max_side_bytes)


async def _chunks(
    data: Data, batch: Batch, side: WindowId, image: int, block: bytes, *, last: bool
) -> AsyncIterator[bytes]:
    yield block
    sequence, came = 0, len(block)
    while not last:
        sequence += 1
        block, last = await data.run(flow.read_block(batch, side, image, sequence))
        if not block and not last:
            raise PeerError(_NOTHING)
        came += len(block)
        if came > batch.max_side_bytes:  # the side itself counts nothing that follows the image
            raise PeerError("The scanner sends more for this page than the page can hold: scan it again")
        yield block
