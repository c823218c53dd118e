"""The units of a simulation on one simulated bus, for processes that run with `environment()`."""

import asyncio
import ctypes.util
import functools
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from simulator.usb.device import ScanSnapUsb
from simulator.usb.umockdev.node import Node
from simulator.usb.umockdev.tree import Identity, Tree

PRELOAD = "libumockdev-preload.so.0"
_ROOT_HUB = 1
_SHORT = "/tmp"  # noqa: S108 - a socket's path has 108 bytes; mkdtemp makes the folder, for us only


class NoPreload(Exception):
    """The preload library is not installed; `str()` says how to get it."""


@dataclass(slots=True)
class _Port:
    """A socket of the bus: the unit on its cable, and its node while it is plugged in."""

    number: int
    device: ScanSnapUsb
    identity: Identity | None = None
    node: Node | None = None
    server: asyncio.Server | None = None
    clients: set[asyncio.Task[None]] = field(default_factory=set)


class UmockdevBus:
    """Serve units to other processes. `start`, then `environment`; `close` at the end."""

    def __init__(self, devices: Iterable[ScanSnapUsb]) -> None:
        self._ports = [_Port(number, device) for number, device in enumerate(devices, start=1)]
        self._last_address = _ROOT_HUB
        self._root = Path()
        self._tree: Tree | None = None
        self._work: set[asyncio.Task[None]] = set()

    def environment(self) -> dict[str, str]:
        """Return the variables with which a process sees the bus."""
        return {"LD_PRELOAD": PRELOAD, "UMOCKDEV_DIR": str(self._root)}

    async def start(self) -> None:
        """Make the bus; NoPreload."""
        if ctypes.util.find_library("umockdev-preload") is None:
            raise NoPreload(f"{PRELOAD} is not installed; on Debian and its kin: apt-get install umockdev")
        self._root = Path(tempfile.mkdtemp(prefix="usb-", dir=_SHORT))
        self._tree = Tree(self._root)
        for port in self._ports:
            port.device.scanner.on_plug.append(functools.partial(self._changed, port))
            if port.device.scanner.plugged:
                await self._plug(port)

    async def close(self) -> None:
        """Cut every process off and remove the bus."""
        for task in self._work:
            task.cancel()
        for port in self._ports:
            if port.node is not None:
                port.node.close()
            if port.server is not None:
                port.server.close()
            for client in port.clients:
                client.cancel()
            await asyncio.gather(*port.clients, return_exceptions=True)
            await port.device.close()
        if self._tree is not None:
            await asyncio.to_thread(shutil.rmtree, self._root, ignore_errors=True)

    def _changed(self, port: _Port) -> None:
        change = self._plug(port) if port.device.scanner.plugged else self._unplug(port)
        task = asyncio.ensure_future(change)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _plug(self, port: _Port) -> None:
        if self._tree is None or port.node is not None:
            return
        self._last_address += 1
        model = port.device.scanner.model
        port.identity = Identity(
            port=port.number,
            address=self._last_address,
            vendor_id=model.vendor_id,
            product_id=model.product_id,
            descriptors=port.device.device_descriptor + port.device.config_descriptor,
        )
        node = port.node = Node(port.device, self._tree.plug(port.identity))

        async def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                port.clients.add(task)
                task.add_done_callback(port.clients.discard)
            with suppress(asyncio.CancelledError):
                await node.serve(reader, writer)

        port.server = await asyncio.start_unix_server(opened, self._tree.socket_path(self._last_address))
        self._tree.tell("add", port.identity)

    async def _unplug(self, port: _Port) -> None:
        if self._tree is None or port.node is None or port.identity is None:
            return
        node, identity, server = port.node, port.identity, port.server
        port.node = port.identity = port.server = None
        self._tree.unplug(identity)
        if server is not None:
            server.close()  # open files stay open, and are told that the device is gone
        await node.pull()
        self._tree.tell("remove", identity)
