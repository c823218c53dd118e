"""The spool of sealed pages: temporary file -> fsync -> rename -> fsync of the folder -> (the caller's) row.

A page's file name says everything that its row says, so that a file whose row a crash prevented is adopted:
`SCAN/0001-front.2480x3508.300dpi.1234567.image-jpeg.MAC.age`. What lies here is sealed; plaintext never does.
"""

import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from gateway.core.model import ScanId

_NAME = re.compile(
    r"(?P<number>\d{4,})-(?P<side>front|back)\.(?P<width>\d+)x(?P<height>\d+)\.(?P<dpi>\d+)dpi\."
    r"(?P<bytes>\d+)\.(?P<components>[13])-(?P<colour>[a-z]+)\.(?P<kind>[a-z-]+)\.(?P<mac>[0-9a-f]{32})\.age",
    re.ASCII,
)
_READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What is known of a page besides its place."""

    media_type: str
    width_px: int
    height_px: int
    resolution_dpi: int
    byte_count: int
    components: int
    colour: str


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A complete sealed page as its name tells of it; `path` is relative to the spool."""

    path: str
    scan: ScanId
    number: int
    side: str
    facts: PageFacts
    mac: str


class _Hashing:
    """A file that hashes what goes through it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


@dataclass(frozen=True, slots=True)
class Draft:
    """A sealed page on disk under its temporary name; `sha256` is of the sealed bytes."""

    spool: Path
    folder: Path
    temporary: Path
    number: int
    side: str
    sha256: str

    def keep(self, facts: PageFacts, mac: str) -> str:
        """Give it its final name, durably, and return that path relative to the spool."""
        kind = facts.media_type.replace("/", "-")
        name = (
            f"{self.number:04}-{self.side}.{facts.width_px}x{facts.height_px}.{facts.resolution_dpi}dpi."
            f"{facts.byte_count}.{facts.components}-{facts.colour}.{kind}.{mac}.age"
        )
        final = self.folder / name
        self.temporary.rename(final)
        _sync_folder(self.folder)
        return str(final.relative_to(self.spool))

    def discard(self) -> None:
        """Remove it."""
        self.temporary.unlink(missing_ok=True)


class Spool:
    """One folder per scan below a root. Blocking: call it in a thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, scan: ScanId, number: int, side: str, write: Callable[[BinaryIO], None]) -> Draft:
        """Write a sealed page under a temporary name and sync it; whatever `write` raises comes out, nothing stays."""
        folder = self._root / scan
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
            _sync_folder(self._root)
        return self._draft(folder, f".{number:04}-{side}.part", number, side, write)

    def scratch(self, scan: ScanId, write: Callable[[BinaryIO], None]) -> Draft:
        """Write something sealed that is only needed for a while; to be discarded, and swept at the next start."""
        return self._draft(self._root / scan, f".{uuid.uuid4().hex}.part", 0, "", write)

    def _draft(self, folder: Path, name: str, number: int, side: str, write: Callable[[BinaryIO], None]) -> Draft:
        temporary = folder / name
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                hashing = _Hashing(file)
                write(cast(BinaryIO, hashing))
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return Draft(self._root, folder, temporary, number, side, hashing.digest.hexdigest())

    def sealed_files(self) -> Iterator[SealedFile]:
        """Yield every complete sealed page; what is named otherwise is left alone."""
        for path in sorted(self._root.glob("*/*.age")):
            match = _NAME.fullmatch(path.name)
            if match is not None:
                yield SealedFile(
                    path=str(path.relative_to(self._root)),
                    scan=ScanId(path.parent.name),
                    number=int(match["number"]),
                    side=match["side"],
                    facts=PageFacts(
                        media_type=match["kind"].replace("-", "/", 1),
                        width_px=int(match["width"]),
                        height_px=int(match["height"]),
                        resolution_dpi=int(match["dpi"]),
                        byte_count=int(match["bytes"]),
                        components=int(match["components"]),
                        colour=match["colour"],
                    ),
                    mac=match["mac"],
                )

    def absolute(self, path: str) -> Path:
        """Return where a sealed page lies."""
        return self._root / path

    def sha256(self, path: str) -> str:
        """Return the digest of a sealed page as it lies there; OSError."""
        digest = hashlib.sha256()
        with self.absolute(path).open("rb") as file:
            while chunk := file.read(_READ_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def adopted(self, path: str) -> str:
        """Make a page's name durable, since a crash came before that, and return its digest; OSError."""
        _sync_folder(self.absolute(path).parent)
        return self.sha256(path)

    def erase(self, scan: ScanId) -> None:
        """Remove everything of a scan, durably; OSError. What is gone already is fine."""
        folder = self._root / scan
        if folder.is_dir():
            shutil.rmtree(folder)
            _sync_folder(self._root)

    def sweep_temps(self) -> None:
        """Remove what a crash left half written: those pages were never acknowledged.

        Folders that it left are made durable: who finds one takes it for that.
        """
        _sync_folder(self._root)
        for path in self._root.glob("*/.*.part"):
            path.unlink(missing_ok=True)

    def total_bytes(self) -> int:
        """Return the size of the disk that the spool lies on."""
        return shutil.disk_usage(self._root).total

    def free_bytes(self) -> int:
        """Return the room that is left where the spool lies."""
        return shutil.disk_usage(self._root).free


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
