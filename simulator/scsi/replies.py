"""How a command ends: a reply, or CHECK CONDITION with one of the sense codes that a ScanSnap knows."""

from dataclasses import dataclass

from simulator.faults import FaultKind
from simulator.scsi.wire import Sense, Status

BAD_CDB = Sense(5, 0x24, 0x00)
BAD_LENGTH = Sense(5, 0x1A, 0x00)
BAD_COMMAND = Sense(5, 0x20, 0x00)
BAD_ORDER = Sense(5, 0x2C, 0x00)
NO_DATA = Sense(3, 0x80, 0x13)
TROUBLE: dict[FaultKind, Sense] = {
    FaultKind.JAM: Sense(3, 0x80, 0x01),
    FaultKind.COVER: Sense(3, 0x80, 0x02),
    FaultKind.EMPTY: Sense(3, 0x80, 0x03),
    FaultKind.DOUBLE_FEED: Sense(3, 0x80, 0x07),
    FaultKind.WIFI: Sense(3, 0x80, 0x33),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and data of one command; `broken`: how the transport is to spoil it."""

    status: Status
    data: bytes = b""
    broken: FaultKind | None = None


GOOD = Reply(Status.GOOD)


class Check(Exception):
    """CHECK CONDITION with this sense; `data` goes out all the same, `violation` if the host is to blame."""

    def __init__(self, sense: Sense, data: bytes = b"", violation: str = "") -> None:
        super().__init__(violation or str(sense))
        self.sense = sense
        self.data = data
        self.violation = violation
