"""The dialogue of a batch on the data channel, as generators that yield Commands and receive Replies. No I/O, no clock.

One batch:  begin, { feed, read_block .. per side } .., end      (protocols/scansnap-wifi-vens.md 8)
"""

from drivers.errors import PaperError, PaperFault, PeerError
from drivers.octets import Reader, u8, u24
from drivers.port import Status
from drivers.scsi import blocks, wire
from drivers.scsi.flow import SHORT_BUDGET_S, Dialogue, ask
from drivers.scsi.wire import Command, Opcode, WindowId
from drivers.vens.batch import Batch

_STATUS_BYTES = 32
_JOB_BYTES = 8
_BUSY_PAUSE_S = 0.1  # section 6.4: the same block again after 0.1 s


def identify() -> Dialogue[blocks.Inquiry]:
    """Ask a unit who it is; Refused if it is no Fujitsu scanner."""
    return blocks.Inquiry.decode((yield from ask(wire.inquiry(), SHORT_BUDGET_S)).data)


def status() -> Dialogue[Status]:
    """Ask for hopper, cover and button (section 6.5)."""
    return _status((yield from ask(_hardware_status(), SHORT_BUDGET_S)).data)


def begin(batch: Batch) -> Dialogue[None]:
    """Send everything that precedes the first sheet; PaperError where the unit says so beforehand."""
    yield from ask(_cancel())
    yield from ask(_parameters(batch.parameters))
    yield from ask(_start_job())
    now = yield from status()
    if now.cover_open:
        raise PaperError(PaperFault.COVER_OPEN, "The cover is open: close it until it clicks")
    if not now.paper:
        raise PaperError(PaperFault.EMPTY, "The feeder is empty: load paper")


def feed(*, first: bool) -> Dialogue[bool]:
    """Load the next sheet; False when the hopper is empty. Between two sheets the app asks for the status, too."""
    if not first:
        yield from status()
    try:
        yield from ask(_feed())
    except PaperError as fault:
        if fault.kind is PaperFault.EMPTY:
            return False
        raise
    return True


def read_block(batch: Batch, side: WindowId, page: int, sequence: int) -> Dialogue[tuple[bytes, bool]]:
    """Read the next bytes of a side, and whether they are its last (section 8.5)."""
    command = _read(side, batch.block_bytes, page, sequence)
    reply = yield from ask(command, pause_s=_BUSY_PAUSE_S)
    if len(reply.data) > command.data_in_length:
        raise PeerError(f"The scanner sent {len(reply.data)} bytes where {command.data_in_length} were asked for")
    sense = reply.sense
    return reply.data, sense is not None and (sense.eom or sense.ili)


def end() -> Dialogue[None]:
    """End the job; without it the unit stays occupied (section 8.5)."""
    yield from ask(_end_job(), SHORT_BUDGET_S)


def break_off() -> Dialogue[None]:
    """End the job in the middle of a page."""
    try:
        yield from ask(_cancel(), SHORT_BUDGET_S)
    finally:
        yield from end()


def _cancel() -> Command:
    """Drop what is inside.    d8 00 00 00 00 00"""
    return Command(bytes((Opcode.CANCEL_READ, 0, 0, 0, 0, 0)))


def _parameters(payload: bytes) -> Command:
    """Send the scan parameters.    d4 00 00 00 50 00"""
    return Command(bytes((Opcode.SCAN_PARAMETERS, 0, 0, 0)) + u8(len(payload)) + b"\0", payload)


def _start_job() -> Command:
    """Start the job.    d5 00 00 00 08 08"""
    return Command(bytes((Opcode.START_JOB, 0, 0, 0, _JOB_BYTES, _JOB_BYTES)), bytes(_JOB_BYTES), _JOB_BYTES)


def _feed() -> Command:
    """Feed a sheet.    e0 00 00 00 00 00"""
    return Command(bytes((Opcode.FEED, 0, 0, 0, 0, 0)))


def _end_job() -> Command:
    """End the job.    d6 00 00 00 00 00"""
    return Command(bytes((Opcode.END_JOB, 0, 0, 0, 0, 0)))


def _hardware_status() -> Command:
    """Ask for hopper, cover and button.    c2 00 00 00 00 00 00 00 20 00"""
    return Command(bytes((Opcode.HARDWARE_STATUS, 0, 0, 0, 0, 0, 0, 0, _STATUS_BYTES, 0)), data_in_length=_STATUS_BYTES)


def _read(side: WindowId, length: int, page: int, sequence: int) -> Command:
    """Read a block of a side's image, waiting for it.    28 00 00 02 00 80 04 00 00 00 01 02"""
    cdb = bytes((Opcode.READ, 0, 0, 2, 0, side)) + u24(length) + bytes((0, page & 0xFF, sequence & 0xFF))
    return Command(cdb, data_in_length=length)


def _status(data: bytes) -> Status:
    """Read the 32 bytes of C2: 3 bit 7 hopper empty, bit 5 cover; 4 the button, as on USB."""
    reader = Reader(data, "hardware status")
    paper, buttons = reader.seek(0x03).u8(), reader.u8()
    return Status(paper=not paper & 0x80, button=bool(buttons & 0x21), cover_open=bool(paper & 0x20))
