"""Hints of the kernel: a USB event wakes whoever waits, anything else does not, and silence ends by itself."""

import asyncio
import socket

from drivers.usb.uevents import Uevents

KERNEL = b"add@/devices/pci0000:00/usb1/1-1\0ACTION=add\0SUBSYSTEM=usb\0DEVNAME=bus/usb/001/005\0"
UDEV = b"libudev\0\xfe\xed\xca\xfe" + bytes(28) + b"ACTION=remove\0SUBSYSTEM=usb\0"
OTHER = b"add@/devices/virtual/net/lo\0ACTION=add\0SUBSYSTEM=net\0"


async def woken(*messages: bytes) -> bool:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with theirs, Uevents(ours) as news:
        for message in messages:
            theirs.send(message)
        waiting = asyncio.ensure_future(news.wait(60))
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        waiting.cancel()
        return bool(done)


async def test_an_event_of_usb_wakes() -> None:
    assert await woken(KERNEL)
    assert await woken(OTHER, UDEV)


async def test_other_events_do_not() -> None:
    assert not await woken(OTHER)
    assert not await woken(b"\xff" * 4000, b"")


async def test_without_hints_the_wait_ends_after_its_time() -> None:
    with Uevents() as news:
        await news.wait(0.01)
