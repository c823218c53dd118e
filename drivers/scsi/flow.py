"""The dialogue with a scanner, as generators that yield Commands and receive Replies. No I/O, no clock.

One batch:  ready, begin_batch, { feed, start_sheet, { open_side, read_block .. } per side } .., finish_batch
Waiting is counted in the seconds of the pauses that were asked for. Order and retries: SANE fujitsu 1.2.1.
"""

from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from drivers.errors import Busy, DriverError, MisuseError, PaperError, PaperFault, PeerError, Refused, Unreachable
from drivers.flow import Flow, Pause
from drivers.models import Model, ModePage
from drivers.raw import RawHeader
from drivers.scsi import blocks, tables, wire
from drivers.scsi.job import Identity, Job
from drivers.scsi.sense import Course, course
from drivers.scsi.wire import Command, Reply, WindowId

Result = TypeVar("Result")
Dialogue: TypeAlias = Flow[Command, Reply, Result]

_BUSY_PAUSE_S = 0.2  # SANE repeats a busy command after 0.1 to 0.5 s
_READY_PAUSE_S = 0.5  # SANE's step for RIC and lamp, 120 times
LONG_BUDGET_S = 60.0  # lamp warm-up, paper motion and image memory; SANE gives up then, too
SHORT_BUDGET_S = 2.0  # a question about the unit itself is answered at once, or another job holds it
_READY_TRIES = 3  # SANE's tries for TEST UNIT READY
_ATTENTIONS = 4  # a reset or a wake-up each costs one repeat; more in a row is a fault

_CLEAR = b"\x80\xc0"
_HALTING = frozenset({PaperFault.JAM, PaperFault.EMPTY, PaperFault.COVER_OPEN})


@dataclass(frozen=True, slots=True)
class Opened:
    """A side whose first block is there: READs of `block_bytes`; `header` of raw rows, None for JPEG.

    `byte_count`: how much raw data will come at the most; 0 where nobody knows.
    """

    block_bytes: int
    header: RawHeader | None
    byte_count: int


@dataclass(frozen=True, slots=True)
class Block:
    """The next bytes of a side; `end`: the unit said that these are the last."""

    data: bytes
    end: bool


def identify() -> Dialogue[Identity]:
    """Ask a unit who it is; Refused if it is no Fujitsu scanner."""
    inquiry = blocks.Inquiry.decode((yield from ask(wire.inquiry(), SHORT_BUDGET_S)).data)
    vpd = blocks.Vpd.decode((yield from ask(wire.inquiry_vpd(), SHORT_BUDGET_S)).data)
    yield from ask(wire.get_device_id(), SHORT_BUDGET_S)
    serial = blocks.decode_device_id((yield from ask(wire.read_device_id(), SHORT_BUDGET_S)).data)
    return Identity(inquiry, vpd, serial)


def status() -> Dialogue[blocks.HardwareStatus]:
    """Poll hopper, cover and button: one command."""
    return blocks.HardwareStatus.decode((yield from ask(wire.hardware_status(), SHORT_BUDGET_S)).data)


def ready() -> Dialogue[None]:
    """Wait until the unit is ready. A unit that wakes up may let the first tries go unanswered."""
    for left in reversed(range(_READY_TRIES)):
        try:
            yield from ask(wire.test_unit_ready())
        except Unreachable:
            if not left:
                raise
        else:
            return


def begin_batch(job: Job) -> Dialogue[None]:
    """Send everything that precedes the first sheet; PaperError(EMPTY) where the unit says so beforehand.

    Never to be sent between sheets: SET WINDOW would drop the sheets that are already inside.
    """
    model = job.model
    if job.select_adf:
        yield from ask(wire.use_adf())
    if model.pre_read:
        yield from ask(wire.send_diagnostic(blocks.pre_read(job.window)))
    for page in model.mode_pages:
        yield from _set(page, job.settings.get(page, b""))  # the others: the unit's own defaults
    yield from ask(wire.set_window(job.window.encode(job.sides)))
    if job.lut_entries:
        yield from ask(wire.send_lut(tables.lut(job.lut_entries)))
    if model.q_table:
        yield from ask(wire.send_q_table(tables.q_table()))
    yield from ask(wire.lamp_on(), pause_s=_READY_PAUSE_S)
    if model.ghs_before_feed and (yield from status()).hopper_empty:
        raise PaperError(PaperFault.EMPTY, "The feeder is empty: load paper")


def feed(job: Job) -> Dialogue[bool]:
    """Load the next sheet; False when the hopper is empty."""
    try:
        yield from ask(wire.feed())
    except PaperError as fault:
        if fault.kind is PaperFault.EMPTY:
            return False
        raise
    if job.model.tur_after_feed:
        yield from ask(wire.test_unit_ready())
    return True


def start_sheet(job: Job) -> Dialogue[None]:
    """Start the sheet that was fed."""
    yield from ask(wire.scan(job.sides))


def open_side(job: Job, side: WindowId) -> Dialogue[Opened]:
    """Ask how large a side will be and wait until its first block is there."""
    size = yield from _pixel_size(side)
    header = job.raw_header(_row_px(job, size))
    opened = Opened(
        block_bytes=job.block_bytes(header),
        header=header,
        byte_count=header.row_bytes * size.height_px if header and size else 0,
    )
    try:
        yield from ask(wire.image_ready(side, opened.block_bytes), pause_s=_READY_PAUSE_S)
    except PaperError as fault:
        if fault.kind in _HALTING:
            raise
    except (Refused, MisuseError):
        pass  # like SANE: the READ that follows says what is really wrong
    return opened


def read_block(opened: Opened, side: WindowId) -> Dialogue[Block]:
    """Read the next bytes of a side. Empty data comes only with the end."""
    command = wire.read_image(side, opened.block_bytes)
    waited_s = 0.0
    while True:
        block = _block(command, (yield from ask(command)))
        if block.data or block.end:
            return block
        if waited_s >= LONG_BUDGET_S:
            raise Unreachable("The scanner stopped sending the page: check it, then scan again")
        yield Pause(_BUSY_PAUSE_S, "no data yet")
        waited_s += _BUSY_PAUSE_S


def finish_batch(model: Model) -> Dialogue[None]:
    """End a batch, done or broken off: drop what is inside and leave buffering off.

    iX1300 to iX1600 need this after an empty hopper, too: their firmware hangs without it.
    """
    failure: DriverError | None = None
    try:
        yield from ask(wire.cancel())
    except DriverError as raised:
        failure = raised
    if ModePage.BUFFERING in model.mode_pages:
        yield from _set(ModePage.BUFFERING, _CLEAR)
    if failure is not None:
        raise failure


def recover(model: Model) -> Dialogue[None]:
    """Bring a unit back whose last host died in the middle of a page."""
    yield from ready()
    yield from finish_batch(model)


def _block(command: Command, reply: Reply) -> Block:
    """Return the data that counts: with ILI, the sense's residual is right and the transfer may hold more.

    A short block comes with ILI or EOM (protocols/fujitsu-usb.md 6.1); without, the page would have a hole.
    """
    sense = reply.sense
    if sense is None or not sense.ili:
        if 0 < len(reply.data) < command.data_in_length and not (sense and sense.eom):
            raise PeerError(f"The scanner lost image data: {len(reply.data)} of {command.data_in_length} bytes came")
        return Block(reply.data, end=False)
    count = command.data_in_length - sense.information
    if not 0 <= count <= len(reply.data):
        raise PeerError(f"The scanner lost image data: {len(reply.data)} bytes came, {count} were announced")
    return Block(reply.data[:count], end=sense.eom)


def _row_px(job: Job, size: blocks.PixelSize | None) -> int:
    """Return the pixels of a row: what the unit says, else what was asked for. SANE goes by that reply, too."""
    if size is None:
        return job.width_px
    if not job.window.jpeg and not 0 < size.width_px <= 2 * job.width_px:
        raise PeerError(f"The scanner states a width of {size.width_px} pixels where {job.width_px} were asked for")
    return size.width_px


def _pixel_size(side: WindowId) -> Dialogue[blocks.PixelSize | None]:
    try:
        return blocks.PixelSize.decode((yield from ask(wire.read_pixel_size(side))).data)
    except (MisuseError, PeerError):
        return None


def _set(page: ModePage, settings: bytes) -> Dialogue[None]:
    """Set a mode page. A unit may lack one: it then scans without that setting."""
    command = wire.mode_select(blocks.mode_page(int(page, 16), settings))
    try:
        yield from ask(command)
    except MisuseError:
        return


def ask(command: Command, budget_s: float = LONG_BUDGET_S, *, pause_s: float = _BUSY_PAUSE_S) -> Dialogue[Reply]:
    """Yield a command until the unit is done with it; raise what its sense stands for."""
    waited_s = 0.0
    attentions = 0
    while True:
        reply = yield command
        if reply is None:
            raise MisuseError(f"{command.name}: the runner gave no reply")
        match course(command, reply):
            case Course.DONE:
                return reply
            case Course.REPEAT:
                attentions += 1
                if attentions >= _ATTENTIONS:
                    raise PeerError("The scanner resets itself again and again: switch it off and on")
            case Course.WAIT:
                if waited_s >= budget_s:
                    raise Busy(f"The scanner stayed busy for {budget_s:.0f} s ({command.name})")
                yield Pause(pause_s, f"{command.name}: busy")
                waited_s += pause_s
