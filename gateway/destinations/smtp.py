"""Submission of one message (RFC 6409, 8314, 5321) over a guarded socket.

aiosmtplib speaks the verbs: greeting, STARTTLS without what was injected before it, EHLO, AUTH, replies bounded to
32 KiB. Only its DATA, which wants the whole message as one string, is not used: smtp_data.py streams it instead.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from socket import socket

from aiosmtplib import SMTP, SMTPException

from gateway.destinations.letter import Envelope, Letter
from gateway.destinations.net import Guard
from gateway.destinations.port import Rejected
from gateway.destinations.smtp_data import data_on, drop, writer_on
from gateway.destinations.smtp_replies import explaining, refusal

TLS, STARTTLS, NONE = "tls", "starttls", "none"
COMMAND_S = 60.0  # a server that greets slowly to annoy spammers still does so within half a minute
QUIT_S = 5.0  # politeness; the message has been taken by then
_SIZE_DIGITS = 20  # RFC 1870, section 4


@dataclass(frozen=True, slots=True)
class MailServer:
    """A submission server and who we are there; `security`: TLS, STARTTLS or NONE; no username: no login."""

    host: str
    port: int
    security: str
    guard: Guard
    username: str = ""
    password: str = field(default="", repr=False)

    async def check(self) -> None:
        """Judge the address; Rejected, Unavailable."""
        await self.guard.check_endpoint(self.host, self.port, plain=self.security == NONE)

    @asynccontextmanager
    async def session(self) -> AsyncIterator["Submission"]:
        """Connect, encrypt, log in; DestinationError. Left by an error, the connection is dropped without a word."""
        trusted = await asyncio.to_thread(ssl.create_default_context)  # reads the system's certificates from disk
        opened = await self.guard.connect(self.host, self.port, plain=self.security == NONE)
        client = SMTP(
            hostname=self.host,
            sock=opened,
            local_hostname=_literal(opened),
            timeout=COMMAND_S,
            tls_context=trusted,
            use_tls=self.security == TLS,
            start_tls=False,
        )
        try:
            await self._begin(client)
            submission = Submission(client)  # bound, because its writer must not end before the connection does
            yield submission
            with suppress(SMTPException, OSError):
                await client.quit(timeout=QUIT_S)
        finally:
            drop(client)

    async def _begin(self, client: SMTP) -> None:
        with explaining("the server refuses the connection"):
            await client.connect()
            await client.ehlo()
        if self.security == STARTTLS:
            await self._encrypt(client)
        if self.username:
            await self._log_in(client)

    async def _encrypt(self, client: SMTP) -> None:
        if not client.supports_extension("starttls"):
            raise Rejected("the server offers no encryption on this port; nothing was sent")
        with explaining("the server refuses to encrypt the connection"):
            await client.starttls()
            await client.ehlo()

    async def _log_in(self, client: SMTP) -> None:
        if self.security == NONE:
            raise Rejected("a password is never sent over an unencrypted connection")
        offered = client.server_auth_methods
        # PLAIN first, and one method only: under TLS it is as good as any, and each miss counts towards a lock-out.
        login = client.auth_plain if "plain" in offered else client.auth_login if "login" in offered else None
        if login is None:
            raise Rejected("the server offers no way to log in with a password")
        # Without the server's own words: one that repeats the command would repeat the password.
        with explaining("the server refuses the user name or the password", quoting=False):
            await login(self.username, self.password)


class Submission:
    """One logged-in connection, for one message."""

    def __init__(self, client: SMTP) -> None:
        self._client = client
        self._writer = writer_on(client)

    @property
    def size_limit_bytes(self) -> int | None:
        """Return the largest message that the server takes, None if it does not say (RFC 1870, section 4)."""
        value = self._client.esmtp_extensions.get("size", "").strip()
        known = value.isascii() and value.isdigit() and len(value) <= _SIZE_DIGITS
        return int(value) or None if known else None

    async def address(self, envelope: Envelope, byte_count: int = 0) -> None:
        """Name sender, size (0: nothing will be sent) and recipient; DestinationError."""
        options = [f"SIZE={byte_count}"] if byte_count and self._client.supports_extension("size") else []
        with explaining("the server refuses the sender"):
            await self._client.mail(envelope.sender, options=options)
        with explaining("the server refuses the recipient"):
            await self._client.rcpt(envelope.recipient)

    async def forget(self) -> None:
        """Take sender and recipient back; DestinationError."""
        with explaining("the server refuses to start over"):
            await self._client.rset()

    async def send(self, letter: Letter, document: AsyncIterator[bytes] | None = None) -> str:
        """Send the message and return what the server says to it; DestinationError, ReplyLost after the dot.

        Whatever `document` raises comes out as it is, and the server, which never sees the final dot, forgets what
        it has (RFC 5321, 4.1.1.4, 4.1.1.10).
        """
        with explaining("the server refuses the message"):
            begun = await self._client.execute_command(b"DATA")
        if begun.code != 354:
            raise refusal(begun, "the server refuses the message")
        with data_on(self._client, self._writer) as data:
            async for piece in letter.stuffed(document):
                await data.write(piece)
            return await data.end()


def _literal(opened: socket) -> str:
    """Our own address as the name of a client that has none (RFC 5321, 4.1.4)."""
    own = ip_address(str(opened.getsockname()[0]).partition("%")[0])
    return f"[{own}]" if own.version == 4 else f"[IPv6:{own}]"
