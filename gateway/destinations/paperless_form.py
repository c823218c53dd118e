"""The form around a document (multipart/form-data, RFC 7578): what stands before it, and what closes it. No I/O."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """`head`, the document, `tail`: together one body of type `media_type`."""

    head: bytes
    tail: bytes
    media_type: str


def form(fields: Iterable[tuple[str, str]], *, field: str, file_name: str, media_type: str) -> Form:
    """Return a form with the document last, so that its end, and with it the whole form, can be held back."""
    boundary = secrets.token_hex(24)  # 192 random bits: no document contains it
    parts = [_part(boundary, f'name="{quoted(name)}"', "") + value.encode() + b"\r\n" for name, value in fields]
    named = f'name="{quoted(field)}"; filename="{quoted(file_name)}"'
    head = b"".join(parts) + _part(boundary, named, f"Content-Type: {media_type}\r\n")
    return Form(head, f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}")


def _part(boundary: str, named: str, more: str) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {named}\r\n{more}\r\n".encode()


def quoted(name: str) -> str:
    """Return a name in UTF-8 as browsers send it (WHATWG HTML, multipart/form-data encoding): three characters escaped.

    The percent sign stays: servers do not decode names (RFC 7578, 4.2, leaves it open), and most have no quotes.
    """
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
