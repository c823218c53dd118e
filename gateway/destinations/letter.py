"""An e-mail as bytes, ready for DATA: 7-bit, CRLF, dot-stuffed, with room in it for a document. No I/O."""

import hashlib
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import MIMEPart
from email.parser import BytesHeaderParser
from email.policy import SMTP
from email.utils import format_datetime

from gateway.destinations.header_text import encoded_words, is_plain, one_line, parameter
from gateway.destinations.names import plain
from gateway.destinations.port import Parcel, Rejected

_LINE_BYTES = 57  # of a document: 76 characters of base64, the longest line that RFC 2045 (6.8) allows
_LOCAL_CHARACTERS = 64  # RFC 5321, 4.5.3.1.1
_ADDRESS_CHARACTERS = 254  # RFC 5321, 4.5.3.1.3: a path of 256 with its angle brackets
_SUBJECT_CHARACTERS = 250  # a title has 128, a file name 255 bytes
_LINE_CHARACTERS = 78  # RFC 5322, 2.1.1
_FOLD = "\r\n "  # RFC 5322, 2.2.3
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)@(?P<domain>{_LABEL}(?:\.{_LABEL})*)")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends to whom; both are bare addresses."""

    sender: str
    recipient: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A message around a document of `document_bytes`, or all of it in `head`; `byte_count` is what SIZE counts."""

    message_id: str
    head: bytes
    tail: bytes = b""
    document_bytes: int = 0

    @property
    def byte_count(self) -> int:
        """Return the size of the whole message in bytes (RFC 1870, section 5: the stuffed dots do not count)."""
        return len(self.head) + encoded_bytes(self.document_bytes) + len(self.tail)

    async def stuffed(self, document: AsyncIterator[bytes] | None) -> AsyncIterator[bytes]:
        """Yield what goes out after DATA, without the final dot; base64 lines never begin with one."""
        yield _dotted(self.head)
        if document is not None:
            async for lines in _base64(document):
                yield lines
        yield self.tail


def address(value: str) -> str:
    """Return an address that can stand in an envelope as it is (RFC 5321, 4.1.2, without quoted names); Rejected."""
    found = _ADDRESS.fullmatch(value)
    if not value.isascii():
        raise Rejected("an address of plain letters is needed; an international domain begins with xn--")
    if found is None or len(found["local"]) > _LOCAL_CHARACTERS or len(value) > _ADDRESS_CHARACTERS:
        raise Rejected("one address such as anna@example.org is needed, without a name around it")
    return value


def with_document(parcel: Parcel, envelope: Envelope) -> Letter:
    """Return the message that carries a parcel; the same bytes for every attempt. Rejected."""
    name = plain(parcel.name)
    title = one_line(parcel.filing.title or name)
    when = parcel.created_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    boundary = f"=_{_digest(parcel.key)}"  # "=_" occurs neither in base64 nor in quoted-printable
    headers = _headers(envelope, title, parcel.key, parcel.created_at)
    message = _head(headers | {"Content-Type": f'multipart/mixed; boundary="{boundary}"'})
    text = _text(f"{title}\n\nScanned {when}, attached as {one_line(name)}\n")
    document = _head(
        {
            "Content-Type": parcel.media_type,
            "Content-Transfer-Encoding": "base64",
            "Content-Disposition": f";{_FOLD}".join(["attachment", *parameter("filename", name)]),
        }
    )
    between = f"\r\n--{boundary}\r\n".encode("ascii")
    head = message + between + text + between + document + b"\r\n"
    return Letter(headers["Message-ID"], head, f"--{boundary}--\r\n".encode("ascii"), parcel.byte_count)


def of_text(envelope: Envelope, title: str, text: str, key: str, at: datetime, *, urgent: bool) -> Letter:
    """Return a message that is a text and nothing else; Rejected."""
    headers = _headers(envelope, one_line(title), key, at)
    if urgent:
        headers["Importance"] = "high"  # RFC 2156, 5.3.6
    body = _text("".join(f"{one_line(line)}\n" for line in text.splitlines()))
    return Letter(headers["Message-ID"], _head(headers) + body)


def encoded_bytes(byte_count: int) -> int:
    """Return how long a document is in base64, the line ends included."""
    return -(-byte_count // 3) * 4 + -(-byte_count // _LINE_BYTES) * 2


def _headers(envelope: Envelope, title: str, key: str, at: datetime) -> dict[str, str]:
    return {
        "From": envelope.sender,
        "To": envelope.recipient,
        "Subject": _subject(title[:_SUBJECT_CHARACTERS]),
        "Date": format_datetime(at.astimezone(UTC)),
        "Message-ID": f"<{_digest(key)}@{envelope.sender.rpartition('@')[2]}>",
        "Auto-Submitted": "auto-generated",  # RFC 3834, section 5: nobody's vacation notice answers it
        "MIME-Version": "1.0",
    }


def _subject(title: str) -> str:
    fits = len(f"Subject: {title}") <= _LINE_CHARACTERS
    return title if fits and is_plain(title) else _FOLD.join(encoded_words(title))


def _head(headers: dict[str, str]) -> bytes:
    """Write headers, each as it is: email.message would decode what looks like an encoded word, line breaks included.

    Rejected if a reader would find others in it.
    """
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    read = BytesHeaderParser().parsebytes(lines.encode("ascii", "replace"))
    if not lines.isascii() or read.keys() != list(headers) or read.get_payload():
        raise Rejected("title and name cannot be written into the head of an e-mail; nothing was sent")
    return lines.encode("ascii")


def _text(text: str) -> bytes:
    part = MIMEPart(SMTP)
    part.set_content(text, cte="quoted-printable")
    return part.as_bytes()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _dotted(lines: bytes) -> bytes:
    """RFC 5321, 4.5.2."""
    return lines.replace(b"\r\n.", b"\r\n..")


async def _base64(document: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in document:
        data = rest + chunk
        whole = len(data) - len(data) % _LINE_BYTES
        rest = data[whole:]
        if whole:
            yield _lines(data[:whole])
    if rest:
        yield _lines(rest)


def _lines(data: bytes) -> bytes:
    return b"".join(b64encode(data[at : at + _LINE_BYTES]) + b"\r\n" for at in range(0, len(data), _LINE_BYTES))
