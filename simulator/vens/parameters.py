"""The D4 parameters of a batch (section 7) <-> what the unit does with them. No state."""

import struct
from dataclasses import dataclass

from simulator.models import Model
from simulator.scsi.page import Lens
from simulator.scsi.window import Composition, Compression, Window
from simulator.sheets import Side

_COMMON, _WINDOW = 32, 48
_COMPOSITIONS = {5: Composition.COLOUR, 2: Composition.GRAY}
_RESOLUTIONS = (150, 200, 300, 600)
_QUALITY = {0x09: 2, 0x0A: 3, 0x0B: 4, 0x0C: 5, 0x0D: 7}
_JPEG = frozenset({0x81, 0x82})


class ParametersError(ValueError):
    """Parameters that no unit takes; `at` is the offset of the byte at fault."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(f"D4 byte {at:#x}: {message}")
        self.at = at


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a batch is to be: its sides and their one window."""

    sides: tuple[Side, ...]
    window: Window
    to_the_paper: bool
    stops_at_double_feed: bool
    drops_blank: bool

    @property
    def lens(self) -> Lens:
        """Return how the batch looks at its sheets."""
        return Lens(self.to_the_paper, 0, frozenset(), None)


def parse(data: bytes, model: Model) -> Parameters:
    """Parse 0x50 or 0x80 bytes; ParametersError. A second window is the one of automatic colour: it is not used."""
    if len(data) not in (_COMMON + _WINDOW, _COMMON + 2 * _WINDOW):
        raise ParametersError(0, f"{len(data)} bytes")
    _expect(data, 0x1F, frozenset({0x30}))
    _expect(data, 1, frozenset({1, 2, 3}))
    _expect(data, 7, frozenset({0x80}))
    _expect(data, 11, frozenset({0x80}))  # bleed-through needs a tone curve, which nobody here sends
    duplex = data[1] in (2, 3)
    if duplex and not model.duplex:
        raise ParametersError(1, f"the {model.name} scans one side")
    sides = (Side.FRONT, Side.BACK) if duplex else (Side.FRONT,)
    return Parameters(
        sides=sides,
        window=_window(data[_COMMON : _COMMON + _WINDOW]),
        to_the_paper=data[3] == 1 or data[5] == 1,
        stops_at_double_feed=data[4] & 0xC0 == 0xC0,
        drops_blank=data[8] == 0xE0,
    )


def _window(data: bytes) -> Window:
    _expect(data, 1, frozenset({0x10}), _COMMON)
    x_dpi, y_dpi, composition, compression, quality = struct.unpack(">HHBBB", data[2:9])
    width, length = struct.unpack(">II", data[10:18])
    if x_dpi != y_dpi or x_dpi not in _RESOLUTIONS:
        raise ParametersError(_COMMON + 2, f"{x_dpi} x {y_dpi} dpi")
    if composition not in _COMPOSITIONS:
        raise ParametersError(_COMMON + 6, f"composition {composition}")
    if compression not in _JPEG or quality not in _QUALITY:
        raise ParametersError(_COMMON + 7, f"compression {compression:02x}, {quality:02x}")
    if not 0 < width <= 10448 or not 0 < length <= 42307:
        raise ParametersError(_COMMON + 10, f"{width} x {length}")
    return Window(
        id=0,
        dpi=x_dpi,
        left=0,
        top=0,
        width=width,
        length=length,
        composition=_COMPOSITIONS[composition],
        compression=Compression.JPEG,
        quality=_QUALITY[quality],
        lut=False,
        planar=False,
        bgr=False,
        paper_width=width,
    )


def _expect(data: bytes, at: int, allowed: frozenset[int], base: int = 0) -> None:
    if data[at] not in allowed:
        raise ParametersError(base + at, f"{data[at]:02x}")
