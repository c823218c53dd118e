"""Where a unit listens: its address, port and certificate, which may change as it runs. No request is read here."""

import ssl

from aiohttp import web

from simulator.escl import tls


class Listener:
    """One listening socket in 127.0.0.0/8. `start`, then `origin`; `close` at the end."""

    def __init__(self, app: web.Application, address: str, name: str, *, secure: bool) -> None:
        self.address = address
        self.port = 0
        self._name = name
        self._tls: ssl.SSLContext | None = tls.context() if secure else None
        if self._tls is not None:
            tls.renew(self._tls, name, address)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        self._site: web.TCPSite | None = None

    @property
    def origin(self) -> str:
        """Return scheme, address and port."""
        return f"{self.scheme}://{self.address}:{self.port}"

    @property
    def scheme(self) -> str:
        """Return "http" or "https"."""
        return "https" if self._tls else "http"

    async def start(self, port: int) -> None:
        """Listen; port 0 takes any free one. OSError if it is taken."""
        await self._runner.setup()
        await self._listen(port)

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        await self._runner.cleanup()

    async def move(self, address: str) -> None:
        """Listen at another address, with the same port; open connections are cut."""
        if self._site is not None:
            await self._site.stop()
        await self._cut()
        self.address = address
        await self._listen(self.port)

    async def renew(self) -> None:
        """Take a new key and certificate; open connections are cut. RuntimeError without TLS."""
        if self._tls is None:
            raise RuntimeError(f"{self._name} has no TLS")
        tls.renew(self._tls, self._name, self.address)
        await self._cut()

    async def _listen(self, port: int) -> None:
        self._site = web.TCPSite(self._runner, self.address, port, ssl_context=self._tls)
        await self._site.start()
        self.port = self._runner.addresses[0][1]

    async def _cut(self) -> None:
        if self._runner.server is not None:
            await self._runner.server.shutdown(0)
