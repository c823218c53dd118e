"""One side of the sheet in the path: rendered while the paper moves, then read in blocks. No commands."""

import asyncio
import hashlib
from collections.abc import Callable

from simulator import sheets
from simulator.models import Model
from simulator.scanner import Delivered
from simulator.scsi.blocks import Composition, Compression, Window
from simulator.sheets import QTables, Sheet, Side

_UNITS_PER_INCH = 1200
_JPEG_STEP_PX = 8
SIDES = {0x00: Side.FRONT, 0x80: Side.BACK}


class SideImage:
    """A side on its way to the host. Starts rendering when made; needs a running event loop.

    `announced` is the length of the READ that the last readiness question spoke of, until that READ.
    """

    def __init__(self, sheet: Sheet, side: Side, render: Callable[[], bytes], *, ready_at_s: float, busy: int) -> None:
        self.sheet = sheet
        self.side = side
        self.busy_polls = busy
        self.announced: int | None = None
        self._position = 0
        self._image = b""
        self._digest = hashlib.sha256()
        self._sent = 0
        self._recorded = False
        self._developing = asyncio.create_task(self._develop(render, ready_at_s), name=f"develop {sheet} {side}")

    async def ready(self, within_s: float) -> bool:
        """Wait a moment for the image and tell whether it is there."""
        done, _ = await asyncio.wait({self._developing}, timeout=within_s)
        return bool(done)

    async def remaining(self) -> int:
        """Wait for the image and return how many bytes of it are still to be sent."""
        await asyncio.shield(self._developing)
        return len(self._image) - self._position

    def take(self, count: int) -> bytes:
        """Return the next bytes, at most `count`; only after `remaining`."""
        data = self._image[self._position : self._position + count]
        self._position += len(data)
        return data

    def sent_half_after(self, count: int) -> bool:
        """Tell whether the next `count` bytes reach the middle of the image."""
        return 2 * (self._position + count) >= len(self._image)

    def truncate(self) -> None:
        """Lose the second half of the image."""
        self._image = self._image[: len(self._image) // 2]

    def sent(self, data: bytes) -> Delivered | None:
        """Count what has left; the whole side once, when its last byte has."""
        self._digest.update(data)
        self._sent += len(data)
        if self._position < len(self._image) or self._recorded:
            return None
        self._recorded = True
        return Delivered(self.sheet, self.side, self._digest.hexdigest(), self._sent)

    async def close(self) -> None:
        """Drop the image."""
        self._developing.cancel()
        await asyncio.wait({self._developing})

    @property
    def complete(self) -> bool:
        """Tell whether its last byte was sent."""
        return self._recorded

    async def _develop(self, render: Callable[[], bytes], ready_at_s: float) -> None:
        self._image = await asyncio.to_thread(render)
        await asyncio.sleep(ready_at_s - asyncio.get_running_loop().time())


def height_px(window: Window, *, to_the_paper: bool) -> int:
    """Return the lines of an image: the window's, or the paper's where that ends earlier."""
    if not to_the_paper:
        return window.height_px
    lines = -(-(sheets.PAPER_LENGTH_1200 - window.top) * window.dpi // _UNITS_PER_INCH)
    if window.compression is Compression.JPEG:
        lines = -(-lines // _JPEG_STEP_PX) * _JPEG_STEP_PX
    return min(window.height_px, max(_JPEG_STEP_PX, lines))


def renderer(
    sheet: Sheet, side: Side, window: Window, model: Model, qtables: QTables | None, *, to_the_paper: bool
) -> Callable[[], bytes]:
    """Return what renders a side as this window asks; to be called in a thread."""
    lines = height_px(window, to_the_paper=to_the_paper)
    left_px, top_px = _corner_px(window)

    def compressed() -> bytes:
        image = sheets.jpeg(
            sheet, side, window.width_px, lines, window.dpi, window.quality, qtables, left_px=left_px, top_px=top_px
        )
        return sheets.with_height(image, window.height_px) if model.sof_is_window else image

    def plain() -> bytes:
        image = sheets.page(sheet, side, window.width_px, lines, window.dpi, left_px, top_px)
        return sheets.raw(image, _raw_mode(window))

    return compressed if window.compression is Compression.JPEG else plain


def _raw_mode(window: Window) -> str:
    if window.composition is Composition.GRAY:
        return "gray"
    if window.composition is not Composition.COLOUR:
        return "lineart"
    if window.planar:
        return "lines"
    return "bgr" if window.bgr else "rgb"


def _corner_px(window: Window) -> tuple[int, int]:
    """Return where the paper's corner lies in the image: the unit centres it in the paper width of the window."""
    across = window.paper_width or 2 * window.left + window.width
    left_1200 = (across - sheets.PAPER_WIDTH_1200) // 2 - window.left
    return left_1200 * window.dpi // _UNITS_PER_INCH, -window.top * window.dpi // _UNITS_PER_INCH
