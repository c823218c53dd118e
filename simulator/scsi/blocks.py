"""The data blocks behind the commands <-> dataclasses: inquiry, window, status, pixel size, tables. No state."""

from dataclasses import dataclass
from enum import IntEnum

from simulator.models import Model
from simulator.sheets import QTables

WINDOW_HEADER_LENGTH = 8
WINDOW_LENGTH = 64
INQUIRY_LENGTH = 96
MODE_SENSE_LENGTH = 20
PIXEL_SIZE_LENGTH = 32
STATUS_LENGTH = 32
LUT_HEADER_LENGTH = 10
Q_TABLE_LENGTH = 138
_MODE_DROPOUT = 0x39
_WINDOW_DPI = 1200
_JPEG_MAX_LINES = 0xFFFF  # ITU-T T.81: the frame's height has 16 bits


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


class FieldError(ValueError):
    """A field of a parameter block that the unit does not take; `at` is its offset in the block."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at


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

    @property
    def width_px(self) -> int:
        """Return the width of the image: the host rounded down, so it is rounded up."""
        return -(-self.width * self.dpi // _WINDOW_DPI)

    @property
    def height_px(self) -> int:
        """Return the height of the image."""
        return -(-self.length * self.dpi // _WINDOW_DPI)


def inquiry(model: Model) -> bytes:
    """Return the standard INQUIRY data, 96 bytes."""
    head = bytes((0x06, 0x00, 0x92, 0x02, INQUIRY_LENGTH - 5, 0x00, 0x00, 0x10))
    names = b"FUJITSU " + model.product.encode("ascii").ljust(16) + model.firmware.encode("ascii")
    offsets = b"\x03\x01"  # 0x2C: long gray and colour; back-only scans
    return ((head + names).ljust(0x2C, b"\0") + offsets).ljust(INQUIRY_LENGTH, b"\0")


def mode_sense(page: int) -> bytes:
    """Return a mode page as MODE SENSE answers it, 20 bytes; the settings are not readable."""
    head = bytes((MODE_SENSE_LENGTH - 1, 0, 0, 0, page, _mode_page_length(page)))
    return head.ljust(MODE_SENSE_LENGTH, b"\0")


def _mode_page_length(page: int) -> int:
    return 0x08 if page == _MODE_DROPOUT else 0x06


def pixel_size(width_px: int, height_px: int, *, paper: bool) -> bytes:
    """Return the pixel-size block, 32 bytes; with `paper` the size stands in it three times, as an iX500 has it."""
    size = width_px.to_bytes(4, "big") + height_px.to_bytes(4, "big")
    return size + size + bytes(8) + size if paper else size.ljust(PIXEL_SIZE_LENGTH, b"\0")


def hardware_status(
    model: Model, *, empty: bool, cover_open: bool, in_path: bool, double_feed: bool, button: bool, virgin: bool
) -> bytes:
    """Return GET HARDWARE STATUS in its long form, 32 bytes."""
    keys = (model.button_bit if button else 0) | (model.virgin_bit if virgin else 0)
    block = bytearray(STATUS_LENGTH)
    block[0x02] = in_path << 7
    block[0x03] = empty << 7 | cover_open << 5
    block[0x04] = keys
    block[0x05] = 0x01
    block[0x06] = model.status_6 | double_feed
    return bytes(block)


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

    check(field(0x00) in (0x00, 0x80), 0x00, f"window id {field(0x00):02x}")
    dpi = field(0x02, 2)
    lowest, highest = (int.from_bytes(model.vpd[at : at + 2], "big") for at in (0x0E, 0x0A))
    check(lowest <= dpi <= highest, 0x02, f"{dpi} dpi")
    check(field(0x04, 2) == dpi, 0x04, f"{field(0x04, 2)} dpi down, {dpi} across")
    left, top, width, length = (field(at, 4) for at in (0x06, 0x0A, 0x0E, 0x12))
    widest, longest = (_max_units(model, at) for at in (0x14, 0x18))
    check(width > 0 and left + width <= widest, 0x0E, f"width {width} at {left}; {widest} is the most")
    check(length > 0 and top + length <= longest, 0x12, f"length {length} at {top}; {longest} is the most")
    check(field(0x19) in _COMPOSITIONS, 0x19, f"composition {field(0x19):02x}")
    composition = Composition(field(0x19))
    bits = 8 if composition in (Composition.GRAY, Composition.COLOUR) else 1
    check(field(0x1A) == bits, 0x1A, f"{field(0x1A)} bits for {composition.name}")
    check(field(0x20) in _COMPRESSIONS, 0x20, f"compression {field(0x20):02x}")
    compression = Compression(field(0x20))
    check(field(0x21) <= 7, 0x21, f"JPEG quality {field(0x21)}")
    colour = composition is Composition.COLOUR
    check(field(0x28) == (0xC1 if colour else 0x00), 0x28, f"vendor id {field(0x28):02x} for {composition.name}")
    check(field(0x29) in (0x00, 0x80), 0x29, f"gamma {field(0x29):02x}")
    check(not colour or field(0x2A) in (0, 1), 0x2A, f"interlace {field(0x2A):02x}")
    check(not colour or field(0x2B) in (0, 5), 0x2B, f"colour order {field(0x2B):02x}")
    window = Window(
        id=field(0x00),
        dpi=dpi,
        left=left,
        top=top,
        width=width,
        length=length,
        composition=composition,
        compression=compression,
        quality=field(0x21),
        lut=field(0x29) == 0x80,
        planar=colour and field(0x2A) == 0,
        bgr=colour and field(0x2B) == 5,
        paper_width=field(0x36, 4),
    )
    if compression is Compression.JPEG:
        check(bits == 8, 0x20, "JPEG of one bit per pixel")
        check(window.width_px % 8 == 0, 0x0E, f"JPEG of {window.width_px} pixels across, no multiple of 8")
        check(window.height_px % 8 == 0, 0x12, f"JPEG of {window.height_px} lines, no multiple of 8")
        check(window.height_px <= _JPEG_MAX_LINES, 0x12, f"JPEG of {window.height_px} lines")
    check(bits == 8 or window.width_px % 8 == 0, 0x0E, f"{window.width_px} pixels of one bit, no multiple of 8")
    return window


def _max_units(model: Model, at: int) -> int:
    basic_dpi = int.from_bytes(model.vpd[5:7], "big")
    return int.from_bytes(model.vpd[at : at + 4], "big") * _WINDOW_DPI // basic_dpi


def parse_mode_page(data: bytes) -> tuple[int, bytes]:
    """Parse a MODE SELECT payload into page code and page bytes from 2 on; FieldError if it is none."""
    if len(data) < 6 or any(data[:4]):
        raise FieldError(0, "MODE SELECT starts with four zero bytes")
    if not data[5] == len(data) - 6 == _mode_page_length(data[4]):
        raise FieldError(5, f"mode page {data[4]:02x} states {data[5]} bytes and has {len(data) - 6}")
    return data[4], data[6:]


def parse_lut(data: bytes) -> bytes:
    """Parse a lookup table; FieldError if header and length disagree."""
    entries = len(data) - LUT_HEADER_LENGTH
    if entries < 1 or data[:LUT_HEADER_LENGTH] != b"\0\0\x10\0" + entries.to_bytes(2, "big") + b"\x01\0\0\0":
        raise FieldError(2, f"header {data[:LUT_HEADER_LENGTH].hex(' ')} before {entries} table entries")
    return data[LUT_HEADER_LENGTH:]


def parse_q_table(data: bytes) -> QTables:
    """Parse the quantisation tables, luma and chroma in zig-zag order; FieldError if they are none."""
    if len(data) != Q_TABLE_LENGTH or data[:10] != bytes.fromhex("00000000004000400000"):
        raise FieldError(0, "no pair of quantisation tables")
    if not all(data[10:]):
        raise FieldError(10 + data[10:].index(0), "a zero in a quantisation table")
    return tuple(data[10:74]), tuple(data[74:138])
