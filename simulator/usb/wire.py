"""USB/IP 1.1.1 (version 0x0111) bytes <-> dataclasses, both directions. No socket.

Source: the Linux kernel's Documentation/usb/usbip_protocol.rst. Everything is big-endian; a PDU's header has a fixed
length, so that a reader knows how much to fetch: OP_LENGTH, then BUSID_LENGTH or DEVICE_LENGTH; HEADER_LENGTH.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

VERSION = 0x0111
OP_LENGTH = 8
BUSID_LENGTH = 32
DEVICE_LENGTH = 312
INTERFACE_LENGTH = 4
HEADER_LENGTH = 48
COUNT_LENGTH = 4
MAX_TRANSFER_BYTES = 0x0100_0000  # a READ asks for 24 bits of length at the most
MAX_DEVICES = 256
MAX_INTERFACES = 32
OUT, IN = 0, 1

_OP = struct.Struct(">HHI")
_DEVICE = struct.Struct(">256s32sIIIHHHBBBBBB")
_BASIC = struct.Struct(">IIIII")
_SUBMIT = struct.Struct(">IIiiI8s")
_RETURN = struct.Struct(">iIiiI8x")
_UNLINK = struct.Struct(">I24x")
_UNLINKED = struct.Struct(">i24x")


class OpCode(IntEnum):
    """What a new connection wants, and the answers to it."""

    REQ_IMPORT = 0x8003
    REP_IMPORT = 0x0003
    REQ_DEVLIST = 0x8005
    REP_DEVLIST = 0x0005


_CODES = frozenset(int(code) for code in OpCode)


class OpStatus(IntEnum):
    """How a request went."""

    OK = 0
    NOT_AVAILABLE = 1
    BUSY = 2
    ERROR = 3
    NO_DEVICE = 4


class Kind(IntEnum):
    """The PDUs of an imported device."""

    SUBMIT = 1
    UNLINK = 2
    RETURN = 3
    UNLINKED = 4


class WireError(ValueError):
    """Bytes that are no USB/IP, or that state a length out of bounds."""


@dataclass(frozen=True, slots=True)
class Op:
    """The head of a request or answer."""

    code: OpCode
    status: int = 0

    def encode(self) -> bytes:
        """Return the 8 bytes."""
        return _OP.pack(VERSION, self.code, self.status)


@dataclass(frozen=True, slots=True)
class Device:
    """A device as the list shows it; `devnum` is another one after each plugging-in."""

    path: str
    busid: str
    busnum: int
    devnum: int
    speed: int
    vendor_id: int
    product_id: int
    bcd_device: int
    device_class: tuple[int, int, int]
    configuration: int
    configurations: int
    interfaces: tuple[tuple[int, int, int], ...]

    def encode(self) -> bytes:
        """Return the 312 bytes without interfaces, as an import answers them."""
        return _DEVICE.pack(
            self.path.encode("ascii"),
            self.busid.encode("ascii"),
            self.busnum,
            self.devnum,
            self.speed,
            self.vendor_id,
            self.product_id,
            self.bcd_device,
            *self.device_class,
            self.configuration,
            self.configurations,
            len(self.interfaces),
        )


@dataclass(frozen=True, slots=True)
class Submit:
    """One transfer asked for; `data` only where the direction is OUT."""

    seqnum: int
    devid: int
    direction: int
    endpoint: int
    length: int
    setup: bytes = bytes(8)
    data: bytes = b""

    def encode(self) -> bytes:
        """Return the header, and the data of an OUT transfer."""
        basic = _BASIC.pack(Kind.SUBMIT, self.seqnum, self.devid, self.direction, self.endpoint)
        return basic + _SUBMIT.pack(0, self.length, 0, 0, 0, self.setup) + self.data


@dataclass(frozen=True, slots=True)
class Unlink:
    """Take back the transfer `target`."""

    seqnum: int
    devid: int
    target: int

    def encode(self) -> bytes:
        """Return the 48 bytes."""
        return _BASIC.pack(Kind.UNLINK, self.seqnum, self.devid, 0, 0) + _UNLINK.pack(self.target)


@dataclass(frozen=True, slots=True)
class Return:
    """How a transfer ended: `status` 0 or -errno; `length` bytes went, and follow if the direction was IN."""

    seqnum: int
    status: int
    length: int

    def encode(self, data: bytes = b"") -> bytes:
        """Return the header and the data of an IN transfer."""
        return _BASIC.pack(Kind.RETURN, self.seqnum, 0, 0, 0) + _RETURN.pack(self.status, self.length, 0, 0, 0) + data


@dataclass(frozen=True, slots=True)
class Unlinked:
    """The answer to Unlink: -ECONNRESET if the transfer was taken back, 0 if it had ended before."""

    seqnum: int
    status: int

    def encode(self) -> bytes:
        """Return the 48 bytes."""
        return _BASIC.pack(Kind.UNLINKED, self.seqnum, 0, 0, 0) + _UNLINKED.pack(self.status)


def decode_op(data: bytes) -> Op:
    """Decode the head of a request or answer; WireError if it is none."""
    _expect(data, OP_LENGTH)
    version, code, status = _OP.unpack(data)
    if version != VERSION:
        raise WireError(f"USB/IP version {version:04x}; {VERSION:04x} is spoken here")
    if code not in _CODES:
        raise WireError(f"unknown USB/IP request {code:04x}")
    return Op(OpCode(code), status)


def encode_list(devices: tuple[Device, ...]) -> bytes:
    """Return the answer to a list request."""
    parts = [Op(OpCode.REP_DEVLIST).encode(), len(devices).to_bytes(COUNT_LENGTH, "big")]
    for device in devices:
        parts += [device.encode(), *(bytes((*interface, 0)) for interface in device.interfaces)]
    return b"".join(parts)


def decode_count(data: bytes) -> int:
    """Decode the number of devices in a list."""
    _expect(data, COUNT_LENGTH)
    count = int.from_bytes(data, "big")
    if count > MAX_DEVICES:
        raise WireError(f"{count} devices")
    return count


def interface_count(data: bytes) -> int:
    """Return how many interfaces follow these 312 bytes in a list."""
    _expect(data, DEVICE_LENGTH)
    if data[-1] > MAX_INTERFACES:
        raise WireError(f"{data[-1]} interfaces")
    return data[-1]


def decode_device(data: bytes, interfaces: bytes = b"") -> Device:
    """Decode a device and the interfaces that a list has behind it; WireError if it is none."""
    interface_count(data)
    path, busid, busnum, devnum, speed, vendor, product, bcd, *rest = _DEVICE.unpack(data)
    class_, subclass, protocol, configuration, configurations, _ = rest
    rows = [interfaces[at : at + INTERFACE_LENGTH] for at in range(0, len(interfaces), INTERFACE_LENGTH)]
    if any(len(row) != INTERFACE_LENGTH for row in rows):
        raise WireError("half an interface")
    return Device(
        path=_text(path),
        busid=_text(busid),
        busnum=busnum,
        devnum=devnum,
        speed=speed,
        vendor_id=vendor,
        product_id=product,
        bcd_device=bcd,
        device_class=(class_, subclass, protocol),
        configuration=configuration,
        configurations=configurations,
        interfaces=tuple((row[0], row[1], row[2]) for row in rows),
    )


def encode_busid(busid: str) -> bytes:
    """Return the 32 bytes of an import request's body."""
    return busid.encode("ascii").ljust(BUSID_LENGTH, b"\0")


def decode_busid(data: bytes) -> str:
    """Decode the body of an import request."""
    _expect(data, BUSID_LENGTH)
    return _text(data)


def decode_request(header: bytes) -> Submit | Unlink:
    """Decode what a client sends for an imported device; an OUT transfer's data is still to be read."""
    kind, seqnum, devid, direction, endpoint = _basic(header)
    body = header[_BASIC.size :]
    if kind == Kind.UNLINK:
        return Unlink(seqnum, devid, *_UNLINK.unpack(body))
    if kind != Kind.SUBMIT:
        raise WireError(f"command {kind:08x} from a client")
    _, length, _, packets, _, setup = _SUBMIT.unpack(body)
    if not 0 <= length <= MAX_TRANSFER_BYTES:
        raise WireError(f"a transfer of {length} bytes")
    if packets not in (0, -1):
        raise WireError("isochronous transfers are not spoken here")
    if direction not in (OUT, IN) or endpoint > 15:
        raise WireError(f"direction {direction}, endpoint {endpoint}")
    return Submit(seqnum, devid, direction, endpoint, length, setup)


def decode_answer(header: bytes) -> Return | Unlinked:
    """Decode what a server sends for an imported device; an IN transfer's data is still to be read."""
    kind, seqnum, *_ = _basic(header)
    body = header[_BASIC.size :]
    if kind == Kind.UNLINKED:
        return Unlinked(seqnum, *_UNLINKED.unpack(body))
    if kind != Kind.RETURN:
        raise WireError(f"command {kind:08x} from a server")
    status, length, *_ = _RETURN.unpack(body)
    if length > MAX_TRANSFER_BYTES:
        raise WireError(f"a transfer of {length} bytes")
    return Return(seqnum, status, length)


def _basic(header: bytes) -> tuple[int, int, int, int, int]:
    _expect(header, HEADER_LENGTH)
    kind, seqnum, devid, direction, endpoint = _BASIC.unpack_from(header)
    return kind, seqnum, devid, direction, endpoint


def _expect(data: bytes, length: int) -> None:
    if len(data) != length:
        raise WireError(f"{len(data)} bytes where {length} are due")


def _text(field: bytes) -> str:
    try:
        return field.split(b"\0", 1)[0].decode("ascii")
    except UnicodeDecodeError:
        raise WireError("a name that is not ASCII") from None
