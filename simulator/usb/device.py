"""ScanSnapUsb: the USB side of one unit: control requests, endpoints, packets, and commands cut from transfers.

No socket and no waiting: a transfer that has nothing yet returns None (NAK), and `wake` is called when to ask again.
"""

import asyncio
import errno
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from simulator.faults import FaultKind
from simulator.scanner import VirtualScanner
from simulator.scsi.replies import Reply, runs
from simulator.scsi.server import Target
from simulator.scsi.wire import Command, WireError, parse_envelope
from simulator.usb import descriptors
from simulator.usb.descriptors import BULK_IN, BULK_OUT, MAX_PACKET_BYTES

_GET_STATUS, _CLEAR_FEATURE, _GET_DESCRIPTOR = 0x00, 0x01, 0x06
_GET_CONFIGURATION, _SET_CONFIGURATION, _GET_INTERFACE, _SET_INTERFACE = 0x08, 0x09, 0x0A, 0x0B
_TO_HOST = 0x80
_RECIPIENT_ENDPOINT = 0x02
_RECIPIENT_MASK = 0x1F
_DEVICE, _CONFIGURATION, _STRING = 1, 2, 3


class ScanSnapUsb:
    """One unit on its cable. `attach` before the first transfer, `detach` after the last."""

    def __init__(self, scanner: VirtualScanner) -> None:
        self.scanner = scanner
        self.device_descriptor = descriptors.device(scanner.model)
        self.config_descriptor = descriptors.configuration()
        self._target = Target(scanner)
        self._wake: Callable[[], None] | None = None
        self._in: deque[bytes] = deque()  # runs of packets; an empty one is a zero-length packet
        self._halted: set[int] = set()
        self._awaiting: Command | None = None
        self._running: asyncio.Task[Reply] | None = None
        self._lost_power = False
        scanner.on_plug.append(self._plugged)

    async def attach(self, wake: Callable[[], None]) -> None:
        """Begin a connection: what an earlier one left on the endpoints is gone, as after a bus reset."""
        await self.detach()
        if self._lost_power:
            self._lost_power = False
            await self._target.reset()
        self._wake = wake

    async def detach(self) -> None:
        """End a connection and the command that runs in it; the unit itself learns nothing of it."""
        self._wake = None
        self._in.clear()
        self._halted.clear()
        self._awaiting = None
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def close(self) -> None:
        """End the connection and drop all state."""
        await self.detach()
        await self._target.reset()

    def control(self, setup: bytes, data: bytes) -> bytes | int:
        """Do a control request: bytes for the host (empty for OUT), or -errno. SETUP is 8 bytes."""
        kind, request = setup[0], setup[1]
        value, index = (int.from_bytes(setup[at : at + 2], "little") for at in (2, 4))
        if kind & _RECIPIENT_MASK == _RECIPIENT_ENDPOINT and request == _CLEAR_FEATURE:
            self._halted.discard(index)
            return b""
        if kind == _TO_HOST and request == _GET_DESCRIPTOR:
            return self._descriptor(value >> 8, value & 0xFF)
        answers = {_GET_CONFIGURATION: b"\x01", _GET_INTERFACE: b"\x00", _GET_STATUS: b"\x01\x00"}
        if kind & _TO_HOST and request in answers:
            return answers[request]
        if request in (_SET_CONFIGURATION, _SET_INTERFACE) and value == (request == _SET_CONFIGURATION):
            return b""
        return -errno.EPIPE

    def bulk_out(self, endpoint: int, data: bytes) -> int:
        """Take a transfer: an envelope, or the payload of the last one. Returns the bytes taken, or -errno."""
        if endpoint != BULK_OUT or endpoint in self._halted:
            return -errno.EPIPE
        if self._running is not None or self._in:
            self._complain("a transfer before the last transaction was finished")
            self._in.clear()
            self._awaiting = None
            self._abandon()
        if self._awaiting is not None:
            command, self._awaiting = self._awaiting, None
            self._start(command, data)
            return len(data)
        try:
            command = parse_envelope(data)
        except WireError as error:
            self._complain(str(error))
            self._halted.add(BULK_OUT)
            return -errno.EPIPE
        if command.out_length:
            self._awaiting = command
        else:
            self._start(command, b"")
        return len(data)

    def bulk_in(self, endpoint: int, count: int) -> bytes | int | None:
        """Give a transfer of at most `count` bytes; None while the host's read is to stay open, or -errno.

        A read ends when it is full or a short packet came, so a run of whole packets leaves it open.
        """
        if endpoint != BULK_IN or endpoint in self._halted:
            return -errno.EPIPE
        got = bytearray()
        for used, run in enumerate(self._in, start=1):
            room = count - len(got)
            if len(run) > room:
                return self._cut(got, used - 1, room)
            got += run
            if len(got) == count or not run or len(run) % MAX_PACKET_BYTES:
                self._drop(used)
                return bytes(got)
        return None

    def _cut(self, got: bytearray, whole: int, room: int) -> bytes | int:
        """Fill a read with the beginning of a run; a packet that does not fit is an overflow, and lost."""
        if room % MAX_PACKET_BYTES:
            self._in.clear()
            return -errno.EOVERFLOW
        self._drop(whole)
        run = self._in.popleft()
        self._in.appendleft(run[room:])
        return bytes(got + run[:room])

    def _drop(self, runs: int) -> None:
        for _ in range(runs):
            self._in.popleft()

    def _abandon(self) -> None:
        """Stop the command that runs, lest it takes a block that nobody reads."""
        if self._running is not None:
            self._running.cancel()
            self._running = None

    def _start(self, command: Command, data: bytes) -> None:
        self._running = asyncio.create_task(self._target.execute(command, data), name=f"command {command.op:02x}")
        self._running.add_done_callback(lambda task: self._finish(command, task))

    def _finish(self, command: Command, task: asyncio.Task[Reply]) -> None:
        """Queue the data and status of a command that is done, if the host still waits for them."""
        if task.cancelled() or task is not self._running:
            return
        self._running = None
        failure = task.exception()
        if failure is not None:
            self._complain(f"command {command.op:02x} failed inside the simulator: {failure!r}")
            self._halted.add(BULK_IN)
        else:
            self._queue(command, task.result())
        if self._wake is not None:
            self._wake()

    def _queue(self, command: Command, reply: Reply) -> None:
        if reply.broken is FaultKind.STALL:
            self._halted.add(BULK_IN)
            return
        self._in.extend(runs(reply, command.in_length, MAX_PACKET_BYTES))

    def _plugged(self) -> None:
        self._lost_power = True

    def _descriptor(self, kind: int, index: int) -> bytes | int:
        found = {
            _DEVICE: self.device_descriptor,
            _CONFIGURATION: self.config_descriptor if index == 0 else None,
            _STRING: descriptors.string(index, self.scanner.model),
        }.get(kind)
        return -errno.EPIPE if found is None else found

    def _complain(self, what: str) -> None:
        self.scanner.violation(what)
