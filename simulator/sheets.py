"""The printed pages: the same sheet gives the same bytes, always. Pillow only; no scanner, no wire.

A page is a list of marks on paper, drawn into whatever stripe of it is asked for: a page of 600 dpi never exists as
a whole unless somebody asks for it whole. A heading and a QR mark say which side it is.
"""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias, cast

import segno
from PIL import Image, ImageDraw, ImageFont, ImageOps

Colour: TypeAlias = tuple[int, int, int]

PAPER_WIDTH_1200 = 9921  # A4
PAPER_LENGTH_1200 = 14031
# Width and length in 1/1200 inch, as they lie in the feeder.
PAPERS: dict[str, tuple[int, int]] = {
    "a4": (PAPER_WIDTH_1200, PAPER_LENGTH_1200),
    "a5": (6992, 9921),
    "a6": (4961, 6992),
    "letter": (10200, 13200),
    "legal": (10200, 16800),
    "card": (2551, 4044),
    "receipt": (3780, 23622),  # 80 by 500 mm
    "banner": (9921, 47244),  # one metre: longer than an iX500 takes
    "carrier": (PAPER_WIDTH_1200, PAPER_LENGTH_1200),  # a carrier sheet: the unit knows it by its black stripes
}
_UNITS_PER_INCH = 1200
_MM_PER_INCH = 25.4
_MARGIN_MM = 20.0
_MARGIN_SHARE = 0.1  # of the width, on small paper
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
_BLACK: Colour = (0, 0, 0)
_NEUTRAL = 0x80  # brightness and contrast count from here; 0 is the unit's default, the same
_CACHED_MARKS = 8
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


class Mode(StrEnum):
    COLOUR = "colour"
    GRAY = "gray"
    LINEART = "lineart"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of paper: the `number`th of the `batch`th stack that was put into a unit, both from 1."""

    unit_id: str
    batch: int
    number: int
    paper: str = "a4"

    @property
    def width_1200(self) -> int:
        """Return its width in 1/1200 inch."""
        return PAPERS[self.paper][0]

    @property
    def length_1200(self) -> int:
        """Return its length in 1/1200 inch."""
        return PAPERS[self.paper][1]

    def mark(self, side: Side) -> str:
        """Return what the QR mark of a side says."""
        return f"scansnap:{self.unit_id}:{self.batch}:{self.number}:{side}"


@dataclass(frozen=True, slots=True)
class View:
    """What part of a side an image shows, and how.

    `left_px` and `top_px` say where the paper's corner lies in the image (None centres it); around it is the backing,
    white or black. `brightness` and `contrast`: 0 or 0x80 leaves the page as it is; `threshold` is that of lineart, 0
    for the middle; `reverse` exchanges black and white.
    """

    width_px: int
    height_px: int
    left_px: int | None = None
    top_px: int = 0
    black_backing: bool = False
    brightness: int = 0
    contrast: int = 0
    threshold: int = 0
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class _Mark:
    """Something printed between the lines `top` and `bottom` of the paper."""

    top: int
    bottom: int
    draw: Callable[[ImageDraw.ImageDraw, int, int], None]  # with the paper's corner in the image


def expected_pixels(sheet: Sheet, side: Side, mode: Mode, dpi: int, view: View) -> bytes:
    """Return what a host shall make of a side scanned uncompressed: the body of its PNM file.

    Colour is R, G, B and gray one byte per pixel, white 255 (P6, P5); lineart a bit, black 1, highest first (P4).
    """
    image = in_mode(stripe(sheet, side, dpi, view, 0, view.height_px), mode, view)
    return image.tobytes("raw", "1;I") if mode is Mode.LINEART else image.tobytes()


def stripe(sheet: Sheet, side: Side, dpi: int, view: View, top: int, lines: int) -> Image.Image:
    """Draw some lines of a view as RGB, before brightness, contrast and threshold."""
    image = Image.new("RGB", (view.width_px, lines), _BLACK if view.black_backing else _WHITE)
    draw = ImageDraw.Draw(image)
    width, length = _scaled(sheet.width_1200, dpi), _scaled(sheet.length_1200, dpi)
    left = (view.width_px - width) // 2 if view.left_px is None else view.left_px
    y = view.top_px - top
    if view.black_backing:
        draw.rectangle((left, y, left + width - 1, y + length - 1), fill=_WHITE)
    for mark in (*_layout(sheet.paper, dpi), *_heading(sheet, side, dpi)):
        if y + mark.top < lines and y + mark.bottom > 0:
            mark.draw(draw, left, y)
    return image


def in_mode(image: Image.Image, mode: Mode, view: View) -> Image.Image:
    """Return a stripe as the mode has it ("RGB", "L" or "1"), with brightness, contrast, threshold and reverse."""
    if mode is not Mode.COLOUR:
        image = image.convert("L")
    curve = _curve(view)
    if curve != list(range(256)):
        image = image.point(curve * len(image.getbands()))
    if mode is Mode.LINEART:
        threshold = view.threshold or _NEUTRAL
        image = image.point([255 * (value >= threshold) for value in range(256)])
        image = image.convert("1", dither=Image.Dither.NONE)
    return ImageOps.invert(image) if view.reverse else image


def page(
    sheet: Sheet, side: Side, width_px: int, height_px: int, dpi: int, left_px: int | None = None, top_px: int = 0
) -> Image.Image:
    """Draw a side as RGB of exactly this size, white around the paper."""
    return stripe(sheet, side, dpi, View(width_px, height_px, left_px, top_px), 0, height_px)


def _curve(view: View) -> list[int]:
    gain = (view.contrast or _NEUTRAL) / _NEUTRAL
    shift = (view.brightness or _NEUTRAL) - _NEUTRAL
    return [min(255, max(0, round((value - 128) * gain + 128 + shift))) for value in range(256)]


@lru_cache(maxsize=_CACHED_MARKS)
def _heading(sheet: Sheet, side: Side, dpi: int) -> tuple[_Mark, ...]:
    """Return what tells a side from every other."""
    margin = _margin(sheet.paper, dpi)
    right = _scaled(sheet.width_1200, dpi) - margin - _px(_QR_MM, dpi)
    return (
        _text(margin, margin, f"Sheet {sheet.number}", _HEADING_MM, dpi, _INK),
        _text(margin, margin + _px(20, dpi), str(side), _HEADING_MM, dpi, _ACCENT),
        _text(margin, margin + _px(46, dpi), f"unit {sheet.unit_id}, batch {sheet.batch}", _SMALL_MM, dpi, _INK),
        _code(right, margin, sheet.mark(side), dpi),
    )


@lru_cache(maxsize=_CACHED_MARKS)
def _layout(paper: str, dpi: int) -> tuple[_Mark, ...]:
    """Return what every side has in common: as much of it as the paper holds."""
    width, length = (_scaled(size, dpi) for size in PAPERS[paper])
    margin, line = _margin(paper, dpi), _px(_LINE_MM, dpi)
    right, y, rule = width - margin, _px(_BODY_TOP_MM, dpi), max(1, _px(0.4, dpi))
    marks = [_box(margin, y - 2 * line, right, y - 2 * line + rule, _ACCENT)]
    columns = max(1, _COLUMNS * width // _scaled(PAPER_WIDTH_1200, dpi))
    for paragraph in _TEXT:
        for row in textwrap.wrap(paragraph, columns):
            marks.append(_text(margin, y, row, _BODY_MM, dpi, _INK))
            y += line
        y += line
    marks.append(_box(margin, y, right, y + rule, _ACCENT))
    swatch = (right - margin) // len(_SWATCHES)
    for index, colour in enumerate(_SWATCHES):
        x = margin + index * swatch
        marks.append(_box(x, y + 2 * line, x + max(1, swatch - 2 * rule), y + 5 * line, colour))
    return tuple(mark for mark in marks if mark.bottom <= length)


def _text(x: int, y: int, words: str, height_mm: float, dpi: int, colour: Colour) -> _Mark:
    font = _font(height_mm, dpi)
    top, bottom = font.getbbox(words)[1], font.getbbox(words)[3]

    def draw(into: ImageDraw.ImageDraw, left: int, above: int) -> None:
        into.text((left + x, above + y), words, font=font, fill=colour)

    return _Mark(y + int(top) - 1, y + int(bottom) + 1, draw)


def _box(x: int, y: int, right: int, bottom: int, colour: Colour) -> _Mark:
    def draw(into: ImageDraw.ImageDraw, left: int, above: int) -> None:
        into.rectangle((left + x, above + y, left + right, above + bottom), fill=colour)

    return _Mark(y, bottom + 1, draw)


def _code(x: int, y: int, words: str, dpi: int) -> _Mark:
    matrix = segno.make(words, error="m", micro=False).matrix
    modules = len(matrix)
    code = Image.new("1", (modules, modules))
    code.putdata([int(bool(dark)) for row in matrix for dark in row])
    scale = max(1, _px(_QR_MM, dpi) // (modules + 2 * _QR_QUIET_MODULES))
    code = code.resize((modules * scale, modules * scale), Image.Resampling.NEAREST)
    quiet = _QR_QUIET_MODULES * scale

    def draw(into: ImageDraw.ImageDraw, left: int, above: int) -> None:
        into.bitmap((left + x + quiet, above + y + quiet), code, fill=_BLACK)

    return _Mark(y, y + 2 * quiet + modules * scale, draw)


def _margin(paper: str, dpi: int) -> int:
    return min(_px(_MARGIN_MM, dpi), int(_scaled(PAPERS[paper][0], dpi) * _MARGIN_SHARE))


def _font(height_mm: float, dpi: int) -> ImageFont.FreeTypeFont:
    size = max(_MIN_FONT_PX, height_mm * dpi / _MM_PER_INCH)
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size=size))


def _px(length_mm: float, dpi: int) -> int:
    return round(length_mm * dpi / _MM_PER_INCH)


def _scaled(length_1200: int, dpi: int) -> int:
    return length_1200 * dpi // _UNITS_PER_INCH
