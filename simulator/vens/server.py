"""The units of a simulation on the air: a socket for the calls to everybody, one for each unit, two TCP ports each."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from ipaddress import IPv4Address

from simulator.scanner import VirtualScanner
from simulator.vens import dialects, wire
from simulator.vens.session import ACCEPTED, Session
from simulator.vens.target import Closes, Target
from simulator.vens.wire import Call, Control, Data, Info, Ports, WireError

log = logging.getLogger(__name__)

EVERYBODY = "127.255.255.255"
_REPEAT_S, _REPEATS = 0.5, 4  # section 2.5
_ADVERTISE_S = 3.0
_MOST_AT_ONCE = 64
_BUFFER_BYTES = 256 * 1024
_SIGNAL_STRONG = (3).to_bytes(4, "big").ljust(16, b"\0")
_NO_SUCH_COMMAND = -1


class VensUnit:
    """One unit: its sockets while it is on the air, its session, its firmware."""

    def __init__(self, scanner: VirtualScanner, ports: Ports) -> None:
        spec = scanner.spec.wifi
        if spec is None:
            raise ValueError(f"{scanner.id} has no Wi-Fi")
        self.scanner = scanner
        self.session = Session(spec.password or spec.label[-4:])
        self._spec = spec
        self._ports = ports
        self._dialect = dialects.of(scanner.spec.model, spec.dialect)
        self._mac = bytes.fromhex(spec.mac.replace(":", ""))
        self._target = Target(scanner, self.session, scanner.drop_wifi)
        self._turn = asyncio.Lock()
        self._udp: socket.socket | None = None
        self._servers: list[asyncio.Server] = []
        self._clients: set[asyncio.Task[None]] = set()
        self._work: set[asyncio.Task[None]] = set()
        self._address = ""
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Go on the air, and follow what a person does to the unit."""
        self.scanner.on_air.append(self._changed)
        self.scanner.on_press.append(self._pressed)
        await self._follow()

    async def close(self) -> None:
        """Leave the air for good."""
        self.scanner.on_air.remove(self._changed)
        self.scanner.on_press.remove(self._pressed)
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._leave()
        await self._target.discard()

    # --- being there

    def _changed(self) -> None:
        self._do(self._follow())

    def _do(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _follow(self) -> None:
        async with self._changing:
            wanted = self.scanner.address
            if wanted != self._address:
                await self._leave()
                if not self.scanner.powered:
                    self.session.drop()
                if wanted:
                    await self._join(wanted)

    async def _join(self, address: str) -> None:
        self._udp = sock = _udp(address, self._ports.discovery)
        asyncio.get_running_loop().add_reader(sock, drain, sock, self._take)
        for port, serve in ((self._ports.data, self._serve_data), (self._ports.control, self._serve_control)):
            self._servers.append(await asyncio.start_server(self._guarded(serve), address, port))
        self._address = address

    async def _leave(self) -> None:
        """Vanish at once: connections are reset, datagrams unanswered."""
        self._address = ""
        if self._udp is not None:
            asyncio.get_running_loop().remove_reader(self._udp)
            self._udp.close()
            self._udp = None
        for server in self._servers:
            server.close()
        self._servers.clear()
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    # --- datagrams

    def _take(self, data: bytes, sender: tuple[str, int]) -> None:
        with suppress(WireError):
            self.hear(wire.parse_call(data), sender)

    def hear(self, call: Call, sender: tuple[str, int]) -> None:
        """Take a call or a keep-alive; units answer calls for their own family only."""
        if self._udp is None or call.family != self._dialect.family:
            return
        now_s = asyncio.get_running_loop().time()
        if call.alive:
            self.session.alive(call.token, now_s)
            return
        self.session.lapse(now_s)
        with suppress(OSError):
            self._udp.sendto(self._info().encode(), sender)

    def _info(self) -> Info:
        holder = self.session.holder
        return Info(
            family=self._dialect.family,
            interface=self._dialect.interface,
            address=IPv4Address(self._address),
            data_port=self._ports.data,
            control_port=self._ports.control,
            mac=self._mac,
            host_name=f"{self.scanner.spec.model}-{self._spec.label}",
            product=f"ScanSnap {self.scanner.spec.model}",
            client=holder.address if holder is not None else IPv4Address(0),
            longer=self._dialect.longer,
        )

    def advertise(self) -> None:
        """Say once that the unit is there."""
        if self._udp is not None:
            told = wire.advertisement(IPv4Address(self._address), self._mac)
            with suppress(OSError):
                self._udp.sendto(told, (EVERYBODY, self._ports.advertisement))

    def _pressed(self) -> None:
        self._do(self._tell_press())

    async def _tell_press(self) -> None:
        """Tell who reserved the unit of a press, again and again until the press is heeded."""
        press = self.scanner.presses
        for _ in range(_REPEATS):
            self.session.lapse(asyncio.get_running_loop().time())
            holder = self.session.holder
            if holder is None or self._udp is None or self.scanner.heeded_presses >= press:
                return
            with suppress(OSError):
                self._udp.sendto(wire.event(), (str(holder.address), holder.event_port))
            await asyncio.sleep(_REPEAT_S)

    # --- connections

    def _guarded(
        self, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        """Return a connection's handler: what a client sends wrong ends its connection, nothing else."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._clients.add(task)
                task.add_done_callback(self._clients.discard)
            try:
                writer.write(wire.greeting(self._dialect.family, 0 if self._dialect.talks else _NO_SUCH_COMMAND))
                await serve(reader, writer)
            except (WireError, Closes, asyncio.IncompleteReadError, OSError) as error:
                self.scanner.note(f"connection ended: {error or type(error).__name__}")
                writer.transport.abort()
            except asyncio.CancelledError:
                writer.transport.abort()
            finally:
                writer.close()

        return handle

    async def _serve_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = wire.parse_control(await _frame(reader))
            peer = IPv4Address(writer.get_extra_info("peername")[0])
            writer.write(self._control(request, peer))
            await writer.drain()

    def _control(self, request: Control, peer: IPv4Address) -> bytes:
        family = self._dialect.family
        match request.command:
            case wire.RESERVE:
                return wire.reserve_reply(family, self._reserve(request, peer), self._dialect.interface)
            case wire.RELEASE:
                if self.session.release(request.token) and self.session.unfinished:
                    self.scanner.violation("released with a job that was not ended (D6)")
                return wire.control_reply(family, 0)
            case wire.DEVICE_INFO:
                name = f"{self.scanner.spec.model}-{self._spec.label}".encode("ascii")
                return wire.control_reply(family, 0, name.ljust(0x60, b"\0"))
            case wire.WIFI_STATUS:
                return wire.control_reply(family, 0, _SIGNAL_STRONG)
            case command:
                self.scanner.violation(f"unknown control command {command:02x}")
                return wire.control_reply(family, _NO_SUCH_COMMAND)

    def _reserve(self, request: Control, peer: IPv4Address) -> int:
        try:
            asked = request.reserve()
        except WireError as error:
            self.scanner.violation(str(error))
            return _NO_SUCH_COMMAND
        if asked.client != peer:
            self.scanner.violation(f"RESERVE names {asked.client} and comes from {peer}")
        status = self.session.reserve(request.token, asked, peer, asyncio.get_running_loop().time())
        self.scanner.note(f"RESERVE from {peer}: {'accepted' if status == ACCEPTED else status}")
        return status

    async def _serve_data(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = wire.parse_data(await _frame(reader))
            async with self._turn:
                reply = await self._target.execute(self._trusted(request))
                writer.write(wire.data_reply(self._dialect.family, reply.status, reply.data))
                await writer.drain()
                await self._target.sent(reply)

    def _trusted(self, request: Data) -> Data:
        holder = self.session.holder
        if holder is not None and holder.token != request.token:
            self.scanner.violation(f"command {request.op:02x} with the token of another client")
            raise Closes
        return request


class VensAir:
    """All units of a simulation that have Wi-Fi."""

    def __init__(self, scanners: Iterable[VirtualScanner], ports: Ports) -> None:
        self.units = {scanner.id: VensUnit(scanner, ports) for scanner in scanners}
        self._ports = ports
        self._everybody: socket.socket | None = None
        self._advertising: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Go on the air; OSError if a port is taken."""
        if not self.units:
            return
        self._everybody = _udp(EVERYBODY, self._ports.discovery)
        asyncio.get_running_loop().add_reader(self._everybody, drain, self._everybody, self._take)
        for unit in self.units.values():
            await unit.start()
        self._advertising = asyncio.create_task(self._advertise(), name="VENS advertisements")

    async def close(self) -> None:
        """Leave the air."""
        if self._advertising is not None:
            self._advertising.cancel()
            await asyncio.gather(self._advertising, return_exceptions=True)
        for unit in self.units.values():
            await unit.close()
        if self._everybody is not None:
            asyncio.get_running_loop().remove_reader(self._everybody)
            self._everybody.close()

    def _take(self, data: bytes, sender: tuple[str, int]) -> None:
        with suppress(WireError):
            call = wire.parse_call(data)
            for unit in self.units.values():
                unit.hear(call, sender)

    async def _advertise(self) -> None:
        while True:
            for unit in self.units.values():
                unit.advertise()
            await asyncio.sleep(_ADVERTISE_S)


def drain(sock: socket.socket, take: Callable[[bytes, tuple[str, int]], None]) -> None:
    """Read what has come, a bounded number of datagrams at once."""
    for _ in range(_MOST_AT_ONCE):
        try:
            data, sender = sock.recvfrom(64)  # no call is longer
        except OSError:
            return
        take(data, sender)


def _udp(address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        for option in (socket.SO_REUSEADDR, socket.SO_BROADCAST):
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


async def _frame(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(8)
    return head + await reader.readexactly(wire.parse_length(head) - 8)
