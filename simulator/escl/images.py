"""What a page of a job shows, and its JPEG. No HTTP, no paper path."""

import io
from dataclasses import dataclass

from PIL import Image

from simulator.escl.wire import Region
from simulator.scsi import encode
from simulator.sheets import Mode, Sheet, Side, View

_PER_INCH = 300
_SHEETS_PER_UNIT = 4  # sheets.py counts in 1/1200 inch
_MIN_PX = 8
_PIL_MODES = {Mode.COLOUR: "RGB", Mode.GRAY: "L"}


@dataclass(frozen=True, slots=True)
class Document:
    """One page to be fetched; `sheet` None: the glass with nothing on it."""

    sheet: Sheet | None
    side: Side
    mode: Mode
    dpi: int
    view: View

    @property
    def row_bytes(self) -> int:
        """Return the bytes of a row of pixels."""
        return self.view.width_px * (3 if self.mode is Mode.COLOUR else 1)


def clipped(region: Region, size: tuple[int, int]) -> Region:
    """Return the part of a region that the unit has; what is 0 or too large reaches to the edge (3.3)."""
    left, top = min(region.left, size[0] - 1), min(region.top, size[1] - 1)
    width = min(region.width or size[0], size[0] - left)
    height = min(region.height or size[1], size[1] - top)
    return Region(left, top, width, height)


def on_the_glass(region: Region, dpi: int) -> View:
    """Return the view of a sheet in the top left corner of the glass."""
    return View(_px(region.width, dpi), _px(region.height, dpi), -_at(region.left, dpi), -_at(region.top, dpi))


def through_the_feeder(sheet: Sheet, region: Region, max_width: int, dpi: int, *, to_the_paper: bool) -> View:
    """Return the view of a sheet in the middle of the path; `to_the_paper`: it ends where the sheet does."""
    left = (max_width - sheet.width_1200 // _SHEETS_PER_UNIT) // 2 - region.left
    height = region.height
    if to_the_paper:
        height = min(height, -(-sheet.length_1200 // _SHEETS_PER_UNIT) - region.top)
    return View(_px(region.width, dpi), _px(height, dpi), _at(left, dpi), -_at(region.top, dpi))


def jpeg(document: Document) -> bytes:
    """Return a page's JPEG with its resolution in the JFIF header. Takes long; needs no event loop."""
    view = document.view
    if document.sheet is not None:
        image = encode.jpeg(document.sheet, document.side, document.mode, document.dpi, view)
        return _with_density(image, document.dpi)
    stream = io.BytesIO()
    white = Image.new(_PIL_MODES[document.mode], (view.width_px, view.height_px), "white")
    white.save(stream, "JPEG", dpi=(document.dpi, document.dpi))
    return stream.getvalue()


def _with_density(image: bytes, dpi: int) -> bytes:
    """Insert the APP0 segment (ITU-T T.871, 10.1): version 1.01, dots per inch, no thumbnail."""
    segment = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x01" + 2 * dpi.to_bytes(2, "big") + b"\x00\x00"
    return image[:2] + segment + image[2:]


def _px(length: int, dpi: int) -> int:
    return max(_MIN_PX, _at(length, dpi))


def _at(length: int, dpi: int) -> int:
    return length * dpi // _PER_INCH
