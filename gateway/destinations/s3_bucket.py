"""The S3 operations that a delivery needs, over one client; every failure becomes a sentence."""

import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import aiohttp

from gateway.destinations.http import explained
from gateway.destinations.port import Parcel, ReplyLost, Unavailable
from gateway.destinations.s3_client import Client
from gateway.destinations.s3_errors import Refused
from gateway.destinations.upload import whole

PART_BYTES = 8 * 1024 * 1024  # S3 wants 5 MiB or more; one part is in memory at a time
PARTS_LIMIT = 10_000  # S3's own
_LEFTOVERS = 100  # uploads of one key looked at in one round; there is one for every attempt that broke off
_ID_LIMIT = 2048  # characters of an upload's id or an ETag; they are sent back
_READ_BYTES = 256 * 1024

_TAKEN = (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED)
_NO_CONDITION = ("NotImplemented", "InvalidArgument")
_MAY_NOT_LIST = ("AccessDenied", "NotImplemented")

# Statuses that leave open whether it took effect: a breakdown in the middle, or a proxy's word.
_UNDECIDED = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)


@dataclass(frozen=True, slots=True)
class Found:
    """An object as HEAD shows it; `remote_id` is its version, or its ETag where nothing is versioned."""

    byte_count: int
    remote_id: str


class Completed(StrEnum):
    """What came of asking for the completion of an upload."""

    DONE = "done"
    TAKEN = "taken"  # an object has the key, or the upload is gone
    NO_CONDITION = "no condition"  # the store does not know "only if nothing has the key", and did nothing


class Bucket:
    """One bucket, seen through one client."""

    def __init__(self, client: Client) -> None:
        """Take a client that was entered."""
        self._client = client

    async def head(self, key: str) -> Found | None:
        """Ask for an object; None if there is none."""
        with _in_words():
            try:
                answer = await self._client.ask("head_object", Key=key)
            except Refused as refused:
                if refused.status == HTTPStatus.NOT_FOUND:
                    return None
                raise
        return Found(int(answer.get("ContentLength", -1)), _remote_id(answer))

    async def begin(self, key: str, media_type: str) -> str:
        """Begin an upload and return its id: the object is not there before it is completed."""
        with _in_words():
            answer = await self._client.ask("create_multipart_upload", Key=key, ContentType=media_type)
        return _bounded(answer.get("UploadId"))

    async def put(self, key: str, upload: str, number: int, data: bytes) -> str:
        """Send one part, numbered from 1, and return its ETag."""
        # Besides the signed hash: MD5 is what stores have compared since the first one.
        md5 = b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode("ascii")
        with _in_words():
            answer = await self._client.ask(
                "upload_part", Key=key, UploadId=upload, PartNumber=number, Body=data, ContentMD5=md5
            )
        return _bounded(answer.get("ETag"))

    async def complete(self, key: str, upload: str, etags: list[str], *, conditional: bool = True) -> Completed:
        """Make the object of its parts; ReplyLost where it may have taken effect.

        `conditional`: only if nothing has the key (If-None-Match: *, since 2024).
        """
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        only = {"IfNoneMatch": "*"} if conditional else {}
        try:
            await self._client.ask(
                "complete_multipart_upload", Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **only
            )
        except Refused as refused:
            return _completed(refused, conditional)
        except aiohttp.ClientConnectorError as error:  # nothing was sent
            raise explained(error) from error
        except (aiohttp.ClientError, OSError, Unavailable) as error:
            raise ReplyLost("the connection broke before the store said whether it took the document") from error
        return Completed.DONE

    async def abort(self, key: str, upload: str) -> None:
        """Throw an upload away with its parts; one that does not exist is as good."""
        with _in_words():
            try:
                await self._client.ask("abort_multipart_upload", Key=key, UploadId=upload)
            except Refused as refused:
                if refused.status != HTTPStatus.NOT_FOUND:
                    raise

    async def sweep(self, key: str) -> None:
        """Throw away what earlier attempts left of an object, as far as the store lets us see it."""
        for upload in await self._uploads(key):
            await self.abort(key, upload)

    async def sha256(self, key: str, byte_count: int) -> str | None:
        """Read an object and hash it; None if it is not exactly that long."""
        digest, left = hashlib.sha256(), byte_count
        with _in_words():
            answer = await self._client.ask("get_object", Key=key)
            reply: aiohttp.ClientResponse = answer["Body"].raw_stream
            async with reply:
                async for chunk in reply.content.iter_chunked(_READ_BYTES):
                    left -= len(chunk)
                    if left < 0:
                        return None
                    digest.update(chunk)
        return digest.hexdigest() if left == 0 else None

    async def _uploads(self, key: str) -> list[str]:
        with _in_words():
            try:
                answer = await self._client.ask("list_multipart_uploads", Prefix=key, MaxUploads=_LEFTOVERS)
            except Refused as refused:
                if refused.code in _MAY_NOT_LIST:  # a lifecycle rule of the bucket may tidy instead
                    return []
                raise
        rows = [row for row in answer.get("Uploads", ()) if row.get("Key") == key]
        return [_bounded(row.get("UploadId")) for row in rows[:_LEFTOVERS]]


async def parts(parcel: Parcel) -> AsyncIterator[bytes]:
    """Yield a parcel in parts of equal size (the last one may be smaller); Unavailable if its length is wrong."""
    size = max(PART_BYTES, -(-parcel.byte_count // PARTS_LIMIT))
    held, room = list[bytes](), size
    async for chunk in whole(parcel):
        while chunk:
            piece, chunk = chunk[:room], chunk[room:]  # noqa: PLW2901
            held.append(piece)
            room -= len(piece)
            if room == 0:
                part, held, room = b"".join(held), [], size
                yield part
    if held:
        yield b"".join(held)


def _completed(refused: Refused, conditional: bool) -> Completed:
    if refused.status in _TAKEN or refused.code == "NoSuchUpload":
        return Completed.TAKEN
    if conditional and refused.code in _NO_CONDITION:
        return Completed.NO_CONDITION
    if refused.status in _UNDECIDED and not refused.is_known:
        raise ReplyLost(f"the store broke down before it said whether it took the document (HTTP {refused.status})")
    raise refused.explained()


def _remote_id(answer: dict[str, Any]) -> str:
    version = str(answer.get("VersionId") or "null")  # "null": S3's own word for an object without versions
    return version if version != "null" else str(answer.get("ETag") or "").strip('"')


def _bounded(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _ID_LIMIT:
        raise Unavailable("the server does not answer like S3")
    return value


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise refused.explained() from None
    except (aiohttp.ClientError, OSError) as error:
        raise explained(error) from error
