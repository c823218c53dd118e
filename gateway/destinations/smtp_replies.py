"""What a mail server's refusals and broken connections mean to an owner."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from aiosmtplib import SMTPException, SMTPResponse, SMTPResponseException

from gateway.destinations.port import DestinationError, Rejected, Unavailable

_QUOTED_CHARACTERS = 200  # of the server's own words: one or two lines
_FAILED = "the connection to the server failed"


def refusal(reply: SMTPResponse, sentence: str, *, quoting: bool = True) -> DestinationError:
    """Return the error for a reply: 5yz is for good, all else is retried (RFC 5321, 4.2.1)."""
    if not 400 <= reply.code < 600:
        return Unavailable("the server does not answer like a mail server")
    words = quoted(reply.message) if quoting else ""
    message = f"{sentence} ({reply.code}{' ' if words else ''}{words})"
    return Rejected(message) if reply.code >= 500 else Unavailable(message)


def explained(error: Exception, sentence: str = _FAILED, *, quoting: bool = True) -> DestinationError:
    """Return the sentence for what aiosmtplib or the network raised; `sentence` is for a refusal."""
    if isinstance(error, SMTPResponseException):
        return refusal(SMTPResponse(error.code, error.message), sentence, quoting=quoting)
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Rejected("the server's certificate is not valid for this name; nothing was sent")
    if isinstance(cause, ssl.SSLError):
        return Unavailable("no encrypted connection came about; does this kind of security belong to this port?")
    if isinstance(error, TimeoutError):
        return Unavailable("the server does not answer in time")
    return Unavailable(_FAILED)


@contextmanager
def explaining(sentence: str, *, quoting: bool = True) -> Iterator[None]:
    """Turn what aiosmtplib or the network raises inside into a DestinationError."""
    try:
        yield
    except (SMTPException, OSError) as error:
        raise explained(error, sentence, quoting=quoting) from error


def quoted(text: str) -> str:
    """Return a server's words on one line, bounded, without anything that is not print."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line[:_QUOTED_CHARACTERS]
