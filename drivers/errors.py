"""The one error tree of the drivers. A caller learns from the class alone what to do next.

DriverError
├── Unreachable    the unit is gone or silent           -> wait for the next sighting
├── Busy           another program or job holds it       -> retry quietly
├── Refused        the unit says no and says why         -> tell the owner
│   └── WrongPassword  it wants another password         -> ask the owner for it
├── PaperError     a person must touch the paper         -> tell the owner, the scan pauses
├── PeerError      the unit broke the protocol (theirs)  -> pause, log the bytes
├── MisuseError    we broke the protocol (ours)          -> a bug
└── Unsupported    a unit or mode that is not driven     -> say so
"""

from enum import StrEnum


class PaperFault(StrEnum):
    """What a person must see to before the feeder moves again."""

    EMPTY = "empty"
    JAM = "jam"
    COVER_OPEN = "cover_open"
    DOUBLE_FEED = "double_feed"
    CARRIER_SHEET = "carrier_sheet"


class DriverError(Exception):
    """Any failure of a scanner or of the talk with it; `str()` is a sentence a person can act on."""


class Unreachable(DriverError):
    """The unit was unplugged, switched off, closed, or does not answer in time."""


class Busy(DriverError):
    """Another program, session or job holds the unit; the same call may succeed later."""


class Refused(DriverError):
    """The unit understood and declined; retrying the same call changes nothing by itself."""


class WrongPassword(Refused):
    """The unit does not take the password that it was given."""


class PaperError(DriverError):
    """The paper path needs a person."""

    def __init__(self, kind: PaperFault, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class PeerError(DriverError):
    """The unit's bytes contradict the protocol."""


class MisuseError(DriverError):
    """The driver's own bytes or order were rejected: a bug of ours."""


class Unsupported(DriverError):
    """A model, family or mode that this driver does not drive."""
