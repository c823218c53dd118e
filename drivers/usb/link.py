"""Bytes to and from one open USB device: the only blocking USB calls, in one thread per device.

Nothing here knows what a command means, save how long it may take.
"""

import asyncio
import errno
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import usb.core
import usb.util

from drivers import flow as flows
from drivers.errors import Busy, DriverError, PeerError, Refused, Unreachable, Unsupported
from drivers.flow import Flow
from drivers.scsi.wire import Command, Opcode, Reply, ScsiStatus, Sense, request_sense
from drivers.usb import wire
from drivers.usb.holder import holder

log = logging.getLogger(__name__)
Result = TypeVar("Result")

_INTERFACE = 0
_CONFIGURATION = 1
_SLOW_S = 30.0  # SANE's for every phase: motor start, lamp, and the first block at 600 dpi take more than 10 s
_TIMEOUT_S: dict[int, float] = {
    Opcode.TEST_UNIT_READY: 0.5,  # SANE's; a unit that is there answers within it, and the flow asks three times
    Opcode.REQUEST_SENSE: 3.0,  # scan2drive's for questions that move nothing
    Opcode.INQUIRY: 3.0,
    Opcode.SEND_DIAGNOSTIC: 3.0,
    Opcode.READ_DIAGNOSTIC: 3.0,
    Opcode.HARDWARE_STATUS: 3.0,
}
_DRAIN_TIMEOUT_S = 0.1  # what a broken transaction left behind is there at once, or not at all
_DRAIN_BYTES = 64 * 1024
_DRAIN_READS = 64  # 4 MiB: the largest block that a dead host can have asked for, with room
_LOST = frozenset({errno.ENODEV, errno.EIO, errno.ENOENT, errno.ENXIO, errno.ESHUTDOWN})


class _Abandoned(Exception):
    """Whoever waited for a flow has left; raised in the thread only, at a transaction boundary."""


class Link:
    """An open device with a claimed interface; made by `connect`."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self._in = 0
        self._out = 0
        self._closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"usb-{device.bus}-{device.address}")

    @classmethod
    async def connect(cls, device: Any) -> "Link":
        """Open a device and claim its interface; Busy, Refused, Unreachable or Unsupported if that fails."""
        link = cls(device)
        try:
            await asyncio.get_running_loop().run_in_executor(link._thread, link._claim)
        except BaseException:
            await link.close()
            raise
        return link

    async def run(self, flow: Flow[Command, Reply, Result], *, to_the_end: bool = False) -> Result:
        """Run a dialogue in the device's thread.

        Cancelled, it stops at the next boundary between two transactions; `to_the_end` lets it run out instead.
        The next dialogue starts only then.
        """
        if self._closed:
            raise Unreachable("The scanner was closed")
        left = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, flow, left)
        except asyncio.CancelledError:
            if not to_the_end:
                left.set()
            raise

    async def close(self) -> None:
        """Release the device after the dialogue that is running; never raises, may be called twice."""
        if self._closed:
            return
        self._closed = True
        released = asyncio.get_running_loop().run_in_executor(self._thread, self._release)
        self._thread.shutdown(wait=False)
        await released

    def _run(self, flow: Flow[Command, Reply, Result], left: threading.Event) -> Result:
        def pause(seconds: float) -> None:
            if left.wait(seconds):
                raise _Abandoned

        def exchange(command: Command) -> Reply:
            if left.is_set():
                raise _Abandoned
            return self._exchange(command)

        return flows.run(flow, exchange, sleep=pause)

    def _claim(self) -> None:
        """Claim the interface and read the endpoints from its descriptor.

        No reset, no halt cleared, and no configuration set where it is set already: none is needed, and relatives of
        these units take it badly.
        """
        with self._errors("opening the scanner"):
            try:
                interface = self._active_configuration()[(_INTERFACE, 0)]
            except (KeyError, IndexError) as error:
                raise Unsupported("The scanner has no USB interface to talk to") from error
            usb.util.claim_interface(self._device, _INTERFACE)
            for endpoint in interface:
                self._take(int(endpoint.bEndpointAddress), int(endpoint.bmAttributes))
        if not self._in or not self._out:
            raise Unsupported("The scanner's USB interface has no pair of bulk endpoints")

    def _active_configuration(self) -> Any:
        try:
            return self._device.get_active_configuration()
        except usb.core.USBError as error:
            if error.errno is not None:
                raise
            self._device.set_configuration(_CONFIGURATION)  # pyusb's way to say that none is active
            return self._device.get_active_configuration()

    def _take(self, address: int, attributes: int) -> None:
        if usb.util.endpoint_type(attributes) != usb.util.ENDPOINT_TYPE_BULK:
            return
        if usb.util.endpoint_direction(address) == usb.util.ENDPOINT_IN:
            self._in = self._in or address
        else:
            self._out = self._out or address

    def _release(self) -> None:
        with suppress(usb.core.USBError):
            usb.util.dispose_resources(self._device)

    def _exchange(self, command: Command) -> Reply:
        """Do one transaction, and a second one for the sense where the first asks for it."""
        status, data = self._transact(command)
        if status is not ScsiStatus.CHECK:
            return Reply(status, data)
        asked, sense = self._transact(request_sense())
        if asked is not ScsiStatus.GOOD:
            raise PeerError(f"The scanner failed ({command.name}) and would not say why")
        return Reply(status, data, Sense.decode(sense))

    def _transact(self, command: Command) -> tuple[ScsiStatus, bytes]:
        timeout_ms = round(1000 * _TIMEOUT_S.get(command.cdb[0], _SLOW_S))
        with self._errors(command.name):
            self._write(wire.envelope(command.cdb), timeout_ms)
            if command.data_out:
                self._write(command.data_out, timeout_ms)
            data = b""
            if command.data_in_length:
                data = bytes(self._device.read(self._in, command.data_in_length, timeout_ms))
                early = wire.early_status(data, command.data_in_length)
                if early is not None:
                    return early, b""
            return wire.decode_status(bytes(self._device.read(self._in, wire.STATUS_LENGTH, timeout_ms))), data

    def _write(self, data: bytes, timeout_ms: int) -> None:
        written = int(self._device.write(self._out, data, timeout_ms))
        if written != len(data):
            raise PeerError(f"The scanner took {written} of {len(data)} bytes")

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn USB errors into ours; after a broken transaction bring both sides back to its beginning."""
        try:
            yield
        except PeerError:
            self._resynchronise()
            raise
        except usb.core.USBTimeoutError as error:
            self._resynchronise()
            raise Unreachable(f"The scanner does not answer ({what}): check its cable, switch it off and on") from error
        except usb.core.USBError as error:
            raise self._translated(error, what) from error

    def _translated(self, error: Any, what: str) -> DriverError:
        if error.errno == errno.EACCES:
            return Refused(
                "No permission for the scanner's USB device: install the udev rule 70-scansnap.rules, "
                "then plug the scanner in again"
            )
        if error.errno == errno.EBUSY:
            who = holder(int(self._device.bus), int(self._device.address)) or "Another program"
            return Busy(f"{who} holds the scanner: end it, or wait until it is done")
        if error.errno in _LOST:
            return Unreachable("The scanner is gone: switched off, unplugged, or its lid was closed")
        self._resynchronise()  # stall, overflow: still there, but out of step
        return PeerError(f"USB error in {what}: {error}")

    def _resynchronise(self) -> None:
        """Clear both endpoints and read away what the unit still had to send."""
        for endpoint in (self._in, self._out):
            if endpoint:
                with suppress(usb.core.USBError, NotImplementedError):
                    self._device.clear_halt(endpoint)
        with suppress(usb.core.USBError):
            for _ in range(_DRAIN_READS if self._in else 0):
                self._device.read(self._in, _DRAIN_BYTES, round(1000 * _DRAIN_TIMEOUT_S))


def enumerate_devices(backend: Any, wanted: Callable[[Any], bool]) -> list[Any]:
    """List the attached devices that are wanted; blocking; Unreachable if USB itself fails."""
    try:
        return list(usb.core.find(find_all=True, backend=backend, custom_match=wanted))
    except (usb.core.USBError, usb.core.NoBackendError) as error:
        raise Unreachable(f"USB cannot be listed on this machine: {error}") from error
