"""The data blocks that commands carry, as frozen dataclasses: what the unit answers, what it is sent.

Offsets are from the start of the block. Sources: SANE fujitsu 1.2.1, scan2drive's and s1500d's notes.
"""

from dataclasses import dataclass
from enum import IntEnum

from drivers.errors import PeerError, Refused
from drivers.octets import Reader, u8, u16, u32
from drivers.scsi.wire import INQUIRY_LENGTH, WindowId

_SCANNER_TYPE = 0x06
_VENDOR = "FUJITSU"
_VPD_LEAST = 0x5F  # SANE refuses a shorter page
_JPEG_GRAY = 3
_VPD_CORE = 0x24  # sizes and features; what lies past the end of a shorter reply counts as zero
_LISTED_DPI = (60, 75, 100, 120, 150, 160, 180, 200, 240, 300, 320, 400, 480, 600, 800, 1200)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Who answers: `product` such as "ScanSnap iX500", `firmware` such as "0M00"."""

    product: str
    firmware: str

    @classmethod
    def decode(cls, data: bytes) -> "Inquiry":
        """Read the 96 bytes; PeerError if short, Refused if it is no Fujitsu scanner.

        00: 06 00 92 02 5b 00 00 10 46 55 4a 49 54 53 55 20   type 06, vendor at 08
        10: 53 63 61 6e 53 6e 61 70 20 69 58 35 30 30 20 20   product
        20: 30 4d 30 30 00 ...                                firmware          (iX500, scan2drive)
        """
        reader = Reader(data, "INQUIRY")
        reader.seek(INQUIRY_LENGTH).seek(0x00)
        kind = reader.u8() & 0x1F
        vendor = reader.seek(0x08).text(8)
        if kind != _SCANNER_TYPE or vendor != _VENDOR:
            raise Refused(f"This is not a Fujitsu scanner: it calls itself {vendor!r}, device type {kind:02x}")
        return cls(product=reader.text(16), firmware=reader.text(4))


@dataclass(frozen=True, slots=True)
class Vpd:
    """What the unit says it can do (page F0). Sizes in basic units, `basic_dpi` of them to the inch.

    `lut_entries`: the table it wants to be sent, 0 where it has a gamma of its own; `buffer_bytes`: its image memory.
    """

    basic_dpi: int
    any_dpi: bool
    min_dpi: int
    max_dpi: int
    listed_dpi: tuple[int, ...]
    max_width_units: int
    max_length_units: int
    lineart: bool
    gray: bool
    flatbed: bool
    duplex: bool
    lut_entries: int
    buffer_bytes: int
    brightness: bool
    contrast: bool
    jpeg: bool
    jpeg_gray: bool
    overscan_x_units: int
    overscan_y_units: int
    return_path: bool

    @classmethod
    def decode(cls, data: bytes) -> "Vpd":
        """Read page F0; PeerError if it is no such page. Bytes past its own length count as zero.

        00: 06 f0 02 00 8b 02 58 02 58 11 02 58 02 58 00 32   length 8b, 600 dpi, 1-dpi steps, 600 max, 50 min
        10: 00 32 ff fc 00 00 14 68 00 00 50 e8 8f 00 00 00   listed dpi, 8.7 x 34.5 inches, modes
        20: 92 0a 18 ...                                      ADF, duplex       (iX500, scan2drive)
        """
        reader = Reader(data, "VPD F0")
        if reader.u8() & 0x1F != _SCANNER_TYPE or reader.u8() != 0xF0:
            raise PeerError(f"VPD F0: another page came: {data[:8].hex(' ')}")
        length = reader.seek(0x04).u8()
        if length < _VPD_LEAST:
            raise PeerError(f"VPD F0: only {length:#x} bytes long")
        reader.seek(_VPD_CORE)
        page = Reader(data[: length + 5].ljust(0x100, b"\0"), "VPD F0")
        basic_dpi = page.seek(0x05).u16()
        steps = page.seek(0x09).u8()
        max_dpi, _max_y, min_dpi = page.u16(), page.u16(), page.u16()
        listed = page.seek(0x12).u16()
        width, height = page.u32(), page.u32()
        if not basic_dpi or not width or not height:
            raise PeerError(f"VPD F0: no size in it: {data[:0x20].hex(' ')}")
        return cls(
            basic_dpi=basic_dpi,
            any_dpi=steps & 0x11 == 0x11,
            min_dpi=min_dpi,
            max_dpi=max_dpi,
            listed_dpi=tuple(dpi for bit, dpi in enumerate(_LISTED_DPI) if listed & (0x8000 >> bit)),
            max_width_units=width,
            max_length_units=height,
            lineart=page.bit(0x1C, 1),
            gray=page.bit(0x1C, 3),
            flatbed=page.bit(0x20, 6),
            duplex=page.bit(0x20, 4),
            lut_entries=_lut_entries(page),
            buffer_bytes=page.seek(0x22).u32(),
            brightness=page.seek(0x52).u8() > 0,
            contrast=page.seek(0x54).u8() > 0,
            jpeg=page.bit(0x5A, 3),
            jpeg_gray=page.seek(0x5B).u8() >> 6 == _JPEG_GRAY,
            overscan_x_units=page.seek(0x64).u16(),
            overscan_y_units=page.seek(0x66).u16(),
            return_path=page.bit(0x7C, 7),
        )

    def offers(self, dpi: int) -> bool:
        """Tell whether a resolution can be set."""
        return dpi in self.listed_dpi or (self.any_dpi and self.min_dpi <= dpi <= self.max_dpi)


def _lut_entries(page: Reader) -> int:
    """Read 0x57, built-in and downloadable gammas, and the A/D bits in 0x21: 01 and 0a ask for 1024 entries."""
    gammas = page.seek(0x57).u8()
    return 1 << (page.seek(0x21).u8() & 0x0F) if gammas & 0x0F and not gammas >> 4 else 0


def decode_device_id(data: bytes) -> int:
    """Read the unit's number: 00 00 02 bc 00 00 00 00 00 00 is 700. An opaque id, not the label's serial."""
    return Reader(data, "device id").u32()


@dataclass(frozen=True, slots=True)
class HardwareStatus:
    """Hopper, cover and button at this instant. `button`: pressed or held."""

    hopper_empty: bool
    cover_open: bool
    button: bool
    double_feed: bool

    @classmethod
    def decode(cls, data: bytes) -> "HardwareStatus":
        """Read at least 7 bytes; PeerError if fewer.

        00 00 00 80 20 01 80 00 00 00 00 00   S1500 (s1500d): no paper, button held
                 |  |     |
                 3  4     6
        Byte 4: bit 5 while held, bit 0 for one poll after a tap; bit 7 only says "no press since power-up".
        """
        reader = Reader(data, "hardware status")
        paper, buttons = reader.seek(0x03).u8(), reader.u8()
        return cls(
            hopper_empty=bool(paper & 0x80),
            cover_open=bool(paper & 0x20),
            button=bool(buttons & 0x21),
            double_feed=bool(reader.seek(0x06).u8() & 0x01),
        )


@dataclass(frozen=True, slots=True)
class PixelSize:
    """How many pixels and lines a side is going to have."""

    width_px: int
    height_px: int

    @classmethod
    def decode(cls, data: bytes) -> "PixelSize":
        """Read at least 8 bytes: 00 00 13 60 00 00 1b 68 ... is 4960 x 7016 (iX500)."""
        reader = Reader(data, "pixel size")
        return cls(width_px=reader.u32(), height_px=reader.u32())


class Composition(IntEnum):
    """What a pixel is, with its bits per component."""

    LINEART = 0x00
    GRAY = 0x02
    COLOUR = 0x05


_BITS = {Composition.LINEART: 1, Composition.GRAY: 8, Composition.COLOUR: 8}


@dataclass(frozen=True, slots=True)
class Window:
    """What is scanned, at the upper left of the paper. Lengths in 1/1200 inch.

    `jpeg`: compressed by the unit, `quality` 0 (default), 1 to 7; `lut`: use the table that was sent, otherwise the
    unit's own gamma; `bgr`: blue first. `brightness`, `contrast`: bytes of the descriptor, 0 for none.
    """

    resolution_dpi: int
    width_1200: int
    length_1200: int
    paper_width_1200: int
    paper_length_1200: int
    composition: Composition
    jpeg: bool
    quality: int
    lut: bool
    bgr: bool = False
    brightness: int = 0
    contrast: int = 0

    def encode(self, sides: tuple[WindowId, ...]) -> bytes:
        """Write the 8-byte header and a 64-byte descriptor per side.

        00 00 00 00 00 00 00 40
        00 00 01 2c 01 2c 00 00 00 00 00 00 00 00 00 00   00 id, 02/04 dpi, 06/0a origin, 0e width ..
        27 c0 00 00 45 a0 00 00 00 05 08 00 00 00 00 00   .. 12 length, 16 brightness, 18 contrast, 19 colour, 1a bits
        81 04 00 00 00 00 00 00 c1 80 01 00 00 00 00 00   20 JPEG, 21 quality, 28 colour, 29 LUT, 2a dot, 2b RGB
        00 00 00 00 00 c0 00 00 27 d8 00 00 45 a4 00 00   35 paper, 36 its width, 3a its length
        The first descriptor alone carries the paper (the others' bytes 35 to 3d are zero).
        """
        first, *others = sides
        described = [self._descriptor(first, self._paper()), *(self._descriptor(side, bytes(9)) for side in others)]
        return bytes(6) + u16(0x40) + b"".join(described)

    def _paper(self) -> bytes:
        return b"\xc0" + u32(self.paper_width_1200) + u32(self.paper_length_1200)

    def _descriptor(self, side: WindowId, paper: bytes) -> bytes:
        colour = self.composition is Composition.COLOUR
        return b"".join(
            (
                bytes((side, 0)),
                u16(self.resolution_dpi) * 2,
                bytes(8),  # upper left
                u32(self.width_1200) + u32(self.length_1200),
                bytes((self.brightness, 0, self.contrast)),  # 0x16; threshold 0: the unit's own
                bytes((self.composition, _BITS[self.composition])),  # 0x19
                bytes(5),  # 0x1b
                b"\x81" + u8(self.quality) if self.jpeg else bytes(2),  # 0x20
                bytes(6),  # 0x22
                bytes((0xC1 if colour else 0, 0x80 if self.lut else 0)),  # 0x28
                bytes((1, 5 if self.bgr else 0)) if colour else bytes(2),  # 0x2a dot; RGB or BGR
                bytes(9),  # 0x2c
                paper,  # 0x35
                bytes(2),  # 0x3e
            )
        )


def pre_read(window: Window) -> bytes:
    """Write the payload of SET PRE READMODE: the coming page in short, so that the unit can plan its memory.

    "SET PRE READMODE" 0258 0258 000026c3 000036d1 05 000000   10 dpi, 14 paper, 1c composition   (iX500)
    """
    dpi = u16(window.resolution_dpi) * 2
    paper = u32(window.paper_width_1200) + u32(window.paper_length_1200)
    return b"SET PRE READMODE" + dpi + paper + u8(window.composition) + bytes(3)


def mode_page(code: int, settings: bytes) -> bytes:
    """Write a mode page after its four-byte header: 00000000 3c06 008000000000. Page 39 is 8 bytes, others 6."""
    length = 8 if code == 0x39 else 6
    return bytes(4) + bytes((code, length)) + settings.ljust(length, b"\0")
