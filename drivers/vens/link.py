"""One TCP connection to a unit: frames out, frames in, bounded in size and time. A broken one is not used again."""

import asyncio
from contextlib import suppress
from ipaddress import IPv4Address
from types import TracebackType
from typing import TypeVar

from drivers import flow as flows
from drivers.errors import DriverError, PeerError, Unreachable
from drivers.scsi.flow import Dialogue
from drivers.scsi.wire import Command, Opcode, Reply, ScsiStatus, Sense, request_sense
from drivers.vens import frames
from drivers.vens.frames import ControlReply, DataReply
from drivers.vens.wire import Family

Result = TypeVar("Result")

_CONNECT_TIMEOUT_S = 3.0  # a unit on the same network answers within milliseconds, one that wakes up within two seconds
_ANSWER_TIMEOUT_S = 5.0  # questions are answered at once
_PAPER_TIMEOUT_S = 20.0  # a sheet of 600 dpi takes ten seconds to go by; silence for longer is a lost connection
_LEAVING_TIMEOUT_S = 2.0  # who leaves waits for the answer that is under way: a block takes a second at the most
_MOVES_PAPER = frozenset({Opcode.FEED, Opcode.READ})
_SILENT = "The scanner does not answer any more: check that it is on and has Wi-Fi"


class Connection:
    """A connection on which the unit has spoken its greeting; use `async with`."""

    def __init__(self, address: IPv4Address, port: int) -> None:
        self._address = address
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._why: DriverError | None = None
        self.broken = False

    async def __aenter__(self) -> "Connection":
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                self._reader, self._writer = await asyncio.open_connection(str(self._address), self._port)
                status = frames.greeting(await self._frame())
        except (OSError, TimeoutError) as error:
            await self.close()
            raise Unreachable("The scanner cannot be reached: check that it is on and has Wi-Fi") from error
        except BaseException:
            await self.close()
            raise
        if status:
            await self.close()
            raise Unreachable(f"The scanner takes no connection now (status {status})")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def exchange(self, request: bytes, timeout_s: float = _ANSWER_TIMEOUT_S) -> bytes:
        """Send a frame and return the one that answers it; Unreachable, PeerError."""
        if self.broken or self._writer is None:
            raise self._why or Unreachable(_SILENT)
        self.broken = True  # until the answer is whole: whoever leaves in between leaves it out of step
        try:
            async with asyncio.timeout(timeout_s):
                self._writer.write(request)
                await self._writer.drain()
                frame = await self._frame()
        except (OSError, TimeoutError) as error:
            raise self._why or Unreachable(_SILENT) from error
        if self._why is None:
            self.broken = False
        return frame

    def abort(self, why: DriverError) -> None:
        """End it at once; whoever waits for an answer, or asks for one, is told why."""
        self._why = self._why or why
        self.broken = True
        if self._writer is not None:
            self._writer.transport.abort()

    async def close(self) -> None:
        """Close it; may be called twice."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        if self.broken:
            writer.transport.abort()  # nobody is there to take what has not left yet
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                await writer.wait_closed()

    async def _frame(self) -> bytes:
        if self._reader is None:
            raise Unreachable(_SILENT)
        try:
            head = await self._reader.readexactly(8)
            return head + await self._reader.readexactly(frames.frame_length(head) - len(head))
        except asyncio.IncompleteReadError as error:
            raise self._why or Unreachable("The scanner closed the connection") from error


class Data:
    """The data channel: dialogues of the Fujitsu command set. One at a time."""

    def __init__(self, connection: Connection, family: Family, token: bytes) -> None:
        self._connection = connection
        self._family = family
        self._token = token

    @property
    def broken(self) -> bool:
        """Tell whether the connection is lost or out of step."""
        return self._connection.broken

    async def run(self, dialogue: Dialogue[Result]) -> Result:
        """Run a dialogue to its result."""
        return await flows.walk(dialogue, self._exchange, sleep=asyncio.sleep)

    async def _exchange(self, command: Command) -> Reply:
        """Do one command, and ask for the sense where it says that there is some."""
        reply = await self._transact(command)
        if reply.status is not ScsiStatus.CHECK:
            return Reply(reply.status, reply.data)
        asked = await self._transact(request_sense())
        if asked.status is not ScsiStatus.GOOD:
            raise PeerError(f"The scanner failed ({command.name}) and would not say why")
        return Reply(reply.status, reply.data, Sense.decode(asked.data))

    async def _transact(self, command: Command) -> DataReply:
        """Do one command; cancelled, wait a little for its answer: the job is best ended on this very connection."""
        opcode = command.cdb[0]
        timeout_s = _PAPER_TIMEOUT_S if opcode in _MOVES_PAPER else _ANSWER_TIMEOUT_S
        request = frames.data_request(self._family, self._token, command)
        answer = asyncio.ensure_future(self._connection.exchange(request, timeout_s))
        try:
            frame = await asyncio.shield(answer)
        except asyncio.CancelledError:
            await _outlast(answer)
            raise
        image = opcode == Opcode.READ and command.cdb[2] == 0
        return DataReply.decode(frame, image=image)


async def _outlast(answer: "asyncio.Future[bytes]") -> None:
    try:
        await asyncio.wait((answer,), timeout=_LEAVING_TIMEOUT_S)
    finally:
        answer.cancel()
        await asyncio.gather(answer, return_exceptions=True)


async def ask_control(address: IPv4Address, port: int, request: bytes) -> ControlReply:
    """Ask one thing on a control connection of its own."""
    async with Connection(address, port) as connection:
        return ControlReply.decode(await connection.exchange(request))
