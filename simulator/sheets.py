"""The printed pages: the same sheet gives the same bytes, always. Pillow only; no scanner, no wire.

Layout and text are drawn once per resolution and then copied; a heading and a QR mark say which side it is.
"""

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import cast

import segno
from PIL import Image, ImageDraw, ImageFont, ImageOps

Colour = tuple[int, int, int]
QTables = tuple[tuple[int, ...], tuple[int, ...]]

PAPER_WIDTH_1200 = 9921  # A4
PAPER_LENGTH_1200 = 14031
_UNITS_PER_INCH = 1200
_MM_PER_INCH = 25.4
_MARGIN_MM = 20.0
_QR_MM = 42.0
_QR_QUIET_MODULES = 4  # ISO/IEC 18004
_HEADING_MM = 15.0
_SMALL_MM = 4.0
_BODY_MM = 3.6
_LINE_MM = 5.4
_BODY_TOP_MM = 95.0
_COLUMNS = 92
_MIN_FONT_PX = 6.0
_INK: Colour = (34, 34, 40)
_ACCENT: Colour = (28, 84, 148)
_SWATCHES: tuple[Colour, ...] = ((200, 40, 40), (40, 140, 70), (40, 70, 180), (230, 180, 30), (120, 120, 120))
_WHITE: Colour = (255, 255, 255)
# Quality index 1 (small) to 7 (large); 0 means 4. 5 gives about 2 MB for an A4 side at 300 dpi on an iX500.
_QUALITY = {0: 85, 1: 50, 2: 65, 3: 75, 4: 85, 5: 92, 6: 95, 7: 98}
_CACHED_SIDES = 24  # about 35 MB at 300 dpi
_CACHED_LAYOUTS = 2
_APP0 = 0xE0
_ZIGZAG = tuple(
    row * 8 + column
    for row, column in sorted(
        ((row, column) for row in range(8) for column in range(8)),
        key=lambda at: (sum(at), at[0] if sum(at) % 2 else at[1]),
    )
)  # ITU-T T.81, figure A.6
_TEXT = (
    "The paper in this feeder was never printed. Every line of it is drawn by a program, so that each page can be told "
    "from every other and every byte of it is known before it is scanned.",
    "Invoice terms: payment within thirty days of receipt. Goods remain the property of the seller until they are paid "
    "for in full. Complaints about visible defects are to be made in writing within one week.",
    "Minutes of the meeting: the heating is to be serviced before the winter; the offers of three firms are compared "
    "in the annex. The repair of the roof is put off until spring. The next meeting is on the first Monday in March.",
    "Dear Madam or Sir, thank you for your letter. We are pleased to confirm the change of address. The new policy is "
    "attached; please keep it with your records. No further action is needed on your part.",
    "Measured values: 12.4 / 12.6 / 12.5 / 12.9 mm at 20 degrees, 12.5 / 12.7 / 12.6 / 13.0 mm at 60 degrees. The "
    "tolerance is 0.5 mm. All specimens passed. Calibration was last checked at the beginning of the series.",
)


class Side(StrEnum):
    FRONT = "front"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of paper: the `number`th of the `batch`th stack that was put into a unit, both from 1."""

    unit_id: str
    batch: int
    number: int

    def mark(self, side: Side) -> str:
        """Return what the QR mark of a side says."""
        return f"scansnap:{self.unit_id}:{self.batch}:{self.number}:{side}"


@lru_cache(maxsize=_CACHED_SIDES)
def jpeg(
    sheet: Sheet,
    side: Side,
    width_px: int,
    height_px: int,
    dpi: int,
    quality: int = 0,
    qtables: QTables | None = None,
    left_px: int | None = None,
    top_px: int = 0,
) -> bytes:
    """Return a side as the hardware encodes it: no JFIF header, 4:2:2, one restart interval per row of blocks.

    `quality` is the index 0 to 7; `qtables` (luma, chroma; 64 each, in zig-zag order) take its place. `left_px` and
    `top_px` say where the paper's corner lies in the image; None centres it.
    """
    image = page(sheet, side, width_px, height_px, dpi, left_px, top_px)
    stream = io.BytesIO()
    tables = None if qtables is None else [_natural(table) for table in qtables]
    if tables is None:
        image.save(stream, "JPEG", quality=_QUALITY[quality], subsampling="4:2:2", restart_marker_rows=1)
    else:
        image.save(stream, "JPEG", qtables=tables, subsampling="4:2:2", restart_marker_rows=1)
    return _without_jfif(stream.getvalue())


def raw(image: Image.Image, mode: str) -> bytes:
    """Return the pixels of a page as sent uncompressed; `mode` is "lineart", "gray", "rgb", "bgr" or "lines".

    Gray and colour are inverted (00 is white); lineart is not (1 is black, most significant bit first). "lines" is
    colour with a red, a green and a blue line for each row.
    """
    if mode == "lineart":
        return image.convert("L").convert("1", dither=Image.Dither.NONE).tobytes("raw", "1;I")
    if mode == "gray":
        return ImageOps.invert(image.convert("L")).tobytes()
    inverted = ImageOps.invert(image)
    if mode == "lines":
        width, height = image.size
        bands = [band.tobytes() for band in inverted.split()]
        return b"".join(band[y * width : (y + 1) * width] for y in range(height) for band in bands)
    return inverted.tobytes("raw", mode.upper())


def page(
    sheet: Sheet, side: Side, width_px: int, height_px: int, dpi: int, left_px: int | None = None, top_px: int = 0
) -> Image.Image:
    """Draw a side as RGB of exactly this size, white around the paper."""
    layout = _layout(dpi)
    left = (width_px - layout.width) // 2 if left_px is None else left_px
    image = Image.new("RGB", (width_px, height_px), _WHITE)
    image.paste(layout, (left, top_px))
    draw = ImageDraw.Draw(image)
    margin = _px(_MARGIN_MM, dpi)
    x, y = left + margin, top_px + margin
    draw.text((x, y), f"Sheet {sheet.number}", font=_font(_HEADING_MM, dpi), fill=_INK)
    draw.text((x, y + _px(20, dpi)), str(side), font=_font(_HEADING_MM, dpi), fill=_ACCENT)
    draw.text(
        (x, y + _px(46, dpi)), f"unit {sheet.unit_id}, batch {sheet.batch}", font=_font(_SMALL_MM, dpi), fill=_INK
    )
    _draw_mark(image, sheet.mark(side), left + layout.width - margin - _px(_QR_MM, dpi), y, dpi)
    return image


@lru_cache(maxsize=_CACHED_LAYOUTS)
def _layout(dpi: int) -> Image.Image:
    """Draw what every side has in common."""
    size = (PAPER_WIDTH_1200 * dpi // _UNITS_PER_INCH, PAPER_LENGTH_1200 * dpi // _UNITS_PER_INCH)
    image = Image.new("RGB", size, _WHITE)
    draw = ImageDraw.Draw(image)
    margin, line = _px(_MARGIN_MM, dpi), _px(_LINE_MM, dpi)
    right, y = size[0] - margin, _px(_BODY_TOP_MM, dpi)
    font = _font(_BODY_MM, dpi)
    rule = max(1, _px(0.4, dpi))
    draw.rectangle((margin, y - 2 * line, right, y - 2 * line + rule), fill=_ACCENT)
    for paragraph in _TEXT:
        for row in textwrap.wrap(paragraph, _COLUMNS):
            draw.text((margin, y), row, font=font, fill=_INK)
            y += line
        y += line
    draw.rectangle((margin, y, right, y + rule), fill=_ACCENT)
    swatch = (right - margin) // len(_SWATCHES)
    for index, colour in enumerate(_SWATCHES):
        x = margin + index * swatch
        draw.rectangle((x, y + 2 * line, x + swatch - 2 * rule, y + 5 * line), fill=colour)
    return image


def _draw_mark(image: Image.Image, text: str, x: int, y: int, dpi: int) -> None:
    matrix = segno.make(text, error="m", micro=False).matrix
    modules = len(matrix)
    mark = Image.new("L", (modules, modules))
    mark.putdata([0 if dark else 255 for row in matrix for dark in row])
    scale = max(1, _px(_QR_MM, dpi) // (modules + 2 * _QR_QUIET_MODULES))
    quiet = _QR_QUIET_MODULES * scale
    image.paste(mark.resize((modules * scale, modules * scale), Image.Resampling.NEAREST), (x + quiet, y + quiet))


def _font(height_mm: float, dpi: int) -> ImageFont.FreeTypeFont:
    size = max(_MIN_FONT_PX, height_mm * dpi / _MM_PER_INCH)
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size=size))


def _px(length_mm: float, dpi: int) -> int:
    return round(length_mm * dpi / _MM_PER_INCH)


def _natural(table: Sequence[int]) -> list[int]:
    """Return a zig-zag table in the row order that Pillow takes."""
    natural = [0] * 64
    for value, position in zip(table, _ZIGZAG, strict=True):
        natural[position] = max(1, value)  # a zero divisor is no JPEG
    return natural


def _without_jfif(image: bytes) -> bytes:
    """Cut the APP0 segment that Pillow writes directly after FF D8."""
    if image[2:4] != bytes((0xFF, _APP0)):
        return image
    return image[:2] + image[4 + int.from_bytes(image[4:6], "big") :]


def with_height(image: bytes, height_px: int) -> bytes:
    """Return a JPEG whose frame header states another height, as iX1600 units do."""
    start = image.index(b"\xff\xc0")  # baseline; no other marker precedes it but tables without this pair
    return image[: start + 5] + height_px.to_bytes(2, "big") + image[start + 7 :]
