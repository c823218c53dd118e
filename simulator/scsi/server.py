"""A unit's firmware: one command in, one reply out, and the paper between them.

What the host does wrong goes to `scanner.errors`, whether or not the unit would notice.
"""

import asyncio
from collections.abc import Awaitable, Callable

from simulator.faults import IN_THE_PATH, Fault, FaultKind
from simulator.scanner import VirtualScanner
from simulator.scsi import replies, trouble
from simulator.scsi.blocks import FieldError
from simulator.scsi.identity import Identity
from simulator.scsi.images import Images
from simulator.scsi.replies import Check, Reply
from simulator.scsi.settings import Settings
from simulator.scsi.wire import SENSE_LENGTH, Command, Op, Sense, Status

_CONTROL_CANCEL = 0x04
_CONTROL_NOTHING = frozenset({0x00, 0x03, 0x05, 0x06, 0x07})  # ADF; lamp off, on, normal, saving
_CONTROL_PATHS = frozenset({0x0F, 0x1F, 0x2F})  # where there is a return path: manual, continuous, return
_READY = 0x10
_EJECT, _FEED, _HALT = 0x00, 0x01, 0x04
_ENDS_THE_SHEET = IN_THE_PATH | {FaultKind.STOP_BUTTON, FaultKind.BATTERY}

_Handler = Callable[[Command, bytes], Awaitable[Reply]]


class Target:
    """The state machine of one unit. One command at a time."""

    def __init__(self, scanner: VirtualScanner) -> None:
        self._scanner = scanner
        self._sense: Sense | None = None
        self._garbled = False
        self._in_batch = False
        self._cancel_owed = False
        self._hung = False
        self._ready_at_s = 0.0
        self._settings = Settings(scanner.model)
        self._images = Images(scanner, self._settings)
        self._identity = identity = Identity(scanner, self._settings)
        self._handlers: dict[int, _Handler] = {
            Op.TEST_UNIT_READY: self._nothing,
            Op.RESERVE: self._nothing,
            Op.RELEASE: self._nothing,
            Op.REQUEST_SENSE: self._request_sense,
            Op.INQUIRY: identity.inquiry,
            Op.MODE_SENSE: self._mode_sense,
            Op.MODE_SELECT: self._mode_select,
            Op.SEND_DIAGNOSTIC: identity.send_diagnostic,
            Op.READ_DIAGNOSTIC: identity.read_diagnostic,
            Op.SET_WINDOW: self._set_window,
            Op.SEND: self._send,
            Op.OBJECT_POSITION: self._object_position,
            Op.SCAN: self._scan,
            Op.READ: self._images.read,
            Op.HARDWARE_STATUS: identity.hardware_status,
            Op.SCANNER_CONTROL: self._scanner_control,
        }

    @property
    def hung(self) -> bool:
        """Tell whether the firmware hangs: no command is answered until the power goes."""
        return self._hung

    async def execute(self, command: Command, data_out: bytes) -> Reply:
        """Do one command; the reply's data is never longer than the command asked for."""
        if self._hung:
            await _forever()
        for violation in command.violations:
            self._scanner.violation(violation)
        if command.op != Op.REQUEST_SENSE:
            self._sense, self._garbled = None, False
        fault = self._scanner.struck(command.op) or await self._images.due(command)
        try:
            reply = await (self._answer(command, data_out) if fault is None else self._play(fault, command, data_out))
        except Check as check:
            reply = self._checked(check)
        except FieldError as error:
            reply = self._refused(command, error)
        if fault is not None:
            reply = trouble.spoilt(fault, reply, command.in_length)
            self._sense = trouble.misled(fault, self._sense, reply, command.in_length)
        reply = Reply(reply.status, reply.data[: command.in_length], reply.broken)
        self._images.sent(reply.data)
        return reply

    async def reset(self) -> None:
        """Forget everything, as without power."""
        await self._discard()
        self._identity.reset()
        self._settings.reset()
        self._sense, self._garbled = None, False
        self._in_batch = self._cancel_owed = self._hung = False

    async def _answer(self, command: Command, data_out: bytes) -> Reply:
        if len(data_out) != command.out_length:
            raise Check(replies.BAD_LENGTH, violation=_lengths(command, data_out))
        handler = self._handlers.get(command.op)
        if handler is None:
            raise Check(replies.BAD_COMMAND)
        if command.violations and command.op != Op.REQUEST_SENSE:
            raise Check(replies.BAD_CDB)
        return await handler(command, data_out)

    async def _play(self, fault: Fault, command: Command, data_out: bytes) -> Reply:
        """Do a command that meets a fault."""
        if fault.kind is FaultKind.SLOW:
            await asyncio.sleep(fault.delay_s)
        if fault.kind in (FaultKind.UNPLUG, FaultKind.UNPLUG_MID_PAGE):
            await self._discard()
            self._scanner.unplug()
        if fault.kind in _ENDS_THE_SHEET and fault.command is None:
            self._in_batch = False
            await self._images.stop(fault.kind)
        if fault.kind is FaultKind.GARBAGE_SENSE:
            self._garbled = True
            if command.op == Op.REQUEST_SENSE:
                return await self._request_sense(command, data_out)
        if fault.kind in trouble.INSTEAD:
            return trouble.instead(fault)
        return await self._answer(command, data_out)

    def _checked(self, check: Check) -> Reply:
        self._sense = check.sense
        if check.violation:
            self._scanner.violation(check.violation)
        return Reply(Status.CHECK, check.data)

    def _refused(self, command: Command, error: FieldError) -> Reply:
        self._sense = Sense(5, 0x26, 0x00, field_at=error.at)
        tell = self._scanner.violation if error.wrong else self._scanner.note
        tell(f"command {command.op:02x} refused: {error}")
        return Reply(Status.CHECK)

    async def _nothing(self, _command: Command, _data: bytes) -> Reply:
        return replies.GOOD

    async def _request_sense(self, command: Command, _data: bytes) -> Reply:
        if command.in_length != SENSE_LENGTH:
            self._scanner.violation(f"REQUEST SENSE asks for {command.in_length} bytes, not {SENSE_LENGTH}")
        sense, self._sense = self._sense or Sense(0), None
        garbled, self._garbled = self._garbled, False
        return Reply(Status.GOOD, trouble.GARBAGE_SENSE if garbled else sense.encode())

    # --- settings of a batch

    async def _mode_sense(self, command: Command, data: bytes) -> Reply:
        await self._lock_up_on(command.cdb[2])
        return await self._identity.mode_sense(command, data)

    async def _mode_select(self, _command: Command, data: bytes) -> Reply:
        await self._lock_up_on(data[4] if len(data) > 4 else 0)
        self._settings.select(data)
        return replies.GOOD

    async def _set_window(self, _command: Command, data: bytes) -> Reply:
        await self._owes_no_cancel()
        if self._in_batch:
            raise Check(replies.BAD_ORDER, violation="SET WINDOW between two sheets of a batch")
        self._settings.set_windows(data)
        await self._discard()
        return replies.GOOD

    async def _send(self, command: Command, data: bytes) -> Reply:
        self._settings.send(command.cdb[2], data)
        return replies.GOOD

    # --- paper

    async def _object_position(self, command: Command, _data: bytes) -> Reply:
        match command.cdb[1]:
            case kind if kind == _FEED:
                await self._feed()
            case kind if kind in (_EJECT, _HALT):
                await self._discard()
                self._in_batch = False
            case kind:
                raise Check(replies.BAD_CDB, violation=f"OBJECT POSITION {kind:02x}")
        return replies.GOOD

    async def _feed(self) -> None:
        if not self._settings.windows:
            raise Check(replies.BAD_ORDER, violation="feed without a window")
        await self._owes_no_cancel()
        if self._images.unread:
            self._scanner.violation(f"next sheet fed before the {self._images.unread[0]} of the last one was read")
        await self._discard()
        outcome = self._scanner.feed(detect_double=self._settings.detects_double_feeds)
        if isinstance(outcome, FaultKind):
            self._in_batch = False
            self._cancel_owed = outcome is FaultKind.EMPTY and self._scanner.model.wants_cancel
            raise Check(replies.TROUBLE[outcome])
        self._ready_at_s = self._next_ready_s()
        self._images.expect(outcome, self._ready_at_s)
        self._in_batch = True

    def _next_ready_s(self) -> float:
        """Return when the sheet that was fed has gone past the sensors; a buffering unit pulls it by itself."""
        now_s = asyncio.get_running_loop().time()
        start_s = self._ready_at_s if self._settings.buffering and self._in_batch else now_s
        return start_s + self._scanner.feed_s

    async def _scan(self, command: Command, data: bytes) -> Reply:
        await self._owes_no_cancel()
        return await self._images.scan(command, data)

    async def _scanner_control(self, command: Command, _data: bytes) -> Reply:
        if command.cdb[1] & _READY:
            await self._images.ready(command.cdb[2], command.be(6, 3))
            return replies.GOOD
        function = command.cdb[1] & 0x0F | command.cdb[2] << 4
        if function == _CONTROL_CANCEL:
            await self._discard()
            self._in_batch = self._cancel_owed = self._settings.pre_read = False
        elif function not in _CONTROL_NOTHING and not (function in _CONTROL_PATHS and self._scanner.model.return_path):
            raise Check(replies.BAD_CDB, violation=f"SCANNER CONTROL {function:02x}")
        return replies.GOOD

    async def _owes_no_cancel(self) -> None:
        if self._cancel_owed:
            await self._hang("no cancel (F1 04) after the feeder ran empty: the real unit hangs here")

    async def _lock_up_on(self, page: int) -> None:
        if page in self._scanner.model.locks_up_on:
            await self._hang(f"mode page {page:02x}: the real unit locks up here")

    async def _hang(self, why: str) -> None:
        self._scanner.violation(why)
        self._hung = True
        await _forever()

    async def _discard(self) -> None:
        """Drop the page's images; the paper leaves the path unless it is stuck there."""
        await self._images.discard()
        if self._scanner.stuck is None:
            self._scanner.eject()


async def _forever() -> None:
    await asyncio.Event().wait()


def _lengths(command: Command, data: bytes) -> str:
    return f"command {command.op:02x} announced {command.out_length} bytes and {len(data)} came"
