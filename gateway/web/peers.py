"""Who is at the other end, and by which way the request came. Of a proxy's word only that of a trusted one counts."""

import socket
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiohttp import web

from gateway.web import forwarded
from gateway.web.forwarded import Told, UnclearError

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Doors:
    """Where requests come in. `port`: of https; `plain_port`: where nothing but the way to it is told, 0 for none."""

    proxies: tuple[Network, ...] = ()
    port: int = 0
    plain_port: int = 0

    def trusts(self, address: str) -> bool:
        """Tell whether the word of a proxy at this address is believed."""
        return any(ip_address(address) in network for network in self.proxies) if address else False


@dataclass(frozen=True, slots=True)
class Peer:
    """Who asks. `secure`: TLS all the way that we know of; `exposed`: plain HTTP over a network; `hosts`: the names
    that we are called by, the client's own last; `unclear`: a trusted proxy does not say how the client came."""

    address: str
    secure: bool
    exposed: bool
    hosts: tuple[str, ...]
    unclear: bool = False

    @property
    def scheme(self) -> str:
        """Return how the client's browser calls the way."""
        return "https" if self.secure else "http"


DOORS = web.AppKey("doors", Doors)
_PEER = web.RequestKey("peer", Peer)


def of(request: web.Request) -> Peer:
    """Return who sent a request."""
    if _PEER not in request:
        request[_PEER] = _look(request, request.config_dict[DOORS])
    return request[_PEER]


def _look(request: web.Request, doors: Doors) -> Peer:
    """Ask the connection; whatever is between us and the client may speak only if it is trusted."""
    address, by_socket = _near(request), _by_socket(request)
    seen = Told(address, request.scheme)
    if not (by_socket or doors.trusts(address)):
        return _peer(request, doors, seen)
    try:
        told = forwarded.told(request.headers, doors.trusts)
    except UnclearError:
        return _peer(request, doors, Told(), near=address, unclear=True)
    if told is None and not by_socket:
        return _peer(request, doors, seen)  # somebody on the proxy's machine
    told = told or Told()
    return _peer(request, doors, told, near=address, unclear=not told.scheme)


def _peer(request: web.Request, doors: Doors, told: Told, *, near: str = "", unclear: bool = False) -> Peer:
    """Judge by what is told: a client that a proxy does not name is not on loopback because the proxy is."""
    secure = told.scheme == "https"
    hosts = (request.headers.get("Host", ""), *told.hosts)
    exposed = not secure and (_by_plain_port(request, doors) or not is_loopback(told.address))
    return Peer(told.address or near, secure, exposed, hosts, unclear)


def is_loopback(address: str) -> bool:
    """Tell whether nobody can listen in on the way to an address; not of what is no address."""
    try:
        return ip_address(forwarded.address(address)).is_loopback
    except UnclearError:
        return False


def _near(request: web.Request) -> str:
    """Return the address at the other end of the connection; "" at a Unix socket."""
    try:
        return forwarded.address(request.remote or "")
    except UnclearError:
        return ""


def _by_socket(request: web.Request) -> bool:
    connection = request.get_extra_info("socket")
    return connection is not None and connection.family == socket.AF_UNIX


def _by_plain_port(request: web.Request, doors: Doors) -> bool:
    own = request.get_extra_info("sockname")
    return bool(doors.plain_port) and isinstance(own, tuple) and own[1] == doors.plain_port


def cookie(request: web.Request, name: str) -> str:
    """Return a cookie's full name: with the prefix that binds it to this host and to TLS, except on loopback.

    Browsers take a `__Host-` cookie only with Secure, from this very host, for all paths (RFC 6265bis, 4.1.3.2).
    """
    return f"__Host-{name}" if of(request).secure else name
