"""From a wish to the D4 parameters of a batch (protocols/scansnap-wifi-vens.md 7). Arithmetic only."""

from dataclasses import dataclass

from drivers.errors import Unsupported
from drivers.octets import u8, u16, u32
from drivers.port import Capabilities, Colour, Paper, Profile
from drivers.scsi.wire import WindowId
from drivers.vens.dialects import Dialect

_MM_PER_INCH = 25.4
_WINDOW_DPI = 1200
# Width and length in 1/1200 inch, as the vendor's app asks; AUTOMATIC: the unit's largest, ended where the sheet ends.
_PAPERS: dict[Paper, tuple[int, int]] = {
    Paper.A4: (9936, 14032),
    Paper.A5: (6992, 9920),
    Paper.A6: (4961, 6992),
    Paper.B5: (8598, 12142),
    Paper.LETTER: (10200, 13200),
    Paper.LEGAL: (10200, 16800),
    Paper.CARD: (2551, 4044),
}
_FINEST_DPI, _FINEST_LENGTH_1200 = 600, 17828  # at 600 dpi an iX100 takes no longer sheets, either
_COLOUR, _GRAY = 5, 2
# The app knows five steps, 09 smallest to 0D finest; ours are the unit's own on USB, 1 to 7.
_QUALITY = {1: 0x09, 2: 0x09, 3: 0x0A, 4: 0x0B, 5: 0x0C, 6: 0x0C, 7: 0x0D}
_JPEG_SLACK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: what D4 sends, the sides in the order in which they come, how a page is wanted."""

    parameters: bytes
    sides: tuple[WindowId, ...]
    block_bytes: int
    resolution_dpi: int
    colour: Colour
    max_side_bytes: int


def capabilities(dialect: Dialect) -> Capabilities:
    """Return what a dialect offers; lineart is made afterwards. A unit says less of itself here than on USB."""
    return Capabilities(
        resolutions_dpi=dialect.resolutions_dpi,
        colours=tuple(Colour),
        duplex=dialect.duplex,
        max_width_mm=round(dialect.max_width_1200 * _MM_PER_INCH / _WINDOW_DPI, 1),
        max_height_mm=round(dialect.max_length_1200 * _MM_PER_INCH / _WINDOW_DPI, 1),
        has_button=dialect.has_button,
        overscan=False,
        double_feed=dialect.double_feed,
    )


def plan(dialect: Dialect, profile: Profile) -> Batch:
    """Return the batch for a profile; Unsupported for a resolution that is not offered."""
    if profile.resolution_dpi not in dialect.resolutions_dpi:
        raise Unsupported(f"The scanner does not scan at {profile.resolution_dpi} dpi over Wi-Fi")
    longest = dialect.max_length_1200 if profile.resolution_dpi < _FINEST_DPI else _FINEST_LENGTH_1200
    whole = dialect.max_width_1200, min(longest, dialect.max_length_1200)
    width, length = (min(pair) for pair in zip(_PAPERS.get(profile.paper, whole), whole, strict=True))
    duplex = profile.duplex and dialect.duplex
    pixels = (width * profile.resolution_dpi // _WINDOW_DPI) * (length * profile.resolution_dpi // _WINDOW_DPI)
    return Batch(
        parameters=_common(dialect, profile, duplex=duplex) + _window(dialect, profile, width, length),
        sides=(WindowId.FRONT, WindowId.BACK) if duplex else (WindowId.FRONT,),
        block_bytes=dialect.block_bytes,
        resolution_dpi=profile.resolution_dpi,
        colour=profile.colour,
        max_side_bytes=3 * pixels + _JPEG_SLACK_BYTES,
    )


def _common(dialect: Dialect, profile: Profile, *, duplex: bool) -> bytes:
    """Write the 32 common bytes.

    00 03 01 01 d0 01 c1 80 e0 c8 80 80 80 00 ... 30   1 duplex, 3 length, 4 double feed, 5 size, 6 read-ahead,
                                                       7 colour fixed, 8 blank pages (80: kept), b bleed-through (off)
    """
    automatic = profile.paper is Paper.AUTOMATIC
    double_feed = profile.double_feed and dialect.double_feed
    head = bytes(
        (
            0,
            dialect.duplex_code if duplex else 1,
            1,
            int(automatic),
            0xD0 if double_feed else dialect.byte_4,
            int(automatic),
            0xC1 if double_feed else dialect.byte_6,
            0x80,
            0x80,
            dialect.byte_9,
            0x80,
            0x80,
            0x80,
            0,
            0,
            dialect.byte_15,
        )
    )
    return head.ljust(31, b"\0") + u8(0x30)


def _window(dialect: Dialect, profile: Profile, width: int, length: int) -> bytes:
    """Write the 48 bytes of a window. Lineart is asked for in gray: the gateway makes it after the gate.

    00 10 00 c8 00 c8 05 82 0b 00 00 00 28 d0 00 00   1 image, 2 dpi, 6 composition, 7 JPEG, 8 quality, a width ..
    45 a4 04 00 00 00 01 01 01 00 ...                 e length, 12 gamma, 16 highlight, sharpness, sRGB
    """
    composition = _GRAY if profile.colour in (Colour.GRAY, Colour.LINEART) else _COLOUR
    head = bytes((0, 0x10)) + u16(profile.resolution_dpi) * 2 + bytes((composition, dialect.jpeg))
    size = u8(_QUALITY[profile.jpeg_quality]) + bytes(1) + u32(width) + u32(length)
    return (head + size + bytes((4, 0, 0, 0, 1, 1, 1))).ljust(48, b"\0")
