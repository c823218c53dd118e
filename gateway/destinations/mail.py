"""E-mail: the document as an attachment to one recipient. The dot that ends the message is the commit."""

import hashlib
import re
from collections.abc import AsyncIterator, Callable

from gateway.core.gate import Permit
from gateway.destinations.kinds import Field, Kind, Surroundings, Values, naming
from gateway.destinations.letter import Envelope, Letter, address, with_document
from gateway.destinations.port import Commit, DestinationError, Parcel, Proof, Rejected, Trace
from gateway.destinations.smtp import NONE, STARTTLS, TLS, MailServer
from gateway.destinations.smtp_replies import quoted
from gateway.destinations.upload import held_back

_MB = 1_000_000  # bytes; what providers mean by their limits differs, this is the smaller
_LARGEST_MB = 1000
_DIGITS = 9
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,39}")


class MailDestination:
    """Delivers to one address."""

    def __init__(self, server: MailServer, envelope: Envelope, size_limit_mb: int) -> None:
        """Take the submission server, both addresses and the largest message to try, in millions of bytes."""
        self._server = server
        self._envelope = envelope
        self._limit_bytes = size_limit_mb * _MB

    async def probe(self) -> None:
        """Connect, encrypt, log in, name sender and recipient and take them back; DestinationError. Sends nothing."""
        async with self._server.session() as session:
            await session.address(self._envelope)
            await session.forget()

    async def deliver(self, permit: Permit, parcel: Parcel, commit: Commit) -> Proof:
        """Send the message up to its last 64 KiB, `await commit()`, send the rest and the dot."""
        letter = with_document(parcel, self._envelope)
        _expect_room(parcel, letter, self._limit_bytes, "the limit set here")
        digest = hashlib.sha256()
        async with self._server.session() as session:
            if session.size_limit_bytes is not None:
                _expect_room(parcel, letter, session.size_limit_bytes, "the server's limit")
            await session.address(self._envelope, letter.byte_count)
            words = await session.send(letter, _seen_by(digest.update, held_back(parcel, commit)))
        identity = f"{letter.message_id} {quoted(words)}".strip()
        return Proof(f"mailto:{self._envelope.recipient}", identity, parcel.byte_count, digest.hexdigest())

    async def reconcile(self, permit: Permit, parcel: Parcel) -> Proof | Trace:
        """Say that nobody can tell: SMTP has no question for what became of a message."""
        return Trace.UNKNOWABLE


async def _seen_by(update: Callable[[bytes], None], chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        update(chunk)
        yield chunk


def _expect_room(parcel: Parcel, letter: Letter, limit_bytes: int, whose: str) -> None:
    if letter.byte_count > limit_bytes:
        raise Rejected(
            f"the document has {_mb(parcel.byte_count)}, as an e-mail {_mb(letter.byte_count)}; "
            f"{whose} is {_mb(limit_bytes)}"
        )


def _mb(byte_count: int) -> str:
    return f"{byte_count / _MB:.1f} MB"


def server_of(values: Values, around: Surroundings) -> MailServer:
    """Return the submission server in the values of `ACCOUNT`; Rejected names the field."""
    host, username, password = values["host"], values["username"], values["password"]
    if _HOST.fullmatch(host) is None:
        raise Rejected("host: the name of a mail server is needed, such as smtp.example.org")
    if bool(username) is not bool(password):
        raise Rejected(f"{'password' if username else 'username'}: user name and password go together")
    if username and values["security"] == NONE:
        raise Rejected("security: a password is never sent over an unencrypted connection")
    port = _number("port", values["port"], 65535)
    return MailServer(host, port, values["security"], around.guard, username, password)


def envelope_of(values: Values) -> Envelope:
    """Return sender and recipient in the values of `ACCOUNT`; Rejected names the field."""
    return Envelope(_address("sender", values), _address("recipient", values))


async def check_server(values: Values, around: Surroundings) -> None:
    """Judge host and port."""
    try:
        await server_of(values, around).check()
    except DestinationError as error:
        raise naming("host", error) from None


def _address(name: str, values: Values) -> str:
    try:
        return address(values[name])
    except Rejected as error:
        raise naming(name, error) from None


def _number(name: str, text: str, largest: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and 0 < int(text) <= largest):
        raise Rejected(f"{name}: a number from 1 to {largest} is needed")
    return int(text)


def _make(values: Values, around: Surroundings) -> MailDestination:
    limit_mb = _number("size_limit_mb", values["size_limit_mb"], _LARGEST_MB)
    return MailDestination(server_of(values, around), envelope_of(values), limit_mb)


ACCOUNT = (
    Field("host", "Mail server", False, "The server for outgoing mail, such as smtp.example.org"),
    Field("port", "Port", False, "465 for tls, 587 for starttls", initial="465"),
    Field(
        "security",
        "Encryption",
        False,
        "tls from the first byte, starttls after a greeting; none only where the administrator allows this server",
        choices=(TLS, STARTTLS, NONE),
        initial=TLS,
    ),
    Field("username", "User name", False, "Often the e-mail address; empty where no login is needed", required=False),
    Field("password", "Password", True, "Better an app password, made for this gateway only", required=False),
    Field("sender", "From", False, "The address that the mail server lets you send from"),
    Field("recipient", "To", False, "One address"),
)

KIND = Kind(
    label="E-mail",
    proves="the mail server took the message (250) under this Message-ID; it does not say that anybody received it",
    shown="recipient",
    fields=(
        *ACCOUNT,
        Field(
            "size_limit_mb",
            "Largest message in MB",
            False,
            "What the recipient's provider takes, 20 by default; an attachment is a third larger than its file",
            required=False,
            initial="20",
        ),
    ),
    make=_make,
    check=check_server,
)
