"""Pages as a unit sends them: raw rows, and JPEG as the hardware writes it. Pillow; no window, no wire."""

import io
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

from PIL import Image, ImageOps

from simulator.sheets import Mode, Sheet, Side, View, in_mode, stripe

QTables: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]

# Quality index 1 (small) to 7 (large); 0 means 4. 5 gives about 2 MB for an A4 side at 300 dpi on an iX500.
_QUALITY = {0: 85, 1: 50, 2: 65, 3: 75, 4: 85, 5: 92, 6: 95, 7: 98}
# How far the index stretches tables that were sent, in percent. Derived: only that 0 means 4 is published.
_STRETCH = {0: 100, 1: 300, 2: 200, 3: 150, 4: 100, 5: 60, 6: 40, 7: 20}
_CACHED_SIDES = 24  # about 35 MB at 300 dpi
_APP0 = 0xE0
_FRAME = b"\xff\xc0"  # baseline; no other marker precedes it but tables without this pair
_SCAN = b"\xff\xda"
_END = b"\xff\xd9"
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_ZIGZAG = tuple(
    row * 8 + column
    for row, column in sorted(
        ((row, column) for row in range(8) for column in range(8)),
        key=lambda at: (sum(at), at[0] if sum(at) % 2 else at[1]),
    )
)  # ITU-T T.81, figure A.6


@lru_cache(maxsize=_CACHED_SIDES)
def jpeg(
    sheet: Sheet, side: Side, mode: Mode, dpi: int, view: View, quality: int = 0, qtables: QTables | None = None
) -> bytes:
    """Return a side as a JPEG without JFIF header, 4:2:2, one restart interval per row of blocks.

    `quality` is the index 0 to 7; it stretches `qtables` (luma, chroma; 64 each, in zig-zag order) if they were sent.
    """
    image = in_mode(stripe(sheet, side, dpi, view, 0, view.height_px), mode, view)
    stream = io.BytesIO()
    more: dict[str, object] = {"subsampling": "4:2:2"} if mode is Mode.COLOUR else {}
    if qtables is None:
        more["quality"] = _QUALITY[quality]
    else:
        more["qtables"] = [_natural(table, _STRETCH[quality]) for table in qtables[: len(image.getbands())]]
    image.save(stream, "JPEG", restart_marker_rows=1, **more)
    return _without_jfif(stream.getvalue())


def raw(image: Image.Image, layout: str) -> bytes:
    """Return a stripe as sent uncompressed; `layout` is "lineart", "gray", "rgb", "bgr" or "lines".

    Gray and colour are inverted (00 is white); lineart is not (1 is black, most significant bit first). "lines" is
    colour with a red, a green and a blue line for each row.
    """
    if layout == "lineart":
        bits = image if image.mode == "1" else image.convert("L").convert("1", dither=Image.Dither.NONE)
        return bits.tobytes("raw", "1;I")
    if layout == "gray":
        return ImageOps.invert(image.convert("L")).tobytes()
    inverted = ImageOps.invert(image)
    if layout == "lines":
        width, height = image.size
        bands = [band.tobytes() for band in inverted.split()]
        return b"".join(band[y * width : (y + 1) * width] for y in range(height) for band in bands)
    return inverted.tobytes("raw", layout.upper())


def interlaced(front: bytes, back: bytes) -> bytes:
    """Return both sides as the one JPEG of older duplex units: intervals in turn, front first, twice the width."""
    head, fronts = _intervals(front)
    _, backs = _intervals(back)
    frame = head.index(_FRAME)
    width = 2 * int.from_bytes(head[frame + 7 : frame + 9], "big")
    body = bytearray(head[: frame + 7] + width.to_bytes(2, "big") + head[frame + 9 :])
    for number, interval in enumerate(part for pair in zip(fronts, backs, strict=True) for part in pair):
        if number:
            body += bytes((0xFF, 0xD0 + (number - 1) % 8))
        body += interval
    return bytes(body) + _END


def with_height(image: bytes, height_px: int) -> bytes:
    """Return a JPEG whose frame header states another height, as iX1600 units do."""
    start = image.index(_FRAME)
    return image[: start + 5] + height_px.to_bytes(2, "big") + image[start + 7 :]


def _intervals(image: bytes) -> tuple[bytes, list[bytes]]:
    """Return the headers of a JPEG and the restart intervals of its scan."""
    scan = image.index(_SCAN)
    start = scan + 2 + int.from_bytes(image[scan + 2 : scan + 4], "big")
    return image[:start], _RESTART.split(image[start : -len(_END)])


def _natural(table: Sequence[int], percent: int) -> list[int]:
    """Return a zig-zag table stretched, in the row order that Pillow takes."""
    natural = [0] * 64
    for value, position in zip(table, _ZIGZAG, strict=True):
        natural[position] = min(255, max(1, value * percent // 100))  # a zero divisor is no JPEG
    return natural


def _without_jfif(image: bytes) -> bytes:
    """Cut the APP0 segment that Pillow writes directly after FF D8."""
    if image[2:4] != bytes((0xFF, _APP0)):
        return image
    return image[:2] + image[4 + int.from_bytes(image[4:6], "big") :]
