"""The images of the sheet in the path: made by SCAN, asked for by RIC, read in blocks. No paper, no settings."""

import asyncio

from simulator.faults import IN_THE_PATH, Fault, FaultKind
from simulator.scanner import VirtualScanner
from simulator.scsi import blocks, replies
from simulator.scsi.page import SIDES, SideImage, developer, picture
from simulator.scsi.replies import Check, Reply
from simulator.scsi.settings import Settings
from simulator.scsi.window import Compression, Window
from simulator.scsi.wire import Command, Op, Sense, Status
from simulator.sheets import Sheet, Side

_PATIENCE_S = 0.25  # a readiness question is held back so long; a host that is told "no data" waits 0.5 s
_IMAGE, _PIXEL_SIZE, _PAPER_SIZE = 0x00, 0x80, 0x81
_PIXEL_SIZE_LENGTHS = frozenset({0x10, 0x20})
_FRONT, _BACK = 0x00, 0x80
_FINE_DPI = 600
_AT_THE_END = frozenset({FaultKind.WRONG_RESIDUE, FaultKind.MISSING_ZLP})


class Images:
    """What is in the unit's image memory. A running event loop is needed."""

    def __init__(self, scanner: VirtualScanner, settings: Settings) -> None:
        self._scanner = scanner
        self._settings = settings
        self._sheet: Sheet | None = None
        self._ready_at_s = 0.0
        self._sides: dict[int, SideImage] = {}
        self._reading: SideImage | None = None
        self._lab = asyncio.Lock()

    @property
    def unread(self) -> list[Side]:
        """Return the sides that were scanned and not read to their end."""
        return [side for image in self._sides.values() if not image.complete for side in image.picture.sides]

    def expect(self, sheet: Sheet, ready_at_s: float) -> None:
        """Take note of a sheet that was fed; it has gone past the sensors at `ready_at_s` of the loop's clock."""
        self._sheet, self._ready_at_s = sheet, ready_at_s

    async def discard(self) -> None:
        """Drop the images."""
        sides, self._sides, self._sheet = self._sides, {}, None
        for side in sides.values():
            await side.close()

    async def scan(self, _command: Command, data: bytes) -> Reply:
        """SCAN: make an image of each window named."""
        windows = self._settings.windows
        known = 0 < len(data) <= len(SIDES) and len(set(data)) == len(data) and set(data) <= set(windows)
        if self._sheet is None or self._sides or not known:
            raise Check(replies.BAD_ORDER, violation=f"SCAN of windows {data[:4].hex(' ')} out of order")
        self._complain(windows[data[0]])
        if self._scanner.model.interlaced_jpeg and len(data) > 1 and windows[_FRONT].compression is Compression.JPEG:
            self._sides[_FRONT] = self._image(self._sheet, windows[_FRONT], (Side.FRONT, Side.BACK))
            return replies.GOOD
        for id_ in data:
            self._sides[id_] = self._image(self._sheet, windows[id_], (SIDES[id_],))
        return replies.GOOD

    def _complain(self, window: Window) -> None:
        if window.lut and not self._settings.lut:
            self._scanner.violation("the window asks for a lookup table that was not sent")
        if self._scanner.model.wants_pre_read and window.dpi >= _FINE_DPI and not self._settings.pre_read:
            self._scanner.violation(f"{window.dpi} dpi without SET PRE READMODE: the real unit fails here")

    def _image(self, sheet: Sheet, window: Window, sides: tuple[Side, ...]) -> SideImage:
        lens = self._settings.lens()
        shown = picture(sheet, sides, window, lens)
        develop = developer(shown, window, lens, sof_is_window=self._scanner.model.sof_is_window)
        busy = self._scanner.spec.busy_polls
        return SideImage(shown, develop, ready_at_s=self._ready_at_s, busy=busy, lab=self._lab)

    async def ready(self, id_: int, length: int) -> None:
        """RIC: tell whether a block of a side is there; Check with "no data" while it is not."""
        side = self._side(id_)
        side.announced = length
        if side.busy_polls:
            side.busy_polls -= 1
            raise Check(replies.NO_DATA)
        if not await side.ready(_PATIENCE_S):
            raise Check(replies.NO_DATA)

    async def read(self, command: Command, _data: bytes) -> Reply:
        """READ: a block of an image, or the size of one."""
        match command.cdb[2]:
            case kind if kind == _IMAGE:
                return await self._read_image(command)
            case kind if kind == _PIXEL_SIZE:
                if command.in_length not in _PIXEL_SIZE_LENGTHS:
                    raise Check(replies.BAD_CDB, violation=f"pixel size in {command.in_length} bytes")
                return Reply(Status.GOOD, self._pixel_size(command.cdb[5]))
            case kind if kind == _PAPER_SIZE:
                return Reply(Status.GOOD, bytes(8))
            case kind:
                raise Check(replies.BAD_CDB, violation=f"READ of data type {kind:02x}")

    def _pixel_size(self, id_: int) -> bytes:
        interlaced = id_ == _BACK and _BACK not in self._sides and len(self._sides) == 1
        side = self._side(_FRONT if interlaced and len(self._sides[_FRONT].picture.sides) > 1 else id_)
        window, model = self._settings.windows[id_], self._scanner.model
        found = None
        if side.complete and not model.tells_paper:
            sheet = side.picture.sheet
            found = (sheet.width_1200 * window.dpi // 1200, side.picture.view.height_px)
        return blocks.pixel_size(window.width_px, window.height_px, paper=model.tells_paper, found=found)

    async def _read_image(self, command: Command) -> Reply:
        """Answer with the next block; the last one ends with EOM, and ILI where it is shorter than asked."""
        side = self._side(command.cdb[5])
        left, asked = await side.remaining(), command.in_length
        if side.announced not in (None, asked):
            self._scanner.violation(f"READ of {asked} bytes after a readiness question for {side.announced}")
        side.announced = None
        data = await side.take(asked)
        self._reading = side
        if len(data) == left:
            raise Check(Sense(0, eom=True, ili=len(data) < asked, information=asked - len(data)), data)
        return Reply(Status.GOOD, data)

    def sent(self, data: bytes) -> None:
        """Count the block that the last command gave, if it was a READ."""
        side, self._reading = self._reading, None
        if side is not None:
            for delivered in side.sent(data):
                self._scanner.record(delivered)

    async def due(self, command: Command) -> Fault | None:
        """Return the fault that this READ meets, and count it as played; a sheet that is too long jams at its end."""
        side = self._sides.get(command.cdb[5]) if command.op == Op.READ and command.cdb[2] == _IMAGE else None
        if side is None:
            return None
        await side.remaining()
        fault = next(filter(None, (self._scanner.due(shown) for shown in side.picture.sides)), None)
        if fault is None:
            long = side.picture.sheet.length_1200 > self._scanner.model.longest_paper_1200
            return Fault(FaultKind.JAM) if long and side.ends_within(command.in_length) else None
        if fault.kind is FaultKind.UNPLUG_MID_PAGE and not side.half_within(command.in_length):
            return None
        if fault.kind in _AT_THE_END and not side.ends_within(command.in_length):
            return None
        self._scanner.played(fault)
        if fault.kind is FaultKind.TRUNCATED_JPEG:
            side.truncate()
        return fault

    async def stop(self, kind: FaultKind) -> None:
        """Stop in mid-page: the paper stays where it is, or goes out where the unit only gave up."""
        await self.discard()
        if kind in IN_THE_PATH:
            self._scanner.block(kind)
        else:
            self._scanner.eject()

    def _side(self, id_: int) -> SideImage:
        if id_ not in self._sides:
            raise Check(replies.BAD_ORDER, violation=f"window {id_:02x} is asked for and was not scanned")
        return self._sides[id_]
