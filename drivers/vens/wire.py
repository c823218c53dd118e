"""Datagrams of VENS <-> messages. All numbers are big-endian; nothing is encrypted. What goes over TCP: `frames.py`.

Offsets and meanings: protocols/scansnap-wifi-vens.md; the sections are named beside each message.
"""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from ipaddress import IPv4Address

from drivers.errors import MisuseError, PeerError
from drivers.octets import Reader, u16, u32

DISCOVERY_PORT = 52217
ADVERTISEMENT_PORT = 53220
TOKEN_BYTES = 6

LEAST_INFO_BYTES = 124
LONGEST_DATAGRAM_BYTES = 512
NOTICE_BYTES = 48
NOTICE_HEAD = b"\0\0\0\x30VENS"


class Family(StrEnum):
    """Which units a discovery request is for; the key of every later frame."""

    VENS = "VENS"
    SSNR = "ssNR"
    V2SS = "V2ss"


_TAGS = {Family.VENS: 0x0010, Family.SSNR: 0x0100, Family.V2SS: 0x1000}


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
        family = family_of(reader.take(4))
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


def token(own: bytes) -> bytes:
    """Write our token: 6 bytes and 00 00; MisuseError otherwise."""
    if len(own) != TOKEN_BYTES:
        raise MisuseError(f"a token of {len(own)} bytes")
    return own + bytes(2)


def _notice(data: bytes, what: str) -> Reader:
    if len(data) != NOTICE_BYTES or not data.startswith(NOTICE_HEAD):
        raise PeerError(f"not an {what}: {len(data)} bytes")
    return Reader(data, what)


def family_of(key: bytes) -> Family:
    """Read the key that begins every message; PeerError for another."""
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
