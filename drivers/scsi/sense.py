"""The sense table: what each (key, ASC, ASCQ) means for the dialogue, and the sentence for the person at the unit.

Source: SANE fujitsu 1.2.1; rows of the vendor's own driver as described by open drivers for iX100 and iX1300.
"""

from collections.abc import Callable
from enum import StrEnum, auto

from drivers.errors import (
    Busy,
    DriverError,
    MisuseError,
    PaperError,
    PaperFault,
    PeerError,
    Refused,
    Unsupported,
)
from drivers.scsi.wire import Command, Reply, ScsiStatus, Sense


class Course(StrEnum):
    """How the dialogue goes on after a reply."""

    DONE = auto()
    WAIT = auto()  # not yet: the same command again, later
    REPEAT = auto()  # not executed (unit attention): the same command again, now


_WAITS = {
    (0x2, 0x00, 0x00): "the unit is not ready",
    (0x3, 0x80, 0x13): "no data yet",
    (0x3, 0x80, 0x32): "scanning is paused at the unit",
}

_SERVICE = "Switch the scanner off and on; if it stays, it needs service"

_PAPER: dict[tuple[int, int, int], tuple[PaperFault, str]] = {
    (0x3, 0x80, 0x01): (PaperFault.JAM, "Paper jam: open the cover, take the sheet out, close it"),
    (0x3, 0x80, 0x02): (PaperFault.COVER_OPEN, "The cover is open: close it until it clicks"),
    (0x3, 0x80, 0x03): (PaperFault.EMPTY, "The feeder is empty: load paper"),
    (0x3, 0x80, 0x04): (
        PaperFault.JAM,
        "The paper is unusual in shape or thickness: take it out, scan it by itself",
    ),
    (0x3, 0x80, 0x07): (PaperFault.DOUBLE_FEED, "Two sheets went in together: open the cover, separate them, reload"),
    (0x3, 0x80, 0x08): (PaperFault.JAM, "The feeder is not set up: check its guides and its cover"),
    (0x3, 0x80, 0x09): (PaperFault.CARRIER_SHEET, "A carrier sheet went in: take it out, or load only one"),
    (0x3, 0x80, 0x0B): (PaperFault.JAM, "Paper jam: open the cover, take the sheet out, close it"),
    (0x3, 0x80, 0x0C): (PaperFault.JAM, "A card blocks the feeder: take it out"),
    (0x3, 0x80, 0x0D): (PaperFault.JAM, "Stopped to protect the paper: take the sheet out, smooth it, reload"),
    (0x3, 0x80, 0x30): (PaperFault.EMPTY, "There is not enough paper in the feeder: load more"),
    (0x5, 0x00, 0x00): (PaperFault.JAM, "The sheet went in too early: take it out and load it again"),
}

_OTHER: dict[tuple[int, int, int], tuple[Callable[[str], DriverError], str]] = {
    (0x3, 0x80, 0x10): (Refused, "The imprinter has no ink cartridge: put one in"),
    (0x3, 0x80, 0x14): (Refused, "The imprinter reports an error: check it"),
    (0x3, 0x80, 0x20): (Refused, "Somebody pressed Stop at the scanner: press Scan to start again"),
    (0x3, 0x80, 0x22): (Refused, "The scan was halted at the scanner: press Scan to start again"),
    (0x3, 0x80, 0x31): (Refused, "Scanning is disabled at the scanner: enable it on its panel"),
    (0x3, 0x80, 0x33): (Refused, "The scanner is held by its Wi-Fi: end that connection or switch its Wi-Fi off"),
    (0x4, 0x44, 0x00): (Refused, f"The scanner's memory chip fails. {_SERVICE}"),
    (0x4, 0x80, 0x01): (Refused, f"The flatbed motor's fuse is blown. {_SERVICE}"),
    (0x4, 0x80, 0x02): (Refused, f"The heater's fuse is blown. {_SERVICE}"),
    (0x4, 0x80, 0x03): (Refused, f"The lamp's fuse is blown. {_SERVICE}"),
    (0x4, 0x80, 0x04): (Refused, f"The feeder motor's fuse is blown. {_SERVICE}"),
    (0x4, 0x80, 0x05): (Refused, f"The scanner's mechanics fail. {_SERVICE}"),
    (0x4, 0x80, 0x06): (Refused, f"The scanner's optics fail. Clean the glass. {_SERVICE}"),
    (0x4, 0x80, 0x07): (Refused, f"The scanner's fan fails. {_SERVICE}"),
    (0x4, 0x80, 0x08): (Refused, f"The scanner's image processor fails. {_SERVICE}"),
    (0x4, 0x80, 0x10): (Refused, f"The imprinter fails. {_SERVICE}"),
    (0x4, 0x80, 0x11): (Refused, f"The imprinter's fuse is blown. {_SERVICE}"),
    (0x4, 0x80, 0x22): (Refused, "The battery is too low to scan: charge the scanner"),
    (0x4, 0x80, 0x80): (Refused, f"The scanner's interface timed out. {_SERVICE}"),
    (0x4, 0x80, 0x81): (Refused, f"The scanner's interface fails. {_SERVICE}"),
    (0x4, 0x80, 0x82): (Refused, f"The scanner's interface fails. {_SERVICE}"),
    (0x5, 0x1A, 0x00): (MisuseError, "The scanner rejects the length of the parameters"),
    (0x5, 0x20, 0x00): (MisuseError, "The scanner does not know the command"),
    (0x5, 0x24, 0x00): (MisuseError, "The scanner rejects a field of the command"),
    (0x5, 0x25, 0x00): (Unsupported, "The scanner has no such logical unit"),
    (0x5, 0x26, 0x00): (MisuseError, "The scanner rejects a parameter"),
    (0x5, 0x2C, 0x00): (MisuseError, "The scanner rejects the order of the commands"),
    (0x5, 0x2C, 0x02): (MisuseError, "The scanner rejects this combination of windows"),
    (0xB, 0x43, 0x00): (PeerError, "Message error between scanner and gateway: check the cable"),
    (0xB, 0x45, 0x00): (PeerError, "Selection error between scanner and gateway: check the cable"),
    (0xB, 0x47, 0x00): (PeerError, "Parity error between scanner and gateway: check the cable"),
    (0xB, 0x48, 0x00): (PeerError, "The scanner reports an initiator error: check the cable"),
    (0xB, 0x4E, 0x00): (PeerError, "The scanner reports overlapped commands: scan again"),
    (0xB, 0x80, 0x01): (PeerError, "The scanner could not transfer the image: scan again"),
    (0xB, 0x80, 0x03): (
        Refused,
        "The page is too big for the scanner's memory: lower the resolution or the quality",
    ),
}

_KEYS: dict[int, tuple[Callable[[str], DriverError], str]] = {
    0x2: (Busy, "The scanner is not ready"),
    0x3: (Refused, "The scanner reports a trouble with paper or operation: look at its panel"),
    0x4: (Refused, f"The scanner reports a hardware fault. {_SERVICE}"),
    0x5: (MisuseError, "The scanner rejects a request"),
    0xB: (PeerError, "The scanner aborted the command: scan again"),
}

_NO_SENSE = 0x0
_UNIT_ATTENTION = 0x6


def course(command: Command, reply: Reply) -> Course:
    """Tell how to go on after a reply; raise the DriverError that its sense stands for."""
    if reply.status is ScsiStatus.GOOD:
        return Course.DONE
    if reply.status is ScsiStatus.BUSY:
        return Course.WAIT
    if reply.sense is None:
        raise PeerError(f"{command.name}: the scanner failed and gave no reason")
    if reply.sense.key == _NO_SENSE:
        return Course.DONE
    if reply.sense.key == _UNIT_ATTENTION:
        return Course.REPEAT
    if reply.sense.code in _WAITS:
        return Course.WAIT
    raise error(command, reply.sense)


def error(command: Command, sense: Sense) -> DriverError:
    """Return the error that a sense stands for; an unknown code falls back to its key."""
    paper = _PAPER.get(sense.code)
    if paper is not None:
        return PaperError(*paper)
    kind, sentence = _OTHER.get(sense.code) or _KEYS.get(sense.key, (PeerError, "The scanner reports an unknown state"))
    at = f", parameter byte {sense.field:#x}" if sense.field is not None else ""
    return kind(f"{sentence} ({command.name}, sense {sense}{at})")
