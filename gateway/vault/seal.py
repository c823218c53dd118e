"""Sealing and opening streams with age (age-encryption.org/v1), in constant memory. Blocking: call it in a thread."""

from typing import Protocol

import pyrage


class BrokenSeal(Exception):
    """Sealed bytes that are cut off, changed, or not for this identity.

    Chunks before the defect have been written by then: nothing may be committed before a clean end.
    """


class Reader(Protocol):
    """What is read from, 64 KiB at a time."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes; none at the end."""


class Writer(Protocol):
    """What is written to."""

    def write(self, data: bytes, /) -> int:
        """Take all of the bytes."""

    def flush(self) -> None:
        """Do nothing, or flush."""


def seal(read: Reader, write: Writer, recipient: str) -> None:
    """Seal a stream to an age recipient; what `read` or `write` raise comes out as OSError with its text."""
    try:
        pyrage.encrypt_io(read, write, [pyrage.x25519.Recipient.from_str(recipient)])
    except pyrage.EncryptError as error:
        raise OSError(str(error)) from error


def unseal(read: Reader, write: Writer, identity: str) -> None:
    """Open a sealed stream with whichever identity fits, one a line; BrokenSeal.

    pyrage reports truncation as OSError, anything else as DecryptError.
    """
    try:
        pyrage.decrypt_io(read, write, [pyrage.x25519.Identity.from_str(line) for line in identity.split()])
    except (pyrage.DecryptError, OSError) as error:
        raise BrokenSeal(str(error)) from error
