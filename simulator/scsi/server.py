"""A unit's firmware: one command in, one reply out, and the state between them (windows, sense, the page).

What the host does wrong goes to `scanner.errors`, whether or not the unit would notice.
"""

import asyncio
from collections.abc import Awaitable, Callable

from simulator.faults import IN_THE_PATH, Fault, FaultKind
from simulator.scanner import VirtualScanner
from simulator.scsi import blocks, replies
from simulator.scsi.blocks import FieldError, Window
from simulator.scsi.identity import Identity
from simulator.scsi.page import SIDES, SideImage, renderer
from simulator.scsi.replies import Check, Reply
from simulator.scsi.wire import SENSE_LENGTH, Command, Op, Sense, Status
from simulator.sheets import QTables, Sheet

_PATIENCE_S = 0.25  # a readiness question is held back so long; a host that is told "no data" waits 0.5 s
_AUTO_LENGTH = 0x80  # mode page 3C, byte 3
_BUFFERING_MASK, _BUFFERING_ON = 0xC0, 0xC0  # mode page 3A, byte 2

_CONTROL_CANCEL = 0x04
_CONTROL_NOTHING = frozenset({0x00, 0x03, 0x05, 0x06, 0x07})  # ADF; lamp off, on, normal, saving
_READY = 0x10
_EJECT, _FEED, _HALT = 0x00, 0x01, 0x04
_IMAGE, _PIXEL_SIZE, _PAPER_SIZE = 0x00, 0x80, 0x81
_LUT, _Q_TABLE = 0x83, 0x88

_Handler = Callable[[Command, bytes], Awaitable[Reply]]


class Target:
    """The state machine of one unit. One command at a time."""

    def __init__(self, scanner: VirtualScanner) -> None:
        self._scanner = scanner
        self._sense: Sense | None = None
        self._windows: dict[int, Window] = {}
        self._mode: dict[int, bytes] = {}
        self._qtables: QTables | None = None
        self._lut = b""
        self._sheet: Sheet | None = None
        self._sides: dict[int, SideImage] = {}
        self._in_batch = False
        self._cancel_owed = False
        self._ready_at_s = 0.0
        self._identity = identity = Identity(scanner)
        self._handlers: dict[int, _Handler] = {
            Op.TEST_UNIT_READY: self._nothing,
            Op.RESERVE: self._nothing,
            Op.RELEASE: self._nothing,
            Op.REQUEST_SENSE: self._request_sense,
            Op.INQUIRY: identity.inquiry,
            Op.MODE_SENSE: identity.mode_sense,
            Op.MODE_SELECT: self._mode_select,
            Op.SEND_DIAGNOSTIC: identity.send_diagnostic,
            Op.READ_DIAGNOSTIC: identity.read_diagnostic,
            Op.SET_WINDOW: self._set_window,
            Op.SEND: self._send,
            Op.OBJECT_POSITION: self._object_position,
            Op.SCAN: self._scan,
            Op.READ: self._read,
            Op.HARDWARE_STATUS: identity.hardware_status,
            Op.SCANNER_CONTROL: self._scanner_control,
        }

    async def execute(self, command: Command, data_out: bytes) -> Reply:
        """Do one command; the reply's data is never longer than the command asked for."""
        for violation in command.violations:
            self._scanner.violation(violation)
        if command.op != Op.REQUEST_SENSE:
            self._sense = None
        try:
            if len(data_out) != command.out_length:
                raise Check(replies.BAD_LENGTH, violation=_lengths(command, data_out))
            handler = self._handlers.get(command.op)
            if handler is None:
                raise Check(replies.BAD_COMMAND)
            reply = await handler(command, data_out)
        except Check as check:
            self._sense = check.sense
            if check.violation:
                self._scanner.violation(check.violation)
            reply = Reply(Status.CHECK, check.data)
        except FieldError as error:
            self._sense = Sense(5, 0x26, 0x00, field_at=error.at)
            self._scanner.note(f"command {command.op:02x} refused: {error}")
            reply = Reply(Status.CHECK)
        return Reply(reply.status, reply.data[: command.in_length], reply.broken)

    async def reset(self) -> None:
        """Forget everything, as without power."""
        await self._discard()
        self._identity.reset()
        self._sense = None
        self._windows, self._mode = {}, {}
        self._qtables, self._lut = None, b""
        self._in_batch = self._cancel_owed = False

    async def _nothing(self, _command: Command, _data: bytes) -> Reply:
        return replies.GOOD

    async def _request_sense(self, command: Command, _data: bytes) -> Reply:
        if command.in_length != SENSE_LENGTH:
            self._scanner.violation(f"REQUEST SENSE asks for {command.in_length} bytes, not {SENSE_LENGTH}")
        sense, self._sense = self._sense or Sense(0), None
        return Reply(Status.GOOD, sense.encode())

    # --- settings of a batch

    async def _mode_select(self, _command: Command, data: bytes) -> Reply:
        page, settings = blocks.parse_mode_page(data)
        if page not in self._scanner.model.mode_pages:
            raise FieldError(4, f"mode page {page:02x}")
        self._mode[page] = settings
        return replies.GOOD

    async def _set_window(self, _command: Command, data: bytes) -> Reply:
        if self._in_batch:
            self._scanner.violation("SET WINDOW between two sheets of a batch")
        self._owes_no_cancel()
        windows = blocks.parse_windows(data, self._scanner.model)
        await self._discard()
        self._windows = {window.id: window for window in windows}
        return replies.GOOD

    async def _send(self, command: Command, data: bytes) -> Reply:
        match command.cdb[2]:
            case kind if kind == _LUT:
                self._lut = blocks.parse_lut(data)
                if len(self._lut) not in (256, self._scanner.model.lut_entries):
                    raise FieldError(4, f"{len(self._lut)} table entries")
            case kind if kind == _Q_TABLE:
                self._qtables = blocks.parse_q_table(data)
            case _:
                raise Check(replies.BAD_CDB)
        return replies.GOOD

    # --- paper

    async def _object_position(self, command: Command, _data: bytes) -> Reply:
        match command.cdb[1]:
            case kind if kind == _FEED:
                await self._feed()
            case kind if kind in (_EJECT, _HALT):
                await self._discard()
                self._in_batch = False
            case _:
                raise Check(replies.BAD_CDB)
        return replies.GOOD

    async def _feed(self) -> None:
        if not self._windows:
            raise Check(replies.BAD_ORDER, violation="feed without a window")
        self._owes_no_cancel()
        unread = [side.side for side in self._sides.values() if not side.complete]
        if unread:
            self._scanner.violation(f"next sheet fed before the {unread[0]} of the last one was read")
        await self._discard()
        outcome = self._scanner.feed()
        if isinstance(outcome, FaultKind):
            self._in_batch = False
            self._cancel_owed = outcome is FaultKind.EMPTY and self._scanner.model.wants_cancel
            raise Check(replies.TROUBLE[outcome])
        self._sheet = outcome
        self._ready_at_s = self._next_ready_s()
        self._in_batch = True

    def _next_ready_s(self) -> float:
        """Return when the sheet that was fed has gone past the sensors; a buffering unit pulls it by itself."""
        now_s = asyncio.get_running_loop().time()
        buffering = self._mode.get(0x3A, b"\0")[0] & _BUFFERING_MASK == _BUFFERING_ON
        start_s = self._ready_at_s if buffering and self._in_batch else now_s
        return start_s + self._scanner.feed_s

    async def _scan(self, _command: Command, data: bytes) -> Reply:
        if self._sheet is None or self._sides or not data or any(id_ not in self._windows for id_ in data):
            raise Check(replies.BAD_ORDER, violation=f"SCAN of windows {data.hex(' ')} out of order")
        for id_ in data:
            self._sides[id_] = self._side_image(self._sheet, self._windows[id_])
        return replies.GOOD

    def _side_image(self, sheet: Sheet, window: Window) -> SideImage:
        if window.lut and not self._lut:
            self._scanner.violation("the window asks for a lookup table that was not sent")
        side = SIDES[window.id]
        render = renderer(
            sheet, side, window, self._scanner.model, self._qtables, to_the_paper=self._ends_with_the_paper
        )
        return SideImage(sheet, side, render, ready_at_s=self._ready_at_s, busy=self._scanner.spec.busy_polls)

    @property
    def _ends_with_the_paper(self) -> bool:
        return bool(self._mode.get(0x3C, b"\0\0")[1] & _AUTO_LENGTH)

    async def _scanner_control(self, command: Command, _data: bytes) -> Reply:
        if command.cdb[1] & _READY:
            await self._image_ready(self._side(command.cdb[2]), command.be(6, 3))
            return replies.GOOD
        function = command.cdb[1] & 0x0F | command.cdb[2] << 4
        if function == _CONTROL_CANCEL:
            await self._discard()
            self._in_batch = self._cancel_owed = False
        elif function not in _CONTROL_NOTHING:
            raise Check(replies.BAD_CDB)
        return replies.GOOD

    async def _image_ready(self, side: SideImage, length: int) -> None:
        side.announced = length
        if side.busy_polls:
            side.busy_polls -= 1
            raise Check(replies.NO_DATA)
        if not await side.ready(_PATIENCE_S):
            raise Check(replies.NO_DATA)

    # --- images

    async def _read(self, command: Command, _data: bytes) -> Reply:
        match command.cdb[2]:
            case kind if kind == _IMAGE:
                return await self._read_image(command)
            case kind if kind == _PIXEL_SIZE:
                return Reply(Status.GOOD, self._pixel_size(command.cdb[5]))
            case kind if kind == _PAPER_SIZE:
                return Reply(Status.GOOD, bytes(8))
            case _:
                raise Check(replies.BAD_CDB)

    def _pixel_size(self, id_: int) -> bytes:
        self._side(id_)
        window = self._windows[id_]
        return blocks.pixel_size(window.width_px, window.height_px, paper=self._scanner.model.tells_paper)

    async def _read_image(self, command: Command) -> Reply:
        """Answer with the next block; the last one ends with EOM, and ILI where it is shorter than asked."""
        side = self._side(command.cdb[5])
        left = await side.remaining()
        asked = command.in_length
        fault = self._scanner.due(side.side)
        if fault is not None:
            left = await self._spoil(fault, side, min(left, asked), left)
        if side.announced not in (None, asked):
            self._scanner.violation(f"READ of {asked} bytes after a readiness question for {side.announced}")
        side.announced = None
        if fault is not None and fault.kind is FaultKind.STALL:
            return Reply(Status.GOOD, broken=fault.kind)  # the block stays inside: nothing of it counts as sent
        data = side.take(asked)
        if fault is not None and fault.kind is FaultKind.SHORT_REPLY:
            whole, data = data, data[: len(data) // 2]
        else:
            whole = data
        delivered = side.sent(data)
        if delivered is not None:
            self._scanner.record(delivered)
        if fault is not None and fault.kind is FaultKind.GARBAGE_STATUS:
            return Reply(Status.GOOD, data, fault.kind)
        if len(whole) == left:
            raise Check(Sense(0, eom=True, ili=len(whole) < asked, information=asked - len(whole)), data)
        return Reply(Status.GOOD, data)

    async def _spoil(self, fault: Fault, side: SideImage, next_: int, left: int) -> int:
        """Play a fault of this side before its block goes out; return what is then left of the side."""
        if fault.kind is FaultKind.UNPLUG_MID_PAGE and not side.sent_half_after(next_):
            return left
        self._scanner.played(fault)
        if fault.kind in IN_THE_PATH:
            await self._discard(eject=False)
            self._in_batch = False
            self._scanner.block(fault.kind)
            raise Check(replies.TROUBLE[fault.kind])
        if fault.kind is FaultKind.UNPLUG_MID_PAGE:
            await self._discard()
            self._scanner.unplug()
            raise Check(replies.NO_DATA)  # reaches nobody
        if fault.kind is FaultKind.TRUNCATED_JPEG:
            side.truncate()
        return await side.remaining()

    def _side(self, id_: int) -> SideImage:
        if id_ not in self._sides:
            raise Check(replies.BAD_ORDER, violation=f"window {id_:02x} is asked for and was not scanned")
        return self._sides[id_]

    def _owes_no_cancel(self) -> None:
        if self._cancel_owed:
            self._cancel_owed = False
            self._scanner.violation("no cancel (F1 04) after the feeder ran empty: the real unit hangs here")

    async def _discard(self, *, eject: bool = True) -> None:
        """Drop the page's images; the paper leaves the path unless it is stuck there."""
        sides, self._sides, self._sheet = self._sides, {}, None
        if eject and self._scanner.stuck is None:
            self._scanner.eject()
        for side in sides.values():
            await side.close()


def _lengths(command: Command, data: bytes) -> str:
    return f"command {command.op:02x} announced {command.out_length} bytes and {len(data)} came"
