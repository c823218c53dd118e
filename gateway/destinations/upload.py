"""The body of an upload: a parcel's stream that counts, hashes, watches for a stall, and is never sent twice."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from gateway.destinations.port import Parcel, Unavailable

STALL_S = 60.0  # no chunk taken for a minute: the connection is dead or useless


class Upload(aiohttp.Payload):
    """One attempt to send one parcel. `failure` is what the parcel's own stream raised, if it did."""

    def __init__(self, parcel: Parcel, stalled: asyncio.Timeout) -> None:
        """Take the timeout that surrounds the request; it is put off with every chunk that the network takes."""
        super().__init__(parcel, content_type=parcel.media_type)
        self._size = parcel.byte_count
        self._parcel = parcel
        self._stalled = stalled
        self._digest = hashlib.sha256()
        self._started = False
        self.failure: Exception | None = None

    @property
    def sha256(self) -> str:
        """Return the digest of what was handed to the network, lower-case hex."""
        return self._digest.hexdigest()

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the whole stream; called by aiohttp, which may ask a second time and is refused."""
        if self._started:
            raise aiohttp.ClientConnectionError("the connection was lost during the upload")
        self._started = True
        async for chunk in self._chunks():
            self._put_off(STALL_S)
            await writer.write(chunk)
        self._put_off(None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send the whole stream: its length is checked here, never cut."""
        await self.write(writer)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Refuse: a document is no text."""
        raise TypeError("a document is no text")

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            left = self._parcel.byte_count
            async for chunk in self._parcel.open():
                left -= len(chunk)
                if left < 0:
                    raise Unavailable("the document became longer than announced; nothing was delivered")
                self._digest.update(chunk)
                yield chunk
            if left:
                raise Unavailable("the document ended earlier than announced; nothing was delivered")
        except Exception as error:  # aiohttp wraps it; `failure` keeps it as it was
            self.failure = error
            raise

    def _put_off(self, seconds: float | None) -> None:
        when = None if seconds is None else asyncio.get_running_loop().time() + seconds
        self._stalled.reschedule(when)
