"""Reads a form (multipart/form-data, RFC 7578) as servers do: a body that breaks off ends its last part."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BOUNDARY = re.compile(r'boundary="?([^";]{1,70})')
_NAME = re.compile(r'\bname="([^"]*)"')
_FILE = re.compile(r'\bfilename="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Part:
    """One field; `file_name` is empty for a plain value."""

    name: str
    file_name: str
    data: bytes


def parts(content_type: str, body: bytes) -> Iterator[Part]:
    """Yield the parts of a body; ValueError if its type names no boundary."""
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise ValueError("no boundary")
    for piece in (b"\r\n" + body).split(f"\r\n--{boundary[1]}".encode())[1:]:
        if piece.startswith(b"--"):
            return
        head, _, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        yield _part(head.decode("utf-8", "replace"), data)


def _part(head: str, data: bytes) -> Part:
    name, file_name = _NAME.search(head), _FILE.search(head)
    return Part(name[1] if name else "", file_name[1] if file_name else "", data)
