"""Faults as they meet a command: what comes instead of its reply, and what is wrong with its reply. No state."""

from dataclasses import replace

from simulator.faults import AT_FEED, Fault, FaultKind
from simulator.scsi import replies
from simulator.scsi.replies import Check, Reply
from simulator.scsi.wire import SENSE_LENGTH, Sense, Status

GARBAGE_SENSE = bytes.fromhex("a5") * SENSE_LENGTH
_PACKET_BYTES = 512

# The command is not done: a block that was asked for stays inside.
INSTEAD = AT_FEED | {
    FaultKind.SENSE,
    FaultKind.BUSY,
    FaultKind.GARBAGE_SENSE,
    FaultKind.EARLY_STATUS,
    FaultKind.STALL,
    FaultKind.UNPLUG,
    FaultKind.UNPLUG_MID_PAGE,
}


def instead(fault: Fault) -> Reply:
    """Return what comes instead of a reply; Check where that is a sense."""
    if fault.sense is not None:
        key, asc, ascq = fault.sense
        raise Check(Sense(key, asc, ascq))
    if fault.kind in replies.TROUBLE:
        raise Check(replies.TROUBLE[fault.kind])
    if fault.kind is FaultKind.BUSY:
        return Reply(Status.BUSY)
    if fault.kind in (FaultKind.STALL, FaultKind.EARLY_STATUS):
        return Reply(Status.GOOD, broken=fault.kind)
    raise Check(replies.NO_DATA)  # garbage in place of this sense; after an unplugging it reaches nobody


def spoilt(fault: Fault, reply: Reply, in_length: int) -> Reply:
    """Return a reply as this fault makes it."""
    match fault.kind:
        case FaultKind.SHORT_REPLY:
            return replace(reply, data=reply.data[: len(reply.data) // 2])
        case FaultKind.MISSING_ZLP:
            whole = min(len(reply.data), in_length - 1) // _PACKET_BYTES * _PACKET_BYTES
            return replace(reply, data=reply.data[:whole], broken=fault.kind)
        case FaultKind.GARBAGE_STATUS:
            return Reply(Status.GOOD, reply.data, fault.kind)
        case _:
            return reply


def misled(fault: Fault, sense: Sense | None, reply: Reply, in_length: int) -> Sense | None:
    """Return the sense of a reply as this fault makes it: WRONG_RESIDUE disagrees with the bytes that came."""
    if sense is None or not sense.eom:
        return sense
    residue = in_length - len(reply.data)
    if fault.kind is FaultKind.WRONG_RESIDUE:
        return replace(sense, ili=True, information=residue + _PACKET_BYTES)
    return replace(sense, ili=True, information=residue) if fault.kind is FaultKind.MISSING_ZLP else sense
