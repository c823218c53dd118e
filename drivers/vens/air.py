"""The three UDP sockets: calls and keep-alives, advertisements, events. Datagrams in, decoded messages out.

Anybody can send here. A datagram of another shape costs a microsecond to throw away, at most `_MOST_AT_ONCE` are read
before others have their turn, and nothing is kept of what is not a message.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address

import ifaddr

from drivers.errors import PeerError
from drivers.vens import wire
from drivers.vens.wire import Advertisement, DeviceInfo, Event, Family, Request

log = logging.getLogger(__name__)

_MOST_AT_ONCE = 64
_BUFFER_BYTES = 256 * 1024  # the answers of 200 units to one call
_MOST_UNREAD = 16  # replies that are logged because nobody can read them

Take = Callable[[bytes, IPv4Address], None]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a message looks like before anybody decodes it: its length, and how it begins."""

    least_bytes: int
    most_bytes: int
    heads: frozenset[bytes]
    head_bytes: int


_INFO = _Shape(wire.LEAST_INFO_BYTES, wire.LONGEST_DATAGRAM_BYTES, frozenset(it.encode("ascii") for it in Family), 4)
_NOTICE = _Shape(wire.NOTICE_BYTES, wire.NOTICE_BYTES, frozenset({wire.NOTICE_HEAD}), len(wire.NOTICE_HEAD))


@dataclass(frozen=True, slots=True)
class Ports:
    """Where units listen for calls, and where they advertise."""

    discovery: int = wire.DISCOVERY_PORT
    advertisement: int = wire.ADVERTISEMENT_PORT


@dataclass(frozen=True, slots=True)
class Ears:
    """Who is told what was heard, and from which address."""

    info: Callable[[DeviceInfo, IPv4Address], None]
    advertised: Callable[[Advertisement, IPv4Address], None]
    event: Callable[[Event, IPv4Address], None]


class Air:
    """The sockets of one gateway. `open`, then `call`; `close` at the end."""

    def __init__(self, *, token: bytes, ports: Ports, ears: Ears) -> None:
        self._token = token
        self._ports = ports
        self._ears = ears
        self._calls: socket.socket | None = None
        self._events: socket.socket | None = None
        self._sockets: list[socket.socket] = []
        self._buffer = bytearray(wire.LONGEST_DATAGRAM_BYTES + 1)
        self._unread: set[IPv4Address] = set()

    def open(self) -> None:
        """Open the sockets; without the port of the advertisements it goes on."""
        self._calls = self._listen(0, _INFO, self._take_info)
        self._events = self._listen(0, _NOTICE, self._take_event)
        try:
            self._listen(self._ports.advertisement, _NOTICE, self._take_advertisement)
        except OSError as error:
            log.warning("no ScanSnap advertisements are heard: UDP port %d: %s", self._ports.advertisement, error)

    def close(self) -> None:
        """Close the sockets."""
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()
        self._calls = self._events = None

    @property
    def event_port(self) -> int:
        """Return where units tell of presses."""
        return int(self._events.getsockname()[1]) if self._events is not None else 0

    def call(self, family: Family, to: IPv4Address, own: IPv4Address, *, alive: bool = False) -> None:
        """Call the units at an address, or keep a reservation alive; what cannot be sent is as lost as any datagram."""
        if self._calls is None:
            return
        request = Request(family, own, self._token, int(self._calls.getsockname()[1]), alive)
        with suppress(OSError):
            self._calls.sendto(request.encode(), (str(to), self._ports.discovery))

    def _listen(self, port: int, shape: _Shape, take: Take) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            if port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("", port))
        except OSError:
            sock.close()
            raise
        self._sockets.append(sock)
        asyncio.get_running_loop().add_reader(sock, self._drain, sock, shape, take)
        return sock

    def _drain(self, sock: socket.socket, shape: _Shape, take: Take) -> None:
        for _ in range(_MOST_AT_ONCE):
            try:
                count, (host, _port) = sock.recvfrom_into(self._buffer)
            except OSError:  # nothing more; or an ICMP message about one of ours
                return
            if not shape.least_bytes <= count <= shape.most_bytes:
                continue
            if bytes(self._buffer[: shape.head_bytes]) in shape.heads:
                with suppress(PeerError):
                    take(bytes(self._buffer[:count]), IPv4Address(host))

    def _take_info(self, data: bytes, sender: IPv4Address) -> None:
        try:
            info = DeviceInfo.decode(data)
        except PeerError as error:
            self._note(data, sender, error)
            return
        if info.address == sender:  # who tells another's address is none of them
            self._ears.info(info, sender)

    def _note(self, data: bytes, sender: IPv4Address, error: PeerError) -> None:
        """Log a reply that nobody can read, once for each sender: only so are the newer dialects ever learnt."""
        if sender not in self._unread and len(self._unread) < _MOST_UNREAD:
            self._unread.add(sender)
            log.warning("an unknown reply from %s (%s): %s", sender, error, data.hex(" "))

    def _take_advertisement(self, data: bytes, sender: IPv4Address) -> None:
        advertisement = Advertisement.decode(data)
        if advertisement.address == sender:
            self._ears.advertised(advertisement, sender)

    def _take_event(self, data: bytes, sender: IPv4Address) -> None:
        self._ears.event(Event.decode(data), sender)


def broadcasts() -> dict[IPv4Address, IPv4Address]:
    """Return the broadcast address of every IPv4 network of this machine, and our own address there; not loopback."""
    found = {}
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            if ip.is_IPv4 and not IPv4Address(ip.ip).is_loopback and ip.network_prefix < 31:
                mask = (1 << (32 - ip.network_prefix)) - 1
                own = IPv4Address(ip.ip)
                found[IPv4Address(int(own) | mask)] = own
    return found


def own_address(towards: IPv4Address) -> IPv4Address:
    """Return the address that we have where packets to `towards` leave; 0.0.0.0 where none can."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.connect((str(towards), wire.DISCOVERY_PORT))
            return IPv4Address(sock.getsockname()[0])
    except OSError:
        return IPv4Address(0)
