"""What a side's bytes turn out to be as they stream by: a JPEG or raw rows. Measured, bounded, never decoded."""

from typing import Protocol

from drivers.errors import PeerError
from drivers.raw import Layout, RawHeader
from drivers.scsi.jpeg import JpegCheck


class Image(Protocol):
    """Pass a side through `feed` in pieces of any size; `finish` after the last one, then its sizes are valid."""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return those of the page."""

    @property
    def complete(self) -> bool:
        """Tell whether the image itself says that it is whole."""

    def finish(self) -> None:
        """Raise PeerError unless the whole image went by."""

    @property
    def size_px(self) -> tuple[int, int]:
        """Return width and height."""

    @property
    def components(self) -> int:
        """Return the components of a pixel, 1 or 3."""


class Jpeg:
    """A JPEG from FF D8 to FF D9; `by_restarts`: its own height is that of the window."""

    def __init__(self, *, by_restarts: bool) -> None:
        self._check = JpegCheck()
        self._by_restarts = by_restarts

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return those of the page."""
        return self._check.feed(data)

    @property
    def complete(self) -> bool:
        """Tell whether FF D9 has gone by."""
        return self._check.complete

    def finish(self) -> None:
        """Raise PeerError unless the whole image went by."""
        self._check.finish()

    @property
    def size_px(self) -> tuple[int, int]:
        """Return width and height."""
        return self._check.width_px, self._check.scanned_height_px() if self._by_restarts else self._check.height_px

    @property
    def components(self) -> int:
        """Return the components of a pixel, 1 or 3."""
        return self._check.components


class Rows:
    """Raw rows after their header."""

    def __init__(self, header: RawHeader) -> None:
        self._header = header
        self._came = 0

    def feed(self, data: bytes) -> bytes:
        """Take the next rows; the first ones are led by the header."""
        head = self._header.encode() if data and not self._came else b""
        self._came += len(data)
        return head + data

    @property
    def complete(self) -> bool:
        """Rows never tell: the unit does."""
        return False

    def finish(self) -> None:
        """Raise PeerError unless whole rows went by."""
        if not self._came or self._came % self._header.row_bytes:
            row = self._header.row_bytes
            raise PeerError(f"The page ends in the middle of a row ({self._came} bytes, {row} a row): scan it again")

    @property
    def size_px(self) -> tuple[int, int]:
        """Return width and height."""
        return self._header.width_px, self._came // self._header.row_bytes

    @property
    def components(self) -> int:
        """Return the components of a pixel, 1 or 3."""
        return 3 if self._header.layout in (Layout.RGB, Layout.BGR) else 1
