"""eSCL's XML <-> messages, by namespace and local name; prefixes differ between makers.

Sections: protocols/escl-mdns-snmp.md. Lengths are in 1/300 inch whatever the resolution. DTDs and entities are refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from drivers.errors import PeerError

PWG = "http://www.pwg.org/schemas/2010/12/sm"
SCAN = "http://schemas.hp.com/imaging/escl/2011/05/03"
MAX_XML_BYTES = 1024 * 1024
JPEG = "image/jpeg"
COLOUR, GRAY = "RGB24", "Grayscale8"
_LONGEST_TEXT = 120
_MOST_ELEMENTS = 20_000
_LARGEST = 100_000  # of any number: 8 m, or dpi
_MOST_RESOLUTIONS = 256


class AdfState(StrEnum):
    """What the feeder says (section 3.2); others exist."""

    LOADED = "ScannerAdfLoaded"
    EMPTY = "ScannerAdfEmpty"
    PROCESSING = "ScannerAdfProcessing"
    JAM = "ScannerAdfJam"
    MISPICK = "ScannerAdfMispick"
    HATCH_OPEN = "ScannerAdfHatchOpen"
    DOOR_OPEN = "ScannerAdfDoorOpen"
    MULTIPICK = "ScannerAdfMultipickDetected"


class Source(StrEnum):
    """Where a page comes from."""

    FEEDER = "Feeder"
    PLATEN = "Platen"


@dataclass(frozen=True, slots=True)
class Input:
    """What one source can do: its largest size, colour modes, formats, resolutions in dpi (a range: both ends)."""

    max_width: int
    max_height: int
    colours: frozenset[str]
    formats: frozenset[str]
    resolutions_dpi: tuple[int, ...]
    dpi_range: tuple[int, int] | None

    def offers(self, dpi: int) -> bool:
        """Tell whether it scans at a resolution."""
        low, high = self.dpi_range or (1, 0)
        return dpi in self.resolutions_dpi or low <= dpi <= high

    @property
    def usable(self) -> bool:
        """Tell whether it gives something that we take."""
        sized = self.max_width > 0 and self.max_height > 0
        resolves = bool(self.resolutions_dpi or self.dpi_range)
        return sized and resolves and JPEG in self.formats and bool(self.colours & {COLOUR, GRAY})


@dataclass(frozen=True, slots=True)
class About:
    """ScannerCapabilities (section 3.1); `feeder` and `platen` are None where there is none that we can use."""

    make_and_model: str
    serial: str
    uuid: str
    feeder: Input | None
    platen: Input | None
    duplex: bool

    @classmethod
    def decode(cls, data: bytes) -> "About":
        """Read a document; PeerError otherwise."""
        root = _root(data, "ScannerCapabilities")
        adf = _child(root, "Adf")
        simplex = _child(adf, "AdfSimplexInputCaps") if adf is not None else None
        duplex = _child(adf, "AdfDuplexInputCaps") if adf is not None else None
        feeder = _input(simplex if simplex is not None else duplex)
        platen = _child(root, "Platen")
        return cls(
            make_and_model=_text(root, "MakeAndModel"),
            serial=_text(root, "SerialNumber"),
            uuid=_text(root, "UUID").lower().removeprefix("urn:uuid:"),
            feeder=feeder,
            platen=_input(_child(platen, "PlatenInputCaps")) if platen is not None else None,
            duplex=feeder is not None and duplex is not None,
        )

    @property
    def identity(self) -> str:
        """Return what names the unit: its UUID, else its serial number; "" where it tells neither."""
        return self.uuid or self.serial


@dataclass(frozen=True, slots=True)
class State:
    """ScannerStatus (section 3.2): `idle`, and the feeder's state as text, "" where there is none."""

    idle: bool
    adf: str

    @classmethod
    def decode(cls, data: bytes) -> "State":
        """Read a document; PeerError otherwise."""
        root = _root(data, "ScannerStatus")
        return cls(_text(root, "State") == "Idle", _text(root, "AdfState"))


@dataclass(frozen=True, slots=True)
class Job:
    """What ScanSettings asks for (section 3.3)."""

    source: Source
    width: int
    height: int
    colour: str
    resolution_dpi: int
    duplex: bool

    def encode(self) -> bytes:
        """Write the document, its elements in the order in which sane-airscan sends them."""
        region = (
            "<pwg:ScanRegions><pwg:ScanRegion>"
            "<pwg:ContentRegionUnits>escl:ThreeHundredthsOfInches</pwg:ContentRegionUnits>"
            "<pwg:XOffset>0</pwg:XOffset><pwg:YOffset>0</pwg:YOffset>"
            f"<pwg:Width>{self.width}</pwg:Width><pwg:Height>{self.height}</pwg:Height>"
            "</pwg:ScanRegion></pwg:ScanRegions>"
        )
        duplex = f"<scan:Duplex>{str(self.duplex).lower()}</scan:Duplex>" if self.source is Source.FEEDER else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f'<scan:ScanSettings xmlns:pwg="{PWG}" xmlns:scan="{SCAN}">'
            f"<pwg:Version>2.0</pwg:Version>{region}<pwg:InputSource>{self.source}</pwg:InputSource>"
            f"<scan:ColorMode>{escape(self.colour)}</scan:ColorMode>"
            f"<pwg:DocumentFormat>{JPEG}</pwg:DocumentFormat>"
            f"<scan:DocumentFormatExt>{JPEG}</scan:DocumentFormatExt>"
            f"<scan:XResolution>{self.resolution_dpi}</scan:XResolution>"
            f"<scan:YResolution>{self.resolution_dpi}</scan:YResolution>{duplex}"
            "</scan:ScanSettings>"
        ).encode()


def job_path(location: str, base_path: str) -> str:
    """Return the path of a job from Location, absolute or relative; its host is ignored (section 3.3).

    PeerError unless it lies below the base.
    """
    try:
        path = urlsplit(location).path
    except ValueError:
        path = ""
    base = base_path.rstrip("/")
    if path and not path.startswith("/"):
        path = f"{base}/{path}"
    below = path.startswith(f"{base}/") and ".." not in unquote(path).split("/")
    if not below or len(path) > 500 or not path.isprintable() or path.rstrip("/") == f"{base}/ScanJobs":
        raise PeerError(f"The scanner names a job at {location[:80]!r}, which is not below {base}")
    return path.rstrip("/")


def _root(data: bytes, name: str) -> Any:
    if len(data) > MAX_XML_BYTES:
        raise PeerError(f"{name}: more than {MAX_XML_BYTES} bytes")
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise PeerError(f"{name}: not the XML that it should be: {type(error).__name__}") from None
    if _local(root) != name or sum(1 for _ in root.iter()) > _MOST_ELEMENTS:
        raise PeerError(f"{name}: another document")
    return root


def _local(element: Any) -> str:
    """Return an element's name without its namespace; "" for one of a namespace that is none of eSCL's."""
    tag = element.tag if isinstance(element.tag, str) else ""
    space, _, local = tag.rpartition("}")
    return local if space.lstrip("{") in (PWG, SCAN) else ""


def _children(element: Any, *names: str) -> Iterator[Any]:
    """Yield the elements at the end of a path of names."""
    for child in element:
        if _local(child) == names[0]:
            if len(names) == 1:
                yield child
            else:
                yield from _children(child, *names[1:])


def _child(element: Any, *names: str) -> Any:
    return next(_children(element, *names), None)


def _text(element: Any, *names: str) -> str:
    """Return the text of a child, printable and bounded; "" where there is none."""
    child = _child(element, *names)
    text = " ".join((child.text or "").split()) if child is not None else ""
    return "".join(c for c in text if c.isprintable())[:_LONGEST_TEXT]


def _number(element: Any, *names: str) -> int:
    text = _text(element, *names)
    return min(int(text), _LARGEST) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _input(element: Any) -> Input | None:
    """Read what a source can do; None for what we cannot use."""
    if element is None:
        return None
    profile = ("SettingProfiles", "SettingProfile")
    resolutions = (*profile, "SupportedResolutions")
    each = _children(element, *resolutions, "DiscreteResolutions", "DiscreteResolution")
    pairs = ((_number(one, "XResolution"), _number(one, "YResolution")) for one in each)
    found = Input(
        max_width=_number(element, "MaxWidth"),
        max_height=_number(element, "MaxHeight"),
        colours=frozenset(_texts(element, *profile, "ColorModes", "ColorMode")),
        formats=frozenset(
            (
                *_texts(element, *profile, "DocumentFormats", "DocumentFormat"),
                *_texts(element, *profile, "DocumentFormats", "DocumentFormatExt"),
            )
        ),
        resolutions_dpi=tuple(sorted({x for x, y in pairs if x and x == y}))[:_MOST_RESOLUTIONS],
        dpi_range=_range(element, *resolutions, "ResolutionRange"),
    )
    return found if found.usable else None


def _texts(element: Any, *names: str) -> Iterator[str]:
    for child in _children(element, *names):
        yield (child.text or "").strip()[:_LONGEST_TEXT]


def _range(element: Any, *names: str) -> tuple[int, int] | None:
    """Read a range of resolutions: what both directions have in common."""
    one = _child(element, *names)
    if one is None:
        return None
    low = max(_number(one, "XResolutionRange", "Min"), _number(one, "YResolutionRange", "Min"))
    high = min(_number(one, "XResolutionRange", "Max"), _number(one, "YResolutionRange", "Max"))
    return (low, high) if 0 < low <= high else None
