"""One imported device: the transfers of one client, over one connection, until either side goes."""

import asyncio
import errno
from collections import deque

from simulator.usb import wire
from simulator.usb.device import ScanSnapUsb
from simulator.usb.wire import Return, Submit, Unlink, Unlinked

_TO_HOST = 0x80


class Session:
    """Serve transfers from `reader` and `writer` until the connection ends. One session per device."""

    def __init__(self, device: ScanSnapUsb, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._device = device
        self._reader = reader
        self._writer = writer
        self._pending: deque[Submit] = deque()  # IN transfers without data yet, oldest first

    async def run(self) -> None:
        """Serve until the client leaves or the device is gone; wire.WireError for what is no USB/IP."""
        await self._device.attach(self._serve_pending)
        try:
            while True:
                request = wire.decode_request(await self._reader.readexactly(wire.HEADER_LENGTH))
                if isinstance(request, Unlink):
                    self._unlink(request)
                else:
                    await self._submit(request)
                await self._writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            await self._device.detach()

    def abort(self) -> None:
        """Cut the connection at once, as pulling the cable does."""
        self._writer.transport.abort()

    async def _submit(self, request: Submit) -> None:
        data = b""
        if request.direction == wire.OUT:
            data = await self._reader.readexactly(request.length)
        if request.endpoint == 0:
            self._control(request, data)
        elif request.direction == wire.OUT:
            taken = self._device.bulk_out(request.endpoint, data)
            self._answer(request, min(taken, 0), max(taken, 0))
        else:
            self._pending.append(request)
            self._serve_pending()

    def _control(self, request: Submit, data: bytes) -> None:
        outcome = self._device.control(request.setup, data)
        if isinstance(outcome, int):
            self._answer(request, outcome, 0)
        elif request.setup[0] & _TO_HOST:
            self._answer_in(request, outcome[: request.length])
        else:
            self._answer(request, 0, len(data))

    def _serve_pending(self) -> None:
        while self._pending and not self._writer.is_closing():
            request = self._pending[0]
            outcome = self._device.bulk_in(request.endpoint | _TO_HOST, request.length)
            if outcome is None:
                return
            self._pending.popleft()
            if isinstance(outcome, int):
                self._answer(request, outcome, 0)
            else:
                self._answer_in(request, outcome)

    def _unlink(self, request: Unlink) -> None:
        target = next((pending for pending in self._pending if pending.seqnum == request.target), None)
        if target is not None:
            self._pending.remove(target)
        self._writer.write(Unlinked(request.seqnum, 0 if target is None else -errno.ECONNRESET).encode())

    def _answer(self, request: Submit, status: int, length: int) -> None:
        self._writer.write(Return(request.seqnum, status, length).encode())

    def _answer_in(self, request: Submit, data: bytes) -> None:
        self._writer.write(Return(request.seqnum, 0, len(data)).encode(data))
