"""A WebDAV folder: PUT under a temporary name, check, commit, MOVE without overwriting, check again."""

import asyncio
import secrets
from contextlib import suppress
from http import HTTPStatus

import aiohttp
from yarl import URL

from gateway.core.gate import Permit
from gateway.destinations.dav import UNDECIDED, Dav
from gateway.destinations.http import explained
from gateway.destinations.kinds import Field, Kind, Surroundings, Values, check_url, naming
from gateway.destinations.names import PARTIAL, plain, temporary
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
from gateway.destinations.propfind import Resource
from gateway.destinations.tidying import Tidying
from gateway.destinations.upload import sha256_of

TIDY_S = 5.0  # a server that is slow to delete must not hold up the next delivery
_TIDY_PAUSE_S = 0.25  # by then a server has noticed that an upload broke off


class WebdavDestination:
    """Delivers into one collection."""

    def __init__(self, url: str, username: str, password: str, guard: Guard) -> None:
        """Take the address of the collection; it is judged at each connection, `Guard.check` judges it when saved."""
        self._url = web_address(url if url.endswith("/") else url + "/")
        self._username = username
        self._password = password
        self._guard = guard
        self._tidying = Tidying()

    async def probe(self) -> None:
        """Look at the collection, create an empty file in it and remove it; DestinationError."""
        await self._guard.check(str(self._url))
        marker = self._url / f".probe.{secrets.token_hex(6)}{PARTIAL}"
        async with self._dav() as dav:
            await self._expect_collection(dav)
            await dav.put_empty(marker)
            await dav.delete(marker)

    async def deliver(self, permit: Permit, parcel: Parcel, commit: Commit) -> Proof:
        """Upload, check the size, `await commit()`, MOVE; the same document already there counts as delivered."""
        final = self._url / plain(parcel.name)
        draft = self._draft(parcel)
        async with self._dav() as dav:
            found = await dav.stat(final)
            if found is not None:
                await self._tidy(draft)
                return await self._same_or_rejected(dav, parcel, found)
            # Asked before the upload: a server that refuses in the middle of one often closes before we see why.
            await self._expect_collection(dav)
            try:
                sha256 = await dav.put(draft, parcel)
            except BaseException:
                await self._tidy(draft, times=2)  # the server may create the file after the first time
                raise
            try:
                await _expect_size(dav, draft, parcel)
                await commit()
            except BaseException:
                await self._tidy(draft)
                raise
            return await self._publish(dav, parcel, sha256)

    async def reconcile(self, permit: Permit, parcel: Parcel) -> Proof | Trace:
        """Read back what lies under the final name; Unavailable while the server does not answer.

        Where nothing does, the temporary name tells: MOVE makes it vanish, and somebody may have taken the document
        since. Asked for last, so that a MOVE which takes effect between the questions is not called absent.
        """
        async with self._dav() as dav:
            found = await dav.stat(self._url / plain(parcel.name))
            if found is None:
                return await self._trace(dav, parcel)
            proof = await self._same(dav, parcel, found)
            if proof is not None:
                await self._tidy(self._draft(parcel))
            return proof or Trace.ABSENT

    async def _trace(self, dav: Dav, parcel: Parcel) -> Trace:
        if await dav.stat(self._draft(parcel)) is not None:
            return Trace.ABSENT
        await self._expect_collection(dav)
        return Trace.UNKNOWABLE

    async def _expect_collection(self, dav: Dav) -> None:
        found = await dav.stat(self._url)
        if found is None:
            raise Rejected("the folder does not exist on the server (HTTP 404)")
        if not found.is_collection:
            raise Rejected("the address names a file, not a folder")

    async def _publish(self, dav: Dav, parcel: Parcel, sha256: str) -> Proof:
        final, draft = self._url / parcel.name, self._draft(parcel)
        try:
            status = await dav.move(draft, final)
        except aiohttp.ClientConnectorError as error:  # nothing was sent: the document is not there
            await self._tidy(draft)
            raise explained(error) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ReplyLost("the connection broke before the server said whether it took the document") from error
        except DestinationError:
            await self._tidy(draft)
            raise
        if status in UNDECIDED:
            raise ReplyLost(f"a proxy answered for the server (HTTP {status})")
        found = await _stat_after_commit(dav, final)
        if status == HTTPStatus.PRECONDITION_FAILED:
            return await self._settle(dav, parcel, found)
        if found is None or found.byte_count != parcel.byte_count:
            raise ReplyLost("the server took the document but does not show it in full")
        return Proof(str(final), found.etag, parcel.byte_count, sha256)

    async def _settle(self, dav: Dav, parcel: Parcel, found: Resource | None) -> Proof:
        """The name was taken between our first look and the MOVE."""
        try:
            if found is None:
                raise Unavailable("the server refused the name (HTTP 412), yet nothing has it")
            return await self._same_or_rejected(dav, parcel, found)
        finally:
            await self._tidy(self._draft(parcel))

    async def _same_or_rejected(self, dav: Dav, parcel: Parcel, found: Resource) -> Proof:
        proof = await self._same(dav, parcel, found)
        if proof is None:
            raise Rejected(f"another file named {parcel.name!r} is on the server already")
        return proof

    async def _same(self, dav: Dav, parcel: Parcel, found: Resource) -> Proof | None:
        if found.is_collection or found.byte_count != parcel.byte_count:
            return None
        final = self._url / parcel.name
        there = await dav.sha256(final, parcel.byte_count)
        return Proof(str(final), found.etag, parcel.byte_count, there) if there == await sha256_of(parcel) else None

    def _draft(self, parcel: Parcel) -> URL:
        return self._url / temporary(parcel.name, parcel.key, PARTIAL)

    def _dav(self) -> Dav:
        return Dav(self._guard, self._url, self._username, self._password)

    async def _tidy(self, draft: URL, *, times: int = 1) -> None:
        """Delete a temporary file as well as possible; goes on in the background if we are cancelled meanwhile."""
        await self._tidying.run(self._delete(draft, times))

    async def _delete(self, draft: URL, times: int) -> None:
        # What stays nevertheless is overwritten by the next attempt, or deleted once the document is found.
        with suppress(TimeoutError):
            async with asyncio.timeout(TIDY_S):
                while times := times - await self._deleted(draft):
                    await asyncio.sleep(_TIDY_PAUSE_S)

    async def _deleted(self, draft: URL) -> bool:
        try:
            async with self._dav() as dav:
                await dav.delete(draft)
        except Unavailable:  # locked, for instance, until the server notices that the upload broke off
            return False
        except DestinationError:
            return True
        return True


async def _expect_size(dav: Dav, draft: URL, parcel: Parcel) -> None:
    found = await dav.stat(draft)
    if found is None or found.byte_count != parcel.byte_count:
        raise Unavailable("the server did not keep the whole upload; nothing was delivered")


async def _stat_after_commit(dav: Dav, final: URL) -> Resource | None:
    try:
        return await dav.stat(final)
    except DestinationError as error:
        raise ReplyLost(f"the server took the document but does not show it: {error}") from error


def _make(values: Values, around: Surroundings) -> WebdavDestination:
    if ":" in values["username"]:  # RFC 7617: the colon is where the password begins
        raise Rejected("username: a colon cannot be part of it")
    try:
        return WebdavDestination(values["url"], values["username"], values["password"], around.guard)
    except Rejected as error:
        raise naming("url", error) from None


KIND = Kind(
    label="WebDAV (Nextcloud, ownCloud, a NAS)",
    proves="the server shows the file under its final name, in its full size, with this ETag",
    shown="url",
    fields=(
        Field("url", "Address of the folder", False, "https://cloud.example.org/remote.php/dav/files/me/Scans/"),
        Field("username", "User name", False, "As the server knows it"),
        Field("password", "Password", True, "Better an app password, made for this gateway only"),
    ),
    make=_make,
    check=check_url,
)
