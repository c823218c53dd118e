"""VENS as the unit speaks it: datagrams and frames <-> dataclasses. Incomplete or foreign bytes raise WireError.

Written from protocols/scansnap-wifi-vens.md; numbers are big-endian.
"""

import socket
import struct
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address

FAMILIES = (b"VENS", b"ssNR", b"V2ss")
TAGS = {b"VENS": 0x0010, b"ssNR": 0x0100, b"V2ss": 0x1000}
DISCOVERY_PORT, DATA_PORT, CONTROL_PORT, ADVERTISEMENT_PORT = 52217, 53218, 53219, 53220
MAX_REQUEST_BYTES = 64 * 1024  # the largest is a tone curve of 330 bytes
RESERVE, RELEASE, DEVICE_INFO, WIFI_STATUS = 0x11, 0x12, 0x13, 0x30
_IDENTITY_BASE = bytes((123, 81, 128, 126, 78, 76, 89, 126, 89, 108, 123, 81, 116, 91, 113, 128))  # section 5


class WireError(ValueError):
    """Bytes that are none of ours; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a simulation listens: calls by UDP, data and control by TCP, and where it advertises to."""

    discovery: int = DISCOVERY_PORT
    data: int = DATA_PORT
    control: int = CONTROL_PORT
    advertisement: int = ADVERTISEMENT_PORT

    @classmethod
    def free(cls) -> "Ports":
        """Return ports that nobody uses now, so that several simulations do not hear each other."""
        with ExitStack() as stack:
            kinds = (socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM)
            sockets = [stack.enter_context(socket.socket(socket.AF_INET, kind)) for kind in kinds]
            for sock in sockets:
                sock.bind(("", 0))
            return cls(*(sock.getsockname()[1] for sock in sockets))


@dataclass(frozen=True, slots=True)
class Call:
    """A discovery request or a keep-alive (sections 2.2, 2.4)."""

    family: bytes
    alive: bool
    client: IPv4Address
    token: bytes
    port: int


def parse_call(data: bytes) -> Call:
    """Parse 32 bytes."""
    if len(data) != 32 or data[:4] not in FAMILIES:
        raise WireError(f"no call: {len(data)} bytes")
    kind, client, token, port, tag = struct.unpack(">II8sIH", data[4:26])
    if kind > 1 or tag != TAGS[data[:4]] or any(data[26:]):
        raise WireError("no call: a field is out of range")
    return Call(data[:4], bool(kind), IPv4Address(client), token, port)


@dataclass(frozen=True, slots=True)
class Info:
    """What a unit tells of itself (section 2.3); `client` 0.0.0.0: nobody is connected."""

    family: bytes
    interface: int
    address: IPv4Address
    data_port: int
    control_port: int
    mac: bytes
    host_name: str
    product: str
    client: IPv4Address
    manager: bytes = bytes(8)
    longer: bool = False

    def encode(self) -> bytes:
        """Return 132 bytes, or 144 with the names 8 bytes further on."""
        held = bool(int(self.client))
        head = struct.pack(
            ">4sHHHHI4sII6s2xI",
            self.family,
            int(held),
            0,
            self.interface,
            0x0030,
            0xFFFFFFFF,
            self.address.packed,
            self.data_port,
            self.control_port,
            self.mac,
            3 if held else 1,
        )
        names = struct.pack(">64s", self.host_name.encode("ascii"))
        product = self.product.encode("ascii")
        if self.longer:
            return (head + bytes(8) + names + product.ljust(24)).ljust(144, b"\0")
        return head + names + product.ljust(16) + self.client.packed + self.manager


def advertisement(address: IPv4Address, mac: bytes) -> bytes:
    """Return the 48 bytes of section 2.1."""
    return struct.pack(">I4sIII4s6s18x", 48, b"VENS", 0x21, 0, 0x01000000, address.packed, mac)


def event(kind: int = 1) -> bytes:
    """Return the 48 bytes of section 2.5."""
    return struct.pack(">I4sIIB31x", 48, b"VENS", kind, 0, 2)


def greeting(family: bytes, status: int = 0) -> bytes:
    """Return what is sent first on every connection (section 3)."""
    return struct.pack(">I4sii", 16, family, status, 0)


def parse_length(head: bytes) -> int:
    """Return the length that the first 8 bytes of a request announce."""
    length, family = struct.unpack(">I4s", head)
    if family not in FAMILIES or not 16 <= length <= MAX_REQUEST_BYTES:
        raise WireError(f"a request of {length} bytes, key {family!r}")
    return int(length)


@dataclass(frozen=True, slots=True)
class Reserve:
    """What RESERVE asks for (section 4.1)."""

    interface: int
    alive_s: int
    host_type: int
    client: IPv4Address
    event_port: int
    identity: bytes
    manager: bytes


@dataclass(frozen=True, slots=True)
class Control:
    """A request on the control channel."""

    family: bytes
    command: int
    token: bytes
    frame: bytes

    def reserve(self) -> Reserve:
        """Parse RESERVE: 0x80 or 0x180 bytes."""
        if len(self.frame) not in (0x80, 0x180):
            raise WireError(f"RESERVE of {len(self.frame)} bytes")
        interface, alive_s, host_type, present, client, port = struct.unpack(">HBxIIII", self.frame[0x20:0x34])
        identity = self.frame[0x34:0x64].rstrip(b"\0")
        if not present or not identity.isdigit() or not 0 < port < 1 << 16:
            raise WireError("RESERVE: no identity, or no event port")
        return Reserve(interface, alive_s, host_type, IPv4Address(client), port, identity, self.frame[0x6C:0x74])


def parse_control(frame: bytes) -> Control:
    """Parse a whole frame of the control channel."""
    if len(frame) < 0x20:
        raise WireError(f"a control request of {len(frame)} bytes")
    command, zero = struct.unpack(">II", frame[8:16])
    if zero:
        raise WireError("a control request whose word at 12 is not zero")
    return Control(frame[4:8], command, frame[16:24], frame)


def control_reply(family: bytes, status: int, body: bytes = b"") -> bytes:
    """Return a control reply."""
    return struct.pack(">I4sii", 16 + len(body), family, status, 0) + body


def reserve_reply(family: bytes, status: int, interface: int) -> bytes:
    """Return the 20 bytes that answer RESERVE."""
    return struct.pack(">I4siHHI", 20, family, status, interface, 0, 0)


@dataclass(frozen=True, slots=True)
class Data:
    """A request on the data channel (section 6.1)."""

    family: bytes
    token: bytes
    cdb: bytes
    in_length: int
    out: bytes

    @property
    def op(self) -> int:
        """Return the opcode."""
        return self.cdb[0]


def parse_data(frame: bytes) -> Data:
    """Parse a whole frame of the data channel."""
    if len(frame) < 64:
        raise WireError(f"a data request of {len(frame)} bytes")
    kind, zero = struct.unpack(">II", frame[8:16])
    cdb_length, in_length, out_length, more = struct.unpack(">IIII", frame[0x20:0x30])
    if kind != 1 or zero or more or cdb_length not in (6, 8, 10, 12) or out_length != len(frame) - 64:
        raise WireError("a data request whose lengths do not fit")
    return Data(frame[4:8], frame[16:24], frame[0x30 : 0x30 + cdb_length], in_length, frame[64:])


def data_reply(family: bytes, status: int, data: bytes = b"", *, transport: int = 0) -> bytes:
    """Return a data reply (section 6.2)."""
    return struct.pack(">I4sII24x", 40 + len(data), family, transport, status) + data


def identity(password: str) -> bytes:
    """Return the digits of a password (section 5)."""
    return b"".join(b"%03d" % (ord(c) + base) for c, base in zip(password, _IDENTITY_BASE, strict=False))
