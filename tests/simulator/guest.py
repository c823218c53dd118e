"""A process as the simulated bus sees it: the preload library's end of a node's socket, with a memory of its own.

Written from linux/usbdevice_fs.h and umockdev's libumockdev-preload.c; shares nothing with the simulator's codec.
"""

import asyncio
import os
import select
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

IOCTL, DONE, READ_MEMORY, WRITE_MEMORY, READ = 1, 3, 5, 6, 7
CONTROL, BULK, SUBMIT, DISCARD, REAP, REAP_NOW = 0x00, 0x02, 0x0A, 0x0B, 0x0C, 0x0D
RESET_ENDPOINT, SET_INTERFACE, SET_CONFIGURATION, GET_DRIVER = 0x03, 0x04, 0x05, 0x08
CLAIM, RELEASE, RESET, CLEAR_HALT, CAPABILITIES, SPEED = 0x0F, 0x10, 0x14, 0x15, 0x1A, 0x1F
URB_CONTROL, URB_BULK = 2, 3
INQUIRY = (b"C" + bytes(18) + bytes.fromhex("12 00 00 00 60 00")).ljust(31, b"\0")
_URB = struct.Struct("@BBiIPiiiiiIP")
_SCRATCH, _URBS, _BUFFERS, _SPACE = 0x40, 0x1000, 0x10000, 0x10000


class Errno(Exception):
    """A call that returned -1."""

    def __init__(self, code: int) -> None:
        super().__init__(os.strerror(code))
        self.code = code


@dataclass
class Guest:
    """One open file of a node."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    memory: bytearray = field(default_factory=lambda: bytearray(0x100000))
    submitted: int = 0

    async def call(self, kind: int, first: int, second: int) -> int:
        """Make a call and serve the memory that it needs; Errno."""
        self.writer.write(struct.pack("@QQQ", kind, first, second))
        while True:
            word, a, b = struct.unpack("@QqQ", await self.reader.readexactly(24))
            if word == DONE:
                if a == -1:
                    raise Errno(b)
                return int(a)
            if word == READ_MEMORY:
                self.writer.write(bytes(self.memory[a : a + b]))
            else:
                assert word == WRITE_MEMORY
                self.memory[a : a + b] = await self.reader.readexactly(b)

    async def ioctl(self, number: int, *words: int) -> int:
        """Make a request whose argument points to these 32-bit words."""
        self.put(_SCRATCH, struct.pack(f"@{len(words)}i", *words))
        return await self.call(IOCTL, 0x80045500 | number, _SCRATCH)

    async def descriptors(self, length: int = 4096) -> bytes:
        count = await self.call(READ, _BUFFERS, length)
        return bytes(self.memory[_BUFFERS : _BUFFERS + count])

    async def submit(self, kind: int, endpoint: int, length: int, data: bytes = b"") -> int:
        """Submit a transfer and return its number."""
        self.submitted += 1
        urb, buffer = _URBS + 64 * self.submitted, _BUFFERS + _SPACE * (self.submitted % 8)
        self.put(buffer, data)
        self.put(urb, _URB.pack(kind, endpoint, 77, 0, buffer, length, -1, 0, 0, 0, 0, 0))
        await self.call(IOCTL, SUBMIT, urb)
        return self.submitted

    async def discard(self, number: int) -> int:
        return await self.call(IOCTL, DISCARD, _URBS + 64 * number)

    async def reap(self, how: int = REAP_NOW) -> tuple[int, int, bytes]:
        """Return number, status and bytes of a transfer that ended."""
        await self.call(IOCTL, how, _SCRATCH)
        [urb] = struct.unpack_from("@P", self.memory, _SCRATCH)
        _, _, status, _, buffer, _, count, *_ = _URB.unpack_from(self.memory, urb)
        return (urb - _URBS) // 64, status, bytes(self.memory[buffer : buffer + count])

    async def transfer(self, request: int, head: bytes, buffer: bytes = b"", timeout_ms: int = 0) -> tuple[int, bytes]:
        """Do a synchronous transfer: CONTROL (`head` is SETUP) or BULK (`head` is endpoint and length)."""
        self.put(_BUFFERS, buffer)
        self.put(_SCRATCH, head + struct.pack("@IxxxxP", timeout_ms, _BUFFERS))
        count = await self.call(IOCTL, request, _SCRATCH)
        return count, bytes(self.memory[_BUFFERS : _BUFFERS + count])

    async def exchange(self, envelope: bytes, length: int) -> tuple[bytes, bytes]:
        """Send a command; return its data and its status frame."""
        await self.submit(URB_BULK, 0x02, len(envelope), envelope)
        await self.reap(REAP)
        parts = []
        for asked in (length, 13):
            await self.submit(URB_BULK, 0x81, asked)
            _, status, data = await self.reap(REAP)
            assert status == 0
            parts.append(data)
        return parts[0], parts[1]

    def put(self, address: int, data: bytes) -> None:
        self.memory[address : address + len(data)] = data

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


async def open_node(root: Path, address: int = 2) -> Guest:
    """Open a node as a process does."""
    return Guest(*await asyncio.open_unix_connection(root / f"ioctl/dev/bus/usb/001/{address:03}"))


@contextmanager
def polled(root: Path, address: int = 2) -> Iterator[Callable[[], bool]]:
    """Yield what tells whether poll() reports the node, as to a process that waits for a transfer."""
    node = os.open(root / f"dev/bus/usb/001/{address:03}", os.O_RDWR | os.O_NONBLOCK)
    poll = select.poll()
    poll.register(node, select.POLLOUT)
    try:
        yield lambda: bool(poll.poll(0))
    finally:
        os.close(node)
