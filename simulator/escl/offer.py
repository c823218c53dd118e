"""What a unit offers, and what of a job goes beyond it. No HTTP, no paper."""

from typing import TypeAlias

from simulator.escl.replies import About
from simulator.escl.wire import COLOURS, JPEG, RESOLUTIONS_DPI, Settings, Source
from simulator.fleet import Escl
from simulator.scanner import VirtualScanner

Size: TypeAlias = tuple[int, int]  # in 1/300 inch

_PLATEN_SIZE: Size = (2550, 3508)  # letter wide, A4 long
_PER_1200 = 4


def feeder_size(scanner: VirtualScanner) -> Size:
    """Return the widest and longest page from the feeder in 1/300 inch."""
    return scanner.model.max_width_1200 // _PER_1200, scanner.model.max_length_1200 // _PER_1200


class Offer:
    """The inputs of one unit."""

    def __init__(self, scanner: VirtualScanner, spec: Escl) -> None:
        self._scanner = scanner
        self._spec = spec

    @property
    def name(self) -> str:
        """Return what the unit calls itself."""
        return self._spec.make_and_model or self._scanner.model.product

    @property
    def duplex(self) -> bool:
        """Tell whether its feeder scans both sides."""
        return self._spec.duplex and self._spec.adf and self._scanner.model.duplex

    def size(self, source: Source) -> Size | None:
        """Return the largest page of an input, or None where there is none."""
        if source is Source.PLATEN:
            return _PLATEN_SIZE if self._spec.platen else None
        return feeder_size(self._scanner) if self._spec.adf else None

    def source(self, settings: Settings) -> Source:
        """Return the input that a job means."""
        return settings.source or (Source.FEEDER if self._spec.adf else Source.PLATEN)

    def about(self, uuid: str, prefixes: tuple[str, str], *, resolution_range: bool) -> About:
        """Return what the unit says of itself."""
        platen, feeder = self.size(Source.PLATEN), self.size(Source.FEEDER)
        return About(self.name, self._spec.serial, uuid, platen, feeder, self.duplex, prefixes, resolution_range)

    def complaints(self, settings: Settings, *, resolution_range: bool) -> list[str]:
        """Return what is asked for and was never offered, in words."""
        source, found = self.source(settings), list(settings.complaints)
        if self.size(source) is None:
            found.append(f"there is no {source}")
        if settings.duplex and (source is Source.PLATEN or not self.duplex):
            found.append(f"the {source} has one side")
        if settings.colour not in COLOURS:
            found.append(f"there is no colour mode {settings.colour!r}")
        if settings.media_type != JPEG:
            found.append(f"there is no format {settings.media_type!r}")
        if settings.dpi != settings.dpi_y or not _has_resolution(settings.dpi, as_range=resolution_range):
            found.append(f"there is no resolution {settings.dpi} by {settings.dpi_y} dpi")
        return found


def _has_resolution(dpi: int, *, as_range: bool) -> bool:
    return RESOLUTIONS_DPI[0] <= dpi <= RESOLUTIONS_DPI[-1] if as_range else dpi in RESOLUTIONS_DPI
