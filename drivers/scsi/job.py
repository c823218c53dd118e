"""From a wish to a window: what a unit is, what it can do, and how one batch is to be scanned. Arithmetic only."""

from dataclasses import dataclass

from drivers.errors import MisuseError, Unsupported
from drivers.models import Model
from drivers.port import Capabilities, Colour, Profile
from drivers.scsi.blocks import Inquiry, Vpd, Window
from drivers.scsi.wire import WindowId

_WINDOW_DPI = 1200
_MM_PER_INCH = 25.4
_JPEG_STEP_PX = 8
# The vendor's own driver asks for this paper: letter width covers A4, and 14.86 inches cover legal. The unit ends a
# shorter sheet by itself (automatic length detection).
_PAPER_WIDTH_1200 = 10200
_PAPER_LENGTH_1200 = 17828
_QUALITIES = range(1, 8)
_JPEG_SLACK_BYTES = 64 * 1024  # headers of an image so small that they outweigh it


@dataclass(frozen=True, slots=True)
class Identity:
    """What a unit answered when asked who it is. `serial` is opaque; it is not the number on the label."""

    inquiry: Inquiry
    vpd: Vpd
    serial: int


@dataclass(frozen=True, slots=True)
class Job:
    """One batch: the model's habits, the window, the sides in the order in which they are read."""

    model: Model
    window: Window
    sides: tuple[WindowId, ...]
    width_px: int
    height_px: int
    select_adf: bool

    @property
    def max_side_bytes(self) -> int:
        """Return the size that no JPEG of this window exceeds: that of its pixels, and some headers."""
        return self.width_px * self.height_px * 3 + _JPEG_SLACK_BYTES


def capabilities(model: Model, vpd: Vpd) -> Capabilities:
    """Return what is offered of a unit: colour JPEG, at the usual resolutions that the unit has."""
    return Capabilities(
        resolutions_dpi=tuple(dpi for dpi in model.resolutions_dpi if vpd.offers(dpi)),
        colours=(Colour.COLOUR,),
        duplex=_duplex(model, vpd),
        max_width_mm=round(vpd.max_width_units * _MM_PER_INCH / vpd.basic_dpi, 1),
        max_height_mm=round(vpd.max_length_units * _MM_PER_INCH / vpd.basic_dpi, 1),
        has_button=model.has_button,
    )


def plan(model: Model, profile: Profile, vpd: Vpd) -> Job:
    """Return the batch for a profile; Unsupported if the unit cannot. A simplex unit scans fronts only."""
    dpi = profile.resolution_dpi
    if dpi not in capabilities(model, vpd).resolutions_dpi:
        raise Unsupported(f"The {model.name} does not scan at {dpi} dpi")
    if profile.colour is not Colour.COLOUR:
        raise Unsupported(f"The {model.name} is driven in colour only; {profile.colour} is made afterwards")
    if profile.jpeg_quality not in _QUALITIES:
        raise MisuseError(f"JPEG quality {profile.jpeg_quality}; the unit knows 1 to 7")
    paper_width = min(_PAPER_WIDTH_1200, _to_window(vpd.max_width_units, vpd))
    paper_length = min(_PAPER_LENGTH_1200, _to_window(vpd.max_length_units, vpd))
    width_px, height_px = _pixels(paper_width, dpi), _pixels(paper_length, dpi)
    if not width_px or not height_px:
        raise Unsupported(f"The {model.name} states a paper size of nothing")
    window = Window(
        resolution_dpi=dpi,
        width_1200=width_px * _WINDOW_DPI // dpi,
        length_1200=height_px * _WINDOW_DPI // dpi,
        paper_width_1200=paper_width,
        paper_length_1200=paper_length,
        quality=profile.jpeg_quality,
        lut=model.lut_entries > 0,
    )
    both = profile.duplex and _duplex(model, vpd)
    sides = (WindowId.FRONT, WindowId.BACK) if both else (WindowId.FRONT,)
    return Job(model, window, sides, width_px, height_px, select_adf=vpd.flatbed or vpd.return_path)


def _duplex(model: Model, vpd: Vpd) -> bool:
    return model.duplex and vpd.duplex


def _to_window(units: int, vpd: Vpd) -> int:
    return units * _WINDOW_DPI // vpd.basic_dpi


def _pixels(length_1200: int, dpi: int) -> int:
    """Return whole JPEG blocks; the window is then rounded down and the unit rounds up, so both agree."""
    return length_1200 * dpi // _WINDOW_DPI // _JPEG_STEP_PX * _JPEG_STEP_PX
