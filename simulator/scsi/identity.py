"""What a unit says of itself: inquiry, diagnostics, mode pages, hardware status. No batch, no image."""

from simulator.faults import FaultKind
from simulator.scanner import VirtualScanner
from simulator.scsi import blocks, replies
from simulator.scsi.blocks import FieldError
from simulator.scsi.replies import Check, Reply
from simulator.scsi.settings import Settings
from simulator.scsi.wire import Command, Status

_VPD_PAGE = 0xF0
_DIAGNOSTICS: dict[bytes, int] = {
    b"GET DEVICE ID   ": 0x10,
    b"SET PRE READMODE": 0x20,
    b"SET POWOFF TIME ": 0x12,
    b"END WAITING SCAN": 0x10,
}
_DEVICE_ID = b"GET DEVICE ID   "
_PRE_READ = b"SET PRE READMODE"
_JOB_END = b"END WAITING SCAN"  # battery models only
_DEVICE_ID_LENGTH = 10
_STATUS_LENGTHS = frozenset({0x0C, blocks.STATUS_LENGTH})


class Identity:
    """The commands that ask and move nothing."""

    def __init__(self, scanner: VirtualScanner, settings: Settings) -> None:
        self._scanner = scanner
        self._settings = settings
        self._diagnostic = b""

    def reset(self) -> None:
        """Forget a question that was not answered yet."""
        self._diagnostic = b""

    async def inquiry(self, command: Command, _data: bytes) -> Reply:
        """Answer INQUIRY: standard data or the vital page."""
        vital, page = command.cdb[1] & 1, command.cdb[2]
        if vital and page == _VPD_PAGE:
            return Reply(Status.GOOD, self._scanner.model.vpd)
        if vital or page:
            raise Check(replies.BAD_CDB)
        return Reply(Status.GOOD, blocks.inquiry(self._scanner.model))

    async def send_diagnostic(self, _command: Command, data: bytes) -> Reply:
        """Take a question by its 16-character name."""
        name = data[:16]
        if name not in _DIAGNOSTICS or (name == _JOB_END and not self._scanner.model.battery):
            raise FieldError(0, f"unknown diagnostic {name!r}", wrong=False)
        if len(data) != _DIAGNOSTICS[name]:
            raise Check(replies.BAD_LENGTH, violation=f"{name.decode()}: {len(data)} bytes, not {_DIAGNOSTICS[name]}")
        self._diagnostic = name
        if name == _PRE_READ:
            self._settings.pre_read = True
        return replies.GOOD

    async def read_diagnostic(self, command: Command, _data: bytes) -> Reply:
        """Answer the question before it: the serial number."""
        if self._diagnostic != _DEVICE_ID:
            raise Check(replies.BAD_ORDER, violation="READ DIAGNOSTIC without a question before it")
        if command.in_length != _DEVICE_ID_LENGTH:
            self._scanner.violation(f"GET DEVICE ID is read with {command.in_length} bytes, not {_DEVICE_ID_LENGTH}")
        self._diagnostic = b""
        return Reply(Status.GOOD, self._scanner.spec.serial.to_bytes(4, "big").ljust(_DEVICE_ID_LENGTH, b"\0"))

    async def hardware_status(self, command: Command, _data: bytes) -> Reply:
        """Answer what a poll sees; a press that it shows is over."""
        scanner = self._scanner
        if command.in_length not in _STATUS_LENGTHS:
            raise Check(replies.BAD_CDB, violation=f"hardware status in {command.in_length} bytes")
        status = blocks.hardware_status(
            scanner.model,
            empty=not scanner.sheets,
            cover_open=scanner.cover_open,
            in_path=scanner.in_path is not None,
            double_feed=scanner.stuck is FaultKind.DOUBLE_FEED,
            button=scanner.poll_button(),
            virgin=not scanner.pressed_once,
        )
        return Reply(Status.GOOD, status)

    async def mode_sense(self, command: Command, _data: bytes) -> Reply:
        """Answer a mode page that the model has."""
        page = command.cdb[2]
        if command.in_length != blocks.MODE_SENSE_LENGTH:
            raise Check(replies.BAD_CDB, violation=f"MODE SENSE in {command.in_length} bytes")
        if page not in self._scanner.model.mode_pages:
            raise Check(replies.BAD_CDB)
        return Reply(Status.GOOD, blocks.mode_sense(page))
