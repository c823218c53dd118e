"""From a wish to a window: what a unit is, what it can do, and how one batch is to be scanned. Arithmetic only."""

from dataclasses import dataclass

from drivers.errors import MisuseError, Unsupported
from drivers.models import Model, ModePage
from drivers.port import Capabilities, Colour, Paper, Profile
from drivers.raw import Layout, RawHeader
from drivers.scsi.blocks import Composition, Inquiry, Vpd, Window
from drivers.scsi.wire import WindowId

_WINDOW_DPI = 1200
_MM_PER_INCH = 25.4
_STEP_PX = 8  # JPEG blocks; whole bytes of lineart; an even number, as some colour units want it
# Width and length in 1/1200 inch. AUTOMATIC is the vendor's own driver's: letter width covers A4, 14.86 inches cover
# legal; the unit ends a shorter sheet by itself (automatic length detection).
_PAPERS: dict[Paper, tuple[int, int]] = {
    Paper.AUTOMATIC: (10200, 17828),
    Paper.A4: (9921, 14031),
    Paper.A5: (6992, 9921),
    Paper.A6: (4961, 6992),
    Paper.B5: (8598, 12142),
    Paper.LETTER: (10200, 13200),
    Paper.LEGAL: (10200, 16800),
    Paper.CARD: (2551, 4044),
}
_QUALITIES = range(1, 8)
_STEPS = range(-127, 128)
_NEUTRAL = 128  # of brightness and contrast in the window
_JPEG_SLACK_BYTES = 64 * 1024  # headers of an image so small that they outweigh it
_BITS = {Composition.LINEART: 1, Composition.GRAY: 8, Composition.COLOUR: 24}

_CLEAR_AND_BUFFER = b"\xc0\xc0"
_END_WITH_SHEET = b"\x00\x80"
_NO_DETECTION = b"\x80"  # derived from the bits' names: settings given, no detector among them
_BY_THICKNESS = b"\x90"  # ultrasonic, and stop


@dataclass(frozen=True, slots=True)
class Identity:
    """What a unit answered when asked who it is. `serial` is opaque; it is not the number on the label."""

    inquiry: Inquiry
    vpd: Vpd
    serial: int


@dataclass(frozen=True, slots=True)
class Job:
    """One batch: the model's habits, the window, the sides in the order in which they are read.

    `settings`: what each mode page is set to; `alternate`: the unit's memory does not hold both sides, so that the
    blocks of both are read in turn.
    """

    model: Model
    window: Window
    sides: tuple[WindowId, ...]
    width_px: int
    height_px: int
    select_adf: bool
    lut_entries: int
    settings: dict[ModePage, bytes]
    colour: Colour
    alternate: bool

    @property
    def max_side_bytes(self) -> int:
        """Return the size that no side of this window exceeds: that of its pixels, and some headers."""
        return _pixel_bytes(self.width_px, self.height_px, Composition.COLOUR) + _JPEG_SLACK_BYTES

    def raw_header(self, width_px: int) -> RawHeader | None:
        """Return how rows of this width are to be read; None where the unit sends JPEG."""
        window = self.window
        if window.jpeg:
            return None
        colour = Layout.BGR if window.bgr else Layout.RGB
        layouts = {Composition.LINEART: Layout.LINEART, Composition.GRAY: Layout.GRAY, Composition.COLOUR: colour}
        inverted = window.composition is not Composition.LINEART  # protocols/fujitsu-usb.md 6
        return RawHeader(layouts[window.composition], width_px, inverted)

    def block_bytes(self, header: RawHeader | None) -> int:
        """Return the length of a READ: the model's largest; of raw data whole rows, one at least."""
        most = self.model.read_block_bytes
        return most if header is None else max(1, most // header.row_bytes) * header.row_bytes


def capabilities(model: Model, vpd: Vpd) -> Capabilities:
    """Return what is offered of a unit; gray and lineart that it cannot do itself are made afterwards."""
    return Capabilities(
        resolutions_dpi=tuple(dpi for dpi in model.resolutions_dpi if vpd.offers(dpi)),
        colours=tuple(Colour),
        duplex=vpd.duplex,
        max_width_mm=round(vpd.max_width_units * _MM_PER_INCH / vpd.basic_dpi, 1),
        max_height_mm=round(_max_length_1200(model, vpd) * _MM_PER_INCH / _WINDOW_DPI, 1),
        has_button=model.has_button,
        overscan=vpd.overscan_x_units > 0,
        double_feed=ModePage.DOUBLE_FEED in model.mode_pages,
        brightness=vpd.brightness,
        contrast=vpd.contrast,
    )


def plan(model: Model, profile: Profile, vpd: Vpd) -> Job:
    """Return the batch for a profile; Unsupported if the unit cannot. A simplex unit scans fronts only.

    Brightness, contrast and overscan are left out where the hardware has none.
    """
    _check(model, profile, vpd)
    composition = _composition(model, profile.colour, vpd)
    lut_entries = vpd.lut_entries if model.lut_entries is None else model.lut_entries
    window = _window(model, profile, vpd, composition, lut=lut_entries > 0)
    dpi = profile.resolution_dpi
    width_px, height_px = _pixels(window.width_1200, dpi), _pixels(window.length_1200, dpi)
    sides = (WindowId.FRONT, WindowId.BACK) if profile.duplex and vpd.duplex else (WindowId.FRONT,)
    both_bytes = len(sides) * _pixel_bytes(width_px, height_px, composition)
    return Job(
        model=model,
        window=window,
        sides=sides,
        width_px=width_px,
        height_px=height_px,
        select_adf=vpd.flatbed or vpd.return_path,
        lut_entries=lut_entries,
        settings=_settings(profile, vpd),
        colour=profile.colour,
        alternate=not window.jpeg and len(sides) > 1 and both_bytes > vpd.buffer_bytes,
    )


def _check(model: Model, profile: Profile, vpd: Vpd) -> None:
    if profile.resolution_dpi not in capabilities(model, vpd).resolutions_dpi:
        raise Unsupported(f"The {model.name} does not scan at {profile.resolution_dpi} dpi")
    if profile.jpeg_quality not in _QUALITIES:
        raise MisuseError(f"JPEG quality {profile.jpeg_quality}; the unit knows 1 to 7")
    for name, value in (("brightness", profile.brightness), ("contrast", profile.contrast)):
        if value not in _STEPS:
            raise MisuseError(f"{name} {value}; the unit knows -127 to 127")


def _composition(model: Model, wanted: Colour, vpd: Vpd) -> Composition:
    """Return what the unit is asked for: what is wanted where it can, else the next richer one."""
    if model.colour_only or wanted in (Colour.COLOUR, Colour.AUTOMATIC):
        return Composition.COLOUR
    if wanted is Colour.LINEART and vpd.lineart:
        return Composition.LINEART
    return Composition.GRAY if vpd.gray else Composition.COLOUR


def _window(model: Model, profile: Profile, vpd: Vpd, composition: Composition, *, lut: bool) -> Window:
    over = profile.overscan
    paper_width, paper_length = _PAPERS[profile.paper]
    paper_width += 2 * _to_window(vpd.overscan_x_units, vpd) if over else 0
    paper_length += 2 * _to_window(vpd.overscan_y_units, vpd) if over else 0
    paper_width = min(paper_width, _to_window(vpd.max_width_units, vpd))
    paper_length = min(paper_length, _max_length_1200(model, vpd))
    dpi = profile.resolution_dpi
    width_px, height_px = _whole_px(paper_width, dpi), _whole_px(paper_length, dpi)
    if not width_px or not height_px:
        raise Unsupported(f"The {model.name} states a paper size of nothing")
    jpeg_offered = {Composition.COLOUR: vpd.jpeg, Composition.GRAY: vpd.jpeg and vpd.jpeg_gray}
    jpeg = model.jpeg and jpeg_offered.get(composition, False)
    return Window(
        resolution_dpi=dpi,
        width_1200=width_px * _WINDOW_DPI // dpi,
        length_1200=height_px * _WINDOW_DPI // dpi,
        paper_width_1200=paper_width,
        paper_length_1200=paper_length,
        composition=composition,
        jpeg=jpeg,
        quality=profile.jpeg_quality,
        lut=lut,
        bgr=model.bgr and composition is Composition.COLOUR,
        brightness=_NEUTRAL + profile.brightness if vpd.brightness else 0,
        contrast=_NEUTRAL + profile.contrast if vpd.contrast else 0,
    )


def _settings(profile: Profile, vpd: Vpd) -> dict[ModePage, bytes]:
    """Return the mode pages that differ from the unit's own defaults (protocols/fujitsu-usb.md 5.5)."""
    size = _END_WITH_SHEET if profile.paper is Paper.AUTOMATIC else bytes(2)
    if profile.overscan and vpd.overscan_x_units:
        size = size.ljust(3, b"\0") + b"\xc0"
    return {
        ModePage.AUTO_SIZE: size,
        ModePage.DOUBLE_FEED: _BY_THICKNESS if profile.double_feed else _NO_DETECTION,
        ModePage.BUFFERING: _CLEAR_AND_BUFFER,
    }


def _max_length_1200(model: Model, vpd: Vpd) -> int:
    stated = _to_window(vpd.max_length_units, vpd)
    return min(stated, model.max_length_1200) if model.max_length_1200 else stated


def _to_window(units: int, vpd: Vpd) -> int:
    return units * _WINDOW_DPI // vpd.basic_dpi


def _whole_px(length_1200: int, dpi: int) -> int:
    """Return whole steps; the window is then rounded down and the unit rounds up, so both agree."""
    return length_1200 * dpi // _WINDOW_DPI // _STEP_PX * _STEP_PX


def _pixels(length_1200: int, dpi: int) -> int:
    """Return what the unit makes of a window's length: rounded up."""
    return -(-length_1200 * dpi // _WINDOW_DPI)


def _pixel_bytes(width_px: int, height_px: int, composition: Composition) -> int:
    return width_px * height_px * _BITS[composition] // 8
