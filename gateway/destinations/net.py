"""The outbound guard: every connection of every destination goes through a session or a socket made here.

Addresses are judged when a destination is saved (`check`) and again at the moment of connecting: names in the resolver,
and every socket address, IP literals included, in the socket factory, so that a name that resolves differently the
second time gains nothing. Redirects and environment proxies are off. What may be reached is in addresses.py.
"""

import asyncio
import socket
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from gateway.destinations.addresses import Address, AllowList, is_own, is_public
from gateway.destinations.port import Rejected, Unavailable

CONNECT_S = 10.0  # a server that does not accept within ten seconds is not there
REPLY_S = 120.0  # servers hash, scan for viruses or assemble a large upload before they answer
_NO_ADDRESS = "this is not a web address"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Guard:
    """What may be reached: public addresses over https, and what the administrator's allow-list adds."""

    def __init__(
        self, allow: tuple[str, ...], own_ports: tuple[int, ...], *, resolver: AbstractResolver | None = None
    ) -> None:
        """Take `allow` as "host:port" or CIDR (ValueError otherwise) and the ports on which we listen ourselves."""
        self._allow = AllowList.parse(allow)
        self._own_ports = frozenset(own_ports)
        self._given_resolver = resolver

    async def check(self, url: str) -> None:
        """Refuse a web address that a destination must not have; Rejected names the entry that would allow it."""
        parsed = web_address(url)
        await self.check_endpoint(*_endpoint(parsed), plain=parsed.scheme == "http")

    async def check_endpoint(self, host: str, port: int, *, plain: bool) -> None:
        """Refuse a host and port likewise; `plain`: it would be spoken to without encryption."""
        await self._resolved(host, port, _Checked(self, self._resolver(), plain=plain))

    async def connect(self, host: str, port: int, *, plain: bool) -> socket.socket:
        """Return a socket, non-blocking and connected, for a library that speaks no HTTP; Rejected, Unavailable.

        Every address is judged right before it is tried; the caller closes the socket.
        """
        resolver = _Checked(self, self._resolver(), plain=plain)
        for result in await self._resolved(host, port, resolver):
            where = (result["host"], port) if result["family"] == socket.AF_INET else (result["host"], port, 0, 0)
            opened = resolver.open_socket((result["family"], socket.SOCK_STREAM, 0, "", where))
            opened.setblocking(False)
            try:
                async with asyncio.timeout(CONNECT_S):
                    await asyncio.get_running_loop().sock_connect(opened, where)
            except (OSError, TimeoutError):
                opened.close()
            except BaseException:
                opened.close()
                raise
            else:
                return opened
        raise Unavailable(f"{_shown(host, port)} does not accept connections")

    async def _resolved(self, host: str, port: int, resolver: "_Checked") -> list[ResolveResult]:
        """Return the addresses of a host, each judged."""
        literal = _literal(host)
        try:
            if literal is not None:
                self.judge(host, port, literal, plain=resolver.plain)
                return [_as_resolved(host, port, literal)]
            return await asyncio.wait_for(resolver.resolve(host, port), CONNECT_S)
        except (OSError, TimeoutError):
            raise Unavailable(f"the name {host!r} cannot be resolved") from None
        except UnicodeError:  # no label of a name may be empty or longer than 63 characters
            raise Rejected(_NO_ADDRESS) from None
        finally:
            await resolver.close()

    def session(self, url: URL) -> aiohttp.ClientSession:
        """Return a session for the origin of `url` and no other; close it after use."""
        resolver = _Checked(self, self._resolver(), plain=url.scheme == "http")
        connector = aiohttp.TCPConnector(
            resolver=resolver,
            socket_factory=resolver.open_socket,
            use_dns_cache=False,
            # A connection per request: a reused one may be dead, and then nobody knows whether a request took effect.
            force_close=True,
        )
        return aiohttp.ClientSession(
            connector=connector,
            connector_owner=True,
            middlewares=(_same_origin(url),),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=REPLY_S),
        )

    def judge(self, host: str, port: int, address: Address, *, plain: bool) -> None:
        """Decide about one address of `host`; Rejected."""
        own = is_own(address)
        if own and port in self._own_ports:
            raise Rejected(f"{_shown(host, port)} is this gateway itself")
        if self._allow.covers(host, port, address):
            return
        if own or not is_public(address):
            raise Rejected(f"{_shown(host, port)} is inside the local network. {_advice(host, port)}")
        if plain:
            raise Rejected(
                f"{_shown(host, port)} would be reached without encryption; use https. {_advice(host, port)}"
            )

    def names(self, host: str, port: int) -> bool:
        """Tell whether the allow-list names this host and port."""
        return self._allow.names(host, port)

    def _resolver(self) -> AbstractResolver:
        return self._given_resolver or aiohttp.ThreadedResolver()


class _Checked(AbstractResolver):
    """Resolves for one session and judges every address it gives, and every socket address it is asked to open."""

    def __init__(self, guard: Guard, inner: AbstractResolver, *, plain: bool) -> None:
        self._guard = guard
        self._inner = inner
        self.plain = plain
        self._named: dict[tuple[Address, int], str] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        results = await self._inner.resolve(host, port, family)
        for result in results:
            address = ip_address(result["host"])
            self._guard.judge(host, port, address, plain=self.plain)
            if self._guard.names(host, port):
                self._named[address, port] = host
        return results

    def open_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """Open the socket of one address, judged once more; called by aiohttp right before it connects."""
        family, kind, protocol, _, where = info
        address, port = ip_address(str(where[0])), int(where[1])
        self._guard.judge(self._named.get((address, port), str(address)), port, address, plain=self.plain)
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        await self._inner.close()


def _same_origin(url: URL) -> aiohttp.ClientMiddlewareType:
    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if request.url.origin() != url.origin():
            raise Rejected(f"the server sends us on to {request.url.host}, and redirects are not followed")
        return await handler(request)

    return middleware


def web_address(url: str) -> URL:
    """Return an address that a destination may have; Rejected."""
    try:
        parsed = URL(url)
        port, host = parsed.port, parsed.host
    except ValueError:
        raise Rejected(_NO_ADDRESS) from None
    if parsed.scheme not in _DEFAULT_PORTS or not host or not port:
        raise Rejected("a web address that begins with https:// is needed")
    if parsed.user is not None or parsed.password is not None:
        raise Rejected("user name and password have fields of their own")
    if parsed.raw_query_string or parsed.raw_fragment:
        raise Rejected("an address without '?' and '#' is needed")
    return parsed


def _endpoint(url: URL) -> tuple[str, int]:
    return url.host or "", url.port or _DEFAULT_PORTS[url.scheme]


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _as_resolved(host: str, port: int, address: Address) -> ResolveResult:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return ResolveResult(hostname=host, host=str(address), port=port, family=family, proto=0, flags=0)


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _advice(host: str, port: int) -> str:
    return (
        "The administrator can allow it with this line under [destinations] in the configuration: "
        f'allow = ["{_shown(host, port)}"]'
    )
