"""What can go wrong, as rows: which fault, at which sheet or command. Data only; scanner.py and scsi/ play them."""

from dataclasses import dataclass
from enum import StrEnum

from simulator.sheets import Side


class FaultKind(StrEnum):
    """What happens: first the unit's own words (sense data), then what the transport does."""

    EMPTY = "empty"
    JAM = "jam"
    JAM_INSIDE = "jam_inside"  # the iX1300's second code
    DOUBLE_FEED = "double_feed"
    COVER = "cover"
    CARRIER_SHEET = "carrier_sheet"
    UNUSUAL_PAPER = "unusual_paper"
    PAPER_PROTECTION = "paper_protection"
    STOP_BUTTON = "stop_button"
    BATTERY = "battery"
    WIFI = "wifi"
    NOT_READY = "not_ready"
    ASLEEP = "asleep"
    SENSE = "sense"  # any: see Fault.sense
    BUSY = "busy"
    TRUNCATED_JPEG = "truncated_jpeg"
    SHORT_REPLY = "short_reply"
    WRONG_RESIDUE = "wrong_residue"
    GARBAGE_SENSE = "garbage_sense"
    GARBAGE_STATUS = "garbage_status"
    EARLY_STATUS = "early_status"
    MISSING_ZLP = "missing_zlp"
    SLOW = "slow"
    STALL = "stall"
    UNPLUG = "unplug"
    UNPLUG_MID_PAGE = "unplug_mid_page"
    WIFI_DROP = "wifi_drop"  # in mid-page, until it is restored


# The paper stays where it is until somebody opens the cover (which COVER itself does).
IN_THE_PATH = frozenset(
    {
        FaultKind.JAM,
        FaultKind.JAM_INSIDE,
        FaultKind.DOUBLE_FEED,
        FaultKind.COVER,
        FaultKind.CARRIER_SHEET,
        FaultKind.UNUSUAL_PAPER,
        FaultKind.PAPER_PROTECTION,
    }
)
# The unit does not move: the sheet stays in the feeder.
REFUSALS = frozenset({FaultKind.WIFI, FaultKind.STOP_BUTTON, FaultKind.BATTERY, FaultKind.NOT_READY, FaultKind.ASLEEP})
AT_FEED = IN_THE_PATH | REFUSALS
# Only the blocks of an image have these.
OF_IMAGES = frozenset(
    {FaultKind.TRUNCATED_JPEG, FaultKind.WRONG_RESIDUE, FaultKind.UNPLUG_MID_PAGE, FaultKind.WIFI_DROP}
)
_MOST_TIMES = 1000
_MAX_DELAY_S = 600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, played `times` times.

    `at_sheet` counts the sheets fed from now on (1: the next). `side` None: at the feed for what AT_FEED names, on the
    front for the others. `command`: at the next command of this opcode instead, whatever the sheet. `delay_s` is how
    long SLOW takes; `sense` is key, ASC and ASCQ of SENSE. ValueError for what cannot be played.
    """

    kind: FaultKind
    at_sheet: int = 1
    side: Side | None = None
    command: int | None = None
    times: int = 1
    delay_s: float = 1.0
    sense: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.kind is FaultKind.EMPTY:
            raise ValueError("an empty feeder is no fault: load fewer sheets")
        if self.at_sheet < 1:
            raise ValueError("at_sheet counts from 1, the next sheet")
        if self.kind is FaultKind.WIFI and self.side is not None:
            raise ValueError("wifi stops the feed and has no side")
        if not 1 <= self.times <= _MOST_TIMES:
            raise ValueError(f"times is 1 to {_MOST_TIMES}")
        if not 0 <= self.delay_s <= _MAX_DELAY_S:
            raise ValueError(f"delay_s is 0 to {_MAX_DELAY_S:.0f} seconds")
        if (self.sense is not None) != (self.kind is FaultKind.SENSE):
            raise ValueError("the kind sense, and no other, has a sense: key, ASC, ASCQ")
        if self.sense is not None and not _is_sense(self.sense):
            raise ValueError("a sense is a key from 0 to 15, an ASC and an ASCQ from 0 to 255")
        if self.command is not None and not 0 <= self.command <= 0xFF:
            raise ValueError("command is an opcode, 0 to 255")
        if self.command is not None and (self.kind in OF_IMAGES | IN_THE_PATH or self.side is not None):
            raise ValueError(f"{self.kind} on a side does not strike a command")

    @property
    def at_feed(self) -> bool:
        """Tell whether it stops the feed; otherwise it comes while a side is read."""
        return self.side is None and self.command is None and self.kind in AT_FEED


def _is_sense(sense: tuple[int, int, int]) -> bool:
    return len(sense) == 3 and all(0 <= value <= most for value, most in zip(sense, (0x0F, 0xFF, 0xFF), strict=True))
