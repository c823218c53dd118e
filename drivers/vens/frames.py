"""Frames of VENS on its two TCP channels <-> messages. All numbers are big-endian; nothing is encrypted.

Offsets and meanings: protocols/scansnap-wifi-vens.md; the sections are named beside each message.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from ipaddress import IPv4Address

from drivers.errors import MisuseError, PeerError
from drivers.octets import Reader, u8, u16, u32
from drivers.scsi.wire import Command, ScsiStatus
from drivers.vens.wire import Family, family_of, token

GREETING_BYTES = 16
HEAD_BYTES = 16
MAX_FRAME_BYTES = 4 * 1024 * 1024  # section 3; the largest frame that a unit sends is a block of 3 MB
LONGEST_PASSWORD = 16

_KEY = b"pFusCANsNapFiPfu"
_CDB_BYTES = 16
_DATA_AT = 40
_IMAGE_AT = 42


class Control(IntEnum):
    """What is asked on the control channel (section 4)."""

    RESERVE = 0x11
    RELEASE = 0x12
    DEVICE_INFO = 0x13
    WIFI_STATUS = 0x30


class Answer(IntEnum):
    """How the unit answers RESERVE (section 4.1); others exist."""

    ACCEPTED = 0
    BAD_PACKET = -1
    WRONG_PASSWORD = -3
    OCCUPIED = -4
    BOUND = -7


def identity(password: str) -> bytes:
    """Return what RESERVE carries for a password (section 5): "0700" is 171136176174.

    MisuseError for more than 16 characters, or others than ASCII.
    """
    if len(password) > LONGEST_PASSWORD or not password.isascii():
        raise MisuseError(f"a scanner's password has at most {LONGEST_PASSWORD} ASCII characters")
    return "".join(f"{ord(c) + k + 11:03}" for c, k in zip(password, _KEY, strict=False)).encode("ascii")


@dataclass(frozen=True, slots=True)
class Reserve:
    """Asks for a unit (section 4.1). `length` 0x80 or 0x180; `interface` and `alive_s` are the dialect's.

    20: 00 04 05 00 00 00 00 01 00 00 00 01 c0 a8 01 32   interface, time-out, host type, password present, IPv4
    30: 00 00 d7 e1 31 37 31 31 33 36 31 37 36 31 37 34   event port, identity ..
    64: 07 ea 0b 17 09 1e 00 00                           local time
    6c: manager id                                        74: minus the UTC offset in seconds
    """

    family: Family
    token: bytes
    length: int
    interface: int
    alive_s: int
    host_type: int
    client: IPv4Address
    event_port: int
    password: str
    manager: bytes
    at: datetime

    def encode(self) -> bytes:
        """Write the frame."""
        offset = self.at.utcoffset()
        offset_s = int(offset.total_seconds()) if offset is not None else 0
        body = b"".join(
            (
                bytes(8),
                u16(self.interface) + u8(self.alive_s) + bytes(1),
                u32(self.host_type),
                u32(1),
                self.client.packed,
                u32(self.event_port),
                identity(self.password).ljust(48, b"\0"),
                u16(self.at.year) + bytes((self.at.month, self.at.day)),
                bytes((self.at.hour, self.at.minute, self.at.second, 0)),
                self.manager.ljust(8, b"\0")[:8],
                (-offset_s).to_bytes(4, "big", signed=True),
            )
        )
        return control(self.family, Control.RESERVE, self.token, body, length=self.length)


def control(family: Family, command: Control, own: bytes, body: bytes = b"", *, length: int = 0x20) -> bytes:
    """Write a control request (section 4), padded with zeros to `length`."""
    frame = u32(length) + family.encode("ascii") + u32(command) + bytes(4) + token(own) + body
    if len(frame) > length:
        raise MisuseError(f"{command.name}: {len(frame)} bytes do not fit into {length}")
    return frame.ljust(length, b"\0")


def release(family: Family, own: bytes) -> bytes:
    """Write RELEASE, action 0 (section 4.2)."""
    return control(family, Control.RELEASE, own)


@dataclass(frozen=True, slots=True)
class ControlReply:
    """A control reply: `status` as Answer, or a number of its own; `body` after the 16 bytes of the head."""

    status: int
    body: bytes

    @classmethod
    def decode(cls, frame: bytes) -> "ControlReply":
        """Read a whole frame; PeerError otherwise.

        00 00 00 14 56 45 4e 53 ff ff ff fd 00 04 00 00 00 00 00 00   8 status: -3, wrong password
        """
        reader = Reader(frame, "control reply").skip(8)
        status = int.from_bytes(reader.take(4), "big", signed=True)
        return cls(status, frame[HEAD_BYTES:])


def greeting(frame: bytes) -> int:
    """Read the status of the 16 bytes with which a unit opens a connection (section 3); 0 is good."""
    return ControlReply.decode(frame).status


def frame_length(head: bytes) -> int:
    """Read the length of a frame from its first 8 bytes; PeerError unless it is a bounded frame of a family.

    00 00 aa c1 56 45 4e 53
    """
    reader = Reader(head, "frame")
    length = reader.u32()
    family_of(reader.take(4))
    if not HEAD_BYTES <= length <= MAX_FRAME_BYTES:
        raise PeerError(f"The scanner announces a frame of {length} bytes")
    return length


def data_request(family: Family, own: bytes, command: Command) -> bytes:
    """Write a command for the data channel (section 6.1): 64 bytes and what goes out.

    20: 00 00 00 0c 00 04 00 00 00 00 00 00 00 00 00 00   CDB length, data in, data out
    30: 28 00 00 02 00 80 04 00 00 00 01 02 00 00 00 00   the CDB
    """
    head = u32(64 + len(command.data_out)) + family.encode("ascii") + u32(1) + bytes(4) + token(own) + bytes(8)
    lengths = u32(len(command.cdb)) + u32(command.data_in_length) + u32(len(command.data_out)) + bytes(4)
    return head + lengths + command.cdb.ljust(_CDB_BYTES, b"\0") + command.data_out


@dataclass(frozen=True, slots=True)
class DataReply:
    """A reply on the data channel (section 6.2): the SCSI status and what came in, of an image without its two ids."""

    status: ScsiStatus
    data: bytes

    @classmethod
    def decode(cls, frame: bytes, *, image: bool) -> "DataReply":
        """Read a whole frame; PeerError otherwise.

        00 00 aa c1 56 45 4e 53 00 00 00 00 00 00 00 02 00*24 00 00   8 transport, c SCSI status, 28 page id, sequence
        """
        reader = Reader(frame, "data reply").skip(8)
        transport, status = reader.u32(), reader.u32()
        if transport:
            raise PeerError(f"The scanner failed to carry out the transfer (status {transport:#x})")
        if status not in set(ScsiStatus):
            raise PeerError(f"The scanner answers with the unknown status {status:#x}")
        reader.seek(min(_DATA_AT, len(frame)))
        return cls(ScsiStatus(status), frame[_IMAGE_AT if image else _DATA_AT :])
