"""Envelope, CDB, status frame and sense <-> dataclasses: the simulator's own codec. No state, no clock.

One row per command says how long its phases are: the envelope carries neither length nor direction.
"""

from dataclasses import dataclass
from enum import IntEnum

ENVELOPE_LENGTH = 31
STATUS_LENGTH = 13
SENSE_LENGTH = 18
_CDB_AT = 0x13
_COMMAND_BYTE = 0x43  # 'C'
_STATUS_BYTE = 0x53  # 'S'


class Status(IntEnum):
    """SCSI status, byte 9 of the frame."""

    GOOD = 0x00
    CHECK = 0x02
    BUSY = 0x08


class Op(IntEnum):
    """The commands that a ScanSnap knows over USB."""

    TEST_UNIT_READY = 0x00
    REQUEST_SENSE = 0x03
    INQUIRY = 0x12
    MODE_SELECT = 0x15
    RESERVE = 0x16
    RELEASE = 0x17
    MODE_SENSE = 0x1A
    SCAN = 0x1B
    READ_DIAGNOSTIC = 0x1C
    SEND_DIAGNOSTIC = 0x1D
    SET_WINDOW = 0x24
    GET_WINDOW = 0x25
    READ = 0x28
    SEND = 0x2A
    OBJECT_POSITION = 0x31
    HARDWARE_STATUS = 0xC2
    SCANNER_CONTROL = 0xF1


class WireError(ValueError):
    """Bytes that are no command."""


@dataclass(frozen=True, slots=True)
class Row:
    """One command: CDB length, bytes of its length field, direction of the data, bytes that may be other than zero."""

    cdb_length: int
    length_at: slice | None = None
    out: bool = False
    used: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Command:
    """One command with the lengths of its phases in bytes; `violations` names what should have been zero."""

    op: int
    cdb: bytes
    out_length: int
    in_length: int
    violations: tuple[str, ...] = ()

    def be(self, start: int, length: int) -> int:
        """Return a big-endian field of the CDB."""
        return int.from_bytes(self.cdb[start : start + length], "big")


@dataclass(frozen=True, slots=True)
class Sense:
    """Sense data. `information` with ILI: bytes asked less bytes sent; `field_at`: offset of the offending byte."""

    key: int
    asc: int = 0
    ascq: int = 0
    eom: bool = False
    ili: bool = False
    information: int = 0
    field_at: int | None = None

    def encode(self) -> bytes:
        """Return the 18 bytes of fixed-format sense."""
        specific = bytes(3) if self.field_at is None else b"\x80" + self.field_at.to_bytes(2, "big")
        flags = self.eom << 6 | self.ili << 5 | self.key
        return (
            bytes((0xF0, 0, flags))  # 0x00
            + self.information.to_bytes(4, "big")  # 0x03
            + b"\x0a\0\0\0\0"  # 0x07 additional length
            + bytes((self.asc, self.ascq, 0))  # 0x0c
            + specific  # 0x0f
        )


def _row(cdb_length: int, length_at: tuple[int, int] | None = None, *used: int, out: bool = False) -> Row:
    field = range(0) if length_at is None else range(*length_at)
    return Row(cdb_length, None if length_at is None else slice(*length_at), out, frozenset((0, *field, *used)))


_ROWS: dict[int, Row] = {
    Op.TEST_UNIT_READY: _row(6),
    Op.REQUEST_SENSE: _row(6, (4, 5)),
    Op.INQUIRY: _row(6, (4, 5), 1, 2),
    Op.MODE_SELECT: _row(6, (4, 5), 1, out=True),
    Op.RESERVE: _row(6),
    Op.RELEASE: _row(6),
    Op.MODE_SENSE: _row(6, (4, 5), 2),
    Op.SCAN: _row(6, (4, 5), out=True),
    Op.READ_DIAGNOSTIC: _row(6, (3, 5)),
    Op.SEND_DIAGNOSTIC: _row(6, (3, 5), out=True),
    Op.SET_WINDOW: _row(10, (6, 9), out=True),
    Op.GET_WINDOW: _row(10, (6, 9)),
    Op.READ: _row(10, (6, 9), 2, 5),
    Op.SEND: _row(10, (6, 9), 2, out=True),
    Op.OBJECT_POSITION: _row(10, None, 1),
    Op.HARDWARE_STATUS: _row(10, (7, 9)),
    Op.SCANNER_CONTROL: _row(10, None, 1, 2, 6, 7, 8),
}


def parse_envelope(data: bytes) -> Command:
    """Parse one bulk OUT transfer; WireError if it is no envelope.

    An unknown opcode gives a command without data phases: only its status can be answered.
    """
    if len(data) != ENVELOPE_LENGTH:
        raise WireError(f"an envelope has {ENVELOPE_LENGTH} bytes, not {len(data)}")
    if data[0] != _COMMAND_BYTE:
        raise WireError(f"an envelope starts with 43, not {data[0]:02x}")
    op = data[_CDB_AT]
    row = _ROWS.get(op)
    violations = ["envelope bytes 1 to 18 are not zero"] if any(data[1:_CDB_AT]) else []
    if row is None:
        return Command(op, data[_CDB_AT:], 0, 0, (*violations, f"unknown command {op:02x}"))
    cdb = data[_CDB_AT : _CDB_AT + row.cdb_length]
    if any(data[_CDB_AT + row.cdb_length :]):
        violations.append(f"command {op:02x}: the padding behind the CDB is not zero")
    violations += [
        f"command {op:02x}: reserved byte {at} is {value:02x}"
        for at, value in enumerate(cdb)
        if value and at not in row.used
    ]
    length = int.from_bytes(cdb[row.length_at], "big") if row.length_at is not None else 0
    return Command(op, cdb, length if row.out else 0, 0 if row.out else length, tuple(violations))


def status_frame(status: Status) -> bytes:
    """Return the 13 bytes that end a transaction."""
    return bytes((_STATUS_BYTE, *bytes(8), status, *bytes(3)))
