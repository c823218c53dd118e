"""ScanSnap units on loopback addresses, their bytes written by hand: they answer as they were told to, or badly."""

import asyncio
import contextlib
import socket
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from tests.drivers.vectors import vector

BROADCAST = "127.255.255.255"
NOBODY = "0.0.0.0"
_BASE = (123, 81, 128, 126, 78, 76, 89, 126, 89, 108, 123, 81, 116, 91, 113, 128)
_NAMES = {0x11: "RESERVE", 0x12: "RELEASE"}
_CHECK, _BUSY = 2, 8
_EMPTY = (3, 0x80, 0x03)
_END = (0, 0, 0)

Fault: TypeAlias = tuple[int, int, int] | str | bytes
"""What happens instead of the answer: a sense, "hang", "close", "busy", or a frame."""


def ip(address: str) -> bytes:
    return socket.inet_aton(address)


def frame(word_8: int, word_12: int, body: bytes = b"", family: bytes = b"VENS") -> bytes:
    head = (16 + len(body)).to_bytes(4, "big") + family
    return head + (word_8 & 0xFFFFFFFF).to_bytes(4, "big") + word_12.to_bytes(4, "big") + body


def data_reply(status: int, data: bytes) -> bytes:
    return frame(0, status, bytes(24) + data)


class FakeVens(asyncio.DatagramProtocol):
    """One unit. `log`: what it was told, each with the number of the connection; `faults`: per opcode, used once each.

    `holder`: the token that reserved it; `named`: the client that it tells of; `stale`: a job was left unfinished,
    RESERVE is answered with -4 until D6; `occupied`: so it is for good; `silent`: it answers no datagram.
    """

    def __init__(
        self, address: str = "127.9.0.1", *, serial: str = "AK7CC00700", model: str = "iX500", family: bytes = b"VENS"
    ) -> None:
        self.address = address
        self.serial = serial
        self.model = model
        self.family = family
        self.password = serial[-4:]
        self.mac = b"\x00\x80\x92\x01\x02\x03"
        self.inquiry = vector("inquiry-ix500")
        self.holder = b""
        self.named = NOBODY
        self.stale = self.occupied = self.silent = False
        self.greeting = 0
        self.button = 0
        self.cover = 0
        self.sheets: list[tuple[bytes, bytes]] = []
        self.faults: dict[int, deque[Fault]] = defaultdict(deque)
        self.log: list[tuple[int, str]] = []
        self.calls: list[tuple[bytes, tuple[str, int]]] = []
        self.keep_alives = 0
        self.reads: list[tuple[int, int, int]] = []
        self.parameters = b""
        self._sides: dict[int, bytes] = {}
        self._sense = _END
        self._trigger = (NOBODY, 0)
        self._connections = 0
        self._servers: list[asyncio.Server] = []
        self._serving: set[asyncio.Task[None]] = set()
        self._udp: asyncio.DatagramTransport | None = None
        self._ports = (0, 0)

    @property
    def told(self) -> list[str]:
        return [name for _, name in self.log]

    def connection_of(self, name: str) -> int:
        """Return the number of the connection on which something was said last."""
        return next(number for number, said in reversed(self.log) if said == name)

    # --- life

    async def start(self, port: int) -> None:
        self._servers = [
            await asyncio.start_server(serve, self.address, 0) for serve in (self._serve_data, self._serve_control)
        ]
        data, control = [server.sockets[0].getsockname()[1] for server in self._servers]
        self._ports = data, control
        loop = asyncio.get_running_loop()  # last: whoever is answered connects at once
        self._udp, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.address, port))

    async def stop(self) -> None:
        """Leave the network: no answer any more, and every connection broken."""
        for server in self._servers:
            server.close()
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()
        if self._udp is not None:
            self._udp.close()
        self._udp, self._servers = None, []

    async def move(self, address: str, port: int) -> None:
        """Come back with another address; nobody holds it then."""
        await self.stop()
        self.address, self.holder, self.named = address, b"", NOBODY
        await self.start(port)

    # --- datagrams

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.calls.append((data, addr))
        if self.silent or len(data) != 32 or data[:4] != self.family:
            return
        if data[7]:
            self.keep_alives += 1
            self.send(data[:4] + b"\x80\x01" + bytes(6), addr)
        else:
            self.send(self.info(), addr)

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        if self._udp is not None:
            self._udp.sendto(data, to)

    def info(self) -> bytes:
        in_use = bytes((0, int(self.named != NOBODY)))
        name, product = f"{self.model}-{self.serial}".encode(), f"ScanSnap {self.model}".encode()
        ports = b"".join(number.to_bytes(4, "big") for number in self._ports)
        head = self.family + in_use + b"\0\0\0\4\0\x30\xff\xff\xff\xff" + ip(self.address) + ports
        idle = b"\0\0\0\1"
        rest = name.ljust(64, b"\0") + product.ljust(16) + ip(self.named) + bytes(8)
        return head + self.mac + bytes(2) + idle + rest

    def advertise(self, to: tuple[str, int]) -> None:
        head = b"\0\0\0\x30VENS\0\0\0\x21\0\0\0\0\1\0\0\0"
        self.send((head + ip(self.address) + self.mac).ljust(48, b"\0"), to)

    def event(self, kind: int = 1, times: int = 1) -> None:
        """Tell the client that reserved this unit."""
        for _ in range(times):
            self.send(event(kind), self._trigger)

    @property
    def trigger(self) -> tuple[str, int]:
        return self._trigger

    # --- connections

    async def _serve_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._connection(writer) as number:
            while request := await _frame(reader):
                command = request[11]
                self.log.append((number, _NAMES.get(command, f"control {command:02X}")))
                writer.write(self._control(command, request))

    async def _serve_data(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._connection(writer) as number:
            while request := await _frame(reader):
                length, opcode = request[0x23], request[0x30]
                self.log.append((number, f"{opcode:02X}"))
                reply = await self._answer(request[0x30 : 0x30 + length], request[0x40:])
                if not reply:
                    return
                writer.write(reply)

    @asynccontextmanager
    async def _connection(self, writer: asyncio.StreamWriter) -> AsyncIterator[int]:
        self._connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                writer.write(frame(self.greeting, 0))
                yield self._connections
        finally:
            self._serving.discard(task)
            writer.transport.abort()

    def _control(self, command: int, request: bytes) -> bytes:
        token = request[16:24]
        if command == 0x11:
            return frame(self._reserve(token, request), 0x00040000, bytes(4))
        if command == 0x12 and token == self.holder:
            self.holder, self.named = b"", NOBODY
        return frame(0, 0)

    def _reserve(self, token: bytes, request: bytes) -> int:
        digits = "".join(f"{base + ord(c):03}" for base, c in zip(_BASE, self.password, strict=False))
        if request[0x34:0x64].rstrip(b"\0") != digits.encode():
            return -3
        if self.occupied or self.stale or self.holder not in (b"", token):
            return -4
        self.holder = token
        self.named = socket.inet_ntoa(request[0x2C:0x30])
        self._trigger = self.named, int.from_bytes(request[0x30:0x34], "big")
        return 0

    async def _answer(self, cdb: bytes, payload: bytes) -> bytes:
        fault = self.faults[cdb[0]].popleft() if self.faults[cdb[0]] else None
        if fault is None:
            return self._good(cdb, payload)
        if fault == "hang":
            await asyncio.Event().wait()
        if fault == "close":
            return b""
        if fault == "busy":
            return data_reply(_BUSY, b"")
        if isinstance(fault, tuple):
            return self._check(fault)
        assert isinstance(fault, bytes)
        return fault

    def _check(self, sense: tuple[int, int, int], data: bytes = b"") -> bytes:
        self._sense = sense
        return data_reply(_CHECK, data)

    def _good(self, cdb: bytes, payload: bytes) -> bytes:
        match cdb[0]:
            case 0x03:
                key, asc, ascq = self._sense
                flags = 0x60 if self._sense == _END else 0
                return data_reply(0, bytes((0xF0, 0, flags | key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq)) + bytes(4))
            case 0x12:
                return data_reply(0, self.inquiry)
            case 0xC2:
                paper = self.cover | (0 if self.sheets else 0x80)
                return data_reply(0, bytes((0, 0, 0, paper, self.button)).ljust(32, b"\0"))
            case 0xD4:
                self.parameters = payload
            case 0xD5:
                return data_reply(0, bytes(8))
            case 0xD6:
                self.stale = False
            case 0xE0:
                return self._feed()
            case 0x28:
                return self._read(cdb)
        return data_reply(0, b"")

    def _feed(self) -> bytes:
        if not self.sheets:
            return self._check(_EMPTY)
        front, back = self.sheets.pop(0)
        self._sides = {0x00: front, 0x80: back}
        return data_reply(0, b"")

    def _read(self, cdb: bytes) -> bytes:
        side, length, ids = cdb[5], int.from_bytes(cdb[6:9], "big"), cdb[10:12]
        self.reads.append((side, *ids))
        data, self._sides[side] = self._sides[side][:length], self._sides[side][length:]
        if self._sides[side]:
            return data_reply(0, ids + data)
        return self._check(_END, ids + data)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """Read a frame; nothing at the end of the connection."""
    try:
        length = await reader.readexactly(4)
        return length + await reader.readexactly(int.from_bytes(length, "big") - 4)
    except (asyncio.IncompleteReadError, OSError):
        return b""


def event(kind: int) -> bytes:
    return (b"\0\0\0\x30VENS" + kind.to_bytes(4, "big") + bytes(4) + b"\2").ljust(48, b"\0")


class _Calls(asyncio.DatagramProtocol):
    def __init__(self, units: list[FakeVens]) -> None:
        self._units = units

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for unit in self._units:
            unit.datagram_received(data, addr)


@dataclass(frozen=True, slots=True)
class Network:
    """Where the units are called, and where they advertise. `units` may grow."""

    port: int
    advertisement_port: int
    units: list[FakeVens]


@asynccontextmanager
async def network(*units: FakeVens) -> AsyncIterator[Network]:
    """Put units on the network; each hears broadcasts, and what is sent to its own address."""
    listening = list(units)
    loop = asyncio.get_running_loop()
    calls, _ = await loop.create_datagram_endpoint(lambda: _Calls(listening), local_addr=(BROADCAST, 0))
    port = calls.get_extra_info("sockname")[1]
    try:
        for unit in units:
            await unit.start(port)
        yield Network(port, _free_port(), listening)
    finally:
        for unit in listening:
            await unit.stop()
        calls.close()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def stranger(address: str) -> Iterator[socket.socket]:
    """Send from an address at which no unit is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        yield sock
