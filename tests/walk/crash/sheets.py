"""Sheets with a name: tiny JPEGs whose comment says which one it is, and how documents are read for these names."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pikepdf
from PIL import Image

SIDE_PX = 8
RESOLUTION_DPI = 300
_MARK = re.compile(rb"sheet:([0-9a-z/-]+);", re.ASCII)
_SEGMENT_BYTES = 60_000  # a comment holds 65,533
_TAIL = re.compile(rb"startxref\n(\d+)\n%%EOF\n\Z")


class Partial(Exception):
    """A document that is visible and not whole; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One side of a sheet; `padding_bytes` of comments make it as large as wanted."""

    name: str
    padding_bytes: int = 0

    def jpeg(self) -> bytes:
        """Return it as the scanner would send it."""
        comments = [b"sheet:" + self.name.encode("ascii") + b";"]
        for start in range(0, self.padding_bytes, _SEGMENT_BYTES):
            comments.append(bytes(min(_SEGMENT_BYTES, self.padding_bytes - start)))
        blank = _blank()
        return blank[:2] + b"".join(_comment(c) for c in comments) + blank[2:]


def _comment(data: bytes) -> bytes:
    return b"\xff\xfe" + (len(data) + 2).to_bytes(2, "big") + data


@cache
def _blank() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (SIDE_PX, SIDE_PX), "white").save(file, "JPEG")
    return file.getvalue()


def sheets_in(document: Path) -> tuple[str, ...]:
    """Return the names of a document's pages in their order; Partial unless it is whole."""
    check_whole(document.read_bytes(), document.name)
    try:
        with pikepdf.open(document) as pdf:
            return tuple(_names(pdf, document.name))
    except pikepdf.PdfError as error:
        raise Partial(f"{document.name}: {error}") from error


def check_whole(data: bytes, name: str) -> None:
    """Look at both ends only: a document that lacks a byte has no cross-reference table where its end says."""
    tail = _TAIL.search(data[-64:])
    if not data.startswith(b"%PDF-") or tail is None or not data.startswith(b"xref\n", int(tail[1])):
        raise Partial(f"{name}: {len(data)} bytes that are no whole document")


def _names(pdf: pikepdf.Pdf, name: str) -> Iterator[str]:
    for page in pdf.pages:
        data = page.obj.Resources.XObject["/Im0"].read_raw_bytes()
        mark = _MARK.search(data)
        if mark is None or not data.endswith(b"\xff\xd9"):
            raise Partial(f"{name}: a page is not as it was sent")
        yield mark[1].decode("ascii")
