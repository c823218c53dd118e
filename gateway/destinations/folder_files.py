"""The system calls of the folder destination. Blocking; every name is resolved from a directory descriptor, no link
below the root is followed, and every OSError becomes a sentence for the owner."""

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.destinations.names import PART, temporary
from gateway.destinations.port import DestinationError, Parcel, Proof, Rejected, ReplyLost, Unavailable

FILE_MODE = 0o640  # the owner's group may read what was delivered, nobody else
_READ_BYTES = 256 * 1024
_NO_FILE = -1  # in place of a size: a link, a folder, a device
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})  # FAT, some network mounts
_NO_SYNC = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})  # what is no plain file, some network mounts
# errno -> (for good?, sentence). What is not listed is retried: disks and mounts come back.
_SENTENCES: dict[int, tuple[bool, str]] = {
    errno.ENOENT: (False, "the folder is not there (not mounted, or moved?)"),
    errno.ENOSPC: (False, "the disk is full"),
    errno.EDQUOT: (False, "the disk quota is used up"),
    errno.EROFS: (False, "the disk is mounted read-only"),
    errno.EACCES: (True, "the gateway has no right to write into the folder"),
    errno.EPERM: (True, "the gateway has no right to write into the folder"),
    errno.ENOTDIR: (True, "the path leads through a file or a link, not through folders only"),
    errno.ELOOP: (True, "the path leads through a link, and links are not followed"),
    errno.ENAMETOOLONG: (True, "the name is too long for this disk"),
    errno.EFBIG: (True, "the document is too large for this disk"),
}


def _explained(error: OSError) -> DestinationError:
    final, sentence = _SENTENCES.get(error.errno or 0, (False, f"the folder failed: {error.strerror or error}"))
    return Rejected(sentence) if final else Unavailable(sentence)


@contextmanager
def _explaining() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _explained(error) from error


class Folder:
    """A root and the way below it. Nothing stays open between calls."""

    def __init__(self, root: Path, parts: tuple[str, ...]) -> None:
        self._root = root
        self._parts = parts
        self.path = root.joinpath(*parts)

    def open(self) -> int:
        """Return a descriptor of the folder. The root itself is the administrator's word and may be a link."""
        with _explaining():
            fd = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            for part in self._parts:
                try:
                    below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
                finally:
                    os.close(fd)
                fd = below
            return fd

    @contextmanager
    def opened(self) -> Iterator[int]:
        """Open for the length of a block and explain what fails inside it."""
        fd = self.open()
        try:
            with _explaining():
                yield fd
        finally:
            os.close(fd)

    def probe(self) -> None:
        """Create and remove an empty file."""
        name = f".probe.{secrets.token_hex(6)}{PART}"
        with self.opened() as fd:
            if os.fstatvfs(fd).f_bavail == 0:
                raise Unavailable("the disk is full")
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE, dir_fd=fd))
            os.unlink(name, dir_fd=fd)

    def size_of(self, name: str) -> int | None:
        """Return the size under a name; None: nothing is there, -1: no plain file."""
        with self.opened() as fd:
            return _size(name, fd)

    def proof_of(self, name: str) -> Proof | None:
        """Read and hash a plain file, and bring it to the disk; None if there is none."""
        with self.opened() as fd:
            return None if _size(name, fd) in (None, _NO_FILE) else _proof(self.path, name, fd)

    def remove_temporary(self, parcel: Parcel) -> None:
        """Remove what an earlier attempt at this parcel left behind."""
        with self.opened() as fd, suppress(FileNotFoundError):
            os.unlink(temporary(parcel.name, parcel.key, PART), dir_fd=fd)
            _synced(fd)

    def has_temporary(self, parcel: Parcel) -> bool:
        """Tell whether an earlier attempt's temporary file is there: then that attempt published nothing."""
        with self.opened() as fd:
            return _size(temporary(parcel.name, parcel.key, PART), fd) is not None


class Draft:
    """One parcel on its way: open, write*, finish, publish; discard at the end in every case."""

    def __init__(self, folder: Folder, parcel: Parcel) -> None:
        self._folder = folder
        self._parcel = parcel
        self._temporary = temporary(parcel.name, parcel.key, PART)
        self._digest = hashlib.sha256()
        self._written = 0
        self._dir_fd = -1
        self._fd = -1

    def open(self) -> None:
        """Create the temporary file; one that a crash left behind is replaced."""
        self._dir_fd = self._folder.open()
        with _explaining():
            with suppress(FileNotFoundError):
                os.unlink(self._temporary, dir_fd=self._dir_fd)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(self._temporary, flags, FILE_MODE, dir_fd=self._dir_fd)
            with suppress(PermissionError):  # FAT and some mounts know no modes
                os.fchmod(self._fd, FILE_MODE)

    def write(self, chunk: bytes) -> None:
        """Append a chunk; Unavailable if the stream is longer than it said."""
        self._written += len(chunk)
        if self._written > self._parcel.byte_count:
            raise Unavailable("the document became longer than announced; nothing was delivered")
        self._digest.update(chunk)
        with _explaining():
            left = memoryview(chunk)
            while left:
                left = left[os.write(self._fd, left) :]

    def finish(self) -> None:
        """Check the length and bring the file to the disk, and its name: `reconcile` goes by that."""
        if self._written != self._parcel.byte_count:
            raise Unavailable("the document ended earlier than announced; nothing was delivered")
        with _explaining():
            os.fsync(self._fd)
            _synced(self._dir_fd)

    def publish(self) -> Proof:
        """Give the file its final name without overwriting; ReplyLost once it may be visible and something fails."""
        name = self._parcel.name
        proof = _proved(self._folder.path, name, os.fstat(self._fd), self._digest.hexdigest())
        with _explaining():
            if not _linked(self._temporary, name, self._dir_fd):
                return self._same_already(name)
        try:
            os.fsync(self._dir_fd)
        except OSError as error:
            raise ReplyLost(f"the folder did not confirm the document: {error.strerror}") from error
        finally:
            self._forget()
        return proof

    def _forget(self) -> None:
        """Let the temporary name go, not before the final one is durable: without both nobody knows what became of it.

        Killed before this, we leave both names. If a consumer takes the final one before the next start, too,
        `reconcile` takes the document for unpublished: no call both moves a name and refuses a taken one everywhere.
        """
        with suppress(OSError):  # the document is there; a second name for it harms nobody
            os.unlink(self._temporary, dir_fd=self._dir_fd)
            os.fsync(self._dir_fd)

    def discard(self) -> None:
        """Remove the temporary file if it is still there and close everything; never raises OSError."""
        if self._fd >= 0:
            with suppress(OSError):
                os.unlink(self._temporary, dir_fd=self._dir_fd)
            with suppress(OSError):
                os.close(self._fd)
        if self._dir_fd >= 0:
            with suppress(OSError):
                os.close(self._dir_fd)
        self._fd = self._dir_fd = -1

    def _same_already(self, name: str) -> Proof:
        there = self._folder.proof_of(name)
        if there is None or there.sha256 != self._digest.hexdigest():
            raise Rejected(f"another file named {name!r} is in the folder already")
        return there


def _linked(source: str, target: str, dir_fd: int) -> bool:
    """Give a second name without overwriting; False if it is taken. Where links are unknown: look, then rename."""
    try:
        os.link(source, target, src_dir_fd=dir_fd, dst_dir_fd=dir_fd, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if _size(target, dir_fd) is not None:
            return False
        os.rename(source, target, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    return True


def _size(name: str, dir_fd: int) -> int | None:
    try:
        found = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else _NO_FILE


def _proof(path: Path, name: str, dir_fd: int) -> Proof:
    digest = hashlib.sha256()
    # O_NONBLOCK: should a FIFO have taken the place of the file, opening it must not hang.
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        while chunk := os.read(fd, _READ_BYTES):
            digest.update(chunk)
        # Whoever published it may have been stopped between the name and its sync: seen is not yet safe.
        for unsure in (fd, dir_fd):
            _synced(unsure)
        return _proved(path, name, os.fstat(fd), digest.hexdigest())
    finally:
        os.close(fd)


def _synced(fd: int) -> None:
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _proved(path: Path, name: str, found: os.stat_result, sha256: str) -> Proof:
    return Proof(str(path / name), f"{found.st_dev}:{found.st_ino}", found.st_size, sha256)
