"""An rclone remote's folder, and the questions about files on it that a delivery needs."""

import hashlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.destinations.port import Rejected, Unavailable
from gateway.destinations.rclone_run import ANSWER_S, STALL_S, Ran, Rclone
from gateway.destinations.rclone_words import NOTHING_THERE, refusal

_REMOTE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")  # a connection string has other characters; an option begins with -
_HASHES = ("sha256", "sha1", "md5")  # what remotes keep and Python knows, best first
_TEXT_CHARACTERS = 200  # of an id or a hash


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote and the folders on it, outermost first; `rooted`: they begin at the remote's own root ("nas:/srv")."""

    name: str
    rooted: bool
    folders: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Remote":
        """Read "drive:Scans/2024"; Rejected if it is anything but a remote's name and a way down from it."""
        name, colon, way = text.partition(":")
        folders = tuple(part for part in way.split("/") if part)
        if not colon or not _REMOTE.fullmatch(name):
            raise Rejected('path: a remote and a folder are needed, such as "drive:Scans/2024"')
        if ":" in way or "\\" in way or not {".", ".."}.isdisjoint(folders):
            raise Rejected("path: ':', '\\', '.' and '..' are not allowed in the folder")
        return cls(name, way.startswith("/"), folders)

    def holds(self, other: "Remote") -> bool:
        """Tell whether the other one is this folder or lies below it."""
        same = (self.name, self.rooted) == (other.name, other.rooted)
        return same and other.folders[: len(self.folders)] == self.folders

    def path(self, *more: str) -> str:
        """Return it, or something in it, as rclone writes it."""
        return f"{self.name}:{'/' if self.rooted else ''}{'/'.join((*self.folders, *more))}"


@dataclass(frozen=True, slots=True)
class Found:
    """What lies under a path; `hash` is "" where the remote keeps none that we know."""

    byte_count: int
    is_folder: bool
    id: str
    hash: str


class Files:
    """Files on remotes, by their paths as rclone writes them; every method raises DestinationError."""

    def __init__(self, rclone: Rclone) -> None:
        self._rclone = rclone

    async def hash_kept(self, remote: Remote) -> str:
        """Return the best hash that the remote keeps, "" for none; Rejected if it can neither move nor copy.

        Without either, moveto downloads and uploads again: then a short file could stand under the final name.
        """
        ran = await self._rclone.ask("backend", "features", "--", remote.path())
        if ran.code != 0:
            raise refusal(ran.code, ran.err)
        told = _object(ran)
        able, hashes = told.get("Features"), told.get("Hashes")
        if not isinstance(able, dict) or not (able.get("Move") or able.get("Copy")):
            raise Rejected("the remote can neither rename nor copy a file, so nothing can be delivered safely")
        return next((name for name in _HASHES if isinstance(hashes, list) and name in hashes), "")

    async def write(self, path: str, stream: AsyncIterator[bytes], byte_count: int) -> None:
        """Upload a stream. Its size is told: otherwise rclone may keep the document on the disk until it has it all."""
        async with self._rclone.running("rcat", f"--size={byte_count}", "--", path) as child:
            async for chunk in stream:
                if not await child.write(chunk):
                    break
            child.close_stdin()
            ran = await child.end(STALL_S)
        if ran.code != 0:
            raise refusal(ran.code, ran.err, path)

    async def move(self, source: str, target: str) -> Ran:
        """Rename unless the target is there; whatever comes of it, only a look at both tells whether it took effect."""
        return await self._rclone.ask("moveto", "--ignore-existing", "--", source, target)

    async def sha256(self, path: str, byte_count: int) -> str | None:
        """Read a file and hash it; None if it is not exactly that long."""
        digest, left = hashlib.sha256(), byte_count
        async with self._rclone.running("cat", "--", path) as child:
            child.close_stdin()
            while chunk := await child.read():
                left -= len(chunk)
                if left < 0:
                    return None
                digest.update(chunk)
            ran = await child.end(ANSWER_S)
        if ran.code != 0:
            raise refusal(ran.code, ran.err, path)
        return digest.hexdigest() if left == 0 else None

    async def stat(self, path: str, kept: str) -> Found | None:
        """Ask what lies under a path, with the hash `kept` unless that is ""; None if nothing does."""
        words = ["lsjson", "--stat", "--no-mimetype", "--no-modtime"]
        words += ["--hash", f"--hash-type={kept}"] if kept else []
        ran = await self._rclone.ask(*words, "--", path)
        if ran.code in NOTHING_THERE:
            return None
        if ran.code != 0:
            raise refusal(ran.code, ran.err, path)
        told = _object(ran)
        size, hashes = told.get("Size"), told.get("Hashes")
        if not isinstance(size, int):
            raise Unavailable("rclone does not tell the size of a file")
        kept_hash = hashes.get(kept) if isinstance(hashes, dict) else None
        return Found(size, bool(told.get("IsDir")), _text(told.get("ID")), _text(kept_hash).lower())

    async def delete(self, path: str) -> None:
        """Remove a file; one that does not exist is as good."""
        ran = await self._rclone.ask("deletefile", "--", path)
        if ran.code != 0 and await self.stat(path, "") is not None:
            raise refusal(ran.code, ran.err, path)


class Digests:
    """The SHA-256 of a stream, and the hash that the remote keeps."""

    def __init__(self, kept: str) -> None:
        self._sha256 = hashlib.sha256()
        self._kept = hashlib.new(kept, usedforsecurity=False) if kept else None

    async def over(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass a stream on."""
        async for chunk in stream:
            self._sha256.update(chunk)
            if self._kept is not None:
                self._kept.update(chunk)
            yield chunk

    @property
    def sha256(self) -> str:
        """Return the digest of what was passed on, lower-case hex."""
        return self._sha256.hexdigest()

    def fit(self, found: Found) -> bool:
        """Tell whether the remote's hash is that of what was passed on; no hash fits too."""
        return self._kept is None or not found.hash or found.hash == self._kept.hexdigest()


def _object(ran: Ran) -> dict[str, object]:
    try:
        told = json.loads(ran.out or b"")
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Unavailable("rclone does not answer as expected")
    return told


def _text(value: object) -> str:
    return value[:_TEXT_CHARACTERS] if isinstance(value, str) else ""
