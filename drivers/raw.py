"""`image/x-raw`: rows as the unit sent them, after a header of 16 bytes that says how to read them.

    53 53 52 41 57 01  02  01  00 00 09 b0  00 00 1d 10     "SSRAW" version 1
    00                 06  07  08           0c              06 layout, 07 flags, 08 width in pixels, 0c bytes per row

How many rows there are follows from the length: a sheet's height is known only after its last row.
"""

from dataclasses import dataclass
from enum import IntEnum

from drivers.errors import PeerError
from drivers.octets import Reader, u8, u32

MEDIA_TYPE = "image/x-raw"
HEADER_BYTES = 16
_MAGIC = b"SSRAW\x01"
_INVERTED = 0x01


class Layout(IntEnum):
    """What a row holds. LINEART: a bit per pixel, first pixel in the highest bit, 1 is black."""

    LINEART = 0
    GRAY = 1
    RGB = 2
    BGR = 3


_BITS = {Layout.LINEART: 1, Layout.GRAY: 8, Layout.RGB: 24, Layout.BGR: 24}


@dataclass(frozen=True, slots=True)
class RawHeader:
    """The layout of raw rows. `inverted`: gray and colour count from white (0x00) to black (0xff)."""

    layout: Layout
    width_px: int
    inverted: bool

    @property
    def row_bytes(self) -> int:
        """Return the length of a row; rows of bits are padded to whole bytes."""
        return (self.width_px * _BITS[self.layout] + 7) // 8

    def encode(self) -> bytes:
        """Write the header's 16 bytes."""
        flags = _INVERTED if self.inverted else 0
        return _MAGIC + u8(self.layout) + u8(flags) + u32(self.width_px) + u32(self.row_bytes)

    @classmethod
    def decode(cls, data: bytes) -> "RawHeader":
        """Read the first 16 bytes of a page; PeerError if they are no such header."""
        reader = Reader(data, "raw page")
        if reader.take(len(_MAGIC)) != _MAGIC:
            raise PeerError(f"not a raw page: it begins with {data[:8].hex(' ')}")
        layout, flags, width_px, row_bytes = reader.u8(), reader.u8(), reader.u32(), reader.u32()
        if layout not in _BITS or flags & ~_INVERTED or not width_px:
            raise PeerError(f"a raw page with a header that makes no sense: {data[:HEADER_BYTES].hex(' ')}")
        header = cls(Layout(layout), width_px, bool(flags & _INVERTED))
        if row_bytes != header.row_bytes:
            raise PeerError(f"a raw page of {row_bytes} bytes per row where {header.row_bytes} make sense")
        return header
