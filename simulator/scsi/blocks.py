"""The data blocks behind the commands <-> bytes: inquiry, mode pages, status, pixel size, tables. No state."""

from simulator.models import Model
from simulator.scsi.encode import QTables

INQUIRY_LENGTH = 96
MODE_SENSE_LENGTH = 20
PIXEL_SIZE_LENGTH = 32
STATUS_LENGTH = 32
LUT_HEADER_LENGTH = 10
Q_TABLE_LENGTH = 138
_MODE_DROPOUT = 0x39
_BATTERY_FULL = 0x64


class FieldError(ValueError):
    """A field of a parameter block that the unit does not take; `at` is its offset in the block.

    `wrong`: no unit takes it, the host is to blame. Otherwise it may well ask.
    """

    def __init__(self, at: int, message: str, *, wrong: bool = True) -> None:
        super().__init__(message)
        self.at = at
        self.wrong = wrong


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


def pixel_size(width_px: int, height_px: int, *, paper: bool, found: tuple[int, int] | None = None) -> bytes:
    """Return the pixel-size block, 32 bytes; with `paper` the size stands in it three times, as an iX500 has it.

    `found` is the size of the sheet that went through, once that is known.
    """
    size = _size(width_px, height_px)
    sheet = _size(*found) if found else size if paper else bytes(8)
    return size + sheet + bytes(8) + (size if paper else bytes(8))


def _size(width_px: int, height_px: int) -> bytes:
    return width_px.to_bytes(4, "big") + height_px.to_bytes(4, "big")


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
    if model.battery:
        block[0x11] = 0x80
        block[0x12] = _BATTERY_FULL  # derived: the byte is published, its unit is not
    return bytes(block)


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
