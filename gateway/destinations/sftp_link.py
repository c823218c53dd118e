"""The SFTP requests (draft-ietf-secsh-filexfer-02, version 3) that a delivery needs, over one SSH connection."""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import asyncssh

from gateway.destinations.net import REPLY_S, Guard
from gateway.destinations.port import Parcel, ReplyLost, Unavailable
from gateway.destinations.sftp_login import Login, connected, explained, explaining
from gateway.destinations.upload import STALL_S, whole

_GOODBYE_S = 2.0  # a server that does not take our farewell is left without one
_BLOCK_BYTES = 256 * 1024  # of one request; OpenSSH takes 255 KiB and says so, others get what every server must take
_IN_FLIGHT_BYTES = 2 * 1024 * 1024  # OpenSSH's window: what a slow way to the server can hold
_FILES = frozenset({asyncssh.FILEXFER_TYPE_REGULAR, asyncssh.FILEXFER_TYPE_UNKNOWN})  # some servers tell no type
# After these nobody knows whether a request took effect.
_LOST = (
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    asyncssh.SFTPBadMessage,
    asyncssh.DisconnectError,
    OSError,
    TimeoutError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Found:
    """What lies under a path; `modified_at`: seconds since 1970, "" if the server does not say."""

    byte_count: int
    is_file: bool
    is_folder: bool
    modified_at: str


@asynccontextmanager
async def opened(guard: Guard, login: Login) -> AsyncIterator["Link"]:
    """Give a conversation for as long as the block runs; DestinationError."""
    connection = await connected(guard, login)
    try:
        with explaining():
            async with asyncio.timeout(STALL_S):
                sftp = await connection.start_sftp_client(path_errors="strict")
        yield Link(sftp)
    finally:
        connection.close()
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await connection.wait_closed()
        except TimeoutError:
            connection.abort()


class Link:
    """One conversation; every method raises DestinationError."""

    def __init__(self, sftp: asyncssh.SFTPClient) -> None:
        self._sftp = sftp
        self._file: asyncssh.SFTPClientFile | None = None

    async def stat(self, path: str, *, follow: bool = False) -> Found | None:
        """Ask what lies under a path; None if nothing does."""
        with explaining(asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            async with asyncio.timeout(STALL_S):
                try:
                    found = await (self._sftp.stat(path) if follow else self._sftp.lstat(path))
                except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
                    return None
        is_folder = found.type == asyncssh.FILEXFER_TYPE_DIRECTORY
        modified_at = "" if found.mtime is None else str(found.mtime)
        return Found(-1 if found.size is None else found.size, found.type in _FILES, is_folder, modified_at)

    async def expect_room(self, folder: str) -> None:
        """Raise Unavailable if the server tells that its disk is full (statvfs@openssh.com)."""
        with explaining():
            async with asyncio.timeout(STALL_S):
                try:
                    room = await self._sftp.statvfs(folder)
                except (asyncssh.SFTPOpUnsupported, asyncssh.SFTPFailure):
                    return
        if room.blocks and not room.bavail:
            raise Unavailable("the server has no room left")

    async def create(self, path: str) -> asyncssh.SFTPClientFile:
        """Create a file that is not there yet; `discard` closes it."""
        with explaining():
            async with asyncio.timeout(STALL_S):
                # Without a block size the library sends each request as it is: several under way are our own affair.
                self._file = await self._sftp.open(path, "xb", block_size=0)
            return self._file

    async def write(self, path: str, parcel: Parcel) -> str:
        """Write a parcel into a new file and sync it; return the SHA-256. What its stream raises comes out as it is."""
        file = await self.create(path)
        digest, pipeline = hashlib.sha256(), _Pipeline(file, self._block_bytes)
        try:
            async for chunk in whole(parcel):
                digest.update(chunk)
                await pipeline.put(chunk)
            await pipeline.finish()
        finally:
            await pipeline.stop()
        with explaining():
            async with asyncio.timeout(REPLY_S):  # a slow disk needs its time for a gigabyte
                with suppress(asyncssh.SFTPOpUnsupported):
                    await file.fsync()
                await self._close()
        return digest.hexdigest()

    async def publish(self, draft: str, final: str) -> bool:
        """Give a file its final name without overwriting; False if something has it already. ReplyLost.

        SSH_FXP_RENAME must fail on a taken name (section 6.5 of the draft). OpenSSH links and unlinks, so that nobody
        comes in between. rclone replaces: of such servers it is only as certain as our look right before it.
        posix-rename@openssh.com would replace, and rclone says yes to hardlink@openssh.com without doing anything.
        """
        try:
            async with asyncio.timeout(REPLY_S):
                return await self._renamed(draft, final)
        except _LOST as error:
            raise ReplyLost("the connection broke before the server said whether it took the document") from error
        except asyncssh.Error as error:
            raise explained(error) from error

    async def discard(self, path: str) -> None:
        """Close the file if it is open, and remove it; one that does not exist is as good."""
        with explaining():
            async with asyncio.timeout(STALL_S):
                with suppress(asyncssh.SFTPFailure, asyncssh.SFTPInvalidHandle):
                    await self._close()
                with suppress(asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
                    await self._sftp.remove(path)

    async def sha256(self, path: str, byte_count: int) -> str | None:
        """Read a file and hash it; None if it is not exactly that long."""
        digest, at = hashlib.sha256(), 0
        with explaining():
            async with asyncio.timeout(STALL_S) as stalled, self._sftp.open(path, "rb", block_size=0) as file:
                while at <= byte_count:
                    chunk: bytes = await file.read(self._sftp.limits.max_read_len, at)
                    if not chunk:
                        break
                    at += len(chunk)
                    digest.update(chunk)
                    stalled.reschedule(asyncio.get_running_loop().time() + STALL_S)
        return digest.hexdigest() if at == byte_count else None

    async def _renamed(self, draft: str, final: str) -> bool:
        if await self._taken(final):
            return False
        try:
            await self._sftp.rename(draft, final)
        except _LOST:
            raise
        except asyncssh.SFTPError:  # version 3 has no word for "exists"
            if await self._taken(final):
                return False
            raise
        return True

    async def _taken(self, path: str) -> bool:
        with suppress(asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            await self._sftp.lstat(path)
            return True
        return False

    async def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            await file.close()

    @property
    def _block_bytes(self) -> int:
        return max(1, min(_BLOCK_BYTES, self._sftp.limits.max_write_len))


class _Pipeline:
    """Write requests, several under way at once: a stream that waited for each answer would crawl over a long line."""

    def __init__(self, file: asyncssh.SFTPClientFile, block_bytes: int) -> None:
        self._file = file
        self._block_bytes = block_bytes
        self._at = 0
        self._kept = bytearray()
        self._under_way: deque[asyncio.Task[int]] = deque()

    async def put(self, chunk: bytes) -> None:
        """Take a chunk of any length; waits while enough is under way."""
        self._kept += chunk
        while len(self._kept) >= self._block_bytes:
            await self._send(bytes(self._kept[: self._block_bytes]))
            del self._kept[: self._block_bytes]

    async def finish(self) -> None:
        """Send the rest and wait until the server has everything."""
        if self._kept:
            await self._send(bytes(self._kept))
        while self._under_way:
            await self._answer()

    async def stop(self) -> None:
        """Wait for no answer any more."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _send(self, block: bytes) -> None:
        while len(self._under_way) * self._block_bytes >= _IN_FLIGHT_BYTES:
            await self._answer()
        self._under_way.append(asyncio.create_task(self._file.write(block, self._at), name="sftp write"))
        self._at += len(block)

    async def _answer(self) -> None:
        with explaining():
            async with asyncio.timeout(STALL_S):
                await self._under_way[0]
        self._under_way.popleft()
