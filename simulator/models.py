"""What a model answers and how it behaves, one row each. Data only; the sources stand beside the rows.

Bytes come from published captures where there are any; the rest is the smallest page that SANE's `fujitsu` accepts.
"""

from dataclasses import dataclass

VENDOR_ID = 0x04C5
_VPD_LENGTH = 144
_PPM_25_S = 60 / 25
_PPM_20_S = 60 / 20
_PPM_40_S = 60 / 40


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    `vpd` is INQUIRY page F0 whole; `mode_pages` are the pages that MODE SENSE and MODE SELECT know; `feed_s` is the
    time of one sheet (both sides at once); `lut_entries` the size of the table it can be sent; `needs_lut`: it has no
    gamma of its own; `button_bit`: byte 4 of GET HARDWARE STATUS while the button is down (0: not reported);
    `virgin_bit`: the same byte until the first press; `status_6` is byte 6 when idle; `tells_paper`: the pixel-size
    reply repeats x and y; `sof_is_window`: the JPEG's height field is the window's even where the sheet ended
    earlier; `wants_cancel`: hangs unless F1 04 follows an empty hopper.
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

    @property
    def product(self) -> str:
        """Return the INQUIRY product string, without its padding."""
        return f"ScanSnap {self.name}"


def _vpd(head: str, more: dict[int, int]) -> bytes:
    """Return a VPD page of 144 bytes: the published start, then zeros save for `more`."""
    page = bytearray(bytes.fromhex(head).ljust(_VPD_LENGTH, b"\0"))
    for offset, value in more.items():
        page[offset] = value
    return bytes(page)


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
# As the iX500 with the ten-bit table that S1500 units are sent; the rest is inferred.
_S1500_HEAD = """
    06 f0 02 00 8b 02 58 02 58 11 02 58 02 58 00 32
    00 32 ff fc 00 00 14 68 00 00 50 e8 8f 00 00 00
    92 0a 02 00 00 00 00 00 ef bf 00 04
"""

MODELS: tuple[Model, ...] = (
    Model(
        name="iX500",
        product_id=0x132B,
        firmware="0M00",
        vpd=_vpd(_IX500_HEAD, _IX500_MORE),
        mode_pages=frozenset({0x33, 0x37, 0x38, 0x39, 0x3A, 0x3C}),
        feed_s=_PPM_25_S,
        lut_entries=256,
        needs_lut=True,
        button_bit=0x01,  # scan2drive
        tells_paper=True,
    ),
    Model(
        name="S1500",
        product_id=0x11A2,
        firmware="0M00",
        vpd=_vpd(_S1500_HEAD, _IX500_MORE),
        mode_pages=frozenset({0x38, 0x39, 0x3A, 0x3C}),
        feed_s=_PPM_20_S,
        lut_entries=1024,
        needs_lut=True,
        button_bit=0x20,  # s1500d, on hardware: held is bit 5; bit 7 from power-up until the first press
        virgin_bit=0x80,
        status_6=0x80,
    ),
    Model(
        name="iX1600",
        product_id=0x1632,
        firmware="0V00",
        vpd=_vpd(_IX1600_HEAD, {**_IX500_MORE, 0x57: 0x11}),
        mode_pages=frozenset({0x38, 0x39, 0x3A, 0x3C}),
        feed_s=_PPM_40_S,
        lut_entries=1024,
        needs_lut=False,
        button_bit=0,  # a touch panel; whether it shows in the status is not published
        sof_is_window=True,
        wants_cancel=True,
    ),
)

BY_NAME = {model.name: model for model in MODELS}
