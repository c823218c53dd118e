"""What a unit answers in XML: capabilities, status, image info. No HTTP, no paper.

Lengths are in 1/300 inch. Section numbers are those of escl-mdns-snmp.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from xml.sax.saxutils import escape

from simulator.escl.wire import COLOURS, JPEG, PWG, RESOLUTIONS_DPI, SCAN, VERSION

_MIN_SIZE = 16
_TAG = re.compile(r"(</?)(pwg|scan):")


@dataclass(frozen=True, slots=True)
class About:
    """What a unit says of itself. Sizes are (width, height); None: it has no such input."""

    make_and_model: str
    serial: str
    uuid: str
    platen: tuple[int, int] | None
    feeder: tuple[int, int] | None
    duplex: bool
    prefixes: tuple[str, str] = ("pwg", "scan")
    resolution_range: bool = False


class JobLike(Protocol):
    """What a status tells of a job."""

    @property
    def id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def completed(self) -> int: ...
    @property
    def to_transfer(self) -> int: ...


def capabilities(about: About) -> bytes:
    """Return ScannerCapabilities (3.1)."""
    parts = [
        _tag("pwg:Version", VERSION),
        _tag("pwg:MakeAndModel", escape(about.make_and_model)),
        _tag("pwg:SerialNumber", escape(about.serial)),
        _tag("scan:UUID", about.uuid),
    ]
    if about.platen:
        parts.append(_tag("scan:Platen", _caps("scan:PlatenInputCaps", about.platen, about)))
    if about.feeder:
        parts.append(_tag("scan:Adf", *_feeder(about.feeder, about)))
    return _document("scan:ScannerCapabilities", parts, about.prefixes)


def status(
    state: str, adf: str | None, jobs: Iterable[tuple[JobLike, str, int]], prefixes: tuple[str, str] = ("pwg", "scan")
) -> bytes:
    """Return ScannerStatus (3.2); `adf` None: there is no feeder. A job comes with its path and its age in seconds."""
    rows = [_tag("scan:JobInfo", *_job(*row)) for row in jobs]
    parts = [_tag("pwg:Version", VERSION), _tag("pwg:State", state)]
    if adf is not None:
        parts.append(_tag("scan:AdfState", adf))
    if rows:
        parts.append(_tag("scan:Jobs", *rows))
    return _document("scan:ScannerStatus", parts, prefixes)


def image_info(path: str, id_: str, width_px: int, height_px: int, row_bytes: int) -> bytes:
    """Return ScanImageInfo: what the last page of a job is like."""
    parts = [
        _tag("pwg:JobUri", path),
        _tag("pwg:JobUuid", id_),
        _tag("scan:ActualWidth", str(width_px)),
        _tag("scan:ActualHeight", str(height_px)),
        _tag("scan:ActualBytesPerLine", str(row_bytes)),
    ]
    return _document("scan:ScanImageInfo", parts, ("pwg", "scan"))


def _feeder(size: tuple[int, int], about: About) -> list[str]:
    options = ["DetectPaperLoaded", *(["Duplex"] if about.duplex else [])]
    return [
        _caps("scan:AdfSimplexInputCaps", size, about),
        _caps("scan:AdfDuplexInputCaps", size, about) if about.duplex else "",
        _tag("scan:FeederCapacity", "50"),
        _tag("scan:AdfOptions", *(_tag("scan:AdfOption", option) for option in options)),
        _tag("scan:Justification", _tag("pwg:XImagePosition", "Center"), _tag("pwg:YImagePosition", "Top")),
    ]


def _caps(name: str, size: tuple[int, int], about: About) -> str:
    profile = _tag(
        "scan:SettingProfile",
        _tag("scan:ColorModes", *(_tag("scan:ColorMode", colour) for colour in COLOURS)),
        _tag("scan:DocumentFormats", _tag("pwg:DocumentFormat", JPEG), _tag("scan:DocumentFormatExt", JPEG)),
        _tag("scan:SupportedResolutions", _range() if about.resolution_range else _discrete()),
    )
    return _tag(
        name,
        _tag("scan:MinWidth", str(_MIN_SIZE)),
        _tag("scan:MaxWidth", str(size[0])),
        _tag("scan:MinHeight", str(_MIN_SIZE)),
        _tag("scan:MaxHeight", str(size[1])),
        _tag("scan:MaxScanRegions", "1"),
        _tag("scan:SettingProfiles", profile),
        _tag("scan:SupportedIntents", _tag("scan:Intent", "Document")),
        _tag("scan:MaxOpticalXResolution", str(RESOLUTIONS_DPI[-1])),
        _tag("scan:MaxOpticalYResolution", str(RESOLUTIONS_DPI[-1])),
    )


def _discrete() -> str:
    rows = (
        _tag("scan:DiscreteResolution", _tag("scan:XResolution", str(dpi)), _tag("scan:YResolution", str(dpi)))
        for dpi in RESOLUTIONS_DPI
    )
    return _tag("scan:DiscreteResolutions", *rows)


def _range() -> str:
    limits = {"Min": RESOLUTIONS_DPI[0], "Max": RESOLUTIONS_DPI[-1], "Normal": 300, "Step": 1}
    inner = [_tag(f"scan:{name}", str(value)) for name, value in limits.items()]
    return _tag("scan:ResolutionRange", *(_tag(f"scan:{axis}ResolutionRange", *inner) for axis in "XY"))


def _job(job: JobLike, path: str, age_s: int) -> list[str]:
    return [
        _tag("pwg:JobUri", path),
        _tag("pwg:JobUuid", job.id),
        _tag("scan:Age", str(age_s)),
        _tag("pwg:ImagesCompleted", str(job.completed)),
        _tag("pwg:ImagesToTransfer", str(job.to_transfer)),
        _tag("pwg:JobState", job.state),
        _tag("pwg:JobStateReasons", _tag("pwg:JobStateReason", job.reason)),
    ]


def _tag(name: str, *inner: str) -> str:
    return f"<{name}>{''.join(inner)}</{name}>"


def _document(root: str, parts: Sequence[str], prefixes: tuple[str, str]) -> bytes:
    pwg, scan = prefixes
    spaces = f'xmlns:{pwg}="{PWG}" xmlns:{scan}="{SCAN}"'
    body = _tag(root, *parts).replace(f"<{root}>", f"<{root} {spaces}>", 1)
    names = {"pwg": pwg, "scan": scan}
    body = _TAG.sub(lambda found: f"{found[1]}{names[found[2]]}:", body)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()
