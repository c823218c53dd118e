"""The WebDAV verbs (RFC 4918) that a delivery needs, over one guarded session; every failure becomes a sentence."""

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import TracebackType

import aiohttp
from yarl import URL

from gateway.destinations.net import Guard
from gateway.destinations.port import DestinationError, Parcel, Rejected, Unavailable
from gateway.destinations.propfind import BODY_LIMIT_BYTES, REQUEST, BadReply, Resource, parse
from gateway.destinations.upload import STALL_S, Upload

_READ_BYTES = 256 * 1024
_DIGITS = 9  # of Retry-After in seconds
# status -> (for good?, sentence). Other 4xx are for good, other 5xx are retried.
_SENTENCES: dict[int, tuple[bool, str]] = {
    401: (True, "the server refuses the user name or the password"),
    403: (True, "the server gives this user no right to write there"),
    404: (True, "the folder does not exist on the server"),
    405: (True, "the address is no WebDAV folder"),
    408: (False, "the server waited too long for the upload"),
    409: (True, "the folder does not exist on the server"),
    412: (True, "another file of that name is on the server already"),
    413: (True, "the document is too large for the server"),
    423: (False, "the file is locked on the server"),
    425: (False, "the server asks to try later"),
    429: (False, "the server asks to slow down"),
    507: (False, "the server has no room left"),
}

# Replies to a MOVE that leave open whether it took effect: a proxy's word, the server behind it may have done it.
UNDECIDED = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
_MOVE_REPLIES = (HTTPStatus.CREATED, HTTPStatus.NO_CONTENT, HTTPStatus.PRECONDITION_FAILED, *UNDECIDED)


class Dav:
    """One conversation with one server: `async with Dav(...) as dav`."""

    def __init__(self, guard: Guard, origin: URL, username: str, password: str) -> None:
        """Take the address of the collection; the credentials go out as Basic, preemptively."""
        credentials = b64encode(f"{username}:{password}".encode()).decode("ascii")
        self._headers = {"Authorization": f"Basic {credentials}", "Accept-Encoding": "identity"}
        self._session = guard.session(origin)

    async def __aenter__(self) -> "Dav":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def stat(self, url: URL) -> Resource | None:
        """Ask for a resource's size and ETag; None if it does not exist."""
        headers = {"Depth": "0", "Content-Type": "application/xml; charset=utf-8"}
        async with self._ask("PROPFIND", url, data=REQUEST, headers=headers) as reply:
            if reply.status == HTTPStatus.NOT_FOUND:
                return None
            if reply.status != HTTPStatus.MULTI_STATUS:
                raise refusal(reply)
            body = await _body(reply)
        try:
            found = parse(body)
        except BadReply as error:
            raise Unavailable(f"the server does not answer like WebDAV: {error}") from error
        if found.byte_count is None and not found.is_collection:
            return await self._head(url, found)
        return found

    async def put(self, url: URL, parcel: Parcel) -> str:
        """Upload under a name; return the SHA-256 of what was sent. Whatever the parcel raises comes out as it is."""
        upload: Upload | None = None
        try:
            async with asyncio.timeout(STALL_S) as stalled:
                upload = Upload(parcel, stalled)
                async with self._ask("PUT", url, data=upload) as reply:
                    if reply.status not in (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT):
                        raise refusal(reply)
        except TimeoutError:
            raise Unavailable("the server stopped taking the upload") from None
        except Unavailable:
            if upload is not None and upload.failure is not None:
                raise upload.failure from None
            raise
        return upload.sha256

    async def put_empty(self, url: URL) -> None:
        """Create an empty file."""
        async with self._ask("PUT", url, data=b"") as reply:
            if reply.status not in (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT):
                raise refusal(reply)

    async def move(self, source: URL, target: URL) -> int:
        """Rename without overwriting; return the status. Connection errors come out as aiohttp raises them."""
        headers = self._headers | {"Destination": str(target), "Overwrite": "F"}
        async with self._session.request("MOVE", source, headers=headers, allow_redirects=False) as reply:
            if reply.status not in _MOVE_REPLIES:
                raise refusal(reply)
            return reply.status

    async def delete(self, url: URL) -> None:
        """Remove a file; one that does not exist is as good."""
        async with self._ask("DELETE", url) as reply:
            if reply.status != HTTPStatus.NOT_FOUND and not reply.ok:
                raise refusal(reply)

    async def sha256(self, url: URL, byte_count: int) -> str | None:
        """Read a file and hash it; None if it is not exactly that long."""
        digest, left = hashlib.sha256(), byte_count
        async with self._ask("GET", url) as reply:
            if reply.status != HTTPStatus.OK:
                raise refusal(reply)
            async for chunk in reply.content.iter_chunked(_READ_BYTES):
                left -= len(chunk)
                if left < 0:
                    return None
                digest.update(chunk)
        return digest.hexdigest() if left == 0 else None

    async def _head(self, url: URL, found: Resource) -> Resource:
        async with self._ask("HEAD", url) as reply:
            if reply.status != HTTPStatus.OK:
                raise refusal(reply)
            length = reply.headers.get("Content-Length", "")
            if not (length.isascii() and length.isdigit()):
                raise Unavailable("the server does not tell the size of a file")
            return Resource(int(length), found.etag or reply.headers.get("ETag", ""), is_collection=False)

    @asynccontextmanager
    async def _ask(
        self, method: str, url: URL, *, data: bytes | Upload | None = None, headers: dict[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(
                method, url, data=data, headers=self._headers | (headers or {}), allow_redirects=False
            ) as reply:
                yield reply
        except (aiohttp.ClientError, OSError) as error:
            raise explained(error) from error


def explained(error: Exception) -> DestinationError:
    """Return the sentence for a connection that failed."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return Rejected("the server's certificate is not valid for this address; nothing was sent")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Unavailable("the server's name cannot be resolved")
    if isinstance(error, TimeoutError):
        return Unavailable("the server does not answer in time")
    return Unavailable("the connection to the server failed")


def refusal(reply: aiohttp.ClientResponse) -> DestinationError:
    """Return the error for a status that is no success."""
    status = reply.status
    if 300 <= status < 400:
        return Rejected(f"the server redirects ({status}), and redirects are not followed; enter the final address")
    final, sentence = _SENTENCES.get(status, (status < 500, "the server refuses"))
    message = f"{sentence} (HTTP {status})"
    return Rejected(message) if final else Unavailable(message, retry_after_s=_retry_after_s(reply))


def _retry_after_s(reply: aiohttp.ClientResponse) -> float | None:
    value = reply.headers.get("Retry-After", "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) <= _DIGITS else None


async def _body(reply: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in reply.content.iter_any():
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            raise Unavailable("the server's answer is too long")
    return bytes(body)
