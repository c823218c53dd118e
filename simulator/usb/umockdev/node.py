"""One device node: usbdevfs as the kernel does it (drivers/usb/core/devio.c), over the USB side of a unit.

Each open() of the node is an Opening of its own with its own transfers; one of them at a time may claim the interface.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from contextlib import suppress

from simulator.usb.descriptors import BULK_IN, BULK_OUT, HIGH_SPEED
from simulator.usb.device import ScanSnapUsb
from simulator.usb.umockdev import wire
from simulator.usb.umockdev.claim import Claim
from simulator.usb.umockdev.opening import MOST_BYTES, Ended, Failed, Opening
from simulator.usb.umockdev.tree import Gauge
from simulator.usb.umockdev.wire import Ioctl, Kind, Urb, UrbType

_TO_HOST = 0x80
_RECIPIENT_MASK, _RECIPIENT_DEVICE = 0x1F, 0x00
_SETUP_BYTES = 8
# Zero packets, no limit of a transfer's length, reaping after a disconnect. Without "bulk continuation" libusb hands
# over a long transfer as one.
_CAPABILITIES = 0x15
_AFTER_DISCONNECT = frozenset({Ioctl.REAPURB, Ioctl.REAPURBNDELAY})
_ONLY_INTERFACE, _ONLY_CONFIGURATION = 0, 1
_CLEAR_HALT = bytes((0x02, 0x01, 0x00, 0x00))


class Node:
    """The node of one unit while it is plugged in at one address."""

    def __init__(self, device: ScanSnapUsb, gauge: Gauge) -> None:
        self._device = device
        self._gauge = gauge
        self._claim = Claim(device)
        self._openings: set[Opening] = set()
        self._gone = False
        self._requests: dict[int, Callable[[Opening, int], Awaitable[int]]] = {
            Ioctl.CONTROL: self._control_now,
            Ioctl.BULK: self._bulk_now,
            Ioctl.SUBMITURB: self._submit,
            Ioctl.DISCARDURB: self._discard,
            Ioctl.REAPURB: self._reap,
            Ioctl.REAPURBNDELAY: self._reap_now,
            Ioctl.CLAIMINTERFACE: self._take,
            Ioctl.DISCONNECT_CLAIM: self._take,
            Ioctl.RELEASEINTERFACE: self._release,
            Ioctl.CLEAR_HALT: self._clear_halt,
            Ioctl.RESETEP: self._nothing,
            Ioctl.SETINTERFACE: self._nothing,
            Ioctl.SETCONFIGURATION: self._configure,
            Ioctl.RESET: self._reset,
            Ioctl.GET_CAPABILITIES: self._capabilities,
            Ioctl.GET_SPEED: self._speed,
            Ioctl.GETDRIVER: self._no_driver,
            Ioctl.IOCTL: self._no_driver,
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one open file until its process closes it."""
        opening = Opening(reader, writer, self._show)
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
            await self._claim.drop(opening)
            self._show()
            self._settle()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def pull(self) -> None:
        """Take the device away: what is under way ends, what comes later is refused."""
        self._gone = True
        for opening in self._openings:
            opening.end_all(-errno.ESHUTDOWN)
        if self._claim.holder is not None:  # dropped now: when its file is closed, the unit may be plugged in again
            await self._claim.drop(self._claim.holder)
        self._settle()

    def close(self) -> None:
        """Cut every connection."""
        for opening in self._openings:
            opening.writer.transport.abort()
        self._gone = True
        self._settle()

    def _settle(self) -> None:
        """Let go of the node once it is gone and nobody has it open."""
        if self._gone and not self._openings:
            self._gauge.close()

    def _show(self) -> None:
        """Let poll() report the node while something can be reaped; never else, or a waiting process would spin."""
        self._gauge.show(ready=any(opening.ended for opening in self._openings))

    async def _answer(self, opening: Opening, kind: int, first: int, second: int) -> bytes:
        number = first & 0xFF
        try:
            if self._gone and not (kind == Kind.IOCTL and number in _AFTER_DISCONNECT):
                raise Failed(errno.ENODEV)
            if kind == Kind.READ:
                content = (self._device.device_descriptor + self._device.config_descriptor)[:second]
                opening.write(first, content)
                return wire.done(len(content))
            request = self._requests.get(number) if kind == Kind.IOCTL else None
            if request is None:
                raise Failed(errno.ENOTTY)
            return wire.done(await request(opening, second))
        except Failed as failed:
            return wire.done(-1, failed.code)

    # --- transfers

    async def _submit(self, opening: Opening, pointer: int) -> int:
        urb = Urb.decode(pointer, await opening.read(pointer, wire.URB_BYTES))
        if urb.type == UrbType.CONTROL:
            setup = await opening.read(urb.buffer, _SETUP_BYTES)
            opening.end(await self._control(opening, urb, setup, urb.buffer + _SETUP_BYTES))
        elif urb.type == UrbType.BULK:
            await self._bulk(opening, urb)
        else:
            raise Failed(errno.EINVAL)
        return 0

    async def _control(self, opening: Opening, urb: Urb, setup: bytes, buffer: int) -> Ended:
        if setup[0] & _RECIPIENT_MASK != _RECIPIENT_DEVICE:
            await self._claim.need(opening)
        length = int.from_bytes(setup[6:8], "little")
        inward = bool(setup[0] & _TO_HOST)
        rest = b"" if inward else await opening.read(buffer, length)
        outcome = self._device.control(setup, rest)
        if isinstance(outcome, int):
            return Ended(urb, outcome, 0)
        data = outcome[:length]
        return Ended(urb, 0, len(data), data, buffer) if inward else Ended(urb, 0, length)

    async def _bulk(self, opening: Opening, urb: Urb) -> None:
        if urb.endpoint not in (BULK_IN, BULK_OUT):
            raise Failed(errno.ENOENT)
        if not 0 <= urb.length <= MOST_BYTES:
            raise Failed(errno.EINVAL)
        await self._claim.need(opening)
        if urb.endpoint == BULK_IN:
            opening.pending.append(urb)
            self._claim.serve()
        else:
            taken = self._device.bulk_out(urb.endpoint, await opening.read(urb.buffer, urb.length))
            opening.end(Ended(urb, min(taken, 0), max(taken, 0)))

    async def _control_now(self, opening: Opening, pointer: int) -> int:
        raw = await opening.read(pointer, wire.TRANSFER_BYTES)
        *_, buffer = wire.decode_transfer(raw)
        ended = await self._control(opening, wire.NO_URB, raw[:_SETUP_BYTES], buffer)
        opening.write(ended.buffer, ended.data)
        return _returned(ended)

    async def _bulk_now(self, opening: Opening, pointer: int) -> int:
        """Do a transfer and wait for its end, as libusb 0.1 does; its timeout is in milliseconds, 0 for none."""
        endpoint, length, timeout_ms, buffer = wire.decode_transfer(await opening.read(pointer, wire.TRANSFER_BYTES))
        urb = Urb(0, UrbType.BULK, endpoint, buffer, length)
        await self._bulk(opening, urb)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_ms / 1000 or None):
                await opening.outcome(urb)
        if urb in opening.pending:
            opening.pending.remove(urb)
            raise Failed(errno.ETIMEDOUT)
        ended = await opening.outcome(urb)
        opening.take(ended)
        return _returned(ended)

    async def _discard(self, opening: Opening, pointer: int) -> int:
        urb = next((pending for pending in opening.pending if pending.pointer == pointer), None)
        if urb is None:
            raise Failed(errno.EINVAL)
        opening.pending.remove(urb)
        opening.end(Ended(urb, -errno.ENOENT, 0))
        return 0

    async def _reap(self, opening: Opening, pointer: int) -> int:
        while not opening.ended and not self._gone:
            await opening.news()
        return await self._reap_now(opening, pointer)

    async def _reap_now(self, opening: Opening, pointer: int) -> int:
        if not opening.ended:
            raise Failed(errno.ENODEV if self._gone else errno.EAGAIN)
        it = opening.ended[0]
        opening.take(it)
        opening.write(it.urb.pointer + wire.STATUS_AT, wire.INT.pack(it.status))
        opening.write(it.urb.pointer + wire.ACTUAL_LENGTH_AT, wire.INT.pack(it.count))
        opening.write(pointer, wire.POINTER.pack(it.urb.pointer))
        return 0

    # --- the interface and the device

    async def _take(self, opening: Opening, pointer: int) -> int:
        await _only_interface(opening, pointer)
        await self._claim.take(opening)
        return 0

    async def _release(self, opening: Opening, pointer: int) -> int:
        await _only_interface(opening, pointer)
        if self._claim.holder is not opening:
            raise Failed(errno.EINVAL)
        await self._claim.drop(opening)
        return 0

    async def _configure(self, opening: Opening, pointer: int) -> int:
        if self._claim.holder is not None:
            raise Failed(errno.EBUSY)
        if await _argument(opening, pointer) != _ONLY_CONFIGURATION:
            raise Failed(errno.EINVAL)
        return 0

    async def _reset(self, _opening: Opening, _pointer: int) -> int:
        await self._claim.renew()
        return 0

    async def _clear_halt(self, opening: Opening, pointer: int) -> int:
        endpoint = await _argument(opening, pointer)
        await self._claim.need(opening)
        self._device.control(_CLEAR_HALT + bytes((endpoint & 0xFF, 0, 0, 0)), b"")
        return 0

    async def _nothing(self, opening: Opening, _pointer: int) -> int:
        await self._claim.need(opening)
        return 0

    async def _capabilities(self, opening: Opening, pointer: int) -> int:
        opening.write(pointer, wire.INT.pack(_CAPABILITIES))
        return 0

    async def _speed(self, _opening: Opening, _pointer: int) -> int:
        return HIGH_SPEED

    async def _no_driver(self, _opening: Opening, _pointer: int) -> int:
        raise Failed(errno.ENODATA)


async def _argument(opening: Opening, pointer: int) -> int:
    """Read the word that a request points to."""
    value: int = wire.INT.unpack(await opening.read(pointer, wire.INT.size))[0]
    return value


async def _only_interface(opening: Opening, pointer: int) -> None:
    if await _argument(opening, pointer) != _ONLY_INTERFACE:
        raise Failed(errno.ENOENT)


def _returned(ended: Ended) -> int:
    """Return what a synchronous transfer returns; Failed for its status."""
    if ended.status:
        raise Failed(-ended.status)
    return ended.count
