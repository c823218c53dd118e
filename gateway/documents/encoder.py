"""The program of the worker's child: one page in, one encoded image out. It alone decodes images.

    python -I encoder.py '{"source": "gray", "width_px": 2480, "inverted": true, "target": "lineart", "quality": 80}'

The page comes on standard input; a line of JSON and the image leave on standard output. Before the first byte is read
the process gives up what it does not need: memory beyond 512 MiB, CPU beyond a minute, and every descriptor beyond the
three it has. That holds everywhere: without a descriptor there is no file and no socket. Where the kernel lets it (not
where a service manager forbids namespaces), it also stands in a network of its own, without any interface that is up.
"""

import ctypes
import io
import json
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

from PIL import Image, ImageChops, JpegImagePlugin, TiffImagePlugin

MEMORY_BYTES = 512 * 1024 * 1024
CPU_S = 60
MOST_PIXELS = 200_000_000
_STRIP_ROWS = 256
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_NO_NEW_PRIVS = 38

# What decides AUTOMATIC. It errs towards the richer coding: a page that is too large is still whole.
_REDUCED = 4  # colour is looked for where 4 by 4 pixels are averaged: noise and the fringes of black edges go
_CHROMA = 40  # of 255 between the largest and the smallest component: tinted paper stays below, ink and stamps do not
_COLOURED = 0.0005  # of the page: a small stamp on A4; of plain print nothing at all passes _CHROMA
_TONES = range(64, 208)  # darker is ink, lighter is paper
_BLOCK_PX = 8  # wider than the edges of letters: a block full of tones is a picture, a shade or a photograph
_FULL = 192  # of 255 of a block's pixels are tones
_TONED = 0.005  # of all blocks: a picture of 2 by 2 cm on A4; small print and pencil stay below

# Otsu's threshold is kept within these: on an empty page it would part the paper's own noise.
_DARKEST_LEVEL, _LIGHTEST_LEVEL = 64, 192

_STRIP_OFFSETS, _ROWS_PER_STRIP, _STRIP_BYTE_COUNTS = 273, 278, 279  # TIFF 6.0
_RAW_MODES = {"lineart": ("1", "1;I"), "gray": ("L", "L"), "rgb": ("RGB", "RGB"), "bgr": ("RGB", "BGR")}


class PageError(Exception):
    """The page cannot be encoded; `str()` is a sentence."""


def confine(memory_bytes: int = MEMORY_BYTES, cpu_s: int = CPU_S) -> None:
    """Give up everything that decoding does not need; OSError where the kernel refuses a limit."""
    with suppress(OSError, AttributeError):  # a namespace of its own, where the kernel lets it
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_NOFILE: 3,
    }
    for kind, wanted in limits.items():
        _, ceiling = resource.getrlimit(kind)
        most = wanted if ceiling == resource.RLIM_INFINITY else min(wanted, ceiling)
        resource.setrlimit(kind, (most, most))


def encode(request: dict[str, Any], page: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """Return what came out ("as-is" without bytes: the page is what is wanted already), and the bytes; PageError."""
    if request["target"] == "picture":
        return _for_browsers(_picture(request, page), request["quality"])
    if request["source"] == "jpeg":
        image, wanted = _from_jpeg(page.read(), request["target"])
    else:
        image, wanted = _from_rows(_rows(request, page), request["target"])
    if image is None:
        return {"coding": "as-is", "byte_count": 0}, b""
    coding, data = _ENCODERS[wanted](image, request["quality"])
    return {"coding": coding, "width_px": image.width, "height_px": image.height, "byte_count": len(data)}, data


def _picture(request: dict[str, Any], page: BinaryIO) -> Image.Image:
    """Return the page as it was sent, no side longer than `longest_px` (0: as large as it is)."""
    longest_px = request["longest_px"]
    if request["source"] == "jpeg":
        data = page.read()
        sent = _opened(data).mode
        image = _decoded(data, sent if sent == "L" else "RGB", at_least_px=longest_px)
    else:
        image = _rows(request, page)
    if longest_px:
        image = image.convert("L") if image.mode == "1" else image
        image.thumbnail((longest_px, longest_px))
    return image


def _for_browsers(image: Image.Image, quality: int) -> tuple[dict[str, Any], bytes]:
    """Encode as JPEG; black and white as PNG (RFC 2083), for no browser reads CCITT."""
    coding, data = ("png", _png(image)) if image.mode == "1" else ("jpeg", _jpeg(image, quality))
    return {"coding": coding, "width_px": image.width, "height_px": image.height, "byte_count": len(data)}, data


def _from_jpeg(data: bytes, target: str) -> tuple[Image.Image | None, str]:
    """Return the picture and its coding; no picture where the JPEG is what is wanted, or holds no more than that."""
    sent = _opened(data).mode
    if sent not in ("L", "RGB"):
        raise PageError("the page's JPEG is neither gray nor colour")
    if target == "automatic" and sent == "RGB" and _has_colour(_decoded(data, "RGB", reduced=True)):
        target = "colour"
    if target == "colour":
        return None, target
    light = _decoded(data, "L")
    if target == "automatic":
        target = _tone(light)
    return None if (sent, target) == ("L", "gray") else light, target


def _from_rows(image: Image.Image, target: str) -> tuple[Image.Image, str]:
    """Return the picture and its coding: what is wanted, or less where the rows hold less."""
    if image.mode == "1":
        return image, "lineart"
    if image.mode == "RGB":
        if target == "colour" or (target == "automatic" and _has_colour(image.reduce(_REDUCED))):
            return image, "colour"
        image = image.convert("L")
    if target == "automatic":
        target = _tone(image)
    return image, "gray" if target == "colour" else target


def _opened(data: bytes) -> JpegImagePlugin.JpegImageFile:
    """Read a JPEG's header. Not by `Image.open`: that would try to be clever about what else a JPEG may hold."""
    try:
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    except (OSError, SyntaxError, ValueError) as error:
        raise PageError(f"the page is no JPEG that can be read: {error}") from None
    _bounded(*image.size)
    return image


def _decoded(data: bytes, mode: str, *, reduced: bool = False, at_least_px: int = 0) -> Image.Image:
    """Decode a JPEG; colour is never unfolded for "L", nor the whole picture where a reduced one will do."""
    image = _opened(data)
    smaller = (max(1, image.width // _REDUCED), max(1, image.height // _REDUCED)) if reduced else None
    image.draft(mode, (at_least_px, at_least_px) if at_least_px else smaller)
    try:
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise PageError(f"the page's JPEG cannot be decoded: {error}") from None
    picture = image if image.mode == mode else image.convert(mode)
    picture.info.clear()  # what the scanner wrote beside the picture stays with the original
    return picture


def _rows(request: dict[str, Any], page: BinaryIO) -> Image.Image:
    """Put raw rows together, strip by strip, so that a page of 600 dpi is held once and not three times."""
    mode, raw_mode = _RAW_MODES[request["source"]]
    width_px, height_px, row_bytes = request["width_px"], request["height_px"], request["row_bytes"]
    _bounded(width_px, height_px)
    image = Image.new(mode, (width_px, height_px))
    for top in range(0, height_px, _STRIP_ROWS):
        rows = min(_STRIP_ROWS, height_px - top)
        data = page.read(rows * row_bytes)
        if len(data) != rows * row_bytes:
            raise PageError("the page has fewer rows than its record says")
        strip = Image.frombytes(mode, (width_px, rows), data, "raw", raw_mode)
        image.paste(ImageChops.invert(strip) if request["inverted"] and mode != "1" else strip, (0, top))
    if page.read(1):
        raise PageError("the page has more rows than its record says")
    return image


def _bounded(width_px: int, height_px: int) -> None:
    if not 0 < width_px * height_px <= MOST_PIXELS:
        raise PageError(f"the page has {width_px} x {height_px} pixels; {MOST_PIXELS} are the most")


def _has_colour(small: Image.Image) -> bool:
    """Tell whether a reduced picture holds more colour than tinted paper and noise do."""
    red, green, blue = small.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    least = ImageChops.darker(ImageChops.darker(red, green), blue)
    counts = ImageChops.subtract(most, least).histogram()
    return sum(counts[_CHROMA:]) > _COLOURED * sum(counts)


def _tone(gray: Image.Image) -> str:
    """Tell "gray" from "lineart": tones that fill areas make a picture, tones along edges are print."""
    tones = gray.point([255 if value in _TONES else 0 for value in range(256)])
    counts = tones.reduce(_BLOCK_PX).histogram()
    return "gray" if sum(counts[_FULL:]) > _TONED * sum(counts) else "lineart"


def _colour(image: Image.Image, quality: int) -> tuple[str, bytes]:
    return "jpeg-colour", _jpeg(image, quality)


def _gray(image: Image.Image, quality: int) -> tuple[str, bytes]:
    return "jpeg-gray", _jpeg(image, quality)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    """Encode as a baseline JPEG (ITU-T T.81) without metadata."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, subsampling="4:2:0")
    return out.getvalue()


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _lineart(image: Image.Image, quality: int) -> tuple[str, bytes]:
    """Encode as one strip of CCITT group 4 (ITU-T T.6) whose black runs are ink; `quality` has no meaning here."""
    black = image if image.mode == "1" else _threshold(image)
    out = io.BytesIO()
    # TIFF's codec takes set bits for black runs and Pillow sets them for white: hence the negative.
    ImageChops.invert(black).save(out, "TIFF", compression="group4", tiffinfo={_ROWS_PER_STRIP: black.height})
    out.seek(0)
    tags = TiffImagePlugin.TiffImageFile(out).tag_v2
    [at], [count] = tags[_STRIP_OFFSETS], tags[_STRIP_BYTE_COUNTS]
    return "ccitt", out.getvalue()[at : at + count]


def _threshold(gray: Image.Image) -> Image.Image:
    """Return black and white by the threshold that parts the histogram best (Otsu 1979)."""
    counts = gray.histogram()
    total, mean = sum(counts), sum(value * count for value, count in enumerate(counts))
    best, level, below, below_sum = -1.0, 127, 0, 0
    for value, count in enumerate(counts[:255]):
        below += count
        below_sum += value * count
        if not below or below == total:
            continue
        gap = below_sum / below - (mean - below_sum) / (total - below)
        spread = gap * gap * below * (total - below)
        if spread > best:
            best, level = spread, value
    level = min(max(level, _DARKEST_LEVEL), _LIGHTEST_LEVEL)
    return gray.point([255 if value > level else 0 for value in range(256)], "1")


_ENCODERS: dict[str, Callable[[Image.Image, int], tuple[str, bytes]]] = {
    "colour": _colour,
    "gray": _gray,
    "lineart": _lineart,
}


def main() -> None:
    """Encode one page; a page that cannot be encoded leaves as {"error": sentence}."""
    request = json.loads(sys.argv[1])
    Image.preinit()  # nothing can be imported any more once confined
    confine(request["memory_bytes"], request["cpu_s"])
    try:
        answer, data = encode(request, sys.stdin.buffer)
    except (PageError, MemoryError) as error:
        answer, data = {"error": str(error) or "the page takes more memory than it is given"}, b""
    sys.stdout.buffer.write(json.dumps(answer).encode("ascii") + b"\n" + data)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
