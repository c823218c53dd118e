"""Commands and replies: one function per CDB, with the bytes it stands for. The data blocks they carry: `blocks.py`.

Sources: SANE fujitsu 1.2.1 (`fujitsu-scsi.h`), scan2drive's iX500 captures. All numbers are big-endian.
"""

from dataclasses import dataclass
from enum import IntEnum

from drivers.errors import MisuseError
from drivers.octets import Reader, u8, u16, u24


class Opcode(IntEnum):
    """The first byte of a CDB."""

    TEST_UNIT_READY = 0x00
    REQUEST_SENSE = 0x03
    INQUIRY = 0x12
    MODE_SELECT = 0x15
    SCAN = 0x1B
    READ_DIAGNOSTIC = 0x1C
    SEND_DIAGNOSTIC = 0x1D
    SET_WINDOW = 0x24
    READ = 0x28
    SEND = 0x2A
    OBJECT_POSITION = 0x31
    HARDWARE_STATUS = 0xC2
    SCAN_PARAMETERS = 0xD4
    START_JOB = 0xD5
    END_JOB = 0xD6
    CANCEL_READ = 0xD8
    FEED = 0xE0
    SCANNER_CONTROL = 0xF1


class WindowId(IntEnum):
    """Which side of the sheet."""

    FRONT = 0x00
    BACK = 0x80


class ScsiStatus(IntEnum):
    """How a command ended."""

    GOOD = 0x00
    CHECK = 0x02
    BUSY = 0x08


@dataclass(frozen=True, slots=True)
class Command:
    """One command: the CDB, what goes out after it, and how many bytes may come in (0: no data-in phase)."""

    cdb: bytes
    data_out: bytes = b""
    data_in_length: int = 0

    @property
    def name(self) -> str:
        """Return the command's name for messages."""
        return Opcode(self.cdb[0]).name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Sense:
    """Why a command was not simply good.

    `information` is, with `ili`, the number of requested bytes that did not come. `field` is the offset of the
    offending byte in the parameter list, or None.
    """

    key: int
    asc: int
    ascq: int
    eom: bool
    ili: bool
    information: int
    field: int | None

    @classmethod
    def decode(cls, data: bytes) -> "Sense":
        """Read 18 bytes of fixed-format sense; PeerError if they are fewer.

        f0 00 60 00 03 6a 19 0a 00 00 00 00 00 00 00 00 00 00   iX500: end of page, 0x36a19 bytes short
              |  |           |              |  |     |  |
              2  3 info      7              c  d     f  16 field pointer
        """
        reader = Reader(data, "sense")
        flags = reader.seek(0x02).u8()
        information = reader.u32()
        asc, ascq = reader.seek(0x0C).u8(), reader.u8()
        valid, pointer = reader.seek(0x0F).u8(), reader.u16()
        return cls(
            key=flags & 0x0F,
            asc=asc,
            ascq=ascq,
            eom=bool(flags & 0x40),
            ili=bool(flags & 0x20),
            information=information,
            field=pointer if valid & 0x80 else None,
        )

    @property
    def code(self) -> tuple[int, int, int]:
        """Return (key, ASC, ASCQ), the row of the sense table."""
        return self.key, self.asc, self.ascq

    def __str__(self) -> str:
        return f"{self.key:X}/{self.asc:02X}/{self.ascq:02X}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the data, and sense where the status was CHECK."""

    status: ScsiStatus
    data: bytes = b""
    sense: Sense | None = None


SENSE_LENGTH = 0x12
INQUIRY_LENGTH = 0x60
VPD_PAGE = 0xF0
VPD_LENGTH = 0xCC
DEVICE_ID_LENGTH = 0x0A
HARDWARE_STATUS_LENGTH = 0x0C
PIXEL_SIZE_LENGTH = 0x20


def test_unit_ready() -> Command:
    """Ask whether the unit is ready.    00 00 00 00 00 00"""
    return Command(bytes(6))


def request_sense() -> Command:
    """Ask why the last command failed.    03 00 00 00 12 00"""
    return Command(bytes((Opcode.REQUEST_SENSE, 0, 0, 0, SENSE_LENGTH, 0)), data_in_length=SENSE_LENGTH)


def inquiry() -> Command:
    """Ask who is there.    12 00 00 00 60 00"""
    return Command(bytes((Opcode.INQUIRY, 0, 0, 0, INQUIRY_LENGTH, 0)), data_in_length=INQUIRY_LENGTH)


def inquiry_vpd() -> Command:
    """Ask what the unit can do.    12 01 f0 00 cc 00"""
    return Command(bytes((Opcode.INQUIRY, 1, VPD_PAGE, 0, VPD_LENGTH, 0)), data_in_length=VPD_LENGTH)


def mode_select(payload: bytes) -> Command:
    """Set a mode page.    15 10 00 00 0c 00"""
    return Command(bytes((Opcode.MODE_SELECT, 0x10, 0, 0)) + u8(len(payload)) + b"\0", payload)


def send_diagnostic(payload: bytes) -> Command:
    """Call a function by its 16-character name.    1d 00 00 00 10 00"""
    return Command(bytes((Opcode.SEND_DIAGNOSTIC, 0, 0)) + u16(len(payload)) + b"\0", payload)


def get_device_id() -> Command:
    """Prepare the reading of the serial number.    1d 00 00 00 10 00 + "GET DEVICE ID   " """
    return send_diagnostic(b"GET DEVICE ID   ")


def read_device_id() -> Command:
    """Read the answer to GET DEVICE ID.    1c 00 00 00 0a 00"""
    return Command(
        bytes((Opcode.READ_DIAGNOSTIC, 0, 0)) + u16(DEVICE_ID_LENGTH) + b"\0", data_in_length=DEVICE_ID_LENGTH
    )


def set_window(payload: bytes) -> Command:
    """Define what is scanned, one side (0x48) or both (0x88).    24 00 00 00 00 00 00 00 88 00"""
    return Command(bytes((Opcode.SET_WINDOW, 0, 0, 0, 0, 0)) + u24(len(payload)) + b"\0", payload)


def send_lut(payload: bytes) -> Command:
    """Send the lookup table.    2a 00 83 00 00 00 00 01 0a 00"""
    return _send(0x83, payload)


def send_q_table(payload: bytes) -> Command:
    """Send the JPEG quantisation tables.    2a 00 88 00 00 00 00 00 8a 00"""
    return _send(0x88, payload)


def _send(kind: int, payload: bytes) -> Command:
    return Command(bytes((Opcode.SEND, 0, kind, 0, 0, 0)) + u24(len(payload)) + b"\0", payload)


def scan(windows: tuple[WindowId, ...]) -> Command:
    """Start the fed sheet.    1b 00 00 00 02 00 + 00 80"""
    return Command(bytes((Opcode.SCAN, 0, 0, 0)) + u8(len(windows)) + b"\0", bytes(windows))


def feed() -> Command:
    """Load the next sheet.    31 01 00 00 00 00 00 00 00 00"""
    return Command(bytes((Opcode.OBJECT_POSITION, 0x01)) + bytes(8))


def use_adf() -> Command:
    """Choose the feeder, on units that also have a bed or a card path.    f1 00 00 00 00 00 00 00 00 00"""
    return _control(0x00)


def cancel() -> Command:
    """End the batch and drop what is in it.    f1 04 00 00 00 00 00 00 00 00"""
    return _control(0x04)


def lamp_on() -> Command:
    """Switch the lamp on.    f1 05 00 00 00 00 00 00 00 00"""
    return _control(0x05)


def _control(function: int) -> Command:
    return Command(bytes((Opcode.SCANNER_CONTROL, function)) + bytes(8))


def image_ready(window: WindowId, block_bytes: int) -> Command:
    """Ask whether a READ of this very length would be served (RIC).    f1 10 80 00 00 00 00 fd 0e 00"""
    return Command(bytes((Opcode.SCANNER_CONTROL, 0x10, window, 0, 0, 0)) + u24(block_bytes) + b"\0")


def hardware_status() -> Command:
    """Ask for hopper, covers and buttons.    c2 00 00 00 00 00 00 00 0c 00"""
    cdb = bytes((Opcode.HARDWARE_STATUS, 0, 0, 0, 0, 0, 0)) + u16(HARDWARE_STATUS_LENGTH) + b"\0"
    return Command(cdb, data_in_length=HARDWARE_STATUS_LENGTH)


def read_image(window: WindowId, block_bytes: int) -> Command:
    """Read the next bytes of a side.    28 00 00 00 00 80 00 fd 0e 00"""
    return _read(0x00, window, block_bytes)


def read_pixel_size(window: WindowId) -> Command:
    """Read how large a side will be.    28 00 80 00 00 00 00 00 20 00"""
    return _read(0x80, window, PIXEL_SIZE_LENGTH)


def _read(kind: int, window: WindowId, length: int) -> Command:
    if length < 1:
        raise MisuseError(f"a READ of {length} bytes")
    return Command(bytes((Opcode.READ, 0, kind, 0, 0, window)) + u24(length) + b"\0", data_in_length=length)
