"""A folder on an SFTP server: write under a temporary name, sync, check, commit, name it without overwriting, check.

The files: this one is the contract, sftp_link.py the requests, sftp_login.py the way in.
"""

import asyncio
import re
import secrets
from contextlib import suppress
from pathlib import PurePosixPath

import asyncssh

from gateway.core.gate import Permit
from gateway.destinations.kinds import Field, Kind, Surroundings, Values, naming
from gateway.destinations.names import PARTIAL, plain, temporary
from gateway.destinations.net import Guard
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
from gateway.destinations.sftp_link import Found, Link, opened
from gateway.destinations.sftp_login import Login, connected
from gateway.destinations.tidying import Tidying
from gateway.destinations.upload import sha256_of

TIDY_S = 2.5  # on the connection we have, and as long on a fresh one: the next delivery must not wait for it
# Base64 of SHA-256 without its padding; whoever pastes the whole line of `ssh-keygen -l` is understood.
_FINGERPRINT = re.compile(r"(?<!\S)SHA256:[A-Za-z0-9+/]{43}(?!\S)")
_MISSING = "host_key: the host key is missing"


class SftpDestination:
    """Delivers into one folder."""

    def __init__(self, login: Login, folder: str, guard: Guard) -> None:
        """Take who signs in where, and the folder as the server names it; a relative one begins where the user lands.

        A login without a host key is refused at each use, in words that tell the key that the server shows.
        """
        self._login = login
        self._folder = PurePosixPath(folder)
        self._guard = guard
        self._tidying = Tidying()

    async def probe(self) -> None:
        """Look at the folder and its room, create an empty file in it and remove it; DestinationError."""
        marker = self._path(f".probe.{secrets.token_hex(6)}{PARTIAL}")
        async with opened(self._guard, self._login) as link:
            await self._expect_folder(link)
            await link.expect_room(str(self._folder))
            await link.create(marker)
            await link.discard(marker)

    async def deliver(self, permit: Permit, parcel: Parcel, commit: Commit) -> Proof:
        """Write, check the size, `await commit()`, name it; the same document already there counts as delivered."""
        final, draft = self._path(plain(parcel.name)), self._draft(parcel)
        async with opened(self._guard, self._login) as link:
            found = await link.stat(final)
            if found is not None:
                await self._tidy(link, draft)
                return await self._same_or_rejected(link, parcel, found)
            await self._expect_folder(link)
            try:
                await link.discard(draft)
                sha256 = await self._write(link, draft, parcel)
                await commit()
            except BaseException:
                await self._tidy(link, draft)
                raise
            return await self._publish(link, parcel, sha256)

    async def reconcile(self, permit: Permit, parcel: Parcel) -> Proof | Trace:
        """Read back what lies under the final name; Unavailable without an answer.

        Where nothing does, the temporary name tells: the rename makes it vanish, and somebody may have taken the
        document since. Asked for last, so that a rename which takes effect between the questions is not called absent.
        """
        final = self._path(plain(parcel.name))
        async with opened(self._guard, self._login) as link:
            found = await link.stat(final)
            if found is None:
                return await self._trace(link, parcel)
            proof = await self._same(link, parcel, found)
            if proof is not None:
                await self._tidy(link, self._draft(parcel))
            return proof or Trace.ABSENT

    async def _trace(self, link: Link, parcel: Parcel) -> Trace:
        if await link.stat(self._draft(parcel)) is not None:
            return Trace.ABSENT
        await self._expect_folder(link)
        return Trace.UNKNOWABLE

    async def _expect_folder(self, link: Link) -> None:
        found = await link.stat(str(self._folder), follow=True)
        if found is None:
            raise Rejected("the folder does not exist on the server")
        if not found.is_folder:
            raise Rejected("the path names a file, not a folder")

    async def _write(self, link: Link, draft: str, parcel: Parcel) -> str:
        try:
            sha256 = await link.write(draft, parcel)
        except Unavailable:
            await link.expect_room(str(self._folder))  # OpenSSH calls a full disk nothing but a failure
            raise
        found = await link.stat(draft)
        if found is None or found.byte_count != parcel.byte_count:
            raise Unavailable("the server did not keep the whole upload; nothing was delivered")
        return sha256

    async def _publish(self, link: Link, parcel: Parcel, sha256: str) -> Proof:
        draft = self._draft(parcel)
        try:
            given = await link.publish(draft, self._path(parcel.name))
        except ReplyLost:
            raise
        except DestinationError:
            await self._tidy(link, draft)
            raise
        return await (self._proved(link, parcel, sha256) if given else self._settle(link, parcel))

    async def _proved(self, link: Link, parcel: Parcel, sha256: str) -> Proof:
        try:
            found = await link.stat(self._path(parcel.name))
        except DestinationError as error:
            raise ReplyLost(f"the server took the document but does not show it: {error}") from error
        if found is None or found.byte_count != parcel.byte_count:
            raise ReplyLost("the server took the document but does not show it in full")
        return self._proof(parcel, found, sha256)

    async def _settle(self, link: Link, parcel: Parcel) -> Proof:
        """The name was taken between our first look and the commit."""
        try:
            found = await link.stat(self._path(parcel.name))
            if found is None:
                raise Unavailable("the server refused the name, yet nothing has it")
            return await self._same_or_rejected(link, parcel, found)
        finally:
            await self._tidy(link, self._draft(parcel))

    async def _same_or_rejected(self, link: Link, parcel: Parcel, found: Found) -> Proof:
        proof = await self._same(link, parcel, found)
        if proof is None:
            raise Rejected(f"another file named {parcel.name!r} is on the server already")
        return proof

    async def _same(self, link: Link, parcel: Parcel, found: Found) -> Proof | None:
        if not found.is_file or found.byte_count != parcel.byte_count:
            return None
        there = await link.sha256(self._path(parcel.name), parcel.byte_count)
        return self._proof(parcel, found, there) if there == await sha256_of(parcel) else None

    def _proof(self, parcel: Parcel, found: Found, sha256: str) -> Proof:
        location = f"{self._login.username}@{self._login.host}:{self._path(parcel.name)}"
        return Proof(location, found.modified_at, parcel.byte_count, sha256)

    def _path(self, name: str) -> str:
        return str(self._folder / name)

    def _draft(self, parcel: Parcel) -> str:
        return self._path(temporary(parcel.name, parcel.key, PARTIAL))

    async def _tidy(self, link: Link, draft: str) -> None:
        """Delete a temporary file as well as possible; goes on in the background if we are cancelled meanwhile."""
        await self._tidying.run(self._discard(link, draft))

    async def _discard(self, link: Link, draft: str) -> None:
        # What stays nevertheless is replaced by the next attempt, or deleted once the document is found.
        with suppress(DestinationError, TimeoutError):
            try:
                # Here the server has our last requests behind it before it comes to this one.
                async with asyncio.timeout(TIDY_S):
                    await link.discard(draft)
            except (Unavailable, TimeoutError):
                async with asyncio.timeout(TIDY_S), opened(self._guard, self._login) as fresh:
                    await fresh.discard(draft)


def _make(values: Values, around: Surroundings) -> SftpDestination:
    folder = values["path"]
    if folder.startswith("~"):
        raise Rejected("path: nobody resolves '~' over SFTP; write the path as the server shows it")
    return SftpDestination(_login(values), folder, around.guard)


def _login(values: Values) -> Login:
    if not (values["password"] or values["private_key"]):
        raise Rejected("password: a password or a private key is needed")
    return Login(
        values["host"],
        _port(values["port"]),
        values["username"],
        _host_key(values["host_key"]),
        values["password"],
        _private_key(values["private_key"]) if values["private_key"] else None,
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        raise Rejected("port: a number from 1 to 65535 is needed")
    return int(text)


def _host_key(text: str) -> str:
    found = _FINGERPRINT.findall(text)
    if text and len(found) != 1:
        raise Rejected("host_key: a fingerprint such as SHA256:... is needed, as `ssh-keygen -lf` prints it")
    return found[0] if found else ""


def _private_key(text: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_private_key(text.replace("\r\n", "\n").strip() + "\n")
    except (ValueError, RecursionError) as error:
        if "passphrase" in str(error).lower():  # the library has no error of its own for it
            raise Rejected("private_key: the key has a passphrase; make one without, for this gateway only") from None
        raise Rejected("private_key: this is not a private key as `ssh-keygen` makes it") from None


async def _check(values: Values, around: Surroundings) -> None:
    """Judge the address; where no host key was entered yet, say which one the server shows."""
    login = _login(values)
    try:
        await around.guard.check_endpoint(login.host, login.port, plain=False)
    except DestinationError as error:
        raise naming("host", error) from None
    if not login.host_key:
        connection = await connected(around.guard, login)  # never comes about: no key is the right one
        connection.abort()
        raise Rejected(_MISSING)


KIND = Kind(
    label="SFTP server (SSH)",
    proves="the server shows the file under its final name, in its full size",
    shown="host",
    fields=(
        Field("host", "Server", False, "Its name or address, nas.example.org"),
        Field("port", "Port", False, "22 nearly everywhere", required=False, initial="22"),
        Field("username", "User name", False, "As the server knows it"),
        Field("path", "Folder", False, "An existing folder as the server names it, /home/anna/scans"),
        Field(
            "host_key",
            "Fingerprint of the server's host key",
            False,
            "SHA256:..., as `ssh-keygen -lf` prints it on the server. Leave it empty to be told what the server shows",
            required=False,
        ),
        Field("password", "Password", True, "Or a private key below", required=False),
        Field(
            "private_key",
            "Private key",
            True,
            "Without a passphrase, made with `ssh-keygen` for this gateway only",
            required=False,
            lines=True,
        ),
    ),
    make=_make,
    check=_check,
)
