"""HTTP as every sink behind it needs it: one guarded session, and every failure becomes a sentence."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self, TypeAlias

import aiohttp
from yarl import URL

from gateway.destinations.net import Guard
from gateway.destinations.port import DestinationError, Rejected, Unavailable
from gateway.destinations.upload import ANSWER_S, STALL_S, Upload

BODY_LIMIT_BYTES = 1024 * 1024  # of an answer that is read as a whole: all of them are a few kilobytes
_DIGITS = 9  # of Retry-After in seconds

Sentences: TypeAlias = Mapping[int, tuple[bool, str]]
"""status -> (for good?, sentence). Other 4xx are for good, other 5xx are retried."""

SENTENCES: dict[int, tuple[bool, str]] = {
    401: (True, "the server refuses the user name or the password"),
    403: (True, "the server gives this user no right to write there"),
    404: (True, "the address does not exist on the server"),
    408: (False, "the server waited too long for the upload"),
    409: (True, "the server has something of that name already"),
    413: (True, "the document is too large for the server"),
    415: (True, "the server does not take documents of this type"),
    423: (False, "the file is locked on the server"),
    425: (False, "the server asks to try later"),
    429: (False, "the server asks to slow down"),
    507: (False, "the server has no room left"),
}


class Http:
    """One conversation with one server: `async with Http(...) as http`."""

    def __init__(self, guard: Guard, origin: URL, headers: Mapping[str, str], sentences: Sentences = SENTENCES) -> None:
        """Take an address of the server, what every request carries, and what its refusals mean."""
        self._headers = dict(headers)
        self._sentences = sentences
        self.session = guard.session(origin)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()

    @asynccontextmanager
    async def ask(
        self,
        method: str,
        url: URL,
        *,
        data: bytes | Upload | None = None,
        headers: Mapping[str, str] | None = None,
        more_s: float = 0.0,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and give its answer, which is read within the block; DestinationError if there is none.

        `more_s`: how much longer than others this answer may take as a whole, in seconds.
        """
        try:
            async with self.asked(method, url, data=data, headers=headers, more_s=more_s) as reply:
                yield reply
        except (aiohttp.ClientError, OSError) as error:
            raise explained(error) from error

    @asynccontextmanager
    async def asked(
        self,
        method: str,
        url: URL,
        *,
        data: bytes | Upload | None = None,
        headers: Mapping[str, str] | None = None,
        more_s: float = 0.0,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Do the same, and let out what the connection raises as it is; TimeoutError if the answer takes too long."""
        limit_s = None if isinstance(data, Upload) else ANSWER_S + more_s  # an upload has its own, see `send`
        async with (
            asyncio.timeout(limit_s),
            self.session.request(
                method, url, data=data, headers=self._headers | dict(headers or {}), allow_redirects=False
            ) as reply,
        ):
            yield reply

    @asynccontextmanager
    async def send(
        self, method: str, url: URL, upload: Upload, *, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a document and give the answer; whatever its stream, or its commit, raises comes out as it is.

        Cancelled, nothing more leaves, neither from our buffers nor from the system's.
        """
        try:
            async with asyncio.timeout(STALL_S) as stalled:
                upload.watch(stalled)
                async with self.ask(method, url, data=upload, headers=headers) as reply:
                    yield reply
        except asyncio.CancelledError:
            upload.drop()
            raise
        except TimeoutError:
            late = "the server does not answer in time" if upload.sent else "the server stopped taking the upload"
            raise Unavailable(late) from None
        except Unavailable:
            if upload.failure is not None:
                raise upload.failure from None
            raise

    def refusal(self, reply: aiohttp.ClientResponse) -> DestinationError:
        """Return the error for a status that is no success."""
        status = reply.status
        if 300 <= status < 400:
            return Rejected(f"the server redirects ({status}), and redirects are not followed; enter the final address")
        final, sentence = self._sentences.get(status, (status < 500, "the server refuses"))
        message = f"{sentence} (HTTP {status})"
        wait_s = retry_after_s(reply.headers.get("Retry-After", ""), reply.headers.get("Date", ""))
        return Rejected(message) if final else Unavailable(message, retry_after_s=wait_s)


async def body(reply: aiohttp.ClientResponse) -> bytes:
    """Return the whole body of an answer; Unavailable if it is longer than `BODY_LIMIT_BYTES`."""
    read = bytearray()
    async for chunk in reply.content.iter_any():
        read += chunk
        if len(read) > BODY_LIMIT_BYTES:
            raise Unavailable("the server's answer is too long")
    return bytes(read)


def explained(error: Exception) -> DestinationError:
    """Return the sentence for a connection that failed."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return Rejected("the server's certificate is not valid for this address; nothing was sent")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Unavailable("the server's name cannot be resolved")
    if isinstance(error, TimeoutError):
        return Unavailable("the server does not answer in time")
    return Unavailable("the connection to the server failed")


def retry_after_s(value: str, date: str) -> float | None:
    """Return how long Retry-After asks to wait: seconds, or a time by the clock that Date shows (RFC 9110, 10.2.3)."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value) if len(value) <= _DIGITS else None
    try:
        return max(0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(date)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
