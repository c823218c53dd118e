"""The SET WINDOW payload <-> dataclasses, checked against what the model says of itself. No state."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from simulator.models import Model, Order
from simulator.scsi.blocks import FieldError
from simulator.sheets import Mode

WINDOW_HEADER_LENGTH = 8
WINDOW_LENGTH = 64
_WINDOW_DPI = 1200
_JPEG_MAX_LINES = 0xFFFF  # ITU-T T.81: the frame's height has 16 bits
_JPEG_STEP_PX = 8
_COLOUR_ID = 0xC1


class Composition(IntEnum):
    LINEART = 0
    HALFTONE = 1
    GRAY = 2
    COLOUR = 5


class Compression(IntEnum):
    NONE = 0x00
    JPEG = 0x81


_COMPOSITIONS = frozenset(int(row) for row in Composition)
_COMPRESSIONS = frozenset(int(row) for row in Compression)
_OFFERED = {  # composition: bit of the vital page's byte 1C
    Composition.LINEART: 0x02,
    Composition.HALFTONE: 0x04,
    Composition.GRAY: 0x08,
    Composition.COLOUR: 0x80,
}
_MODES = {
    Composition.LINEART: Mode.LINEART,
    Composition.HALFTONE: Mode.LINEART,  # derived: no screen, the same threshold
    Composition.GRAY: Mode.GRAY,
    Composition.COLOUR: Mode.COLOUR,
}
_ORDERS = {(1, 0): Order.DOT_RGB, (1, 5): Order.DOT_BGR, (0, 0): Order.LINE_RGB}
# Offsets within a descriptor that are zero in every composition; of colour in addition.
_RESERVED = (*range(0x1E, 0x20), *range(0x22, 0x28), 0x3F)
_RESERVED_COLOUR = (0x2C, 0x2D)
# Byte: the vital page's byte that says how many steps it has.
_STEPS = {0x16: 0x52, 0x17: 0x53, 0x18: 0x54}
_THRESHOLD = 0x17

_Check = Callable[[bool, int, str], None]


@dataclass(frozen=True, slots=True)
class Window:
    """One window descriptor; lengths in 1/1200 inch. `planar`: one line per colour; `bgr`: blue first."""

    id: int
    dpi: int
    left: int
    top: int
    width: int
    length: int
    composition: Composition
    compression: Compression
    quality: int
    lut: bool
    planar: bool
    bgr: bool
    paper_width: int
    brightness: int = 0
    threshold: int = 0
    contrast: int = 0
    reverse: bool = False

    @property
    def width_px(self) -> int:
        """Return the width of the image: the host rounded down, so it is rounded up."""
        return -(-self.width * self.dpi // _WINDOW_DPI)

    @property
    def height_px(self) -> int:
        """Return the height of the image."""
        return -(-self.length * self.dpi // _WINDOW_DPI)

    @property
    def mode(self) -> Mode:
        """Return the mode of its pixels."""
        return _MODES[self.composition]

    @property
    def layout(self) -> str:
        """Return how its raw rows are laid out; see encode.raw."""
        if self.mode is not Mode.COLOUR:
            return self.mode.value
        return "lines" if self.planar else "bgr" if self.bgr else "rgb"

    @property
    def row_bytes(self) -> int:
        """Return the bytes of a raw row."""
        return self.width_px * {Mode.LINEART: 1, Mode.GRAY: 8, Mode.COLOUR: 24}[self.mode] // 8


def parse_windows(data: bytes, model: Model) -> tuple[Window, ...]:
    """Parse a SET WINDOW payload with one or two descriptors; FieldError for what the model does not take."""
    body = len(data) - WINDOW_HEADER_LENGTH
    if body not in (WINDOW_LENGTH, 2 * WINDOW_LENGTH):
        raise FieldError(0, f"SET WINDOW carries one or two descriptors, not {body} bytes")
    if any(data[:6]):
        raise FieldError(0, "the window header's bytes 0 to 5 are not zero")
    if int.from_bytes(data[6:8], "big") != WINDOW_LENGTH:
        raise FieldError(6, f"the window header states a descriptor of {int.from_bytes(data[6:8], 'big')} bytes")
    starts = range(WINDOW_HEADER_LENGTH, len(data), WINDOW_LENGTH)
    windows = tuple(_parse_window(data[start : start + WINDOW_LENGTH], start, model) for start in starts)
    if len({window.id for window in windows}) != len(windows):
        raise FieldError(WINDOW_HEADER_LENGTH + WINDOW_LENGTH, "the same window twice")
    return windows


def _parse_window(data: bytes, start: int, model: Model) -> Window:
    def field(at: int, length: int = 1) -> int:
        return int.from_bytes(data[at : at + length], "big")

    def check(holds: bool, at: int, message: str) -> None:
        if not holds:
            raise FieldError(start + at, message)

    check(field(0x00) in ((0x00, 0x80) if model.duplex else (0x00,)), 0x00, f"window id {field(0x00):02x}")
    check(field(0x01) in (0, 1), 0x01, f"byte 01 is {field(0x01):02x}")
    _check_size(field, check, model)
    check(field(0x19) in _COMPOSITIONS, 0x19, f"composition {field(0x19):02x}")
    composition = Composition(field(0x19))
    check(bool(model.vpd[0x1C] & _OFFERED[composition]), 0x19, f"the {model.name} has no {composition.name}")
    colour = composition is Composition.COLOUR
    for at in (*_RESERVED, *(_RESERVED_COLOUR if colour else ())):
        check(not field(at), at, f"reserved byte {at:02x} is {field(at):02x}")
    for at, steps in _STEPS.items():  # the host may always leave the threshold to itself
        check(not field(at) or bool(model.vpd[steps]) or at == _THRESHOLD, at, f"byte {at:02x} without steps for it")
    bits = 8 if composition in (Composition.GRAY, Composition.COLOUR) else 1
    check(field(0x1A) == bits, 0x1A, f"{field(0x1A)} bits for {composition.name}")
    check(field(0x20) in _COMPRESSIONS, 0x20, f"compression {field(0x20):02x}")
    check(field(0x21) <= 7, 0x21, f"JPEG quality {field(0x21)}")
    check(field(0x28) == (_COLOUR_ID if colour else 0), 0x28, f"vendor id {field(0x28):02x} for {composition.name}")
    check(field(0x29) in (0x00, 0x80), 0x29, f"gamma {field(0x29):02x}")
    order = _order(field(0x2A), field(0x2B), start, model) if colour else Order.DOT_RGB
    window = Window(
        id=field(0x00),
        dpi=field(0x02, 2),
        left=field(0x06, 4),
        top=field(0x0A, 4),
        width=field(0x0E, 4),
        length=field(0x12, 4),
        composition=composition,
        compression=Compression(field(0x20)),
        quality=field(0x21),
        lut=field(0x29) == 0x80,
        planar=order is Order.LINE_RGB,
        bgr=order is Order.DOT_BGR,
        paper_width=field(0x36, 4),
        brightness=field(0x16),
        threshold=field(0x17),
        contrast=field(0x18),
        reverse=bool(field(0x1D) & 0x80),
    )
    if window.compression is Compression.JPEG:
        _check_jpeg(window, check, model)
    check(bits == 8 or window.width_px % 8 == 0, 0x0E, f"{window.width_px} pixels of one bit, no multiple of 8")
    return window


def _check_size(field: Callable[[int, int], int], check: _Check, model: Model) -> None:
    dpi = field(0x02, 2)
    lowest, highest = (int.from_bytes(model.vpd[at : at + 2], "big") for at in (0x0E, 0x0A))
    check(lowest <= dpi <= highest, 0x02, f"{dpi} dpi")
    check(field(0x04, 2) == dpi, 0x04, f"{field(0x04, 2)} dpi down, {dpi} across")
    left, top, width, length = (field(at, 4) for at in (0x06, 0x0A, 0x0E, 0x12))
    widest, longest = model.max_width_1200, model.max_length_1200
    check(width > 0 and left + width <= widest, 0x0E, f"width {width} at {left}; {widest} is the most")
    check(length > 0 and top + length <= longest, 0x12, f"length {length} at {top}; {longest} is the most")


def _check_jpeg(window: Window, check: _Check, model: Model) -> None:
    one_bit = window.mode is Mode.LINEART
    check(model.jpeg and not one_bit, 0x20, f"JPEG of {window.composition.name}")
    check(window.mode is Mode.COLOUR or model.gray_jpeg > 1, 0x20, "JPEG of gray, which the unit has not")
    check(window.width_px % _JPEG_STEP_PX == 0, 0x0E, f"JPEG of {window.width_px} pixels across, no multiple of 8")
    check(window.height_px % _JPEG_STEP_PX == 0, 0x12, f"JPEG of {window.height_px} lines, no multiple of 8")
    check(window.height_px <= _JPEG_MAX_LINES, 0x12, f"JPEG of {window.height_px} lines")


def _order(interlace: int, argument: int, start: int, model: Model) -> Order:
    """Return the colour order; a host finds out by trying, so that another one is no mistake."""
    if interlace not in (0, 1):
        raise FieldError(start + 0x2A, f"interlace {interlace:02x}", wrong=interlace > 2)
    order = _ORDERS.get((interlace, argument))
    if order is None or order not in model.orders:
        raise FieldError(start + 0x2B, f"colour order {argument:02x} by {interlace:02x}", wrong=argument > 5)
    return order
