"""The units of a simulation on one simulated bus, for processes that run with `environment()`."""

import asyncio
import ctypes.util
import functools
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from simulator.models import Model
from simulator.usb import descriptors
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
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)  # a lid may be opened before it is shut to the end


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
        await asyncio.gather(*self._work, return_exceptions=True)
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
        async with port.changing:
            if self._tree is None or port.node is not None:
                return
            self._last_address += 1
            port.identity = _identity(port, self._last_address)
            gauge, socket_path = self._tree.make_node(port.identity.address)
            node = port.node = Node(port.device, gauge)
            port.server = await asyncio.start_unix_server(_serving(port, node), socket_path)
            self._tree.plug(port.identity)
            self._tree.tell("add", port.identity)

    async def _unplug(self, port: _Port) -> None:
        async with port.changing:
            if self._tree is None or port.node is None or port.identity is None:
                return
            node, identity, server = port.node, port.identity, port.server
            port.node = port.identity = port.server = None
            self._tree.unplug(identity)
            if server is not None:
                server.close()  # open files stay open, and are told that the device is gone
            await node.pull()
            self._tree.tell("remove", identity)


def _serving(port: _Port, node: Node) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Return what serves each open file of a node."""

    async def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            port.clients.add(task)
            task.add_done_callback(port.clients.discard)
        with suppress(asyncio.CancelledError):
            await node.serve(reader, writer)

    return opened


def _identity(port: _Port, address: int) -> Identity:
    model = port.device.scanner.model
    return Identity(
        port=port.number,
        address=address,
        vendor_id=model.vendor_id,
        product_id=model.product_id,
        manufacturer=_string(1, model),
        product=_string(2, model),
        descriptors=port.device.device_descriptor + port.device.config_descriptor,
    )


def _string(index: int, model: Model) -> str:
    """Return the text of a string descriptor, as the kernel reads it for sysfs."""
    return (descriptors.string(index, model) or b"")[2:].decode("utf-16-le")
