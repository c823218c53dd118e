"""One JPEG of both sides, taken apart at its restart markers and never decoded (ITU-T T.81, annexes B and E).

Older duplex units send a single image, twice as wide as a side: its restart intervals are rows of blocks of the front
and of the back in turn, the front first (protocols/fujitsu-usb.md 6). Each side gets every header, with its own width,
then its own intervals, with restart markers counted anew.
"""

import re
from collections.abc import Callable
from enum import StrEnum, auto
from typing import TypeAlias

from drivers.errors import PeerError
from drivers.octets import Reader, u16

_SOI, _EOI, _SOS, _DRI, _TEM, _RST0 = 0xD8, 0xD9, 0xDA, 0xDD, 0x01, 0xD0
_RESTARTS = range(_RST0, _RST0 + 8)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({_SOI, _TEM, 0x00, *_RESTARTS})  # markers without a segment; none belongs between segments
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_FILL = re.compile(rb"\xff*(?=\xff)")  # FF bytes before the FF of a marker
_WIDTH_AT = 7  # in a frame's segment, its marker included
_MAX_JUNK_BYTES = 64 * 1024  # units put a few header bytes before the image; more is not an image

_Sides: TypeAlias = tuple[bytearray, bytearray]


class _Place(StrEnum):
    """Where in the image the next byte lies."""

    JUNK = auto()
    MARKER = auto()
    ENTROPY = auto()
    DONE = auto()


class Splitter:
    """Pass an interlaced image through `feed` in pieces of any size; `finish` after the last one.

    `width_px` is that of one side, 0 until the frame header went by. At the most one segment (64 KiB) waits inside.
    Whatever is no such image raises PeerError.
    """

    def __init__(self) -> None:
        self.width_px = 0
        self._row_mcus = 0
        self._interval_mcus = 0
        self._restarts = 0
        self._scanned = False
        self._junk = 0
        self._place = _Place.JUNK
        self._tail = bytearray()
        self._steps: dict[_Place, Callable[[_Sides], int]] = {
            _Place.JUNK: self._junk_step,
            _Place.MARKER: self._marker_step,
            _Place.ENTROPY: self._entropy_step,
        }

    @property
    def complete(self) -> bool:
        """Tell whether FF D9 has gone by."""
        return self._place is _Place.DONE

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take the next bytes and return those of front and back; the last few may wait for the next call."""
        self._tail += data
        sides = (bytearray(), bytearray())
        while self._place is not _Place.DONE:
            was = self._place
            count = self._steps[was](sides)
            if not count and self._place is was:
                break
            del self._tail[:count]
        if self.complete:  # what follows the image is not kept
            self._tail.clear()
        return bytes(sides[0]), bytes(sides[1])

    def finish(self) -> None:
        """Raise PeerError unless the whole image went by, with as many intervals of the front as of the back."""
        if not self.complete:
            raise PeerError(f"The page ends in the middle of its image ({self._place}): scan it again")
        intervals = self._restarts + 1  # the first one has no marker before it
        if intervals % 2:
            raise PeerError(f"One side of the sheet is shorter than the other ({intervals} intervals): scan it again")

    def _junk_step(self, sides: _Sides) -> int:
        start = self._tail.find(b"\xff\xd8")
        count = start if start >= 0 else len(self._tail) - self._tail.endswith(b"\xff")
        self._junk += count
        if self._junk > _MAX_JUNK_BYTES:
            raise PeerError("The page is not a JPEG image")
        if start < 0:
            return count
        _to_both(sides, b"\xff\xd8")
        self._place = _Place.MARKER
        return start + 2

    def _marker_step(self, sides: _Sides) -> int:
        if len(self._tail) < 2:
            return 0
        if self._tail[0] != 0xFF:
            raise PeerError(f"The page's image is damaged: {self._tail[:2].hex(' ')} where a marker belongs")
        marker = self._tail[1]
        if marker == 0xFF:
            return self._fill()
        if marker == _EOI:
            return self._end(sides)
        if marker in _ALONE:
            raise PeerError(f"The page's image is damaged: marker ff {marker:02x} before its data")
        return self._segment(marker, sides)

    def _fill(self) -> int:
        fill = _FILL.match(self._tail)
        return fill.end() if fill else 0

    def _end(self, sides: _Sides) -> int:
        if not self._scanned:
            raise PeerError("The page's image has no data")
        _to_both(sides, b"\xff\xd9")
        self._place = _Place.DONE
        return 2

    def _segment(self, marker: int, sides: _Sides) -> int:
        if len(self._tail) < 4:
            return 0
        length = int.from_bytes(self._tail[2:4], "big")
        if length < 2:
            raise PeerError(f"The page's image is damaged: segment ff {marker:02x} of {length} bytes")
        if len(self._tail) < 2 + length:
            return 0
        segment = bytes(self._tail[: 2 + length])
        content = Reader(segment[4:], f"JPEG segment {marker:02x}")
        if marker in _FRAMES:
            self._measure(content)
            segment = segment[:_WIDTH_AT] + u16(self.width_px) + segment[_WIDTH_AT + 2 :]
        elif marker == _DRI:
            self._interval_mcus = content.u16()
        elif marker == _SOS:
            self._begin_scan()
        _to_both(sides, segment)
        return len(segment)

    def _measure(self, frame: Reader) -> None:
        both_px = frame.skip(3).u16()
        if not both_px or both_px % 2:
            raise PeerError(f"The scanner sent an image of both sides that is {both_px} pixels wide")
        sampling = [frame.take(3)[1] for _ in range(frame.u8())]
        mcu_blocks = 1  # the MCU of a single component is one block, whatever its sampling factor (T.81, A.2.2)
        if len(sampling) > 1:
            mcu_blocks = max(1, *(byte >> 4 for byte in sampling))
        self.width_px = both_px // 2
        self._row_mcus = -(-self.width_px // (8 * mcu_blocks))

    def _begin_scan(self) -> None:
        if not self.width_px:
            raise PeerError("The page's image has no size")
        if self._scanned:
            raise PeerError("The scanner sent an image of both sides in several scans")
        if self._interval_mcus != self._row_mcus:  # 0 without a DRI segment
            raise PeerError(
                "The scanner sent an image of both sides that cannot be taken apart: "
                f"restart interval {self._interval_mcus}, {self._row_mcus} in a row of one side"
            )
        self._scanned = True
        self._place = _Place.ENTROPY

    def _entropy_step(self, sides: _Sides) -> int:
        found = _MARKER.search(self._tail)
        count = len(self._tail) - self._tail.endswith(b"\xff") if found is None else found.start()
        side = sides[self._restarts % 2]
        side += self._tail[:count]
        if found is None:
            return count
        marker = self._tail[count + 1]
        if marker not in _RESTARTS:
            self._place = _Place.MARKER
            return count
        self._restart(marker, sides)
        return count + 2

    def _restart(self, marker: int, sides: _Sides) -> None:
        """Turn to the other side; each side's own count leaves out the marker before its first interval."""
        expected = _RESTARTS[self._restarts % 8]
        if marker != expected:  # a lost interval would exchange the sides
            raise PeerError(
                f"The page's image is damaged: marker ff {marker:02x} where ff {expected:02x} belongs: scan it again"
            )
        self._restarts += 1
        index = self._restarts // 2
        if index:
            sides[self._restarts % 2].extend((0xFF, _RESTARTS[(index - 1) % 8]))


def _to_both(sides: _Sides, data: bytes) -> None:
    for side in sides:
        side.extend(data)
