"""One open file of a device node: the process behind it, its transfers under way, and those that can be reaped."""

import asyncio
import errno
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.usb.umockdev import wire
from simulator.usb.umockdev.wire import Urb

MOST_BYTES = 16 * 1024 * 1024  # what usbfs lends by default (usbfs_memory_mb)


class Failed(Exception):
    """A request that ends with -1 and this errno."""

    def __init__(self, code: int) -> None:
        super().__init__(errno.errorcode[code])
        self.code = code


@dataclass(frozen=True, slots=True)
class Ended:
    """A transfer that can be reaped: `status` 0 or -errno, `count` bytes went; `data` goes to `buffer`."""

    urb: Urb
    status: int
    count: int
    data: bytes = b""
    buffer: int = 0


@dataclass(eq=False, slots=True)
class Opening:
    """One open file; `changed` is called when there is more or less to reap.

    Requests come one at a time: the preload library holds a lock until the last one is answered.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    changed: Callable[[], None]
    pending: deque[Urb] = field(default_factory=deque)
    ended: deque[Ended] = field(default_factory=deque)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, address: int, length: int) -> bytes:
        """Read the process's memory; Failed for more than may be lent."""
        if not 0 <= length <= MOST_BYTES:
            raise Failed(errno.EINVAL)
        self.writer.write(wire.read_memory(address, length))
        return await self.reader.readexactly(length)

    def write(self, address: int, data: bytes) -> None:
        """Write the process's memory."""
        if data:
            self.writer.write(wire.write_memory(address, data))

    def end(self, ended: Ended) -> None:
        """Let a transfer be reaped."""
        self.ended.append(ended)
        self._news.set()
        self.changed()

    def end_all(self, status: int) -> None:
        """End every transfer that is under way; whoever waits looks again."""
        while self.pending:
            self.end(Ended(self.pending.popleft(), status, 0))
        self._news.set()

    def take(self, ended: Ended) -> None:
        """Take a transfer from those that can be reaped, and hand its data over."""
        self.ended.remove(ended)
        self.write(ended.buffer, ended.data)
        self.changed()

    async def outcome(self, urb: Urb) -> Ended:
        """Wait until a transfer has ended."""
        while True:
            for ended in self.ended:
                if ended.urb is urb:
                    return ended
            await self.news()

    async def news(self) -> None:
        """Wait for the next transfer that ends; IncompleteReadError if the process ends first."""
        self._news.clear()
        news = asyncio.ensure_future(self._news.wait())
        left = asyncio.ensure_future(self.reader.readexactly(1))  # nothing comes before the answer
        try:
            await asyncio.wait((news, left), return_when=asyncio.FIRST_COMPLETED)
            if left.done():
                left.result()
        finally:
            news.cancel()
            left.cancel()
            await asyncio.gather(news, left, return_exceptions=True)
