"""The web application, wired and listening: TLS, a Unix socket for a proxy, or plain HTTP on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

from aiohttp import web

from gateway.settings import Web
from gateway.web import announce, guard, protocol, render, routes, sockets
from gateway.web.api import conditions, events
from gateway.web.api.repeats import repeats
from gateway.web.context import SERVICES
from gateway.web.pages import files, trust
from gateway.web.peers import DOORS, Doors
from gateway.web.tls import Tls
from gateway.work.services import Services

_SOCKET_MODE = 0o660  # whoever may write to it is believed about who the client is: the proxy, by its group


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the pages are: the URL, and of plain HTTP's guide to it the port, 0 for none."""

    url: str
    port: int = 0
    plain_port: int = 0


def build(services: Services, doors: Doors, tls: Tls | None) -> web.Application:
    """Return the application: guard before the table of routes."""
    app = web.Application(
        client_max_size=guard.BODY_LIMIT_BYTES,
        middlewares=[guard.errors, guard.shape, guard.admission, conditions.not_modified, repeats],
    )
    app[conditions.CHANGES] = asyncio.Lock()
    app[SERVICES] = services
    app[DOORS] = doors
    if tls is not None and tls.authority is not None:
        app[trust.AUTHORITY] = tls.authority
    app[guard.DOORKEEPER] = guard.Doorkeeper(services.founding)
    app[render.TEMPLATES] = render.environment(own_authority=trust.AUTHORITY in app)
    app[files.FILES] = files.load()
    app[events.STREAMS] = set()
    app.on_response_prepare.append(guard.add_headers)
    app.on_shutdown.append(events.stop)
    routes.register(app)
    return app


@asynccontextmanager
async def listening(services: Services, tls: Tls | None) -> AsyncIterator[Listening]:
    """Serve where the settings say for as long as the block runs; OSError if that is taken, or not allowed."""
    settings = services.settings.web
    async with AsyncExitStack() as stack:
        door = _door(settings, stack)
        plain = stack.enter_context(sockets.tcp(settings.address, settings.plain_port)) if settings.plain_port else None
        proxies = tuple(ip_network(network) for network in settings.proxies)
        port, plain_port = sockets.port_of(door), sockets.port_of(plain) if plain is not None else 0
        application = build(services, Doors(proxies, port, plain_port), tls)
        runner = protocol.Runner(application, access_log=None, shutdown_timeout=1.0)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.SockSite(runner, door, ssl_context=tls.context if tls is not None else None).start()
        if plain is not None:
            await web.SockSite(runner, plain).start()
        yield Listening(_url(settings, port, secure=tls is not None), port, plain_port)


def _door(settings: Web, stack: AsyncExitStack) -> socket.socket:
    if not settings.socket:
        return stack.enter_context(sockets.tcp(settings.address, settings.port))
    path = Path(settings.socket)
    stack.callback(sockets.clear, path)
    return stack.enter_context(sockets.unix(path, _SOCKET_MODE))


def _url(settings: Web, port: int, *, secure: bool) -> str:
    if settings.socket:
        return f"unix:{settings.socket}"
    address = settings.address
    if ip_address(address).is_unspecified:  # nobody can open that
        address = next(iter(announce.reachable(address)), "localhost")
    host = f"[{address}]" if ":" in address else address
    return f"{'https' if secure else 'http'}://{host}:{port}"
