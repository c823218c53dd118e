"""The unit's name by mDNS, so that clients find it. zeroconf; nothing beyond its own loopback address."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from zeroconf import IPVersion
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from simulator.escl.server import EsclServer
from simulator.escl.wire import VERSION

_PLAIN, _TLS = "_uscan._tcp.local.", "_uscans._tcp.local."
_LONGEST_LABEL = 63  # RFC 1035


class Announcement:
    """Announces a server that listens. `start`; `close` says good-bye."""

    def __init__(self, server: EsclServer) -> None:
        self._server = server
        self._zeroconf: AsyncZeroconf | None = None
        self._info: AsyncServiceInfo | None = None
        self._speaking = asyncio.Lock()  # one at a time, lest the older of two truths be the last one heard
        self._tasks: set[asyncio.Task[None]] = set()
        server.scanner.on_plug.append(self._switched)
        server.scanner.on_air.append(self._switched)
        server.on_change.append(lambda: self._spawn(self._renew()))

    async def start(self) -> None:
        """Announce; takes a second, for the name is first asked for. A taken name gets a number."""
        self._zeroconf = AsyncZeroconf(interfaces=[self._server.spec.address], ip_version=IPVersion.V4Only)
        await self._register()

    async def close(self) -> None:
        """Say good-bye and stop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._zeroconf is not None:
            await self._zeroconf.async_unregister_all_services()
            await self._zeroconf.async_close()

    async def _register(self) -> None:
        if self._zeroconf is None or self._info is not None or not self._server.scanner.on_net:
            return
        label = self._server.offer.name.encode()[:_LONGEST_LABEL].decode(errors="ignore")
        self._info = self._about(f"{label}.{self._kind}")
        await (await self._zeroconf.async_register_service(self._info, allow_name_change=True))

    async def _renew(self) -> None:
        """Announce what the server is now."""
        async with self._speaking:
            if self._zeroconf is not None and self._info is not None:
                self._info = self._about(self._info.name)
                await (await self._zeroconf.async_update_service(self._info))

    @property
    def _kind(self) -> str:
        return _TLS if self._server.spec.tls else _PLAIN

    def _about(self, name: str) -> AsyncServiceInfo:
        spec, unit = self._server.spec, self._server.scanner
        address, port = self._server.address
        inputs = [word for word, there in (("platen", spec.platen), ("adf", spec.adf)) if there]
        text = {
            "txtvers": "1",
            "ty": self._server.offer.name,
            "rs": self._server.quirks.root,
            "vers": VERSION,
            "pdl": "image/jpeg",
            "cs": "color,grayscale",
            "is": ",".join(inputs),
            "duplex": "T" if self._server.offer.duplex else "F",
            "uuid": self._server.uuid,
        }
        return AsyncServiceInfo(
            self._kind,
            name,
            port=port,
            parsed_addresses=[address],
            server=f"{unit.id}-{port}.local.",
            properties=text,
        )

    def _switched(self) -> None:
        """Off the net it answers nobody and says no good-bye; back there, it announces itself anew."""
        if self._zeroconf is None:
            return
        if self._server.scanner.on_net:
            self._spawn(self._register())
        elif self._info is not None:
            self._zeroconf.zeroconf.registry.async_remove(self._info)
            self._info = None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"announce {self._server.scanner.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
