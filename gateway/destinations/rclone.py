"""A folder of an rclone remote that the administrator lists: rcat to a temporary name, check, commit, moveto, check.

A plain rcat to the final name would leave a short file there whenever we die in the middle: rclone takes the end of its
input for the end of the document. moveto looks for the final name right before it moves (--ignore-existing), but most
remotes have no move that refuses a taken name: whoever takes it within that moment is replaced, or, where a remote
lets two files have one name (Google Drive), stands beside ours. Folders that are missing come into being.

The files: this one is the contract, rclone_remote.py the questions, rclone_run.py the process,
rclone_words.py what its end means.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.core.gate import Permit
from gateway.destinations.kinds import Field, Kind, Surroundings, Values
from gateway.destinations.names import PARTIAL, plain, temporary
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
from gateway.destinations.rclone_remote import Digests, Files, Found, Remote
from gateway.destinations.rclone_run import Ran, Rclone
from gateway.destinations.rclone_words import refusal
from gateway.destinations.tidying import Tidying
from gateway.destinations.upload import sha256_of, whole

TIDY_S = 10.0  # one start of rclone, one sign-in at the remote, one request
_PROBE = b"probe\n"  # some remotes take no empty files


class RcloneDestination:
    """Delivers into one folder of one remote."""

    def __init__(self, remote: Remote, config: Path) -> None:
        """Take the folder and the administrator's rclone.conf; use `below` to make one from an owner's path."""
        self._remote = remote
        self._files = Files(Rclone(config))
        self._tidying = Tidying()

    @classmethod
    def below(cls, remotes: tuple[str, ...], path: str, config: Path) -> "RcloneDestination":
        """Make one for `path`, which must be one of the remotes or lie below one; Rejected otherwise."""
        wanted = Remote.parse(path)
        if not any(Remote.parse(listed).holds(wanted) for listed in remotes):
            raise Rejected("path: the folder is not below any of the remotes that the administrator lists")
        return cls(wanted, config)

    async def probe(self) -> None:
        """Write a file of six bytes into the folder and remove it again; DestinationError."""
        marker = self._remote.path(f".probe.{secrets.token_hex(6)}{PARTIAL}")
        await self._files.hash_kept(self._remote)

        async def chunks() -> AsyncIterator[bytes]:
            yield _PROBE

        try:
            await self._files.write(marker, chunks(), len(_PROBE))
        finally:
            await self._tidy(marker)

    async def deliver(self, permit: Permit, parcel: Parcel, commit: Commit) -> Proof:
        """Upload, check, `await commit()`, moveto; the same document already there counts as delivered."""
        final, draft = self._remote.path(plain(parcel.name)), self._draft(parcel)
        kept = await self._files.hash_kept(self._remote)
        found = await self._files.stat(final, kept)
        if found is not None:
            await self._tidy(draft)
            return await self._same_or_rejected(parcel, found)
        digests = Digests(kept)
        try:
            await self._files.write(draft, digests.over(whole(parcel)), parcel.byte_count)
            await self._expect_whole(draft, parcel, kept, digests)
            await commit()
        except BaseException:
            await self._tidy(draft)
            raise
        return await self._publish(parcel, kept, digests)

    async def reconcile(self, permit: Permit, parcel: Parcel) -> Proof | Trace:
        """Read back what lies under the final name; Unavailable without an answer.

        Where nothing does, the temporary name tells: moveto makes it vanish, and somebody may have taken the document
        since. Asked for last, so that a move which takes effect between the questions is not called absent.
        """
        draft = self._draft(parcel)
        kept = await self._files.hash_kept(self._remote)
        found = await self._files.stat(self._remote.path(plain(parcel.name)), kept)
        if found is None:
            return Trace.UNKNOWABLE if await self._files.stat(draft, "") is None else Trace.ABSENT
        proof = await self._same(parcel, found)
        if proof is not None:
            await self._tidy(draft)
        return proof or Trace.ABSENT

    async def _expect_whole(self, draft: str, parcel: Parcel, kept: str, digests: Digests) -> None:
        found = await self._files.stat(draft, kept)
        if found is None or found.byte_count != parcel.byte_count or not digests.fit(found):
            raise Unavailable("the remote did not keep the whole upload; nothing was delivered")

    async def _publish(self, parcel: Parcel, kept: str, digests: Digests) -> Proof:
        final, draft = self._remote.path(parcel.name), self._draft(parcel)
        try:
            ran = await self._files.move(draft, final)
            found = await self._files.stat(final, kept)
            left = await self._files.stat(draft, "")
        except DestinationError as error:
            raise ReplyLost(f"the remote did not say whether it took the document: {error}") from error
        if left is not None:
            return await self._settle(parcel, ran, found)
        if found is None or found.byte_count != parcel.byte_count or not digests.fit(found):
            raise ReplyLost("the remote took the document but does not show it in full")
        return self._proof(parcel, found, digests.sha256)

    async def _settle(self, parcel: Parcel, ran: Ran, found: Found | None) -> Proof:
        """The temporary file is still there: the name was taken meanwhile, or the remote refused to move."""
        draft = self._draft(parcel)
        refused = refusal(ran.code, ran.err, draft, parcel.name)
        if found is None and (ran.code == 0 or isinstance(refused, Unavailable)):
            raise ReplyLost("the remote has not moved the document yet, and does not say that it will not")
        try:
            if found is None:
                raise refused
            return await self._same_or_rejected(parcel, found)
        finally:
            await self._tidy(draft)

    async def _same_or_rejected(self, parcel: Parcel, found: Found) -> Proof:
        proof = await self._same(parcel, found)
        if proof is None:
            raise Rejected(f"another file named {parcel.name!r} is on the remote already")
        return proof

    async def _same(self, parcel: Parcel, found: Found) -> Proof | None:
        if found.is_folder or found.byte_count != parcel.byte_count:
            return None
        there = await self._files.sha256(self._remote.path(parcel.name), parcel.byte_count)
        return self._proof(parcel, found, there) if there == await sha256_of(parcel) else None

    def _proof(self, parcel: Parcel, found: Found, sha256: str) -> Proof:
        return Proof(self._remote.path(parcel.name), found.id or found.hash, parcel.byte_count, sha256)

    def _draft(self, parcel: Parcel) -> str:
        return self._remote.path(temporary(parcel.name, parcel.key, PARTIAL))

    async def _tidy(self, draft: str) -> None:
        """Delete a temporary file as well as possible; goes on in the background if we are cancelled meanwhile."""
        await self._tidying.run(self._discard(draft))

    async def _discard(self, draft: str) -> None:
        # What stays nevertheless is overwritten by the next attempt, or deleted once the document is found.
        try:
            async with asyncio.timeout(TIDY_S):
                await self._files.delete(draft)
        except (DestinationError, TimeoutError):
            return


def _make(values: Values, around: Surroundings) -> RcloneDestination:
    return RcloneDestination.below(around.remotes, values["path"], around.rclone_config)


KIND = Kind(
    label="rclone remote (Drive, Dropbox, OneDrive, SMB, ...)",
    proves="the remote shows the file under its final name, in its full size, with its hash where it keeps one",
    shown="path",
    fields=(Field("path", "Remote and folder", False, "drive:Scans/2024, below one that the administrator lists"),),
    make=_make,
)
