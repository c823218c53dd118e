"""What can go wrong, as rows: which fault, at which sheet, on which side. Data only; scanner.py plays them."""

from dataclasses import dataclass
from enum import StrEnum

from simulator.sheets import Side


class FaultKind(StrEnum):
    """What happens. The first five are the unit's own words (sense data); the others break the transport."""

    EMPTY = "empty"
    JAM = "jam"
    DOUBLE_FEED = "double_feed"
    COVER = "cover"
    WIFI = "wifi"
    TRUNCATED_JPEG = "truncated_jpeg"
    SHORT_REPLY = "short_reply"
    GARBAGE_STATUS = "garbage_status"
    STALL = "stall"
    UNPLUG_MID_PAGE = "unplug_mid_page"


IN_THE_PATH = frozenset({FaultKind.JAM, FaultKind.DOUBLE_FEED, FaultKind.COVER})
AT_FEED = IN_THE_PATH | {FaultKind.WIFI}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, played once.

    `at_sheet` counts the sheets fed from now on (1: the next). `side` None: at the feed for jam, double feed, cover and
    wifi, on the front for the others. ValueError for what cannot be played.
    """

    kind: FaultKind
    at_sheet: int = 1
    side: Side | None = None

    def __post_init__(self) -> None:
        if self.kind is FaultKind.EMPTY:
            raise ValueError("an empty feeder is no fault: load fewer sheets")
        if self.at_sheet < 1:
            raise ValueError("at_sheet counts from 1, the next sheet")
        if self.kind is FaultKind.WIFI and self.side is not None:
            raise ValueError("wifi stops the feed and has no side")

    @property
    def at_feed(self) -> bool:
        """Tell whether it stops the feed; otherwise it comes while a side is read."""
        return self.side is None and self.kind in AT_FEED
