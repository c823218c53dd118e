"""A streaming PDF writer for pages that are encoded already, as JPEG or CCITT group 4 (ISO 32000-1).

Every length is known before the first byte, so the cross-reference table is computed, not collected: the document's
size stands in `Document.byte_count`, memory stays flat, and the scanner's bytes go through untouched.
The same input gives the same bytes: dates and /ID come from the arguments, never from a clock.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from gateway.documents.streams import closing

CHUNK_BYTES = 256 * 1024  # few enough calls for a fast disk, small enough to hold many streams in memory
_PRODUCER = "scansnap-gateway"
_HEADER = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"  # four bytes above 127: tools then treat the file as binary
_OFFSET_LIMIT = 10**10  # an offset in the cross-reference table has ten digits (7.5.4)
_CATALOG, _PAGES, _INFO, _FIRST_PAGE = 1, 2, 3, 4
_OBJECTS_PER_PAGE = 3  # page, content, image


class Coding(StrEnum):
    """How an image lies in a document. CCITT: group 4 (ITU-T T.6), one strip; black runs are ink."""

    JPEG_COLOUR = "jpeg-colour"
    JPEG_GRAY = "jpeg-gray"
    CCITT = "ccitt"


class DamagedPage(Exception):
    """A page gave more or fewer bytes than its row says; the document must not be committed."""


@dataclass(frozen=True, slots=True)
class PageSource:
    """One encoded page. `open()` starts a fresh stream of exactly `byte_count` bytes."""

    width_px: int
    height_px: int
    resolution_dpi: int
    byte_count: int
    open: Callable[[], AsyncIterator[bytes]]
    coding: Coding = Coding.JPEG_COLOUR


_Part = bytes | PageSource


@dataclass(frozen=True, slots=True)
class Document:
    """A planned PDF of `byte_count` bytes."""

    byte_count: int
    _parts: tuple[_Part, ...]

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the document in chunks of at most CHUNK_BYTES; DamagedPage before a wrong document is complete.

        Each call opens every page afresh, one at a time.
        """
        held = bytearray()
        for number, part in enumerate(self._parts):
            async with closing(_checked(part, number)) as chunks:
                async for chunk in chunks:
                    held += chunk
                    while len(held) >= CHUNK_BYTES:
                        yield bytes(memoryview(held)[:CHUNK_BYTES])
                        del held[:CHUNK_BYTES]
        if held:
            yield bytes(held)


def plan(pages: Sequence[PageSource], *, title: str, created_at: datetime, identity: str) -> Document:
    """Lay out one PDF of these pages, in this order, without opening any.

    `created_at` is aware; `identity` names the scan and generation, and with `created_at` makes the /ID.
    ValueError for no pages, sizes that are not positive, and documents beyond 10 GB.
    """
    if not pages:
        raise ValueError("a document needs at least one page")
    if created_at.tzinfo is None:
        raise ValueError("created_at must be aware")
    objects = [_catalog(), _page_tree(len(pages)), _info(title, created_at)]
    for index, page in enumerate(pages):
        objects += _page_objects(index, page)
    return _lay_out(objects, _file_id(identity, created_at))


def _lay_out(objects: list[tuple[_Part, ...]], file_id: str) -> Document:
    parts: list[_Part] = [_HEADER]
    offsets: list[int] = []
    position = len(_HEADER)
    for number, content in enumerate(objects, start=1):
        offsets.append(position)
        pieces = (b"%d 0 obj\n" % number, *content, b"\nendobj\n")
        parts += pieces
        position += sum(_length(p) for p in pieces)
    if position >= _OFFSET_LIMIT:
        raise ValueError("the document is larger than a PDF's cross-reference table can address")
    parts.append(_tail(offsets, position, file_id))
    return Document(sum(_length(p) for p in parts), tuple(_joined(parts)))


def _joined(parts: list[_Part]) -> list[_Part]:
    """Merge neighbouring byte pieces, so that a page costs two parts and not nine."""
    joined: list[_Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, bytes) and isinstance(last, bytes):
            joined[-1] = last + part
        else:
            joined.append(part)
    return joined


def _length(part: _Part) -> int:
    return len(part) if isinstance(part, bytes) else part.byte_count


def _catalog() -> tuple[_Part, ...]:
    return (b"<< /Type /Catalog /Pages %d 0 R >>" % _PAGES,)


def _page_tree(count: int) -> tuple[_Part, ...]:
    kids = " ".join(f"{_FIRST_PAGE + i * _OBJECTS_PER_PAGE} 0 R" for i in range(count))
    return (f"<< /Type /Pages /Count {count} /Kids [{kids}] >>".encode("ascii"),)


def _info(title: str, created_at: datetime) -> tuple[_Part, ...]:
    date = f"(D:{created_at.astimezone(UTC):%Y%m%d%H%M%S}Z)"
    fields = f"/Title {_text(title)} /Producer ({_PRODUCER}) /CreationDate {date} /ModDate {date}"
    return (f"<< {fields} >>".encode("ascii"),)


def _page_objects(index: int, page: PageSource) -> list[tuple[_Part, ...]]:
    if min(page.width_px, page.height_px, page.resolution_dpi, page.byte_count) <= 0:
        raise ValueError(f"page {index + 1}: sizes must be positive")
    number = _FIRST_PAGE + index * _OBJECTS_PER_PAGE
    width, height = _points(page.width_px, page.resolution_dpi), _points(page.height_px, page.resolution_dpi)
    content = f"q {width} 0 0 {height} 0 0 cm /Im0 Do Q"
    return [
        (
            f"<< /Type /Page /Parent {_PAGES} 0 R /MediaBox [0 0 {width} {height}] "
            f"/Resources << /XObject << /Im0 {number + 2} 0 R >> >> /Contents {number + 1} 0 R >>".encode("ascii"),
        ),
        (f"<< /Length {len(content)} >>\nstream\n{content}\nendstream".encode("ascii"),),
        (
            f"<< /Type /XObject /Subtype /Image /Width {page.width_px} /Height {page.height_px} "
            f"{_image(page)} "
            f"/Length {page.byte_count} >>\nstream\n".encode("ascii"),
            page,
            b"\nendstream",
        ),
    ]


def _image(page: PageSource) -> str:
    """Return how the image's data is to be read (7.4.6, 7.4.8, 8.9.5)."""
    if page.coding is Coding.CCITT:
        parameters = f"<< /K -1 /Columns {page.width_px} /Rows {page.height_px} >>"
        return f"/ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /CCITTFaxDecode /DecodeParms {parameters}"
    space = "/DeviceGray" if page.coding is Coding.JPEG_GRAY else "/DeviceRGB"
    return f"/ColorSpace {space} /BitsPerComponent 8 /Filter /DCTDecode"


def _tail(offsets: list[int], start: int, file_id: str) -> bytes:
    entries = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(offsets) + 1
    trailer = f"<< /Size {size} /Root {_CATALOG} 0 R /Info {_INFO} 0 R /ID [<{file_id}> <{file_id}>] >>"
    return f"xref\n0 {size}\n0000000000 65535 f \n{entries}trailer\n{trailer}\nstartxref\n{start}\n%%EOF\n".encode(
        "ascii"
    )


def _file_id(identity: str, created_at: datetime) -> str:
    return hashlib.sha256(f"{identity}\n{created_at.astimezone(UTC).isoformat()}".encode()).hexdigest()[:32]


def _points(pixels: int, resolution_dpi: int) -> str:
    """Return a length in points (1/72 inch) as PDF writes numbers: no exponent, four decimals are 35 nm."""
    return f"{pixels * 72 / resolution_dpi:.4f}".rstrip("0").rstrip(".")


def _text(value: str) -> str:
    """Return a text string as UTF-16BE in hexadecimal (7.9.2.2): nothing in it can end the string early."""
    return f"<feff{value.encode('utf-16-be', 'replace').hex()}>"


async def _checked(part: _Part, number: int) -> AsyncIterator[bytes]:
    if isinstance(part, bytes):
        yield part
        return
    left = part.byte_count
    page = (number + 1) // 2  # pages and the bytes between them take turns, see _joined
    async with closing(part.open()) as chunks:
        async for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise DamagedPage(f"page {page} is longer than the {part.byte_count} bytes that were stored")
            yield chunk
    if left:
        raise DamagedPage(f"page {page} is {left} bytes shorter than the {part.byte_count} that were stored")
