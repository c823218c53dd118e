"""What a model answers and how it behaves, one row each. Data only; the sources stand beside the rows.

"published": captured on hardware or listed by a validated driver. "derived": nobody has published the byte; it is
the smallest value that SANE's `fujitsu` 1.2.1 takes, or that of the nearest relative. Speeds are the makers' figures.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

VENDOR_ID = 0x04C5  # Fujitsu
RICOH_VENDOR_ID = 0x05CA
_VPD_LENGTH = 144
_WINDOW_DPI = 1200
_LEGAL_1200 = 16800  # the rollers of every feeder take legal


class Order(IntEnum):
    """How a raw colour row is laid out."""

    DOT_RGB = 0
    DOT_BGR = 1
    LINE_RGB = 2


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    `vpd` is INQUIRY page F0 whole; `mode_pages` are the pages that MODE SENSE and MODE SELECT know, `locks_up_on`
    those that hang it; `feed_s` is the time of one sheet (both sides at once); `lut_entries` the size of the table it
    can be sent; `needs_lut`: it has no gamma of its own; `orders`: the colour orders of a window that it takes.
    `button_bit`: byte 4 of GET HARDWARE STATUS while the button is down (0: not reported); `virgin_bit`: the same byte
    until the first press; `status_6` is byte 6 when idle; `tells_paper`: the pixel-size reply repeats x and y;
    `sof_is_window`: the JPEG's height field is the window's even where the sheet ended earlier; `interlaced_jpeg`:
    both sides in one JPEG of twice the width; `wants_cancel`: hangs unless F1 04 follows an empty hopper;
    `wants_pre_read`: 600 dpi fails without SET PRE READMODE; `lid_is_power`: with its lid closed it is off the bus.
    `product_` is the INQUIRY string where it is not "ScanSnap " and the name.
    """

    name: str
    product_id: int
    firmware: str
    vpd: bytes
    mode_pages: frozenset[int]
    feed_s: float
    lut_entries: int
    needs_lut: bool
    button_bit: int
    virgin_bit: int = 0
    status_6: int = 0
    tells_paper: bool = False
    sof_is_window: bool = False
    wants_cancel: bool = False
    vendor_id: int = VENDOR_ID
    orders: frozenset[Order] = frozenset(Order)
    locks_up_on: frozenset[int] = frozenset()
    interlaced_jpeg: bool = False
    wants_pre_read: bool = False
    lid_is_power: bool = True
    product_: str = ""

    @property
    def product(self) -> str:
        """Return the INQUIRY product string, without its padding."""
        return self.product_ or f"ScanSnap {self.name}"

    @property
    def duplex(self) -> bool:
        """Tell whether it scans both sides at once."""
        return bool(self.vpd[0x20] & 0x10)

    @property
    def battery(self) -> bool:
        """Tell whether it runs on a battery."""
        return bool(self.vpd[0x79] & 0x80)

    @property
    def return_path(self) -> bool:
        """Tell whether it has a straight path for cards, too."""
        return bool(self.vpd[0x7C] & 0x80)

    @property
    def jpeg(self) -> bool:
        """Tell whether it compresses."""
        return bool(self.vpd[0x5A] & 0x08)

    @property
    def gray_jpeg(self) -> int:
        """Return what a gray JPEG is: 1 none, 2 a colour one, 3 one of one component."""
        return self.vpd[0x5B] >> 6

    @property
    def max_width_1200(self) -> int:
        """Return the widest window in 1/1200 inch."""
        return self._units(0x14)

    @property
    def max_length_1200(self) -> int:
        """Return the longest window in 1/1200 inch."""
        return self._units(0x18)

    @property
    def longest_paper_1200(self) -> int:
        """Return the length of paper beyond which it reports a jam."""
        return max(self.max_length_1200, _LEGAL_1200)

    def _units(self, at: int) -> int:
        basic_dpi = int.from_bytes(self.vpd[5:7], "big")
        return int.from_bytes(self.vpd[at : at + 4], "big") * _WINDOW_DPI // basic_dpi


def _vpd(head: str, more: dict[int, int]) -> bytes:
    """Return a VPD page of 144 bytes: the published start, then zeros save for `more`."""
    page = bytearray(bytes.fromhex(head).ljust(_VPD_LENGTH, b"\0"))
    for offset, value in more.items():
        page[offset] = value
    return bytes(page)


def _per_minute(sheets: float) -> float:
    return 60 / sheets


# scan2drive's capture of an iX500 with firmware 0M00; bytes from 0x2C on are not published.
_IX500_HEAD = """
    06 f0 02 00 8b 02 58 02 58 11 02 58 02 58 00 32
    00 32 ff fc 00 00 14 68 00 00 50 e8 8f 00 00 00
    92 0a 18 00 00 00 00 00 ef bf 00 04
"""
# SCANNER CONTROL; downloadable gamma only; JPEG baseline, in gray too; connection.
_IX500_MORE = {0x31: 0x02, 0x57: 0x01, 0x5A: 0x08, 0x5B: 0xC0, 0x62: 0x01}
# Published properties, not bytes: 118 inches long (0x11490 / 600), 576 MB of buffer, one gamma of its own.
_IX1600_HEAD = """
    06 f0 02 00 8b 02 58 02 58 11 02 58 02 58 00 32
    00 32 ff fc 00 00 14 68 00 01 14 90 8f 00 00 00
    92 0a 22 55 10 00 00 00 ef bf 00 04
"""
_OVERSCAN = {0x65: 0x58, 0x67: 0x58}  # derived: real units have some; 88/600 inch is a guess
_IX1600_MORE = {**_IX500_MORE, **_OVERSCAN, 0x57: 0x11}
# Derived: as iX1600, with the length to which SANE's one report says it is limited, letter (0x19c8 / 600).
_IX2400_HEAD = _IX1600_HEAD.replace("00 01 14 90", "00 00 19 c8")
# As the iX500 with the ten-bit table that S1500 units are sent; the rest is derived.
_S1500_HEAD = """
    06 f0 02 00 8b 02 58 02 58 11 02 58 02 58 00 32
    00 32 ff fc 00 00 14 68 00 00 50 e8 8f 00 00 00
    92 0a 02 00 00 00 00 00 ef bf 00 04
"""
_S1500_MORE = {**_IX500_MORE, **_OVERSCAN}
# SANE reports 219.428 x 895.362 mm of real units: 0x1440 by 0x52a1. One side, no panel; the rest is derived.
_IX100_HEAD = """
    06 f0 02 00 8b 02 58 02 58 11 02 58 02 58 00 32
    00 32 ff fc 00 00 14 40 00 00 52 a1 8f 00 00 00
    80 0a 04 00 00 00 00 00 ef bf 00 04
"""
_IX100_MORE = {**_IX500_MORE, 0x79: 0x80}  # battery
# Derived, all of it: 8.5 by 34 inches, eight bits, 16 MB.
_S500_HEAD = """
    06 f0 02 00 8b 02 58 02 58 11 02 58 02 58 00 32
    00 32 ff fc 00 00 13 ec 00 00 4f b0 8e 00 00 00
    92 08 01 00 00 00 00 00 ef bf 00 04
"""
# Derived: brightness, threshold and contrast in hardware; JPEG of colour only.
_S500_MORE = {0x31: 0x02, 0x52: 0xFF, 0x53: 0xFF, 0x54: 0xFF, 0x57: 0x01, 0x5A: 0x08, 0x5B: 0x40}

_IX500_PAGES = frozenset({0x33, 0x37, 0x38, 0x39, 0x3A, 0x3C})  # published
_PLAIN_PAGES = frozenset({0x38, 0x39, 0x3A, 0x3C})  # published of S1500 and iX1600
_IX100_PAGES = frozenset({0x2C, *_IX500_PAGES})  # 2C, 3A, 3C: the vendor's driver sends them; the others are derived
_LOCKS_UP = frozenset({0x3D})  # SANE never asks these models for it: it hangs them
_SCAN_SWITCH = 0x01  # SANE's name of the bit; seen on an iX500 only, derived wherever the row says nothing else


# The first duplex generation. SANE drives all of it; every byte here is derived.
_S500 = Model(
    name="S500",
    product_id=0x10FE,
    firmware="0A00",
    vpd=_vpd(_S500_HEAD, _S500_MORE),
    mode_pages=_PLAIN_PAGES,
    feed_s=_per_minute(18),
    lut_entries=256,
    needs_lut=True,
    button_bit=_SCAN_SWITCH,
    interlaced_jpeg=True,  # published of "older duplex ScanSnaps"; of which ones is not
)
# As S500: derived, the INQUIRY string too. No folding lid.
_FI_5110EOX = replace(
    _S500,
    name="fi-5110EOX",
    product_id=0x1096,
    product_="fi-5110EOX",
    feed_s=_per_minute(15),
    lid_is_power=False,
)
_S1500 = Model(
    name="S1500",
    product_id=0x11A2,
    firmware="0M00",
    vpd=_vpd(_S1500_HEAD, _S1500_MORE),
    mode_pages=_PLAIN_PAGES,
    feed_s=_per_minute(20),
    lut_entries=1024,
    needs_lut=True,
    button_bit=0x20,  # s1500d, on hardware: held is bit 5; bit 7 from power-up until the first press
    virgin_bit=0x80,
    status_6=0x80,
    # Whether its JPEG is interlaced is not published; one JPEG a side here.
)
_IX500 = Model(
    name="iX500",
    product_id=0x132B,
    firmware="0M00",
    vpd=_vpd(_IX500_HEAD, _IX500_MORE),
    mode_pages=_IX500_PAGES,
    feed_s=_per_minute(25),
    lut_entries=256,
    needs_lut=True,
    button_bit=0x01,  # scan2drive
    tells_paper=True,
    locks_up_on=_LOCKS_UP,
    wants_pre_read=True,
)
# The battery models: one side, one sheet. SANE scans in RGB, the vendor's driver in BGR, so both are taken.
_IX100 = Model(
    name="iX100",
    product_id=0x13F4,
    firmware="0B00",  # derived
    vpd=_vpd(_IX100_HEAD, _IX100_MORE),
    mode_pages=_IX100_PAGES,
    feed_s=5.2,
    lut_entries=256,
    needs_lut=True,
    button_bit=_SCAN_SWITCH,
    locks_up_on=_LOCKS_UP,
    wants_pre_read=True,
)
# The generation with a gamma of its own. Published of the iX1600; of its relatives derived.
_IX1400 = Model(
    name="iX1400",
    product_id=0x1630,
    firmware="0V00",
    vpd=_vpd(_IX1600_HEAD, _IX1600_MORE),
    mode_pages=_PLAIN_PAGES,
    feed_s=_per_minute(40),
    lut_entries=1024,
    needs_lut=False,
    button_bit=_SCAN_SWITCH,
    wants_cancel=True,  # published of iX1300, iX1400, iX1500, iX1600
)

MODELS: tuple[Model, ...] = (
    _FI_5110EOX,
    replace(_FI_5110EOX, name="fi-5110EOX2", product_="fi-5110EOX2"),  # the same USB id
    replace(_FI_5110EOX, name="fi-5110EOX3", product_="fi-5110EOX3", product_id=0x10E6),
    replace(_FI_5110EOX, name="fi-5110EOXM", product_="fi-5110EOXM", product_id=0x10F2),
    _S500,
    replace(_S500, name="S500M", product_id=0x1135),
    replace(_S500, name="S510", product_id=0x1155),
    replace(  # published: refuses RGB and takes BGR; refuses mode page 3A with 05/26/00
        _S500,
        name="S510M",
        product_id=0x116F,
        orders=frozenset({Order.DOT_BGR}),
        mode_pages=_PLAIN_PAGES - {0x3A},
    ),
    _S1500,
    _IX500,
    replace(_IX500, name="iX500EE", product_id=0x13F3),  # derived: nobody has published a byte of it
    _IX100,
    # "As the iX100"; that it calls itself iX110 is derived.
    replace(_IX100, name="iX110", vendor_id=RICOH_VENDOR_ID, product_id=0x03C8, feed_s=5.0),
    replace(  # return path
        _IX1400,
        name="iX1300",
        product_id=0x162C,
        feed_s=_per_minute(30),
        vpd=_vpd(_IX1600_HEAD, {**_IX1600_MORE, 0x7C: 0x80}),
    ),
    _IX1400,
    # Touch panels; whether they show in the status is not published.
    replace(_IX1400, name="iX1500", product_id=0x159F, feed_s=_per_minute(30), button_bit=0),
    replace(_IX1400, name="iX1600", product_id=0x1632, button_bit=0, sof_is_window=True),
    replace(
        _IX1400,
        name="iX2400",
        vendor_id=RICOH_VENDOR_ID,
        product_id=0x03E3,
        feed_s=_per_minute(45),
        vpd=_vpd(_IX2400_HEAD, _IX1600_MORE),
    ),
)

BY_NAME = {model.name: model for model in MODELS}


def find(name: str) -> Model | None:
    """Return the row of a model whatever the case of its name, or None."""
    return next((model for model in MODELS if model.name.lower() == name.lower()), None)
