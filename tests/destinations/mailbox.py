"""A real mail server (aiosmtpd) on a free port of 127.0.0.1 that records, and misbehaves as it is told.

`async with mailbox() as box`; `box.refuse["RCPT"] = "550 no such user"`.
"""

import asyncio
import datetime as dt
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from ipaddress import ip_address
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

USERNAME, PASSWORD = "anna@example.org", "correct horse"


@dataclass(slots=True)
class Mailbox:
    """What arrived, and what goes wrong.

    `refuse`: verb -> reply instead of doing it ("." is the reply to the message; "" drops the connection);
    `drop_at`: bytes after 354 after which the connection is dropped; `injected`: what follows the reply to STARTTLS in
    the clear, as somebody in between would put it there.
    """

    port: int = 0
    size_limit: int | None = None
    refuse: dict[str, str] = field(default_factory=dict)
    drop_at: int | None = None
    injected: str = ""
    verbs: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    data_bytes: int = 0
    connections: int = 0
    open_connections: int = 0

    @property
    def last(self) -> EmailMessage:
        """Return the last message, parsed."""
        return BytesParser(policy=default).parsebytes(self.messages[-1])

    async def until_alone(self) -> None:
        """Wait until every connection has ended: what was not taken by then never will be."""
        async with asyncio.timeout(10):
            while self.open_connections:
                await asyncio.sleep(0.005)


class _Server(SMTP):
    def __init__(self, box: Mailbox, **options: object) -> None:
        super().__init__(_Handler(box), enable_SMTPUTF8=False, hostname="mail.test", timeout=30, **options)
        self.box = box
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._original_transport is None:  # not the second time, which is STARTTLS
            self.box.connections += 1
            self.box.open_connections += 1
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.box.open_connections -= 1
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if self._in_data:
            self.box.data_bytes += len(data)
            if self.box.drop_at is not None and self.box.data_bytes >= self.box.drop_at:
                self.transport.abort()
                return
        super().data_received(data)

    async def push(self, status: str) -> None:
        begins = self.box.injected and status.startswith("220 Ready")
        await super().push(f"{status}\r\n{self.box.injected}" if begins else status)

    async def _call(self, verb: str, arg: str) -> None:
        self.box.verbs.append(f"{verb} {arg or ''}".strip())
        reply = self.box.refuse.get(verb)
        if reply is None:
            await getattr(super(), f"smtp_{verb}")(arg)
        elif reply:
            await self.push(reply)
        else:
            self.transport.abort()

    async def smtp_EHLO(self, arg: str) -> None:
        await self._call("EHLO", arg)

    async def smtp_STARTTLS(self, arg: str) -> None:
        await self._call("STARTTLS", arg)

    async def smtp_AUTH(self, arg: str) -> None:
        await self._call("AUTH", arg)

    async def smtp_MAIL(self, arg: str) -> None:
        await self._call("MAIL", arg)

    async def smtp_RCPT(self, arg: str) -> None:
        await self._call("RCPT", arg)

    async def smtp_RSET(self, arg: str) -> None:
        await self._call("RSET", arg)

    async def smtp_QUIT(self, arg: str) -> None:
        await self._call("QUIT", arg)

    async def smtp_DATA(self, arg: str) -> None:
        self._in_data = True
        await self._call("DATA", arg)
        self._in_data = False


class _Handler:
    def __init__(self, box: Mailbox) -> None:
        self.box = box

    async def handle_DATA(self, server: _Server, session: object, envelope: object) -> str:
        reply = self.box.refuse.get(".")
        if reply is None or not reply or reply[0] == "2":
            self.box.messages.append(envelope.original_content)
        if reply == "":
            server.transport.abort()
        return "250 OK queued as 4F2A" if reply is None else reply


@asynccontextmanager
async def mailbox(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, size_limit: int | None = 33554432
) -> AsyncIterator[Mailbox]:
    """Serve until the block ends: in the clear, with TLS from the first byte, or offering STARTTLS."""
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    box = Mailbox(size_limit=size_limit)
    loop = asyncio.get_running_loop()

    def authenticate(server: object, session: object, envelope: object, how: str, data: LoginPassword) -> AuthResult:
        box.logins.append((data.login, data.password))
        good = (data.login, data.password) == (USERNAME.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=False)

    def serve() -> _Server:
        return _Server(
            box,
            data_size_limit=box.size_limit,
            tls_context=starttls,
            auth_require_tls=starttls is not None,
            authenticator=authenticate,
            loop=loop,
        )

    server = await loop.create_server(serve, "127.0.0.1", 0, ssl=tls)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()
        await box.until_alone()


def certificate(folder: Path, *, names: tuple[str, ...] = ("127.0.0.1",)) -> tuple[ssl.SSLContext, Path]:
    """Return a server's TLS context and the PEM file that a client who trusts it needs."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ip_address(name)) for name in names])
    builder = builder.add_extension(alternatives, critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    trusted = folder / "trusted.pem"
    trusted.write_bytes(pem)
    private = folder / "server.pem"
    private.write_bytes(
        pem
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(private)
    return context, trusted
