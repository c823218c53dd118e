"""One device node: usbdevfs as the kernel does it (linux/usbdevice_fs.h), over the USB side of a unit.

Each open() of the node is an Opening of its own with its own transfers; one of them at a time may claim the interface.
"""

import asyncio
import errno
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from simulator.usb.device import ScanSnapUsb
from simulator.usb.umockdev import wire
from simulator.usb.umockdev.tree import Gauge
from simulator.usb.umockdev.wire import Ioctl, Kind, Urb, UrbType

_TO_HOST = 0x80
_SETUP_BYTES = 8
_HIGH_SPEED = 3
# Zero packets, no limit of a transfer's length, reaping after a disconnect. Without "bulk continuation" libusb hands
# over a long transfer as one.
_CAPABILITIES = 0x15
_MOST_BYTES = 16 * 1024 * 1024


class Failed(Exception):
    """A request that ends with -1 and this errno."""

    def __init__(self, code: int) -> None:
        super().__init__(errno.errorcode[code])
        self.code = code


@dataclass(frozen=True, slots=True)
class _Ended:
    """A transfer that can be reaped; `data` goes to `buffer`."""

    urb: Urb
    status: int
    count: int
    data: bytes = b""
    buffer: int = 0


@dataclass(eq=False, slots=True)
class Opening:
    """One open file: the process behind it, its transfers under way and those that have ended."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    pending: deque[Urb] = field(default_factory=deque)
    ended: deque[_Ended] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, address: int, length: int) -> bytes:
        """Read the process's memory."""
        if not 0 <= length <= _MOST_BYTES:
            raise Failed(errno.EINVAL)
        self.writer.write(wire.read_memory(address, length))
        return await self.reader.readexactly(length)

    def write(self, address: int, data: bytes) -> None:
        """Write the process's memory."""
        self.writer.write(wire.write_memory(address, data))


class Node:
    """The node of one unit while it is plugged in at one address."""

    def __init__(self, device: ScanSnapUsb, gauge: Gauge) -> None:
        self._device = device
        self._gauge = gauge
        self._openings: set[Opening] = set()
        self._holder: Opening | None = None
        self._gone = False
        self._requests: dict[int, Callable[[Opening, int], Awaitable[int]]] = {
            Ioctl.SUBMITURB: self._submit,
            Ioctl.DISCARDURB: self._discard,
            Ioctl.REAPURB: self._reap,
            Ioctl.REAPURBNDELAY: self._reap_now,
            Ioctl.CLAIMINTERFACE: self._claim,
            Ioctl.DISCONNECT_CLAIM: self._claim,
            Ioctl.RELEASEINTERFACE: self._release,
            Ioctl.CLEAR_HALT: self._clear_halt,
            Ioctl.RESETEP: self._nothing,
            Ioctl.SETINTERFACE: self._nothing,
            Ioctl.SETCONFIGURATION: self._nothing,
            Ioctl.RESET: self._nothing,
            Ioctl.GET_CAPABILITIES: self._capabilities,
            Ioctl.GET_SPEED: self._speed,
            Ioctl.GETDRIVER: self._no_driver,
            Ioctl.IOCTL: self._no_driver,
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one open file until its process closes it."""
        opening = Opening(reader, writer)
        self._openings.add(opening)
        try:
            while True:
                message = wire.decode(await reader.readexactly(wire.MESSAGE_BYTES))
                writer.write(await self._answer(opening, *message))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._openings.discard(opening)
            if self._holder is opening:
                self._holder = None
                await self._device.detach()
            self._show()
            self._settle()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def pull(self) -> None:
        """Take the device away: what is under way ends, what comes later is refused."""
        self._gone = True
        for opening in self._openings:
            while opening.pending:
                self._end(opening, _Ended(opening.pending.popleft(), -errno.ESHUTDOWN, 0))
            opening.news.set()
        if self._holder is not None:
            await self._device.detach()
        self._settle()

    def _settle(self) -> None:
        """Let go of the node once it is gone and nobody has it open."""
        if self._gone and not self._openings:
            self._gauge.close()

    def close(self) -> None:
        """Cut every connection."""
        for opening in self._openings:
            opening.writer.transport.abort()
        self._gone = True
        self._settle()

    async def _answer(self, opening: Opening, kind: int, first: int, second: int) -> bytes:
        try:
            if kind == Kind.READ:
                content = (self._device.device_descriptor + self._device.config_descriptor)[:second]
                opening.write(first, content)
                return wire.done(len(content))
            request = self._requests.get(first & 0xFF) if kind == Kind.IOCTL else None
            if request is None:
                raise Failed(errno.ENOTTY)
            return wire.done(await request(opening, second))
        except Failed as failed:
            return wire.done(-1, failed.code)

    async def _submit(self, opening: Opening, pointer: int) -> int:
        urb = Urb.decode(pointer, await opening.read(pointer, wire.URB_BYTES))
        if self._gone:
            raise Failed(errno.ENODEV)
        if urb.type == UrbType.CONTROL:
            await self._control(opening, urb)
        elif urb.type != UrbType.BULK:
            raise Failed(errno.EINVAL)
        elif self._holder is not opening:
            raise Failed(errno.EBUSY if self._holder else errno.EINVAL)
        elif urb.endpoint & _TO_HOST:
            opening.pending.append(urb)
            self._serve_pending()
        else:
            taken = self._device.bulk_out(urb.endpoint, await opening.read(urb.buffer, urb.length))
            self._end(opening, _Ended(urb, min(taken, 0), max(taken, 0)))
        return 0

    async def _control(self, opening: Opening, urb: Urb) -> None:
        setup = await opening.read(urb.buffer, _SETUP_BYTES)
        inward = bool(setup[0] & _TO_HOST)
        rest = b"" if inward else await opening.read(urb.buffer + _SETUP_BYTES, urb.length - _SETUP_BYTES)
        outcome = self._device.control(setup, rest)
        if isinstance(outcome, int):
            self._end(opening, _Ended(urb, outcome, 0))
        elif inward:
            data = outcome[: int.from_bytes(setup[6:8], "little")]
            self._end(opening, _Ended(urb, 0, len(data), data, urb.buffer + _SETUP_BYTES))
        else:
            self._end(opening, _Ended(urb, 0, len(rest)))

    def _serve_pending(self) -> None:
        """Give the claimant's readings what the unit has by now, oldest first."""
        opening = self._holder
        while opening is not None and opening.pending:
            urb = opening.pending[0]
            outcome = self._device.bulk_in(urb.endpoint, urb.length)
            if outcome is None:
                return
            opening.pending.popleft()
            if isinstance(outcome, int):
                self._end(opening, _Ended(urb, outcome, 0))
            else:
                self._end(opening, _Ended(urb, 0, len(outcome), outcome, urb.buffer))

    def _end(self, opening: Opening, ended: _Ended) -> None:
        opening.ended.append(ended)
        opening.news.set()
        self._show()

    def _show(self) -> None:
        self._gauge.show(ready=self._gone or any(opening.ended for opening in self._openings))

    async def _discard(self, opening: Opening, pointer: int) -> int:
        urb = next((pending for pending in opening.pending if pending.pointer == pointer), None)
        if urb is None:
            raise Failed(errno.EINVAL)
        opening.pending.remove(urb)
        self._end(opening, _Ended(urb, -errno.ENOENT, 0))
        return 0

    async def _reap(self, opening: Opening, pointer: int) -> int:
        while not opening.ended and not self._gone:
            opening.news.clear()
            await opening.news.wait()
        return await self._reap_now(opening, pointer)

    async def _reap_now(self, opening: Opening, pointer: int) -> int:
        if not opening.ended:
            raise Failed(errno.ENODEV if self._gone else errno.EAGAIN)
        it = opening.ended.popleft()
        if it.data:
            opening.write(it.buffer, it.data)
        opening.write(it.urb.pointer + wire.STATUS_AT, wire.INT.pack(it.status))
        opening.write(it.urb.pointer + wire.ACTUAL_LENGTH_AT, wire.INT.pack(it.count))
        opening.write(pointer, wire.POINTER.pack(it.urb.pointer))
        self._show()
        return 0

    async def _claim(self, opening: Opening, _pointer: int) -> int:
        if self._gone:
            raise Failed(errno.ENODEV)
        if self._holder not in (None, opening):
            raise Failed(errno.EBUSY)
        if self._holder is None:
            self._holder = opening
            await self._device.attach(self._serve_pending)
        return 0

    async def _release(self, opening: Opening, _pointer: int) -> int:
        if self._holder is not opening:
            raise Failed(errno.EINVAL)
        self._holder = None
        await self._device.detach()
        return 0

    async def _clear_halt(self, opening: Opening, pointer: int) -> int:
        if self._gone:
            raise Failed(errno.ENODEV)
        [endpoint] = wire.INT.unpack(await opening.read(pointer, wire.INT.size))
        self._device.control(bytes((2, 1, 0, 0, endpoint & 0xFF, 0, 0, 0)), b"")
        return 0

    async def _nothing(self, opening: Opening, pointer: int) -> int:
        if self._gone:
            raise Failed(errno.ENODEV)
        return 0

    async def _capabilities(self, opening: Opening, pointer: int) -> int:
        opening.write(pointer, wire.INT.pack(_CAPABILITIES))
        return 0

    async def _speed(self, opening: Opening, pointer: int) -> int:
        return _HIGH_SPEED

    async def _no_driver(self, opening: Opening, pointer: int) -> int:
        raise Failed(errno.ENODATA)
