"""Messages of libumockdev-preload over a device node's socket, and the transfers of usbdevfs. Native byte order.

A process sends (kind, a, b), three 64-bit words; it is answered with DONE, after any number of readings and writings of
its memory. Sources: umockdev 0.17 (libumockdev-preload.c: remote_emulate), linux/usbdevice_fs.h.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

_WORDS = struct.Struct("=QQQ")
_DONE = struct.Struct("=QqQ")
MESSAGE_BYTES = _WORDS.size


class Kind(IntEnum):
    """The first word."""

    IOCTL = 1
    DONE = 3
    READ_MEMORY = 5
    WRITE_MEMORY = 6
    READ = 7
    WRITE = 8


class Ioctl(IntEnum):
    """The number of a usbdevfs request, its lowest byte."""

    CONTROL = 0
    BULK = 2
    RESETEP = 3
    SETINTERFACE = 4
    SETCONFIGURATION = 5
    GETDRIVER = 8
    SUBMITURB = 10
    DISCARDURB = 11
    REAPURB = 12
    REAPURBNDELAY = 13
    CLAIMINTERFACE = 15
    RELEASEINTERFACE = 16
    IOCTL = 18
    RESET = 20
    CLEAR_HALT = 21
    GET_CAPABILITIES = 26
    DISCONNECT_CLAIM = 27
    GET_SPEED = 31


class UrbType(IntEnum):
    """What a URB transfers."""

    CONTROL = 2
    BULK = 3


URB_BYTES = 56
TRANSFER_BYTES = 24
STATUS_AT, ACTUAL_LENGTH_AT = 4, 28
_URB = struct.Struct("=BBxxiIxxxxQii")
_TRANSFER = struct.Struct("=IiIxxxxQ")
INT = struct.Struct("=i")
POINTER = struct.Struct("=Q")


@dataclass(frozen=True, slots=True)
class Urb:
    """A transfer as a process submits it; `pointer` is where it lies in that process and names it."""

    pointer: int
    type: int
    endpoint: int
    buffer: int
    length: int

    @classmethod
    def decode(cls, pointer: int, data: bytes) -> "Urb":
        """Read the first 32 of 56 bytes: type, endpoint, status, flags, buffer, length, actual length."""
        kind, endpoint, _status, _flags, buffer, length, _actual = _URB.unpack_from(data)
        return cls(pointer, kind, endpoint, buffer, length)


NO_URB = Urb(0, UrbType.CONTROL, 0, 0, 0)  # of a transfer that is not submitted but done at once


def decode_transfer(data: bytes) -> tuple[int, int, int, int]:
    """Read a synchronous transfer of 24 bytes: endpoint, length, timeout in ms, buffer; CONTROL has SETUP first."""
    endpoint, length, timeout_ms, buffer = _TRANSFER.unpack(data)
    return endpoint, length, timeout_ms, buffer


def decode(data: bytes) -> tuple[int, int, int]:
    """Read a message."""
    kind, first, second = _WORDS.unpack(data)
    return kind, first, second


def done(result: int, error: int = 0) -> bytes:
    """Write the end of a request: what the call returns, and errno where that is -1."""
    return _DONE.pack(Kind.DONE, result, error)


def read_memory(address: int, length: int) -> bytes:
    """Ask for a piece of the process's memory, which then follows."""
    return _WORDS.pack(Kind.READ_MEMORY, address, length)


def write_memory(address: int, data: bytes) -> bytes:
    """Set a piece of the process's memory."""
    return _WORDS.pack(Kind.WRITE_MEMORY, address, len(data)) + data
