"""The HTTP beneath the S3 library: the guard's session in place of the library's own.

So every socket is judged, no redirect is followed, no proxy, certificate bundle or anything else is taken from the
environment, and no answer is read without a bound. The library only signs requests and reads answers.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from gateway.destinations.http import body
from gateway.destinations.net import Guard
from gateway.destinations.port import Unavailable
from gateway.destinations.upload import STALL_S

ANSWER_S = 600.0  # a store may send blanks for minutes while it puts the parts together (CompleteMultipartUpload)
_PIECE_BYTES = 256 * 1024
_DOCTYPE = b"<!DOCTYPE"


class Transport:
    """What the library asks of its HTTP session: to be entered, to `send`, to be closed."""

    def __init__(self, guard: Guard, origin: URL) -> None:
        """Take an address of the store; no other origin is reached."""
        self._session = guard.session(origin)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def send(self, request: Any) -> Any:
        """Send one signed request; aiohttp.ClientError, OSError, Unavailable, and Rejected by the guard."""
        part = None
        try:
            async with asyncio.timeout(ANSWER_S) as stalled:
                part = _Part(request.body, stalled) if request.body else None
                reply = await self._session.request(
                    request.method,
                    URL(request.url, encoded=True),
                    data=part,
                    headers=_headers(request.headers),
                    skip_auto_headers=(aiohttp.hdrs.CONTENT_TYPE,),
                    allow_redirects=False,
                )
        except TimeoutError:
            if stalled.expired() and part is not None and not part.sent:
                raise Unavailable("the store stopped taking the upload") from None
            raise
        return await _as_library(reply, streamed=request.stream_output)


def transport(guard: Guard, origin: URL) -> Callable[..., Transport]:
    """Return what makes a session, whatever proxies, timeouts and certificates the library proposes for it."""
    return lambda **_: Transport(guard, origin)


class _Part(aiohttp.Payload):
    """A body whose every piece puts the stall off, the last one the wait for the head of the answer.

    aiohttp starts over with it where it repeats a request.
    """

    def __init__(self, value: Any, stalled: asyncio.Timeout) -> None:
        data: bytes = value if isinstance(value, bytes) else value.read()
        super().__init__(data, content_type="application/octet-stream")
        self._data, self._size, self._stalled = data, len(data), stalled
        self.sent = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send it all; called by aiohttp."""
        for at in range(0, len(self._data), _PIECE_BYTES):
            self._put_off(STALL_S)
            await writer.write(self._data[at : at + _PIECE_BYTES])
        self.sent = True
        self._put_off(ANSWER_S)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send it all: it is as long as it says."""
        await self.write(writer)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Refuse: a part of a document is no text."""
        raise TypeError("a part of a document is no text")

    def _put_off(self, seconds: float) -> None:
        self._stalled.reschedule(asyncio.get_running_loop().time() + seconds)


class _Read:
    """A body that was read already, in the shape in which the library reads one."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self) -> bytes:
        return self._data


def _headers(given: Any) -> dict[str, str]:
    headers = {str(k): v.decode() if isinstance(v, bytes) else str(v) for k, v in given.items()}
    # aiohttp would wait for "100 Continue" without end, and some proxies never send one. It is never signed.
    headers.pop("Expect", None)
    return headers | {"Accept-Encoding": "identity"}


async def _as_library(reply: aiohttp.ClientResponse, *, streamed: bool) -> Any:
    from aiobotocore.awsrequest import AioAWSResponse  # loaded by now, see s3_client.py

    headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in reply.raw_headers}
    raw: Any = reply
    if not streamed or reply.status >= 300:
        async with reply, asyncio.timeout(ANSWER_S):
            raw = _Read(_xml_only(await body(reply)))
    return AioAWSResponse(str(reply.url), reply.status, headers, raw)


def _xml_only(data: bytes) -> bytes:
    """No answer of S3 has a document type: it is a proxy's page or an attack on the reader; then the status counts."""
    return b"" if _DOCTYPE in data.upper() else data
