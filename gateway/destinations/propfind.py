"""The reply to a PROPFIND of one resource (RFC 4918, sections 9.1 and 14), read as hostile input.

A body that declares a document type or entities is refused before it reaches the parser, and only UTF-8 is read: an
entity cannot then hide in another encoding.
"""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

BODY_LIMIT_BYTES = 1024 * 1024  # one resource answers in a few kilobytes
REQUEST = (
    b'<?xml version="1.0" encoding="utf-8"?>'
    b'<propfind xmlns="DAV:"><prop><getcontentlength/><getetag/><resourcetype/></prop></propfind>'
)
_OK = re.compile(r"HTTP/\d(?:\.\d)? 200(?: |$)")
_DIGITS = 18  # of a size: an exabyte
_ETAG_LIMIT = 200


class BadReply(Exception):
    """The server's answer is not what RFC 4918 describes."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What the server says of one resource; `byte_count` is None where it says nothing."""

    byte_count: int | None
    etag: str
    is_collection: bool


def parse(body: bytes) -> Resource:
    """Read the first response of a multistatus body; BadReply for anything else, whatever the bytes are."""
    response = _tree(body).find("{DAV:}response")
    if response is None:
        raise BadReply("the reply to PROPFIND names no resource")
    found = [p for p in response.iterfind("{DAV:}propstat") if _OK.match((p.findtext("{DAV:}status") or "").strip())]
    if not found:
        raise BadReply("the reply to PROPFIND has no properties")
    return Resource(
        byte_count=_size(_text(found, "getcontentlength")),
        etag=_text(found, "getetag")[:_ETAG_LIMIT],
        is_collection=any(p.find("{DAV:}prop/{DAV:}resourcetype/{DAV:}collection") is not None for p in found),
    )


def _tree(body: bytes) -> ET.Element:
    if len(body) > BODY_LIMIT_BYTES:
        raise BadReply("the reply to PROPFIND is too long")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadReply("the reply to PROPFIND is not UTF-8") from None
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise BadReply("the reply to PROPFIND declares a document type")
    try:
        root = ET.fromstring(text)  # noqa: S314 - no document type, no entities, one encoding, bounded size
    except (ET.ParseError, ValueError):
        raise BadReply("the reply to PROPFIND is not XML") from None
    if root.tag != "{DAV:}multistatus":
        raise BadReply("the reply to PROPFIND is no multistatus")
    return root


def _text(found: list[ET.Element], name: str) -> str:
    texts = (p.findtext(f"{{DAV:}}prop/{{DAV:}}{name}") for p in found)
    return next((t.strip() for t in texts if t), "")


def _size(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise BadReply("the reply to PROPFIND gives a size that is no number")
    return int(text)
