"""DATA as a stream (RFC 5321, 4.1.1.4), on the connection of aiosmtplib, whose own DATA takes one string.

A message of any length goes out piece by piece, watched for a reply that comes too early, and is ended by the dot or
by a dropped connection. A server that never sees the dot has no message.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiosmtplib import SMTP, SMTPException, SMTPResponse
from aiosmtplib.protocol import SMTPProtocol

from gateway.destinations.port import ReplyLost, Unavailable
from gateway.destinations.smtp_replies import explained, explaining, refusal

BLOCK_S = 180.0  # RFC 5321, 4.5.3.2.5: what a server may take for a piece of the message
END_S = 600.0  # RFC 5321, 4.5.3.2.6: with less, messages arrive twice
_TAKEN = range(200, 300)


class Data:
    """The connection between 354 and the reply to the dot."""

    def __init__(self, writer: asyncio.StreamWriter, reply: asyncio.Task[SMTPResponse]) -> None:
        self._writer = writer
        self._reply = reply

    async def write(self, piece: bytes) -> None:
        """Send a piece of the message, dots stuffed; DestinationError."""
        self._expect_silence()
        self._writer.write(piece)
        try:
            async with asyncio.timeout(BLOCK_S):
                await self._writer.drain()
        except TimeoutError:
            raise Unavailable("the server stopped taking the message") from None
        except OSError as error:
            self._expect_silence()
            raise explained(error) from error

    async def end(self) -> str:
        """Send the dot and return what the server says to it; DestinationError, ReplyLost."""
        self._expect_silence()
        self._writer.write(b".\r\n")
        try:
            async with asyncio.timeout(END_S):
                reply = await self._reply
        except (SMTPException, OSError) as error:
            raise ReplyLost("the connection broke before the server said whether it took the message") from error
        if 400 <= reply.code < 600:
            raise refusal(reply, "the server refuses the message")
        if reply.code not in _TAKEN:
            raise ReplyLost("the server's answer to the message is none that a mail server gives")
        return reply.message

    def _expect_silence(self) -> None:
        """A reply before the dot is a refusal or a mistake: the server has no whole message."""
        if not self._reply.done():
            return
        with explaining("the server refuses the message"):
            reply = self._reply.result()
        raise refusal(reply, "the server broke off the message")


def writer_on(client: SMTP) -> asyncio.StreamWriter:
    """Return a writer that waits while the network does: aiosmtplib has the flow control, and no way to await it."""
    if client.protocol is None or not isinstance(client.transport, asyncio.WriteTransport):
        raise Unavailable("the connection to the server failed")
    return asyncio.StreamWriter(client.transport, client.protocol, None, asyncio.get_running_loop())


@contextmanager
def data_on(client: SMTP, writer: asyncio.StreamWriter) -> Iterator[Data]:
    """Give the stream that 354 has asked for; left without `end`, the connection is good for nothing else."""
    if client.protocol is None:
        raise Unavailable("the connection to the server failed")
    reply = asyncio.create_task(_reply(client.protocol), name="smtp reply")
    reply.add_done_callback(lambda task: task.cancelled() or task.exception())  # seen, if nobody asks for it
    try:
        yield Data(writer, reply)
    finally:
        reply.cancel()


async def _reply(protocol: SMTPProtocol) -> SMTPResponse:
    return await protocol.read_response()


def drop(client: SMTP) -> None:
    """Break the connection off, without sending what is still buffered."""
    if isinstance(client.transport, asyncio.WriteTransport):
        client.transport.abort()  # close() would send it first
    client.close()
