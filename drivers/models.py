"""The models that are driven, one row each, with the source of what is special about them. Data only.

A row says how a model differs on the wire; what a single unit can do (size, resolution steps) it says itself.
"""

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """Which command set a model speaks."""

    FUJITSU = "fujitsu"


class ModePage(StrEnum):
    """The MODE SELECT pages of a batch, by their codes in hexadecimal."""

    AUTO_SIZE = "3c"
    DOUBLE_FEED = "38"
    BACKGROUND = "37"
    DROPOUT = "39"
    BUFFERING = "3a"
    PREPICK = "33"


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    `product` is part of what INQUIRY answers; `read_block_bytes` is the largest READ; `mode_pages` are sent in this
    order; `tur_after_feed`, `pre_read`, `q_table`, `ghs_before_feed` say which steps its batch has; `lut_entries` is
    the size of the lookup table it must be sent (0: it has its own); `has_button` only where a press was seen in
    GET HARDWARE STATUS on hardware; `restarts_tell_height`: the JPEG's own height is that of the window.
    """

    name: str
    vendor_id: int
    product_id: int
    product: str
    read_block_bytes: int
    mode_pages: tuple[ModePage, ...]
    tur_after_feed: bool
    pre_read: bool
    q_table: bool
    lut_entries: int
    ghs_before_feed: bool
    duplex: bool
    has_button: bool
    source: str
    restarts_tell_height: bool = False
    resolutions_dpi: tuple[int, ...] = (150, 200, 300, 600)
    family: Family = Family.FUJITSU


FUJITSU_VENDOR = 0x04C5

_KIB = 1024
_BASIC_PAGES = (ModePage.AUTO_SIZE, ModePage.DOUBLE_FEED, ModePage.DROPOUT, ModePage.BUFFERING)
_ALL_PAGES = (
    ModePage.AUTO_SIZE,
    ModePage.DOUBLE_FEED,
    ModePage.BACKGROUND,
    ModePage.DROPOUT,
    ModePage.BUFFERING,
    ModePage.PREPICK,
)


def _ix1000(name: str, product_id: int, source: str, *, restarts_tell_height: bool = False) -> Model:
    """Return a row of the generation with built-in gamma: no table, no pre-read, TEST UNIT READY after each feed."""
    return Model(
        name=name,
        vendor_id=FUJITSU_VENDOR,
        product_id=product_id,
        product=f"ScanSnap {name}",
        read_block_bytes=256 * _KIB,
        mode_pages=_BASIC_PAGES,
        tur_after_feed=True,
        pre_read=False,
        q_table=False,
        lut_entries=0,
        ghs_before_feed=True,
        duplex=True,
        has_button=False,
        source=source,
        restarts_tell_height=restarts_tell_height,
    )


MODELS: tuple[Model, ...] = (
    Model(
        name="iX500",
        vendor_id=FUJITSU_VENDOR,
        product_id=0x132B,
        product="ScanSnap iX500",
        read_block_bytes=256 * _KIB,
        mode_pages=_ALL_PAGES,
        tur_after_feed=False,
        pre_read=True,
        q_table=True,
        lut_entries=256,
        ghs_before_feed=True,
        duplex=True,
        has_button=True,
        source="scan2drive's captures; SANE fujitsu 1.2.1; hardware-validated macOS driver",
    ),
    Model(
        name="S1500",
        vendor_id=FUJITSU_VENDOR,
        product_id=0x11A2,
        product="ScanSnap S1500",
        read_block_bytes=32 * _KIB,
        mode_pages=_BASIC_PAGES,
        tur_after_feed=True,
        pre_read=False,
        q_table=False,
        lut_entries=1024,
        ghs_before_feed=False,
        duplex=True,
        has_button=True,
        source="s1500d's button notes; SANE fujitsu 1.2.1; hardware-validated macOS driver",
    ),
    _ix1000("iX1300", 0x162C, "SANE fujitsu 1.2.1 (reported working); batch as iX1600 by inference"),
    _ix1000("iX1400", 0x1630, "SANE fujitsu 1.2.1 (users scan with it); batch as iX1600 by inference"),
    _ix1000("iX1500", 0x159F, "published iX1500 probe; SANE fujitsu 1.2.1; batch as iX1600 by inference"),
    _ix1000("iX1600", 0x1632, "hardware-validated macOS driver; SANE fujitsu 1.2.1", restarts_tell_height=True),
)

_BY_ID = {(model.vendor_id, model.product_id): model for model in MODELS}


def lookup(vendor_id: int, product_id: int) -> Model | None:
    """Return the row of a USB identity, or None for a device that is not driven."""
    return _BY_ID.get((vendor_id, product_id))
