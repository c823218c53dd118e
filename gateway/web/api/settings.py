"""How a unit scans, as programs send and get it."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Steps = Annotated[int, Meta(ge=-127, le=127)]


class ScanSettings(Struct, forbid_unknown_fields=True):
    """How a unit scans; what is left out has its default. `on_paper`: paper put into the empty feeder starts a scan."""

    resolution_dpi: Literal[150, 200, 300, 600] = 300
    colour: Literal["colour", "gray", "lineart", "automatic"] = "colour"
    duplex: bool = True
    jpeg_quality: Annotated[int, Meta(ge=1, le=7)] = 4
    paper: Literal["automatic", "a4", "a5", "a6", "b5", "letter", "legal", "card"] = "automatic"
    overscan: bool = False
    double_feed: bool = True
    brightness: Steps = 0
    contrast: Steps = 0
    on_paper: bool = False


class Abilities(Struct):
    """What a unit said that it can do. Gray and lineart that it cannot do are made by the gateway."""

    resolutions_dpi: list[int]
    colours: list[str]
    duplex: bool
    max_width_mm: float
    max_height_mm: float
    has_button: bool
    overscan: bool
    double_feed: bool
    brightness: bool
    contrast: bool
