"""The models, one row each, with the source of what is special about them. Data only.

A row says how a model differs on the wire; what a single unit can do (size, resolution steps, modes) it says itself.
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class Family(StrEnum):
    """Which command set a model speaks."""

    FUJITSU = "fujitsu"
    EPJITSU = "epjitsu"


class ModePage(StrEnum):
    """The MODE SELECT pages of a batch, by their codes in hexadecimal."""

    AUTO_SIZE = "3c"
    DOUBLE_FEED = "38"
    BACKGROUND = "37"
    DROPOUT = "39"
    BUFFERING = "3a"
    PREPICK = "33"


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


@dataclass(frozen=True, slots=True)
class Model:
    """One model; the defaults are SANE's generic flow.

    `read_block_bytes` is the largest READ; `mode_pages` are sent in this order; `tur_after_feed`, `pre_read`,
    `q_table`, `ghs_before_feed` say which steps its batch has; `lut_entries` is the size of the lookup table it must
    be sent (0: none; None: as its VPD says); `colour_only`: gray and lineart are made afterwards; `bgr`: it takes no
    other colour order; `jpeg`: its own JPEG is used where it offers one; `restarts_tell_height`: the JPEG's own height
    is that of the window; `has_button` only where a press was seen in GET HARDWARE STATUS on hardware;
    `max_length_1200` bounds the page (0: as VPD says).
    """

    name: str
    vendor_id: int
    product_id: int
    source: str
    read_block_bytes: int = 32 * _KIB
    mode_pages: tuple[ModePage, ...] = _BASIC_PAGES
    tur_after_feed: bool = True
    pre_read: bool = False
    q_table: bool = False
    lut_entries: int | None = None
    ghs_before_feed: bool = True
    colour_only: bool = False
    bgr: bool = False
    jpeg: bool = True
    restarts_tell_height: bool = False
    has_button: bool = False
    max_length_1200: int = 0
    resolutions_dpi: tuple[int, ...] = (150, 200, 300, 600)
    family: Family = Family.FUJITSU


FUJITSU_VENDOR = 0x04C5
RICOH_VENDOR = 0x05CA

_SANE = "SANE fujitsu 1.2.1"
_LETTER_1200 = 13200


def _row(name: str, product_id: int, source: str, *, vendor_id: int = FUJITSU_VENDOR) -> Model:
    return Model(name=name, vendor_id=vendor_id, product_id=product_id, source=source)


def _s500(name: str, product_id: int, source: str = f"{_SANE}: complete") -> Model:
    """Return a row of the generation before the S1500: its table as the VPD says, small blocks."""
    return _row(name, product_id, source)


def _ix500(name: str, product_id: int, source: str) -> Model:
    """Return a row of the first Wi-Fi generation: pre-read, quantisation tables, 256 entries, no TEST UNIT READY."""
    return replace(
        _row(name, product_id, source),
        read_block_bytes=256 * _KIB,
        mode_pages=_ALL_PAGES,
        tur_after_feed=False,
        pre_read=True,
        q_table=True,
        lut_entries=256,
        colour_only=True,
        has_button=True,
    )


def _ix100(name: str, product_id: int, source: str, *, vendor_id: int = FUJITSU_VENDOR) -> Model:
    """Return a row of the battery models: as the iX500, all modes native; the button by the vendor's own driver."""
    row = replace(_ix500(name, product_id, source), vendor_id=vendor_id, colour_only=False)
    return replace(row, read_block_bytes=512 * _KIB)


def _ix1000(name: str, product_id: int, source: str, *, vendor_id: int = FUJITSU_VENDOR) -> Model:
    """Return a row of the generation with built-in gamma: no table, larger blocks."""
    row = _row(name, product_id, source, vendor_id=vendor_id)
    return replace(row, read_block_bytes=256 * _KIB, lut_entries=0)


_BY_INFERENCE = "batch as iX1600 by inference"

_SCANSNAPS: tuple[Model, ...] = (
    _ix500("iX500", 0x132B, f"scan2drive's captures; {_SANE}; hardware-validated macOS driver"),
    _ix500("iX500EE", 0x13F3, f"{_SANE}: untested; as the iX500 by its name"),
    _ix100("iX100", 0x13F4, f"open iX100 driver on hardware; {_SANE}"),
    _ix100("iX110", 0x03C8, "open iX110 driver; not in SANE 1.2.1", vendor_id=RICOH_VENDOR),
    replace(
        _row("S1500", 0x11A2, f"s1500d's button notes; {_SANE}; hardware-validated macOS driver"),
        ghs_before_feed=False,
        has_button=True,
    ),
    _s500("S500", 0x10FE),
    _s500("S500M", 0x1135),
    _s500("S510", 0x1155),
    replace(
        _s500("S510M", 0x116F, f"hardware-validated macOS driver; {_SANE}"),
        bgr=True,
        mode_pages=(ModePage.AUTO_SIZE, ModePage.DOUBLE_FEED, ModePage.DROPOUT),
    ),
    _s500("fi-5110EOX", 0x1096),
    _s500("fi-5110EOX3", 0x10E6),
    _s500("fi-5110EOXM", 0x10F2),
    _ix1000("iX1300", 0x162C, f"{_SANE} (reported working); {_BY_INFERENCE}"),
    _ix1000("iX1400", 0x1630, f"{_SANE} (users scan with it); {_BY_INFERENCE}"),
    _ix1000("iX1500", 0x159F, f"published iX1500 probe; {_SANE}; {_BY_INFERENCE}"),
    replace(
        _ix1000("iX1600", 0x1632, f"hardware-validated macOS driver; {_SANE}"),
        restarts_tell_height=True,
    ),
    replace(
        _ix1000("iX2400", 0x03E3, f"one user with SANE, issue 838; {_BY_INFERENCE}", vendor_id=RICOH_VENDOR),
        max_length_1200=_LETTER_1200,
    ),
)

# Driven as SANE drives what it has no rule of its own for; their window, table and modes are as their VPD says.
_FI_SERIES = """
1041 fi-4120C, 1042 fi-4220C, 1078 fi-4530C, 1095 fi-5750C, 1097 fi-5110C, 10ad fi-5650C, 10ae fi-4120C2,
10af fi-4220C2, 10cf fi-4340C, 10e0 fi-5120C, 10e1 fi-5220C, 10e2 fi-5530C, 10e7 fi-5900C, 114a fi-5530C2, 114d fi-6140,
114e fi-6240, 114f fi-6130, 1150 fi-6230, 1174 fi-6770, 1175 fi-6770A, 1176 fi-6670, 1177 fi-6670A, 1178 fi-6750S,
119d fi-6800, 119e fi-6800-CGA, 11f1 fi-6140Z, 11f2 fi-6240Z, 11f3 fi-6130Z, 11f4 fi-6230Z, 11fc fi-6110, 1213 fi-5950,
132c fi-7180, 132d fi-7280, 132e fi-7160, 132f fi-7260, 140a SP30, 145f fi-6140ZLA, 1460 fi-6240ZLA, 1461 fi-6130ZLA,
1462 fi-6230ZLA, 1463 fi-6125ZLA, 1464 fi-6225ZLA, 146b fi-6135ZLA, 146c fi-6235ZLA, 146d fi-6120ZLA, 146e fi-6220ZLA,
146f N7100, 14ac fi-6400, 14b8 fi-7480, 14bd fi-6420, 14be fi-7460, 14df fi-7140, 14e0 fi-7240, 14e1 fi-7135,
14e2 fi-7235, 14e3 fi-7130, 14e4 fi-7230, 14e5 fi-7125, 14e6 fi-7225, 14e7 fi-7120, 14e8 fi-7220, 151e fi-400F,
151f fi-7030, 1520 fi-7700, 1521 fi-7600, 1522 fi-7700S, 1575 fi-7300NX, 15fc fi-800R, 15fd fi-8190, 15fe fi-8290,
15ff fi-8170, 1600 fi-8270, 1601 fi-8150, 1602 fi-8250, 160a fi-7900, 160b fi-7800, 162d fi-8150U, 162e fi-8250U
"""

# Firmware upload and raw sensor data (protocols/epjitsu-usb.md): named when they are seen, never sent a byte.
_EPJITSU = """
1156 S300, 117f S300M, 11ed S1300, 1200 S1100, 128d S1300i, 1447 S1100i, 10c7 fi-60F, 11bd fi-65F
"""


def _listed(text: str) -> list[tuple[int, str]]:
    entries = (entry.split() for entry in text.replace("\n", " ").split(",") if entry.strip())
    return [(int(product_id, 16), name) for product_id, name in entries]


MODELS: tuple[Model, ...] = (
    *_SCANSNAPS,
    *(_row(name, product_id, f"listed by {_SANE}") for product_id, name in _listed(_FI_SERIES)),
)

NAMED_ONLY: tuple[Model, ...] = (
    *(
        replace(_row(name, product_id, "SANE epjitsu 1.2.1"), family=Family.EPJITSU)
        for product_id, name in _listed(_EPJITSU)
    ),
    replace(_row("fi-70F", 0x0308, "community notes", vendor_id=RICOH_VENDOR), family=Family.EPJITSU),
)

_BY_ID = {(model.vendor_id, model.product_id): model for model in (*MODELS, *NAMED_ONLY)}


def lookup(vendor_id: int, product_id: int) -> Model | None:
    """Return the row of a USB identity, or None for a device that no row knows."""
    return _BY_ID.get((vendor_id, product_id))


def unknown(vendor_id: int, product_id: int, name: str) -> Model:
    """Return the row for a unit that the administrator wants tried: SANE's generic flow, what it can by its VPD."""
    return _row(name, vendor_id=vendor_id, product_id=product_id, source="tried on the administrator's word")
