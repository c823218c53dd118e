"""Hints that something was plugged in or pulled: the kernel's and udev's messages on a netlink socket (netlink(7)).

A hint says nothing but "look now". Where there is no netlink (other systems, some containers) there are no hints, and
whoever waits looks at intervals.
"""

import asyncio
import logging
import socket
from contextlib import suppress
from types import TracebackType

log = logging.getLogger(__name__)

_KOBJECT_UEVENT = 15  # linux/netlink.h
_KERNEL_AND_UDEV = 0b11  # udev repeats the kernel's message once its rules have set the permissions
_LONGEST_BYTES = 16 * 1024
_USB = (b"SUBSYSTEM=usb\0", b"\0SUBSYSTEM=usb")


class Uevents:
    """Listens while its block runs."""

    def __init__(self, source: socket.socket | None = None) -> None:
        self._socket = source or _opened()
        self._news = asyncio.Event()

    def __enter__(self) -> "Uevents":
        if self._socket is not None:
            self._socket.setblocking(False)
            asyncio.get_running_loop().add_reader(self._socket, self._receive)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    async def wait(self, timeout_s: float) -> None:
        """Return when something happened on USB, or after the time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        self._news.clear()

    def _receive(self) -> None:
        if self._socket is None:
            return
        try:
            message = self._socket.recv(_LONGEST_BYTES)
        except OSError:  # more came than the socket held: something has happened
            self._news.set()
            return
        if any(mark in message for mark in _USB):
            self._news.set()


def _opened() -> socket.socket | None:
    try:
        source = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _KOBJECT_UEVENT)
    except (OSError, AttributeError):
        return None
    try:
        source.bind((0, _KERNEL_AND_UDEV))
    except OSError:
        source.close()
        return None
    return source
