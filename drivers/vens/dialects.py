"""How units of the same protocol differ, one row each, with the source. Data only.

Which row a unit belongs to, it says itself: the family that answered and its interface version (section 10).
"""

from dataclasses import dataclass, replace

from drivers.vens.wire import DeviceInfo, Family

_MOBILE, _PC = 1, 0


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to talk.

    `reserve_bytes`, `alive_s` (after so long without a keep-alive the unit frees itself) and `host_type` go into
    RESERVE; `block_bytes` is a READ; `jpeg`: the compression code; `duplex_code` of the paper handling;
    `double_feed`: it can look for one, otherwise `byte_4` and `byte_6` say that it does not;
    `proven` where somebody has scanned with it; `has_button` where a press was seen.
    """

    name: str
    source: str
    reserve_bytes: int = 0x80
    alive_s: int = 30
    host_type: int = _MOBILE
    block_bytes: int = 256 * 1024
    jpeg: int = 0x82
    duplex: bool = True
    duplex_code: int = 3
    double_feed: bool = True
    byte_4: int = 0x80
    byte_6: int = 0xC0
    byte_9: int = 0xC8
    byte_15: int = 0
    max_width_1200: int = 10448
    max_length_1200: int = 17828
    resolutions_dpi: tuple[int, ...] = (150, 200, 300, 600)
    proven: bool = True
    has_button: bool = True


_IX500_4 = Dialect(
    name="iX500, interface 4",
    source="published captures of the mobile app; three independent clients",
    reserve_bytes=0x180,
    alive_s=5,
)
_IX500_6 = Dialect(
    name="iX500, interface 6",
    source="published captures of macOS (RESERVE); batch as interface 4",
    host_type=_PC,
)
_IX100 = Dialect(
    name="iX100",
    source="open iX100/iX110 driver on hardware",
    host_type=_PC,
    duplex=False,
    double_feed=False,
    byte_4=0,
    byte_6=0x80,
    byte_9=0xD0,
    byte_15=1,
    max_width_1200=10368,
    max_length_1200=42307,
    has_button=False,
)
_IX1300 = Dialect(
    name="iX1300",
    source="prototype on hardware; duplex by its notes",
    block_bytes=0x300000,
    duplex_code=2,
    has_button=False,
)
_UNPROVEN = Dialect(
    name="unproven", source="vendor's app code only", reserve_bytes=0x180, proven=False, has_button=False
)

_BY_MODEL = {"iX100": _IX100, "iX110": _IX100, "iX1300": _IX1300, "iX500": _IX500_4, "iX500EE": _IX500_4}


def of(info: DeviceInfo) -> Dialect:
    """Return the row of a unit that answered; an unproven one for what nobody has scanned with."""
    dialect = _BY_MODEL.get(info.model)
    if info.family is not Family.VENS or dialect is None:
        return _UNPROVEN
    if dialect is _IX500_4 and info.interface >= 6:
        return _IX500_6
    if info.model == "iX500EE":
        return replace(dialect, source=f"{dialect.source}; as the iX500 by its name")
    return dialect
