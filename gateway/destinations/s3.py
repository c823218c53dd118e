"""A bucket that speaks S3: parts of an upload, which nobody sees, and a completion, which is the commit.

Small documents take the same way: a PutObject would send the document after the gate's last answer, and what happens
after the commit must be nothing but waiting for a reply. Nothing is overwritten: the completion is asked for on the
condition that nothing has the key. A store that refuses that condition is asked without it after one more look, and one
that ignores it has had that look right before the commit: there, a writer within that moment would be overwritten.
"""

import asyncio
import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from gateway.core.gate import Permit
from gateway.destinations.kinds import Field, Kind, Surroundings, Values, naming
from gateway.destinations.names import PARTIAL, plain
from gateway.destinations.net import Guard, web_address
from gateway.destinations.port import (
    Commit,
    DestinationError,
    Parcel,
    Proof,
    Rejected,
    ReplyLost,
    Trace,
    Unavailable,
)
from gateway.destinations.s3_bucket import Bucket, Completed, Found, parts
from gateway.destinations.s3_client import Account, Client
from gateway.destinations.tidying import Tidying
from gateway.destinations.upload import sha256_of

TIDY_S = 5.0  # a store that is slow to abort must not hold up the next delivery
_TIDY_PAUSE_S = 0.25  # by then a store has noticed that a request broke off
_KEY_BYTES = 1024  # S3's limit of a key
_REGION = "us-east-1"  # what a store of one's own has unless told otherwise


class S3Destination:
    """Delivers into one bucket, under one prefix."""

    def __init__(self, account: Account, prefix: str, guard: Guard) -> None:
        """Take where to and who asks; `prefix`: empty or ending in "/". The endpoint is judged at each connection."""
        self._account = account
        self._prefix = prefix
        self._guard = guard
        self._tidying = Tidying()

    async def probe(self) -> None:
        """Look into the bucket, begin an upload and abort it: every right is tried, no object is made."""
        await self._guard.check(str(self._account.endpoint))
        key = f"{self._prefix}.probe.{secrets.token_hex(6)}{PARTIAL}"
        async with self._bucket() as bucket:
            await bucket.sweep(key)  # first: unlike HEAD, a refused list says what is wrong
            await bucket.head(key)
            await bucket.abort(key, await bucket.begin(key, "application/octet-stream"))

    async def deliver(self, permit: Permit, parcel: Parcel, commit: Commit) -> Proof:
        """Upload the parts, `await commit()`, complete; the same document already there counts as delivered."""
        key, upload = self._key(parcel), ""
        async with self._bucket() as bucket:
            await bucket.sweep(key)
            found = await bucket.head(key)
            if found is not None:
                return await self._same_or_rejected(bucket, parcel, found)
            try:
                upload = await bucket.begin(key, parcel.media_type)
                etags, sha256 = await _send(bucket, key, upload, parcel)
                if await bucket.head(key) is not None:
                    raise Unavailable("something wrote an object of that name during the upload")
                await commit()
            except BaseException:
                await self._tidy(key, upload)
                raise
            return await self._publish(bucket, parcel, upload, etags, sha256)

    async def reconcile(self, permit: Permit, parcel: Parcel) -> Proof | Trace:
        """Read back what has the key; Unavailable while the store does not answer."""
        key = self._key(parcel)
        async with self._bucket() as bucket:
            await bucket.sweep(key)  # before the look: what is not completed by then never will be
            found = await bucket.head(key)
            return (found and await self._same(bucket, parcel, found)) or Trace.ABSENT

    async def _publish(self, bucket: Bucket, parcel: Parcel, upload: str, etags: list[str], sha256: str) -> Proof:
        key = self._key(parcel)
        try:
            completed = await _completed(bucket, key, upload, etags)
        except ReplyLost:
            raise
        except DestinationError:
            await self._tidy(key, upload)
            raise
        if completed is Completed.TAKEN:
            return await self._settle(bucket, parcel, upload)
        try:
            found = await bucket.head(key)
        except DestinationError as error:
            raise ReplyLost(f"the store took the document but does not show it: {error}") from error
        if found is None or found.byte_count != parcel.byte_count:
            raise ReplyLost("the store took the document but does not show it in full")
        return self._proof(parcel, found, sha256)

    async def _settle(self, bucket: Bucket, parcel: Parcel, upload: str) -> Proof:
        """Something has the key, or the upload is gone."""
        try:
            found = await bucket.head(self._key(parcel))
            if found is None:
                raise Unavailable("the store did not complete the upload; the document is sent again")
            return await self._same_or_rejected(bucket, parcel, found)
        finally:
            await self._tidy(self._key(parcel), upload)

    async def _same_or_rejected(self, bucket: Bucket, parcel: Parcel, found: Found) -> Proof:
        proof = await self._same(bucket, parcel, found)
        if proof is None:
            raise Rejected(f"another object named {parcel.name!r} is in the bucket already")
        return proof

    async def _same(self, bucket: Bucket, parcel: Parcel, found: Found) -> Proof | None:
        if found.byte_count != parcel.byte_count:
            return None
        there = await bucket.sha256(self._key(parcel), parcel.byte_count)
        return self._proof(parcel, found, there) if there == await sha256_of(parcel) else None

    def _proof(self, parcel: Parcel, found: Found, sha256: str) -> Proof:
        location = f"s3://{self._account.bucket}/{self._key(parcel)}"
        return Proof(location, found.remote_id, parcel.byte_count, sha256)

    def _key(self, parcel: Parcel) -> str:
        key = self._prefix + plain(parcel.name)
        if len(key.encode()) > _KEY_BYTES:
            raise Rejected("the prefix and the name are too long for S3")
        return key

    @asynccontextmanager
    async def _bucket(self) -> AsyncIterator[Bucket]:
        async with Client(self._guard, self._account) as client:
            yield Bucket(client)

    async def _tidy(self, key: str, upload: str) -> None:
        """Abort what is left as well as possible; goes on in the background if we are cancelled meanwhile."""
        await self._tidying.run(self._abort(key, upload))

    async def _abort(self, key: str, upload: str) -> None:
        # What stays nevertheless is aborted by the next attempt or by `reconcile`.
        with suppress(TimeoutError, DestinationError):
            async with asyncio.timeout(TIDY_S), self._bucket() as bucket:
                if upload:
                    await bucket.abort(key, upload)
                # A request that broke off may take effect late: an upload begins, or a part arrives after the abort.
                await asyncio.sleep(_TIDY_PAUSE_S)
                await bucket.sweep(key)


async def _send(bucket: Bucket, key: str, upload: str, parcel: Parcel) -> tuple[list[str], str]:
    """Send every part; return their ETags and the SHA-256 of the whole."""
    digest, etags = hashlib.sha256(), list[str]()
    async for data in parts(parcel):
        digest.update(data)
        etags.append(await bucket.put(key, upload, len(etags) + 1, data))
    return etags, digest.hexdigest()


async def _completed(bucket: Bucket, key: str, upload: str, etags: list[str]) -> Completed:
    completed = await bucket.complete(key, upload, etags)
    if completed is not Completed.NO_CONDITION:
        return completed
    if await bucket.head(key) is not None:
        return Completed.TAKEN
    return await bucket.complete(key, upload, etags, conditional=False)


# field -> what it must look like, and the sentence if it does not
_SHAPES = {
    "region": (r"[A-Za-z0-9-]{1,63}", "letters, digits and '-' only, such as eu-central-1"),
    # No ':': an ARN would lead to another host; no "--x-s3": such a bucket speaks another protocol.
    "bucket": (r"(?!.*--x-s3$)[A-Za-z0-9][A-Za-z0-9._-]{1,254}", "the plain name of a bucket is needed"),
    # It stands in a header between '=' and '/'.
    "access_key": (r"[!-+\--.0-~]{1,128}", "letters and digits without blanks are needed"),
    "prefix": (r"(?:(?!\.{1,2}(?:/|$))[^/]+(?:/|$))*", "names with '/' between them, none in front, no '.' or '..'"),
}


def _make(values: Values, around: Surroundings) -> S3Destination:
    for name, (shape, sentence) in _SHAPES.items():
        if not re.fullmatch(shape, values[name]):
            raise Rejected(f"{name}: {sentence}")
    prefix = values["prefix"].rstrip("/")
    if len(prefix.encode()) > _KEY_BYTES // 2:
        raise Rejected(f"prefix: longer than {_KEY_BYTES // 2} bytes")
    try:
        endpoint = web_address(values["endpoint"])
    except Rejected as error:
        raise naming("endpoint", error) from None
    account = Account(endpoint, values["region"], values["bucket"], values["access_key"], values["secret_key"].strip())
    return S3Destination(account, f"{prefix}/" if prefix else "", around.guard)


async def _check(values: Values, around: Surroundings) -> None:
    try:
        await around.guard.check(values["endpoint"])
    except DestinationError as error:
        raise naming("endpoint", error) from None


KIND = Kind(
    label="S3 (Amazon, MinIO, Garage, Backblaze, Wasabi, ...)",
    proves="the store shows the object under its key, in its full size, with this version or ETag",
    shown="bucket",
    fields=(
        Field("endpoint", "Address of the store", False, "https://s3.eu-central-1.amazonaws.com, without the bucket"),
        Field("region", "Region", False, "As the store names it", required=False, initial=_REGION),
        Field("bucket", "Bucket", False, "An existing bucket"),
        Field("prefix", "Folder in the bucket", False, "scans/anna; empty for the top", required=False),
        Field("access_key", "Access key ID", False, "Better one that was made for this gateway and this bucket only"),
        Field("secret_key", "Secret access key", True, "The secret that belongs to the access key"),
    ),
    make=_make,
    check=_check,
)
