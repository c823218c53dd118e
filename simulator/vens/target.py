"""A unit's firmware on the data channel: one command in, one reply out, and the paper between them (section 6)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simulator.faults import IN_THE_PATH, Fault, FaultKind
from simulator.scanner import VirtualScanner
from simulator.scsi import blocks, replies, trouble
from simulator.scsi.page import SideImage, developer, picture
from simulator.scsi.replies import Check, Reply
from simulator.scsi.wire import Sense, Status
from simulator.sheets import Sheet, Side
from simulator.vens import parameters
from simulator.vens.parameters import Parameters, ParametersError
from simulator.vens.session import Session, Step
from simulator.vens.wire import Data

_SENSE, _INQUIRY, _READ, _STATUS = 0x03, 0x12, 0x28, 0xC2
_PARAMETERS, _START, _END, _CANCEL, _FEED, _PRE_READ, _CONFIG = 0xD4, 0xD5, 0xD6, 0xD8, 0xE0, 0xE9, 0xEB
_FREE_FOR_ALL = frozenset({_SENSE, _INQUIRY, _STATUS, _END})  # section 9
_SIDES = {0x00: Side.FRONT, 0x80: Side.BACK}
_STATUS_BYTES = 32
_EARLY = frozenset({FaultKind.TRUNCATED_JPEG, FaultKind.WIFI_DROP, FaultKind.UNPLUG_MID_PAGE})

_Handler = Callable[[Data], Awaitable[Reply]]


class Closes(Exception):
    """The unit closes the connection without an answer."""


@dataclass(slots=True)
class _Page:
    """The sheet in the path and its images."""

    sheet: Sheet
    images: dict[Side, SideImage]


class Target:
    """The data channel of one unit; jobs belong to who reserved it. `dropped` is called when the Wi-Fi goes."""

    def __init__(self, scanner: VirtualScanner, session: Session, dropped: Callable[[], None]) -> None:
        self._scanner = scanner
        self._session = session
        self._dropped = dropped
        self._sense: Sense | None = None
        self._parameters: Parameters | None = None
        self._page: _Page | None = None
        self._reading: SideImage | None = None
        self._ready_at_s = 0.0
        self._lab = asyncio.Lock()
        self._handlers: dict[int, _Handler] = {
            _SENSE: self._request_sense,
            _INQUIRY: self._inquiry,
            _STATUS: self._hardware_status,
            _CANCEL: self._cancel,
            _PRE_READ: self._nothing,
            _PARAMETERS: self._take_parameters,
            _START: self._start,
            _FEED: self._feed,
            _READ: self._read,
            _END: self._end,
            _CONFIG: self._config,
        }

    async def execute(self, request: Data) -> Reply:
        """Do one command; Closes where the unit hangs up."""
        if request.op not in _FREE_FOR_ALL and self._session.holder is None:
            self._scanner.violation(f"command {request.op:02x} without a reservation")
            raise Closes
        if request.op != _SENSE:
            self._sense = None
        fault = self._scanner.struck(request.op) or await self._due(request)
        try:
            return await (self._answer(request) if fault is None else self._play(fault, request))
        except Check as check:
            self._sense = check.sense
            if check.violation:
                self._scanner.violation(check.violation)
            return Reply(Status.CHECK, check.data)
        except ParametersError as error:
            self._scanner.violation(str(error))
            self._sense = Sense(5, 0x26, 0x00, field_at=error.at)
            return Reply(Status.CHECK)

    async def sent(self, reply: Reply) -> None:
        """Count what has left."""
        image, self._reading = self._reading, None
        if image is not None:
            for delivered in image.sent(_image_of(reply)):
                self._scanner.record(delivered)

    async def discard(self) -> None:
        """Drop the images of the sheet, which leaves the path unless it is stuck there."""
        page, self._page = self._page, None
        if page is not None:
            for image in page.images.values():
                await image.close()
        if self._scanner.stuck is None:
            self._scanner.eject()

    async def _answer(self, request: Data) -> Reply:
        handler = self._handlers.get(request.op)
        if handler is None:
            raise Check(replies.BAD_COMMAND, violation=f"unknown command {request.op:02x}")
        return await handler(request)

    async def _play(self, fault: Fault, request: Data) -> Reply:
        if fault.kind is FaultKind.SLOW:
            await asyncio.sleep(fault.delay_s)
        if fault.kind is FaultKind.WIFI_DROP:
            self._dropped()
            raise Closes
        if fault.kind in (FaultKind.UNPLUG, FaultKind.UNPLUG_MID_PAGE):
            self._scanner.power_off()
            raise Closes
        if fault.kind in IN_THE_PATH and fault.command is None:
            await self.discard()
            self._scanner.block(fault.kind)
        if fault.kind in trouble.INSTEAD:
            return trouble.instead(fault)
        return await self._answer(request)

    async def _due(self, request: Data) -> Fault | None:
        """Return the fault that this READ of an image meets, and count it as played."""
        if request.op != _READ or request.cdb[2] or self._page is None:
            return None
        image = self._page.images.get(_SIDES.get(request.cdb[5], Side.FRONT))
        if image is None:
            return None
        await image.remaining()
        fault = self._scanner.due(image.side)
        if fault is None or (fault.kind in _EARLY and not image.half_within(request.in_length)):
            return None
        self._scanner.played(fault)
        if fault.kind is FaultKind.TRUNCATED_JPEG:
            image.truncate()
        return fault

    # --- questions

    async def _nothing(self, _request: Data) -> Reply:
        return replies.GOOD

    async def _config(self, _request: Data) -> Reply:
        raise Check(replies.BAD_COMMAND)  # section 6.3: the real iX500 answers so

    async def _request_sense(self, _request: Data) -> Reply:
        sense, self._sense = self._sense or Sense(0), None
        return Reply(Status.GOOD, sense.encode())

    async def _inquiry(self, request: Data) -> Reply:
        vital, page = request.cdb[1] & 1, request.cdb[2]
        if vital and page == 0xF0:
            return Reply(Status.GOOD, self._scanner.model.vpd[: request.in_length])
        if vital or page:
            raise Check(replies.BAD_CDB)
        return Reply(Status.GOOD, blocks.inquiry(self._scanner.model)[: request.in_length])

    async def _hardware_status(self, request: Data) -> Reply:
        scanner = self._scanner
        if request.in_length != _STATUS_BYTES:
            raise Check(replies.BAD_CDB, violation=f"hardware status in {request.in_length} bytes")
        status = blocks.hardware_status(
            scanner.model,
            empty=not scanner.sheets,
            cover_open=scanner.cover_open,
            in_path=scanner.in_path is not None,
            double_feed=scanner.stuck is FaultKind.DOUBLE_FEED,
            button=scanner.poll_button("wifi"),
            virgin=not scanner.pressed_once,
        )
        return Reply(Status.GOOD, status[:_STATUS_BYTES].ljust(_STATUS_BYTES, b"\0"))

    # --- a job

    async def _cancel(self, _request: Data) -> Reply:
        await self.discard()
        return replies.GOOD

    async def _take_parameters(self, request: Data) -> Reply:
        self._parameters = parameters.parse(request.out, self._scanner.model)
        return replies.GOOD

    async def _start(self, _request: Data) -> Reply:
        if self._parameters is None or not self._session.step(Step.START):
            raise Check(replies.BAD_ORDER, violation="D5 out of order")
        self._ready_at_s = 0.0
        self._scanner.heeded()
        return Reply(Status.GOOD, bytes(8))

    async def _feed(self, _request: Data) -> Reply:
        wanted = self._parameters
        if wanted is None or not self._session.step(Step.FEED):
            raise Check(replies.BAD_ORDER, violation="E0 out of order")
        if self._page is not None and any(not image.complete for image in self._page.images.values()):
            self._scanner.violation("next sheet fed before the last one was read")
        await self.discard()
        outcome = self._scanner.feed(detect_double=wanted.stops_at_double_feed)
        if isinstance(outcome, FaultKind):
            self._session.step(Step.PAGE_END)
            raise Check(replies.TROUBLE[outcome])
        now_s = asyncio.get_running_loop().time()
        self._ready_at_s = max(now_s, self._ready_at_s) + self._scanner.feed_s
        self._page = _Page(outcome, {side: self._image(outcome, side, wanted) for side in wanted.sides})
        return replies.GOOD

    def _image(self, sheet: Sheet, side: Side, wanted: Parameters) -> SideImage:
        shown = picture(sheet, (side,), wanted.window, wanted.lens)
        develop = developer(shown, wanted.window, wanted.lens, sof_is_window=False)
        return SideImage(shown, develop, ready_at_s=self._ready_at_s, busy=0, lab=self._lab)

    async def _read(self, request: Data) -> Reply:
        if len(request.cdb) != 12 or request.cdb[2]:
            raise Check(replies.BAD_CDB, violation=f"READ of data type {request.cdb[2]:02x}")
        if int.from_bytes(request.cdb[6:9], "big") != request.in_length:
            self._scanner.violation("READ: the CDB and the frame ask for different lengths")
        image = self._page.images.get(_SIDES.get(request.cdb[5], Side.FRONT)) if self._page is not None else None
        if image is None:
            raise Check(replies.BAD_ORDER, violation="READ without a sheet")
        left, asked, ids = await image.remaining(), request.in_length, request.cdb[10:12]
        block = await image.take(asked)
        self._reading = image
        if len(block) == left:
            self._session.step(Step.PAGE_END)
            raise Check(Sense(0, eom=True, ili=len(block) < asked, information=asked - len(block)), ids + block)
        return Reply(Status.GOOD, ids + block)

    async def _end(self, _request: Data) -> Reply:
        if not self._session.step(Step.END):
            self._scanner.violation("D6 out of order")
        self._parameters = None
        await self.discard()
        return replies.GOOD


def _image_of(reply: Reply) -> bytes:
    return reply.data[2:]
