"""One image of the sheet in the path: developed while the paper moves, then read in blocks. No commands.

Raw rows are drawn a stripe at a time, as they are read; only a JPEG is there as a whole.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from simulator.scanner import Delivered
from simulator.scsi import encode
from simulator.scsi.encode import QTables
from simulator.scsi.window import Compression, Window
from simulator.sheets import Mode, Sheet, Side, View, in_mode, stripe

_UNITS_PER_INCH = 1200
_STRIPE_BYTES = 1 << 20  # large enough that a thread per stripe costs nothing
SIDES = {0x00: Side.FRONT, 0x80: Side.BACK}


@dataclass(frozen=True, slots=True)
class Picture:
    """What an image is to show: one side, or both where the unit interlaces them."""

    sheet: Sheet
    sides: tuple[Side, ...]
    mode: Mode
    dpi: int
    view: View


@dataclass(frozen=True, slots=True)
class Developed:
    """An image of `length` bytes in parts; `part(n)` may take long and needs no event loop."""

    length: int
    part: Callable[[int], bytes]


class SideImage:
    """An image on its way to the host. Starts developing when made; needs a running event loop.

    `announced` is the length of the READ that the last readiness question spoke of, until that READ.
    """

    def __init__(
        self, picture: Picture, develop: Callable[[], Developed], *, ready_at_s: float, busy: int, lab: asyncio.Lock
    ) -> None:
        self.picture = picture
        self.busy_polls = busy
        self.announced: int | None = None
        self._image = Developed(0, lambda _number: b"")
        self._length = 0
        self._position = 0
        self._parts = 0
        self._part = memoryview(b"")
        self._digest = hashlib.sha256()
        self._sent = 0
        self._recorded = False
        name = f"develop {picture.sheet} {picture.sides}"
        self._developing = asyncio.create_task(self._develop(develop, ready_at_s, lab), name=name)

    @property
    def side(self) -> Side:
        """Return the side under whose window it is read."""
        return self.picture.sides[0]

    async def ready(self, within_s: float) -> bool:
        """Wait a moment for the image and tell whether it is there."""
        done, _ = await asyncio.wait({self._developing}, timeout=within_s)
        return bool(done)

    async def remaining(self) -> int:
        """Wait for the image and return how many bytes of it are still to be sent."""
        await asyncio.shield(self._developing)
        return self._length - self._position

    async def take(self, count: int) -> bytes:
        """Return the next bytes, at most `count`; only after `remaining`."""
        count = min(count, self._length - self._position)
        taken = bytearray()
        while len(taken) < count:
            if not self._part:
                self._part = memoryview(await asyncio.to_thread(self._image.part, self._parts))
                self._parts += 1
            piece = self._part[: count - len(taken)]
            self._part = self._part[len(piece) :]
            taken += piece
        self._position += count
        return bytes(taken)

    def ends_within(self, count: int) -> bool:
        """Tell whether a READ of `count` bytes is the last one."""
        return self._position + count >= self._length

    def half_within(self, count: int) -> bool:
        """Tell whether a READ of `count` bytes reaches the middle of the image."""
        return 2 * (self._position + count) >= self._length

    def truncate(self) -> None:
        """Lose the second half of the image."""
        self._length //= 2

    def sent(self, data: bytes) -> list[Delivered]:
        """Count what has left; its sides once, when the last byte has."""
        self._digest.update(data)
        self._sent += len(data)
        if self._position < self._length or self._recorded:
            return []
        self._recorded = True
        shown, digest = self.picture, self._digest.hexdigest()
        return [
            Delivered(shown.sheet, side, digest, self._sent, shown.mode, shown.dpi, shown.view) for side in shown.sides
        ]

    async def close(self) -> None:
        """Drop the image."""
        self._developing.cancel()
        await asyncio.wait({self._developing})
        self._image, self._part = Developed(0, lambda _number: b""), memoryview(b"")

    @property
    def complete(self) -> bool:
        """Tell whether its last byte was sent."""
        return self._recorded

    async def _develop(self, develop: Callable[[], Developed], ready_at_s: float, lab: asyncio.Lock) -> None:
        async with lab:  # one image at a time, lest two of 600 dpi lie in memory
            self._image = await asyncio.to_thread(develop)
        self._length = self._image.length
        await asyncio.sleep(ready_at_s - asyncio.get_running_loop().time())


@dataclass(frozen=True, slots=True)
class Lens:
    """How a batch looks at its sheets, beside its windows: mode pages 3C and 37, the q-tables."""

    to_the_paper: bool
    overscan_1200: int
    black_backing: frozenset[Side]
    qtables: QTables | None


def picture(sheet: Sheet, sides: tuple[Side, ...], window: Window, lens: Lens) -> Picture:
    """Return what a window shows of a sheet."""
    left_px, top_px = _corner_px(sheet, window, lens)
    view = View(
        width_px=window.width_px,
        height_px=_height_px(sheet, window, lens),
        left_px=left_px,
        top_px=top_px,
        black_backing=sides[0] in lens.black_backing,
        brightness=window.brightness,
        contrast=window.contrast,
        threshold=window.threshold,
        reverse=window.reverse,
    )
    return Picture(sheet, sides, window.mode, window.dpi, view)


def developer(shown: Picture, window: Window, lens: Lens, *, sof_is_window: bool) -> Callable[[], Developed]:
    """Return what develops a picture as this window asks; to be called in a thread."""

    def raw() -> Developed:
        row_bytes, height = window.row_bytes, shown.view.height_px
        lines = max(1, _STRIPE_BYTES // row_bytes)

        def part(number: int) -> bytes:
            top = number * lines
            drawn = stripe(shown.sheet, shown.sides[0], shown.dpi, shown.view, top, min(lines, height - top))
            return encode.raw(in_mode(drawn, shown.mode, shown.view), window.layout)

        return Developed(row_bytes * height, part)

    def jpeg() -> Developed:
        images = [
            encode.jpeg(shown.sheet, side, shown.mode, shown.dpi, shown.view, window.quality, lens.qtables)
            for side in shown.sides
        ]
        image = encode.interlaced(*images) if len(images) > 1 else images[0]
        image = encode.with_height(image, window.height_px) if sof_is_window else image
        return Developed(len(image), lambda _number: image)

    return jpeg if window.compression is Compression.JPEG else raw


def _height_px(sheet: Sheet, window: Window, lens: Lens) -> int:
    """Return the lines of an image: the window's, or the paper's where that ends earlier."""
    if not lens.to_the_paper:
        return window.height_px
    lines = -(-(sheet.length_1200 + 2 * lens.overscan_1200 - window.top) * window.dpi // _UNITS_PER_INCH)
    step = 8 if window.compression is Compression.JPEG else 1
    return min(window.height_px, max(8, -(-lines // step) * step))


def _corner_px(sheet: Sheet, window: Window, lens: Lens) -> tuple[int, int]:
    """Return where the paper's corner lies in the image: the unit centres it in the paper width of the window."""
    across = window.paper_width or 2 * window.left + window.width
    left_1200 = (across - sheet.width_1200) // 2 - window.left
    top_1200 = lens.overscan_1200 - window.top
    return left_1200 * window.dpi // _UNITS_PER_INCH, top_1200 * window.dpi // _UNITS_PER_INCH
