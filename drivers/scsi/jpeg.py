"""A JPEG as it streams by, looked at marker by marker and never decoded (ITU-T T.81, annex B).

Cuts what precedes FF D8 and what follows FF D9, learns the size, and knows at the end whether the image is whole.
"""

import re
from collections.abc import Callable
from enum import StrEnum, auto

from drivers.errors import PeerError
from drivers.octets import Reader

_SOI, _EOI, _SOS, _DRI, _DNL, _TEM = 0xD8, 0xD9, 0xDA, 0xDD, 0xDC, 0x01
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MEASURED = _FRAMES | {_DRI, _DNL}
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_MAX_JUNK_BYTES = 64 * 1024  # units put a few header bytes before the image; more is not an image


class _Place(StrEnum):
    """Where in the image the next byte lies."""

    JUNK = auto()
    MARKER = auto()
    SEGMENT = auto()
    ENTROPY = auto()
    DONE = auto()


class JpegCheck:
    """Pass an image through `feed` in pieces of any size; `finish` after the last one.

    `width_px`, `height_px` and `components` (1 gray, 3 colour) are those of the frame header, 0 until it went by.
    Whatever is no JPEG raises PeerError.
    """

    def __init__(self) -> None:
        self.width_px = 0
        self.height_px = 0
        self.components = 0
        self._mcu_width_px = 8
        self._mcu_height_px = 8
        self._restart_interval = 0
        self._restarts = 0
        self._junk = 0
        self._skip = 0
        self._place = _Place.JUNK
        self._after = _Place.MARKER
        self._tail = b""
        self._steps: dict[_Place, Callable[[], int]] = {
            _Place.JUNK: self._junk_step,
            _Place.MARKER: self._marker_step,
            _Place.SEGMENT: self._segment_step,
            _Place.ENTROPY: self._entropy_step,
        }

    @property
    def complete(self) -> bool:
        """Tell whether FF D9 has gone by."""
        return self._place is _Place.DONE

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return those of the image; the last few may wait for the next call."""
        if self.complete:
            return b""
        self._tail += data
        passed = []
        while self._place is not _Place.DONE:
            was = self._place
            count = self._steps[was]()
            if not count and self._place is was:
                break
            if was is not _Place.JUNK:
                passed.append(self._tail[:count])
            self._tail = self._tail[count:]
        return b"".join(passed)

    def finish(self) -> None:
        """Raise PeerError unless the whole image went by."""
        if not self.complete:
            raise PeerError(f"The page ends in the middle of its image ({self._place}): scan it again")

    def scanned_height_px(self) -> int:
        """Return the height by restart markers where there is one per row of blocks, else the frame's own height.

        The iX1600 writes the window's height into the frame although the sheet ended earlier.
        """
        if self._restart_interval and self._restart_interval == -(-self.width_px // self._mcu_width_px):
            return min(self.height_px, (self._restarts + 1) * self._mcu_height_px)
        return self.height_px

    def _junk_step(self) -> int:
        start = self._tail.find(b"\xff\xd8")
        if start >= 0:
            self._place = _Place.MARKER
            self._skip = 2
            return start
        count = len(self._tail) - self._tail.endswith(b"\xff")
        self._junk += count
        if self._junk > _MAX_JUNK_BYTES:
            raise PeerError("The page is not a JPEG image")
        return count

    def _marker_step(self) -> int:
        if self._skip:  # SOI itself, still to be passed on
            count, self._skip = self._skip, 0
            return count
        if len(self._tail) < 2:
            return 0
        if self._tail[0] != 0xFF:
            raise PeerError(f"The page's image is damaged: {self._tail[:2].hex(' ')} where a marker belongs")
        marker = self._tail[1]
        if marker == 0xFF:  # a fill byte
            return 1
        if marker == _EOI:
            return self._end()
        if marker in (_SOI, _TEM, 0x00) or 0xD0 <= marker <= 0xD7:
            raise PeerError(f"The page's image is damaged: marker ff {marker:02x} before its data")
        return self._open_segment(marker)

    def _end(self) -> int:
        if not self.width_px or not self.height_px:
            raise PeerError("The page's image has no size")
        self._place = _Place.DONE
        return 2

    def _open_segment(self, marker: int) -> int:
        if len(self._tail) < 4:
            return 0
        length = int.from_bytes(self._tail[2:4], "big")
        if length < 2:
            raise PeerError(f"The page's image is damaged: segment ff {marker:02x} of {length} bytes")
        if marker in _MEASURED:
            if len(self._tail) < 2 + length:
                return 0
            self._measure(marker, Reader(self._tail[4 : 2 + length], f"JPEG segment {marker:02x}"))
        self._skip = 2 + length
        self._place = _Place.SEGMENT
        self._after = _Place.ENTROPY if marker == _SOS else _Place.MARKER
        return 0

    def _measure(self, marker: int, segment: Reader) -> None:
        if marker == _DRI:
            self._restart_interval = segment.u16()
        elif marker == _DNL:
            self.height_px = segment.u16()
        else:
            self.height_px, self.width_px = segment.skip(1).u16(), segment.u16()
            self.components = segment.u8()
            sampling = [segment.take(3)[1] for _ in range(self.components)]
            self._mcu_width_px = 8 * max((byte >> 4 for byte in sampling), default=1) or 8
            self._mcu_height_px = 8 * max((byte & 0x0F for byte in sampling), default=1) or 8
            if self.components == 1:  # A.2.2: one component alone is scanned block by block
                self._mcu_width_px = self._mcu_height_px = 8

    def _segment_step(self) -> int:
        count = min(self._skip, len(self._tail))
        self._skip -= count
        if not self._skip:
            self._place = self._after
        return count

    def _entropy_step(self) -> int:
        found = _MARKER.search(self._tail)
        if found is not None:
            self._place = _Place.MARKER
            count = found.start()
        else:
            count = len(self._tail) - self._tail.endswith(b"\xff")
        self._restarts += len(_RESTART.findall(self._tail, 0, count))
        return count
