"""The USB/IP server: lists the units that are plugged in and lets one client at a time import each. Loopback only."""

import asyncio
import functools
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from simulator.usb import wire
from simulator.usb.descriptors import HIGH_SPEED
from simulator.usb.device import ScanSnapUsb
from simulator.usb.session import Session
from simulator.usb.wire import Op, OpCode, OpStatus

log = logging.getLogger(__name__)
HOST = "127.0.0.1"
_BUS = 1
_ROOT_HUB = 1
_VENDOR_SPECIFIC = (0xFF, 0xFF, 0xFF)
_BCD_DEVICE = 0x0100


@dataclass(slots=True)
class _Port:
    """A socket of the bus with a unit on its cable; `devnum` 0 while it is unplugged."""

    busid: str
    device: ScanSnapUsb
    devnum: int = 0
    session: Session | None = None


class UsbIpServer:
    """Export units over USB/IP. `start`, then `address`; `close` ends all sessions."""

    def __init__(self, devices: Iterable[ScanSnapUsb]) -> None:
        self._last_devnum = _ROOT_HUB
        self._ports = {f"{_BUS}-{n}": _Port(f"{_BUS}-{n}", device) for n, device in enumerate(devices, start=1)}
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        for port in self._ports.values():
            port.device.scanner.on_plug.append(functools.partial(self._plugged, port))
            self._plugged(port)

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port; RuntimeError before `start`."""
        if self._server is None:
            raise RuntimeError("the USB/IP server is not started")
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0 takes any free one."""
        self._server = await asyncio.start_server(self._accept, HOST, port)

    async def close(self) -> None:
        """Cut every connection and stop listening."""
        if self._server is not None:
            self._server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        for port in self._ports.values():
            await port.device.close()

    def _plugged(self, port: _Port) -> None:
        """Give a unit that was plugged in a new address; cut the session of one that was pulled."""
        if port.device.scanner.plugged:
            self._last_devnum += 1
            port.devnum = self._last_devnum
            return
        port.devnum = 0
        if port.session is not None:
            port.session.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            log.debug("a USB/IP client left early")
        except asyncio.CancelledError:
            log.debug("the USB/IP server is closing")  # ends here: this is the connection's own task
        except wire.WireError as error:
            log.warning("USB/IP client cut off: %s", error)
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = wire.decode_op(await reader.readexactly(wire.OP_LENGTH))
        if request.code is OpCode.REQ_DEVLIST:
            writer.write(wire.encode_list(tuple(self._describe(port) for port in self._ports.values() if port.devnum)))
            await writer.drain()
            writer.write_eof()
            await reader.read()  # until the client has taken all of it and hangs up
        elif request.code is OpCode.REQ_IMPORT:
            await self._import(wire.decode_busid(await reader.readexactly(wire.BUSID_LENGTH)), reader, writer)

    async def _import(self, busid: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = self._ports.get(busid)
        if port is None or not port.devnum:
            writer.write(Op(OpCode.REP_IMPORT, OpStatus.NO_DEVICE).encode())
            await writer.drain()
            return
        if port.session is not None:
            writer.write(Op(OpCode.REP_IMPORT, OpStatus.BUSY).encode())
            await writer.drain()
            return
        port.session = Session(port.device, reader, writer)
        try:
            writer.write(Op(OpCode.REP_IMPORT).encode() + self._describe(port).encode())
            await port.session.run()
        finally:
            port.session = None

    def _describe(self, port: _Port) -> wire.Device:
        return wire.Device(
            path=f"/sys/devices/simulated/usb{_BUS}/{port.busid}",
            busid=port.busid,
            busnum=_BUS,
            devnum=port.devnum,
            speed=HIGH_SPEED,
            vendor_id=port.device.scanner.model.vendor_id,
            product_id=port.device.scanner.model.product_id,
            bcd_device=_BCD_DEVICE,
            device_class=_VENDOR_SPECIFIC,
            configuration=1,
            configurations=1,
            interfaces=(_VENDOR_SPECIFIC,),
        )
