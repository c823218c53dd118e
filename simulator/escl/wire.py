"""A job's settings out of a client's XML, and the words of eSCL. No HTTP, no paper.

Lengths are in 1/300 inch. Section numbers are those of escl-mdns-snmp.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from defusedxml.ElementTree import ParseError, fromstring

from simulator.sheets import Mode

PWG = "http://www.pwg.org/schemas/2010/12/sm"
SCAN = "http://schemas.hp.com/imaging/escl/2011/05/03"
VERSION = "2.63"
JPEG = "image/jpeg"
COLOURS: dict[str, Mode] = {"RGB24": Mode.COLOUR, "Grayscale8": Mode.GRAY}
RESOLUTIONS_DPI = (75, 100, 150, 200, 300, 600)
MAX_BODY_BYTES = 16 * 1024  # a job's settings have about one thousand
_UNITS = "escl:ThreeHundredthsOfInches"
_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)
_TRUE = frozenset({"true", "1"})
_FALSE = frozenset({"false", "0", ""})


class WireError(ValueError):
    """A body that is no scan settings; `str()` says why."""


class Source(StrEnum):
    FEEDER = "Feeder"
    PLATEN = "Platen"


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in 1/300 inch; a width or height of 0 reaches to the edge."""

    left: int = 0
    top: int = 0
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client wants. `source` None: it did not say; `complaints`: what is not as it should be."""

    source: Source | None = None
    colour: str = "RGB24"
    media_type: str = JPEG
    dpi: int = 300
    dpi_y: int = 300
    duplex: bool = False
    region: Region = Region()
    complaints: tuple[str, ...] = ()


def parse_settings(body: bytes) -> Settings:
    """Read the body of a new job (3.3); WireError if it is none. Unknown elements are passed over."""
    root = _root(body)
    read = _Reader({_local(element.tag): (element.text or "").strip() for element in root.iter()})
    source = read.text("InputSource")
    if source and source not in set(Source):
        read.complaints.append(f"there is no input source {source!r}")
    kind = read.text("DocumentFormatExt") or read.text("DocumentFormat") or JPEG
    dpi = read.number("XResolution", 300)
    if not read.text("Version"):
        read.complaints.append("the settings have no pwg:Version")
    if read.text("ContentRegionUnits") not in ("", _UNITS):
        read.complaints.append(f"the region is in {read.text('ContentRegionUnits')!r}")
    return Settings(
        source=Source(source) if source in set(Source) else None,
        colour=read.text("ColorMode") or "RGB24",
        media_type=kind,
        dpi=dpi,
        dpi_y=read.number("YResolution", dpi),
        duplex=read.flag("Duplex"),
        region=Region(*(read.number(name, 0) for name in ("XOffset", "YOffset", "Width", "Height"))),
        complaints=tuple(read.complaints),
    )


class _Reader:
    """The leaves of a request, by local name: vendors' clients disagree on which namespace some of them are in."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts
        self.complaints: list[str] = []

    def text(self, name: str) -> str:
        return self._texts.get(name, "")

    def number(self, name: str, default: int) -> int:
        text = self.text(name)
        if not text:
            return default
        if not _NUMBER.fullmatch(text):
            raise WireError(f"{name} is no number: {text[:20]!r}")
        return int(text)

    def flag(self, name: str) -> bool:
        text = self.text(name).lower()
        if text not in _TRUE | _FALSE:
            raise WireError(f"{name} is neither true nor false: {text[:20]!r}")
        return text in _TRUE


def _root(body: bytes):  # type: ignore[no-untyped-def]  # ElementTree's class has no public name in defusedxml
    if len(body) > MAX_BODY_BYTES:
        raise WireError(f"{len(body)} bytes of settings")
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as error:  # no XML, something forbidden, an unknown encoding
        raise WireError(f"no XML that can be read: {error}") from error
    if root.tag != f"{{{SCAN}}}ScanSettings":
        raise WireError(f"not ScanSettings but {str(root.tag)[:80]!r}")
    return root


def _local(tag: object) -> str:
    """Return an element's name; "" outside the two namespaces, and for comments."""
    for space in (PWG, SCAN):
        if isinstance(tag, str) and tag.startswith(f"{{{space}}}"):
            return tag[len(space) + 2 :]
    return ""
