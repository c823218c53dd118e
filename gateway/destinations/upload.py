"""The body of an upload: a parcel's stream that counts, hashes, watches for a stall, and is never sent twice.

Where the last byte is the commit, `held_back` keeps the end of the document until the gate was asked once more.
"""

import asyncio
import hashlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from gateway.destinations.port import Commit, Parcel, Unavailable

STALL_S = 60.0  # no chunk taken for a minute: the connection is dead or useless
# From the last byte of a request to the last byte of its answer. An answer begins within net.REPLY_S or never, and is a
# few kilobytes: what is not there by then drips, and each drop would put off the end of a wait for the next one.
ANSWER_S = 300.0
_NO_LINGER = struct.pack("ii", 1, 0)  # struct linger: closing drops what was not sent yet, socket(7)
HELD_BYTES = 64 * 1024  # of the end of a document: without them no sink has it


async def whole(parcel: Parcel) -> AsyncIterator[bytes]:
    """Yield a parcel's stream; Unavailable if it is not exactly as long as announced."""
    left = parcel.byte_count
    async for chunk in parcel.open():
        left -= len(chunk)
        if left < 0:
            raise Unavailable("the document became longer than announced; nothing was delivered")
        yield chunk
    if left:
        raise Unavailable("the document ended earlier than announced; nothing was delivered")


async def sha256_of(parcel: Parcel) -> str:
    """Return the digest of a parcel's whole stream, lower-case hex."""
    digest = hashlib.sha256()
    async for chunk in whole(parcel):
        digest.update(chunk)
    return digest.hexdigest()


async def held_back(parcel: Parcel, commit: Commit) -> AsyncIterator[bytes]:
    """Yield a parcel's stream, its last 64 KiB (or all of it, if smaller) only after `await commit()`."""
    free = max(0, parcel.byte_count - HELD_BYTES)
    kept = bytearray()
    async for chunk in whole(parcel):
        now, later = chunk[:free], chunk[free:]
        free -= len(now)
        kept += later
        if now:
            yield now
    await commit()
    yield bytes(kept)


class Upload(aiohttp.Payload):
    """One attempt to send one parcel.

    `failure` is what the parcel's own stream, or the commit, raised, if it did; `sent`: the network took all of it.
    """

    def __init__(
        self,
        parcel: Parcel,
        *,
        commit: Commit | None = None,
        head: bytes = b"",
        tail: bytes = b"",
        media_type: str = "",
    ) -> None:
        """Take what is sent; `head` and `tail` stand around the document, `commit` is for `held_back`."""
        super().__init__(parcel, content_type=media_type or parcel.media_type)
        self._size = len(head) + parcel.byte_count + len(tail)
        self._stream = whole(parcel) if commit is None else held_back(parcel, commit)
        self._head, self._tail = head, tail
        self._stalled: asyncio.Timeout | None = None
        self._digest = hashlib.sha256()
        self._started = False
        self._transport: asyncio.Transport | None = None
        self.failure: Exception | None = None
        self.sent = False

    def watch(self, stalled: asyncio.Timeout) -> None:
        """Put the timeout around the request off with every chunk that the network takes, at last for the answer."""
        self._stalled = stalled

    @property
    def sha256(self) -> str:
        """Return the digest of what was handed to the network of the document, lower-case hex."""
        return self._digest.hexdigest()

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the whole stream; called by aiohttp, which may ask a second time and is refused."""
        if self._started:
            raise aiohttp.ClientConnectionError("the connection was lost during the upload")
        self._started = True
        self._transport = getattr(writer, "transport", None)
        if self._head:
            await writer.write(self._head)
        async for chunk in self._chunks():
            self._put_off(STALL_S)
            await writer.write(chunk)
        if self._tail:
            await writer.write(self._tail)
        self.sent = True
        self._put_off(ANSWER_S)

    def drop(self) -> None:
        """Break the connection at once: megabytes may wait in this machine's buffers, and none of them is to leave."""
        if self._transport is not None:
            with suppress(OSError):  # closed already
                self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._transport.abort()

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send the whole stream: its length is checked here, never cut."""
        await self.write(writer)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Refuse: a document is no text."""
        raise TypeError("a document is no text")

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                self._digest.update(chunk)
                yield chunk
        except Exception as error:  # aiohttp wraps it; `failure` keeps it as it was
            self.failure = error
            self.drop()
            raise

    def _put_off(self, seconds: float) -> None:
        if self._stalled is not None:
            self._stalled.reschedule(asyncio.get_running_loop().time() + seconds)
