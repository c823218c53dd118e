"""Datagrams and frames of VENS <-> messages. All numbers are big-endian; nothing is encrypted.

Offsets and meanings: protocols/scansnap-wifi-vens.md; the sections are named beside each message.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from ipaddress import IPv4Address

from drivers.errors import MisuseError, PeerError
from drivers.octets import Reader, u8, u16, u32
from drivers.scsi.wire import Command, ScsiStatus

DISCOVERY_PORT = 52217
ADVERTISEMENT_PORT = 53220
TOKEN_BYTES = 6
GREETING_BYTES = 16
HEAD_BYTES = 16
MAX_FRAME_BYTES = 4 * 1024 * 1024  # section 3; the largest frame that a unit sends is a block of 3 MB
LONGEST_PASSWORD = 16

LEAST_INFO_BYTES = 124
LONGEST_DATAGRAM_BYTES = 512
NOTICE_BYTES = 48
NOTICE_HEAD = b"\0\0\0\x30VENS"

_KEY = b"pFusCANsNapFiPfu"
_CDB_BYTES = 16
_DATA_AT = 40
_IMAGE_AT = 42


class Family(StrEnum):
    """Which units a discovery request is for; the key of every later frame."""

    VENS = "VENS"
    SSNR = "ssNR"
    V2SS = "V2ss"


_TAGS = {Family.VENS: 0x0010, Family.SSNR: 0x0100, Family.V2SS: 0x1000}


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


class Notice(IntEnum):
    """What an event tells (section 2.5)."""

    START = 0x01
    RELEASED = 0x10
    RELEASE_ENFORCED = 0x11
    RELEASED_BY_ORDER = 0x12
    BATTERY_SAVE = 0x22


LETS_GO = frozenset({Notice.RELEASED, Notice.RELEASE_ENFORCED, Notice.RELEASED_BY_ORDER, Notice.BATTERY_SAVE})


@dataclass(frozen=True, slots=True)
class Request:
    """Calls units, or keeps a reservation alive (sections 2.2 and 2.4); 32 bytes.

    56 45 4e 53 00 00 00 00 c0 a8 01 32 02 11 22 33   key, 1 = keep alive, client IPv4, token ..
    44 55 00 00 00 00 d7 e0 00 10 00 00 00 00 00 00   .. + 00 00, 14 client port, 18 interface tag
    """

    family: Family
    client: IPv4Address
    token: bytes
    port: int
    alive: bool = False

    def encode(self) -> bytes:
        """Write the datagram."""
        head = self.family.encode("ascii") + u32(int(self.alive)) + self.client.packed
        return head + token(self.token) + u32(self.port) + u16(_TAGS[self.family]) + bytes(6)


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What a unit answers to a request (section 2.3).

    `mac` as "00:80:92:01:02:03"; `client`: who is connected, 0.0.0.0 for nobody; `manager`: 8 bytes of the PC to which
    it is bound; `raw`: the whole reply, for the log.
    """

    family: Family
    notify: int
    interface: int
    address: IPv4Address
    data_port: int
    control_port: int
    mac: str
    host_name: str
    product: str
    client: IPv4Address
    manager: bytes
    raw: bytes = field(default=b"", compare=False, repr=False)

    @classmethod
    def decode(cls, data: bytes) -> "DeviceInfo":
        """Read 124 bytes or more; PeerError otherwise.

        00: 56 45 4e 53 00 00 00 04 00 30 ...            4 notify, 8 interface version         (here 4)
        10: c0 a8 01 14 00 00 cf e2 00 00 cf e3          10 IPv4, 14 data port, 18 control port
        1c: 00 80 92 01 02 03 00 00                      MAC
        28: 69 58 35 30 30 2d 41 4b 37 43 43 30 30 ...   host name, at 30 in the longer form   "iX500-AK7CC00700"
        68: 53 63 61 6e 53 6e 61 70 20 69 58 35 30 30    product, at 70 in the longer form     "ScanSnap iX500"
        78: connected client; 7c: manager id
        """
        if not LEAST_INFO_BYTES <= len(data) <= LONGEST_DATAGRAM_BYTES:
            raise PeerError(f"device information of {len(data)} bytes")
        reader = Reader(data, "device information")
        family = _family(reader.take(4))
        notify = reader.u16()
        interface = reader.seek(0x08).u16()
        address = IPv4Address(reader.seek(0x10).take(4))
        ports = reader.u32(), reader.u32()
        if not all(0 < port < 1 << 16 for port in ports):
            raise PeerError(f"device information: ports {ports[0]} and {ports[1]}")
        mac = reader.take(6).hex(":")
        longer = len(data) >= _LONG_INFO and not data[_NAME_AT]
        reader.seek(_LONG_NAME_AT if longer else _NAME_AT)
        host_name = _text(reader.take(64))
        product = _text(reader.take(24 if longer else 16))
        if not host_name:
            raise PeerError("device information: no host name")
        rest = Reader(data[_CLIENT_AT:].ljust(12, b"\0") if not longer else bytes(12), "device information")
        return cls(
            family=family,
            notify=notify,
            interface=interface,
            address=address,
            data_port=ports[0],
            control_port=ports[1],
            mac=mac,
            host_name=host_name,
            product=product,
            client=IPv4Address(rest.take(4)),
            manager=rest.take(8),
            raw=data,
        )

    @property
    def serial(self) -> str:
        """Return the serial number on the label: what follows the first hyphen of the host name."""
        return self.host_name.partition("-")[2] or self.host_name

    @property
    def model(self) -> str:
        """Return the model's name."""
        return self.product.removeprefix("ScanSnap ").strip() or self.host_name.partition("-")[0]


_LONG_INFO = 144
_NAME_AT, _LONG_NAME_AT, _CLIENT_AT = 0x28, 0x30, 0x78


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What a unit broadcasts now and then (section 2.1): it is at `address`."""

    address: IPv4Address
    mac: str

    @classmethod
    def decode(cls, data: bytes) -> "Advertisement":
        """Read 48 bytes; PeerError otherwise.

        00 00 00 30 56 45 4e 53 00 00 00 21 00 00 00 00   length, key, kind
        01 00 00 00 c0 a8 01 14 00 80 92 01 02 03 00 00   14 IPv4, 18 MAC
        """
        reader = _notice(data, "advertisement")
        if reader.seek(0x08).u32() != 0x21:
            raise PeerError("not an advertisement")
        return cls(IPv4Address(reader.seek(0x14).take(4)), reader.take(6).hex(":"))


@dataclass(frozen=True, slots=True)
class Event:
    """What a unit tells who reserved it (section 2.5); `kind` is a Notice, or a number that nobody has published."""

    kind: int

    @classmethod
    def decode(cls, data: bytes) -> "Event":
        """Read 48 bytes; PeerError otherwise.

        00 00 00 30 56 45 4e 53 00 00 00 01 00 00 00 00 02 00 ...   length, key, 8 kind
        """
        return cls(_notice(data, "event").seek(0x08).u32())


def identity(password: str) -> bytes:
    """Return what RESERVE carries for a password (section 5): "0700" is 171136176174.

    MisuseError for more than 16 characters, or others than ASCII.
    """
    if len(password) > LONGEST_PASSWORD or not password.isascii():
        raise MisuseError(f"a scanner's password has at most {LONGEST_PASSWORD} ASCII characters")
    return "".join(f"{ord(c) + k + 11:03}" for c, k in zip(password, _KEY, strict=False)).encode("ascii")


def token(own: bytes) -> bytes:
    """Write our token: 6 bytes and 00 00; MisuseError otherwise."""
    if len(own) != TOKEN_BYTES:
        raise MisuseError(f"a token of {len(own)} bytes")
    return own + bytes(2)


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
    _family(reader.take(4))
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


def _notice(data: bytes, what: str) -> Reader:
    if len(data) != NOTICE_BYTES or not data.startswith(NOTICE_HEAD):
        raise PeerError(f"not an {what}: {len(data)} bytes")
    return Reader(data, what)


def _family(key: bytes) -> Family:
    try:
        return Family(key.decode("ascii"))
    except ValueError:
        raise PeerError(f"not a ScanSnap's key: {key.hex(' ')}") from None


def _text(raw: bytes) -> str:
    """Return text up to its first NUL, without padding; what is not printable ASCII is none of ours."""
    text = raw.partition(b"\0")[0].decode("ascii", "replace").strip()
    if not all(0x20 <= ord(c) < 0x7F for c in text):
        raise PeerError("device information: unprintable text")
    return text
