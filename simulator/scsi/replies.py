"""How a command ends: a reply, or CHECK CONDITION with one of the sense codes that a ScanSnap knows."""

from dataclasses import dataclass

from simulator.faults import FaultKind
from simulator.scsi.wire import Sense, Status, status_frame

BAD_CDB = Sense(5, 0x24, 0x00)
BAD_LENGTH = Sense(5, 0x1A, 0x00)
BAD_COMMAND = Sense(5, 0x20, 0x00)
BAD_ORDER = Sense(5, 0x2C, 0x00)
BAD_WINDOWS = Sense(5, 0x2C, 0x02)
NO_DATA = Sense(3, 0x80, 0x13)
TROUBLE: dict[FaultKind, Sense] = {
    FaultKind.NOT_READY: Sense(2, 0x00, 0x00),
    FaultKind.JAM: Sense(3, 0x80, 0x01),
    FaultKind.COVER: Sense(3, 0x80, 0x02),
    FaultKind.EMPTY: Sense(3, 0x80, 0x03),
    FaultKind.UNUSUAL_PAPER: Sense(3, 0x80, 0x04),
    FaultKind.DOUBLE_FEED: Sense(3, 0x80, 0x07),
    FaultKind.CARRIER_SHEET: Sense(3, 0x80, 0x09),
    FaultKind.JAM_INSIDE: Sense(3, 0x80, 0x0B),
    FaultKind.PAPER_PROTECTION: Sense(3, 0x80, 0x0D),
    FaultKind.STOP_BUTTON: Sense(3, 0x80, 0x20),
    FaultKind.WIFI: Sense(3, 0x80, 0x33),
    FaultKind.BATTERY: Sense(4, 0x80, 0x22),
    FaultKind.ASLEEP: Sense(6, 0x80, 0x01),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and data of one command; `broken`: how the transport is to spoil it."""

    status: Status
    data: bytes = b""
    broken: FaultKind | None = None


GOOD = Reply(Status.GOOD)
_GARBAGE = bytes.fromhex("00ff00ff00ff00ff00ff00ff00")


def runs(reply: Reply, in_length: int, packet_bytes: int) -> list[bytes]:
    """Return what goes to the host, as runs of packets: data of a command that asked for `in_length`, then the status.

    An empty run is a zero-length packet: a host's read ends with a short packet, so that short data of whole packets
    needs one behind it.
    """
    if reply.broken is FaultKind.EARLY_STATUS:
        return [status_frame(reply.status)]
    sent = [reply.data] if in_length else []
    short = 0 < len(reply.data) < in_length and len(reply.data) % packet_bytes == 0
    if short and reply.broken is not FaultKind.MISSING_ZLP:
        sent.append(b"")
    return [*sent, _GARBAGE if reply.broken is FaultKind.GARBAGE_STATUS else status_frame(reply.status)]


class Check(Exception):
    """CHECK CONDITION with this sense; `data` goes out all the same, `violation` if the host is to blame."""

    def __init__(self, sense: Sense, data: bytes = b"", violation: str = "") -> None:
        super().__init__(violation or str(sense))
        self.sense = sense
        self.data = data
        self.violation = violation
