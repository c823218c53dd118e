"""A gateway without scanners, listening as its settings say; for what happens at its door."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from gateway import app
from gateway.settings import Network, Paths, Settings, SignIn, Web, check
from gateway.web.announce import Announced

EMAIL = "you@example.org"
PASSWORD = "correct horse battery staple"


@dataclass
class Door:
    """A running gateway and where it listens."""

    url: str
    daemon: Any
    settings: Settings

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def known_as(self, name: str) -> None:
        """Tell it that the network calls it so."""
        self.daemon._known_as(Announced("a name", f"https://{name}:1"))

    def setup(self) -> dict[str, str]:
        """Return the body that makes the first account."""
        return {"token": self.daemon.setup.path.read_text("ascii").strip(), "email": EMAIL, "password": PASSWORD}


@asynccontextmanager
async def door(folder: Path, web: Web, clock: Any = None) -> AsyncIterator[Door]:
    """Run a gateway on the state in `folder`."""
    paths = Paths(state=folder / "state", runtime=folder / "run")
    signin = SignIn(calls_per_minute=10_000, calls_per_hour=100_000)
    settings = check(Settings(paths=paths, web=web, signin=signin, network=Network(find=False)))
    async with app.build(settings, finders=(), clock=clock) as daemon:
        url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.ensure_future(daemon.run(ready=url.set_result))
        either: tuple[asyncio.Future[Any], ...] = (serving, url)
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving
            yield Door(url.result(), daemon, settings)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


def trusting(authority: str) -> ssl.SSLContext:
    """Return the context of a client that trusts one authority only, and is strict about certificates."""
    context = ssl.create_default_context(cadata=authority)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    return context


def careless() -> ssl.SSLContext:
    """Return the context of a client that clicks warnings away."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@asynccontextmanager
async def client(context: ssl.SSLContext | None = None, *, socket: str = "") -> AsyncIterator[aiohttp.ClientSession]:
    """Open a client that keeps its cookies and follows no redirect by itself."""
    connector = aiohttp.UnixConnector(socket) if socket else aiohttp.TCPConnector(ssl=context or True)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield http
