"""The WebDAV verbs (RFC 4918) that a delivery needs, over one guarded session; every failure becomes a sentence."""

import hashlib
from base64 import b64encode
from http import HTTPStatus

from yarl import URL

from gateway.destinations.http import SENTENCES, Http, body
from gateway.destinations.net import Guard
from gateway.destinations.port import Parcel, Unavailable
from gateway.destinations.propfind import REQUEST, BadReply, Resource, parse
from gateway.destinations.upload import Upload

_READ_BYTES = 256 * 1024
_SLOWEST = 10_000  # bytes a second, when a file is read back; nobody uploads a scan over such a line
_SENTENCES = SENTENCES | {
    404: (True, "the folder does not exist on the server"),
    405: (True, "the address is no WebDAV folder"),
    409: (True, "the folder does not exist on the server"),
    412: (True, "another file of that name is on the server already"),
}
_WRITTEN = (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT)

# Replies to a MOVE that leave open whether it took effect: a proxy's word, the server behind it may have done it.
UNDECIDED = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
_MOVE_REPLIES = (HTTPStatus.CREATED, HTTPStatus.NO_CONTENT, HTTPStatus.PRECONDITION_FAILED, *UNDECIDED)


class Dav(Http):
    """One conversation with one server: `async with Dav(...) as dav`."""

    def __init__(self, guard: Guard, origin: URL, username: str, password: str) -> None:
        """Take the address of the collection; the credentials go out as Basic, preemptively."""
        credentials = b64encode(f"{username}:{password}".encode()).decode("ascii")
        headers = {"Authorization": f"Basic {credentials}", "Accept-Encoding": "identity"}
        super().__init__(guard, origin, headers, _SENTENCES)

    async def stat(self, url: URL) -> Resource | None:
        """Ask for a resource's size and ETag; None if it does not exist."""
        headers = {"Depth": "0", "Content-Type": "application/xml; charset=utf-8"}
        async with self.ask("PROPFIND", url, data=REQUEST, headers=headers) as reply:
            if reply.status == HTTPStatus.NOT_FOUND:
                return None
            if reply.status != HTTPStatus.MULTI_STATUS:
                raise self.refusal(reply)
            answer = await body(reply)
        try:
            found = parse(answer)
        except BadReply as error:
            raise Unavailable(f"the server does not answer like WebDAV: {error}") from error
        if found.byte_count is None and not found.is_collection:
            return await self._head(url, found)
        return found

    async def put(self, url: URL, parcel: Parcel) -> str:
        """Upload under a name; return the SHA-256 of what was sent. Whatever the parcel raises comes out as it is."""
        upload = Upload(parcel)
        async with self.send("PUT", url, upload) as reply:
            if reply.status not in _WRITTEN:
                raise self.refusal(reply)
        return upload.sha256

    async def put_empty(self, url: URL) -> None:
        """Create an empty file."""
        async with self.ask("PUT", url, data=b"") as reply:
            if reply.status not in _WRITTEN:
                raise self.refusal(reply)

    async def move(self, source: URL, target: URL) -> int:
        """Rename without overwriting; return the status. Connection errors come out as aiohttp raises them."""
        headers = {"Destination": str(target), "Overwrite": "F"}
        async with self.asked("MOVE", source, headers=headers) as reply:
            if reply.status not in _MOVE_REPLIES:
                raise self.refusal(reply)
            return reply.status

    async def delete(self, url: URL) -> None:
        """Remove a file; one that does not exist is as good."""
        async with self.ask("DELETE", url) as reply:
            if reply.status != HTTPStatus.NOT_FOUND and not reply.ok:
                raise self.refusal(reply)

    async def sha256(self, url: URL, byte_count: int) -> str | None:
        """Read a file and hash it; None if it is not exactly that long."""
        digest, left = hashlib.sha256(), byte_count
        async with self.ask("GET", url, more_s=byte_count / _SLOWEST) as reply:
            if reply.status != HTTPStatus.OK:
                raise self.refusal(reply)
            async for chunk in reply.content.iter_chunked(_READ_BYTES):
                left -= len(chunk)
                if left < 0:
                    return None
                digest.update(chunk)
        return digest.hexdigest() if left == 0 else None

    async def _head(self, url: URL, found: Resource) -> Resource:
        async with self.ask("HEAD", url) as reply:
            if reply.status != HTTPStatus.OK:
                raise self.refusal(reply)
            length = reply.headers.get("Content-Length", "")
            if not (length.isascii() and length.isdigit()):
                raise Unavailable("the server does not tell the size of a file")
            return Resource(int(length), found.etag or reply.headers.get("ETag", ""), is_collection=False)
