"""The importing end of USB/IP, with blocking sockets: list the devices, import one, do its transfers."""

import errno
import os
import select
import socket
import threading
import time

from usb.core import USBError, USBTimeoutError

from simulator.usb import wire
from simulator.usb.wire import Op, OpCode, OpStatus, Return, Submit, Unlink, Unlinked

_CONNECT_TIMEOUT_S = 5.0  # the server is on this machine; a longer silence is a dead one
_POLL_EVENTS = select.POLLIN | select.POLLHUP | select.POLLERR
_REFUSALS = {OpStatus.BUSY: errno.EBUSY, OpStatus.NO_DEVICE: errno.ENODEV, OpStatus.NOT_AVAILABLE: errno.ENODEV}


def list_devices(address: tuple[str, int]) -> list[wire.Device]:
    """Ask a server for its devices; none if nobody is there, or no longer. USBError for a broken answer."""
    try:
        with socket.create_connection(address, _CONNECT_TIMEOUT_S) as connection:
            connection.sendall(Op(OpCode.REQ_DEVLIST).encode())
            wire.decode_op(_receive(connection, wire.OP_LENGTH))
            count = wire.decode_count(_receive(connection, wire.COUNT_LENGTH))
            return [_listed(connection) for _ in range(count)]
    except OSError:
        return []
    except wire.WireError as error:
        raise USBError(str(error), errno=errno.EPROTO) from error


def failed(code: int) -> USBError:
    """Return the USBError of an errno."""
    if code == errno.ETIMEDOUT:
        return USBTimeoutError(os.strerror(code), errno=code)
    return USBError(os.strerror(code), errno=code)


class Imported:
    """A device imported from a server: this client's alone until `close`. One transfer at a time."""

    def __init__(self, address: tuple[str, int], busid: str) -> None:
        self._lock = threading.Lock()
        self._seqnum = 0
        try:
            self._socket = socket.create_connection(address, _CONNECT_TIMEOUT_S)
        except OSError:
            raise failed(errno.ENODEV) from None
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.device = self._import(busid)
        except BaseException:
            self._socket.close()
            raise
        self._devid = self.device.busnum << 16 | self.device.devnum

    def close(self) -> None:
        """Give the device back; may be called twice."""
        self._socket.close()

    def transfer_out(self, endpoint: int, data: bytes, timeout_ms: int, setup: bytes = bytes(8)) -> int:
        """Send bytes and return how many were taken; USBError, USBTimeoutError."""
        request = self._request(wire.OUT, endpoint, len(data), setup, data)
        return self._transfer(request, timeout_ms)[0].length

    def transfer_in(self, endpoint: int, length: int, timeout_ms: int, setup: bytes = bytes(8)) -> bytes:
        """Receive at most `length` bytes; USBError, USBTimeoutError."""
        return self._transfer(self._request(wire.IN, endpoint, length, setup), timeout_ms)[1]

    def _request(self, direction: int, endpoint: int, length: int, setup: bytes, data: bytes = b"") -> Submit:
        return Submit(self._next(), self._devid, direction, endpoint & 0x0F, length, setup, data)

    def _next(self) -> int:
        with self._lock:
            self._seqnum += 1
            return self._seqnum

    def _transfer(self, request: Submit, timeout_ms: int) -> tuple[Return, bytes]:
        with self._lock:
            try:
                self._socket.sendall(request.encode())
                answer = self._await_answer(request, timeout_ms)
            except (OSError, wire.WireError) as error:
                if isinstance(error, USBError):
                    raise
                raise failed(errno.ENODEV) from error
        if answer[0].status:
            raise failed(-answer[0].status)
        return answer

    def _await_answer(self, request: Submit, timeout_ms: int) -> tuple[Return, bytes]:
        if self._readable(timeout_ms):
            answer, data = self._answer(request)
            if isinstance(answer, Return):
                return answer, data
            raise failed(errno.EPROTO)
        return self._take_back(request)

    def _take_back(self, request: Submit) -> tuple[Return, bytes]:
        """Unlink a transfer that took too long; it may still end in between, and then counts."""
        self._seqnum += 1
        self._socket.sendall(Unlink(self._seqnum, self._devid, request.seqnum).encode())
        ended: tuple[Return, bytes] | None = None
        while True:
            answer, data = self._answer(request)
            if isinstance(answer, Return):
                ended = (answer, data)
            elif ended is not None:
                return ended
            else:
                raise failed(errno.ETIMEDOUT)

    def _answer(self, request: Submit) -> tuple[Return | Unlinked, bytes]:
        answer = wire.decode_answer(_receive(self._socket, wire.HEADER_LENGTH))
        if isinstance(answer, Unlinked) or request.direction == wire.OUT:
            return answer, b""
        if answer.length > request.length:
            raise wire.WireError(f"{answer.length} bytes where {request.length} were asked for")
        return answer, _receive(self._socket, answer.length)

    def _readable(self, timeout_ms: int) -> bool:
        poll = select.poll()
        poll.register(self._socket, _POLL_EVENTS)
        deadline_s = time.monotonic() + timeout_ms / 1000
        while True:
            left_ms = max(0.0, 1000 * (deadline_s - time.monotonic()))
            if poll.poll(left_ms if timeout_ms else None):
                return True
            if not left_ms:
                return False

    def _import(self, busid: str) -> wire.Device:
        try:
            self._socket.sendall(Op(OpCode.REQ_IMPORT).encode() + wire.encode_busid(busid))
            answer = wire.decode_op(_receive(self._socket, wire.OP_LENGTH))
            if answer.status:
                raise failed(_REFUSALS.get(OpStatus(answer.status), errno.EIO))
            return wire.decode_device(_receive(self._socket, wire.DEVICE_LENGTH))
        except USBError:
            raise
        except (OSError, ValueError) as error:
            raise failed(errno.ENODEV) from error


def _listed(connection: socket.socket) -> wire.Device:
    head = _receive(connection, wire.DEVICE_LENGTH)
    return wire.decode_device(head, _receive(connection, wire.interface_count(head) * wire.INTERFACE_LENGTH))


def _receive(connection: socket.socket, length: int) -> bytes:
    """Read exactly `length` bytes; ConnectionResetError if the other end goes before."""
    data = bytearray(length)
    view, filled = memoryview(data), 0
    while filled < length:
        count = connection.recv_into(view[filled:])
        if not count:
            raise ConnectionResetError("the USB/IP server hung up")
        filled += count
    return bytes(data)
